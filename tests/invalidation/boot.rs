//! The invalidations of a kernel that boots on an SMMU which another kernel left running.

use crate::flaw::{Armed, Between, Flaw, SMMU};
use passim::system::{Board, Outcome, Pace};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{
    Access, AddressMap, DeviceId, Frames, Iova, Memory, PageSize, Perms, PhysAddr, Requester, Rid,
    Span, StreamId, Target,
};
use passim_smmu::SmmuV3;
use passim_smmu::choice::{Choices, Completion};
use passim_smmu::tlb::Retention;
use passim_smmu::v3::{Description, Implementation, Transaction};
use passim_tests::mistakes::Habit;
use passim_vfio::iommu::{DeviceFacts, DomainKind, DriverFacts, Firmware, Iommu, MapRequest};
use passim_vfio::policy::Profile;
use passim_vfio::step::Step;

const STREAM: u32 = 8;
const GROUP: u32 = 2;
const IOVA: u64 = 0x4000_0000;
/// The address that the first kernel maps there, and the second.
const TARGETS: [u64; 2] = [0x7000_0000, 0x7100_0000];

fn span(base: u64, size: u64) -> Span<PhysAddr> {
    Span::from_size(PhysAddr::new(base), size).expect("a span")
}

fn board() -> Board {
    let (mut memory, mut map) = (Memory::new(), AddressMap::new());
    let ram = span(0x4000_0000, 0x4000_0000);
    memory.add_bank(ram).expect("the only bank");
    map.place(ram, Target::Ram).expect("the only bank");
    map.place(span(SMMU, 0x2_0000), Target::Smmu(0)).expect("elsewhere");
    let smmu = SmmuV3::new(Implementation {
        ids: Description::VIRT.id_registers().expect("sound"),
        retention: Retention::Everything,
        choices: Choices { completion: Completion::WhenSynchronised, ..Choices::default() },
        ..Implementation::default()
    });
    Board::bare(memory, map, vec![smmu.into()], Pace::Eager)
}

/// Boots a kernel with the frames from `first_frame` on, which attaches the device to a domain that
/// maps one page to `target`.
fn kernel(board: &mut Board, armed: &mut Armed, first_frame: u64, target: u64) {
    let rid = Rid::new(STREAM as u16);
    let device = DeviceFacts::with_streams(rid, [StreamId::new(STREAM)], GROUP, 0);
    let firmware = Firmware {
        drivers: vec![DriverFacts::SmmuV3 { base: PhysAddr::new(SMMU) }],
        devices: vec![device],
    };
    let mut frames = Frames::new(PageSize::K4, [span(first_frame, 0x1000_0000)]);
    let mut host = Between { board, armed };
    let policy = Profile::Linux6_12.policy();
    let iommu = Iommu::boot(&firmware, &policy, PageSize::K4, &mut frames, &mut host);
    let mut iommu = iommu.expect("it boots");
    let domain = iommu.alloc_domain(GROUP, DomainKind::Paging, &mut frames, &mut host);
    let domain = domain.expect("there is memory for it");
    let mut claimed = iommu.claim(GROUP, &mut frames, &mut host).expect("nobody else has it");
    while !matches!(claimed.step(&mut iommu, &mut frames, &mut host), Step::Done(_)) {}
    let attached = iommu.attach(domain, GROUP, &mut frames, &mut host);
    let mut attached = attached.expect("it goes together");
    while !matches!(attached.step(&mut iommu, &mut frames, &mut host), Step::Done(_)) {}
    let request = MapRequest {
        iova: Iova::new(IOVA),
        output: PhysAddr::new(target),
        size: 0x1000,
        perms: Perms::READ,
        memory_type: MemoryType::Normal,
    };
    let mut gather = Gather::new();
    let mapped = iommu.map(domain, &request, &mut gather, &mut frames, &mut host);
    mapped.expect("nothing is there");
    let mut forgotten = iommu.sync(domain, gather);
    while !matches!(forgotten.step(&mut iommu, &mut frames, &mut host), Step::Done(_)) {}
}

/// The address that a read of the device reaches.
fn reached(board: &mut Board) -> Option<u64> {
    let stream = StreamId::new(STREAM);
    let requester = Requester { stream, substream: None, device: DeviceId::new(STREAM) };
    let iova = Iova::new(IOVA);
    let transaction = Transaction { requester, iova, access: Access::READ };
    let (smmu, memory) = board.smmu_mut(0)?;
    match smmu.translate(memory, &transaction) {
        Outcome::Translated(translated) => Some(translated.pa.get()),
        Outcome::Terminated(_) | Outcome::Stalled(_) => None,
    }
}

/// The addresses that the device's reads reach under a first kernel, and under a second one with
/// this flaw that boots while the SMMU is on.
fn twice(flaw: Option<Flaw>) -> [Option<u64>; 2] {
    let mut board = board();
    kernel(&mut board, &mut Armed::default(), 0x4000_0000, TARGETS[0]);
    let first = reached(&mut board);
    let mut armed = flaw.map_or_else(Armed::default, |flaw| Armed::new(flaw, Habit::Always));
    kernel(&mut board, &mut armed, 0x5000_0000, TARGETS[1]);
    assert_eq!(armed.altered > 0, flaw.is_some());
    [first, reached(&mut board)]
}

#[test]
fn a_kernel_that_starts_forgets_what_was_there() {
    assert_eq!(twice(None), TARGETS.map(Some));
}

#[test]
fn translations_of_the_kernel_before_show() {
    assert_eq!(twice(Some(Flaw::ForgetsEverything)), [Some(TARGETS[0]); 2]);
}

#[test]
fn configuration_of_the_kernel_before_shows() {
    assert_eq!(twice(Some(Flaw::ForgetsConfiguration)), [Some(TARGETS[0]); 2]);
}
