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
    /// Which CPU the ITS driver sends a new interrupt to.
    LpiAffinity {
        /// The first.
        FirstCpu = "first-cpu",
        /// The first of those with the fewest.
        LeastLoaded = "least-loaded",
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
        /// One of the controller, for all devices; numbers are made of the requester identifier.
        Shared = "shared",
        /// One of the device itself, with the vector's place as number.
        PerDevice = "per-device",
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
