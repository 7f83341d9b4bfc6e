//! Tables that an ITS which has them itself ([`TableHome::Its`](crate::choice::its::TableHome)) does not
//! take when it is restored. Saving leaves in them what was there before, between the entries that it
//! writes and ahead of them, and who restores believes it, or refuses all.

use super::Its;
use super::entry::Layout;
use super::image::{Device, Found};
use super::wire::KvmIte;
use crate::Cpu;
use passim_model::{DeviceId, EventId, Memory, PhysAddr};
use std::collections::BTreeSet;

/// Why tables are refused, so that nothing is mapped. KVM's answer is EINVAL, or EFAULT where memory does
/// not answer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
pub enum Refused {
    /// Memory did not answer.
    #[error("no answer at {0}")]
    Abort(PhysAddr),
    /// A collection is listed for a CPU that does not exist.
    #[error("collection {0} is at a CPU that there is not")]
    NoCpu(u16),
    /// A collection is listed whose number is beyond the table, or its place is not memory.
    #[error("collection {0} has no place in the table")]
    NoPlace(u16),
    /// A collection is listed twice.
    #[error("collection {0} is listed twice")]
    Twice(u16),
    /// The entry of a device says more bits of an EventID than there are.
    #[error("the entry of device {0} says too many bits of an EventID")]
    EventBits(DeviceId),
    /// The entry of an event maps it to what is no LPI.
    #[error("the entry of device {0}, event {1} names an INTID that is no LPI")]
    NoLpi(DeviceId, EventId),
    /// The next event is beyond the device's table.
    #[error("the entry of device {0}, event {1} leads beyond the table")]
    Beyond(DeviceId, EventId),
    /// The entry of an event names a collection that is not listed.
    #[error("the entry of device {0}, event {1} is in a collection that is not listed")]
    NoCollection(DeviceId, EventId),
}

impl Its {
    /// Why its tables were refused when it was restored, if they were: nothing was mapped then.
    pub fn refused(&self) -> Option<Refused> {
        self.refused
    }

    /// Looks at tables that have been read by their distances.
    // Linux vgic-its.c: vgic_its_restore_cte, vgic_its_restore_dte, vgic_its_restore_ite.
    pub(super) fn look_at_restored(
        &self,
        found: &Found,
        listed: &[(u16, Option<Cpu>)],
        memory: &Memory,
    ) -> Result<(), Refused> {
        if let Some(silent) = found.silent.first() {
            return Err(Refused::Abort(silent.span.start()));
        }
        let mut seen = BTreeSet::new();
        for &(icid, cpu) in listed {
            if cpu.is_some_and(|cpu| cpu.get() >= self.cpus) {
                return Err(Refused::NoCpu(icid));
            }
            if !seen.insert(icid) {
                return Err(Refused::Twice(icid));
            }
            if !self.has_place(icid, memory) {
                return Err(Refused::NoPlace(icid));
            }
        }
        for (device, it) in &found.mappings.devices {
            self.look_at_device(*device, it, &seen, memory)?;
        }
        Ok(())
    }

    fn look_at_device(
        &self,
        device: DeviceId,
        it: &Device,
        listed: &BTreeSet<u16>,
        memory: &Memory,
    ) -> Result<(), Refused> {
        let layout = Layout::Kvm0;
        let word = self.device_entry(device, memory).ok().map(|at| memory.load_u64(at));
        let dte = word.and_then(Result::ok).and_then(|word| layout.dte(word));
        if dte.is_some_and(|dte| dte.bits > self.implementation.features.event_bits) {
            return Err(Refused::EventBits(device));
        }
        for (event, (intid, icid)) in &it.events {
            if intid.get() < 8192 {
                return Err(Refused::NoLpi(device, *event));
            }
            let at = PhysAddr::new(it.itt.get() + u64::from(event.get()) * layout.ite_bytes());
            let next = memory.load_u64(at).map_or(0, |word| KvmIte::NEXT.get(word));
            if (u64::from(event.get()) + next) >> it.event_bits != 0 {
                return Err(Refused::Beyond(device, *event));
            }
            if !icid.is_some_and(|icid| listed.contains(&icid)) {
                return Err(Refused::NoCollection(device, *event));
            }
        }
        Ok(())
    }
}
