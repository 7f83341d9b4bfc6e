//! From a transaction to its configuration: Stream table lookup, STE, CD table lookup, CD.
//!
//! This room reads structures from memory; the rooms below check and decode them.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`ste`] | what does an STE mean, and is it legal? |
//! | [`cd`] | what does a CD mean, and is it legal? |

pub(crate) mod cd;
pub(crate) mod ste;

use crate::choice::StreamTableBeyondOas;
use crate::stages::{ConfigThroughStages, Refusal};
use crate::v3::Implementation;
use crate::v3::config_cache::ConfigCache;
use crate::v3::explain::ConfigLog;
use crate::v3::features::Features;
use crate::v3::regs::Registers;
use crate::v3::wire::cd::{CD_LG2, CD_WORDS, L1CD_BYTES, L1Cd};
use crate::v3::wire::ste::{DefaultSubstream, L1STD_BYTES, L1Std, STE_LG2, STE_WORDS};
use passim_model::{Memory, PhysAddr, StreamId, SubstreamId};
use ste::CdPointer;

/// The words of an STE.
pub(crate) type SteWords = [u64; STE_WORDS];
/// The words of a CD.
pub(crate) type CdWords = [u64; CD_WORDS];

/// An STE as read.
pub(crate) struct ReadSte {
    pub(crate) words: SteWords,
    /// log2 of the StreamIDs that STE.CONT can make it serve: those of its table.
    pub(crate) reach_lg2: u32,
}

/// Why no STE was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SteFault {
    /// C_BAD_STREAMID.
    BadStreamId,
    /// F_STE_FETCH at this address.
    Fetch(PhysAddr),
    /// F_CFG_CONFLICT: this stream's STE matched too.
    Conflict(StreamId),
}

/// The source of STEs.
pub(crate) struct SteSource<'a> {
    pub(crate) memory: &'a Memory,
    pub(crate) registers: &'a Registers,
    pub(crate) implementation: &'a Implementation,
    pub(crate) features: &'a Features,
    /// The cache of level-1 descriptors, where they are cached.
    pub(crate) configs: &'a mut ConfigCache,
}

/// Reads the STE of `stream`.
pub(crate) fn fetch_ste<L: ConfigLog>(
    source: SteSource<'_>,
    stream: StreamId,
    log: &mut L,
) -> Result<ReadSte, SteFault> {
    let SteSource { memory, registers, implementation, features, configs } = source;
    let table = registers.stream_table(features);
    let sid = u64::from(stream.get());
    // IHI 0070 G.b 7.3.3: LOG2SIZE bounds StreamIDs, SIDSIZE bounds LOG2SIZE (6.3.25).
    if sid >> table.log2size.min(features.stream_bits) != 0 {
        return Err(SteFault::BadStreamId);
    }
    let physical = |address: u64| {
        let in_range = features.in_oas(address);
        match implementation.choices.stream_table_beyond_oas {
            StreamTableBeyondOas::Truncate => Ok(PhysAddr::new(features.truncate(address))),
            StreamTableBeyondOas::FetchFault if in_range => Ok(PhysAddr::new(address)),
            // IHI 0070 G.b 7.3.4: FetchAddr has as many bits as output addresses.
            StreamTableBeyondOas::FetchFault => {
                Err(SteFault::Fetch(PhysAddr::new(features.truncate(address))))
            }
        }
    };
    // IHI 0070 G.b 5.2.1: a failed fetch caches nothing; an invalid descriptor was read, and is
    // cached.
    let mut fresh = None;
    let remember = |configs: &mut ConfigCache, fresh: Option<(u32, u64)>| {
        if let Some((split, descriptor)) = fresh {
            configs.insert_level_one_of_stream(stream, split, descriptor);
        }
    };
    let (at, reach_lg2) = match table.split {
        // IHI 0070 G.b 5.2 (CONT): the table caps the span.
        None => (table.base + (sid << STE_LG2), table.log2size),
        Some(split) => {
            let l1 = physical(table.base + (sid >> split) * L1STD_BYTES)?;
            let descriptor = match configs.level_one_of_stream(stream, split) {
                Some(descriptor) => {
                    log.cached_level_one_stream(descriptor);
                    descriptor
                }
                None => {
                    let descriptor = memory.load_u64(l1).map_err(|_| SteFault::Fetch(l1))?;
                    log.level_one_stream(l1, descriptor);
                    fresh = Some((split, descriptor));
                    descriptor
                }
            };
            match second_level(descriptor, split, sid) {
                Ok(found) => found,
                Err(fault) => {
                    remember(configs, fresh);
                    return Err(fault);
                }
            }
        }
    };
    let at = physical(at)?;
    let words = memory.words(at, STE_WORDS).map_err(|_| SteFault::Fetch(at))?;
    remember(configs, fresh);
    let words: SteWords = words.try_into().expect("as many words as asked for");
    log.ste(at, &words);
    Ok(ReadSte { words, reach_lg2 })
}

/// Address of the STE in the table an L1STD points to, and log2 of the STEs of that table.
fn second_level(descriptor: u64, split: u32, sid: u64) -> Result<(u64, u32), SteFault> {
    let span = L1Std::SPAN.get(descriptor) as u32;
    let index = sid & !(u64::MAX << split);
    // IHI 0070 G.b 5.1 and 7.3.3: a Span of 0, a reserved one (12 and more) or one above
    // SPLIT + 1 is invalid; Span n points to 2^(n-1) STEs.
    if span == 0 || span > 11 || span > split + 1 || index >> (span - 1) != 0 {
        return Err(SteFault::BadStreamId);
    }
    // IHI 0070 G.b 5.1: the pointer is aligned to the size of the table.
    let table = L1Std::L2PTR.in_place(descriptor) & (u64::MAX << (span - 1 + STE_LG2));
    Ok((table + (index << STE_LG2), span - 1))
}

/// Which context a transaction uses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Context {
    /// The CD with this index.
    Cd(u32),
    /// None: stage 1 is bypassed.
    Bypass,
}

/// Why no context can be selected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ContextFault {
    /// C_BAD_SUBSTREAMID.
    BadSubstreamId,
    /// F_STREAM_DISABLED.
    StreamDisabled,
}

/// Which CD a transaction with or without a SubstreamID selects.
#[inline]
pub(crate) fn select_context(
    pointer: &CdPointer,
    substream: Option<SubstreamId>,
) -> Result<Context, ContextFault> {
    // IHI 0070 G.b 5.2, S1CDMax: one CD, and a SubstreamID is an error.
    if pointer.count_lg2 == 0 {
        return match substream {
            None => Ok(Context::Cd(0)),
            Some(_) => Err(ContextFault::BadSubstreamId),
        };
    }
    // IHI 0070 G.b 5.2, S1DSS; 7.3.7 and 7.3.9.
    match (substream, pointer.default_substream) {
        (Some(id), _) if id.get() >> pointer.count_lg2 != 0 => Err(ContextFault::BadSubstreamId),
        (Some(id), DefaultSubstream::Substream0) if id.get() == 0 => {
            Err(ContextFault::StreamDisabled)
        }
        (Some(id), _) => Ok(Context::Cd(id.get())),
        (None, DefaultSubstream::Terminate) => Err(ContextFault::StreamDisabled),
        (None, DefaultSubstream::Bypass) => Ok(Context::Bypass),
        (None, DefaultSubstream::Substream0) => Ok(Context::Cd(0)),
    }
}

/// Why no CD was read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CdFault {
    /// C_BAD_SUBSTREAMID: no second-level table, or one out of range.
    BadSubstreamId,
    /// F_CD_FETCH at this address.
    Fetch(PhysAddr),
    /// A stage-2 fault on the way.
    Stage2(Refusal),
}

/// A CD as read, and the level-1 descriptor of its table, valid or not. IHI 0070 G.b 5.4.1: no
/// descriptor where a fetch failed.
pub(crate) struct Fetched {
    pub(crate) words: Result<CdWords, CdFault>,
    pub(crate) level_one: Option<u64>,
}

/// Reads the CD with this index; `cached` is its level-1 descriptor, if that is cached.
pub(crate) fn fetch_cd<L: ConfigLog>(
    source: &mut ConfigThroughStages<'_, L>,
    pointer: &CdPointer,
    index: u32,
    cached: Option<u64>,
) -> Fetched {
    let mut level_one = None;
    let words = read_cd(source, pointer, index.into(), cached, &mut level_one);
    let failed = matches!(words, Err(CdFault::Fetch(_) | CdFault::Stage2(_)));
    Fetched { words, level_one: level_one.filter(|_| !failed) }
}

fn read_cd<L: ConfigLog>(
    source: &mut ConfigThroughStages<'_, L>,
    pointer: &CdPointer,
    index: u64,
    cached: Option<u64>,
    level_one: &mut Option<u64>,
) -> Result<CdWords, CdFault> {
    let at = match pointer.split() {
        Some(split) => {
            let descriptor = match cached {
                Some(descriptor) => {
                    source.stages.log.cached_level_one_cd(descriptor);
                    descriptor
                }
                None => read_level_one(source, pointer.base + (index >> split) * L1CD_BYTES)?,
            };
            *level_one = Some(descriptor);
            if !L1Cd::V.is_set(descriptor) {
                return Err(CdFault::BadSubstreamId);
            }
            // IHI 0070 G.b 5.3: a leaf table is aligned to its size.
            let leaf = L1Cd::L2PTR.in_place(descriptor) & (u64::MAX << (split + CD_LG2));
            let at = leaf + ((index & !(u64::MAX << split)) << CD_LG2);
            if at >> source.bits != 0 {
                return Err(CdFault::BadSubstreamId);
            }
            at
        }
        // The table is aligned and lies inside the address size: an STE is ILLEGAL otherwise.
        None => pointer.base + (index << CD_LG2),
    };
    let physical = source.physical(at).map_err(CdFault::Stage2)?;
    let words = source.stages.memory.words(physical, CD_WORDS);
    let words = words.map_err(|_| CdFault::Fetch(physical))?;
    let words: CdWords = words.try_into().expect("as many words as asked for");
    source.stages.log.cd(physical, &words);
    Ok(words)
}

/// The level-1 descriptor at this address.
fn read_level_one<L: ConfigLog>(
    source: &mut ConfigThroughStages<'_, L>,
    at: u64,
) -> Result<u64, CdFault> {
    let physical = source.physical(at).map_err(CdFault::Stage2)?;
    let load = source.stages.memory.load_u64(physical);
    let descriptor = load.map_err(|_| CdFault::Fetch(physical))?;
    source.stages.log.level_one_cd(physical, descriptor);
    Ok(descriptor)
}
