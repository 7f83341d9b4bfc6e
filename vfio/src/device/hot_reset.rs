//! Bus resets: which functions are reset together with a device, and who may request it.
//!
//! A reset preserves registers, because the kernel saves and restores them.

use super::judge_argsz;
use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::pci::VFIO_PCI;
use crate::policy::{EmptyHotReset, HotResetRefusal};
use crate::process::Pid;
use crate::rules;
use crate::uapi::{Buffer, Header};
use passim_model::topology::Function;
use passim_model::{Conflict, Errno, Refusal, Rid};
use std::collections::BTreeSet;

/// Bytes of `struct vfio_pci_hot_reset_info` and `struct vfio_pci_hot_reset` before their arrays.
const HEADER_BYTES: usize = 12;

impl Kernel {
    /// VFIO_DEVICE_GET_PCI_HOT_RESET_INFO: the functions that would be reset together with the
    /// device.
    pub(super) fn hot_reset_info(&mut self, rid: Rid, buffer: &mut Buffer) -> Result<i64, Refusal> {
        const ENTRY_BYTES: usize = 8;
        buffer.copy_in::<HEADER_BYTES>(0)?;
        let argsz = Header::read(buffer)?.argsz;
        judge_argsz(argsz, HEADER_BYTES)?;
        let along = self.reset_along(rid)?;
        let needs = HEADER_BYTES + along.len() * ENTRY_BYTES;
        let is_short = (argsz as usize) < needs;
        let refused = along.iter().find(|it| it.group.is_none() && !is_short);
        if refused.is_none() || self.policy.hot_reset_refusal == HotResetRefusal::ClearsFlags {
            buffer.copy_out(4, &0u32.to_le_bytes())?;
        }
        if let Some(function) = refused {
            // The count stays as the caller left it.
            let conflict = Conflict::Device(function.rid);
            return Err(rules::HOT_RESET_NOT_ISOLATED.refuse_for(Errno::EPERM, conflict));
        }
        buffer.copy_out(8, &(along.len() as u32).to_le_bytes())?;
        if is_short {
            let conflict = Conflict::Short { got: u64::from(argsz), needs: needs as u64 };
            return Err(rules::ARGSZ_SHORT.refuse_for(Errno::ENOSPC, conflict));
        }
        for (k, function) in along.into_iter().enumerate() {
            let mut entry = [0; ENTRY_BYTES];
            let group = function.group.expect("all have one, or it is refused");
            entry[0..4].copy_from_slice(&group.to_le_bytes());
            entry[6] = function.rid.bus();
            entry[7] = (function.rid.get() & 0xff) as u8;
            buffer.copy_out(HEADER_BYTES + k * ENTRY_BYTES, &entry)?;
        }
        Ok(0)
    }

    /// VFIO_DEVICE_PCI_HOT_RESET: the caller may reset the bus if every function on it is bound to
    /// VFIO, and the caller passes all their groups.
    // 6.12 vfio_pci_core.c, in the order of its checks.
    pub(super) fn hot_reset(
        &mut self,
        pid: Pid,
        rid: Rid,
        buffer: &Buffer,
    ) -> Result<i64, Refusal> {
        let header = buffer.copy_in::<HEADER_BYTES>(0)?;
        let Header { argsz, flags } = Header::read(buffer)?;
        judge_argsz(argsz, HEADER_BYTES)?;
        if flags != 0 {
            let conflict = Conflict::Unknown(u64::from(flags));
            return Err(rules::FLAGS_UNKNOWN.refuse_for(Errno::EINVAL, conflict));
        }
        let count = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let too_many = |limit| {
            let conflict = Conflict::Limit { limit: limit as u64, wanted: count as u64 };
            rules::HOT_RESET_GROUPS.refuse_for(Errno::EINVAL, conflict)
        };
        if count == 0 && self.policy.empty_hot_reset == EmptyHotReset::AtOnce {
            return Err(too_many(0));
        }
        let along: Vec<Rid> = self.reset_along(rid)?.iter().map(|function| function.rid).collect();
        if count == 0 || count > along.len() {
            return Err(too_many(along.len()));
        }
        let given = self.groups_given(pid, buffer.slice(HEADER_BYTES, count * 4)?)?;
        for rid in along {
            let function = self.function(rid);
            // The kernel checks every function, open or not.
            let is_held = function.group.is_some_and(|group| given.contains(&group));
            if self.pci.driver(rid) != Some(VFIO_PCI) || !is_held {
                let conflict = Conflict::Device(rid);
                return Err(rules::HOT_RESET_OWNED.refuse_for(Errno::EINVAL, conflict));
            }
        }
        Ok(0)
    }

    /// The groups that these descriptors refer to.
    fn groups_given(&self, pid: Pid, descriptors: &[u8]) -> Result<BTreeSet<u32>, Refusal> {
        let group = |fd: &[u8]| {
            let fd = i32::from_le_bytes([fd[0], fd[1], fd[2], fd[3]]);
            let conflict = Conflict::Fd(i64::from(fd));
            let refuse = |errno| rules::HOT_RESET_GROUP_FILE.refuse_for(errno, conflict);
            let file = self.file(pid, fd).map_err(|_| refuse(Errno::EBADF))?;
            match self.files.kind(file) {
                Some(&FileKind::Group(number)) => Ok(Some(number)),
                Some(FileKind::LostGroup) => Ok(None),
                _ => Err(refuse(Errno::EINVAL)),
            }
        };
        let groups: Result<Vec<_>, _> = descriptors.chunks_exact(4).map(group).collect();
        Ok(groups?.into_iter().flatten().collect())
    }

    /// The functions that a reset of the bus of `rid` resets: those on it and on the buses behind
    /// it.
    ///
    /// # Errors
    /// ENODEV by `hot-reset-no-slot` where no bridge leads to that bus: a root bus, whatever its
    /// number, or one that only virtual functions are on.
    // 6.12 pci.c, pci_bus_reset: a bus without a bridge is not reset. vfio_pci_core.c walks the
    // bus.
    fn reset_along(&self, rid: Rid) -> Result<Vec<&Function>, Refusal> {
        let leads_there = |it: &Function| self.bus_behind(it) == Some(rid.bus());
        if !self.there().any(leads_there) {
            // measured on 6.1 and 6.12: no bridge above a root bus can reset it.
            let conflict = Conflict::Device(rid);
            return Err(rules::HOT_RESET_NO_SLOT.refuse_for(Errno::ENODEV, conflict));
        }
        let mut along = Vec::new();
        self.walk_bus(rid.bus(), &mut BTreeSet::new(), &mut along);
        Ok(along)
    }

    /// The functions of a bus, each before those of the bus behind it. A bus already in `seen` is
    /// not walked again, however bridges are programmed.
    // 6.12 pci/bus.c, pci_walk_bus: depth first.
    fn walk_bus<'a>(&'a self, bus: u8, seen: &mut BTreeSet<u8>, along: &mut Vec<&'a Function>) {
        if !seen.insert(bus) {
            return;
        }
        for function in self.there().filter(|it| it.rid.bus() == bus) {
            along.push(function);
            if let Some(behind) = self.bus_behind(function) {
                self.walk_bus(behind, seen, along);
            }
        }
    }

    /// The functions that exist now.
    fn there(&self) -> impl Iterator<Item = &Function> {
        self.topology.functions().iter().filter(|it| self.pci.exists(it.rid))
    }

    /// The bus a bridge leads to.
    fn bus_behind(&self, function: &Function) -> Option<u8> {
        // PCI-to-PCI bridge 1.2, 3.2.5.3: the secondary bus number is at 0x19.
        let is_bridge = function.config_byte(0x0e) & 0x7f == 1;
        is_bridge.then(|| function.config_byte(0x19))
    }
}
