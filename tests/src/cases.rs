//! Random cases that are the same in every run.

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner that generates cases as `config` says, always the same for one `seed`; failing cases
/// are printed, but not stored.
pub fn drawn(config: Config, seed: u8) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    TestRunner::new_with_rng(Config { failure_persistence: None, ..config }, rng)
}

/// A configuration of `cases` cases; shrinking a failing case takes up to 20 seconds.
pub fn few(cases: u32) -> Config {
    Config { cases, max_shrink_iters: 2_000, max_shrink_time: 20_000, ..Config::default() }
}
