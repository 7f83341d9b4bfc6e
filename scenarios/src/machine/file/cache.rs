//! The size of a cache of an SMMU: sets, ways, and the victim way of a full set.

use passim_smmu::cache::{Geometry, Victim};
use serde::Deserialize;
use toml::Spanned;

use super::refuse;
use crate::input_error::{InputError, SourceText, nearest};

/// A cache. `sets = 0` means no cache, where the cache is optional.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CacheFile {
    sets: Spanned<i64>,
    ways: Option<Spanned<i64>>,
    victim: Option<Spanned<String>>,
    /// The seed of a random victim; 0 without it.
    seed: Option<Spanned<i64>>,
}

const RANDOM: &str = "random";
const VICTIMS: [&str; 3] = ["round-robin", "least-recently-used", RANDOM];

impl CacheFile {
    /// A required cache; `most_lg2` is log2 of its most sets.
    pub(super) fn geometry(
        &self,
        most_lg2: u8,
        source: &SourceText,
    ) -> Result<Geometry, InputError> {
        let sets = *self.sets.get_ref();
        let sets_lg2 = u64::try_from(sets).ok().and_then(u64::checked_ilog2);
        let sets_lg2 = sets_lg2.filter(|&lg2| sets == 1 << lg2 && lg2 <= most_lg2.into());
        let sets_lg2 = sets_lg2.ok_or_else(|| {
            let most = 1u64 << most_lg2;
            let message = format!("sets are a power of two up to {most}, not {sets}");
            refuse(source, self.sets.span(), message).with_hint(match sets {
                0 => "an SMMU cannot be without this cache; `sets = 1` and `ways = 1` come nearest",
                _ => "their number is chosen by low bits of what is looked for",
            })
        })?;
        let victim = self.victim(source)?;
        Ok(Geometry { sets_lg2: sets_lg2 as u8, ways: self.ways(source)?, victim })
    }

    /// An optional cache.
    pub(super) fn maybe(
        &self,
        most_lg2: u8,
        source: &SourceText,
    ) -> Result<Option<Geometry>, InputError> {
        if *self.sets.get_ref() != 0 {
            return self.geometry(most_lg2, source).map(Some);
        }
        let rest = [
            self.ways.as_ref().map(Spanned::span),
            self.victim.as_ref().map(Spanned::span),
            self.seed.as_ref().map(Spanned::span),
        ];
        match rest.into_iter().flatten().next() {
            Some(span) => Err(refuse(source, span, "a cache without sets has nothing else either")
                .with_hint("`sets = 0` alone says that there is none")),
            None => Ok(None),
        }
    }

    fn ways(&self, source: &SourceText) -> Result<u8, InputError> {
        let Some(said) = &self.ways else {
            let error = refuse(source, self.sets.span(), "sets have `ways`");
            return Err(error.with_hint("with `ways = 1` a cache is direct mapped"));
        };
        let (ways, most) = (*said.get_ref(), Geometry::MOST_WAYS);
        let inside = u8::try_from(ways).ok().filter(|ways| (1..=most).contains(ways));
        inside.ok_or_else(|| {
            let message = format!("a set has 1 to {most} ways, not {ways}");
            let hint = "more entries are had by more `sets`";
            refuse(source, said.span(), message).with_hint(hint)
        })
    }

    fn victim(&self, source: &SourceText) -> Result<Victim, InputError> {
        let name = self.victim.as_ref().map_or(VICTIMS[0], |said| said.get_ref());
        if let Some(seed) = self.seed.as_ref().filter(|_| name != RANDOM) {
            let error = refuse(source, seed.span(), format!("`{name}` draws nothing from a seed"));
            return Err(error.with_hint("only `victim = \"random\"` has a `seed`"));
        }
        Ok(match name {
            "round-robin" => Victim::RoundRobin,
            "least-recently-used" => Victim::LeastRecentlyUsed,
            RANDOM => Victim::Random { seed: self.seed(source)? },
            _ => {
                let span = self.victim.as_ref().map_or_else(|| self.sets.span(), Spanned::span);
                let hint = match nearest(name, &VICTIMS) {
                    Some(meant) => format!("did you mean {meant:?}?"),
                    None => format!("known: {}", VICTIMS.join(", ")),
                };
                let message = format!("no way gives way by `{name}`");
                return Err(refuse(source, span, message).with_hint(hint));
            }
        })
    }

    fn seed(&self, source: &SourceText) -> Result<u32, InputError> {
        let Some(said) = &self.seed else { return Ok(0) };
        let seed = *said.get_ref();
        u32::try_from(seed).map_err(|_| {
            let message = format!("a seed is a whole number of 32 bits, not {seed}");
            refuse(source, said.span(), message)
                .with_hint("any number from 0 to 4294967295 will do")
        })
    }
}
