//! The model's board.

use super::play::Board;
use passim::op::Op;
use passim::run::Runner;

/// A bare machine with the preset `qemu`, driven by operations of scenarios.
pub(crate) struct Model {
    runner: Runner,
}

impl Model {
    pub(crate) fn new() -> Self {
        let mut model = Self { runner: Runner::new() };
        model.ask("bare plain-its gic=qemu");
        model
    }

    fn ask(&mut self, line: &str) -> String {
        let op = Op::parse("qemu", line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let answer = self.runner.perform(&op);
        answer.unwrap_or_else(|error| panic!("{line}: {}", error.message)).join("\n")
    }

    fn number(&mut self, line: &str) -> u64 {
        let answer = self.ask(line);
        let digits = answer.split(' ').next().and_then(|word| word.strip_prefix("0x"));
        let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        number.unwrap_or_else(|| panic!("{line}: {answer}"))
    }
}

impl Board for Model {
    fn store(&mut self, at: u64, size: u64, value: u64) {
        self.ask(&format!("store at={at:#x} size={size} value={value:#x}"));
        self.ask("settle");
    }

    fn load(&mut self, at: u64, size: u64) -> u64 {
        self.number(&format!("load at={at:#x} size={size}"))
    }

    fn put(&mut self, at: u64, words: &[u64]) {
        for (at, word) in (at..).step_by(8).zip(words) {
            self.ask(&format!("poke-phys at={at:#x} value={word:#x}"));
        }
    }

    fn words(&mut self, at: u64, count: usize) -> Vec<u64> {
        let places = (at..).step_by(8).take(count);
        places.map(|at| self.number(&format!("peek-phys at={at:#x}"))).collect()
    }

    fn message(&mut self, event: u64) {
        self.ask(&format!("message device=8 event={event}"));
    }
}
