//! `sriov_numvfs`: enabling and disabling virtual functions.

use super::{Leave, bad_value, number};
use crate::iommu::DeviceFacts;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::pci::wire::{SriovCtrl, ext_cap_id, offset};
use crate::pci::{Space, VFIO_PCI};
use crate::rules;
use passim_model::{Conflict, Errno, Host, Refusal, Rid};

impl Kernel {
    /// Enables the first `value` virtual functions of a physical one, or disables all of them.
    ///
    /// # Errors
    /// EINVAL by `attribute-value`, ERANGE by `sriov-total`, ENOENT by `path-absent` without the
    /// capability and by `sriov-no-driver`, EBUSY by `sriov-enabled` and, while one is in use, by
    /// `remove-in-use`.
    // 6.12 pci/iov.c, sriov_numvfs_store.
    pub(super) fn set_virtual(
        &mut self,
        physical: Rid,
        value: &str,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let conflict = Conflict::Device(physical);
        let all: Vec<Rid> = self.topology.virtual_of(physical).collect();
        if all.is_empty() {
            return Err(rules::PATH_ABSENT.refuse_for(Errno::ENOENT, conflict));
        }
        // 6.12 sriov_numvfs_store: what is no u16 is EINVAL. 4.6 passes on kstrtou16's ERANGE, which
        // is not made here.
        let wanted = number(value).ok().and_then(|number| u16::try_from(number).ok());
        let wanted = usize::from(wanted.ok_or_else(bad_value)?);
        if wanted > all.len() {
            let conflict = Conflict::Limit { limit: all.len() as u64, wanted: wanted as u64 };
            return Err(rules::SRIOV_TOTAL.refuse_for(Errno::ERANGE, conflict));
        }
        let on: Vec<Rid> = all.iter().copied().filter(|rid| self.pci.exists(*rid)).collect();
        if wanted == on.len() {
            return Ok(());
        }
        if self.pci.driver(physical).is_none_or(|driver| driver == VFIO_PCI) {
            return Err(rules::SRIOV_NO_DRIVER.refuse_for(Errno::ENOENT, conflict));
        }
        if wanted == 0 {
            return self.see_off(physical, Leave::Virtual, tasks, host);
        }
        if !on.is_empty() {
            return Err(rules::SRIOV_ENABLED.refuse_for(Errno::EBUSY, conflict));
        }
        self.enable(physical, wanted as u64, host);
        all[..wanted].iter().try_for_each(|rid| self.bring(*rid, tasks, host))
    }

    /// Sets the physical function's registers for `number` virtual functions, or none.
    // 6.12 pci/iov.c, sriov_enable and sriov_disable: the number is set before the enable bits, and
    // cleared after them.
    fn enable(&self, physical: Rid, number: u64, host: &mut impl Host) {
        let space = Space::new(self.ecam, physical);
        let Some(at) = space.extended(ext_cap_id::SRIOV, host) else { return };
        let on = u64::from(number != 0);
        let control = space.load16(at + offset::SRIOV_CTRL, host);
        let control = SriovCtrl::MSE.set(SriovCtrl::VFE.set(control, on), on);
        if number == 0 {
            space.store16(at + offset::SRIOV_CTRL, control, host);
        }
        space.store16(at + offset::SRIOV_NUM_VF, number, host);
        if number != 0 {
            space.store16(at + offset::SRIOV_CTRL, control, host);
        }
    }

    /// Disables all virtual functions of a physical one.
    ///
    /// # Errors
    /// EBUSY by `remove-in-use` with the first one in use; those before it are removed.
    // 6.12 pci/iov.c, sriov_disable: functions are removed one after the other, and the kernel
    // waits for each; then the registers are cleared.
    pub(super) fn drop_virtual(
        &mut self,
        physical: Rid,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), (Rid, Refusal)> {
        let on = self.topology.virtual_of(physical).filter(|rid| self.pci.exists(*rid));
        let on: Vec<Rid> = on.collect();
        for &rid in &on {
            self.judge_removal(rid).map_err(|refusal| (rid, refusal))?;
            self.let_go_of_messages(rid.into(), tasks, host);
            self.take_away(rid, tasks);
        }
        if self.topology.virtual_of(physical).next().is_some() {
            self.enable(physical, 0, host);
        }
        Ok(())
    }

    /// Adds a virtual function: it gets a group and is probed.
    fn bring(
        &mut self,
        rid: Rid,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let facts = self.virtuals.iter().find(|facts| facts.endpoint == rid.into()).cloned();
        if let Some(facts) = facts {
            let group = self.group_for(&facts);
            let facts = DeviceFacts { group, ..facts };
            let added = self.iommu.add_device(&facts, &mut self.frames, host);
            if let Err(error) = added {
                // 4.6 add_iommu_group, 6.12 iommu_bus_notifier: the caller that adds the function
                // does not learn that the IOMMU has no room for it. The function exists, without a
                // group.
                self.iommu.leave_out(&facts, error);
                tasks.extend(self.iommu.remove_device(rid).map(Task::Play));
            } else {
                self.groups.entry(group).or_default();
            }
            self.topology.set_group(rid, added.is_ok().then_some(group));
        }
        let Some(function) = self.topology.function(rid) else { return Ok(()) };
        self.pci.add(function);
        // 6.12 pci/iov.c: sriov_drivers_autoprobe is on.
        self.pci.probe(rid, false)?;
        if self.has_native_driver(rid) {
            self.hold_messages(rid.into(), None, tasks, host);
        }
        Ok(())
    }

    /// The group that a function joins: that of a function with which it shares a stream mapping
    /// entry; else that of functions that cannot be isolated from it; otherwise a new one, with the
    /// lowest free number.
    // 6.12 iommu.c: numbers come from an ida.
    fn group_for(&self, facts: &DeviceFacts) -> u32 {
        if let Some(group) = self.iommu.group_by_streams(facts) {
            return group;
        }
        let others = self.topology.in_group(facts.group).map(|function| function.rid);
        let others = others.filter(|rid| !self.topology.is_virtual(*rid));
        let virtuals = self.virtuals.iter().filter(|other| other.group == facts.group);
        let mates = others.chain(virtuals.filter_map(|other| other.endpoint.rid()));
        let shared = mates.filter(|rid| facts.endpoint != (*rid).into());
        let mut shared = shared.filter_map(|rid| self.iommu.group_of(rid));
        shared.next().unwrap_or_else(|| {
            let used: Vec<u32> = self.iommu.groups().collect();
            (0..).find(|number| !used.contains(number)).unwrap_or(facts.group)
        })
    }
}
