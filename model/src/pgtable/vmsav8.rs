//! VMSAv8-64 descriptors.
use crate::PageSize;

/// Which of the two stages a set of tables belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stage {
    /// Stage 1: input IOVA, output IPA.
    One,
    /// Stage 2: input IPA (or IOVA), output physical address.
    Two,
}

/// Translation granule.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Granule {
    /// 4 KiB.
    K4,
    /// 16 KiB.
    K16,
    /// 64 KiB.
    K64,
}

impl Granule {
    /// The granule as a page size.
    pub const fn page(self) -> PageSize {
        match self {
            Self::K4 => PageSize::K4,
            Self::K16 => PageSize::K16,
            Self::K64 => PageSize::K64,
        }
    }
}
