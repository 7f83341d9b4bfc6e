//! Message signalled interrupts: from a function's capability to the interrupt controller.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`message`] | what does a device write where? |
//! | [`flags`] | what does an MSI domain say of itself? |
//! | [`controller`] | who is behind the MSI domains, and which doorbells does it have? |
//! | `v2m`, `its`, `lpi` | which SPI, event and LPI is free, and what is the ITS told? |
//! | `wire` | where are the bits of their registers? |
//! | `vectors` | what does a device have? |
//! | `alloc` | how does a device come to interrupts? |
//! | `doorbells` | when is a doorbell mapped, when is it put back? |
//! | `compose` | what does a device send, and what if it is moved? |
//! | `registers` | where does the device learn it? |
//! | `enabling` | how are messages turned on, and who may come in between? |
//! | `another` | how does a device come to one vector more? |
//! | `enable` | how are they turned off, who serves them? |
//! | `held` | which do the kernel's own drivers hold? |
//! | [`safety`] | can a device raise others' interrupts? |
//! | [`view`] | how does it look from outside? |
//! | [`rules`] | which check refused? |
//!
//! Not here: the windows doorbells are mapped in, which the IOMMU core keeps; and SET_IRQS, which
//! asks for vectors.

mod alloc;
mod another;
mod compose;
pub mod controller;
mod doorbells;
mod enable;
mod enabling;
pub mod flags;
mod held;
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
    /// Devices with an MSI domain of their own that the controller was told of.
    domains: BTreeMap<Endpoint, MessageKind>,
    /// Devices of another ITS than the first.
    parents: BTreeMap<Endpoint, usize>,
    /// Devices that a kernel knows by another identifier, if it goes by their last alias.
    last_aliases: BTreeMap<Endpoint, (usize, DeviceId)>,
    /// Why the last device to ask got fewer vectors than it asked for, if it did.
    shortage: Option<(Endpoint, Refusal)>,
}

impl Msi {
    /// Probes what takes messages.
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
        Self { controller, devices, held, domains, parents, last_aliases, shortage: None }
    }

    /// What the drivers of controllers logged, and no caller was told.
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

/// What a refusal about a device collided with.
fn conflict_of(device: Endpoint) -> Conflict {
    match device {
        Endpoint::Pci(rid) => Conflict::Device(rid),
        Endpoint::Platform(number) => Conflict::Platform(number),
    }
}

#[cfg(test)]
mod tests;
