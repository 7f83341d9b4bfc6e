//! In which order a call's checks stand, where that is known.

use passim_model::Rule;
use passim_vfio::policy::{EntryLimit, Policy, ThirdMapFlag, ValidRanges, WrapErrno};
use passim_vfio::rules;

use crate::op::Op;

/// MAP_DMA of memory. Measured on 6.1 and 6.12.
static MAP: &[&Rule] = &[
    &rules::USER_POINTER,
    &rules::ARGSZ_SHORT,
    &rules::FLAGS_UNKNOWN,
    &rules::CONTAINER_WITHOUT_IOMMU,
    &rules::MAP_NO_PERMISSION,
    &rules::MAP_ALIGNMENT,
    &rules::MAP_WRAP,
    &rules::MAP_OVERLAP,
    &rules::MAP_ENTRY_LIMIT,
    &rules::MAP_OUTSIDE_VALID,
    &rules::MAP_PAGE_FAULT,
    &rules::MAP_MEMLOCK,
];

/// MAP_DMA that exchanges a vaddr. Measured on 6.1 and 6.12.
static MAP_VADDR: &[&Rule] = &[
    &rules::USER_POINTER,
    &rules::ARGSZ_SHORT,
    &rules::FLAGS_UNKNOWN,
    &rules::CONTAINER_WITHOUT_IOMMU,
    &rules::MAP_NO_PERMISSION,
    &rules::MAP_ALIGNMENT,
    &rules::MAP_WRAP,
    &rules::VADDR_NO_MAPPING,
    &rules::VADDR_NOT_EXACT,
];

/// MAP_DMA of a window. Patch 4/7 of part 3.
static WINDOW: &[&Rule] = &[
    &rules::USER_POINTER,
    &rules::ARGSZ_SHORT,
    &rules::FLAGS_UNKNOWN,
    &rules::CONTAINER_WITHOUT_IOMMU,
    &rules::WINDOW_ALIGNMENT,
    &rules::WINDOW_WRAP,
    &rules::WINDOW_OVERLAP,
];

/// UNMAP_DMA. Measured on 6.1 and 6.12.
static UNMAP: &[&Rule] = &[
    &rules::USER_POINTER,
    &rules::ARGSZ_SHORT,
    &rules::FLAGS_UNKNOWN,
    &rules::UNMAP_FLAGS_CONFLICT,
    &rules::CONTAINER_WITHOUT_IOMMU,
    &rules::UNMAP_ALIGNMENT,
    &rules::UNMAP_ALL_RANGE,
    &rules::UNMAP_WRAP,
    &rules::UNMAP_BISECTS,
    &rules::UNMAP_VADDR_TWICE,
];

/// VFIO_DMA_MAP_FLAG_VADDR, or _RESERVED_MSI_IOVA of the series. `linux/vfio.h`.
const MAP_FLAG_THIRD: u64 = 1 << 2;

/// The checks a request had passed when `refused` stopped it, in their order; none where the order
/// is not known.
pub(super) fn passed(op: &Op, refused: &Rule, policy: &Policy) -> Vec<&'static Rule> {
    let checks = match op {
        Op::Map { flags: Some(flags), .. } if flags.0 & MAP_FLAG_THIRD != 0 => {
            match policy.third_map_flag {
                ThirdMapFlag::ReservedMsiIova => WINDOW,
                ThirdMapFlag::Unknown | ThirdMapFlag::Vaddr => MAP_VADDR,
            }
        }
        Op::MsiWindow { .. } => WINDOW,
        Op::Map { .. } => MAP,
        Op::Unmap { .. } | Op::UnmapAll { .. } => UNMAP,
        _ => return Vec::new(),
    };
    let mut checks: Vec<&Rule> = checks.iter().copied().filter(|it| is_made(it, policy)).collect();
    if policy.wrap_errno == WrapErrno::Eoverflow {
        // 7.2 vfio_iommu_type1: MAP tests it before permissions and alignment.
        let place = |wanted: &Rule| checks.iter().position(|rule| *rule == wanted);
        if let (Some(from), Some(to)) = (place(&rules::MAP_WRAP), place(&rules::MAP_NO_PERMISSION))
        {
            let wrap = checks.remove(from);
            checks.insert(to, wrap);
        }
    }
    let from_the_domains =
        checks.contains(&&rules::WINDOW_OVERLAP) && refused.name.starts_with("msi-");
    match checks.iter().position(|rule| *rule == refused) {
        Some(at) => checks.into_iter().take(at).collect(),
        // The aperture of every domain is set last.
        None if from_the_domains => checks,
        None => Vec::new(),
    }
}

/// Whether this kernel has the check at all.
fn is_made(rule: &Rule, policy: &Policy) -> bool {
    match rule.name {
        "map-entry-limit" => policy.entry_limit == EntryLimit::Parameter,
        "map-outside-valid" => policy.valid_ranges == ValidRanges::Checked,
        _ => true,
    }
}
