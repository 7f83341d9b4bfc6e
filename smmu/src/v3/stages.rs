//! Addresses through stage 1 and stage 2: TLB, walk, permission.

use crate::regime::{OnFault, Regime, Stage1, Stage2, Unprivileged, granted};
use crate::tlb::{Tlb, Translation};
use crate::v3::Counters;
use crate::v3::translate::{Path, Translated};
use crate::v3::wire::event::{Class, EventKind};
use passim_model::access::{Access, Perms, Privilege};
use passim_model::pgtable::vmsav8::Stage;
use passim_model::pgtable::walk::{self, Fault, Fetch, Leaf};
use passim_model::{Abort, Memory, PhysAddr};

/// What translation needs beside the regime.
pub(crate) struct Stages<'a> {
    pub(crate) memory: &'a Memory,
    pub(crate) tlb: &'a mut Tlb,
    pub(crate) counters: &'a mut Counters,
}

/// Why an address was not translated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refusal {
    pub(crate) kind: EventKind,
    pub(crate) stage: Stage,
    pub(crate) class: Class,
    /// The address put into stage 2.
    pub(crate) ipa: Option<u64>,
    pub(crate) fetch: Option<PhysAddr>,
    pub(crate) level: Option<u8>,
    pub(crate) on_fault: OnFault,
}

impl Stages<'_> {
    /// Stage 1, and stage 2 after it where there is one.
    #[inline]
    pub(crate) fn both(
        &mut self,
        stage1: &Stage1,
        stage2: Option<&Stage2>,
        input: u64,
        access: Access,
    ) -> Result<Translated, Refusal> {
        let refuse = |kind| at_stage1(stage1, kind);
        // IHI 0070 G.b 7.3.22: the range check comes before the walk.
        let Ok((half, address)) = stage1.select(input) else {
            return Err(refuse(EventKind::Translation));
        };
        let unprivileged = access.privilege == Privilege::Unprivileged;
        if half.unprivileged == Unprivileged::Refused && unprivileged {
            return Err(refuse(EventKind::Translation));
        }
        let hit = self.tlb.lookup(stage1.space, address);
        if let Some(entry) = hit.or_else(|| self.tlb.lookup(stage1.global, address)) {
            self.counters.tlb_hits += 1;
            let regime = Regime { stage1: Some(stage1), stage2 };
            return judge(entry, &regime, address, access, Path::Hit);
        }
        self.counters.tlb_misses += 1;
        // IHI 0070 G.b 5.4.1.1: EPD makes the miss a fault.
        let Some(walk) = &half.walk else {
            return Err(refuse(EventKind::Translation));
        };
        self.fill(stage1, stage2, walk, address, access)
    }

    /// Walks for a first-stage miss, caches what it finds and judges it.
    fn fill(
        &mut self,
        stage1: &Stage1,
        stage2: Option<&Stage2>,
        walk: &walk::Config,
        address: u64,
        access: Access,
    ) -> Result<Translated, Refusal> {
        self.counters.walks += 1;
        let input = address & !(u64::MAX << walk.input_bits);
        let leaf = match stage2 {
            None => {
                let mut source = Physical { memory: self.memory, order: stage1.endian };
                walk::walk(walk, input, &mut source).map_err(|fault| match fault {
                    Fault::Fetch { level, cause, .. } => aborted(stage1, level, cause),
                    other => of_walk(stage1, &other),
                })?
            }
            Some(stage2) => {
                let mut source = Nested { stages: self, stage2, order: stage1.endian };
                walk::walk(walk, input, &mut source).map_err(|fault| match fault {
                    Fault::Fetch { cause: NestedFault::Refused(refusal), .. } => refusal,
                    Fault::Fetch { level, cause: NestedFault::Abort(abort), .. } => {
                        aborted(stage1, level, abort)
                    }
                    other => of_walk(stage1, &other),
                })?
            }
        };
        let (unprivileged, privileged) = stage1.permissions(&leaf);
        let mut entry = entry_of(&leaf, walk, address, [unprivileged, privileged]);
        if let Some(stage2) = stage2 {
            // IHI 0070 G.b 7.3.22: the permission of stage 1 comes before stage 2.
            let perms = granted(access, unprivileged, privileged);
            if !perms.contains(access.needs()) {
                return Err(Refusal {
                    level: Some(leaf.level),
                    ..at_stage1(stage1, EventKind::Permission)
                });
            }
            let ipa = entry.intermediate | address & low_bits(entry.lg2);
            let second = self.stage2(stage2, ipa, Class::In)?;
            combine(&mut entry, &second, address, ipa);
        }
        let space = if leaf.not_global { stage1.space } else { stage1.global };
        self.tlb.insert(space, entry);
        let regime = Regime { stage1: Some(stage1), stage2 };
        judge(&entry, &regime, address, access, Path::Walk)
    }

    /// Stage 2 alone.
    #[inline]
    pub(crate) fn second(
        &mut self,
        stage2: &Stage2,
        input: u64,
        access: Access,
    ) -> Result<Translated, Refusal> {
        let regime = Regime { stage1: None, stage2: Some(stage2) };
        if let Some(entry) = self.tlb.lookup(stage2.space, input) {
            self.counters.tlb_hits += 1;
            return judge(entry, &regime, input, access, Path::Hit);
        }
        self.counters.tlb_misses += 1;
        let entry = self.stage2(stage2, input, Class::In)?;
        judge(&entry, &regime, input, access, Path::Walk)
    }

    /// The stage-2 translation of `ipa`, from the TLB or by a walk. Permissions are not judged.
    fn stage2(&mut self, stage2: &Stage2, ipa: u64, class: Class) -> Result<Translation, Refusal> {
        if let Some(entry) = self.tlb.lookup(stage2.space, ipa) {
            return Ok(*entry);
        }
        let refuse = |kind, level| Refusal { level, class, ..at_stage2(stage2, kind, ipa) };
        // IHI 0070 G.b 3.4: an IPA beyond S2T0SZ is a translation fault.
        if ipa >> stage2.walk.input_bits != 0 {
            return Err(refuse(EventKind::Translation, None));
        }
        self.counters.stage2_walks += 1;
        let mut source = Physical { memory: self.memory, order: stage2.endian };
        let leaf = walk::walk(&stage2.walk, ipa, &mut source).map_err(|fault| match fault {
            Fault::Fetch { level, cause: Abort(at), .. } => {
                Refusal { fetch: Some(at), ..refuse(EventKind::WalkEabt, Some(level)) }
            }
            Fault::Translation { level } => refuse(EventKind::Translation, Some(level)),
            Fault::AddressSize { level } => refuse(EventKind::AddrSize, Some(level)),
            Fault::AccessFlag { level } => refuse(EventKind::Access, Some(level)),
        })?;
        let mut entry = entry_of(&leaf, &stage2.walk, ipa, [Perms::all(); 2]);
        entry.intermediate = entry.input;
        entry.stage2 = [leaf.unprivileged, leaf.privileged];
        self.tlb.insert(stage2.space, entry);
        Ok(entry)
    }

    /// The physical address behind `ipa` for a read by the SMMU itself.
    fn read_through(
        &mut self,
        stage2: &Stage2,
        ipa: u64,
        class: Class,
    ) -> Result<PhysAddr, Refusal> {
        let entry = self.stage2(stage2, ipa, class)?;
        // IHI 0070 G.b 7.3.16: a read of tables and CDs is data, whatever the transaction is.
        if !entry.stage2[1].contains(Perms::READ) {
            let refusal = at_stage2(stage2, EventKind::Permission, ipa);
            return Err(Refusal { class, level: Some(entry.level), ..refusal });
        }
        Ok(PhysAddr::new(entry.output | ipa & low_bits(entry.lg2)))
    }
}

/// A translation as one stage's leaf makes it.
fn entry_of(leaf: &Leaf, walk: &walk::Config, input: u64, perms: [Perms; 2]) -> Translation {
    let lg2 = leaf.lg2 as u8;
    Translation {
        input: input & !low_bits(lg2),
        output: leaf.output,
        intermediate: leaf.output,
        lg2,
        leaf_lg2: lg2,
        level: leaf.level,
        granule: walk.granule,
        stage1: perms,
        stage2: [Perms::all(); 2],
    }
}

/// Puts stage 2 behind a stage-1 translation: the smaller page of the two.
fn combine(entry: &mut Translation, second: &Translation, address: u64, ipa: u64) {
    let output = second.output | ipa & low_bits(second.lg2);
    entry.lg2 = entry.lg2.min(second.lg2);
    let inside = low_bits(entry.lg2);
    entry.input = address & !inside;
    entry.intermediate = ipa & !inside;
    entry.output = output & !inside;
    entry.stage2 = second.stage2;
}

/// What a translation answers, if both stages permit the access.
#[inline]
pub(crate) fn permitted(
    entry: &Translation,
    input: u64,
    access: Access,
    path: Path,
) -> Option<Translated> {
    let first = granted(access, entry.stage1[0], entry.stage1[1]);
    let second = granted(access, entry.stage2[0], entry.stage2[1]);
    let perms = first & second;
    perms.contains(access.needs()).then(|| Translated {
        pa: PhysAddr::new(entry.output | input & low_bits(entry.lg2)),
        perms,
        lg2: entry.lg2,
        path,
    })
}

/// Judges the permissions of a translation, stage 1 first.
fn judge(
    entry: &Translation,
    regime: &Regime<'_>,
    input: u64,
    access: Access,
    path: Path,
) -> Result<Translated, Refusal> {
    if let Some(translated) = permitted(entry, input, access, path) {
        return Ok(translated);
    }
    let needs = access.needs();
    let first = granted(access, entry.stage1[0], entry.stage1[1]);
    let offset = input & low_bits(entry.lg2);
    let ipa = entry.intermediate | offset;
    let level = Some(entry.level);
    match (regime.stage1, regime.stage2) {
        (Some(stage1), _) if !first.contains(needs) => {
            Err(Refusal { level, ..at_stage1(stage1, EventKind::Permission) })
        }
        (first, Some(stage2)) => {
            // A combined entry keeps the level of stage 1 only.
            let level = if first.is_none() { level } else { None };
            Err(Refusal { level, ..at_stage2(stage2, EventKind::Permission, ipa) })
        }
        (Some(stage1), None) => Err(at_stage1(stage1, EventKind::Permission)),
        (None, None) => unreachable!("a translation is made by at least one stage"),
    }
}

#[cold]
fn at_stage1(stage1: &Stage1, kind: EventKind) -> Refusal {
    Refusal {
        kind,
        stage: Stage::One,
        class: Class::In,
        ipa: None,
        fetch: None,
        level: None,
        on_fault: stage1.on_fault,
    }
}

#[cold]
fn at_stage2(stage2: &Stage2, kind: EventKind, ipa: u64) -> Refusal {
    // IHI 0070 G.b 5.5: only the four translation faults follow the fault configuration.
    let on_fault =
        if kind == EventKind::WalkEabt { OnFault::ABORT_AND_RECORD } else { stage2.on_fault };
    Refusal {
        kind,
        stage: Stage::Two,
        class: Class::In,
        ipa: Some(ipa),
        fetch: None,
        level: None,
        on_fault,
    }
}

/// A stage-1 descriptor whose address did not answer. IHI 0070 G.b 7.3.12: CLASS is TT.
fn aborted(stage1: &Stage1, level: u8, Abort(at): Abort) -> Refusal {
    Refusal {
        class: Class::Tt,
        fetch: Some(at),
        level: Some(level),
        on_fault: OnFault::ABORT_AND_RECORD,
        ..at_stage1(stage1, EventKind::WalkEabt)
    }
}

/// A fault of a stage-1 walk that is not about fetching.
fn of_walk<F>(stage1: &Stage1, fault: &Fault<F>) -> Refusal {
    let (kind, level) = match *fault {
        Fault::Translation { level } => (EventKind::Translation, level),
        Fault::AddressSize { level } => (EventKind::AddrSize, level),
        Fault::AccessFlag { level } => (EventKind::Access, level),
        Fault::Fetch { level, .. } => (EventKind::WalkEabt, level),
    };
    Refusal { level: Some(level), ..at_stage1(stage1, kind) }
}

#[inline]
fn low_bits(lg2: u8) -> u64 {
    (1 << lg2) - 1
}

/// Descriptors at physical addresses.
struct Physical<'a> {
    memory: &'a Memory,
    order: crate::regime::Endian,
}

impl Fetch for Physical<'_> {
    type Fault = Abort;

    #[inline]
    fn fetch(&mut self, at: u64, _level: u8) -> Result<u64, Abort> {
        Ok(self.order.read(self.memory.load_u64(PhysAddr::new(at))?))
    }
}

/// Stage-1 descriptors at intermediate addresses.
struct Nested<'a, 'b> {
    stages: &'a mut Stages<'b>,
    stage2: &'a Stage2,
    order: crate::regime::Endian,
}

enum NestedFault {
    Refused(Refusal),
    Abort(Abort),
}

impl Fetch for Nested<'_, '_> {
    type Fault = NestedFault;

    fn fetch(&mut self, at: u64, _level: u8) -> Result<u64, NestedFault> {
        let physical = self.stages.read_through(self.stage2, at, Class::Tt);
        let physical = physical.map_err(NestedFault::Refused)?;
        let word = self.stages.memory.load_u64(physical).map_err(NestedFault::Abort)?;
        Ok(self.order.read(word))
    }
}

/// Where CDs and their tables are read: behind stage 2, where there is one.
pub(crate) struct ConfigThroughStages<'a> {
    pub(crate) stages: Stages<'a>,
    pub(crate) stage2: Option<&'a Stage2>,
    /// How many bits an address has before stage 2.
    pub(crate) bits: u32,
}

impl ConfigThroughStages<'_> {
    /// The physical address of `at`.
    pub(crate) fn physical(&mut self, at: u64) -> Result<PhysAddr, Refusal> {
        match self.stage2 {
            None => Ok(PhysAddr::new(at)),
            Some(stage2) => self.stages.read_through(stage2, at, Class::Cd),
        }
    }
}
