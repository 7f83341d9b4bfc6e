//! The leaves that a page table must contain for given mappings.
//!
//! For: comparing a table (or a dump of one) with the mappings it was made from. Each mapping is
//! split into runs of physically contiguous pages, as long as possible over the whole mapping, and
//! each run is split from its start into the largest block that is aligned in IOVA and in physical
//! memory and still fits. The tables recorded from 6.1 and 6.12, stage 1 and stage 2, do the same.
//! Not for: reading tables ([`crate::walk`]), permissions, doorbell mappings of the MSI window.

use rangemap::RangeInclusiveMap;

use crate::Granule;

/// A mapping: consecutive IOVA pages and their frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// IOVA of the first byte, page aligned.
    pub iova: u64,
    /// Physical page frame numbers, one per page, in units of the granule.
    pub frames: Vec<u64>,
}

/// One leaf of a table: a block or a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Leaf {
    /// IOVA of the first byte.
    pub iova: u64,
    /// Physical address of the first byte.
    pub pa: u64,
    /// Bytes.
    pub size: u64,
}

/// Sizes a leaf may have, largest first. Linux offers these with 48-bit output addresses.
pub const fn leaf_sizes(granule: Granule) -> &'static [u64] {
    match granule {
        Granule::Size4K => &[0x4000_0000, 0x20_0000, 0x1000],
        Granule::Size16K => &[0x200_0000, 0x4000],
        Granule::Size64K => &[0x2000_0000, 0x1_0000],
    }
}

/// The leaves that must exist for `mappings`, sorted by IOVA.
pub fn leaves(granule: Granule, mappings: &[Mapping]) -> Vec<Leaf> {
    let mut leaves = Vec::new();
    for mapping in mappings {
        for run in runs(granule, mapping) {
            cut(granule, run, &mut leaves);
        }
    }
    leaves.sort();
    leaves
}

/// The output of each IOVA, whatever the size of the leaves: ranges of IOVA with the distance `pa -
/// iova` (modulo 2^64). Adjacent leaves of equal distance are merged, so two tables that split the
/// same memory differently have equal coverage. Of overlapping leaves the later one applies.
pub fn coverage(leaves: &[Leaf]) -> RangeInclusiveMap<u64, u64> {
    let mut coverage = RangeInclusiveMap::new();
    for leaf in leaves {
        let last = leaf.iova + (leaf.size - 1);
        coverage.insert(leaf.iova..=last, leaf.pa.wrapping_sub(leaf.iova));
    }
    coverage
}

/// The longest physically contiguous runs of a mapping.
fn runs(granule: Granule, mapping: &Mapping) -> Vec<Leaf> {
    let page = granule.bytes();
    let mut runs: Vec<Leaf> = Vec::new();
    for (index, frame) in mapping.frames.iter().enumerate() {
        let (iova, pa) = (mapping.iova + index as u64 * page, frame * page);
        match runs.last_mut() {
            Some(run) if run.pa + run.size == pa => run.size += page,
            _ => runs.push(Leaf { iova, pa, size: page }),
        }
    }
    runs
}

/// Splits one run, greedily from its start.
fn cut(granule: Granule, run: Leaf, leaves: &mut Vec<Leaf>) {
    let mut done = 0;
    while done < run.size {
        let (iova, pa) = (run.iova + done, run.pa + done);
        let fits = |size: &&u64| {
            iova.is_multiple_of(**size) && pa.is_multiple_of(**size) && **size <= run.size - done
        };
        let size = *leaf_sizes(granule).iter().find(fits).expect("a page always fits");
        leaves.push(Leaf { iova, pa, size });
        done += size;
    }
}

#[cfg(test)]
mod tests;
