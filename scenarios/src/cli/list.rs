//! `passim rules`.

use std::path::Path;

use passim_model::{Errno, Rule};
use passim_vfio::policy::Profile;
use serde::Serialize;

use super::Ended;
use super::output::Output;
use crate::chosen::profile_named;
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
    sentence: &'static str,
    source: &'static str,
    /// The errnos it refuses with; none where that depends on who asks.
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
        Self {
            name,
            sentence,
            source,
            errnos: rulebook::errnos(rule),
            calls: rulebook::calls_of(name),
            place: rulebook::place_of(name),
            recorded: recorded.map(|it| format!("{}, line {}", it.recording, it.line)).collect(),
            known: profile.map(|profile| Known::of_rule(rule, profile, &profile.policy())),
        }
    }

    /// Two lines for a list, and more for one that was asked for.
    fn text(&self, is_alone: bool) -> String {
        let Self { name, sentence, source, errnos, calls, place, recorded, known } = self;
        let mut text = format!("{name}: {sentence}\n    {source}");
        let mut add = |what: &str, of: &str| {
            if !of.is_empty() {
                text.push_str(&format!("\n    {what:<10} {of}"));
            }
        };
        if is_alone {
            add("errno:", &errnos.join(", "));
            add("calls:", &calls.join(", "));
            add("place:", &place.as_ref().map(|at| format!("{at} (6.12)")).unwrap_or_default());
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
    let names: Vec<_> = rules.iter().map(|rule| rule.name).collect();
    for name in &arguments.names {
        match about(name, &names) {
            Ok(about) => rules.retain(|rule| about.is(rule)),
            Err(error) => return output.refused(&error),
        }
    }
    if rules.is_empty() {
        let asked = arguments.names.join(" ");
        let message = "no rule is about all of these".to_owned();
        let error = InputError::in_file(InputKind::Argument, Path::new(&asked), message);
        let hint = "leave one out: `passim rules EEXIST` has every rule that answers so";
        return output.refused(&error.with_hint(hint));
    }
    let entries: Vec<_> = rules.iter().map(|rule| RuleEntry::of(rule, profile)).collect();
    for entry in &entries {
        output.text(&entry.text(entries.len() == 1));
    }
    output.json(&entries);
    Ended::Agreed
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
