//! Windows, doorbells and who translates messages.

use super::board::{BOTH_STAGES, Machine, STAGE2_ONLY};
use super::{close, open};
use crate::iommu::{DomainId, DomainKind, DoorbellView, msi::rules};
use crate::policy::Profile;
use passim_model::{Errno, Iova, Perms, PhysAddr, Refusal, Span};

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

/// The descriptor of the page at `iova`, by way of a stream's STE.
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
        // It stays until the domain goes.
        assert!(!put(&mut machine, domain, PhysAddr::new(0x809_0040)));
        assert_eq!(leaf(&machine, 0x8, iova.get()), descriptor);
        close(&mut machine, 2, domain);
    }
}

/// Series 8, check 5: four vectors hold one page; the next one gets the same page again.
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
