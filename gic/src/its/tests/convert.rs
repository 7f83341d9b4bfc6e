//! Tables with drawn contents, rewritten from one layout to another and back.

use crate::Cpu;
use crate::choice::Preset;
use crate::its::entry::Layout;
use crate::its::image::{self, Device, Found, Mappings, Reading, Tables};
use crate::its::testkit::Board;
use crate::v3;
use crate::v3::testkit::memory;
use passim_model::{DeviceId, EventId, IntId, Memory, PhysAddr, Span};
use proptest::prelude::*;
use std::collections::BTreeMap;

const DEVICES: u64 = 0x4400_0000;
const COLLECTIONS: u64 = 0x4500_0000;
const ITTS: u64 = 0x4600_0000;
/// Flat tables of one page of 64 KiB each: 8192 entries.
const TABLES: Tables =
    Tables { devices: 1 << 63 | DEVICES | 2 << 8, collections: 1 << 63 | COLLECTIONS | 2 << 8 };
const BITS: (u32, u32) = (16, 16);

/// Devices whose tables are large enough in every layout: up to four bits of EventID.
fn mappings() -> impl Strategy<Value = Mappings> {
    let event = (0u32..16, 8192u32..0x1_0000, 0u16..100);
    let device = (0u32..8192, 1u32..=4, prop::collection::vec(event, 0..12));
    let collections = prop::collection::btree_map(0u16..8192, 0u16..16, 0..20);
    (prop::collection::vec(device, 0..20), collections).prop_map(|(devices, collections)| {
        let mut mappings = Mappings::default();
        for (place, (number, event_bits, drawn)) in (0u64..).zip(devices) {
            let mut events = BTreeMap::new();
            for (event, lpi, icid) in drawn {
                events
                    .insert(EventId::new(event % (1 << event_bits)), (IntId::new(lpi), Some(icid)));
            }
            let itt = PhysAddr::new(ITTS + 256 * place);
            mappings.devices.insert(DeviceId::new(number), Device { itt, event_bits, events });
        }
        mappings.collections = collections.into_iter().map(|(n, cpu)| (n, Cpu::new(cpu))).collect();
        mappings
    })
}

/// Every byte of the tables. Bytes after an interrupt translation table with smaller entries are
/// excluded.
fn bytes(mappings: &Mappings, layout: Layout, memory: &Memory) -> Vec<u8> {
    let devices = mappings.devices.values();
    let itts = devices.map(|it| (it.itt.get(), (layout.ite_bytes() << it.event_bits) as usize));
    let mut all = Vec::new();
    for (base, len) in [(DEVICES, 0x1_0000), (COLLECTIONS, 0x1_0000)].into_iter().chain(itts) {
        let mut bytes = vec![0; len];
        memory.read(PhysAddr::new(base), &mut bytes).unwrap();
        all.extend(bytes);
    }
    all
}

proptest! {
    #[test]
    fn there_and_back_is_where_one_was(
        mappings in mappings(),
        from in 0usize..3,
        further in 1usize..3,
    ) {
        let layouts = [Layout::Kvm0, Layout::Qemu, Layout::Gic600];
        let (from, to) = (layouts[from], layouts[(from + further) % 3]);
        let mut memory = memory();
        mappings.write(from, TABLES, &mut memory).unwrap();
        let before = bytes(&mappings, from, &memory);
        for reading in [Reading::Every, Reading::ByDistance] {
            // The other layouts have no distances.
            if from == Layout::Kvm0 || reading == Reading::Every {
                let found = Mappings::read(from, reading, TABLES, BITS, &memory).unwrap();
                prop_assert_eq!(found, Found { mappings: mappings.clone(), silent: Vec::new() });
            }
        }
        let there = image::convert((from, to), TABLES, BITS, None, &mut memory).unwrap();
        prop_assert_eq!(there.mappings, mappings.clone());
        let tables = TABLES.laid_out((from, to));
        let back = image::convert((to, from), tables, BITS, None, &mut memory).unwrap();
        prop_assert_eq!(back.mappings, mappings.clone());
        prop_assert!(bytes(&mappings, from, &memory) == before);
    }
}

/// A GIC converts from any preset to any other and keeps its mappings, whether the old tables have
/// distances or not.
#[test]
fn a_gic_moves_to_any_other() {
    let layouts = [Layout::Kvm0, Layout::Qemu, Layout::Gic600];
    let kinds = || {
        let presets = Preset::ALL.into_iter().take(4).chain([Preset::Adversarial(2)]);
        presets.flat_map(move |preset| layouts.map(|layout| (preset, layout)))
    };
    let built = |(preset, layout)| {
        let mut built = v3::Implementation::of(preset, 4, 32);
        built.its[0].features.layout = layout;
        built
    };
    for from in kinds() {
        for to in kinds() {
            let mut board = Board::with(built(from));
            for (device, event, lpi, icid) in
                [(2, 0, 8195, 1), (2, 5, 8196, 2), (3, 1, 8197, 3), (9, 15, 8198, 0)]
            {
                board.configure(lpi, 0xa3);
                if event != 5 {
                    board.mapd(device, 4);
                }
                board.mapti(device, event, lpi, icid);
                board.inv(device, event);
                board.sync(u64::from(icid));
            }
            let mapped = |board: &Board| board.gic.its()[0].mappings(&board.memory).unwrap();
            let before = mapped(&board);
            let kit = &mut board.board;
            let scratch = Span::from_size(PhysAddr::new(0x47f0_0000), 0x1_0000);
            kit.gic.convert(built(to), scratch, &mut kit.memory).unwrap();
            assert_eq!(mapped(&board), before, "{from:?} {to:?}");
            board.message(2, 5);
            board.only(2, 8196);
            board.message(9, 15);
            board.only(0, 8198);
        }
    }
}

/// Tables as software may write them itself: devices that share memory, numbers without a place, and
/// registers that do not fit.
#[derive(Clone, Debug)]
struct Image {
    layout: Layout,
    /// Number, place of the table, bits. Devices 2 and 8194 have one entry: level 1 names a page twice.
    devices: Vec<(u32, u64, u32)>,
    /// Device, event, INTID, ICID.
    events: Vec<(u32, u32, u32, u16)>,
    collections: Vec<(u16, u16)>,
    has_collections: bool,
}

fn image() -> impl Strategy<Value = Image> {
    let number = prop_oneof![0u32..6, Just(8194u32)];
    let place = prop_oneof![12 => 0u64..6, 1 => Just(0x1_0000u64)];
    let device = (number.clone(), place, prop_oneof![1u32..=4, Just(6)]);
    let lpi = prop_oneof![20 => 8192u32..8300, 1 => Just(100)];
    let icid = || prop_oneof![20 => 0u16..6, 1 => Just(8191), 1 => Just(9000)];
    let event = (number, 0u32..40, lpi, icid());
    let cpu = prop_oneof![20 => 0u16..4, 1 => Just(5)];
    (
        prop::sample::select(&[Layout::Qemu, Layout::Gic600, Layout::Kvm0]),
        prop::collection::vec(device, 0..5),
        prop::collection::vec(event, 0..8),
        prop::collection::vec((icid(), cpu), 0..5),
        prop::bool::weighted(0.9),
    )
        .prop_map(|(layout, devices, events, collections, has_collections)| Image {
            layout,
            devices,
            events,
            collections,
            has_collections,
        })
}

/// A machine with these tables.
fn imaged(image: &Image) -> Board {
    use crate::its::entry::Dte;
    use crate::its::testkit::{COLLECTIONS, DEVICES, DEVICES2, ITS, itt};
    let mut spec = v3::Implementation::of(Preset::ArchStrict, 4, 32);
    spec.its[0].features.layout = image.layout;
    let mut board = Board::without_collections(spec);
    board.put(DEVICES + 8, 1 << 63 | DEVICES2);
    let layout = image.layout;
    let mut places = BTreeMap::new();
    for &(number, place, bits) in &image.devices {
        let itt = if place < 6 { itt(2) + 256 * place } else { 0xf_0000_0000 };
        let at = DEVICES2 + 8 * u64::from(number % 8192);
        board.put(at, layout.spell_dte(Some(Dte { itt, bits }), 0));
        places.insert(number, itt);
    }
    let memory = &mut board.board.memory;
    for &(device, event, lpi, icid) in &image.events {
        if let Some(itt) = places.get(&device) {
            let at = PhysAddr::new(itt + u64::from(event) * layout.ite_bytes());
            let _ = layout.store_ite(at, Some((lpi, icid)), 0, memory);
        }
    }
    for (n, &(icid, cpu)) in (0..).zip(&image.collections) {
        let n = if layout.lists_collections() { n } else { u64::from(icid) };
        let at = PhysAddr::new(COLLECTIONS + layout.cte_bytes() * n);
        layout.store_cte(at, layout.spell_cte(icid, Cpu::new(cpu)), memory).unwrap();
    }
    if !image.has_collections {
        board.w32(ITS, 0x00, 0);
        board.w64(ITS, 0x108, COLLECTIONS | 2 << 8);
    }
    board
}

/// Every byte near the tables.
fn surroundings(board: &Board) -> Vec<u8> {
    use crate::its::testkit::{COLLECTIONS, DEVICES, itt};
    let places =
        [(DEVICES, 0x2_0000), (COLLECTIONS, 0x2_0000), (itt(2), 0x2000), (SCRATCH, 0x4000)];
    let bytes = places.map(|(at, len)| {
        let mut bytes = vec![0; len];
        board.memory.read(PhysAddr::new(at), &mut bytes).unwrap();
        bytes
    });
    bytes.concat()
}

const SCRATCH: u64 = 0x4800_0000;

/// Device, event, INTID, ICID; and collections.
type Seen = (Vec<(u32, u32, u32, Option<u16>)>, BTreeMap<u16, Cpu>);

/// What messages can reach: each event that is an LPI, and the mapped collections.
fn seen(board: &Board) -> Seen {
    let mappings = board.gic.its()[0].mappings(&board.memory).unwrap().mappings;
    let devices = mappings.devices.iter();
    let events = devices.flat_map(|(id, device)| {
        let events = device.events.iter();
        events.map(|(event, (lpi, icid))| (id.get(), event.get(), lpi.get(), *icid))
    });
    (events.filter(|it| it.2 >= 8192).collect(), mappings.collections)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    /// A move is refused with nothing changed, or all of it is restored.
    #[test]
    fn a_move_is_whole_or_not_at_all(image in image(), to in 0usize..3) {
        let to = [Preset::KvmAbi0, Preset::Qemu, Preset::Gic600][to];
        let mut board = imaged(&image);
        let before = (surroundings(&board), seen(&board));
        let kit = &mut board.board;
        let scratch = Span::from_size(PhysAddr::new(SCRATCH), 0x4000);
        let spec = v3::Implementation::of(to, 4, 32);
        let converted = kit.gic.convert(spec, scratch, &mut kit.memory);
        prop_assert_eq!(board.gic.its()[0].refused(), None);
        prop_assert_eq!(seen(&board), before.1, "{:?}", converted);
        if converted.is_err() {
            prop_assert!(surroundings(&board) == before.0);
        }
    }
}
