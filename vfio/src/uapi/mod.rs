//! Bytes in, requests out, and back: the structures of `linux/vfio.h`.
//!
//! This room knows offsets and numbers and the argsz convention. What a request means is decided
//! where it is served.

mod buffer;
mod layout;
mod number;

pub use buffer::Buffer;
pub use layout::{
    BITMAP_BYTES, Bitmap, DIRTY_HEADER_BYTES, DIRTY_RANGE_BYTES, DeviceInfo, DirtyHeader,
    DirtyRange, Header, IrqInfo, IrqSet, MAP_BYTES, MapRequest, RegionInfo, UNMAP_BYTES,
    UnmapRequest,
};
pub use number::{
    Extension, dirty, feature, group_status, info_cap, ioctl, irq, irq_set, map, region, unmap,
};

#[cfg(test)]
mod tests;
