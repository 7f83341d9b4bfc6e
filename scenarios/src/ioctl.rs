//! Numbers of VFIO's ioctls, and the structures of those that recordings list as fields.
//!
//! Recorded ioctls carry their number and bytes. Map and unmap lines do not: they give fields, and
//! the replayer lays out the structures.

/// VFIO's ioctl type `;` in bits 15..8 and its base number 100: `linux/vfio.h`.
const BASE: u32 = (b';' as u32) << 8 | 100;

/// VFIO_CHECK_EXTENSION.
pub(crate) const CHECK_EXTENSION: u32 = BASE + 1;
/// VFIO_SET_IOMMU.
pub(crate) const SET_IOMMU: u32 = BASE + 2;
/// VFIO_GROUP_GET_STATUS.
pub(crate) const GROUP_GET_STATUS: u32 = BASE + 3;
/// VFIO_GROUP_SET_CONTAINER.
pub(crate) const GROUP_SET_CONTAINER: u32 = BASE + 4;
/// VFIO_GROUP_UNSET_CONTAINER.
pub(crate) const GROUP_UNSET_CONTAINER: u32 = BASE + 5;
/// VFIO_GROUP_GET_DEVICE_FD.
pub(crate) const GROUP_GET_DEVICE_FD: u32 = BASE + 6;
/// VFIO_DEVICE_GET_INFO.
pub(crate) const DEVICE_GET_INFO: u32 = BASE + 7;
/// VFIO_DEVICE_SET_IRQS.
pub(crate) const DEVICE_SET_IRQS: u32 = BASE + 10;
/// VFIO_IOMMU_GET_INFO.
pub(crate) const IOMMU_GET_INFO: u32 = BASE + 12;
/// VFIO_IOMMU_MAP_DMA.
pub(crate) const MAP_DMA: u32 = BASE + 13;
/// VFIO_IOMMU_UNMAP_DMA.
pub(crate) const UNMAP_DMA: u32 = BASE + 14;

/// VFIO_IOMMU_DIRTY_PAGES.
pub(crate) const DIRTY_PAGES: u32 = BASE + 17;

/// The name of a request in `linux/vfio.h`. Some numbers mean one thing to a container and another
/// to a device.
pub(crate) fn name(request: u64) -> Option<&'static str> {
    let number = u32::try_from(request).ok()?.checked_sub(BASE)?;
    Some(match number {
        0 => "VFIO_GET_API_VERSION",
        1 => "VFIO_CHECK_EXTENSION",
        2 => "VFIO_SET_IOMMU",
        3 => "VFIO_GROUP_GET_STATUS",
        4 => "VFIO_GROUP_SET_CONTAINER",
        5 => "VFIO_GROUP_UNSET_CONTAINER",
        6 => "VFIO_GROUP_GET_DEVICE_FD",
        7 => "VFIO_DEVICE_GET_INFO",
        8 => "VFIO_DEVICE_GET_REGION_INFO",
        9 => "VFIO_DEVICE_GET_IRQ_INFO",
        10 => "VFIO_DEVICE_SET_IRQS",
        11 => "VFIO_DEVICE_RESET",
        12 => "VFIO_IOMMU_GET_INFO or VFIO_DEVICE_GET_PCI_HOT_RESET_INFO",
        13 => "VFIO_IOMMU_MAP_DMA or VFIO_DEVICE_PCI_HOT_RESET",
        14 => "VFIO_IOMMU_UNMAP_DMA",
        16 => "VFIO_DEVICE_IOEVENTFD",
        17 => "VFIO_IOMMU_DIRTY_PAGES or VFIO_DEVICE_FEATURE",
        _ => return None,
    })
}

/// VFIO_DMA_UNMAP_FLAG_ALL.
pub(crate) const UNMAP_FLAG_ALL: u32 = 1 << 1;

/// Bytes of `struct vfio_irq_set` before its data.
pub(crate) const IRQ_SET_BYTES: usize = 20;

/// `struct vfio_iommu_type1_dma_map`.
#[derive(Clone, Copy)]
pub(crate) struct DmaMap {
    pub(crate) argsz: u32,
    pub(crate) flags: u32,
    pub(crate) vaddr: u64,
    pub(crate) iova: u64,
    pub(crate) size: u64,
}

impl DmaMap {
    /// The structure as the caller's memory holds it.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32);
        bytes.extend(self.argsz.to_le_bytes());
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.vaddr.to_le_bytes());
        bytes.extend(self.iova.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes
    }
}

/// `struct vfio_iommu_type1_dma_unmap` without the bitmap that may follow it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct DmaUnmap {
    pub(crate) argsz: u32,
    pub(crate) flags: u32,
    pub(crate) iova: u64,
    pub(crate) size: u64,
}

impl DmaUnmap {
    /// The structure as the caller's memory holds it.
    pub(crate) fn bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(24);
        bytes.extend(self.argsz.to_le_bytes());
        bytes.extend(self.flags.to_le_bytes());
        bytes.extend(self.iova.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes
    }

    /// The structure that the call left in the caller's memory; `None` if `bytes` is too short.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let word = |at| word(bytes, at);
        let long = |at| long(bytes, at);
        Some(Self { argsz: word(0)?, flags: word(4)?, iova: long(8)?, size: long(16)? })
    }
}

/// The 32-bit number at `at`; `None` past the end.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

/// The 64-bit number at `at`; `None` past the end.
pub(crate) fn long(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}
