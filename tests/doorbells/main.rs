//! Doorbells: where they are mapped, against a slower twin and through real SMMUs.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `allocators` | do the allocators return what kernels' walks would? |
//! | `domains` | do records, tables and SMMUs agree, with one to three SMMUs? |
//! | `races` | what can another call do while one has dropped its lock? |
//! | `rig` | on which board do the cases run? |

mod allocators;
mod domains;
mod races;
mod rig;

use passim_tests::cases;
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseResult};

/// Runs `cases` cases of a fixed seed.
fn explore<S: Strategy>(
    cases: u32,
    seed: u8,
    strategy: &S,
    holds: impl Fn(S::Value) -> TestCaseResult,
) {
    let config = Config { cases, ..Config::default() };
    if let Err(failure) = cases::drawn(config, seed).run(strategy, holds) {
        panic!("{failure}");
    }
}
