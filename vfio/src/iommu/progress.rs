//! Progress of a list of acts, for every SMMU.

use super::synced::Synced;
use super::{BOOT_WAITS, BootError};
use passim_model::Host;

/// How far a worklist has come.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// It is complete.
    Done(Synced),
    /// It waits for hardware.
    Waiting,
}

/// Completes a worklist while nothing else runs.
///
/// # Errors
/// [`BootError::CommandTimeout`] if hardware makes no progress in time.
pub(super) fn finish<H: Host>(
    host: &mut H,
    mut advance: impl FnMut(&mut H) -> Progress,
) -> Result<(), BootError> {
    for _ in 0..BOOT_WAITS {
        match advance(host) {
            Progress::Done(_) => return Ok(()),
            Progress::Waiting => host.relax(),
        }
    }
    Err(BootError::CommandTimeout)
}
