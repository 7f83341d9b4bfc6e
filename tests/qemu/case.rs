//! What is drawn: tables, and what happens to them, most of it undefined or wrong.

use proptest::prelude::*;

/// Redistributors of the board.
pub(crate) const CPUS: u64 = 4;

/// DeviceIDs that commands name. The PCI function that sends messages is 8.
pub(crate) const DEVICES: [u64; 6] = [0, 2, 8, 0x800, 0xffff, 0x2_0000];

/// A case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) tables: Tables,
    pub(crate) steps: Vec<Step>,
}

/// Tables and queue, as a driver sets them up.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    /// GICR_PROPBASER.IDbits.
    pub(crate) id_bits: u64,
    /// The configuration of each eight LPIs, again and again.
    pub(crate) config: u64,
    /// Redistributors whose LPIs are on, a bit each.
    pub(crate) on: u64,
    pub(crate) devices: Level,
    pub(crate) collections: Level,
    /// GITS_CBASER.Size.
    pub(crate) queue: u64,
}

/// One of GITS_BASER.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Level {
    /// Page_Size.
    pub(crate) page: u64,
    /// Size.
    pub(crate) pages: u64,
    /// The number of pages of level 2 there are, where it has two levels.
    pub(crate) indirect: Option<u64>,
}

/// What happens next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Commands are written, and GITS_CWRITER is stored to, perhaps with Retry.
    Commands(Vec<[u64; 4]>, bool),
    /// A device writes this EventID to GITS_TRANSLATER.
    Message(u64),
    /// GICR_CTLR.EnableLPIs of a redistributor.
    Lpis(u64, bool),
    /// GICR_PENDBASER of a redistributor names the table of another, perhaps with PTZ.
    Pending(u64, u64, bool),
    /// GITS_CTLR.Enabled is cleared and set; between the two, perhaps GITS_CBASER is stored to.
    Restart(bool),
    /// GITS_CREADR is stored to: the slot.
    Reader(u64),
    /// Software changes the configuration of eight LPIs.
    Configure(u64, u64),
    /// Something writes to a table: which, the doubleword, and its value.
    Corrupt(Target, u64, u64),
}

/// A table in memory.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target {
    Devices,
    Collections,
    /// Of one of [`DEVICES`].
    Events(usize),
}

pub(crate) fn cases() -> impl Strategy<Value = Case> {
    let steps = prop::collection::vec(step(), 1..60);
    (tables(), steps).prop_map(|(tables, steps)| Case { tables, steps })
}

fn level() -> impl Strategy<Value = Level> {
    let sizes = (0..3u64, prop::sample::select(vec![0u64, 0, 1, 3]));
    let indirect = prop::option::weighted(0.4, 0..4u64);
    (sizes, indirect).prop_map(|((page, pages), indirect)| Level { page, pages, indirect })
}

fn config() -> impl Strategy<Value = u64> {
    let byte = prop::sample::select(vec![0xa3u8, 0xa3, 0xa1, 0xa2, 0, 1, 0xff, 0x41]);
    prop::array::uniform8(byte).prop_map(u64::from_le_bytes)
}

fn tables() -> impl Strategy<Value = Tables> {
    let id_bits = prop_oneof![4 => Just(15u64), 1 => prop::sample::select(vec![13, 14, 19])];
    let on = prop_oneof![3 => Just(15u64), 1 => 0..16u64];
    (id_bits, config(), on, level(), level(), 0..2u64).prop_map(
        |(id_bits, config, on, devices, collections, queue)| Tables {
            id_bits,
            config,
            on,
            devices,
            collections,
            queue,
        },
    )
}

fn cpu() -> impl Strategy<Value = u64> {
    prop_oneof![9 => 0..CPUS, 1 => prop::sample::select(vec![4, 7, 0xff, 0xffff, 0x1_0000])]
}

fn step() -> impl Strategy<Value = Step> {
    let commands = prop::collection::vec(command(), 1..5);
    prop_oneof![
        40 => (commands, prop::bool::weighted(0.05)).prop_map(|(all, retry)| Step::Commands(all, retry)),
        8 => event().prop_map(|event| Step::Message(event & 0xffff)),
        2 => (0..CPUS, any::<bool>()).prop_map(|(cpu, on)| Step::Lpis(cpu, on)),
        1 => (0..CPUS, 0..CPUS, any::<bool>()).prop_map(|(of, to, ptz)| Step::Pending(of, to, ptz)),
        1 => any::<bool>().prop_map(Step::Restart),
        1 => (0..256u64).prop_map(Step::Reader),
        1 => (0..2u64, config()).prop_map(|(at, config)| Step::Configure(at, config)),
        // An address in such an entry is where neither board has anything.
        1 => (target(), 0..6u64, any::<u64>())
            .prop_map(|(of, at, value)| Step::Corrupt(of, at, value | 1 << 46)),
    ]
}

fn target() -> impl Strategy<Value = Target> {
    prop_oneof![
        Just(Target::Devices),
        Just(Target::Collections),
        (0..DEVICES.len()).prop_map(Target::Events),
    ]
}

fn event() -> impl Strategy<Value = u64> {
    let odd = prop::sample::select(vec![0xffu64, 0x100, 0xffff, 0x1_0000, 0xffff_ffff]);
    prop_oneof![4 => 0..4u64, 2 => 0..16u64, 1 => odd]
}

fn lpi() -> impl Strategy<Value = u64> {
    let odd = vec![0u64, 31, 1020, 1023, 8191, 0x4000, 0x8000, 0xffff, 0x1_0000, 0x10_0000];
    prop_oneof![4 => 8192..8200u64, 2 => 8192..9216u64, 1 => prop::sample::select(odd)]
}

fn collection() -> impl Strategy<Value = u64> {
    prop_oneof![4 => 0..4u64, 1 => prop::sample::select(vec![0x7ffu64, 0xffff])]
}

/// A command, or 32 bytes that are none.
fn command() -> impl Strategy<Value = [u64; 4]> {
    let device = || prop::sample::select(DEVICES.to_vec());
    let source = move || (device(), event());
    let of_event = move |opcode: u64| {
        source().prop_map(move |(device, event)| [opcode | device << 32, event, 0, 0])
    };
    let bits = prop::sample::select(vec![1u64, 2, 3, 4, 5, 8, 16, 17, 32]);
    let valid = || prop::bool::weighted(0.85).prop_map(u64::from);
    let mapd = (0..DEVICES.len(), bits, valid()).prop_map(|(nth, bits, valid)| {
        [8 | DEVICES[nth] << 32, bits - 1, super::play::itt(nth) | valid << 63, 0]
    });
    let mapc = (collection(), cpu(), valid())
        .prop_map(|(icid, cpu, valid)| [9, 0, icid | cpu << 16 | valid << 63, 0]);
    let mapti = (source(), lpi(), collection())
        .prop_map(|((device, event), lpi, icid)| [0xa | device << 32, event | lpi << 32, icid, 0]);
    let mapi = (device(), prop_oneof![event(), lpi()], collection())
        .prop_map(|(device, event, icid)| [0xb | device << 32, event, icid, 0]);
    let movi = (source(), collection())
        .prop_map(|((device, event), icid)| [1 | device << 32, event, icid, 0]);
    let movall = (cpu(), cpu()).prop_map(|(from, to)| [0xe, 0, from << 16, to << 16]);
    let opcode = prop::sample::select(vec![0u64, 2, 3, 6, 7, 8, 9, 0xa, 0x20, 0x24, 0x3f, 0xff]);
    let junk = (opcode, any::<[u64; 4]>(), 0..16u8).prop_map(|(opcode, words, kept)| {
        let mut words = words;
        (0..4).filter(|at| kept >> at & 1 == 0).for_each(|at| words[at] = 0);
        words[0] = words[0] & !0xff | opcode;
        words
    });
    prop_oneof![
        14 => mapd,
        14 => mapc,
        22 => mapti,
        4 => mapi,
        14 => of_event(3),
        5 => of_event(4),
        6 => movi,
        4 => movall,
        5 => of_event(0xf),
        3 => of_event(0xc),
        3 => collection().prop_map(|icid| [0xd, 0, icid, 0]),
        2 => cpu().prop_map(|cpu| [5, 0, cpu << 16, 0]),
        4 => junk,
    ]
}
