//! A board with one SMMU of either kind, the IOMMU core with the driver for it, and one device in a
//! domain.

use passim::system::{Board, Outcome, Pace, Smmu, Stalled, Terminated};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{
    Access, AddressMap, DeviceId, Frames, Iova, Memory, PageSize, Perms, PhysAddr, Refusal,
    Requester, Rid, Span, StreamId, Target,
};
use passim_smmu::tlb::Retention;
use passim_smmu::v2::{self, Completion, ContextFaultKind, Description};
use passim_smmu::v3::{self, EventKind, IdRegisters, Transaction};
use passim_smmu::{SmmuV2, SmmuV3};
use passim_vfio::Profile;
use passim_vfio::iommu::{
    DeviceFacts, DomainId, DomainKind, DriverFacts, Firmware, Iommu, MapRequest, SmmuModel,
    SmmuV2Facts, SmmuVersion, Transition,
};
use passim_vfio::policy::{Policy, Smmu2Formats};
use passim_vfio::step::Step;

/// The SMMU and its table format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// An MMU-500: stage 1.
    Mmu500,
    /// The same without stage 1.
    Mmu500Stage2,
    /// An MMU-401: stage 2.
    Mmu401,
    /// An SMMUv1 with stage 1, which is no real product here: long descriptors of AArch32.
    First,
    /// An SMMUv2 with every feature: stage 1.
    Everything,
    /// The same without stage 1.
    EverythingStage2,
    /// An MMU-500 under a 32-bit kernel with large physical addresses: long descriptors of AArch32.
    Long,
    /// The same under one without: short descriptors.
    Short,
    /// The MMU-500 of an AP806, which has no accesses of 64 bits: long descriptors of AArch32.
    Ap806,
    /// The recorded boards' SMMUv3: stage 1.
    Both,
    /// The same without stage 1.
    Stage2,
}

impl Kind {
    /// Whether its input addresses have 32 bits.
    pub(crate) fn is_narrow(self) -> bool {
        matches!(self, Self::First | Self::Long | Self::Short | Self::Ap806)
    }

    /// Whether it takes input addresses of 48 bits, and gives output addresses of 44.
    pub(crate) fn is_wide(self) -> bool {
        matches!(self, Self::Mmu500 | Self::Everything | Self::Both)
    }

    /// Sets the kernel's choices that go with it, beside the profile.
    fn adjust(self, policy: &mut Policy) {
        match self {
            Self::Long => policy.smmu2_formats = Smmu2Formats::Aarch32Long,
            Self::Short => policy.smmu2_formats = Smmu2Formats::Aarch32Short,
            _ => {}
        }
    }
}

/// The result of an access. Two SMMUs answer alike where these are equal; a variant that only one
/// of them can return never equals the other's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// It succeeds at this address.
    At(u64),
    /// F_TRANSLATION, FSR.TF.
    Translation,
    /// F_PERMISSION, FSR.PF.
    Permission,
    /// F_ADDR_SIZE, FSR.ASF.
    AddressSize,
    /// F_ACCESS, FSR.AFF.
    AccessFlag,
    /// A context fault of a class that SMMUv3 does not have.
    OnlySecond(ContextFaultKind),
    /// An event of a class that SMMUv2 does not have.
    OnlyThird(EventKind),
    /// It fails without a context fault.
    UntoldBySecond,
    /// It fails without an event.
    UntoldByThird,
}

impl From<EventKind> for Answer {
    fn from(kind: EventKind) -> Self {
        match kind {
            EventKind::Translation => Self::Translation,
            EventKind::Permission => Self::Permission,
            EventKind::AddrSize => Self::AddressSize,
            EventKind::Access => Self::AccessFlag,
            other => Self::OnlyThird(other),
        }
    }
}

impl From<ContextFaultKind> for Answer {
    fn from(kind: ContextFaultKind) -> Self {
        match kind {
            ContextFaultKind::Translation => Self::Translation,
            ContextFaultKind::Permission => Self::Permission,
            ContextFaultKind::AddressSize => Self::AddressSize,
            ContextFaultKind::AccessFlag => Self::AccessFlag,
            other => Self::OnlySecond(other),
        }
    }
}

/// See the [module](self).
pub(crate) struct Rig {
    board: Board,
    frames: Frames,
    iommu: Iommu,
    domain: DomainId,
}

/// Where the SMMU's registers begin.
const BASE: PhysAddr = PhysAddr::new(0x1000_0000);
/// The device's StreamID and group.
const STREAM: u32 = 0x18;
const GROUP: u32 = 5;

fn hardware(kind: Kind) -> (Smmu, u64, DriverFacts) {
    let second = |description: Description, version, model| {
        let no_wide_accesses = model == SmmuModel::Ap806;
        // Caches keep everything that is not invalidated, and invalidations need their
        // synchronisation.
        let mut implementation = v2::Implementation::new(description);
        implementation.retention = Retention::Everything;
        implementation.choices.completion = Completion::WhenSynchronised;
        implementation.errata.no_wide_accesses = no_wide_accesses;
        let smmu = SmmuV2::new(implementation);
        let facts = SmmuV2Facts {
            base: BASE,
            version,
            model,
            stream_match_mask: 0,
            context_interrupts: description.banks.into(),
            secure_config_access: false,
            coherent: description.coherent,
        };
        let window = smmu.window();
        (Smmu::from(smmu), window, DriverFacts::SmmuV2(facts))
    };
    let third = |idr0| {
        let ids = IdRegisters {
            idr: [idr0, 0x273_0010, 0, 0x1414, 0, 0x74],
            iidr: 0,
            aidr: 1,
            mpamidr: 0,
        };
        let retention = Retention::Everything;
        let implementation = v3::Implementation { ids, retention, ..v3::Implementation::default() };
        let smmu = SmmuV3::new(implementation);
        (Smmu::from(smmu), 0x2_0000, DriverFacts::SmmuV3 { base: BASE })
    };
    match kind {
        Kind::Mmu500 | Kind::Long | Kind::Short => {
            second(Description::MMU_500, SmmuVersion::V2, SmmuModel::Mmu500)
        }
        Kind::Ap806 => second(Description::MMU_500, SmmuVersion::V2, SmmuModel::Ap806),
        Kind::Mmu500Stage2 => {
            let description = Description { stage1: false, nested: false, ..Description::MMU_500 };
            second(description, SmmuVersion::V2, SmmuModel::Mmu500)
        }
        Kind::Mmu401 => second(Description::MMU_401, SmmuVersion::V1With64K, SmmuModel::Generic),
        Kind::First => {
            let description = Description { stage1: true, stage2_banks: 0, ..Description::MMU_400 };
            second(description, SmmuVersion::V1, SmmuModel::Generic)
        }
        Kind::Everything => second(Description::EVERYTHING, SmmuVersion::V2, SmmuModel::Generic),
        Kind::EverythingStage2 => {
            let description = Description {
                stage1: false,
                nested: false,
                // As IAS: without stage 1 no address is wider.
                upstream_bits: 49,
                ..Description::EVERYTHING
            };
            second(description, SmmuVersion::V2, SmmuModel::Generic)
        }
        Kind::Both => third(0xd44_101b),
        Kind::Stage2 => third(0xd44_1019),
    }
}

impl Rig {
    /// Boots; the device is in an empty domain.
    pub(crate) fn new(kind: Kind, profile: Profile, page: PageSize, domain: DomainKind) -> Self {
        let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x4000_0000).expect("a bank");
        let (mut memory, mut map) = (Memory::new(), AddressMap::new());
        memory.add_bank(ram).expect("the only bank");
        map.place(ram, Target::Ram).expect("the only bank");
        let (smmu, window, facts) = hardware(kind);
        let registers = Span::from_size(BASE, window).expect("it ends below RAM");
        map.place(registers, Target::Smmu(0)).expect("it ends below RAM");
        let mut board = Board::bare(memory, map, vec![smmu], Pace::Eager);
        let rid = Rid::new(STREAM as u16);
        let device = DeviceFacts::with_streams(rid, [StreamId::new(STREAM)], GROUP, 0);
        let firmware = Firmware { drivers: vec![facts], devices: vec![device] };
        let mut frames = Frames::new(page, [ram]);
        let mut policy = profile.policy();
        kind.adjust(&mut policy);
        let iommu = Iommu::boot(&firmware, &policy, page, &mut frames, &mut board);
        let mut iommu = iommu.expect("it boots");
        let domain = iommu.alloc_domain(GROUP, domain, &mut frames, &mut board);
        let domain = domain.expect("there is memory for it");
        let mut rig = Self { board, frames, iommu, domain };
        rig.come_back();
        rig
    }

    fn finish(&mut self, mut transition: Transition) {
        let Self { board, frames, iommu, .. } = self;
        while !matches!(transition.step(iommu, frames, board), Step::Done(_)) {}
    }

    /// Attaches the device to the domain.
    pub(crate) fn come_back(&mut self) {
        let Self { board, frames, iommu, domain } = self;
        let attached = iommu.attach(*domain, GROUP, frames, board).expect("it is at rest");
        self.finish(attached);
    }

    /// Detaches the device from the domain.
    pub(crate) fn leave(&mut self) {
        let detached = self.iommu.detach_to_blocked(GROUP);
        self.finish(detached);
    }

    fn forget(&mut self, gather: Gather) {
        let mut invalidation = self.iommu.sync(self.domain, gather);
        let Self { board, frames, iommu, .. } = self;
        while !matches!(invalidation.step(iommu, frames, board), Step::Done(_)) {}
    }

    /// Maps a range.
    pub(crate) fn map(
        &mut self,
        iova: u64,
        output: u64,
        size: u64,
        read: bool,
        write: bool,
    ) -> Result<(), Refusal> {
        let perms = [(read, Perms::READ), (write, Perms::WRITE)];
        let perms =
            perms.into_iter().filter(|(on, _)| *on).fold(Perms::empty(), |all, (_, it)| all | it);
        let request = MapRequest {
            iova: Iova::new(iova),
            output: PhysAddr::new(output),
            size,
            perms,
            memory_type: MemoryType::Normal,
        };
        let mut gather = Gather::new();
        let Self { board, frames, iommu, domain } = self;
        let answer = iommu.map(*domain, &request, &mut gather, frames, board);
        self.forget(gather);
        answer
    }

    /// Unmaps a range; returns how many bytes were mapped.
    pub(crate) fn unmap(&mut self, iova: u64, size: u64) -> u64 {
        let mut gather = Gather::new();
        let Self { board, iommu, domain, .. } = self;
        let unmapped = iommu.unmap(*domain, Iova::new(iova), size, &mut gather, board);
        self.forget(gather);
        unmapped
    }

    /// The device accesses an address. The kernel's interrupt routine ends a fault that stalls.
    pub(crate) fn access(&mut self, iova: u64, access: Access) -> Answer {
        let requester = Requester {
            stream: StreamId::new(STREAM),
            substream: None,
            device: DeviceId::new(STREAM),
        };
        let transaction = Transaction { requester, iova: Iova::new(iova), access };
        let (smmu, memory) = self.board.smmu_mut(0).expect("the only one");
        let outcome = smmu.translate(memory, &transaction);
        let answer = match outcome {
            Outcome::Translated(translated) => Answer::At(translated.pa.get()),
            Outcome::Terminated(Terminated::V3(v3::Terminated {
                cause: v3::Cause::Event(event, _),
                ..
            })) => event.kind.into(),
            Outcome::Terminated(Terminated::V2(v2::Terminated {
                cause: v2::Cause::Context(fault, _),
                ..
            }))
            | Outcome::Stalled(Stalled::V2(v2::Stalled {
                waits_for: v2::WaitsFor::Resume(fault),
                ..
            })) => fault.kind.into(),
            Outcome::Terminated(Terminated::V2(_)) | Outcome::Stalled(Stalled::V2(_)) => {
                Answer::UntoldBySecond
            }
            Outcome::Terminated(Terminated::V3(_)) | Outcome::Stalled(Stalled::V3(_)) => {
                Answer::UntoldByThird
            }
        };
        self.iommu.fault_interrupt(0, &mut self.board);
        let _ = self.iommu.event_interrupt(0, &mut self.board);
        answer
    }
}
