//! Hostile input at every entry point: system calls, registers, memory.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `calls` | does any system call panic or hang? |
//! | `hardware` | do arbitrary registers and memory make driver or device panic? |
//! | `values` | which values are likely to find edges? |
//! | `rig` | on which machine do the cases run? |
//!
//! The tests check no result, only that there is one: no panic and no endless call, however
//! senseless the request, and whatever a process, a driver or a device left in memory and registers
//! before.

#[path = "../agree/rig.rs"]
#[allow(dead_code, reason = "shared with other programs, each of which uses a part")]
mod rig;

mod calls;
mod hardware;
mod values;

use passim_tests::cases;
use proptest::strategy::Strategy;
use proptest::test_runner::TestError;
use std::time::{Duration, Instant};

/// Longest one case may take, on a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `cases` cases of a fixed seed through `survive`.
fn attack<S: Strategy>(cases: u32, seed: u8, strategy: &S, survive: impl Fn(S::Value)) {
    let result = cases::drawn(cases::few(cases), seed).run(strategy, |case| {
        let begun = Instant::now();
        survive(case);
        assert!(begun.elapsed() < PATIENCE, "{:?} for one case", begun.elapsed());
        Ok(())
    });
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, case)) => panic!("{reason}\n{case:#x?}"),
        Err(TestError::Abort(reason)) => panic!("no cases: {reason}"),
    }
}
