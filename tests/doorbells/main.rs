//! Doorbells: where they are mapped, against a slower twin and through real SMMUs.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `allocators` | do the allocators hand out what kernels' walks would? |
//! | `domains` | do records, tables and SMMUs agree, with one to three SMMUs? |
//! | `races` | what can another call do while one has dropped its lock? |
//! | `rig` | what is all this done on? |

mod allocators;
mod domains;
mod races;
mod rig;

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestRng, TestRunner};

/// Runs `cases` cases of a fixed seed.
fn explore<S: Strategy>(
    cases: u32,
    seed: u8,
    strategy: &S,
    holds: impl Fn(S::Value) -> TestCaseResult,
) {
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    if let Err(failure) = TestRunner::new_with_rng(config, rng).run(strategy, holds) {
        panic!("{failure}");
    }
}
