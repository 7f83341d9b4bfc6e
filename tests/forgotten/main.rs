//! Does every kind of invalidation show when it is forgotten?
//!
//! A driver of its own maps, unmaps, remaps, changes permissions and changes configuration at
//! random: streams come and go, CDs are replaced, level-1 descriptors of Stream table and CD tables
//! lead elsewhere or span less, address spaces get other tables. The stream worlds are EL1, EL2 and
//! EL2-E2H; there is stage 2, and both stages with labels through a virtual machine structure. The
//! SMMU keeps in its caches everything the architecture lets it keep.
//!
//! Whatever command the driver favours, as long as it is right every access ends where it is
//! configured to. A driver that forgets, shortens or mis-tags its favourite is found out within a
//! bounded number of operations. [`kind`] is the table of what can be forgotten; a test fails if a
//! command is in none of its rows.

mod driver;
mod kind;
mod world;

use driver::{Driver, Operation};
use kind::{ELSEWHERE, Flaw, Kind};
use passim_smmu::choice::Completion;
use proptest::prelude::{ProptestConfig, Strategy, any, prop, prop_assert_eq, proptest};
use world::{Setup, World};

/// Most operations between the first mistake and an access that shows it.
const BOUND: usize = 800;
/// Operations before the first, so that there is something to go stale.
const WARM_UP: usize = 16;
/// Most operations of a run.
const LONGEST: usize = 2400;
/// Runs of each row.
const SEEDS: u64 = 6;

fn numbers() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(any::<u64>(), 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

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

/// Numbers that look random, and are the same in every run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        let mut half = || {
            self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            self.0 >> 32
        };
        half() << 32 | half()
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
    /// It showed in time: so many operations after its first occasion.
    Found(usize),
    /// It did not: what was not forgotten was not cached, or went with something else.
    Harmless,
}

fn run(setup: Setup, favourite: Kind, flaw: Flaw, habit: Habit, seed: u64) -> Run {
    let mut numbers = Numbers(seed);
    let mut world = World::new(setup, Completion::WhenSynchronised);
    let mut driver = Driver { favourite, flaw: None, spoiled: false };
    for _ in 0..WARM_UP {
        driver.perform(&mut world, Operation::from_number(setup, numbers.next()));
        assert_eq!(world.difference(), None, "nothing is wrong yet");
    }
    driver.flaw = Some(flaw);
    let mut since = 0;
    for _ in 0..LONGEST {
        driver.perform(&mut world, Operation::from_number(setup, numbers.next()));
        if driver.spoiled && habit == Habit::Once {
            driver.flaw = None;
        }
        match (driver.spoiled, world.difference()) {
            (false, difference) => assert_eq!(difference, None, "nothing is wrong yet"),
            (true, Some(_)) => return Run::Found(since),
            (true, None) if since == BOUND => return Run::Harmless,
            (true, None) => since += 1,
        }
    }
    Run::NoOccasion
}

/// The rows of the table of which the runs are not as they should be, in words.
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
    let missed = missed(Habit::Always, |runs| runs.iter().all(|run| matches!(run, Run::Found(_))));
    assert!(missed.is_empty(), "{missed:#?}");
}

/// A single mistake may be about something that was not cached, or that the next command takes
/// with it; but not always.
#[test]
fn a_single_mistake_is_found_out_sooner_or_later() {
    let missed = missed(Habit::Once, |runs| runs.iter().any(|run| matches!(run, Run::Found(_))));
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
