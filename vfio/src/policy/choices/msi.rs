//! Choices of what happens to messages on their way through an IOMMU.

use passim_model::Errno;

choice! {
    /// Who says where in the device's address space doorbells are mapped.
    WindowProvider {
        /// Nobody: doorbells are not mapped.
        Nobody = "nobody",
        /// The user, by MAP_DMA with the reserved-window flag.
        User = "user",
        /// The SMMU driver: a reserved region at 0x8000000.
        Driver = "driver",
    }
}

choice! {
    /// What a second window of a container is refused with.
    SecondWindow {
        /// EFAULT, by the IOVA allocator that finds itself initialised otherwise.
        Efault = "efault",
        /// EINVAL, because the domain has an aperture.
        Einval = "einval",
    }
}

impl SecondWindow {
    /// The errno.
    pub const fn errno(self) -> Errno {
        match self {
            Self::Efault => Errno::EFAULT,
            Self::Einval => Errno::EINVAL,
        }
    }
}

choice! {
    /// When the doorbell of a message is mapped for its device.
    MsiMapping {
        /// Never.
        Never = "never",
        /// When the vector is allocated, counted, and unmapped when the last vector is freed.
        AllocCounted = "alloc-counted",
        /// When the message is composed; it stays until the domain goes.
        Compose = "compose",
        /// When the vector is allocated; it stays until the domain goes.
        Prepare = "prepare",
    }
}

choice! {
    /// How addresses for doorbells are found in the window.
    IovaAllocator {
        /// From the top down, size aligned, from a cached node on; never the lowest page.
        TopDown = "top-down",
        /// From the top down with an anchor above the window; the lowest page is usable.
        Anchored = "anchored",
        /// Upwards from the window's base, without an end, and never given back.
        Bump = "bump",
    }
}

choice! {
    /// Whether the ITS describes its doorbell to whoever maps doorbells.
    ItsDoorbellInfo {
        /// It does not.
        Off = "off",
        /// It does.
        On = "on",
    }
}

choice! {
    /// What allocation does when no interrupt controller above a device describes its doorbell.
    MissingDoorbellInfo {
        /// Goes on without a mapping.
        Proceed = "proceed",
        /// EINVAL.
        Einval = "einval",
    }
}

choice! {
    /// Which doorbells are put back when mapping fails at one vector of several.
    DoorbellUnwind {
        /// Those of the failing vector too, which holds none: one reference too many is dropped.
        AsCoded = "as-coded",
        /// Those that were taken.
        AsIntended = "as-intended",
    }
}

choice! {
    /// What a failed doorbell mapping makes of the allocation's errno.
    DoorbellError {
        /// It stays what it was.
        Original = "original",
        /// ENOSPC, as for every failed allocation.
        Enospc = "enospc",
    }
}

choice! {
    /// What the device is programmed with when its doorbell is not mapped.
    MsiFailure {
        /// The doorbell's physical address.
        Physical = "physical",
        /// All ones, which reaches nothing.
        AllOnes = "all-ones",
    }
}
