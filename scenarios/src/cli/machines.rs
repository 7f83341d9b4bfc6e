//! `passim machines`: what a machine has, and why its devices are grouped as they are.

use std::borrow::Cow;
use std::path::Path;

use passim_model::DeviceId;
use passim_model::topology::groups::Groups;
use passim_vfio::policy::{Profile, Smmu2Entries};
use serde::Serialize;

use super::Ended;
use super::output::Output;
use crate::input_error::{InputError, SourceText, is_standard_input};
use crate::machine::{self, Function, Gic, Iommu, Machine, Platform};
use crate::replay::machine_named;
use crate::system::sound;

/// Which machines.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  passim machines              the built-in machines
  passim machines virt-its     the devices of one, their groups and why
  passim machines my.toml      whether a machine file is sound")]
pub(super) struct Machines {
    /// A built-in machine, or a machine file; - is standard input
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
    /// `smmuv3`, `flat` or `x86`.
    iommu: &'static str,
    /// How many SMMUs.
    smmus: usize,
    /// `its` or `v2m`.
    gic: &'static str,
    functions: Vec<FunctionEntry>,
    platforms: Vec<PlatformEntry>,
    /// Why its own kernel does not boot; `null` where it does, or where nothing was tried.
    boots_not: Option<String>,
}

/// A PCI function, for programs.
#[derive(Serialize)]
struct FunctionEntry {
    rid: String,
    vendor: u16,
    device: u16,
    class: u32,
    group: Option<u32>,
    /// Whose group it joined and why; `null` where it founded one or the machine says so.
    because: Option<String>,
    driver: Option<String>,
    smmu: Option<usize>,
    streams: Vec<u32>,
    device_id: u32,
    /// `null` where firmware leads to none.
    its: Option<usize>,
    msi: Option<u32>,
    msix: Option<u32>,
    /// The physical function of a virtual one.
    physical: Option<String>,
}

/// A platform device, for programs.
#[derive(Serialize)]
struct PlatformEntry {
    name: String,
    group: Option<u32>,
    driver: Option<String>,
    smmu: Option<usize>,
    streams: Vec<u32>,
    device_id: u32,
    its: usize,
    messages: u32,
}

pub(super) fn machines(arguments: &Machines, output: &mut Output) -> Ended {
    let names = match &arguments.name {
        Some(name) => vec![name.as_str()],
        None => machine::BUILTIN.iter().map(|(name, _)| *name).collect(),
    };
    let mut entries = Vec::new();
    for name in names {
        let (machine, boots_not) = match machine_of(name) {
            Ok(machine) => machine,
            Err(error) => return output.refused(&error),
        };
        let shared = entries_of(&machine);
        // One whose file says otherwise shows what its file says.
        let machine = machine.grouped(shared).unwrap_or(Cow::Borrowed(&machine));
        output.text(&machine_line(&machine));
        let groups = machine.isolation(shared).unwrap_or_default();
        if arguments.name.is_some() {
            for function in &machine.functions {
                output.text(&function_line(&machine, function));
                if let Some(why) = reason(&machine, &groups, function) {
                    output.text(&format!("      {why}"));
                }
            }
            for platform in &machine.platforms {
                output.text(&platform_line(&machine, platform));
            }
        }
        if let Some(why) = &boots_not {
            let message = format!("no kernel boots on it: {why}; `bare` in a scenario needs none");
            output.text(&message);
        }
        entries.push(MachineEntry { boots_not, ..machine_entry(&machine, &groups) });
    }
    output.json(&entries);
    Ended::Agreed
}

/// Which stream mapping entries the kernel has that the machine runs.
fn entries_of(machine: &Machine) -> Smmu2Entries {
    let mut policy = machine.profile.parse::<Profile>().unwrap_or_default().policy();
    machine.choices.apply(&mut policy);
    policy.smmu2_entries
}

fn machine_line(machine: &Machine) -> String {
    let iommu = match &machine.iommu {
        Iommu::Flat => "no IOMMU hardware".to_owned(),
        Iommu::X86(_) => "an x86-like IOMMU".to_owned(),
        Iommu::SmmuV3(smmus) => format!("{} SMMUv3", smmus.len()),
        Iommu::SmmuV2(smmus) => format!("{} SMMUv2", smmus.len()),
        Iommu::Mixed(smmus, _) => format!("{} SMMUv3 and an x86-like IOMMU", smmus.len()),
    };
    let gic = match &machine.gic {
        Gic::Its(gic) if gic.its.len() == 1 => "GICv3 with ITS".to_owned(),
        Gic::Its(gic) => format!("GICv3 with {} ITSs", gic.its.len()),
        Gic::V2m(gic) if gic.frames.len() == 1 => "GICv2 with GICv2m".to_owned(),
        Gic::V2m(gic) => format!("GICv2 with {} GICv2m frames", gic.frames.len()),
    };
    let (name, page, functions) = (&machine.name, machine.page_size, machine.functions.len());
    let platforms = match machine.platforms.len() {
        0 => String::new(),
        count => format!(", {count} platform devices"),
    };
    let kernel = &machine.profile;
    format!("{name}: {kernel}, pages of {page}, {iommu}, {gic}, {functions} functions{platforms}")
}

/// A machine, and why its own kernel does not boot. One of a file is put together to see whether it
/// can be; those that are built in can.
fn machine_of(name: &str) -> Result<(Machine, Option<String>), InputError> {
    let path = Path::new(name);
    if machine::builtin(name).is_some() || !(is_standard_input(path) || path.is_file()) {
        return Ok((machine_named(name)?, None));
    }
    let source = SourceText::read(path)?;
    let machine = Machine::parse(&source)?;
    let boots_not = sound(&machine, &source)?;
    Ok((machine, boots_not))
}

fn group(number: Option<u32>) -> String {
    number.map_or_else(|| "no group".to_owned(), |number| format!("group {number}"))
}

/// Which SMMU something is behind, as far as the machine has any.
fn behind(machine: &Machine, smmu: Option<usize>) -> Option<usize> {
    smmu.filter(|smmu| *smmu < smmus(machine))
}

fn smmus(machine: &Machine) -> usize {
    match &machine.iommu {
        Iommu::Flat | Iommu::X86(_) => 0,
        Iommu::SmmuV3(smmus) | Iommu::Mixed(smmus, _) => smmus.len(),
        Iommu::SmmuV2(smmus) => smmus.len(),
    }
}

/// `DeviceID 0x200 of ITS 1`: how messages are told apart, where an ITS takes them.
fn known_as(machine: &Machine, device_id: DeviceId, its: usize) -> Option<String> {
    match &machine.gic {
        Gic::V2m(_) => None,
        Gic::Its(gic) if gic.its.len() == 1 => Some(format!("DeviceID {device_id}")),
        Gic::Its(_) => Some(format!("DeviceID {device_id} of ITS {its}")),
    }
}

/// `SMMU 0 streams 0x210 0x200, DeviceID 0x200`.
fn identifiers(smmu: Option<usize>, streams: &[passim_model::StreamId]) -> String {
    let names: Vec<_> = streams.iter().map(ToString::to_string).collect();
    match smmu {
        Some(smmu) => format!("SMMU {smmu} stream {}", names.join(" ")),
        None => "no SMMU".to_owned(),
    }
}

fn function_line(machine: &Machine, function: &Function) -> String {
    let Function { rid, vendor, device, device_id, .. } = function;
    let driver = function.driver.as_deref().unwrap_or("no driver");
    let vectors = match (function.msi_vectors(), function.msix_vectors()) {
        (None, None) => "no messages".to_owned(),
        (Some(msi), None) => format!("{msi} MSI"),
        (None, Some(msix)) => format!("{msix} MSI-X"),
        (Some(msi), Some(msix)) => format!("{msi} MSI, {msix} MSI-X"),
    };
    let group = group(function.group);
    let identifiers = identifiers(behind(machine, function.smmu), &function.streams);
    let physical = function.isolation.physical.map_or_else(String::new, |rid| {
        format!(", virtual function of {rid}: there as far as its sriov_numvfs says")
    });
    let messages = match function.its {
        Some(its) => match known_as(machine, *device_id, its) {
            Some(known) => format!("{known}, {vectors}"),
            None => vectors,
        },
        None => format!("no MSI domain, {vectors}"),
    };
    format!(
        "  {rid} {vendor:04x}:{device:04x}, {group}, {driver}, {identifiers}, {messages}{physical}"
    )
}

fn platform_line(machine: &Machine, platform: &Platform) -> String {
    let driver = platform.driver.as_deref().unwrap_or("no driver");
    let group = group(platform.group);
    let identifiers = identifiers(behind(machine, platform.smmu), &platform.streams);
    let messages = match platform.messages {
        0 => "no messages".to_owned(),
        count => match known_as(machine, platform.device_id, platform.its) {
            Some(known) => format!("{count} messages as {known}"),
            None => format!("{count} messages"),
        },
    };
    format!("  {}, {group}, {driver}, {identifiers}, {messages}", platform.name)
}

/// Why a function is in the group of others; `None` where nothing needs to be said.
fn reason(machine: &Machine, groups: &Groups, function: &Function) -> Option<String> {
    let number = function.group?;
    if let Some(join) = groups.join(function.rid) {
        let with = machine.function(join.with).and_then(|with| with.group);
        return Some(if with == Some(number) {
            join.to_string()
        } else {
            format!("given apart, although {join}")
        });
    }
    let founder = |other: &&Function| {
        other.group == Some(number)
            && other.rid != function.rid
            && groups.of(other.rid) != groups.of(function.rid)
    };
    let other = machine.functions.iter().find(founder)?;
    Some(format!("given with {}, although nothing holds the two together", other.rid))
}

fn machine_entry(machine: &Machine, groups: &Groups) -> MachineEntry {
    let iommu = match &machine.iommu {
        Iommu::Flat => "flat",
        Iommu::X86(_) => "x86",
        Iommu::SmmuV3(_) => "smmuv3",
        Iommu::SmmuV2(_) => "smmuv2",
        Iommu::Mixed(..) => "mixed",
    };
    let functions = machine.functions.iter().map(|function| FunctionEntry {
        rid: function.rid.to_string(),
        vendor: function.vendor,
        device: function.device,
        class: function.class,
        group: function.group,
        because: reason(machine, groups, function),
        driver: function.driver.clone(),
        smmu: behind(machine, function.smmu),
        streams: function.streams.iter().map(|stream| stream.get()).collect(),
        device_id: function.device_id.get(),
        its: function.its,
        msi: function.msi_vectors(),
        msix: function.msix_vectors(),
        physical: function.isolation.physical.map(|rid| rid.to_string()),
    });
    let platforms = machine.platforms.iter().map(|platform| PlatformEntry {
        name: platform.name.clone(),
        group: platform.group,
        driver: platform.driver.clone(),
        smmu: behind(machine, platform.smmu),
        streams: platform.streams.iter().map(|stream| stream.get()).collect(),
        device_id: platform.device_id.get(),
        its: platform.its,
        messages: platform.messages,
    });
    MachineEntry {
        name: machine.name.clone(),
        profile: machine.profile.clone(),
        page_size: machine.page_size.bytes(),
        cpus: machine.cpus,
        iommu,
        smmus: smmus(machine),
        gic: match machine.gic {
            Gic::Its(_) => "its",
            Gic::V2m(_) => "v2m",
        },
        functions: functions.collect(),
        platforms: platforms.collect(),
        boots_not: None,
    }
}
