//! An IOMMU of an x86 machine beside an SMMU.

use super::board::{BASE, BOTH_STAGES, Board, Machine};
use super::doorbells::{get, window};
use crate::iommu::{
    DeviceFacts, DomainKind, DriverFacts, Firmware, MsiGeometry, ReservedKind, ReservedRegion,
};
use crate::policy::{Policy, Profile};
use passim_model::{Errno, Iova, PageSize, PageSizes, PhysAddr, Rid, Span, StreamId};

/// Where hardware of such machines accepts messages.
fn messages() -> Span<Iova> {
    window(0xfee0_0000, 0x10_0000)
}

/// Group 0 is behind an SMMU, group 1 behind an IOMMU that remaps, group 2 behind one that does
/// not, group 3 behind the flat driver.
fn mixed(policy: &Policy) -> Machine {
    let aperture = Span::new(Iova::new(0), Iova::new(u64::MAX)).unwrap();
    let page_sizes = PageSizes::from_bits(0x4020_1000);
    let x86 = |remaps_interrupts| DriverFacts::X86 {
        base: PhysAddr::new(BASE),
        messages: messages(),
        remaps_interrupts,
    };
    let device = |group: u32| {
        let rid = Rid::new(group as u16 * 8);
        DeviceFacts::with_streams(rid, [StreamId::new(group)], group, group as usize)
    };
    let smmu = DriverFacts::SmmuV3 { base: PhysAddr::new(BASE) };
    let flat = DriverFacts::Flat { aperture, page_sizes };
    let firmware = Firmware {
        drivers: vec![smmu, x86(true), x86(false), flat],
        devices: (0..4).map(device).collect(),
    };
    let board = Board::new(BOTH_STAGES);
    Machine::boot_firmware(&firmware, policy, PageSize::K4, board).unwrap()
}

/// Series 8, check 9: an x86 domain has no cookie, so no window; the SMMU's domain keeps its own.
#[test]
fn a_window_is_not_for_x86() {
    for profile in [Profile::MsiV8, Profile::MsiV9, Profile::MsiV10] {
        let mut machine = mixed(&profile.policy());
        let [smmu, x86, _, flat] = [0, 1, 2, 3].map(|group| {
            let Machine { iommu, frames, board } = &mut machine;
            iommu.alloc_domain(group, DomainKind::Paging, frames, board).unwrap()
        });
        let span = window(0x800_0000, 0x1_0000);
        let iommu = &mut machine.iommu;
        assert_eq!(iommu.msi_geometry(smmu), MsiGeometry { aperture: None, supported: true });
        iommu.set_msi_aperture(smmu, span).unwrap();
        let geometry = MsiGeometry { aperture: Some(span), supported: true };
        assert_eq!(iommu.msi_geometry(smmu), geometry);
        assert_eq!((geometry.reserved(), geometry.is_valid()), (None, true));
        for domain in [x86, flat] {
            let refused = iommu.set_msi_aperture(domain, span).unwrap_err();
            assert_eq!((refused.errno, refused.rule.name), (Errno::ENODEV, "msi-no-cookie"));
        }
        assert_eq!(iommu.msi_geometry(x86).reserved(), Some(messages()));
        assert!(!iommu.msi_geometry(x86).supported);
        assert_eq!(iommu.msi_geometry(flat), MsiGeometry::default());
        let other = iommu.set_msi_aperture(smmu, window(0x900_0000, 0x1_0000)).unwrap_err();
        assert_eq!(other.errno, profile.policy().second_window.errno());
        // Their messages are not translated, and no doorbell can be mapped for them.
        for group in [1, 2, 3] {
            assert_eq!(machine.iommu.msi_domain_of(Rid::new(group * 8)), None);
        }
        let refused = get(&mut machine, x86, PhysAddr::new(0xfee0_0000)).unwrap_err();
        assert_eq!(refused.errno, Errno::ENODEV);
        // A group cannot join a domain of another IOMMU.
        assert!(machine.iommu.same_driver(smmu, 0) && !machine.iommu.same_driver(smmu, 1));
        let refused = machine.attach(x86, 0).unwrap_err();
        assert_eq!((refused.errno, refused.rule.name), (Errno::EINVAL, "iommu-attach-other-smmu"));
    }
}

#[test]
fn who_claims_to_remap_interrupts() {
    let claims = |profile: Profile| {
        let machine = mixed(&profile.policy());
        [0, 1, 2, 3, 9].map(|group| machine.iommu.claims_intr_remap(group))
    };
    // Patch 6/7 of part 3, which v8 has: SMMU drivers no longer do.
    assert_eq!(claims(Profile::Linux4_6), [true, true, false, false, false]);
    for profile in [Profile::MsiV8, Profile::MsiV9, Profile::MsiV14, Profile::Linux6_12] {
        assert_eq!(claims(profile), [false, true, false, false, false], "{profile}");
    }
}

#[test]
fn reserved_regions_came_with_4_11() {
    let regions = |profile: Profile, group| {
        let machine = mixed(&profile.policy());
        machine.iommu.reserved_regions(group).to_vec()
    };
    for profile in [Profile::Linux4_6, Profile::MsiV8, Profile::MsiV9, Profile::MsiV14] {
        assert!(regions(profile, 0).is_empty() && regions(profile, 1).is_empty(), "{profile}");
    }
    for profile in [Profile::Linux4_11, Profile::Linux6_12] {
        let own = ReservedRegion { span: messages(), kind: ReservedKind::Msi };
        assert_eq!(regions(profile, 1), [own]);
        let [smmu] = regions(profile, 0)[..] else { panic!("one region") };
        assert_eq!((smmu.kind, smmu.span), (ReservedKind::SwMsi, window(0x800_0000, 0x10_0000)));
        assert!(regions(profile, 3).is_empty());
    }
}
