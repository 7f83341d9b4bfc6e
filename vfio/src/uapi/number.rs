//! Numbers of the interface: requests, extensions, flags, capability ids.

/// `_IO(';', 100 + n)`: none of them encodes a size.
const fn request(n: u32) -> u32 {
    (b';' as u32) << 8 | (100 + n)
}

/// Request numbers.
pub mod ioctl {
    use super::request;

    /// VFIO_GET_API_VERSION, on a container.
    pub const GET_API_VERSION: u32 = request(0);
    /// VFIO_CHECK_EXTENSION, on a container.
    pub const CHECK_EXTENSION: u32 = request(1);
    /// VFIO_SET_IOMMU, on a container.
    pub const SET_IOMMU: u32 = request(2);
    /// VFIO_GROUP_GET_STATUS.
    pub const GROUP_GET_STATUS: u32 = request(3);
    /// VFIO_GROUP_SET_CONTAINER.
    pub const GROUP_SET_CONTAINER: u32 = request(4);
    /// VFIO_GROUP_UNSET_CONTAINER.
    pub const GROUP_UNSET_CONTAINER: u32 = request(5);
    /// VFIO_GROUP_GET_DEVICE_FD.
    pub const GROUP_GET_DEVICE_FD: u32 = request(6);
    /// VFIO_DEVICE_GET_INFO.
    pub const DEVICE_GET_INFO: u32 = request(7);
    /// VFIO_DEVICE_GET_REGION_INFO.
    pub const DEVICE_GET_REGION_INFO: u32 = request(8);
    /// VFIO_DEVICE_GET_IRQ_INFO.
    pub const DEVICE_GET_IRQ_INFO: u32 = request(9);
    /// VFIO_DEVICE_SET_IRQS.
    pub const DEVICE_SET_IRQS: u32 = request(10);
    /// VFIO_DEVICE_RESET.
    pub const DEVICE_RESET: u32 = request(11);
    /// VFIO_IOMMU_GET_INFO, on a container; VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, on a device.
    pub const IOMMU_GET_INFO: u32 = request(12);
    /// The device's name for the same number.
    pub const DEVICE_GET_PCI_HOT_RESET_INFO: u32 = request(12);
    /// VFIO_IOMMU_MAP_DMA, on a container; VFIO_DEVICE_PCI_HOT_RESET, on a device.
    pub const IOMMU_MAP_DMA: u32 = request(13);
    /// The device's name for the same number.
    pub const DEVICE_PCI_HOT_RESET: u32 = request(13);
    /// VFIO_IOMMU_UNMAP_DMA.
    pub const IOMMU_UNMAP_DMA: u32 = request(14);
    /// VFIO_DEVICE_IOEVENTFD, on a device.
    pub const DEVICE_IOEVENTFD: u32 = request(16);
    /// VFIO_IOMMU_DIRTY_PAGES, on a container; VFIO_DEVICE_FEATURE, on a device.
    pub const IOMMU_DIRTY_PAGES: u32 = request(17);
    /// The device's name for the same number.
    pub const DEVICE_FEATURE: u32 = request(17);
}

/// Arguments of VFIO_CHECK_EXTENSION and VFIO_SET_IOMMU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Extension {
    /// 1: type1, v1 semantics.
    Type1,
    /// 3: type1, v2 semantics.
    Type1v2,
    /// 4: DMA is coherent with CPU caches.
    DmaCacheCoherent,
    /// 6: type1 v2 over stage 2.
    Type1Nesting,
    /// 9: UNMAP_DMA takes FLAG_ALL.
    UnmapAll,
    /// 10: the vaddr of a mapping can be exchanged.
    UpdateVaddr,
}

impl Extension {
    /// The extension with this number; all bits of the argument are compared.
    pub const fn from_number(number: u64) -> Option<Self> {
        match number {
            1 => Some(Self::Type1),
            3 => Some(Self::Type1v2),
            4 => Some(Self::DmaCacheCoherent),
            6 => Some(Self::Type1Nesting),
            9 => Some(Self::UnmapAll),
            10 => Some(Self::UpdateVaddr),
            _ => None,
        }
    }
}

/// Flags of VFIO_GROUP_GET_STATUS.
pub mod group_status {
    /// No member of the group is bound to a driver that does its own DMA.
    pub const VIABLE: u32 = 1 << 0;
    /// The group is in a container.
    pub const CONTAINER_SET: u32 = 1 << 1;
}

/// Flags of VFIO_IOMMU_MAP_DMA, from the device's point of view.
pub mod map {
    /// The device may read.
    pub const READ: u32 = 1 << 0;
    /// The device may write.
    pub const WRITE: u32 = 1 << 1;
    /// Bit 2: VFIO_DMA_MAP_FLAG_RESERVED_MSI_IOVA of the series, VFIO_DMA_MAP_FLAG_VADDR of later
    /// kernels.
    pub const THIRD: u32 = 1 << 2;
}

/// Flags of VFIO_IOMMU_UNMAP_DMA.
pub mod unmap {
    /// Report dirty pages while unmapping.
    pub const GET_DIRTY_BITMAP: u32 = 1 << 0;
    /// Unmap everything.
    pub const ALL: u32 = 1 << 1;
    /// Invalidate the vaddr, keep the mapping.
    pub const VADDR: u32 = 1 << 2;
}

/// Flags of VFIO_IOMMU_DIRTY_PAGES.
pub mod dirty {
    /// Start tracking.
    pub const START: u32 = 1 << 0;
    /// Stop tracking.
    pub const STOP: u32 = 1 << 1;
    /// Report and clear.
    pub const GET_BITMAP: u32 = 1 << 2;
    /// Largest bitmap, in bytes: 256 MiB.
    pub const MAX_BITMAP_BYTES: u64 = 1 << 28;
}

/// Flags and capabilities of VFIO_IOMMU_GET_INFO.
pub mod info_cap {
    /// Page sizes are reported.
    pub const FLAG_PGSIZES: u32 = 1 << 0;
    /// A capability chain exists. In v8 of the series the same bit is
    /// [`FLAG_REQUIRE_MSI_MAP`].
    pub const FLAG_CAPS: u32 = 1 << 1;
    /// v8: the user has to register a window for doorbells.
    pub const FLAG_REQUIRE_MSI_MAP: u32 = 1 << 1;
    /// The series, v9 to v13: `VFIO_IOMMU_TYPE1_INFO_CAP_MSI_GEOMETRY`.
    pub const MSI_GEOMETRY: u16 = 1;
    /// The series, v14: `VFIO_IOMMU_TYPE1_INFO_CAP_MSI_RESV`.
    pub const MSI_RESV: u16 = 1;
    /// Valid IOVA ranges.
    pub const IOVA_RANGE: u16 = 1;
    /// Dirty page tracking.
    pub const MIGRATION: u16 = 2;
    /// Number of mappings that may still be made.
    pub const DMA_AVAIL: u16 = 3;
}

/// Region indexes and flags of a PCI device.
pub mod region {
    /// Expansion ROM.
    pub const ROM: u32 = 6;
    /// Configuration space.
    pub const CONFIG: u32 = 7;
    /// Legacy VGA.
    pub const VGA: u32 = 8;
    /// Regions a PCI device reports.
    pub const COUNT: u32 = 9;
    /// May be read.
    pub const FLAG_READ: u32 = 1 << 0;
    /// May be written.
    pub const FLAG_WRITE: u32 = 1 << 1;
    /// May be mapped.
    pub const FLAG_MMAP: u32 = 1 << 2;
    /// Has capabilities.
    pub const FLAG_CAPS: u32 = 1 << 3;
    /// Capability: the region with the MSI-X table may be mapped as a whole.
    pub const CAP_MSIX_MAPPABLE: u16 = 3;
    /// log2 of the distance between regions in the device file, in bytes: `VFIO_PCI_OFFSET_SHIFT`.
    pub const OFFSET_LG2: u32 = 40;
}

/// Flags of VFIO_DEVICE_SET_IRQS.
pub mod irq_set {
    /// No data: applies to each interrupt of the block.
    pub const DATA_NONE: u32 = 1 << 0;
    /// A byte for each interrupt: applies to those that are not 0.
    pub const DATA_BOOL: u32 = 1 << 1;
    /// A descriptor for each interrupt.
    pub const DATA_EVENTFD: u32 = 1 << 2;
    /// Mask.
    pub const ACTION_MASK: u32 = 1 << 3;
    /// Unmask.
    pub const ACTION_UNMASK: u32 = 1 << 4;
    /// Trigger, or set the eventfds to signal.
    pub const ACTION_TRIGGER: u32 = 1 << 5;
    /// Kinds of data; a request has exactly one.
    pub const DATA_TYPE_MASK: u32 = DATA_NONE | DATA_BOOL | DATA_EVENTFD;
    /// Actions; a request has exactly one.
    pub const ACTION_TYPE_MASK: u32 = ACTION_MASK | ACTION_UNMASK | ACTION_TRIGGER;
}

/// Interrupt indexes and flags of a PCI device.
pub mod irq {
    /// Legacy pin.
    pub const INTX: u32 = 0;
    /// Message signalled.
    pub const MSI: u32 = 1;
    /// Message signalled, extended.
    pub const MSIX: u32 = 2;
    /// Uncorrected error.
    pub const ERR: u32 = 3;
    /// Request to return the device.
    pub const REQ: u32 = 4;
    /// Interrupts a PCI device reports.
    pub const COUNT: u32 = 5;
    /// Can signal an eventfd.
    pub const FLAG_EVENTFD: u32 = 1 << 0;
    /// Can be masked.
    pub const FLAG_MASKABLE: u32 = 1 << 1;
    /// Masks itself when it fires.
    pub const FLAG_AUTOMASKED: u32 = 1 << 2;
    /// The set cannot be resized while in use.
    pub const FLAG_NORESIZE: u32 = 1 << 3;
}

/// Flags of VFIO_DEVICE_FEATURE, and the features that the model distinguishes.
pub mod feature {
    /// Bytes of argsz and flags; a feature's data follows.
    pub const HEADER_BYTES: usize = 8;
    /// Number of the feature.
    pub const MASK: u32 = 0xffff;
    /// Read it.
    pub const GET: u32 = 1 << 16;
    /// Set it.
    pub const SET: u32 = 1 << 17;
    /// Does the feature exist, and does it support the other flags?
    pub const PROBE: u32 = 1 << 18;
    /// The device may sleep.
    pub const LOW_POWER_ENTRY: u32 = 3;
    /// The same, and an eventfd is signalled when the host has woken it.
    pub const LOW_POWER_ENTRY_WITH_WAKEUP: u32 = 4;
    /// The device may not sleep.
    pub const LOW_POWER_EXIT: u32 = 5;
    /// Bytes after the header of LOW_POWER_ENTRY_WITH_WAKEUP: a descriptor, and padding.
    pub const WAKEUP_BYTES: usize = 8;
}
