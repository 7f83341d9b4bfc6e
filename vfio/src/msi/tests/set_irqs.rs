//! SET_IRQS, as recorded on 6.1 and 6.12.

use super::board::{Build, ENTRIES, Machine, USERS};
use crate::call::Call;
use crate::policy::Profile;
use crate::uapi::{irq, irq_set};
use passim_model::Errno::{self, EBADF, EINVAL, ENOTTY, ERANGE};

const DEVICE: u16 = USERS[0];
const NONE: u32 = irq_set::DATA_NONE | irq_set::ACTION_TRIGGER;
const BOOL: u32 = irq_set::DATA_BOOL | irq_set::ACTION_TRIGGER;
const FD: u32 = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;

fn opened(profile: Profile) -> (Machine, i64) {
    let mut machine = Machine::boot(Build::new(profile.policy()));
    let (_, groups) = machine.container(&[DEVICE]);
    let device = machine.device(groups[0], DEVICE);
    (machine, device)
}

/// Which of the first five entries have a message, and which of those are unmasked.
fn entries(machine: &Machine) -> (Vec<bool>, Vec<bool>) {
    let entries: Vec<_> = (0..5).map(|at| machine.board.entry(DEVICE, at)).collect();
    let programmed = entries.iter().map(|(address, ..)| *address != 0).collect();
    (programmed, entries.iter().map(|(.., control)| *control == 0).collect())
}

#[test]
fn what_is_off_is_only_turned_on() {
    let (mut machine, device) = opened(Profile::Linux6_12);
    let mut set =
        |index, flags, block, data: &[u8]| machine.set_irqs(device, index, flags, block, data);
    assert_eq!(set(irq::MSIX, NONE, (0, 1), &[]), Err(EINVAL));
    assert_eq!(set(irq::MSIX, BOOL, (0, 1), &[1]), Err(EINVAL));
    assert_eq!(set(irq::MSIX, NONE, (0, 0), &[]), Err(EINVAL));
    assert_eq!(set(irq::MSIX, FD, (0, 0), &[]), Err(ERANGE));
    assert_eq!(set(irq::INTX, 0x09, (0, 1), &[]), Err(EINVAL));
    // -1 enables the vector all the same: programmed, masked, without a handler.
    assert_eq!(set(irq::MSIX, FD, (0, 2), &[0xff; 8]), Ok(0));
    let (programmed, open) = entries(&machine);
    assert_eq!(programmed, [true, true, false, false, false]);
    assert_eq!(open, [false; 5]);
    assert_eq!(machine.kernel.interrupts().len(), 1);
}

#[test]
fn a_request_is_well_formed_or_refused() {
    let (mut machine, device) = opened(Profile::Linux6_12);
    let fds = machine.eventfds(2);
    machine.enable(device, 0, &fds).unwrap();
    let most = u32::from(ENTRIES);
    let fd = (fds[0] as i32).to_le_bytes();
    type Case<'a> = (u32, u32, (u32, u32), &'a [u8], Errno);
    let cases: [Case<'_>; 12] = [
        (5, FD, (0, 1), &fd, EINVAL),
        (irq::MSIX, FD | 64, (0, 1), &fd, EINVAL),
        (irq::MSIX, FD, (most, 1), &fd, EINVAL),
        (irq::MSIX, FD, (most - 1, 2), &[0; 8], EINVAL),
        (irq::MSIX, FD, (u32::MAX, 1), &fd, EINVAL),
        (irq::MSIX, FD, (1, u32::MAX), &fd, EINVAL),
        (irq::MSIX, FD, (0, 2), &fd, EINVAL),
        (irq::MSIX, BOOL, (0, 2), &[1], EINVAL),
        (irq::MSIX, irq_set::ACTION_TRIGGER, (0, 1), &[], EINVAL),
        (irq::MSIX, NONE | irq_set::DATA_BOOL, (0, 1), &[], EINVAL),
        (irq::MSIX, NONE | irq_set::ACTION_MASK, (0, 1), &[], ENOTTY),
        (irq::MSIX, irq_set::DATA_NONE, (0, 1), &[], ENOTTY),
    ];
    for (index, flags, block, data, errno) in cases {
        assert_eq!(machine.set_irqs(device, index, flags, block, data), Err(errno), "{flags:#x}");
    }
    // Only one mode at a time.
    assert_eq!(machine.set_irqs(device, irq::INTX, FD, (0, 1), &fd), Err(EINVAL));
    assert_eq!(machine.set_irqs(device, irq::MSI, FD, (0, 1), &fd), Err(EINVAL));
    assert_eq!(machine.disable(device, irq::MSI), Err(EINVAL));
    assert_eq!(machine.set_irqs(device, irq::MSIX, NONE, (1, 0), &[]), Ok(0));
    assert_eq!(machine.disable(device, irq::MSIX), Err(EINVAL));
}

#[test]
fn vectors_beyond_those_that_were_asked_for() {
    for (profile, taken_off) in [(Profile::Linux6_12, true), (Profile::Linux6_1, false)] {
        let (mut machine, device) = opened(profile);
        let fds = machine.eventfds(3);
        machine.enable(device, 0, &fds[..2]).unwrap();
        assert_eq!(machine.enable(device, 2, &fds[..1]), Err(EINVAL));
        assert_eq!(entries(&machine).1, [true, true, false, false, false]);
        assert_eq!(machine.enable(device, 0, &fds), Err(EINVAL));
        assert_eq!(entries(&machine).1[..2], [!taken_off; 2], "{profile}");
        let beyond = if taken_off { Ok(0) } else { Err(EINVAL) };
        assert_eq!(machine.enable(device, 2, &[-1]), beyond);
        assert_eq!(machine.set_irqs(device, irq::MSIX, NONE, (2, 1), &[]), beyond);
    }
}

#[test]
fn a_bad_descriptor_takes_off_what_came_before_it() {
    let (mut machine, device) = opened(Profile::Linux6_12);
    let fds = machine.eventfds(5);
    machine.enable(device, 0, &fds[..3]).unwrap();
    assert_eq!(machine.enable(device, 0, &[fds[3], 999, fds[4]]), Err(EBADF));
    assert_eq!(entries(&machine).1, [false, false, true, false, false]);
    assert_eq!(entries(&machine).0, [false, false, true, false, false]);
    assert_eq!(machine.set_irqs(device, irq::MSIX, NONE, (0, 3), &[]), Ok(0));
    assert_eq!((machine.count(fds[2]), machine.count(fds[3])), (1, 0));
    assert_eq!(machine.enable(device, 0, &[1]), Err(EINVAL));
    machine.disable(device, irq::MSIX).unwrap();
    // The first call that fails disables messages again.
    assert_eq!(machine.enable(device, 0, &[fds[0], 999]), Err(EBADF));
    assert!(!machine.board.registers(DEVICE).is_msix_enabled());
    assert_eq!(machine.kernel.messages_in_use(), 1);
}

#[test]
fn an_eventfd_counts_until_nobody_holds_it() {
    let (mut machine, device) = opened(Profile::Linux6_12);
    let fds = machine.eventfds(2);
    machine.enable(device, 0, &[fds[0], fds[0]]).unwrap();
    assert_eq!(machine.set_irqs(device, irq::MSIX, BOOL, (0, 2), &[0x80, 0]), Ok(0));
    assert_eq!(machine.count(fds[0]), 1);
    assert_eq!(machine.set_irqs(device, irq::MSIX, NONE, (0, 2), &[]), Ok(0));
    assert_eq!(machine.count(fds[0]), 2);
    machine.call(Call::Close { fd: fds[0] as i32 }).unwrap();
    assert_eq!(machine.set_irqs(device, irq::MSIX, NONE, (0, 2), &[]), Ok(0));
    assert_eq!(entries(&machine).1[..2], [true, true]);
}

#[test]
fn start_three_count_two_is_five_vectors_and_never_fewer() {
    let (mut machine, device) = opened(Profile::Linux6_12);
    let fds = machine.eventfds(5);
    machine.enable(device, 3, &fds[..2]).unwrap();
    assert_eq!(entries(&machine), (vec![true; 5], vec![false, false, false, true, true]));
    machine.enable(device, 0, &fds[2..]).unwrap();
    assert_eq!(entries(&machine).1, [true; 5]);
    machine.enable(device, 1, &[-1]).unwrap();
    assert_eq!(machine.board.entry(DEVICE, 1), (0, 0, 1));
    machine.enable(device, 1, &fds[..1]).unwrap();
    assert_eq!(entries(&machine), (vec![true; 5], vec![true; 5]));
    // Closed without disabling.
    machine.call(Call::Close { fd: device as i32 }).unwrap();
    assert_eq!(machine.kernel.messages_in_use(), 1);
    assert_eq!(entries(&machine), (vec![false; 5], vec![false; 5]));
}

#[test]
fn the_pin_is_masked_and_looped_back() {
    let (mut machine, device) = opened(Profile::Linux6_12);
    let fds = machine.eventfds(2);
    let fd = |at: usize| (fds[at] as i32).to_le_bytes();
    let mut set =
        |flags, block, data: &[u8]| machine.set_irqs(device, irq::INTX, flags, block, data);
    assert_eq!(set(FD, (0, 1), &fd(0)), Ok(0));
    assert_eq!(set(FD, (0, 1), &fd(1)), Ok(0));
    for action in [irq_set::ACTION_MASK, irq_set::ACTION_UNMASK] {
        assert_eq!(set(irq_set::DATA_NONE | action, (0, 1), &[]), Ok(0));
        assert_eq!(set(irq_set::DATA_BOOL | action, (0, 1), &[1]), Ok(0));
    }
    let (mask, unmask) = (irq_set::ACTION_MASK, irq_set::ACTION_UNMASK);
    assert_eq!(set(irq_set::DATA_EVENTFD | mask, (0, 1), &fd(0)), Err(ENOTTY));
    assert_eq!(set(irq_set::DATA_EVENTFD | unmask, (0, 1), &fd(0)), Ok(0));
    assert_eq!(set(irq_set::DATA_EVENTFD | unmask, (0, 1), &[0xff; 4]), Ok(0));
    assert_eq!(set(NONE, (0, 1), &[]), Ok(0));
    assert_eq!((machine.count(fds[0]), machine.count(fds[1])), (0, 1));
    assert_eq!(machine.enable(device, 0, &fds[..1]), Err(EINVAL));
    assert_eq!(machine.set_irqs(device, irq::INTX, FD, (0, 1), &[0xff; 4]), Ok(0));
    assert_eq!(machine.enable(device, 0, &fds[..1]), Err(EINVAL));
    assert_eq!(machine.disable(device, irq::INTX), Ok(0));
    assert_eq!(machine.enable(device, 0, &fds[..1]), Ok(0));
}

#[test]
fn notices_are_set_one_at_a_time() {
    let below = [(Profile::Linux6_12, Err(EINVAL)), (Profile::Linux6_1, Ok(0))];
    for (profile, strange) in below {
        let (mut machine, device) = opened(profile);
        let fds = machine.eventfds(1);
        let fd = (fds[0] as i32).to_le_bytes();
        let mut set =
            |flags, block, data: &[u8]| machine.set_irqs(device, irq::REQ, flags, block, data);
        assert_eq!(set(FD, (0, 1), &(-2i32).to_le_bytes()), strange);
        assert_eq!(set(FD, (0, 1), &[0xff; 4]), Ok(0));
        assert_eq!(set(FD, (0, 1), &fd), Ok(0));
        assert_eq!(set(NONE, (0, 1), &[]), Ok(0));
        assert_eq!(set(BOOL, (0, 1), &[1]), Ok(0));
        assert_eq!(set(FD, (0, 1), &999i32.to_le_bytes()), Err(EBADF));
        assert_eq!(set(FD, (0, 1), &1i32.to_le_bytes()), Err(EINVAL));
        assert_eq!(set(0x09, (0, 1), &[]), Err(ENOTTY));
        assert_eq!(set(NONE, (0, 0), &[]), Ok(0));
        assert_eq!(set(NONE, (0, 1), &[]), Err(EINVAL));
        assert_eq!(set(FD, (0, 0), &[]), Err(EINVAL));
        assert_eq!(machine.count(fds[0]), 2);
    }
}

/// measured on 6.12: MSI, BAR 0, the command register and the MSI-X table as vfio shows them.
#[test]
fn registers_are_shown_as_if_nothing_were_programmed() {
    let (mut machine, device) = opened(Profile::Linux6_12);
    let fds = machine.eventfds(1);
    machine.enable_as(device, irq::MSI, 0, &fds).unwrap();
    let read = |machine: &mut Machine, fd: i64, offset, len| {
        let call = Call::Pread { fd: fd as i32, offset, len };
        machine.kernel.run(machine.pid, call, &mut machine.board).bytes
    };
    let command = Call::Pwrite { fd: device as i32, offset: 7 << 40 | 4, bytes: vec![6, 0] };
    assert_eq!(machine.call(command), Ok(2));
    let shown = read(&mut machine, device, 7 << 40, 256);
    let path = "/sys/bus/pci/devices/0000:00:01.0/config".to_owned();
    let config = machine.call(Call::Open { path }).unwrap();
    let real = read(&mut machine, config, 0, 256);
    assert_eq!((shown[4], real[4]), (6, 6));
    assert_eq!((shown[0x52] & 1, real[0x52] & 1), (0, 1));
    assert_eq!(shown[0x54..0x5c], [0; 8]);
    assert_eq!(real[0x54..0x58], 0x800_0040u32.to_le_bytes());
    assert_eq!(shown[0x10..0x14], real[0x10..0x14]);
    assert_eq!(read(&mut machine, device, 0, 16), [0xff; 16]);
    // All ones are written to a BAR to learn its size.
    let size = Call::Pwrite { fd: device as i32, offset: 7 << 40 | 0x10, bytes: vec![0xff; 4] };
    machine.call(size).unwrap();
    assert_eq!(read(&mut machine, device, 7 << 40 | 0x10, 4), 0xffff_c000u32.to_le_bytes());
    assert_eq!(read(&mut machine, config, 0x10, 4), real[0x10..0x14]);
}
