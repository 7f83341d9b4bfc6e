//! `passim draw`.

use std::fs;
use std::path::{Path, PathBuf};

use super::Ended;
use super::output::Output;
use super::setting::Settings;
use super::walk::explain::{Access, of_dump};
use crate::draw::{self, Form};
use crate::input_error::{InputError, InputKind, SourceText, is_standard_input};
use crate::replay::machine_named;
use crate::script::Script;

/// The name that stands for standard output.
const STANDARD_OUTPUT: &str = "-";

/// What to draw.
#[derive(clap::Args)]
#[command(after_help = "\
Of a scenario the page shows what happened up to the line, the machine as it stands then, each
container's device addresses beside the memory they lead to, where messages go, and an access: that
of the line, if a device makes one there, or the one asked for by --dev and --iova. Of a machine it
shows devices, groups, SMMUs and what takes messages. Of a dump it shows the translation that --sid
or --dev and --iova ask for. The page is one file and needs no network; --out NAME.svg writes the
figures alone.

Examples:
  passim draw scenarios/files/map/first.scn:17 --out first.html
  passim draw scenarios/files/series/story/msi-v9.scn:41 --out story.html
  passim draw my.scn --dev 00:01.0 --iova 0x10000 --write --out my.html
  passim draw armada-7040 --out board.html
  passim draw dumps/smmu_s1v2_mixed.json --sid 8 --iova 0x1000 --out walk.html")]
pub(super) struct Arguments {
    /// A scenario, a line of one, a machine, or a dump of an SMMU
    #[arg(value_name = "SCENARIO[:LINE]|MACHINE|DUMP")]
    what: String,
    /// The page to write (.html), or the picture (.svg); - writes a page to standard output
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    /// A kernel profile, in place of those the scenario names
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    access: Access,
}

pub(super) fn draw(arguments: &Arguments, output: &mut Output) -> Ended {
    let written = form(&arguments.out).and_then(|form| page(arguments, form)).and_then(|page| {
        if arguments.out.as_os_str() == STANDARD_OUTPUT {
            output.raw(&page);
            return Ok(());
        }
        let unwritable = |error: std::io::Error| {
            InputError::in_file(InputKind::Argument, &arguments.out, error.to_string())
                .with_hint("say a file that can be written")
        };
        fs::write(&arguments.out, page).map_err(unwritable)
    });
    match written {
        Ok(()) => Ended::Agreed,
        Err(error) => output.refused(&error),
    }
}

/// The form of the output, by the extension of its name.
fn form(out: &Path) -> Result<Form, InputError> {
    let extension = out.extension().map(|it| it.to_string_lossy().to_ascii_lowercase());
    match extension.as_deref() {
        Some("svg") => Ok(Form::Svg),
        Some("html" | "htm") => Ok(Form::Html),
        _ if out.as_os_str() == STANDARD_OUTPUT => Ok(Form::Html),
        _ => {
            Err(InputError::in_file(InputKind::Argument, out, "no page or picture has such a name")
                .with_hint(
                    "say a name that ends in .html or .svg, or - for a page on standard output",
                ))
        }
    }
}

fn page(arguments: &Arguments, form: Form) -> Result<String, InputError> {
    let (path, line) = match arguments.what.rsplit_once(':') {
        Some((path, line)) if line.parse::<u64>().is_ok() => (path, line.parse().ok()),
        _ => (arguments.what.as_str(), None),
    };
    if path.ends_with(".json") || path.ends_with(".json.zst") {
        let (asked, explanation) = of_dump(Path::new(path), &arguments.access)?;
        return Ok(draw::translation(path, &asked, &explanation, form));
    }
    if line.is_none() && !path.ends_with(".scn") && !is_standard_input(Path::new(path)) {
        return Ok(draw::machine(&machine_named(path)?, form));
    }
    let chosen = arguments.settings.chosen(arguments.profile.as_deref())?;
    let script = Script::parse(SourceText::read(Path::new(path))?)?;
    draw::scenario(&script, line, &chosen, arguments.access.of_device()?.as_ref(), form)
}
