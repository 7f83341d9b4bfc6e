//! The values of each choice.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `core` | in what do VFIO's core, devices and processes differ? |
//! | `iommu` | in what do the IOMMU core and its drivers differ? |
//! | `irqs` | in what do the interrupt controllers' drivers differ? |
//! | `msi` | in what does the path of messages through an IOMMU differ? |
//! | `type1` | in what does the type1 backend differ? |
//!
//! Not here: which kernel has which value (`table`). A value has no effect by itself.

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident {
        $($(#[doc = $means:literal])+ $value:ident = $text:literal,)+
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name {
            $($(#[doc = $means])+ $value,)+
        }

        impl $crate::policy::Choice for $name {
            const VALUES: &'static [Self] = &[$(Self::$value),+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }

            fn means(self) -> &'static str {
                match self {
                    $(Self::$value => concat!($($means),+).trim_ascii(),)+
                }
            }
        }
    };
}

mod core;
mod iommu;
mod irqs;
mod msi;
mod type1;

pub use self::core::{
    BarAccess, DeviceErrorFd, DeviceName, EmptyHotReset, HotResetRefusal, InfoAlignment,
    LastDevice, NestingType, NotAContainer, ResourceMappings, ShortInfo, UserAddresses,
    VectorRange, VfioCoherence, ZeroPage,
};
pub use iommu::{
    BlockedState, ContextDescriptors, DefaultDomain, PciStreams, Smmu1Contexts, Smmu2Ap806,
    Smmu2Asids, Smmu2BypassEntries, Smmu2Cavium, Smmu2Entries, Smmu2ExtendedIds, Smmu2Faults,
    Smmu2Formats, Smmu2Interrupts, Smmu2Messages, Smmu2Mmu500, Smmu2Privilege, Smmu2Qualcomm,
    Smmu2Sync, Smmu2Tags, Smmu2Unattached, Smmu2Vmids, Smmu2WideLoads, Smmu3Asids, Smmu3Ats,
    Smmu3Forced, Smmu3LongRanges, Smmu3Messages, Smmu3Overflow, Smmu3Privilege, Smmu3Queues,
    Smmu3Ranges, Smmu3Regime, Smmu3Reset, Smmu3Stalls, Smmu3Substreams, Smmu3Sync, Smmu3Unattached,
    SmmuIntrRemap, Stage1Attributes, Stage2Roots, SteUpdate, UnmapSync, WalkAttributes,
};
pub use irqs::{
    AbsentCpu, AmazonFrames, GicV3Priority, IrqFreeing, ItsAliases, ItsCacheability, ItsEvents,
    ItsFlatCheck, ItsInvall, ItsLife, ItsPages, ItsQueueWait, ItsSharing, ItsTables, IttMemory,
    LpiAffinity, LpiBits, LpiInvalidation, LpiRanges, MsiActivation, MsiAffinity, MsiAlias,
    MsiDomains, MsiUnmask, MsixVectors, NoMsiDomain, V2mBlocks, WireService,
};
pub use msi::{
    DoorbellError, DoorbellUnwind, IovaAllocator, ItsDoorbellInfo, MissingDoorbellInfo, MsiFailure,
    MsiMapping, SecondWindow, WindowProvider,
};
pub use type1::{
    ApertureRollback, BeyondInput, DirtyTracking, DmaCoherency, DomainAllocError, EntryLimit,
    FindDma, InfoLayout, LockedMemory, MessageSafety, MsiInfo, RangeEnd, ReplayAperture,
    SuperpageTest, ThirdMapFlag, UnmapAll, UnmapWrap, V1UnmapOrder, ValidRanges, WrapErrno,
};
