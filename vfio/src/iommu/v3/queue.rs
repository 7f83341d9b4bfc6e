//! The command queue, seen from the side that fills it.
//!
//! Both indices are kept as counts that never wrap; the registers hold their low bits, one more
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
    /// It does; there is a [`Ticket`] to wait for.
    Sync,
    /// It does not.
    Open,
}

/// A SYNC that was submitted: how many commands went before its end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::iommu) struct Ticket(u64);

/// What became of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Submitted {
    /// It is in the queue, without a SYNC.
    Open,
    /// It is in the queue, and so is its SYNC.
    Sync(Ticket),
    /// There was no room; nothing is in the queue.
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

    /// Where in memory the entry with this count lies.
    fn slot(&self, count: u64) -> PhysAddr {
        let index = count & ((1 << self.lg2) - 1);
        PhysAddr::new(self.base.get() + index * ENTRY_BYTES)
    }

    /// The low bits a register holds of a count: the index and the wrap bit.
    fn wrapped(&self, count: u64) -> u64 {
        count & ((2 << self.lg2) - 1)
    }

    fn room(&self) -> u64 {
        (1 << self.lg2) - (self.produced - self.consumed)
    }

    /// Writes `commands`, and a SYNC if asked, and rings CMDQ_PROD once for all of them.
    ///
    /// Only where the room last seen does not do, CMDQ_CONS is read again.
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

    /// Takes over how far CMDQ_CONS has come.
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
            // Beyond what was ever produced: believing it would complete what is not. (Where
            // messages tell, the index may lag behind them, and says nothing.)
            findings.push(Finding::ConsumerIndex(cons as u32));
        }
    }

    /// The SYNC is done once its message has overwritten it.
    fn read_message(&mut self, ticket: Ticket, host: &mut impl Host) {
        let word = host.memory().load_u64(self.slot(ticket.0 - 1));
        if word.is_ok_and(|word| word as u32 == 0) {
            self.consumed = ticket.0;
        }
    }

    /// Serves a global error, if one is active. Called only while something waits in vain.
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
            // The SMMU is beyond help: Linux turns it off.
            let _ = registers.store(offset::CR0, 0, host);
        }
        if Gerror::CMDQ_ERR.is_set(active) {
            self.skip_refused(registers, findings, host);
        }
        if let Err(abort) = registers.store(offset::GERRORN, gerror, host) {
            findings.push(Finding::NoAnswer(abort));
        }
    }

    /// Puts a SYNC over the command the SMMU refused, so that it can go on.
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
        // A fetch is tried again, an ATC timeout is over; the rest would be refused for ever.
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
