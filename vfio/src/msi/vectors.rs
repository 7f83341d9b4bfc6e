//! A device's vectors while messages are enabled.

use super::controller::Source;
use super::flags::Bus;
use super::message::Message;
use crate::iommu::DomainId;
use passim_model::PhysAddr;

/// How a device sends messages: MSI or MSI-X of a PCI function, or a device on the board.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum MessageKind {
    /// MSI: one address, consecutive data.
    Msi,
    /// MSI-X: a table.
    Msix,
    /// A device on the board: its own registers.
    Platform,
}

impl MessageKind {
    /// The bus whose MSI domain allocates them.
    pub(super) fn bus(self) -> Bus {
        match self {
            Self::Msi | Self::Msix => Bus::Pci,
            Self::Platform => Bus::Platform,
        }
    }
}

/// A doorbell that was mapped for a vector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Held {
    pub(super) domain: DomainId,
    pub(super) at: PhysAddr,
}

/// One vector.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Vector {
    pub(super) irq: u32,
    pub(super) source: Source,
    /// Doorbells this vector holds references on.
    pub(super) held: Vec<Held>,
    /// Whether its message was composed.
    pub(super) active: bool,
}

/// `struct msi_desc`: one entry of an MSI-X table, one message of a device on the board, or all
/// vectors of MSI.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Descriptor {
    /// Entry of the table, or number of the message; 0 for MSI.
    pub(super) index: u16,
    pub(super) vectors: Vec<Vector>,
    /// The message last written to the device.
    pub(super) message: Message,
}

/// Vectors of a device, ascending.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Vectors {
    pub(super) kind: MessageKind,
    pub(super) descriptors: Vec<Descriptor>,
}

impl Vectors {
    /// The position of a vector: descriptor, and vector in it.
    pub(super) fn place(&self, vector: u16) -> Option<(usize, usize)> {
        let vector = usize::from(vector);
        match self.kind {
            MessageKind::Msi => {
                let count = self.descriptors.first()?.vectors.len();
                (vector < count).then_some((0, vector))
            }
            MessageKind::Msix | MessageKind::Platform => {
                let at = self.descriptors.binary_search_by_key(&vector, |it| usize::from(it.index));
                Some((at.ok()?, 0))
            }
        }
    }

    /// Every vector, with its number.
    pub(super) fn numbered(&self) -> impl Iterator<Item = (u16, &Descriptor, &Vector)> {
        self.descriptors.iter().flat_map(|descriptor| {
            let ones = (descriptor.index..).zip(&descriptor.vectors);
            ones.map(move |(number, vector)| (number, descriptor, vector))
        })
    }
}
