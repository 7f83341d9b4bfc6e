//! Decoding one byte of the LPI configuration table.

use super::wire::LpiConfiguration;

/// A byte of the configuration table, as read by a redistributor with all bits of a priority.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Configured {
    /// Whether the LPI is enabled.
    pub enabled: bool,
    /// Its priority.
    pub priority: u8,
}

impl Configured {
    /// Decodes a byte.
    pub const fn of(byte: u8) -> Self {
        let word = byte as u64;
        let priority = LpiConfiguration::PRIORITY.in_place(word) as u8;
        Self { enabled: LpiConfiguration::ENABLE.is_set(word), priority }
    }
}
