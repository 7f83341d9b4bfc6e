//! Descriptor updates by translations (HTTU).

use crate::regime::Endian;
use passim_model::PhysAddr;
use passim_model::pgtable::vmsav8::Stage1Leaf;

/// A descriptor update: the bits to set and to clear, in memory byte order. IHI 0070 G.b 3.13: the
/// update is atomic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FlagWrite {
    pub(crate) at: PhysAddr,
    pub(crate) set: u64,
    pub(crate) clear: u64,
}

/// The update of a stage-1 leaf that an access requires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Marking {
    /// The leaf.
    pub(super) at: PhysAddr,
    /// Its access flag is to be set.
    pub(super) accessed: bool,
    /// It is to be made writable, with the access flag.
    pub(super) dirty: bool,
}

impl Marking {
    /// The whole update.
    pub(super) fn whole(self, order: Endian) -> FlagWrite {
        let clear = if self.dirty { Stage1Leaf::AP_READ_ONLY.mask() } else { 0 };
        let set = order.read(Stage1Leaf::AF.mask());
        FlagWrite { at: self.at, set, clear: order.read(clear) }
    }

    /// The update of the access flag alone, if required, for an access that will not write.
    pub(super) fn accessed(self, order: Endian) -> Option<FlagWrite> {
        let set = order.read(Stage1Leaf::AF.mask());
        self.accessed.then_some(FlagWrite { at: self.at, set, clear: 0 })
    }
}
