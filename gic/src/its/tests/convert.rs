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
