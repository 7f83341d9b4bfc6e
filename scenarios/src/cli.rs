//! The command line: arguments in, text or JSON out, an exit code.
//!
//! 0: all agreed. 1: something differed. 2: bad input, with file, line, column and a hint.

mod diff;
mod docs;
mod draw;
mod explain;
mod list;
mod machines;
mod manual;
mod output;
mod profiles;
mod progress;
mod replay;
mod run;
mod seeds;
mod setting;
mod walk;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{ArgAction, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::input_error::{Colour, nearest};
use output::Output;

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Ended {
    Agreed,
    Differed,
    BadInput,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        Self::from(match ended {
            Ended::Agreed => 0,
            Ended::Differed => 1,
            Ended::BadInput => 2,
        })
    }
}

/// A model of Arm device passthrough: SMMUs and interrupt controllers below, Linux VFIO above.
#[derive(Parser)]
#[command(name = "passim", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// Print JSON, for programs
    #[arg(long, global = true)]
    json: bool,
    /// Colours
    #[arg(long, global = true, value_enum, default_value_t = ColourChoice::Auto)]
    color: ColourChoice,
    /// Trace what happens inside, on standard error; twice for every detail
    #[arg(short = 'v', long = "trace", global = true, action = ArgAction::Count)]
    trace: u8,
}

const EXAMPLES: &str = "\
Examples:
  passim run scenarios/files                run every scenario below a folder
  passim run --bless map/first.scn          write what happened into a scenario
  passim replay tests/recordings            replay recordings of a real kernel
  passim replay --profile linux-6.1 order.jsonl
  passim diff --profiles msi-v9,linux-6.12 my.scn
                                            what a program sees when its host is upgraded
  passim explain my.scn:12                  why line 12 was refused, and what is accepted
  passim walk --dump dumps/smmu_s1v2_4k.json
                                            what the SMMU makes of dumped tables
  passim draw my.scn:12 --out my.html       the same as a picture: who reaches what, and how
  passim rules map-overlap                  what a rule demands, and where it is known from

Exit code: 0 all agreed, 1 something differed, 2 bad input.";

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ColourChoice {
    /// On a terminal
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

#[derive(Subcommand)]
enum Command {
    /// Run scenarios and compare what happens with what they say
    Run(run::Arguments),
    /// Replay recordings of a real kernel and compare every answer
    Replay(replay::Arguments),
    /// Run scenarios, or the calls of recordings, under two kernels and explain what differs
    Diff(diff::Arguments),
    /// Explain what happened in a line of a scenario, and what would have been accepted
    Explain(explain::Arguments),
    /// Put dumped translation tables before the SMMU and compare what it answers
    Walk(walk::Arguments),
    /// Draw a scenario as it stands after a line, or a machine, as one HTML page
    Draw(draw::Arguments),
    /// List the built-in machines, or show one
    Machines(machines::Machines),
    /// List the kernel profiles, show one's choices, or what two differ in
    Profiles(profiles::Arguments),
    /// Compare the generated pages of the documentation with what they should hold, or write them
    Docs(docs::Arguments),
    /// List the rules a request can be refused by, or show one
    Rules(list::Rules),
}

/// Runs the command that the process was started with.
pub fn main() -> ExitCode {
    let arguments = arguments();
    let mut output = Output::new(arguments.json, arguments.color, arguments.trace > 0);
    trace(arguments.trace, output.error_colour());
    let ended = match &arguments.command {
        Command::Run(arguments) => run::run(arguments, &mut output),
        Command::Replay(arguments) => replay::replay(arguments, &mut output),
        Command::Diff(arguments) => diff::diff(arguments, &mut output),
        Command::Explain(arguments) => explain::explain(arguments, &mut output),
        Command::Walk(arguments) => walk::walk(arguments, &mut output),
        Command::Draw(arguments) => draw::draw(arguments, &mut output),
        Command::Docs(arguments) => docs::docs(arguments, &mut output),
        Command::Machines(arguments) => machines::machines(arguments, &mut output),
        Command::Profiles(arguments) => profiles::profiles(arguments, &mut output),
        Command::Rules(arguments) => list::rules(arguments, &mut output),
    };
    output.finish(ended).into()
}

/// The arguments of the process; a subcommand of which no other is spelled alike is named too.
fn arguments() -> Arguments {
    Arguments::try_parse().unwrap_or_else(|mut error| {
        let given = match error.get(ContextKind::InvalidSubcommand) {
            Some(ContextValue::String(given)) => given.clone(),
            _ => error.exit(),
        };
        let commands = Arguments::command();
        let known: Vec<_> = commands.get_subcommands().map(|command| command.get_name()).collect();
        let is_suggested = error.get(ContextKind::SuggestedSubcommand).is_some();
        if let Some(meant) = nearest(&given, &known).filter(|_| !is_suggested) {
            let meant = ContextValue::Strings(vec![meant.to_owned()]);
            error.insert(ContextKind::SuggestedSubcommand, meant);
        }
        error.exit()
    })
}

/// Installs a subscriber for the events of all parts, if one is wanted.
fn trace(times: u8, colour: Colour) {
    let level = match times {
        0 => return,
        1 => tracing::Level::DEBUG,
        _ => tracing::Level::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(std::io::stderr)
        .with_ansi(colour == Colour::Ansi)
        .without_time()
        .init();
}
