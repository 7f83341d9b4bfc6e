//! The files below a folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::input_error::InputError;

/// Deepest nesting of folders searched.
const MAX_DEPTH: usize = 32;

/// The files below `folder` that `takes` accepts, sorted by path; folders that `enters` refuses are
/// skipped with everything below them.
///
/// # Errors
/// A folder that cannot be read.
pub(crate) fn files(
    folder: &Path,
    enters: impl Fn(&Path) -> bool,
    takes: impl Fn(&Path) -> bool,
) -> Result<Vec<PathBuf>, InputError> {
    let mut files = Vec::new();
    let mut folders = vec![(folder.to_owned(), 0)];
    while let Some((folder, depth)) = folders.pop() {
        let unreadable = |error| InputError::unreadable(&folder, &error);
        for entry in fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let path = entry.path();
            // A link to a folder is not followed, so the search cannot loop.
            if entry.file_type().map_err(unreadable)?.is_dir() {
                if depth < MAX_DEPTH && enters(&path) {
                    folders.push((path, depth + 1));
                }
            } else if takes(&path) {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
