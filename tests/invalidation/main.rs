//! Does an invalidation that Linux's driver omits have a visible effect?
//!
//! | room | question it answers |
//! | --- | --- |
//! | `boot` | what must a kernel invalidate when it boots? |
//! | `flaw` | how are commands altered between driver and SMMU? |
//! | `rig` | on which machine do the cases run? |
//! | `world` | what does a process do, and where must an access end? |
//!
//! A process maps, unmaps, remaps and changes permissions at random, and leaves its container and
//! joins again. The model's driver writes commands into memory; between its store of CMDQ_PROD and
//! the SMMU this test may drop or alter one kind of command. The SMMU caches everything that the
//! architecture permits, and completes an invalidation no earlier than the CMD_SYNC after it. A
//! list of the mappings determines where every access of the device must end.
//!
//! Without alterations no access differs; each altered kind is detected within a bounded number of
//! operations.

mod boot;
mod flaw;
#[path = "../agree/rig.rs"]
#[allow(dead_code, reason = "the rig of another test, of which a part is used")]
mod rig;
mod world;

use flaw::Flaw;
use passim_tests::mistakes::{self, Habit, Length, Mistaken, Numbers, Run};
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};
use world::{Operation, Setup, World};

const LENGTH: Length = Length { warm_up: 8, longest: 240, bound: 60 };

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    prop::collection::vec(any::<u32>().prop_map(Operation::from_number), 1..40)
}

proptest! {
    #![proptest_config(passim_tests::cases::any(24))]

    #[test]
    fn the_driver_never_shows_anything(
        setup in prop::sample::select(Setup::ALL.to_vec()),
        operations in operations(),
    ) {
        let mut world = World::new(setup);
        for operation in operations {
            world.perform(operation);
            prop_assert_eq!(world.difference(), None, "after {:?}", operation);
        }
        prop_assert_eq!(world.findings(), vec![]);
    }
}

/// A world whose commands are altered by this flaw, once it is armed.
struct Altered {
    world: World,
    flaw: Option<Flaw>,
    habit: Habit,
}

impl Mistaken for Altered {
    fn operate(&mut self, numbers: &mut Numbers, may: bool) -> bool {
        if let Some(flaw) = self.flaw.take_if(|_| may) {
            self.world.arm(flaw, self.habit);
        }
        self.world.perform(Operation::from_number(numbers.next_u32()));
        self.world.altered() != 0
    }

    fn difference(&mut self) -> Option<String> {
        self.world.difference()
    }
}

fn run(setup: Setup, flaw: Flaw, habit: Habit, seed: u64) -> Run {
    let altered = &mut Altered { world: World::new(setup), flaw: Some(flaw), habit };
    mistakes::run(altered, habit, LENGTH, seed)
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

fn runs(setup: Setup, flaw: Flaw, habit: Habit) -> Vec<Run> {
    (0..4).map(|seed| run(setup, flaw, habit, seed)).collect()
}

#[test]
fn a_habit_is_always_found_out() {
    each(|setup, flaw| {
        let runs = runs(setup, flaw, Habit::Always);
        let found = runs.iter().all(|run| run.is_found());
        assert!(found, "{setup:?}, {flaw:?}: {runs:?}");
    });
}

/// A single command may concern state that was not cached, or that the next command invalidates
/// too; but not always.
#[test]
fn a_single_flaw_is_found_out_sooner_or_later() {
    each(|setup, flaw| {
        let repeated = match flaw {
            // Several commands follow every change of an entry.
            Flaw::ForgetsSte | Flaw::ForgetsCd | Flaw::WrongStream => true,
            // Without ranges a table takes 512 commands.
            Flaw::LeavesOnly => !setup.has_ranges(),
            _ => false,
        };
        let runs = runs(setup, flaw, Habit::Once);
        let found = runs.iter().any(|run| run.is_found());
        assert!(found || repeated, "{setup:?}, {flaw:?}: {runs:?}");
    });
}

/// A command that the driver of 6.12 could omit: either of two, not both.
#[test]
fn one_command_about_a_stream_covers_for_the_other() {
    for flaw in [Flaw::ForgetsSte, Flaw::ForgetsCd] {
        let runs = runs(Setup::Stage1, flaw, Habit::Always);
        assert!(runs.iter().all(|run| *run == Run::Harmless), "{flaw:?}: {runs:?}");
    }
}
