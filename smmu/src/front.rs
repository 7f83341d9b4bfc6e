//! The front: answers given before, by StreamID and 4K page.
//!
//! It never knows more than the caches behind it. An answer holds while nothing was taken out of
//! them and no register was stored to; that is one number, the epoch, and an answer from another
//! epoch is no answer.

use crate::attributes::Attributes;
use crate::transaction::{Path, Transaction, Translated};
use passim_model::PhysAddr;
use passim_model::access::{Perms, Privilege};

/// log2 of the page an answer is for: the smallest any granule has.
const PAGE_LG2: u32 = 12;

/// No answer is from this epoch.
pub(crate) const NEVER: u64 = 0;

#[derive(Clone, Copy)]
struct Answer {
    epoch: u64,
    page: u64,
    output: u64,
    stream: u32,
    /// Who was answered.
    privilege: Privilege,
    /// What this privilege may do, both stages together.
    perms: Perms,
    lg2: u8,
    attributes: Attributes,
}

/// The front. See the [module](self).
#[derive(Clone)]
pub(crate) struct Front {
    answers: Box<[Answer]>,
}

impl Front {
    /// An empty front of `1 << lg2` answers.
    pub(crate) fn new(lg2: u8) -> Self {
        let none = Answer {
            epoch: NEVER,
            page: 0,
            output: 0,
            stream: 0,
            privilege: Privilege::Unprivileged,
            perms: Perms::empty(),
            lg2: 0,
            attributes: Attributes::INCOMING,
        };
        Self { answers: vec![none; 1 << lg2.min(14)].into_boxed_slice() }
    }

    /// The answer to a transaction, if it was given in this epoch and permits the access.
    #[inline(always)]
    pub(crate) fn answer(&self, epoch: u64, txn: &Transaction) -> Option<Translated> {
        let input = txn.iova.get();
        let stream = txn.requester.stream.get();
        let answer = &self.answers[self.slot(stream, input)];
        let known = answer.epoch == epoch
            && answer.page == input >> PAGE_LG2
            && answer.stream == stream
            && answer.privilege == txn.access.privilege
            && txn.requester.substream.is_none();
        if !known || !answer.perms.contains(txn.access.needs()) {
            return None;
        }
        Some(Translated {
            pa: PhysAddr::new(answer.output | input & ((1 << PAGE_LG2) - 1)),
            perms: answer.perms,
            lg2: answer.lg2,
            path: Path::Hit,
            attributes: answer.attributes,
        })
    }

    /// Remembers what a transaction was answered from the TLB, if it carried no SubstreamID.
    #[inline]
    pub(crate) fn remember(&mut self, epoch: u64, txn: &Transaction, answer: &Translated) {
        let from_tlb = matches!(answer.path, Path::Hit | Path::Walk);
        if !from_tlb || txn.requester.substream.is_some() {
            return;
        }
        let input = txn.iova.get();
        let stream = txn.requester.stream.get();
        let slot = self.slot(stream, input);
        self.answers[slot] = Answer {
            epoch,
            page: input >> PAGE_LG2,
            output: answer.pa.align_down(PAGE_LG2).get(),
            stream,
            privilege: txn.access.privilege,
            perms: answer.perms,
            lg2: answer.lg2,
            attributes: answer.attributes,
        };
    }

    /// Forgets everything.
    #[cfg(test)]
    pub(crate) fn clear(&mut self) {
        for answer in &mut self.answers {
            answer.epoch = NEVER;
        }
    }

    #[inline(always)]
    fn slot(&self, stream: u32, input: u64) -> usize {
        let spread = u64::from(stream).wrapping_mul(0x9e37_79b1);
        (input >> PAGE_LG2).wrapping_add(spread) as usize & (self.answers.len() - 1)
    }
}
