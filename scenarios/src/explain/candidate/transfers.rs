//! Requests near a refused read or write of a region through a device's descriptor.

use passim_model::{Conflict, Refusal};
use passim_vfio::view::OpenFile;

use crate::op::{Hex, Number, Op, TransferOp};
use crate::run::Surroundings;
use crate::script::Signed;

/// `VFIO_PCI_OFFSET_SHIFT`: the bits above are the region's number.
const REGION_LG2: u32 = 40;

/// Number of regions that a PCI function may have: BARs, the ROM, configuration space.
const REGIONS: u64 = 8;

/// Configuration space, and its command register with Memory Space Enable.
const CONFIG: u64 = 7 << REGION_LG2;
const COMMAND: u64 = 4;
const COMMAND_MEMORY: u8 = 1 << 1;

/// A read or a write.
#[derive(Clone)]
struct Transfer {
    fd: Signed,
    offset: u64,
    /// Number of bytes to read, or the bytes to write.
    what: What,
}

#[derive(Clone)]
enum What {
    Read(u64),
    Written(Vec<u8>),
}

impl Transfer {
    fn of(op: &Op) -> Option<Self> {
        let Op::Transfer(op) = op else { return None };
        Some(match op {
            TransferOp::Pread { fd, offset, size } => {
                Self { fd: *fd, offset: offset.0, what: What::Read(size.0) }
            }
            TransferOp::Pwrite { fd, offset, bytes } => {
                Self { fd: *fd, offset: offset.0, what: What::Written(bytes.0.clone()) }
            }
        })
    }

    fn op(self) -> Op {
        let (fd, offset) = (self.fd, Number(self.offset));
        Op::Transfer(match self.what {
            What::Read(size) => TransferOp::Pread { fd, offset, size: Number(size) },
            What::Written(bytes) => TransferOp::Pwrite { fd, offset, bytes: Hex(bytes) },
        })
    }

    fn size(&self) -> u64 {
        match &self.what {
            What::Read(size) => *size,
            What::Written(bytes) => bytes.len() as u64,
        }
    }

    fn at(&self, offset: u64) -> Self {
        Self { offset, ..self.clone() }
    }

    /// The same, cut to `size` bytes.
    fn cut(&self, size: u64) -> Self {
        let what = match &self.what {
            What::Read(all) => What::Read(size.min(*all)),
            What::Written(bytes) => {
                let kept = usize::try_from(size).map_or(bytes.len(), |size| size.min(bytes.len()));
                What::Written(bytes[..kept].to_vec())
            }
        };
        Self { what, ..self.clone() }
    }
}

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let Some(transfer) = Transfer::of(op) else { return Vec::new() };
    let region = transfer.offset >> REGION_LG2;
    let inside = transfer.offset & ((1 << REGION_LG2) - 1);
    let others = match (refusal.rule.name, refusal.conflict) {
        ("region-index", _) => {
            let mut regions: Vec<u64> = (0..REGIONS).filter(|it| *it != region).collect();
            regions.sort_by_key(|it| it.abs_diff(region));
            let same = regions.iter().map(|it| transfer.at(it << REGION_LG2 | inside));
            same.chain(regions.iter().map(|it| transfer.at(it << REGION_LG2))).collect()
        }
        ("region-end" | "config-end", Conflict::Limit { limit, .. }) => {
            let last = limit.saturating_sub(transfer.size()) & !3;
            let fits = limit.checked_sub(inside).filter(|rest| *rest > 0);
            let cut = fits.map(|rest| transfer.cut(rest));
            cut.into_iter().chain([transfer.at(region << REGION_LG2 | last)]).collect()
        }
        ("bad-fd" | "not-modelled", _) => {
            let devices =
                around.files.iter().filter(|(_, file)| matches!(file, OpenFile::Device(_)));
            let fds = devices.map(|(fd, _)| Signed(i64::from(*fd)));
            fds.map(|fd| Transfer { fd, ..transfer.clone() }).collect()
        }
        _ => Vec::new(),
    };
    others.into_iter().map(Transfer::op).collect()
}

/// Operations that enable a device's BARs: through the descriptor of the transfer, or of every
/// device.
pub(super) fn memory_on(fd: Option<Signed>, around: &Surroundings) -> Vec<Vec<Op>> {
    let devices = around.files.iter().filter(|(_, file)| matches!(file, OpenFile::Device(_)));
    let all = devices.map(|(fd, _)| Signed(i64::from(*fd)));
    let fds: Vec<Signed> = fd.map_or_else(|| all.collect(), |fd| vec![fd]);
    let on = |fd| {
        let (offset, bytes) = (Number(CONFIG | COMMAND), Hex(vec![COMMAND_MEMORY, 0]));
        vec![Op::Transfer(TransferOp::Pwrite { fd, offset, bytes })]
    };
    fds.into_iter().map(on).collect()
}
