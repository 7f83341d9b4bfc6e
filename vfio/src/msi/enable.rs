//! Disabling the messages of a device, and setting the handler of one vector: Linux's PCI core, and
//! its counterpart for devices on the board.

use super::controller::Source;
use super::registers::MessageRegisters;
use super::vectors::MessageKind;
use crate::irq::Service;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::pci::Space;
use crate::policy::{MsiActivation, MsiUnmask};
use passim_model::{Endpoint, Host};

impl Kernel {
    /// The message registers of a function; `None` of a device on the board.
    pub(super) fn registers_of(&self, device: Endpoint) -> Option<MessageRegisters> {
        let rid = device.rid()?;
        let function = self.topology.function(rid)?;
        Some(MessageRegisters::of(function, Space::new(self.ecam, rid)))
    }

    /// Disables messages. No vector has a handler any more.
    pub(crate) fn disable_messages(
        &mut self,
        device: Endpoint,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let Some(vectors) = self.msi.devices.get(&device).cloned() else { return };
        let all: Vec<u16> = vectors.numbered().map(|(number, ..)| number).collect();
        if let Some(registers) = self.registers_of(device) {
            match vectors.kind {
                MessageKind::Msi => {
                    registers.set_msi(false, host);
                    all.iter().for_each(|&vector| registers.mask_msi(vector, false, host));
                }
                MessageKind::Msix => {
                    all.iter().for_each(|&vector| registers.mask_msix(vector, true, host));
                    registers.end_msix(host);
                }
                MessageKind::Platform => {}
            }
            registers.space.set_intx(true, host);
        }
        // 5.13: earlier kernels freed vectors without a handler as they were.
        if self.policy.msi_activation == MsiActivation::All {
            all.iter().for_each(|&vector| self.deactivate(device, vector, host));
        }
        self.msi.devices.remove(&device);
        self.free_vectors(&vectors, tasks, host);
    }

    /// Linux number of a vector's interrupt: `pci_irq_vector`.
    pub(crate) fn irq_of_vector(&self, device: Endpoint, vector: u16) -> Option<u32> {
        let vectors = self.msi.devices.get(&device)?;
        let (descriptor, at) = vectors.place(vector)?;
        Some(vectors.descriptors[descriptor].vectors[at].irq)
    }

    fn source_of_vector(&self, device: Endpoint, vector: u16) -> Option<Source> {
        let vectors = self.msi.devices.get(&device)?;
        let (descriptor, at) = vectors.place(vector)?;
        Some(vectors.descriptors[descriptor].vectors[at].source)
    }

    /// Sets the handler of a vector: its message is written to the device, unmasked.
    // 4.4 __setup_irq, 6.12 irq_startup: the affinity is set after unmasking. 4.8 irq_startup
    // activates an active vector again; 4.10 checks. 4.4 its_unmask_msi_irq and
    // gicv2m_unmask_msi_irq: the device first; 6.11 pci_irq_unmask_msix: the parent.
    pub(crate) fn request_vector(
        &mut self,
        device: Endpoint,
        vector: u16,
        service: Service,
        name: String,
        host: &mut impl Host,
    ) {
        let Some(vectors) = self.msi.devices.get(&device) else { return };
        let Some((descriptor, at)) = vectors.place(vector) else { return };
        let (kind, seen) = (vectors.kind, &vectors.descriptors[descriptor].vectors[at]);
        let (irq, source) = (seen.irq, seen.source);
        if !seen.active || self.policy.msi_activation == MsiActivation::Twice {
            self.activate(device, vector, host);
        }
        self.irqs.request(irq, service, name, host);
        if self.policy.msi_unmask == MsiUnmask::DeviceFirst {
            self.mask_vector(device, kind, vector, false, host);
        }
        self.msi.controller.set_masked(source, false, host);
        if self.policy.msi_unmask == MsiUnmask::ControllerFirst {
            self.mask_vector(device, kind, vector, false, host);
        }
        self.settle_target(irq, source, host);
    }

    /// Removes the handler of a vector: it is masked, and its message cleared. Returns the handler.
    pub(crate) fn release_vector(
        &mut self,
        device: Endpoint,
        vector: u16,
        host: &mut impl Host,
    ) -> Option<Service> {
        let irq = self.irq_of_vector(device, vector)?;
        let kind = self.msi.devices.get(&device)?.kind;
        self.mask_vector(device, kind, vector, true, host);
        let service = self.irqs.release(irq, host);
        if service.is_some()
            && let Some(source) = self.source_of_vector(device, vector)
        {
            self.msi.controller.set_masked(source, true, host);
        }
        self.deactivate(device, vector, host);
        service
    }

    fn mask_vector(
        &self,
        device: Endpoint,
        kind: MessageKind,
        vector: u16,
        masked: bool,
        host: &mut impl Host,
    ) {
        let Some(registers) = self.registers_of(device) else { return };
        match kind {
            MessageKind::Msi => registers.mask_msi(vector, masked, host),
            MessageKind::Msix => registers.mask_msix(vector, masked, host),
            MessageKind::Platform => {}
        }
    }
}
