//! An x86-like IOMMU, as far as it decides where DMA goes: it looks the device up in a table in
//! memory, and the address in the page tables to which the entry points. It caches nothing.
//!
//! No such part exists: real ones have other tables, and queues, caches and fault logs.

use std::fmt;

use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::pgtable::walk::{Config, Fault, Format, PlainFetch, walk};
use passim_model::{Abort, Access, Direction, Iova, Memory, Perms, PhysAddr, Requester, Span};

/// Size of its register frame: a page.
pub(super) const BYTES: u64 = 0x1000;

/// Input and output address bits.
const ADDRESS_BITS: u32 = 48;

/// Offset of the register: the address of the device table, and whether the unit translates.
const DEVICES: u64 = 0;
const ENABLE: u64 = 1 << 0;

/// A device's doubleword: translated, with the address of its page tables; or passed through.
/// Devices with neither bit are blocked.
const TRANSLATED: u64 = 1 << 0;
const PASSES: u64 = 1 << 1;

/// The address bits of the register and of a doubleword.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// The unit.
pub(super) struct X86Unit {
    devices: u64,
    /// The address range in which it takes messages from the bus.
    messages: Span<Iova>,
}

/// Why a transaction is blocked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Blocked {
    /// No entry allows the device to do DMA.
    Device,
    /// The device table cannot be read.
    Devices(Abort),
    /// Nothing is mapped; the level of the invalid entry.
    Unmapped(i8),
    /// The mapping does not permit this access.
    Permission,
    /// A page table cannot be read.
    Table(Abort),
    /// Above the addresses that can be mapped.
    Range,
    /// A read in the range of messages.
    Messages,
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device => f.write_str("blocked: no table for the device"),
            Self::Devices(abort) => write!(f, "blocked: the table of devices: {abort}"),
            Self::Unmapped(level) => write!(f, "blocked: nothing mapped, level {level}"),
            Self::Permission => f.write_str("blocked: not permitted"),
            Self::Table(abort) => write!(f, "blocked: a table: {abort}"),
            Self::Range => f.write_str("blocked: beyond 48 bits"),
            Self::Messages => f.write_str("blocked: messages are not read"),
        }
    }
}

impl X86Unit {
    /// The unit after reset: every transaction passes.
    pub(super) fn new(messages: Span<Iova>) -> Self {
        Self { devices: 0, messages }
    }

    /// A CPU loads the register.
    pub(super) fn load(&self, offset: u64) -> u64 {
        if offset == DEVICES { self.devices } else { 0 }
    }

    /// A CPU stores to it.
    pub(super) fn store(&mut self, offset: u64, value: u64) {
        if offset == DEVICES {
            self.devices = value;
        }
    }

    /// Translates a transaction.
    ///
    /// # Errors
    /// [`Blocked`].
    pub(super) fn translate(
        &self,
        memory: &Memory,
        requester: Requester,
        iova: Iova,
        access: Access,
    ) -> Result<PhysAddr, Blocked> {
        let write = access.direction == Direction::Write;
        // Messages are taken from the bus before translation.
        if self.messages.contains(iova) {
            return if write { Ok(PhysAddr::new(iova.get())) } else { Err(Blocked::Messages) };
        }
        if self.devices & ENABLE == 0 {
            return Ok(PhysAddr::new(iova.get()));
        }
        let at = (self.devices & ADDRESS) + u64::from(requester.stream.get() & 0xffff) * 8;
        let device = memory.load_u64(PhysAddr::new(at)).map_err(Blocked::Devices)?;
        if device & PASSES != 0 {
            return Ok(PhysAddr::new(iova.get()));
        }
        if device & TRANSLATED == 0 {
            return Err(Blocked::Device);
        }
        if iova.get() >> ADDRESS_BITS != 0 {
            return Err(Blocked::Range);
        }
        let leaf = walk(&config(device & ADDRESS), iova.get(), &mut PlainFetch(memory));
        let leaf = leaf.map_err(|fault| match fault {
            Fault::Fetch { cause, .. } => Blocked::Table(cause),
            Fault::Translation { level }
            | Fault::AddressSize { level }
            | Fault::AccessFlag { level } => Blocked::Unmapped(level),
        })?;
        let wants = if write { Perms::WRITE } else { Perms::READ };
        if !leaf.unprivileged.contains(wants) {
            return Err(Blocked::Permission);
        }
        Ok(PhysAddr::new(leaf.translate(iova.get())))
    }
}

/// The configuration of a walk of the tables at `root`.
fn config(root: u64) -> Config {
    let (granule, input_bits) = (Granule::K4, ADDRESS_BITS);
    Config {
        format: Format::default(),
        stage: Stage::Two,
        granule,
        input_bits,
        start_level: Config::start_level_for(granule, input_bits) as i8,
        root,
        output_bits: ADDRESS_BITS,
        implemented_bits: ADDRESS_BITS,
        ds: false,
        hierarchical: true,
        access_flag_faults: true,
        dirty_state: false,
    }
}
