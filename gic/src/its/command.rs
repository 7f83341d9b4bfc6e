//! Commands: 32 bytes become a value, or none. IHI 0069 H 5.3.

use super::wire::command::{
    CollectionWord2, EventWord1, MapdWord1, MapdWord2, MovallWord3, WORDS, Word0, opcode,
};
use passim_model::bits::Field;
use passim_model::{DeviceId, EventId, IntId};

/// The doublewords of a command.
pub(super) type Words = [u64; WORDS];

/// The commands the architecture names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[allow(missing_docs, reason = "each is the architecture's own name")]
pub enum Opcode {
    Movi,
    Int,
    Clear,
    Sync,
    Mapd,
    Mapc,
    Mapti,
    Mapi,
    Inv,
    Invall,
    Movall,
    Discard,
    Vmovi,
    Vmovp,
    Vsgi,
    Vsync,
    Vmapp,
    Vmapti,
    Vmapi,
    Vinvall,
    Invdb,
}

/// Numbers and names; those from VMOVI on belong to virtual LPIs.
const OPCODES: [(u8, Opcode, &str); 21] = [
    (opcode::MOVI, Opcode::Movi, "MOVI"),
    (opcode::INT, Opcode::Int, "INT"),
    (opcode::CLEAR, Opcode::Clear, "CLEAR"),
    (opcode::SYNC, Opcode::Sync, "SYNC"),
    (opcode::MAPD, Opcode::Mapd, "MAPD"),
    (opcode::MAPC, Opcode::Mapc, "MAPC"),
    (opcode::MAPTI, Opcode::Mapti, "MAPTI"),
    (opcode::MAPI, Opcode::Mapi, "MAPI"),
    (opcode::INV, Opcode::Inv, "INV"),
    (opcode::INVALL, Opcode::Invall, "INVALL"),
    (opcode::MOVALL, Opcode::Movall, "MOVALL"),
    (opcode::DISCARD, Opcode::Discard, "DISCARD"),
    (opcode::VMOVI, Opcode::Vmovi, "VMOVI"),
    (opcode::VMOVP, Opcode::Vmovp, "VMOVP"),
    (opcode::VSGI, Opcode::Vsgi, "VSGI"),
    (opcode::VSYNC, Opcode::Vsync, "VSYNC"),
    (opcode::VMAPP, Opcode::Vmapp, "VMAPP"),
    (opcode::VMAPTI, Opcode::Vmapti, "VMAPTI"),
    (opcode::VMAPI, Opcode::Vmapi, "VMAPI"),
    (opcode::VINVALL, Opcode::Vinvall, "VINVALL"),
    (opcode::INVDB, Opcode::Invdb, "INVDB"),
];

impl Opcode {
    /// The command with this number.
    pub fn of(byte: u8) -> Option<Self> {
        let found = OPCODES.iter().find(|(number, ..)| *number == byte)?;
        Some(found.1)
    }

    /// The architecture's name.
    pub fn name(self) -> &'static str {
        let found = OPCODES.iter().find(|(_, opcode, _)| *opcode == self);
        found.map_or("", |(.., name)| name)
    }
}

/// An event of a device.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct Source {
    pub(super) device: DeviceId,
    pub(super) event: EventId,
}

/// A command for physical LPIs. RDbase is given in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Command {
    Movi {
        source: Source,
        icid: u16,
    },
    Int {
        source: Source,
    },
    Clear {
        source: Source,
    },
    Sync {
        rdbase: u64,
    },
    Mapd {
        device: DeviceId,
        bits: u32,
        itt: u64,
        valid: bool,
    },
    Mapc {
        icid: u16,
        rdbase: u64,
        valid: bool,
    },
    /// MAPTI, and MAPI, whose INTID is its EventID.
    Mapti {
        source: Source,
        intid: IntId,
        icid: u16,
    },
    Inv {
        source: Source,
    },
    Invall {
        icid: u16,
    },
    Movall {
        from: u64,
        to: u64,
    },
    Discard {
        source: Source,
    },
}

/// Bits 7 to 0.
pub(super) fn number(words: &Words) -> u8 {
    Word0::OPCODE.get(words[0]) as u8
}

/// Whether a command for physical LPIs has a bit set that no field of it has: RES0. IHI 0069 H 5.3.
pub(super) fn has_reserved_bits(words: &Words) -> bool {
    let (of_device, event) = (Word0::DEVICE_ID.mask(), EventWord1::EVENT_ID.mask());
    let (icid, rdbase) = (CollectionWord2::ICID.mask(), CollectionWord2::RDBASE.mask());
    let fields = match Opcode::of(number(words)) {
        Some(Opcode::Movi | Opcode::Mapi) => [of_device, event, icid, 0],
        Some(Opcode::Mapti) => [of_device, event | EventWord1::PINTID.mask(), icid, 0],
        Some(Opcode::Int | Opcode::Clear | Opcode::Inv | Opcode::Discard) => {
            [of_device, event, 0, 0]
        }
        Some(Opcode::Mapd) => {
            let table = MapdWord2::ITT.mask() | MapdWord2::VALID.mask();
            [of_device, MapdWord1::SIZE.mask(), table, 0]
        }
        Some(Opcode::Mapc) => [0, 0, icid | rdbase | CollectionWord2::VALID.mask(), 0],
        Some(Opcode::Sync) => [0, 0, rdbase, 0],
        Some(Opcode::Invall) => [0, 0, icid, 0],
        Some(Opcode::Movall) => [0, 0, rdbase, MovallWord3::RDBASE2.mask()],
        _ => return false,
    };
    let [fields0, fields1, fields2, fields3] = fields;
    let fields = [fields0 | Word0::OPCODE.mask(), fields1, fields2, fields3];
    words.iter().zip(fields).any(|(word, fields)| word & !fields != 0)
}

/// Reads a command; `None` if there is none of this number for physical LPIs. Bits that must be zero
/// are not looked at ([`has_reserved_bits`]).
pub(super) fn decode(words: &Words) -> Option<Command> {
    let [w0, w1, w2, w3] = *words;
    let device = DeviceId::new(Word0::DEVICE_ID.get(w0) as u32);
    let event = EventWord1::EVENT_ID.get(w1) as u32;
    let source = Source { device, event: EventId::new(event) };
    let icid = CollectionWord2::ICID.get(w2) as u16;
    let rdbase = |word: u64, field: Field| field.in_place(word);
    Some(match Opcode::of(number(words))? {
        Opcode::Movi => Command::Movi { source, icid },
        Opcode::Int => Command::Int { source },
        Opcode::Clear => Command::Clear { source },
        Opcode::Sync => Command::Sync { rdbase: rdbase(w2, CollectionWord2::RDBASE) },
        Opcode::Mapd => Command::Mapd {
            device,
            bits: MapdWord1::SIZE.get(w1) as u32 + 1,
            itt: MapdWord2::ITT.in_place(w2),
            valid: MapdWord2::VALID.is_set(w2),
        },
        Opcode::Mapc => Command::Mapc {
            icid,
            rdbase: rdbase(w2, CollectionWord2::RDBASE),
            valid: CollectionWord2::VALID.is_set(w2),
        },
        Opcode::Mapti => {
            let intid = IntId::new(EventWord1::PINTID.get(w1) as u32);
            Command::Mapti { source, intid, icid }
        }
        Opcode::Mapi => Command::Mapti { source, intid: IntId::new(event), icid },
        Opcode::Inv => Command::Inv { source },
        Opcode::Invall => Command::Invall { icid },
        Opcode::Movall => Command::Movall {
            from: rdbase(w2, CollectionWord2::RDBASE),
            to: rdbase(w3, MovallWord3::RDBASE2),
        },
        Opcode::Discard => Command::Discard { source },
        Opcode::Vmovi
        | Opcode::Vmovp
        | Opcode::Vsgi
        | Opcode::Vsync
        | Opcode::Vmapp
        | Opcode::Vmapti
        | Opcode::Vmapi
        | Opcode::Vinvall
        | Opcode::Invdb => return None,
    })
}
