//! The ITS's command queue, as its producer sees it: Linux's `its_send_single_command`.
//!
//! The driver waits for every command, but not for ever: a command that an ITS does not perform
//! stays in the queue, and may fill it. Then new commands are dropped; waiting ones are never
//! overwritten.

use super::command::Command;
use super::registers::Registers;
use super::wire::{COMMAND_BYTES, Cbaser, Creadr, INNER_SHAREABLE, ITS_CMD_QUEUE_LG2, gits};
use crate::policy::ItsQueueWait;
use passim_model::{Host, PhysAddr, event};

/// How often the driver polls for completion. 6.12 its_wait_for_range_completion: a second.
const MOST_LOOKS: u32 = 1 << 16;

/// A failed wait for the ITS.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::msi) enum Stop {
    /// The ITS stopped at the command at this address.
    Waiting(PhysAddr),
    /// A command for this address was dropped: the queue is full.
    Full(PhysAddr),
}

/// The queue. See the [module](self).
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Queue {
    registers: Registers,
    base: PhysAddr,
    wait: ItsQueueWait,
    /// Offset of the next command.
    write: u64,
    /// The last command's failed wait; an equal failure of the next command is not recorded again.
    stopped: Option<Stop>,
    /// Failed waits not yet taken.
    untold: Vec<Stop>,
}

impl Queue {
    /// Creates an empty queue in zeroed memory at `base`, and writes its address to the ITS.
    pub(super) fn new(
        base: PhysAddr,
        (cacheability, wait): (u64, ItsQueueWait),
        registers: Registers,
        host: &mut impl Host,
    ) -> Option<Self> {
        const PAGES: u64 = 1 << (ITS_CMD_QUEUE_LG2 - 12);
        let cbaser = Cbaser::ADDRESS.in_place(base.get())
            | Cbaser::INNER_CACHEABILITY.of(cacheability)
            | Cbaser::SHAREABILITY.of(INNER_SHAREABLE)
            | Cbaser::SIZE.of(PAGES - 1)
            | Cbaser::VALID.flag(true);
        registers.store64(gits::CBASER, cbaser, host)?;
        registers.store64(gits::CWRITER, 0, host)?;
        Some(Self { registers, base, wait, write: 0, stopped: None, untold: Vec::new() })
    }

    /// Submits a command, and a SYNC after it if a target is given. A command that does not fit is
    /// dropped.
    // 6.12 BUILD_SINGLE_CMD_FUNC: the command is submitted even if the SYNC does not fit.
    pub(super) fn send(&mut self, command: Command, sync: Option<u64>, host: &mut impl Host) {
        let from = self.write;
        let stop = match self.put(command, host) {
            Err(stop) => Some(stop),
            Ok(()) => {
                let sync = sync.map(|target| Command::Sync { target });
                let full = sync.and_then(|sync| self.put(sync, host).err());
                full.or(self.post(from, host).err())
            }
        };
        let Some(stop) = stop else {
            self.stopped = None;
            return;
        };
        tracing::warn!(target: event::QUEUE, ?command, ?stop, "its: the command is not performed");
        if self.stopped.replace(stop) != Some(stop) {
            self.untold.push(stop);
        }
    }

    /// Takes the failed waits. Where GITS_CREADR does not answer, the address is that after the
    /// last command.
    pub(super) fn take_stops(&mut self) -> Vec<Stop> {
        core::mem::take(&mut self.untold)
    }

    fn place(&self, offset: u64) -> PhysAddr {
        PhysAddr::new(self.base.get() + offset)
    }

    /// Writes a command at the end of the queue, once there is room.
    // 6.12 its_allocate_entry, its_queue_full.
    fn put(&mut self, command: Command, host: &mut impl Host) -> Result<(), Stop> {
        let at = self.place(self.write);
        let next = (self.write + COMMAND_BYTES) % (1 << ITS_CMD_QUEUE_LG2);
        self.look(host, |reached, _| reached != next).map_err(|_| Stop::Full(at))?;
        let words = command.words();
        let place = host.memory_mut().words_mut(at, words.len());
        place.map_err(|_| Stop::Waiting(at))?.copy_from_slice(&words);
        self.write = next;
        Ok(())
    }

    /// Stores GITS_CWRITER, and waits until the commands from an offset on are performed.
    // 4.4 its_wait_for_range_completion compares offsets as they are. 5.2 handles the wrap.
    fn post(&mut self, from: u64, host: &mut impl Host) -> Result<(), Stop> {
        let told = self.registers.store64(gits::CWRITER, self.write, host);
        told.ok_or(Stop::Waiting(self.place(self.write)))?;
        let done = match self.wait {
            ItsQueueWait::Range => {
                self.look(host, |reached, write| reached >= write || reached < from)
            }
            ItsQueueWait::Performed => self.look(host, |reached, write| reached == write),
        };
        done.map_err(|reached| Stop::Waiting(self.place(reached)))
    }

    /// Polls GITS_CREADR until `enough` accepts it. `Err` with the offset reached, if the queue has
    /// stalled or the time is up.
    fn look(&self, host: &mut impl Host, enough: impl Fn(u64, u64) -> bool) -> Result<(), u64> {
        let mut reached = self.write;
        for _ in 0..MOST_LOOKS {
            let Some(creadr) = self.registers.load64(gits::CREADR, host) else { break };
            reached = Creadr::OFFSET.in_place(creadr);
            if enough(reached, self.write) {
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
