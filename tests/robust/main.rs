//! Hostile input at every door: system calls, registers, memory.
//!
//! Nothing here checks what comes back. What is checked is that something comes back: no panic,
//! and no call that never ends, however senseless the request, and whatever a process, a driver
//! or a device left in memory and registers before.

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

/// Puts `cases` cases of a fixed seed to `survive`.
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
