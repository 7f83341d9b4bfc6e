//! What the kernel said during one operation, as values: for those who explain or compare it.

use passim_model::Refusal;
use passim_vfio::verdict::Verdict;

use super::outcome;

/// What one operation heard from the kernel beside its text.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Account {
    /// Every call that was refused, in order.
    pub refused: Vec<Refusal>,
    /// Where a call gave less than it was asked for, and said so: what kept it from the rest.
    pub shortage: Option<Shortage>,
    /// What no return value told, in order.
    pub verdicts: Vec<Verdict>,
}

/// Vectors that were not to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shortage {
    /// How many there would be; messages are off.
    pub available: i64,
    /// Why there are no more.
    pub refusal: Refusal,
}

impl Account {
    /// What kept the operation from what it asked for, if something did.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refused.last().copied().or(self.shortage.map(|shortage| shortage.refusal))
    }

    /// Keeps a refusal, and says it.
    pub(super) fn refuse(&mut self, refusal: &Refusal) -> String {
        self.refused.push(*refusal);
        outcome::refusal(refusal)
    }
}
