//! Invalidations by register, operand and count.

use super::super::probe::{Features, Format};
use super::super::testkit::features;
use super::super::work::{Scope, Sweep, Work};
use super::acts;
use crate::iommu::facts::SmmuVersion;
use crate::policy::{Smmu2Tags, UnmapSync};
use passim_model::PageSize;
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::vmsav8::Stage;

/// Two pages at 0x1_2345_6000 and the table of 2M above them.
fn gather() -> Gather {
    let mut gather = Gather::new();
    gather.add_walk(0x1_2340_0000, 0x1_235f_ffff, PageSize::K4);
    gather.add_leaves(0x1_2345_6000, 0x1_2345_7fff, PageSize::K4);
    gather
}

fn acts_of(features: &Features, stage: Stage) -> Vec<Work> {
    acts(features.tagged(stage, 3), features, gather().invalidations())
}

fn sweep(at: u64, operand: u64, stride: u64, count: u64, wide: bool) -> Work {
    Work::Sweep(Sweep { at, operand, stride, count, wide })
}

/// Offset of bank 3.
const BANK: u64 = 19 << 12;

#[test]
fn stage_1_by_address_and_asid() {
    let own = Work::Sync(Scope::Bank(3));
    let expected = [
        sweep(BANK + 0x600, 3 << 48 | 0x12_3400, 1, 512, true),
        own.clone(),
        sweep(BANK + 0x620, 3 << 48 | 0x12_3456, 1, 2, true),
        own,
    ];
    assert_eq!(acts_of(&features(), Stage::One), expected);
    // In 32 bits the page's address and the ASID share one word.
    let short = Features { format: Format::Aarch32Long, ..features() };
    let first = &acts_of(&short, Stage::One)[0];
    assert_eq!(first, &sweep(BANK + 0x600, 0x2340_0003, 0x1000, 512, false));
}

#[test]
fn stage_2_by_ipa_or_whole() {
    let own = Work::Sync(Scope::Bank(3));
    let expected = [
        sweep(BANK + 0x630, 0x12_3400, 1, 512, true),
        own.clone(),
        sweep(BANK + 0x638, 0x12_3456, 1, 2, true),
        own,
    ];
    assert_eq!(acts_of(&features(), Stage::Two), expected);
    // SMMUv1 has no TLBIIPAS2 and no TLBSYNC in such a bank: TLBIVMID, with the bank's number plus
    // one as VMID.
    let first = Features { version: SmmuVersion::V1With64K, stage1: false, ..features() };
    let all = Work::Sync(Scope::Global);
    let expected =
        [sweep(0x64, 4, 0, 1, false), all.clone(), sweep(0x64, 4, 0, 2, false), all.clone()];
    assert_eq!(acts_of(&first, Stage::Two), expected);
}

/// An unlinked table is waited for twice: before it is freed, and at the end of the call.
#[test]
fn old_kernels_wait_for_each_block() {
    let features = Features { unmap_sync: UnmapSync::EachBlock, ..features() };
    let own = Work::Sync(Scope::Bank(3));
    let expected = [
        sweep(BANK + 0x600, 3 << 48 | 0x12_3400, 1, 512, true),
        own.clone(),
        own.clone(),
        sweep(BANK + 0x620, 3 << 48 | 0x12_3456, 1, 1, true),
        own.clone(),
        sweep(BANK + 0x620, 3 << 48 | 0x12_3457, 1, 1, true),
        own,
    ];
    assert_eq!(acts_of(&features, Stage::One), expected);
}

#[test]
fn everything_of_a_domain() {
    let all = |stage| features().tagged(stage, 3).all(&features());
    let whole = |vmid| [Work::Store { at: 0x64, value: vmid }, Work::Sync(Scope::Global)];
    let one = [Work::Store { at: BANK + 0x610, value: 3 }, Work::Sync(Scope::Bank(3))];
    assert_eq!(all(Stage::One), one);
    // Stage 2 of an SMMU with both stages, for nesting: the number is that of an ASID. Without
    // stage 1, and before 4.12, it is one more.
    assert_eq!(all(Stage::Two), whole(3));
    let alone = Features { stage1: false, ..features() };
    assert_eq!(alone.tagged(Stage::Two, 3).all(&alone), whole(4));
    let before = Features { tags: Smmu2Tags::Both, ..features() };
    assert_eq!(before.tagged(Stage::Two, 3).all(&before), whole(4));
}
