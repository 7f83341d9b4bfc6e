//! The command queues of ITSs that a kernel drives, for those who explain what became of commands.

use passim_gic::its::{Report, Spelled};
use passim_model::{Host, PhysAddr};

use super::its::{CBASER, COMMAND_BYTES, CREADR, CWRITER, Cbaser, Pointer, TYPER, Typer, load};
use super::{Runner, Stage};
use crate::system::{Dropped, Pace};

/// GITS_CTLR. IHI 0069 H 12.18.
const CTLR: u64 = 0;

/// The command queue of an ITS as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct QueueHere {
    base: u64,
    by_address: bool,
    /// How many commands it holds.
    pub(crate) slots: u64,
    /// The slot of the next command to be written.
    pub(crate) written: u64,
    /// The slot of the next command to be consumed.
    pub(crate) read: u64,
    /// Whether the ITS has stopped at that command.
    pub(crate) stopped: bool,
    /// Whether the ITS is enabled.
    pub(crate) enabled: bool,
    /// How many commands have failed since reset.
    pub(crate) errors: u64,
    /// The failed commands that nobody has taken yet, oldest first.
    pub(crate) reports: Vec<Report>,
}

impl QueueHere {
    /// The slot of the command at an offset.
    pub(crate) fn slot_at(offset: u64) -> u64 {
        offset / COMMAND_BYTES
    }

    /// A command in words.
    pub(crate) fn spelled(&self, words: &[u64; 4]) -> Spelled {
        Spelled::of(words, self.by_address)
    }
}

impl Runner {
    /// The queue of each ITS of a machine that a kernel runs; of none where it has no queue.
    pub(crate) fn its_queues(&mut self) -> Vec<Option<QueueHere>> {
        let Stage::Booted(running) = &mut self.stage else { return Vec::new() };
        let board = &mut running.system.board;
        let bases = running.system.its.iter();
        let queue = |(n, &its): (usize, &PhysAddr)| {
            let [ctlr, typer, cbaser, cwriter, creadr] =
                [CTLR, TYPER, CBASER, CWRITER, CREADR].map(|offset| load(board, its, offset));
            let known = board.gicv3()?.its().get(n)?;
            Cbaser::VALID.is_set(cbaser).then(|| QueueHere {
                base: Cbaser::ADDRESS.in_place(cbaser),
                by_address: Typer::PTA.is_set(typer),
                slots: ((Cbaser::SIZE.get(cbaser) + 1) << 12) / COMMAND_BYTES,
                written: Pointer::SLOT.get(cwriter),
                read: Pointer::SLOT.get(creadr),
                stopped: Pointer::STALLED.is_set(creadr),
                enabled: ctlr & 1 != 0,
                errors: known.counters().errors,
                reports: known.reports().copied().collect(),
            })
        };
        (0..).zip(bases).map(queue).collect()
    }

    /// The command in a slot of a queue.
    pub(crate) fn its_command(&self, queue: &QueueHere, slot: u64) -> Option<[u64; 4]> {
        let at = PhysAddr::new(queue.base).checked_add(COMMAND_BYTES * slot)?;
        self.running()?.system.board.memory().words(at, 4).ok()?.try_into().ok()
    }

    /// The command chosen with `--lose`, once an ITS of the machine has lost it.
    pub(crate) fn its_dropped(&self) -> Option<Dropped> {
        self.running()?.system.board.dropped()
    }

    /// Whether everything that is late is done when a device's message has been served.
    pub(crate) fn settles_at_messages(&self) -> bool {
        self.running().is_some_and(|running| running.system.board.pace() == Pace::Eager)
    }
}
