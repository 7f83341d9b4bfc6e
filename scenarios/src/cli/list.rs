//! `passim machines`, `passim rules`.

use std::path::Path;

use passim_model::Rule;
use serde::Serialize;

use super::Ended;
use super::output::Output;
use crate::input_error::{InputError, InputKind, nearest};
use crate::machine::{self, Gic, Iommu, Machine};
use crate::replay::machine_named;

/// Which machines.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  passim machines              the built-in machines
  passim machines virt-its     the functions of one
  passim machines my.toml      whether a machine file is sound")]
pub(super) struct Machines {
    /// A built-in machine, or a machine file
    name: Option<String>,
}

/// Which rules.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  passim rules                 every rule
  passim rules map-overlap     what it demands, and where it is known from
  passim --json rules          the same for programs")]
pub(super) struct Rules {
    /// A rule
    name: Option<String>,
}

/// A machine, for programs.
#[derive(Serialize)]
struct MachineEntry {
    name: String,
    /// Its default.
    profile: String,
    /// In bytes.
    page_size: u64,
    cpus: u32,
    /// `smmuv3` or `flat`.
    iommu: &'static str,
    /// How many SMMUs.
    smmus: usize,
    /// `its` or `v2m`.
    gic: &'static str,
    functions: Vec<FunctionEntry>,
}

/// A PCI function, for programs.
#[derive(Serialize)]
struct FunctionEntry {
    rid: String,
    vendor: u16,
    device: u16,
    class: u32,
    group: Option<u32>,
    driver: Option<String>,
}

pub(super) fn machines(arguments: &Machines, output: &mut Output) -> Ended {
    let names = match &arguments.name {
        Some(name) => vec![name.as_str()],
        None => machine::BUILTIN.iter().map(|(name, _)| *name).collect(),
    };
    let mut entries = Vec::new();
    for name in names {
        let machine = match machine_named(name) {
            Ok(machine) => machine,
            Err(error) => return output.refused(&error),
        };
        output.text(&machine_line(&machine));
        if arguments.name.is_some() {
            for function in &machine.functions {
                output.text(&function_line(function));
            }
        }
        entries.push(machine_entry(&machine));
    }
    output.json(&entries);
    Ended::Agreed
}

fn machine_line(machine: &Machine) -> String {
    let iommu = match &machine.iommu {
        Iommu::Flat => "no IOMMU hardware".to_owned(),
        Iommu::SmmuV3(smmus) => format!("{} SMMUv3", smmus.len()),
    };
    let gic = match machine.gic {
        Gic::Its(_) => "GICv3 with ITS",
        Gic::V2m(_) => "GICv2 with GICv2m",
    };
    let (name, page, functions) = (&machine.name, machine.page_size, machine.functions.len());
    format!("{name}: pages of {page}, {iommu}, {gic}, {functions} functions")
}

fn function_line(function: &machine::Function) -> String {
    let machine::Function { rid, vendor, device, .. } = function;
    let group = function.group.map_or_else(|| "no group".to_owned(), |n| format!("group {n}"));
    let driver = function.driver.as_deref().unwrap_or("no driver");
    format!("  {rid} {vendor:04x}:{device:04x}, {group}, {driver}")
}

fn machine_entry(machine: &Machine) -> MachineEntry {
    let (iommu, smmus) = match &machine.iommu {
        Iommu::Flat => ("flat", 0),
        Iommu::SmmuV3(smmus) => ("smmuv3", smmus.len()),
    };
    let functions = machine.functions.iter().map(|function| FunctionEntry {
        rid: function.rid.to_string(),
        vendor: function.vendor,
        device: function.device,
        class: function.class,
        group: function.group,
        driver: function.driver.clone(),
    });
    MachineEntry {
        name: machine.name.clone(),
        profile: machine.profile.clone(),
        page_size: machine.page_size.bytes(),
        cpus: machine.cpus,
        iommu,
        smmus,
        gic: match machine.gic {
            Gic::Its(_) => "its",
            Gic::V2m(_) => "v2m",
        },
        functions: functions.collect(),
    }
}

/// A rule, for programs.
#[derive(Serialize)]
struct RuleEntry {
    name: &'static str,
    sentence: &'static str,
    source: &'static str,
}

impl From<&'static Rule> for RuleEntry {
    fn from(rule: &'static Rule) -> Self {
        Self { name: rule.name, sentence: rule.sentence, source: rule.source }
    }
}

pub(super) fn rules(arguments: &Rules, output: &mut Output) -> Ended {
    let mut rules: Vec<&'static Rule> = passim_vfio::rules::all().collect();
    rules.sort_by_key(|rule| rule.name);
    if let Some(name) = &arguments.name {
        let names: Vec<_> = rules.iter().map(|rule| rule.name).collect();
        rules.retain(|rule| rule.name == name);
        if rules.is_empty() {
            let message = format!("no rule is called `{name}`");
            let error = InputError::in_file(InputKind::Argument, Path::new(name), message);
            let hint = nearest(name, &names).map_or_else(
                || "`passim rules` lists them".to_owned(),
                |meant| format!("did you mean `{meant}`?"),
            );
            return output.refused(&error.with_hint(hint));
        }
    }
    for rule in &rules {
        output.text(&format!("{}: {}\n    {}", rule.name, rule.sentence, rule.source));
    }
    let entries: Vec<RuleEntry> = rules.into_iter().map(RuleEntry::from).collect();
    output.json(&entries);
    Ended::Agreed
}
