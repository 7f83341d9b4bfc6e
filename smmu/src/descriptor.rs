//! Decodes 64-bit translation table descriptors into named fields, for reports.
//!
//! Not here: how a walk interprets one (`passim_model::pgtable`), and 32-bit descriptors.

use crate::named::{Layout, Named, Shown, named};
use Shown::{Always, Set};
use passim_model::pgtable::vmsav8::{
    Entry, Form, Granule, Stage, Stage1Leaf, Stage2Leaf, TableLimits, Vmsav8,
};
use passim_model::pgtable::walk::{Config, Format};

const TABLE: Layout = &[
    ("PXNTable", TableLimits::PXN_TABLE, Set),
    ("XNTable", TableLimits::XN_TABLE, Set),
    ("APTable[0]", TableLimits::AP_TABLE_NO_UNPRIVILEGED, Set),
    ("APTable[1]", TableLimits::AP_TABLE_READ_ONLY, Set),
    ("NSTable", TableLimits::NS_TABLE, Set),
];

const STAGE1: Layout = &[
    ("AttrIndx", Stage1Leaf::ATTR_INDX, Always),
    ("NS", Stage1Leaf::NS, Set),
    ("AP[1]", Stage1Leaf::AP_UNPRIVILEGED, Always),
    ("AP[2]", Stage1Leaf::AP_READ_ONLY, Always),
    ("SH", Stage1Leaf::SH, Set),
    ("AF", Stage1Leaf::AF, Always),
    ("nG", Stage1Leaf::NG, Set),
    ("DBM", Stage1Leaf::DBM, Set),
    ("Contiguous", Stage1Leaf::CONTIGUOUS, Set),
    ("PXN", Stage1Leaf::PXN, Set),
    ("UXN", Stage1Leaf::XN, Set),
    ("software", Stage1Leaf::SOFTWARE, Set),
];

const STAGE2: Layout = &[
    ("MemAttr", Stage2Leaf::MEM_ATTR, Always),
    ("S2AP[0]", Stage2Leaf::S2AP_READ, Always),
    ("S2AP[1]", Stage2Leaf::S2AP_WRITE, Always),
    ("SH", Stage2Leaf::SH, Set),
    ("AF", Stage2Leaf::AF, Always),
    ("DBM", Stage2Leaf::DBM, Set),
    ("Contiguous", Stage2Leaf::CONTIGUOUS, Set),
    ("XN", Stage2Leaf::XN, Set),
    ("software", Stage2Leaf::SOFTWARE, Set),
];

/// Decodes a descriptor of these tables; `None` for short descriptors.
pub(crate) fn decoded(tables: &Config, level: i8, word: u64) -> Option<Entry> {
    let form = Form { output_bits: tables.implemented_bits, ds: tables.ds };
    match (tables.format, tables.granule) {
        (Format::Short { .. }, _) => None,
        (_, Granule::K4) => Some(Vmsav8::<12>::decode_in(word, level, form)),
        (_, Granule::K16) => Some(Vmsav8::<14>::decode_in(word, level, form)),
        (_, Granule::K64) => Some(Vmsav8::<16>::decode_in(word, level, form)),
    }
}

/// The fields of a descriptor that decodes as `entry`.
pub(crate) fn fields(stage: Stage, word: u64, entry: Entry) -> Vec<Named> {
    match (entry, stage) {
        (Entry::Invalid, _) | (Entry::Table(_), Stage::Two) => Vec::new(),
        (Entry::Table(_), Stage::One) => named(TABLE, word, meaning),
        (Entry::Leaf(_), Stage::One) => named(STAGE1, word, meaning),
        (Entry::Leaf(_), Stage::Two) => named(STAGE2, word, meaning),
    }
}

/// Meaning of a value, where words say more than the number.
fn meaning(name: &str, value: u64) -> Option<String> {
    let text = match (name, value) {
        ("AP[1]", 0) => "privileged accesses only",
        ("AP[1]", _) => "unprivileged accesses too",
        ("AP[2]", 0) => "read and write",
        ("AP[2]", _) => "read-only",
        _ => return None,
    };
    Some(text.to_owned())
}
