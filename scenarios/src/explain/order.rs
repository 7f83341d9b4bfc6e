//! In which order a call's checks stand, where that is known.

use passim_model::Rule;
use passim_vfio::policy::{EntryLimit, Policy, ValidRanges, WrapErrno};
use passim_vfio::rules;

use crate::op::Op;

/// MAP_DMA of memory. Measured on 6.1 and 6.12.
static MAP: &[&Rule] = &[
    &rules::USER_POINTER,
    &rules::ARGSZ_SHORT,
    &rules::FLAGS_UNKNOWN,
    &rules::MAP_NO_PERMISSION,
    &rules::CONTAINER_WITHOUT_IOMMU,
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
    &rules::MAP_NO_PERMISSION,
    &rules::CONTAINER_WITHOUT_IOMMU,
    &rules::MAP_ALIGNMENT,
    &rules::MAP_WRAP,
    &rules::VADDR_NO_MAPPING,
    &rules::VADDR_NOT_EXACT,
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

/// VFIO_DMA_MAP_FLAG_VADDR. `linux/vfio.h`.
const MAP_FLAG_VADDR: u64 = 1 << 2;

/// The checks a request had passed when `refused` stopped it, in their order; none where the order
/// is not known.
pub(super) fn passed(op: &Op, refused: &Rule, policy: &Policy) -> Vec<&'static Rule> {
    let checks = match op {
        Op::Map { flags: Some(flags), .. } if flags.0 & MAP_FLAG_VADDR != 0 => MAP_VADDR,
        Op::Map { .. } => MAP,
        Op::Unmap { .. } | Op::UnmapAll { .. } => UNMAP,
        _ => return Vec::new(),
    };
    let mut checks: Vec<&Rule> = checks.iter().copied().filter(|it| is_made(it, policy)).collect();
    if policy.wrap_errno == WrapErrno::Eoverflow {
        // It is tested before alignment and flags then.
        let is_wrap = |rule: &&Rule| **rule == rules::MAP_WRAP || **rule == rules::UNMAP_WRAP;
        let (wrap, others): (Vec<_>, Vec<_>) = checks.into_iter().partition(is_wrap);
        let split = others.iter().position(|rule| **rule == rules::FLAGS_UNKNOWN).unwrap_or(0);
        checks = others[..split].iter().chain(&wrap).chain(&others[split..]).copied().collect();
    }
    match checks.iter().position(|rule| *rule == refused) {
        Some(at) => checks.into_iter().take(at).collect(),
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
