//! The table of choices: what each decides, its value from which kernel on, and how well that is
//! known.

use super::Certainty::{Inferred, Measured, Nearest, Read, Remembered};
use super::Profile::{
    Linux4_6, Linux4_11, Linux6_1, Linux6_12, Linux7_2, MsiV8, MsiV9, MsiV10, MsiV12, MsiV14,
};
use super::{Choice, ChoiceEntry, OverrideError, Profile, Row, Step, ValueEntry, step_of};

use super::rows::policy;

policy! {
    // VFIO's core, devices and processes.
    /// What SET_CONTAINER says of a descriptor that is no container.
    not_a_container: NotAContainer = "not-a-container",
        "measured on 6.1 and 6.12; vfio.c of 4.8 for those before",
        [Linux4_6 Einval Read, Linux6_1 Einval Measured, Linux6_12 Ebadfd Measured,
         Linux7_2 Ebadfd Read];
    /// What SET_IOMMU does with the nesting type.
    nesting_type: NestingType = "nesting-type",
        "measured on 6.1 and 6.12 with SMMUv3s; vfio_iommu_type1.c of 4.6 and 7.2; arm-smmu.c of 6.11",
        [Linux4_6 Stage2 Read, Linux6_1 Stage2 Measured, Linux6_12 Refused Measured,
         Linux7_2 Hidden Read];
    /// To what size each capability of GET_INFO is rounded up.
    info_alignment: InfoAlignment = "info-alignment",
        "measured on 6.1 and 6.12; 6.6 is where it changed, from reading",
        [Linux4_6 None Read, Linux6_1 None Measured, Linux6_12 Eight Measured, Linux7_2 Eight Read];
    /// How much GET_INFO writes back when argsz ends inside the structure.
    short_info: ShortInfo = "short-info", "measured on 6.1 and 6.12; 7.2 from reading",
        [Linux4_6 WholeFields Read, Linux6_1 WholeFields Measured, Linux6_12 Bytes Measured,
         Linux7_2 Bytes Read];
    /// Whether VFIO wants accesses of a device to be coherent with the caches of CPUs.
    vfio_coherence: VfioCoherence = "vfio-coherence",
        "vfio_main.c of 6.1 and 6.12; a recollection that it came with 5.19",
        [Linux4_6 Unasked Remembered, Linux6_1 Required Read];
    /// Whether pinning an untouched page for reading meets the zero page.
    zero_page: ZeroPage = "zero-page", "measured on 6.1 and 6.12",
        [Linux4_6 Pinned Nearest, Linux6_1 Pinned Measured, Linux6_12 Unshared Measured,
         Linux7_2 Unshared Nearest];
    /// Which addresses are a process's, and from where on the kernel's.
    user_addresses: UserAddresses = "user-addresses",
        "measured on 6.1 and 6.12: bitmaps at 2^48, with pages of 4K, 16K and 64K",
        [Linux4_6 Bits48 Nearest, Linux6_1 Bits48 Measured, Linux6_12 Bits52UnlessPages64K Measured,
         Linux7_2 Bits52UnlessPages64K Nearest];
    /// When SET_IRQS looks whether the vectors of a block were allocated.
    vector_range: VectorRange = "vector-range",
        "measured on 6.1 and 6.12; vfio_pci_intrs.c of 4.10 for those before",
        [Linux4_6 Before Read, Linux6_1 Before Measured, Linux6_12 Each Measured,
         Linux7_2 Each Nearest];
    /// What SET_IRQS of an error or request interrupt makes of a descriptor below -1.
    device_error_fd: DeviceErrorFd = "device-error-fd",
        "measured on 6.1 and 6.12; vfio_pci_intrs.c of 5.x for what stays",
        [Linux4_6 Ignored Nearest, Linux6_1 Ignored Measured, Linux6_12 Einval Measured,
         Linux7_2 Einval Nearest];
    /// How wide an access of a BAR through a device's file is at most.
    bar_access: BarAccess = "bar-access", "vfio_pci_rdwr.c of 6.12; the change for 6.11",
        [Linux4_6 FourBytes Inferred, Linux6_12 EightBytes Read];
    /// What GET_DEVICE_FD takes for the name of a PCI function.
    device_name: DeviceName = "device-name",
        "vfio_pci_core.c of 6.12; a recollection that it came with 5.7",
        [Linux4_6 Whole Inferred, Linux6_1 WithOptions Inferred, Linux6_12 WithOptions Read];
    /// What GET_PCI_HOT_RESET_INFO writes back where it refuses a function without a group.
    hot_reset_refusal: HotResetRefusal = "hot-reset-refusal",
        "vfio_pci_core.c of 5.x; the changes for 6.6 and 6.10",
        [Linux4_6 ClearsFlags Inferred, Linux6_12 Nothing Read];
    /// When PCI_HOT_RESET of no group is refused.
    empty_hot_reset: EmptyHotReset = "empty-hot-reset",
        "vfio_pci.c of 5.x; the changes for 6.0 and 6.6",
        [Linux4_6 BehindTheSlot Inferred, Linux6_1 BehindTheSlot Read, Linux6_12 AtOnce Read];
    /// What becomes of a BAR that is mapped through sysfs when VFIO uses it first.
    resource_mappings: ResourceMappings = "resource-mappings",
        "kernel/resource.c and pci-sysfs.c of 6.x; changed with 5.12",
        [Linux4_6 Stay Inferred, Linux6_1 Revoked Read];
    /// What becomes of an open group whose last device leaves VFIO.
    last_device: LastDevice = "last-device", "vfio/group.c of 6.12; the change for 6.1",
        [Linux4_6 GroupStays Inferred, Linux6_1 GroupGoes Read];

    // Type1: requests.
    /// What bit 2 of MAP_DMA's flags asks for.
    third_map_flag: ThirdMapFlag = "third-map-flag",
        "linux/vfio.h of 4.6, v8, v9, v10, v13 and v14; measured on 6.1 and 6.12",
        [Linux4_6 Unknown Read, MsiV8 ReservedMsiIova Read, Linux4_11 Unknown Read,
         Linux6_1 Vaddr Measured, Linux7_2 Vaddr Read];
    /// Whether UNMAP knows the ALL flag.
    unmap_all: UnmapAll = "unmap-all", "vfio_iommu_type1.c of 4.6; measured on 6.1 and 6.12",
        [Linux4_6 Absent Read, Linux6_1 Present Measured, Linux7_2 Present Read];
    /// Whether type1 tracks dirty pages.
    dirty_tracking: DirtyTracking = "dirty-tracking",
        "vfio_iommu_type1.c of 4.6 and 5.8; measured on 6.1 and 6.12",
        [Linux4_6 Absent Read, Linux6_1 Present Measured, Linux7_2 Present Read];
    /// How many mappings a container takes.
    entry_limit: EntryLimit = "entry-limit", "5.1, for CVE-2019-3882; measured on 6.1 and 6.12",
        [Linux4_6 None Read, Linux6_1 Parameter Measured, Linux7_2 Parameter Read];
    /// Whose locked memory shrinks when the pages of a mapping are unpinned.
    locked_memory: LockedMemory = "locked-memory",
        "vfio_lock_acct and vfio_unmap_unpin of 4.9 in the series' own tree; vfio_dma.task came with 4.10",
        [Linux4_6 Caller Read, Linux4_11 Mapper Read];
    /// Whether MAP and attach look at apertures and reserved regions.
    valid_ranges: ValidRanges = "valid-ranges",
        "vfio_iommu_type1.c of 4.6 and 5.5; measured on 6.1 and 6.12",
        [Linux4_6 Unchecked Read, Linux6_1 Checked Measured, Linux7_2 Checked Read];
    /// What the tables do with an address beyond their input size.
    beyond_input: BeyondInput = "beyond-input",
        "io-pgtable-arm.c of 4.12, and of one before 4.6: arm_lpae_map does not look; that of 4.18 and 6.12 does",
        [Linux4_6 Alias Inferred, Linux6_1 Erange Read];
    /// What a MAP or UNMAP whose range wraps is refused with.
    wrap_errno: WrapErrno = "wrap-errno", "measured on 6.1 and 6.12; 7.2 from reading",
        [Linux4_6 Einval Read, Linux6_1 Einval Measured, Linux7_2 Eoverflow Read];
    /// What UNMAP does with a range that wraps.
    unmap_wrap: UnmapWrap = "unmap-wrap",
        "vfio_iommu_type1.c with patches 1 to 4 of v9; measured on 6.1 and 6.12",
        [Linux4_6 Modulo Read, Linux6_1 Refused Measured, Linux7_2 Refused Read];
    /// How the end of a range is computed in searches.
    range_end: RangeEnd = "range-end", "measured on 6.1 and 6.12; 7.2 from reading",
        [Linux4_6 Exclusive Read, Linux6_1 Exclusive Measured, Linux7_2 Inclusive Read];
    /// In which order UNMAP of a v1 container takes mappings.
    v1_unmap_order: V1UnmapOrder = "v1-unmap-order",
        "vfio_iommu_type1.c with patches 1 to 4 of v9; measured on 6.1 and 6.12",
        [Linux4_6 TreeShape Read, Linux6_1 Ascending Measured, Linux7_2 Ascending Read];
    /// How slots are searched for a range and a type.
    find_dma: FindDma = "find-dma", "patch 2/7 of part 3; the coded search read in v8, v9 and v14",
        [Linux4_6 AsIntended Inferred];

    // Type1: information about a container.
    /// Layout of `struct vfio_iommu_type1_info`, and the least argsz.
    info_layout: InfoLayout = "info-layout",
        "linux/vfio.h of 4.6, v8, v13 and v14; v9 from the changelog of v10; measured on 6.1 and 6.12",
        [Linux4_6 Base Read, MsiV9 CapOffsetFirst Remembered, MsiV10 CapOffsetLast Read,
         MsiV14 CapOffsetNeeded Read, Linux4_11 Base Read, Linux6_1 Mainline Measured,
         Linux7_2 Mainline Read];
    /// What GET_INFO says of messages.
    msi_info: MsiInfo = "msi-info",
        "patch 7/7 of part 3: v8, v12 and v14 read, v9 from the cover letter and later changelogs",
        [Linux4_6 Nothing Read, MsiV8 RequireMsiMap Read, MsiV9 Geometry16Pages Remembered,
         MsiV10 GeometryOfDoorbells Inferred, MsiV12 GeometryOfDoorbells Read, MsiV14 Reserved Read,
         Linux4_11 Nothing Read, Linux6_1 Mainline Measured, Linux7_2 Mainline Read];
    /// When CHECK_EXTENSION says that DMA is coherent.
    dma_coherency: DmaCoherency = "dma-coherency",
        "vfio_iommu_type1.c of 4.6; measured on 6.1 and 6.12",
        [Linux4_6 Capability Read, Linux6_1 Enforced Measured, Linux7_2 Enforced Read];

    // Type1: attaching.
    /// What tells whether messages of a group's devices are safe.
    message_safety: MessageSafety = "message-safety",
        "patch 5/7 of part 3 in v8, v12 and v14; vfio_iommu_type1.c of 4.11 and 5.5; measured on 6.12",
        [Linux4_6 IommuCapability Read, MsiV8 MsiDomains Read, MsiV10 DoorbellRegistry Inferred,
         MsiV12 DoorbellRegistry Read, MsiV14 RegistryOfAttached Read, Linux4_11 IrqDomains Read,
         Linux6_1 IrqDomainsOrCapability Read, Linux6_12 IsolatedGroup Measured,
         Linux7_2 IsolatedGroup Read];
    /// Whether attach tries out superpages on a fresh domain.
    superpage_test: SuperpageTest = "superpage-test", "command queues of 6.1 and 6.12; 7.2 from reading",
        [Linux4_6 Made Read, Linux6_1 Made Measured, Linux7_2 Dropped Read];
    /// What attach returns when no domain can be allocated.
    domain_alloc_error: DomainAllocError = "domain-alloc-error",
        "vfio_iommu_type1.c of 4.6 and 7.2",
        [Linux4_6 Eio Read, Linux7_2 Passed Read];
    /// What becomes of a registered window when another domain joins the container.
    replay_aperture: ReplayAperture = "replay-aperture",
        "patch 3/7 of part 3 in v8, v9, v12 and v14",
        [Linux4_6 Skip Read, MsiV9 Warn Read, MsiV14 Fail Read, Linux4_11 Skip Read];
    /// What becomes of the domains that took a window when a later one does not.
    aperture_rollback: ApertureRollback = "aperture-rollback",
        "patch 4/7 of part 3 in v8, v9, v12 and v14",
        [Linux4_6 Keep Read, MsiV14 Undo Read, Linux4_11 Keep Read];

    // Doorbells.
    /// Who says where in the device's address space doorbells are mapped.
    window_provider: WindowProvider = "window-provider",
        "part 3 of the series; arm-smmu.c of 4.11; reserved_regions of 6.1 and 6.12",
        [Linux4_6 Nobody Read, MsiV8 User Read, Linux4_11 Driver Read, Linux6_1 Driver Measured,
         Linux7_2 Driver Read];
    /// What a second window of a container is refused with.
    second_window: SecondWindow = "second-window", "msi-iommu.c of v8 and v9",
        [Linux4_6 Efault Inferred, MsiV9 Einval Read, MsiV12 Einval Nearest];
    /// When the doorbell of a message is mapped for its device.
    msi_mapping: MsiMapping = "msi-mapping",
        "part 2 of the series; dma-iommu.c of 4.11 and 5.x; dumps of 6.1 and 6.12",
        [Linux4_6 Never Read, MsiV8 AllocCounted Inferred, MsiV12 Compose Read,
         Linux6_1 Prepare Measured, Linux7_2 Prepare Read];
    /// How addresses for doorbells are found in the window.
    iova_allocator: IovaAllocator = "iova-allocator",
        "iova.c of 4.8; dma-iommu.c of 4.11; dumps of 6.1 and 6.12",
        [Linux4_6 TopDown Read, Linux4_11 Bump Read, Linux6_1 Bump Measured, Linux7_2 Bump Read];
    /// Whether the ITS describes its doorbell to whoever maps doorbells.
    its_doorbell_info: ItsDoorbellInfo = "its-doorbell-info",
        "part 2 of the series: not tested with an ITS up to v9; irq-gic-v3-its.c and msi-doorbell.c of v10",
        [Linux4_6 Off Inferred, MsiV10 On Read, Linux6_1 On Measured, Linux7_2 On Read];
    /// What allocation does when no interrupt controller above a device describes its doorbell.
    missing_doorbell_info: MissingDoorbellInfo = "missing-doorbell-info",
        "a recollection of part 2; another has EINVAL",
        [Linux4_6 Proceed Remembered];
    /// Which doorbells are put back when mapping fails at one vector of several.
    doorbell_unwind: DoorbellUnwind = "doorbell-unwind", "a recollection of part 2",
        [Linux4_6 AsCoded Remembered];
    /// What a failed doorbell mapping makes of the allocation's errno.
    doorbell_error: DoorbellError = "doorbell-error",
        "a recollection of part 2; another has ENOSPC; __msi_domain_alloc_irqs of 5.17 and 6.12",
        [Linux4_6 Original Remembered, Linux6_1 Enospc Read];
    /// What the device is programmed with when its doorbell is not mapped.
    msi_failure: MsiFailure = "msi-failure", "part 2 of the series; dma-iommu.c of 4.11",
        [Linux4_6 Physical Read, MsiV8 Physical Remembered, MsiV12 AllOnes Inferred,
         Linux4_11 AllOnes Read, Linux6_1 Physical Read];

    // Interrupt controllers.
    /// How the GICv2m driver finds SPIs for several messages of one device.
    v2m_blocks: V2mBlocks = "v2m-blocks",
        "irq-gic-v2m.c of v8 and v11; of 6.12.107 and, for its history, 7.2; the change in review for 5.10 and 5.15 of December 2025, and so in 6.1.159",
        [Linux4_6 Single Read, Linux6_1 AlignedSpi Inferred, Linux6_12 AlignedSpi Read];
    /// How the GICv2m driver writes to frames of Amazon's Graviton, where an SPI has an address.
    amazon_frames: AmazonFrames = "amazon-frames",
        "irq-gic-v2m.c of v8; the patch for Graviton of June 2019 (5.3), and trees with it",
        [Linux4_6 AsOthers Read, Linux6_1 ByAddress Inferred, Linux7_2 ByAddress Inferred];
    /// How the ITS driver finds LPIs for a device.
    lpi_ranges: LpiRanges = "lpi-ranges",
        "irq-gic-v3-its.c of 4.9, 4.13 and 6.12; numbers of 6.1 and 6.12 recordings",
        [Linux4_6 Chunks32 Read, Linux6_1 FirstFit Measured, Linux7_2 FirstFit Read];
    /// How many events the ITS driver lets a device have.
    its_events: ItsEvents = "its-events",
        "irq-gic-v3-its.c of 7.2, and of 4.9 for those before; the change in 6.1.167 and 5.10.253, and in review for 6.12 at that time (March 2026)",
        [Linux4_6 AsWanted Read, Linux6_1 OfTheIts Read, Linux6_12 OfTheIts Inferred,
         Linux7_2 OfTheIts Read];
    /// Whether the ITS driver waits for redistributors to have forgotten what they knew of LPIs.
    its_invall: ItsInvall = "its-invall",
        "its_build_invall_cmd of 4.4, 4.12 and 5.12, and the fix of 5.16; ITS commands in dumps of 6.1 and 6.12",
        [Linux4_6 Alone Read, Linux6_1 Synced Measured, Linux7_2 Synced Nearest];
    /// How long the ITS driver keeps a device mapped that is the only one under its DeviceID.
    its_life: ItsLife = "its-life",
        "MAPD in dumps of 6.1 and 6.12; the changes of 6.16: its_msi_teardown, and msi_prepare for each domain",
        [Linux4_6 Events Read, Linux6_1 Events Measured, Linux7_2 Domain Read];
    /// Where the ITS driver has interrupt translation tables from.
    itt_memory: IttMemory = "itt-memory", "its_create_device of 4.4 and 6.12; changes of 6.13; MAPD in dumps",
        [Linux4_6 Slab Read, Linux6_1 Slab Measured, Linux7_2 Pool Read];
    /// How long the ITS driver waits for a command.
    its_queue_wait: ItsQueueWait = "its-queue-wait", "its_wait_for_range_completion of 4.7; the fix of 5.2",
        [Linux4_6 Range Read, Linux6_1 Performed Read];
    /// How the ITS driver lays the table of devices out.
    its_tables: ItsTables = "its-tables",
        "its_alloc_tables of 4.4 and 4.12, the change of 4.8; GITS_BASER in dumps of 6.1 and 6.12",
        [Linux4_6 Flat Read, MsiV12 Flat Nearest, MsiV14 TwoLevel Inferred, Linux4_11 TwoLevel Read,
         Linux6_1 TwoLevel Measured, Linux7_2 TwoLevel Nearest];
    /// How the ITS driver finds the size of a table's pages.
    its_pages: ItsPages = "its-pages",
        "its_alloc_tables and its_setup_baser of 4.4, and of 4.7 and 4.11 in the series' own trees; of 6.12",
        [Linux4_6 Divided Read, Linux6_1 Probed Read];
    /// How memory is cached that the ITS driver gives an ITS and redistributors.
    its_cacheability: ItsCacheability = "its-cacheability",
        "irq-gic-v3-its.c of 4.4, of 4.11 in the series' own tree; registers in dumps of 6.1 and 6.12",
        [Linux4_6 WriteAllocate Read, Linux6_1 ReadWriteAllocate Measured,
         Linux7_2 ReadWriteAllocate Nearest];
    /// Whether the ITS driver asks if a table of one level has a place for a DeviceID.
    its_flat_check: ItsFlatCheck = "its-flat-check",
        "its_create_device of 4.4, and of 4.7 in the series' own tree; its_alloc_table_entry of 6.12",
        [Linux4_6 Unasked Inferred, MsiV10 Asked Read, Linux6_1 Asked Read];
    /// How many bits of an INTID the ITS driver counts with.
    lpi_bits: LpiBits = "lpi-bits",
        "LPI_NRBITS and its_lpi_init of 4.4, and of 4.7 and 4.11 in the series' own trees; lpi_id_bits of 6.12",
        [Linux4_6 Sixteen Read, Linux6_1 Implemented Read];
    /// When the ITS driver unmaps a DeviceID that several functions send under.
    its_sharing: ItsSharing = "its-sharing",
        "its_irq_domain_free and its_msi_prepare of 4.4, 4.12 and 5.12; the change of 5.11 for bridges",
        [Linux4_6 LastEvent Read, Linux6_1 Never Read];
    /// How many events the ITS driver gives a function for which a bridge answers.
    its_aliases: ItsAliases = "its-aliases",
        "its_pci_msi_prepare of 4.4 to 4.15; of 5.0, 5.11 and 7.2",
        [Linux4_6 Bridges Read, Linux6_1 Behind Read];
    /// Which CPU the ITS driver sends an interrupt to.
    lpi_affinity: LpiAffinity = "lpi-affinity",
        "its_set_affinity of 4.4, 4.7, 4.9, 4.13 and 5.12; ITS commands in dumps of 6.1 and 6.12",
        [Linux4_6 FirstCpu Read, Linux6_1 LeastLoaded Measured, Linux7_2 LeastLoaded Nearest];
    /// How the ITS driver has a redistributor read an LPI's configuration anew.
    lpi_invalidation: LpiInvalidation = "lpi-invalidation",
        "irq-gic-v3-its.c of 4.9; the patches for GICR_INVLPIR and GICR_CTLR.IR, and a tree with both",
        [Linux4_6 Command Read, Linux6_1 Register Inferred];
    /// Which priority the GICv3 driver gives every interrupt.
    gicv3_priority: GicV3Priority = "gicv3-priority",
        "LPI_PROP_DEFAULT_PRIO of 4.9; LPI configuration in dumps of 6.1 and 6.12",
        [Linux4_6 A0 Read, Linux6_1 A0 Measured, Linux6_12 C0 Measured, Linux7_2 C0 Nearest];
    /// Which MSI domain a device's messages belong to.
    msi_domains: MsiDomains = "msi-domains", "/proc/interrupts of 6.1 and 6.12",
        [Linux4_6 Shared Nearest, Linux6_1 Shared Measured, Linux6_12 PerDevice Measured,
         Linux7_2 PerDevice Nearest];
    /// By which of the identifiers under which a function may send an ITS is told of it.
    msi_alias: MsiAlias = "msi-alias",
        "get_msi_id_cb of 4.6, and of kernels since the change that names devices with phantom functions",
        [Linux4_6 Last Read, MsiV14 Last Nearest, Linux4_11 Last Inferred, Linux6_1 Elsewhere Read];
    /// When a vector of PCI gets its message, and the ITS its event.
    msi_activation: MsiActivation = "msi-activation",
        "the changes of 4.8, 4.10, 5.11 and 5.13 to kernel/irq; MSI-X tables in recordings of 6.1 and 6.12",
        [Linux4_6 Request Read, MsiV12 Request Nearest, MsiV14 Twice Inferred, Linux4_11 First Read,
         Linux6_1 All Measured, Linux7_2 All Nearest];
    /// When a CPU that an interrupt shall go to is told to who sends it.
    msi_affinity: MsiAffinity = "msi-affinity", "its_set_affinity of 4.7; the change of 5.8 to genirq",
        [Linux4_6 AtOnce Read, Linux6_1 WhenActive Read];
    /// Where a vector of PCI is let through first.
    msi_unmask: MsiUnmask = "msi-unmask", "its_unmask_msi_irq of 4.6 to 6.1; pci_irq_unmask_msix of 6.11",
        [Linux4_6 DeviceFirst Read, Linux6_12 ControllerFirst Read];
    /// What a request for vectors of PCI ends in where the function has no MSI domain.
    no_msi_domain: NoMsiDomain = "no-msi-domain",
        "drivers/pci/msi.c of 4.6 and 4.11; drivers/pci/msi of 6.1, built without the fallbacks of 5.10; a60b990798eb of 6.13, and in 6.12 since the January after",
        [Linux4_6 Einval Read, Linux6_1 Enodev Read, Linux6_12 Enotsupp Read];
    /// What `/proc/irq/N/smp_affinity_list` says of a CPU that the machine does not have.
    absent_cpu: AbsentCpu = "absent-cpu",
        "write_irq_affinity, cpumask_parselist_user; nr_cpumask_bits of 4.6, and since 6.1-rc1 (aa47a7c215e7)",
        [Linux4_6 Einval Inferred, Linux6_1 Erange Inferred];
    /// How an interrupt domain frees the interrupts of one request.
    irq_freeing: IrqFreeing = "irq-freeing",
        "irq_domain_free_irqs_hierarchy before and after 4615fbc3788d (5.11), and of 6.12; reports of July 2024",
        [Linux4_6 Whole Read, Linux6_1 Each Read];
    /// Whether vectors of MSI-X can be had one by one, once there are others.
    msix_vectors: MsixVectors = "msix-vectors", "vfio_pci_intrs.c of 6.5; the ITS's MSI parent of 6.18",
        [Linux4_6 Together Read, Linux7_2 OneByOne Read];
    /// How long vfio-platform handles the interrupts of a device's wires.
    wire_handlers: WireService = "wire-handlers",
        "vfio_platform_irq.c of 4.10 and 6.12; changed for CVE-2024-26813, and in 6.1.84",
        [Linux4_6 WhileSet Read, Linux6_1 WhileOpen Remembered];

    // The IOMMU core and the SMMU drivers.
    /// Whether the SMMU drivers call interrupts remapped.
    smmu_intr_remap: SmmuIntrRemap = "smmu-intr-remap", "patch 6/7 of part 3; arm-smmu.c of 4.6 and 4.11",
        [Linux4_6 Claimed Read, MsiV8 NotClaimed Read];
    /// What the domain of the kernel's own drivers does.
    default_domain: DefaultDomain = "default-domain",
        "arm-smmu.c of 4.6 and of about 4.9; dumps of 6.1 and 6.12",
        [Linux4_6 Bypass Read, MsiV10 Bypass Nearest, MsiV14 Translated Inferred,
         Linux6_1 Translated Measured, Linux7_2 Translated Read];
    /// What translates for a group whose owner has no container type yet.
    blocked_state: BlockedState = "blocked-state",
        "ASIDs and commands in dumps of 6.1 and 6.12; the state itself from reading",
        [Linux4_6 DefaultDomain Read, Linux6_1 EmptyDomain Measured, Linux6_12 Abort Measured,
         Linux7_2 Abort Read];
    /// Which StreamIDs a PCI function has for the driver of an SMMU.
    pci_streams: PciStreams = "pci-streams",
        "arm-smmu.c of 4.6 in the series' own tree, of about 4.9 in a maker's; a recollection that arm-smmu-v3.c changed with it",
        [Linux4_6 RequesterId Read, MsiV14 IommuMap Remembered, Linux6_1 IommuMap Read];
    /// Who owns a context descriptor table.
    context_descriptors: ContextDescriptors = "context-descriptors", "dumps of 6.1 and 6.12",
        [Linux4_6 PerDomain Nearest, Linux6_1 PerDomain Measured, Linux6_12 PerDevice Measured,
         Linux7_2 PerDevice Nearest];
    /// How the SMMUv3 driver brings an STE from one value to another.
    ste_update: SteUpdate = "ste-update", "command queues in dumps of 6.1 and 6.12",
        [Linux4_6 Break Nearest, Linux6_1 Break Measured, Linux6_12 Hitless Measured,
         Linux7_2 Hitless Nearest];
    /// What the SMMUv3 driver does with a transaction that stalled, for which nobody has a handler.
    smmu3_stalls: Smmu3Stalls = "smmu3-stalls",
        "a recollection of arm-smmu-v3.c before and after stalls came, in 5.14",
        [Linux4_6 Left Remembered, Linux6_1 Aborted Remembered];
    /// Whether the SMMUv3 driver uses PCIe ATS, where SMMU and device have it.
    smmu3_ats: Smmu3Ats = "smmu3-ats",
        "arm-smmu-v3.c of about 4.14; a recollection of 5.2, in which ATS came, of 6.1 and of 6.12; a tree of 5.12",
        [Linux4_6 Unguarded Read, Linux6_1 Renewed Remembered, Linux6_12 Kept Remembered];
    /// Which memory attributes leaves of stage 1 choose from.
    stage1_attributes: Stage1Attributes = "stage1-attributes",
        "io-pgtable-arm.c of 4.x and 6.x; the fourth came with 5.3; dumps of 6.1 and 6.12",
        [Linux4_6 Three Inferred, Linux6_1 Four Measured, Linux7_2 Four Nearest];
    /// How table walks of an SMMU whose walks are not coherent go to memory.
    walk_attributes: WalkAttributes = "walk-attributes",
        "io-pgtable-arm.c of 4.x and 6.x; changed with 5.3",
        [Linux4_6 Cached Inferred, Linux6_1 ByCoherence Read];
    /// When tables of stage 2 start one level lower than they could, several side by side.
    stage2_roots: Stage2Roots = "stage2-roots",
        "io-pgtable-arm.c of 4.x, 6.x and 7.2; changed with 6.14, and whether 6.12.y followed is not known",
        [Linux4_6 WherePossible Read, Linux6_12 WherePossible Inferred, Linux7_2 WhereNeeded Read];
    /// Whether the driver of SMMUv3s invalidates ranges by one command.
    smmu3_ranges: Smmu3Ranges = "smmu3-ranges",
        "arm-smmu-v3.c of about 4.10; dumps of 6.1 and 6.12; came with 5.7",
        [Linux4_6 Unused Read, Linux6_1 Used Measured, Linux7_2 Used Nearest];
    /// What becomes of a range with more blocks than a table, where no range commands are used.
    smmu3_long_ranges: Smmu3LongRanges = "smmu3-long-ranges",
        "arm-smmu-v3.c of about 4.15; the patch that brought the limit, which 6.12 lacks",
        [Linux4_6 BlockByBlock Read, Linux7_2 WholeTag Read];
    /// Which level of privilege streams have behind an STE of stage 1.
    smmu3_privilege: Smmu3Privilege = "smmu3-privilege",
        "arm-smmu-v3.c of about 4.4 and 4.15; a recollection that 4.9 and 4.10 overrode it; dumps of 6.1 and 6.12",
        [Linux4_6 Incoming Inferred, MsiV14 Unprivileged Remembered, Linux4_11 Incoming Remembered,
         Linux6_1 Incoming Measured, Linux7_2 Incoming Nearest];
    /// When the driver of an SMMU waits for the invalidations that unmapping asks for.
    unmap_sync: UnmapSync = "unmap-sync",
        "io-pgtable-arm.c of about 4.9; dumps of 6.1 and 6.12; changed with 4.15",
        [Linux4_6 EachBlock Read, Linux6_1 Gathered Measured, Linux7_2 Gathered Nearest];
    /// What a CMD_SYNC says beside that it shall wake who waits.
    smmu3_sync: Smmu3Sync = "smmu3-sync",
        "arm-smmu-v3.c of about 4.10; dumps of 6.1 and 6.12; changed with 4.15",
        [Linux4_6 Bare Read, Linux6_1 Message Measured, Linux7_2 Message Nearest];
    /// How many entries the queues of an SMMUv3 have.
    smmu3_queues: Smmu3Queues = "smmu3-queues",
        "arm-smmu-v3.c of about 4.14; dumps of 6.1 and 6.12; a recollection that it changed in 5.0",
        [Linux4_6 Short Inferred, Linux4_11 Short Read, Linux6_1 LargestBlock Measured,
         Linux7_2 LargestBlock Nearest];
    /// What becomes of streams of an SMMUv3 that are in no domain.
    smmu3_unattached: Smmu3Unattached = "smmu3-unattached",
        "arm-smmu-v3.c of about 4.14; dumps of 6.1 and 6.12; the default changed in 5.2",
        [Linux4_6 Bypass Inferred, Linux4_11 Bypass Read, Linux6_1 Abort Measured, Linux7_2 Abort Nearest];
    /// Whose ASIDs an SMMUv3 has.
    smmu3_asids: Smmu3Asids = "smmu3-asids", "arm-smmu-v3.c of about 4.14 and of 6.x",
        [Linux4_6 OfTheSmmu Inferred, Linux4_11 OfTheSmmu Read, Linux6_1 OfTheMachine Read];
    /// When an overflow of an SMMUv3's Event queue is acknowledged.
    smmu3_overflow: Smmu3Overflow = "smmu3-overflow",
        "arm-smmu-v3.c of about 4.14 and of 6.x; changed in 6.4 and in kernels kept beside it",
        [Linux4_6 WithTheNextEvent Inferred, Linux4_11 WithTheNextEvent Read, Linux6_1 AtOnce Read];
    /// How an SMMUv3 is brought up.
    smmu3_reset: Smmu3Reset = "smmu3-reset",
        "arm-smmu-v3.c of about 4.14; an emulator's log of 6.1 and 6.12",
        [Linux4_6 Early Inferred, Linux4_11 Early Read, Linux6_1 Late Measured, Linux7_2 Late Nearest];
    /// Which translation regime stage 1 of an SMMUv3 is of.
    smmu3_regime: Smmu3Regime = "smmu3-regime",
        "dumps of 6.1 and 6.12, which ran at EL1; arm-smmu-v3.c of 6.x for the other",
        [Linux4_6 El1 Inferred, Linux4_11 El1 Read, Linux6_1 El1 Measured, Linux7_2 El1 Nearest];
    /// Whether the SMMUv3 driver has heard of SubstreamIDs.
    smmu3_substreams: Smmu3Substreams = "smmu3-substreams",
        "arm-smmu-v3.c of about 4.14; command queues in dumps of 6.1; changed with 5.6",
        [Linux4_6 Unknown Inferred, Linux4_11 Unknown Read, Linux6_1 Known Measured, Linux7_2 Known Nearest];
    /// What becomes of an SMMUv3 that always stalls.
    smmu3_forced: Smmu3Forced = "smmu3-forced",
        "arm-smmu-v3.c of about 4.12 and 4.14, and the change for stage 2 in 6.12; CD.S came in 4.15",
        [Linux4_6 AsOptional Read, Linux6_1 Stage1 Read, Linux6_12 Both Read];
    /// What the driver of SMMUv3s says of an event.
    smmu3_messages: Smmu3Messages = "smmu3-messages",
        "arm-smmu-v3.c of a 4.x before 4.17, a change of 2021 to it, and one after 6.12; a recollection that it changed in 6.14",
        [Linux4_6 Raw Read, Linux6_1 Raw Remembered, Linux7_2 Fields Nearest];
    /// What becomes of streams of an SMMUv2 that are in no domain.
    smmu2_unattached: Smmu2Unattached = "smmu2-unattached",
        "arm-smmu.c of 4.6 and 7.2; the default changed in 5.2",
        [Linux4_6 Bypass Read, MsiV10 Bypass Nearest, Linux6_1 Fault Remembered, Linux7_2 Fault Read];
    /// What a context fault of an SMMUv2 does to the transaction.
    smmu2_faults: Smmu2Faults = "smmu2-faults",
        "arm-smmu.c of 4.6 and of about 4.8 in the series' own trees, and of 7.2",
        [Linux4_6 Stall Read, MsiV10 Stall Nearest, MsiV14 Terminate Inferred, Linux7_2 Terminate Read];
    /// When a device behind an SMMUv2 has stream mapping entries, and which.
    smmu2_entries: Smmu2Entries = "smmu2-entries",
        "arm-smmu.c of 4.6 in the series' own tree, of about 4.12 in a maker's; a recollection that it changed in 4.9",
        [Linux4_6 OfTheDomain Read, MsiV14 OfTheDevice Remembered, Linux6_1 OfTheDevice Read];
    /// Whether the driver of SMMUv2s has 16 bits of StreamID, where the SMMU has.
    smmu2_extended_ids: Smmu2ExtendedIds = "smmu2-extended-ids",
        "arm-smmu.c of 4.6 in the series' own tree, of about 4.12 in a maker's; a recollection that they came with 4.11",
        [Linux4_6 Unused Read, Linux4_11 Used Remembered, Linux6_1 Used Read];
    /// Which level of privilege streams have behind an entry that translates.
    smmu2_privilege: Smmu2Privilege = "smmu2-privilege",
        "arm-smmu.c of 4.6 in the series' own tree, and of 6.12; a recollection that it changed in 4.11",
        [Linux4_6 Unprivileged Read, Linux4_11 Incoming Remembered, Linux6_1 Incoming Read];
    /// How many bits of an ASID a context bank of AArch64 compares.
    smmu2_asids: Smmu2Asids = "smmu2-asids",
        "arm-smmu.c of 4.6 in the series' own tree, of about 4.12 in a maker's; a recollection that it changed in 4.12",
        [Linux4_6 EightBits Read, Linux4_11 EightBits Remembered, Linux6_1 SixteenBits Read];
    /// Which ASID and which VMID a context of an SMMUv2 has.
    smmu2_tags: Smmu2Tags = "smmu2-tags",
        "arm-smmu.c of about 4.9, 4.12 and 6.x in makers' trees; a recollection that it changed in 4.12",
        [Linux4_6 Both Inferred, MsiV14 Both Read, Linux4_11 Both Remembered, Linux6_1 One Read];
    /// How many context interrupts an SMMUv2 has, for its driver to take it.
    smmu2_interrupts: Smmu2Interrupts = "smmu2-interrupts",
        "arm-smmu.c of 4.6 in the series' own tree, of about 4.12 and 6.x; changed with 4.16",
        [Linux4_6 AsManyAsBanks Read, Linux6_1 AtLeastBanks Read];
    /// How many bits of a VMID contexts of an SMMUv2 have, where the SMMU has 16.
    smmu2_vmids: Smmu2Vmids = "smmu2-vmids",
        "arm-smmu.c of 4.6 in the series' own tree; a recollection that it changed in 4.7; 6.12",
        [Linux4_6 EightBits Read, MsiV10 SixteenBits Remembered, Linux6_1 SixteenBits Read];
    /// How the driver of SMMUv2s loads registers of 64 bits.
    smmu2_wide_loads: Smmu2WideLoads = "smmu2-wide-loads",
        "arm-smmu.c of about 4.1 and 4.5; a recollection that it changed in 4.7; 6.12",
        [Linux4_6 Halves Read, MsiV10 Whole Remembered, Linux6_1 Whole Read];
    /// What the driver of SMMUv2s says of a context fault.
    smmu2_messages: Smmu2Messages = "smmu2-messages",
        "arm-smmu.c of 4.6 and of about 4.8 in the series' own trees, and of 6.12; a recollection of 5.2",
        [Linux4_6 Address Read, MsiV10 Address Nearest, MsiV14 Status Inferred, Linux6_1 Stream Read];
    /// Whom the driver of SMMUv2s waits for after it has invalidated what one context bank has.
    smmu2_sync: Smmu2Sync = "smmu2-sync",
        "arm-smmu.c of about 4.1 and 4.12 in makers' trees; a recollection that it changed in 4.12",
        [Linux4_6 Global Inferred, Linux4_11 Global Remembered, Linux6_1 OfTheBank Read];
    /// Which form the context banks of an SMMUv1 have.
    smmu1_contexts: Smmu1Contexts = "smmu1-contexts",
        "arm-smmu.c of 4.6 in the series' own tree; a recollection of the change in 4.7; 7.2",
        [Linux4_6 Aarch32 Read, MsiV10 ByFormat Remembered, Linux7_2 ByFormat Read];
    /// Which form the driver gives the contexts of an SMMUv2.
    smmu2_formats: Smmu2Formats = "smmu2-formats",
        "arm_smmu_init_domain_context of 6.12; every kernel here is one of 64 bits",
        [Linux4_6 Aarch64 Read];
    /// What the driver makes of the registers that an MMU-500 has of its own.
    smmu2_mmu500: Smmu2Mmu500 = "smmu2-mmu500",
        "arm-smmu.c of 4.6 in the series' own tree; arm_mmu500_reset of 6.12; a recollection that it came with 4.7",
        [Linux4_6 Untouched Read, MsiV10 NoPrefetch Remembered, Linux6_1 NoPrefetch Read];
    /// Which streams that bypass an MMU-500 may have TLB entries.
    smmu2_bypass_entries: Smmu2BypassEntries = "smmu2-bypass-entries",
        "arm-smmu.c of about 4.9 and 4.12, arm-smmu-impl.c of 6.12; changed with 4.10 and 4.17",
        [Linux4_6 AsReset Read, MsiV14 AsReset Read, Linux4_11 Unmatched Inferred, Linux6_1 All Read];
    /// How the driver reaches the registers of 64 bits of Marvell's AP806.
    smmu2_ap806: Smmu2Ap806 = "smmu2-ap806", "arm-smmu-impl.c of 6.12; came with 5.9",
        [Linux4_6 Whole Inferred, Linux6_1 Halves Read];
    /// Which ASIDs and VMIDs the driver gives contexts of Cavium's SMMUs.
    smmu2_cavium: Smmu2Cavium = "smmu2-cavium",
        "arm-smmu.c of 4.6 in the series' own tree; a recollection that it came with 4.7; 6.12",
        [Linux4_6 OfTheBank Read, MsiV10 Apart Remembered, Linux6_1 Apart Read];
    /// How the driver lets streams bypass an SMMU of Qualcomm.
    smmu2_qualcomm: Smmu2Qualcomm = "smmu2-qualcomm",
        "arm-smmu-qcom.c of 6.12; a recollection that it came with 5.11",
        [Linux4_6 ByType Inferred, Linux6_1 ByBank Read];
}
