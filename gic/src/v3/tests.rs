//! A GICv3 driven through its registers: raw offsets and values, as a driver writes them.

mod lpis;
mod presets;
mod robust;

use super::testkit::{Board, cpu};
use super::{Block, Implementation, SystemRegister};
use crate::choice::Preset;
use crate::state::State;
use crate::{Signal, Size};
use passim_model::IntId;

const D: Block = Block::Distributor;

fn r(n: u16) -> Block {
    Block::Redistributor(cpu(n))
}

/// Enables an SPI, edge-triggered, at priority 0xa0, routed to the CPU with this affinity.
fn edge(board: &mut Board, spi: u32, affinity: u64) {
    let at = 0xc00 + u64::from(spi / 16) * 4;
    let old = board.r32(D, at);
    board.w32(D, at, old | 2 << (spi % 16 * 2));
    board.gic.store(D, 0x400 + u64::from(spi), Size::Byte, 0xa0, &mut board.memory);
    board.w64(D, 0x6000 + 8 * u64::from(spi), affinity);
    board.w32(D, 0x100 + u64::from(spi / 32) * 4, 1 << (spi % 32));
}

#[test]
fn what_a_driver_reads() {
    let mut board = Board::new(Preset::Qemu);
    assert_eq!(board.r32(D, 0x0000), 0x53, "both groups, ARE, DS");
    assert_eq!(board.r32(D, 0x0004), 0x37a_0002, "64 SPIs, LPIs, 16 bits, A3V, No1N");
    assert_eq!((board.r32(D, 0xffe8), board.r32(r(0), 0xffe8)), (0x3b, 0x3b));
    assert_eq!(board.r64(r(0), 0x08), 0x0100_0001);
    assert_eq!(board.r64(r(3), 0x08), 0x3_0100_0311, "the last");
    assert_eq!(board.r32(r(3), 0x0c), 3);
    assert_eq!(board.r32(r(0), 0x00), 3, "EnableLPIs, CES");
    assert_eq!(board.r32(r(0), 0x1_0c00), 0xaaaa_aaaa);
    let strict = Board::new(Preset::ArchStrict).r32(D, 0x0004);
    assert_eq!(strict >> 16 & 1, 1, "SPIs by message");
}

#[test]
fn special_intids_end_nothing() {
    let mut board = Board::cold(Implementation::of(Preset::ArchStrict, 1, 992));
    board.boot();
    edge(&mut board, 40, 0);
    board.gic.wire(IntId::new(40), Signal::Pulse);
    assert_eq!(board.iar(0), 40);
    for special in 1020..1024 {
        assert!(board.gic.line(cpu(0), IntId::new(special)).is_none(), "{special}");
        board.eoi(0, special);
        assert_eq!(board.gic.read(cpu(0), SystemRegister::Rpr, &mut board.memory), 0xa0);
    }
    board.eoi(0, 40);
    assert_eq!(board.gic.read(cpu(0), SystemRegister::Rpr, &mut board.memory), 0xff);
}

#[test]
fn an_spi_goes_where_its_route_leads() {
    let mut board = Board::new(Preset::ArchStrict);
    edge(&mut board, 40, 2);
    board.gic.wire(IntId::new(40), Signal::Pulse);
    assert_eq!((board.waiting(0), board.waiting(2)), (None, Some(40)));
    board.w64(D, 0x6000 + 8 * 40, 1 << 31);
    assert_eq!((board.waiting(0), board.waiting(2)), (Some(40), Some(40)), "any");
    board.w32(r(0), 0x00, 1 | 1 << 25);
    assert_eq!((board.waiting(0), board.waiting(2)), (None, Some(40)), "declined");
    assert_eq!(board.iar(2), 40);
    assert_eq!(board.waiting(3), None, "taken");
    board.eoi(2, 40);
    assert_eq!(board.gic.busy(cpu(2)), []);
}

#[test]
fn spis_by_message() {
    let mut board = Board::new(Preset::ArchStrict);
    edge(&mut board, 40, 0);
    board.w32(D, 0x40, 40);
    assert_eq!(board.iar(0), 40);
    board.w32(D, 0x40, 40);
    assert_eq!(board.gic.line(cpu(0), IntId::new(40)).unwrap().state, State::ActivePending);
    board.w32(D, 0x48, 40);
    assert_eq!(board.gic.line(cpu(0), IntId::new(40)).unwrap().state, State::Active);
    board.eoi(0, 40);
    // A level-sensitive SPI stays asserted until the second message.
    board.w32(D, 0xc08, 0);
    board.gic.store(D, 0x40, Size::Half, 40, &mut board.memory);
    assert_eq!(board.iar(0), 40);
    board.eoi(0, 40);
    assert_eq!(board.waiting(0), Some(40));
    board.w32(D, 0x48, 40);
    assert_eq!(board.waiting(0), None);
    for stray in [0, 31, 96, 1020, 1023, 5000] {
        board.w32(D, 0x40, stray);
    }
    assert_eq!(board.gic.busy(cpu(0)), []);
    // GICD_SETSPI_SR and GICD_CLRSPI_SR have no effect, as there is one Security state.
    edge(&mut board, 40, 0);
    board.w32(D, 0x50, 40);
    assert_eq!(board.waiting(0), None);
    board.w32(D, 0x40, 40);
    board.w32(D, 0x58, 40);
    assert_eq!(board.waiting(0), Some(40));
    let mut without = Board::new(Preset::Qemu);
    edge(&mut without, 40, 0);
    without.w32(D, 0x40, 40);
    assert_eq!(without.waiting(0), None, "MBIS is 0");
}

#[test]
fn sgis_and_ppis() {
    let mut board = Board::new(Preset::ArchStrict);
    board.w32(r(2), 0x1_0100, 1 << 5 | 1 << 27);
    board.w32(r(3), 0x1_0100, 1 << 5);
    board.gic.write(cpu(0), SystemRegister::Sgi1r, 5 << 24 | 0b0100);
    assert_eq!((board.waiting(2), board.waiting(3)), (Some(5), None));
    board.gic.write(cpu(3), SystemRegister::Sgi1r, 5 << 24 | 1 << 40);
    assert_eq!(board.waiting(3), None, "all but the requester");
    assert_eq!(board.iar(2), 5);
    board.eoi(2, 5);
    board.gic.write(cpu(0), SystemRegister::Sgi0r, 5 << 24 | 0b0100);
    assert_eq!(board.waiting(2), None, "it is in Group 1");
    board.gic.wire_private(cpu(2), IntId::new(27), Signal::High);
    assert_eq!(board.waiting(2), Some(27));
}

/// With one Security state ICC_SGI1R_EL1 requests SGIs of either group, and the other two registers
/// those of Group 0. Under QEMU each group has its own register.
#[test]
fn sgis_of_either_group() {
    for preset in Preset::ALL.into_iter().take(4) {
        let mut board = Board::new(preset);
        board.w32(D, 0x00, 3);
        board.gic.write(cpu(1), SystemRegister::Igrpen0, 1);
        for (register, sgi, comes) in [
            (SystemRegister::Sgi0r, 4, true),
            (SystemRegister::Sgi0r, 5, false),
            (SystemRegister::Asgi1r, 4, true),
            (SystemRegister::Asgi1r, 5, false),
            (SystemRegister::Sgi1r, 4, preset != Preset::Qemu),
            (SystemRegister::Sgi1r, 5, true),
        ] {
            // SGI 4 in Group 0, 5 in Group 1.
            board.w32(r(1), 0x1_0080, !(1 << 4));
            board.w32(r(1), 0x1_0100, 1 << 4 | 1 << 5);
            board.gic.write(cpu(0), register, sgi << 24 | 0b10);
            let waiting = board.waiting(1);
            assert_eq!(waiting == Some(sgi as u32), comes, "{preset:?} {register:?} {sgi}");
            board.w32(r(1), 0x1_0280, u32::MAX);
            assert_eq!(board.waiting(1), None);
        }
    }
}

/// A field selects the sixteen CPUs of affinity 0 from 16 on; without such CPUs it is ignored.
#[test]
fn sgis_of_another_sixteen() {
    for (affinities, typer, ctlr, asked) in
        [([0, 17], 1, 0x4_8400, [None, Some(5)]), ([0, 1], 0, 0x8400, [None, Some(5)])]
    {
        let mut spec = Implementation::of(Preset::ArchStrict, 2, 32);
        spec.affinities = affinities.to_vec();
        let mut board = Board::cold(spec);
        board.boot();
        assert_eq!(board.r32(D, 0x04) >> 26 & 1, typer);
        assert_eq!(board.gic.read(cpu(0), SystemRegister::Ctlr, &mut board.memory), ctlr);
        for n in [0, 1] {
            board.w32(r(n), 0x1_0100, 1 << 5);
        }
        // 17 is bit 1 of the second sixteen.
        board.gic.write(cpu(0), SystemRegister::Sgi1r, 1 << 44 | 5 << 24 | 0b10);
        assert_eq!([board.waiting(0), board.waiting(1)], asked, "{affinities:?}");
    }
}

#[test]
fn a_sleeping_cpu_takes_nothing() {
    let mut board = Board::cold(Implementation::of(Preset::ArchStrict, 1, 32));
    assert_eq!(board.r32(r(0), 0x14), 6);
    board.boot();
    edge(&mut board, 32, 0);
    board.gic.wire(IntId::new(32), Signal::Pulse);
    board.w32(r(0), 0x14, 2);
    assert_eq!(board.waiting(0), None);
    board.w32(r(0), 0x14, 0);
    assert_eq!(board.waiting(0), Some(32));
}

#[test]
fn an_interrupt_disabled_while_served_can_be_ended() {
    let mut board = Board::new(Preset::ArchStrict);
    edge(&mut board, 40, 0);
    board.gic.wire(IntId::new(40), Signal::Pulse);
    assert_eq!(board.iar(0), 40);
    board.w32(D, 0x184, 1 << 8);
    assert_eq!(board.r32(D, 0x104), 0);
    board.eoi(0, 40);
    assert_eq!(board.gic.busy(cpu(0)), []);
    board.gic.wire(IntId::new(40), Signal::Pulse);
    assert_eq!(board.waiting(0), None);
    board.w32(D, 0x104, 1 << 8);
    assert_eq!(board.waiting(0), Some(40));
}

#[test]
fn what_kvm_says_of_itself() {
    let mut kvm = Board::new(Preset::KvmAbi0);
    assert_eq!(kvm.r32(D, 0x0008), 0x4b00_343b, "GICD_IIDR, with the revision");
    let first = Block::Redistributor(cpu(0));
    assert_eq!(kvm.r32(first, 0x0004), 0x4b00_043b, "GICR_IIDR, without");
    assert_eq!(kvm.r64(first, 0x0008) >> 24 & 3, 0, "CommonLPIAff");
    let mut strict = Board::new(Preset::ArchStrict);
    assert_eq!(strict.r64(first, 0x0008) >> 24 & 3, 1);
}

#[test]
fn priorities_masks_and_ends() {
    let mut board = Board::new(Preset::ArchStrict);
    edge(&mut board, 40, 0);
    edge(&mut board, 41, 0);
    board.gic.store(D, 0x429, Size::Byte, 0x40, &mut board.memory);
    board.gic.wire(IntId::new(40), Signal::Pulse);
    assert_eq!(board.iar(0), 40);
    board.gic.wire(IntId::new(41), Signal::Pulse);
    assert_eq!(board.iar(0), 41);
    assert_eq!(board.gic.read(cpu(0), SystemRegister::Rpr, &mut board.memory), 0x40);
    board.eoi(0, 41);
    assert_eq!(board.gic.read(cpu(0), SystemRegister::Rpr, &mut board.memory), 0xa0);
    board.gic.write(cpu(0), SystemRegister::Ctlr, 2);
    board.eoi(0, 40);
    assert_eq!(board.gic.busy(cpu(0)), [(IntId::new(40), State::Active)]);
    board.gic.write(cpu(0), SystemRegister::Dir, 40);
    assert_eq!(board.gic.busy(cpu(0)), []);
    assert_eq!(board.gic.read(cpu(0), SystemRegister::Ctlr, &mut board.memory), 0x8402);
}
