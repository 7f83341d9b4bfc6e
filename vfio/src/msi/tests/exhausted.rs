//! What happens when interrupts run out.

use super::board::{Build, FRAME, Machine, USERS};
use crate::policy::{Policy, Profile, V2mBlocks};
use crate::uapi::irq;
use passim_model::Errno;

const DEVICE: u16 = USERS[0];

fn with_frames(policy: Policy, frames: Vec<(u64, u32, u32)>) -> (Machine, i64) {
    let mut machine = Machine::boot(Build { frames, ..Build::new(policy) });
    let (_, groups) = machine.container(&[DEVICE]);
    let device = machine.device(groups[0], DEVICE);
    (machine, device)
}

#[test]
fn msix_says_how_many_there_are_and_is_off() {
    // Five SPIs, one of which the kernel's own device holds.
    let (mut machine, device) = with_frames(Profile::Linux6_12.policy(), vec![(FRAME, 64, 5)]);
    let fds = machine.eventfds(8);
    assert_eq!(machine.enable(device, 0, &fds), Ok(4));
    assert!(!machine.board.registers(DEVICE).is_msix_enabled());
    assert_eq!(machine.kernel.messages_in_use(), 1);
    assert_eq!(machine.enable(device, 0, &fds[..4]), Ok(0));
    assert_eq!(machine.disable(device, irq::MSIX), Ok(0));
}

#[test]
fn frames_are_used_in_order() {
    let frames = vec![(FRAME, 64, 2), (FRAME + 0x1000, 100, 2)];
    let (mut machine, device) = with_frames(Profile::Linux6_12.policy(), frames);
    let fds = machine.eventfds(3);
    assert_eq!(machine.enable(device, 0, &fds), Ok(0));
    let numbers: Vec<_> = machine.intids(DEVICE).iter().map(|intid| intid.get()).collect();
    assert_eq!(numbers, [65, 100, 101]);
    assert_eq!(machine.board.entry(DEVICE, 0).0, 0x800_0040);
    assert_eq!(machine.board.entry(DEVICE, 2).0, 0x800_1040);
}

#[test]
fn nothing_left_is_enospc() {
    let (mut machine, device) = with_frames(Profile::Linux6_12.policy(), vec![(FRAME, 64, 1)]);
    let fds = machine.eventfds(2);
    assert_eq!(machine.enable(device, 0, &fds), Err(Errno::ENOSPC));
    assert_eq!(machine.enable_as(device, irq::MSI, 0, &fds), Err(Errno::ENOSPC));
}

#[test]
fn several_messages_of_msi_are_one_block_or_one_message() {
    let frames = vec![(FRAME, 66, 16)];
    // 66 is held. The next multiple of four in numbers, or in the frame, where four are left.
    for (blocks, first) in [(V2mBlocks::AlignedSpi, 68), (V2mBlocks::AlignedInFrame, 70)] {
        let policy = Policy { v2m_blocks: blocks, ..Profile::Linux6_12.policy() };
        let (mut machine, device) = with_frames(policy, frames.clone());
        let fds = machine.eventfds(4);
        assert_eq!(machine.enable_as(device, irq::MSI, 0, &fds), Ok(0), "{blocks:?}");
        let numbers: Vec<_> = machine.intids(DEVICE).iter().map(|intid| intid.get()).collect();
        assert_eq!(numbers, [first, first + 1, first + 2, first + 3]);
        let registers = machine.board.registers(DEVICE);
        let programmed = registers.msi().unwrap().programmed(registers.config());
        assert_eq!(u32::from(programmed.data), first);
        assert_eq!(machine.disable(device, irq::MSI), Ok(0));
        assert_eq!(machine.kernel.messages_in_use(), 1);
    }
    // The driver of the series allocates no blocks: one message is available.
    let (mut machine, device) = with_frames(Profile::Linux4_6.policy(), frames);
    let fds = machine.eventfds(4);
    assert_eq!(machine.enable_as(device, irq::MSI, 0, &fds), Ok(1));
    assert!(!machine.board.registers(DEVICE).is_msi_enabled());
    assert_eq!(machine.enable_as(device, irq::MSI, 0, &fds[..1]), Ok(0));
}

/// 6.12 gicv2m_irq_domain_alloc: the mask of three messages is two, and leaves 65 to 67, whose first
/// the device cannot say: the lower bits of its data are the number of the message.
#[test]
fn three_messages_of_msi_are_aligned_by_two() {
    let frames = vec![(FRAME, 64, 16)];
    let (mut machine, device) = with_frames(Profile::Linux6_12.policy(), frames);
    let fds = machine.eventfds(3);
    assert_eq!(machine.enable_as(device, irq::MSI, 0, &fds), Ok(0));
    let numbers: Vec<_> = machine.intids(DEVICE).iter().map(|intid| intid.get()).collect();
    assert_eq!(numbers, [65, 66, 67]);
}

#[test]
fn a_frame_that_claims_no_spis_ends_the_probing_of_all() {
    for bad in [(FRAME + 0x1000, 16, 4), (FRAME + 0x1000, 1000, 20), (FRAME + 0x1000, 64, 0)] {
        let (mut machine, device) =
            with_frames(Profile::Linux6_12.policy(), vec![(FRAME, 64, 8), bad]);
        let fds = machine.eventfds(1);
        assert_eq!(machine.enable(device, 0, &fds), Err(Errno::ENOTSUPP));
        assert_eq!(machine.kernel.take_verdicts()[0].rule.name, "frame-invalid");
    }
}
