//! Removing functions: `remove`, `unbind` and `sriov_numvfs`. For each of them the kernel asks the
//! function's user to release it, and waits.
//!
//! A call that would wait is refused at once, naming what it waits for, since no system call sleeps
//! here. The removal stays pending: it continues when the last of those files is closed.

use super::{bad_value, number};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::LastDevice;
use crate::rules;
use passim_model::{Conflict, Endpoint, Errno, Host, Refusal, Rid};

/// What a function is removed from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Leave {
    /// The machine.
    Machine,
    /// Its driver.
    Driver,
    /// A physical function's virtual functions leave the machine.
    Virtual,
}

impl Kernel {
    /// Removes a function: the software half of hot unplug, also used for virtual functions that
    /// are disabled.
    // 6.12 pci-sysfs.c, remove_store: zero is accepted and does nothing; text that is no unsigned
    // long is EINVAL, too large a number too.
    pub(super) fn remove(
        &mut self,
        rid: Rid,
        value: &str,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        if number(value).map_err(|_| bad_value())? == 0 {
            return Ok(());
        }
        if self.leads_to_others(rid) {
            return Err(rules::NOT_MODELLED.refuse_for(Errno::EINVAL, Conflict::Device(rid)));
        }
        self.see_off(rid, Leave::Machine, tasks, host)
    }

    /// Removes a function, or asks its user to release it.
    ///
    /// # Errors
    /// EBUSY by `unbind-in-use` and `remove-in-use`; the removal continues when files are closed.
    pub(super) fn see_off(
        &mut self,
        rid: Rid,
        what: Leave,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let Err((user, refusal)) = self.try_to_leave(rid, what, tasks, host) else {
            self.leaving.remove(&(rid, what));
            return Ok(());
        };
        self.ask_back(user);
        self.leaving.insert((rid, what), user);
        Err(refusal)
    }

    /// Continues pending removals after files were closed, each up to the next function in use.
    pub(crate) fn go_on_with_leaving(&mut self, tasks: &mut Vec<Task>, host: &mut impl Host) {
        let waiting: Vec<_> = self.leaving.iter().map(|(key, user)| (*key, *user)).collect();
        for ((rid, what), user) in waiting {
            match self.try_to_leave(rid, what, tasks, host) {
                Ok(()) => {
                    self.leaving.remove(&(rid, what));
                }
                Err((next, _)) if next != user => {
                    self.ask_back(next);
                    self.leaving.insert((rid, what), next);
                }
                Err(_) => {}
            }
        }
    }

    /// Removes as far as possible; otherwise returns the function in use, and the refusal that
    /// names it.
    fn try_to_leave(
        &mut self,
        rid: Rid,
        what: Leave,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), (Rid, Refusal)> {
        match what {
            Leave::Machine => {
                self.judge_removal(rid).map_err(|refusal| (rid, refusal))?;
                self.let_go_of_messages(rid.into(), tasks, host);
                self.take_away(rid, tasks);
            }
            Leave::Virtual => self.drop_virtual(rid, tasks, host)?,
            Leave::Driver => {
                // 6.12 vfio_pci_core_unregister_device, and drivers of network cards alike: virtual
                // functions are removed first, together with the driver of the physical function.
                self.drop_virtual(rid, tasks, host)?;
                if self.devices.contains_key(&rid) {
                    let conflict = Conflict::Device(rid);
                    return Err((rid, rules::UNBIND_IN_USE.refuse_for(Errno::EBUSY, conflict)));
                }
                self.let_go_of_messages(rid.into(), tasks, host);
                self.give_up_group(rid.into(), tasks);
                self.pci.unbind(rid);
            }
        }
        Ok(())
    }

    /// EBUSY if the kernel would wait for a user before it released the function.
    pub(super) fn judge_removal(&self, rid: Rid) -> Result<(), Refusal> {
        let in_use = rules::REMOVE_IN_USE.refuse_for(Errno::EBUSY, Conflict::Device(rid));
        if self.devices.contains_key(&rid) {
            return Err(in_use);
        }
        let number = self.iommu.group_of(rid);
        if self.policy.last_device == LastDevice::GroupStays
            && let Some(number) = number
            && let Some(group) = self.groups.get(&number)
            && (group.file.is_some() || group.container.is_some())
        {
            // 4.6 vfio.c: a group in use keeps its IOMMU group.
            let it = [Endpoint::from(rid)];
            let functions = self.pci.vfio_members(number).map(Endpoint::from);
            let served = functions.chain(self.platforms.vfio_members(number));
            if served.eq(it) || self.iommu.group_devices(number).eq(it) {
                return Err(in_use);
            }
        }
        Ok(())
    }

    /// Removes a function that is not in use.
    pub(super) fn take_away(&mut self, rid: Rid, tasks: &mut Vec<Task>) {
        self.leaving.retain(|(leaving, _), _| *leaving != rid);
        self.give_up_group(rid.into(), tasks);
        self.pci.remove(rid);
        tasks.extend(self.iommu.remove_device(rid).map(Task::Play));
    }

    /// Whether a bridge has functions behind it, which would be removed with it.
    fn leads_to_others(&self, rid: Rid) -> bool {
        let function = self.topology.function(rid);
        // PCI-to-PCI bridge 1.2, 3.2.5.3: the secondary bus number is at 0x19.
        let bridge = function.filter(|function| function.config_byte(0x0e) & 0x7f == 1);
        let bus = bridge.map(|bridge| bridge.config_byte(0x19));
        let mut others = self.topology.functions().iter();
        others.any(|other| Some(other.rid.bus()) == bus && self.pci.exists(other.rid))
    }
}
