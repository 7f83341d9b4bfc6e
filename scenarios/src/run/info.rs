//! Information about containers, groups and devices, and dirty pages.

use passim_model::{Endpoint, UserAddr};
use passim_vfio::call::{Arg, Call, MapKind, Protection};
use passim_vfio::iommu::msi::DoorbellView;

use super::{Outcome, Running, Unperformable, outcome};
use crate::ioctl::{self, word};
use crate::op::{DirtyAction, Op};

/// Where the bitmap of `dirty get` goes: below every area.
const BITMAP: UserAddr = UserAddr::new(0x0fff_0000_0000);

/// Most pages that `dirty get` requests: a bitmap of 1 MiB.
const MAX_DIRTY_PAGES: u64 = 1 << 23;

impl Running {
    /// `SMMU 0: context fault: FSR 0x2, ...`, a line each.
    pub(super) fn findings(&mut self) -> Vec<String> {
        let kernel = &mut self.system.kernel;
        let of = |smmu| kernel.take_findings(smmu).into_iter().map(move |it| (smmu, it));
        let found: Vec<_> = (0..self.system.board.smmus()).flat_map(of).collect();
        let line = |(smmu, finding)| format!("SMMU {smmu}: {finding}");
        let mut lines: Vec<_> = found.into_iter().map(line).collect();
        lines.extend(self.errors_signalled());
        if lines.is_empty() {
            lines.push("none".to_owned());
        }
        lines
    }

    /// Failed commands of ITSs that were signalled as an SError, for which the kernel has no
    /// handler.
    fn errors_signalled(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for its in 0..self.system.its.len() {
            let reports = self.system.board.take_reports(its as u16);
            let signalled = reports.into_iter().filter(|report| report.signalled);
            lines.extend(signalled.map(|report| {
                format!("its {its}: an SError, at which Linux panics: {}", report.failure)
            }));
        }
        lines
    }

    pub(super) fn information(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Info { fd, argsz } => self.info(self.container_fd(*fd)?, *argsz),
            Op::Doorbells { dev } => Ok(self.doorbells(self.device_named(dev)?)),
            Op::Status { group } => {
                let answer = self.sized(Self::fd(group.0)?, ioctl::GROUP_GET_STATUS, 8)?;
                Ok(answer.map_or_else(|line| vec![line], |bytes| vec![status(&bytes)]))
            }
            Op::DeviceInfo { fd } => {
                let answer = self.sized(Self::fd(fd.0)?, ioctl::DEVICE_GET_INFO, 24)?;
                Ok(answer.map_or_else(|line| vec![line], |bytes| vec![device(&bytes)]))
            }
            Op::Dirty { action, iova, size, fd } => {
                let fd = self.container_fd(*fd)?;
                match (action, iova, size) {
                    (DirtyAction::Start, None, None) => self.dirty(fd, FLAG_START),
                    (DirtyAction::Stop, None, None) => self.dirty(fd, FLAG_STOP),
                    (DirtyAction::Get, Some(iova), Some(size)) => {
                        self.dirty_pages(fd, iova.get(), size.0)
                    }
                    _ => Err(Unperformable::new(
                        "`dirty get` needs `iova=` and `size=`, others none",
                    )),
                }
            }
            _ => unreachable!("only questions come here"),
        }
    }

    /// `0x800f000 -> 0xf200000, 4 references`, or `none`.
    fn doorbells(&self, dev: Endpoint) -> Vec<String> {
        let doorbells = self.system.kernel.doorbells_of(dev);
        if doorbells.is_empty() {
            return vec!["none".to_owned()];
        }
        let line = |doorbell: &DoorbellView| {
            let DoorbellView { pa, iova, references, .. } = doorbell;
            match references {
                0 => format!("{iova} -> {pa}, kept until the domain goes"),
                1 => format!("{iova} -> {pa}, 1 reference"),
                n => format!("{iova} -> {pa}, {n} references"),
            }
        };
        doorbells.iter().map(line).collect()
    }

    /// An ioctl with a structure of `size` bytes and that argsz: the bytes, or the refusal.
    fn sized(
        &mut self,
        fd: i32,
        request: u32,
        size: u32,
    ) -> Result<Result<Vec<u8>, String>, Unperformable> {
        let mut bytes = vec![0; size as usize];
        bytes[..4].copy_from_slice(&size.to_le_bytes());
        let answer = self.ioctl(fd, request, Arg::Bytes(bytes))?;
        Ok(match &answer.ret {
            Ok(_) => Ok(answer.bytes),
            Err(refusal) => Err(outcome::refusal(refusal)),
        })
    }

    fn dirty(&mut self, fd: i32, flags: u32) -> Outcome {
        let mut bytes = 8u32.to_le_bytes().to_vec();
        bytes.extend(flags.to_le_bytes());
        let answer = self.ioctl(fd, ioctl::DIRTY_PAGES, Arg::Bytes(bytes))?;
        Ok(vec![outcome::plain(&answer)])
    }

    fn dirty_pages(&mut self, fd: i32, iova: u64, size: u64) -> Outcome {
        let page = self.system.page();
        let pages = size >> page.lg2();
        if pages > MAX_DIRTY_PAGES {
            return Err(Unperformable::new(format!(
                "more than {MAX_DIRTY_PAGES:#x} pages at once"
            )));
        }
        let words = pages.div_ceil(64);
        let len = (words * 8).max(1).next_multiple_of(page.bytes());
        let (prot, kind) = (Protection::ReadWrite, MapKind::Anonymous);
        let mapped = self.call(Call::Mmap { va: BITMAP, len, prot, kind })?;
        if mapped.ret.is_err() {
            return Ok(vec![outcome::plain(&mapped)]);
        }
        let mut bytes = 48u32.to_le_bytes().to_vec();
        bytes.extend(FLAG_GET.to_le_bytes());
        for field in [iova, size, page.bytes(), words * 8, BITMAP.get()] {
            bytes.extend(field.to_le_bytes());
        }
        let answer = self.ioctl(fd, ioctl::DIRTY_PAGES, Arg::Bytes(bytes))?;
        let pid = self.pid()?;
        let bitmap = self.system.read_memory(pid, BITMAP, (words * 8) as usize);
        self.plain(Call::Munmap { va: BITMAP, len })?;
        match (answer.ret, bitmap) {
            (Err(refusal), _) | (Ok(_), Err(refusal)) => Ok(vec![outcome::refusal(&refusal)]),
            (Ok(_), Ok(bitmap)) => Ok(dirty_ranges(&bitmap, iova, page.lg2())),
        }
    }
}

/// VFIO_IOMMU_DIRTY_PAGES_FLAG_*. `linux/vfio.h`.
const FLAG_START: u32 = 1;
const FLAG_STOP: u32 = 2;
const FLAG_GET: u32 = 4;

/// `dirty [0x10000, 0x11fff]` for each run of set bits, or `clean`.
fn dirty_ranges(bitmap: &[u8], iova: u64, lg2: u32) -> Vec<String> {
    let is_set = |bit: usize| bitmap.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1);
    let mut lines = Vec::new();
    let mut bit = 0;
    while bit < bitmap.len() * 8 {
        let start = bit;
        while is_set(bit) {
            bit += 1;
        }
        if bit > start {
            let at = |bit: usize| iova.wrapping_add((bit as u64) << lg2);
            lines.push(format!("dirty [{:#x}, {:#x}]", at(start), at(bit).wrapping_sub(1)));
        }
        bit += 1;
    }
    if lines.is_empty() {
        lines.push("clean".to_owned());
    }
    lines
}

/// The result of GROUP_GET_STATUS.
pub(crate) fn status(bytes: &[u8]) -> String {
    match word(bytes, 4) {
        Some(0) => "not viable".to_owned(),
        Some(1) => "viable".to_owned(),
        Some(3) => "viable, in a container".to_owned(),
        other => format!("flags {other:?}"),
    }
}

/// The result of DEVICE_GET_INFO.
pub(crate) fn device(bytes: &[u8]) -> String {
    let field = |at| word(bytes, at).unwrap_or(0);
    let reset = if field(4) & 1 == 1 { "can reset" } else { "cannot reset" };
    // include/uapi/linux/vfio.h: bit 2 marks a platform device.
    let kind = if field(4) & 4 == 4 { "platform device, " } else { "" };
    format!("{kind}{reset}, {} regions, {} interrupt indices", field(8), field(12))
}
