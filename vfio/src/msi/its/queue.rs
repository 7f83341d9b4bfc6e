//! The ITS's command queue, seen from the side that fills it: Linux's `its_send_single_command`.
//!
//! Every command is waited for, so the queue is never full.

use super::command::Command;
use super::registers::Registers;
use super::wire::{
    COMMAND_BYTES, Cbaser, Creadr, INNER_SHAREABLE, ITS_CMD_QUEUE_LG2, RA_WA_WB, gits,
};
use passim_model::{Host, PhysAddr, event};

/// How often the driver looks whether a command is done. 6.12 its_wait_for_range_completion: a
/// second.
const MOST_LOOKS: u32 = 1 << 16;

/// The queue. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Queue {
    registers: Registers,
    base: PhysAddr,
    /// Offset of the next command.
    write: u64,
    /// Where the ITS went no further; later commands that wait there say nothing new.
    stopped: Option<PhysAddr>,
    /// The same, of each time nobody was told of yet.
    untold: Vec<PhysAddr>,
}

impl Queue {
    /// An empty queue in zeroed memory at `base`, told to the ITS.
    pub(super) fn new(base: PhysAddr, registers: Registers, host: &mut impl Host) -> Option<Self> {
        const PAGES: u64 = 1 << (ITS_CMD_QUEUE_LG2 - 12);
        let cbaser = Cbaser::ADDRESS.in_place(base.get())
            | Cbaser::INNER_CACHEABILITY.of(RA_WA_WB)
            | Cbaser::SHAREABILITY.of(INNER_SHAREABLE)
            | Cbaser::SIZE.of(PAGES - 1)
            | Cbaser::VALID.flag(true);
        registers.store64(gits::CBASER, cbaser, host)?;
        registers.store64(gits::CWRITER, 0, host)?;
        Some(Self { registers, base, write: 0, stopped: None, untold: Vec::new() })
    }

    /// Has a command performed, and a SYNC after it if a target is given.
    pub(super) fn send(&mut self, command: Command, sync: Option<u64>, host: &mut impl Host) {
        let sync = sync.map(|target| Command::Sync { target });
        let told = self.write(command, host)
            && sync.is_none_or(|sync| self.write(sync, host))
            && self.registers.store64(gits::CWRITER, self.write, host).is_some();
        let reached = if told { self.wait(host) } else { Err(self.write) };
        let Err(offset) = reached else {
            self.stopped = None;
            return;
        };
        tracing::warn!(target: event::QUEUE, ?command, "its: the command is not performed");
        let at = PhysAddr::new(self.base.get() + offset);
        if self.stopped.replace(at) != Some(at) {
            self.untold.push(at);
        }
    }

    /// The commands that the ITS got no further than, since last asked. Where it does not say what
    /// it has got to, the place after the last.
    pub(super) fn take_stops(&mut self) -> Vec<PhysAddr> {
        core::mem::take(&mut self.untold)
    }

    fn write(&mut self, command: Command, host: &mut impl Host) -> bool {
        let at = PhysAddr::new(self.base.get() + self.write);
        let words = command.words();
        let Ok(place) = host.memory_mut().words_mut(at, words.len()) else { return false };
        place.copy_from_slice(&words);
        self.write = (self.write + COMMAND_BYTES) % (1 << ITS_CMD_QUEUE_LG2);
        true
    }

    /// Waits until everything is performed. Where the queue has stopped or time is up, the offset
    /// that the ITS has got to.
    fn wait(&self, host: &mut impl Host) -> Result<(), u64> {
        let mut reached = self.write;
        for _ in 0..MOST_LOOKS {
            let Some(creadr) = self.registers.load64(gits::CREADR, host) else { break };
            reached = Creadr::OFFSET.in_place(creadr);
            if reached == self.write {
                return Ok(());
            }
            if Creadr::STALLED.is_set(creadr) {
                break;
            }
            host.relax();
        }
        Err(reached)
    }
}
