//! Decodes a word into fields, by the names the specification prints.
//!
//! Fields that are 0 are omitted, except where 0 has a meaning of its own.
//!
//! Not here: the names, which the layouts hold.

use passim_model::bits::Field;

/// A field and its value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Named {
    /// The field, as the specification prints it.
    pub name: &'static str,
    /// Its value, shifted down to bit 0; an address field keeps its bits in place.
    pub value: u64,
    /// Meaning of the value, where words say more than the number.
    pub meaning: Option<String>,
}

/// How a field is shown.
#[derive(Clone, Copy)]
pub(crate) enum Shown {
    /// Unless it is 0.
    Set,
    /// Always.
    Always,
    /// As an address.
    Address,
}
/// The fields of a layout in the order they are printed, and how each is shown.
pub(crate) type Layout = &'static [(&'static str, Field, Shown)];

/// The fields of a word; `meaning` puts a value into words.
pub(crate) fn named(
    layout: Layout,
    word: u64,
    meaning: impl Fn(&str, u64) -> Option<String>,
) -> Vec<Named> {
    let shown = layout
        .iter()
        .filter(|(_, field, shown)| matches!(shown, Shown::Always) || field.is_set(word));
    let named = |&(name, field, shown): &(&'static str, Field, Shown)| {
        let value =
            if matches!(shown, Shown::Address) { field.in_place(word) } else { field.get(word) };
        Named { name, value, meaning: meaning(name, value) }
    };
    shown.map(named).collect()
}
