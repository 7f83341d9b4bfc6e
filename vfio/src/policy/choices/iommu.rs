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
    /// Which StreamIDs a PCI function has for the driver of an SMMU.
    PciStreams {
        /// One, its requester ID, or that of the last alias it has: firmware has no map
        /// from the one to the other.
        RequesterId = "requester-id",
        /// Those that firmware's `iommu-map` makes of its requester ID and its aliases.
        IommuMap = "iommu-map",
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
    /// What the SMMUv3 driver does with a transaction that stalled, for which nobody has a handler.
    Smmu3Stalls {
        /// It waits for ever: its event is only logged.
        Left = "left",
        /// CMD_RESUME ends it, with an abort. At stage 2 it is left by those who do not set S2S.
        Aborted = "aborted",
    }
}

choice! {
    /// Whether the SMMUv3 driver uses PCIe ATS, where SMMU and device have it.
    Smmu3Ats {
        /// Not at all: a kernel built without PCI_ATS.
        Unused = "unused",
        /// It is switched on at no device. But STEs of stage 1 let everyone be answered, and what
        /// says that it is translated passes unchecked.
        Unguarded = "unguarded",
        /// Switched off whenever a device leaves a domain, and on after it has entered the next.
        Renewed = "renewed",
        /// Left on from one domain to the next, and off where nothing translates.
        Kept = "kept",
    }
}

choice! {
    /// Which memory attributes leaves of stage 1 choose from, in MAIR of a context bank or of a CD.
    Stage1Attributes {
        /// Non-cacheable, write-back and device.
        Three = "three",
        /// Those, and inner non-cacheable with outer write-back.
        Four = "four",
    }
}

choice! {
    /// How table walks of an SMMU whose walks are not coherent go to memory.
    WalkAttributes {
        /// As those of any other: write-back, inner shareable.
        Cached = "cached",
        /// Non-cacheable, outer shareable.
        ByCoherence = "by-coherence",
    }
}

choice! {
    /// When tables of stage 2 start one level lower than they could, several side by side.
    Stage2Roots {
        /// Wherever that saves level 0.
        WherePossible = "where-possible",
        /// Where the architecture has no other start level.
        WhereNeeded = "where-needed",
    }
}

choice! {
    /// Whether the driver of SMMUv3s invalidates ranges by one command, where the SMMU can.
    Smmu3Ranges {
        /// Page by page.
        Unused = "unused",
        /// As few commands as name the range.
        Used = "used",
    }
}

choice! {
    /// What a CMD_SYNC of the driver says beside that it shall wake who waits.
    Smmu3Sync {
        /// Nothing; completion is seen in CMDQ_CONS.
        Bare = "bare",
        /// How a message would be written, and where, if the SMMU has messages that are coherent.
        Message = "message",
    }
}

choice! {
    /// What the driver of SMMUv3s does with a range that has more blocks than a table, where it
    /// uses no range commands.
    Smmu3LongRanges {
        /// One command a block, as for any other. Devices with caches of translations forget in the
        /// order of a list, the last that came first.
        BlockByBlock = "block-by-block",
        /// One command for everything that has the domain's tag. Devices with caches of
        /// translations forget in the order of their StreamIDs: all of it lies in a sorted array.
        WholeTag = "whole-tag",
    }
}

choice! {
    /// Which level of privilege streams have behind an STE of stage 1: PRIVCFG.
    Smmu3Privilege {
        /// The one they came with.
        Incoming = "incoming",
        /// None.
        Unprivileged = "unprivileged",
    }
}

choice! {
    /// When the driver of an SMMU waits for the invalidations that unmapping asks for.
    UnmapSync {
        /// Behind every block; behind a table that was unlinked twice.
        EachBlock = "each-block",
        /// Once, behind everything that was gathered. A table that was unlinked is waited for by
        /// itself.
        Gathered = "gathered",
    }
}

choice! {
    /// How many entries the driver of SMMUv3s gives its queues, and how it fills the Command queue.
    Smmu3Queues {
        /// 4 KiB a queue at most. CMDQ_PROD is stored to after every command.
        Short = "short",
        /// As many as the SMMU takes and the largest contiguous block holds. CMDQ_PROD is stored
        /// to after a batch.
        LargestBlock = "largest-block",
    }
}

choice! {
    /// What becomes of streams of an SMMUv3 that are in no domain, or between two: the parameter
    /// `disable_bypass` of arm-smmu-v3.
    Smmu3Unattached {
        /// Addresses pass as they are.
        Bypass = "bypass",
        /// Every access aborts.
        Abort = "abort",
    }
}

choice! {
    /// Whose ASIDs the driver of SMMUv3s gives out.
    Smmu3Asids {
        /// Each SMMU's own, from 0 on; ENOSPC where there is none.
        OfTheSmmu = "of-the-smmu",
        /// One set for all, from 1 on; EBUSY where there is none.
        OfTheMachine = "of-the-machine",
    }
}

choice! {
    /// When the driver of SMMUv3s acknowledges that its Event queue had overflowed.
    Smmu3Overflow {
        /// With the next event that it takes.
        WithTheNextEvent = "with-the-next-event",
        /// When it has emptied the queue.
        AtOnce = "at-once",
    }
}

choice! {
    /// How the driver of SMMUv3s brings one up.
    Smmu3Reset {
        /// CR2.E2H is set; 52 bits of output are taken for 48; one SYNC follows both TLBIs; ATSCHK
        /// stays clear.
        Early = "early",
        /// CR2.E2H is clear; 52 bits are 52; each TLBI has its SYNC; ATSCHK is set where there is
        /// ATS.
        Late = "late",
    }
}

choice! {
    /// Which translation regime the driver of SMMUv3s uses for stage 1.
    Smmu3Regime {
        /// EL1, by STE.STRW 0 and TLBI_NH commands.
        El1 = "el1",
        /// EL2-E2H where the SMMU has it (IDR0.Hyp), by CR2.E2H, STE.STRW 0b10 and TLBI_EL2
        /// commands: a kernel since 5.13 that runs at EL2, as hosts of KVM do.
        El2E2h = "el2-e2h",
    }
}

choice! {
    /// Whether the driver of SMMUv3s has heard of SubstreamIDs, for whose sake it treats CDs with
    /// more care.
    Smmu3Substreams {
        /// S1DSS is 0, and no SYNC follows a CD that is written before any STE leads to it.
        Unknown = "unknown",
        /// S1DSS names CD 0, and a SYNC follows each half of such a CD.
        Known = "known",
    }
}

choice! {
    /// What the driver makes of an SMMUv3 that always stalls (IDR0.STALL_MODEL 0b10).
    Smmu3Forced {
        /// One that may stall: STE.S1STALLD is set, CD.S is not. Both are illegal.
        AsOptional = "as-optional",
        /// CD.S is set; STE.S2S is not, which is illegal.
        Stage1 = "stage-1",
        /// CD.S and STE.S2S are set.
        Both = "both-stages",
    }
}

choice! {
    /// What the driver of SMMUv3s says of an event. How often it says something in a while is not
    /// here: there is no time.
    Smmu3Messages {
        /// Its number and its doublewords.
        Raw = "raw",
        /// And its fields by name, and which device it is about.
        Fields = "fields",
    }
}

choice! {
    /// What becomes of streams of an SMMUv2 that are in no domain: the parameter `disable_bypass`
    /// of arm-smmu.
    Smmu2Unattached {
        /// Addresses pass as they are.
        Bypass = "bypass",
        /// Every access faults.
        Fault = "fault",
    }
}

choice! {
    /// What a context fault of an SMMUv2 does to the transaction.
    Smmu2Faults {
        /// It waits until the interrupt handler ends it; so does all that comes to the bank after
        /// it.
        Stall = "stall",
        /// It ends.
        Terminate = "terminate",
    }
}

choice! {
    /// When a device behind an SMMUv2 has stream mapping entries, and which.
    Smmu2Entries {
        /// While it is in another domain than the kernel's own: one for each of its StreamIDs,
        /// which no mask widens, and which is compared with nobody else's. When entries run out,
        /// attaching fails.
        OfTheDomain = "of-the-domain",
        /// From when it is found: with the mask that firmware gives, shared with those of its group
        /// whose streams it has, and never with a part of another's. When entries run out, the
        /// device is not taken in.
        OfTheDevice = "of-the-device",
    }
}

choice! {
    /// Whether the driver of SMMUv2s has 16 bits of StreamID, where the SMMU has.
    Smmu2ExtendedIds {
        /// It does not know of them.
        Unused = "unused",
        /// They are switched on at the reset; which bits a mask can have is tried after that.
        Used = "used",
    }
}

choice! {
    /// Which level of privilege streams have behind an entry that translates.
    Smmu2Privilege {
        /// None: S2CR.PRIVCFG says "unprivileged".
        Unprivileged = "unprivileged",
        /// The one they came with.
        Incoming = "incoming",
    }
}

choice! {
    /// How many bits of an ASID a context bank of AArch64 compares.
    Smmu2Asids {
        /// Eight: TCR2.AS is clear, and the TTBRs are stored before the TCRs.
        EightBits = "eight-bits",
        /// Sixteen: TCR2.AS is set, and is stored before the TTBRs, whose upper half it opens.
        SixteenBits = "sixteen-bits",
    }
}

choice! {
    /// Which ASID and which VMID a context of an SMMUv2 has.
    Smmu2Tags {
        /// Both: the number of its bank is the ASID, one more the VMID. A context of stage 1 has
        /// the VMID where it has 16 bits.
        Both = "both",
        /// One number for both: that of the bank, and one more where the SMMU has stage 2 only.
        /// Where it has both stages, the VMID of a domain for nesting is the number of its bank, 0
        /// in the first.
        One = "one",
    }
}

choice! {
    /// How many bits of a VMID contexts of an SMMUv2 have, where the SMMU has 16.
    Smmu2Vmids {
        /// Eight, in CBAR, which such an SMMU does not look at.
        EightBits = "eight-bits",
        /// Sixteen, in CBA2R.
        SixteenBits = "sixteen-bits",
    }
}

choice! {
    /// How the driver of SMMUv2s loads registers of 64 bits.
    Smmu2WideLoads {
        /// By halves, the lower first.
        Halves = "halves",
        /// Whole, but where a workaround has it otherwise.
        Whole = "whole",
    }
}

choice! {
    /// What the driver of SMMUv2s says of a context fault.
    Smmu2Messages {
        /// The address, FSYNR0 and the bank.
        Address = "address",
        /// FSR as well.
        Status = "status",
        /// And CBFRSYNRA: whose transaction it was.
        Stream = "stream",
    }
}

choice! {
    /// How many context interrupts an SMMUv2 has, for its driver to take it.
    Smmu2Interrupts {
        /// As many as context banks.
        AsManyAsBanks = "as-many-as-banks",
        /// No fewer; what is beyond is left alone.
        AtLeastBanks = "at-least-banks",
    }
}

choice! {
    /// Whom the driver of SMMUv2s waits for after it has invalidated what one context bank has.
    Smmu2Sync {
        /// Everybody: sTLBGSYNC.
        Global = "global",
        /// The bank, with its own TLBSYNC; not where the whole VMID went.
        OfTheBank = "of-the-bank",
    }
}

choice! {
    /// Which form the context banks of an SMMUv1 have.
    Smmu1Contexts {
        /// That of AArch32: the driver does not know CBA2R there, and writes tables and controls of
        /// AArch64 all the same. At stage 2 both read them alike; at stage 1 nothing is reached.
        Aarch32 = "aarch32",
        /// That of AArch64 where the SMMU has any of it, as an MMU-401 does.
        ByFormat = "by-format",
    }
}

choice! {
    /// Which form the driver gives the contexts of an SMMUv2: what kernel it is built into.
    Smmu2Formats {
        /// A kernel of 64 bits: AArch64 where the SMMU has any of it.
        Aarch64 = "aarch64",
        /// One of 32 bits with large physical addresses: long descriptors of AArch32 where the SMMU
        /// has them.
        Aarch32Long = "aarch32-long",
        /// One of 32 bits without: short descriptors for stage 1 where the SMMU has them.
        Aarch32Short = "aarch32-short",
    }
}

choice! {
    /// What the driver makes of the registers that an MMU-500 has of its own.
    Smmu2Mmu500 {
        /// Nothing.
        Untouched = "untouched",
        /// The prefetcher of every context bank is off: errata 841119 and 826419.
        NoPrefetch = "no-prefetch",
    }
}

choice! {
    /// Which streams that bypass an MMU-500 may have TLB entries, by its ACR.
    Smmu2BypassEntries {
        /// As it comes: ACR is stored only to take off the lock, which is there from revision 2 on.
        AsReset = "as-reset",
        /// Those that match no entry.
        Unmatched = "unmatched",
        /// Those, and the ones that S2CR lets bypass. With the kernels of then, what an MMU-500
        /// needs comes behind the invalidations of the reset; before, it comes where each register
        /// is met.
        All = "all",
    }
}

choice! {
    /// How the driver reaches the registers of 64 bits of Marvell's AP806: erratum 582743.
    Smmu2Ap806 {
        /// As those of any other.
        Whole = "whole",
        /// By two accesses of 32 bits; contexts are those of AArch32, which need no others.
        Halves = "halves",
    }
}

choice! {
    /// Which ASIDs and VMIDs the driver gives contexts of Cavium's SMMUs: erratum 27704.
    Smmu2Cavium {
        /// The number of the bank, as for any other.
        OfTheBank = "of-the-bank",
        /// That, counted over all of Cavium's SMMUs, so that no two are alike.
        Apart = "apart",
    }
}

choice! {
    /// How the driver lets streams bypass an SMMU of Qualcomm whose firmware turns S2CR's "bypass"
    /// into "fault".
    Smmu2Qualcomm {
        /// By S2CR, as with any other.
        ByType = "by-type",
        /// Through a context bank kept for that, which is off, once a first S2CR showed it.
        ByBank = "by-bank",
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
