//! `passim explain`.

use std::path::Path;

use super::Ended;
use super::output::Output;
use super::setting::{GicSettings, Settings, never_lost};
use crate::explain::{Explanation, explain as explain_line};
use crate::input_error::{InputError, InputKind, SourceText};
use crate::script::Script;
use crate::system::Lost;

/// What to explain.
#[derive(clap::Args)]
#[command(after_help = "\
The scenario is run to the line, which is that of an operation or of what happened below it. A refusal \
is told with the check that made it, where that check is known from, what it collided with, the checks \
that had passed before, and the nearest request that is accepted: a line to put in its place. That \
request was searched by making it, on a machine run to the line.

What hardware answered, an ITS or an SMMU, is told with the architecture's rule and its section, with \
commands that did nothing or that no SYNC follows, a scenario's own or those of the kernel's driver, \
and with what is answered after a SYNC, by other GICs, or with nothing lost.

Examples:
  passim explain scenarios/files/map/order-of-checks.scn:12
  passim explain my.scn:30 --profile linux-6.1
  passim explain my.scn:30 --gic adversarial --seed 7
  passim explain my.scn:30 --json")]
pub(super) struct Arguments {
    /// A scenario and a line of it
    #[arg(value_name = "SCENARIO:LINE", allow_hyphen_values = true)]
    place: String,
    /// A kernel profile, in place of those the scenario names
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    #[command(flatten)]
    settings: Settings,
    #[command(flatten)]
    controller: GicSettings,
}

pub(super) fn explain(arguments: &Arguments, output: &mut Output) -> Ended {
    match explained(arguments) {
        Ok((explanation, lost)) => {
            output.text(&explanation.to_string());
            output.json(&explanation);
            match lost.filter(|_| !explanation.lost) {
                Some(lost) => output.refused(&never_lost(lost)),
                None => Ended::Agreed,
            }
        }
        Err(error) => output.refused(&error),
    }
}

fn explained(arguments: &Arguments) -> Result<(Explanation, Option<Lost>), InputError> {
    let place = arguments.place.rsplit_once(':');
    let place = place.and_then(|(path, line)| Some((path, line.parse::<u64>().ok()?)));
    let (path, line) = place.filter(|(_, line)| *line > 0).ok_or_else(|| {
        let path = Path::new(&arguments.place);
        InputError::in_file(InputKind::Argument, path, "no line of a scenario")
            .with_hint("say SCENARIO:LINE, such as my.scn:12")
    })?;
    let chosen = arguments.settings.chosen(arguments.profile.as_deref())?;
    let chosen = arguments.controller.over(chosen)?;
    let script = Script::parse_as_far(SourceText::read(Path::new(path))?);
    Ok((explain_line(&script, line, &chosen)?, chosen.lost))
}
