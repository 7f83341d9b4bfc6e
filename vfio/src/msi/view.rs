//! A device's vectors, looked at from outside.

use super::message::Message;
use super::vectors::MessageKind;
use crate::kernel::Kernel;
use passim_model::{Endpoint, IntId};

/// One vector of a device whose messages are on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VectorView {
    /// Its place: entry of the MSI-X table, or number of the message.
    pub vector: u16,
    /// How it is sent.
    pub kind: MessageKind,
    /// Linux interrupt number.
    pub irq: u32,
    /// The controller's number: an SPI or an LPI.
    pub intid: IntId,
    /// What the device was programmed with for this vector; zeros where it was taken back.
    pub message: Message,
    /// Whether somebody serves it.
    pub served: bool,
    /// References it holds on doorbells.
    pub references: usize,
}

impl Kernel {
    /// The vectors of a device; none while its messages are off.
    pub fn vectors(&self, device: impl Into<Endpoint>) -> Vec<VectorView> {
        let Some(vectors) = self.msi.devices.get(&device.into()) else { return Vec::new() };
        let all = vectors.descriptors.iter().flat_map(|descriptor| {
            let ones = descriptor.vectors.iter().enumerate();
            ones.map(move |(at, vector)| (descriptor.message, at as u32, vector))
        });
        let view = (0u16..).zip(all).map(|(number, (message, at, vector))| VectorView {
            vector: number,
            kind: vectors.kind,
            irq: vector.irq,
            intid: vector.source.intid,
            // A function that may send 2^n messages puts the number in the low bits of the data.
            message: match message == Message::default() {
                true => message,
                false => Message { data: message.data.wrapping_add(at), ..message },
            },
            served: self.irqs.line(vector.irq).is_some_and(|line| line.service.is_some()),
            references: vector.held.len(),
        });
        view.collect()
    }

    /// Interrupts the controller has given for messages: SPIs, or events of an ITS.
    pub fn messages_in_use(&self) -> usize {
        self.msi.controller.in_use()
    }
}
