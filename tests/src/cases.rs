//! Random cases that are the same in every run.

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// Draws cases as `config` says, always the same for one `seed`; those that fail are told, and
/// kept nowhere.
pub fn drawn(config: Config, seed: u8) -> TestRunner {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    TestRunner::new_with_rng(Config { failure_persistence: None, ..config }, rng)
}

/// `cases` cases, of which the smallest that fails is looked for up to 20 seconds.
pub fn few(cases: u32) -> Config {
    Config { cases, max_shrink_iters: 2_000, max_shrink_time: 20_000, ..Config::default() }
}
