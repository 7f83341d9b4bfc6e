//! The rules by which VFIO refuses: containers, groups, devices and type1.
//!
//! Not here: the rules of processes and of the IOMMU core; [`all`] lists every rule.

use passim_model::{Conflict, Errno, Refusal, Rule};

passim_model::rules! {
    // Any call that takes a structure.
    /// EFAULT.
    USER_POINTER = "user-pointer",
        "The caller's structure lies in memory it may use.",
        "measured on 6.1 and 6.12: a null pointer is EFAULT";
    /// EINVAL.
    TEXT_END = "text-end",
        "A text ends within a page.",
        "6.12 strndup_user; not measured";
    /// EINVAL, or ENOSPC of a list that is longer than there is room for.
    ARGSZ_SHORT = "argsz-short",
        "argsz covers every field the call reads.",
        "linux/vfio.h; measured on 6.1 and 6.12";
    /// EINVAL.
    FLAGS_UNKNOWN = "flags-unknown",
        "Only flags the call knows are set.",
        "linux/vfio.h of each revision; measured on 6.1 and 6.12";
    /// ENOTTY.
    IOCTL_UNKNOWN = "ioctl-unknown",
        "The file knows the request.",
        "measured on 6.1 and 6.12: groups, devices and containers with a type";

    // Containers.
    /// EINVAL.
    CONTAINER_WITHOUT_IOMMU = "container-without-iommu",
        "Everything but the version, extensions and SET_IOMMU needs a container type.",
        "measured on 6.1 and 6.12: even unknown requests are EINVAL then";
    /// EINVAL.
    SET_IOMMU_WITHOUT_GROUP = "set-iommu-without-group",
        "A container takes a type only while a group is in it.",
        "measured on 6.1 and 6.12: whatever the type";
    /// EINVAL.
    SET_IOMMU_TWICE = "set-iommu-twice",
        "A container takes one type until its last group leaves.",
        "measured on 6.1 and 6.12";
    /// ENODEV.
    IOMMU_TYPE_UNSUPPORTED = "iommu-type-unsupported",
        "Some backend lists the type as an extension.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    IOMMU_TYPE_NOT_A_TYPE = "iommu-type-not-a-type",
        "An extension that is no container type cannot be opened as one.",
        "measured on 6.1 and 6.12: SET_IOMMU(9)";
    /// EPERM.
    NESTING_REFUSED = "nesting-refused",
        "The SMMU driver gives a stage-2 domain to whoever asks for nesting.",
        "measured: 6.12 refuses, 6.1 does it";
    /// EPERM.
    INTERRUPTS_UNSAFE = "interrupts-unsafe",
        "Messages of the group's devices are isolated, or allow_unsafe_interrupts says it is no matter.",
        "patch 5/7 of part 3, where MSI domains are asked too; measured on 6.12 with a GICv2m";

    // Groups.
    /// ENOENT.
    GROUP_ABSENT = "group-absent",
        "A group file exists for groups with a device bound to VFIO.",
        "6.12 vfio: the character device appears with the first such device";
    /// EBUSY.
    GROUP_OPEN = "group-open",
        "A group is open once: by its descriptor, or by one of its devices' files.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    GROUP_ATTACHED = "group-attached",
        "A group is in one container at a time.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    GROUP_NOT_ATTACHED = "group-not-attached",
        "The group is in a container.",
        "measured on 6.1 and 6.12";
    /// EBADF.
    CONTAINER_FD_BAD = "container-fd-bad",
        "The container's descriptor is open.",
        "measured on 6.1 and 6.12";
    /// EBADFD or EINVAL, see the policy.
    CONTAINER_FD_OTHER = "container-fd-other",
        "The descriptor is a container.",
        "measured: 6.12 EBADFD, 6.1 EINVAL";
    /// EPERM.
    GROUP_NOT_VIABLE = "group-not-viable",
        "No member of the group is bound to a driver that does its own DMA.",
        "measured on 6.1 and 6.12";
    /// EBUSY.
    GROUP_DEVICES_OPEN = "group-devices-open",
        "A group leaves its container only while no device file of it is open or mapped.",
        "measured on 6.1 and 6.12";
    /// EBUSY.
    ATTACH_VADDR_INVALID = "attach-vaddr-invalid",
        "A group joins a container only while every mapping's vaddr is valid.",
        "measured on 6.1 and 6.12";
    /// ENODEV.
    GROUP_LOST = "group-lost",
        "The group of an open file has a device that is bound to VFIO.",
        "6.12 vfio/group.c, vfio_device_remove_group; not measured";
    /// EINVAL.
    DEVICE_NAME_OPTIONS = "device-name-options",
        "Behind the name of a function stands nothing but the token of one with virtual functions.",
        "6.12 vfio_pci_core; not measured";
    /// ENODEV.
    DEVICE_NOT_IN_GROUP = "device-not-in-group",
        "The name is that of a device of this group that is bound to VFIO.",
        "measured on 6.1 and 6.12: comes before a missing container";
    /// EINVAL.
    DEVICE_NEEDS_CONTAINER = "device-needs-container",
        "A device is opened while its group's container has a type.",
        "measured on 6.1 and 6.12";

    // Devices.
    /// EINVAL.
    REGION_INDEX = "region-index",
        "The device has a region of this index.",
        "measured on 6.1 and 6.12: 0 to 7";
    /// EINVAL.
    IRQ_INDEX = "irq-index",
        "The device has an interrupt of this index.",
        "measured on 6.1 and 6.12: 0 to 4, error reports on PCI Express only";
    /// EINVAL.
    RESET_UNSUPPORTED = "reset-unsupported",
        "The kernel knows a way to reset the function.",
        "measured on 6.1 and 6.12";
    /// ENODEV.
    HOT_RESET_NO_SLOT = "hot-reset-no-slot",
        "The function sits in a slot or below a bridge that can be reset.",
        "measured on 6.1 and 6.12: ENODEV on the root bus";
    /// EINVAL.
    HOT_RESET_GROUPS = "hot-reset-groups",
        "A reset of a bus names a group, and no more groups than functions are reset.",
        "6.12 vfio_pci_core; outcomes measured on 6.12 with 64K pages";
    /// EBADF, or EINVAL if it is something else.
    HOT_RESET_GROUP_FILE = "hot-reset-group-file",
        "Who resets a bus shows open files of groups.",
        "6.12 vfio_pci_core; outcomes measured on 6.12 with 64K pages";
    /// EINVAL.
    HOT_RESET_OWNED = "hot-reset-owned",
        "Every function that is reset along is bound to VFIO, open or not, and its group shown.",
        "6.12 vfio_pci_core; not measured";
    /// EPERM.
    HOT_RESET_NOT_ISOLATED = "hot-reset-not-isolated",
        "Every function that is reset along has a group.",
        "6.12 vfio_pci_core, of information asked for with room enough; not measured";
    /// EINVAL.
    SET_IRQS_SHAPE = "set-irqs-shape",
        "Index, start, count, data type and size of the request fit together.",
        "6.12 vfio_pci; outcomes measured on 6.1 and 6.12";
    /// EINVAL.
    DEVICE_FEATURE_SHAPE = "device-feature-shape",
        "A feature request names one known feature.",
        "6.12 vfio; measured: argsz 0 is EINVAL";
    /// EINVAL.
    IOEVENTFD_SHAPE = "ioeventfd-shape",
        "An ioeventfd names a size of 1, 2, 4 or 8 bytes, and a descriptor or -1.",
        "6.12 vfio_pci_core; not measured";
    /// ENOTTY or EINVAL.
    NOT_MODELLED = "not-modelled",
        "The model serves this part of the interface.",
        "a limit of this model, not of a kernel";
    /// EINVAL.
    BAR_NOT_MAPPABLE = "bar-not-mappable",
        "A BAR is memory, and owns every page it touches.",
        "measured on 6.1 and 6.12";
    /// ENODEV where there is nothing to map, EINVAL where the part does not fit.
    RESOURCE_NOT_MAPPABLE = "resource-not-mappable",
        "What sysfs maps of a PCI resource is memory, and lies in the pages it touches.",
        "6.12 pci-sysfs.c; measured on 6.12 with 64K pages: a page may be shared";
    /// EINVAL.
    RESOURCE_CLAIMED = "resource-claimed",
        "A PCI resource is mapped through sysfs only while no driver has claimed it.",
        "measured on kernels with CONFIG_IO_STRICT_DEVMEM";

    /// EINTR.
    LOCK_NEVER_FREE = "lock-never-free",
        "The operation that holds the container's lock comes to an end.",
        "a limit of this model: a kernel would wait until the caller is killed";

    // MAP_DMA.
    /// EINVAL.
    MAP_NO_PERMISSION = "map-no-permission",
        "A mapping is readable, writable or both; exchanging a vaddr names neither.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    MAP_ALIGNMENT = "map-alignment",
        "iova, vaddr and size are multiples of the smallest page, and size is not 0.",
        "measured on 6.1 and 6.12";
    /// EINVAL, or EOVERFLOW by policy.
    MAP_WRAP = "map-wrap",
        "Neither iova nor vaddr runs past 2^64.",
        "measured on 6.1 and 6.12";
    /// EEXIST.
    MAP_OVERLAP = "map-overlap",
        "No existing mapping shares an address with the new one.",
        "measured on 6.1 and 6.12";
    /// ENOSPC.
    MAP_ENTRY_LIMIT = "map-entry-limit",
        "A container holds at most dma_entry_limit mappings, as read when it got its type.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    MAP_OUTSIDE_VALID = "map-outside-valid",
        "A mapping lies inside one valid IOVA range: in the aperture, off every reserved region.",
        "measured on 6.1 and 6.12";
    /// EFAULT.
    MAP_PAGE_FAULT = "map-page-fault",
        "Every page is present or can be made so, and allows what the mapping allows.",
        "measured on 6.1 and 6.12";
    /// ENOMEM.
    MAP_MEMLOCK = "map-memlock",
        "Pages pinned and locked stay within RLIMIT_MEMLOCK, unless CAP_IPC_LOCK is held.",
        "measured on 6.1 and 6.12: page by page, mappings counted each";
    /// ENOENT.
    VADDR_NO_MAPPING = "vaddr-no-mapping",
        "A vaddr is exchanged where a mapping is.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    VADDR_NOT_EXACT = "vaddr-not-exact",
        "A vaddr is exchanged for a whole mapping whose vaddr was invalidated before.",
        "measured on 6.1 and 6.12";

    // MAP_DMA with the reserved-window flag.
    /// EINVAL.
    WINDOW_ALIGNMENT = "window-alignment",
        "A window's iova and size are multiples of the smallest page, and size is not 0.",
        "patch 4/7 of part 3, check 4";
    /// EINVAL.
    WINDOW_WRAP = "window-wrap",
        "A window does not run past 2^64.",
        "patch 4/7 of part 3, check 5";
    /// EEXIST.
    WINDOW_OVERLAP = "window-overlap",
        "A window shares no address with a slot of any kind.",
        "patch 4/7 of part 3, check 6";

    // UNMAP_DMA.
    /// EINTR: the caller is killed.
    FIND_DMA_NULL = "find-dma-null",
        "A search by kind that meets a window looks at the slots below it, and uses what it finds \
         there even if that is nothing.",
        "patch 2/7 of part 3 as coded in v8, v9 and v14: the container's lock stays held";
    /// A finding, no errno.
    UNMAP_TREE_SHAPE = "unmap-tree-shape",
        "Which mappings went before the walk ended depends on the shape of the kernel's tree.",
        "vfio_iommu_type1.c with patches 1 to 4 of v9: the walk takes what the descent meets first";
    /// EINVAL.
    UNMAP_FLAGS_CONFLICT = "unmap-flags-conflict",
        "A dirty bitmap is asked for a plain range only.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    UNMAP_ALIGNMENT = "unmap-alignment",
        "iova and size are multiples of the smallest page, and size is not 0.",
        "measured on 6.1 and 6.12";
    /// EINVAL, or EOVERFLOW by policy.
    UNMAP_WRAP = "unmap-wrap",
        "The range does not run past 2^64.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    UNMAP_ALL_RANGE = "unmap-all-range",
        "Unmapping everything names no range: iova and size are 0.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    UNMAP_BISECTS = "unmap-bisects",
        "On v2, neither end of the range cuts a mapping in two.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    UNMAP_VADDR_TWICE = "unmap-vaddr-twice",
        "A vaddr is invalidated once; what the call invalidated before is made valid again.",
        "measured on 6.1 and 6.12";

    // DIRTY_PAGES.
    /// EACCES.
    DIRTY_V1 = "dirty-v1",
        "Dirty tracking needs a v2 container.",
        "measured on 6.1 and 6.12: before every other check";
    /// EINVAL.
    DIRTY_NOT_STARTED = "dirty-not-started",
        "Dirty pages are reported while tracking runs.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    DIRTY_RANGE = "dirty-range",
        "The range is whole smallest pages, not empty, and does not reach 2^64.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    DIRTY_PAGE_SIZE = "dirty-page-size",
        "One bit stands for one smallest page.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    DIRTY_BITMAP_SIZE = "dirty-bitmap-size",
        "The bitmap holds a bit for every page of the range, in whole doublewords, up to 256 MiB.",
        "measured on 6.1 and 6.12";
    /// EINVAL.
    DIRTY_BITMAP_ADDRESS = "dirty-bitmap-address",
        "The bitmap lies in user addresses.",
        "measured on 6.1 and 6.12";
    /// EFAULT.
    DIRTY_BITMAP_FAULT = "dirty-bitmap-fault",
        "The bitmap's memory can be read and written; what was reported or unmapped before stays so.",
        "measured on 6.1 and 6.12: a range may be half done";

    // Attach.
    /// EIO.
    ATTACH_NO_DOMAIN = "attach-no-domain",
        "The IOMMU driver has a domain to give; why it has not is not told.",
        "vfio_iommu_type1.c of 4.6";
    /// A warning, no errno.
    REPLAY_WINDOW_REFUSED = "replay-window-refused",
        "A domain that joins takes the registered window; that it does not is only warned of.",
        "patch 3/7 of part 3, v9 to v12";
    /// A warning, no errno.
    REPLAY_WALKS_WINDOW = "replay-walks-window",
        "A window has no pages to replay; the walk goes over it all the same and warns at each.",
        "patch 3/7 of part 3 as coded in v14";
    /// EINVAL.
    ATTACH_APERTURE = "attach-aperture",
        "Every mapping lies inside the new domain's aperture, and some valid address is left.",
        "from reading 6.12 vfio_iommu_type1, which checks since 5.4; not measured";
    /// EINVAL.
    ATTACH_RESERVED = "attach-reserved",
        "No mapping touches a reserved region of the new group.",
        "from reading 6.12 vfio_iommu_type1, which checks since 5.4; not measured";

    // Paths and driver binds.
    /// ENOENT.
    PATH_ABSENT = "path-absent",
        "The path names something the machine has.",
        "the machine's description";
    /// EINVAL or ERANGE, by policy.
    CPU_ABSENT = "cpu-absent",
        "The list of CPUs that an interrupt may go to names one that is online.",
        "kernel/irq/proc.c of 4.6 and 6.12: write_irq_affinity";
    /// EINVAL, ENODEV for a device that does not exist, ERANGE for a number that is too large.
    ATTRIBUTE_VALUE = "attribute-value",
        "The attribute takes the value that is written.",
        "6.12 module parameters and PCI core";
    /// EINVAL.
    WIRE_BLOCK = "wire-block",
        "A wire has one interrupt: start 0, count 1.",
        "vfio_platform_irq.c of 4.10 and 6.12";
    /// EINVAL.
    WIRE_NOT_MASKABLE = "wire-not-maskable",
        "A wire is masked if it is one of a level.",
        "vfio_platform_irq.c of 4.10 and 6.12";
    /// A verdict: the kernel would oops here.
    WIRE_WITHOUT_EVENTFD = "wire-without-eventfd",
        "A wire is triggered once it has an eventfd: its handler signals one without looking.",
        "CVE-2024-26813: vfio_platform_irq.c until 6.9, 6.6.24 and 6.1.84";
    /// EBUSY.
    UNBIND_IN_USE = "unbind-in-use",
        "A device is taken from VFIO while none of its files is open.",
        "6.12 vfio_unregister_group_dev: the kernel asks the user by the request eventfd and waits; the model \
         says so at once, and takes the device from its driver when the files close";
    /// EBUSY.
    REMOVE_IN_USE = "remove-in-use",
        "A device is removed while none of its files is open, and no file of a group that would outlive it.",
        "4.6 vfio_del_group_dev, 6.12 vfio_unregister_group_dev: the kernel asks the user by the request \
         eventfd and waits; the model says so at once, and removes the device when the files close";
    /// ERANGE.
    SRIOV_TOTAL = "sriov-total",
        "A physical function has no more virtual functions than its capability says.",
        "6.12 pci/iov.c, sriov_numvfs_store";
    /// ENOENT.
    SRIOV_NO_DRIVER = "sriov-no-driver",
        "Virtual functions are turned on and off by a driver of the physical one that knows how; vfio-pci does with a parameter that is off.",
        "6.12 pci/iov.c, sriov_numvfs_store; vfio_pci.c";
    /// EBUSY.
    SRIOV_ENABLED = "sriov-enabled",
        "Virtual functions are turned off before another number of them is turned on.",
        "6.12 pci/iov.c, sriov_numvfs_store";
    /// EINVAL.
    DEVICE_WITHOUT_GROUP = "device-without-group",
        "VFIO serves a device that an IOMMU's driver has taken in, and that so has a group.",
        "4.6 vfio_pci_probe, 6.1 vfio_group_find_or_alloc; measured on 6.1 and 6.12: the write to \
         drivers_probe does not say so";
    /// EINVAL.
    DEVICE_NOT_COHERENT = "device-not-coherent",
        "VFIO serves a device whose accesses CPU caches see, by its own dma-coherent or its SMMU's.",
        "6.1 vfio_group_find_or_alloc, 6.12 __vfio_register_dev: IOMMU_CAP_CACHE_COHERENCY";
    /// EINVAL.
    PROBE_DMA_OWNED = "probe-dma-owned",
        "A driver that does its own DMA binds only while the group is in no container.",
        "measured on 6.1 and 6.12";
}

/// ENOTTY by `ioctl-unknown`: of a request that files of this kind do not serve.
pub(crate) fn unknown_ioctl(request: u32) -> Refusal {
    IOCTL_UNKNOWN.refuse_for(Errno::ENOTTY, Conflict::Unknown(request.into()))
}

/// Every rule of the Linux side, by room, in declaration order.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    let rooms = [RULES, crate::process::rules::RULES, crate::iommu::rules::RULES];
    let messages = [crate::iommu::msi::rules::RULES, crate::msi::rules::RULES];
    rooms.into_iter().chain(messages).chain([crate::device::rules::RULES]).flatten().copied()
}
