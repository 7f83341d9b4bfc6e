//! A machine that nothing boots: the scenario writes every register and every table itself.
//!
//! What hardware answers by itself is shown here, without a driver's habits in between. Operations
//! of processes and devices need a kernel and are not here.

mod descriptor;
mod devices;
mod fields;
mod its;
mod queue;
mod smmu;
mod words;

use passim_model::{Effect, PhysAddr};
use passim_smmu::v3::{Caches, Description, IdRegisters};

use super::{Answered, Outcome, Unperformable, raw};
use crate::input_error::nearest;
use crate::machine::{Gic, GicIts, Iommu, Machine, set_smmu_choice};
use crate::op::{Op, Setting};
use crate::script::Text;
use crate::system::{Board, Lost, Pace, Smmu};
use its::GicOnBoard;
pub(super) use its::interface_of_kernel;

/// A bare machine under way.
pub(super) struct Bare {
    board: Board,
    /// Where the registers of each SMMUv3 begin.
    smmus: Vec<PhysAddr>,
    /// Where its GICv3 is, if it has one.
    gic: Option<GicIts>,
    /// What hardware made of the last operation.
    heard: Vec<Answered>,
}

impl Bare {
    /// `machine` as it stands after power-on; a command may be lost.
    pub(super) fn new(
        machine: &Machine,
        pace: Pace,
        lost: Option<Lost>,
    ) -> Result<Self, Unperformable> {
        let board = Board::of(machine, pace);
        let mut board = board.map_err(|error| Unperformable::new(error.to_string()))?;
        // The scenario is the devices.
        board.leave_invalidations();
        board.lose(lost);
        let smmus = machine.iommu.smmus().iter().map(|smmu| smmu.base).collect();
        let gic = match &machine.gic {
            Gic::Its(gic) => Some(gic.clone()),
            Gic::V2m(_) => None,
        };
        Ok(Self { board, smmus, gic, heard: Vec::new() })
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    /// What hardware made of the last operation.
    pub(super) fn heard(&self) -> &[Answered] {
        &self.heard
    }

    pub(super) fn perform(&mut self, op: &Op) -> Outcome {
        self.heard.clear();
        let mut lines = match op {
            Op::Hardware(op) => raw::on_board(&mut self.board, op),
            Op::Smmu(op) => self.on_smmu(op),
            Op::Its(op) => self.gic()?.perform(op),
            Op::Pending {} => self.gic()?.pending(),
            _ => Err(Unperformable::new("this machine is bare: no kernel runs on it")
                .hint("`machine NAME` boots one")),
        }?;
        lines.extend(self.brought_about());
        Ok(lines)
    }

    /// The board, and where its ITSs are.
    pub(super) fn itss(&mut self) -> (&mut Board, &[PhysAddr]) {
        let Self { board, gic, .. } = self;
        (board, gic.as_ref().map_or(&[], |gic| &gic.its))
    }

    fn gic(&mut self) -> Result<GicOnBoard<'_>, Unperformable> {
        let Self { board, gic, heard, .. } = self;
        let gic = gic.as_ref().ok_or_else(|| {
            Unperformable::new("this machine has no GICv3")
                .hint("take a machine with `[gic.its]`, such as virt-its")
        })?;
        Ok(GicOnBoard { board, gic, heard })
    }

    /// What devices hear: what became of transactions that had stalled, and messages to them.
    fn brought_about(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for index in 0..self.board.smmus() {
            self.board.perform(index);
            match self.board.smmu_mut(index) {
                Some((Smmu::V3(smmu), _)) => lines.extend(
                    smmu.take_resolved()
                        .into_iter()
                        .map(|it| words::resolved(&it.transaction, &it.outcome.into())),
                ),
                Some((Smmu::V2(smmu), _)) => lines.extend(
                    smmu.take_resolved()
                        .into_iter()
                        .map(|it| words::resolved(&it.transaction, &it.outcome.into())),
                ),
                None => {}
            }
        }
        let effects = self.board.take_effects();
        let lost = effects.iter().filter(|effect| matches!(effect, Effect::Write { .. }));
        self.heard.extend(lost.map(|_| Answered::WriteLost));
        lines.extend(effects.iter().filter_map(words::effect));
        lines
    }
}

/// The machine with SMMUs of the built-in description of that name, and with these choices.
pub(super) fn with_smmus(
    mut machine: Machine,
    description: Option<&Text>,
    choices: Option<&Setting>,
) -> Result<Machine, Unperformable> {
    let built = description.map(described).transpose()?;
    if built.is_none() && choices.is_none() {
        return Ok(machine);
    }
    let (Iommu::SmmuV3(smmus) | Iommu::Mixed(smmus, _)) = &mut machine.iommu else {
        let key = if built.is_some() { "smmu" } else { "choices" };
        return Err(Unperformable::new("this machine has no SMMUv3").at_key(key));
    };
    for smmu in smmus {
        (smmu.ids, smmu.caches) = built.unwrap_or((smmu.ids, smmu.caches));
        for (name, value) in choices.iter().flat_map(|Setting(set)| set) {
            let set = set_smmu_choice(&mut smmu.choices, name, value);
            set.map_err(|error| Unperformable::new(error).at_key("choices"))?;
        }
    }
    Ok(machine)
}

/// The ID registers of a built-in description, and its caches.
fn described(Text(name): &Text) -> Result<(IdRegisters, Caches), Unperformable> {
    let ids = Description::preset(name).and_then(|description| description.id_registers().ok());
    ids.zip(Caches::preset(name)).ok_or_else(|| {
        let known = Description::PRESETS.map(|(known, _)| known);
        let hint = match nearest(name, &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("descriptions: {}", known.join(", ")),
        };
        Unperformable::new(format!("there is no description `{name}`")).hint(hint).at_key("smmu")
    })
}
