//! Random cases that are the same in every run.

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner that generates cases as `config` says, always the same for one `seed`; failing cases
/// are printed, but not stored.
pub fn drawn(config: Config, seed: u8) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    TestRunner::new_with_rng(Config { failure_persistence: None, ..config }, rng)
}

/// `cases` cases of `proptest!`, of which failing ones are printed, but not stored: by default all
/// programs here would store them in one file, and each would repeat the others'.
pub fn any(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

/// A configuration of `cases` cases; shrinking a failing case takes up to 20 seconds.
pub fn few(cases: u32) -> Config {
    Config { cases, max_shrink_iters: 2_000, max_shrink_time: 20_000, ..Config::default() }
}
