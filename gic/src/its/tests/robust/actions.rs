//! Generator of actions on an ITS: many make sense, so that the others meet state they can break.

use crate::Size;
use crate::its::testkit::{COLLECTIONS, DEVICES, DEVICES2, QUEUE, itt};
use crate::v3::testkit::{CONFIGURATION, PENDING};
use proptest::prelude::*;

/// An address without memory.
pub(super) const NOWHERE: u64 = 0xf_0000_0000;
/// Memory that a conversion may move tables to.
pub(super) const SCRATCH: u64 = 0x4800_0000;

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    /// A register of the ITS.
    Store(u64, Size, u64),
    Load(u64, Size),
    /// A register of a redistributor.
    StoreRedistributor(u16, u64, Size, u64),
    /// Turns LPIs of a CPU on or off.
    Lpis(u16, bool),
    /// Enables or disables the ITS.
    Enable(bool),
    /// A word of a table, of the queue, or of the LPI tables.
    Memory(u64, u64),
    /// A command, and one step.
    Command([u64; 4]),
    /// A stalled queue: the command there becomes a SYNC or stays, and Retry is stored.
    Retry(bool),
    Message(u32, u64, Size, u64),
    Step(u8),
    /// A CPU acknowledges an interrupt and ends it.
    Take(u16),
    Settle,
    /// The ITS is saved, a word of memory may change, and another is restored.
    Migrate(Option<(u64, u64)>),
    /// The GIC is converted to one with another table layout, with scratch memory or without.
    Convert(bool),
}

fn offset() -> impl Strategy<Value = u64> {
    let known = vec![
        0u64, 4, 8, 0x40, 0x48, 0x80, 0x84, 0x88, 0x90, 0x100, 0x104, 0x108, 0x10c, 0x110, 0xffd0,
        0xffe8, 0x1_0040,
    ];
    prop_oneof![6 => prop::sample::select(known), 1 => 0u64..0x2_0010, 1 => any::<u64>()]
}

fn size() -> impl Strategy<Value = Size> {
    prop_oneof![
        4 => Just(Size::Double),
        3 => Just(Size::Word),
        1 => Just(Size::Half),
        1 => Just(Size::Byte),
    ]
}

/// Words of every table: both levels, the queue, and LPI tables.
fn place() -> impl Strategy<Value = u64> {
    let near = |base: u64, words: u64| (0..words).prop_map(move |n| base + 8 * n);
    prop_oneof![
        1 => near(DEVICES, 2),
        4 => near(DEVICES2, 6),
        3 => near(COLLECTIONS, 6),
        4 => near(itt(1), 12),
        2 => near(itt(2), 12),
        2 => near(QUEUE, 64),
        1 => near(CONFIGURATION, 2),
        1 => near(PENDING + 1024, 4),
    ]
}

fn word() -> impl Strategy<Value = u64> {
    let addresses = vec![
        DEVICES,
        DEVICES2,
        COLLECTIONS,
        QUEUE,
        itt(2),
        NOWHERE,
        0xf_ffff_ffff_f000,
        0x4fff_f000,
    ];
    let address = prop::sample::select(addresses);
    prop_oneof![
        3 => any::<u64>(),
        3 => (address, 0u64..1024, any::<bool>(), any::<bool>()).prop_map(|(at, low, top, next)| {
            at | low | u64::from(top) << 63 | u64::from(next) << 62
        }),
        // Entries that are valid in one layout or another, for tables that exist or do not.
        2 => (prop::sample::select(vec![itt(1), itt(2), NOWHERE]), 0u64..20).prop_map(|(at, bits)| {
            1 << 63 | at >> 3 | bits
        }),
        2 => (prop::sample::select(vec![itt(1), NOWHERE]), 0u64..20).prop_map(|(at, bits)| {
            at >> 2 | bits << 1 | 1
        }),
        2 => (8190u64..8200, 0u64..6).prop_map(|(lpi, icid)| lpi << 16 | icid),
        1 => (8190u64..8200, 0u64..6).prop_map(|(lpi, icid)| icid << 32 | lpi << 2 | 3),
        1 => Just(0u64),
        1 => Just(u64::MAX),
        1 => (0u32..64).prop_map(|bit| 1 << bit),
    ]
}

/// A command that mostly names what exists.
fn command() -> impl Strategy<Value = [u64; 4]> {
    let device = prop_oneof![12 => 0u64..4, 1 => Just(9000u64), 1 => Just(0x1_0001), 1 => any::<u32>().prop_map(u64::from)];
    let event = prop_oneof![12 => 0u64..5, 4 => 8192u64..8196, 1 => Just(64u64), 1 => any::<u32>().prop_map(u64::from)];
    let lpi = prop_oneof![10 => 8192u64..8200, 1 => Just(20_000u64), 1 => 0u64..8192, 1 => any::<u32>().prop_map(u64::from)];
    let icid =
        prop_oneof![12 => 0u64..5, 1 => Just(9000u64), 1 => any::<u16>().prop_map(u64::from)];
    let cpu = || prop_oneof![8 => 0u64..4, 1 => Just(4u64), 1 => any::<u32>().prop_map(u64::from)];
    let table = prop_oneof![8 => Just(0u64), 1 => Just(NOWHERE)];
    let bits = prop_oneof![6 => Just(13u64), 3 => 0u64..6, 1 => 0u64..32];
    let number = prop::sample::select(vec![1u64, 3, 4, 5, 8, 9, 10, 10, 11, 12, 13, 14, 15]);
    let of_events = (device, event, lpi, icid);
    (number, of_events, cpu(), cpu(), (table, bits), 0u64..5).prop_map(
        |(number, (device, event, lpi, icid), cpu, to, (table, bits), unmapping)| {
            let low = number | device << 32;
            let valid = u64::from(unmapping != 0) << 63;
            match number {
                8 => [low, bits, valid | table.max(itt(device as u32 & 3)), 0],
                9 | 5 => [low, 0, valid | (cpu << 16 | icid) & 0xf_ffff_ffff_ffff, 0],
                14 => [low, 0, cpu << 16, to << 16],
                _ => [low, lpi << 32 | event, icid, 0],
            }
        },
    )
}

/// The base registers of tables, with values that make sense.
fn base() -> impl Strategy<Value = Action> {
    let at = prop::sample::select(vec![0x100u64, 0x108]);
    let shape = (
        any::<bool>(),
        any::<bool>(),
        0u64..3,
        0u64..4,
        prop_oneof![8 => Just(false), 1 => Just(true)],
    );
    (at, shape).prop_map(|(at, (valid, indirect, page, size, nowhere))| {
        let base = match (nowhere, at, indirect) {
            (true, ..) => NOWHERE,
            (false, 0x100, true) => DEVICES,
            (false, 0x100, false) => DEVICES2,
            _ => COLLECTIONS,
        };
        let levels = u64::from(indirect) << 62;
        Action::Store(at, Size::Double, u64::from(valid) << 63 | levels | base | page << 8 | size)
    })
}

pub(super) fn action() -> impl Strategy<Value = Action> {
    let redistributor = prop::sample::select(vec![
        0u64, 0x14, 0x40, 0x48, 0x70, 0x74, 0x78, 0x7c, 0xa0, 0xb0, 0xc0, 0x1_0080, 0x1_0100,
    ]);
    let lpi_or_word = || prop_oneof![3 => 8190u64..8200, 1 => word()];
    prop_oneof![
        2 => (offset(), size(), word()).prop_map(|(at, size, value)| Action::Store(at, size, value)),
        1 => (offset(), size()).prop_map(|(at, size)| Action::Load(at, size)),
        2 => (0u16..5, redistributor, size(), lpi_or_word())
            .prop_map(|(n, at, size, value)| Action::StoreRedistributor(n, at, size, value)),
        2 => (0u16..5, any::<bool>()).prop_map(|(n, on)| Action::Lpis(n, on)),
        2 => prop_oneof![3 => Just(true), 1 => Just(false)].prop_map(Action::Enable),
        1 => base(),
        5 => (place(), word()).prop_map(|(at, word)| Action::Memory(at, word)),
        28 => command().prop_map(Action::Command),
        2 => [word(), word(), word(), word()].prop_map(Action::Command),
        14 => prop_oneof![4 => Just(true), 1 => Just(false)].prop_map(Action::Retry),
        5 => (0u32..4, 0u64..6)
            .prop_map(|(device, event)| Action::Message(device, 0x1_0040, Size::Word, event)),
        1 => (prop_oneof![Just(9000u32), any::<u32>()], 0u64..24)
            .prop_map(|(device, event)| Action::Message(device, 0x1_0040, Size::Word, event)),
        1 => (0u32..3).prop_map(|device| Action::Message(device, 0x1_0040, Size::Word, 0xffff)),
        1 => (0u32..4, offset(), size(), 0u64..24)
            .prop_map(|(device, at, size, value)| Action::Message(device, at, size, value)),
        3 => (1u8..20).prop_map(Action::Step),
        1 => (0u16..5).prop_map(Action::Take),
        1 => Just(Action::Settle),
        1 => Just(Action::Migrate(None)),
        1 => (place(), word()).prop_map(|change| Action::Migrate(Some(change))),
        1 => any::<bool>().prop_map(Action::Convert),
    ]
}
