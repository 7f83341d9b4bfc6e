//! Misbehaviour of the kernel that no return value shows.
//!
//! A call can succeed and still have gone wrong: the kernel warns, drops a reference too many, or
//! dereferences NULL. Such things are reported beside the answer, each by the rule that names it. Not here: what goes wrong between a driver and its hardware, which is
//! [`Finding`](crate::iommu::Finding).

use core::fmt;
use passim_model::{Conflict, Rule};

/// How bad it is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// Nobody would notice by looking at this call.
    Finding,
    /// A driver does not bind, and who had it probed is not told.
    Unbound,
    /// The kernel prints a warning and goes on.
    Warning,
    /// The kernel dereferences NULL: the caller is killed, and what it had locked stays locked.
    Oops,
}

impl Severity {
    /// What the kernel would do, as a sentence begins.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Finding => "the kernel goes wrong here",
            Self::Unbound => "the driver does not bind here",
            Self::Warning => "the kernel would warn here",
            Self::Oops => "the kernel would oops here",
        }
    }
}

/// One such thing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Verdict {
    /// How bad it is.
    pub severity: Severity,
    /// What was broken, and where that is known from.
    pub rule: &'static Rule,
    /// What the call ran into.
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
