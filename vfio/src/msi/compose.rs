//! Composing the message that a device sends for an interrupt.
//!
//! Not here: address translation (the IOMMU core), and the device's message registers
//! (`registers`).

use super::controller::Source;
use super::message::Message;
use super::registers::write_board;
use super::rules;
use super::vectors::{MessageKind, Vector};
use crate::kernel::Kernel;
use crate::policy::{MsiAffinity, MsiFailure, MsiMapping};
use crate::verdict::{Severity, Verdict};
use passim_model::{Conflict, Endpoint, Host, PhysAddr};

impl Kernel {
    /// Composes the message of a vector, with the doorbell's address in the domain that translates
    /// for the device.
    pub(super) fn compose(
        &mut self,
        device: Endpoint,
        vector: &Vector,
        host: &mut impl Host,
    ) -> Message {
        let cpu = self.irqs.line(vector.irq).map_or(0, |line| line.cpu);
        let message = self.msi.controller.message(vector.source, cpu);
        let Some(domain) = self.iommu.msi_domain_of(device) else { return message };
        let at = PhysAddr::new(message.address);
        if self.policy.msi_mapping == MsiMapping::Compose {
            // On a failure the look-up below finds no mapping.
            let _ = self.prepare_doorbell(device, at, host);
        }
        if let Some(iova) = self.iommu.translate_message(domain, at) {
            return Message { address: iova.get(), ..message };
        }
        self.verdicts.push(Verdict {
            severity: Severity::Warning,
            rule: &rules::MESSAGE_NOT_TRANSLATED,
            conflict: Conflict::Physical(at),
        });
        match self.policy.msi_failure {
            MsiFailure::Physical => message,
            MsiFailure::AllOnes => Message::LOST,
        }
    }

    /// Composes a vector's message and writes it to its device.
    pub(super) fn activate(&mut self, device: Endpoint, vector: u16, host: &mut impl Host) {
        let Some(vectors) = self.msi.devices.get(&device) else { return };
        let Some((descriptor, at)) = vectors.place(vector) else { return };
        let seen = vectors.descriptors[descriptor].vectors[at].clone();
        if let Some(cpu) = self.msi.controller.activate(seen.source, host) {
            self.irqs.goes_to(seen.irq, cpu);
        }
        let message = self.compose(device, &seen, host);
        self.set_active(device, descriptor, at, true);
        // Only the first vector of MSI has its own message.
        if at == 0 {
            self.write_message(device, descriptor, message, host);
        }
    }

    /// Clears a vector's message in its device.
    pub(super) fn deactivate(&mut self, device: Endpoint, vector: u16, host: &mut impl Host) {
        let Some(vectors) = self.msi.devices.get(&device) else { return };
        let Some((descriptor, at)) = vectors.place(vector) else { return };
        if !vectors.descriptors[descriptor].vectors[at].active {
            return;
        }
        let source = vectors.descriptors[descriptor].vectors[at].source;
        self.set_active(device, descriptor, at, false);
        if at == 0 {
            self.write_message(device, descriptor, Message::default(), host);
        }
        self.msi.controller.deactivate(source, host);
    }

    fn set_active(&mut self, device: Endpoint, descriptor: usize, at: usize, active: bool) {
        if let Some(vectors) = self.msi.devices.get_mut(&device) {
            vectors.descriptors[descriptor].vectors[at].active = active;
        }
    }

    /// Writes a message to a device, and records it.
    fn write_message(
        &mut self,
        device: Endpoint,
        descriptor: usize,
        message: Message,
        host: &mut impl Host,
    ) {
        let Some(vectors) = self.msi.devices.get_mut(&device) else { return };
        vectors.descriptors[descriptor].message = message;
        let (kind, index) = (vectors.kind, vectors.descriptors[descriptor].index);
        let count = vectors.descriptors[descriptor].vectors.len() as u32;
        let Some(registers) = self.registers_of(device) else {
            let Endpoint::Platform(number) = device else { return };
            let table = self.topology.platform(number).and_then(|it| it.message_table);
            if let Some(table) = table {
                write_board(table, index, message, host);
            }
            return;
        };
        if kind == MessageKind::Msi && message != Message::default() {
            let block = count.next_power_of_two();
            if !message.data.is_multiple_of(block) {
                self.verdicts.push(Verdict {
                    severity: Severity::Finding,
                    rule: &rules::MESSAGES_UNALIGNED,
                    conflict: Conflict::from(device),
                });
            }
        }
        match kind {
            MessageKind::Msi => registers.write_msi(message, count, host),
            MessageKind::Msix => registers.write_msix(index, message, host),
            MessageKind::Platform => {}
        }
    }

    /// Writes a vector's last message to its device again.
    // 6.12 vfio_pci: before an interrupt of MSI-X is requested, in case a reset has lost it.
    pub(crate) fn rewrite_message(&mut self, device: Endpoint, vector: u16, host: &mut impl Host) {
        let Some(vectors) = self.msi.devices.get(&device) else { return };
        if let Some((descriptor, _)) = vectors.place(vector) {
            let message = vectors.descriptors[descriptor].message;
            self.write_message(device, descriptor, message, host);
        }
    }

    /// Updates the message of an interrupt that was routed to another CPU, if its address depends
    /// on the CPU. References stay: all doorbells were mapped on allocation.
    // Part 2 of the series: set_affinity composes and writes unless the parent reports that it is
    // done. An ITS reports that: it moves the event itself. 5.8, IRQD_AFFINITY_ON_ACTIVATE:
    // inactive vectors are left until activation; earlier kernels did not check.
    pub(crate) fn move_message(&mut self, irq: u32, host: &mut impl Host) {
        let at_once = self.policy.msi_affinity == MsiAffinity::AtOnce;
        let mut all = self.msi.devices.iter().flat_map(|(&device, vectors)| {
            vectors.numbered().map(move |(number, _, vector)| (device, number, vector))
        });
        let found = all.find(|(_, _, it)| it.irq == irq && (it.active || at_once));
        let found = found.map(|(device, number, it)| (device, number, it.source, it.active));
        drop(all);
        let Some((device, number, source, active)) = found else { return };
        match (self.msi.controller.moves_events(), active) {
            (true, true) => self.settle_target(irq, source, host),
            (true, false) => {
                let pinned = self.irqs.line(irq).and_then(|line| line.pinned);
                if let Some(cpu) = self.msi.controller.move_inactive(source, pinned, host) {
                    self.irqs.goes_to(irq, cpu);
                }
            }
            (false, true) => self.activate(device, number, host),
            (false, false) => self.write_inactive(device, number, host),
        }
    }

    /// Writes the message of an inactive vector to its device.
    fn write_inactive(&mut self, device: Endpoint, number: u16, host: &mut impl Host) {
        let Some(vectors) = self.msi.devices.get(&device) else { return };
        let Some((descriptor, at)) = vectors.place(number) else { return };
        let seen = vectors.descriptors[descriptor].vectors[at].clone();
        let message = self.compose(device, &seen, host);
        if at == 0 {
            self.write_message(device, descriptor, message, host);
        }
    }

    /// Makes an ITS route an interrupt to the CPU that a user has set, or to one that the ITS
    /// driver selects.
    pub(super) fn settle_target(&mut self, irq: u32, source: Source, host: &mut impl Host) {
        let pinned = self.irqs.line(irq).and_then(|line| line.pinned);
        if let Some(cpu) = self.msi.controller.set_affinity(source, pinned, host) {
            self.irqs.goes_to(irq, cpu);
        }
    }
}
