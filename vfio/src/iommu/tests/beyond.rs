//! Addresses beyond the tables' input size, refused or taken modulo it.

use super::board::{Machine, STAGE2_ONLY};
use super::open;
use crate::iommu::{DomainId, DomainKind, MapRequest};
use crate::policy::Profile;
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Errno, Host, Iova, Perms, PhysAddr};

/// Stage 2 of the recorded boards takes 44 bits.
const INPUT: u64 = 1 << 44;

fn machine(beyond: &str) -> (Machine, DomainId) {
    let mut policy = Profile::MsiV9.policy();
    policy.set("beyond-input", beyond).unwrap();
    let mut machine = Machine::boot_policy(&policy, STAGE2_ONLY);
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

#[test]
fn they_alias() {
    let (mut machine, domain) = machine("alias");
    assert_eq!(map(&mut machine, domain, 3 * INPUT + 0x7000, 0x2000), Ok(()));
    for iova in [0x7000, INPUT + 0x7000, 5 * INPUT + 0x7000] {
        assert_eq!(run(&machine, domain, iova), Some((0x5000_0000, 0x2000)));
    }
    // The end of the input is the beginning again.
    assert_eq!(map(&mut machine, domain, INPUT - 0x2000, 0x5000), Ok(()));
    assert_eq!(run(&machine, domain, INPUT - 0x2000), Some((0x5000_0000, 0x2000)));
    assert_eq!(run(&machine, domain, 0), Some((0x5000_2000, 0x3000)));
    // What is mapped is in the way of every alias, and a refusal leaves nothing behind.
    assert_eq!(map(&mut machine, domain, INPUT + 0x8000, 0x1000), Err(Errno::EEXIST));
    assert_eq!(map(&mut machine, domain, INPUT - 0x5000, 0x3000), Ok(()));
    let Machine { iommu, board, .. } = &mut machine;
    let mut gather = Gather::new();
    let unmapped = iommu.unmap(domain, Iova::new(2 * INPUT - 0x2000), 0x5000, &mut gather, board);
    assert_eq!(unmapped, 0x5000);
    let invalidation = iommu.sync(domain, gather);
    machine.sync(invalidation);
    assert_eq!((run(&machine, domain, 0), run(&machine, domain, INPUT - 1)), (None, None));
    // 0x7000 is still mapped: the part before the wrap is taken back.
    assert_eq!(map(&mut machine, domain, INPUT - 0x2000, 0xa000), Err(Errno::EEXIST));
    assert_eq!(run(&machine, domain, INPUT - 0x2000), None);
    assert_eq!(run(&machine, domain, INPUT - 0x5000), Some((0x5000_0000, 0x3000)));
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
