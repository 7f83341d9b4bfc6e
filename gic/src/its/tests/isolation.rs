//! A device raises the LPIs of its own events only: what it writes cannot change its DeviceID. And
//! the remaining isolation where two devices share a DeviceID.

use crate::choice::Preset;
use crate::its::Arrival;
use crate::its::testkit::Board;
use crate::v3::Implementation;
use crate::{Size, its};
use proptest::prelude::*;

/// Devices 1 to 4 with LPIs of their own: device n has 8192 + 16 n to 8192 + 16 n + 15.
fn board(preset: Preset) -> Board {
    let mut board = Board::new(preset);
    for device in 1..5 {
        board.mapd(device, 4);
        for event in 0..16 {
            let lpi = 8192 + 16 * device + event;
            board.configure(lpi, 0xa3);
            board.mapti(device, event, lpi, (event % 4) as u16);
        }
    }
    for icid in 0..4 {
        board.invall(icid);
        board.sync(u64::from(icid));
    }
    board.settle();
    board
}

fn preset() -> impl Strategy<Value = Preset> {
    prop_oneof![
        Just(Preset::ArchStrict),
        Just(Preset::Qemu),
        Just(Preset::KvmAbi0),
        Just(Preset::Gic600),
        any::<u64>().prop_map(Preset::Adversarial),
    ]
}

proptest! {
    #[test]
    fn a_device_raises_only_what_is_its_own(
        preset in preset(),
        writes in prop::collection::vec(
            (0u32..6, prop_oneof![Just(0x1_0040u64), 0x1_0000u64..0x2_0000], any::<u64>(), 0..4usize),
            0..60,
        ),
    ) {
        let mut board = board(preset);
        for (device, at, value, size) in writes {
            let size = [Size::Byte, Size::Half, Size::Word, Size::Double][size];
            // Often the EventID of a mapped event.
            let value = if value % 3 == 0 { value } else { value & 0x1f };
            let arrival = board.device_write(device, at, size, value);
            if let Arrival::Raised { intid, .. } = arrival {
                prop_assert_eq!((intid.get() - 8192) / 16, device);
            }
            let raised: Vec<_> = board.delivered().concat();
            let own = |lpi: &u32| (lpi - 8192) / 16 == device;
            prop_assert!(raised.iter().all(own), "{} raised {:?}", device, raised);
        }
    }
}

#[test]
fn one_device_id_is_one_device() {
    // Behind a bridge that replaces their requester IDs, two functions are one device to the ITS.
    let mut board = board(Preset::ArchStrict);
    board.message(3, 5);
    let first = board.delivered();
    board.message(3, 5);
    assert_eq!(board.delivered(), first);
}

#[test]
fn each_its_has_tables_of_its_own() {
    let mut spec = Implementation::of(Preset::ArchStrict, 4, 32);
    spec.its.push(its::Implementation::of(Preset::ArchStrict));
    let mut board = Board::with(spec);
    board.map(2, 20, 8195, 3);
    let requester = passim_model::Requester {
        stream: passim_model::StreamId::new(2),
        substream: None,
        device: passim_model::DeviceId::new(2),
    };
    let kit = &mut board.board;
    let other = kit.gic.message(1, 0x1_0040, Size::Word, 20, &requester, &mut kit.memory);
    assert_eq!(other, Arrival::Untranslated(its::Untranslated::Disabled));
    let none = kit.gic.message(2, 0x1_0040, Size::Word, 20, &requester, &mut kit.memory);
    assert_eq!(none, Arrival::Ignored);
    board.nothing();
}
