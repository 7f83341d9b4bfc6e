//! Registers, structures, commands and records by the names of the specification, for text.
//!
//! Field names are those of the layouts: the specification's in capitals, with words separated
//! (`STREAM_ID` for StreamID). Records are only read, and their fields have the printed names. Not
//! here: the meaning of any of them.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `command` | which commands exist, with which fields? |
//! | `record` | which fields has an event record? |
//! | `register` | which registers exist, with which fields? |

mod command;
mod record;
mod register;

pub use command::{COMMANDS, Command};
pub use record::{RecordField, record_fields};
pub use register::{REGISTERS, Register};

use super::wire::cd::{CD_WORDS, Cd0, Cd1, Cd2, Cd3, Cd5, L1Cd};
use super::wire::pri::{PRI_WORDS, Pri0, Pri1};
use super::wire::ste::{L1Std, STE_WORDS, Ste0, Ste1, Ste2, Ste3, Ste4, Ste5};
use passim_model::bits::Field;

/// Fields of one word and their names.
pub type Fields = &'static [(&'static str, Field)];

/// A structure in memory: doublewords of fields.
#[derive(Clone, Copy, Debug)]
pub struct Structure {
    /// Its name in the specification.
    pub name: &'static str,
    /// Doublewords it takes, those without a named field included.
    pub words: usize,
    /// The fields of its doublewords.
    fields: &'static [&'static [Fields]],
}

/// A field of a [`Structure`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StructureField {
    /// Its name.
    pub name: &'static str,
    /// The doubleword it lies in, from 0 on.
    pub word: usize,
    /// Its position there.
    pub field: Field,
}

impl Structure {
    /// Its fields, ascending by doubleword.
    pub fn fields(&self) -> impl Iterator<Item = StructureField> {
        let words = self.fields.iter().enumerate();
        words.flat_map(|(word, layouts)| {
            let fields = layouts.iter().flat_map(|layout| layout.iter());
            fields.map(move |&(name, field)| StructureField { name, word, field })
        })
    }
}

/// The name of the register at an offset; `reserved` where there is none.
pub fn register_at(offset: u64) -> &'static str {
    let found = REGISTERS.iter().find(|register| register.offset == offset);
    found.map_or("reserved", |register| register.name)
}

/// L1STD. IHI 0070 G.b 5.1.
pub const L1STD: Structure = Structure { name: "L1STD", words: 1, fields: &[&[L1Std::FIELDS]] };

/// STE. IHI 0070 G.b 5.2.
pub const STE: Structure = Structure {
    name: "STE",
    words: STE_WORDS,
    fields: &[
        &[Ste0::FIELDS],
        &[Ste1::FIELDS],
        &[Ste2::FIELDS],
        &[Ste3::FIELDS],
        &[Ste4::FIELDS],
        &[Ste5::FIELDS],
    ],
};

/// L1CD. IHI 0070 G.b 5.3.
pub const L1CD: Structure = Structure { name: "L1CD", words: 1, fields: &[&[L1Cd::FIELDS]] };

/// CD. IHI 0070 G.b 5.4.
pub const CD: Structure = Structure {
    name: "CD",
    words: CD_WORDS,
    fields: &[&[Cd0::FIELDS], &[Cd1::FIELDS], &[Cd2::FIELDS], &[Cd3::FIELDS], &[], &[Cd5::FIELDS]],
};

/// A record of the PRI queue. IHI 0070 G.b chapter 8.
pub const PAGE_REQUEST: Structure = Structure {
    name: "page request",
    words: PRI_WORDS,
    fields: &[&[Pri0::FIELDS], &[Pri1::FIELDS]],
};

#[cfg(test)]
mod tests;
