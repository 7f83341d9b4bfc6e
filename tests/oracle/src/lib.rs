//! Expected results, computed slowly and obviously; shares no code with the model.
//!
//! Nine rooms, each answering one question by brute force:
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`window`] | what does a type1 container answer to MAP_DMA and UNMAP_DMA, and which page does each IOVA then reach? Kept page by page, without a tree or page table. |
//! | [`leaves`] | which leaves must the page table contain for a set of mappings? Splits physically contiguous runs. |
//! | [`walk`] | what do AArch64 translation tables (VMSAv8-64) mean, by the architecture's tables of index bits, block sizes and descriptor types? |
//! | [`wide`] | what do they mean where descriptors contain 52-bit addresses (FEAT_LPA2)? |
//! | [`rights`] | what does a leaf of either permit? |
//! | [`dirty`] | which dirty bitmap does the kernel report, stale bits included? |
//! | [`iova`] | which page of a doorbell window does a kernel allocate next? |
//! | [`doorbell`] | which doorbells are mapped for a domain, where, and with how many references? |
//! | [`aarch32`] | what do the tables of AArch32 mean, with short descriptors and long ones? |
//!
//! Few rooms call one another: `window` passes `leaves` a list of frames, `doorbell` allocates
//! pages from `iova`, `walk` and `wide` use `rights`. Nothing here is fast or clever: where a
//! shorter way existed, the longer one that can be read against the source was taken.
//!
//! Errors are positive Linux errno values, by the names below.

pub mod aarch32;
pub mod dirty;
pub mod doorbell;
pub mod iova;
pub mod leaves;
pub mod rights;
pub mod walk;
pub mod wide;
pub mod window;

/// No such mapping (MAP_DMA with FLAG_VADDR).
pub const ENOENT: i32 = 2;
/// The memlock limit is reached.
pub const ENOMEM: i32 = 12;
/// DIRTY_PAGES on a version 1 container.
pub const EACCES: i32 = 13;
/// A user address without memory, or without the requested permission.
pub const EFAULT: i32 = 14;
/// MAP_DMA over an existing mapping.
pub const EEXIST: i32 = 17;
/// Malformed or misplaced request.
pub const EINVAL: i32 = 22;
/// The container has its maximum number of mappings.
pub const ENOSPC: i32 = 28;

/// Translation granule: the size of a page and of a full table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Granule {
    /// 4 KiB.
    Size4K,
    /// 16 KiB.
    Size16K,
    /// 64 KiB.
    Size64K,
}

impl Granule {
    /// The three granules, smallest first.
    pub const ALL: [Granule; 3] = [Granule::Size4K, Granule::Size16K, Granule::Size64K];

    /// Bytes in a page.
    pub const fn bytes(self) -> u64 {
        match self {
            Granule::Size4K => 0x1000,
            Granule::Size16K => 0x4000,
            Granule::Size64K => 0x1_0000,
        }
    }
}

/// Translation stage whose permission rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Stage 1: AP cannot express "write only", so a WRITE-only mapping can be read too.
    One,
    /// Stage 2: S2AP has a bit for each direction.
    Two,
}
