//! `passim docs`.

use std::fs;
use std::path::PathBuf;

use serde::Serialize;

use super::Ended;
use super::output::Output;
use crate::docs::pages;
use crate::input_error::{InputError, InputKind};

/// Which documentation.
#[derive(clap::Args)]
#[command(after_help = "\
Capabilities, choices, rules and patches are listed in the documentation as the program knows
them. Without --write nothing is changed, and the exit code is 1 if a page is stale.

Examples:
  passim docs              whether the pages are current
  passim docs --write      write those that are not")]
pub(super) struct Arguments {
    /// The folder of the documentation
    #[arg(default_value = "docs")]
    folder: PathBuf,
    /// Write the pages
    #[arg(long)]
    write: bool,
}

/// A page, for programs.
#[derive(Serialize)]
struct PageDocument {
    file: String,
    /// Whether it was current before this command.
    current: bool,
    written: bool,
}

pub(super) fn docs(arguments: &Arguments, output: &mut Output) -> Ended {
    let pages = match pages(&arguments.folder) {
        Ok(pages) => pages,
        Err(error) => return output.refused(&error),
    };
    let mut ended = Ended::Agreed;
    let mut documents = Vec::new();
    for page in pages {
        let file = page.path.display().to_string();
        let written = arguments.write && !page.is_current;
        if written && let Err(error) = fs::write(&page.path, &page.text) {
            let message = format!("cannot write: {error}");
            return output.refused(&InputError::in_file(
                InputKind::Unwritable,
                &page.path,
                message,
            ));
        }
        let state = match (page.is_current, written) {
            (true, _) => "current",
            (false, true) => "written",
            (false, false) => {
                ended = Ended::Differed;
                "stale: `passim docs --write` writes it"
            }
        };
        output.text(&format!("{file}: {state}"));
        documents.push(PageDocument { file, current: page.is_current, written });
    }
    output.json(&documents);
    ended
}
