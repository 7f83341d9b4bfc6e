//! Transfers of a DMA engine that stall at an SMMU.

use passim_model::{Host, PhysAddr, Width};
use passim_vfio::policy::{Profile, Smmu3Stalls};

use super::EDU;
use crate::machine;
use crate::system::{Reach, Setup, System};

const SMMU: u64 = 0x0905_0000;
const CMDQ_BASE: u64 = SMMU + 0x90;
const CMDQ_PROD: u64 = SMMU + 0x98;
/// The command register of the function, in its configuration space.
const COMMAND: u64 = 0x40_1000_8004;
const BAR: u64 = 0x1000_0000;

fn system() -> System {
    let machine = machine::builtin("plain-stalls").unwrap().unwrap();
    let mut setup = Setup::new(&machine, Profile::Linux6_12);
    setup.policy.smmu3_stalls = Smmu3Stalls::Left;
    let mut system = System::new(&machine, setup).unwrap();
    // Memory space and bus mastering.
    system.store(PhysAddr::new(COMMAND), Width::W16, 6).unwrap();
    system
}

fn store(system: &mut System, at: u64, value: u64) {
    system.store(PhysAddr::new(BAR + at), Width::W64, value).unwrap();
}

fn load(system: &mut System, at: u64) -> u64 {
    // Registers below 0x80 have four bytes.
    let width = if at < 0x80 { Width::W32 } else { Width::W64 };
    system.load(PhysAddr::new(BAR + at), width).unwrap()
}

/// Submits a command after the driver's own.
fn command(system: &mut System, words: [u64; 2]) {
    let base = system.load(PhysAddr::new(CMDQ_BASE), Width::W64).unwrap() & 0xf_ffff_ffff_ffe0;
    let producer = system.load(PhysAddr::new(CMDQ_PROD), Width::W32).unwrap();
    let slot = PhysAddr::new(base + 16 * producer);
    let memory = system.board.memory_mut();
    memory.words_mut(slot, 2).unwrap().copy_from_slice(&words);
    system.store(PhysAddr::new(CMDQ_PROD), Width::W32, producer + 1).unwrap();
}

#[test]
fn a_transfer_runs_until_its_last_piece_is_over() {
    let mut system = system();
    // Two pieces, from RAM into the buffer, and the interrupt after them.
    for (register, value) in [(0x80, 0x1ff8), (0x88, 0x4_0000), (0x90, 16), (0x98, 0b101)] {
        store(&mut system, register, value);
    }
    assert_eq!(system.board.outstanding(), 2);
    assert_eq!((load(&mut system, 0x98), load(&mut system, 0x24)), (0b101, 0));
    // The registers of a running transfer cannot be written.
    store(&mut system, 0x90, 8);
    assert_eq!(load(&mut system, 0x90), 16);
    // CMD_RESUME with an abort, of either STAG.
    command(&mut system, [0x8_0000_2044, 0]);
    assert_eq!((load(&mut system, 0x98), load(&mut system, 0x24)), (0b101, 0));
    command(&mut system, [0x8_0000_2044, 1]);
    assert_eq!((load(&mut system, 0x98), load(&mut system, 0x24)), (0b100, 0x100));
    let carried_on = system.board.take_carried_on();
    assert_eq!(carried_on.len(), 2);
    for it in carried_on {
        assert!(matches!(it.piece.reach, Reach::Terminated(_)), "{it:?}");
        assert_eq!(it.bytes, [0; 8]);
    }
    assert_eq!(system.board.outstanding(), 0);
}

#[test]
fn a_reset_forgets_what_waits() {
    let mut system = system();
    system.dma_write(EDU, passim_model::Iova::new(0x2000), &[1, 2]).unwrap();
    assert_eq!(system.board.outstanding(), 1);
    system.board.reset_function(EDU);
    assert_eq!(system.board.outstanding(), 0);
    command(&mut system, [0x8_0000_0045, 0]);
    assert_eq!(system.board.take_carried_on(), []);
}

/// The engine's transfer is over with the reset: its registers can be written, and it runs again.
#[test]
fn a_reset_ends_the_transfer_of_an_engine() {
    let mut system = system();
    for (register, value) in [(0x80, 0x1ff8), (0x88, 0x4_0000), (0x90, 16), (0x98, 0b101)] {
        store(&mut system, register, value);
    }
    assert_eq!(system.board.outstanding(), 2);
    system.board.reset_function(EDU);
    assert_eq!(system.board.outstanding(), 0);
    // The BAR, which the reset cleared.
    system.store(PhysAddr::new(COMMAND + 0xc), Width::W32, BAR).unwrap();
    system.store(PhysAddr::new(COMMAND), Width::W16, 6).unwrap();
    assert_eq!(load(&mut system, 0x98), 0b100);
    // The outcome of a transaction from before the reset ends nothing.
    command(&mut system, [0x8_0000_2044, 0]);
    assert_eq!((load(&mut system, 0x24), system.board.take_carried_on()), (0, vec![]));
    store(&mut system, 0x90, 8);
    store(&mut system, 0x98, 0b001);
    assert_eq!((load(&mut system, 0x90), load(&mut system, 0x98)), (8, 0b001));
    assert_eq!(system.board.outstanding(), 1);
}
