//! Operations that read and write files.

use passim_vfio::call::Call;

use super::{Outcome, Running, Unperformable, outcome};
use crate::op::TransferOp;

/// Most bytes one operation reads.
const MAX_BYTES: u64 = 1 << 16;

impl Running {
    pub(super) fn transfers(&mut self, op: &TransferOp) -> Outcome {
        let call = match op {
            TransferOp::Pread { fd, offset, size } => {
                let len = usize::try_from(size.0).ok().filter(|_| size.0 <= MAX_BYTES);
                let too_many =
                    || Unperformable::new(format!("more than {MAX_BYTES:#x} bytes at once"));
                let len = len.ok_or_else(too_many)?;
                Call::Pread { fd: Self::fd(fd.0)?, offset: offset.0, len }
            }
            TransferOp::Pwrite { fd, offset, bytes } => {
                Call::Pwrite { fd: Self::fd(fd.0)?, offset: offset.0, bytes: bytes.0.clone() }
            }
        };
        let answer = self.call(call)?;
        let count = match answer.ret {
            Ok(count) => format!("{count} bytes"),
            Err(_) => return Ok(vec![outcome::plain(&answer)]),
        };
        Ok(vec![match answer.bytes.is_empty() {
            true => count,
            false => format!("{count}: {}", hex::encode(&answer.bytes)),
        }])
    }
}
