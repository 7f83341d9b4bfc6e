//! SMMUv2s of a machine file: a preset, and features that differ from it.

use std::ops::Range;

use passim_model::PhysAddr;
use passim_smmu::cache::Geometry;
use passim_smmu::v2::{Aarch32, Auxiliary, Completion, Description, Errata, Version};
use passim_vfio::iommu::SmmuModel;
use serde::Deserialize;
use toml::Spanned;

use super::super::SmmuV2;
use super::super::quantity::{Quantity, narrow};
use super::cache::CacheFile;
use super::{SpiFile, refuse};
use crate::input_error::{InputError, SourceText};

/// log2 of the most sets of a walk cache.
const MOST_TABLE_SETS_LG2: u8 = Geometry::MOST_SETS_OF_STRUCTURES_LG2;

/// An SMMU. Features left out are the preset's; the names are those of [`Description`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SmmuV2File {
    base: Spanned<Quantity>,
    preset: Spanned<String>,
    version: Option<Spanned<VersionFile>>,
    stage1: Option<Spanned<bool>>,
    stage2: Option<Spanned<bool>>,
    nested: Option<Spanned<bool>>,
    stream_matching: Option<Spanned<bool>>,
    stream_entries: Option<Spanned<u8>>,
    stream_bits: Option<Spanned<u8>>,
    extended_ids: Option<Spanned<bool>>,
    coherent: Option<Spanned<bool>>,
    /// As in a device tree; by default as the register has it.
    dma_coherent: Option<bool>,
    aarch32: Option<Spanned<Aarch32File>>,
    translation_operations: Option<Spanned<bool>>,
    banks: Option<Spanned<u8>>,
    stage2_banks: Option<Spanned<u8>>,
    conflict_detection: Option<Spanned<bool>>,
    large_pages: Option<Spanned<bool>>,
    /// Register pages of the global space: a power of two.
    register_pages: Option<Spanned<u16>>,
    ipa_bits: Option<Spanned<u8>>,
    output_bits: Option<Spanned<u8>>,
    upstream_bits: Option<Spanned<u8>>,
    /// AArch64 granules.
    granules: Option<Spanned<Vec<GranuleFile>>>,
    vmid16: Option<Spanned<bool>>,
    stall: Option<Spanned<bool>>,
    revision: Option<Spanned<u8>>,
    /// The device tree's `compatible`, by which the driver recognises it. By default an MMU-500's,
    /// if it has that one's registers.
    compatible: Option<Spanned<String>>,
    /// As in a device tree: `calxeda,smmu-secure-config-access`.
    #[serde(default)]
    secure_config_access: bool,
    /// The size of the TLB.
    tlb: Option<CacheFile>,
    /// The size of the walk cache; none without it.
    walk_cache: Option<CacheFile>,
    /// When TLB invalidations take effect.
    #[serde(default)]
    invalidations: CompletionFile,
    #[serde(default)]
    errata: Vec<ErratumFile>,
    #[serde(default, deserialize_with = "narrow")]
    stream_match_mask: u16,
    #[serde(default)]
    spis: SpisFile,
}

#[derive(Clone, Copy, Deserialize)]
enum VersionFile {
    #[serde(rename = "v1")]
    V1,
    #[serde(rename = "v1-64k")]
    V1With64K,
    #[serde(rename = "v2")]
    V2,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Aarch32File {
    Absent,
    Long,
    LongAndShort,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum GranuleFile {
    #[serde(rename = "4K")]
    K4,
    #[serde(rename = "16K")]
    K16,
    #[serde(rename = "64K")]
    K64,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum CompletionFile {
    #[default]
    AtOnce,
    OnStep,
    WhenSynchronised,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ErratumFile {
    NoWideAccesses,
    BypassBecomesFault,
    SecureAccesses,
    SharedTags,
    StalePrefetch,
}

/// The products that Linux's driver treats specially, by the last name it looks for.
const MODELS: &[(&str, SmmuModel)] = &[
    ("arm,mmu-500", SmmuModel::Mmu500),
    ("marvell,ap806-smmu-500", SmmuModel::Ap806),
    ("cavium,smmu-v2", SmmuModel::Cavium),
    ("qcom,smmu-500", SmmuModel::Qualcomm),
];

/// SPI numbers, counted as in a device tree.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SpisFile {
    global: Option<SpiFile>,
    /// One for each context bank; the last serves all further banks.
    contexts: Vec<SpiFile>,
}

/// Takes over a value of the file, and records its place.
fn take<T: Copy, U>(
    spans: &mut Vec<(&'static str, Range<usize>)>,
    name: &'static str,
    file: &Option<Spanned<T>>,
    field: &mut U,
    convert: impl FnOnce(T) -> U,
) {
    if let Some(said) = file {
        spans.push((name, said.span()));
        *field = convert(*said.get_ref());
    }
}

impl SmmuV2File {
    pub(super) fn into_smmu(self, source: &SourceText) -> Result<SmmuV2, InputError> {
        let preset = self.preset.get_ref();
        let Some(mut description) = Description::preset(preset) else {
            let names: Vec<_> = Description::PRESETS.iter().map(|(name, _)| *name).collect();
            let error =
                refuse(source, self.preset.span(), format!("no SMMUv2 is called `{preset}`"));
            return Err(error.with_hint(format!("there are {}", names.join(", "))));
        };
        let mut spans = Vec::new();
        self.stages(&mut spans, &mut description);
        self.sizes(&mut spans, &mut description);
        if let Some(pages) = &self.register_pages {
            let count = *pages.get_ref();
            if !count.is_power_of_two() {
                let message = format!("{count} register pages are not a power of two");
                return Err(refuse(source, pages.span(), message));
            }
            spans.push(("pages_lg2", pages.span()));
            description.pages_lg2 = count.trailing_zeros() as u8;
        }
        if let Some(granules) = &self.granules {
            spans.push(("granules", granules.span()));
            let all = [GranuleFile::K4, GranuleFile::K16, GranuleFile::K64];
            description.granules = all.map(|granule| granules.get_ref().contains(&granule));
        }
        // SMMUv1: ID0.NUMIRPT is the number of interrupt lines.
        if description.version != Version::V2 && !self.spis.contexts.is_empty() {
            description.context_interrupts = self.spis.contexts.len().min(255) as u8;
        }
        description.check().map_err(|contradiction| {
            let said = spans.iter().find(|(name, _)| *name == contradiction.field);
            let span = said.map_or(self.preset.span(), |(_, span)| span.clone());
            let message = format!("`{}`: {}", contradiction.field, contradiction.why);
            refuse(source, span, message)
        })?;
        let base = self.base.get_ref().0;
        let bits = if description.large_pages { 0xffff } else { 0xfff };
        if base & bits != 0 {
            let message = format!("{base:#x} is no multiple of a register page");
            return Err(refuse(source, self.base.span(), message));
        }
        let sized = |cache: &CacheFile| cache.geometry(Geometry::MOST_SETS_LG2, source);
        let tlb = self.tlb.as_ref().map(sized).transpose()?;
        let tables = self.walk_cache.as_ref();
        let tables = tables.map_or(Ok(None), |it| it.maybe(MOST_TABLE_SETS_LG2, source))?;
        Ok(SmmuV2 {
            base: PhysAddr::new(base),
            description,
            completion: match self.invalidations {
                CompletionFile::AtOnce => Completion::AtOnce,
                CompletionFile::OnStep => Completion::OnStep,
                CompletionFile::WhenSynchronised => Completion::WhenSynchronised,
            },
            errata: self.switches(),
            tlb: tlb.unwrap_or_default(),
            tables,
            model: self.model(&description, source)?,
            secure_config_access: self.secure_config_access,
            dma_coherent: self.dma_coherent.unwrap_or(description.coherent),
            stream_match_mask: self.stream_match_mask.into(),
            global_fault: self.spis.global.map(|spi| spi.0),
            context_faults: self.spis.contexts.iter().map(|spi| spi.0).collect(),
        })
    }

    fn model(
        &self,
        description: &Description,
        source: &SourceText,
    ) -> Result<SmmuModel, InputError> {
        let Some(said) = &self.compatible else {
            return Ok(match description.auxiliary {
                Auxiliary::Mmu500 { .. } => SmmuModel::Mmu500,
                Auxiliary::None => SmmuModel::Generic,
            });
        };
        let name = said.get_ref();
        let found = MODELS.iter().find(|(compatible, _)| compatible == name);
        found.map(|(_, model)| *model).ok_or_else(|| {
            let names: Vec<_> = MODELS.iter().map(|(name, _)| *name).collect();
            let message = format!("no driver treats `{name}` in a way of its own");
            refuse(source, said.span(), message)
                .with_hint(format!("there are {}", names.join(", ")))
        })
    }

    fn switches(&self) -> Errata {
        let has = |erratum| self.errata.contains(&erratum);
        Errata {
            no_wide_accesses: has(ErratumFile::NoWideAccesses),
            bypass_becomes_fault: has(ErratumFile::BypassBecomesFault),
            secure_accesses: has(ErratumFile::SecureAccesses),
            shared_tags: has(ErratumFile::SharedTags),
            stale_prefetch: has(ErratumFile::StalePrefetch),
        }
    }

    /// Stages, formats and granules.
    fn stages(&self, spans: &mut Vec<(&'static str, Range<usize>)>, description: &mut Description) {
        let d = description;
        take(spans, "version", &self.version, &mut d.version, |version| match version {
            VersionFile::V1 => Version::V1,
            VersionFile::V1With64K => Version::V1With64K,
            VersionFile::V2 => Version::V2,
        });
        take(spans, "aarch32", &self.aarch32, &mut d.aarch32, |formats| match formats {
            Aarch32File::Absent => Aarch32::Absent,
            Aarch32File::Long => Aarch32::Long,
            Aarch32File::LongAndShort => Aarch32::LongAndShort,
        });
        let same = |value| value;
        take(spans, "stage1", &self.stage1, &mut d.stage1, same);
        take(spans, "stage2", &self.stage2, &mut d.stage2, same);
        take(spans, "nested", &self.nested, &mut d.nested, same);
        take(spans, "stream_matching", &self.stream_matching, &mut d.stream_matching, same);
        take(spans, "extended_ids", &self.extended_ids, &mut d.extended_ids, same);
        take(spans, "coherent", &self.coherent, &mut d.coherent, same);
        let operations = &mut d.translation_operations;
        take(spans, "translation_operations", &self.translation_operations, operations, same);
        let detection = &mut d.conflict_detection;
        take(spans, "conflict_detection", &self.conflict_detection, detection, same);
        take(spans, "vmid16", &self.vmid16, &mut d.vmid16, same);
        take(spans, "stall", &self.stall, &mut d.stall, same);
        take(spans, "large_pages", &self.large_pages, &mut d.large_pages, same);
    }

    /// Numbers and widths.
    fn sizes(&self, spans: &mut Vec<(&'static str, Range<usize>)>, description: &mut Description) {
        let d = description;
        let same = |value| value;
        take(spans, "stream_entries", &self.stream_entries, &mut d.stream_entries, same);
        take(spans, "stream_bits", &self.stream_bits, &mut d.stream_bits, same);
        take(spans, "banks", &self.banks, &mut d.banks, same);
        take(spans, "stage2_banks", &self.stage2_banks, &mut d.stage2_banks, same);
        take(spans, "ipa_bits", &self.ipa_bits, &mut d.ipa_bits, same);
        take(spans, "output_bits", &self.output_bits, &mut d.output_bits, same);
        take(spans, "upstream_bits", &self.upstream_bits, &mut d.upstream_bits, same);
        if let Some(revision) = &self.revision {
            d.revision = *revision.get_ref();
        }
        // The lock on the control registers exists from major revision 2 on.
        if let Auxiliary::Mmu500 { locked } = &mut d.auxiliary {
            *locked = d.revision >> 4 >= 2;
        }
    }
}
