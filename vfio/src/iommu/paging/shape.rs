//! The shape of a domain's tables, of either format.

use passim_model::pgtable::table::Geometry;
use passim_model::pgtable::vmsav7s::{INPUT_BITS, SMALL_PAGE_LG2};
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{PageSize, PageSizes};

/// The shape of tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::iommu) enum Shape {
    /// Long descriptors, of 64 bits.
    Long(Geometry),
    /// Short descriptors, with leaves of these sizes: stage 1, 32 bits on both sides.
    Short(PageSizes),
}

impl Shape {
    /// The stage they translate.
    pub(in crate::iommu) const fn stage(&self) -> Stage {
        match self {
            Self::Long(geometry) => geometry.stage,
            Self::Short(_) => Stage::One,
        }
    }

    /// The sizes a leaf can have.
    pub(in crate::iommu) const fn page_sizes(&self) -> PageSizes {
        match self {
            Self::Long(geometry) => geometry.page_sizes(),
            Self::Short(sizes) => *sizes,
        }
    }

    /// The smallest size a leaf can have.
    pub(in crate::iommu) const fn smallest(&self) -> PageSize {
        match self {
            Self::Long(geometry) => geometry.granule.page(),
            Self::Short(_) => SMALL_PAGE,
        }
    }

    /// Last input address.
    pub(in crate::iommu) const fn last_input(&self) -> u64 {
        match self {
            Self::Long(geometry) => geometry.last_input(),
            Self::Short(_) => SHORT_LAST_INPUT,
        }
    }
}

/// Last input address of short descriptors.
pub(super) const SHORT_LAST_INPUT: u64 = (1 << INPUT_BITS) - 1;

/// The smallest page of short descriptors.
pub(super) const SMALL_PAGE: PageSize = match PageSize::from_lg2(SMALL_PAGE_LG2) {
    Some(size) => size,
    None => panic!("4K is a size"),
};
