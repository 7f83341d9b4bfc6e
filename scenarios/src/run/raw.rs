//! Below the kernel: registers and memory.
//!
//! On a machine that Linux runs: a bare one has `bare`.

use passim_model::{Abort, Host, Width};

use super::{Answered, Outcome, Running, Unperformable};
use crate::op::{HardwareOp, Number};
use crate::system::Board;

impl Running {
    pub(super) fn raw(&mut self, op: &HardwareOp) -> Outcome {
        if let HardwareOp::PokePhys { at, .. } = op {
            self.poked.insert(at.align_down(self.system.page().lg2()));
        }
        match op {
            // What a register brings about the kernel may have to serve.
            HardwareOp::Load { at, size } => Ok(vec![loaded(self.system.load(*at, width(*size)?))]),
            HardwareOp::Store { at, value, size } => {
                let line = stored(self.system.store(*at, width(*size)?, value.0));
                // A store may let messages out that were held back.
                let messages = self.system.board.take_deliveries();
                let answered = messages.iter().filter_map(|delivery| Answered::of(delivery.reach));
                self.account.hardware.extend(answered);
                let messages = messages.iter().map(|delivery| self.delivered(delivery));
                Ok(std::iter::once(line).chain(messages).collect())
            }
            _ => on_board(&mut self.system.board, op),
        }
    }
}

/// Performs an operation on a board that nobody else looks after.
pub(super) fn on_board(board: &mut Board, op: &HardwareOp) -> Outcome {
    let line = match op {
        HardwareOp::Load { at, size } => loaded(board.load(*at, width(*size)?)),
        HardwareOp::Store { at, value, size } => stored(board.store(*at, width(*size)?, value.0)),
        HardwareOp::PeekPhys { at } => loaded(board.memory().load_u64(*at)),
        HardwareOp::PokePhys { at, value } => stored(board.memory_mut().store_u64(*at, value.0)),
        HardwareOp::Settle {} => {
            board.settle();
            "ok".to_owned()
        }
    };
    Ok(vec![line])
}

fn loaded(value: Result<u64, Abort>) -> String {
    value.map_or_else(|abort| abort.to_string(), |value| Number(value).to_string())
}

fn stored(done: Result<(), Abort>) -> String {
    done.map_or_else(|abort| abort.to_string(), |()| "ok".to_owned())
}

fn width(size: Option<Number>) -> Result<Width, Unperformable> {
    match size.map(|size| size.0) {
        Some(1) => Ok(Width::W8),
        Some(2) => Ok(Width::W16),
        None | Some(4) => Ok(Width::W32),
        Some(8) => Ok(Width::W64),
        Some(_) => Err(Unperformable::new("a register has 1, 2, 4 or 8 bytes")),
    }
}
