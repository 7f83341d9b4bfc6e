//! Adding one MSI-X vector while others are enabled: Linux's `pci_msix_alloc_irq_at`.

use super::controller::Controller;
use super::vectors::MessageKind;
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::{MsiActivation, MsixVectors};
use crate::step::Step;
use passim_model::{Endpoint, Host, Refusal};

impl Kernel {
    /// Whether vectors of a kind can be added one at a time.
    // 6.12 pci_msix_can_alloc_dyn: the domain sets MSI_FLAG_PCI_MSIX_ALLOC_DYN, which that of an
    // ITS does since 6.18 and that of GICv2m never did.
    pub(crate) fn has_vectors_one_by_one(&self, kind: MessageKind) -> bool {
        let its = matches!(self.msi.controller, Controller::Its(_));
        its && kind == MessageKind::Msix && self.policy.msix_vectors == MsixVectors::OneByOne
    }

    /// Allocates the vector of an entry that has none, on a device with MSI-X enabled. It stays
    /// until messages are disabled.
    ///
    /// # Errors
    /// ENOSPC by `vectors-exhausted`, and the refusals of mapping doorbells.
    pub(crate) fn add_vector(
        &mut self,
        device: Endpoint,
        index: u16,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let kind = MessageKind::Msix;
        let descriptor = self.alloc_descriptor(device, kind, (index, 1), None, host)?;
        let mut holding = self.begin_holding(device, descriptor, tasks, host)?;
        loop {
            match self.step_holding(&mut holding, host) {
                Step::Done(Ok(())) => break,
                Step::Done(Err(refusal)) => {
                    return Err(self.unwind_holding(holding, refusal, tasks, host));
                }
                // Each doorbell is abandoned after a limited number of waits.
                Step::Waiting(_) | Step::Unlocked => host.relax(),
            }
        }
        let vectors = self.msi.devices.get_mut(&device);
        let vectors = vectors.expect("MSI-X is enabled, and so there are vectors");
        let at = vectors.descriptors.partition_point(|it| it.index < index);
        vectors.descriptors.insert(at, holding.descriptor);
        if self.policy.msi_activation != MsiActivation::Request {
            self.activate(device, index, host);
        }
        Ok(())
    }
}
