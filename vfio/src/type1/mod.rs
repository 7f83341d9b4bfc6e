//! The type1 backend: a container's mappings.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`slots`] | which mapping contains this address, which overlaps this range? |
//! | `map` | may this be mapped, and which pages does it pin? |
//! | `register` | may this be the window for doorbells, and which domains accept it? |
//! | `replay` | which mappings does a later domain get? |
//! | `search` | which slot does a search by range, point or kind find? |
//! | `unmap` | which mappings does an UNMAP remove? |
//! | `removal` | in what order is a mapping removed: tables, SMMU, pages? |
//! | `attach` | what happens when a group joins or leaves? |
//! | `windows` | which addresses are valid? |
//! | `info` | what does GET_INFO report? |
//! | `msi_info` | what does it report about messages? |
//! | `dirty` | which bits does a dirty report set? |
//!
//! Not here: page tables and how the SMMU is programmed (the IOMMU core), and which groups may join
//! a container.

mod attach;
mod dirty;
mod info;
mod map;
mod msi_info;
mod register;
pub(crate) mod removal;
mod replay;
mod search;
pub mod slots;
mod unmap;
mod windows;

#[cfg(test)]
mod tests;

pub use dirty::SlotBitmap;
pub(crate) use info::fixed_bytes_written;

use crate::iommu::DomainId;
use crate::policy::{EntryLimit, Policy};
use crate::process::Pid;
use passim_model::{Conflict, PageSize, PageSizes, Perms, UserAddr};
use search::Search;
use slots::Slots;
use windows::Windows;

/// Which rules UNMAP follows, and whether dirty pages are tracked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Version {
    /// VFIO_TYPE1_IOMMU.
    V1,
    /// VFIO_TYPE1v2_IOMMU, and nesting.
    V2,
}

/// The purpose of a slot: `vfio_iova_type` of patch 1/7 of part 3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SlotKind {
    /// A mapping of process memory.
    User,
    /// The window in which doorbells are mapped; type1 pins and maps nothing in it.
    ReservedMsi,
}

/// One mapping: `struct vfio_dma`. [`Slots`] stores its range of IOVAs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Slot {
    /// Its purpose.
    pub kind: SlotKind,
    /// First byte in the owner's memory.
    pub vaddr: UserAddr,
    /// The accesses that the device may make, as the process requested.
    pub perms: Perms,
    /// The process whose memory it maps and whose VmLck counts it.
    pub owner: Pid,
    /// Whether the owner held CAP_IPC_LOCK when it became the owner.
    pub ipc_lock: bool,
    /// Pages (of the CPU's size) counted in the owner's VmLck.
    pub locked_pages: u64,
    /// False between UNMAP and MAP with the VADDR flag.
    pub vaddr_valid: bool,
    /// Dirty bits, while tracking runs.
    pub bitmap: Option<SlotBitmap>,
}

/// A domain of the container, and the groups in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DomainEntry {
    /// The domain.
    pub domain: DomainId,
    /// Its groups, in the order in which they joined.
    pub groups: Vec<u32>,
}

/// A container's type1 instance.
pub struct Type1 {
    pub(crate) version: Version,
    pub(crate) nesting: bool,
    /// The newest first: physical addresses are looked up in it.
    pub(crate) domains: Vec<DomainEntry>,
    pub(crate) slots: Slots<Slot>,
    pub(crate) windows: Windows,
    pub(crate) page_sizes: PageSizes,
    pub(crate) tracking_dirty: bool,
    /// Mappings whose vaddr is not valid now.
    pub(crate) invalid_vaddrs: usize,
    entry_limit: u32,
    cpu_page: PageSize,
    search: Search,
}

impl Type1 {
    /// Creates an instance without domains; `entry_limit` is the present module parameter.
    pub(crate) fn new(
        version: Version,
        nesting: bool,
        entry_limit: u32,
        cpu_page: PageSize,
        policy: &Policy,
    ) -> Self {
        let entry_limit = match policy.entry_limit {
            EntryLimit::None => u32::MAX,
            EntryLimit::Parameter => entry_limit,
        };
        Self {
            version,
            nesting,
            search: Search { end: policy.range_end, find: policy.find_dma },
            domains: Vec::new(),
            slots: Slots::new(),
            windows: Windows::default(),
            page_sizes: at_least_a_page(PageSizes::from_bits(u64::MAX), cpu_page),
            tracking_dirty: false,
            invalid_vaddrs: 0,
            entry_limit,
            cpu_page,
        }
    }

    /// How many more mappings the container takes.
    pub(crate) fn entries_left(&self) -> u32 {
        let live = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.entry_limit.saturating_sub(live)
    }

    /// The most mappings the container takes.
    pub(crate) fn entry_limit(&self) -> u32 {
        self.entry_limit
    }

    /// The size that addresses and sizes must be multiples of.
    pub(crate) fn smallest_page(&self) -> PageSize {
        self.page_sizes.smallest().unwrap_or(self.cpu_page)
    }

    /// The conflict of a request that overlaps a slot.
    fn conflict(&self, (id, span): search::Hit) -> Conflict {
        match self.slots.get(id).map(|slot| slot.kind) {
            Some(SlotKind::ReservedMsi) => Conflict::Window(span),
            _ => Conflict::Slot(span),
        }
    }

    /// The domain in which physical addresses are looked up.
    pub(crate) fn reference_domain(&self) -> Option<DomainId> {
        Some(self.domains.first()?.domain)
    }

    /// Every domain, the newest first.
    pub(crate) fn domain_ids(&self) -> Vec<DomainId> {
        self.domains.iter().map(|entry| entry.domain).collect()
    }
}

/// Linux vfio_iommu_type1, from reading: sizes below the CPU's page cannot be mapped alone; they
/// count as one CPU page.
pub(crate) fn at_least_a_page(sizes: PageSizes, cpu_page: PageSize) -> PageSizes {
    let below = sizes.bits() & cpu_page.mask();
    if below == 0 {
        return sizes;
    }
    PageSizes::from_bits(sizes.bits() & !cpu_page.mask() | cpu_page.bytes())
}
