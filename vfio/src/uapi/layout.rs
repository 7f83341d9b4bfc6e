//! The field offsets of each structure. All are little-endian, with the alignment of LP64.

use super::Buffer;
use passim_model::{Refusal, UserAddr};

fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    u32::from_le_bytes(bytes[offset..offset + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    u64::from_le_bytes(bytes[offset..offset + 8].try_into().expect("eight bytes"))
}

/// The first fields of every structure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// The structure's size in bytes, as the caller declares it.
    pub argsz: u32,
    /// Flags.
    pub flags: u32,
}

impl Header {
    fn of(bytes: &[u8]) -> Self {
        Self { argsz: u32_at(bytes, 0), flags: u32_at(bytes, 4) }
    }

    /// Reads argsz and flags, 8 bytes.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` where the memory ends before.
    pub fn read(buffer: &Buffer) -> Result<Self, Refusal> {
        Ok(Self::of(&buffer.copy_in::<8>(0)?))
    }
}

/// Size of `struct vfio_iommu_type1_dma_map`, in bytes.
pub const MAP_BYTES: usize = 32;

/// `struct vfio_iommu_type1_dma_map`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MapRequest {
    /// argsz and flags.
    pub header: Header,
    /// First byte of process memory: a user address, unchecked.
    pub vaddr: u64,
    /// First address of the device, unchecked.
    pub iova: u64,
    /// Bytes.
    pub size: u64,
}

impl MapRequest {
    /// Reads all 32 bytes.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` where the memory ends before.
    pub fn read(buffer: &Buffer) -> Result<Self, Refusal> {
        let bytes = buffer.copy_in::<MAP_BYTES>(0)?;
        Ok(Self {
            header: Header::of(&bytes),
            vaddr: u64_at(&bytes, 8),
            iova: u64_at(&bytes, 16),
            size: u64_at(&bytes, 24),
        })
    }

    /// The structure's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(MAP_BYTES);
        bytes.extend(self.header.argsz.to_le_bytes());
        bytes.extend(self.header.flags.to_le_bytes());
        for field in [self.vaddr, self.iova, self.size] {
            bytes.extend(field.to_le_bytes());
        }
        bytes
    }
}

/// Size of `struct vfio_iommu_type1_dma_unmap` without its optional bitmap, in bytes.
pub const UNMAP_BYTES: usize = 24;

/// `struct vfio_iommu_type1_dma_unmap`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnmapRequest {
    /// argsz and flags.
    pub header: Header,
    /// First address of the device, unchecked.
    pub iova: u64,
    /// Bytes.
    pub size: u64,
}

impl UnmapRequest {
    /// Offset of `size` in bytes: the one field that is written back.
    pub const SIZE_OFFSET: usize = 16;

    /// Reads the first 24 bytes.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` where the memory ends before.
    pub fn read(buffer: &Buffer) -> Result<Self, Refusal> {
        let bytes = buffer.copy_in::<UNMAP_BYTES>(0)?;
        Ok(Self { header: Header::of(&bytes), iova: u64_at(&bytes, 8), size: u64_at(&bytes, 16) })
    }

    /// The structure's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(UNMAP_BYTES);
        bytes.extend(self.header.argsz.to_le_bytes());
        bytes.extend(self.header.flags.to_le_bytes());
        bytes.extend(self.iova.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes
    }
}

/// Size of `struct vfio_bitmap`, in bytes.
pub const BITMAP_BYTES: usize = 24;

/// `struct vfio_bitmap`: the destination of dirty bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bitmap {
    /// Bytes of process memory that one bit represents.
    pub pgsize: u64,
    /// Bytes at `data`.
    pub size: u64,
    /// Address of the bits: bit n, counted through its doublewords, is page n of the range.
    pub data: UserAddr,
}

impl Bitmap {
    fn of(bytes: &[u8]) -> Self {
        Self {
            pgsize: u64_at(bytes, 0),
            size: u64_at(bytes, 8),
            data: UserAddr::new(u64_at(bytes, 16)),
        }
    }

    /// Reads the bitmap that follows an [`UnmapRequest`].
    ///
    /// # Errors
    /// EFAULT by `user-pointer` where the memory ends before.
    pub fn read_after_unmap(buffer: &Buffer) -> Result<Self, Refusal> {
        Ok(Self::of(&buffer.copy_in::<BITMAP_BYTES>(UNMAP_BYTES)?))
    }
}

/// Size of `struct vfio_iommu_type1_dirty_bitmap` without its payload, in bytes.
pub const DIRTY_HEADER_BYTES: usize = 8;
/// Size of `struct vfio_iommu_type1_dirty_bitmap_get`, the payload of GET_BITMAP, in bytes.
pub const DIRTY_RANGE_BYTES: usize = 40;

/// `struct vfio_iommu_type1_dirty_bitmap`: argsz and flags.
pub type DirtyHeader = Header;

/// `struct vfio_iommu_type1_dirty_bitmap_get`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DirtyRange {
    /// First address of the device, unchecked.
    pub iova: u64,
    /// Bytes.
    pub size: u64,
    /// The destination of the bits.
    pub bitmap: Bitmap,
}

impl DirtyRange {
    /// Reads the payload after the header.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` where the memory ends before.
    pub fn read(buffer: &Buffer) -> Result<Self, Refusal> {
        let bytes = buffer.copy_in::<DIRTY_RANGE_BYTES>(DIRTY_HEADER_BYTES)?;
        Ok(Self {
            iova: u64_at(&bytes, 0),
            size: u64_at(&bytes, 8),
            bitmap: Bitmap::of(&bytes[16..]),
        })
    }
}

/// `struct vfio_device_info`, 24 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceInfo {
    /// argsz and flags.
    pub header: Header,
    /// Number of region indexes, from 0 on.
    pub regions: u32,
    /// Number of interrupt indexes, from 0 on.
    pub irqs: u32,
    /// Bytes from the start of the structure to the first capability; 0 without any.
    pub cap_offset: u32,
}

impl DeviceInfo {
    /// The bytes of the structure, padding included.
    pub fn to_bytes(&self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let fields =
            [self.header.argsz, self.header.flags, self.regions, self.irqs, self.cap_offset];
        for (place, field) in bytes.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }
}

/// `struct vfio_region_info`, 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RegionInfo {
    /// argsz and flags.
    pub header: Header,
    /// Index of the region: 0 to [`region::COUNT`](super::region::COUNT) - 1 of a PCI function.
    pub index: u32,
    /// Bytes from the start of the structure to the first capability; 0 without any.
    pub cap_offset: u32,
    /// Bytes.
    pub size: u64,
    /// Offset of the region in the device file, in bytes.
    pub offset: u64,
}

impl RegionInfo {
    /// Size of the structure, in bytes.
    pub const BYTES: usize = 32;

    /// Reads all 32 bytes.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` where the memory ends before.
    pub fn read(buffer: &Buffer) -> Result<Self, Refusal> {
        let bytes = buffer.copy_in::<{ Self::BYTES }>(0)?;
        Ok(Self {
            header: Header::of(&bytes),
            index: u32_at(&bytes, 8),
            cap_offset: u32_at(&bytes, 12),
            size: u64_at(&bytes, 16),
            offset: u64_at(&bytes, 24),
        })
    }

    /// The structure's bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[0..4].copy_from_slice(&self.header.argsz.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.header.flags.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.index.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.cap_offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.size.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.offset.to_le_bytes());
        bytes
    }
}

/// `struct vfio_irq_info`, 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IrqInfo {
    /// argsz and flags.
    pub header: Header,
    /// Index of the interrupt: 0 to [`irq::COUNT`](super::irq::COUNT) - 1 of a PCI function.
    pub index: u32,
    /// Number of vectors.
    pub count: u32,
}

impl IrqInfo {
    /// Size of the structure, in bytes.
    pub const BYTES: usize = 16;

    /// Reads all 16 bytes.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` where the memory ends before.
    pub fn read(buffer: &Buffer) -> Result<Self, Refusal> {
        let bytes = buffer.copy_in::<{ Self::BYTES }>(0)?;
        let (index, count) = (u32_at(&bytes, 8), u32_at(&bytes, 12));
        Ok(Self { header: Header::of(&bytes), index, count })
    }

    /// The structure's bytes.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields = [self.header.argsz, self.header.flags, self.index, self.count];
        for (place, field) in bytes.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }
}

/// `struct vfio_irq_set` without its data, 20 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IrqSet {
    /// argsz and flags.
    pub header: Header,
    /// Index of the interrupt, as of [`IrqInfo::index`].
    pub index: u32,
    /// First vector of the block, from 0 on.
    pub start: u32,
    /// Number of vectors; 0 with DATA_NONE and ACTION_TRIGGER turns the interrupt off.
    pub count: u32,
}

impl IrqSet {
    /// Size of the structure, in bytes; its data follows.
    pub const BYTES: usize = 20;

    /// Reads all 20 bytes.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` where the memory ends before.
    pub fn read(buffer: &Buffer) -> Result<Self, Refusal> {
        let bytes = buffer.copy_in::<{ Self::BYTES }>(0)?;
        Ok(Self {
            header: Header::of(&bytes),
            index: u32_at(&bytes, 8),
            start: u32_at(&bytes, 12),
            count: u32_at(&bytes, 16),
        })
    }

    /// The structure's bytes; its data follows.
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let fields = [self.header.argsz, self.header.flags, self.index, self.start, self.count];
        for (place, field) in bytes.chunks_exact_mut(4).zip(fields) {
            place.copy_from_slice(&field.to_le_bytes());
        }
        bytes
    }
}
