//! Windows, doorbells and vectors on random machines: invariants whatever is attached where, and in
//! whatever order.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `checks` | what must hold after every step? |
//! | `steps` | which steps does a case have? |
//! | `world` | what does the process have open, and how does a step run? |
//!
//! A case is a machine, a profile and a list of steps. A failing case is printed as the machine's
//! file and the steps, one per line.

mod checks;
mod steps;
mod world;

use passim_tests::machines::machines;
use passim_vfio::policy::{DoorbellUnwind, ItsDoorbellInfo, IttMemory, Policy, Profile};
use proptest::prelude::{ProptestConfig, Strategy, proptest};
use proptest::sample::select;
use proptest::test_runner::TestCaseError;

use steps::{Step, steps};
use world::World;

/// A kernel, and its choice where two readings of part 2 exist.
#[derive(Clone, Copy, Debug)]
struct Kernel {
    profile: Profile,
    unwind: DoorbellUnwind,
    its: ItsDoorbellInfo,
}

impl Kernel {
    fn policy(self) -> Policy {
        let mut policy = self.profile.policy();
        policy.doorbell_unwind = self.unwind;
        policy.its_doorbell_info = self.its;
        // 7.2's pool neither clears tables nor separates those with entries of 12 bytes, as QEMU's
        // have: an ITS would have events that were never mapped (choices/itt-memory.scn).
        policy.itt_memory = IttMemory::Slab;
        policy
    }
}

fn kernels() -> impl Strategy<Value = Kernel> {
    let unwind = select(&[DoorbellUnwind::AsIntended, DoorbellUnwind::AsCoded]);
    let its = select(&[ItsDoorbellInfo::On, ItsDoorbellInfo::Off]);
    (select(Profile::ALL), unwind, its).prop_map(|(profile, unwind, its)| Kernel {
        profile,
        unwind,
        its,
    })
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
        kernel in kernels(),
        steps in steps(),
    ) {
        let mut world = World::new(&drawn.machine, kernel.policy());
        world.attach_everything_once().map_err(|what| failed(kernel, &[], &what))?;
        let fresh = world.usage();
        for (at, step) in steps.iter().enumerate() {
            let outcome = world.take(step).and_then(|()| checks::all(&mut world));
            outcome.map_err(|what| failed(kernel, &steps[..=at], &what))?;
        }
        world.close_all().map_err(|what| failed(kernel, &steps, &what))?;
        let left = world.usage();
        if left != fresh {
            let what = format!("left behind: {left:?}, at first {fresh:?}");
            return Err(failed(kernel, &steps, &what));
        }
    }
}

fn failed(kernel: Kernel, steps: &[Step], what: &str) -> TestCaseError {
    let lines: Vec<String> = steps.iter().map(|step| format!("{step:?}")).collect();
    TestCaseError::fail(format!("{what}\nunder {kernel:?}, after\n{}", lines.join("\n")))
}
