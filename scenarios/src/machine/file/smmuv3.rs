//! An SMMUv3 of a machine file.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `caches` | which caches does it have, and how large are they? |
//! | `features` | what do the keys of `features` and `choices` mean? |

mod caches;
mod features;

pub(crate) use features::set_smmu_choice;

use std::ops::Range;

use passim_model::{DeviceId, PhysAddr};
use passim_smmu::tlb::Retention;
use passim_smmu::v3::{Caches, IdRegisters};
use serde::Deserialize;
use toml::Spanned;

use self::caches::{ConfigCachesFile, Sizes};
use super::cache::CacheFile;
use super::{SmmuSpisFile, SpiFile, refuse};
use crate::input_error::{InputError, SourceText};
use crate::machine::quantity::Quantity;
use crate::machine::{SmmuV3, SmmuWires};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SmmuFile {
    base: Quantity,
    /// ID registers as they read, with `aidr`; or `features`, from which they follow.
    idr: Option<Spanned<[u32; 6]>>,
    aidr: Option<Spanned<u32>>,
    features: Option<Spanned<features::Table>>,
    /// How long cached entries are retained.
    #[serde(default)]
    caches: CachesFile,
    /// The size of the TLB, where it is sized.
    tlb: Option<Spanned<CacheFile>>,
    /// The size of the walk cache, likewise.
    walk_cache: Option<Spanned<CacheFile>>,
    /// The sizes of the STE and CD caches, likewise.
    config_caches: Option<Spanned<ConfigCachesFile>>,
    #[serde(default)]
    choices: features::Table,
    #[serde(default)]
    spis: SmmuSpisFile,
    /// `msi-parent` of the SMMU itself: the DeviceID of its own messages.
    device_id: Option<u32>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum CachesFile {
    #[default]
    Sized,
    Everything,
}

impl SmmuFile {
    /// The SMMU; `span` is its place in the file.
    pub(super) fn into_smmu(
        self,
        span: &Range<usize>,
        source: &SourceText,
    ) -> Result<SmmuV3, InputError> {
        let (ids, preset) = match (self.idr, self.aidr, self.features) {
            (Some(idr), Some(aidr), None) => {
                let (idr, aidr) = (idr.into_inner(), aidr.into_inner());
                (IdRegisters { idr, iidr: 0, aidr, mpamidr: 0 }, Caches::VIRT)
            }
            (None, None, Some(features)) => features::built(&features, source)?,
            (idr, aidr, _) => {
                let at = idr.map(|idr| idr.span()).or(aidr.map(|aidr| aidr.span()));
                let message = "an SMMUv3 has either `features` or both `idr` and `aidr`";
                return Err(refuse(source, at.unwrap_or_else(|| span.clone()), message));
            }
        };
        let Self { tlb, walk_cache, config_caches, .. } = self;
        let sizes = Sizes { tlb, walk_cache, config_caches };
        if let (CachesFile::Everything, Some(span)) = (self.caches, sizes.first()) {
            return Err(caches::nothing_is_sized(span, source));
        }
        let wire = |spi: Option<SpiFile>| spi.map(|spi| spi.0);
        Ok(SmmuV3 {
            base: PhysAddr::new(self.base.0),
            ids,
            wired: SmmuWires {
                event_queue: wire(self.spis.event_queue),
                pri_queue: wire(self.spis.pri_queue),
                command_sync: wire(self.spis.command_sync),
                global_error: wire(self.spis.global_error),
            },
            device_id: self.device_id.map(DeviceId::new),
            retention: match self.caches {
                CachesFile::Sized => Retention::Sized,
                CachesFile::Everything => Retention::Everything,
            },
            caches: sizes.over(preset, source)?,
            choices: features::choices(&self.choices, source)?,
        })
    }
}
