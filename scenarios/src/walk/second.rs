//! What structures and tables in memory say, read a second time.
//!
//! It goes the way the SMMU goes, from STRTAB_BASE over STE and CD to the first table, with a
//! transcription of its own of the fields it needs, and leaves the tables to the oracle's walk. It
//! has no caches and judges nothing: what it cannot read it says so. Not for translating.

mod fields;

use std::cell::Cell;

use passim_model::StreamId;
use passim_oracle::walk::{Config, Fault, Leaf, Privilege, TableLeaf, TablePermissions};
use passim_oracle::walk::{all_leaves, start_level_of_sl0, translate};
use passim_oracle::{Granule, Stage};

use fields::{
    Base, BaseCfg, Cd0, Cd1, Cd2, Idr0, Idr5, L1STD_LG2, L1Std, STE_LG2, Ste0, Ste1, Ste2, Ste3,
};

/// Registers that say where and how to read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Registers {
    pub(crate) idr0: u64,
    pub(crate) idr5: u64,
    pub(crate) strtab_base: u64,
    pub(crate) strtab_base_cfg: u64,
}

impl Registers {
    /// The first StreamID the stream table has no room for.
    pub(crate) fn first_beyond(&self) -> Option<StreamId> {
        let size = BaseCfg::LOG2SIZE.get(self.strtab_base_cfg);
        (size < 32).then(|| StreamId::new(1 << size))
    }
}

/// What the structures of a stream amount to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// No STE, or one that is not valid.
    Nothing,
    /// STE.Config 0b0xx.
    Aborts,
    /// STE.Config 0b100.
    Bypasses,
    /// The CD is not valid.
    NoContext,
    /// Tables.
    Tables(Tables),
    /// Something this reading knows too little of.
    Unread(&'static str),
}

/// The tables of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Tables {
    stage1: Option<First>,
    stage2: Option<Second>,
    /// Bits of an address that may reach stage 2 where there is no stage 1.
    input_bits: u8,
    /// STE.PRIVCFG, or a regime that knows one privilege.
    privilege: Option<Privilege>,
}

/// Stage 1, TTB0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct First {
    config: Config,
    /// EPD0: there are no tables.
    disabled: bool,
    ignores_top_byte: bool,
    flags: Flags,
}

/// Stage 2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Second {
    config: Config,
    flags: Flags,
}

/// What hardware keeps in descriptors, or does not look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Flags {
    /// An access flag of 0 is no fault.
    access: bool,
    /// DBM makes a descriptor writable.
    dirty: bool,
}

/// Where an address leads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Reached {
    pub(crate) pa: u64,
    /// Bytes of the smallest leaf on the way.
    pub(crate) size: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

/// Why it leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Translation,
    AddressSize,
    Access,
    /// Memory that nobody knows.
    Abort,
}

/// A fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused {
    pub(crate) kind: Kind,
    pub(crate) stage: Stage,
    /// Level of the descriptor, where one decided.
    pub(crate) level: Option<u8>,
}

/// What the structures of `stream` amount to.
pub(crate) fn read_stream(
    registers: &Registers,
    stream: StreamId,
    read: &impl Fn(u64) -> Option<u64>,
) -> Reading {
    let Some(ste) = ste_address(registers, stream, read) else { return Reading::Nothing };
    let word = |at: u64, index: u64| at.checked_add(8 * index).and_then(read);
    let (Some(ste0), Some(ste1)) = (word(ste, 0), word(ste, 1)) else { return Reading::Nothing };
    let (Some(ste2), Some(ste3)) = (word(ste, 2), word(ste, 3)) else { return Reading::Nothing };
    if !Ste0::V.is_set(ste0) {
        return Reading::Nothing;
    }
    let config = Ste0::CONFIG.get(ste0);
    let has = |stage: u64| config & stage != 0;
    match config {
        0..4 => return Reading::Aborts,
        4 => return Reading::Bypasses,
        _ => {}
    }
    let read_all = || -> Result<Tables, &'static str> {
        let stage2 = has(2).then(|| stage2(registers, ste2, ste3)).transpose()?;
        let stage1 = if has(1) { stage1(registers, [ste0, ste1], &stage2, read)? } else { None };
        if Ste1::INSTCFG.get(ste1) == 3 {
            return Err("STE.INSTCFG makes every read a fetch of instructions");
        }
        // IHI 0070 G.b 5.2: 2 is unprivileged, 3 privileged; in EL2 there is one privilege.
        let divided = !has(1) || Ste1::STRW.get(ste1) == 0 || has(2);
        let privilege = match Ste1::PRIVCFG.get(ste1) {
            _ if !divided => Some(Privilege::Privileged),
            2 => Some(Privilege::Unprivileged),
            3 => Some(Privilege::Privileged),
            _ => None,
        };
        Ok(Tables { stage1, stage2, input_bits: input_size(registers), privilege })
    };
    match read_all() {
        // STE.S1DSS lets stage 1 be passed by, and there is no other.
        Ok(Tables { stage1: None, stage2: None, .. }) => Reading::Bypasses,
        Ok(tables) => Reading::Tables(tables),
        Err(NO_CONTEXT) => Reading::NoContext,
        Err(reason) => Reading::Unread(reason),
    }
}

/// Why there are no tables where CD.V is 0.
const NO_CONTEXT: &str = "its CD is not valid";

fn ste_address(
    registers: &Registers,
    stream: StreamId,
    read: &impl Fn(u64) -> Option<u64>,
) -> Option<u64> {
    let table = Base::ADDR.in_place(registers.strtab_base);
    let config = registers.strtab_base_cfg;
    let stream = u64::from(stream.get());
    if stream >> BaseCfg::LOG2SIZE.get(config) != 0 {
        return None;
    }
    if BaseCfg::FMT.get(config) == 0 {
        return table.checked_add(stream << STE_LG2);
    }
    let split = BaseCfg::SPLIT.get(config);
    let l1std = read(table.checked_add(stream >> split << L1STD_LG2)?)?;
    let index = stream & ((1 << split) - 1);
    let span = L1Std::SPAN.get(l1std);
    if span == 0 || index >> (span - 1) != 0 {
        return None;
    }
    L1Std::L2PTR.in_place(l1std).checked_add(index << STE_LG2)
}

/// Stage 1; `None` where STE.S1DSS lets it be passed by.
fn stage1(
    registers: &Registers,
    [ste0, ste1]: [u64; 2],
    stage2: &Option<Second>,
    read: &impl Fn(u64) -> Option<u64>,
) -> Result<Option<First>, &'static str> {
    if Ste0::S1CDMAX.get(ste0) != 0 {
        // IHI 0070 G.b 5.2, S1DSS: what a transaction without SubstreamID uses.
        match Ste1::S1DSS.get(ste1) {
            1 => return Ok(None),
            2 if Ste0::S1FMT.get(ste0) == 0 => {}
            2 => return Err("a CD table of two levels"),
            _ => return Err("STE.S1DSS stops what comes without SubstreamID"),
        }
    }
    let through = |at: u64| match stage2 {
        None => read(at),
        Some(stage2) => stage2.read(at, read),
    };
    let cd = Ste0::S1CONTEXTPTR.in_place(ste0);
    let word = |index: u64| through(cd + 8 * index).ok_or("its CD is not known");
    let (cd0, cd1, cd2) = (word(0)?, word(1)?, word(2)?);
    if !Cd0::V.is_set(cd0) {
        return Err(NO_CONTEXT);
    }
    if !Cd0::AA64.is_set(cd0) || Cd0::ENDI.is_set(cd0) || Cd2::DS.is_set(cd2) {
        return Err("stage-1 tables of AArch32, of big-endian words, or with 52-bit descriptors");
    }
    if Cd0::PAN.is_set(cd0) || Cd1::E0PD0.is_set(cd1) {
        return Err("PAN or E0PD");
    }
    let granule = granule(Cd0::TG0.get(cd0)).ok_or("a granule that is reserved")?;
    let bits = input_bits(Cd0::T0SZ.get(cd0)).ok_or("an input size that is reserved")?;
    let output = output_bits(Cd0::IPS.get(cd0)).min(output_bits(Idr5::OAS.get(registers.idr5)));
    if !(0..=3).any(|level| fits(granule, bits, level, 0)) {
        return Err("an input size that does not suit the granule");
    }
    let mut config = Config::stage1(granule, Cd1::TTB0.in_place(cd1), bits, output);
    if Cd1::HAD0.is_set(cd1) {
        config.table_permissions = TablePermissions::Disabled;
    }
    Ok(Some(First {
        config,
        disabled: Cd0::EPD0.is_set(cd0),
        ignores_top_byte: Cd0::TBI0.is_set(cd0),
        flags: Flags {
            access: Cd0::AFFD.is_set(cd0) || Cd0::HA.is_set(cd0),
            dirty: Cd0::HD.is_set(cd0),
        },
    }))
}

fn stage2(registers: &Registers, ste2: u64, ste3: u64) -> Result<Second, &'static str> {
    if !Ste2::S2AA64.is_set(ste2) || Ste2::S2ENDI.is_set(ste2) || Ste3::S2DS.is_set(ste3) {
        return Err("stage-2 tables of AArch32, of big-endian words, or with 52-bit descriptors");
    }
    let granule = granule(Ste2::S2TG.get(ste2)).ok_or("a granule that is reserved")?;
    let bits = input_bits(Ste2::S2T0SZ.get(ste2)).ok_or("an input size that is reserved")?;
    let output = output_bits(Ste2::S2PS.get(ste2)).min(output_bits(Idr5::OAS.get(registers.idr5)));
    let level = start_level_of_sl0(granule, Ste2::S2SL0.get(ste2) as u8);
    let level = level.ok_or("a start level that is reserved")?;
    if !fits(granule, bits, level, CONCATENATED_LG2) {
        return Err("an input size that does not suit the granule and the start level");
    }
    let config = Config::stage2(granule, Ste3::S2TTB.in_place(ste3), bits, level, output);
    let flags = Flags {
        access: Ste2::S2AFFD.is_set(ste2) || Ste2::S2HA.is_set(ste2),
        dirty: Ste2::S2HD.is_set(ste2),
    };
    Ok(Second { config, flags })
}

impl Flags {
    /// The descriptor as it acts.
    fn seen(self, stage: Stage, word: u64) -> u64 {
        const ACCESS: u64 = 1 << 10;
        const DIRTY: u64 = 1 << 51;
        const WRITABLE: u64 = 1 << 7;
        let word = if self.access { word | ACCESS } else { word };
        match stage {
            _ if !self.dirty || word & DIRTY == 0 => word,
            // AP[2] forbids, S2AP[1] allows.
            Stage::One => word & !WRITABLE,
            Stage::Two => word | WRITABLE,
        }
    }
}

impl Second {
    fn walk(&self, ipa: u64, read: &impl Fn(u64) -> Option<u64>) -> Result<Leaf, Fault> {
        translate(&self.config, ipa, |at| Some(self.flags.seen(Stage::Two, read(at)?)))
    }

    /// A word behind this stage.
    fn read(&self, ipa: u64, read: &impl Fn(u64) -> Option<u64>) -> Option<u64> {
        let leaf = self.walk(ipa, read).ok().filter(|leaf| leaf.readable)?;
        read(leaf.pa)
    }

    fn refused(&self, fault: Fault, ipa: u64) -> Refused {
        refused(fault, Stage::Two, ipa >> self.config.input_bits != 0)
    }
}

impl Tables {
    /// Stage that turns an IOVA into what comes next.
    pub(crate) fn first_stage(&self) -> Stage {
        if self.stage1.is_some() { Stage::One } else { Stage::Two }
    }

    /// Whether both stages translate.
    pub(crate) fn are_nested(&self) -> bool {
        self.stage1.is_some() && self.stage2.is_some()
    }

    /// Bits of an IOVA that the tables translate.
    pub(crate) fn input_bits(&self) -> u8 {
        let first = self.stage1.map(|first| first.config.input_bits);
        first.or(self.stage2.map(|second| second.config.input_bits)).unwrap_or(0)
    }

    /// Every leaf of the first stage, by IOVA; `None` if a table is not known, or more than `most`
    /// words would be read: a table may lead back to itself.
    pub(crate) fn leaves(
        &self,
        read: &impl Fn(u64) -> Option<u64>,
        most: u64,
    ) -> Option<Vec<TableLeaf>> {
        let reads = Cell::new(0);
        let bounded = |at| {
            reads.set(reads.get() + 1);
            read(at).filter(|_| reads.get() <= most)
        };
        match (&self.stage1, &self.stage2) {
            (Some(first), _) if first.disabled => Some(Vec::new()),
            (Some(first), None) => all_leaves(&first.config, bounded).ok(),
            (Some(first), Some(second)) => {
                all_leaves(&first.config, |at| second.read(at, &bounded)).ok()
            }
            (None, Some(second)) => all_leaves(&second.config, bounded).ok(),
            (None, None) => Some(Vec::new()),
        }
    }

    /// Where an IOVA leads an access of this privilege.
    pub(crate) fn translate(
        &self,
        iova: u64,
        privilege: Privilege,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Result<Reached, Refused> {
        let Some(first) = &self.stage1 else {
            if iova >> self.input_bits != 0 {
                // IHI 0070 G.b 3.4: more than may pass a stage 1 that is not there.
                let (kind, stage) = (Kind::AddressSize, Stage::One);
                return Err(Refused { kind, stage, level: None });
            }
            return self.behind(iova, None, read);
        };
        let privilege = self.privilege.unwrap_or(privilege);
        let config = Config { privilege, ..first.config };
        // A top byte that is ignored counts as bit 55 does. IHI 0070 G.b 5.4, TBI.
        let input = if first.ignores_top_byte { (iova << 8) as i64 >> 8 } else { iova as i64 };
        let input = input as u64;
        if first.disabled || input >> config.input_bits != 0 {
            let (kind, stage) = (Kind::Translation, Stage::One);
            return Err(Refused { kind, stage, level: None });
        }
        let seen = |at| {
            let word = match &self.stage2 {
                None => read(at),
                Some(second) => second.read(at, read),
            };
            Some(first.flags.seen(Stage::One, word?))
        };
        match translate(&config, input, seen) {
            Ok(leaf) => self.behind(leaf.pa, Some(leaf), read),
            Err(Fault::Abort { pa }) if self.stage2.is_some() => {
                // The table itself lies where stage 2 does not lead.
                match self.behind(pa, None, read) {
                    Err(refused) => Err(refused),
                    Ok(_) => Err(refused(Fault::Abort { pa }, Stage::One, false)),
                }
            }
            Err(fault) => Err(refused(fault, Stage::One, false)),
        }
    }

    /// Through stage 2, after stage 1 came to `leaf`.
    fn behind(
        &self,
        ipa: u64,
        leaf: Option<Leaf>,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Result<Reached, Refused> {
        let first = leaf.map_or(
            Reached { pa: ipa, size: u64::MAX, readable: true, writable: true },
            |Leaf { pa, block_size, readable, writable }| Reached {
                pa,
                size: block_size,
                readable,
                writable,
            },
        );
        let Some(second) = &self.stage2 else { return Ok(first) };
        let found = second.walk(ipa, read).map_err(|fault| second.refused(fault, ipa))?;
        Ok(Reached {
            pa: found.pa,
            size: first.size.min(found.block_size),
            readable: first.readable && found.readable,
            writable: first.writable && found.writable,
        })
    }
}

fn refused(fault: Fault, stage: Stage, is_beyond: bool) -> Refused {
    let (kind, level) = match fault {
        Fault::Translation { level } => (Kind::Translation, Some(level)),
        Fault::AddressSize { level } => (Kind::AddressSize, Some(level)),
        Fault::Access { level } => (Kind::Access, Some(level)),
        Fault::Abort { .. } => (Kind::Abort, None),
    };
    Refused { kind, stage, level: level.filter(|_| !is_beyond) }
}

/// log2 of the most tables in a row at the start of stage 2. DDI 0487 D8.2.
const CONCATENATED_LG2: u8 = 4;

/// Whether a walk of so many input bits can start at this level, with so many tables in a row.
/// DDI 0487 D8.2: a level resolves 3 bits fewer than a page has.
fn fits(granule: Granule, bits: u8, level: u8, tables_lg2: u8) -> bool {
    let page = granule.bytes().trailing_zeros() as u8;
    let stride = page - 3;
    let low = page + (3 - level) * stride;
    let exists = level > 0 || granule != Granule::Size64K;
    exists && low < bits && bits - low <= stride + tables_lg2
}

/// IHI 0070 G.b 5.4: T0SZ is 16 to 39, less with 64K pages and more with small tables.
fn input_bits(size: u64) -> Option<u8> {
    (12..=48).contains(&size).then(|| 64 - size as u8)
}

/// IHI 0070 G.b 5.4, TG0 and 5.2, S2TG.
fn granule(field: u64) -> Option<Granule> {
    match field {
        0 => Some(Granule::Size4K),
        1 => Some(Granule::Size64K),
        2 => Some(Granule::Size16K),
        _ => None,
    }
}

/// IHI 0070 G.b 5.4, IPS.
fn output_bits(field: u64) -> u8 {
    match field {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        5 => 48,
        _ => 52,
    }
}

/// IAS, IHI 0070 G.b 3.4: as many bits as come out, and 40 where AArch32 tables are known.
fn input_size(registers: &Registers) -> u8 {
    let output = output_bits(Idr5::OAS.get(registers.idr5));
    if Idr0::TTF_AARCH32.is_set(registers.idr0) { output.max(40) } else { output }
}
