//! Choices of VFIO's core, of devices and of processes.

use passim_model::{Errno, PageSize};

choice! {
    /// What SET_CONTAINER says of a descriptor that is no container.
    NotAContainer {
        /// EINVAL.
        Einval = "einval",
        /// EBADFD.
        Ebadfd = "ebadfd",
    }
}

impl NotAContainer {
    /// The errno of the refusal.
    pub const fn errno(self) -> Errno {
        match self {
            Self::Einval => Errno::EINVAL,
            Self::Ebadfd => Errno::EBADFD,
        }
    }
}

choice! {
    /// What SET_IOMMU does with the nesting type (6).
    NestingType {
        /// Opens a v2 container whose domains use stage 2.
        Stage2 = "stage-2",
        /// Still listed by CHECK_EXTENSION. A driver that has finished a domain by the time it is
        /// asked refuses, EPERM: that of SMMUv3 does. The one of SMMUv2 gives stage 2.
        Refused = "refused",
        /// Not listed by CHECK_EXTENSION, so no backend takes it: ENODEV.
        Hidden = "hidden",
    }
}

choice! {
    /// To what size each capability of GET_INFO is rounded up.
    InfoAlignment {
        /// Capabilities follow one another as they are.
        None = "none",
        /// To 8 bytes.
        Eight = "eight",
    }
}

choice! {
    /// How much an INFO call writes back when argsz ends inside the structure.
    ShortInfo {
        /// Up to the last whole field that fits: 16 bytes, or 20 from argsz 20 on.
        WholeFields = "whole-fields",
        /// min(argsz, 24) bytes.
        Bytes = "bytes",
    }
}

choice! {
    /// Whether pinning an untouched page for reading meets the zero page.
    ZeroPage {
        /// The shared zero page is pinned; it is reserved, so nobody is charged.
        Pinned = "pinned",
        /// A page of its own is made first, and charged like any other.
        Unshared = "unshared",
    }
}

choice! {
    /// Which addresses are a process's, and from where on the kernel's.
    UserAddresses {
        /// 48 bits, whatever the page.
        Bits48 = "48-bits",
        /// 52 bits with pages of 4K and 16K, 48 bits with pages of 64K.
        Bits52UnlessPages64K = "52-bits-unless-pages-64k",
    }
}

impl UserAddresses {
    /// Bits of a user address on a kernel with this page size.
    pub fn bits(self, page: PageSize) -> u32 {
        match self {
            Self::Bits52UnlessPages64K if page != PageSize::K64 => 52,
            Self::Bits52UnlessPages64K | Self::Bits48 => 48,
        }
    }
}

choice! {
    /// When SET_IRQS looks whether the vectors of a block were allocated.
    VectorRange {
        /// Before anything changes: EINVAL.
        Before = "before",
        /// At each vector: the first that is missing ends the call, and the vectors of the block
        /// before it lose their eventfds.
        Each = "each",
    }
}

choice! {
    /// What SET_IRQS of an error or request interrupt makes of a descriptor below -1.
    DeviceErrorFd {
        /// Nothing: the eventfd that was set stays.
        Ignored = "ignored",
        /// EINVAL.
        Einval = "einval",
    }
}

choice! {
    /// Whether VFIO wants accesses of a device to be coherent with the caches of CPUs.
    VfioCoherence {
        /// It does not ask.
        Unasked = "unasked",
        /// It serves no other: its driver does not bind.
        Required = "required",
    }
}

choice! {
    /// How wide an access of a BAR through a device's file is at most.
    BarAccess {
        /// 4 bytes.
        FourBytes = "four-bytes",
        /// 8 bytes.
        EightBytes = "eight-bytes",
    }
}

choice! {
    /// What GET_DEVICE_FD takes for the name of a PCI function.
    DeviceName {
        /// Its name, whole.
        Whole = "whole",
        /// Its name, and behind blanks a token that virtual functions ask for: EINVAL for anything
        /// else there.
        WithOptions = "with-options",
    }
}

choice! {
    /// What GET_PCI_HOT_RESET_INFO writes back where it refuses a function without a group.
    HotResetRefusal {
        /// The flags, 0.
        ClearsFlags = "clears-flags",
        /// Nothing.
        Nothing = "nothing",
    }
}

choice! {
    /// When PCI_HOT_RESET of no group is refused.
    EmptyHotReset {
        /// Where the function can be reset this way at all.
        BehindTheSlot = "behind-the-slot",
        /// Before anything else is looked at.
        AtOnce = "at-once",
    }
}

choice! {
    /// What becomes of an open group whose last device leaves VFIO.
    LastDevice {
        /// It stays as it is, in its container, for as long as its file is open.
        GroupStays = "group-stays",
        /// It leaves its container, and its open file is good for nothing any more. A device that
        /// comes back is in another group of the same number.
        GroupGoes = "group-goes",
    }
}

choice! {
    /// What becomes of a BAR that is mapped through sysfs when VFIO uses it first, where the kernel
    /// is configured to refuse such mappings then (CONFIG_IO_STRICT_DEVMEM).
    ResourceMappings {
        /// It stays mapped.
        Stay = "stay",
        /// Nothing is mapped there any more.
        Revoked = "revoked",
    }
}
