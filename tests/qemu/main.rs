//! Plays random commands on the ITS of a running QEMU and on the preset `qemu`, and compares what
//! registers and memory hold afterwards.
//!
//! `cargo run --release -p passim-tests --bin qemu` plays 200 cases; two numbers ask for as many
//! cases, and for those of another seed. QEMU is started for each case, stopped before its first
//! instruction, and driven through its qtest socket. Exit code 0: they agree; 1: they differ, and
//! the smallest case that shows it is printed; 2: there is no `qemu-system-aarch64`.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `case` | what is drawn? |
//! | `play` | which stores is a case, and what is compared? |
//! | `emulator`, `model` | how is either board driven? |
//!
//! Not here: the other presets, which no program that could be asked implements.

mod case;
mod emulator;
mod model;
mod play;

use emulator::Emulator;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse::<u64>().ok());
    let (cases, seed) = (numbers.next().unwrap_or(Some(200)), numbers.next().unwrap_or(Some(1)));
    let (Some(cases), Some(seed)) = (cases.and_then(|it| u32::try_from(it).ok()), seed) else {
        eprintln!("usage: qemu [CASES [SEED]]");
        return ExitCode::from(2);
    };
    if let Err(error) = Emulator::version() {
        eprintln!("qemu-system-aarch64 cannot be started: {error}");
        return ExitCode::from(2);
    }
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, rng);
    let outcome = runner.run(&case::cases(), |case| {
        let mut emulator = Emulator::start().map_err(|error| {
            TestCaseError::Reject(format!("QEMU does not start: {error}").into())
        })?;
        let theirs = play::play(&case, &mut emulator);
        let ours = play::play(&case, &mut model::Model::new());
        let differs = theirs.iter().zip(&ours).find(|(theirs, ours)| theirs != ours);
        differs.map_or(Ok(()), |(theirs, ours)| {
            Err(TestCaseError::fail(format!("QEMU: {theirs}, the model: {ours}")))
        })
    });
    match outcome {
        Ok(()) => {
            println!("{cases} cases, all agree");
            ExitCode::SUCCESS
        }
        Err(TestError::Fail(why, case)) => {
            println!("{why}\n{case:#x?}");
            ExitCode::from(1)
        }
        Err(TestError::Abort(why)) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}
