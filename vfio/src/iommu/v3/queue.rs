//! The command queue, as its producer sees it.
//!
//! Both indices are kept as counts that never wrap; the registers hold their low bits, one bit more
//! than an index needs, so that a full queue differs from an empty one.

use super::command::Command;
use super::probe::SyncSignal;
use super::wire::{
    CMDQ_ERR_CERROR_ABT_IDX, CMDQ_ERR_CERROR_ATC_INV_IDX, CMDQ_ERR_CERROR_ILL_IDX, CmdqCons,
    Gerror, offset,
};
use crate::iommu::finding::{CommandError, Finding, Findings};
use crate::iommu::registers::Registers;
use crate::iommu::synced::Synced;
use passim_model::{Host, PhysAddr};

/// Whether a SYNC follows a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::iommu) enum Ending {
    /// Yes; the [`Ticket`] identifies it.
    Sync,
    /// No.
    Open,
}

/// A submitted SYNC: the number of commands up to and including it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::iommu) struct Ticket(u64);

/// The result of a submission.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Submitted {
    /// Queued, no CMD_SYNC yet.
    Open,
    /// Queued with its CMD_SYNC.
    Sync(Ticket),
    /// No room; nothing queued.
    Full,
}

/// The queue. See the [module](self).
#[derive(Debug)]
pub(super) struct CommandQueue {
    base: PhysAddr,
    lg2: u32,
    signal: SyncSignal,
    produced: u64,
    consumed: u64,
}

const ENTRY_BYTES: u64 = 16;

impl CommandQueue {
    /// An empty queue of `1 << lg2` entries in memory at `base`.
    pub(super) fn new(base: PhysAddr, lg2: u32, signal: SyncSignal) -> Self {
        Self { base, lg2, signal, produced: 0, consumed: 0 }
    }

    /// The address of the entry with this count.
    fn slot(&self, count: u64) -> PhysAddr {
        let index = count & ((1 << self.lg2) - 1);
        PhysAddr::new(self.base.get() + index * ENTRY_BYTES)
    }

    /// The low bits of a count that a register holds: the index and the wrap bit.
    fn wrapped(&self, count: u64) -> u64 {
        count & ((2 << self.lg2) - 1)
    }

    fn room(&self) -> u64 {
        (1 << self.lg2) - (self.produced - self.consumed)
    }

    /// Writes `commands`, and a SYNC if asked, and stores CMDQ_PROD once for all of them.
    ///
    /// Reads CMDQ_CONS again only where the last known room is too small.
    pub(super) fn submit(
        &mut self,
        registers: Registers,
        commands: &[Command],
        ending: Ending,
        findings: &mut Findings,
        host: &mut impl Host,
    ) -> Submitted {
        let needed = commands.len() as u64 + u64::from(ending == Ending::Sync);
        if self.room() < needed {
            self.read_consumed(registers, findings, host);
            if self.room() < needed {
                self.recover(registers, findings, host);
                return Submitted::Full;
            }
        }
        for command in commands {
            self.write(*command, findings, host);
        }
        if ending == Ending::Sync {
            let slot = self.slot(self.produced);
            self.write(Command::sync(self.signal, slot), findings, host);
        }
        let producer = self.wrapped(self.produced);
        if let Err(abort) = registers.store(offset::CMDQ_PROD, producer, host) {
            findings.push(Finding::NoAnswer(abort));
        }
        match ending {
            Ending::Sync => Submitted::Sync(Ticket(self.produced)),
            Ending::Open => Submitted::Open,
        }
    }

    fn write(&mut self, command: Command, findings: &mut Findings, host: &mut impl Host) {
        overwrite(self.slot(self.produced), command, findings, host);
        self.produced += 1;
    }

    /// The proof that everything up to `ticket` is complete, if it is.
    pub(super) fn completed(
        &mut self,
        registers: Registers,
        ticket: Ticket,
        findings: &mut Findings,
        host: &mut impl Host,
    ) -> Option<Synced> {
        if self.consumed < ticket.0 {
            match self.signal {
                SyncSignal::Bare | SyncSignal::Consumed => {
                    self.read_consumed(registers, findings, host)
                }
                SyncSignal::Message => self.read_message(ticket, host),
            }
        }
        if self.consumed < ticket.0 {
            self.recover(registers, findings, host);
            return None;
        }
        Some(Synced::by_command_sync())
    }

    /// Reads CMDQ_CONS and advances the consumed count.
    fn read_consumed(
        &mut self,
        registers: Registers,
        findings: &mut Findings,
        host: &mut impl Host,
    ) {
        let cons = match registers.load(offset::CMDQ_CONS, host) {
            Ok(cons) => cons,
            Err(abort) => return findings.push(Finding::NoAnswer(abort)),
        };
        let step = self.wrapped(cons.wrapping_sub(self.consumed));
        if step <= self.produced - self.consumed {
            self.consumed += step;
        } else if self.signal != SyncSignal::Message {
            // Beyond everything produced: accepting it would complete commands that are not
            // complete. (With messages the index may lag behind them, and is ignored.)
            findings.push(Finding::ConsumerIndex(cons as u32));
        }
    }

    /// Checks for the message of a SYNC, which overwrites the command.
    fn read_message(&mut self, ticket: Ticket, host: &mut impl Host) {
        let word = host.memory().load_u64(self.slot(ticket.0 - 1));
        if word.is_ok_and(|word| word as u32 == 0) {
            self.consumed = ticket.0;
        }
    }

    /// Handles a global error, if one is active. Called only while a wait makes no progress.
    pub(super) fn recover(
        &mut self,
        registers: Registers,
        findings: &mut Findings,
        host: &mut impl Host,
    ) {
        let loaded = registers
            .load(offset::GERROR, host)
            .and_then(|gerror| Ok((gerror, registers.load(offset::GERRORN, host)?)));
        let (gerror, acknowledged) = match loaded {
            Ok(both) => both,
            Err(abort) => return findings.push(Finding::NoAnswer(abort)),
        };
        let active = gerror ^ acknowledged;
        if active == 0 {
            return;
        }
        findings.push(Finding::GlobalError(active as u32));
        if Gerror::SFM_ERR.is_set(active) {
            // The SMMU is in service failure mode: Linux turns it off.
            let _ = registers.store(offset::CR0, 0, host);
        }
        if Gerror::CMDQ_ERR.is_set(active) {
            self.skip_refused(registers, findings, host);
        }
        if let Err(abort) = registers.store(offset::GERRORN, gerror, host) {
            findings.push(Finding::NoAnswer(abort));
        }
    }

    /// Overwrites the command that the SMMU refused with a SYNC, so that the queue continues.
    fn skip_refused(
        &mut self,
        registers: Registers,
        findings: &mut Findings,
        host: &mut impl Host,
    ) {
        let cons = match registers.load(offset::CMDQ_CONS, host) {
            Ok(cons) => cons,
            Err(abort) => return findings.push(Finding::NoAnswer(abort)),
        };
        let slot = self.slot(cons);
        let command = host.memory().words(slot, 2).map_or([0; 2], |words| [words[0], words[1]]);
        let reason = match CmdqCons::ERR.get(cons) {
            CMDQ_ERR_CERROR_ILL_IDX => CommandError::Illegal,
            CMDQ_ERR_CERROR_ABT_IDX => CommandError::Fetch,
            CMDQ_ERR_CERROR_ATC_INV_IDX => CommandError::AtcInvalidation,
            0 => CommandError::None,
            other => CommandError::Unknown(other as u8),
        };
        let index = (cons & ((1 << self.lg2) - 1)) as u32;
        findings.push(Finding::RefusedCommand { index, command, reason });
        // A fetch is retried, an ATC timeout needs no repair; other commands would be refused
        // again.
        if matches!(reason, CommandError::Illegal | CommandError::Unknown(_)) {
            let silent = match self.signal {
                SyncSignal::Message => SyncSignal::Consumed,
                other => other,
            };
            overwrite(slot, Command::sync(silent, slot), findings, host);
        }
    }
}

fn overwrite(slot: PhysAddr, command: Command, findings: &mut Findings, host: &mut impl Host) {
    match host.memory_mut().words_mut(slot, 2) {
        Ok(words) => words.copy_from_slice(&command.0),
        Err(abort) => findings.push(Finding::NoAnswer(abort)),
    }
}

#[cfg(test)]
mod tests;
