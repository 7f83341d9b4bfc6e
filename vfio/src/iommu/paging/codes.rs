//! Encodings of io-pgtable's long-descriptor geometry that every kind of control register and table
//! entry shares, each at its own position.
//!
//! Not here: the positions, which different specifications define (the drivers).

use crate::policy::Stage1Attributes;
use passim_model::pgtable::table::Geometry;
use passim_model::pgtable::vmsav8::Granule;

/// TG0 and S2TG: 4K, 64K and 16K in this order.
pub(in crate::iommu) fn granule(granule: Granule) -> u64 {
    match granule {
        Granule::K4 => 0,
        Granule::K64 => 1,
        Granule::K16 => 2,
    }
}

/// IPS, PS, PASize and S2PS.
pub(in crate::iommu) fn size(bits: u32) -> u64 {
    match bits {
        ..=32 => 0,
        33..=36 => 1,
        37..=40 => 2,
        41..=42 => 3,
        43..=44 => 4,
        45..=48 => 5,
        _ => 6,
    }
}

/// MAIR's lower half: the memory attributes that leaves of stage 1 select, non-cacheable,
/// write-back and device, and later inner non-cacheable with outer write-back.
// io-pgtable-arm.c; 0xf404ff44 in the CDs of dumps of 6.1 and 6.12.
pub(in crate::iommu) const fn mair(attributes: Stage1Attributes) -> u32 {
    match attributes {
        Stage1Attributes::Three => 0x0004_ff44,
        Stage1Attributes::Four => 0xf404_ff44,
    }
}

/// SL0 and S2SL0: counted down from level 3 with 16K and 64K, from level 2 with 4K.
pub(in crate::iommu) fn start_level(geometry: &Geometry) -> u64 {
    let lowest = if geometry.granule == Granule::K4 { 2 } else { 3 };
    u64::from(lowest - geometry.start_level.min(lowest))
}
