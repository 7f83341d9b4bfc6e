//! A machine that runs: its board, its kernel and its devices, put together and driven.
//!
//! This is the one place where hardware and Linux side meet. The board answers the kernel's loads
//! and stores and performs what parts want done elsewhere; devices reach memory only through it.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `assemble` | how do facts become a machine that runs? |
//! | `parts`, `sound` | which parts of a machine do not go together, and where does its file say so? |
//! | `board` | what answers at an address, and who does what parts want done? |
//! | `smmu`, `x86` | what becomes of an access at the IOMMU it goes through? |
//! | `dma` | where does a device's access go from there? |
//! | `ats` | what does a device with translations of its own keep, and when does it ask? |
//! | `outstanding` | what becomes of a transfer that stalled? |
//! | `message` | where does a message end? |
//! | `controller`, `interrupts` | which CPU is interrupted, and by what? |
//! | `process` | what do CPUs do: calls, loads and stores of processes? |
//! | `edu`, `platform_device` | which registers have QEMU's educational device, and devices on no bus? |
//!
//! Not here: what hardware decides by itself (`smmu`, `gic`), and what the kernel does (`vfio`).

mod assemble;
mod ats;
mod board;
mod controller;
mod dma;
mod edu;
mod interrupts;
mod message;
mod outstanding;
mod parts;
mod platform_device;
mod process;
mod smmu;
mod sound;
mod x86;

pub(crate) use assemble::gicv3;
pub use assemble::{AssemblyError, Setup};
pub use ats::{Ats, AtsState, NotGranted};
pub use board::{Board, Dropped, Lost, LostCommand, Pace, Slot};
pub use dma::{DeviceWrite, NoTransfer, Piece, Reach};
pub use interrupts::Wire;
pub use message::{Arrival, Delivery, Signalled};
pub use outstanding::CarriedOn;
pub use parts::Clash;
pub use platform_device::PlatformDevice;
pub use smmu::{Explained, Outcome, Smmu, Stalled, Terminated};
pub use sound::sound;
pub use x86::Blocked;

use std::collections::{BTreeMap, BTreeSet};

use passim_model::{Endpoint, PageSize, PhysAddr, Requester, Rid, Topology};
use passim_vfio::Kernel;

/// A running machine. See the [module](self).
pub struct System {
    /// Memory and hardware.
    pub board: Board,
    /// The Linux side.
    pub kernel: Kernel,
    topology: Topology,
    page: PageSize,
    /// Which SMMU a device's DMA passes; absent for one that passes none.
    smmu_of: BTreeMap<Endpoint, usize>,
    /// Functions that were taken out.
    unplugged: BTreeSet<Rid>,
    /// Where the ITSs are, as firmware lists them.
    pub(crate) its: Vec<PhysAddr>,
    /// Which of them a function's messages go to, as firmware says.
    pub(crate) its_of: BTreeMap<Rid, usize>,
}

impl System {
    /// The CPU's page.
    pub fn page(&self) -> PageSize {
        self.page
    }

    /// PCI functions as the machine has them.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The function at `rid` is pulled out as soon as the kernel has let go of it, which is told by
    /// other means: from then on it does no DMA.
    pub fn unplug(&mut self, rid: Rid) {
        self.unplugged.insert(rid);
    }

    /// The requester of a device that is there.
    fn requester(&self, device: Endpoint) -> Option<Requester> {
        let gone = device.rid().is_some_and(|rid| self.is_gone(rid));
        if gone { None } else { self.topology.requester(device) }
    }

    /// Whether the machine has a function at `rid`.
    pub fn has(&self, rid: Rid) -> bool {
        self.topology.function(rid).is_some() && !self.is_gone(rid)
    }

    /// Who pulls a function out waits until the kernel has let go of it.
    fn is_gone(&self, rid: Rid) -> bool {
        let pulled = self.unplugged.contains(&rid) && !self.kernel.has_function(rid);
        pulled || self.board.slot(rid).is_some_and(|slot| !self.board.is_there(slot))
    }
}

#[cfg(test)]
mod tests;
