//! Checks that only some implementations make: bits that must be zero, aligned bases, PTZ that
//! applies once, collections that cannot be read; and the interrupt for untranslated messages.

use super::migration::migrate;
use crate::choice::Preset;
use crate::choice::its::{RemapDevice, RemapEvent, ReservedBits, TableBase};
use crate::choice::lpi::PendingZero;
use crate::its::testkit::{Board, DEVICES, ITS, QUEUE};
use crate::its::{Arrival, Failure, Report};
use crate::v3::testkit::cpu;
use crate::v3::{Block, Implementation};
use passim_model::{Effect, IntId};

/// A command of each kind that works on a board where event 20 of device 2 is mapped, and the mask
/// of its fields.
const COMMANDS: [([u64; 4], [u64; 4]); 11] = {
    let device = 0xffff_ffff_0000_00ff;
    let event = 0xffff_ffff;
    let redistributor = 0x000f_ffff_ffff_0000;
    [
        ([2 << 32 | 0x03, 20, 0, 0], [device, event, 0, 0]),
        ([2 << 32 | 0x04, 20, 0, 0], [device, event, 0, 0]),
        ([2 << 32 | 0x0c, 20, 0, 0], [device, event, 0, 0]),
        ([2 << 32 | 0x01, 20, 1, 0], [device, event, 0xffff, 0]),
        ([0x05, 0, 1 << 16, 0], [0xff, 0, redistributor, 0]),
        ([0x0d, 0, 1, 0], [0xff, 0, 0xffff, 0]),
        ([0x0e, 0, 1 << 16, 2 << 16], [0xff, 0, redistributor, redistributor]),
        ([0x09, 0, 1 << 63 | 1 << 16 | 1, 0], [0xff, 0, 1 << 63 | redistributor | 0xffff, 0]),
        ([3 << 32 | 0x08, 7, 1 << 63 | 0x4700_0000, 0], [device, 0x1f, 0x800f_ffff_ffff_ff00, 0]),
        ([2 << 32 | 0x0a, 8300 << 32 | 21, 1, 0], [device, u64::MAX, 0xffff, 0]),
        ([2 << 32 | 0x0f, 20, 0, 0], [device, event, 0, 0]),
    ]
};

fn strict(reserved: ReservedBits) -> Board {
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.its[0].choices.reserved_bits = reserved;
    let mut board = Board::with(spec);
    board.map(2, 20, 8195, 3);
    board
}

#[test]
fn every_bit_that_must_be_zero_is_looked_at_where_chosen() {
    for (words, fields) in COMMANDS {
        let reserved = (0..256).filter(|bit| fields[bit / 64] >> (bit % 64) & 1 == 0);
        for bit in reserved.step_by(7).chain([255]) {
            let mut set = words;
            set[bit / 64] |= 1 << (bit % 64);
            let mut board = strict(ReservedBits::Ignored);
            board.command(set);
            let mut board = strict(ReservedBits::Error);
            board.command(words);
            board.submit(set);
            board.run();
            let said: Vec<_> = board.reports().iter().map(|it| it.failure.to_string()).collect();
            let [said] = &said[..] else { panic!("{set:x?}: {said:?}") };
            assert!(said.contains("bits are set that must be zero"), "{set:x?}: {said}");
        }
    }
}

/// The command stalls the queue; what was mapped before stays.
#[test]
fn mapping_again_is_an_error_where_chosen() {
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.its[0].choices.remap_event = RemapEvent::Refused;
    spec.its[0].choices.remap_device = RemapDevice::Refused;
    let mapd = [2 << 32 | 0x08, 7, 1 << 63 | 0x4700_0000, 0];
    let mapti = [2 << 32 | 0x0a, 8196 << 32 | 20, 1, 0];
    for (words, why) in [
        (mapd, "MAPD: the device is mapped already (0x0108ff)"),
        (mapti, "MAPTI: the event is mapped already (0x010aff)"),
    ] {
        let mut board = Board::with(spec.clone());
        board.map(2, 20, 8195, 3);
        board.submit(words);
        board.run();
        let reports = board.reports();
        let said: Vec<_> = reports.iter().map(|it| (it.failure.to_string(), it.stalled)).collect();
        assert_eq!(said, [(why.to_owned(), true)]);
        board.message(2, 20);
        board.only(3, 8195);
        // Unmapped before, it can be mapped: a SYNC takes the command's place.
        let at = board.r64(ITS, 0x90) & !1;
        board.put(QUEUE + at, 0x05);
        let writer = board.writer;
        board.w64(ITS, 0x88, writer | 1);
        board.discard(2, 20);
        board.unmap_device(2);
        board.map(2, 20, 8195, 1);
        board.message(2, 20);
        board.only(1, 8195);
        assert_eq!(board.reports().len(), 0);
    }
}

#[test]
fn a_base_within_a_page_is_cut_or_taken_as_it_is() {
    for (base, at) in [(TableBase::Cut, DEVICES), (TableBase::AsItIs, DEVICES + 0x1000)] {
        let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
        spec.its[0].choices.table_base = base;
        let mut board = Board::with(spec);
        board.w32(ITS, 0x00, 0);
        board.w64(ITS, 0x100, 1 << 63 | DEVICES | 0x1000 | 1 << 8);
        assert_eq!(board.r64(ITS, 0x100) & 0xffff_ffff_f000, at);
        board.w32(ITS, 0x00, 1);
        board.put(at + 8 * 9, 0);
        board.mapd(9, 8);
        assert_ne!(board.get(at + 8 * 9), 0, "{base:?}");
    }
}

/// With pages of 64 KiB these bits are other bits of the address, and with 4 KiB they are
/// themselves.
#[test]
fn a_base_of_other_pages_has_all_its_bits() {
    let mut board = Board::new(Preset::ArchStrict);
    board.w32(ITS, 0x00, 0);
    for size in [0, 2] {
        let word = 0x4444_f000 | size << 8;
        board.w64(ITS, 0x108, word);
        assert_eq!(board.r64(ITS, 0x108) & 0xffff_ffff_ff00, word);
    }
}

/// LPIs on with PTZ, off, and on again without another store: does the pending table apply by then?
#[test]
fn a_promise_may_hold_once() {
    for (ptz, found) in [
        (PendingZero::Honoured, false),
        (PendingZero::HonouredOnce, true),
        (PendingZero::Doubted, true),
    ] {
        for migrates in [false, true] {
            let mut spec = Implementation::of(Preset::Gic600, 4, 32);
            spec.choices.ptz = ptz;
            let mut board = Board::with(spec);
            board.map(2, 20, 8195, 3);
            let redistributor = Block::Redistributor(cpu(3));
            board.w32(redistributor, 0x00, 0);
            let table = board.r64(redistributor, 0x78);
            board.w64(redistributor, 0x78, table | 1 << 62);
            board.w32(redistributor, 0x00, 1);
            board.message(2, 20);
            board.w32(redistributor, 0x00, 0);
            if migrates {
                migrate(&mut board);
            }
            board.w32(redistributor, 0x00, 1);
            let taken = board.delivered();
            assert_eq!(taken[3], if found { vec![8195] } else { vec![] }, "{ptz:?}");
        }
    }
}

/// QEMU skips INT, CLEAR and DISCARD of an event whose collection entry cannot be read, and stalls
/// at other commands.
#[test]
fn collections_that_do_not_answer() {
    let commands = [(0x03, true), (0x04, true), (0x0f, true), (0x01, false), (0x0c, false)];
    for (preset, passes) in [(Preset::Qemu, true), (Preset::ArchStrict, false)] {
        for (opcode, passed_over) in commands {
            let mut board = Board::new(preset);
            board.map(2, 20, 8195, 3);
            board.w32(ITS, 0x00, 0);
            board.w64(ITS, 0x108, 1 << 63 | 0xf_0000_0000 | 2 << 8);
            board.w32(ITS, 0x00, 1);
            board.submit([2 << 32 | opcode, 20, 0, 0]);
            board.run();
            let [Report { failure: Failure::Memory(_), stalled, .. }] = board.reports()[..] else {
                panic!("{preset:?}, {opcode:#x}");
            };
            assert_eq!(stalled, !(passes && passed_over), "{preset:?}, {opcode:#x}");
            assert_eq!(board.r64(ITS, 0x90) & 1, u64::from(stalled));
            // The event has not changed.
            board.w32(ITS, 0x00, 0);
            board.w64(ITS, 0x108, 1 << 63 | crate::its::testkit::COLLECTIONS | 2 << 8);
            board.w32(ITS, 0x00, 1);
            assert!(matches!(board.message(2, 20), Arrival::Raised { .. }));
        }
    }
}

fn with_wire(wire: Option<u32>) -> Board {
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.its[0].features.unmapped_wire = wire.map(IntId::new);
    Board::with(spec)
}

#[test]
fn unmapped_messages_may_interrupt() {
    let pulse = [Effect::Wire(IntId::new(40))];
    let mut board = with_wire(Some(40));
    assert_eq!(board.r64(ITS, 0x08) >> 44 & 3, 3, "UMSI, UMSIirq");
    board.message(9, 0);
    assert_eq!(board.gic.take_effects(), [], "not asked for");
    board.w32(ITS, 0x00, 1 << 8 | 1);
    assert_eq!(board.r32(ITS, 0x00) & 0x101, 0x101);
    assert_eq!(board.gic.take_effects(), pulse, "there is one already");
    board.message(9, 1);
    assert_eq!(board.gic.take_effects(), [], "and it is told");
    board.w32(ITS, 0x40, 1 << 4 | 1 << 5);
    assert_eq!(board.gic.take_effects(), []);
    board.message(9, 2);
    assert_eq!(board.gic.take_effects(), pulse);
    migrate(&mut board);
    assert_eq!(board.r32(ITS, 0x00) & 0x101, 0x101);
    assert_eq!(board.gic.take_effects(), []);
    // Without a wire UMSIirq cannot be set.
    let mut board = with_wire(None);
    board.w32(ITS, 0x00, 1 << 8 | 1);
    assert_eq!(board.r32(ITS, 0x00) & 0x101, 1);
    assert_eq!(board.r64(ITS, 0x08) >> 44 & 3, 1);
}

/// GICD_TYPER.num_LPIs applies to registers and tables too: 16 LPIs, the last is 8207.
#[test]
fn lpis_beyond_the_distributors_do_not_exist() {
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.distributor.num_lpis = 3;
    spec.redistributors.direct_lpi = true;
    let mut board = Board::without_collections(spec);
    let redistributor = Block::Redistributor(cpu(1));
    for lpi in [8207, 8208, 9000] {
        board.configure(lpi, 0xa3);
        board.w64(redistributor, 0x40, u64::from(lpi));
    }
    assert_eq!(board.pending_lpis(1), [8207]);
    board.w64(redistributor, 0x48, 8208);
    board.w64(redistributor, 0xa0, 8208);
    migrate(&mut board);
    assert_eq!(board.delivered(), [vec![], vec![8207], vec![], vec![]]);
    assert!(board.gic.line(cpu(1), IntId::new(8208)).is_none());
}

#[test]
fn pending_bits_of_lpis_beyond_the_distributors_mean_nothing() {
    let mut spec = Implementation::of(Preset::Gic600, 4, 32);
    spec.distributor.num_lpis = 3;
    let mut board = Board::without_collections(spec);
    let redistributor = Block::Redistributor(cpu(1));
    board.w32(redistributor, 0x00, 0);
    for lpi in [8200, 8208, 9000] {
        board.configure(lpi, 0xa3);
        board.preset_pending(1, lpi);
    }
    board.w32(redistributor, 0x00, 1);
    assert_eq!(board.delivered(), [vec![], vec![8200], vec![], vec![]]);
}
