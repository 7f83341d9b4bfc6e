//! Whether the machine of a file can be built, and which line of the file is why not.

use passim_model::Span;
use passim_model::bus::Overlap;
use passim_vfio::policy::Profile;

use super::assemble::AssemblyError;
use super::{Board, Pace, Setup, System, parts};
use crate::input_error::{InputError, InputKind, SourceText};
use crate::machine::Machine;

/// Puts the machine of a file together, and boots it with its own kernel. `None` where Linux boots;
/// where it does not, and the board alone can be, why not.
///
/// # Errors
/// The machine cannot be: its parts do not go together.
pub fn sound(machine: &Machine, source: &SourceText) -> Result<Option<String>, InputError> {
    Board::of(machine, Pace::Eager).map_err(|error| located(&error, machine, source))?;
    let profile: Profile = machine.profile.parse().unwrap_or_default();
    match System::new(machine, Setup::new(machine, profile)) {
        Ok(_) => Ok(None),
        Err(AssemblyError::Boot(error)) => Ok(Some(error.to_string())),
        Err(error) => Err(located(&error, machine, source)),
    }
}

fn located(error: &AssemblyError, machine: &Machine, source: &SourceText) -> InputError {
    let text = source.text();
    let at = |target, span| parts::place(target, span, machine, text);
    let (span, hint) = match error {
        AssemblyError::Overlap(clash) => {
            let Overlap { span, target, other } = clash.overlap;
            let place = at(target, span).or_else(|| at(other, span));
            (place, Some(parts::hint(target, machine)))
        }
        AssemblyError::Beyond(target, base, _) => {
            let hint = "its last byte lies above 2^64: move it down";
            let first = Span::new(*base, *base);
            (first.and_then(|first| at(*target, first)), Some(hint.to_owned()))
        }
        _ => (None, None),
    };
    let message = error.to_string();
    let error = match span {
        Some(span) => source.error(InputKind::Machine, span, message),
        None => InputError::in_file(InputKind::Machine, source.path(), message),
    };
    hint.into_iter().fold(error, InputError::with_hint)
}
