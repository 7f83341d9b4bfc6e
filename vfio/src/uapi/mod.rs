//! Bytes in, requests out, and back: the structures of `linux/vfio.h`.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `buffer` | which bytes of the caller's structure are copied in and out? |
//! | `layout` | at which offsets are the fields? |
//! | `number` | what are the numbers of requests, flags and capabilities? |
//!
//! Offsets, numbers and the argsz convention only. Not here: what a request does.

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
