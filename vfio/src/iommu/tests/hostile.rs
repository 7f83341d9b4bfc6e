//! Whatever registers and memory hold, the driver neither panics nor reports false completion.

use super::board::{Appetite, BOTH_STAGES, Machine};
use crate::iommu::{DomainKind, MapRequest};
use crate::policy::Profile;
use crate::step::Step;
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Host, Iova, Perms, PhysAddr};
use proptest::prelude::{Strategy, any, prop_oneof, proptest};

#[derive(Clone, Debug)]
enum Act {
    Claim(u32),
    Attach(u32),
    Detach(u32),
    Map(u64),
    Unmap(u64),
    Relax,
    Lie(u64, u64),
    Poke(u64, u64),
    Interrupts,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..6u32).prop_map(Act::Claim),
        (0..6u32).prop_map(Act::Attach),
        (0..6u32).prop_map(Act::Detach),
        (0..64u64).prop_map(Act::Map),
        (0..64u64).prop_map(Act::Unmap),
        (0..1u32).prop_map(|_| Act::Relax),
        (0..0x28u64, any::<u32>()).prop_map(|(n, value)| Act::Lie(n * 4 + 0x20, value.into())),
        (0..0x400u64, any::<u64>()).prop_map(|(page, value)| Act::Poke(page, value)),
        (0..1u32).prop_map(|_| Act::Interrupts),
    ]
}

fn play(profile: Profile, acts: &[Act]) {
    let mut machine = Machine::boot(profile, BOTH_STAGES);
    machine.board.appetite = Appetite::OneByOne;
    let Machine { iommu, frames, board } = &mut machine;
    let domain = iommu.alloc_domain(2, DomainKind::Paging, frames, board).unwrap();
    for act in acts {
        let transition = match act {
            Act::Claim(group) => iommu.claim(*group, frames, board).ok(),
            Act::Attach(group) => iommu.attach(domain, *group, frames, board).ok(),
            Act::Detach(group) => Some(iommu.detach_to_blocked(*group)),
            Act::Map(page) => {
                let request = MapRequest {
                    iova: Iova::new(page * 0x8_0000),
                    output: PhysAddr::new(0x5000_0000),
                    size: 0x20_0000,
                    perms: Perms::READ,
                    memory_type: MemoryType::Device,
                };
                let mut gather = Gather::new();
                let _ = iommu.map(domain, &request, &mut gather, frames, board);
                let _ = iommu.sync(domain, gather).step(iommu, frames, board);
                None
            }
            Act::Unmap(page) => {
                let (iova, mut gather) = (Iova::new(page * 0x8_0000), Gather::new());
                let _ = iommu.iova_run(domain, iova, u64::MAX, board.memory());
                let _ = iommu.unmap(domain, iova, 0x40_0000, &mut gather, board);
                let _ = iommu.sync(domain, gather).step(iommu, frames, board);
                None
            }
            Act::Relax => {
                board.relax();
                None
            }
            Act::Lie(offset, value) => {
                board.lies.insert(*offset, *value);
                None
            }
            // The driver's own tables and queues lie at the top of RAM.
            Act::Poke(page, value) => {
                let at = PhysAddr::new(0x7fff_f000 - page * 0x1000 + (value >> 52) * 8 % 0x1000);
                board.memory_mut().store_u64(at, *value).unwrap();
                None
            }
            Act::Interrupts => {
                iommu.error_interrupt(0, board);
                let _ = iommu.event_interrupt(0, board);
                None
            }
        };
        let Some(mut transition) = transition else { continue };
        for _ in 0..8 {
            match transition.step(iommu, frames, board) {
                Step::Done(_) => break,
                _ => board.relax(),
            }
        }
    }
    assert!(iommu.take_findings(0).len() <= 4096);
}

proptest! {
    #[test]
    fn nothing_read_makes_the_driver_panic(
        acts in proptest::collection::vec(act(), 1..60),
    ) {
        play(Profile::Linux6_12, &acts);
        play(Profile::Linux6_1, &acts);
    }
}
