//! Default domains: bypassing, or translating messages too.

use super::board::{BOTH_STAGES, Machine, STAGE2_ONLY};
use super::doorbells::{get, put, window};
use super::{close, open};
use crate::iommu::DomainKind;
use crate::policy::Profile;
use passim_model::{Errno, Iova, PhysAddr, Rid};

/// V, Config 4; SHCFG 1 in doubleword 1 (IHI 0070 G.b 5.2).
const BYPASS: [u64; 8] = [0x9, 1 << 44, 0, 0, 0, 0, 0, 0];

const DOORBELL: PhysAddr = PhysAddr::new(0x809_0040);

fn edu() -> Rid {
    Rid::parse("00:01.0").unwrap()
}

/// Series 8, check 7: messages of host drivers carry physical addresses, and no doorbell is mapped.
#[test]
fn up_to_v14_the_default_domain_bypasses() {
    for profile in [Profile::Linux4_6, Profile::MsiV8, Profile::MsiV9, Profile::MsiV12] {
        for idr0 in [BOTH_STAGES, STAGE2_ONLY] {
            let mut machine = Machine::boot(profile, idr0);
            for stream in [0x8, 0x20, 0x21, 0x200, 0x210] {
                assert_eq!(machine.board.ste(stream), BYPASS, "{profile}");
            }
            assert_eq!(machine.iommu.msi_domain_of(edu()), None);
            let default = machine.iommu.default_domain(2).unwrap();
            assert!(get(&mut machine, default, DOORBELL).is_err());
            assert!(machine.iommu.reserved_regions(2).is_empty());
            // Into a domain and back.
            machine.board.commands();
            let domain = open(&mut machine, 2, DomainKind::Paging);
            let config = if idr0 == BOTH_STAGES { 0xb } else { 0xd };
            assert_eq!(machine.board.ste(0x8)[0] & 0xf, config);
            close(&mut machine, 2, domain);
            let ste = machine.board.ste(0x8);
            // Doubleword 3 keeps its contents, as recorded of the kernels that break entries.
            assert_eq!(ste[..3], BYPASS[..3]);
            assert_eq!(machine.iommu.msi_domain_of(edu()), None);
        }
    }
}

#[test]
fn leaving_a_bypass_needs_one_round_less() {
    let mut policy = Profile::Linux6_1.policy();
    policy.set("default-domain", "bypass").unwrap();
    policy.set("blocked-state", "default-domain").unwrap();
    let mut machine = Machine::boot_policy(&policy, BOTH_STAGES);
    machine.board.commands();
    let domain = open(&mut machine, 2, DomainKind::Paging);
    // The CD is written, doubleword 1, then doubleword 0; no abort before, as nothing is cached.
    let attach = "S S 800000003:1 S 800000003:1 S 800000001:0 ";
    assert!(machine.board.commands().starts_with(attach));
    let detached = machine.iommu.detach_to_blocked(2);
    machine.finish(detached);
    assert_eq!(machine.board.commands(), "800000003:1 S");
    let freed = machine.iommu.free_domain(domain);
    machine.finish(freed);
}

/// Early kernels detach from any domain, and invalidate no CD.
#[test]
fn early_kernels_leave_a_bypass_as_any_domain() {
    let mut machine = Machine::boot(Profile::MsiV9, BOTH_STAGES);
    machine.board.commands();
    let domain = open(&mut machine, 2, DomainKind::Paging);
    let attach = "800000003:1 S 800000003:1 S 800000003:1 S 800000001:0 ";
    assert!(machine.board.commands().starts_with(attach));
    close(&mut machine, 2, domain);
}

/// Choices that no kernel combines: blocking blocks, and newer kernels can bypass too.
#[test]
fn a_bypass_goes_with_every_other_choice() {
    for profile in [Profile::MsiV9, Profile::Linux6_1, Profile::Linux6_12] {
        for blocked in ["abort", "empty-domain", "default-domain"] {
            let mut policy = profile.policy();
            policy.set("default-domain", "bypass").unwrap();
            policy.set("blocked-state", blocked).unwrap();
            let mut machine = Machine::boot_policy(&policy, BOTH_STAGES);
            // These SMMUs do not override attributes, so 6.12 omits SHCFG.
            let shareability = if profile == Profile::Linux6_12 { 0 } else { BYPASS[1] };
            let bypass = [BYPASS[0], shareability, 0];
            assert_eq!(machine.board.ste(0x8)[..3], bypass, "{profile} {blocked}");
            machine.claim(2);
            let config = match blocked {
                // The STE that early kernels write for a stream in no domain.
                "abort" if profile == Profile::MsiV9 => 0x9,
                "abort" => 0x1,
                "empty-domain" => 0xb,
                _ => 0x9,
            };
            assert_eq!(machine.board.ste(0x8)[0] & 0xf, config, "{profile} {blocked}");
            let released = machine.iommu.release(2);
            machine.finish(released);
            let domain = open(&mut machine, 2, DomainKind::Paging);
            assert_eq!(machine.board.ste(0x8)[0] & 0xf, 0xb);
            close(&mut machine, 2, domain);
            assert_eq!(machine.board.ste(0x8)[..3], bypass, "{profile} {blocked}");
        }
    }
}

/// Since 4.11 the DMA layer maps the doorbells of host drivers, from 4 GiB down.
#[test]
fn a_default_domain_that_translates_maps_doorbells() {
    for profile in [Profile::Linux4_11, Profile::Linux6_1, Profile::Linux6_12, Profile::Linux7_2] {
        let mut machine = Machine::boot(profile, BOTH_STAGES);
        let default = machine.iommu.default_domain(2).unwrap();
        assert_eq!(machine.iommu.msi_domain_of(edu()), Some(default));
        assert_eq!(machine.iommu.translate_message(default, DOORBELL), None);
        assert_eq!(get(&mut machine, default, DOORBELL), Ok(Iova::new(0xffff_f040)));
        assert_eq!(
            get(&mut machine, default, PhysAddr::new(0x809_0000)),
            Ok(Iova::new(0xffff_f000))
        );
        let last = machine.iommu.translate_message(default, PhysAddr::new(0x809_0fff));
        assert_eq!(last, Some(Iova::new(0xffff_ffff)), "one byte is enough here");
        assert!(!put(&mut machine, default, DOORBELL));
        assert_eq!(machine.iommu.doorbells(default).len(), 1);
        // A user's domain has its own mappings, once its base is set; before that none.
        let domain = open(&mut machine, 2, DomainKind::Paging);
        assert_eq!(machine.iommu.msi_domain_of(edu()), None);
        let refused = get(&mut machine, domain, DOORBELL).unwrap_err();
        assert_eq!(refused.errno, Errno::ENODEV);
        machine.iommu.set_msi_base(domain, Iova::new(0x800_0000)).unwrap();
        assert_eq!(machine.iommu.msi_domain_of(edu()), Some(domain));
        assert_eq!(get(&mut machine, domain, DOORBELL), Ok(Iova::new(0x800_0040)));
        close(&mut machine, 2, domain);
        assert_eq!(machine.iommu.msi_domain_of(edu()), Some(default));
        assert!(machine.iommu.take_verdicts().is_empty());
    }
}

/// Part 1 of the series maps nothing for domains of the kernel, whatever they do.
#[test]
fn the_series_maps_nothing_for_host_drivers() {
    let mut policy = Profile::MsiV9.policy();
    policy.set("default-domain", "translated").unwrap();
    let mut machine = Machine::boot_policy(&policy, BOTH_STAGES);
    assert_eq!(machine.board.ste(0x8)[0] & 0xf, 0xb);
    assert_eq!(machine.iommu.msi_domain_of(edu()), None);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    assert_eq!(machine.iommu.msi_domain_of(edu()), Some(domain), "with or without a window");
    machine.iommu.set_msi_aperture(domain, window(0x800_0000, 0x1_0000)).unwrap();
    assert_eq!(machine.iommu.msi_domain_of(edu()), Some(domain));
    assert_eq!(machine.iommu.msi_domain_of(Rid::parse("00:1f.0").unwrap()), None);
}
