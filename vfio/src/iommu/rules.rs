//! The checks of the IOMMU core and its drivers.

passim_model::rules! {
    /// EINVAL. map: nothing to allow.
    MAP_WITHOUT_ACCESS = "iommu-map-access",
        "A mapping allows reading, writing or both.",
        "6.12 io-pgtable-arm";
    /// EINVAL. map: alignment.
    MAP_ALIGNMENT = "iommu-map-alignment",
        "iova, physical address and size are multiples of the domain's smallest page size, \
         and the size is not 0.",
        "6.12 iommu core";
    /// ERANGE. map: range.
    MAP_RANGE = "iommu-map-range",
        "Both addresses fit the input and output sizes of the domain's tables.",
        "6.12 io-pgtable-arm";
    /// EEXIST. map: no overlap.
    MAP_EXISTS = "iommu-map-exists",
        "No address of the range is mapped already.",
        "6.12 io-pgtable-arm";
    /// ENOMEM. map: memory for tables.
    MAP_NO_TABLE = "iommu-map-no-table",
        "There is memory for the translation tables.",
        "6.12 io-pgtable-arm";
    /// EPERM. claim: one owner.
    CLAIM_OWNED = "iommu-claim-owned",
        "DMA of a group is given to one owner at a time.",
        "6.12 iommu core: claiming an owned group";
    /// ENODEV. Any call: the group exists.
    GROUP_UNKNOWN = "iommu-group-unknown",
        "The group exists.",
        "6.12 iommu core";
    /// EBUSY. attach: the group is free.
    ATTACH_BUSY = "iommu-attach-busy",
        "A group is attached only from its blocked or default state.",
        "6.12 iommu core: attaching a group";
    /// EINVAL. attach: one SMMU a domain.
    ATTACH_OTHER_SMMU = "iommu-attach-other-smmu",
        "A domain serves groups behind one SMMU.",
        "6.12 arm-smmu-v3";
    /// ENOMEM. alloc: memory.
    DOMAIN_NO_MEMORY = "iommu-domain-no-memory",
        "There is memory for a domain's first table and its context descriptor.",
        "6.12 arm-smmu-v3";
    /// ENOMEM. alloc: a shape of tables.
    DOMAIN_NO_SHAPE = "iommu-domain-no-shape",
        "There are tables for the SMMU's sizes of input and output at the stage that is asked for.",
        "6.12 io-pgtable-arm: no tables, and ENOMEM when the first device comes";
    /// EBUSY, or ENOSPC by policy. alloc: ASIDs.
    DOMAIN_NO_ASID = "iommu-domain-no-asid",
        "An ASID is free; they are counted for all SMMUs together, from 1.",
        "6.12 arm-smmu-v3: an allocating array that is full answers EBUSY";
    /// ENOSPC. alloc: VMIDs.
    DOMAIN_NO_VMID = "iommu-domain-no-vmid",
        "A VMID of the SMMU is free; 0 is not given out.",
        "6.12 arm-smmu-v3";
    /// ENOSPC. attach: context banks.
    DOMAIN_NO_BANK = "iommu-domain-no-bank",
        "A context bank of the SMMU is free when the first device of a domain comes; domains that \
         translate by stage 1 cannot have those with stage 2 only.",
        "4.6 and 6.12 arm-smmu";
    /// ENOSPC. attach: stream mapping entries.
    DOMAIN_NO_ENTRY = "iommu-domain-no-entry",
        "The SMMU has a stream mapping entry for each StreamID of the group's devices, where they get \
         theirs with a domain.",
        "arm-smmu before 4.9";
    /// ENODEV. map: tables.
    MAP_UNATTACHED = "iommu-map-unattached",
        "A domain of an SMMUv2 has tables from its first device on.",
        "4.6 and 6.12 arm-smmu";
    /// EPERM. alloc: nesting.
    DOMAIN_NESTING_REFUSED = "iommu-domain-nesting-refused",
        "The driver can be made to use stage 2 on request.",
        "measured on 6.12: EPERM, and on 6.1: it can";
}
