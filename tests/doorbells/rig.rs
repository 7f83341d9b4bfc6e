//! One to three SMMUs with two devices each, an IOMMU core that drives them, and the devices'
//! accesses.

use passim::system::{Board, Outcome, Pace};
use passim_model::{
    Access, AddressMap, DeviceId, Frames, Iova, Memory, PageSize, Perms, PhysAddr, Refusal,
    Requester, Rid, Span, StreamId, Target,
};
use passim_smmu::SmmuV3;
use passim_smmu::v3::{IdRegisters, Implementation, Transaction};
use passim_vfio::Policy;
use passim_vfio::iommu::{
    DeviceFacts, DomainId, DomainKind, DriverFacts, Firmware, Invalidation, Iommu, Transition,
};
use passim_vfio::step::Step;

/// Devices behind each SMMU; each is a group of its own.
pub(crate) const DEVICES: u32 = 2;

/// Bytes of an SMMU's registers: pages 0 and 1.
const SMMU_BYTES: u64 = 0x2_0000;

/// The parameters of the rig.
#[derive(Clone, Debug)]
pub(crate) struct Spec {
    pub(crate) smmus: u32,
    pub(crate) page: PageSize,
    /// Whether the SMMUs have no stage 1.
    pub(crate) second_stage: bool,
    pub(crate) policy: Policy,
}

/// See the [module](self).
pub(crate) struct Rig {
    pub(crate) spec: Spec,
    pub(crate) board: Board,
    pub(crate) frames: Frames,
    pub(crate) iommu: Iommu,
}

impl Rig {
    /// Boots the rig.
    pub(crate) fn new(spec: Spec) -> Self {
        let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x4000_0000).expect("a bank");
        let (mut memory, mut map) = (Memory::new(), AddressMap::new());
        memory.add_bank(ram).expect("the only bank");
        map.place(ram, Target::Ram).expect("the only bank");
        // The recorded boards' SMMUs: both stages, or stage 2 only.
        let idr0 = if spec.second_stage { 0xd44_1019 } else { 0xd44_101b };
        let ids = IdRegisters {
            idr: [idr0, 0x273_0010, 0, 0x1414, 0, 0x74],
            iidr: 0,
            aidr: 1,
            mpamidr: 0,
        };
        let base = |index: u32| PhysAddr::new(0x905_0000 + u64::from(index) * SMMU_BYTES);
        for index in 0..spec.smmus {
            let registers = Span::from_size(base(index), SMMU_BYTES).expect("two pages");
            map.place(registers, Target::Smmu(index as u16)).expect("side by side");
        }
        let smmu = |_| SmmuV3::new(Implementation { ids, ..Implementation::default() }).into();
        let smmus = (0..spec.smmus).map(smmu).collect();
        let mut board = Board::bare(memory, map, smmus, Pace::Eager);
        let firmware = Firmware {
            drivers: (0..spec.smmus).map(|n| DriverFacts::SmmuV3 { base: base(n) }).collect(),
            devices: (0..spec.smmus * DEVICES)
                .map(|group| {
                    let driver = (group / DEVICES) as usize;
                    let streams = [StreamId::new(group)];
                    DeviceFacts::with_streams(Self::rid(group), streams, group, driver)
                })
                .collect(),
        };
        let mut frames = Frames::new(spec.page, [ram]);
        let iommu = Iommu::boot(&firmware, &spec.policy, spec.page, &mut frames, &mut board);
        Self { board, frames, iommu: iommu.expect("it boots"), spec }
    }

    /// The device of a group.
    pub(crate) fn rid(group: u32) -> Rid {
        Rid::new(group as u16)
    }

    /// Steps a transition to its end.
    pub(crate) fn finish(&mut self, mut transition: Transition) {
        let Self { iommu, frames, board, .. } = self;
        while !matches!(transition.step(iommu, frames, board), Step::Done(_)) {}
    }

    /// Steps an invalidation to its end.
    pub(crate) fn forget(&mut self, invalidation: Option<Invalidation>) {
        let Some(mut invalidation) = invalidation else { return };
        let Self { iommu, frames, board, .. } = self;
        while !matches!(invalidation.step(iommu, frames, board), Step::Done(_)) {}
    }

    /// Allocates a domain behind the SMMU of a group.
    pub(crate) fn alloc(&mut self, group: u32) -> DomainId {
        let Self { iommu, frames, board, .. } = self;
        let domain = iommu.alloc_domain(group, DomainKind::Paging, frames, board);
        domain.expect("there is memory for it")
    }

    /// Claims a group and attaches it.
    pub(crate) fn attach(&mut self, domain: DomainId, group: u32) -> Result<(), Refusal> {
        let Self { iommu, frames, board, .. } = self;
        let attached = iommu.attach(domain, group, frames, board)?;
        self.finish(attached);
        Ok(())
    }

    /// Detaches a group.
    pub(crate) fn detach(&mut self, group: u32) {
        let detached = self.iommu.detach_to_blocked(group);
        self.finish(detached);
    }

    /// Frees a domain.
    pub(crate) fn free(&mut self, domain: DomainId) {
        let freed = self.iommu.free_domain(domain);
        self.finish(freed);
    }

    /// Maps a doorbell for writing.
    pub(crate) fn get(&mut self, domain: DomainId, at: u64, size: u64) -> Result<u64, Refusal> {
        let Self { iommu, frames, board, .. } = self;
        let at = PhysAddr::new(at);
        let iova = iommu.get_doorbell(domain, at, size, Perms::WRITE, frames, board)?;
        Ok(iova.get())
    }

    /// Drops a reference to a doorbell.
    pub(crate) fn put(&mut self, domain: DomainId, at: u64) {
        let gone = self.iommu.put_doorbell(domain, PhysAddr::new(at), &mut self.board);
        self.forget(gone);
    }

    /// The address that a write of the device of `group` reaches, if its SMMU permits it.
    pub(crate) fn write(&mut self, group: u32, iova: u64) -> Option<u64> {
        let requester = Requester {
            stream: StreamId::new(group),
            substream: None,
            device: DeviceId::new(group),
        };
        let transaction = Transaction { requester, iova: Iova::new(iova), access: Access::WRITE };
        let (smmu, memory) = self.board.smmu_mut((group / DEVICES) as usize)?;
        match smmu.translate(memory, &transaction) {
            Outcome::Translated(translated) => Some(translated.pa.get()),
            Outcome::Terminated(_) | Outcome::Stalled(_) => None,
        }
    }
}
