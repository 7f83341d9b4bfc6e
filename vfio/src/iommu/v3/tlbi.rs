//! From a range of stale translations to TLBI commands.
//!
//! Not here: ATC invalidation (`ats`), and when a SYNC follows (`work`).

use super::command::Command;
use super::wire::{CmdqTlbi0, CmdqTlbi1, op};
use crate::policy::Smmu3LongRanges;
use passim_model::pgtable::gather::{Invalidation, Stale};
use passim_model::pgtable::vmsav8::Granule;
use passim_model::{Asid, Vmid};

/// The tag of a domain's translations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::iommu) enum Tag {
    /// Stage 1.
    Asid(Asid),
    /// Stage 1 of the regime EL2-E2H.
    El2(Asid),
    /// Stage 2.
    Vmid(Vmid),
}

impl Tag {
    /// Invalidates everything with this tag.
    pub(super) fn all(self) -> Command {
        match self {
            Self::Asid(asid) => Command::tlbi_nh_asid(asid),
            Self::El2(asid) => Command::tlbi_el2_asid(asid),
            Self::Vmid(vmid) => Command::tlbi_s12_vmall(vmid),
        }
    }

    /// Doubleword 0 of an invalidation by address with this tag.
    fn addresses(self) -> u64 {
        match self {
            Self::Asid(asid) => {
                CmdqTlbi0::OP.of(op::TLBI_NH_VA) | CmdqTlbi0::ASID.of(asid.get().into())
            }
            Self::El2(asid) => {
                CmdqTlbi0::OP.of(op::TLBI_EL2_VA) | CmdqTlbi0::ASID.of(asid.get().into())
            }
            Self::Vmid(vmid) => {
                CmdqTlbi0::OP.of(op::TLBI_S2_IPA) | CmdqTlbi0::VMID.of(vmid.get().into())
            }
        }
    }
}

/// How commands encode ranges.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spelling {
    /// By their size.
    Ranges,
    /// One command per block; the choice decides what happens with many.
    Blocks(Smmu3LongRanges),
}

/// The commands for one invalidation, in order, without the SYNC.
pub(super) fn commands(
    tag: Tag,
    granule: Granule,
    spelling: Spelling,
    invalidation: Invalidation,
) -> Vec<Command> {
    let (stale, leaf) = match invalidation {
        Invalidation::Leaves(stale) => (stale, 1),
        Invalidation::Walk(stale) => (stale, 0),
    };
    let second = CmdqTlbi1::LEAF.of(leaf);
    match spelling {
        Spelling::Ranges => ranges(tag, granule, stale, second),
        Spelling::Blocks(long) => blocks(tag, long, stale, second),
    }
}

/// Range commands: each covers up to 31 times a power of two of pages.
fn ranges(tag: Tag, granule: Granule, stale: Stale, second: u64) -> Vec<Command> {
    let mut pages = stale.size() >> granule.lg2();
    let mut second = second | CmdqTlbi1::TG.of(u64::from(granule.lg2() - 10) / 2);
    if CmdqTlbi1::LEAF.is_set(second) {
        let level = 4 - (stale.block.lg2() - 3) / granule.index_bits();
        second |= CmdqTlbi1::TTL.of(level.into());
    } else if pages & 31 == 1 {
        // IHI 0070 G.b 4.4.1.1: a range of one page of any level is illegal; two pages are legal.
        pages += 1;
    }
    let mut commands = Vec::with_capacity(2);
    let mut start = stale.start;
    while pages != 0 {
        let scale = pages.trailing_zeros();
        let count = pages >> scale & 31;
        let first =
            tag.addresses() | CmdqTlbi0::NUM.of(count - 1) | CmdqTlbi0::SCALE.of(scale.into());
        commands.push(Command([first, second | CmdqTlbi1::VA.in_place(start)]));
        let done = count << scale;
        // The last range may end at the end of the address space.
        start = start.wrapping_add(done << granule.lg2());
        pages -= done;
    }
    commands
}

/// One command per block, or one for the whole tag.
// arm_smmu_inv_size_too_big of 7.x: from as many blocks on as a table of such blocks has entries.
// No board without ranges was recorded.
fn blocks(tag: Tag, long: Smmu3LongRanges, stale: Stale, second: u64) -> Vec<Command> {
    if long == Smmu3LongRanges::WholeTag && stale.blocks() >= 1 << (stale.block.lg2() - 3) {
        return vec![tag.all()];
    }
    let command =
        |block: Stale| Command([tag.addresses(), second | CmdqTlbi1::VA.in_place(block.start)]);
    stale.each_block().map(command).collect()
}

#[cfg(test)]
mod tests;
