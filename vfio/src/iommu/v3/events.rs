//! The event queue, as its consumer sees it.
//!
//! Not here: what happens to a stalled transaction (`stalls`).

use super::wire::{EvtqIndex, offset};
use crate::iommu::finding::{Finding, Findings};
use crate::iommu::registers::Registers;
use crate::policy::Smmu3Overflow;
use passim_model::{Abort, Host, PhysAddr};

/// The event queue.
#[derive(Debug)]
pub(super) struct EventQueue {
    base: PhysAddr,
    lg2: u32,
    /// Index and wrap bit, as EVTQ_CONS holds them.
    consumer: u64,
    /// The overflow flag last acknowledged.
    overflow: u64,
    acknowledges: Smmu3Overflow,
}

const EVENT_BYTES: u64 = 32;

impl EventQueue {
    /// Creates an empty queue of `1 << lg2` events at `base`.
    pub(super) fn new(base: PhysAddr, lg2: u32, acknowledges: Smmu3Overflow) -> Self {
        Self { base, lg2, consumer: 0, overflow: 0, acknowledges }
    }

    /// Takes every event out of the queue, and acknowledges an overflow.
    pub(super) fn drain(
        &mut self,
        registers: Registers,
        findings: &mut Findings,
        host: &mut impl Host,
    ) -> Vec<[u64; 4]> {
        let mut events = Vec::new();
        if let Err(abort) = self.take(registers, &mut events, host) {
            findings.push(Finding::NoAnswer(abort));
        }
        events
    }

    fn take(
        &mut self,
        registers: Registers,
        events: &mut Vec<[u64; 4]>,
        host: &mut impl Host,
    ) -> Result<(), Abort> {
        let wrap = (2 << self.lg2) - 1;
        let producer = registers.load(offset::EVTQ_PROD, host)?;
        let waiting = producer.wrapping_sub(self.consumer) & wrap;
        // More than fit: the index is wrong, and the whole queue is ignored.
        for _ in 0..if waiting > 1 << self.lg2 { 0 } else { waiting } {
            let index = self.consumer & ((1 << self.lg2) - 1);
            let at = PhysAddr::new(self.base.get() + index * EVENT_BYTES);
            let words = host.memory().words(at, 4)?;
            events.push(words.try_into().expect("four words were asked for"));
            self.consumer = (self.consumer + 1) & wrap;
            // Slots are released one event at a time, as Linux does.
            registers.store(offset::EVTQ_CONS, self.consumer | self.overflow, host)?;
        }
        let overflow = EvtqIndex::OVERFLOW.in_place(producer);
        if overflow != self.overflow {
            self.overflow = overflow;
            if self.acknowledges == Smmu3Overflow::AtOnce {
                registers.store(offset::EVTQ_CONS, self.consumer | overflow, host)?;
            }
        }
        Ok(())
    }
}
