//! Below the kernel: registers and memory.

use passim_model::{Host, Width};

use super::{Outcome, Running, Unperformable};
use crate::op::{Number, Op};

impl Running {
    pub(super) fn raw(&mut self, op: &Op) -> Outcome {
        if let Op::PokePhys { at, .. } = op {
            self.poked.insert(at.align_down(self.system.page().lg2()));
        }
        let board = &mut self.system.board;
        let line = match op {
            Op::Load { at, size } => match self.system.load(*at, width(*size)?) {
                Ok(value) => Number(value).to_string(),
                Err(abort) => abort.to_string(),
            },
            Op::Store { at, value, size } => {
                let stored = self.system.store(*at, width(*size)?, value.0);
                let line = stored.map_or_else(|abort| abort.to_string(), |()| "ok".to_owned());
                // A store may let messages out that were held back.
                let messages = self.system.board.take_deliveries();
                let messages = messages.iter().map(|delivery| self.delivered(delivery));
                return Ok(std::iter::once(line).chain(messages).collect());
            }
            Op::PeekPhys { at } => match board.memory().load_u64(*at) {
                Ok(value) => Number(value).to_string(),
                Err(abort) => abort.to_string(),
            },
            Op::PokePhys { at, value } => match board.memory_mut().store_u64(*at, value.0) {
                Ok(()) => "ok".to_owned(),
                Err(abort) => abort.to_string(),
            },
            Op::Settle {} => {
                board.settle();
                "ok".to_owned()
            }
            _ => unreachable!("only operations below the kernel come here"),
        };
        Ok(vec![line])
    }
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
