//! An SMMU on the board, of either kind, and the outcomes of transactions.

use passim_model::{Effect, Memory, Width};
use passim_smmu::v3::Progress;
pub(super) use passim_smmu::v3::{Transaction, Translated};
use passim_smmu::{SmmuV2, SmmuV3, v2, v3};

/// An SMMU.
pub enum Smmu {
    /// SMMUv3.
    V3(Box<SmmuV3>),
    /// SMMUv2 or SMMUv1.
    V2(Box<SmmuV2>),
}

/// The outcome of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// It is translated and continues.
    Translated(Translated),
    /// It ends.
    Terminated(Terminated),
    /// It is stalled until software resumes or terminates it.
    Stalled(Stalled),
}

/// A transaction that ends at an SMMU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Terminated {
    /// At an SMMUv3.
    V3(v3::Terminated),
    /// At an SMMUv2.
    V2(v2::Terminated),
}

/// A transaction that is stalled at an SMMU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Stalled {
    /// At an SMMUv3.
    V3(v3::Stalled),
    /// At an SMMUv2.
    V2(v2::Stalled),
}

/// The explanation of a translation, from an SMMU of either kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Explained {
    /// By an SMMUv3.
    V3(v3::Explanation),
    /// By an SMMUv2.
    V2(v2::Explanation),
}

impl From<v3::Outcome> for Outcome {
    fn from(outcome: v3::Outcome) -> Self {
        match outcome {
            v3::Outcome::Translated(translated) => Self::Translated(translated),
            v3::Outcome::Terminated(terminated) => Self::Terminated(Terminated::V3(terminated)),
            v3::Outcome::Stalled(stalled) => Self::Stalled(Stalled::V3(stalled)),
        }
    }
}

impl From<v2::Outcome> for Outcome {
    fn from(outcome: v2::Outcome) -> Self {
        match outcome {
            v2::Outcome::Translated(translated) => Self::Translated(translated),
            v2::Outcome::Terminated(terminated) => Self::Terminated(Terminated::V2(terminated)),
            v2::Outcome::Stalled(stalled) => Self::Stalled(Stalled::V2(stalled)),
        }
    }
}

impl From<SmmuV3> for Smmu {
    fn from(smmu: SmmuV3) -> Self {
        Self::V3(Box::new(smmu))
    }
}

impl From<SmmuV2> for Smmu {
    fn from(smmu: SmmuV2) -> Self {
        Self::V2(Box::new(smmu))
    }
}

impl Smmu {
    /// The SMMUv3; `None` for the other kind.
    pub fn v3(&self) -> Option<&SmmuV3> {
        match self {
            Self::V3(smmu) => Some(smmu),
            Self::V2(_) => None,
        }
    }

    /// The SMMUv3, mutable; `None` for the other kind.
    #[inline]
    pub fn v3_mut(&mut self) -> Option<&mut SmmuV3> {
        match self {
            Self::V3(smmu) => Some(smmu),
            Self::V2(_) => None,
        }
    }

    /// A CPU loads a register.
    pub(super) fn load(&mut self, offset: u64, width: Width) -> u64 {
        match self {
            Self::V3(smmu) => smmu.load(offset, width),
            Self::V2(smmu) => smmu.load(offset, width),
        }
    }

    /// A CPU stores to a register.
    pub(super) fn store(&mut self, offset: u64, width: Width, value: u64, memory: &mut Memory) {
        match self {
            Self::V3(smmu) => smmu.store(offset, width, value, memory),
            Self::V2(smmu) => smmu.store(offset, width, value, memory),
        }
    }

    /// Does one unit of pending work.
    pub(super) fn step(&mut self, memory: &mut Memory) -> Progress {
        match self {
            Self::V3(smmu) => smmu.step(memory),
            Self::V2(smmu) => smmu.step(memory),
        }
    }

    /// Whether it has effects to perform.
    #[inline]
    pub(super) fn has_effects(&self) -> bool {
        match self {
            Self::V3(smmu) => smmu.has_effects(),
            Self::V2(smmu) => smmu.has_effects(),
        }
    }

    /// Takes its effects.
    pub(super) fn take_effects(&mut self) -> Vec<Effect> {
        match self {
            Self::V3(smmu) => smmu.take_effects(),
            Self::V2(smmu) => smmu.take_effects(),
        }
    }

    /// Reports that the message with this tag was aborted. An SMMUv2 has wires, which cannot be
    /// aborted.
    pub(super) fn message_aborted(&mut self, tag: u32) {
        match self {
            Self::V3(smmu) => smmu.message_aborted(tag),
            Self::V2(_) => {}
        }
    }

    /// Empties its caches.
    pub(super) fn clear_caches(&mut self) {
        match self {
            Self::V3(smmu) => smmu.clear_caches(),
            Self::V2(smmu) => smmu.clear_caches(),
        }
    }

    /// Explains the translation of a transaction. No state changes.
    pub fn explain(&self, memory: &Memory, transaction: &Transaction) -> Explained {
        match self {
            Self::V3(smmu) => Explained::V3(smmu.explain(memory, transaction)),
            Self::V2(smmu) => Explained::V2(smmu.explain(memory, transaction)),
        }
    }

    /// Translates a transaction, and records faults.
    pub fn translate(&mut self, memory: &mut Memory, transaction: &Transaction) -> Outcome {
        match self {
            Self::V3(smmu) => smmu.translate(memory, transaction).into(),
            Self::V2(smmu) => smmu.translate(memory, transaction).into(),
        }
    }
}
