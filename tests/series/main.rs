//! Windows, doorbells and vectors over random machines: what must hold whatever is attached where,
//! and in whatever order.
//!
//! A case is a machine, a profile and a list of steps. What fails is printed as the machine's file
//! and the steps, one a line.

mod checks;
mod steps;
mod world;

use passim_tests::machines::machines;
use passim_vfio::policy::{DoorbellUnwind, Profile};
use proptest::prelude::{ProptestConfig, Strategy, proptest};
use proptest::sample::select;
use proptest::test_runner::TestCaseError;

use steps::{Step, steps};
use world::World;

fn profiles() -> impl Strategy<Value = Profile> {
    select(Profile::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn windows_and_doorbells_keep_their_rules(
        drawn in machines(),
        profile in profiles(),
        steps in steps(),
    ) {
        let mut policy = profile.policy();
        policy.doorbell_unwind = DoorbellUnwind::AsIntended;
        let mut world = World::new(&drawn.machine, policy);
        world.attach_everything_once().map_err(|what| failed(profile, &[], &what))?;
        let fresh = world.usage();
        for (at, step) in steps.iter().enumerate() {
            let outcome = world.take(step).and_then(|()| checks::all(&mut world));
            outcome.map_err(|what| failed(profile, &steps[..=at], &what))?;
        }
        world.close_all().map_err(|what| failed(profile, &steps, &what))?;
        let left = world.usage();
        if left != fresh {
            let what = format!("left behind: {left:?}, at first {fresh:?}");
            return Err(failed(profile, &steps, &what));
        }
    }
}

fn failed(profile: Profile, steps: &[Step], what: &str) -> TestCaseError {
    let lines: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
    TestCaseError::fail(format!("{what}\nunder {profile}, after\n{}", lines.join("\n")))
}
