//! Addresses beyond the tables' input size: refused, or taken modulo that size.

use super::board::{Board, Machine, STAGE2_ONLY, firmware};
use super::open;
use crate::iommu::{DomainId, DomainKind, MapRequest};
use crate::policy::Profile;
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Errno, Host, Iova, PageSize, Perms, PhysAddr};

/// Stage 2 of the recorded boards takes 44 bits.
const INPUT: u64 = 1 << 44;

fn machine(beyond: &str) -> (Machine, DomainId) {
    machine_on(beyond, Board::new(STAGE2_ONLY))
}

fn machine_on(beyond: &str, board: Board) -> (Machine, DomainId) {
    let mut policy = Profile::MsiV9.policy();
    policy.set("beyond-input", beyond).unwrap();
    let machine = Machine::boot_firmware(&firmware(), &policy, PageSize::K4, board);
    let mut machine = machine.unwrap();
    let domain = open(&mut machine, 2, DomainKind::Paging);
    (machine, domain)
}

fn map(machine: &mut Machine, domain: DomainId, iova: u64, size: u64) -> Result<(), Errno> {
    let request = MapRequest {
        iova: Iova::new(iova),
        output: PhysAddr::new(0x5000_0000),
        size,
        perms: Perms::READ | Perms::WRITE,
        memory_type: MemoryType::Normal,
    };
    let mut gather = Gather::new();
    let Machine { iommu, frames, board } = machine;
    let mapped = iommu.map(domain, &request, &mut gather, frames, board);
    let invalidation = iommu.sync(domain, gather);
    machine.sync(invalidation);
    mapped.map_err(|refusal| refusal.errno)
}

fn run(machine: &Machine, domain: DomainId, iova: u64) -> Option<(u64, u64)> {
    let run = machine.iommu.iova_run(domain, Iova::new(iova), 0x10_0000, machine.board.memory());
    run.map(|(at, size)| (at.get(), size))
}

#[test]
fn they_are_refused() {
    let (mut machine, domain) = machine("erange");
    for (iova, size) in [(INPUT, 0x1000), (INPUT - 0x1000, 0x2000), (u64::MAX - 0xfff, 0x1000)] {
        assert_eq!(map(&mut machine, domain, iova, size), Err(Errno::ERANGE));
    }
    assert_eq!(run(&machine, domain, INPUT), None);
}

/// A 40-bit stage 2 begins with two concatenated tables, which cover exactly the 40 bits.
#[test]
fn they_alias_where_the_first_table_is_full() {
    const INPUT: u64 = 1 << 40;
    let mut board = Board::new(STAGE2_ONLY);
    // IDR5.OAS of 40 bits in place of 44.
    board.registers.insert(0x14, 0x72);
    let (mut machine, domain) = machine_on("alias", board);
    assert_eq!(map(&mut machine, domain, 3 * INPUT + 0x7000, 0x2000), Ok(()));
    for iova in [0x7000, INPUT + 0x7000, 5 * INPUT + 0x7000] {
        assert_eq!(run(&machine, domain, iova), Some((0x5000_0000, 0x2000)));
    }
    // The address after the end is the beginning.
    assert_eq!(map(&mut machine, domain, INPUT - 0x2000, 0x5000), Ok(()));
    assert_eq!(run(&machine, domain, INPUT - 0x2000), Some((0x5000_0000, 0x2000)));
    assert_eq!(run(&machine, domain, 0), Some((0x5000_2000, 0x3000)));
    // A mapping blocks every alias, and a refusal leaves nothing behind.
    assert_eq!(map(&mut machine, domain, INPUT + 0x8000, 0x1000), Err(Errno::EEXIST));
    assert_eq!(map(&mut machine, domain, INPUT - 0x5000, 0x3000), Ok(()));
    let Machine { iommu, board, .. } = &mut machine;
    let mut gather = Gather::new();
    let unmapped = iommu.unmap(domain, Iova::new(2 * INPUT - 0x2000), 0x5000, &mut gather, board);
    assert_eq!(unmapped, 0x5000);
    let invalidation = iommu.sync(domain, gather);
    machine.sync(invalidation);
    assert_eq!((run(&machine, domain, 0), run(&machine, domain, INPUT - 1)), (None, None));
    // 0x7000 is still mapped: the part before the wrap is rolled back.
    assert_eq!(map(&mut machine, domain, INPUT - 0x2000, 0xa000), Err(Errno::EEXIST));
    assert_eq!(run(&machine, domain, INPUT - 0x2000), None);
    assert_eq!(run(&machine, domain, INPUT - 0x5000), Some((0x5000_0000, 0x3000)));
}

/// The first table of 44 bits has 32 entries, and its page has room for 512: mappings beyond lie
/// after those that an SMMU reads, and the first address that wraps is 2^48.
#[test]
fn they_lead_nowhere_where_the_first_table_has_room_behind_it() {
    let (mut machine, domain) = machine("alias");
    assert_eq!(map(&mut machine, domain, INPUT + 0x7000, 0x2000), Ok(()));
    assert_eq!(run(&machine, domain, 0x7000), None);
    assert_eq!(run(&machine, domain, INPUT + 0x7000), Some((0x5000_0000, 0x2000)));
    let again = (1 << 48) + INPUT + 0x7000;
    assert_eq!(run(&machine, domain, again), Some((0x5000_0000, 0x2000)));
    assert_eq!(map(&mut machine, domain, again, 0x1000), Err(Errno::EEXIST));
    assert_eq!(map(&mut machine, domain, 0x7000, 0x1000), Ok(()));
    // S2TTB points to 32 entries; the 33rd is the one written.
    let root = machine.board.ste(8)[3] & 0x000f_ffff_ffff_fff0;
    let [first, behind] = [0, 32].map(|entry| machine.board.words::<1>(root + 8 * entry));
    assert!(first != [0] && behind != [0], "{first:x?} {behind:x?}");
}

#[test]
fn output_addresses_do_not() {
    let (mut machine, domain) = machine("alias");
    let request = MapRequest {
        iova: Iova::new(0x1000),
        output: PhysAddr::new(1 << 44),
        size: 0x1000,
        perms: Perms::READ,
        memory_type: MemoryType::Normal,
    };
    let Machine { iommu, frames, board } = &mut machine;
    let mapped = iommu.map(domain, &request, &mut Gather::new(), frames, board);
    assert_eq!(mapped.unwrap_err().errno, Errno::ERANGE);
}
