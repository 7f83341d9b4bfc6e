//! Does omitting each kind of invalidation have a visible effect?
//!
//! | room | question it answers |
//! | --- | --- |
//! | `driver` | which commands does a correct driver issue, and which a flawed one? |
//! | `kind` | which kinds of invalidation and which flaws exist? |
//! | `world` | what is configured and mapped, and where must an access end? |
//!
//! The test's own driver maps, unmaps, remaps, changes permissions and changes configuration at
//! random: streams are attached and detached, CDs are replaced, level-1 descriptors of Stream table
//! and CD tables change their pointer or span, address spaces get other tables. The stream worlds
//! are EL1, EL2 and EL2-E2H; there is stage 2, and both stages with labels through a virtual
//! machine structure. The SMMU caches everything that the architecture permits.
//!
//! Whichever command the driver favours, as long as it is correct every access ends where it is
//! configured to. A driver that omits, shortens or mis-tags its favourite is detected within a
//! bounded number of operations. [`kind`] is the table of what can be omitted; a test fails if a
//! command is in none of its rows.

mod driver;
mod kind;
mod world;

use driver::{Driver, Operation};
use kind::{ELSEWHERE, Flaw, Kind};
use passim_smmu::choice::Completion;
use passim_tests::mistakes::{self, Habit, Length, Mistaken, Numbers, Run};
use proptest::prelude::{Strategy, any, prop, prop_assert_eq, proptest};
use world::{Setup, World};

const LENGTH: Length = Length { warm_up: 16, longest: 2400, bound: 800 };
/// Runs of each row.
const SEEDS: u64 = 6;

fn numbers() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(any::<u64>(), 1..80)
}

proptest! {
    #![proptest_config(passim_tests::cases::any(96))]

    #[test]
    fn a_correct_driver_never_shows_anything(
        setup in prop::sample::select(Setup::ALL.to_vec()),
        favourite in prop::sample::select(Kind::ALL.to_vec()),
        late in any::<bool>(),
        numbers in numbers(),
    ) {
        let completion =
            if late { Completion::WhenSynchronised } else { Completion::AtOnce };
        let mut world = World::new(setup, completion);
        let mut driver = Driver { favourite, flaw: None, spoiled: false };
        for number in numbers {
            let operation = Operation::from_number(setup, number);
            driver.perform(&mut world, operation);
            prop_assert_eq!(world.difference(), None, "after {:?}", operation);
        }
    }
}

/// A world and the driver that may be flawed.
struct Spoiled {
    world: World,
    driver: Driver,
    flaw: Flaw,
}

impl Mistaken for Spoiled {
    fn operate(&mut self, numbers: &mut Numbers, may: bool) -> bool {
        self.driver.flaw = may.then_some(self.flaw);
        self.driver.spoiled = false;
        let operation = Operation::from_number(self.world.setup, numbers.next_u64());
        self.driver.perform(&mut self.world, operation);
        self.driver.spoiled
    }

    fn difference(&mut self) -> Option<String> {
        self.world.difference()
    }
}

fn run(setup: Setup, favourite: Kind, flaw: Flaw, habit: Habit, seed: u64) -> Run {
    let world = World::new(setup, Completion::WhenSynchronised);
    let driver = Driver { favourite, flaw: None, spoiled: false };
    mistakes::run(&mut Spoiled { world, driver, flaw }, habit, LENGTH, seed)
}

/// The rows of the table whose runs fail the expectation, in words.
fn missed(habit: Habit, as_should_be: impl Fn(&[Run]) -> bool) -> Vec<String> {
    let mut missed = Vec::new();
    for setup in Setup::ALL {
        for kind in Kind::ALL {
            for flaw in Flaw::ALL.into_iter().filter(|flaw| flaw.concerns(kind, setup)) {
                let runs = (0..SEEDS).map(|seed| run(setup, kind, flaw, habit, seed));
                let runs: Vec<Run> = runs.collect();
                if !as_should_be(&runs) {
                    missed.push(format!("{setup:?}, {kind:?}, {flaw:?}: {runs:?}"));
                }
            }
        }
    }
    missed
}

#[test]
fn a_habit_is_always_found_out() {
    let missed = missed(Habit::Always, |runs| runs.iter().all(|run| run.is_found()));
    assert!(missed.is_empty(), "{missed:#?}");
}

/// A single mistake may concern state that was not cached, or that the next command invalidates
/// too; but not always.
#[test]
fn a_single_mistake_is_found_out_sooner_or_later() {
    let missed = missed(Habit::Once, |runs| runs.iter().any(|run| run.is_found()));
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn every_command_is_in_a_row_or_a_reason_says_why_not() {
    for command in passim_smmu::v3::names::COMMANDS {
        let name = command.structure.name;
        let kinds = Kind::ALL.into_iter().filter(|kind| kind.command() == name);
        let forgotten =
            |kind: Kind| Setup::ALL.into_iter().any(|setup| Flaw::Forgets.concerns(kind, setup));
        let in_a_row = kinds.clone().count() != 0 && kinds.clone().all(forgotten);
        let excused = ELSEWHERE.iter().filter(|(excused, _)| *excused == name).count();
        assert_eq!(usize::from(in_a_row) + excused, 1, "{name}");
        assert!(kinds.into_iter().all(|kind| kind.opcode() == command.opcode), "{name}");
    }
}
