//! Choices of the type1 backend.

use passim_model::Errno;

choice! {
    /// What bit 2 of MAP_DMA's flags asks for.
    ThirdMapFlag {
        /// Nothing: it is an unknown flag.
        Unknown = "unknown",
        /// VFIO_DMA_MAP_FLAG_RESERVED_MSI_IOVA: the range is a window for doorbells.
        ReservedMsiIova = "reserved-msi-iova",
        /// VFIO_DMA_MAP_FLAG_VADDR: an existing mapping gets another vaddr.
        Vaddr = "vaddr",
    }
}

choice! {
    /// Layout of `struct vfio_iommu_type1_info`, and the least argsz.
    InfoLayout {
        /// 16 bytes: argsz, flags, iova_pgsizes.
        Base = "base",
        /// 24 bytes, all needed: cap_offset at 8, iova_pgsizes at 16.
        CapOffsetFirst = "cap-offset-first",
        /// 24 bytes, all needed: cap_offset at 20.
        CapOffsetLast = "cap-offset-last",
        /// 24 bytes, 20 needed: cap_offset at 16.
        CapOffsetNeeded = "cap-offset-needed",
        /// 24 bytes, 16 needed: cap_offset at 16.
        Mainline = "mainline",
    }
}

choice! {
    /// What GET_INFO says of messages.
    MsiInfo {
        /// Nothing.
        Nothing = "nothing",
        /// A flag: REQUIRE_MSI_MAP.
        RequireMsiMap = "require-msi-map",
        /// A capability of 48 bytes: reserved, aperture, size and alignment; 16 pages are asked
        /// for.
        Geometry16Pages = "geometry-16-pages",
        /// A capability of 40 bytes: flags, order, size and aperture; the size follows from the
        /// doorbells there are.
        GeometryOfDoorbells = "geometry-of-doorbells",
        /// A capability of 24 bytes: size and alignment.
        Reserved = "reserved",
        /// The capabilities of mainline: migration, entries left, valid ranges.
        Mainline = "mainline",
    }
}

choice! {
    /// What becomes of a registered window when another domain joins the container.
    ReplayAperture {
        /// The new domain does not learn of it.
        Skip = "skip",
        /// The new domain gets it; an error is only warned of.
        Warn = "warn",
        /// The new domain gets it; an error fails the attach.
        Fail = "fail",
    }
}

choice! {
    /// What becomes of the domains that took a window when a later one does not.
    ApertureRollback {
        /// They keep it.
        Keep = "keep",
        /// They lose it.
        Undo = "undo",
    }
}

choice! {
    /// How slots are searched for a range and a type.
    FindDma {
        /// Slots of another type are passed over.
        AsIntended = "as-intended",
        /// As the patch has it: a slot of another type may be answered, or none dereferenced.
        AsCoded = "as-coded",
    }
}

choice! {
    /// What tells whether messages of a group's devices are safe.
    MessageSafety {
        /// The IOMMU driver: IOMMU_CAP_INTR_REMAP.
        IommuCapability = "iommu-capability",
        /// Or the MSI domains of the group's devices: MSI_FLAG_IRQ_REMAPPING.
        MsiDomains = "msi-domains",
        /// Or the registered doorbells, if every one of them is safe.
        DoorbellRegistry = "doorbell-registry",
        /// The same, but only if a domain that was attached before reports a window.
        RegistryOfAttached = "registry-of-attached",
        /// Every MSI domain of the system; where the driver reports no window, its capability.
        IrqDomains = "irq-domains",
        /// Every MSI domain of the system, or the IOMMU driver's capability.
        IrqDomainsOrCapability = "irq-domains-or-capability",
        /// The MSI domains of the group's devices: `iommu_group_has_isolated_msi`.
        IsolatedGroup = "isolated-group",
    }
}

choice! {
    /// Whose locked memory shrinks when the pages of a mapping are unpinned.
    LockedMemory {
        /// The caller's, `current->mm`, whoever mapped them; nobody's when an exit closes the files.
        Caller = "caller",
        /// The process's that mapped them: `vfio_dma.task`.
        Mapper = "mapper",
    }
}

choice! {
    /// How many mappings a container takes.
    EntryLimit {
        /// Any number.
        None = "none",
        /// As many as the module parameter `dma_entry_limit` says.
        Parameter = "parameter",
    }
}

choice! {
    /// Whether MAP and attach look at apertures and reserved regions.
    ValidRanges {
        /// They do not; what cannot be mapped fails in the tables.
        Unchecked = "unchecked",
        /// They do: EINVAL.
        Checked = "checked",
    }
}

choice! {
    /// What the tables do with an address beyond their input size.
    BeyondInput {
        /// ERANGE.
        Erange = "erange",
        /// Nobody looks: of the address counts what indices into the tables hold. Where the first
        /// table fills its page that is the input size, and an address beyond is one below; else
        /// entries behind the first table are written, which no SMMU reads.
        Alias = "alias",
    }
}

choice! {
    /// What a MAP or UNMAP whose range wraps is refused with.
    WrapErrno {
        /// EINVAL.
        Einval = "einval",
        /// EOVERFLOW; the test then comes before alignment and flags.
        Eoverflow = "eoverflow",
    }
}

impl WrapErrno {
    /// The errno.
    pub const fn errno(self) -> Errno {
        match self {
            Self::Einval => Errno::EINVAL,
            Self::Eoverflow => Errno::EOVERFLOW,
        }
    }
}

choice! {
    /// What UNMAP does with a range that wraps.
    UnmapWrap {
        /// Its end is taken modulo 2^64: it finds nothing, and succeeds.
        Modulo = "modulo",
        /// It is refused.
        Refused = "refused",
    }
}

choice! {
    /// How the end of a range is computed in searches.
    RangeEnd {
        /// Exclusive: a range that ends at 2^64 finds nothing.
        Exclusive = "exclusive",
        /// Inclusive.
        Inclusive = "inclusive",
    }
}

choice! {
    /// In which order UNMAP of a v1 container takes mappings.
    V1UnmapOrder {
        /// As the search descends from the root of the kernel's tree; where the answer depends on
        /// the shape of that tree, it is that of ascending order and carries a finding.
        TreeShape = "tree-shape",
        /// Ascending.
        Ascending = "ascending",
    }
}

choice! {
    /// Whether UNMAP knows the ALL flag.
    UnmapAll {
        /// It does not.
        Absent = "absent",
        /// It does.
        Present = "present",
    }
}

choice! {
    /// Whether type1 tracks dirty pages: DIRTY_PAGES and UNMAP with GET_DIRTY_BITMAP.
    DirtyTracking {
        /// It does not.
        Absent = "absent",
        /// It does.
        Present = "present",
    }
}

choice! {
    /// Whether attach tries out superpages on a fresh domain.
    SuperpageTest {
        /// Two pages at 0 are mapped and unmapped.
        Made = "made",
        /// It does not.
        Dropped = "dropped",
    }
}

choice! {
    /// What attach returns when no domain can be allocated.
    DomainAllocError {
        /// EIO, whatever the reason.
        Eio = "eio",
        /// The reason.
        Passed = "passed",
    }
}

choice! {
    /// When CHECK_EXTENSION says that DMA is coherent.
    DmaCoherency {
        /// When the IOMMU driver of every domain can make accesses coherent, as SMMUs can.
        Capability = "capability",
        /// When every domain enforces it, as SMMUs of these boards do not.
        Enforced = "enforced",
    }
}
