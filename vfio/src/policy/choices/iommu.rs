//! Choices of the IOMMU core and its drivers.

choice! {
    /// What translates for a group whose owner has no container type yet.
    BlockedState {
        /// The default domain, as before: nobody takes the group from the kernel's drivers until
        /// it is attached.
        DefaultDomain = "default-domain",
        /// A paging domain without mappings; it takes an ASID.
        EmptyDomain = "empty-domain",
        /// An aborting STE.
        Abort = "abort",
    }
}

choice! {
    /// What the domain of the kernel's own drivers does.
    DefaultDomain {
        /// Device addresses are physical addresses: the SMMU passes them.
        Bypass = "bypass",
        /// Translates, through tables the DMA API fills.
        Translated = "translated",
    }
}

choice! {
    /// Who owns a context descriptor table.
    ContextDescriptors {
        /// The domain: devices of one domain share a CD.
        PerDomain = "per-domain",
        /// The device: each has its own table.
        PerDevice = "per-device",
    }
}

choice! {
    /// How the SMMUv3 driver brings an STE from one value to another.
    SteUpdate {
        /// Invalid or aborting in between, fields before the first doubleword.
        Break = "break",
        /// Only through values that mean the old or the new entry, where that is possible.
        Hitless = "hitless",
    }
}

choice! {
    /// Whether the SMMU drivers call interrupts remapped: IOMMU_CAP_INTR_REMAP.
    SmmuIntrRemap {
        /// They do: a message is a memory write, and those are translated.
        Claimed = "claimed",
        /// They do not.
        NotClaimed = "not-claimed",
    }
}
