//! The model against the oracles, under random operations.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `steps` | which requests does a case make, and how are they written as a scenario? |
//! | `twin` | which answer do the oracles expect? |
//! | `window` | does the model agree, from ioctl bytes to the device's accesses? |
//! | `tables` | what do the tables in memory mean, by an independent walk? |
//! | `pgtable` | do the page tables alone agree with the independent walk? |
//! | `aarch32` | do the AArch32 formats? |
//! | `dumps` | how does the SMMU translate tables that a real kernel wrote? |
//! | `writes` | does the fast path of a device's write equal the general path? |
//! | `rig` | on which machine do the cases run? |
//!
//! Every case follows from a fixed seed. A failing case is shrunk and written to a scenario file;
//! the failure names the file and the command that replays it.

mod aarch32;
mod dumps;
mod pgtable;
#[allow(dead_code, reason = "shared with other programs, each of which uses a part")]
mod rig;
mod steps;
mod tables;
mod twin;
mod window;
mod writes;

use passim_tests::cases;
use proptest::strategy::Strategy;
use proptest::test_runner::{TestCaseResult, TestError};

/// Runs `cases` cases of a fixed seed; `told` describes the smallest failing case.
fn explore<S: Strategy>(
    cases: u32,
    seed: u8,
    strategy: &S,
    holds: impl Fn(S::Value) -> TestCaseResult,
    told: impl Fn(&S::Value) -> String,
) {
    match cases::drawn(cases::few(cases), seed).run(strategy, holds) {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!("{reason}\n{}", told(&case)),
        Err(TestError::Abort(reason)) => panic!("no cases: {reason}"),
    }
}
