//! STEs, CDs and tables, doubleword by doubleword.

use super::board::{BOTH_STAGES, Machine, STAGE2_ONLY};
use super::{close, open};
use crate::iommu::DomainKind;
use crate::policy::Profile;

const ADDRESS: u64 = 0x000f_ffff_ffff_ffc0;

#[test]
fn a_stage_1_stream_is_spelled_as_recorded() {
    for (profile, asid) in [(Profile::Linux6_12, 7), (Profile::Linux6_1, 8)] {
        let mut machine = Machine::boot(profile, BOTH_STAGES);
        let domain = open(&mut machine, 2, DomainKind::Paging);
        let ste = machine.board.ste(0x8);
        assert_eq!(ste[0] & !ADDRESS, 0xb, "{profile}");
        assert_eq!(ste[1..], [0xd6, 0, 0, 0, 0, 0, 0], "{profile}");
        let cd: [u64; 8] = machine.board.words(ste[0] & ADDRESS);
        assert_eq!(cd[0], asid << 48 | 0xe204_c000_3510, "{profile}");
        assert_eq!(cd[2..], [0, 0xffff_ffff_f404_ff44, 0, 0, 0, 0], "{profile}");
        close(&mut machine, 2, domain);
        let ste = machine.board.ste(0x8);
        let cd: [u64; 8] = machine.board.words(ste[0] & ADDRESS);
        assert_eq!(cd[0], 0x3_e204_c000_3510, "the default domain's ASID is 3");
    }
}

/// stage1/dumps/smmu_s1v2_empty.json: one table per level at 0, no leaf.
#[test]
fn the_superpage_test_leaves_tables_behind() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let before = machine.frames.in_use();
    open(&mut machine, 2, DomainKind::Paging);
    assert_eq!(machine.frames.in_use() - before, 4 * 0x1000);
    let ste = machine.board.ste(0x8);
    let cd: [u64; 8] = machine.board.words(ste[0] & ADDRESS);
    let mut table = cd[1];
    for _ in 0..3 {
        let entries: [u64; 512] = machine.board.words(table);
        assert_eq!(entries[0] & 0xfff, 3);
        assert!(entries[1..].iter().all(|entry| *entry == 0));
        table = entries[0] & ADDRESS;
    }
    assert!(machine.board.words::<512>(table).iter().all(|entry| *entry == 0));
}

/// stage1/dumps/smmu_nest_empty.json and smmu_nest_detached.json of 6.1.
#[test]
fn linux_6_1_keeps_stale_doublewords() {
    let mut machine = Machine::boot(Profile::Linux6_1, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Nested);
    let nested = machine.board.ste(0x8);
    assert_eq!(nested[..3], [0xd, 0x1000_0000_0000, 0x044c_3594_0000_0001]);
    assert_ne!(nested[3], 0);
    close(&mut machine, 2, domain);
    let ste = machine.board.ste(0x8);
    assert_eq!((ste[1], ste[2], ste[3]), (0xd6, 0, nested[3]));
}

/// stage2/dumps/smmu_s1v2_empty.json and smmu_s1v2_detached.json of 6.12.
#[test]
fn a_stage_2_stream_is_spelled_as_recorded() {
    let mut machine = Machine::boot(Profile::Linux6_12, STAGE2_ONLY);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    assert_eq!(machine.board.ste(0x8)[..3], [0xd, 0x0, 0x044c_3594_0000_0007]);
    close(&mut machine, 2, domain);
    assert_eq!(machine.board.ste(0x8)[..3], [0xd, 0x0, 0x044c_3594_0000_0003]);
}

#[test]
fn a_claimed_group_is_blocked() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let attached = machine.board.ste(0x20);
    machine.claim(3);
    for stream in [0x20, 0x21] {
        assert_eq!(machine.board.ste(stream), [1, 0, 0, 0, 0, 0, 0, 0]);
    }
    assert_eq!(machine.board.words::<8>(attached[0] & ADDRESS), [0; 8]);
    // A stream that was never attached aborts as well.
    assert_eq!(machine.board.ste(0x40), [1, 0, 0, 0, 0, 0, 0, 0]);
}

/// Devices of one domain share a CD on 6.1 and have one each on 6.12; two streams of one device
/// always share it (ioctls/dumps/smmu_behind_02:02.0.json).
#[test]
fn context_descriptors_belong_to_domain_or_device() {
    for (profile, shared) in [(Profile::Linux6_1, true), (Profile::Linux6_12, false)] {
        let mut machine = Machine::boot(profile, BOTH_STAGES);
        open(&mut machine, 3, DomainKind::Paging);
        let [first, second] = [0x20, 0x21].map(|stream| machine.board.ste(stream)[0] & ADDRESS);
        assert_eq!(first == second, shared);
        let [first, second] = [first, second].map(|cd| machine.board.words::<8>(cd));
        assert_eq!(first, second);
        assert_eq!(machine.board.ste(0x210), machine.board.ste(0x200));
    }
}
