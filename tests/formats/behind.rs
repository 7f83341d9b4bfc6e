//! Tables behind an SMMU: the suite makes a device's accesses, and sees only what a device sees.

use crate::suite::{Answer, Format};
use passim_model::{Access, Memory, Perms};
use std::fmt::Debug;

/// An SMMU that reads tables of one shape.
pub(crate) trait Reader: Debug {
    /// The shape.
    type Shape: Format;

    fn shape(&self) -> &Self::Shape;

    /// The result of an access; `None` where its kind is not permitted, without a reason.
    fn ask(&self, memory: &Memory, root: u64, input: u64, access: Access) -> Option<Answer>;

    /// Writes everything else that it reads to memory.
    fn prepare(&self, _memory: &mut Memory, _root: u64) {}

    /// Drops the parts of an answer that it cannot report.
    fn as_told(answer: Answer) -> Answer {
        answer
    }
}

/// A shape, accessed through an SMMU.
#[derive(Debug)]
pub(crate) struct Behind<R>(pub(crate) R);

/// An instruction fetch.
const FETCH: Access = Access { instruction: true, ..Access::READ };

/// The answer for a leaf without permissions: the SMMU does not report its output.
const CLOSED: Answer = Answer::Leaf { output: 0, size: 0, perms: Perms::empty() };

impl<R: Reader> Format for Behind<R> {
    fn levels(&self) -> (i8, i8) {
        self.0.shape().levels()
    }

    fn input_bits(&self) -> u32 {
        self.0.shape().input_bits()
    }

    fn entry_lg2(&self, level: i8) -> u32 {
        self.0.shape().entry_lg2(level)
    }

    fn word_lg2(&self) -> u32 {
        self.0.shape().word_lg2()
    }

    fn table_lg2(&self) -> u32 {
        self.0.shape().table_lg2()
    }

    fn table(&self, level: i8, at: u64) -> u64 {
        self.0.shape().table(level, at)
    }

    fn kinds(&self, level: i8, seed: u64) -> Vec<u64> {
        self.0.shape().kinds(level, seed)
    }

    fn put(&self, memory: &mut Memory, at: u64, entry: u64) {
        self.0.shape().put(memory, at, entry);
    }

    fn prepare(&self, memory: &mut Memory, root: u64) {
        self.0.prepare(memory, root);
    }

    /// An SMMU takes longer than a walk.
    fn every(&self) -> u64 {
        29
    }

    fn hardware(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        let kinds = [Access::READ, Access::WRITE, FETCH];
        kinds.into_iter().find_map(|kind| self.0.ask(memory, root, input, kind)).unwrap_or(CLOSED)
    }

    fn oracle(&self, memory: &Memory, root: u64, input: u64) -> Answer {
        match self.0.shape().oracle(memory, root, input) {
            Answer::Leaf { perms, .. } if perms.is_empty() => CLOSED,
            answer => R::as_told(answer),
        }
    }
}

/// The SMMU's output for an access.
pub(crate) fn leaf(found: &passim_smmu::v3::Translated) -> Answer {
    Answer::Leaf { output: found.pa.get(), size: 1 << found.lg2, perms: found.perms }
}
