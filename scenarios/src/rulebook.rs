//! What is known of a rule beside its sentence: which calls ask for it, with which errno, where in the
//! kernel the check stands, which choices of a kernel decide about it, and where it was recorded.
//!
//! The rules themselves, and what each demands, stand beside the code that applies them. Here they are
//! found from the other end: by what a program did, and by what it was answered.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `calls` | which call asks for it, and in which function of the kernel? |
//! | `places` | where does the check stand, if that function does not make it? |
//! | `recorded` | in which line of which recording did a kernel refuse by it? |

mod calls;
mod places;
mod recorded;

pub use calls::{CALLS, CallEntry};
pub use recorded::{RECORDED, Recorded};

use passim_model::{Errno, Refusal, Rule};
use passim_vfio::policy::{Certainty, Policy, Profile, choices};
use serde::Serialize;

/// The errnos that the declaration of a rule names.
pub fn errnos(rule: &Rule) -> Vec<&'static str> {
    let words = rule.note.split(|c: char| !c.is_ascii_alphanumeric());
    let known = |word: &str| Errno::ALL.iter().map(|errno| errno.name()).find(|name| *name == word);
    words.filter_map(known).collect()
}

/// Of these, those that a kernel answers with whose choices decide about the rule.
pub fn errnos_decided(rule: &Rule, decided: &[Decision]) -> Vec<&'static str> {
    let all = errnos(rule);
    let named = |errno: &&str| decided.iter().any(|it| it.value.eq_ignore_ascii_case(errno));
    let chosen: Vec<_> = all.iter().copied().filter(named).collect();
    if chosen.is_empty() { all } else { chosen }
}

/// The calls that a rule can refuse, as `linux/vfio.h` and POSIX name them.
pub fn calls_of(rule: &str) -> Vec<&'static str> {
    let asks = CALLS.iter().filter(|call| call.asks_for(rule));
    asks.map(|call| call.name).collect()
}

/// The call of this name: as the kernel's headers have it, with or without what stands in front, or as
/// a scenario has it.
pub fn call_named(name: &str) -> Option<&'static CallEntry> {
    let upper = name.to_ascii_uppercase();
    let bare = ["VFIO_IOMMU_", "VFIO_"].iter().find_map(|front| upper.strip_prefix(front));
    CALLS.iter().find(|call| {
        call.name.eq_ignore_ascii_case(bare.unwrap_or(&upper)) || call.verbs.contains(&name)
    })
}

/// Where in the kernel the check stands: file and function of 6.12, or of the series where it says so.
pub fn place_of(rule: &str) -> Option<String> {
    if places::is_nowhere(rule) {
        return None;
    }
    let asks = CALLS.iter().find(|call| call.owns(rule));
    let asks = asks.or_else(|| CALLS.iter().find(|call| call.asks_for(rule)));
    let (file, function) = places::place(rule).or_else(|| asks.map(|call| call.place))?;
    Some(format!("{file}, {function}"))
}

/// A place with the kernel that has it.
pub fn dated(place: &str) -> String {
    if place.ends_with(places::OF_THE_SERIES) {
        place.to_owned()
    } else {
        format!("{place} (6.12)")
    }
}

/// Choices of a kernel that decide whether a rule is asked, when, or with which errno.
const DECIDED: &[(&str, &[&str])] = &[
    ("map-wrap", &["wrap-errno"]),
    ("unmap-wrap", &["unmap-wrap", "wrap-errno"]),
    ("map-entry-limit", &["entry-limit"]),
    ("map-outside-valid", &["valid-ranges"]),
    ("attach-aperture", &["valid-ranges"]),
    ("attach-reserved", &["valid-ranges"]),
    ("iommu-map-range", &["beyond-input", "valid-ranges"]),
    ("flags-unknown", &["third-map-flag", "unmap-all", "dirty-tracking"]),
    ("vaddr-no-mapping", &["third-map-flag"]),
    ("vaddr-not-exact", &["third-map-flag"]),
    ("unmap-vaddr-twice", &["third-map-flag"]),
    ("unmap-all-range", &["unmap-all"]),
    ("unmap-flags-conflict", &["unmap-all", "dirty-tracking"]),
    ("window-alignment", &["third-map-flag"]),
    ("window-wrap", &["third-map-flag"]),
    ("window-overlap", &["third-map-flag"]),
    ("container-fd-other", &["not-a-container"]),
    ("nesting-refused", &["nesting-type"]),
    ("iommu-type-unsupported", &["nesting-type"]),
    ("interrupts-unsafe", &["message-safety"]),
    ("device-not-coherent", &["vfio-coherence"]),
    ("device-name-options", &["device-name"]),
    ("device-not-in-group", &["device-name"]),
    ("group-lost", &["last-device"]),
    ("ioctl-unknown", &["dirty-tracking"]),
    ("dirty-bitmap-address", &["user-addresses"]),
    ("map-page-fault", &["zero-page"]),
    ("irq-vector", &["vector-range"]),
    ("irq-eventfd", &["device-error-fd"]),
    ("hot-reset-groups", &["empty-hot-reset"]),
    ("hot-reset-not-isolated", &["hot-reset-refusal"]),
    ("find-dma-null", &["find-dma"]),
    ("msi-second-aperture", &["second-window"]),
    ("doorbell-not-mapped", &["doorbell-error"]),
    ("msi-no-support", &["window-provider"]),
    ("doorbell-not-described", &["its-doorbell-info", "missing-doorbell-info"]),
    ("replay-window-refused", &["replay-aperture"]),
];

/// A choice that decides about a rule, as a kernel makes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Decision {
    /// The choice.
    pub choice: &'static str,
    /// Its value.
    pub value: &'static str,
    /// How the value is known of the profile; `set` where it is not the profile's.
    pub certainty: &'static str,
    /// Where the values are known from.
    pub source: &'static str,
}

/// How a rule is known to hold in one kernel.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Known {
    /// The kernel asked about.
    pub profile: &'static str,
    /// `measured`, `read`, or `nearest`: of another kernel, and taken to hold.
    pub certainty: &'static str,
    /// Where it is known from, of this kernel.
    pub from: String,
    /// Where in the kernel the check stands: file and function of 6.12.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Choices that decide about it here.
    pub decided_by: Vec<Decision>,
}

/// The kernel of a recording, as its folder has it.
const RECORDED_KERNELS: &[(Profile, &str)] =
    &[(Profile::Linux6_1, "linux-6.1-"), (Profile::Linux6_12, "linux-6.12-")];

/// The first line of a recording in which a kernel refused by a rule.
pub fn recorded(rule: &str, profile: Profile) -> Option<&'static Recorded> {
    let (_, folder) = RECORDED_KERNELS.iter().find(|(known, _)| *known == profile)?;
    RECORDED.iter().find(|it| it.rule == rule && it.recording.starts_with(folder))
}

impl Known {
    /// Of a refusal in this kernel.
    pub fn of(refusal: &Refusal, profile: Profile, policy: &Policy) -> Self {
        Self::of_rule(refusal.rule, profile, policy)
    }

    /// Of a rule in this kernel.
    pub fn of_rule(rule: &Rule, profile: Profile, policy: &Policy) -> Self {
        let decided_by = decisions(rule.name, profile, policy);
        let (certainty, from) = known_from(rule, profile, &decided_by);
        let place = place_of(rule.name);
        Self { profile: profile.name(), certainty, from, place, decided_by }
    }
}

/// The choices that decide about a rule, with their values in `policy`.
fn decisions(rule: &str, profile: Profile, policy: &Policy) -> Vec<Decision> {
    let named = DECIDED.iter().find(|(known, _)| *known == rule).map_or(&[][..], |(_, it)| it);
    let (rows, all) = (policy.rows(), choices());
    let decision = |name: &&'static str| {
        let row = rows.iter().find(|row| row.name == *name)?;
        let step = all.iter().find(|choice| choice.name == *name)?.of(profile);
        let own = step.value == row.value;
        Some(Decision {
            choice: row.name,
            value: row.value,
            certainty: if own { step.certainty.name() } else { "set" },
            source: row.source,
        })
    };
    named.iter().filter_map(decision).collect()
}

/// How sure it is, and by what.
fn known_from(rule: &Rule, profile: Profile, decided: &[Decision]) -> (&'static str, String) {
    if let Some(Recorded { recording, line, .. }) = recorded(rule.name, profile) {
        return ("measured", format!("{recording}, line {line}"));
    }
    let source = rule.source;
    let is_patch = source.contains("patch ") || source.contains("of the series");
    let is_model = source.contains("limit of this model") || source.contains("machine's");
    if is_patch || is_model {
        return (Certainty::Read.name(), source.to_owned());
    }
    let version = profile.name().trim_start_matches("linux-");
    let mentions = |words: &str| {
        let mut words = words.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.'));
        words.any(|word| word.trim_end_matches('.') == version)
    };
    if let Some(decision) = decided.iter().find(|it| it.certainty != "nearest") {
        let Decision { choice, value, certainty, source } = decision;
        return (certainty, format!("{choice} = {value}: {source}"));
    }
    match mentions(source) {
        true if source.contains("measured") && !source.contains("not measured") => {
            (Certainty::Measured.name(), source.to_owned())
        }
        true => (Certainty::Read.name(), source.to_owned()),
        false => (
            Certainty::Nearest.name(),
            format!("not known of {}; taken to be as elsewhere: {source}", profile.name()),
        ),
    }
}

#[cfg(test)]
mod tests;
