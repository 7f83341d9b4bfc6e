//! Generated tables of the documentation: capabilities, choices, rules, patches, and the commands
//! that a driver needs.
//!
//! A file is either generated whole, or contains generated parts between marks; the text around the
//! marks is written by hand and stays. `passim docs --write` writes the files, and a test fails
//! when they differ from what it would write.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `capabilities` | `capabilities.md`: what can an SMMUv3 be built with? |
//! | `policy`, `rules`, `series`, `patches` | `policy.md`, `rules.md`, `series.md`: what differs between kernels, and by what are requests refused? |
//! | [`its`], [`bugs`] | `its.md`: which commands does a driver need, and which known bugs are looked for? |

pub mod bugs;
mod capabilities;
pub mod its;
mod patches;
mod policy;
mod rules;
mod series;

pub use patches::{PATCHES, Patch};

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::input_error::{InputError, InputKind};

/// A file of the documentation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page {
    /// Its path.
    pub path: PathBuf,
    /// The text it should contain.
    pub text: String,
    /// Whether the file contains that text.
    pub is_current: bool,
}

/// The generated pages of the documentation in `folder`, a folder at the root of the project.
///
/// # Errors
/// A page that cannot be read, or whose marks are missing.
pub fn pages(folder: &Path) -> Result<Vec<Page>, InputError> {
    let root = folder.parent().unwrap_or(Path::new(""));
    let choices = choice_files(&root.join("scenarios/files/choices"));
    let whole = [
        ("capabilities.md", capabilities::page()),
        ("policy.md", policy::page(&choices)),
        ("rules.md", rules::page()),
    ];
    let mut pages: Vec<_> = whole
        .into_iter()
        .map(|(name, text)| {
            let path = folder.join(name);
            let is_current = fs::read_to_string(&path).is_ok_and(|now| now == text);
            Page { path, text, is_current }
        })
        .collect();
    let its = [
        ("drawn", its::drawn()),
        ("synchronisation", its::synchronisation(root)?),
        ("bugs", bugs::page()),
    ];
    pages.push(marked(folder.join("series.md"), &series::tables(&choices))?);
    pages.push(marked(folder.join("its.md"), &its)?);
    Ok(pages)
}

/// A page with hand-written text around generated tables.
fn marked(path: PathBuf, tables: &[(&str, String)]) -> Result<Page, InputError> {
    let now = fs::read_to_string(&path).map_err(|error| InputError::unreadable(&path, &error))?;
    let text = between_marks(&now, tables).ok_or_else(|| {
        InputError::in_file(InputKind::Unreadable, &path, "a mark is missing")
            .with_hint(format!("each table stands between `{BEGIN}NAME -->` and `{END}`"))
    })?;
    Ok(Page { is_current: now == text, path, text })
}

/// Names of the choices that have a scenario of their own.
fn choice_files(folder: &Path) -> BTreeSet<String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    let names = entries.filter_map(|entry| {
        let name = entry.ok()?.file_name().into_string().ok()?;
        name.strip_suffix(".scn").map(str::to_owned)
    });
    names.collect()
}

/// The marks around a table.
const BEGIN: &str = "<!-- generated: ";
const END: &str = "<!-- end -->";

/// `text` with the text between the marks of each table replaced; `None` if a mark is missing.
fn between_marks(text: &str, tables: &[(&str, String)]) -> Option<String> {
    let mut text = text.to_owned();
    for (name, table) in tables {
        let begin = format!("{BEGIN}{name} -->\n");
        let start = text.find(&begin)? + begin.len();
        let end = start + text[start..].find(END)?;
        text.replace_range(start..end, &format!("\n{table}\n"));
    }
    Some(text)
}

/// A table: its head, its rows.
fn table(head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let mut text = line(&head.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>());
    text.push_str(&line(&vec!["---".to_owned(); head.len()]));
    for row in rows {
        text.push_str(&line(&row.iter().map(|cell| cell.replace('|', "\\|")).collect::<Vec<_>>()));
    }
    text
}

/// The first line of a page that is generated whole.
const NOTICE: &str = "<!-- Written by `passim docs --write`. -->\n";

#[cfg(test)]
mod tests;
