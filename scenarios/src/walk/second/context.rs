//! Finds the CD of a transaction from an STE.

use passim_model::SubstreamId;

use super::fields::{CD_LG2, Idr0, L1CD_LG2, L1Cd, Ste0, Ste1};
use super::{Overrides, Reading, Refused, Registers, STAGE_2, stages};

/// The words of a CD that this walk uses.
pub(super) type Cd = [u64; 3];

/// The layout of a stream's CDs.
#[derive(Clone, Copy)]
struct CdTable {
    base: u64,
    /// log2 of their number.
    count_lg2: u64,
    /// log2 of the CDs in a leaf, with two levels. IHI 0070 G.b 5.2, S1Fmt.
    split: Option<u64>,
    /// Bits of the addresses in it.
    bits: u8,
    /// The effect of a pointer beyond them.
    beyond: Beyond,
}

/// IHI 0070 G.b 3.4.3, L1CD.L2Ptr.
#[derive(Clone, Copy)]
enum Beyond {
    /// C_BAD_SUBSTREAMID.
    NoSubstream,
    /// That, or the result of the address: truncated, or refused by stage 2.
    Open,
}

impl CdTable {
    fn of(registers: &Registers, ste0: u64) -> Self {
        let second = Ste0::CONFIG.get(ste0) & STAGE_2 != 0;
        let (bits, beyond) = match second {
            true => (stages::input_size(registers), Beyond::Open),
            false if registers.is_first_version() => (stages::output_size(registers), Beyond::Open),
            false => (stages::output_size(registers), Beyond::NoSubstream),
        };
        let count_lg2 = Ste0::S1CDMAX.get(ste0);
        let split = match Ste0::S1FMT.get(ste0) {
            1 => Some(6),
            2 => Some(10),
            _ => None,
        };
        let split = split.filter(|_| count_lg2 != 0);
        Self { base: Ste0::S1CONTEXTPTR.in_place(ste0), count_lg2, split, bits, beyond }
    }

    /// log2 of the bytes of the table at S1ContextPtr.
    fn size_lg2(&self) -> u64 {
        match self.split {
            None => self.count_lg2 + CD_LG2,
            Some(split) => self.count_lg2.saturating_sub(split) + L1CD_LG2,
        }
    }

    /// The address of the CD with this index.
    fn at(&self, index: u64, through: &impl Through) -> Result<u64, NoCd> {
        let Some(split) = self.split else { return Ok(self.base + (index << CD_LG2)) };
        let at = self.base + (index >> split << L1CD_LG2);
        let l1cd = word(at, through)?;
        if !L1Cd::V.is_set(l1cd) {
            return Err(NoCd::For(Reading::NoSubstream));
        }
        let leaf = L1Cd::L2PTR.in_place(l1cd) >> (split + CD_LG2) << (split + CD_LG2);
        match self.beyond {
            _ if leaf >> self.bits == 0 => {}
            Beyond::NoSubstream => return Err(NoCd::For(Reading::NoSubstream)),
            Beyond::Open => return Err(NoCd::For(Reading::Unread(BEYOND))),
        }
        Ok(leaf + ((index % (1 << split)) << CD_LG2))
    }
}

/// Reads a word as the SMMU would, `None` where it is not known.
pub(super) trait Through: Fn(u64) -> Result<Option<u64>, Refused> {}
impl<F: Fn(u64) -> Result<Option<u64>, Refused>> Through for F {}

/// Why there is no CD.
pub(super) enum NoCd {
    /// Stage 2 refuses its address.
    Refused(Refused),
    /// Another configuration.
    For(Reading),
}

impl NoCd {
    /// The configuration of an STE with these overrides.
    pub(super) fn reading(self, overrides: Overrides) -> Reading {
        match self {
            Self::Refused(refused) => Reading::NoPath(refused, overrides),
            Self::For(reading) => reading,
        }
    }
}

fn word(at: u64, through: &impl Through) -> Result<u64, NoCd> {
    through(at).map_err(NoCd::Refused)?.ok_or(NoCd::For(Reading::Unread(UNKNOWN)))
}

/// Why a level 1 descriptor with too large a pointer is not judged.
const BEYOND: &str = "L1CD.L2Ptr is too large, where SMMUs may differ";

/// Why a CD that the dump lacks cannot be read.
const UNKNOWN: &str = "its CD is not known";

/// The CD of a transaction; `None` where STE.S1DSS bypasses stage 1. IHI 0070 G.b 5.2.
pub(super) fn select(
    registers: &Registers,
    [ste0, ste1]: [u64; 2],
    substream: Option<SubstreamId>,
    through: &impl Through,
) -> Result<Option<Cd>, NoCd> {
    let mut table = CdTable::of(registers, ste0);
    if !registers.have_substreams() {
        table = CdTable { count_lg2: 0, split: None, ..table };
    }
    if table.split.is_some() && !Idr0::CD2L.is_set(registers.idr0) {
        return Err(NoCd::For(Reading::Nothing));
    }
    // IHI 0070 G.b 5.2, S1Fmt: it is aligned to the size of the table.
    if table.base & ((1 << table.size_lg2()) - 1) != 0 {
        let reason = "STE.S1ContextPtr is not aligned to its table, where SMMUs may differ";
        return Err(NoCd::For(Reading::Unread(reason)));
    }
    let substream = substream.map(|substream| u64::from(substream.get()));
    let index = match (substream, Ste1::S1DSS.get(ste1)) {
        (None, _) if table.count_lg2 == 0 => 0,
        (Some(index), _) if table.count_lg2 == 0 || index >> table.count_lg2 != 0 => {
            return Err(NoCd::For(Reading::NoSubstream));
        }
        (Some(0), 2) => return Err(NoCd::For(Reading::Disabled)),
        (Some(index), _) => index,
        (None, 1) => return Ok(None),
        (None, 2) => 0,
        (None, _) => return Err(NoCd::For(Reading::Disabled)),
    };
    let at = table.at(index, through)?;
    let mut words = Cd::default();
    for (index, read) in (0u64..).zip(&mut words) {
        *read = word(at + 8 * index, through)?;
    }
    Ok(Some(words))
}

/// The indices of known CDs, and the first of each missing leaf.
pub(super) fn contexts(registers: &Registers, ste0: u64, through: &impl Through) -> Vec<u32> {
    let table = CdTable::of(registers, ste0);
    let end = if table.count_lg2 == 0 { 0 } else { 1u32 << table.count_lg2.min(MAX_LG2) };
    let mut known = Vec::new();
    let mut index = 0;
    while index < end {
        let is_known = match table.at(u64::from(index), through) {
            Ok(at) => Some(matches!(through(at), Ok(Some(_)))),
            Err(NoCd::For(Reading::NoSubstream)) => {
                known.push(index);
                None
            }
            Err(_) => None,
        };
        if is_known == Some(true) {
            known.push(index);
        }
        index += match (is_known, table.split) {
            // The rest of a missing leaf is skipped.
            (None, Some(split)) => 1 << split,
            _ => 1,
        };
    }
    known
}

/// IHI 0070 G.b 6.3.2, SSIDSIZE: most bits of a SubstreamID.
const MAX_LG2: u64 = 20;
