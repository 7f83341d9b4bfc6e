//! A cache in front of the others: recent answers by StreamID and 4K page.
//!
//! An answer is valid only in the epoch it was stored in. The epoch changes whenever an entry
//! leaves a cache or a register is written, so this cache never answers what the caches behind it
//! no longer hold.

use crate::attributes::Attributes;
use crate::transaction::{Path, Transaction, Translated};
use passim_model::PhysAddr;
use passim_model::access::{Perms, Privilege};

/// log2 of the bytes an answer covers: the smallest page of any granule.
const PAGE_LG2: u32 = 12;

/// An epoch in which no answer is stored.
pub(crate) const NEVER: u64 = 0;

#[derive(Clone, Copy)]
struct Answer {
    epoch: u64,
    page: u64,
    output: u64,
    stream: u32,
    /// Privilege of the access that was answered.
    privilege: Privilege,
    /// What this privilege may do: the permissions of both stages combined.
    perms: Perms,
    lg2: u8,
    attributes: Attributes,
}

/// The cache. See the [module](self).
#[derive(Clone)]
pub(crate) struct Front {
    answers: Box<[Answer]>,
}

impl Front {
    /// An empty cache of `1 << lg2` answers, 2^14 at most.
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

    /// The cached answer to a transaction, if it is of this epoch and permits the access.
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

    /// Caches the answer that the TLB or a walk gave to a transaction without SubstreamID.
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

    /// Drops every answer.
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
