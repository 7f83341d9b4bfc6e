//! Interrupts of Linux in a machine file: those that drivers of the kernel hold, and their numbers.

use serde::Deserialize;
use toml::Spanned;

use super::refuse;
use crate::input_error::{InputError, SourceText};
use crate::machine::HeldVector;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HeldFile {
    irq: Spanned<u32>,
    pub(super) vector: u16,
    name: String,
}

impl HeldFile {
    /// The vectors that a kernel's driver holds, ascending by interrupt number.
    pub(super) fn all(
        files: Vec<Self>,
        source: &SourceText,
    ) -> Result<Vec<HeldVector>, InputError> {
        let mut held = Vec::new();
        for Self { irq, vector, name } in files {
            held.push(HeldVector { irq: irq_number(&irq, source)?, vector, name });
        }
        held.sort_by_key(|held| held.irq);
        Ok(held)
    }
}

/// An interrupt number of Linux. It is a positive `int`, and never 0, which means none.
// 6.12 kernel/irq/internals.h: MAX_SPARSE_IRQS is INT_MAX.
pub(super) fn irq_number(irq: &Spanned<u32>, source: &SourceText) -> Result<u32, InputError> {
    const MOST: u32 = i32::MAX as u32;
    match *irq.get_ref() {
        number @ 1..MOST => Ok(number),
        number => {
            let message = format!("there is no interrupt number {number}");
            Err(refuse(source, irq.span(), message)
                .with_hint(format!("Linux has 1 to {}", MOST - 1)))
        }
    }
}
