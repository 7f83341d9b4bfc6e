//! Read-only view of a device's vectors.

use super::message::Message;
use super::vectors::MessageKind;
use crate::kernel::Kernel;
use passim_model::{Endpoint, IntId, Refusal};

/// One vector of a device with messages enabled.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VectorView {
    /// Its number, from 0: entry of the MSI-X table, or number of the message.
    pub vector: u16,
    /// How it is sent.
    pub kind: MessageKind,
    /// Linux interrupt number.
    pub irq: u32,
    /// The controller's number: an SPI or an LPI.
    pub intid: IntId,
    /// The message last written to the device for this vector; zeros after it was cleared.
    pub message: Message,
    /// Whether it has a handler.
    pub served: bool,
    /// References it holds on doorbells.
    pub references: usize,
}

/// A machine's interrupts for messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageSupply {
    /// Whether they are LPIs of an ITS; else SPIs of GICv2m frames.
    pub lpis: bool,
    /// Their number.
    pub total: u32,
    /// How many are free: of an ITS, those assigned to no device.
    pub free: u32,
    /// The longest run of free ones.
    pub longest: u32,
}

impl Kernel {
    /// The supply of interrupts for messages; `None` where no controller takes messages.
    pub fn message_supply(&self) -> Option<MessageSupply> {
        self.msi.controller.supply()
    }

    /// Why a device last got fewer vectors than it requested, if it did.
    pub fn message_shortage(&self, device: impl Into<Endpoint>) -> Option<Refusal> {
        let device = device.into();
        self.msi.shortage.filter(|(of, _)| *of == device).map(|(_, refusal)| refusal)
    }

    /// The vectors of a device; none while its messages are disabled.
    pub fn vectors(&self, device: impl Into<Endpoint>) -> Vec<VectorView> {
        let Some(vectors) = self.msi.devices.get(&device.into()) else { return Vec::new() };
        let view = vectors.numbered().map(|(number, descriptor, vector)| VectorView {
            vector: number,
            kind: vectors.kind,
            irq: vector.irq,
            intid: vector.source.intid,
            // PCI Local Bus 3.0 6.8.1.6: a function that may send 2^n messages puts the vector's
            // number in place of the low n bits of the data.
            message: match descriptor.message {
                message if message == Message::default() => message,
                message => {
                    let at = u32::from(number - descriptor.index);
                    let low = (descriptor.vectors.len() as u32).next_power_of_two() - 1;
                    Message { data: message.data & !low | at, ..message }
                }
            },
            served: self.irqs.line(vector.irq).is_some_and(|line| line.service.is_some()),
            references: vector.held.len(),
        });
        view.collect()
    }

    /// Interrupts that the controller has allocated for messages: SPIs, or events of an ITS.
    pub fn messages_in_use(&self) -> usize {
        self.msi.controller.in_use()
    }
}
