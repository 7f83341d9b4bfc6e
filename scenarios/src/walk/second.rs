//! The second walk: structures and tables in memory, read independently of the SMMU.
//!
//! It follows the SMMU's path, from STRTAB_BASE over STE and CD to the first table, with its own
//! transcription of the fields that it needs, and leaves the tables to the oracle's walks. It has
//! no caches, and reports what is ILLEGAL and what it cannot read. It does not replace translation.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `fields` | where are the fields? |
//! | `legal` | which STEs and CDs are ILLEGAL? |
//! | `context` | which CD does a transaction use, and where is it? |
//! | `stages` | how do the fields of a stage describe its tables? |
//! | `tables` | where do tables lead? |

mod context;
mod fields;
mod legal;
mod stages;
mod tables;

use passim_model::{StreamId, SubstreamId};
use passim_oracle::walk::Privilege;

use context::contexts;
use fields::{
    Aidr, Base, BaseCfg, Idr0, Idr1, Idr3, L1STD_LG2, L1Std, Mpamidr, STE_LG2, Ste0, Ste1, Ste2,
    Ste5,
};
use legal::Pointer;
use stages::stage2;
use tables::Second;

pub(crate) use tables::{Asked, Kind, Overrides, Purpose, Reached, Refused, Tables, Wanted};

/// Registers with the location and the format of structures.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Registers {
    pub(crate) idr0: u64,
    pub(crate) idr1: u64,
    pub(crate) idr3: u64,
    pub(crate) idr5: u64,
    pub(crate) aidr: u64,
    pub(crate) mpamidr: u64,
    pub(crate) cr2: u64,
    pub(crate) strtab_base: u64,
    pub(crate) strtab_base_cfg: u64,
}

impl Registers {
    /// The first StreamID beyond the stream table.
    pub(crate) fn first_beyond(&self) -> Option<StreamId> {
        let size = self.stream_bits();
        (size < 32).then(|| StreamId::new(1 << size))
    }

    /// StreamID bits that the stream table covers. IHI 0070 G.b 6.3.25.
    fn stream_bits(&self) -> u64 {
        BaseCfg::LOG2SIZE.get(self.strtab_base_cfg).min(Idr1::SIDSIZE.get(self.idr1))
    }

    /// log2 of the STEs below one level 1 descriptor; `None` for a linear table. IHI 0070 G.b
    /// 6.3.25: any other SPLIT acts as 6, and a reserved FMT as 0.
    fn stream_split(&self) -> Option<u64> {
        let config = self.strtab_base_cfg;
        let is_two = BaseCfg::FMT.get(config) == 1 && Idr0::ST_LEVEL.get(self.idr0) == 1;
        is_two.then(|| match BaseCfg::SPLIT.get(config) {
            split @ (8 | 10) => split,
            _ => 6,
        })
    }

    /// Whether it is an SMMUv3.0, which leaves open what later versions forbid.
    fn is_first_version(&self) -> bool {
        Aidr::REVISION.get(self.aidr) == 0
    }

    /// Whether SubstreamIDs exist. IHI 0070 G.b 6.3.2.
    fn have_substreams(&self) -> bool {
        Idr1::SSIDSIZE.get(self.idr1) != 0
    }
}

/// The configuration in the structures of a stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Reading {
    /// The stream table has no STE for the stream.
    NoStream,
    /// The STE is not valid, or ILLEGAL.
    Nothing,
    /// STE.Config 0b0xx.
    Aborts,
    /// STE.Config 0b100, or STE.S1DSS bypasses stage 1 and there is no stage 2.
    Bypasses,
    /// The CD is not valid, or ILLEGAL.
    NoContext,
    /// Stage 2 refuses the fetch of the CD.
    NoPath(Refused, Overrides),
    /// There is no CD for this SubstreamID.
    NoSubstream,
    /// STE.S1DSS terminates it.
    Disabled,
    /// Tables translate it.
    Tables(Box<Tables>),
    /// Either of two, where the architecture leaves the choice.
    Either(Box<[Reading; 2]>),
    /// A configuration that this walk cannot read.
    Unread(&'static str),
}

/// The configuration of `stream` for a transaction with this SubstreamID, or without one.
pub(crate) fn read_stream(
    registers: &Registers,
    stream: StreamId,
    substream: Option<SubstreamId>,
    read: &impl Fn(u64) -> Option<u64>,
) -> Reading {
    match ste_of(registers, stream, read) {
        Err(reading) => reading,
        Ok(ste) => ste.reading(registers, substream, read).unwrap_or_else(|reading| reading),
    }
}

/// The SubstreamIDs of `stream` whose CDs are known, and one for each missing leaf of a CD table.
pub(crate) fn substreams(
    registers: &Registers,
    stream: StreamId,
    read: &impl Fn(u64) -> Option<u64>,
) -> Vec<SubstreamId> {
    let Ok(ste) = ste_of(registers, stream, read) else { return Vec::new() };
    let Ok(stage2) = ste.stage2(registers) else { return Vec::new() };
    let leads = ste.has(STAGE_1) && ste.pointer(registers) == Pointer::Within;
    if !leads || !registers.have_substreams() {
        return Vec::new();
    }
    let known = contexts(registers, ste.words[0], &|at| Ste::behind(&stage2, at, read));
    known.into_iter().map(SubstreamId::new).collect()
}

/// STE.Config: stage 1, stage 2.
const STAGE_1: u64 = 1;
const STAGE_2: u64 = 2;
/// Both translate.
const BOTH: u64 = 7;

/// A valid STE that translates.
struct Ste {
    words: [u64; 4],
}

/// The STE of a stream, if it translates.
fn ste_of(
    registers: &Registers,
    stream: StreamId,
    read: &impl Fn(u64) -> Option<u64>,
) -> Result<Ste, Reading> {
    let at = ste_address(registers, stream, read)?;
    let mut words = [0; 4];
    for (index, word) in (0u64..).zip(&mut words) {
        let read = at.checked_add(8 * index).and_then(read);
        *word = read.ok_or(Reading::Unread("its STE is not known"))?;
    }
    if !Ste0::V.is_set(words[0]) {
        return Err(Reading::Nothing);
    }
    match Ste0::CONFIG.get(words[0]) {
        0..4 => Err(Reading::Aborts),
        4 => Err(Reading::Bypasses),
        _ => {
            legal::ste(registers, &words)?;
            machine_structure(registers, words, at, read)?;
            Ok(Ste { words })
        }
    }
}

/// Checks the structure of the virtual machine, if the STE at `at` points to one. IHI 0070 G.b 5.2,
/// VMSPtr: with both stages, PARTIDs from CDs, and more than one partition.
fn machine_structure(
    registers: &Registers,
    [ste0, ste1, ..]: [u64; 4],
    at: u64,
    read: &impl Fn(u64) -> Option<u64>,
) -> Result<(), Reading> {
    let both = Ste0::CONFIG.get(ste0) == BOTH;
    let labels =
        Idr3::MPAM.is_set(registers.idr3) && Mpamidr::PARTID_MAX.get(registers.mpamidr) != 0;
    if !both || !labels || !Ste1::S1MPAM.is_set(ste1) {
        return Ok(());
    }
    let word = at.checked_add(8 * 5).and_then(read);
    let word = word.ok_or(Reading::Unread("its STE.VMSPtr is not known"))?;
    let structure = Ste5::VMSPTR.in_place(word);
    if structure >> stages::output_size(registers) != 0 {
        return Err(Reading::Nothing);
    }
    // It contains only MPAM labels; but without it there is no translation.
    let known = read(structure).map(|_| ());
    known.ok_or(Reading::Unread("the structure of its virtual machine is not known"))
}

impl Ste {
    fn has(&self, stage: u64) -> bool {
        Ste0::CONFIG.get(self.words[0]) & stage != 0
    }

    fn stage2(&self, registers: &Registers) -> Result<Option<Second>, Reading> {
        if !self.has(STAGE_2) {
            return Ok(None);
        }
        let [_, ste1, ste2, ste3] = self.words;
        let stage2 = stage2(registers, ste2, ste3)?;
        Ok(Some(Second {
            // IHI 0070 G.b 5.2, S2PTW: the tables of stage 1 are protected.
            protects: self.has(STAGE_1) && Ste2::S2PTW.is_set(ste2),
            forces: Idr3::FWB.is_set(registers.idr3) && Ste1::S2FWB.is_set(ste1),
            ..stage2
        }))
    }

    /// A word of a CD table, `None` where it is not known.
    fn behind(
        stage2: &Option<Second>,
        at: u64,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Result<Option<u64>, Refused> {
        match stage2.as_ref().map(|stage2| stage2.read(at, Purpose::Context, read)) {
            None => Ok(read(at)),
            // A table of stage 2 is not known.
            Some(Err(Refused { kind: Kind::Abort, .. })) => Ok(None),
            Some(found) => found,
        }
    }

    fn pointer(&self, registers: &Registers) -> Pointer {
        legal::context_pointer(registers, self.words[0], self.has(STAGE_2))
    }

    fn reading(
        &self,
        registers: &Registers,
        substream: Option<SubstreamId>,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Result<Reading, Reading> {
        match self.pointer(registers) {
            _ if !self.has(STAGE_1) => self.followed(registers, substream, read),
            Pointer::Within => self.followed(registers, substream, read),
            Pointer::Illegal => Err(Reading::Nothing),
            Pointer::Cut => Err(Reading::Unread("STE.S1ContextPtr is too large for SMMUv3.0")),
            Pointer::Beyond => {
                let followed = self.followed(registers, substream, read);
                let followed = followed.unwrap_or_else(|reading| reading);
                Ok(Reading::Either(Box::new([Reading::Nothing, followed])))
            }
        }
    }

    /// The configuration of an STE whose pointers are followed.
    fn followed(
        &self,
        registers: &Registers,
        substream: Option<SubstreamId>,
        read: &impl Fn(u64) -> Option<u64>,
    ) -> Result<Reading, Reading> {
        let [ste0, ste1, ..] = self.words;
        let stage2 = self.stage2(registers)?;
        let overrides = self.overrides(registers);
        let world = self.world(registers)?;
        let mut stage1 = None;
        if self.has(STAGE_1) {
            let through = |at: u64| Self::behind(&stage2, at, read);
            let words = context::select(registers, [ste0, ste1], substream, &through);
            let words = words.map_err(|unread| unread.reading(overrides))?;
            let read = |cd| {
                legal::cd(registers, ste1, &cd, world)?;
                stages::stage1(registers, &cd, world)
            };
            stage1 = words.map(read).transpose()?;
        } else if substream.is_some() {
            return Err(Reading::NoSubstream);
        }
        if stage1.is_none() && stage2.is_none() {
            return Err(Reading::Bypasses);
        }
        let input_bits = stages::input_size(registers);
        let tables = Tables { stage1, stage2, input_bits, overrides };
        Ok(Reading::Tables(Box::new(tables)))
    }

    /// IHI 0070 G.b 5.2, PRIVCFG and INSTCFG: where IDR1 has them.
    fn overrides(&self, registers: &Registers) -> Overrides {
        let [_, ste1, ..] = self.words;
        if !Idr1::ATTR_PERMS_OVR.is_set(registers.idr1) {
            return Overrides::default();
        }
        let privilege = match Ste1::PRIVCFG.get(ste1) {
            2 => Some(Privilege::Unprivileged),
            3 => Some(Privilege::Privileged),
            _ => None,
        };
        let fetches = match Ste1::INSTCFG.get(ste1) {
            2 => Some(false),
            3 => Some(true),
            _ => None,
        };
        Overrides { privilege, fetches }
    }

    /// IHI 0070 G.b 5.2, STRW: it applies to stage 1 alone, and only with EL2.
    fn world(&self, registers: &Registers) -> Result<World, Reading> {
        if self.has(STAGE_2) || !Idr0::HYP.is_set(registers.idr0) {
            return Ok(World::Two);
        }
        match Ste1::STRW.get(self.words[1]) {
            0 => Ok(World::Two),
            2 if fields::Cr2::E2H.is_set(registers.cr2) => Ok(World::Two),
            2 => Ok(World::One),
            _ => Err(Reading::Nothing),
        }
    }
}

/// Number of privilege levels, and of halves of the address space, in the regime of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum World {
    /// EL1, and EL2 with E2H.
    Two,
    /// EL2.
    One,
}

/// The address of a stream's STE. The SMMU aligns both tables to their size, as the fields give it,
/// whatever the low bits contain. IHI 0070 G.b 5.1, 6.3.24.
fn ste_address(
    registers: &Registers,
    stream: StreamId,
    read: &impl Fn(u64) -> Option<u64>,
) -> Result<u64, Reading> {
    let stream = u64::from(stream.get());
    if stream >> registers.stream_bits() != 0 {
        return Err(Reading::NoStream);
    }
    let size = BaseCfg::LOG2SIZE.get(registers.strtab_base_cfg) as u32;
    let table = Base::ADDR.in_place(registers.strtab_base);
    let within = |at: Option<u64>| {
        let within = at.filter(|at| at >> stages::output_size(registers) == 0);
        within.ok_or(Reading::Unread("its STE is beyond the output size, where SMMUs may differ"))
    };
    let Some(split) = registers.stream_split() else {
        return within(aligned(table, size + STE_LG2).checked_add(stream << STE_LG2));
    };
    let table = aligned(table, (size + L1STD_LG2).saturating_sub(split as u32));
    let at = within(table.checked_add(stream >> split << L1STD_LG2))?;
    let l1std = read(at).ok_or(Reading::Unread("its level 1 descriptor is not known"))?;
    let index = stream & ((1 << split) - 1);
    let span = L1Std::SPAN.get(l1std);
    // IHI 0070 G.b 5.1: 12 and more act as 0; none may exceed the split.
    if span == 0 || span > 11 || span > split + 1 || index >> (span - 1) != 0 {
        return Err(Reading::NoStream);
    }
    let leaf = aligned(L1Std::L2PTR.in_place(l1std), span as u32 - 1 + STE_LG2);
    within(leaf.checked_add(index << STE_LG2))
}

/// An address with the bits below 2^`lg2` cleared.
fn aligned(at: u64, lg2: u32) -> u64 {
    at & u64::MAX.checked_shl(lg2).unwrap_or(0)
}
