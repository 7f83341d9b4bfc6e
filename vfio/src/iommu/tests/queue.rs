//! Slow, full, refusing and faulty hardware.

use super::board::{Appetite, BOTH_STAGES, Machine};
use super::{open, recorded};
use crate::iommu::{CommandError, DomainKind, Finding, MapRequest};
use crate::policy::Profile;
use crate::step::Step;
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Host, Iova, PageSize, Perms, PhysAddr};

#[test]
fn slow_hardware_sees_the_same_commands() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    machine.board.commands();
    machine.board.appetite = Appetite::OneByOne;
    open(&mut machine, 2, DomainKind::Paging);
    assert_eq!(machine.board.commands(), recorded::ATTACH_6_12);
    assert!(machine.iommu.take_findings(0).is_empty());
}

#[test]
fn a_refused_command_is_skipped_and_told() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    machine.board.commands();
    machine.board.poison = Some(0x1);
    open(&mut machine, 2, DomainKind::Paging);
    // Each PREFETCH_CONFIG is refused, and a SYNC stands in its place.
    let expected = recorded::ATTACH_6_12.replace("800000001:0", "S");
    assert_eq!(machine.board.commands(), expected);
    let findings = machine.iommu.take_findings(0);
    let refused = Finding::RefusedCommand {
        index: 114,
        command: [0x8_0000_0001, 0],
        reason: CommandError::Illegal,
    };
    assert_eq!(findings[..2], [Finding::GlobalError(1), refused]);
    assert_eq!(machine.board.register(0x60), machine.board.register(0x64));
}

#[test]
fn a_lying_index_completes_nothing() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    machine.board.appetite = Appetite::OneByOne;
    let Machine { iommu, frames, board } = &mut machine;
    let mut transition = iommu.claim(2, frames, board).unwrap();
    assert!(matches!(transition.step(iommu, frames, board), Step::Waiting(_)));
    for lie in [0xffff_ffff, 0x1_0000, 0x5_0000] {
        board.registers.insert(0x9c, lie);
        assert!(matches!(transition.step(iommu, frames, board), Step::Waiting(_)));
    }
    let findings = iommu.take_findings(0);
    assert!(findings.contains(&Finding::ConsumerIndex(0xffff_ffff)));
}

/// Without range invalidation, through a queue of 128 entries that drains slowly.
#[test]
fn a_long_invalidation_waits_for_room() {
    let mut board = super::board::Board::new(BOTH_STAGES);
    board.registers.extend([(0xc, 0), (0x4, 0x273_0010 & !(0x1f << 21) | 7 << 21)]);
    let booted = Machine::boot_with(Profile::Linux6_12, PageSize::K4, board);
    let mut machine = booted.unwrap();
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let Machine { iommu, frames, board } = &mut machine;
    let mut gather = Gather::new();
    let request = MapRequest {
        iova: Iova::new(0x10_0000),
        output: PhysAddr::new(0x5000_1000),
        size: 0x20_0000,
        perms: Perms::READ,
        memory_type: MemoryType::Normal,
    };
    iommu.map(domain, &request, &mut gather, frames, board).unwrap();
    assert_eq!(iommu.unmap(domain, request.iova, 0x20_0000, &mut gather, board), 0x20_0000);
    let mut invalidation = iommu.sync(domain, gather);
    board.appetite = Appetite::OneByOne;
    board.commands();
    let mut waits = 0;
    while !matches!(invalidation.step(iommu, frames, board), Step::Done(_)) {
        waits += 1;
        board.relax();
    }
    let pages = (0..512u64).map(|n| [0x7_0000_0000_0012, 0x10_0001 + (n << 12)]);
    let expected: Vec<_> = pages.chain([[0xfc0_2046, 0]]).collect();
    assert_eq!(board.eaten, expected);
    assert_eq!(waits, expected.len());
}

#[test]
fn the_queue_wraps() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    // 18 commands a round; 144,000 are more than the 131,072 after which indices repeat.
    for _ in 0..8000 {
        machine.claim(2);
        let released = machine.iommu.release(2);
        machine.finish(released);
        machine.board.log.clear();
    }
    assert_eq!(machine.board.eaten.len(), 110 + 8000 * 18);
    assert_eq!(machine.board.register(0x98), (110 + 8000 * 18) % 0x2_0000);
    let same = machine.board.eaten[110..]
        .chunks(18)
        .all(|round| round[..] == machine.board.eaten[110..128]);
    assert!(same);
}

#[test]
fn messages_may_tell_completion() {
    // IDR0.MSI, with COHACC: Linux lets the SYNC overwrite itself.
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES | 1 << 13);
    let base = machine.board.register(0x90) & 0x000f_ffff_ffff_ffe0;
    assert_eq!(machine.board.eaten[1], [0xfc0_1046, base + 16]);
    machine.board.log.clear();
    open(&mut machine, 2, DomainKind::Paging);
    assert!(machine.board.log.iter().all(|(_, offset, _)| *offset == 0x98));
}

#[test]
fn events_are_taken_out_one_by_one() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let Machine { iommu, board, .. } = &mut machine;
    let base = board.register(0xa0) & 0x000f_ffff_ffff_ffe0;
    for n in 0..3u64 {
        let at = PhysAddr::new(base + 32 * n);
        board.memory_mut().words_mut(at, 4).unwrap().copy_from_slice(&[0x10 + n, 1, 2, 3]);
    }
    board.registers.insert(0x100a8, 3 | 1 << 31);
    board.log.clear();
    let events = iommu.event_interrupt(0, board);
    assert_eq!(events, [[0x10, 1, 2, 3], [0x11, 1, 2, 3], [0x12, 1, 2, 3]]);
    let stores: Vec<_> = board.log.iter().filter(|access| access.0 == 'w').collect();
    assert_eq!(stores.len(), 4);
    assert_eq!(board.register(0x100ac), 3 | 1 << 31);
    // More than fit: the driver ignores the value.
    board.registers.insert(0x100a8, 0xffff);
    assert!(iommu.event_interrupt(0, board).is_empty());
}
