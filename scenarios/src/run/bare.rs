//! A machine that nothing boots: the scenario writes every register and every table itself.
//!
//! What hardware answers by itself is shown here, without a driver's habits in between. Operations
//! of processes and devices need a kernel and are not here.

use super::{Outcome, Unperformable, raw};
use crate::machine::Machine;
use crate::op::Op;
use crate::system::{Board, Pace};

/// A bare machine under way.
pub(super) struct Bare {
    board: Board,
}

impl Bare {
    /// `machine` as it stands after power-on.
    pub(super) fn new(machine: &Machine, pace: Pace) -> Result<Self, Unperformable> {
        let board = Board::of(machine, pace);
        Ok(Self { board: board.map_err(|error| Unperformable::new(error.to_string()))? })
    }

    pub(super) fn perform(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Hardware(op) => raw::on_board(&mut self.board, op),
            _ => Err(Unperformable::new("this machine is bare: no kernel runs on it")
                .hint("`machine NAME` boots one")),
        }
    }
}
