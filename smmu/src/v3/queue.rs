//! Circular queues: index and wrap arithmetic. IHI 0070 G.b 3.5.1.

use crate::v3::features::Features;
use crate::v3::wire::regs::QueueBase;
use passim_model::PhysAddr;

/// A queue as its BASE register describes it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Queue {
    base: u64,
    /// log2 of the entries.
    lg2: u32,
    /// log2 of the bytes of an entry.
    entry_lg2: u32,
}

impl Queue {
    /// Decodes a BASE register.
    pub(crate) fn of(register: u64, entry_lg2: u32, max_lg2: u32, features: &Features) -> Self {
        // IHI 0070 G.b 6.3.26, 6.3.29: a use of LOG2SIZE is capped at the size in IDR1, and the
        // base is aligned to the larger of the queue and 32 bytes.
        let lg2 = (QueueBase::LOG2SIZE.get(register) as u32).min(max_lg2);
        let alignment = u64::MAX << (lg2 + entry_lg2).max(5);
        let base = features.truncate(QueueBase::ADDR.in_place(register) & alignment);
        Self { base, lg2, entry_lg2 }
    }

    /// The bits of a pointer that exist: index and, above it, the wrap flag.
    pub(crate) fn pointer(self, register: u32) -> u32 {
        register & ((2 << self.lg2) - 1)
    }

    /// The pointer after `pointer`.
    pub(crate) fn next(self, pointer: u32) -> u32 {
        self.pointer(pointer.wrapping_add(1))
    }

    /// Whether the pointers are equal.
    pub(crate) fn is_empty(self, prod: u32, cons: u32) -> bool {
        self.pointer(prod) == self.pointer(cons)
    }

    /// Whether the indexes are equal and the wrap flags differ.
    pub(crate) fn is_full(self, prod: u32, cons: u32) -> bool {
        self.pointer(prod) == self.pointer(cons) ^ (1 << self.lg2)
    }

    /// The address of the entry at `pointer`.
    pub(crate) fn entry(self, pointer: u32) -> PhysAddr {
        let index = u64::from(pointer & ((1 << self.lg2) - 1));
        PhysAddr::new(self.base + (index << self.entry_lg2))
    }
}
