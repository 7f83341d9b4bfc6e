//! The checks of the series: 8.5 to 8.7, and what other kernels do in their place.

use super::board::{Build, FRAME, HOLDER, Machine, USERS};
use crate::policy::{Choice, DoorbellError, MissingDoorbellInfo, MsiFailure, Profile};
use crate::uapi::irq;
use crate::verdict::Severity;
use passim_model::{Errno, IntId, Iova};

const DEVICE: u16 = USERS[0];

fn v9() -> Machine {
    Machine::boot(Build::new(Profile::MsiV9.policy()))
}

#[test]
fn four_vectors_hold_one_page_and_find_it_again() {
    let mut machine = v9();
    let (container, groups) = machine.container(&[DEVICE]);
    machine.window(container, 0x800_0000, 0x1_0000).unwrap();
    let device = machine.device(groups[0], DEVICE);
    let fds = machine.eventfds(4);
    for _ in 0..2 {
        assert_eq!(machine.enable(device, 0, &fds), Ok(0));
        // The kernel's own device holds SPI 64.
        for (k, data) in (0..4).zip(65..) {
            assert_eq!(machine.board.entry(DEVICE, k), (0x800_f040, data, 0));
        }
        let doorbells = machine.kernel.doorbells_of(passim_model::Rid::new(DEVICE));
        assert_eq!((doorbells.len(), doorbells[0].references), (1, 4));
        assert_eq!(doorbells[0].iova, Iova::new(0x800_f000));
        assert_eq!(machine.disable(device, irq::MSIX), Ok(0));
        assert_eq!(machine.references(DEVICE), []);
        assert_eq!(machine.board.entry(DEVICE, 0), (0, 0, 1));
    }
    assert!(machine.kernel.take_verdicts().is_empty());
}

#[test]
fn without_a_window_nothing_is_enabled() {
    for size in [0, 0x1000] {
        let mut machine = v9();
        let (container, groups) = machine.container(&[DEVICE]);
        if size > 0 {
            machine.window(container, 0x800_0000, size).unwrap();
        }
        let device = machine.device(groups[0], DEVICE);
        let fds = machine.eventfds(1);
        // From a window of one page nothing can be allocated.
        let errno = if size == 0 { Errno::EINVAL } else { Errno::ENOMEM };
        assert_eq!(machine.enable(device, 0, &fds), Err(errno));
        assert!(!machine.board.registers(DEVICE).is_msix_enabled());
        assert_eq!(machine.kernel.messages_in_use(), 1);
        assert_eq!(machine.kernel.interrupts().len(), 1);
    }
}

#[test]
fn the_other_reading_makes_every_failure_enospc() {
    let mut policy = Profile::MsiV9.policy();
    policy.doorbell_error = DoorbellError::Enospc;
    let mut machine = Machine::boot(Build::new(policy));
    let (_, groups) = machine.container(&[DEVICE]);
    let device = machine.device(groups[0], DEVICE);
    let fds = machine.eventfds(1);
    assert_eq!(machine.enable(device, 0, &fds), Err(Errno::ENOSPC));
}

/// Check 8.7 under v9; since 4.11 default domains translate, and map the doorbell.
#[test]
fn the_kernels_own_device_is_programmed_at_boot() {
    for (profile, mapped) in [(Profile::MsiV9, false), (Profile::Linux6_12, true)] {
        let machine = Machine::boot(Build::new(profile.policy()));
        let (address, data, control) = machine.board.entry(HOLDER, 0);
        assert_eq!((data, control), (64, 0));
        let physical = address == FRAME + 0x40;
        assert_eq!(physical, !mapped, "{profile} {address:#x}");
        assert_eq!(machine.references(HOLDER).len(), usize::from(mapped));
        let lines = machine.kernel.interrupts();
        assert_eq!((lines[0].irq, lines[0].name.as_str()), (3, "pciehp"));
        assert_eq!(lines[0].intid, IntId::new(64));
    }
}

#[test]
fn linux_4_6_programs_the_physical_doorbell() {
    let mut machine = Machine::boot(Build::new(Profile::Linux4_6.policy()));
    let (_, groups) = machine.container(&[DEVICE]);
    let device = machine.device(groups[0], DEVICE);
    let fds = machine.eventfds(1);
    assert_eq!(machine.enable(device, 0, &fds), Ok(0));
    assert_eq!(machine.board.entry(DEVICE, 0), (FRAME + 0x40, 65, 0));
    assert!(machine.kernel.take_verdicts().is_empty());
}

/// measured on 6.12: the first page of the reserved window; the mapping stays.
#[test]
fn linux_6_12_maps_the_doorbell_for_good() {
    let mut machine = Machine::boot(Build::new(Profile::Linux6_12.policy()));
    let (_, groups) = machine.container(&[DEVICE]);
    let device = machine.device(groups[0], DEVICE);
    let fds = machine.eventfds(2);
    assert_eq!(machine.enable(device, 0, &fds), Ok(0));
    assert_eq!(machine.board.entry(DEVICE, 1), (0x800_0040, 66, 0));
    assert_eq!(machine.disable(device, irq::MSIX), Ok(0));
    assert_eq!(machine.references(DEVICE).len(), 1);
}

/// The consequence that "not tested: GICv3 ITS" hides: no chip describes its doorbell.
#[test]
fn an_its_under_v9_sends_physical_addresses_into_the_smmu() {
    let its = Build { frames: Vec::new(), ..Build::new(Profile::MsiV9.policy()) };
    let mut machine = Machine::boot(its);
    let (container, groups) = machine.container(&[DEVICE]);
    machine.window(container, 0x800_0000, 0x1_0000).unwrap();
    let device = machine.device(groups[0], DEVICE);
    let fds = machine.eventfds(1);
    assert_eq!(machine.enable(device, 0, &fds), Ok(0));
    assert_eq!(machine.board.entry(DEVICE, 0), (super::board::ITS + 0x1_0040, 0, 0));
    let verdicts = machine.kernel.take_verdicts();
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].severity, Severity::Warning);
    assert_eq!(verdicts[0].rule.name, "message-not-translated");
}

#[test]
fn what_a_missing_description_does_is_a_choice() {
    let mut policy = Profile::MsiV9.policy();
    policy.missing_doorbell_info = MissingDoorbellInfo::Einval;
    let its = Build { frames: Vec::new(), ..Build::new(policy) };
    let mut machine = Machine::boot(its);
    let (container, groups) = machine.container(&[DEVICE]);
    machine.window(container, 0x800_0000, 0x1_0000).unwrap();
    let device = machine.device(groups[0], DEVICE);
    let fds = machine.eventfds(1);
    assert_eq!(machine.enable(device, 0, &fds), Err(Errno::EINVAL));
    assert_eq!(machine.kernel.messages_in_use(), 1);
}

#[test]
fn a_message_that_is_not_mapped_is_physical_or_lost() {
    for failure in MsiFailure::VALUES {
        let mut policy = Profile::MsiV9.policy();
        policy.msi_failure = *failure;
        let its = Build { frames: Vec::new(), ..Build::new(policy) };
        let mut machine = Machine::boot(its);
        let (container, groups) = machine.container(&[DEVICE]);
        machine.window(container, 0x800_0000, 0x1_0000).unwrap();
        let device = machine.device(groups[0], DEVICE);
        let fds = machine.eventfds(1);
        machine.enable(device, 0, &fds).unwrap();
        let (address, ..) = machine.board.entry(DEVICE, 0);
        let lost = *failure == MsiFailure::AllOnes;
        // The two low bits of an entry's address are not implemented.
        assert_eq!(address == !3, lost, "{address:#x}");
    }
}
