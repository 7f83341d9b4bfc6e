//! Map, unmap, look up: the commands sent, and when frames are freed.

use super::board::{BOTH_STAGES, Machine};
use super::{close, open};
use crate::iommu::{DeviceFacts, DomainKind, DriverFacts, Firmware, Iommu, MapRequest};
use crate::policy::Profile;
use crate::step::Step;
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Errno, Frames, Iova, PageSize, PageSizes, Perms, PhysAddr, Rid, Span};

fn request(iova: u64, output: u64, size: u64) -> MapRequest {
    MapRequest {
        iova: Iova::new(iova),
        output: PhysAddr::new(output),
        size,
        perms: Perms::READ | Perms::WRITE,
        memory_type: MemoryType::Normal,
    }
}

#[test]
fn unmapping_sends_range_commands_as_recorded() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    machine.board.commands();
    // stage1/dumps/smmu_s1v2_detached.json of 6.12, commands 148, 150, 154, 172 and 173.
    let recorded = [
        (0x2_0000_0000, 0x4001_0000, 0x2_0000, "7000000500012:200000701 S"),
        (0x10_0000_0000, 0x8020_0000, 0x40_0000, "7000000a00012:1000000601 S"),
        (0x4_0000_0000, 0x8000_0000, 0x4000_0000, "7000001200012:400000501 S"),
        (
            0x10_0400_1000,
            0x4000_0000,
            0x1f_f000,
            "700000001e012:1004001701 700000050e012:1004020701 S",
        ),
    ];
    for (iova, output, size, commands) in recorded {
        let mut gather = Gather::new();
        let Machine { iommu, frames, board } = &mut machine;
        let request = request(iova, output, size);
        iommu.map(domain, &request, &mut gather, frames, board).unwrap();
        assert!(gather.is_empty());
        let run = iommu.iova_run(domain, Iova::new(iova + 8), u64::MAX, board_memory(board));
        assert_eq!(run, Some((PhysAddr::new(output + 8), size - 8)));
        assert_eq!(iommu.unmap(domain, Iova::new(iova), size, &mut gather, board), size);
        let invalidation = iommu.sync(domain, gather);
        machine.sync(invalidation);
        assert_eq!(machine.board.commands(), commands);
    }
}

fn board_memory(board: &super::board::Board) -> &passim_model::Memory {
    use passim_model::Host;
    board.memory()
}

#[test]
fn map_refuses_with_the_errno_and_the_rule() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let Machine { iommu, frames, board } = &mut machine;
    let mut gather = Gather::new();
    let good = request(0x1000, 0x4000_0000, 0x2000);
    iommu.map(domain, &good, &mut gather, frames, board).unwrap();
    let refused = [
        (request(0x800, 0x4000_0000, 0x1000), Errno::EINVAL, "iommu-map-alignment"),
        (request(0x8000, 0x4000_0000, 0), Errno::EINVAL, "iommu-map-alignment"),
        (MapRequest { perms: Perms::empty(), ..good }, Errno::EINVAL, "iommu-map-access"),
        (request(1 << 48, 0x4000_0000, 0x1000), Errno::ERANGE, "iommu-map-range"),
        (request(0x8000, 1 << 44, 0x1000), Errno::ERANGE, "iommu-map-range"),
        (request(0x2000, 0x4000_0000, 0x1000), Errno::EEXIST, "iommu-map-exists"),
    ];
    for (request, errno, rule) in refused {
        let refusal = iommu.map(domain, &request, &mut gather, frames, board).unwrap_err();
        assert_eq!((refusal.errno, refusal.rule.name), (errno, rule));
    }
    let run = iommu.iova_run(domain, Iova::new(0x1000), 0x1800, board_memory(board));
    assert_eq!(run, Some((PhysAddr::new(0x4000_0000), 0x1800)));
    assert_eq!(iommu.iova_run(domain, Iova::new(0), 1, board_memory(board)), None);
    assert_eq!(iommu.iova_run(domain, Iova::new(1 << 60), 1, board_memory(board)), None);
}

#[test]
fn a_run_goes_on_over_leaves_of_every_size() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let Machine { iommu, frames, board } = &mut machine;
    let mut gather = Gather::new();
    // Pages, 2M blocks, a 1G block, blocks and pages again; then a page that is not contiguous.
    let (start, size) = (0x3fdf_f000, 0x4060_2000);
    let requests = [
        request(start, 0x4000_0000 + start, size),
        request(start + size, 0x1000, 0x1000),
        request(start - 0x1000, 0x1000, 0x1000),
    ];
    for request in requests {
        iommu.map(domain, &request, &mut gather, frames, board).unwrap();
    }
    for inside in [0, 8, 0x1000, 0x20_0fff, 0x20_1000, 0x4000_0000, 0x4060_1fff] {
        let from = Iova::new(start + inside);
        let output = PhysAddr::new(0x4000_0000 + start + inside);
        for max in [1, 0xfff, 0x1000, 0x20_0000, size - inside, u64::MAX] {
            let run = iommu.iova_run(domain, from, max, board_memory(board));
            assert_eq!(run, Some((output, max.min(size - inside))), "{inside:#x} {max:#x}");
        }
    }
}

/// Linux replaces a table by a block: the walk through the table has to be invalidated before its
/// page is reused.
#[test]
fn a_block_over_a_table_waits_for_its_invalidation() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    machine.board.commands();
    let Machine { iommu, frames, board } = &mut machine;
    let before = frames.in_use();
    let mut gather = Gather::new();
    iommu.map(domain, &request(0, 0x8000_0000, 0x20_0000), &mut gather, frames, board).unwrap();
    assert_eq!((gather.waiting_tables(), frames.in_use()), (1, before));
    let invalidation = iommu.sync(domain, gather);
    machine.sync(invalidation);
    assert_eq!(machine.board.commands(), "7000000900012:400 S");
    assert_eq!(machine.frames.in_use(), before - 0x1000);
}

#[test]
fn frames_go_back_only_after_the_sync() {
    for profile in [Profile::Linux6_1, Profile::Linux6_12] {
        let mut machine = Machine::boot(profile, BOTH_STAGES);
        let domain = open(&mut machine, 2, DomainKind::Paging);
        close(&mut machine, 2, domain);
        let before = machine.frames.in_use();
        let domain = open(&mut machine, 2, DomainKind::Paging);
        let detached = machine.iommu.detach_to_blocked(2);
        machine.finish(detached);
        let held = machine.frames.in_use();
        machine.board.appetite = super::board::Appetite::OneByOne;
        let mut freed = machine.iommu.free_domain(domain);
        let Machine { iommu, frames, board } = &mut machine;
        // TLBI_NH_ASID and its SYNC are in the queue, one of them is consumed.
        for _ in 0..2 {
            assert!(matches!(freed.step(iommu, frames, board), Step::Waiting(_)));
            assert_eq!(frames.in_use(), held, "{profile}");
            passim_model::Host::relax(board);
        }
        assert!(matches!(freed.step(iommu, frames, board), Step::Done(_)));
        assert_eq!(frames.in_use(), before, "{profile}");
        // The ASID is the lowest free one again.
        let again = iommu.alloc_domain(2, DomainKind::Paging, frames, board).unwrap();
        assert_eq!(again, domain);
    }
}

#[test]
fn a_flat_iommu_maps_without_hardware() {
    let aperture = Span::new(Iova::new(0), Iova::new(u64::MAX)).unwrap();
    let page_sizes = PageSizes::from_bits(0x1000);
    let device = DeviceFacts::with_streams(Rid::parse("00:01.0").unwrap(), [], 7, 0);
    let firmware = Firmware {
        drivers: vec![DriverFacts::Flat { aperture, page_sizes }],
        devices: vec![device],
    };
    let mut board = super::board::Board::new(0);
    let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x10_0000).unwrap();
    let mut frames = Frames::new(PageSize::K4, [ram]);
    let policy = Profile::Linux6_12.policy();
    let booted = Iommu::boot(&firmware, &policy, PageSize::K4, &mut frames, &mut board);
    let mut iommu = booted.unwrap();
    let domain = iommu.alloc_domain(7, DomainKind::Paging, &mut frames, &mut board).unwrap();
    let mut gather = Gather::new();
    let last = u64::MAX - 0xfff;
    for request in [request(last, 0x5000, 0x1000), request(last - 0x1000, 0x4000, 0x1000)] {
        iommu.map(domain, &request, &mut gather, &mut frames, &mut board).unwrap();
    }
    let clash = iommu.map(domain, &request(last, 0, 0x1000), &mut gather, &mut frames, &mut board);
    assert_eq!(clash.unwrap_err().errno, Errno::EEXIST);
    let run = iommu.iova_run(domain, Iova::new(last - 0x800), u64::MAX, board_memory(&board));
    assert_eq!(run, Some((PhysAddr::new(0x4800), 0x1800)));
    let first = Iova::new(last - 0x1000);
    assert_eq!(iommu.unmap(domain, first, 0x1000, &mut gather, &mut board), 0x1000);
    assert_eq!(iommu.unmap(domain, first, 0x2000, &mut gather, &mut board), 0);
    let mut invalidation = iommu.sync(domain, gather);
    let done = invalidation.step(&mut iommu, &mut frames, &mut board);
    assert!(matches!(done, Step::Done(_)));
    assert!(iommu.reserved_regions(7).is_empty());
    assert!(board.log.is_empty());
    let mut freed = iommu.free_domain(domain);
    assert!(matches!(freed.step(&mut iommu, &mut frames, &mut board), Step::Done(_)));
}
