//! The caches of an SMMUv3 and their sizes, where a file overrides the preset of its features.

use std::ops::Range;

use passim_smmu::cache::Geometry;
use passim_smmu::v3::Caches;
use serde::Deserialize;
use toml::Spanned;

use super::super::cache::CacheFile;
use super::super::refuse;
use crate::input_error::{InputError, SourceText};

/// log2 of the most sets of the caches that hold structures.
const MOST_SETS_LG2: u8 = Geometry::MOST_SETS_OF_STRUCTURES_LG2;

/// The configuration caches of a file; each left out is the preset's.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ConfigCachesFile {
    stes: Option<CacheFile>,
    cds: Option<CacheFile>,
    level_1_stes: Option<CacheFile>,
    level_1_cds: Option<CacheFile>,
}

/// All cache sizes of a file.
pub(super) struct Sizes {
    pub(super) tlb: Option<Spanned<CacheFile>>,
    pub(super) walk_cache: Option<Spanned<CacheFile>>,
    pub(super) config_caches: Option<Spanned<ConfigCachesFile>>,
}

impl Sizes {
    /// The place of the first of them.
    pub(super) fn first(&self) -> Option<Range<usize>> {
        let all = [
            self.tlb.as_ref().map(Spanned::span),
            self.walk_cache.as_ref().map(Spanned::span),
            self.config_caches.as_ref().map(Spanned::span),
        ];
        all.into_iter().flatten().min_by_key(|span| span.start)
    }

    /// The caches of a preset, overridden by the file.
    pub(super) fn over(&self, preset: Caches, source: &SourceText) -> Result<Caches, InputError> {
        let mut caches = preset;
        if let Some(tlb) = &self.tlb {
            caches.tlb = tlb.get_ref().geometry(Geometry::MOST_SETS_LG2, source)?;
        }
        if let Some(tables) = &self.walk_cache {
            caches.tables = tables.get_ref().maybe(MOST_SETS_LG2, source)?;
        }
        let Some(configs) = self.config_caches.as_ref().map(Spanned::get_ref) else {
            return Ok(caches);
        };
        if let Some(stes) = &configs.stes {
            caches.stes = stes.geometry(MOST_SETS_LG2, source)?;
        }
        if let Some(cds) = &configs.cds {
            caches.cds = cds.geometry(MOST_SETS_LG2, source)?;
        }
        if let Some(descriptors) = &configs.level_1_stes {
            caches.level_one_stes = descriptors.maybe(MOST_SETS_LG2, source)?;
        }
        if let Some(descriptors) = &configs.level_1_cds {
            caches.level_one_cds = descriptors.maybe(MOST_SETS_LG2, source)?;
        }
        Ok(caches)
    }
}

/// The error for sizes beside `caches = "everything"`.
pub(super) fn nothing_is_sized(span: Range<usize>, source: &SourceText) -> InputError {
    refuse(source, span, "caches that keep everything have no size")
        .with_hint("leave out either this or `caches = \"everything\"`")
}

#[cfg(test)]
mod tests;
