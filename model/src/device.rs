//! A device that can do DMA: an engine with a buffer of its own.
//!
//! The device decides addresses, lengths and directions, and describes a transfer as a [`Dma`]. It
//! does not reach memory: the machine performs the transfer through the SMMU and reports the
//! result.

mod atc;

pub use atc::{Atc, Lookup};

use crate::{Direction, Iova, Requester, Rid, Topology};

/// Size of a device's own buffer, in bytes.
pub const BUFFER_BYTES: usize = 4096;

/// One transfer a device wants: bytes between its buffer and the bus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dma {
    /// The requester.
    pub requester: Requester,
    /// First bus address.
    pub at: Iova,
    /// First byte in the device's buffer.
    pub offset: usize,
    /// Bytes; `offset + len` is at most [`BUFFER_BYTES`].
    pub len: usize,
    /// Read: from memory into the buffer.
    pub direction: Direction,
}

/// A DMA engine. See the [module](self).
#[derive(Clone)]
pub struct Device {
    rid: Rid,
    requester: Requester,
    buffer: Box<[u8; BUFFER_BYTES]>,
}

impl Device {
    /// The device at `rid`; `None` if the topology has no such function.
    pub fn at(rid: Rid, topology: &Topology) -> Option<Self> {
        let requester = topology.function(rid)?.requester();
        Some(Self { rid, requester, buffer: Box::new([0; BUFFER_BYTES]) })
    }

    /// The device's requester ID.
    pub fn rid(&self) -> Rid {
        self.rid
    }

    /// Its buffer.
    pub fn buffer(&self) -> &[u8; BUFFER_BYTES] {
        &self.buffer
    }

    /// Its buffer, for the device's own computation.
    pub fn buffer_mut(&mut self) -> &mut [u8; BUFFER_BYTES] {
        &mut self.buffer
    }

    /// A transfer of `len` bytes between buffer offset `offset` and bus address `at`; cut short at
    /// the end of the buffer.
    pub fn dma(&self, at: Iova, offset: usize, len: usize, direction: Direction) -> Dma {
        let offset = offset.min(BUFFER_BYTES);
        let len = len.min(BUFFER_BYTES - offset);
        Dma { requester: self.requester, at, offset, len, direction }
    }

    /// The bytes a write transfer sends.
    ///
    /// # Panics
    /// If the transfer leaves the buffer, as none that [`Self::dma`] made does.
    pub fn outgoing(&self, dma: &Dma) -> &[u8] {
        &self.buffer[dma.offset..dma.offset + dma.len]
    }

    /// Completes a read transfer with `bytes`; a faulting one delivers zeros (measured on 6.1 and
    /// 6.12: a read that faults overwrites the device's buffer with zeros).
    ///
    /// # Panics
    /// If the transfer leaves the buffer, or `bytes` are not [`Dma::len`].
    pub fn incoming(&mut self, dma: &Dma, bytes: Option<&[u8]>) {
        let place = &mut self.buffer[dma.offset..dma.offset + dma.len];
        match bytes {
            Some(bytes) => place.copy_from_slice(bytes),
            None => place.fill(0),
        }
    }
}
