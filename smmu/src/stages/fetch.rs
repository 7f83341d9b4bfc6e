//! Fetches descriptors from memory, directly or through stage 2. On the way it sets the access
//! flags of tables and fills the walk cache.

use super::{About, FlagWrite, Refusal, Stages};
use crate::regime::{Endian, FlagUpdates, Stage2};
use crate::stages::Log;
use crate::tlb::{Behind, SpaceId, Table, Tlb};
use passim_model::bits::Field;
use passim_model::pgtable::vmsav8::{Granule, Stage, Stage1Leaf, Stage2Leaf};
use passim_model::pgtable::walk::{Below, Fetch};
use passim_model::{Abort, Memory, PhysAddr};

/// Where the tables of a walk are cached.
#[derive(Clone, Copy)]
pub(super) struct Trail {
    space: SpaceId,
    input: u64,
    granule: Granule,
}

impl Trail {
    /// The trail of a walk for `input`, if the TLB keeps tables.
    #[inline]
    pub(super) fn of(tlb: &Tlb, space: SpaceId, input: u64, granule: Granule) -> Option<Self> {
        tlb.keeps_tables().then_some(Self { space, input, granule })
    }

    /// Caches a table that the walk reached.
    fn leave(self, tlb: &mut Tlb, below: Below, behind: Option<Behind>) {
        let Self { space, input, granule } = self;
        tlb.insert_table(space, input, Table { granule, below, behind });
    }
}

/// What is updated in the descriptors of tables.
#[derive(Clone, Copy)]
pub(super) struct Flags {
    pub(super) updates: FlagUpdates,
    pub(super) stage: Stage,
}

impl Flags {
    /// The access flag, if it has to be set in a table's descriptor. IHI 0070 G.b 3.13.6.
    #[inline]
    fn missing(self, below: &Below) -> Option<Field> {
        let flag = match self.stage {
            Stage::One => Stage1Leaf::AF,
            Stage::Two => Stage2Leaf::AF,
        };
        (self.updates.tables && !flag.is_set(below.descriptor)).then_some(flag)
    }
}

/// Descriptors at physical addresses; none is updated, and no table is cached.
pub(super) struct Bare<'a, L> {
    pub(super) memory: &'a Memory,
    pub(super) log: &'a mut L,
    pub(super) order: Endian,
    pub(super) stage: Stage,
}

impl<L: Log> Fetch for Bare<'_, L> {
    type Fault = Abort;

    #[inline(always)]
    fn fetch(&mut self, at: u64, level: i8) -> Result<u64, Abort> {
        let at = PhysAddr::new(at);
        let word = self.order.read(self.memory.load_u64(at)?);
        self.log.descriptor(self.stage, level, None, at, word);
        Ok(word)
    }

    fn fetch_short(&mut self, at: u64, level: i8) -> Result<u32, Abort> {
        let physical = PhysAddr::new(at);
        let word = self.order.read_short(self.memory.load_u64(physical)?, at);
        self.log.descriptor(self.stage, level, None, physical, u64::from(word));
        Ok(word)
    }
}

/// Descriptors at physical addresses.
pub(super) struct Physical<'a, 'b, L> {
    pub(super) stages: &'a mut Stages<'b, L>,
    pub(super) order: Endian,
    pub(super) flags: Flags,
    pub(super) trail: Option<Trail>,
}

impl<L: Log> Fetch for Physical<'_, '_, L> {
    type Fault = Abort;

    #[inline(always)]
    fn fetch(&mut self, at: u64, level: i8) -> Result<u64, Abort> {
        let at = PhysAddr::new(at);
        let word = self.order.read(self.stages.memory.load_u64(at)?);
        self.stages.log.descriptor(self.flags.stage, level, None, at, word);
        Ok(word)
    }

    fn fetch_short(&mut self, at: u64, level: i8) -> Result<u32, Abort> {
        let physical = PhysAddr::new(at);
        let word = self.order.read_short(self.stages.memory.load_u64(physical)?, at);
        self.stages.log.descriptor(self.flags.stage, level, None, physical, u64::from(word));
        Ok(word)
    }

    #[inline(always)]
    fn descend(&mut self, at: u64, below: Below) -> Result<(), Abort> {
        if let Some(flag) = self.flags.missing(&below) {
            let set = self.order.read(flag.mask());
            self.stages.writes.push(FlagWrite { at: PhysAddr::new(at), set, clear: 0 });
        }
        if let Some(trail) = self.trail {
            trail.leave(self.stages.tlb, below, None);
        }
        Ok(())
    }
}

/// Stage-1 descriptors at intermediate addresses.
pub(super) struct Nested<'a, 'b, L> {
    pub(super) stages: &'a mut Stages<'b, L>,
    pub(super) stage2: &'a Stage2,
    pub(super) order: Endian,
    pub(super) flags: Flags,
    pub(super) trail: Option<Trail>,
    /// The current table, if it is not the first, and the cached translation of its page.
    pub(super) at: Option<(Below, Option<Behind>)>,
}

impl<L: Log> Nested<'_, '_, L> {
    /// The physical address of a descriptor: cached with its table, or else translated by stage 2
    /// and then cached.
    fn physical(&mut self, ipa: u64) -> Result<PhysAddr, NestedFault> {
        let known = self.at.and_then(|(_, behind)| behind?.physical(ipa));
        if let Some(known) = known {
            return Ok(known);
        }
        let found = self.stages.read_through(self.stage2, ipa, About::Table);
        let (at, lg2) = found.map_err(NestedFault::Refused)?;
        if let (Some(trail), Some((below, _))) = (self.trail, self.at) {
            let behind = Some(Behind { ipa, at, lg2 });
            trail.leave(self.stages.tlb, below, behind);
            self.at = Some((below, behind));
        }
        Ok(at)
    }
}

pub(super) enum NestedFault {
    Refused(Refusal),
    Abort(Abort),
}

impl<L: Log> Fetch for Nested<'_, '_, L> {
    type Fault = NestedFault;

    fn fetch(&mut self, at: u64, level: i8) -> Result<u64, NestedFault> {
        let physical = self.physical(at)?;
        let word = self.stages.memory.load_u64(physical).map_err(NestedFault::Abort)?;
        let word = self.order.read(word);
        self.stages.log.descriptor(Stage::One, level, Some(at), physical, word);
        Ok(word)
    }

    fn fetch_short(&mut self, at: u64, level: i8) -> Result<u32, NestedFault> {
        let physical = self.physical(at)?;
        let word = self.stages.memory.load_u64(physical).map_err(NestedFault::Abort)?;
        let word = self.order.read_short(word, at);
        self.stages.log.descriptor(Stage::One, level, Some(at), physical, u64::from(word));
        Ok(word)
    }

    fn descend(&mut self, at: u64, below: Below) -> Result<(), NestedFault> {
        if let Some(flag) = self.flags.missing(&below) {
            let physical = self.stages.write_through(self.stage2, at);
            let at = physical.map_err(NestedFault::Refused)?;
            let set = self.order.read(flag.mask());
            self.stages.writes.push(FlagWrite { at, set, clear: 0 });
        }
        if let Some(trail) = self.trail {
            trail.leave(self.stages.tlb, below, None);
        }
        self.at = Some((below, None));
        Ok(())
    }
}

/// Fetches CDs and their tables, through stage 2 if there is one.
pub(crate) struct ConfigThroughStages<'a, L> {
    pub(crate) stages: Stages<'a, L>,
    pub(crate) stage2: Option<&'a Stage2>,
    /// Bits of an address before stage 2.
    pub(crate) bits: u32,
}

impl<L: Log> ConfigThroughStages<'_, L> {
    /// The physical address of `at`.
    pub(crate) fn physical(&mut self, at: u64) -> Result<PhysAddr, Refusal> {
        match self.stage2 {
            None => Ok(PhysAddr::new(at)),
            Some(stage2) => Ok(self.stages.read_through(stage2, at, About::Context)?.0),
        }
    }
}
