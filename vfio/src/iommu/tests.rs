//! The driver's commands and stores, against dumps and logs of real kernels.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `board` | on which toy SMMU do the tests run? |
//! | `recorded` | which commands did real kernels send? |
//! | `bringup` | how is an SMMU of other features brought up? |
//! | `defaults` | what do default domains translate? |
//! | `entries` | which words do STEs, CDs and tables get? |
//! | `mappings` | which commands do map and unmap send? |
//! | `beyond` | what happens to addresses beyond the input size? |
//! | `queue` | what does the driver do with slow or faulty hardware? |
//! | `hostile` | does any register or memory content make the driver panic? |
//! | `ats` | when is a device's ATC invalidated? |
//! | `doorbells` | where are doorbells mapped? |
//! | `removal` | what is freed when a device is removed? |
//! | `flat` | how do an x86-like and a flat IOMMU differ? |
//! | `smmuv2` | what does the driver of an SMMUv2 store? |

mod ats;
mod beyond;
mod board;
mod bringup;
mod defaults;
mod doorbells;
mod entries;
mod flat;
mod hostile;
mod mappings;
mod queue;
mod recorded;
mod removal;
mod smmuv2;

use super::{DomainKind, Owner, ReservedKind, Translation, rules};
use crate::policy::Profile;
use board::{BOTH_STAGES, Machine, STAGE2_ONLY};
use passim_model::{Errno, Iova, Span};
use std::collections::BTreeSet;

/// Claims, attaches and tests a group as VFIO does; returns its domain.
fn open(machine: &mut Machine, group: u32, kind: DomainKind) -> super::DomainId {
    machine.claim(group);
    let Machine { iommu, frames, board } = machine;
    let domain = iommu.alloc_domain(group, kind, frames, board).unwrap();
    let attached = machine.attach(domain, group).unwrap();
    machine.finish(attached);
    let Machine { iommu, frames, board } = machine;
    let test = iommu.superpage_test(domain, frames, board);
    machine.finish(test);
    domain
}

/// Reverses [`open`].
fn close(machine: &mut Machine, group: u32, domain: super::DomainId) {
    let detached = machine.iommu.detach_to_blocked(group);
    machine.finish(detached);
    let freed = machine.iommu.free_domain(domain);
    machine.finish(freed);
    let released = machine.iommu.release(group);
    machine.finish(released);
}

#[test]
fn linux_6_12_attaches_and_detaches_as_recorded() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    assert_eq!(machine.board.commands(), recorded::BOOT_6_12);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    assert_eq!(machine.board.commands(), recorded::ATTACH_6_12);
    close(&mut machine, 2, domain);
    assert_eq!(machine.board.commands(), recorded::DETACH_6_12);
}

#[test]
fn linux_6_1_attaches_and_detaches_as_recorded() {
    let mut machine = Machine::boot(Profile::Linux6_1, BOTH_STAGES);
    assert_eq!(machine.board.commands(), recorded::BOOT_6_1);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    assert_eq!(machine.board.commands(), recorded::ATTACH_6_1);
    close(&mut machine, 2, domain);
    assert_eq!(machine.board.commands(), recorded::DETACH_6_1);
    let domain = open(&mut machine, 2, DomainKind::Nested);
    assert_eq!(machine.board.commands(), recorded::NESTING_6_1);
    close(&mut machine, 2, domain);
    assert_eq!(machine.board.commands(), recorded::NESTING_DETACH_6_1);
}

#[test]
fn without_stage_1_a_domain_is_stage_2() {
    let mut machine = Machine::boot(Profile::Linux6_12, STAGE2_ONLY);
    assert_eq!(machine.board.commands(), recorded::BOOT_STAGE2_6_12);
    let domain = open(&mut machine, 2, DomainKind::Paging);
    assert_eq!(machine.board.commands(), recorded::ATTACH_STAGE2_6_12);
    let last = Iova::new((1 << 44) - 1);
    assert_eq!(machine.iommu.aperture(domain), Span::new(Iova::new(0), last).unwrap());
    close(&mut machine, 2, domain);
    assert_eq!(machine.board.commands(), recorded::DETACH_STAGE2_6_12);
}

/// A second group first gets a domain of its own, then joins the first group's.
#[test]
fn a_second_group_joins_a_domain_as_recorded() {
    let recorded = [
        (Profile::Linux6_12, recorded::JOIN_6_12.to_owned()),
        // Recorded after groups had been claimed before: its ASID is c, the second one's here a.
        (Profile::Linux6_1, recorded::JOIN_6_1.replace("c000000000011", "a000000000011")),
    ];
    for (profile, commands) in recorded {
        let mut machine = Machine::boot(profile, BOTH_STAGES);
        let first = open(&mut machine, 2, DomainKind::Paging);
        if profile == Profile::Linux6_1 {
            // Its blocking domain exists already, as recorded.
            machine.claim(5);
            let released = machine.iommu.release(5);
            machine.finish(released);
        }
        machine.board.commands();
        machine.claim(5);
        let Machine { iommu, frames, board } = &mut machine;
        let own = iommu.alloc_domain(5, DomainKind::Paging, frames, board).unwrap();
        assert!(iommu.same_driver(first, 5));
        let attached = machine.attach(own, 5).unwrap();
        machine.finish(attached);
        let detached = machine.iommu.detach_to_blocked(5);
        machine.finish(detached);
        let joined = machine.attach(first, 5).unwrap();
        machine.finish(joined);
        let freed = machine.iommu.free_domain(own);
        machine.finish(freed);
        assert_eq!(machine.board.commands(), commands, "{profile}");
    }
}

/// Each device of a group is moved completely before the next.
#[test]
fn a_group_of_two_attaches_as_recorded() {
    let recorded = [
        // Their ASIDs are those of a machine on which other groups were opened before.
        (Profile::Linux6_12, recorded::TWO_DEVICES_6_12.to_owned()),
        (Profile::Linux6_1, recorded::TWO_DEVICES_6_1.replace("c000000000012", "8000000000012")),
    ];
    for (profile, commands) in recorded {
        let mut machine = Machine::boot(profile, BOTH_STAGES);
        machine.board.commands();
        open(&mut machine, 0, DomainKind::Paging);
        assert_eq!(machine.board.commands(), commands, "{profile}");
    }
}

/// stage1/qemu-trace.log of 6.12, register accesses 1 to 37 (without the SMMU's own lines).
#[test]
fn reset_touches_registers_in_the_recorded_order() {
    let machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let board = &machine.board;
    let (strtab, commands, events) =
        (board.register(0x80), board.register(0x90), board.register(0xa0));
    assert_eq!(commands >> 56 << 56 | commands & 0x1f, 0x4000_0000_0000_0010);
    assert_eq!(events >> 56 << 56 | events & 0x1f, 0x4000_0000_0000_000f);
    let expected = [
        ('r', 0x0, 0xd44101b),
        ('r', 0x4, 0x2730010),
        ('r', 0xc, 0x1414),
        ('r', 0x14, 0x74),
        ('r', 0x18, 0x0),
        ('r', 0x20, 0x0),
        ('w', 0x20, 0x0),
        ('r', 0x24, 0x0),
        ('w', 0x28, 0xd75),
        ('w', 0x2c, 0x6),
        ('w', 0x80, strtab),
        ('w', 0x88, 0x10210),
        ('w', 0x90, commands),
        ('w', 0x98, 0x0),
        ('w', 0x9c, 0x0),
        ('w', 0x20, 0x8),
        ('r', 0x24, 0x8),
        ('w', 0x98, 0x2),
        ('r', 0x9c, 0x2),
        ('w', 0x98, 0x4),
        ('r', 0x9c, 0x4),
        ('w', 0xa0, events),
        ('w', 0x100a8, 0x0),
        ('w', 0x100ac, 0x0),
        ('w', 0x20, 0xc),
        ('r', 0x24, 0xc),
        ('w', 0x50, 0x0),
        ('r', 0x54, 0x0),
        ('w', 0x68, 0x0),
        ('w', 0xb0, 0x0),
        ('w', 0x50, 0x5),
        ('r', 0x54, 0x5),
        ('w', 0x20, 0xd),
        ('r', 0x24, 0xd),
        ('w', 0x98, 0x6),
        ('r', 0x9c, 0x6),
    ];
    assert_eq!(board.log[..expected.len()], expected);
}

#[test]
fn a_group_has_one_owner_and_one_domain() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let domain = open(&mut machine, 3, DomainKind::Paging);
    let Machine { iommu, frames, board } = &mut machine;
    let refused = iommu.claim(3, frames, board).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::EPERM, &rules::CLAIM_OWNED));
    let refused = iommu.attach(domain, 3, frames, board).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::EBUSY, &rules::ATTACH_BUSY));
    let refused = iommu.attach(domain, 9, frames, board).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::ENODEV, &rules::GROUP_UNKNOWN));
    let refused = iommu.alloc_domain(3, DomainKind::Nested, frames, board).unwrap_err();
    assert_eq!(refused.errno, Errno::EPERM);
    assert_eq!(iommu.owner(3), Some(Owner::User));
    assert_eq!(iommu.translation(3), Some(Translation::Domain(domain)));
    close(&mut machine, 3, domain);
    assert_eq!(machine.iommu.owner(3), Some(Owner::Kernel));
    let default = machine.iommu.default_domain(3).unwrap();
    assert_eq!(machine.iommu.translation(3), Some(Translation::Domain(default)));
}

#[test]
fn groups_are_as_firmware_says() {
    let machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let iommu = &machine.iommu;
    assert_eq!(iommu.groups().collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
    let devices = |group| iommu.group_devices(group).map(|rid| rid.to_string());
    assert_eq!(devices(1).collect::<Vec<_>>(), ["00:06.0", "02:02.0"]);
    assert_eq!(devices(9).count(), 0);
    let [window] = iommu.reserved_regions(2) else { panic!("one region") };
    assert_eq!(window.kind, ReservedKind::SwMsi);
    assert_eq!((window.span.start().get(), window.span.last().get()), (0x800_0000, 0x80f_ffff));
    assert_eq!(iommu.domain_page_sizes(iommu.default_domain(2).unwrap()).bits(), 0x4020_1000);
}

#[test]
fn rule_names_are_unique() {
    let names: BTreeSet<_> = rules::RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), rules::RULES.len());
}
