//! A machine that nothing boots: the scenario writes every register and every table itself.
//!
//! What hardware answers by itself is shown here, without a driver's habits in between. Operations
//! of processes and devices need a kernel and are not here.

mod descriptor;
mod devices;
mod fields;
mod queue;
mod smmu;
mod words;

use passim_model::PhysAddr;
use passim_smmu::v3::Description;

use super::{Outcome, Unperformable, raw};
use crate::input_error::nearest;
use crate::machine::{Iommu, Machine};
use crate::op::Op;
use crate::script::Text;
use crate::system::{Board, Pace};

/// A bare machine under way.
pub(super) struct Bare {
    board: Board,
    /// Where the registers of each SMMU begin.
    smmus: Vec<PhysAddr>,
}

impl Bare {
    /// `machine` as it stands after power-on.
    pub(super) fn new(machine: &Machine, pace: Pace) -> Result<Self, Unperformable> {
        let board = Board::of(machine, pace);
        let board = board.map_err(|error| Unperformable::new(error.to_string()))?;
        let smmus = machine.iommu.smmus().iter().map(|smmu| smmu.base).collect();
        Ok(Self { board, smmus })
    }

    pub(super) fn perform(&mut self, op: &Op) -> Outcome {
        let mut lines = match op {
            Op::Hardware(op) => raw::on_board(&mut self.board, op),
            Op::Smmu(op) => self.on_smmu(op),
            _ => Err(Unperformable::new("this machine is bare: no kernel runs on it")
                .hint("`machine NAME` boots one")),
        }?;
        lines.extend(self.brought_about());
        Ok(lines)
    }

    /// What devices hear: what became of transactions that had stalled, and messages to them.
    fn brought_about(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for index in 0..self.smmus.len() {
            self.board.perform(index);
            let Some((smmu, _)) = self.board.smmu_mut(index) else { continue };
            lines.extend(smmu.take_resolved().iter().map(words::resolved));
        }
        lines.extend(self.board.take_effects().iter().filter_map(words::effect));
        lines
    }
}

/// The machine with SMMUs of the built-in description of that name.
pub(super) fn with_smmus(
    mut machine: Machine,
    description: Option<&Text>,
) -> Result<Machine, Unperformable> {
    let Some(Text(name)) = description else { return Ok(machine) };
    let ids = Description::preset(name).and_then(|description| description.id_registers().ok());
    let ids = ids.ok_or_else(|| {
        let known = Description::PRESETS.map(|(known, _)| known);
        let hint = match nearest(name, &known) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("descriptions: {}", known.join(", ")),
        };
        Unperformable::new(format!("there is no description `{name}`")).hint(hint).at_key("smmu")
    })?;
    match &mut machine.iommu {
        Iommu::SmmuV3(smmus) | Iommu::Mixed(smmus, _) => {
            for smmu in smmus {
                (smmu.idr, smmu.aidr) = (ids.idr, ids.aidr);
            }
            Ok(machine)
        }
        Iommu::Flat | Iommu::X86(_) => {
            Err(Unperformable::new("this machine has no SMMU").at_key("smmu"))
        }
    }
}
