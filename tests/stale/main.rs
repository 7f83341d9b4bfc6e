//! Does a missing invalidation show?
//!
//! A small driver maps, unmaps, remaps and changes permissions at random, in tables of its own,
//! and invalidates what it must. The SMMU keeps in its caches everything the architecture lets it
//! keep. As long as the driver is right, every access of a device ends where the tables in memory
//! say. A driver that forgets, shortens or mis-tags one invalidation is found out within a bounded
//! number of operations.

mod driver;
mod rig;

use driver::{Flaw, Operation};
use passim_smmu::cache::{Geometry, Victim};
use passim_smmu::v3::Caches;
use proptest::prelude::*;
use rig::{Rig, Setup};

/// Most operations between a flaw and an access that shows it.
const BOUND: usize = 150;
/// Operations before the flaw, so that there is something to go stale.
const WARM_UP: usize = 12;

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(any::<u32>().prop_map(Operation::from_number), 1..60)
}

fn geometry() -> impl Strategy<Value = Geometry> {
    let victim = prop_oneof![
        Just(Victim::RoundRobin),
        Just(Victim::LeastRecentlyUsed),
        any::<u32>().prop_map(|seed| Victim::Random { seed }),
    ];
    let any = (0..6u8, 1..6u8, victim);
    any.prop_map(|(sets_lg2, ways, victim)| Geometry { sets_lg2, ways, victim })
}

/// Caches of every size and replacement.
fn caches() -> impl Strategy<Value = Caches> {
    let maybe = || prop::option::of(geometry());
    let all = (geometry(), maybe(), geometry(), geometry(), maybe(), maybe());
    all.prop_map(|(tlb, tables, stes, cds, level_one_stes, level_one_cds)| Caches {
        tlb,
        tables,
        stes,
        cds,
        level_one_stes,
        level_one_cds,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Eviction is a matter of speed: with caches of two geometries, and with none, a correct
    /// driver's device ends at the same places.
    #[test]
    fn no_geometry_changes_an_answer(
        setup in prop::sample::select(Setup::ALL.to_vec()),
        one in caches(),
        other in caches(),
        operations in operations(),
    ) {
        let mut rigs = [one, other].map(|caches| Rig::sized(setup, caches));
        let mut bare = Rig::sized(setup, Caches::VIRT);
        for operation in operations {
            bare.perform(operation, None);
            let expected = bare.answers(true);
            for rig in &mut rigs {
                rig.perform(operation, None);
                prop_assert_eq!(&rig.answers(false), &expected, "after {:?}", operation);
            }
        }
        for rig in &mut rigs {
            prop_assert_eq!(rig.difference(), None);
        }
    }

    #[test]
    fn a_correct_driver_never_shows_anything(
        setup in prop::sample::select(Setup::ALL.to_vec()),
        operations in operations(),
    ) {
        let mut rig = Rig::new(setup);
        for operation in operations {
            rig.perform(operation, None);
            prop_assert_eq!(rig.difference(), None, "after {:?}", operation);
        }
    }
}

/// Numbers that look random, and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 32) as u32
    }
}

/// How often a driver makes its mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Habit {
    Once,
    Always,
}

/// What came of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Run {
    /// The flaw found no occasion.
    NoOccasion,
    /// It showed in time.
    Found,
    /// It did not: what was not invalidated was not cached, or went with something else.
    Harmless,
}

fn run(setup: Setup, flaw: Flaw, habit: Habit, seed: u64) -> Run {
    let mut numbers = Numbers(seed);
    let mut rig = Rig::new(setup);
    let mut since = None;
    for round in 0..WARM_UP + 800 {
        let operation = Operation::from_number(numbers.next());
        let again = since.is_none() || habit == Habit::Always;
        // A stream that is detached caches nothing.
        let armed = (round >= WARM_UP && again && rig.attached).then_some(flaw);
        let spoiled = rig.perform(operation, armed);
        since = match since {
            None => spoiled.then_some(0),
            Some(count) => Some(count + 1),
        };
        match (since, rig.difference()) {
            (None, Some(difference)) => panic!("without a flaw: {difference}"),
            (None, None) => {}
            (Some(_), Some(_)) => return Run::Found,
            (Some(count), None) if count == BOUND => return Run::Harmless,
            (Some(_), None) => {}
        }
    }
    Run::NoOccasion
}

fn each(mut look: impl FnMut(Setup, Flaw)) {
    for setup in Setup::ALL {
        for flaw in Flaw::ALL {
            if flaw.concerns(setup) {
                look(setup, flaw);
            }
        }
    }
}

#[test]
fn a_habit_is_always_found_out() {
    each(|setup, flaw| {
        let mut found = 0;
        for seed in 0..16 {
            let run = run(setup, flaw, Habit::Always, seed);
            assert_ne!(run, Run::Harmless, "{setup:?}, {flaw:?}, seed {seed}");
            found += usize::from(run == Run::Found);
        }
        assert!(found >= 12, "{setup:?}, {flaw:?}: an occasion in {found} runs of 16");
    });
}

/// A single mistake may be about something that was not cached, or that the next invalidation
/// takes with it; in most runs it is found out.
#[test]
fn a_single_flaw_is_found_out_more_often_than_not() {
    each(|setup, flaw| {
        let runs = (0..16).map(|seed| run(setup, flaw, Habit::Once, seed));
        let found = runs.filter(|run| *run == Run::Found).count();
        assert!(found >= 8, "{setup:?}, {flaw:?}: found in {found} runs of 16");
    });
}
