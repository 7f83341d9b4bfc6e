//! `passim rules`.

use std::path::Path;

use passim_gic::its::Reason;
use passim_model::{Errno, Rule};
use passim_vfio::policy::Profile;
use serde::Serialize;

use super::Ended;
use super::output::Output;
use crate::chosen::profile_named;
use crate::explain::{Hardware, command_rules, hardware_rules};
use crate::input_error::{InputError, InputKind, nearest};
use crate::rulebook::{self, CALLS, CallEntry, Decision, Known};

/// Which rules.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  passim rules                            every rule
  passim rules map-overlap                what it demands, and where it is known from
  passim rules EEXIST                     every rule that answers so
  passim rules map                        every rule a call asks for: a scenario's word for it,
  passim rules VFIO_GROUP_SET_CONTAINER   or the kernel's
  passim rules MAP_DMA EINVAL             why that call may be answered so
  passim rules F_TRANSLATION              what an SMMU or an ITS demands
  passim rules its                        every rule of ITSs; smmu, frame
  passim rules 0x010a04                   why a command of an ITS has this error
  passim rules map-wrap --profile linux-7.2
                                          how it is known of that kernel
  passim --json rules                     the same for programs")]
pub(super) struct Rules {
    /// A rule, an errno, or a call; of several, rules that all of them are about
    #[arg(value_name = "RULE|ERRNO|CALL")]
    names: Vec<String>,
    /// The kernel for which it is said how a rule is known
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
}

/// A rule, for programs.
#[derive(Serialize)]
struct RuleEntry {
    name: &'static str,
    sentence: String,
    source: String,
    /// Who asks: `kernel`, or `its`, `frame`, `smmu` of hardware.
    by: &'static str,
    /// The errnos it refuses with, of the kernel that was asked for if one was; none of what is no
    /// refusal.
    errnos: Vec<&'static str>,
    /// The calls that ask for it.
    calls: Vec<&'static str>,
    /// Where in the kernel the check stands.
    place: Option<String>,
    /// The first line of a recording in which a kernel refused by it, of each kernel.
    recorded: Vec<String>,
    /// How it is known of the kernel that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<Known>,
}

impl RuleEntry {
    fn of(rule: &'static Rule, profile: Option<Profile>) -> Self {
        let Rule { name, sentence, source, .. } = *rule;
        let recorded = Profile::ALL.iter().filter_map(|profile| rulebook::recorded(name, *profile));
        let known = profile.map(|profile| Known::of_rule(rule, profile, &profile.policy()));
        let decided = known.as_ref().map_or(&[][..], |known| &known.decided_by);
        Self {
            name,
            sentence: sentence.to_owned(),
            source: source.to_owned(),
            by: "kernel",
            errnos: rulebook::errnos_decided(rule, decided),
            calls: rulebook::calls_of(name),
            place: rulebook::place_of(name),
            recorded: recorded.map(|it| format!("{}, line {}", it.recording, it.line)).collect(),
            known,
        }
    }

    /// A rule of hardware's, which returns no errno.
    fn of_hardware(rule: Hardware) -> Self {
        let Hardware { by, rule: name, sentence, source, .. } = rule;
        let (errnos, calls, recorded) = (Vec::new(), Vec::new(), Vec::new());
        Self { name, sentence, source, by, errnos, calls, place: None, recorded, known: None }
    }

    /// Two lines for a list, and more for one that was asked for.
    fn text(&self, is_alone: bool) -> String {
        let Self { name, sentence, source, by, errnos, calls, place, recorded, known } = self;
        let mut text = format!("{name}: {sentence}\n    {source}");
        let mut add = |what: &str, of: &str| {
            if !of.is_empty() {
                text.push_str(&format!("\n    {what:<10} {of}"));
            }
        };
        if *by != "kernel" {
            add("by:", by);
        }
        if is_alone {
            add("errno:", &errnos.join(", "));
            add("calls:", &calls.join(", "));
            add("place:", &place.as_deref().map(rulebook::dated).unwrap_or_default());
            recorded.iter().for_each(|at| add("recorded:", at));
        }
        if let Some(Known { profile, certainty, from, decided_by, .. }) = known {
            add(&format!("{profile}:"), &format!("{certainty}: {from}"));
            for Decision { choice, value, certainty, .. } in decided_by {
                add("", &format!("{choice} = {value} ({certainty})"));
            }
        }
        text
    }
}

pub(super) fn rules(arguments: &Rules, output: &mut Output) -> Ended {
    let profile = match arguments.profile.as_deref().map(profile_named).transpose() {
        Ok(profile) => profile,
        Err(error) => return output.refused(&error),
    };
    let mut rules: Vec<&'static Rule> = passim_vfio::rules::all().collect();
    rules.sort_by_key(|rule| rule.name);
    let hardware = hardware_rules();
    let names: Vec<_> = rules.iter().map(|rule| rule.name).collect();
    let names: Vec<_> = names.into_iter().chain(hardware.iter().map(|rule| rule.rule)).collect();
    let mut of_hardware = Vec::new();
    for name in &arguments.names {
        let of_part = of_part_or_error(name, &hardware);
        if !of_part.is_empty() {
            of_hardware.extend(of_part);
            rules.clear();
            continue;
        }
        match about(name, &names) {
            Ok(About::Rule(name)) if hardware.iter().any(|rule| rule.rule == name) => {
                of_hardware.extend(hardware.iter().filter(|rule| rule.rule == name).cloned());
                rules.clear();
            }
            Ok(about) => rules.retain(|rule| about.is(rule)),
            Err(error) => return output.refused(&error),
        }
    }
    if arguments.names.is_empty() {
        of_hardware = hardware;
    }
    if rules.is_empty() && (of_hardware.is_empty() || arguments.names.len() > 1) {
        return output.refused(&none_of(&arguments.names));
    }
    let entries = rules.iter().map(|rule| RuleEntry::of(rule, profile));
    let of_hardware = of_hardware.into_iter().map(RuleEntry::of_hardware);
    let entries: Vec<_> = entries.chain(of_hardware).collect();
    for entry in &entries {
        output.text(&entry.text(entries.len() == 1));
    }
    output.json(&entries);
    Ended::Agreed
}

/// The rules of a part of hardware, `its`, or of the syndrome of an ITS's command, `0x010a04`. IHI
/// 0069 H 5.5: the number of the command, then why.
fn of_part_or_error(name: &str, hardware: &[Hardware]) -> Vec<Hardware> {
    let code = name.strip_prefix("0x01").filter(|code| code.len() == 4);
    let code = code.and_then(|code| u16::from_str_radix(code, 16).ok());
    let of_code = |(reason, rule): (Reason, Hardware)| {
        (Some(u16::from(reason.byte())) == code.map(|code| code & 0xff)).then_some(rule)
    };
    match code {
        Some(_) => command_rules().into_iter().filter_map(of_code).collect(),
        None => hardware.iter().filter(|rule| rule.by == name).cloned().collect(),
    }
}

/// No rule is what was asked for.
fn none_of(names: &[String]) -> InputError {
    let asked = names.join(" ");
    let (message, hint) = match names.len() {
        0 | 1 => {
            ("no rule is about this", "`passim rules` lists them, `passim rules map` a call's")
        }
        _ => ("no rule is about all of these", "leave one out"),
    };
    InputError::in_file(InputKind::Argument, Path::new(&asked), message.to_owned()).with_hint(hint)
}

/// What a rule is asked by.
enum About {
    Rule(String),
    Errno(Errno),
    Call(&'static CallEntry),
}

impl About {
    fn is(&self, rule: &Rule) -> bool {
        match self {
            Self::Rule(name) => rule.name == name,
            Self::Errno(errno) => rulebook::errnos(rule).contains(&errno.name()),
            Self::Call(call) => call.asks_for(rule.name),
        }
    }
}

fn about(name: &str, rules: &[&'static str]) -> Result<About, InputError> {
    if rules.contains(&name) {
        return Ok(About::Rule(name.to_owned()));
    }
    let errno = Errno::ALL.iter().find(|errno| errno.name().eq_ignore_ascii_case(name));
    if let Some(errno) = errno {
        return Ok(About::Errno(*errno));
    }
    if let Some(call) = rulebook::call_named(name) {
        return Ok(About::Call(call));
    }
    let message = format!("no rule, errno or call is called `{name}`");
    let error = InputError::in_file(InputKind::Argument, Path::new(name), message);
    let calls = CALLS.iter().flat_map(|call| call.verbs.iter().chain([&call.name]));
    let errnos = Errno::ALL.iter().map(|errno| errno.name());
    let known: Vec<&str> = rules.iter().copied().chain(calls.copied()).chain(errnos).collect();
    let hint = nearest(name, &known).map_or_else(
        || "`passim rules` lists them".to_owned(),
        |meant| format!("did you mean `{meant}`?"),
    );
    Err(error.with_hint(hint))
}
