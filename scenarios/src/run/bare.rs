//! A machine that nothing boots: the scenario writes every register and every table itself.
//!
//! What hardware answers by itself is shown here, without a driver's habits in between. Operations
//! of processes and devices need a kernel and are not here.

mod its;

use super::{Outcome, Unperformable, raw};
use crate::machine::{Gic, GicIts, Machine};
use crate::op::Op;
use crate::system::{Board, Pace};
use its::GicOnBoard;

/// A bare machine under way.
pub(super) struct Bare {
    board: Board,
    /// Where its GICv3 is, if it has one.
    gic: Option<GicIts>,
}

impl Bare {
    /// `machine` as it stands after power-on.
    pub(super) fn new(machine: &Machine, pace: Pace) -> Result<Self, Unperformable> {
        let board = Board::of(machine, pace);
        let board = board.map_err(|error| Unperformable::new(error.to_string()))?;
        let gic = match &machine.gic {
            Gic::Its(gic) => Some(gic.clone()),
            Gic::V2m(_) => None,
        };
        Ok(Self { board, gic })
    }

    pub(super) fn perform(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Hardware(op) => raw::on_board(&mut self.board, op),
            Op::Its(op) => self.gic()?.perform(op),
            Op::Pending {} => self.gic()?.pending(),
            _ => Err(Unperformable::new("this machine is bare: no kernel runs on it")
                .hint("`machine NAME` boots one")),
        }
    }

    fn gic(&mut self) -> Result<GicOnBoard<'_>, Unperformable> {
        let Self { board, gic } = self;
        let gic = gic.as_ref().ok_or_else(|| {
            Unperformable::new("this machine has no GICv3")
                .hint("take a machine with `[gic.its]`, such as virt-its")
        })?;
        Ok(GicOnBoard { board, gic })
    }
}
