//! Models with one defect each, as edits of the code, which tests must detect.
//!
//! The lists are beside `tests/mutants/main.rs`, which builds them. A list that no longer fits the
//! code fails `tests/its`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use passim::docs::bugs::BUGS;
use serde::Deserialize;

/// A model with one defect.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// The row of docs/its.md whose tests have to detect it.
    pub row: u8,
    /// The defect, in words.
    pub what: String,
    /// The edits that cause it.
    pub edits: Vec<Edit>,
}

/// An edit of one file.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// Path below the root of the project.
    pub file: PathBuf,
    /// A text that occurs in it exactly once.
    pub find: String,
    /// Its replacement.
    pub replace: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    mutant: Vec<Mutant>,
}

/// The mutants of the ITS, and of the redistributors behind it.
///
/// # Errors
/// In words, if the list is malformed.
pub fn its() -> Result<Vec<Mutant>, String> {
    let list: Result<List, _> = toml::from_str(include_str!("../mutants/its.toml"));
    list.map(|list| list.mutant).map_err(|error| error.to_string())
}

impl Mutant {
    /// The files it changes, with their new contents.
    ///
    /// # Errors
    /// In words: a file cannot be read, or does not contain the text exactly once.
    pub fn files(&self, root: &Path) -> Result<BTreeMap<PathBuf, String>, String> {
        let mut files = BTreeMap::new();
        for Edit { file, find, replace } in &self.edits {
            let text = match files.remove(file) {
                Some(text) => text,
                None => std::fs::read_to_string(root.join(file))
                    .map_err(|error| format!("{}: {error}", file.display()))?,
            };
            let times = text.matches(find.as_str()).count();
            if times != 1 {
                return Err(format!("{}: occurs {times} times: {find}", file.display()));
            }
            files.insert(file.clone(), text.replacen(find.as_str(), replace, 1));
        }
        Ok(files)
    }

    /// The tests that have to detect it, as package and name.
    pub fn tests(&self) -> Vec<(String, String)> {
        let row = BUGS.iter().filter(|bug| bug.number == self.row);
        row.flat_map(|bug| bug.tests).map(|(file, name)| test(file, name)).collect()
    }
}

/// The package of a test in this file, and its name there.
fn test(file: &str, name: &str) -> (String, String) {
    let (folder, rest) = file.split_once("/src/").unwrap_or((file, ""));
    let module = rest.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
    (format!("passim-{folder}"), format!("{module}::{name}"))
}
