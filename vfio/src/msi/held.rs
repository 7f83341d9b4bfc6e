//! Messages that drivers of the kernel hold: from boot on, and again when their driver returns.

use super::vectors::MessageKind;
use crate::irq::{HeldFacts, Service};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::pci::Space;
use passim_model::{Endpoint, Host, Rid};

impl Kernel {
    /// Every driver that was bound at boot takes its messages, in the order of their numbers.
    pub(crate) fn hold_at_boot(&mut self, host: &mut impl Host) {
        let mut rids: Vec<(u32, Rid)> = Vec::new();
        for held in &self.msi.held {
            if let Endpoint::Pci(holder) = held.holder
                && !rids.iter().any(|(_, rid)| *rid == holder)
            {
                rids.push((held.irq.unwrap_or(u32::MAX), holder));
            }
        }
        rids.sort_by_key(|(irq, _)| *irq);
        for (_, rid) in rids {
            let numbered = |held: &HeldFacts| held.irq?.checked_sub(u32::from(held.vector));
            let first = self.held_by(rid).find_map(numbered);
            let mut tasks = Vec::new();
            self.hold_messages(rid, first, &mut tasks, host);
        }
    }

    fn held_by(&self, rid: Rid) -> impl Iterator<Item = &HeldFacts> + '_ {
        self.msi.held.iter().filter(move |held| held.holder == Endpoint::Pci(rid))
    }

    /// The driver of a function takes the messages it always takes.
    pub(crate) fn hold_messages(
        &mut self,
        rid: Rid,
        first: Option<u32>,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let held: Vec<HeldFacts> = self.held_by(rid).cloned().collect();
        let Some(last) = held.iter().map(|held| held.vector).max() else { return };
        let has_table = self.topology.function(rid).is_some_and(|it| it.msix.is_some());
        let kind = if has_table { MessageKind::Msix } else { MessageKind::Msi };
        let space = Space::new(self.ecam, rid);
        let command = space.enable_memory(host);
        let enabled = self.enable_numbered(rid, kind, u32::from(last) + 1, first, tasks, host);
        if let Err(refusal) = enabled {
            tracing::warn!(target: passim_model::event::VFIO, %rid, %refusal, "no messages");
            space.set_command(command, host);
            return;
        }
        for HeldFacts { vector, name, .. } in held {
            self.request_vector(rid, vector, Service::Driver, name, host);
        }
    }

    /// The driver of a function gives its messages back.
    pub(crate) fn let_go_of_messages(
        &mut self,
        rid: Rid,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let held: Vec<u16> = self.held_by(rid).map(|held| held.vector).collect();
        if held.is_empty() {
            return;
        }
        for vector in held {
            self.release_vector(rid, vector, host);
        }
        self.disable_messages(rid, tasks, host);
    }
}
