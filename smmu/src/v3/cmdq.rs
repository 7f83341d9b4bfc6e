//! The Command queue: consumption, one command at a time, and its errors.
//! IHI 0070 G.b 4.1 and 7.1.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `decode` | what does a command mean, and is it legal? |
//! | `execute` | what does a command do? |

mod decode;
mod execute;

use crate::v3::wire::command::COMMAND_WORDS;
use crate::v3::wire::regs::{CmdqCons, CommandError, Cr0, Gerror};
use crate::v3::{Progress, SmmuV3};
pub(crate) use decode::Command;
use passim_model::{Memory, event};

/// The words of a command.
pub(crate) type CommandWords = [u64; COMMAND_WORDS];

impl SmmuV3 {
    /// Consumes the next command, if there is one and the queue is not stopped.
    pub(crate) fn consume(&mut self, memory: &mut Memory) -> Progress {
        // IHI 0070 G.b 4.1.2: enabled, not empty, and no error waiting for its acknowledgement.
        let enabled = self.registers.enabled(Cr0::CMDQEN);
        if !enabled || self.registers.error_active(Gerror::CMDQ_ERR) {
            return Progress::Idle;
        }
        let queue = self.registers.command_queue(&self.features);
        let (prod, cons) = (self.registers.cmdq_prod, self.registers.cmdq_cons);
        if queue.is_empty(prod, cons) {
            return Progress::Idle;
        }
        let fetched = memory.words(queue.entry(cons), COMMAND_WORDS);
        let decoded = match fetched {
            Err(_) => Err(CommandError::Abort),
            Ok(words) => self.decode(words.try_into().expect("as many words as asked for")),
        };
        let outcome = match decoded {
            // IHI 0070 G.b 3.9.1.4, 4.7.3: CMD_SYNC waits for the ATS invalidations before it.
            Ok(Command::Sync(_)) if !self.invalidations.waiting.is_empty() => {
                return Progress::Idle;
            }
            Ok(Command::Sync(_)) if core::mem::take(&mut self.invalidations.timed_out) => {
                Err(CommandError::AtcInvSync)
            }
            Ok(command) => {
                tracing::debug!(target: event::QUEUE, ?command, "consumed");
                self.execute(memory, command);
                Ok(())
            }
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) => {
                let errors = self.registers.cmdq_cons & CmdqCons::ERR.mask() as u32;
                self.registers.cmdq_cons = errors | queue.next(cons);
                self.counters.commands += 1;
                // IHI 0070 G.b 4.1.2: software that waits for room sleeps until an event. PROD and
                // CONS are registers, where software could see the queue full.
                if queue.is_full(prod, cons) {
                    self.cpu_event();
                }
            }
            Err(error) => {
                // IHI 0070 G.b 7.1: RD stays at the command, the reason comes first, then the
                // global error that stops the queue.
                tracing::debug!(target: event::QUEUE, ?error, cons, "stopped");
                let cons = u64::from(self.registers.cmdq_cons);
                self.registers.cmdq_cons = CmdqCons::ERR.set(cons, error as u64) as u32;
                self.activate_error(Gerror::CMDQ_ERR);
            }
        }
        Progress::Worked
    }
}

#[cfg(test)]
mod tests;
