//! Choices of the interrupt controllers' drivers.

choice! {
    /// How the GICv2m driver finds SPIs for several messages of one device.
    V2mBlocks {
        /// One at a time; more than one message of MSI is not offered.
        Single = "single",
        /// A power-of-two block, aligned in the frame's own numbering.
        AlignedInFrame = "aligned-in-frame",
        /// A power-of-two block, aligned in the SPI's number.
        AlignedSpi = "aligned-spi",
    }
}

choice! {
    /// How the GICv2m driver writes to frames of Amazon's Graviton, where an SPI has an address.
    AmazonFrames {
        /// As to others.
        AsOthers = "as-others",
        /// To the SPI's address; more than one message of MSI is not offered.
        ByAddress = "by-address",
    }
}

choice! {
    /// How the ITS driver finds LPIs for a device.
    LpiRanges {
        /// Chunks of 32 from 8192 on.
        Chunks32 = "chunks-32",
        /// The first free range that is large enough.
        FirstFit = "first-fit",
    }
}

choice! {
    /// How many events the ITS driver lets a device have.
    ItsEvents {
        /// As many as it wants, whether or not an EventID can tell them apart.
        AsWanted = "as-wanted",
        /// No more than the ITS has EventIDs.
        OfTheIts = "of-the-its",
    }
}

choice! {
    /// Which CPU the ITS driver sends an interrupt to.
    LpiAffinity {
        /// The first, or the one that was said; it is told to the ITS each time, also where the
        /// interrupt goes there already.
        FirstCpu = "first-cpu",
        /// The first of those with the fewest others, or the one that was said.
        LeastLoaded = "least-loaded",
    }
}

choice! {
    /// Whether the ITS driver waits for redistributors to have forgotten what they knew of LPIs
    /// before a CPU's collection was mapped.
    ItsInvall {
        /// It does not: no SYNC follows INVALL.
        Alone = "alone",
        /// It does: SYNC follows INVALL.
        Synced = "synced",
    }
}

choice! {
    /// How long the ITS driver keeps a device mapped that is the only one under its DeviceID.
    ItsLife {
        /// As long as an event of it is in use; it is made for what is allocated.
        Events = "events",
        /// As long as the device has an MSI domain of that kind: until its driver leaves, or turns
        /// on messages of another kind; it is made for all the device can have.
        Domain = "domain",
    }
}

choice! {
    /// How the ITS driver lays the table of devices out.
    ItsTables {
        /// In one level, as large as all DeviceIDs take.
        Flat = "flat",
        /// In two levels, where one would take more than two pages and the ITS can have two.
        TwoLevel = "two-level",
    }
}

choice! {
    /// How the ITS driver finds the size of a table's pages.
    ItsPages {
        /// It settles the size of the table for pages of 64 KiB, and tells the same memory in
        /// smaller ones where those do not stay.
        Divided = "divided",
        /// By trying, before the size of the table is settled.
        Probed = "probed",
    }
}

choice! {
    /// How memory is cached that the ITS driver gives an ITS and redistributors.
    ItsCacheability {
        /// Allocated when it is written.
        WriteAllocate = "write-allocate",
        /// When it is read, too.
        ReadWriteAllocate = "read-write-allocate",
    }
}

choice! {
    /// Whether the ITS driver asks if a table of one level has a place for a DeviceID.
    ItsFlatCheck {
        /// No: the device is mapped, and the ITS may have no entry for it.
        Unasked = "unasked",
        /// Yes: without one the device has no LPIs.
        Asked = "asked",
    }
}

choice! {
    /// How many bits of an INTID the ITS driver counts with.
    LpiBits {
        /// Redistributors are told 16, whatever there are; LPIs are given out by as many as the
        /// distributor has.
        Sixteen = "sixteen",
        /// As many as the distributor has, 16 at most.
        Implemented = "implemented",
    }
}

choice! {
    /// Where the ITS driver has interrupt translation tables from.
    IttMemory {
        /// From the slabs, cleared: small ones share pages that stay the kernel's; larger ones than
        /// two pages are blocks of pages of their own, and given back.
        Slab = "slab",
        /// From a pool of pages that only grows, as they were left; those of a page and more are
        /// blocks of pages of their own, cleared, and given back.
        Pool = "pool",
    }
}

choice! {
    /// How long the ITS driver waits for a command.
    ItsQueueWait {
        /// Until GITS_CREADR is no place between the command and what follows it: not at all where
        /// the queue wraps between them, or has stopped before.
        Range = "range",
        /// Until the command is performed, or time is up.
        Performed = "performed",
    }
}

choice! {
    /// When the ITS driver unmaps a DeviceID that several functions send under.
    ItsSharing {
        /// With the last event in use.
        LastEvent = "last-event",
        /// Never, once two functions have come under it, or one for which a bridge answers.
        Never = "never",
    }
}

choice! {
    /// How many events the ITS driver gives a function for which a bridge answers.
    ItsAliases {
        /// As many as it wants, and as many more as the bridges that answer have vectors.
        Bridges = "bridges",
        /// As many as all functions behind the uppermost of those bridges have vectors, or as it
        /// wants if that is more.
        Behind = "behind",
    }
}

choice! {
    /// How the ITS driver has a redistributor read an LPI's configuration anew.
    LpiInvalidation {
        /// By INV, whatever the redistributors can do.
        Command = "command",
        /// By GICR_INVLPIR, where all of them have it.
        Register = "register",
    }
}

choice! {
    /// Which priority the GICv3 driver gives every interrupt.
    GicV3Priority {
        /// 0xa0.
        A0 = "a0",
        /// 0xc0, below which there is room for interrupts that cannot be masked.
        C0 = "c0",
    }
}

choice! {
    /// Which MSI domain a device's messages belong to, as `/proc/interrupts` shows it.
    MsiDomains {
        /// One of the controller, for all devices; numbers are made of the requester ID.
        Shared = "shared",
        /// One of the device itself, with the vector's place as number.
        PerDevice = "per-device",
    }
}

choice! {
    /// By which of the identifiers under which a function may send an ITS is told of it.
    MsiAlias {
        /// The last, be it one that the function itself has for its DMA alone.
        Last = "last",
        /// The last that comes from another bus or names one; its own, if none does.
        Elsewhere = "elsewhere",
    }
}

choice! {
    /// When a vector of PCI gets its message, and the ITS its event.
    MsiActivation {
        /// When somebody requests the vector.
        Request = "request",
        /// When it is allocated, but of several of MSI only the first; what nobody has requested by
        /// the end is freed as it is.
        First = "first",
        /// The same, and once more when somebody requests the vector: the ITS is told of its event
        /// a second time.
        Twice = "twice",
        /// When it is allocated; what nobody has requested by the end is taken back.
        All = "all",
    }
}

choice! {
    /// When a CPU that an interrupt shall go to is told to who sends it, or writes its message.
    MsiAffinity {
        /// At once, whether or not anybody has been given the interrupt.
        AtOnce = "at-once",
        /// When the interrupt is active: at once, or when it is made so.
        WhenActive = "when-active",
    }
}

choice! {
    /// Where a vector of PCI is let through first.
    MsiUnmask {
        /// At the device: a message that waited there comes while the LPI is still disabled.
        DeviceFirst = "device-first",
        /// At the controller: the LPI is enabled before the device may send.
        ControllerFirst = "controller-first",
    }
}

choice! {
    /// What a request for vectors of PCI ends in where the function has no MSI domain.
    NoMsiDomain {
        /// The architecture's own way is tried, and Arm has none: EINVAL.
        Einval = "einval",
        /// ENODEV, and the kernel warns, the first time.
        Enodev = "enodev",
        /// ENOTSUPP, before anything is set up.
        Enotsupp = "enotsupp",
    }
}

choice! {
    /// What `/proc/irq/N/smp_affinity_list` says of a CPU that the machine does not have.
    AbsentCpu {
        /// The list may name any CPU the kernel is built for; that none of them is online: EINVAL.
        Einval = "einval",
        /// The list is as long as there are CPUs: ERANGE.
        Erange = "erange",
    }
}

choice! {
    /// How an interrupt domain frees the interrupts of one request.
    IrqFreeing {
        /// All of them in one call.
        Whole = "whole",
        /// One by one: of a block whose size was rounded up, what nobody asked for stays taken.
        Each = "each",
    }
}

choice! {
    /// Whether vectors of MSI-X can be had one by one, once there are others.
    MsixVectors {
        /// They cannot.
        Together = "together",
        /// They can, of an ITS.
        OneByOne = "one-by-one",
    }
}

choice! {
    /// How long vfio-platform handles the interrupts of a device's wires.
    WireService {
        /// While a wire has an eventfd; one that is triggered without is the kernel's end.
        WhileSet = "while-set",
        /// While the device is open.
        WhileOpen = "while-open",
    }
}
