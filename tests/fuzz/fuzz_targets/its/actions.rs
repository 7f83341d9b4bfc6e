//! What may happen to an ITS. Every action has likely forms, so that the unlikely ones meet state
//! that they can break.

use arbitrary::Arbitrary;
use passim_gic::choice::Preset;
use passim_gic::its::Layout;
use passim_gic::v3::{Implementation, SystemRegister};
use passim_gic::{Cpu, Size};
use passim_model::PhysAddr;

pub const RAM: u64 = 0x4000_0000;
pub const QUEUE: u64 = RAM;
pub const DEVICES: u64 = RAM + 0x1_0000;
pub const COLLECTIONS: u64 = RAM + 0x2_0000;
pub const CONFIGURATION: u64 = RAM + 0x3_0000;
pub const PENDING: u64 = RAM + 0x4_0000;
/// Interrupt translation tables, a page for each of 256 devices.
pub const ITT: u64 = RAM + 0x8_0000;
/// The page of level 2 for the first devices, where the device table has two levels.
pub const LEVEL2: u64 = RAM + 0x18_0000;
/// Memory that a conversion may move tables to.
pub const SCRATCH: u64 = RAM + 0x19_0000;
/// Bytes of memory: everything above.
pub const RAM_BYTES: u64 = 0x20_0000;
pub const CPUS: u16 = 4;

/// A command of an opcode that exists, with small numbers, so that most are valid.
#[derive(Arbitrary, Debug)]
pub struct Likely {
    opcode: u8,
    device: u8,
    event: u8,
    collection: u8,
    cpu: u8,
    more: u8,
}

/// An access to a register.
#[derive(Arbitrary, Debug)]
pub enum Access {
    Its {
        offset: u32,
        size: u8,
        value: u64,
    },
    /// A register of an ITS that exists.
    KnownIts {
        register: u8,
        size: u8,
        value: u64,
    },
    Redistributor {
        cpu: u8,
        offset: u32,
        size: u8,
        value: u64,
    },
    /// A register of a redistributor's LPIs.
    KnownRedistributor {
        cpu: u8,
        register: u8,
        value: u16,
    },
    Distributor {
        offset: u16,
        size: u8,
        value: u64,
    },
    /// A load from a register of a redistributor, or of the distributor.
    Load {
        cpu: Option<u8>,
        offset: u32,
        size: u8,
    },
    /// A register of a CPU's interface.
    System {
        cpu: u8,
        register: u8,
        value: Option<u64>,
    },
    /// The queue's pointers.
    Queue {
        read: u16,
        write: u16,
        retry: bool,
    },
    Lpis {
        cpu: u8,
        on: bool,
    },
    Enable(bool),
}

#[derive(Arbitrary, Debug)]
pub enum Action {
    Access(Access),
    Word {
        at: u32,
        value: u64,
    },
    Entry(Entry),
    Raw([u64; 4]),
    Command(Likely),
    Message {
        device: u8,
        event: u16,
        shape: u8,
    },
    Configuration {
        lpi: u8,
        byte: u8,
    },
    Take {
        cpu: u8,
    },
    End {
        cpu: u8,
        intid: u16,
        deactivate: bool,
    },
    Step(u8),
    Settle,
    Migrate,
    /// Restored from tables of which an entry has changed.
    Restore(Entry),
    Convert {
        to: Start,
        scratch: bool,
    },
}

impl Action {
    /// Whether it neither writes to the tables that the GIC owns, nor moves them.
    pub fn is_tame(&self) -> bool {
        match self {
            Self::Access(access) => match access {
                Access::Load { .. } | Access::System { .. } | Access::Queue { .. } => true,
                Access::Lpis { .. } | Access::Enable(_) => true,
                Access::Its { .. } | Access::KnownIts { .. } | Access::Distributor { .. } => false,
                Access::Redistributor { .. } | Access::KnownRedistributor { .. } => false,
            },
            Self::Command(_) | Self::Message { .. } | Self::Configuration { .. } => true,
            Self::Take { .. } | Self::End { .. } | Self::Step(_) | Self::Settle => true,
            Self::Migrate => true,
            Self::Word { .. } | Self::Entry(_) | Self::Raw(_) => false,
            Self::Restore(_) | Self::Convert { .. } => false,
        }
    }
}

/// An entry of a table, in one layout or another.
#[derive(Arbitrary, Debug)]
pub struct Entry {
    table: u8,
    place: u8,
    shape: u8,
    number: u8,
    next: u8,
    icid: u8,
}

impl Entry {
    pub fn at(&self) -> PhysAddr {
        let place = u64::from(self.place);
        let (base, words) = match self.table % 8 {
            0 => (DEVICES, 64),
            1 => (LEVEL2, 64),
            2 => (COLLECTIONS, 16),
            3 => (PENDING + 0x1_0000 * (place % 4) + 1024, 4),
            device => (ITT + 0x1000 * (u64::from(device) - 4), 256),
        };
        PhysAddr::new(base + 8 * (place % words))
    }

    pub fn word(&self) -> u64 {
        let (next, icid, number) =
            (u64::from(self.next), u64::from(self.icid % 16), u64::from(self.number));
        let lpi = 8192 + number % 16;
        let table = if number == 0xff { 0xf_0000_0000 } else { ITT + 0x1000 * number };
        match self.shape % 10 {
            0 => 0,
            1 => next << 48 | lpi << 16 | icid,
            2 => 1 << 63 | next << 49 | table >> 8 << 5 | icid,
            3 => 1 << 63 | (number % 5) << 16 | icid,
            4 => icid << 32 | lpi << 2 | 3,
            5 => table >> 8 << 6 | icid << 1 | 1,
            6 => 1 << 63 | table | icid,
            7 => 1 << 31 | icid << 16 | lpi,
            8 => 1 << 63 | LEVEL2 + 0x1000 * (number % 0x70),
            _ => u64::MAX << (number % 64),
        }
    }
}

const OPCODES: [u8; 22] = [
    0x01, 0x03, 0x04, 0x05, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x21, 0x22, 0x23, 0x25,
    0x29, 0x2a, 0x2b, 0x2d, 0x2e, 0xff,
];

impl Likely {
    /// Bytes from 0xf0 on encode values out of range, or not valid. `unit`: the distance of two
    /// redistributors' numbers.
    pub fn words(&self, unit: u64) -> [u64; 4] {
        let wild = |byte: u8| if byte >= 0xf0 { 1u64 << (byte & 0xf) } else { 0 };
        let opcode = OPCODES[usize::from(self.opcode) % OPCODES.len()];
        let device = u64::from(self.device % 4) | wild(self.device) << 8;
        let event = u64::from(self.event % 8) | wild(self.event) << 3;
        let rdbase = unit * u64::from(self.cpu % 5) << 16;
        let valid = u64::from(self.more & 0x80 == 0) << 63;
        let collection = u64::from(self.collection % 8) | wild(self.collection);
        let lpi = 8192 + u64::from(self.more % 16) | wild(self.more) << 4;
        let word1 = match opcode {
            0x08 => event & 0x1f,
            0x0a => lpi << 32 | event,
            0x0b => lpi,
            _ => event,
        };
        let itt = ITT + 0x1000 * u64::from(self.cpu % 4);
        let word2 = if opcode == 0x08 { itt | valid } else { valid | rdbase | collection };
        [device << 32 | u64::from(opcode), word1, word2, unit * u64::from(self.more % 5) << 16]
    }
}

/// A GIC's parameters, and its state before the first action.
#[derive(Arbitrary, Debug)]
pub struct Start {
    preset: u8,
    seed: u64,
    layout: u8,
    held: u8,
    /// The device table has two levels.
    pub two_levels: bool,
    /// Devices, events and collections are mapped.
    pub mapped: bool,
    by_address: bool,
    direct_lpi: bool,
    large_entries: bool,
    few_lpis: bool,
}

impl Start {
    pub fn implementation(&self) -> Implementation {
        let presets = [Preset::ArchStrict, Preset::Qemu, Preset::KvmAbi0, Preset::Gic600];
        let preset = presets.get(usize::from(self.preset % 5)).copied();
        let mut spec =
            Implementation::of(preset.unwrap_or(Preset::Adversarial(self.seed)), CPUS, 32);
        spec.redistributors.direct_lpi = self.direct_lpi;
        spec.distributor.num_lpis = if self.few_lpis { 4 } else { 0 };
        let features = &mut spec.its[0].features;
        let layouts = [Layout::Qemu, Layout::Kvm0, Layout::Gic600];
        if let Some(layout) = layouts.get(usize::from(self.layout % 8)) {
            features.layout = *layout;
        }
        features.held_collections = [0, 0, 0, 2][usize::from(self.held % 4)];
        features.redistributors_at = self.by_address.then_some(PhysAddr::new(0));
        features.table_entry_bytes = if self.large_entries { 16 } else { 8 };
        spec
    }
}

pub fn size(byte: u8) -> Size {
    [Size::Word, Size::Double, Size::Half, Size::Byte][usize::from(byte % 4)]
}

pub fn cpu(byte: u8) -> Cpu {
    Cpu::new(u16::from(byte) % CPUS)
}

/// DeviceID and EventID of a message: most are small.
pub fn sent(device: u8, event: u16) -> (u32, u64) {
    let device = if device >= 0xf0 { device } else { device % 4 };
    let event = if event >= 0xf000 { event } else { event % 8 };
    (u32::from(device), u64::from(event))
}

/// Offset and size of a message's write: most are those of a message.
pub fn written(shape: u8) -> (u64, Size) {
    match shape {
        0..0xe0 => (0x1_0040, Size::Word),
        0xe0..0xf0 => (0x1_0040, Size::Half),
        _ => (0x1_0000 + 8 * u64::from(shape & 0xf), Size::Double),
    }
}

/// A register of a CPU's interface that something follows from when it is read or written.
pub fn of_interface(byte: u8) -> SystemRegister {
    use SystemRegister as It;
    let known = [
        It::Pmr,
        It::Ctlr,
        It::Dir,
        It::Sgi0r,
        It::Sgi1r,
        It::Asgi1r,
        It::Iar0,
        It::Iar1,
        It::Eoir0,
        It::Eoir1,
        It::Hppir1,
        It::Bpr0,
        It::Bpr1,
        It::Igrpen0,
        It::Igrpen1,
        It::Ap1r0,
    ];
    known[usize::from(byte) % known.len()]
}

/// Offset of a register of an ITS.
pub fn of_its(byte: u8) -> u64 {
    let known = [0, 4, 8, 0x40, 0x48, 0x80, 0x84, 0x88, 0x90, 0x100, 0x104, 0x108, 0x10c, 0x110];
    known[usize::from(byte) % known.len()]
}

/// Offset of a register of a redistributor that concerns LPIs.
pub fn of_redistributor(byte: u8) -> u64 {
    let known = [0, 0x14, 0x40, 0x48, 0x70, 0x78, 0xa0, 0xb0, 0xc0];
    known[usize::from(byte) % known.len()]
}
