//! What translations update in descriptors (HTTU).

use crate::regime::Endian;
use passim_model::PhysAddr;
use passim_model::pgtable::vmsav8::Stage1Leaf;

/// A change of a descriptor that a translation makes: bits set and cleared as they lie in memory.
/// IHI 0070 G.b 3.13: the update is atomic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FlagWrite {
    pub(crate) at: PhysAddr,
    pub(crate) set: u64,
    pub(crate) clear: u64,
}

/// What an access has to update in a stage 1 leaf.
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
    /// All of it, in one update.
    pub(super) fn whole(self, order: Endian) -> FlagWrite {
        let clear = if self.dirty { Stage1Leaf::AP_READ_ONLY.mask() } else { 0 };
        let set = order.read(Stage1Leaf::AF.mask());
        FlagWrite { at: self.at, set, clear: order.read(clear) }
    }

    /// The access flag, if it is to be set: what is left where nothing will be written.
    pub(super) fn accessed(self, order: Endian) -> Option<FlagWrite> {
        let set = order.read(Stage1Leaf::AF.mask());
        self.accessed.then_some(FlagWrite { at: self.at, set, clear: 0 })
    }
}
