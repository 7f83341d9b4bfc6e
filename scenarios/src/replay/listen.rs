//! The model's answers to the calls of a recording, whatever the recorded answers.
//!
//! For comparing kernels with one another. Dumps of tables and oracles of random traces, which
//! describe the recorded machine, are skipped.

use passim_model::Refusal;
use passim_vfio::Pid;
use passim_vfio::call::{Answer, Call};

use super::perform::{Taken, width};
use super::report::RuleNote;
use super::requests::{describe_random_map, describe_random_unmap};
use super::select::{Choices, select};
use super::{Progress, Replayer, look_ahead, words};
use crate::input_error::InputError;
use crate::recording::line::{Answer as RecordedAnswer, Line};
use crate::recording::step::{Mmio, Step};
use crate::recording::{Found, Record, Recording};

/// A call, and the model's answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The call.
    pub call: String,
    /// The answer, in words.
    pub said: Vec<String>,
    /// The bytes of the answer, in hexadecimal, where words do not contain all of them.
    pub bytes: Option<String>,
    /// The rule that refused it, if any.
    pub rule: Option<RuleNote>,
}

/// Makes the calls of a recording and passes the answers to `take`, line by line; stops when `take`
/// returns `false`.
///
/// # Errors
/// As [`replay`](super::replay).
pub fn listen(
    found: &Found,
    choices: &Choices,
    mut take: impl FnMut(Vec<Heard>, Progress) -> bool,
) -> Result<(), InputError> {
    let selected = select(found, choices)?;
    let placements = look_ahead(found, &selected.machine)?;
    let lines = placements.lines;
    let mut replayer = Replayer::new(found, selected, placements)?;
    replayer.expected = None;
    replayer.heard = Some(Vec::new());
    for record in Recording::open(&found.recording)? {
        let Record { line, content } = record?;
        replayer.move_pages();
        let goes_on = replayer.hear(line, &content)?;
        let heard = replayer.heard.as_mut().map(std::mem::take).unwrap_or_default();
        replayer.moving.extend_from_slice(replayer.placements.moves(line));
        if !take(heard, Progress { line, lines }) || !goes_on {
            break;
        }
    }
    Ok(())
}

impl Replayer<'_> {
    /// Performs a line; `false` if no later line can be performed.
    pub(super) fn hear(&mut self, number: u64, line: &Line) -> Result<bool, InputError> {
        match line {
            Line::Step(Step::Dump(_)) | Line::Answer(RecordedAnswer::Expect(_)) => {}
            Line::Answer(RecordedAnswer::Status(_)) => {
                if let Some(pid) = self.pid() {
                    let kib = self.system.kernel.locked_kib(pid);
                    self.note("status", format!("VmLck {kib} kB"), None);
                }
            }
            Line::Step(Step::MmioRead(Mmio { dev, bar, off, size, .. })) => {
                let width = width(*size);
                if let Some(value) = self.system.load_device(*dev, *bar, *off, width) {
                    self.note(format!("register {off:#x} of {dev}"), format!("{value:#x}"), None);
                }
            }
            Line::Step(Step::Peek(peek)) => {
                let Some(pid) = self.pid() else { return Ok(true) };
                let call = format!("peek {}", peek.va);
                match self.system.read_memory(pid, peek.va, peek.bytes.len()) {
                    Ok(bytes) => self.note(call, hex::encode(bytes), None),
                    Err(refusal) => self.note(call, refusal.errno.to_string(), Some(&refusal)),
                }
            }
            _ => match self.line(number, line) {
                Taken::Unreadable(error) => return Err(error),
                Taken::Broken(difference) => {
                    self.note(difference.call, difference.model, None);
                    return Ok(false);
                }
                _ => self.name_call(line),
            },
        }
        Ok(true)
    }

    fn note(&mut self, call: impl Into<String>, said: String, refusal: Option<&Refusal>) {
        let rule = refusal.map(RuleNote::from);
        if let Some(heard) = &mut self.heard {
            heard.push(Heard { call: call.into(), said: vec![said], bytes: None, rule });
        }
    }

    /// Keeps the answer of a call, if answers are collected.
    pub(super) fn overhear(&mut self, pid: Pid, made: &Call, answer: &Answer) {
        let kernel = &self.system.kernel;
        let file = words::file_of(made, &kernel.open_files(pid));
        let policy = kernel.policy();
        let (said, bytes) = words::answer(policy, made, file, answer);
        let rule = answer.ret.as_ref().err().map(RuleNote::from);
        let call = words::call(made, file);
        if let Some(heard) = &mut self.heard {
            heard.push(Heard { call, said, bytes, rule });
        }
        if let Err(refusal) = answer.ret {
            self.refused = Some((pid, made.clone(), refusal));
        }
    }

    /// Names the call of a random trace by the line's own fields: its memory has no fixed address.
    fn name_call(&mut self, line: &Line) {
        let call = match line {
            Line::RandomMap(line) => describe_random_map(line),
            Line::RandomUnmap(line) => describe_random_unmap(line),
            _ => return,
        };
        if let Some(heard) = self.heard.as_mut().and_then(|heard| heard.last_mut()) {
            heard.call = call;
        }
    }
}
