//! Enabling messages: one descriptor after another, retrying with fewer vectors.
//!
//! Mapping a doorbell drops the lock of its domain's records, and no lock of the machine excludes
//! two devices of one domain; so this value can stop there, while other operations run.

use super::alloc::Shortage;
use super::doorbells::Holding;
use super::rules;
use super::vectors::{MessageKind, Vectors};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::MsiActivation;
use crate::step::Step;
use crate::uapi::irq;
use passim_model::{Conflict, Endpoint, Errno, Host, Refusal};

/// See the [module](self).
#[derive(Debug)]
pub(crate) struct Enabling {
    device: Endpoint,
    kind: MessageKind,
    /// Vectors that the device has.
    has: u16,
    /// Vectors being allocated.
    count: u16,
    /// Linux number of the first vector's interrupt, if it is fixed already.
    first: Option<u32>,
    vectors: Vectors,
    holding: Option<Holding>,
}

impl Enabling {
    /// The name of the suspension point that it has reached.
    pub(crate) fn point(&self) -> Option<&'static str> {
        self.holding.as_ref().and_then(Holding::point)
    }

    /// Index and vectors of the next descriptor; `None` when there are enough.
    fn next(&self) -> Option<(u16, u16)> {
        let there = self.vectors.descriptors.len() as u16;
        let (descriptors, each) = match self.kind {
            MessageKind::Msi => (1, self.count),
            MessageKind::Msix | MessageKind::Platform => (self.count, 1),
        };
        (there < descriptors).then_some((there, each))
    }
}

impl Kernel {
    /// Begins to enable messages, with 1 to `wanted` vectors as `pci_alloc_irq_vectors` does, or
    /// with exactly `wanted` for a device on the board.
    ///
    /// # Errors
    /// ERANGE by `vectors-none`, EINVAL by `vectors-no-capability`, one by `msi-no-domain`,
    /// ENOSPC by `vectors-exhausted`.
    pub(crate) fn begin_enabling(
        &mut self,
        device: Endpoint,
        kind: MessageKind,
        wanted: u32,
        first: Option<u32>,
        host: &mut impl Host,
    ) -> Result<Enabling, Refusal> {
        let conflict = Conflict::from(device);
        self.msi.shortage = None;
        if wanted == 0 {
            return Err(rules::VECTORS_NONE.refuse_for(Errno::ERANGE, conflict));
        }
        let has = self.most_vectors(device, kind);
        if has == 0 || self.msi.devices.contains_key(&device) {
            return Err(rules::VECTORS_NO_CAPABILITY.refuse_for(Errno::EINVAL, conflict));
        }
        // MSI-X has 2048 entries at most, MSI 32 vectors; larger values are cut to 16 bits.
        let has = u16::try_from(has).unwrap_or(u16::MAX);
        let count = u16::try_from(wanted).unwrap_or(u16::MAX).min(has);
        let vectors = Vectors { kind, descriptors: Vec::new() };
        let mut enabling = Enabling { device, kind, has, count, first, vectors, holding: None };
        self.attempt(&mut enabling, host)?;
        Ok(enabling)
    }

    /// Most messages of a kind that a device can send.
    pub(super) fn most_vectors(&self, device: Endpoint, kind: MessageKind) -> u32 {
        let index = match kind {
            MessageKind::Msi => irq::MSI,
            MessageKind::Msix => irq::MSIX,
            MessageKind::Platform => {
                let Endpoint::Platform(number) = device else { return 0 };
                return self.topology.platform(number).map_or(0, |it| it.messages);
            }
        };
        let function = device.rid().and_then(|rid| self.topology.function(rid));
        function.map_or(0, |function| crate::device::vectors(function, index))
    }

    /// Prepares for the number of vectors being allocated, or for fewer.
    fn attempt(&mut self, enabling: &mut Enabling, host: &mut impl Host) -> Result<(), Refusal> {
        loop {
            let registers = self.registers_of(enabling.device);
            match (registers, enabling.kind) {
                (Some(registers), MessageKind::Msi) => registers.set_msi(false, host),
                (Some(registers), MessageKind::Msix) => registers.begin_msix(enabling.has, host),
                _ => {}
            }
            let Enabling { device, kind, count, .. } = *enabling;
            match self.prepare_vectors(device, kind, count, host) {
                Ok(()) => return Ok(()),
                Err(shortage) => self.settle_for_less(enabling, shortage, host)?,
            }
        }
    }

    /// Handles a shortage: retries with as many vectors as are available, if any.
    fn settle_for_less(
        &mut self,
        enabling: &mut Enabling,
        shortage: Shortage,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        if enabling.kind == MessageKind::Msix
            && let Some(registers) = self.registers_of(enabling.device)
        {
            registers.end_msix(host);
        }
        match u16::try_from(shortage.available) {
            Ok(fewer) if 0 < fewer && fewer < enabling.count => {
                enabling.count = fewer;
                self.msi.shortage = Some((enabling.device, shortage.refusal));
                Ok(())
            }
            _ => Err(shortage.refusal),
        }
    }

    /// Proceeds as far as possible. `Done` carries the number of vectors: each has an interrupt and
    /// is masked, and its message is written where the kernel does that early.
    ///
    /// # Errors
    /// In `Done`: one by `msi-no-domain`, ENOSPC by `vectors-exhausted`, and the refusals of
    /// mapping doorbells. The device is then as before.
    pub(crate) fn step_enabling(
        &mut self,
        enabling: &mut Enabling,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Step<Result<u32, Refusal>> {
        loop {
            let failed = match enabling.holding.take() {
                Some(mut holding) => match self.step_holding(&mut holding, host) {
                    Step::Done(Ok(())) => {
                        enabling.vectors.descriptors.push(holding.descriptor);
                        continue;
                    }
                    Step::Done(Err(refusal)) => self.unwind_holding(holding, refusal, tasks, host),
                    Step::Waiting(queue) => {
                        enabling.holding = Some(holding);
                        return Step::Waiting(queue);
                    }
                    Step::Unlocked => {
                        enabling.holding = Some(holding);
                        return Step::Unlocked;
                    }
                },
                None => {
                    let Some(next) = enabling.next() else {
                        return Step::Done(Ok(self.finish_enabling(enabling, host)));
                    };
                    match self.next_descriptor(enabling, next, tasks, host) {
                        Ok(holding) => {
                            enabling.holding = Some(holding);
                            continue;
                        }
                        Err(refusal) => refusal,
                    }
                }
            };
            let again = self.give_up_attempt(enabling, failed, tasks, host);
            if let Err(refusal) = again {
                return Step::Done(Err(refusal));
            }
        }
    }

    fn next_descriptor(
        &mut self,
        enabling: &Enabling,
        (index, each): (u16, u16),
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<Holding, Refusal> {
        let Enabling { device, kind, first, .. } = *enabling;
        let number = first.map(|first| first.saturating_add(u32::from(index)));
        let descriptor = self.alloc_descriptor(device, kind, (index, each), number, host)?;
        self.begin_holding(device, descriptor, tasks, host)
    }

    /// Handles a descriptor that failed: frees those before it, and begins again with as many.
    fn give_up_attempt(
        &mut self,
        enabling: &mut Enabling,
        refusal: Refusal,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let got = enabling.vectors.descriptors.len() as u32;
        let empty = Vectors { kind: enabling.kind, descriptors: Vec::new() };
        let vectors = core::mem::replace(&mut enabling.vectors, empty);
        self.free_vectors(&vectors, tasks, host);
        self.settle_doorbells(tasks, host);
        // The PCI layer's handle_error: several vectors of MSI are retried as one; MSI-X with as
        // many as succeeded. A device on the board gets all it requests, or nothing.
        let available = match enabling.kind {
            MessageKind::Msi => u32::from(enabling.count > 1 && refusal.errno == Errno::ENOSPC),
            MessageKind::Msix => got,
            MessageKind::Platform => 0,
        };
        self.settle_for_less(enabling, Shortage { available, refusal }, host)?;
        self.attempt(enabling, host)
    }

    /// Enables the device's messages once all vectors exist, and writes the messages that are due.
    fn finish_enabling(&mut self, enabling: &mut Enabling, host: &mut impl Host) -> u32 {
        let Enabling { device, kind, count, .. } = *enabling;
        let empty = Vectors { kind, descriptors: Vec::new() };
        let vectors = core::mem::replace(&mut enabling.vectors, empty);
        self.msi.devices.insert(device, vectors);
        let registers = self.registers_of(device);
        for vector in 0..count {
            if let (Some(registers), MessageKind::Msi) = (registers, kind) {
                registers.mask_msi(vector, true, host);
            }
            // Only PCI domains set MSI_FLAG_ACTIVATE_EARLY.
            let due = match (self.policy.msi_activation, kind) {
                (MsiActivation::Request, _) | (_, MessageKind::Platform) => false,
                (MsiActivation::First | MsiActivation::Twice, MessageKind::Msi) => vector == 0,
                (MsiActivation::First | MsiActivation::Twice, MessageKind::Msix) => true,
                (MsiActivation::All, _) => true,
            };
            if due {
                self.activate(device, vector, host);
            }
        }
        if let Some(registers) = registers {
            registers.space.set_intx(false, host);
            match kind {
                MessageKind::Msi => registers.set_msi(true, host),
                MessageKind::Msix => registers.finish_msix(host),
                MessageKind::Platform => {}
            }
        }
        u32::from(count)
    }

    /// Enables messages without interruption, as at boot.
    ///
    /// # Errors
    /// As [`Kernel::begin_enabling`] and [`Kernel::step_enabling`].
    pub(super) fn enable_at_once(
        &mut self,
        (device, kind): (Endpoint, MessageKind),
        wanted: u32,
        first: Option<u32>,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<u32, Refusal> {
        let mut enabling = self.begin_enabling(device, kind, wanted, first, host)?;
        loop {
            match self.step_enabling(&mut enabling, tasks, host) {
                Step::Done(result) => return result,
                // Each doorbell is abandoned after a limited number of waits.
                Step::Waiting(_) | Step::Unlocked => host.relax(),
            }
        }
    }
}
