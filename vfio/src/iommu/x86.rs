//! The driver of an x86-like IOMMU, which decides where DMA goes: a device table and tables of
//! domains, in memory.
//!
//! It is neither VT-d nor AMD-Vi, whose tables have other layouts. Here each requester ID
//! has a doubleword in one table, and tables of domains have the stage 2 format. The unit has no
//! caches, so a change takes effect as soon as it is in memory.

use super::paging::Paging;
use super::rules::DOMAIN_NO_MEMORY;
use super::synced::Synced;
use super::{BootError, MapRequest};
use crate::policy::BeyondInput;
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::{Geometry, Table};
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::{
    Errno, Frames, Host, Iova, Memory, PageSize, PhysAddr, Refusal, Span, StreamId, Width,
};

/// Bits of input and output addresses.
const ADDRESS_BITS: u32 = 48;

/// log2 of the device table's bytes: a doubleword for each of 2^16 requesters.
const DEVICES_LG2: u32 = 19;

/// The unit's register: the address of the device table, and the enable bit.
mod register {
    pub(super) const DEVICES: u64 = 0;
    pub(super) const ENABLE: u64 = 1 << 0;
}

/// The low bits of a device's doubleword, beside the address of its tables. Without either bit its
/// accesses abort.
mod entry {
    pub(super) const TRANSLATED: u64 = 1 << 0;
    pub(super) const PASSES: u64 = 1 << 1;
}

/// The driver, and what firmware reports about messages.
#[derive(Debug)]
pub(super) struct X86 {
    devices: PhysAddr,
    geometry: Geometry,
    /// Addresses at which hardware accepts messages from the bus.
    pub(super) messages: Span<Iova>,
    /// Whether it claims IOMMU_CAP_INTR_REMAP.
    pub(super) remaps_interrupts: bool,
}

/// A device, by its requester IDs.
#[derive(Debug)]
pub(super) struct Master {
    requesters: Vec<u16>,
}

/// A domain.
#[derive(Debug)]
pub(super) struct Domain {
    paging: Paging,
}

/// Device table doublewords to store.
#[derive(Debug)]
pub(super) struct Worklist {
    stores: Vec<(PhysAddr, u64)>,
}

impl X86 {
    /// Allocates an empty device table, and turns the unit at `base` on.
    ///
    /// # Errors
    /// [`BootError::NoFrame`].
    pub(super) fn boot(
        base: PhysAddr,
        (messages, remaps_interrupts): (Span<Iova>, bool),
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Self, BootError> {
        let (input_bits, output_bits) = (ADDRESS_BITS, ADDRESS_BITS);
        let geometry = Geometry::linux(Stage::Two, Granule::K4, input_bits, output_bits);
        let geometry = geometry.ok_or(BootError::NoGeometry { input_bits, output_bits })?;
        let size = PageSize::from_lg2(DEVICES_LG2).ok_or(BootError::NoFrame)?;
        let devices = frames.alloc(size).ok_or(BootError::NoFrame)?;
        let table = devices.get() | register::ENABLE;
        if let Some(at) = base.checked_add(register::DEVICES) {
            host.store(at, Width::W64, table).map_err(BootError::NoAnswer)?;
        }
        Ok(Self { devices, geometry, messages, remaps_interrupts })
    }

    /// Adds a device: its accesses still abort.
    pub(super) fn master(&self, streams: &[StreamId]) -> Master {
        // A stream is a requester ID here, 16 bits of it.
        let requesters = streams.iter().map(|stream| stream.get() as u16);
        Master { requesters: requesters.collect() }
    }

    /// Allocates a domain without mappings.
    ///
    /// # Errors
    /// ENOMEM without a frame for the first table.
    pub(super) fn alloc_domain(
        &self,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Domain, Refusal> {
        let table = Table::new(self.geometry, host.memory_mut(), frames);
        let table = table.map_err(|_| DOMAIN_NO_MEMORY.refuse(Errno::ENOMEM))?;
        // Not an io-pgtable: `beyond-input` does not apply to this IOMMU.
        Ok(Domain { paging: Paging::new(table, BeyondInput::Erange) })
    }

    /// Lets a device reach what a domain maps.
    pub(super) fn attach(&self, master: &Master, domain: &Domain) -> Worklist {
        self.set(master, domain.paging.root().get() | entry::TRANSLATED)
    }

    /// Lets a device bypass translation.
    pub(super) fn bypass(&self, master: &Master) -> Worklist {
        self.set(master, entry::PASSES)
    }

    /// Makes a device's accesses abort.
    pub(super) fn block(&self, master: &Master) -> Worklist {
        self.set(master, 0)
    }

    fn set(&self, master: &Master, value: u64) -> Worklist {
        let at = |requester: &u16| self.devices.checked_add(u64::from(*requester) * 8);
        let stores = master.requesters.iter().filter_map(at).map(|at| (at, value));
        Worklist { stores: stores.collect() }
    }
}

impl Worklist {
    /// Performs the stores. There is no invalidation: the unit reads the table each time.
    pub(super) fn finish(&mut self, host: &mut impl Host) -> Synced {
        for (at, value) in self.stores.drain(..) {
            // The table was allocated whole, in RAM.
            let _ = host.memory_mut().store_u64(at, value);
        }
        Synced::without_hardware()
    }
}

impl Domain {
    /// The shape of its tables.
    pub(super) fn geometry(&self) -> Geometry {
        self.paging.geometry()
    }

    /// Maps a range.
    pub(super) fn map(
        &mut self,
        request: &MapRequest,
        gather: &mut Gather,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        self.paging.map(request, gather, frames, host)
    }

    /// Unmaps up to the first hole; returns the number of bytes unmapped.
    pub(super) fn unmap(
        &mut self,
        iova: Iova,
        size: u64,
        gather: &mut Gather,
        host: &mut impl Host,
    ) -> u64 {
        self.paging.unmap(iova, size, gather, host)
    }

    /// The physical address of `iova`, and how many bytes stay contiguous from there, at most
    /// `max`.
    pub(super) fn run(&self, iova: Iova, max: u64, memory: &Memory) -> Option<(PhysAddr, u64)> {
        self.paging.run(iova, max, memory)
    }

    /// Frees its tables.
    pub(super) fn free(self, frames: &mut Frames) {
        self.paging.free(frames);
    }
}
