//! The attributes Linux gives its leaves.

use crate::Perms;
use crate::pgtable::vmsav8::{Stage, Stage1Leaf, Stage2Leaf};

/// What a mapping is for: decides the memory attributes of its leaves.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MemoryType {
    /// Normal write-back memory (IOMMU_CACHE).
    Normal,
    /// Normal non-cacheable memory.
    NonCacheable,
    /// Device memory (IOMMU_MMIO), never executable.
    Device,
}

/// Indices into the MAIR that Linux writes: 0x44, 0xff, 0x04 in bytes 0, 1, 2.
mod mair {
    pub(super) const NON_CACHEABLE: u64 = 0;
    pub(super) const WRITE_BACK: u64 = 1;
    pub(super) const DEVICE: u64 = 2;
}

/// Stage 2 memory types (DDI 0487 D8.6, "Stage 2 memory type and Cacheability attributes").
mod mem_attr {
    pub(super) const DEVICE_NGNRE: u64 = 0b0001;
    pub(super) const NON_CACHEABLE: u64 = 0b0101;
    pub(super) const WRITE_BACK: u64 = 0b1111;
}

/// Shareability.
mod sh {
    pub(super) const OUTER: u64 = 0b10;
    pub(super) const INNER: u64 = 0b11;
}

/// The attribute bits of a leaf: everything but type and address.
///
/// EXEC is ignored: Linux's callers never request a leaf that is readable and not executable,
/// except of device memory.
pub(super) const fn attributes(stage: Stage, perms: Perms, memory_type: MemoryType) -> u64 {
    match stage {
        Stage::One => stage1(perms, memory_type),
        Stage::Two => stage2(perms, memory_type),
    }
}

const fn stage1(perms: Perms, memory_type: MemoryType) -> u64 {
    let (index, sh, xn) = match memory_type {
        MemoryType::Normal => (mair::WRITE_BACK, sh::INNER, false),
        MemoryType::NonCacheable => (mair::NON_CACHEABLE, sh::OUTER, false),
        MemoryType::Device => (mair::DEVICE, sh::OUTER, true),
    };
    // Stage 1 cannot encode write-only: such a mapping is readable (measured on 6.1 and 6.12).
    let read_only = !perms.contains(Perms::WRITE);
    Stage1Leaf::ATTR_INDX.of(index)
        | Stage1Leaf::AP_UNPRIVILEGED.of(1)
        | Stage1Leaf::AP_READ_ONLY.flag(read_only)
        | Stage1Leaf::SH.of(sh)
        | Stage1Leaf::AF.of(1)
        | Stage1Leaf::NG.of(1)
        | Stage1Leaf::PXN.flag(xn)
        | Stage1Leaf::XN.flag(xn)
}

const fn stage2(perms: Perms, memory_type: MemoryType) -> u64 {
    // Both XN bits, as recorded of doorbells: never executable where XN has one bit, privileged
    // only where it has two.
    let (mem_attr, sh, xn) = match memory_type {
        MemoryType::Normal => (mem_attr::WRITE_BACK, sh::INNER, 0b00),
        MemoryType::NonCacheable => (mem_attr::NON_CACHEABLE, sh::OUTER, 0b00),
        MemoryType::Device => (mem_attr::DEVICE_NGNRE, sh::OUTER, 0b11),
    };
    Stage2Leaf::MEM_ATTR.of(mem_attr)
        | Stage2Leaf::S2AP_READ.flag(perms.contains(Perms::READ))
        | Stage2Leaf::S2AP_WRITE.flag(perms.contains(Perms::WRITE))
        | Stage2Leaf::SH.of(sh)
        | Stage2Leaf::AF.of(1)
        | Stage2Leaf::XN.of(xn)
}
