//! Builds TLB entries from leaves.

use crate::attributes::Attributes;
use crate::regime::LeafAttributes;
use crate::tlb::{Retention, Translation};
use passim_model::access::Perms;
use passim_model::pgtable::walk::{self, Leaf};

/// The TLB entry of one stage's leaf.
#[inline(always)]
pub(crate) fn entry_of(
    retention: Retention,
    leaf: &Leaf,
    walk: &walk::Config,
    input: u64,
    perms: [Perms; 2],
) -> Translation {
    let lg2 = match retention {
        Retention::Sized => leaf.lg2,
        Retention::Everything => leaf.lg2 + run_lg2(leaf, walk, input),
    } as u8;
    let output = leaf.output & !low_bits(lg2);
    Translation {
        input: input & !low_bits(lg2),
        output,
        intermediate: output,
        lg2,
        leaf_lg2: lg2,
        level: leaf.level,
        granule: walk.granule,
        stage1: perms,
        stage2: [Perms::all(); 2],
        clean: false,
        attributes: Attributes::INCOMING,
        leaf: LeafAttributes::NONE,
    }
}

/// log2 of the leaves in the contiguous run of a leaf; 0 without the hint, or where input and
/// output lie at different places of the run, which makes the hint wrong.
fn run_lg2(leaf: &Leaf, walk: &walk::Config, input: u64) -> u32 {
    let run = if leaf.contiguous { walk.granule.contiguous_lg2(leaf.level) } else { 0 };
    let place = ((1 << run) - 1) << leaf.lg2;
    if (leaf.output ^ input) & place == 0 { run } else { 0 }
}

/// Adds stage 2 to a stage-1 translation: the entry covers the smaller page of the two.
pub(super) fn combine(entry: &mut Translation, second: &Translation, address: u64, ipa: u64) {
    let output = second.output | ipa & low_bits(second.lg2);
    entry.lg2 = entry.lg2.min(second.lg2);
    let inside = low_bits(entry.lg2);
    entry.input = address & !inside;
    entry.intermediate = ipa & !inside;
    entry.output = output & !inside;
    entry.stage2 = second.stage2;
    entry.leaf = second.leaf;
    entry.clean |= second.clean;
}

#[inline]
pub(super) const fn low_bits(lg2: u8) -> u64 {
    (1 << lg2) - 1
}
