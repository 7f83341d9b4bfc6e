//! The order of a call's checks, where it is known.

use passim_model::Rule;
use passim_vfio::device::rules as device;
use passim_vfio::iommu::msi::rules as doorbells;
use passim_vfio::msi::rules as msi;
use passim_vfio::policy::{EntryLimit, Policy, ThirdMapFlag, ValidRanges, WrapErrno};
use passim_vfio::rules;

use crate::op::Op;

/// MAP_DMA of memory. Measured on 6.1 and 6.12. A container without a type has no driver that would
/// read the structure, so this is checked before anything the caller wrote.
static MAP: &[&Rule] = &[
    &rules::CONTAINER_WITHOUT_IOMMU,
    &rules::USER_POINTER,
    &rules::ARGSZ_SHORT,
    &rules::FLAGS_UNKNOWN,
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
    &rules::CONTAINER_WITHOUT_IOMMU,
    &rules::USER_POINTER,
    &rules::ARGSZ_SHORT,
    &rules::FLAGS_UNKNOWN,
    &rules::MAP_NO_PERMISSION,
    &rules::MAP_ALIGNMENT,
    &rules::MAP_WRAP,
    &rules::VADDR_NO_MAPPING,
    &rules::VADDR_NOT_EXACT,
];

/// MAP_DMA of a window. Patch 4/7 of part 3.
static WINDOW: &[&Rule] = &[
    &rules::CONTAINER_WITHOUT_IOMMU,
    &rules::USER_POINTER,
    &rules::ARGSZ_SHORT,
    &rules::FLAGS_UNKNOWN,
    &rules::WINDOW_ALIGNMENT,
    &rules::WINDOW_WRAP,
    &rules::WINDOW_OVERLAP,
];

/// UNMAP_DMA. Measured on 6.1 and 6.12.
static UNMAP: &[&Rule] = &[
    &rules::CONTAINER_WITHOUT_IOMMU,
    &rules::USER_POINTER,
    &rules::ARGSZ_SHORT,
    &rules::FLAGS_UNKNOWN,
    &rules::UNMAP_FLAGS_CONFLICT,
    &rules::UNMAP_ALIGNMENT,
    &rules::UNMAP_ALL_RANGE,
    &rules::UNMAP_WRAP,
    &rules::UNMAP_BISECTS,
    &rules::UNMAP_VADDR_TWICE,
];

/// GROUP_SET_CONTAINER. Measured on 6.1 and 6.12.
static SET_CONTAINER: &[&Rule] = &[
    &rules::USER_POINTER,
    &rules::CONTAINER_FD_BAD,
    &rules::GROUP_ATTACHED,
    &rules::CONTAINER_FD_OTHER,
    &rules::GROUP_NOT_VIABLE,
];

/// SET_IOMMU. Measured on 6.1 and 6.12.
static SET_IOMMU: &[&Rule] = &[
    &rules::SET_IOMMU_WITHOUT_GROUP,
    &rules::SET_IOMMU_TWICE,
    &rules::IOMMU_TYPE_NOT_A_TYPE,
    &rules::IOMMU_TYPE_UNSUPPORTED,
    &rules::NESTING_REFUSED,
];

/// GROUP_GET_DEVICE_FD. Measured on 6.1 and 6.12.
static GET_DEVICE: &[&Rule] =
    &[&rules::USER_POINTER, &rules::DEVICE_NOT_IN_GROUP, &rules::DEVICE_NEEDS_CONTAINER];

/// DEVICE_SET_IRQS: the checks of every request. From reading 6.12 vfio_pci; outcomes measured.
static SET_IRQS: &[&Rule] =
    &[&rules::USER_POINTER, &rules::SET_IRQS_SHAPE, &device::IRQ_ACTION, &device::IRQ_MODE];

/// The checks of enabling messages, before those of each vector.
static TURNING_ON: &[&Rule] = &[
    &msi::VECTORS_NONE,
    &msi::VECTORS_NO_CAPABILITY,
    &msi::MSI_NO_DOMAIN,
    &msi::VECTORS_EXHAUSTED,
    &msi::DOORBELL_NOT_DESCRIBED,
    &doorbells::MSI_NO_COOKIE,
    &doorbells::MSI_NO_APERTURE,
    &doorbells::MSI_WINDOW_FULL,
];

/// VFIO_DMA_MAP_FLAG_VADDR, or _RESERVED_MSI_IOVA of the series. `linux/vfio.h`.
const MAP_FLAG_THIRD: u64 = 1 << 2;

/// The checks that a request had passed when `refused` stopped it, in order; empty where the order
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
        Op::SetContainer { .. } => SET_CONTAINER,
        Op::SetIommu { .. } => SET_IOMMU,
        Op::GetDevice { .. } => GET_DEVICE,
        Op::Enable { .. } | Op::SetIrqs { .. } if TURNING_ON.contains(&refused) => {
            let before = TURNING_ON.iter().take_while(|rule| **rule != refused);
            return SET_IRQS.iter().chain(before).copied().collect();
        }
        Op::Enable { .. } | Op::Disable { .. } | Op::SetIrqs { .. } => {
            let is_listed = SET_IRQS.contains(&refused);
            // All other checks come after these three, whichever interrupt is named.
            return match device::RULES.contains(&refused) && !is_listed {
                true => SET_IRQS[..3].to_vec(),
                false => SET_IRQS.iter().copied().take_while(|rule| *rule != refused).collect(),
            };
        }
        _ => return Vec::new(),
    };
    let mut checks: Vec<&Rule> = checks.iter().copied().filter(|it| is_made(it, policy)).collect();
    if policy.wrap_errno == WrapErrno::Eoverflow {
        // 7.2 vfio_iommu_type1: MAP checks it before permissions and alignment.
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

/// Whether this kernel makes the check.
fn is_made(rule: &Rule, policy: &Policy) -> bool {
    match rule.name {
        "map-entry-limit" => policy.entry_limit == EntryLimit::Parameter,
        "map-outside-valid" => policy.valid_ranges == ValidRanges::Checked,
        _ => true,
    }
}
