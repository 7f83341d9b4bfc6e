//! The commands that the kernel sends to an ITS, read from the queue in memory, match the
//! recording.

use passim_model::{Host, PhysAddr, Width};

use super::super::{Runner, Running, Stage};
use super::script;
use crate::op::Op;
use crate::system::Board;

const ITS: u64 = 0x0808_0000;
const REDISTRIBUTORS: u64 = 0x080a_0000;

/// A command: its name, DeviceID, EventID, and those of its other fields that do not depend on the
/// addresses of tables.
type Told = (&'static str, u64, u64, u64);

/// All commands in the queue, from its start to CWRITER.
fn told(board: &mut Board) -> Vec<Told> {
    let mut load = |offset| board.load(PhysAddr::new(ITS + offset), Width::W64).unwrap();
    let (base, end) = (load(0x80) & 0xf_ffff_ffff_f000, load(0x88));
    assert_eq!(load(0x90), end, "everything is performed");
    let command = |offset: u64| {
        let words = board.memory().words(PhysAddr::new(base + offset * 32), 4).unwrap();
        let (device, event) = (words[0] >> 32, words[1] & 0xffff_ffff);
        match words[0] & 0xff {
            0x05 => ("SYNC", 0, 0, words[2] >> 16),
            0x08 => ("MAPD", device, words[1], words[2] >> 63),
            0x09 => ("MAPC", 0, 0, words[2]),
            0x0a => ("MAPTI", device, words[1], words[2]),
            0x0c => ("INV", device, event, 0),
            0x0d => ("INVALL", 0, 0, words[2]),
            0x0f => ("DISCARD", device, event, 0),
            0x01 => ("MOVI", device, event, words[2]),
            other => panic!("command {other:#x}"),
        }
    };
    (0..end / 32).map(command).collect()
}

fn runner_after(text: &str) -> Runner {
    let (script, mut runner) = (script(text), Runner::new());
    for block in script.blocks() {
        let op = Op::read(script.source(), &block.invocation).unwrap();
        runner.perform(&op).unwrap();
    }
    runner
}

fn told_after(text: &str) -> Vec<Told> {
    told(board(&mut runner_after(text)))
}

fn running(runner: &mut Runner) -> &mut Running {
    let Stage::Booted(running) = &mut runner.stage else { panic!("a machine was booted") };
    running
}

fn board(runner: &mut Runner) -> &mut Board {
    &mut running(runner).system.board
}

/// Up to dump `unsafe_0` of the recording `its` of 6.12: the machine boots, two drivers of the
/// kernel allocate a message each, and VFIO one of 00:01.0.
const ONE_MESSAGE: [Told; 23] = [
    ("MAPC", 0, 0, 1 << 63),
    ("SYNC", 0, 0, 0),
    ("INVALL", 0, 0, 0),
    ("SYNC", 0, 0, 0),
    ("MAPC", 0, 0, 1 << 63 | 0x1_0001),
    ("SYNC", 0, 0, 1),
    ("INVALL", 0, 0, 1),
    ("SYNC", 0, 0, 1),
    ("MAPD", 0x28, 0, 1),
    ("MAPTI", 0x28, 0x2000 << 32, 0),
    ("SYNC", 0, 0, 0),
    ("INV", 0x28, 0, 0),
    ("SYNC", 0, 0, 0),
    ("MAPD", 0x30, 0, 1),
    ("MAPTI", 0x30, 0x2001 << 32, 1),
    ("SYNC", 0, 0, 1),
    ("INV", 0x30, 0, 0),
    ("SYNC", 0, 0, 1),
    ("MAPD", 0x8, 0, 1),
    ("MAPTI", 0x8, 0x2002 << 32, 0),
    ("SYNC", 0, 0, 0),
    ("INV", 0x8, 0, 0),
    ("SYNC", 0, 0, 0),
];

/// The commands up to dump `unsafe_1`: the message is freed.
const BACK: [Told; 5] = [
    ("INV", 0x8, 0, 0),
    ("SYNC", 0, 0, 0),
    ("DISCARD", 0x8, 0, 0),
    ("SYNC", 0, 0, 0),
    ("MAPD", 0x8, 0, 0),
];

const ENABLE: &str = "machine virt-its profile=linux-6.12\nattach dev=00:01.0\n\
                      enable dev=00:01.0 vectors=1 index=msi\n";

#[test]
fn one_message_takes_the_recorded_commands() {
    assert_eq!(told_after(ENABLE), ONE_MESSAGE);
    let back: Vec<_> = ONE_MESSAGE.into_iter().chain(BACK).collect();
    assert_eq!(told_after(&format!("{ENABLE}disable dev=00:01.0 index=msi\n")), back);
}

/// Commands do not depend on when hardware works.
#[test]
fn a_stepped_its_is_told_the_same() {
    let stepped = ENABLE.replace("linux-6.12", "linux-6.12 pace=stepped");
    assert_eq!(told_after(&stepped), ONE_MESSAGE);
}

/// The end of dump `msix_e1000e` of the recording `stage1`: five vectors of 65 alternate between
/// the CPUs.
#[test]
fn vectors_alternate_between_cpus() {
    let told = told_after(
        "machine virt-its profile=linux-6.12\nattach dev=00:03.0\nenable dev=00:03.0 vectors=5\n",
    );
    assert_eq!(told[18], ("MAPD", 0x18, 6, 1));
    let maps: Vec<_> = told[19..].iter().filter(|(name, ..)| *name == "MAPTI").collect();
    for (n, map) in (0u64..).zip(maps) {
        assert_eq!(*map, ("MAPTI", 0x18, (8194 + n) << 32 | n, n % 2));
    }
    let invs: Vec<_> = told[29..].iter().filter(|(name, ..)| *name == "INV").collect();
    assert_eq!(invs.len(), 5);
}

/// Not recorded: moving an event sends MOVI, and a SYNC for the CPU that it leaves.
#[test]
fn an_affinity_moves_an_event() {
    let told = told_after(&format!("{ENABLE}affinity irq=26 cpu=1\n"));
    assert_eq!(told[..23], ONE_MESSAGE);
    assert_eq!(told[23..], [("MOVI", 0x8, 0, 1), ("SYNC", 0, 0, 0)]);
}

/// Every register except for the addresses of tables, compared with the dumps of the ITS boards of
/// both kernels.
#[test]
fn registers_are_the_recorded_ones() {
    let mut runner = runner_after(ENABLE);
    let board = board(&mut runner);
    // GITS_CTLR has 32 bits, and no wider access reaches it.
    assert_eq!(board.load(PhysAddr::new(ITS), Width::W32), Ok(0x8000_0001));
    let mut load = |at| board.load(PhysAddr::new(at), Width::W64).unwrap();
    let without = |value: u64, address: u64| value & !address;
    assert_eq!(load(ITS + 0x08), 0x1f_0001_efb1);
    assert_eq!(without(load(ITS + 0x80), 0xf_ffff_ffff_f000), 0xb800_0000_0000_040f);
    assert_eq!(without(load(ITS + 0x100), 0xffff_ffff_0000), 0xf907_0000_0000_0600);
    assert_eq!(without(load(ITS + 0x108), 0xffff_ffff_0000), 0xbc07_0000_0000_0600);
    for (cpu, typer) in [(0, 0x100_0001), (1, 0x1_0100_0111)] {
        let frame = REDISTRIBUTORS + cpu * 0x2_0000;
        assert_eq!(load(frame + 0x08), typer);
        assert_eq!(without(load(frame + 0x70), 0xf_ffff_ffff_f000), 0x78f);
        assert_eq!(without(load(frame + 0x78), 0xf_ffff_ffff_0000), 0x780);
    }
    for cpu in 0..2 {
        let ctlr = PhysAddr::new(REDISTRIBUTORS + cpu * 0x2_0000);
        assert_eq!(board.load(ctlr, Width::W32), Ok(3));
    }
}

/// The configuration of the first four LPIs.
fn properties(text: &str) -> [u8; 4] {
    let mut runner = runner_after(text);
    let board = board(&mut runner);
    let base = board.load(PhysAddr::new(REDISTRIBUTORS + 0x70), Width::W64).unwrap();
    let mut bytes = [0; 4];
    board.memory().read(PhysAddr::new(base & 0xf_ffff_ffff_f000), &mut bytes).unwrap();
    bytes
}

/// `lpi_config_default` and `lpi_config_other` of the dumps.
#[test]
fn the_configuration_of_lpis_is_the_recorded_one() {
    assert_eq!(properties(ENABLE), [0xc3, 0xc3, 0xc3, 0xc2]);
    let off = format!("{ENABLE}disable dev=00:01.0 index=msi\n");
    assert_eq!(properties(&off), [0xc3, 0xc3, 0xc2, 0xc2]);
    assert_eq!(properties(&ENABLE.replace("6.12", "6.1")), [0xa3, 0xa3, 0xa3, 0xa2]);
}

/// A fault of a device is an event of the SMMU, whose wire is an SPI.
#[test]
fn the_wires_of_an_smmu_pass_the_distributor() {
    let fault = "machine virt-its profile=linux-6.12 pace=stepped\nattach dev=00:01.0\n\
                 read dev=00:01.0 iova=0x10000\npending\n";
    let mut runner = runner_after(fault);
    let running = running(&mut runner);
    let (cpu, intid) = running.system.board.interrupted().unwrap();
    assert_eq!((cpu.get(), intid.get()), (0, 106));
    running.system.kernel.interrupt(0, &mut running.system.board);
    assert_eq!(running.system.board.interrupted(), None);
}
