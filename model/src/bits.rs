//! Bit fields, named by position as specifications print them.
//!
//! A layout holds the positions of fields and nothing else; the code that uses it interprets them.
//! Two fields of one layout that overlap fail to compile.

/// A field of a 64-bit word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    high: u32,
    low: u32,
    is_address: bool,
}

/// The field `[high:low]`, as specifications print it: both bits included.
///
/// # Panics
/// Unless `low <= high <= 63`; in a `const`, where layouts are, that fails to compile.
pub const fn bits(high: u32, low: u32) -> Field {
    assert!(high < 64 && low <= high, "a field lies inside a 64-bit word");
    Field { high, low, is_address: false }
}

/// The field `[high:low]` of an address, whose bits have the positions that they have in the
/// address.
///
/// # Panics
/// As [`bits`].
pub const fn address(high: u32, low: u32) -> Field {
    Field { is_address: true, ..bits(high, low) }
}

/// The single-bit field `[n]`.
///
/// # Panics
/// As [`bits`].
pub const fn bit(n: u32) -> Field {
    bits(n, n)
}

impl Field {
    /// The bits of the word that belong to the field.
    pub const fn mask(self) -> u64 {
        (u64::MAX >> (63 - (self.high - self.low))) << self.low
    }

    /// Number of bits.
    pub const fn width(self) -> u32 {
        self.high - self.low + 1
    }

    /// Whether it holds bits of an address, in their positions.
    pub const fn is_address(self) -> bool {
        self.is_address
    }

    /// The highest bit of the field, 0 to 63.
    pub const fn high(self) -> u32 {
        self.high
    }

    /// The lowest bit of the field, 0 to 63.
    pub const fn low(self) -> u32 {
        self.low
    }

    /// The field's value in `word`, shifted down to bit 0.
    pub const fn get(self, word: u64) -> u64 {
        (word & self.mask()) >> self.low
    }

    /// Whether any bit of the field is set in `word`.
    pub const fn is_set(self, word: u64) -> bool {
        word & self.mask() != 0
    }

    /// The field's bits in `word`, left where they are: for addresses, whose fields print in
    /// place.
    pub const fn in_place(self, word: u64) -> u64 {
        word & self.mask()
    }

    /// `word` with the field replaced by `value`, of which the low [`Field::width`] bits are used.
    pub const fn set(self, word: u64, value: u64) -> u64 {
        word & !self.mask() | (value << self.low) & self.mask()
    }

    /// A word with only this field set, to `value`.
    pub const fn of(self, value: u64) -> u64 {
        self.set(0, value)
    }

    /// A word with only this field set, to a value as written in text: the field's value, or for a
    /// part of an address the whole address. `None` if the field cannot hold all of it.
    pub const fn of_said(self, said: u64) -> Option<u64> {
        let word = if self.is_address { self.in_place(said) } else { self.of(said) };
        if self.said(word) == said { Some(word) } else { None }
    }

    /// The field's value in `word` as written in text: the inverse of [`Self::of_said`].
    pub const fn said(self, word: u64) -> u64 {
        if self.is_address { self.in_place(word) } else { self.get(word) }
    }

    /// A word with only this field set, to 1 if `on`.
    pub const fn flag(self, on: bool) -> u64 {
        self.of(on as u64)
    }
}

/// Fails to compile (in a `const`) if two of the fields share a bit.
pub const fn assert_disjoint(fields: &[Field]) {
    let mut seen = 0u64;
    let mut i = 0;
    while i < fields.len() {
        assert!(seen & fields[i].mask() == 0, "two fields of a layout overlap");
        seen |= fields[i].mask();
        i += 1;
    }
}

/// Declares a layout: a unit type whose associated constants are [`Field`]s.
///
/// ```
/// passim_model::layout! {
///     /// The first doubleword of something.
///     pub struct Something0 {
///         /// Valid.
///         V = bit(0);
///         /// What it is.
///         KIND = bits(3, 1);
///     }
/// }
/// assert_eq!(Something0::KIND.get(0b1101), 0b110);
/// ```
#[macro_export]
macro_rules! layout {
    ($(#[$doc:meta])* $vis:vis struct $name:ident {
        $($(#[$field_doc:meta])* $field:ident = $place:ident($($position:literal),+);)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        $vis struct $name;

        #[allow(dead_code, reason = "a layout names every field its specification prints")]
        impl $name {
            $($(#[$field_doc])*
            $vis const $field: $crate::bits::Field = $crate::bits::$place($($position),+);)*

            /// Every field and its name, in the order of the layout.
            $vis const FIELDS: &'static [(&'static str, $crate::bits::Field)] =
                &[$((stringify!($field), Self::$field)),*];
        }

        const _: () =
            $crate::bits::assert_disjoint(&[$($crate::bits::$place($($position),+)),*]);
    };
}

#[cfg(test)]
mod tests;
