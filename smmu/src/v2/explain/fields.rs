//! Decodes registers and descriptors into fields, by the names their specifications print.
//!
//! Fields that are 0 are omitted, except where 0 has a meaning of its own.

use super::registers::{Layout, Register};
use super::{Spelled, Step};
use crate::descriptor;
use crate::named::Named;
use passim_model::pgtable::vmsav7s::{
    Kind, LargePage, Section, SmallPage, Supersection, TableEntry,
};
use passim_model::pgtable::vmsav8::Entry;

impl Step {
    /// The section that defines this step: of IHI 0062 D.c, or of a document that it refers to.
    pub fn section(&self) -> String {
        match self {
            Self::Register(register) => format!("IHI 0062 D.c {}", register.section),
            Self::Bank(_) => "IHI 0062 D.c 2.3.4".to_owned(),
            Self::SecondBank(_) => "IHI 0062 D.c 10.2.1".to_owned(),
            Self::Hit { .. } | Self::CachedTable { .. } => "IHI 0062 D.c 5.1".to_owned(),
            Self::Descriptor { spelled: Some((Spelled::Short, _)), .. } => {
                "DDI 0406 B3.5.1".to_owned()
            }
            Self::Descriptor { .. } | Self::Leaf { .. } => "DDI 0487 D8.3".to_owned(),
            Self::Update { .. } => "IHI 0062 D.c 16.5.39".to_owned(),
        }
    }

    /// The fields of what was read, in the order of its layout.
    pub fn fields(&self) -> Vec<Named> {
        match *self {
            Self::Register(register) => register.fields(),
            Self::Descriptor { word, level, spelled: Some((Spelled::Short, entry)), .. } => {
                short_fields(word, level, entry)
            }
            Self::Descriptor { stage, word, spelled: Some((_, entry)), .. } => {
                descriptor::fields(stage, word, entry)
            }
            _ => Vec::new(),
        }
    }
}

impl Register {
    fn fields(&self) -> Vec<Named> {
        let [first, second] = self.layouts;
        let all = first.iter().chain(second);
        let shown = all.filter(|(name, field)| {
            field.is_set(self.value) || ALWAYS.contains(&(self.name, name))
        });
        let named = |&(name, field): &(&'static str, passim_model::bits::Field)| {
            let value =
                if name == "BASE" { field.in_place(self.value) } else { field.get(self.value) };
            let meaning = meaning(self.name, name, value).map(str::to_owned);
            Named { name: printed(name), value, meaning }
        };
        shown.map(named).collect()
    }
}

/// Fields whose 0 decides something.
const ALWAYS: &[(&str, &str)] = &[
    ("CR0", "CLIENTPD"),
    ("CR0", "USFCFG"),
    ("SMR", "ID"),
    ("SMR", "EXID"),
    ("S2CR", "TYPE"),
    ("S2CR", "CBNDX"),
    ("CBAR", "TYPE"),
    ("CBAR", "VMID"),
    ("CBA2R", "VA64"),
    ("SCTLR", "M"),
    ("TCR", "T0SZ"),
    ("TCR", "TG0"),
    ("TTBR0", "BASE"),
    ("TTBR0", "ASID"),
    ("CONTEXTIDR", "ASID"),
];

/// A field's name as the specification prints it.
fn printed(name: &'static str) -> &'static str {
    match name {
        "MEM_ATTR" => "MemAttr",
        "PASIZE" => "PASize",
        "FORMAT" => "Format",
        "BASE" => "ADDRESS",
        other => other,
    }
}

/// Meaning of a value, where words say more than the number.
fn meaning(register: &str, name: &str, value: u64) -> Option<&'static str> {
    Some(match (register, name, value) {
        ("CR0", "CLIENTPD", 0) => "translation is on",
        ("CR0", "CLIENTPD", _) => "everything bypasses",
        ("CR0", "USFCFG", 0) => "a stream without an entry bypasses",
        ("CR0", "USFCFG", _) => "a stream without an entry faults",
        ("S2CR", "TYPE", 0) => "translate",
        ("S2CR", "TYPE", 1) => "bypass",
        ("S2CR", "TYPE", _) => "fault",
        ("CBAR", "TYPE", 0) => "stage 2",
        ("CBAR", "TYPE", 1) => "stage 1, stage 2 bypassed",
        ("CBAR", "TYPE", 2) => "stage 1, stage 2 faults",
        ("CBAR", "TYPE", _) => "stage 1, then stage 2",
        ("CBA2R", "VA64", 0) => "tables of AArch32",
        ("CBA2R", "VA64", _) => "tables of AArch64",
        ("SCTLR", "M", 0) => "the bank is off",
        ("SCTLR", "CFCFG", _) => "faults stall",
        ("TCR", "TG0", 0) | ("TCR", "TG1", 2) => "4K",
        ("TCR", "TG0", 1) | ("TCR", "TG1", 3) => "64K",
        ("TCR", "TG0", 2) | ("TCR", "TG1", 1) => "16K",
        ("TCR", "EAE", _) => "long descriptors",
        ("FSR", "SS", _) => "a transaction waits",
        _ => return None,
    })
}

/// The fields of a short descriptor.
fn short_fields(word: u64, level: i8, entry: Entry) -> Vec<Named> {
    let kind = u8::try_from(level).ok().and_then(|level| Kind::of(word as u32, level));
    let layouts: [Layout; 2] = match (entry, kind) {
        (Entry::Table(_), _) => [TableEntry::FIELDS, &[]],
        (_, Some(Kind::SmallPage)) => [SmallPage::FIELDS, &[]],
        (_, Some(Kind::LargePage)) => [LargePage::FIELDS, &[]],
        (_, Some(Kind::Section)) => [Section::FIELDS, &[]],
        (_, Some(Kind::Supersection)) => [Section::FIELDS, Supersection::FIELDS],
        (_, None) => return Vec::new(),
    };
    // The address is shown with the descriptor.
    let address = |name: &str| name.starts_with("OA") || name == "TABLE";
    let all = layouts.into_iter().flatten();
    let shown = all.filter(|(name, field)| {
        !address(name) && (field.is_set(word) || matches!(*name, "AP" | "AP2" | "TEX"))
    });
    shown
        .map(|&(name, field)| {
            let (name, value) = (short_name(name), field.get(word));
            Named { name, value, meaning: None }
        })
        .collect()
}

/// A field's name as DDI 0406 prints it.
fn short_name(name: &'static str) -> &'static str {
    match name {
        "AP" => "AP[1:0]",
        "AP2" => "AP[2]",
        "NG" => "nG",
        "DOMAIN" => "Domain",
        other => other,
    }
}
