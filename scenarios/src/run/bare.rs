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

use passim_model::PhysAddr;
use passim_smmu::v3::{Caches, Description};

use super::{Outcome, Unperformable, raw};
use crate::input_error::nearest;
use crate::machine::{Gic, GicIts, Iommu, Machine};
use crate::op::Op;
use crate::script::Text;
use crate::system::{Board, Pace};
use its::GicOnBoard;

/// A bare machine under way.
pub(super) struct Bare {
    board: Board,
    /// Where the registers of each SMMU begin.
    smmus: Vec<PhysAddr>,
    /// Where its GICv3 is, if it has one.
    gic: Option<GicIts>,
}

impl Bare {
    /// `machine` as it stands after power-on.
    pub(super) fn new(machine: &Machine, pace: Pace) -> Result<Self, Unperformable> {
        let board = Board::of(machine, pace);
        let mut board = board.map_err(|error| Unperformable::new(error.to_string()))?;
        // The scenario is the devices.
        board.leave_invalidations();
        let smmus = machine.iommu.smmus().iter().map(|smmu| smmu.base).collect();
        let gic = match &machine.gic {
            Gic::Its(gic) => Some(gic.clone()),
            Gic::V2m(_) => None,
        };
        Ok(Self { board, smmus, gic })
    }

    pub(super) fn perform(&mut self, op: &Op) -> Outcome {
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

    fn gic(&mut self) -> Result<GicOnBoard<'_>, Unperformable> {
        let Self { board, gic, .. } = self;
        let gic = gic.as_ref().ok_or_else(|| {
            Unperformable::new("this machine has no GICv3")
                .hint("take a machine with `[gic.its]`, such as virt-its")
        })?;
        Ok(GicOnBoard { board, gic })
    }

    /// What devices hear: what became of transactions that had stalled, and messages to them.
    fn brought_about(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for index in 0..self.smmus.len() {
            self.board.perform(index);
            let smmu = self.board.smmu_mut(index).and_then(|(smmu, _)| smmu.v3_mut());
            let resolved = smmu.map_or_else(Vec::new, |smmu| smmu.take_resolved());
            lines.extend(resolved.iter().map(words::resolved));
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
    let (ids, caches) = ids.zip(Caches::preset(name)).ok_or_else(|| {
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
                (smmu.ids, smmu.caches) = (ids, caches);
            }
            Ok(machine)
        }
        Iommu::Flat | Iommu::X86(_) | Iommu::SmmuV2(_) => {
            Err(Unperformable::new("this machine has no SMMUv3").at_key("smmu"))
        }
    }
}
