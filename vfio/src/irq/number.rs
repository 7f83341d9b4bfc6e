//! Linux interrupt numbers: the lowest free one, and never 0.

use std::collections::BTreeSet;

/// Numbers in use.
#[derive(Clone, Default, Debug)]
pub(crate) struct Numbers {
    used: BTreeSet<u32>,
}

impl Numbers {
    /// Reserves this number, whether or not it was free.
    pub(crate) fn reserve(&mut self, number: u32) {
        self.used.insert(number);
    }

    /// Allocates the lowest `count` consecutive free numbers, at least one, and returns the first.
    // measured on 6.1 and 6.12: a new vector gets the lowest free number. 6.12 irqdesc.c: several
    // get consecutive ones.
    pub(crate) fn take(&mut self, count: u32) -> u32 {
        let mut first = 1;
        for &used in &self.used {
            if used >= first + count {
                break;
            }
            first = first.max(used + 1);
        }
        self.used.extend(first..first + count);
        first
    }

    /// Frees a number.
    pub(crate) fn give(&mut self, number: u32) {
        self.used.remove(&number);
    }
}
