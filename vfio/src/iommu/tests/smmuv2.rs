//! The stores of the SMMUv2 driver, against the values that arm-smmu writes, spelled as numbers.

use crate::iommu::{
    BootError, DeviceFacts, DomainId, DomainKind, DriverFacts, Finding, Firmware, Iommu,
    MapRequest, SmmuModel, SmmuV2Facts, SmmuVersion, Transition, rules,
};
use crate::policy::Profile;
use crate::step::{Queue, Step};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{
    Abort, Errno, Frames, Host, Iova, Memory, PageSize, Perms, PhysAddr, Refusal, Rid, Span,
    StreamId, Width,
};
use proptest::prelude::{any, proptest};
use std::collections::BTreeMap;

const BASE: u64 = 0xe000_0000;
const WINDOW: u64 = 0x20_0000;
const RAM: u64 = 0x4000_0000;

/// ID0 of an SMMUv2 with both stages, matching, 15 bits of StreamID and four registers for them.
const ID0: u64 = 0x6800_1e04;
/// ID1: three context banks, one of them with stage 2 only; 16 register pages of 4K.
const ID1: u64 = 0x3001_0003;
/// ID2: 40 bits of intermediate, 44 of output and 49 of input address; AArch64 tables of 4K.
const ID2: u64 = 0x1542;

/// Registers that hold the value stored, except identification registers, and RAM.
struct Board {
    memory: Memory,
    registers: BTreeMap<u64, u64>,
    /// The stores so far, in order.
    log: Vec<(u64, u64)>,
}

impl Board {
    fn new(ids: [u64; 3]) -> Self {
        let mut memory = Memory::new();
        memory.add_bank(Span::from_size(PhysAddr::new(RAM), 0x100_0000).unwrap()).unwrap();
        let registers = [(0x20, ids[0]), (0x24, ids[1]), (0x28, ids[2]), (0x3c, 0x20)];
        Self { memory, registers: registers.into(), log: Vec::new() }
    }

    fn at(&self, offset: u64) -> u64 {
        self.registers.get(&offset).copied().unwrap_or(0)
    }

    /// A register of a context bank: banks follow 16 pages.
    fn bank(&self, bank: u64, offset: u64) -> u64 {
        self.at((16 + bank) * 0x1000 + offset)
    }
}

impl Host for Board {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn load(&mut self, at: PhysAddr, _width: Width) -> Result<u64, Abort> {
        let offset = at.get().checked_sub(BASE).filter(|offset| *offset < WINDOW);
        Ok(self.at(offset.ok_or(Abort(at))?))
    }

    fn store(&mut self, at: PhysAddr, _width: Width, value: u64) -> Result<(), Abort> {
        let offset = at.get().checked_sub(BASE).filter(|offset| *offset < WINDOW);
        let offset = offset.ok_or(Abort(at))?;
        self.log.push((offset, value));
        // Writing ones clears fault status.
        let status = offset == 0x48 || offset >= 0x1_0000 && offset & 0xfff == 0x58;
        match offset {
            0x20..0x40 => {}
            _ if status => *self.registers.entry(offset).or_default() &= !value,
            _ => _ = self.registers.insert(offset, value),
        }
        Ok(())
    }

    fn relax(&mut self) {}
}

struct Machine {
    board: Board,
    frames: Frames,
    iommu: Iommu,
}

fn facts() -> SmmuV2Facts {
    SmmuV2Facts {
        base: PhysAddr::new(BASE),
        version: SmmuVersion::V2,
        secure_config_access: false,
        coherent: true,
        model: SmmuModel::Generic,
        stream_match_mask: 0,
        context_interrupts: 3,
    }
}

fn device(group: u32, rid: u16, streams: &[u32]) -> DeviceFacts {
    let streams = streams.iter().copied().map(StreamId::new);
    DeviceFacts::with_streams(Rid::new(rid), streams, group, 0)
}

fn boot_with(
    profile: Profile,
    facts: SmmuV2Facts,
    ids: [u64; 3],
    devices: Vec<DeviceFacts>,
) -> Result<Machine, BootError> {
    let mut board = Board::new(ids);
    let ram = Span::from_size(PhysAddr::new(RAM), 0x100_0000).unwrap();
    let mut frames = Frames::new(PageSize::K4, [ram]);
    let firmware = Firmware { drivers: vec![DriverFacts::SmmuV2(facts)], devices };
    let policy = profile.policy();
    let iommu = Iommu::boot(&firmware, &policy, PageSize::K4, &mut frames, &mut board)?;
    Ok(Machine { board, frames, iommu })
}

fn boot(profile: Profile, ids: [u64; 3]) -> Machine {
    boot_with(profile, facts(), ids, vec![device(1, 8, &[8])]).unwrap()
}

impl Machine {
    fn alloc(&mut self, kind: DomainKind) -> DomainId {
        let Self { board, frames, iommu } = self;
        iommu.alloc_domain(1, kind, frames, board).unwrap()
    }

    fn attach(&mut self, domain: DomainId) -> Result<(), Refusal> {
        let Self { board, frames, iommu } = self;
        let attached = iommu.attach(domain, 1, frames, board)?;
        self.finish(attached);
        Ok(())
    }

    fn finish(&mut self, mut transition: Transition) {
        let Self { board, frames, iommu } = self;
        assert!(matches!(transition.step(iommu, frames, board), Step::Done(_)));
    }

    fn map(&mut self, domain: DomainId, iova: u64) -> Result<(), Refusal> {
        let request = MapRequest {
            iova: Iova::new(iova),
            output: PhysAddr::new(RAM),
            size: 0x1000,
            perms: Perms::READ,
            memory_type: MemoryType::Normal,
        };
        let Self { board, frames, iommu } = self;
        iommu.map(domain, &request, &mut Gather::new(), frames, board)
    }
}

#[test]
fn reset_lets_unknown_streams_pass_or_fault() {
    for (profile, cr0, s2cr) in
        [(Profile::Linux4_6, 0x1836, 1 << 16), (Profile::Linux6_12, 0x1c36, 2 << 16)]
    {
        let board = boot_with(profile, facts(), [ID0, ID1, ID2], Vec::new()).unwrap().board;
        assert_eq!(board.at(0), cr0, "{profile:?}");
        // Masks are probed with the first register: before the reset, by later kernels after it.
        let tried = if profile == Profile::Linux4_6 { 0 } else { 0x7fff_0000 };
        assert_eq!((board.at(0x800), board.at(0xc00)), (tried, s2cr));
        for entry in 1..4 {
            assert_eq!((board.at(0x800 + 4 * entry), board.at(0xc00 + 4 * entry)), (0, s2cr));
        }
        // Everything is invalidated and synchronised before CR0 is written.
        let offsets: Vec<_> = board.log.iter().map(|(offset, _)| *offset).collect();
        let reset = [0x6c, 0x68, 0x70, 0x0];
        match profile {
            Profile::Linux4_6 => assert!(offsets.ends_with(&reset), "{offsets:x?}"),
            _ => assert!(offsets.ends_with(&[&reset[..], &[0x800; 2]].concat()), "{offsets:x?}"),
        }
    }
}

/// ACR.CACHE_LOCK is bit 26; ACTLR.CPRE bit 1.
#[test]
fn the_prefetcher_of_an_mmu_500_is_turned_off() {
    // In the order in which kernels began to set the bits of ACR; before 5.4 ahead of the
    // invalidations.
    let (before, after) = (true, false);
    for (profile, acr, first) in [
        (Profile::Linux4_6, 1 << 26, None),
        (Profile::MsiV14, 0, Some(before)),
        (Profile::Linux4_11, 0x100, Some(before)),
        (Profile::Linux6_12, 0x500, Some(after)),
    ] {
        let board = board_of_mmu500(profile, 2);
        let at = |offset| board.log.iter().position(|(stored, _)| *stored == offset);
        assert_eq!(board.at(0x10), acr, "{profile:?}");
        assert_eq!(board.bank(1, 4), if first.is_some() { 1 } else { 3 }, "{profile:?}");
        let orders = [0x10, 0x1_1004].map(|offset| at(offset).map(|at_it| Some(at_it) < at(0x6c)));
        assert_eq!(orders, [first; 2], "{profile:?}");
    }
    // Revision 1 has no lock.
    assert_eq!(board_of_mmu500(Profile::MsiV14, 1).log.iter().filter(|it| it.0 == 0x10).count(), 0);
    assert_eq!(board_of_mmu500(Profile::Linux4_11, 1).at(0x10), 1 << 26 | 0x100);
}

/// Resets an MMU-500 of this major revision, locked and with the prefetcher of bank 1 on.
fn board_of_mmu500(profile: Profile, major: u64) -> Board {
    let mut board = Board::new([ID0, ID1, ID2]);
    board.registers.extend([(0x10, 1 << 26), (0x1_1004, 3), (0x3c, major << 4)]);
    let ram = Span::from_size(PhysAddr::new(RAM), 0x100_0000).unwrap();
    let mut frames = Frames::new(PageSize::K4, [ram]);
    let smmu = SmmuV2Facts { model: SmmuModel::Mmu500, ..facts() };
    let firmware = Firmware { drivers: vec![DriverFacts::SmmuV2(smmu)], devices: Vec::new() };
    let policy = profile.policy();
    Iommu::boot(&firmware, &policy, PageSize::K4, &mut frames, &mut board).unwrap();
    board
}

#[test]
fn a_bank_of_stage_1() {
    for (profile, sctlr) in [(Profile::Linux4_6, 0x10e7), (Profile::Linux4_11, 0x1067)] {
        let mut machine = boot(profile, [ID0, ID1, ID2]);
        let domain = machine.alloc(DomainKind::Paging);
        machine.attach(domain).unwrap();
        // 4.11's own domain uses the first bank with stage 1, number 1.
        let bank = if profile == Profile::Linux4_6 { 1 } else { 2 };
        let board = &machine.board;
        let [cbar, cba2r] = [0x1000, 0x1800].map(|space| board.at(space + 4 * bank));
        assert_eq!((cbar, cba2r), (0x1_f300, 1), "{profile:?}");
        // TCR2.AS is bit 4: from 4.12 on.
        assert_eq!((board.bank(bank, 0x10), board.bank(bank, 0x30)), (0x3_8002, 0x80_3510));
        let (ttbr0, ttbr1) = (board.bank(bank, 0x20), board.bank(bank, 0x28));
        assert_eq!((ttbr0 >> 48, ttbr1), (bank, bank << 48));
        assert!(ttbr0 & 0xfff == 0 && ttbr0 & 0xffff_ffff_ffff >= RAM);
        // The fourth attribute dates from 5.3.
        assert_eq!((board.bank(bank, 0x38), board.bank(bank, 0x3c)), (0x0004_ff44, 0));
        assert_eq!(board.bank(bank, 0), sctlr, "{profile:?}");
        // The stream uses that bank: SMR valid, S2CR translates, up to 4.10 unprivileged.
        let privilege = if profile == Profile::Linux4_6 { 2 << 24 } else { 0 };
        assert_eq!((board.at(0x800), board.at(0xc00)), (0x8000_0008, privilege | bank));
        let last = Iova::new(0xffff_ffff_ffff);
        assert_eq!(machine.iommu.aperture(domain).last(), last);
    }
}

#[test]
fn a_bank_of_stage_2() {
    // Without S1TS, in the last case as SMMUv1: output 40 bits, 4.6 writes no CBA2R. Walks are not
    // coherent: later kernels make them non-cacheable and outer shareable.
    let cases = [
        (SmmuVersion::V2, 0x1542, Profile::Linux6_12, 1, 0x8004_2058, 2),
        // Two tables of level 1 are not needed for 40 bits of input where the output has 44.
        (SmmuVersion::V2, 0x1542, Profile::Linux7_2, 1, 0x8004_2098, 2),
        (SmmuVersion::V1With64K, 0x22, Profile::Linux6_12, 1, 0x8002_2058, 2),
        (SmmuVersion::V1With64K, 0x22, Profile::Linux4_6, 0, 0x8002_3558, 1),
    ];
    for (version, id2, profile, cba2r, tcr, vmid) in cases {
        let facts = SmmuV2Facts { version, coherent: false, ..facts() };
        let ids = [ID0 & !(1 << 30), ID1, id2];
        let mut machine = boot_with(profile, facts, ids, vec![device(1, 8, &[8])]).unwrap();
        let domain = machine.alloc(DomainKind::Paging);
        machine.attach(domain).unwrap();
        let (board, bank) = (&machine.board, vmid - 1);
        assert_eq!(board.at(0x1000 + 4 * bank) & 0xff_ffff, vmid, "{profile:?}");
        assert_eq!(board.at(0x1800 + 4 * bank), cba2r, "{profile:?}");
        assert_eq!(board.bank(bank, 0x30), tcr, "{profile:?}");
        assert!(board.bank(bank, 0x20) >= RAM && machine.iommu.uses_stage2(domain));
        let sctlr = if profile == Profile::Linux4_6 { 0xe7 } else { 0x67 };
        assert_eq!(board.bank(bank, 0), sctlr, "{profile:?}");
        assert_eq!(machine.iommu.aperture(domain).last(), Iova::new(0xff_ffff_ffff));
    }
}

/// 4.6 arm-smmu.c supports stage 1 with AArch64 only, and writes it into an SMMUv1, which reads
/// TTBCR with EAE clear as one for short descriptors. From 4.7 on the tables are long descriptors.
#[test]
fn stage_1_of_an_smmuv1() {
    for (profile, tcr) in [(Profile::Linux4_6, 0x80_3518), (Profile::Linux6_12, 0x8080_3520)] {
        let version = SmmuVersion::V1;
        let facts = SmmuV2Facts { version, ..facts() };
        let ids = [ID0, ID1, 0x22];
        let mut machine = boot_with(profile, facts, ids, vec![device(1, 8, &[8])]).unwrap();
        let domain = machine.alloc(DomainKind::Paging);
        machine.attach(domain).unwrap();
        let bank = machine.board.at(0xc00) & 0xff;
        assert_eq!(machine.board.bank(bank, 0x30), tcr, "{profile:?}");
        let last = if profile == Profile::Linux4_6 { 0xff_ffff_ffff } else { 0xffff_ffff };
        assert_eq!(machine.iommu.aperture(domain).last(), Iova::new(last));
        // TLBIVAL takes 32 bits there, whatever the table format.
        machine.map(domain, 0x1000).unwrap();
        machine.board.log.clear();
        let mut gather = Gather::default();
        let Machine { board, frames, iommu } = &mut machine;
        iommu.unmap(domain, Iova::new(0x1000), 0x1000, &mut gather, board);
        let mut sync = iommu.sync(domain, gather);
        assert!(matches!(sync.step(iommu, frames, board), Step::Done(_)));
        let page = (16 + bank) * 0x1000;
        assert!(
            board.log.contains(&(page + 0x620, 0x1000 | bank)),
            "{profile:?}: {:x?}",
            board.log
        );
    }
}

#[test]
fn banks_and_tables_come_with_the_first_device() {
    let mut machine = boot(Profile::Linux4_11, [ID0, ID1, ID2]);
    let first = machine.alloc(DomainKind::Paging);
    let refused = machine.map(first, 0x1000).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::ENODEV, &rules::MAP_UNATTACHED));
    machine.attach(first).unwrap();
    machine.map(first, 0x1000).unwrap();
    // The group's own domain and this one use the two banks with stage 1.
    let detached = machine.iommu.detach_to_blocked(1);
    machine.finish(detached);
    let second = machine.alloc(DomainKind::Paging);
    let refused = machine.attach(second).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::ENOSPC, &rules::DOMAIN_NO_BANK));
    // The bank with stage 2 is free for a domain for nesting.
    let nested = machine.alloc(DomainKind::Nested);
    machine.attach(nested).unwrap();
    assert_eq!(machine.board.at(0xc00), 0);
    let detached = machine.iommu.detach_to_blocked(1);
    machine.finish(detached);
    let freed = machine.iommu.free_domain(first);
    machine.finish(freed);
    assert_eq!(machine.board.bank(2, 0), 0, "a bank that is free is off");
    machine.attach(second).unwrap();
    assert_eq!(machine.board.at(0xc00), 2);
}

/// CBAR.VMID of a domain for nesting, on an SMMU with both stages: bank 0, whose VMID is 0 from
/// 4.12 on.
#[test]
fn a_domain_for_nesting_has_stage_2() {
    for (profile, vmid) in
        [(Profile::Linux4_11, 1), (Profile::Linux6_1, 0), (Profile::Linux6_12, 0)]
    {
        let mut machine = boot(profile, [ID0, ID1, ID2]);
        let domain = machine.alloc(DomainKind::Nested);
        machine.attach(domain).unwrap();
        assert_eq!((machine.board.at(0xc00), machine.board.at(0x1000)), (0, vmid), "{profile:?}");
    }
}

#[test]
fn boards_that_cannot_be_driven() {
    let one = || vec![device(1, 8, &[8])];
    let error = |facts, ids, devices| {
        boot_with(Profile::Linux6_12, facts, ids, devices).err().expect("it does not boot")
    };
    let plain = [ID0, ID1, ID2];
    let stream = StreamId::new;
    assert_eq!(error(facts(), [ID0 & !(3 << 29), ID1, ID2], one()), BootError::NoTranslation);
    assert_eq!(error(facts(), [ID0 & !0xff, ID1, ID2], one()), BootError::NoStreamEntries);
    assert_eq!(error(facts(), [ID0, ID1 | 0xff << 16, ID2], one()), BootError::NoContextBanks);
    let few = SmmuV2Facts { context_interrupts: 2, ..facts() };
    let interrupts = BootError::TooFewContextInterrupts { interrupts: 2, banks: 3 };
    assert_eq!(error(few, plain, one()), interrupts);
    // An SMMUv1 takes any number of interrupts but none.
    let version = SmmuVersion::V1With64K;
    let none = SmmuV2Facts { context_interrupts: 0, version, ..facts() };
    let interrupts = BootError::TooFewContextInterrupts { interrupts: 0, banks: 3 };
    assert_eq!(error(none, plain, one()), interrupts);
    // Up to 4.15 an SMMUv2 may not have more than it has banks.
    let many = SmmuV2Facts { context_interrupts: 4, ..facts() };
    assert!(boot_with(Profile::Linux6_12, many, plain, one()).is_ok());
    let interrupts = BootError::TooManyContextInterrupts { interrupts: 4, banks: 3 };
    assert_eq!(boot_with(Profile::Linux4_11, many, plain, one()).err(), Some(interrupts));
    // An error of a device concerns that device alone.
    let left_out = |facts, ids, devices| {
        let machine = boot_with(Profile::Linux6_12, facts, ids, devices).expect("it boots");
        let left_out: Vec<_> = machine.iommu.left_out().collect();
        assert_eq!(left_out.len(), 1);
        assert_eq!(machine.iommu.group_of(left_out[0].0), None);
        left_out[0].1
    };
    let masked = SmmuV2Facts { stream_match_mask: 0x8000, ..facts() };
    assert_eq!(left_out(masked, plain, one()), BootError::StreamMask(0x8000));
    let wide = vec![device(1, 8, &[0x8000])];
    assert_eq!(left_out(facts(), plain, wide), BootError::StreamOutOfRange(stream(0x8000)));
    let many = vec![device(1, 8, &[1, 2, 3, 4, 5])];
    assert_eq!(left_out(facts(), plain, many), BootError::NoStreamEntry(stream(5)));
    let shared = vec![device(1, 8, &[8]), device(2, 9, &[8])];
    assert_eq!(left_out(facts(), plain, shared), BootError::StreamTaken(stream(8)));
    let groups = vec![device(1, 8, &[8]), device(2, 9, &[9]), device(3, 10, &[10])];
    assert_eq!(left_out(facts(), plain, groups), BootError::NoBank(3));
    // A domain for nesting that no tables fit is refused on allocation: 48 bits of input and 40 of
    // output, for which 7.2 does not concatenate tables.
    let narrow = boot_with(Profile::Linux7_2, facts(), [ID0, ID1, 0x1525], one()).unwrap();
    let Machine { mut board, mut frames, mut iommu } = narrow;
    let refused = iommu.alloc_domain(1, DomainKind::Nested, &mut frames, &mut board).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::ENOMEM, &rules::DOMAIN_NO_SHAPE));
    // Devices of one group may share an entry.
    let shared = vec![device(1, 8, &[8]), device(1, 9, &[9, 8])];
    assert!(boot_with(Profile::Linux6_12, facts(), plain, shared).is_ok());
}

#[test]
fn an_unmap_waits_for_the_synchronisation() {
    // TLBGSYNC and TLBGSTATUS; TLBSYNC and TLBSTATUS of bank 2, as the kernel's own domain has the
    // first.
    let cases = [(Profile::Linux4_6, 1, 0x70, 0x74), (Profile::Linux6_12, 2, 0x1_27f0, 0x1_27f4)];
    for (profile, bank, sync, status) in cases {
        let mut machine = boot(profile, [ID0, ID1, ID2]);
        let domain = machine.alloc(DomainKind::Paging);
        machine.attach(domain).unwrap();
        machine.map(domain, 0x1000).unwrap();
        let Machine { board, frames, iommu } = &mut machine;
        board.log.clear();
        let mut gather = Gather::new();
        assert_eq!(iommu.unmap(domain, Iova::new(0x1000), 0x1000, &mut gather, board), 0x1000);
        let mut invalidation = iommu.sync(domain, gather);
        board.registers.insert(status, 1);
        for _ in 0..3 {
            let step = invalidation.step(iommu, frames, board);
            assert!(matches!(step, Step::Waiting(Queue::SmmuInvalidations(0))), "{step:?}");
        }
        board.registers.insert(status, 0);
        assert!(matches!(invalidation.step(iommu, frames, board), Step::Done(_)));
        let page = (16 + bank) * 0x1000;
        let expected = [(page + 0x620, bank << 48 | 1), (sync, 0xffff_ffff)];
        assert_eq!(board.log, expected, "{profile:?}");
    }
}

/// Offsets in a bank: TTBR0 0x20, TTBR1 0x28, TCR 0x30, TCR2 0x10, MAIR0 0x38, MAIR1 0x3c, SCTLR 0.
#[test]
fn what_is_stored_first() {
    let own = [
        (Profile::Linux4_6, 1, [0x20, 0x28, 0x30, 0x10, 0x38, 0x3c, 0], [0x800, 0xc00].as_slice()),
        (Profile::Linux6_12, 2, [0x10, 0x30, 0x20, 0x28, 0x38, 0x3c, 0], &[0xc00]),
    ];
    for (profile, bank, order, entries) in own {
        let mut machine = boot(profile, [ID0, ID1, ID2]);
        let domain = machine.alloc(DomainKind::Paging);
        machine.board.log.clear();
        machine.attach(domain).unwrap();
        let stored = machine.board.log.iter().map(|(offset, _)| *offset);
        let page = (16 + bank) * 0x1000;
        // CBA2R, CBAR, the bank, then the stream.
        let expected = [0x1800 + 4 * bank, 0x1000 + 4 * bank]
            .into_iter()
            .chain(order.map(|offset| page + offset))
            .chain(entries.iter().copied());
        assert_eq!(stored.collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{profile:?}");
    }
}

/// Up to 4.8 a device has entries while it is in a domain.
#[test]
fn entries_come_and_go_with_a_domain() {
    let devices = vec![device(1, 8, &[1, 2, 3, 4, 5])];
    let facts = SmmuV2Facts { stream_match_mask: 0x8000, ..facts() };
    let mut machine = boot_with(Profile::Linux4_6, facts, [ID0, ID1, ID2], devices).unwrap();
    let domain = machine.alloc(DomainKind::Paging);
    let refused = machine.attach(domain).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::ENOSPC, &rules::DOMAIN_NO_ENTRY));
    let devices = vec![device(1, 8, &[8])];
    let mut machine = boot_with(Profile::Linux4_6, facts, [ID0, ID1, ID2], devices).unwrap();
    assert_eq!((machine.board.at(0x800), machine.board.at(0xc00)), (0, 1 << 16));
    let domain = machine.alloc(DomainKind::Paging);
    machine.attach(domain).unwrap();
    // Firmware's mask is not used.
    assert_eq!(machine.board.at(0x800), 1 << 31 | 8);
    let detached = machine.iommu.detach_to_blocked(1);
    machine.finish(detached);
    assert_eq!((machine.board.at(0x800), machine.board.at(0xc00)), (0x7fff_ffff, 1 << 16));
}

/// With 16 bits of StreamID masks have 16 bits too, once CR0 enables them.
#[test]
fn masks_of_extended_ids_are_tried_after_the_reset() {
    let ids = [ID0 | 1 << 8, ID1, ID2];
    let facts = SmmuV2Facts { stream_match_mask: 0x8000, ..facts() };
    let devices = || vec![device(1, 8, &[0x4008])];
    let machine = boot_with(Profile::Linux4_11, facts, ids, devices()).unwrap();
    let log = &machine.board.log;
    let at = |wanted: (u64, u64)| log.iter().position(|stored| *stored == wanted).unwrap();
    let enabled = log.iter().position(|(offset, value)| *offset == 0 && value & 8 != 0).unwrap();
    assert!(enabled < at((0x800, 0xffff)) && at((0x800, 0xffff)) < at((0x800, 0xffff_0000)));
    assert_eq!(machine.board.at(0x800), 0x8000_4008);
    // Before 4.11 no kernel enables them.
    let machine = boot_with(Profile::Linux4_6, facts, ids, devices()).unwrap();
    assert_eq!(machine.board.at(0) & 8, 0);
}

/// Up to 4.8 a function's StreamID is its requester ID, or its last alias's; a device
/// without one keeps the StreamIDs that firmware names.
#[test]
fn old_drivers_do_not_read_the_map() {
    let devices = || {
        let behind_a_bridge =
            DeviceFacts { requester: Some(Rid::new(0x200)), ..device(2, 0x210, &[0x4b0, 0x4a0]) };
        let of_the_board =
            DeviceFacts { endpoint: passim_model::Endpoint::Platform(0), ..device(3, 0, &[0x444]) };
        let own = DeviceFacts { requester: Some(Rid::new(0x100)), ..device(1, 0x100, &[0x480]) };
        vec![own, behind_a_bridge, of_the_board]
    };
    let entries = |profile: Profile, set: &str| {
        let mut board = Board::new([ID0, ID1, ID2]);
        let mut policy = profile.policy();
        policy.set("smmu2-entries", "of-the-device").unwrap();
        policy.set("default-domain", "bypass").unwrap();
        policy.set("pci-streams", set).unwrap();
        let ram = Span::from_size(PhysAddr::new(RAM), 0x100_0000).unwrap();
        let mut frames = Frames::new(PageSize::K4, [ram]);
        let firmware = Firmware { drivers: vec![DriverFacts::SmmuV2(facts())], devices: devices() };
        Iommu::boot(&firmware, &policy, PageSize::K4, &mut frames, &mut board).unwrap();
        [0, 1, 2, 3].map(|entry| board.at(0x800 + 4 * entry))
    };
    let old = entries(Profile::Linux4_6, "requester-id");
    assert_eq!(old, [0x8000_0100, 0x8000_0200, 0x8000_0444, 0]);
    let new = entries(Profile::Linux4_6, "iommu-map");
    assert_eq!(new, [0x8000_0480, 0x8000_04b0, 0x8000_04a0, 0x8000_0444]);
}

/// arm_smmu_iova_to_phys_hard: PAR has 40 bits of address, a fault returns no address, and after a
/// timeout the tables are read.
#[test]
fn the_smmu_is_asked_where_addresses_lead() {
    for profile in [Profile::Linux4_6, Profile::Linux6_12] {
        let mut machine = boot(profile, [ID0, ID1, ID2]);
        let domain = machine.alloc(DomainKind::Paging);
        machine.attach(domain).unwrap();
        machine.map(domain, 0x1000).unwrap();
        let page = (16 + (machine.board.at(0xc00) & 0xff)) * 0x1000;
        let asked = |machine: &mut Machine, par: u64, active: u64| {
            let Machine { board, iommu, .. } = machine;
            let halves = [(0x50, par), (0x54, par >> 32), (0x8f0, active)];
            board.registers.extend(halves.map(|(offset, value)| (page + offset, value)));
            board.log.clear();
            let run = iommu.iova_to_phys(domain, Iova::new(0x1008), 8, board);
            assert_eq!(board.log, [(page + 0x800, 0x1000)], "{profile:?}");
            run.map(|(at, length)| (at.get(), length))
        };
        let par = 0xff00_0112_3456_7980;
        assert_eq!(asked(&mut machine, par, 0), Some((0x12_3456_7008, 8)), "{profile:?}");
        assert_eq!(asked(&mut machine, par, 1), Some((RAM + 8, 8)), "{profile:?}");
        assert_eq!(asked(&mut machine, 0x3, 0), None, "{profile:?}");
        let bank = (page / 0x1000 - 16) as u8;
        assert_eq!(machine.iommu.take_findings(0), [Finding::OperationFault { bank, par: 3 }]);
    }
    // Stage 2 is looked up in the tables, and so is stage 1 without translation operations
    // (ID0.ATOSNS).
    for (id0, kind) in [(ID0, DomainKind::Nested), (ID0 | 1 << 26, DomainKind::Paging)] {
        let mut machine = boot(Profile::Linux6_12, [id0, ID1, ID2]);
        let domain = machine.alloc(kind);
        machine.attach(domain).unwrap();
        machine.map(domain, 0x1000).unwrap();
        machine.board.log.clear();
        let Machine { board, iommu, .. } = &mut machine;
        let run = iommu.iova_to_phys(domain, Iova::new(0x1008), 8, board);
        assert_eq!((run, board.log.len()), (Some((PhysAddr::new(RAM + 8), 8)), 0));
    }
}

#[test]
fn handlers_read_tell_and_clear() {
    // 4.6 logs neither FSR nor the stream, which 5.2 logged first.
    let cases = [
        (Profile::Linux4_6, true, None, None),
        (Profile::Linux4_11, false, Some(0x4000_0002), None),
        (Profile::Linux6_12, false, Some(0x4000_0002), Some(8)),
    ];
    for (profile, resumes, status, stream) in cases {
        let mut machine = boot(profile, [ID0, ID1, ID2]);
        let domain = machine.alloc(DomainKind::Paging);
        machine.attach(domain).unwrap();
        let bank = machine.board.at(0xc00) & 0xff;

        let page = (16 + bank) * 0x1000;
        let registers = [(0x58, 0x4000_0002), (0x60, 0x12_3456), (0x68, 0x13)];
        let Machine { board, iommu, .. } = &mut machine;
        board.registers.extend(registers.map(|(offset, value)| (page + offset, value)));
        board.registers.extend([(0x1400 + 4 * bank, 8), (0x48, 2), (0x50, 2), (0x54, 9)]);
        board.log.clear();
        iommu.fault_interrupt(0, board);
        let context = Finding::ContextFault {
            bank: bank as u8,
            status,
            address: 0x12_3456,
            syndrome: 0x13,
            stream,
        };
        let global = Finding::GlobalFault { status: 2, unidentified: true, syndrome: [2, 9] };
        assert_eq!(iommu.take_findings(0), [global, context], "{profile:?}");
        let mut expected = vec![(0x48, 2), (page + 0x58, 0x4000_0002)];
        expected.extend(resumes.then_some((page + 8, 1)));
        assert_eq!(board.log, expected, "{profile:?}");
    }
}

proptest! {
    /// Whatever the identification registers hold, the driver boots or returns an error.
    #[test]
    fn no_identification_makes_the_driver_panic(
        ids in any::<[u32; 3]>(),
        version in 0..3usize,
        old in any::<bool>(),
    ) {
        let versions = [SmmuVersion::V1, SmmuVersion::V1With64K, SmmuVersion::V2];
        let facts =
            SmmuV2Facts { version: versions[version], context_interrupts: 255, ..facts() };
        let profile = if old { Profile::Linux4_6 } else { Profile::Linux6_12 };
        let ids = ids.map(u64::from);
        let Ok(mut machine) = boot_with(profile, facts, ids, vec![device(1, 8, &[0])]) else {
            return Ok(());
        };
        for kind in [DomainKind::Nested, DomainKind::Paging] {
            let Machine { board, frames, iommu } = &mut machine;
            // A device that was left out has no group, and without tables there is no domain.
            let Ok(domain) = iommu.alloc_domain(1, kind, frames, board) else { continue };
            if machine.attach(domain).is_ok() {
                let _ = machine.map(domain, 0x1000);
            }
        }
    }
}
