//! Misbehaviour of the kernel that no return value shows.
//!
//! A call can succeed and still have gone wrong: the kernel warns, drops a reference too many, or
//! dereferences NULL. Such misbehaviour is reported beside the answer, by the rule it breaks. Not
//! here: what goes wrong between a driver and its hardware ([`Finding`](crate::iommu::Finding)).

use core::fmt;
use passim_model::{Conflict, Rule};

/// Severity of a verdict.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// The call itself shows no sign of it.
    Finding,
    /// A driver does not bind, and the write that had it probed does not return that.
    Unbound,
    /// The kernel prints a warning and continues.
    Warning,
    /// The kernel dereferences NULL: the caller is killed, and its locks stay locked.
    Oops,
}

impl Severity {
    /// What the kernel would do, as the beginning of a sentence.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Finding => "the kernel goes wrong here",
            Self::Unbound => "the driver does not bind here",
            Self::Warning => "the kernel would warn here",
            Self::Oops => "the kernel would oops here",
        }
    }
}

/// One misbehaviour.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Verdict {
    /// Its severity.
    pub severity: Severity,
    /// The rule that was broken, with its source.
    pub rule: &'static Rule,
    /// What the call conflicted with.
    pub conflict: Conflict,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { severity, rule, conflict } = self;
        write!(f, "{}, because: {}", severity.phrase(), rule.sentence)?;
        match conflict {
            Conflict::Request => Ok(()),
            _ => write!(f, " ({conflict})"),
        }
    }
}
