//! Operations on the memory of a process, and on its limit of locked memory.

use passim_model::UserAddr;
use passim_vfio::call::{Call, MapKind, Protection};

use super::{NamedArea, Outcome, Running, Unperformable, outcome};
use crate::op::{self, AreaKind, Number, Op};
use crate::script::Place;

/// The first area's address; each next area begins at the next multiple of [`AREA_ALIGN`], which no
/// area exceeds, so that an address shows which area it is in.
const FIRST_AREA: u64 = 0x1000_0000_0000;
pub(crate) const AREA_ALIGN: u64 = 1 << 36;

/// Most bytes one operation reads or writes in a process's memory.
const MAX_BYTES: u64 = 1 << 20;

impl Running {
    pub(super) fn memory(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Area { .. } => self.area(op),
            Op::Munmap { va, size } => {
                let va = self.address(va)?;
                self.plain(Call::Munmap { va, len: size.0 })
            }
            Op::Mprotect { va, size, prot } => {
                let va = self.address(va)?;
                self.plain(Call::Mprotect { va, len: size.0, prot: protection(*prot) })
            }
            Op::Mlock { va, size } => {
                let va = self.address(va)?;
                self.plain(Call::Mlock { va, len: size.0 })
            }
            Op::Munlock { va, size } => {
                let va = self.address(va)?;
                self.plain(Call::Munlock { va, len: size.0 })
            }
            Op::Touch { va, size } => {
                let va = self.address(va)?;
                self.touch(va, size.0)
            }
            Op::Fill { va, bytes } => {
                let (va, pid) = (self.address(va)?, self.pid()?);
                let written = self.system.write_memory(pid, va, &bytes.0);
                let refused = |refusal| self.account.refuse(&refusal);
                Ok(vec![written.map_or_else(refused, |()| "ok".into())])
            }
            Op::Peek { va, size } => self.peek(va, size.map_or(8, |size| size.0)),
            Op::Locked {} => {
                let pid = self.pid()?;
                Ok(vec![format!("VmLck {} kB", self.system.kernel.locked_kib(pid))])
            }
            Op::SetRlimit { memlock } => self.plain(Call::SetMemlock { bytes: memlock.0 }),
            Op::DropCap {} => self.plain(Call::DropIpcLock),
            _ => unreachable!("only operations on memory come here"),
        }
    }

    fn area(&mut self, op: &Op) -> Outcome {
        let Op::Area { name, size, kind, prot, fd, offset } = op else {
            unreachable!("called for `area` alone");
        };
        let prot = protection(prot.unwrap_or(op::Protection::ReadWrite));
        let kind = kind.unwrap_or(AreaKind::Anon);
        let backing = match (kind, fd) {
            (AreaKind::File, Some(fd)) => {
                MapKind::File { fd: Self::fd(fd.0)?, offset: offset.map_or(0, |at| at.0) }
            }
            (AreaKind::File, None) => {
                return Err(Unperformable::new("an area of kind `file` needs `fd=`"));
            }
            (_, Some(_)) => return Err(Unperformable::new("only kind `file` takes `fd=`")),
            (AreaKind::Anon | AreaKind::Untouched, None) => MapKind::Anonymous,
            (AreaKind::Huge2M, None) => MapKind::HugeTlb { lg2: 21 },
            (AreaKind::Huge32M, None) => MapKind::HugeTlb { lg2: 25 },
            (AreaKind::Huge512M, None) => MapKind::HugeTlb { lg2: 29 },
            (AreaKind::Huge1G, None) => MapKind::HugeTlb { lg2: 30 },
        };
        let va = self.free_address(size.0)?;
        let answer = self.call(Call::Mmap { va, len: size.0, prot, kind: backing })?;
        if answer.ret.is_err() {
            return Ok(vec![outcome::plain(&answer)]);
        }
        let area = NamedArea { process: self.current, va, size: size.0 };
        if self.areas.insert(name.0.clone(), area).is_some() {
            return Err(Unperformable::new(format!("there is an area `{}` already", name.0)));
        }
        if kind == AreaKind::Anon && prot == Protection::ReadWrite {
            return self.touch(va, size.0);
        }
        Ok(vec!["ok".to_owned()])
    }

    /// The address of the next area.
    fn free_address(&self, size: u64) -> Result<UserAddr, Unperformable> {
        if size > AREA_ALIGN {
            return Err(Unperformable::new(format!("{size:#x} bytes are too many for an area"))
                .hint("an area has at most 64G"));
        }
        let last = self.areas.values().map(|area| area.va.get().saturating_add(area.size)).max();
        let next = last.map_or(Some(FIRST_AREA), |last| last.checked_next_multiple_of(AREA_ALIGN));
        let next = next.filter(|next| next.checked_add(size).is_some_and(|end| end < 1 << 47));
        next.map(UserAddr::new).ok_or_else(|| Unperformable::new("no room for another area"))
    }

    fn touch(&mut self, va: UserAddr, size: u64) -> Outcome {
        let pid = self.pid()?;
        let touched = self.system.kernel.touch(pid, va, size, &mut self.system.board);
        let refused = |refusal| self.account.refuse(&refusal);
        Ok(vec![touched.map_or_else(refused, |()| "ok".into())])
    }

    fn peek(&mut self, place: &Place, size: u64) -> Outcome {
        let (va, pid) = (self.address(place)?, self.pid()?);
        if size > MAX_BYTES {
            return Err(Unperformable::new(format!("more than {MAX_BYTES:#x} bytes at once")));
        }
        let bytes = self.system.read_memory(pid, va, size as usize);
        Ok(vec![match bytes {
            Ok(bytes) => bytes_text(&bytes),
            Err(refusal) => self.account.refuse(&refusal),
        }])
    }
}

/// Eight bytes as a number, others in the order of memory.
pub(super) fn bytes_text(bytes: &[u8]) -> String {
    match bytes.try_into() {
        Ok(eight) => Number(u64::from_le_bytes(eight)).to_string(),
        Err(_) => hex::encode(bytes),
    }
}

fn protection(prot: op::Protection) -> Protection {
    match prot {
        op::Protection::None => Protection::None,
        op::Protection::Read => Protection::Read,
        op::Protection::Write => Protection::Write,
        op::Protection::ReadWrite => Protection::ReadWrite,
    }
}
