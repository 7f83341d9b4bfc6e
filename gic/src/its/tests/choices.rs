//! Choices that no preset makes, and features that no preset has: each has an observable effect.

use crate::Size;
use crate::choice::Preset;
use crate::choice::its::{BasesWhileEnabled, Caching, EventBeyond, Haste, Ordering, WriterBeyond};
use crate::its::Arrival;
use crate::its::testkit::{Board, COLLECTIONS, DEVICES2, ITS, QUEUE, itt};
use crate::v3::{GicV3, Implementation};
use passim_model::PhysAddr;

fn with(change: impl FnOnce(&mut Implementation)) -> Board {
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    change(&mut spec);
    Board::with(spec)
}

#[test]
fn names_of_presets() {
    for preset in Preset::ALL {
        assert_eq!(Preset::from_name(preset.name(), 0), Some(preset));
    }
    assert_eq!(Preset::from_name("adversarial", 7), Some(Preset::Adversarial(7)));
    assert_eq!(Preset::from_name("hopeful", 7), None);
}

#[test]
fn events_beyond_may_be_cut() {
    let mut board = with(|spec| spec.its[0].choices.event_beyond = EventBeyond::Cut);
    board.map(2, 20, 8195, 3);
    board.message(2, 0x100 + 20);
    board.only(3, 8195);
    // A command's EventID is never cut.
    board.submit([2 << 32 | 0x03, 0x114, 0, 0]);
    board.run();
    assert_eq!(board.reports().len(), 1);
}

#[test]
fn bases_may_be_taken_while_enabled() {
    let mut board = with(|spec| spec.its[0].choices.bases_while_enabled = BasesWhileEnabled::Taken);
    board.map(2, 20, 8195, 3);
    board.w64(ITS, 0x108, 1 << 63 | 0x4700_0000);
    assert!(matches!(board.message(2, 20), Arrival::Untranslated(_)));
    board.w64(ITS, 0x108, 1 << 63 | COLLECTIONS | 2 << 8);
    board.message(2, 20);
    board.only(3, 8195);
}

#[test]
fn a_writer_beyond_the_queue_may_wrap() {
    let mut board = with(|spec| spec.its[0].choices.writer_beyond = WriterBeyond::Wraps);
    board.w32(ITS, 0x00, 0);
    board.w64(ITS, 0x80, 1 << 63 | QUEUE);
    board.w64(ITS, 0x88, 0);
    board.w32(ITS, 0x00, 1);
    board.w64(ITS, 0x88, 0x1040);
    assert_eq!(board.r64(ITS, 0x88), 0x40, "the queue has 0x1000 bytes");
    assert_eq!(board.run(), 2, "whatever is there is consumed");
}

#[test]
fn a_translation_is_remembered_until_a_command_names_it() {
    let mut off = with(|_| {});
    let mut on = with(|spec| spec.its[0].choices.caching = Caching::Translations { lg2: 4 });
    for board in [&mut off, &mut on] {
        board.map(2, 20, 8195, 3);
        board.message(2, 20);
        board.only(3, 8195);
        // Software overwrites the entry, which it must not.
        board.put(itt(2) + 12 * 20, 0);
    }
    assert!(matches!(off.message(2, 20), Arrival::Untranslated(_)));
    assert_eq!(on.gic.its()[0].cached_translations(), 1);
    on.message(2, 20);
    on.only(3, 8195);
    on.w32(ITS, 0x00, 0);
    on.w32(ITS, 0x00, 1);
    assert!(matches!(on.message(2, 20), Arrival::Untranslated(_)), "not across a disable");
}

#[test]
fn a_cache_forgets_what_every_command_changes() {
    type Change = (&'static str, fn(&mut Board));
    let changes: [Change; 6] = [
        ("DISCARD", |board| board.discard(2, 20)),
        ("MAPD", |board| board.unmap_device(2)),
        ("MAPC", |board| board.unmap_collection(3)),
        ("MAPC elsewhere", |board| board.mapc(3, 1)),
        ("MOVI", |board| board.movi(2, 20, 1)),
        ("MAPTI", |board| {
            board.discard(2, 20);
            board.mapti(2, 20, 8195, 1);
        }),
    ];
    // Messages that are cut to the same event raise the same LPI, whichever is cached and whichever
    // arrives.
    let sent = [20, 0x100 + 20, 0xff00 + 20];
    for (name, change) in changes {
        for (lg2, before, after) in [0, 4, 12]
            .into_iter()
            .flat_map(|lg2| sent.map(|before| (lg2, before)))
            .flat_map(|(lg2, before)| sent.map(|after| (lg2, before, after)))
        {
            let mut board = with(|spec| {
                spec.its[0].choices.caching = Caching::Translations { lg2 };
                spec.its[0].choices.event_beyond = EventBeyond::Cut;
            });
            board.map(2, 20, 8195, 3);
            board.message(2, before);
            board.only(3, 8195);
            change(&mut board);
            board.message(2, after);
            assert_eq!(board.drain(3), [], "{name}, {before:#x}, then {after:#x}");
        }
    }
}

#[test]
fn a_cache_tells_events_and_devices_apart() {
    for lg2 in [0, 1, 4] {
        let mut board = with(|spec| {
            spec.its[0].choices.caching = Caching::Translations { lg2 };
            spec.its[0].features.event_bits = 20;
        });
        for device in [2, 3] {
            board.command([device << 32 | 0x08, 19, 1 << 63 | (itt(2) + (device << 24)), 0]);
        }
        let mapped = [(2, 1, 8195), (2, 0x101, 8196), (2, 0x1_0001, 8197), (3, 1, 8198)];
        for (device, event, lpi) in mapped {
            board.configure(lpi, 0xa3);
            board.mapti(device, event, lpi, 1);
        }
        for (device, event, lpi) in mapped.into_iter().chain(mapped).rev() {
            board.message(device, event);
            board.only(1, lpi);
        }
    }
}

#[test]
fn collections_may_be_held() {
    let mut board = with(|spec| spec.its[0].features.held_collections = 2);
    assert_eq!(board.r64(ITS, 0x08) >> 24 & 0xff, 2, "HCC");
    let in_memory = [0, 1, 2, 3].map(|n| board.get(COLLECTIONS + 8 * n));
    assert_eq!(in_memory, [0, 0, 5, 7]);
    board.map(2, 20, 8195, 1);
    board.message(2, 20);
    board.only(1, 8195);
    super::migration::migrate(&mut board);
    board.message(2, 20);
    board.only(1, 8195);
    // Without a table, the collections held in the ITS still work.
    board.w32(ITS, 0x00, 0);
    board.w64(ITS, 0x108, 0);
    board.w32(ITS, 0x00, 1);
    board.message(2, 20);
    board.only(1, 8195);
}

#[test]
fn redistributors_may_be_named_by_address() {
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.its[0].features.redistributors_at = Some(PhysAddr::new(0x80a_0000));
    let mut board = Board::without_collections(spec);
    assert_eq!(board.r64(ITS, 0x08) >> 19 & 1, 1, "PTA");
    board.command([0x09, 0, 1 << 63 | 0x80e_0000 | 1, 0]);
    board.command([0x05, 0, 0x80e_0000, 0]);
    board.configure(8195, 0xa3);
    board.mapd(2, 8);
    board.mapti(2, 20, 8195, 1);
    board.message(2, 20);
    board.only(2, 8195);
    for bad in [2 << 16, 0x808_0000, 0x80f_0000, 0x812_0000] {
        board.submit([0x09, 0, 1 << 63 | bad | 1, 0]);
        board.run();
        assert_eq!(board.reports().len(), 1, "{bad:#x}");
        board.w32(ITS, 0x00, 0);
        board.boot_its();
    }
}

#[test]
fn numbers_out_of_range_are_put_right() {
    let mut spec = Implementation::of(Preset::ArchStrict, 0, 5000);
    spec.its[0].features.event_bits = 99;
    spec.its[0].features.device_bits = 0;
    spec.its[0].features.collection_bits = Some(40);
    spec.its[0].features.intid_bits = 3;
    spec.its[0].choices.caching = Caching::Translations { lg2: 255 };
    spec.distributor.intid_bits = 60;
    let mut gic = GicV3::new(spec);
    assert_eq!(gic.cpus().count(), 1);
    assert_eq!(gic.implementation().distributor.spis, 992);
    let features = gic.its()[0].implementation().features;
    let bits = (features.event_bits, features.device_bits, features.intid_bits);
    assert_eq!((bits, features.collection_bits), ((32, 1, 14), Some(16)));
    assert_eq!(gic.load(ITS, 0x08, Size::Double) >> 8 & 0x1f, 31);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let run = |seed| {
        let mut board = Board::new(Preset::Adversarial(seed));
        board.map(2, 20, 8195, 3);
        let mut seen = Vec::new();
        for n in 0..40u16 {
            board.movi(2, 20, n % 4);
            board.message(2, 20);
            seen.push([0, 1, 2, 3].map(|n| board.drain(n)));
        }
        seen
    };
    assert_eq!(run(5), run(5));
    assert!((0..8).any(|seed| run(seed) != run(5)));
}

#[test]
fn late_packets_are_few() {
    let mut board =
        with(|spec| spec.its[0].choices.ordering = Ordering::Late { seed: 1, haste: Haste::Even });
    board.map(2, 20, 8195, 3);
    for _ in 0..1000 {
        board.int(2, 20);
    }
    assert!(board.gic.its()[0].in_flight() <= 256);
    board.only(3, 8195);
}

/// Neither are messages that are translated as before a command.
#[test]
fn early_packets_are_few() {
    for seed in 0..16 {
        let haste = Haste::Never;
        let mut board = with(|spec| spec.its[0].choices.ordering = Ordering::Late { seed, haste });
        board.map(2, 20, 8195, 3);
        board.movi(2, 20, 1);
        for _ in 0..1000 {
            board.message(2, 20);
            assert!(board.gic.its()[0].in_flight() <= 256);
        }
    }
}

#[test]
fn a_device_beyond_the_second_level_is_unmapped() {
    let mut board = Board::new(Preset::Qemu);
    assert!(matches!(board.message(8192, 0), Arrival::Untranslated(_)));
    board.put(super::super::testkit::DEVICES + 8, 1 << 63 | 0x4720_0000);
    board.command([8192 << 32 | 0x08, 7, 1 << 63 | itt(2), 0]);
    assert_ne!(board.get(0x4720_0000), 0);
    assert_eq!(board.get(DEVICES2), 0);
}
