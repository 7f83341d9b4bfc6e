//! The stream table: the address of each stream's STE.
//!
//! Not here: the contents of an STE (`entry`).

use super::entry::{Words, l1_descriptor, shcfg_incoming, ste_of_nobody};
use super::probe::{Features, STRTAB_SPLIT, StreamTableShape};
use super::wire::{Base, StrtabBaseCfg};
use crate::iommu::BootError;
use crate::policy::{Policy, SteUpdate};
use passim_model::{Frames, Host, PageSize, PhysAddr, Span, StreamId};

/// log2 of the bytes of an STE and of a first-level descriptor.
const STE_LG2: u32 = 6;
const L1_LG2: u32 = 3;

/// log2 of the most first-level descriptors: 1 MiB of them.
const L1_ENTRIES_LG2: u32 = 17;

/// Allocates a zeroed frame of `1 << lg2` bytes.
pub(super) fn zeroed_frame(
    lg2: u32,
    frames: &mut Frames,
    host: &mut impl Host,
) -> Result<PhysAddr, BootError> {
    let size = PageSize::from_lg2(lg2).and_then(|size| frames.alloc(size).map(|at| (at, size)));
    let (at, size) = size.ok_or(BootError::NoFrame)?;
    let span = Span::from_size(at, size.bytes()).ok_or(BootError::NoFrame)?;
    host.memory_mut().zero(span)?;
    Ok(at)
}

/// The stream table in memory.
#[derive(Debug)]
pub(super) struct StreamTable {
    base: PhysAddr,
    shape: StreamTableShape,
    sid_bits: u32,
    /// Second levels by first-level index.
    second: Vec<Option<PhysAddr>>,
    nobody: Words,
}

impl StreamTable {
    /// Creates an empty table: every stream is unattached.
    pub(super) fn new(
        features: &Features,
        policy: &Policy,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Self, BootError> {
        let shape = features.stream_table;
        let (lg2, second) = match shape {
            StreamTableShape::Linear => (features.sid_bits + STE_LG2, 0),
            StreamTableShape::TwoLevel => {
                let entries = (features.sid_bits - STRTAB_SPLIT).min(L1_ENTRIES_LG2);
                (entries + L1_LG2, 1 << entries)
            }
        };
        let base = zeroed_frame(lg2, frames, host)?;
        let table = Self {
            base,
            shape,
            sid_bits: features.sid_bits,
            second: vec![None; second],
            nobody: initial_ste(policy),
        };
        if shape == StreamTableShape::Linear {
            table.fill_with_nobody(base, features.sid_bits, host)?;
        }
        Ok(table)
    }

    /// STRTAB_BASE and STRTAB_BASE_CFG.
    pub(super) fn registers(&self) -> (u64, u64) {
        let base = self.base.get() | Base::RWA.of(1);
        let config = match self.shape {
            StreamTableShape::Linear => StrtabBaseCfg::LOG2SIZE.of(self.sid_bits.into()),
            StreamTableShape::TwoLevel => {
                StrtabBaseCfg::FMT.of(1)
                    | StrtabBaseCfg::SPLIT.of(STRTAB_SPLIT.into())
                    | StrtabBaseCfg::LOG2SIZE.of(u64::from(self.resolved_bits()))
            }
        };
        (base, config)
    }

    /// StreamID bits the two levels resolve.
    fn resolved_bits(&self) -> u32 {
        self.second.len().trailing_zeros() + STRTAB_SPLIT
    }

    /// Allocates the STE of `stream`.
    pub(super) fn prepare(
        &mut self,
        stream: StreamId,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        let bits = match self.shape {
            StreamTableShape::Linear => self.sid_bits,
            StreamTableShape::TwoLevel => self.resolved_bits(),
        };
        let number = u64::from(stream.get());
        if number >> bits != 0 {
            return Err(BootError::StreamOutOfRange(stream));
        }
        if self.shape == StreamTableShape::Linear {
            return Ok(());
        }
        let index = number >> STRTAB_SPLIT;
        if self.second[index as usize].is_none() {
            let table = zeroed_frame(STRTAB_SPLIT + STE_LG2, frames, host)?;
            self.fill_with_nobody(table, STRTAB_SPLIT, host)?;
            let descriptor = PhysAddr::new(self.base.get() + (index << L1_LG2));
            host.memory_mut().store_u64(descriptor, l1_descriptor(table, STRTAB_SPLIT))?;
            self.second[index as usize] = Some(table);
        }
        Ok(())
    }

    /// The address of the STE of a stream that was [prepared](Self::prepare).
    pub(super) fn ste(&self, stream: StreamId) -> PhysAddr {
        let number = u64::from(stream.get());
        let (table, index) = match self.shape {
            StreamTableShape::Linear => (self.base, number),
            StreamTableShape::TwoLevel => {
                let second = self.second[(number >> STRTAB_SPLIT) as usize];
                let table = second.expect("a device's streams are prepared before it is attached");
                (table, number & ((1 << STRTAB_SPLIT) - 1))
            }
        };
        PhysAddr::new(table.get() + (index << STE_LG2))
    }

    /// Fills `1 << lg2` STEs at `table` with those of unattached streams.
    fn fill_with_nobody(
        &self,
        table: PhysAddr,
        lg2: u32,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        for index in 0..1u64 << lg2 {
            let at = PhysAddr::new(table.get() + (index << STE_LG2));
            host.memory_mut().words_mut(at, 8)?.copy_from_slice(&self.nobody);
        }
        Ok(())
    }
}

/// The STE of a stream that was never attached.
fn initial_ste(policy: &Policy) -> Words {
    let second = match policy.ste_update {
        SteUpdate::Break => shcfg_incoming(),
        SteUpdate::Hitless => 0,
    };
    [ste_of_nobody(policy.smmu3_unattached), second, 0, 0, 0, 0, 0, 0]
}
