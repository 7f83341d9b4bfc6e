//! What a device does: reads and writes on the bus.

use passim_model::Iova;

use super::memory::bytes_text;
use super::{Outcome, Running, Unperformable, outcome};
use crate::op::Op;
use crate::system::{NoTransfer, Piece, Reach};

/// Most bytes one transfer has: a device's buffer.
const MAX_BYTES: u64 = passim_model::device::BUFFER_BYTES as u64;

impl Running {
    pub(super) fn device(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Read { dev, iova, size } => {
                let size = size.map_or(8, |size| size.0);
                if size > MAX_BYTES {
                    let message = format!("a device reads at most {MAX_BYTES:#x} bytes at once");
                    return Err(Unperformable::new(message));
                }
                let mut bytes = vec![0; size as usize];
                let pieces = self.system.dma_read(*dev, *iova, &mut bytes).map_err(no_transfer)?;
                let mut done = 0;
                let mut lines = Vec::new();
                for piece in &pieces {
                    let len = piece.iova.size_minus_one() as usize + 1;
                    let read = &bytes[done..done + len];
                    lines.push(match (piece.reach, len) {
                        (Reach::Ram(_), 1..=8) => {
                            format!("{}: {}", self.piece(piece), bytes_text(read))
                        }
                        _ => self.piece(piece),
                    });
                    done += len;
                }
                Ok(lines)
            }
            Op::Write { dev, iova, value } => {
                let bytes = value.0.to_le_bytes();
                let pieces = self.system.dma_write(*dev, *iova, &bytes).map_err(no_transfer)?;
                Ok(pieces.iter().map(|piece| self.piece(piece)).collect())
            }
            _ => unreachable!("only `read` and `write` come here"),
        }
    }

    /// `0x10008 -> A+0x8`, or why it did not get there.
    fn piece(&self, piece: &Piece) -> String {
        self.reached(piece.iova.start(), piece.reach)
    }

    pub(super) fn reached(&self, from: Iova, reach: Reach) -> String {
        match reach {
            Reach::Ram(pa) => format!("{from} -> {}", self.name_of(pa, from)),
            Reach::Doorbell(pa, arrival) => format!("{from} -> {pa}: {arrival}"),
            Reach::Part(pa, target) => format!("{from} -> {pa}: {target:?}"),
            Reach::Silence(pa) => format!("{from} -> {pa}: nothing answers"),
            Reach::Terminated(terminated) => outcome::terminated(&terminated),
        }
    }
}

pub(super) fn no_transfer(error: NoTransfer) -> Unperformable {
    Unperformable::new(error.to_string())
}
