//! Finds the tables of a stream in memory, for an independent walk.
//!
//! It follows STRTAB_BASE and the structures as the SMMU does, with the code with which
//! [`crate::walk`] reads dumps. It has no caches and checks little, so it does not replace
//! translation.

use passim_model::{Host, PhysAddr, StreamId, Width};
use passim_oracle::Stage;
use passim_oracle::walk::TableLeaf;

use crate::system::Board;
use crate::walk::second::{Reading, Registers, read_stream};

/// Most descriptors of a stream's tables: those of 2^17 tables of 4K.
const MAX_READS: u64 = 1 << 26;

/// Offsets of registers, IHI 0070 G.b 6.2.
mod offset {
    pub(super) const IDR0: u64 = 0x0;
    pub(super) const IDR1: u64 = 0x4;
    pub(super) const IDR3: u64 = 0xc;
    pub(super) const IDR5: u64 = 0x14;
    pub(super) const AIDR: u64 = 0x1c;
    pub(super) const CR2: u64 = 0x2c;
    pub(super) const STRTAB_BASE: u64 = 0x80;
    pub(super) const STRTAB_BASE_CFG: u64 = 0x88;
    pub(super) const MPAMIDR: u64 = 0x130;
}

/// Every leaf of the tables of `stream`, in order of IOVA, and their stage; `None` if the stream is
/// not translated.
pub(super) fn leaves_of(
    board: &mut Board,
    smmu: PhysAddr,
    stream: StreamId,
) -> Option<(Stage, Vec<TableLeaf>)> {
    let mut load = |offset, width| board.load(smmu.checked_add(offset)?, width).ok();
    let registers = Registers {
        idr0: load(offset::IDR0, Width::W32)?,
        idr1: load(offset::IDR1, Width::W32)?,
        idr3: load(offset::IDR3, Width::W32)?,
        idr5: load(offset::IDR5, Width::W32)?,
        aidr: load(offset::AIDR, Width::W32)?,
        mpamidr: load(offset::MPAMIDR, Width::W32)?,
        cr2: load(offset::CR2, Width::W32)?,
        strtab_base: load(offset::STRTAB_BASE, Width::W64)?,
        strtab_base_cfg: load(offset::STRTAB_BASE_CFG, Width::W32)?,
    };
    let memory = board.memory();
    let read = |at| memory.load_u64(PhysAddr::new(at)).ok();
    match read_stream(&registers, stream, None, &read) {
        Reading::Tables(tables) => Some((tables.first_stage(), tables.leaves(&read, MAX_READS)?)),
        _ => None,
    }
}
