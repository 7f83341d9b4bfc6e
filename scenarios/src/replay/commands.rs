//! SMMU commands between two dumps: the recorded kernel's, and those of the model's driver.
//!
//! Commands are compared without addresses and identifiers, which each kernel chooses itself. A
//! dump contains the last commands of a queue; earlier ones are only counted.

use passim_model::{Host, PhysAddr, Width};

use super::compare::Place;
use super::report::Difference;
use crate::recording::dump::SmmuDump;
use crate::system::Board;
use crate::walk::command::{COMMAND_LG2, CmdqBase, Kind, Ring, sequence};

const CMDQ_BASE: u64 = 0x90;
const CMDQ_PROD: u64 = 0x98;

/// The producer pointers of both queues.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Producers {
    recorded: u64,
    model: u64,
}

/// The result of a comparison.
pub(super) struct Compared {
    /// Number of commands of the recorded queue that were compared.
    pub(super) commands: u64,
    pub(super) outcome: Outcome,
}

/// Whether both drivers issued the same commands.
pub(super) enum Outcome {
    /// They did.
    Agreed,
    /// They did, except for pairs of CMD_SYNCs that only the model issued: 6.1 issues them when a
    /// group's blocking domain is attached to its first device, which may have been before the
    /// recording.
    ButForBlockingDomains(Difference),
    /// They did not.
    Differed(Difference),
}

/// A command that was added; `None` where the dump no longer contains it.
type Added = Vec<Option<Kind>>;

impl Producers {
    /// The pointers at a dump; `None` if the dump lacks them, or the model has no such SMMU.
    pub(super) fn at(dump: &SmmuDump, board: &Board, smmu: usize) -> Option<Self> {
        let recorded = *dump.regs.get("CMDQ_PROD")?;
        let model = board.smmu(smmu)?.v3()?.load(CMDQ_PROD, Width::W32);
        Some(Self { recorded, model })
    }

    /// Compares the commands added until `now`, when `dump` was taken.
    pub(super) fn compare(
        &self,
        now: &Self,
        dump: &SmmuDump,
        (board, smmu): (&Board, usize),
        place: &Place,
    ) -> Option<Compared> {
        let recorded = self.recorded_until(now, dump)?;
        let model = self.model_until(now, board, smmu)?;
        let outcome = if alike(&recorded, &model) {
            Outcome::Agreed
        } else if alike_but_for_pairs(&recorded, &model) {
            Outcome::ButForBlockingDomains(difference(&recorded, &model, place))
        } else {
            Outcome::Differed(difference(&recorded, &model, place))
        };
        let commands = recorded.iter().flatten().count() as u64;
        Some(Compared { commands, outcome })
    }

    fn recorded_until(&self, now: &Self, dump: &SmmuDump) -> Option<Added> {
        let ring = Ring::of(*dump.regs.get("CMDQ_BASE")?);
        let count = ring.distance(self.recorded, now.recorded);
        let held = dump.cmdq.entries.len() as u64;
        let added = (0..count).map(|step| {
            let slot = ring.slot(ring.after(self.recorded, step));
            let is_held = count - step <= held;
            let entry = dump.cmdq.entries.iter().rfind(|it| u64::from(it.index) == slot);
            entry.filter(|_| is_held).and_then(|entry| match entry.words.as_slice() {
                [first, second, ..] => Some(Kind::of([*first, *second])),
                _ => None,
            })
        });
        Some(added.collect())
    }

    fn model_until(&self, now: &Self, board: &Board, smmu: usize) -> Option<Added> {
        let base = board.smmu(smmu)?.v3()?.load(CMDQ_BASE, Width::W64);
        let ring = Ring::of(base);
        let word = |at: u64| board.memory().load_u64(PhysAddr::new(at)).ok();
        let added = (0..ring.distance(self.model, now.model)).map(|step| {
            let slot = ring.slot(ring.after(self.model, step));
            let at = CmdqBase::ADDR.in_place(base) + (slot << COMMAND_LG2);
            Some(Kind::of([word(at)?, word(at + 8)?]))
        });
        Some(added.collect())
    }
}

/// Whether two sequences are the same, as far as the dump contains the recorded one.
fn alike(recorded: &[Option<Kind>], model: &[Option<Kind>]) -> bool {
    let same =
        |(recorded, model): (&Option<Kind>, &Option<Kind>)| recorded.is_none() || recorded == model;
    recorded.len() == model.len() && recorded.iter().zip(model).all(same)
}

/// Whether the model has two more CMD_SYNCs in some places, right after one, and otherwise the
/// same.
// Dumps of 6.1: two SYNCs without a command, after those of the STEs that abort.
fn alike_but_for_pairs(recorded: &[Option<Kind>], model: &[Option<Kind>]) -> bool {
    let (Some(recorded), Some(model)) = (whole(recorded), whole(model)) else { return false };
    let runs = |kinds: &[Kind]| {
        let runs = kinds.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()));
        runs.collect::<Vec<_>>()
    };
    let (recorded, model) = (runs(&recorded), runs(&model));
    let same = |(&(kind, count), &(other, more)): (&(Kind, usize), &(Kind, usize))| {
        kind == other && (count == more || kind.is_sync() && count + 2 == more)
    };
    recorded.len() == model.len() && recorded.iter().zip(&model).all(same)
}

/// The commands, if all of them are known.
fn whole(added: &[Option<Kind>]) -> Option<Vec<Kind>> {
    added.iter().copied().collect()
}

fn difference(recorded: &[Option<Kind>], model: &[Option<Kind>], place: &Place) -> Difference {
    let same = |(recorded, model): &(&Option<Kind>, &Option<Kind>)| {
        recorded.is_none() || recorded == model
    };
    let first = recorded.iter().zip(model).take_while(same).count();
    let told = |added: &[Option<Kind>]| {
        let rest: Vec<_> = added[first..].iter().flatten().copied().collect();
        format!("{} commands; from number {first} on {}", added.len(), sequence(&rest))
    };
    place.differs(told(recorded), told(model))
}

#[cfg(test)]
mod tests;
