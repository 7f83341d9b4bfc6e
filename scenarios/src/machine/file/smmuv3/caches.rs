//! How large the caches of an SMMUv3 are: its TLB, and what it keeps of STEs and CDs.

use std::ops::Range;

use passim_smmu::tlb::{Geometry, Victim};
use passim_smmu::v3::ConfigGeometry;
use serde::Deserialize;
use toml::Spanned;

use super::super::refuse;
use crate::input_error::{InputError, SourceText};

/// log2 of the most sets of a TLB.
const MOST_SETS_LG2: u32 = 20;
/// Most entries of a set.
const MOST_WAYS: u32 = 16;
/// log2 of the most STEs, and of the most CDs, that are held.
const MOST_CONFIGS_LG2: u32 = 16;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TlbFile {
    sets: Spanned<u32>,
    ways: Spanned<u32>,
    #[serde(default)]
    victim: VictimFile,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum VictimFile {
    #[default]
    RoundRobin,
    LeastRecentlyUsed,
    Random,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfigCachesFile {
    stes: Spanned<u32>,
    cds: Spanned<u32>,
}

impl TlbFile {
    pub(super) fn geometry(&self, source: &SourceText) -> Result<Geometry, InputError> {
        let ways = *self.ways.get_ref();
        if !(1..=MOST_WAYS).contains(&ways) {
            let message = format!("a set has 1 to {MOST_WAYS} ways, not {ways}");
            return Err(refuse(source, self.ways.span(), message));
        }
        Ok(Geometry {
            sets_lg2: lg2(&self.sets, MOST_SETS_LG2, "a TLB has sets", source)?,
            ways: ways as u8,
            victim: match self.victim {
                VictimFile::RoundRobin => Victim::RoundRobin,
                VictimFile::LeastRecentlyUsed => Victim::LeastRecentlyUsed,
                VictimFile::Random => Victim::Random,
            },
        })
    }
}

impl ConfigCachesFile {
    pub(super) fn geometry(&self, source: &SourceText) -> Result<ConfigGeometry, InputError> {
        Ok(ConfigGeometry {
            stes_lg2: lg2(&self.stes, MOST_CONFIGS_LG2, "STEs are held", source)?,
            cds_lg2: lg2(&self.cds, MOST_CONFIGS_LG2, "CDs are held", source)?,
        })
    }
}

/// Sizes stand beside what keeps everything.
pub(super) fn nothing_is_sized(span: Range<usize>, source: &SourceText) -> InputError {
    refuse(source, span, "caches that keep everything have no size")
        .with_hint("leave out either this or `caches = \"everything\"`")
}

fn lg2(
    number: &Spanned<u32>,
    most: u32,
    what: &str,
    source: &SourceText,
) -> Result<u8, InputError> {
    let count = *number.get_ref();
    if !count.is_power_of_two() || count.ilog2() > most {
        let message = format!("{what} by a power of two up to {}, not {count}", 1u32 << most);
        return Err(refuse(source, number.span(), message));
    }
    Ok(count.ilog2() as u8)
}

#[cfg(test)]
mod tests;
