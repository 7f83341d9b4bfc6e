//! Message signalled interrupts: from a function's capability to the interrupt controller.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`message`] | which data does a device write to which address? |
//! | [`flags`] | which flags has an MSI domain? |
//! | [`controller`] | which driver is behind the MSI domains, and which doorbells does it have? |
//! | `v2m`, `its`, `lpi` | which SPI, event and LPI is free, and which commands does the ITS get? |
//! | `wire` | which fields do their registers have? |
//! | `vectors` | which vectors does a device have? |
//! | `alloc` | how are interrupts allocated for a device? |
//! | `doorbells` | when is a doorbell mapped, when is it dropped? |
//! | `compose` | which message does a device send, and what if its interrupt moves? |
//! | `registers` | how is the device programmed? |
//! | `enabling` | how are messages enabled, and where can another device intervene? |
//! | `dynamic_msix` | how is one vector added? |
//! | `enable` | how are messages disabled, how does a vector get its handler? |
//! | `driver_vectors` | which messages do the kernel's own drivers hold? |
//! | [`safety`] | can a device raise others' interrupts? |
//! | [`view`] | how are vectors inspected? |
//! | [`rules`] | which check refused? |
//!
//! Not here: the windows in which doorbells are mapped (the IOMMU core), and SET_IRQS, which
//! allocates vectors.

mod alloc;
mod compose;
pub mod controller;
mod doorbells;
mod driver_vectors;
mod dynamic_msix;
mod enable;
mod enabling;
pub mod flags;
mod its;
mod lpi;
pub mod message;
mod registers;
pub mod rules;
pub mod safety;
mod v2m;
mod vectors;
pub mod view;
mod wire;

pub use controller::DoorbellInfo;
pub(crate) use enabling::Enabling;
pub use flags::{Bus, MsiFlags};
pub use message::Message;
pub(crate) use registers::table_place;
pub use vectors::MessageKind;
pub use view::{MessageSupply, VectorView};

use crate::irq::{HeldFacts, InterruptFacts};
use crate::policy::{MsiAlias, Policy};
use crate::verdict::{Severity, Verdict};
use controller::Controller;
use its::Stop;
use passim_model::{Conflict, DeviceId, Endpoint, Frames, Host, Refusal};
use std::collections::BTreeMap;
use vectors::Vectors;

/// Messages of the whole machine.
#[derive(Debug)]
pub(crate) struct Msi {
    controller: Controller,
    devices: BTreeMap<Endpoint, Vectors>,
    held: Vec<HeldFacts>,
    /// Devices with their own MSI domain for which the controller is prepared.
    domains: BTreeMap<Endpoint, MessageKind>,
    /// Devices that do not use the first ITS, and which they use, if any.
    parents: BTreeMap<Endpoint, Option<usize>>,
    /// ITS and DeviceID of devices whose last alias gives them others, where the kernel uses that
    /// alias.
    last_aliases: BTreeMap<Endpoint, (Option<usize>, DeviceId)>,
    warned: Warned,
    /// Why the last device to allocate got fewer vectors than requested, if it did.
    shortage: Option<(Endpoint, Refusal)>,
}

/// What the kernel warns of the first time alone, and has warned of.
#[derive(Clone, Copy, Debug, Default)]
struct Warned {
    /// A function without an MSI domain.
    no_domain: bool,
    /// Events in use at the end of a device's domain.
    events: bool,
}

impl Msi {
    /// Probes the controller of messages.
    pub(crate) fn boot(
        facts: &InterruptFacts,
        policy: &Policy,
        verdicts: &mut Vec<Verdict>,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Self {
        let controller = Controller::boot(facts, policy, frames, host).unwrap_or_else(|frame| {
            let (severity, rule) = (Severity::Warning, &rules::FRAME_INVALID);
            verdicts.push(Verdict { severity, rule, conflict: Conflict::Physical(frame) });
            Controller::Absent
        });
        let (devices, held) = (BTreeMap::new(), facts.held.clone());
        let parents = facts.msi_parents.clone();
        let domains = BTreeMap::new();
        let last_aliases = match policy.msi_alias {
            MsiAlias::Last => facts.last_aliases.clone(),
            MsiAlias::Elsewhere => BTreeMap::new(),
        };
        let (warned, shortage) = (Warned::default(), None);
        Self { controller, devices, held, domains, parents, last_aliases, warned, shortage }
    }

    /// Takes what the drivers of controllers logged without returning an error.
    pub(crate) fn take_verdicts(&mut self) -> Vec<Verdict> {
        let stops = match &mut self.controller {
            Controller::Its(its) => its.take_stops(),
            Controller::Absent | Controller::V2m(_) => Vec::new(),
        };
        let told = |stop| {
            let (rule, at) = match stop {
                Stop::Waiting(at) => (&rules::ITS_QUEUE_STOPPED, at),
                Stop::Full(at) => (&rules::ITS_QUEUE_FULL, at),
            };
            Verdict { severity: Severity::Warning, rule, conflict: Conflict::Physical(at) }
        };
        stops.into_iter().map(told).collect()
    }
}

#[cfg(test)]
mod tests;
