//! `remove`: a function goes, or the kernel asks whoever uses it and waits.
//!
//! A removal that has to wait is answered at once, by a refusal that names what it waits for: nobody
//! here sleeps in a system call. It is not forgotten, though: the function goes when the last of those
//! files is closed.

use super::unsigned;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::rules;
use passim_model::{Conflict, Endpoint, Errno, Refusal, Rid};

impl Kernel {
    /// Takes a function away: what hot unplug does of itself, and a physical function when its
    /// virtual ones are turned off.
    // 6.12 pci-sysfs.c, remove_store: zero is taken and does nothing.
    pub(super) fn remove(
        &mut self,
        rid: Rid,
        value: &str,
        tasks: &mut Vec<Task>,
    ) -> Result<(), Refusal> {
        if unsigned(value)? == 0 {
            return Ok(());
        }
        if self.leads_to_others(rid) {
            return Err(rules::NOT_MODELLED.refuse_for(Errno::EINVAL, Conflict::Device(rid)));
        }
        if let Err(refusal) = self.judge_removal(rid) {
            self.ask_back(rid);
            self.leaving.insert(rid);
            return Err(refusal);
        }
        self.take_away(rid, tasks);
        Ok(())
    }

    /// Files were closed: functions whose removal waited for that go.
    pub(crate) fn go_on_with_removals(&mut self, tasks: &mut Vec<Task>) {
        let waiting: Vec<_> = self.leaving.iter().copied().collect();
        for rid in waiting {
            if self.judge_removal(rid).is_ok() {
                self.leaving.remove(&rid);
                self.take_away(rid, tasks);
            }
        }
    }

    /// EBUSY if the kernel would wait for a user before it let go of the function.
    pub(super) fn judge_removal(&self, rid: Rid) -> Result<(), Refusal> {
        let in_use = rules::REMOVE_IN_USE.refuse_for(Errno::EBUSY, Conflict::Device(rid));
        if self.devices.contains_key(&rid) {
            return Err(in_use);
        }
        let number = self.iommu.group_of(rid);
        if let Some(number) = number
            && let Some(group) = self.groups.get(&number)
            && (group.file.is_some() || group.container.is_some())
        {
            // 6.12 vfio/group.c, vfio_device_remove_group: the last one waits for the group's file.
            let it = [Endpoint::from(rid)];
            let functions = self.pci.vfio_members(number).map(Endpoint::from);
            let served = functions.chain(self.platforms.vfio_members(number));
            if served.eq(it) || self.iommu.group_devices(number).eq(it) {
                return Err(in_use);
            }
        }
        Ok(())
    }

    /// The function is gone.
    pub(super) fn take_away(&mut self, rid: Rid, tasks: &mut Vec<Task>) {
        self.leaving.remove(&rid);
        self.pci.remove(rid);
        tasks.extend(self.iommu.remove_device(rid).map(Task::Play));
    }

    /// Whether a bridge has functions behind it, which would go with it.
    fn leads_to_others(&self, rid: Rid) -> bool {
        let function = self.topology.function(rid);
        // PCI-to-PCI bridge 1.2, 3.2.5.3: the secondary bus number is at 0x19.
        let bridge = function.filter(|function| function.config_byte(0x0e) & 0x7f == 1);
        let bus = bridge.map(|bridge| bridge.config_byte(0x19));
        let mut others = self.topology.functions().iter();
        others.any(|other| Some(other.rid.bus()) == bus && self.pci.exists(other.rid))
    }
}
