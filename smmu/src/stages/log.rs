//! What is written down of a translation's way through the stages, for somebody who asks why.

use crate::tlb::{Table, Translation};
use passim_model::PhysAddr;
use passim_model::pgtable::vmsav8::Stage;
use passim_model::pgtable::walk::{Config, Leaf};

/// What is written down of a translation on its way. Nothing, unless somebody looks.
pub(crate) trait Log {
    /// A translation was found in the TLB.
    #[inline(always)]
    fn hit(&mut self, _stage: Stage, _entry: &Translation) {}
    /// A walk of these tables begins.
    #[inline(always)]
    fn walk(&mut self, _tables: &Config) {}
    /// A descriptor was read; `ipa`: where it lies before stage 2.
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
    /// A walk starts at a table that was remembered.
    #[inline(always)]
    fn table(&mut self, _stage: Stage, _table: &Table) {}
    /// A walk came to a leaf.
    #[inline(always)]
    fn leaf(&mut self, _stage: Stage, _leaf: &Leaf) {}
}

/// Writes nothing down.
pub(crate) struct Silent;

impl Log for Silent {}
