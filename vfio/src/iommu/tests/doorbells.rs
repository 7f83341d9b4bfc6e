//! Windows, doorbells, and which domain translates messages.

use super::board::{BOTH_STAGES, Machine, STAGE2_ONLY};
use super::{close, open};
use crate::iommu::{DomainId, DomainKind, DoorbellView, msi::rules};
use crate::policy::Profile;
use crate::verdict::Severity;
use passim_model::{Errno, Iova, PageSize, Perms, PhysAddr, Refusal, Span};

/// The frame of series 8, and its window.
const FRAME: PhysAddr = PhysAddr::new(0x0f20_0000);

pub(super) fn window(start: u64, size: u64) -> Span<Iova> {
    Span::from_size(Iova::new(start), size).unwrap()
}

pub(super) fn get(machine: &mut Machine, domain: DomainId, at: PhysAddr) -> Result<Iova, Refusal> {
    let Machine { iommu, frames, board } = machine;
    iommu.get_doorbell(domain, at, 4, Perms::WRITE, frames, board)
}

pub(super) fn put(machine: &mut Machine, domain: DomainId, at: PhysAddr) -> bool {
    let Machine { iommu, board, .. } = machine;
    let invalidation = iommu.put_doorbell(domain, at, board);
    let last = invalidation.is_some();
    if let Some(invalidation) = invalidation {
        machine.sync(invalidation);
    }
    last
}

/// The descriptor of the page at `iova`, found through a stream's STE.
fn leaf(machine: &Machine, stream: u64, iova: u64) -> u64 {
    const ADDRESS: u64 = 0xffff_ffff_f000;
    let ste = machine.board.ste(stream);
    // Level 0 for both stages of the recorded boards.
    let mut table = match ste[0] >> 1 & 7 {
        5 => machine.board.words::<8>(ste[0] & ADDRESS)[1] & ADDRESS,
        6 => ste[3] & ADDRESS,
        other => panic!("config {other}"),
    };
    for shift in [39, 30, 21] {
        let [descriptor] = machine.board.words(table + (iova >> shift & 0x1ff) * 8);
        assert_eq!(descriptor & 3, 3, "a table at shift {shift}");
        table = descriptor & ADDRESS;
    }
    let [descriptor] = machine.board.words(table + (iova >> 12 & 0x1ff) * 8);
    descriptor
}

/// Stage 1 from its/dumps, stage 2 from stage2/dumps of 6.12: the doorbell page of the ITS.
#[test]
fn a_doorbell_is_spelled_as_recorded() {
    let recorded = [(BOTH_STAGES, 0x0060_0000_0809_0e4b_u64), (STAGE2_ONLY, 0x0060_0000_0809_0687)];
    for (idr0, descriptor) in recorded {
        let mut machine = Machine::boot(Profile::Linux6_12, idr0);
        let domain = open(&mut machine, 2, DomainKind::Paging);
        machine.iommu.set_msi_base(domain, Iova::new(0x800_0000)).unwrap();
        let iova = get(&mut machine, domain, PhysAddr::new(0x809_0040)).unwrap();
        assert_eq!(iova, Iova::new(0x800_0040));
        assert_eq!(leaf(&machine, 0x8, iova.get()), descriptor);
        // It stays until the domain is freed.
        assert!(!put(&mut machine, domain, PhysAddr::new(0x809_0040)));
        assert_eq!(leaf(&machine, 0x8, iova.get()), descriptor);
        close(&mut machine, 2, domain);
    }
}

/// Series 8, check 5: four vectors share one page; the next one gets the same page again.
#[test]
fn a_doorbell_is_counted_and_its_page_reused() {
    let mut machine = Machine::boot(Profile::MsiV9, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    machine.iommu.set_msi_aperture(domain, window(0x800_0000, 0x1_0000)).unwrap();
    for _ in 0..2 {
        for _ in 0..4 {
            assert_eq!(get(&mut machine, domain, FRAME), Ok(Iova::new(0x800_f000)));
        }
        let view =
            DoorbellView { pa: FRAME, iova: Iova::new(0x800_f000), size: 0x1000, references: 4 };
        assert_eq!(machine.iommu.doorbells(domain), [view]);
        let at = PhysAddr::new(FRAME.get() + 0x40);
        assert_eq!(machine.iommu.translate_message(domain, at), Some(Iova::new(0x800_f040)));
        assert_eq!(leaf(&machine, 0x8, 0x800_f000) & 0xffff_ffff_f003, 0xf20_0003);
        for last in [false, false, false, true] {
            assert_eq!(put(&mut machine, domain, at), last);
        }
        assert_eq!(leaf(&machine, 0x8, 0x800_f000), 0);
        assert_eq!(machine.iommu.translate_message(domain, at), None);
    }
    close(&mut machine, 2, domain);
    assert!(machine.iommu.take_verdicts().is_empty());
}

#[test]
fn windows_are_refused_by_rule() {
    let refused = |result: Result<(), Refusal>| {
        let refusal = result.unwrap_err();
        (refusal.errno, refusal.rule.name)
    };
    let mut machine = Machine::boot(Profile::MsiV9, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let unset = get(&mut machine, domain, FRAME).unwrap_err();
    assert_eq!((unset.errno, unset.rule), (Errno::EINVAL, &rules::MSI_NO_APERTURE));
    let iommu = &mut machine.iommu;
    iommu.set_msi_aperture(domain, window(0x800_0000, 0x1_0000)).unwrap();
    let again = iommu.set_msi_aperture(domain, window(0x900_0000, 0x1_0000));
    assert_eq!(refused(again), (Errno::EINVAL, "msi-second-aperture"));
    let base = iommu.set_msi_base(domain, Iova::new(0x800_0000));
    assert_eq!(refused(base), (Errno::ENODEV, "msi-no-support"));
    let default = iommu.default_domain(2).unwrap();
    let none = iommu.set_msi_aperture(default, window(0x800_0000, 0x1_0000));
    assert_eq!(refused(none), (Errno::ENODEV, "msi-no-cookie"));
}

/// V8 leaves the check to the allocator: the same start, and not shorter.
#[test]
fn v8_enlarges_a_window() {
    let mut machine = Machine::boot(Profile::MsiV8, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let iommu = &mut machine.iommu;
    iommu.set_msi_aperture(domain, window(0x800_0000, 0x3000)).unwrap();
    for other in [window(0x900_0000, 0x1_0000), window(0x800_0000, 0x2000)] {
        let refused = iommu.set_msi_aperture(domain, other).unwrap_err();
        assert_eq!((refused.errno, refused.rule), (Errno::EFAULT, &rules::MSI_OTHER_RANGE));
    }
    assert_eq!(get(&mut machine, domain, FRAME), Ok(Iova::new(0x800_2000)));
    let larger = window(0x800_0000, 0x8000);
    machine.iommu.set_msi_aperture(domain, larger).unwrap();
    assert_eq!(machine.iommu.msi_geometry(domain).aperture, Some(larger));
    // The new pages lie above the page allocated last.
    let next = |machine: &mut Machine, n: u64| {
        get(machine, domain, PhysAddr::new(FRAME.get() + n * 0x1000)).map(Iova::get)
    };
    assert_eq!(next(&mut machine, 1), Ok(0x800_1000));
    assert_eq!(next(&mut machine, 2).unwrap_err().rule, &rules::MSI_WINDOW_FULL);
    put(&mut machine, domain, FRAME);
    assert_eq!(next(&mut machine, 2), Ok(0x800_7000));
}

#[test]
fn a_window_too_small_is_full() {
    let mut machine = Machine::boot(Profile::MsiV9, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let span = window(0x800_0000, 0x1000);
    machine.iommu.set_msi_aperture(domain, span).unwrap();
    let refused = get(&mut machine, domain, FRAME).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::ENOMEM, &rules::MSI_WINDOW_FULL));
    assert_eq!(refused.conflict, passim_model::Conflict::Window(span));
    // A window of one byte does not count, and can be set again at the same place.
    let other = open(&mut machine, 3, DomainKind::Paging);
    machine.iommu.set_msi_aperture(other, window(0x800_0000, 1)).unwrap();
    let refused = get(&mut machine, other, FRAME).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::EINVAL, &rules::MSI_NO_APERTURE));
    machine.iommu.set_msi_aperture(other, window(0x800_0000, 0x2000)).unwrap();
    assert_eq!(get(&mut machine, other, FRAME), Ok(Iova::new(0x800_1000)));
}

/// A page of the window is already mapped in the tables: its address is freed, and their errno
/// returned.
#[test]
fn a_mapping_in_the_way_is_told() {
    let mut machine = Machine::boot(Profile::MsiV9, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    machine.iommu.set_msi_aperture(domain, window(0x800_0000, 0x1_0000)).unwrap();
    occupy(&mut machine, domain, 0x800_f000);
    for _ in 0..2 {
        let refused = get(&mut machine, domain, FRAME).unwrap_err();
        assert_eq!((refused.errno, refused.rule.name), (Errno::EEXIST, "iommu-map-exists"));
    }
    assert!(machine.iommu.doorbells(domain).is_empty());
    let Machine { iommu, frames, board } = &mut machine;
    let at = PhysAddr::new(u64::MAX - 3);
    for size in [0, 8] {
        let refused = iommu.get_doorbell(domain, at, size, Perms::WRITE, frames, board);
        assert_eq!(refused.unwrap_err().rule, &rules::MSI_DOORBELL_RANGE);
    }
    let refused = iommu.get_doorbell(domain, at, 4, Perms::WRITE, frames, board);
    assert_eq!(refused.unwrap_err().errno, Errno::ERANGE);
}

fn occupy(machine: &mut Machine, domain: DomainId, iova: u64) {
    let request = crate::iommu::MapRequest {
        iova: Iova::new(iova),
        output: PhysAddr::new(0x5000_0000),
        size: 0x1000,
        perms: Perms::READ,
        memory_type: passim_model::pgtable::table::MemoryType::Normal,
    };
    let mut gather = passim_model::pgtable::gather::Gather::new();
    let Machine { iommu, frames, board } = machine;
    iommu.map(domain, &request, &mut gather, frames, board).unwrap();
}

/// 4.11 and later: upwards from the base, past the reserved MiB, and ENOMEM for every failure.
#[test]
fn a_base_has_no_end() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let default = machine.iommu.default_domain(2).unwrap();
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let iommu = &mut machine.iommu;
    let refused = iommu.set_msi_base(default, Iova::new(0x800_0000)).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::EINVAL, &rules::MSI_BASE_KIND));
    iommu.set_msi_base(domain, Iova::new(0x800_0000)).unwrap();
    let refused = iommu.set_msi_base(domain, Iova::new(0x900_0000)).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::EEXIST, &rules::MSI_BASE_EXISTS));
    let refused = iommu.set_msi_aperture(domain, window(0x900_0000, 0x1000)).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::ENOENT, &rules::MSI_NO_SUPPORT));
    for n in 0..0x102 {
        let at = PhysAddr::new(FRAME.get() + n * 0x1000);
        assert_eq!(get(&mut machine, domain, at), Ok(Iova::new(0x800_0000 + n * 0x1000)));
    }
    occupy(&mut machine, domain, 0x810_2000);
    for _ in 0..2 {
        let refused = get(&mut machine, domain, PhysAddr::new(0x1000)).unwrap_err();
        assert_eq!((refused.errno, refused.rule), (Errno::ENOMEM, &rules::MSI_PAGE_NOT_MAPPED));
        assert!(matches!(refused.conflict, passim_model::Conflict::Slot(_)), "{refused}");
    }
}

#[test]
fn kernels_without_support_refuse() {
    let mut machine = Machine::boot(Profile::Linux4_6, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    assert_eq!(machine.iommu.msi_geometry(domain), crate::iommu::MsiGeometry::default());
    let refused = get(&mut machine, domain, FRAME).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::ENOENT, &rules::MSI_NO_SUPPORT));
    let refused = machine.iommu.set_msi_aperture(domain, window(0x800_0000, 0x1_0000)).unwrap_err();
    assert_eq!(refused.errno, Errno::ENOENT);
    let refused = machine.iommu.set_msi_base(domain, Iova::new(0x800_0000)).unwrap_err();
    assert_eq!(refused.errno, Errno::ENODEV);
    assert!(!put(&mut machine, domain, FRAME) && machine.iommu.doorbells(domain).is_empty());
}

/// V12 and v14: the DMA layer keeps doorbells; v14 can remove a window.
#[test]
fn a_window_is_taken_back() {
    let mut machine = Machine::boot(Profile::MsiV14, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let outside = window(1 << 48, 0x1_0000);
    let refused = machine.iommu.set_msi_aperture(domain, outside).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::EFAULT, &rules::MSI_OUTSIDE_APERTURE));
    machine.iommu.set_msi_aperture(domain, window((1 << 48) - 0x2000, 0x1_0000)).unwrap();
    let last = Iova::new((1 << 48) - 0x1000);
    assert_eq!(get(&mut machine, domain, FRAME), Ok(last), "cut to what is translated");
    machine.iommu.clear_msi_aperture(domain);
    assert!(machine.iommu.doorbells(domain).is_empty());
    assert_eq!(machine.iommu.msi_geometry(domain).aperture, None);
    machine.iommu.set_msi_aperture(domain, window(0x800_0000, 0x1_0000)).unwrap();
    assert_eq!(get(&mut machine, domain, FRAME), Ok(Iova::new(0x800_f000)));
    assert!(machine.iommu.take_verdicts().is_empty());
}

#[test]
fn held_doorbells_are_warned_of_when_a_domain_goes() {
    let mut machine = Machine::boot(Profile::MsiV9, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    machine.iommu.set_msi_aperture(domain, window(0x800_0000, 0x1_0000)).unwrap();
    get(&mut machine, domain, FRAME).unwrap();
    close(&mut machine, 2, domain);
    let [verdict] = machine.iommu.take_verdicts()[..] else { panic!("one warning") };
    assert_eq!(verdict.severity, Severity::Warning);
    assert_eq!(verdict.rule, &rules::MSI_MAPPINGS_REMAIN);
}

/// An SMMU with larger pages than the CPU's: iova.c stops with a BUG.
#[test]
fn a_granule_larger_than_a_page_is_a_bug() {
    let mut board = super::board::Board::new(BOTH_STAGES);
    // IHI 0070 G.b 6.3.6: only GRAN64K, OAS 44 bits.
    board.registers.insert(0x14, 0x44);
    let mut machine = Machine::boot_with(Profile::MsiV9, PageSize::K4, board).unwrap();
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let refused =
        machine.iommu.set_msi_aperture(domain, window(0x800_0000, 0x10_0000)).unwrap_err();
    assert_eq!(refused.rule, &rules::MSI_GRANULE);
    let [verdict] = machine.iommu.take_verdicts()[..] else { panic!("one oops") };
    assert_eq!((verdict.severity, verdict.rule), (Severity::Oops, &rules::MSI_GRANULE));
}

/// An address is not allocated again before its invalidation is complete, and a replaced cookie
/// takes none back.
#[test]
fn addresses_wait_for_their_invalidation() {
    let mut machine = Machine::boot(Profile::MsiV9, BOTH_STAGES);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    machine.iommu.set_msi_aperture(domain, window(0x800_0000, 0x1_0000)).unwrap();
    get(&mut machine, domain, FRAME).unwrap();
    let pending = machine.iommu.put_doorbell(domain, FRAME, &mut machine.board).unwrap();
    let second = PhysAddr::new(FRAME.get() + 0x1000);
    assert_eq!(get(&mut machine, domain, second), Ok(Iova::new(0x800_e000)));
    machine.sync(pending);
    assert_eq!(get(&mut machine, domain, FRAME), Ok(Iova::new(0x800_f000)));
    let pending = machine.iommu.put_doorbell(domain, FRAME, &mut machine.board).unwrap();
    close(&mut machine, 2, domain);
    let again = open(&mut machine, 2, DomainKind::Paging);
    assert_eq!(again, domain, "the number is used again");
    machine.iommu.set_msi_aperture(again, window(0x800_0000, 0x1_0000)).unwrap();
    assert_eq!(get(&mut machine, again, second), Ok(Iova::new(0x800_f000)));
    machine.sync(pending);
    assert_eq!(get(&mut machine, again, FRAME), Ok(Iova::new(0x800_e000)), "still taken");
}

/// The same window under each allocator, and what is allocated after the first doorbell is
/// unmapped.
#[test]
fn the_allocator_is_a_choice() {
    let cases = [
        ("top-down", 15, 0x800_f000, 0x800_1000, 0x800_f000),
        ("anchored", 16, 0x800_f000, 0x800_0000, 0x800_f000),
        // It has no end; the last of 17 lies beyond the window.
        ("bump", 17, 0x800_0000, 0x801_0000, 0x801_1000),
    ];
    for (allocator, count, first, last, again) in cases {
        let mut policy = Profile::MsiV9.policy();
        policy.set("iova-allocator", allocator).unwrap();
        let mut machine = Machine::boot_policy(&policy, BOTH_STAGES);
        let domain = open(&mut machine, 2, DomainKind::Paging);
        machine.iommu.set_msi_aperture(domain, window(0x800_0000, 0x1_0000)).unwrap();
        let page = |n: u64| PhysAddr::new(FRAME.get() + n * 0x1000);
        let all: Vec<_> =
            (0..17).map_while(|n| get(&mut machine, domain, page(n)).ok()).map(Iova::get).collect();
        assert_eq!((all.len(), all[0], all[count - 1]), (count, first, last), "{allocator}");
        assert!(put(&mut machine, domain, page(0)));
        assert_eq!(get(&mut machine, domain, page(20)), Ok(Iova::new(again)), "{allocator}");
    }
}
