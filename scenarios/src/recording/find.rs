//! Finds the recordings that a list of paths names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::find_files::files;
use crate::input_error::{InputError, InputKind, is_standard_input};

/// Name of the file that describes the machine of the recordings beside it.
pub const TOPOLOGY: &str = "topo.jsonl";

/// Name of the folder of dumps beside recordings.
pub const DUMPS: &str = "dumps";

/// A recording, with the files beside it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Found {
    /// The recording.
    pub recording: PathBuf,
    /// Its topology, an existing file.
    pub topology: PathBuf,
    /// The folder of its dumps, which may not exist.
    pub dumps: PathBuf,
}

impl Found {
    /// The recording's file name without `.jsonl` or `.jsonl.zst`.
    pub fn name(&self) -> String {
        let name = file_name(&self.recording);
        stem(&name).unwrap_or(&name).to_owned()
    }

    /// The file of a dump, plain or compressed, with a `file_stem` from
    /// [`super::step::Dump::file_stem`]. `None` if no such file exists.
    pub fn dump(&self, file_stem: &str) -> Option<PathBuf> {
        ["json", "json.zst"]
            .iter()
            .map(|extension| self.dumps.join(format!("{file_stem}.{extension}")))
            .find(|path| path.is_file())
    }
}

/// The recordings that `paths` name: a file stands for itself, a folder for every `.jsonl` and
/// `.jsonl.zst` below it except topologies and files in `dumps`. They are in the order of `paths`,
/// and sorted by name within a folder; duplicates are listed once.
///
/// # Errors
/// A path that cannot be read, a folder without recordings, a recording without a topology.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Found>, InputError> {
    let mut listed = BTreeSet::new();
    let mut found = Vec::new();
    for path in paths {
        let recordings = if path.is_dir() { below(path)? } else { vec![path.clone()] };
        for recording in recordings {
            if listed.insert(recording.clone()) {
                found.push(beside(recording)?);
            }
        }
    }
    Ok(found)
}

fn beside(recording: PathBuf) -> Result<Found, InputError> {
    let folder = recording.parent().unwrap_or(Path::new(""));
    let topology = folder.join(TOPOLOGY);
    let dumps = folder.join(DUMPS);
    if is_standard_input(&recording) {
        let message = "a recording is not read from standard input";
        return Err(InputError::in_file(InputKind::Recording, &recording, message)
            .with_hint(format!("its machine is in the {TOPOLOGY} beside it: name the file")));
    }
    if let Err(error) = fs::metadata(&recording) {
        return Err(InputError::unreadable(&recording, &error));
    }
    if !topology.is_file() {
        let message = format!("there is no {TOPOLOGY} beside this recording");
        return Err(InputError::in_file(InputKind::Recording, &recording, message)
            .with_hint("a recording is replayed on the machine that its topology describes"));
    }
    Ok(Found { recording, topology, dumps })
}

fn below(folder: &Path) -> Result<Vec<PathBuf>, InputError> {
    let enters = |folder: &Path| file_name(folder) != DUMPS;
    let recordings = files(folder, enters, |file| {
        let name = file_name(file);
        stem(&name).is_some() && name != TOPOLOGY
    })?;
    if recordings.is_empty() {
        return Err(InputError::in_file(InputKind::Recording, folder, "no recordings here")
            .with_hint("recordings are files named `<name>.jsonl` or `<name>.jsonl.zst`"));
    }
    Ok(recordings)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name of a recording without its extension; `None` for other files.
fn stem(name: &str) -> Option<&str> {
    name.strip_suffix(".zst").unwrap_or(name).strip_suffix(".jsonl")
}

#[cfg(test)]
mod tests;
