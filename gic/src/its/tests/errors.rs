//! Every error of every command, with its syndrome and its effect on the queue.

use super::super::testkit::{Board, ITS, QUEUE, itt};
use crate::choice::Preset;
use crate::choice::its::{CommandErrors, MapToUnmapped, StoredEntries};
use crate::its::{Arrival, FailedWrite, Failure, Report, Wrote};
use crate::v3::{Block, Implementation};
use crate::{Cpu, Size};
use passim_model::{DeviceId, Effect, IntId};
use std::collections::BTreeSet;

/// Devices 2 and 4 mapped; event 20 of device 2 in collection 3, event 1 of device 4 in collection
/// 1, which is not mapped; ICIDs of 4 bits.
fn board(preset: Preset) -> Board {
    let mut spec = Implementation::of(preset, 4, 32);
    spec.its[0].features.collection_bits = Some(4);
    let mut board = Board::with(spec);
    board.map(2, 20, 8195, 3);
    board.map(4, 1, 8200, 1);
    board.unmap_collection(1);
    board.sync(1);
    board.reports();
    board
}

fn submit_and_run(board: &mut Board, words: [u64; 4]) -> Vec<Report> {
    board.submit(words);
    for _ in 0..20 {
        let board = &mut board.board;
        let _ = board.gic.step(&mut board.memory);
    }
    board.reports()
}

fn syndrome(reports: &[Report]) -> Option<u32> {
    match reports {
        [Report { failure: Failure::Command(error), .. }] => Some(error.syndrome()),
        [] => None,
        other => panic!("{other:?}"),
    }
}

const fn of(opcode: u64, device: u64, event: u64, word2: u64) -> [u64; 4] {
    [device << 32 | opcode, event, word2, 0]
}

/// Commands that fail, and their syndromes.
const FAILING: [([u64; 4], u32); 47] = [
    // MAPD
    (of(0x08, 0x1_0000, 7, 1 << 63 | 0x4600_0000), 0x01_0801),
    (of(0x08, 8192, 7, 1 << 63 | 0x4600_0000), 0x01_0801),
    (of(0x08, 5, 16, 1 << 63 | 0x4600_0000), 0x01_0802),
    // MAPC
    (of(0x09, 0, 0, 1 << 63 | 4 << 16 | 2), 0x01_0902),
    (of(0x09, 0, 0, 1 << 63 | 0x1_0004 << 16 | 2), 0x01_0902),
    (of(0x09, 0, 0, 1 << 63 | 16), 0x01_0903),
    (of(0x09, 0, 0, 16), 0x01_0903),
    // MAPTI
    (of(0x0a, 0x1_0000, 8300 << 32, 0), 0x01_0a01),
    (of(0x0a, 2, 8300 << 32, 16), 0x01_0a03),
    (of(0x0a, 3, 8300 << 32, 0), 0x01_0a04),
    (of(0x0a, 2, 8300 << 32 | 256, 0), 0x01_0a05),
    (of(0x0a, 2, 8191 << 32, 0), 0x01_0a06),
    (of(0x0a, 2, 1023 << 32, 0), 0x01_0a06),
    (of(0x0a, 2, 65536 << 32, 0), 0x01_0a06),
    // MAPI
    (of(0x0b, 0x1_0000, 20, 0), 0x01_0b01),
    (of(0x0b, 2, 20, 16), 0x01_0b03),
    (of(0x0b, 3, 20, 0), 0x01_0b04),
    (of(0x0b, 2, 8192, 0), 0x01_0b05),
    (of(0x0b, 2, 20, 0), 0x01_0b06),
    // MOVI
    (of(0x01, 0x1_0000, 20, 0), 0x01_0101),
    (of(0x01, 2, 20, 16), 0x01_0103),
    (of(0x01, 3, 20, 0), 0x01_0104),
    (of(0x01, 2, 256, 0), 0x01_0105),
    (of(0x01, 2, 21, 0), 0x01_0107),
    (of(0x01, 2, 20, 5), 0x01_0109),
    // INT
    (of(0x03, 0x1_0000, 20, 0), 0x01_0301),
    (of(0x03, 3, 20, 0), 0x01_0304),
    (of(0x03, 2, 256, 0), 0x01_0305),
    (of(0x03, 2, 21, 0), 0x01_0307),
    (of(0x03, 4, 1, 0), 0x01_0310),
    // CLEAR
    (of(0x04, 0x1_0000, 20, 0), 0x01_0501),
    (of(0x04, 3, 20, 0), 0x01_0504),
    (of(0x04, 2, 256, 0), 0x01_0505),
    (of(0x04, 2, 21, 0), 0x01_0507),
    (of(0x04, 4, 1, 0), 0x01_0510),
    // INV
    (of(0x0c, 0x1_0000, 20, 0), 0x01_0c01),
    (of(0x0c, 3, 20, 0), 0x01_0c04),
    (of(0x0c, 2, 256, 0), 0x01_0c05),
    (of(0x0c, 2, 21, 0), 0x01_0c07),
    (of(0x0c, 4, 1, 0), 0x01_0c10),
    // INVALL
    (of(0x0d, 0, 0, 16), 0x01_0d03),
    (of(0x0d, 0, 0, 1), 0x01_0d09),
    // DISCARD
    (of(0x0f, 0x1_0000, 20, 0), 0x01_0f01),
    (of(0x0f, 3, 20, 0), 0x01_0f04),
    (of(0x0f, 2, 256, 0), 0x01_0f05),
    (of(0x0f, 2, 21, 0), 0x01_0f07),
    (of(0x0f, 4, 1, 0), 0x01_0f10),
];

const MOVALL: [([u64; 4], u32); 2] =
    [([0x0e, 0, 4 << 16, 0], 0x01_0e01), ([0x0e, 0, 0, 4 << 16], 0x01_0e01)];

/// Every encoding, written a second time: IHI 0069 H 5.5, as Linux's `arm-gic-v3.h` and the
/// GIC-600AE TRM (101206_0003_04, pages 82 to 85) print them.
const ENCODINGS: [u32; 42] = [
    0x01_0801, 0x01_0802, // MAPD
    0x01_0902, 0x01_0903, // MAPC
    0x01_0a01, 0x01_0a03, 0x01_0a04, 0x01_0a05, 0x01_0a06, // MAPTI
    0x01_0b01, 0x01_0b03, 0x01_0b04, 0x01_0b05, 0x01_0b06, // MAPI
    0x01_0101, 0x01_0103, 0x01_0104, 0x01_0105, 0x01_0107, 0x01_0109, // MOVI
    0x01_0301, 0x01_0304, 0x01_0305, 0x01_0307, 0x01_0310, // INT
    0x01_0501, 0x01_0504, 0x01_0505, 0x01_0507, 0x01_0510, // CLEAR
    0x01_0c01, 0x01_0c04, 0x01_0c05, 0x01_0c07, 0x01_0c10, // INV
    0x01_0d03, 0x01_0d09, // INVALL
    0x01_0e01, // MOVALL
    0x01_0f01, 0x01_0f04, 0x01_0f05, 0x01_0f07, // DISCARD
];

/// GIC-600's errors that belong to no command; its manual prints them with numbers of MAPI's (page
/// 86): ACE_LITE_ACCESS_FAILURE, INVALID_ML_DEV_TABLE_ENTRY.
const OF_GIC600: [u32; 2] = [0x01_0b01, 0x01_0b04];

/// The syndrome reported for an error under a preset, if any.
fn under(preset: Preset, words: [u64; 4], encoding: u32) -> Option<u32> {
    match (preset, encoding) {
        // GIC-600 has its own syndromes for missing redistributors and level 1 entries.
        (Preset::Gic600, 0x01_0801) if words[0] >> 32 == 8192 => Some(0x01_0b04),
        (Preset::Gic600, 0x01_0902) => Some(0x01_0920),
        (Preset::Gic600, 0x01_0e01) => Some(if words[2] != 0 { 0x01_0e20 } else { 0x01_0e21 }),
        // QEMU invalidates all configuration, whatever the collection.
        (Preset::Qemu, 0x01_0d03 | 0x01_0d09) => None,
        // KVM's LPIs have a state of their own.
        (Preset::KvmAbi0, 0x01_0510 | 0x01_0c10) => None,
        _ => Some(encoding),
    }
}

#[test]
fn every_encoding_is_provoked() {
    let provoked: BTreeSet<_> = FAILING.iter().chain(&MOVALL).map(|(_, code)| *code).collect();
    // DISCARD too fails for an event whose collection is not mapped.
    let written: BTreeSet<_> = ENCODINGS.into_iter().chain([0x01_0f10]).collect();
    assert_eq!(provoked, written);
}

#[test]
fn every_error_has_its_syndrome() {
    let seeds = (0..6).map(Preset::Adversarial);
    for preset in Preset::ALL.into_iter().take(4).chain(seeds) {
        for (words, encoding) in FAILING.into_iter().chain(MOVALL) {
            let mut board = board(preset);
            let reports = submit_and_run(&mut board, words);
            let expected = under(preset, words, encoding);
            assert_eq!(syndrome(&reports), expected, "{words:x?}, {encoding:#x}, {preset:?}");
            board.settle();
            let pending = [0, 1, 2, 3].map(|n| board.pending_lpis(n));
            assert_eq!(pending, [const { Vec::<u32>::new() }; 4], "and no effect");
        }
    }
}

/// GIC-600's errors of redistributors with LPIs off, or with few LPIs: CPU 1's are off, CPU 2 has
/// those below 16384. The queue does not stall.
#[test]
fn gic600_has_syndromes_of_its_own() {
    let cases = [
        ([0x09, 0, 1 << 63 | 1 << 16 | 5, 0], 0x01_0923),
        ([0x0e, 0, 1 << 16, 0], 0x01_0e23),
        ([0x0e, 0, 3 << 16, 1 << 16], 0x01_0e24),
        (of(0x03, 2, 1, 0), 0x01_0323),
        (of(0x04, 2, 1, 0), 0x01_0523),
        (of(0x04, 2, 2, 0), 0x01_0526),
        (of(0x0d, 0, 0, 1), 0x01_0d23),
    ];
    for preset in [Preset::Gic600, Preset::Qemu] {
        for (words, encoding) in cases {
            let mut board = Board::new(preset);
            board.map(2, 20, 8195, 3);
            board.mapti(2, 1, 8200, 1);
            board.mapti(2, 2, 20_000, 2);
            for n in [1, 2] {
                board.w32(Block::Redistributor(Cpu::new(n)), 0x00, 0);
            }
            let bases = board.r64(Block::Redistributor(Cpu::new(2)), 0x70);
            board.w64(Block::Redistributor(Cpu::new(2)), 0x70, bases & !0x1f | 13);
            board.w32(Block::Redistributor(Cpu::new(2)), 0x00, 1);
            board.message(2, 20);
            let reports = submit_and_run(&mut board, words);
            let expected = (preset == Preset::Gic600).then_some(encoding);
            assert_eq!(syndrome(&reports), expected, "{words:x?}");
            assert!(reports.iter().all(|report| !report.stalled));
            assert_eq!(board.r64(ITS, 0x90), board.writer);
            // MOVALL to a redistributor with LPIs off drops them; the other errors leave pending
            // LPIs alone.
            let dropped = preset == Preset::Gic600 && encoding == 0x01_0e24;
            assert_eq!(board.pending_lpis(3).is_empty(), dropped, "{words:x?}");
        }
    }
}

/// MAPC takes effect where LPIs are off; a core that does not exist stalls the queue, except in
/// MOVALL.
#[test]
fn what_gic600_does_besides() {
    let mut board = Board::new(Preset::Gic600);
    board.w32(Block::Redistributor(Cpu::new(1)), 0x00, 0);
    submit_and_run(&mut board, [0x09, 0, 1 << 63 | 1 << 16 | 5, 0]);
    board.w32(Block::Redistributor(Cpu::new(1)), 0x00, 1);
    board.map(2, 20, 8195, 5);
    board.message(2, 20);
    board.only(1, 8195);
    let reports = submit_and_run(&mut board, [0x0e, 0, 4 << 16, 0]);
    assert!(matches!(reports[..], [Report { stalled: false, .. }]));
    let reports = submit_and_run(&mut board, [0x09, 0, 1 << 63 | 4 << 16 | 5, 0]);
    assert!(matches!(reports[..], [Report { stalled: true, .. }]));
    let said: Vec<_> = reports.iter().map(|report| report.failure.to_string()).collect();
    assert_eq!(said, ["MAPC: the redistributor does not exist (0x010920)"]);
}

/// A level 1 entry that is not valid, for every command that names the device; and a failed memory
/// access. The queue stalls.
#[test]
fn gic600_has_syndromes_of_its_tables() {
    let missing = [0x08, 0x0a, 0x0b, 0x01, 0x03, 0x04, 0x0c, 0x0f].map(|opcode| match opcode {
        0x08 => of(opcode, 8192, 7, 1 << 63 | 0x4600_0000),
        0x0a => of(opcode, 8192, 8300 << 32, 0),
        0x0b => of(opcode, 8192, 8300, 0),
        _ => of(opcode, 8192, 20, 0),
    });
    let silent = [of(0x0a, 8192, 8300 << 32, 0), of(0x03, 8192, 1, 0)];
    for (level1, syndrome, commands) in
        [(0, OF_GIC600[1], &missing[..]), (1 << 63 | 0xf_0000_0000, OF_GIC600[0], &silent[..])]
    {
        for words in commands {
            let mut board = board(Preset::Gic600);
            board.put(super::super::testkit::DEVICES + 8, level1);
            let reports = submit_and_run(&mut board, *words);
            let [Report { stalled: true, syndrome: Some(said), .. }] = reports[..] else {
                panic!("{words:x?}: {reports:?}");
            };
            assert_eq!(said, syndrome, "{words:x?}");
            let mut others = self::board(Preset::ArchStrict);
            others.put(super::super::testkit::DEVICES + 8, level1);
            let said = submit_and_run(&mut others, *words).iter().find_map(|it| it.syndrome);
            // MAPI of an unmapped device has the same number under every preset.
            let same = words[0] & 0xff == 0x0b && level1 == 0;
            assert_eq!(said == Some(syndrome), same, "{words:x?}");
        }
    }
}

/// GIC-600 reports a device's failed write with the syndromes of INT.
#[test]
fn gic600_reports_writes_of_devices() {
    let cases = [
        (0x1_0000, 20, 0x01_0301),
        (8192, 20, 0x01_0b04),
        (3, 20, 0x01_0304),
        (2, 256, 0x01_0305),
        (2, 21, 0x01_0307),
        (4, 1, 0x01_0310),
    ];
    for preset in [Preset::Gic600, Preset::ArchStrict] {
        let mut board = board(preset);
        for (device, event, syndrome) in cases {
            board.message(device, event);
            let said = board.board.gic.take_failed_writes(0);
            let said: Vec<_> = said.iter().map(|it| (it.device.get(), it.syndrome)).collect();
            let all = if preset == Preset::Gic600 { vec![(device, syndrome)] } else { vec![] };
            assert_eq!(said, all);
        }
        board.message(2, 20);
        assert_eq!(board.board.gic.take_failed_writes(0), []);
    }
}

/// ACE_LITE_TRANS_FAILURE: a write to the translation frame that is no message, with any data.
#[test]
fn gic600_reports_writes_that_are_no_messages() {
    let cases = [
        (0x1_0040, Size::Byte),
        (0x1_0040, Size::Double),
        (0x1_0048, Size::Word),
        (0x1_0000, Size::Word),
    ];
    for preset in [Preset::Gic600, Preset::ArchStrict] {
        let mut board = board(preset);
        for (at, size) in cases {
            assert_eq!(board.device_write(2, at, size, 20), Arrival::Ignored);
            let (device, wrote) = (DeviceId::new(2), Wrote::Other(at, size));
            let said = FailedWrite { device, wrote, syndrome: 0x01_0b03 };
            let all = if preset == Preset::Gic600 { vec![said] } else { vec![] };
            assert_eq!(board.board.gic.take_failed_writes(0), all);
        }
        // The control frame is on another port.
        assert_eq!(board.device_write(2, 0x40, Size::Word, 20), Arrival::Ignored);
        assert_eq!(board.board.gic.take_failed_writes(0), []);
        board.device_write(2, 0x1_0040, Size::Half, 20);
        board.only(3, 8195);
        assert_eq!(board.board.gic.take_failed_writes(0), []);
    }
}

#[test]
fn a_write_to_where_lpis_are_off_is_reported() {
    for preset in [Preset::Gic600, Preset::ArchStrict] {
        let mut board = board(preset);
        board.board.gic.take_failed_writes(0);
        board.w32(Block::Redistributor(Cpu::new(3)), 0, 0);
        board.message(2, 20);
        let said = board.board.gic.take_failed_writes(0);
        let said: Vec<_> = said.iter().map(|it| (it.device.get(), it.syndrome)).collect();
        let all = if preset == Preset::Gic600 { vec![(2, 0x01_0323)] } else { vec![] };
        assert_eq!(said, all);
    }
}

#[test]
fn errors_are_passed_over_where_chosen() {
    for preset in [Preset::Qemu, Preset::KvmAbi0] {
        for (words, _) in FAILING.into_iter().chain(MOVALL) {
            let mut board = board(preset);
            let reports = submit_and_run(&mut board, words);
            assert!(reports.iter().all(|report| !report.stalled));
            assert_eq!(board.r64(ITS, 0x90), board.writer, "CREADR has passed it");
            board.message(2, 20);
            board.only(3, 8195);
            // Of two commands submitted at once the second is performed too.
            board.write_command(words);
            board.submit(of(0x03, 2, 20, 0));
            board.run();
            assert_eq!(board.r64(ITS, 0x90), board.writer, "CREADR has passed both");
            board.only(3, 8195);
        }
    }
}

#[test]
fn a_queue_stops_and_goes_on_with_retry() {
    for preset in [Preset::ArchStrict, Preset::Gic600] {
        let mut board = board(preset);
        let stopped = board.writer;
        submit_and_run(&mut board, of(0x03, 2, 21, 0));
        board.submit(of(0x03, 2, 20, 0));
        assert_eq!(board.run(), 0);
        assert_eq!(board.r64(ITS, 0x90), stopped | 1, "Stalled, at the command");
        board.nothing();
        // Software replaces the command by a SYNC and retries.
        board.put(QUEUE + stopped, 5);
        let writer = board.writer;
        board.w64(ITS, 0x88, writer | 1);
        assert_eq!(board.r64(ITS, 0x88), writer, "Retry reads as zero");
        board.run();
        assert_eq!(board.r64(ITS, 0x90), writer);
        board.only(3, 8195);
    }
}

#[test]
fn a_retry_without_a_cure_stops_again() {
    let mut board = board(Preset::ArchStrict);
    let stopped = board.writer;
    submit_and_run(&mut board, of(0x03, 2, 21, 0));
    let writer = board.writer;
    board.w64(ITS, 0x88, writer | 1);
    board.run();
    assert_eq!(board.r64(ITS, 0x90), stopped | 1);
    assert_eq!(board.reports().len(), 1);
}

#[test]
fn memory_that_does_not_answer() {
    for preset in [Preset::ArchStrict, Preset::Qemu, Preset::KvmAbi0, Preset::Gic600] {
        let mut board = board(preset);
        board.w32(ITS, 0x00, 0);
        board.w64(ITS, 0x80, 1 << 63 | 0xf_0000_0000);
        board.w64(ITS, 0x88, 0x20);
        board.w32(ITS, 0x00, 1);
        board.run();
        let reports = board.reports();
        let [Report { failure: Failure::Memory(at), stalled, .. }] = reports[..] else {
            panic!("{reports:?}");
        };
        assert_eq!(at.get(), 0xf_0000_0000);
        assert_eq!(stalled, preset != Preset::KvmAbi0);
        let reader = if preset == Preset::KvmAbi0 { 0x20 } else { 1 };
        assert_eq!(board.r64(ITS, 0x90), reader);
        // QEMU: any store restarts the queue, and Stalled stays set.
        board.w64(ITS, 0x88, 0x20);
        let worked = board.run();
        assert_eq!((worked, preset == Preset::Qemu), (worked, worked == 1));
    }
}

#[test]
fn tables_that_do_not_answer() {
    let mut board = board(Preset::ArchStrict);
    let words = of(0x08, 6, 7, 1 << 63 | 0xf_0000_0000);
    board.command(words);
    let reports = submit_and_run(&mut board, of(0x0a, 6, 8300 << 32 | 1, 0));
    let [Report { failure: Failure::Memory(at), stalled: true, .. }] = reports[..] else {
        panic!("{reports:?}");
    };
    assert_eq!(at.get() & !15, 0xf_0000_0000);
    assert_eq!(board.message(6, 1), Arrival::Untranslated(crate::its::Untranslated::Abort(at)));
}

#[test]
fn commands_nobody_knows() {
    for opcode in [0x00, 0x02, 0x06, 0x10, 0x21, 0x29, 0x2e, 0xff] {
        let mut strict = board(Preset::ArchStrict);
        let reports = submit_and_run(&mut strict, [opcode, 0, 0, 0]);
        assert_eq!(syndrome(&reports), Some(0x01_00ff | (opcode as u32) << 8));
        let mut qemu = board(Preset::Qemu);
        assert_eq!(submit_and_run(&mut qemu, [opcode, 0, 0, 0]), []);
        assert_eq!(qemu.r64(ITS, 0x90), qemu.writer);
    }
}

#[test]
fn errors_say_what_is_wrong() {
    let mut board = board(Preset::ArchStrict);
    let reports = submit_and_run(&mut board, of(0x04, 2, 21, 0));
    let said: Vec<_> = reports.iter().map(|report| report.failure.to_string()).collect();
    assert_eq!(said, ["CLEAR: the event is not mapped (0x010507)"]);
    let Arrival::Untranslated(why) = board.message(3, 0) else { panic!("it is not mapped") };
    assert_eq!(why.to_string(), "the device is not mapped");
}

#[test]
fn errors_may_be_signalled_instead() {
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.its[0].choices.command_errors = CommandErrors::Report;
    spec.its[0].features.error_wire = Some(IntId::new(40));
    let mut board = Board::with(spec);
    assert_eq!(board.r64(ITS, 0x08) >> 18 & 1, 1, "SEIS");
    let reports = submit_and_run(&mut board, of(0x03, 2, 21, 0));
    assert_eq!(syndrome(&reports), Some(0x01_0304));
    assert!(matches!(reports[..], [Report { signalled: true, stalled: false, .. }]));
    assert_eq!(board.r64(ITS, 0x90), board.writer);
    assert_eq!(board.gic.take_effects(), [Effect::Wire(IntId::new(40))]);
    assert_eq!(board.gic.take_effects(), []);
}

#[test]
fn the_size_of_an_unmapping_is_looked_at_where_chosen() {
    let words = of(0x08, 2, 31, 0);
    let mut strict = board(Preset::ArchStrict);
    assert_eq!(submit_and_run(&mut strict, words), []);
    let mut qemu = board(Preset::Qemu);
    assert_eq!(syndrome(&submit_and_run(&mut qemu, words)), Some(0x01_0802));
}

#[test]
fn mapping_to_nowhere_is_refused_where_chosen() {
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.its[0].choices.map_to_unmapped = MapToUnmapped::Refused;
    let mut board = Board::with(spec);
    board.mapd(2, 8);
    let reports = submit_and_run(&mut board, of(0x0a, 2, 8200 << 32, 9));
    assert_eq!(syndrome(&reports), Some(0x01_0a09));
}

#[test]
fn a_table_that_lies_about_its_size_is_believed_where_chosen() {
    use crate::its::Untranslated::{EventOutOfRange, UnmappedEvent};
    let chosen =
        [(StoredEntries::Judged, EventOutOfRange), (StoredEntries::Believed, UnmappedEvent)];
    for (stored_entries, why) in chosen {
        let mut spec = Implementation::of(Preset::Qemu, 4, 32);
        spec.its[0].choices.stored_entries = stored_entries;
        let mut board = Board::with(spec);
        // Device 3's entry, written without MAPD: 32 EventID bits.
        board.put(super::super::testkit::DEVICES2 + 24, itt(3) >> 8 << 6 | 31 << 1 | 1);
        assert_eq!(board.message(3, 0x1_0000), Arrival::Untranslated(why));
    }
}

/// GICD_TYPER.num_LPIs: 16 LPIs, the last is 8207.
#[test]
fn no_more_lpis_than_the_distributor_says() {
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.distributor.num_lpis = 3;
    let mut board = Board::with(spec);
    assert_eq!(board.r32(Block::Distributor, 0x04) >> 11 & 0x1f, 3);
    board.map(2, 20, 8207, 3);
    board.message(2, 20);
    board.only(3, 8207);
    board.submit([2 << 32 | 0x0a, 8208 << 32 | 21, 3, 0]);
    board.run();
    assert_eq!(board.reports()[0].syndrome, Some(0x01_0a06));
}
