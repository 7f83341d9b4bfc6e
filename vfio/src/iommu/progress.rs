//! How far a list of acts came, whichever SMMU's it is.

use super::synced::Synced;
use super::{BOOT_WAITS, BootError};
use passim_model::Host;

/// How far a worklist came.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// To its end.
    Done(Synced),
    /// Hardware has to move first.
    Waiting,
}

/// Goes on with a worklist to its end while nothing else runs.
///
/// # Errors
/// [`BootError::CommandTimeout`] if hardware does not move in time.
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
