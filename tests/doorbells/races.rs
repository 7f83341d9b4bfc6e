//! A doorbell is looked up under a lock, mapped without it, and looked up again: races in between.

use crate::rig::{Rig, Spec};
use passim_model::{Errno, Iova, PageSize, Perms, PhysAddr, Refusal, Span};
use passim_vfio::Profile;
use passim_vfio::iommu::{DomainId, DoorbellGet};
use passim_vfio::step::Step;
use proptest::prelude::*;

const FIRST: u64 = 0xf20_0000;
const SECOND: u64 = 0xf30_0000;

/// A domain with a window of 16 pages, and a device in it.
fn rig() -> (Rig, DomainId) {
    let policy = Profile::MsiV9.policy();
    let mut rig = Rig::new(Spec { smmus: 1, page: PageSize::K4, second_stage: false, policy });
    let domain = rig.alloc(0);
    rig.attach(domain, 0).expect("it is at rest");
    let window = Span::from_size(Iova::new(0x800_0000), 0x1_0000).expect("small");
    rig.iommu.set_msi_aperture(domain, window).expect("the first");
    (rig, domain)
}

fn begin(rig: &Rig, domain: DomainId, at: u64) -> DoorbellGet {
    rig.iommu.begin_doorbell(domain, PhysAddr::new(at), 4, Perms::WRITE)
}

/// One step; hardware works at once.
fn step(rig: &mut Rig, get: &mut DoorbellGet) -> Step<Result<Iova, Refusal>> {
    get.step(&mut rig.iommu, &mut rig.frames, &mut rig.board)
}

/// Steps to the end.
fn finish(rig: &mut Rig, get: &mut DoorbellGet) -> Result<u64, Errno> {
    loop {
        if let Step::Done(result) = step(rig, get) {
            return result.map(Iova::get).map_err(|refusal| refusal.errno);
        }
    }
}

/// Both miss, both map; the slower one unmaps its own and shares the other's.
#[test]
fn the_slower_of_two_shares() {
    let (mut rig, domain) = rig();
    let mut slow = begin(&rig, domain, FIRST);
    assert_eq!(step(&mut rig, &mut slow), Step::Unlocked);
    let mut fast = begin(&rig, domain, FIRST);
    for _ in 0..2 {
        assert_eq!(step(&mut rig, &mut fast), Step::Unlocked);
    }
    assert_eq!(step(&mut rig, &mut slow), Step::Unlocked);
    // Mapped twice, and not yet recorded.
    assert!(rig.iommu.doorbells(domain).is_empty());
    assert_eq!((rig.write(0, 0x800_f000), rig.write(0, 0x800_e000)), (Some(FIRST), Some(FIRST)));
    assert_eq!(finish(&mut rig, &mut fast), Ok(0x800_f000));
    assert_eq!(finish(&mut rig, &mut slow), Ok(0x800_f000));
    assert_eq!(rig.write(0, 0x800_e000), None);
    let views = rig.iommu.doorbells(domain);
    assert_eq!((views.len(), views[0].references), (1, 2));
    assert_eq!(rig.get(domain, SECOND, 4).ok(), Some(0x800_e000), "its page is free again");
}

/// The slower one's address is freed before it is unmapped: a caller that gets it at that moment
/// finds the page mapped.
#[test]
fn a_freed_address_may_still_be_mapped() {
    let (mut rig, domain) = rig();
    let mut slow = begin(&rig, domain, FIRST);
    assert_eq!(step(&mut rig, &mut slow), Step::Unlocked);
    rig.get(domain, FIRST, 4).expect("the faster one");
    assert_eq!(step(&mut rig, &mut slow), Step::Unlocked, "mapped");
    assert_eq!(step(&mut rig, &mut slow), Step::Unlocked, "the record was there");
    let refused = rig.get(domain, SECOND, 4).expect_err("0x800e000 is mapped");
    assert_eq!((refused.errno, refused.rule.name), (Errno::EEXIST, "iommu-map-exists"));
    assert_eq!(finish(&mut rig, &mut slow), Ok(0x800_f000));
    assert_eq!(rig.get(domain, SECOND, 4).ok(), Some(0x800_e000));
}

/// A doorbell that another caller mapped and unmapped meanwhile is mapped and recorded as the
/// caller's own.
#[test]
fn a_record_that_came_and_went_is_none() {
    let (mut rig, domain) = rig();
    let mut slow = begin(&rig, domain, FIRST);
    assert_eq!(step(&mut rig, &mut slow), Step::Unlocked);
    rig.get(domain, FIRST, 4).expect("the faster one");
    rig.put(domain, FIRST);
    assert_eq!(finish(&mut rig, &mut slow), Ok(0x800_f000));
    assert_eq!(rig.iommu.doorbells(domain)[0].references, 1);
}

/// Any interleaving: references equal gets minus puts, exactly the recorded pages are mapped, and a
/// refusal is the one above or a full window.
#[test]
fn any_interleaving_keeps_count() {
    let doorbell = (0u64..3).prop_map(|n| FIRST + n * 0x1000);
    let turns = prop::collection::vec((0usize..4, any::<bool>(), doorbell), 1..80);
    super::explore(300, 6, &turns, |turns| {
        let (mut rig, domain) = rig();
        let mut running: Vec<Option<(u64, DoorbellGet)>> = (0..4).map(|_| None).collect();
        let mut held: Vec<u64> = Vec::new();
        for (slot, put, at) in turns {
            match running[slot].take() {
                Some((at, mut get)) => match step(&mut rig, &mut get) {
                    Step::Done(Ok(_)) => held.push(at),
                    Step::Done(Err(refusal)) => prop_assert_eq!(refusal.errno, Errno::EEXIST),
                    _ => running[slot] = Some((at, get)),
                },
                None if put => {
                    if let Some(n) = held.iter().position(|&page| page == at) {
                        held.swap_remove(n);
                        rig.put(domain, at);
                    }
                }
                None => running[slot] = Some((at, begin(&rig, domain, at))),
            }
        }
        for (at, mut get) in running.into_iter().flatten() {
            if finish(&mut rig, &mut get).is_ok() {
                held.push(at);
            }
        }
        let views = rig.iommu.doorbells(domain);
        for view in &views {
            let count = held.iter().filter(|&&at| at == view.pa.get()).count();
            prop_assert_eq!(view.references, count as u64);
        }
        held.sort_unstable();
        held.dedup();
        prop_assert_eq!(views.len(), held.len());
        for n in 0..16 {
            let iova = 0x800_0000 + n * 0x1000;
            let view = views.iter().find(|view| view.iova.get() == iova);
            prop_assert_eq!(rig.write(0, iova), view.map(|view| view.pa.get()));
        }
        Ok(())
    });
}
