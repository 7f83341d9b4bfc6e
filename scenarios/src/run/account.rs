//! What the kernel said during one operation, as values: for those who explain or compare it.

use passim_model::Refusal;
use passim_vfio::verdict::Verdict;

use super::outcome;

/// What one operation heard from the kernel beside its text.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Account {
    /// Every call that was refused, in order.
    pub refused: Vec<Refusal>,
    /// What no return value told, in order.
    pub verdicts: Vec<Verdict>,
}

impl Account {
    /// Keeps a refusal, and says it.
    pub(super) fn refusal(&mut self, refusal: &Refusal) -> String {
        self.refused.push(*refusal);
        outcome::refusal(refusal)
    }
}
