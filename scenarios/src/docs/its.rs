//! Which commands of an ITS driver are needed, found by dropping each of them once.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `places` | where does Linux's driver send a command, and is it needed there? |
//! | `why` | why is a command needed, or not? |

mod places;
mod why;

use std::path::Path;

use passim_gic::choice::Preset;
use passim_gic::choice::adversarial::{DRAWN, LATE};
use passim_model::Rid;

use super::table;
use crate::chosen::Chosen;
use crate::input_error::{InputError, SourceText};
use crate::op::Op;
use crate::run::Runner;
use crate::run::files::run_with;
use crate::script::Script;
use crate::system::{Lost, LostCommand};
pub use places::Place;
use why::Step;
pub use why::Why;

/// Number of seeds tried before the loss of a command counts as unnoticed.
pub const SEEDS: u64 = 32;

/// The scenarios whose commands are dropped, below `scenarios/files/its`.
pub const LIVES: [&str; 4] =
    ["life.scn", "life-two-its.scn", "life-msi-v9.scn", "life-by-hand.scn"];

/// Those of them that run Linux's driver: a heading and the scenarios.
const DRIVERS: [(&str, &[&str]); 2] = [
    ("6.12: is it needed?", &["life.scn", "life-two-its.scn"]),
    ("v9 of the series: is it needed?", &["life-msi-v9.scn"]),
];

/// A dropped command and its consequence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Loss {
    /// The command.
    pub lost: Lost,
    /// The line of the scenario that made the driver send it.
    pub line: u64,
    /// The operation on that line.
    pub operation: String,
    /// The command in words.
    pub says: String,
    /// The command before it, in words.
    pub after: String,
    /// Whether it is needed, judged by what follows it.
    pub why: Why,
    /// Where Linux's driver sends it, if it does.
    pub place: Option<Place>,
    /// The first seed under which the outcome differs from the scenario, and the difference.
    pub missed: Option<Missed>,
}

/// A visible effect of a loss.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Missed {
    /// The seed.
    pub seed: u64,
    /// The line of the scenario.
    pub line: u64,
    /// What happened there.
    pub actual: String,
}

/// Drops every command of a scenario, one per run.
///
/// # Errors
/// Input that running the scenario refuses.
pub fn losses(script: &Script) -> Result<Vec<Loss>, InputError> {
    let mut losses = sent(script)?;
    for loss in &mut losses {
        loss.missed = missed(script, loss.lost)?;
    }
    Ok(losses)
}

/// The first seed under which a loss has a visible effect.
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
    let (mut steps, mut found) = (Vec::new(), Vec::new());
    let mut known: Vec<Vec<[u64; 4]>> = Vec::new();
    for block in script.blocks() {
        let op = Op::read(script.source(), &block.invocation)?;
        let operation = op.to_string();
        let outcome = runner.perform(&op).map_err(|error| error.at(script, block))?;
        steps.extend(configured(&operation));
        let now = runner.its_commands();
        known.resize(now.len(), Vec::new());
        for (its, commands) in (0u16..).zip(&now) {
            let old = &mut known[usize::from(its)];
            for (n, words) in commands.iter().enumerate().skip(old.len()) {
                steps.push(Step::Told { its, words: *words });
                let Some(command) = LostCommand::numbered(words[0] & 0xff) else { continue };
                let of_kind = commands[..=n].iter().filter(|it| it[0] & 0xff == command.number());
                let before = n.checked_sub(1).map(|n| text(&commands[n]));
                let lost = Lost { its, command, nth: of_kind.count() as u32 };
                let line = script.line_of(block);
                let operation = operation.clone();
                found.push((steps.len() - 1, lost, line, operation, text(words), before));
            }
            old.clone_from(commands);
        }
        steps.extend(looked(&operation, &outcome));
    }
    let losses = found.into_iter().filter_map(|(n, lost, line, operation, says, before)| {
        let (why, after) = (why::why(&steps, n)?, before.unwrap_or_default());
        let place = places::place(&steps, n);
        Some(Loss { lost, line, operation, says, after, why, place, missed: None })
    });
    Ok(losses.collect())
}

/// Whether an operation enables or disables LPIs: through a vector of a device, or a byte of the
/// configuration table.
fn configured(operation: &str) -> Option<Step> {
    let (verb, rest) = operation.split_once(' ').unwrap_or((operation, ""));
    let enabled = match verb {
        "enable" => true,
        "disable" => false,
        // The kernel's own devices enable theirs.
        "machine" => true,
        "lpi" => {
            let value = rest.split_once("value=0x")?.1;
            u8::from_str_radix(value.split(' ').next()?, 16).ok()? & 1 != 0
        }
        _ => return None,
    };
    Some(Step::Configured { enabled })
}

/// Whether an operation shows the effect of messages, or lets time pass. A message that is stopped
/// before it reaches an ITS shows nothing.
fn looked(operation: &str, outcome: &[String]) -> Option<Step> {
    let said = |key: &str| operation.split(' ').find_map(|word| word.strip_prefix(key));
    let number = |key: &str| {
        let said = said(key)?;
        let hexadecimal = said.strip_prefix("0x").map(|digits| u64::from_str_radix(digits, 16));
        hexadecimal.unwrap_or_else(|| said.parse()).ok()
    };
    // The machines of these scenarios use a function's requester ID as its DeviceID.
    let function = || Some(u64::from(Rid::parse(said("dev=")?)?.get()));
    let look = |event| Step::Look { device: number("device=").or_else(function), event };
    let arrived = || outcome.iter().any(|line| line.contains(" -> "));
    match operation.split(' ').next()? {
        "raise" => Some(look(number("vector="))),
        "write" if arrived() => Some(look(number("value="))),
        "message" => Some(look(number("event="))),
        "take" | "pending" => Some(Step::Look { device: None, event: None }),
        "settle" => Some(Step::Time),
        _ => None,
    }
}

/// `MAPTI of device 0x10 event 0`.
fn text(command: &[u64; 4]) -> String {
    let (device, event) = (command[0] >> 32, command[1] & 0xffff_ffff);
    let of = |name: &str| format!("{name} of device {device:#x} event {event}");
    match command[0] & 0xff {
        0x01 => of("MOVI"),
        0x03 => of("INT"),
        0x04 => of("CLEAR"),
        0x05 => format!("SYNC of {:#x}", command[2] >> 16 & 0xf_ffff_ffff),
        0x08 if command[2] >> 63 == 0 => format!("MAPD without V of device {device:#x}"),
        0x08 => format!("MAPD of device {device:#x}"),
        0x09 if command[2] >> 63 == 0 => format!("MAPC without V of {}", command[2] & 0xffff),
        0x09 => format!("MAPC of collection {}", command[2] & 0xffff),
        0x0a => of("MAPTI"),
        0x0b => of("MAPI"),
        0x0c => of("INV"),
        0x0d => format!("INVALL of collection {}", command[2] & 0xffff),
        0x0e => "MOVALL".to_owned(),
        0x0f => of("DISCARD"),
        other => format!("command {other:#x}"),
    }
}

/// The tables of the documentation: the commands that Linux's drivers need, by place, and one table
/// per scenario. `root` is the project's folder.
pub(super) fn synchronisation(root: &Path) -> Result<String, InputError> {
    let lives = LIVES.map(|life| {
        let path = root.join("scenarios/files/its").join(life);
        Ok((life, losses(&Script::parse(SourceText::read(&path)?)?)?))
    });
    let lives = lives.into_iter().collect::<Result<Vec<_>, InputError>>()?;
    let drivers = DRIVERS.map(|(driver, its)| {
        let lives = lives.iter().filter(|(life, _)| its.contains(life));
        (driver, lives.flat_map(|(_, losses)| losses).collect())
    });
    let mut text = vec![places::by_place(&drivers)];
    text.extend(lives.into_iter().map(|(life, losses)| of_life(life, losses)));
    Ok(text.join("\n"))
}

/// The commands dropped in one scenario, a row each.
fn of_life(life: &str, losses: Vec<Loss>) -> String {
    let rows = losses.into_iter().map(|loss| {
        let Loss { lost, line, operation, says, after, why, missed, .. } = loss;
        let seen = missed.map_or_else(
            || "nothing".to_owned(),
            |Missed { seed, line, actual }| format!("seed {seed}, line {line}: `{actual}`"),
        );
        let says = if after.is_empty() { says } else { format!("{says}, after {after}") };
        let needed = if why.needed { "yes" } else { "no" };
        let why = format!("{needed}: {}", why.text);
        vec![lost.to_string(), says, format!("{line}: `{operation}`"), why, seen]
    });
    let head = &["lost", "which is", "sent by line", "needed", "what is seen without it"];
    let link = format!("[{life}](../scenarios/files/its/{life})");
    format!("{link}\n\n{}", table(head, rows))
}

/// The choices that the adversarial preset draws at random.
pub(super) fn drawn() -> String {
    let once = DRAWN.iter().map(|point| {
        let home = format!("[`{}`](../gic/src/choice/{}.rs)", point.home, point.room);
        vec![point.point.to_owned(), point.values.join(", "), home]
    });
    let each = LATE.iter().map(|point| {
        let home = format!("[`{0}`](../gic/src/its/{0}.rs)", point.room);
        vec![point.of.to_owned(), point.until.to_owned(), home]
    });
    let once = table(&["left open", "drawn once, with the seed", "where"], once);
    let each = table(&["command", "drawn each time: until a SYNC covers it", "where"], each);
    format!("{once}\n{each}")
}
