//! An SMMU's features, as a probe might find them.

use super::probe::{Features, Format, StreamMapping};
use crate::iommu::facts::SmmuVersion;
use crate::policy::{Smmu2Sync, Smmu2Tags, Stage2Roots, UnmapSync};
use passim_model::PageSizes;

/// An SMMUv2 with both stages, register pages of 4K, 16 of them, four stream match registers.
pub(super) fn features() -> Features {
    Features {
        version: SmmuVersion::V2,
        major: 0,
        stage1: true,
        stage2: true,
        vmid16: false,
        extended_ids: false,
        mapping: StreamMapping::Matched,
        groups: 4,
        stream_mask: 0x7fff,
        smr_mask: 0x7fff,
        banks: 8,
        stage2_banks: 2,
        page_lg2: 12,
        pages: 16,
        va_bits: 48,
        ipa_bits: 40,
        pa_bits: 44,
        format: Format::Aarch64,
        short: false,
        translation_operations: false,
        wide_operands: true,
        page_sizes: PageSizes::from_bits(0x4020_1000),
        roots: Stage2Roots::WhereNeeded,
        unmap_sync: UnmapSync::Gathered,
        coherent: true,
        cached_walks: true,
        tag_base: 0,
        tags: Smmu2Tags::One,
        secure_access: false,
        sync: Smmu2Sync::OfTheBank,
    }
}
