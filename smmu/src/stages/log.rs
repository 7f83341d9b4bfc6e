//! Records the steps of a translation through the stages, for explanations.

use crate::tlb::{Table, Translation};
use passim_model::PhysAddr;
use passim_model::pgtable::vmsav8::Stage;
use passim_model::pgtable::walk::{Config, Leaf};

/// Records the steps of a translation. By default it records nothing.
pub(crate) trait Log {
    /// A translation was found in the TLB.
    #[inline(always)]
    fn hit(&mut self, _stage: Stage, _entry: &Translation) {}
    /// A walk of these tables begins.
    #[inline(always)]
    fn walk(&mut self, _tables: &Config) {}
    /// A descriptor was read; `ipa`: its address before stage 2.
    #[inline(always)]
    fn descriptor(
        &mut self,
        _stage: Stage,
        _level: i8,
        _ipa: Option<u64>,
        _at: PhysAddr,
        _word: u64,
    ) {
    }
    /// A walk starts at a cached table.
    #[inline(always)]
    fn table(&mut self, _stage: Stage, _table: &Table) {}
    /// A walk reached a leaf.
    #[inline(always)]
    fn leaf(&mut self, _stage: Stage, _leaf: &Leaf) {}
}

/// Records nothing.
pub(crate) struct Silent;

impl Log for Silent {}
