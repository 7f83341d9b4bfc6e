//! Does a missing invalidation have a visible effect?
//!
//! | room | question it answers |
//! | --- | --- |
//! | `driver` | which invalidations does a correct driver issue, and which a flawed one? |
//! | `rig` | where does a device's access end, and where should it? |
//!
//! A small driver maps, unmaps, remaps and changes permissions at random, in its own tables, and
//! invalidates what it must. The SMMU caches everything that the architecture permits. As long as
//! the driver is correct, every access of a device ends where the tables in memory say. A driver
//! that omits, shortens or mis-tags one invalidation is detected within a bounded number of
//! operations.

mod driver;
mod rig;

use driver::{Flaw, Operation};
use passim_smmu::cache::{Geometry, Victim};
use passim_smmu::v3::Caches;
use passim_tests::mistakes::{self, Habit, Length, Mistaken, Numbers, Run};
use proptest::prelude::*;
use rig::{Rig, Setup};

const LENGTH: Length = Length { warm_up: 12, longest: 800, bound: 150 };

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
    #![proptest_config(passim_tests::cases::any(48))]

    /// Eviction affects speed only: with caches of two geometries, and without, a correct driver's
    /// device reaches the same addresses.
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

/// A rig whose driver has a flaw.
struct Flawed {
    rig: Rig,
    flaw: Flaw,
}

impl Mistaken for Flawed {
    fn operate(&mut self, numbers: &mut Numbers, may: bool) -> bool {
        // A detached stream caches nothing.
        let flaw = (may && self.rig.attached).then_some(self.flaw);
        self.rig.perform(Operation::from_number(numbers.next_u32()), flaw)
    }

    fn difference(&mut self) -> Option<String> {
        self.rig.difference()
    }
}

fn run(setup: Setup, flaw: Flaw, habit: Habit, seed: u64) -> Run {
    mistakes::run(&mut Flawed { rig: Rig::new(setup), flaw }, habit, LENGTH, seed)
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
            found += usize::from(run.is_found());
        }
        assert!(found >= 12, "{setup:?}, {flaw:?}: an occasion in {found} runs of 16");
    });
}

/// A single mistake may concern state that was not cached, or that the next invalidation drops too;
/// in most runs it is detected.
#[test]
fn a_single_flaw_is_found_out_more_often_than_not() {
    each(|setup, flaw| {
        let runs = (0..16).map(|seed| run(setup, flaw, Habit::Once, seed));
        let found = runs.filter(|run| run.is_found()).count();
        assert!(found >= 8, "{setup:?}, {flaw:?}: found in {found} runs of 16");
    });
}
