//! Translates addresses through stage 1 and stage 2: TLB, walk, permissions.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `entry` | which TLB entry does a leaf make, or a leaf of each stage? |
//! | `fetch` | where is a descriptor, and what does reading it change? |
//! | `first` | what does an address translation operation find at stage 1? |
//! | `log` | which steps of a translation does an explanation record? |
//! | `marking` | what does a translation update in descriptors? |
//! | `judging` | does a translation permit the access? |
//! | `refusal` | why was an address not translated? |
//!
//! Not here: how a stream finds its regime, and how a fault is reported; SMMUv2 and SMMUv3 do both
//! differently.

mod entry;
mod fetch;
mod first;
mod judging;
mod log;
mod marking;
mod refusal;

pub(crate) use entry::entry_of;
pub(crate) use fetch::ConfigThroughStages;
pub(crate) use log::{Log, Silent};
pub(crate) use marking::FlagWrite;
pub(crate) use refusal::{About, Kind, Refusal};

use crate::attributes::Attributes;
use crate::choice::Overlap;
use crate::progress::Counters;
use crate::regime::{Half, Regime, Stage1, Stage2, Unprivileged, granted};
use crate::tlb::{Retention, SpaceId, Table, Tlb, Translation};
use crate::transaction::{Path, Translated};
use entry::{combine, low_bits};
use fetch::{Bare, Flags, Nested, NestedFault, Physical, Trail};
use judging::{judge, must_mark};
use marking::Marking;
use passim_model::access::{Access, Perms, Privilege};
use passim_model::pgtable::vmsav8::{LAST_LEVEL, Stage, Stage1Leaf, Stage2Leaf};
use passim_model::pgtable::walk::{self, Fault, Fetch, Leaf};
use passim_model::{Abort, Memory, PhysAddr};
use refusal::{at_stage1, at_stage2, of_walk};

/// How translations are cached.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Caching {
    pub(crate) overlap: Overlap,
    pub(crate) retention: Retention,
    /// Whether a block with nT set is not cached. IHI 0070 G.b 3.21.1.2.
    pub(crate) heeds_nt: bool,
    /// Whether tables are cached.
    pub(crate) keeps_tables: bool,
    /// Whether replacement in the TLB depends on uses.
    pub(crate) counts_tlb_uses: bool,
    /// The same for the caches of STEs and CDs.
    pub(crate) counts_config_uses: bool,
}

impl Caching {
    /// Whether the front cache may answer; the caches behind it then do not see the use.
    #[inline]
    pub(crate) fn has_front(&self) -> bool {
        let counts_uses = self.counts_tlb_uses || self.counts_config_uses;
        self.overlap != Overlap::Detected && !counts_uses && !self.heeds_nt
    }
}

/// Everything translation needs besides the regime.
pub(crate) struct Stages<'a, L> {
    pub(crate) memory: &'a Memory,
    pub(crate) tlb: &'a mut Tlb,
    pub(crate) counters: &'a mut Counters,
    /// Descriptor updates, written after the translation.
    pub(crate) writes: &'a mut Vec<FlagWrite>,
    pub(crate) caching: Caching,
    pub(crate) log: &'a mut L,
}

/// An access, and the attributes it arrives with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Demand {
    pub(crate) access: Access,
    /// Memory attributes before the first stage.
    pub(crate) attributes: Attributes,
}

/// An answer, and the intermediate address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    pub(crate) answer: Translated,
    pub(crate) intermediate: u64,
}

impl<L: Log> Stages<'_, L> {
    /// Translates through stage 1, and through stage 2 if there is one.
    #[inline]
    pub(crate) fn both(
        &mut self,
        stage1: &Stage1,
        stage2: Option<&Stage2>,
        input: u64,
        demand: Demand,
    ) -> Result<Found, Refusal> {
        let refuse = |kind| at_stage1(stage1, kind);
        // IHI 0070 G.b 7.3.22: the range check comes before the walk.
        let Ok((half, address)) = stage1.select(input) else {
            return Err(refuse(Kind::Translation));
        };
        let unprivileged = demand.access.privilege == Privilege::Unprivileged;
        if half.unprivileged == Unprivileged::Refused && unprivileged {
            return Err(refuse(Kind::Translation));
        }
        if self.caching.overlap == Overlap::Detected {
            self.check_stage1(stage1, address)?;
        }
        let regime = Regime { stage1: Some(stage1), stage2 };
        if let Some(found) = self.cached(stage1.space, &regime, address, demand) {
            return found;
        }
        if let Some(found) = self.cached(stage1.global, &regime, address, demand) {
            return found;
        }
        self.counters.tlb_misses += 1;
        // IHI 0070 G.b 5.4.1.1: EPD makes the miss a fault.
        if half.walk.is_none() {
            return Err(refuse(Kind::Translation));
        }
        self.fill(&regime, half, address, demand)
    }

    /// The answer from one stage-1 space of the TLB, if it is cached there.
    #[inline(always)]
    fn cached(
        &mut self,
        space: SpaceId,
        regime: &Regime<'_>,
        address: u64,
        demand: Demand,
    ) -> Option<Result<Found, Refusal>> {
        let entry = self.tlb.lookup(space, address)?;
        if must_mark(&entry, demand.access) {
            return None;
        }
        self.counters.tlb_hits += 1;
        self.log.hit(Stage::One, &entry);
        Some(judge(&entry, regime, address, demand, Path::Hit))
    }

    #[cold]
    fn check_stage1(&self, stage1: &Stage1, address: u64) -> Result<(), Refusal> {
        let spaces = [stage1.space, stage1.global];
        let distinct = if spaces[0] == spaces[1] { &spaces[..1] } else { &spaces[..] };
        let alone = self.tlb.check(distinct, address);
        alone.map_err(|_| Refusal::conflict(Stage::One, None))
    }

    /// Walks after a first-stage miss, caches the translation and checks its permissions.
    fn fill(
        &mut self,
        regime: &Regime<'_>,
        half: &Half,
        address: u64,
        demand: Demand,
    ) -> Result<Found, Refusal> {
        let (Some(stage1), Some(walk)) = (regime.stage1, &half.walk) else {
            unreachable!("a first-stage miss has a first stage, and tables to walk");
        };
        let access = demand.access;
        let leaf = self.walk_stage1(stage1, regime.stage2, walk, address)?;
        self.log.leaf(Stage::One, &leaf);
        let (unprivileged, privileged) = stage1.permissions(&leaf);
        let perms = [unprivileged, privileged];
        let mut entry = entry_of(self.caching.retention, &leaf, walk, address, perms);
        entry.attributes = stage1.attributes(half, &leaf);
        let perms = granted(access, unprivileged, privileged);
        let permitted = perms.contains(access.needs());
        let mut kept = self.keeps(&leaf);
        if let Some(stage2) = regime.stage2 {
            // IHI 0070 G.b 7.3.22: the permission of stage 1 comes before stage 2.
            if !permitted {
                let refusal = at_stage1(stage1, Kind::Permission);
                return Err(Refusal { level: Some(leaf.level as i8), ..refusal });
            }
            let ipa = entry.intermediate | address & low_bits(entry.lg2);
            let marking = self.marking(regime, &leaf, access, permitted)?;
            let second = self.final_stage2(stage2, ipa, access).inspect_err(|_| {
                // IHI 0070 G.b 3.13.2: the leaf was fetched, so its access flag is set although
                // stage 2 refuses.
                self.writes.extend(marking.and_then(|marking| marking.accessed(stage1.endian)));
            });
            let second = second?;
            self.writes.extend(marking.map(|marking| marking.whole(stage1.endian)));
            // Only here is the write certain, and may mark the stage-2 leaf dirty.
            let second = match must_mark(&second, access) {
                true => self.stage2(stage2, ipa, About::Input, true)?,
                false => second,
            };
            combine(&mut entry, &second, address, ipa);
            kept &= !self.caching.heeds_nt || self.tlb.lookup(stage2.space, ipa).is_some();
            entry.attributes = stage2.attributes(entry.attributes, &second.leaf);
        } else {
            let marking = self.marking(regime, &leaf, access, permitted)?;
            self.writes.extend(marking.map(|marking| marking.whole(stage1.endian)));
        }
        if leaf.clean && !(access.is_write() && permitted) {
            entry.stage1.iter_mut().for_each(|perms| perms.remove(Perms::WRITE));
            entry.clean = true;
        }
        // IHI 0070 G.b 3.13.2: an entry is cached only if its access flag is set in memory as well.
        if kept && (permitted || leaf.accessed || !stage1.updates.access) {
            let space = if leaf.not_global { stage1.space } else { stage1.global };
            self.tlb.insert(space, &entry);
        }
        judge(&entry, regime, address, demand, Path::Walk)
    }

    /// Walks stage 1 to its leaf.
    #[inline(always)]
    fn walk_stage1(
        &mut self,
        stage1: &Stage1,
        stage2: Option<&Stage2>,
        walk: &walk::Config,
        address: u64,
    ) -> Result<Leaf, Refusal> {
        self.counters.walks += 1;
        let input = address & !(u64::MAX << walk.input_bits);
        self.log.walk(walk);
        let start = self.tlb.table(stage1.space, address);
        if let Some(table) = &start {
            self.log.table(Stage::One, table);
        }
        let trail = Trail::of(self.tlb, stage1.space, address, walk.granule);
        let order = stage1.endian;
        let flags = Flags { updates: stage1.updates, stage: Stage::One };
        match stage2 {
            None => {
                // The common walk caches no table and updates no table descriptor: it takes a
                // faster source.
                let found = if trail.is_none() && !stage1.updates.tables {
                    let (memory, log) = (self.memory, &mut *self.log);
                    let mut source = Bare { memory, log, order, stage: Stage::One };
                    walk::walk(walk, input, &mut source)
                } else {
                    let mut source = Physical { stages: self, order, flags, trail };
                    from(start, walk, input, &mut source)
                };
                found.map_err(|fault| match fault {
                    Fault::Fetch { level, at, cause } => Refusal::aborted(stage1, level, at, cause),
                    other => of_walk(stage1, &other),
                })
            }
            Some(stage2) => {
                let at = start.map(|table| (table.below, table.behind));
                let mut source = Nested { stages: self, stage2, order, flags, trail, at };
                let found = from(start, walk, input, &mut source);
                found.map_err(|fault| match fault {
                    Fault::Fetch { cause: NestedFault::Refused(refusal), .. } => refusal,
                    Fault::Fetch { level, at, cause: NestedFault::Abort(abort) } => {
                        Refusal::aborted(stage1, level, at, abort)
                    }
                    other => of_walk(stage1, &other),
                })
            }
        }
    }

    /// The update of a stage-1 leaf that a permitted access requires; stage 2 must permit the
    /// update.
    ///
    /// If stage 1 refuses the access, nothing is updated: IHI 0070 G.b 3.13.2 leaves that open.
    /// 7.3.22: a stage-2 fault on a table precedes one on the output address.
    fn marking(
        &mut self,
        regime: &Regime<'_>,
        leaf: &Leaf,
        access: Access,
        permitted: bool,
    ) -> Result<Option<Marking>, Refusal> {
        let Some(stage1) = regime.stage1.filter(|_| permitted) else {
            return Ok(None);
        };
        let dirty = access.is_write() && leaf.clean;
        let accessed = stage1.updates.access && !leaf.accessed;
        if !dirty && !accessed {
            return Ok(None);
        }
        let at = match regime.stage2 {
            None => PhysAddr::new(leaf.at),
            Some(stage2) => self.write_through(stage2, leaf.at)?,
        };
        Ok(Some(Marking { at, accessed, dirty }))
    }

    /// Translates through stage 2 alone.
    #[inline]
    pub(crate) fn second(
        &mut self,
        stage2: &Stage2,
        input: u64,
        demand: Demand,
    ) -> Result<Found, Refusal> {
        let regime = Regime { stage1: None, stage2: Some(stage2) };
        self.check_stage2(stage2, input)?;
        if let Some(entry) = self.tlb.lookup(stage2.space, input)
            && !must_mark(&entry, demand.access)
        {
            self.counters.tlb_hits += 1;
            self.log.hit(Stage::Two, &entry);
            return judge(&entry, &regime, input, demand, Path::Hit);
        }
        self.counters.tlb_misses += 1;
        let entry = self.stage2(stage2, input, About::Input, demand.access.is_write())?;
        judge(&entry, &regime, input, demand, Path::Walk)
    }

    /// The stage-2 translation of a final IPA, if it permits the access. Its leaf may still have to
    /// be marked dirty.
    fn final_stage2(
        &mut self,
        stage2: &Stage2,
        ipa: u64,
        access: Access,
    ) -> Result<Translation, Refusal> {
        let entry = self.stage2(stage2, ipa, About::Input, false)?;
        let perms = granted(access, entry.stage2[0], entry.stage2[1]);
        if perms.contains(access.needs()) || must_mark(&entry, access) {
            return Ok(entry);
        }
        let refusal = at_stage2(stage2, Kind::Permission, ipa);
        Err(Refusal { level: Some(entry.level as i8), ..refusal })
    }

    fn check_stage2(&self, stage2: &Stage2, ipa: u64) -> Result<(), Refusal> {
        if self.caching.overlap == Overlap::Detected {
            let alone = self.tlb.check(&[stage2.space], ipa);
            alone.map_err(|_| Refusal::conflict(Stage::Two, Some(ipa)))?;
        }
        Ok(())
    }

    /// The stage-2 translation of `ipa`, from the TLB or by a walk. Permissions are not checked; a
    /// write marks a writable-clean leaf dirty, where hardware manages the dirty state.
    fn stage2(
        &mut self,
        stage2: &Stage2,
        ipa: u64,
        about: About,
        write: bool,
    ) -> Result<Translation, Refusal> {
        self.check_stage2(stage2, ipa)?;
        if let Some(entry) = self.tlb.lookup(stage2.space, ipa)
            && !(write && entry.clean)
        {
            self.log.hit(Stage::Two, &entry);
            return Ok(entry);
        }
        let refuse = |kind, level| Refusal { level, about, ..at_stage2(stage2, kind, ipa) };
        // IHI 0070 G.b 3.4: an IPA beyond S2T0SZ is a translation fault.
        if ipa >> stage2.walk.input_bits != 0 {
            return Err(refuse(Kind::Translation, None));
        }
        self.counters.stage2_walks += 1;
        self.log.walk(&stage2.walk);
        let start = self.tlb.table(stage2.space, ipa);
        if let Some(table) = &start {
            self.log.table(Stage::Two, table);
        }
        let trail = Trail::of(self.tlb, stage2.space, ipa, stage2.walk.granule);
        let flags = Flags { updates: stage2.updates, stage: Stage::Two };
        let mut source = Physical { stages: self, order: stage2.endian, flags, trail };
        let found = from(start, &stage2.walk, ipa, &mut source);
        let leaf = found.map_err(|fault| match fault {
            Fault::Fetch { level, cause: Abort(at), .. } => {
                Refusal { fetch: Some(at), ..refuse(Kind::WalkAbort, Some(level)) }
            }
            Fault::Translation { level } => refuse(Kind::Translation, Some(level)),
            Fault::AddressSize { level } => refuse(Kind::AddressSize, Some(level)),
            Fault::AccessFlag { level } => refuse(Kind::AccessFlag, Some(level)),
        })?;
        self.log.leaf(Stage::Two, &leaf);
        let entry = self.stage2_entry(stage2, &leaf, ipa, write);
        if self.keeps(&leaf) {
            self.tlb.insert(stage2.space, &entry);
        }
        Ok(entry)
    }

    /// Whether the translation of a leaf may be cached.
    fn keeps(&self, leaf: &Leaf) -> bool {
        let block = leaf.level < LAST_LEVEL;
        !(self.caching.heeds_nt && block && Stage1Leaf::NT.is_set(leaf.descriptor))
    }

    /// Builds the TLB entry of a stage-2 leaf, and updates the leaf's flags for the access.
    fn stage2_entry(&mut self, stage2: &Stage2, leaf: &Leaf, ipa: u64, write: bool) -> Translation {
        let retention = self.caching.retention;
        let mut entry = entry_of(retention, leaf, &stage2.walk, ipa, [Perms::all(); 2]);
        entry.intermediate = entry.input;
        entry.stage2 = stage2.permissions(leaf);
        entry.leaf = stage2.leaf_attributes(leaf);
        let mut set = 0;
        if stage2.updates.access && !leaf.accessed {
            set |= Stage2Leaf::AF.mask();
        }
        if leaf.clean && write {
            set |= Stage2Leaf::S2AP_WRITE.mask() | Stage2Leaf::AF.mask();
        } else if leaf.clean {
            entry.stage2.iter_mut().for_each(|perms| perms.remove(Perms::WRITE));
            entry.clean = true;
        }
        if set != 0 {
            let set = stage2.endian.read(set);
            self.writes.push(FlagWrite { at: PhysAddr::new(leaf.at), set, clear: 0 });
        }
        entry
    }

    /// Translates `ipa` for a read by the SMMU itself: the physical address, and log2 of the bytes
    /// of the stage-2 page.
    fn read_through(
        &mut self,
        stage2: &Stage2,
        ipa: u64,
        about: About,
    ) -> Result<(PhysAddr, u8), Refusal> {
        let entry = self.stage2(stage2, ipa, about, false)?;
        // IHI 0070 G.b 7.3.16: a read of tables and CDs is a data access, whatever the transaction
        // is.
        let readable = entry.stage2[1].contains(Perms::READ);
        // IHI 0070 G.b 5.2 (S2PTW): nor may it reach Device memory, if that is protected.
        let device = stage2.protected_walks
            && stage2.attributes(Attributes::INCOMING, &entry.leaf).is_device();
        if !readable || device {
            let refusal = at_stage2(stage2, Kind::Permission, ipa);
            return Err(Refusal { about, level: Some(entry.level as i8), ..refusal });
        }
        Ok((PhysAddr::new(entry.output | ipa & low_bits(entry.lg2)), entry.lg2))
    }

    /// Translates `ipa` for an update of a stage-1 descriptor. IHI 0070 G.b 3.13.5: stage 2 must
    /// permit the write.
    fn write_through(&mut self, stage2: &Stage2, ipa: u64) -> Result<PhysAddr, Refusal> {
        let entry = self.stage2(stage2, ipa, About::Table, true)?;
        if !entry.stage2[1].contains(Perms::WRITE) {
            let refusal = at_stage2(stage2, Kind::Permission, ipa);
            let level = Some(entry.level as i8);
            return Err(Refusal { about: About::Table, table_write: true, level, ..refusal });
        }
        Ok(PhysAddr::new(entry.output | ipa & low_bits(entry.lg2)))
    }
}

/// Walks from the first table, or from a cached one.
#[inline(never)]
fn from<F: Fetch>(
    start: Option<Table>,
    walk: &walk::Config,
    input: u64,
    source: &mut F,
) -> Result<Leaf, Fault<F::Fault>> {
    match start {
        None => walk::walk(walk, input, source),
        Some(table) => walk::resume(walk, input, &table.below, source),
    }
}
