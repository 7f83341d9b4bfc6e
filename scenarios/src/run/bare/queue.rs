//! Queues of an SMMUv3, at the addresses that the scenario stored to the SMMU's registers.

use passim_model::{Host, PhysAddr};
use passim_smmu::v3::names::Register;

use super::super::{Outcome, Unperformable};
use super::smmu::{register_named, silent};
use super::{Bare, words};

/// OVFLG and OVACKFLG. IHI 0070 G.b 6.3.95, 6.3.96.
const OVERFLOW: u64 = 1 << 31;

/// Which queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueKind {
    /// The Command queue.
    Command,
    /// The Event queue.
    Event,
    /// The PRI queue.
    Pri,
}

impl QueueKind {
    /// Names of the base register and of the field of IDR1 that bounds the size; log2 of the bytes
    /// of an entry (IHI 0070 G.b 4.1, 7.3, 8.1).
    fn facts(self) -> (&'static str, &'static str, u32) {
        match self {
            Self::Command => ("CMDQ_BASE", "CMDQS", 4),
            Self::Event => ("EVENTQ_BASE", "EVENTQS", 5),
            Self::Pri => ("PRIQ_BASE", "PRIQS", 4),
        }
    }

    /// Names of PROD and CONS.
    fn pointers(self) -> (&'static str, &'static str) {
        match self {
            Self::Command => ("CMDQ_PROD", "CMDQ_CONS"),
            Self::Event => ("EVENTQ_PROD", "EVENTQ_CONS"),
            Self::Pri => ("PRIQ_PROD", "PRIQ_CONS"),
        }
    }
}

/// A queue, as its base register describes it.
pub(super) struct Queue {
    base: u64,
    lg2: u32,
    entry_lg2: u32,
}

impl Queue {
    /// The address of the entry at an index with its wrap bit.
    pub(super) fn entry(&self, pointer: u64) -> PhysAddr {
        let index = pointer & ((1 << self.lg2) - 1);
        PhysAddr::new(self.base.wrapping_add(index << self.entry_lg2))
    }

    /// The pointer after `pointer`.
    pub(super) fn next(&self, pointer: u64) -> u64 {
        (pointer + 1) & self.pointer_mask()
    }

    /// Index and wrap bit.
    fn pointer_mask(&self) -> u64 {
        (2 << self.lg2) - 1
    }
}

impl Bare {
    pub(super) fn queue(&mut self, smmu: usize, kind: QueueKind) -> Result<Queue, Unperformable> {
        let (base, size, entry_lg2) = kind.facts();
        let (register, idr1) = (register_named(base)?, register_named("IDR1")?);
        let (value, sizes) = (self.load(smmu, register)?, self.load(smmu, idr1)?);
        let field = |register: &Register, name| {
            let mut fields = register.fields.iter();
            fields.find(|(known, _)| *known == name).expect("a queue has this field").1
        };
        let most = field(idr1, size).said(sizes) as u32;
        let lg2 = field(register, "LOG2SIZE").said(value) as u32;
        Ok(Queue { base: field(register, "ADDR").said(value), lg2: lg2.min(most), entry_lg2 })
    }

    /// Takes all records from the Event queue, and acknowledges an overflow.
    pub(super) fn events(&mut self, smmu: usize) -> Outcome {
        let entry = |words: &[u64]| words::record([words[0], words[1], words[2], words[3]]);
        self.take(smmu, QueueKind::Event, entry)
    }

    /// Takes all requests from the PRI queue, and acknowledges an overflow.
    pub(super) fn page_requests(&mut self, smmu: usize) -> Outcome {
        self.take(smmu, QueueKind::Pri, words::page_request)
    }

    fn take(&mut self, smmu: usize, kind: QueueKind, entry: fn(&[u64]) -> String) -> Outcome {
        let queue = self.queue(smmu, kind)?;
        let (producer, consumer) = kind.pointers();
        let prod = self.load_named(smmu, producer)?;
        let cons = self.load_named(smmu, consumer)?;
        let mut lines = Vec::new();
        let mut read = cons & queue.pointer_mask();
        while read != prod & queue.pointer_mask() {
            let words = 1 << (queue.entry_lg2 - 3);
            let words = self.board.memory().words(queue.entry(read), words).map_err(silent)?;
            lines.push(entry(words));
            read = queue.next(read);
        }
        if (prod ^ cons) & OVERFLOW != 0 {
            lines.push("overflow".to_owned());
        }
        self.store_named(smmu, consumer, prod)?;
        if lines.is_empty() {
            lines.push("no record".to_owned());
        }
        Ok(lines)
    }
}
