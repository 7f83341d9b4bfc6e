//! Turning the messages of a function on and off, and serving one vector: Linux's PCI core.

use super::controller::Source;
use super::registers::MessageRegisters;
use super::rules;
use super::vectors::MessageKind;
use crate::irq::Service;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::pci::Space;
use crate::uapi::irq;
use passim_model::{Conflict, Errno, Host, Refusal, Rid};

impl Kernel {
    /// The message registers of a function.
    pub(super) fn registers_of(&self, rid: Rid) -> Option<MessageRegisters> {
        let function = self.topology.function(rid)?;
        Some(MessageRegisters::of(function, Space::new(self.ecam, rid)))
    }

    /// Turns messages on with up to `wanted` vectors, as `pci_alloc_irq_vectors` does from one up:
    /// every one has an interrupt, its message stands in the device, and it is masked. Returns how
    /// many there are.
    ///
    /// # Errors
    /// ERANGE by `vectors-none`, EINVAL by `vectors-no-capability`, ENODEV by `msi-no-domain`,
    /// ENOSPC by `vectors-exhausted`, and what mapping doorbells refuses with.
    pub(crate) fn enable_messages(
        &mut self,
        rid: Rid,
        kind: MessageKind,
        wanted: u32,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<u32, Refusal> {
        self.enable_numbered(rid, kind, wanted, None, tasks, host)
    }

    /// The same; `first` is the first vector's interrupt number where that is known already.
    pub(super) fn enable_numbered(
        &mut self,
        rid: Rid,
        kind: MessageKind,
        wanted: u32,
        first: Option<u32>,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<u32, Refusal> {
        let conflict = Conflict::Device(rid);
        self.msi.shortage = None;
        if wanted == 0 {
            return Err(rules::VECTORS_NONE.refuse_for(Errno::ERANGE, conflict));
        }
        let index = match kind {
            MessageKind::Msi => irq::MSI,
            MessageKind::Msix => irq::MSIX,
        };
        let has = self.topology.function(rid).map_or(0, |it| crate::device::vectors(it, index));
        let registers = self.registers_of(rid).filter(|_| has > 0);
        let Some(registers) = registers.filter(|_| !self.msi.devices.contains_key(&rid)) else {
            return Err(rules::VECTORS_NO_CAPABILITY.refuse_for(Errno::EINVAL, conflict));
        };
        // MSI-X has 2048 entries at most, MSI 32 vectors.
        let (has, mut count) = (has as u16, wanted.min(has) as u16);
        let vectors = loop {
            match kind {
                MessageKind::Msi => registers.set_msi(false, host),
                MessageKind::Msix => registers.begin_msix(has, host),
            }
            match self.alloc_vectors(rid, kind, count, first, tasks, host) {
                Ok(vectors) => break vectors,
                Err(shortage) => {
                    if kind == MessageKind::Msix {
                        registers.end_msix(host);
                    }
                    match u16::try_from(shortage.available) {
                        Ok(fewer) if 0 < fewer && fewer < count => {
                            count = fewer;
                            self.msi.shortage = Some((rid, shortage.refusal));
                        }
                        _ => return Err(shortage.refusal),
                    }
                }
            }
        };
        self.msi.devices.insert(rid, vectors);
        for vector in 0..count {
            if kind == MessageKind::Msi {
                registers.mask_msi(vector, true, host);
            }
            self.activate(rid, vector, host);
        }
        registers.space.set_intx(false, host);
        match kind {
            MessageKind::Msi => registers.set_msi(true, host),
            MessageKind::Msix => registers.finish_msix(host),
        }
        Ok(u32::from(count))
    }

    /// Turns messages off. Nobody serves any of the vectors any more.
    pub(crate) fn disable_messages(
        &mut self,
        rid: Rid,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) {
        let Some(registers) = self.registers_of(rid) else { return };
        let Some(vectors) = self.msi.devices.get(&rid).cloned() else { return };
        let count = vectors.descriptors.iter().map(|it| it.vectors.len()).sum::<usize>() as u16;
        match vectors.kind {
            MessageKind::Msi => {
                registers.set_msi(false, host);
                (0..count).for_each(|vector| registers.mask_msi(vector, false, host));
            }
            MessageKind::Msix => {
                (0..count).for_each(|vector| registers.mask_msix(vector, true, host));
                registers.end_msix(host);
            }
        }
        registers.space.set_intx(true, host);
        for vector in 0..count {
            self.deactivate(rid, vector, host);
        }
        self.msi.devices.remove(&rid);
        self.free_vectors(&vectors, tasks, host);
    }

    /// Linux number of a vector's interrupt: `pci_irq_vector`.
    pub(crate) fn irq_of_vector(&self, rid: Rid, vector: u16) -> Option<u32> {
        let vectors = self.msi.devices.get(&rid)?;
        let (descriptor, at) = vectors.place(vector)?;
        Some(vectors.descriptors[descriptor].vectors[at].irq)
    }

    fn source_of_vector(&self, rid: Rid, vector: u16) -> Option<Source> {
        let vectors = self.msi.devices.get(&rid)?;
        let (descriptor, at) = vectors.place(vector)?;
        Some(vectors.descriptors[descriptor].vectors[at].source)
    }

    /// Somebody serves a vector from now on: its message stands in the device, unmasked.
    pub(crate) fn request_vector(
        &mut self,
        rid: Rid,
        vector: u16,
        service: Service,
        name: String,
        host: &mut impl Host,
    ) {
        let Some(vectors) = self.msi.devices.get(&rid) else { return };
        let Some((descriptor, at)) = vectors.place(vector) else { return };
        let (kind, seen) = (vectors.kind, &vectors.descriptors[descriptor].vectors[at]);
        let (irq, source) = (seen.irq, seen.source);
        if !seen.active {
            self.activate(rid, vector, host);
        }
        self.irqs.request(irq, service, name, host);
        self.msi.controller.set_masked(source, false, host);
        self.mask_vector(rid, kind, vector, false, host);
    }

    /// Nobody serves a vector any more: it is masked, and its message gone. Returns who did.
    pub(crate) fn release_vector(
        &mut self,
        rid: Rid,
        vector: u16,
        host: &mut impl Host,
    ) -> Option<Service> {
        let irq = self.irq_of_vector(rid, vector)?;
        let kind = self.msi.devices.get(&rid)?.kind;
        self.mask_vector(rid, kind, vector, true, host);
        let service = self.irqs.release(irq, host);
        if service.is_some()
            && let Some(source) = self.source_of_vector(rid, vector)
        {
            self.msi.controller.set_masked(source, true, host);
        }
        self.deactivate(rid, vector, host);
        service
    }

    fn mask_vector(
        &self,
        rid: Rid,
        kind: MessageKind,
        vector: u16,
        masked: bool,
        host: &mut impl Host,
    ) {
        let Some(registers) = self.registers_of(rid) else { return };
        match kind {
            MessageKind::Msi => registers.mask_msi(vector, masked, host),
            MessageKind::Msix => registers.mask_msix(vector, masked, host),
        }
    }
}
