//! Messages of the kernel's own drivers: allocated at boot, and again when a driver is rebound.

use super::vectors::MessageKind;
use crate::irq::{HeldFacts, Service};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::pci::Space;
use passim_model::{Endpoint, Host};

impl Kernel {
    /// Allocates the messages of every driver that was bound at boot, in the order of their
    /// numbers.
    pub(crate) fn hold_at_boot(&mut self, host: &mut impl Host) {
        let mut holders: Vec<(u32, Endpoint)> = Vec::new();
        for &HeldFacts { irq, holder, .. } in &self.msi.held {
            if !holders.iter().any(|(_, it)| *it == holder) {
                holders.push((irq.unwrap_or(u32::MAX), holder));
            }
        }
        holders.sort_by_key(|(irq, _)| *irq);
        for (_, holder) in holders {
            let numbered = |held: &HeldFacts| held.irq?.checked_sub(u32::from(held.vector));
            let first = self.held_by(holder).find_map(numbered);
            let mut tasks = Vec::new();
            self.hold_messages(holder, first, &mut tasks, host);
        }
    }

    fn held_by(&self, holder: Endpoint) -> impl Iterator<Item = &HeldFacts> + '_ {
        self.msi.held.iter().filter(move |held| held.holder == holder)
    }

    /// The kind of messages that a device's driver enables.
    fn kind_held(&self, holder: Endpoint) -> MessageKind {
        let Some(rid) = holder.rid() else { return MessageKind::Platform };
        match self.topology.function(rid).is_some_and(|it| it.msix.is_some()) {
            true => MessageKind::Msix,
            false => MessageKind::Msi,
        }
    }

    /// Allocates the messages that a device's driver always uses.
    pub(crate) fn hold_messages(
        &mut self,
        holder: Endpoint,
        first: Option<u32>,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let held: Vec<HeldFacts> = self.held_by(holder).cloned().collect();
        let Some(last) = held.iter().map(|held| held.vector).max() else { return };
        let space = holder.rid().map(|rid| Space::new(self.ecam, rid));
        let command = space.map(|space| (space, space.enable_memory(host)));
        let what = (holder, self.kind_held(holder));
        let enabled = self.enable_at_once(what, u32::from(last) + 1, first, tasks, host);
        if let Err(refusal) = enabled {
            tracing::warn!(target: passim_model::event::VFIO, %holder, %refusal, "no messages");
            if let Some((space, command)) = command {
                space.set_command(command, host);
            }
            return;
        }
        for HeldFacts { vector, name, .. } in held {
            self.request_vector(holder, vector, Service::Driver, name, host);
        }
    }

    /// Frees a device's messages when its driver is unbound.
    // 6.16 msi_device_data_release: the MSI domain is freed too, whatever the driver was.
    pub(crate) fn let_go_of_messages(
        &mut self,
        holder: Endpoint,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let held: Vec<u16> = self.held_by(holder).map(|held| held.vector).collect();
        if !held.is_empty() {
            for vector in held {
                self.release_vector(holder, vector, host);
            }
            self.disable_messages(holder, tasks, host);
        }
        self.end_domain(holder, host);
    }
}
