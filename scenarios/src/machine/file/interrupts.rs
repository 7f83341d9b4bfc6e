//! The interrupt controller of a machine file: `[gic.its]` or `[gic.v2m]`.

mod its_keys;

use passim_gic::choice::Preset;
use passim_gic::v2m::Meaning;
use passim_model::{IntId, PhysAddr};
use serde::Deserialize;
use toml::Spanned;

use self::its_keys::Said;
use super::{SpiFile, refuse};
use crate::chosen;
use crate::input_error::{InputError, SourceText};
use crate::machine::quantity::Quantity;
use crate::machine::{Gic, GicBuilt, GicIts, GicV2m, V2mFrame};

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum GicFile {
    Its(Box<ItsFile>),
    V2m(V2mFile),
}

pub(super) struct ItsFile {
    distributor: Quantity,
    redistributors: Quantity,
    its: Places,
    spis: u32,
    /// Choices where the architecture leaves them open; QEMU's without it.
    preset: Option<Spanned<String>>,
    /// The seed, for the preset that draws at random.
    seed: Option<Spanned<Quantity>>,
    /// Hardware features that differ from the preset, by their keys: [`GicBuilt`].
    features: Vec<(String, Spanned<Said>)>,
}

/// One ITS, or several.
#[derive(Deserialize)]
#[serde(untagged)]
enum Places {
    One(Quantity),
    Several(Vec<Quantity>),
}

impl Places {
    fn addresses(&self) -> Vec<PhysAddr> {
        let places = match self {
            Self::One(place) => core::slice::from_ref(place),
            Self::Several(places) => places,
        };
        places.iter().map(|place| PhysAddr::new(place.0)).collect()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct V2mFile {
    distributor: Quantity,
    cpu_interface: Quantity,
    #[serde(default = "virt_spis")]
    spis: u32,
    #[serde(default)]
    security_extensions: bool,
    frames: Vec<FrameFile>,
    /// Doorbells in place of the one frame's, one for each CPU.
    #[serde(default)]
    doorbells_per_cpu: Vec<Quantity>,
}

/// The number of QEMU's `virt` board.
fn virt_spis() -> u32 {
    crate::machine::virt::board::SPIS
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FrameFile {
    base: Quantity,
    first_spi: SpiFile,
    spis: u32,
    /// Its variant; plain GICv2m without it.
    #[serde(default)]
    kind: FrameKind,
    /// `arm,msi-base-spi`, an INTID, unlike `first_spi`; with `msi_num_spis` or not at all.
    msi_base_spi: Option<u32>,
    /// `arm,msi-num-spis`.
    msi_num_spis: Option<u32>,
}

/// The variant of a frame, which decides how messages encode an SPI.
#[derive(Clone, Copy, Default, Deserialize)]
enum FrameKind {
    /// As its number.
    #[default]
    #[serde(rename = "plain")]
    Plain,
    /// Relative to the frame's first SPI.
    #[serde(rename = "x-gene")]
    XGene,
    /// Relative to the first of all SPIs.
    #[serde(rename = "ns2")]
    Ns2,
    /// In the address that is written.
    #[serde(rename = "graviton")]
    Graviton,
}

/// The interrupt controller.
///
/// # Errors
/// The file contradicts itself.
pub(super) fn gic(file: Spanned<GicFile>, source: &SourceText) -> Result<Gic, InputError> {
    let span = file.span();
    match file.into_inner() {
        GicFile::Its(file) => {
            let (preset, built) = (file.preset(source)?, file.built(source)?);
            let gic =
                file.into_gic(preset, built).map_err(|message| refuse(source, span, message))?;
            Ok(Gic::Its(gic))
        }
        GicFile::V2m(file) => {
            file.into_gic().map(Gic::V2m).map_err(|message| refuse(source, span, message))
        }
    }
}

/// IHI 0048 B.b 2.2.1, 4.3.2 and IHI 0069 H 12.9 (GICD_TYPER): SPIs come in rows of 32; INTIDs end
/// with 1019.
fn check_spis(spis: u32) -> Result<(), &'static str> {
    if spis == 0 || spis > 992 || !spis.is_multiple_of(32) {
        return Err("`spis` is a multiple of 32, up to 992");
    }
    Ok(())
}

impl ItsFile {
    fn preset(&self, source: &SourceText) -> Result<Preset, InputError> {
        let name = self.preset.as_ref();
        let found = chosen::preset(
            name.map(|name| name.get_ref().as_str()),
            self.seed.as_ref().map(|seed| seed.get_ref().0),
        );
        found.map(|found| found.unwrap_or(Preset::Qemu)).map_err(|wrong| {
            let seed = self.seed.as_ref().filter(|_| !wrong.is_value).map(Spanned::span);
            let span = seed.or_else(|| name.map(Spanned::span)).unwrap_or_default();
            refuse(source, span, wrong.message).with_hint(wrong.hint)
        })
    }

    fn built(&self, source: &SourceText) -> Result<GicBuilt, InputError> {
        let mut built = GicBuilt::default();
        for (key, value) in &self.features {
            built.set(key, &value.get_ref().to_string()).map_err(|wrong| {
                refuse(source, value.span(), wrong.message).with_hint(wrong.hint)
            })?;
        }
        Ok(built)
    }

    fn into_gic(self, preset: Preset, built: GicBuilt) -> Result<GicIts, &'static str> {
        check_spis(self.spis)?;
        let its = self.its.addresses();
        if its.is_empty() {
            return Err("`its` names at least one");
        }
        Ok(GicIts {
            distributor: PhysAddr::new(self.distributor.0),
            redistributors: PhysAddr::new(self.redistributors.0),
            its,
            spis: self.spis,
            preset,
            built,
        })
    }
}

impl V2mFile {
    fn into_gic(self) -> Result<GicV2m, &'static str> {
        check_spis(self.spis)?;
        let frames: Result<Vec<_>, _> =
            self.frames.into_iter().map(|frame| frame.into_frame(self.spis)).collect();
        // Not sorted: the driver probes frames in the order of the description, and allocates a
        // message from the first that has room (irq-gic-v2m.c of 4.6 and 6.12).
        let frames = frames?;
        if frames.is_empty() {
            return Err("`v2m` lists at least one frame");
        }
        if !self.doorbells_per_cpu.is_empty() && frames.len() != 1 {
            return Err("doorbells of CPUs take the place of one frame's");
        }
        let doorbells_per_cpu = self.doorbells_per_cpu.iter().map(|at| PhysAddr::new(at.0));
        Ok(GicV2m {
            distributor: PhysAddr::new(self.distributor.0),
            cpu_interface: PhysAddr::new(self.cpu_interface.0),
            spis: self.spis,
            security_extensions: self.security_extensions,
            frames,
            doorbells_per_cpu: doorbells_per_cpu.collect(),
        })
    }
}

impl FrameFile {
    /// A frame beside a distributor with `spis` SPIs.
    fn into_frame(self, spis: u32) -> Result<V2mFrame, &'static str> {
        let first = self.first_spi.0;
        let past = u64::from(first.get()) + u64::from(self.spis);
        // IHI 0048 B.b 2.2.1: 1020 to 1023 are no interrupts.
        if self.spis == 0 || past > u64::from(spis + 32).min(1020) {
            return Err("a frame has at least one SPI, all of them SPIs of the distributor");
        }
        let properties = match (self.msi_base_spi, self.msi_num_spis) {
            (Some(base), Some(count)) => Some((IntId::new(base), count)),
            (None, None) => None,
            _ => return Err("`msi_base_spi` and `msi_num_spis` are given together"),
        };
        let base = PhysAddr::new(self.base.0);
        let meaning = match self.kind {
            FrameKind::Plain => Meaning::IntId,
            FrameKind::XGene => Meaning::FromBase,
            FrameKind::Ns2 => Meaning::FromFirstSpi,
            FrameKind::Graviton => Meaning::InOffset,
        };
        Ok(V2mFrame { base, first, count: self.spis, meaning, properties })
    }
}
