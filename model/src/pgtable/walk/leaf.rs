//! The end of a walk: a leaf's descriptor, decoded.

use super::{Config, Fault, Format, permissions};
use crate::Perms;
use crate::pgtable::vmsav8::{Stage, Stage1Leaf, Stage2Leaf};

/// What a completed walk found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Leaf {
    /// First byte of the block, in the stage's output space.
    pub output: u64,
    /// log2 of the block's size in bytes (contiguous hint not counted).
    pub lg2: u32,
    /// Level of the leaf descriptor.
    pub level: u8,
    /// The descriptor as read.
    pub descriptor: u64,
    /// Where it was read, in the stage's output space.
    pub at: u64,
    /// The contiguous hint.
    pub contiguous: bool,
    /// Access flag.
    pub accessed: bool,
    /// Writable only because hardware manages the dirty state: a write has to mark the descriptor.
    pub clean: bool,
    /// nG: entries are tagged with the ASID. Never at stage 2.
    pub not_global: bool,
    /// What unprivileged accesses may do (stage 2: all data accesses, unprivileged instruction
    /// fetches), hierarchical limits applied.
    pub unprivileged: Perms,
    /// What privileged accesses may do.
    pub privileged: Perms,
    /// What accesses may do in a regime with only one privilege (any-EL2, EL3): AP\[1\] acts as 1,
    /// PXN has no effect. Stage 2: as `unprivileged`.
    pub undivided: Perms,
}

impl Leaf {
    /// The output address of `input`, which the block translates.
    #[inline]
    pub const fn translate(&self, input: u64) -> u64 {
        self.output | input & ((1 << self.lg2) - 1)
    }
}

/// A leaf descriptor that a walk reached, not yet decoded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Found {
    /// As [`Leaf::output`].
    pub output: u64,
    /// As [`Leaf::lg2`].
    pub lg2: u32,
    /// As [`Leaf::level`].
    pub level: u8,
    /// As [`Leaf::descriptor`].
    pub descriptor: u64,
    /// As [`Leaf::at`].
    pub at: u64,
    /// The table descriptors passed, combined by `|`.
    pub limits: u64,
}

impl Found {
    /// Decodes the descriptor, under the limits of the tables above it.
    ///
    /// # Errors
    /// The access flag is clear, and that faults.
    #[inline(always)]
    pub fn leaf<F>(self, config: &Config) -> Result<Leaf, Fault<F>> {
        let Self { output, lg2, level, descriptor, at, limits } = self;
        let limits = if config.hierarchical { limits } else { 0 };
        let (accessed, contiguous) = match config.stage {
            Stage::One => (Stage1Leaf::AF, Stage1Leaf::CONTIGUOUS),
            Stage::Two => (Stage2Leaf::AF, Stage2Leaf::CONTIGUOUS),
        };
        if config.access_flag_faults && !accessed.is_set(descriptor) {
            return Err(Fault::AccessFlag { level: level as i8 });
        }
        let (dirty, clean) = match config.dirty_state {
            true => marked_dirty(config.stage, descriptor),
            false => (descriptor, false),
        };
        let perms = match (config.stage, config.format) {
            (Stage::One, Format::Long) => permissions::stage1_aarch32(dirty, limits),
            (Stage::One, _) => permissions::stage1(dirty, limits),
            // DDI 0487 D8.3: stage 2 table descriptors limit nothing.
            (Stage::Two, _) => permissions::stage2(dirty),
        };
        Ok(Leaf {
            output,
            lg2,
            level,
            descriptor,
            at,
            contiguous: contiguous.is_set(descriptor),
            accessed: accessed.is_set(descriptor),
            clean,
            not_global: config.stage == Stage::One && Stage1Leaf::NG.is_set(descriptor),
            unprivileged: perms.unprivileged,
            privileged: perms.privileged,
            undivided: perms.undivided,
        })
    }
}

/// A leaf's descriptor after a write, where hardware manages the dirty state, and whether it
/// differs from the present one.
// DDI 0487 D8.4, IHI 0070 3.13.3.1: with DBM set, AP[2] (stage 1) or S2AP[1] (stage 2) means clean.
#[inline]
pub const fn marked_dirty(stage: Stage, descriptor: u64) -> (u64, bool) {
    match stage {
        Stage::One if Stage1Leaf::DBM.is_set(descriptor) => {
            let clean = Stage1Leaf::AP_READ_ONLY.is_set(descriptor);
            (descriptor & !Stage1Leaf::AP_READ_ONLY.mask(), clean)
        }
        Stage::Two if Stage2Leaf::DBM.is_set(descriptor) => {
            let clean = !Stage2Leaf::S2AP_WRITE.is_set(descriptor);
            (descriptor | Stage2Leaf::S2AP_WRITE.mask(), clean)
        }
        Stage::One | Stage::Two => (descriptor, false),
    }
}
