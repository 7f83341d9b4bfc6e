//! How the interrupt controllers of a GICv3 are built, over what its preset says.

use passim_gic::choice::its::CommandErrors;
use passim_gic::v3;

use crate::chosen::NoSuch;
use crate::input_error::nearest;

/// What of a GICv3 is built otherwise than its preset has it.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct GicBuilt {
    /// What follows from a command that an ITS cannot perform.
    pub command_errors: Option<CommandErrors>,
    /// Bits of an EventID, 1 to 32: GITS_TYPER.ID_bits.
    pub event_bits: Option<u32>,
    /// LPIs by register: GICR_TYPER.DirectLPI.
    pub direct_lpi: Option<bool>,
}

/// The keys, each with the values it takes.
const KEYS: [(&str, &[&str]); 3] = [
    ("command-errors", &["ignore", "report", "stall"]),
    ("event-bits", &["1 to 32"]),
    ("direct-lpi", &["on", "off"]),
];

impl GicBuilt {
    /// Sets one by its name, whose words `-` or `_` separates.
    ///
    /// # Errors
    /// There is no such key, or it has no such value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), NoSuch> {
        let known = key.replace('_', "-");
        match known.as_str() {
            "command-errors" => self.command_errors = Some(command_errors(value)?),
            "event-bits" => {
                let bits = value.parse().ok().filter(|bits| (1..=32).contains(bits));
                self.event_bits = Some(bits.ok_or_else(|| no_value("event-bits", value))?);
            }
            "direct-lpi" => {
                self.direct_lpi = Some(match value {
                    "on" => true,
                    "off" => false,
                    _ => return Err(no_value("direct-lpi", value)),
                });
            }
            _ => return Err(no_key(key)),
        }
        Ok(())
    }

    /// What is set in `over` counts, and the rest as it is.
    pub fn under(self, over: Self) -> Self {
        Self {
            command_errors: over.command_errors.or(self.command_errors),
            event_bits: over.event_bits.or(self.event_bits),
            direct_lpi: over.direct_lpi.or(self.direct_lpi),
        }
    }

    /// Builds it so.
    pub(crate) fn apply(self, built: &mut v3::Implementation) {
        for its in &mut built.its {
            its.choices.command_errors = self.command_errors.unwrap_or(its.choices.command_errors);
            its.features.event_bits = self.event_bits.unwrap_or(its.features.event_bits);
        }
        let redistributors = &mut built.redistributors;
        redistributors.direct_lpi = self.direct_lpi.unwrap_or(redistributors.direct_lpi);
    }
}

/// The reaction to command errors of this name: `ignore`, `report` (as an SError) or `stall`.
///
/// # Errors
/// There is none.
fn command_errors(name: &str) -> Result<CommandErrors, NoSuch> {
    match name {
        "ignore" => Ok(CommandErrors::Skip),
        "report" => Ok(CommandErrors::Report),
        "stall" => Ok(CommandErrors::Stall),
        _ => Err(no_value("command-errors", name)),
    }
}

fn no_key(key: &str) -> NoSuch {
    let known = KEYS.map(|(key, _)| key);
    let hint = nearest(key, &known).map_or_else(
        || format!("keys: {}", known.join(", ")),
        |meant| format!("did you mean `{meant}`?"),
    );
    let message = format!("nothing of a GICv3 is called `{key}`");
    NoSuch { message, hint, is_value: false }
}

fn no_value(key: &str, value: &str) -> NoSuch {
    let takes = KEYS.iter().find(|(known, _)| *known == key).map_or(&[][..], |(_, takes)| takes);
    let message = format!("`{key}` has no value `{value}`");
    NoSuch { message, hint: format!("it takes {}", takes.join(", ")), is_value: true }
}

#[cfg(test)]
mod tests;
