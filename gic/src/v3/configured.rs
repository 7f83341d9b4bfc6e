//! A byte of the LPI configuration table by itself, for whoever looks at one.

use super::wire::LpiConfiguration;

/// A byte of the configuration table, as any redistributor reads it that has every bit of a priority.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Configured {
    /// Whether the LPI is forwarded.
    pub enabled: bool,
    /// Its priority.
    pub priority: u8,
}

impl Configured {
    /// What a byte says.
    pub const fn of(byte: u8) -> Self {
        let word = byte as u64;
        let priority = LpiConfiguration::PRIORITY.in_place(word) as u8;
        Self { enabled: LpiConfiguration::ENABLE.is_set(word), priority }
    }
}
