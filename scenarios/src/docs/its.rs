//! Which commands of Linux's ITS driver are needed: found by losing each of them once.

use std::path::Path;

use passim_gic::choice::Preset;

use super::table;
use crate::chosen::Chosen;
use crate::input_error::{InputError, SourceText};
use crate::op::Op;
use crate::run::Runner;
use crate::run::files::run_with;
use crate::script::Script;
use crate::system::{Lost, LostCommand};

/// Most seeds that are tried before a command counts as not missed.
pub const SEEDS: u64 = 32;

/// A command that was lost, and what came of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// Which.
    pub lost: Lost,
    /// The line of the scenario that had it sent.
    pub line: u64,
    /// What is said on that line.
    pub operation: String,
    /// The command before it.
    pub after: String,
    /// The first seed under which something else happens than the scenario says, and what.
    pub missed: Option<Missed>,
}

/// What was seen of a loss.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missed {
    /// The seed.
    pub seed: u64,
    /// The line of the scenario.
    pub line: u64,
    /// What happened there.
    pub actual: String,
}

/// Loses every INV, INVALL and SYNC of a scenario, one at a time.
///
/// # Errors
/// What running it refuses.
pub fn losses(script: &Script) -> Result<Vec<Loss>, InputError> {
    let mut losses = sent(script)?;
    for loss in &mut losses {
        loss.missed = missed(script, loss.lost)?;
    }
    Ok(losses)
}

/// The first seed under which a loss shows.
fn missed(script: &Script, lost: Lost) -> Result<Option<Missed>, InputError> {
    for seed in 0..SEEDS {
        let gic = Some(Preset::Adversarial(seed));
        let chosen = Chosen { gic, lost: Some(lost), ..Chosen::default() };
        let report = run_with(script, &chosen)?;
        if let Some(difference) = report.differences.into_iter().next() {
            let new = difference.actual.iter().find(|line| !difference.expected.contains(*line));
            let actual = new.or(difference.actual.first()).cloned().unwrap_or_default();
            return Ok(Some(Missed { seed, line: difference.line, actual }));
        }
    }
    Ok(None)
}

/// The commands that can be lost, in the order in which they are sent.
fn sent(script: &Script) -> Result<Vec<Loss>, InputError> {
    let mut runner = Runner::new();
    let (mut known, mut found) = (0, Vec::new());
    let mut counts = [0; LostCommand::ALL.len()];
    for block in script.blocks() {
        let op = Op::read(script.source(), &block.invocation)?;
        runner.perform(&op).map_err(|error| error.at(script, block))?;
        let commands = runner.its_commands();
        for n in known..commands.len() {
            let number = commands[n][0] & 0xff;
            let kinds = LostCommand::ALL.into_iter().zip(&mut counts);
            let Some((command, count)) = { kinds }.find(|(kind, _)| kind.number() == number) else {
                continue;
            };
            *count += 1;
            let before = n.checked_sub(1).map_or_else(String::new, |n| text(&commands[n]));
            found.push(Loss {
                lost: Lost { command, nth: *count },
                line: script.line_of(block),
                operation: op.to_string(),
                after: before,
                missed: None,
            });
        }
        known = commands.len();
    }
    Ok(found)
}

/// `MAPTI of device 0x10 event 0`.
fn text(command: &[u64; 4]) -> String {
    let (device, event) = (command[0] >> 32, command[1] & 0xffff_ffff);
    let of = |name: &str| format!("{name} of device {device:#x} event {event}");
    match command[0] & 0xff {
        0x01 => of("MOVI"),
        0x05 => "SYNC".to_owned(),
        0x08 if command[2] >> 63 == 0 => format!("MAPD without V of device {device:#x}"),
        0x08 => format!("MAPD of device {device:#x}"),
        0x09 => format!("MAPC of collection {}", command[2] & 0xffff),
        0x0a => of("MAPTI"),
        0x0c => of("INV"),
        0x0d => format!("INVALL of collection {}", command[2] & 0xffff),
        0x0f => of("DISCARD"),
        other => format!("command {other:#x}"),
    }
}

/// The table of the documentation; `root` is the project's.
pub(super) fn synchronisation(root: &Path) -> Result<String, InputError> {
    let path = root.join("scenarios/files/its/life.scn");
    let script = Script::parse(SourceText::read(&path)?)?;
    let rows = losses(&script)?.into_iter().map(|loss| {
        let Loss { lost: Lost { command, nth }, line, operation, after, missed } = loss;
        let seen = missed.map_or_else(
            || "not missed".to_owned(),
            |Missed { seed, line, actual }| format!("seed {seed}, line {line}: `{actual}`"),
        );
        vec![format!("{}:{nth}", command.name()), after, format!("{line}: `{operation}`"), seen]
    });
    Ok(table(&["lost", "which follows", "sent by line", "without it"], rows))
}
