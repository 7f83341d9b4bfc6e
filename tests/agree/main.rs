//! The model against the oracles, under random operations.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `steps` | what may a process ask, and how does it look in a scenario? |
//! | `twin` | what must the answer be? |
//! | `window` | is it so, from ioctl bytes to what the device reaches? |
//! | `tables` | what do the tables in memory say, read a second time? |
//! | `pgtable` | do the page tables agree with the second walk, for themselves? |
//! | `aarch32` | do those of AArch32? |
//! | `dumps` | what does the SMMU make of tables that a real kernel wrote? |
//! | `writes` | is a device's write in short the same as one in full? |
//! | `rig` | what is all this done on? |
//!
//! Every case follows from a fixed seed. A case that fails is shrunk and written down as a
//! scenario; the failure says where, and the command that replays it.

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

/// Runs `cases` cases of a fixed seed; `told` describes the smallest that fails.
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
