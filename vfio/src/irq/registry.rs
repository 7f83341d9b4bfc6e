//! The doorbells of the system, and whether their chips distinguish senders.
//!
//! From v10 of the series on this is a registry in which interrupt controllers register
//! (`kernel/irq/msi-doorbell.c`); merged kernels walk interrupt domains to the same end. Not here:
//! where a doorbell is mapped.

use super::facts::{GicFacts, InterruptFacts};
use crate::kernel::Kernel;
use passim_model::{PageSize, PhysAddr};

/// A doorbell: the register to which messages for one interrupt controller are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Doorbell {
    /// First byte of the range that its chip registers.
    pub(crate) base: PhysAddr,
    /// Bytes.
    pub(crate) size: u64,
    /// Whether the chip checks the sender: MSI_FLAG_IRQ_REMAPPING and its successors.
    pub(crate) remapping: bool,
}

/// Offset of the frame of GITS_TRANSLATER. 6.12 irq-gic-v3-its.c: `GITS_TRANSLATER` 0x10040.
const ITS_TRANSLATION_FRAME: u64 = 0x1_0000;

/// Bytes of one doorbell register.
const REGISTER_BYTES: u64 = 4;

/// The doorbells of a system, in the order in which their chips are probed.
pub(crate) fn registered(facts: &InterruptFacts) -> Vec<Doorbell> {
    match &facts.gic {
        // Part 2 of the series: a frame registers its base, and the same page contains
        // MSI_SETSPI_NS.
        GicFacts::V2 { frames, .. } => {
            let per_cpu = &facts.doorbells_per_cpu;
            let frames = frames.iter().map(|frame| frame.base).filter(|_| per_cpu.is_empty());
            let bases = frames.chain(per_cpu.iter().copied());
            let doorbell = |base| Doorbell { base, size: REGISTER_BYTES, remapping: false };
            bases.map(doorbell).collect()
        }
        GicFacts::V3 { its, .. } => {
            let frames = its.iter().filter_map(|its| its.checked_add(ITS_TRANSLATION_FRAME));
            let doorbell = |base| Doorbell { base, size: REGISTER_BYTES, remapping: true };
            frames.map(doorbell).collect()
        }
    }
}

impl Kernel {
    /// Number of pages of `1 << order` bytes that map every doorbell separately.
    pub(crate) fn doorbell_pages(&self, order: u32) -> u64 {
        let page = PageSize::from_lg2(order).map_or(u64::MAX, PageSize::bytes);
        let pages =
            |doorbell: &Doorbell| (doorbell.base.offset_in(order) + doorbell.size).div_ceil(page);
        self.doorbells.iter().map(pages).sum()
    }

    /// Whether every doorbell of the system is safe; true without doorbells.
    pub(crate) fn doorbells_are_safe(&self) -> bool {
        self.doorbells.iter().all(|doorbell| doorbell.remapping)
    }
}
