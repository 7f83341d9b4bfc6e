//! What must come out, computed the slow and obvious way; shares nothing with what it judges.
//!
//! Nine rooms, each answering one question by brute force:
//!
//! - [`window`]: what a type1 container answers to MAP_DMA and UNMAP_DMA, and which page each IOVA
//!   then reaches. Kept page by page; it knows no tree and no page table.
//! - [`leaves`]: which leaves the page table must hold for a set of mappings, by cutting physically
//!   contiguous runs.
//! - [`walk`]: a second reading of AArch64 translation tables (VMSAv8-64), from the architecture's
//!   tables of index bits, block sizes and descriptor types.
//! - [`wide`]: the same where descriptors hold 52-bit addresses (FEAT_LPA2).
//! - [`rights`]: what a leaf of either permits.
//! - [`dirty`]: the dirty bitmap as the kernel reports it, stale bits included.
//! - [`iova`]: which page of a doorbell window a kernel hands out next.
//! - [`doorbell`]: which doorbells are mapped for a domain, where, and who holds them.
//! - [`aarch32`]: a second reading of the tables of AArch32, short descriptors and long ones.
//!
//! The rooms do not call one another either, but for few: `window` hands `leaves` a list of frames,
//! `doorbell` asks `iova` for pages, `walk` and `wide` ask `rights`. Nothing here is fast, and nothing is clever; where a
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
/// A user address with nothing behind it, or not with the access asked for.
pub const EFAULT: i32 = 14;
/// MAP_DMA over an existing mapping.
pub const EEXIST: i32 = 17;
/// Malformed or misplaced request.
pub const EINVAL: i32 = 22;
/// The container holds as many mappings as it may.
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
