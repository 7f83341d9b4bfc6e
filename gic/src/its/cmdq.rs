//! The command queue: consumption, one command at a time, and its errors. IHI 0069 H 5.2.

use super::command::{self, Words};
use super::error::{CommandError, Failure, Reason, Report};
use super::wire::command::{BYTES, WORDS};
use super::{Its, MOST_REPORTS, Spelled};
use crate::Progress;
use crate::choice::its::{CommandErrors, MemoryErrors, ReservedBits, UnknownCommands};
use passim_model::{Abort, Effect, Memory, PhysAddr, event};

/// Why a command was not performed, and whether the queue goes on whatever is chosen.
pub(super) struct Failed {
    pub(super) failure: Failure,
    pub(super) passed_over: bool,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self { failure, passed_over: false }
    }
}

impl Its {
    /// Consumes the next command, if there is one and nothing keeps the queue.
    pub(super) fn consume(&mut self, memory: &mut Memory) -> Progress {
        let registers = &self.registers;
        let Some(base) = registers.queue().filter(|_| registers.enabled && !registers.halted)
        else {
            return Progress::Idle;
        };
        // A pointer beyond the queue means nothing: no command is consumed before it is put right.
        let size = registers.queue_bytes();
        let (reader, writer) = (registers.creadr, registers.cwriter);
        if reader == writer || writer >= size || reader >= size {
            return Progress::Idle;
        }
        let outcome = match fetch(base, reader, memory) {
            Ok(words) => self.perform_words(&words, memory),
            Err(abort) => Err(Failed::from(Failure::Memory(abort.0))),
        };
        self.counters.commands += 1;
        match outcome {
            Ok(()) => self.advance(),
            Err(failed) => self.fail(failed),
        }
        Progress::Worked
    }

    fn perform_words(&mut self, words: &Words, memory: &mut Memory) -> Result<(), Failed> {
        let opcode = command::number(words);
        let strict = self.implementation.choices.reserved_bits == ReservedBits::Error;
        match command::decode(words) {
            Some(_) if strict && command::has_reserved_bits(words) => {
                Err(Failure::Command(CommandError { opcode, reason: Reason::ReservedBits }).into())
            }
            Some(command) => {
                let by_address = self.implementation.features.redistributors_at.is_some();
                let told = |words| Spelled::of(words, by_address);
                tracing::debug!(target: event::QUEUE, "its: consumed {}", told(words));
                self.perform(command, opcode, memory)
            }
            None => match self.implementation.choices.unknown_commands {
                UnknownCommands::Skip => Ok(()),
                UnknownCommands::Error => {
                    let reason = Reason::Unsupported;
                    Err(Failure::Command(CommandError { opcode, reason }).into())
                }
            },
        }
    }

    fn advance(&mut self) {
        let next = self.registers.creadr + BYTES;
        self.registers.creadr = if next >= self.registers.queue_bytes() { 0 } else { next };
    }

    fn fail(&mut self, Failed { failure, passed_over }: Failed) {
        let choices = &self.implementation.choices;
        let stalls = match failure {
            _ if passed_over => false,
            Failure::Command(error) => {
                let stalling = choices.command_errors == CommandErrors::Stall;
                stalling && !error.is_found_beyond_the_its()
            }
            Failure::Memory(_) => choices.memory_errors == MemoryErrors::Stall,
        };
        let reports = choices.command_errors == CommandErrors::Report;
        let signalled = reports && matches!(failure, Failure::Command(_));
        let offset = self.registers.creadr;
        tracing::debug!(target: event::QUEUE, %failure, stalls, "failed at {offset:#x}");
        self.counters.errors += 1;
        self.effects.extend(self.implementation.features.error_wire.map(Effect::Wire));
        if self.reports.len() == MOST_REPORTS {
            self.reports.pop_front();
        }
        let syndrome = failure.syndrome(choices.target_errors);
        let report = Report { offset, failure, syndrome, stalled: stalls, signalled };
        self.reports.push_back(report);
        if stalls {
            // CREADR stays at the command, so that software can put it right and retry.
            self.registers.stalled = true;
            self.registers.halted = true;
        } else {
            self.advance();
        }
    }
}

/// The command at an offset of the queue, which starts on a page of 4 KiB, so that no command
/// crosses one.
fn fetch(base: PhysAddr, offset: u64, memory: &Memory) -> Result<Words, Abort> {
    let at = base.checked_add(offset).ok_or(Abort(base))?;
    let words = memory.words(at, WORDS)?;
    words.try_into().map_err(|_| Abort(at))
}
