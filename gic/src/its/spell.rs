//! Commands printed by name and fields, for anyone who inspects a queue.
//!
//! The decoder that performs commands decides the fields. Not here: whether a command succeeds.

use super::command::{Command, Opcode, Source, Words, decode, number};
use super::wire::command::{CollectionWord2, EventWord1, MapdWord1, MapdWord2, MovallWord3, Word0};
use super::wire::{Baser, Cbaser, Creadr, Ctlr, Cwriter, Statusr, Typer, Umsir};
use core::fmt;
use passim_model::bits::Field;

/// A command of a queue, field by field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spelled {
    /// Its opcode: bits 7 to 0.
    pub number: u8,
    /// The architecture's name; `None` for an undefined opcode.
    pub name: Option<&'static str>,
    /// Its fields; empty for commands of virtual LPIs.
    pub parts: Vec<(&'static str, Part)>,
    /// Bits that are set but belong to no field, by doubleword.
    pub rest: [u64; 4],
}

/// The value of a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// A number.
    Number(u64),
    /// A DeviceID or an address.
    Hex(u64),
    /// A single bit.
    Flag(bool),
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => write!(f, "{value}"),
            Self::Hex(value) => write!(f, "{value:#x}"),
            Self::Flag(true) => f.write_str("y"),
            Self::Flag(false) => f.write_str("n"),
        }
    }
}

impl fmt::Display for Spelled {
    /// `MAPTI device=0x8 event=0 intid=8194 icid=0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => f.write_str(name)?,
            None => write!(f, "no command has the number {:#04x}", self.number)?,
        }
        for (name, part) in &self.parts {
            write!(f, " {name}={part}")?;
        }
        for (word, rest) in self.rest.iter().enumerate().filter(|(_, rest)| **rest != 0) {
            write!(f, ", and in doubleword {word} {rest:#x}")?;
        }
        Ok(())
    }
}

impl Spelled {
    /// The command in these doublewords. `by_address`: redistributors are named by address,
    /// otherwise by number (GITS_TYPER.PTA).
    pub fn of(words: &[u64; 4], by_address: bool) -> Self {
        let name = Opcode::of(number(words)).map(Opcode::name);
        let parts = decode(words).map_or(Vec::new(), |it| parts(words, it, by_address));
        let known = known(words);
        let mut rest = *words;
        for (word, known) in rest.iter_mut().zip(known) {
            *word &= !known;
        }
        Self { number: number(words), name, parts, rest }
    }
}

fn parts(words: &Words, command: Command, by_address: bool) -> Vec<(&'static str, Part)> {
    use Part::{Flag, Hex, Number};
    let target = |name, rdbase| match by_address {
        true => (name, Hex(rdbase)),
        false => (name, Number(CollectionWord2::RDBASE.get(rdbase))),
    };
    let of = |Source { device, event }| {
        let (device, event) = (u64::from(device.get()), u64::from(event.get()));
        vec![("device", Hex(device)), ("event", Number(event))]
    };
    let with = |source, more: &[(&'static str, Part)]| [of(source).as_slice(), more].concat();
    let icid = |icid| ("icid", Number(u64::from(icid)));
    match command {
        Command::Movi { source, icid: to } => with(source, &[icid(to)]),
        Command::Int { source }
        | Command::Clear { source }
        | Command::Inv { source }
        | Command::Discard { source } => of(source),
        Command::Sync { rdbase } => vec![target("cpu", rdbase)],
        Command::Mapd { device, bits, itt, valid } => vec![
            ("device", Hex(u64::from(device.get()))),
            ("itt", Hex(itt)),
            ("bits", Number(u64::from(bits))),
            ("valid", Flag(valid)),
        ],
        Command::Mapc { icid: of, rdbase, valid } => {
            vec![icid(of), target("cpu", rdbase), ("valid", Flag(valid))]
        }
        // MAPI has no INTID field.
        Command::Mapti { source, icid: to, .. }
            if Opcode::of(number(words)) == Some(Opcode::Mapi) =>
        {
            with(source, &[icid(to)])
        }
        Command::Mapti { source, intid, icid: to } => {
            with(source, &[("intid", Number(u64::from(intid.get()))), icid(to)])
        }
        Command::Invall { icid: of } => vec![icid(of)],
        Command::Movall { from, to } => vec![target("cpu", from), target("to", to)],
    }
}

/// The bits of a command's fields.
fn known(words: &Words) -> Words {
    let all = |fields: &[Field]| fields.iter().fold(0, |mask, field| mask | field.mask());
    let of_device = Word0::OPCODE.mask() | Word0::DEVICE_ID.mask();
    let event = EventWord1::EVENT_ID.mask();
    let (icid, rdbase) = (CollectionWord2::ICID.mask(), CollectionWord2::RDBASE.mask());
    let valid = CollectionWord2::VALID.mask();
    let number = Word0::OPCODE.mask();
    match Opcode::of(self::number(words)) {
        Some(Opcode::Movi | Opcode::Mapi) => [of_device, event, icid, 0],
        Some(Opcode::Mapti) => {
            [of_device, all(&[EventWord1::EVENT_ID, EventWord1::PINTID]), icid, 0]
        }
        Some(Opcode::Int | Opcode::Clear | Opcode::Inv | Opcode::Discard) => {
            [of_device, event, 0, 0]
        }
        Some(Opcode::Mapd) => {
            [of_device, MapdWord1::SIZE.mask(), all(&[MapdWord2::ITT, MapdWord2::VALID]), 0]
        }
        Some(Opcode::Mapc) => [number, 0, icid | rdbase | valid, 0],
        Some(Opcode::Sync) => [number, 0, rdbase, 0],
        Some(Opcode::Invall) => [number, 0, icid, 0],
        Some(Opcode::Movall) => [number, 0, rdbase, MovallWord3::RDBASE2.mask()],
        _ => [number, 0, 0, 0],
    }
}

/// The fields of a register of the control frame, by its name without `GITS_`; empty for a register
/// without fields here.
pub fn register_fields(name: &str) -> &'static [(&'static str, Field)] {
    match name {
        "CTLR" => Ctlr::FIELDS,
        "TYPER" => Typer::FIELDS,
        "STATUSR" => Statusr::FIELDS,
        "UMSIR" => Umsir::FIELDS,
        "CBASER" => Cbaser::FIELDS,
        "CWRITER" => Cwriter::FIELDS,
        "CREADR" => Creadr::FIELDS,
        _ if name.starts_with("BASER") => Baser::FIELDS,
        _ => &[],
    }
}
