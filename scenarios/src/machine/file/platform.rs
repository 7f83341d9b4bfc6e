//! Platform devices of a machine file, and its maps from requester IDs.

use passim_model::topology::Wire;
use passim_model::{DeviceId, PhysAddr, Span, StreamId};
use serde::Deserialize;
use toml::Spanned;

use super::super::Platform;
use super::super::ids::{Entry, Map};
use super::super::quantity::{GroupNumber, Quantity, narrow};
use super::{BankFile, HeldFile, SpiFile, refuse};
use crate::input_error::{InputError, SourceText};

/// The number of unconnected wires, or the interrupt of each wire.
#[derive(Deserialize)]
#[serde(untagged)]
enum WiresFile {
    Count(u16),
    Known(Vec<WireFile>),
}

impl Default for WiresFile {
    fn default() -> Self {
        Self::Count(0)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireFile {
    spi: SpiFile,
    #[serde(default)]
    trigger: Trigger,
}

#[derive(Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Trigger {
    #[default]
    Level,
    Edge,
}

impl WiresFile {
    fn into_wires(self) -> Vec<Wire> {
        match self {
            Self::Count(count) => vec![Wire { intid: None, level: true }; usize::from(count)],
            Self::Known(wires) => {
                let wire = |WireFile { spi, trigger }| Wire {
                    intid: Some(spi.0),
                    level: trigger == Trigger::Level,
                };
                wires.into_iter().map(wire).collect()
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlatformFile {
    name: String,
    #[serde(default)]
    streams: Vec<u32>,
    smmu: Option<usize>,
    device_id: Option<u32>,
    /// `msi-parent`: the index of the ITS; the DeviceID is given separately.
    pub(super) its: Option<usize>,
    /// Number of messages it can send.
    #[serde(default)]
    messages: u32,
    #[serde(default)]
    regions: Vec<Spanned<BankFile>>,
    /// The address of its message registers, 16 bytes each.
    message_table: Option<Quantity>,
    /// Its wired interrupts, or their number.
    #[serde(default)]
    wires: WiresFile,
    #[serde(default)]
    resettable: bool,
    /// As in a device tree, but true by default.
    dma_coherent: Option<bool>,
    driver: Option<String>,
    pub(super) group: Option<GroupNumber>,
    #[serde(default)]
    held: Vec<HeldFile>,
}

impl PlatformFile {
    pub(super) fn into_platform(
        self,
        place: std::ops::Range<usize>,
        smmus: usize,
        source: &SourceText,
    ) -> Result<Platform, InputError> {
        let regions: Result<Vec<_>, _> = self
            .regions
            .iter()
            .map(|region| {
                let BankFile { base, size } = region.get_ref();
                Span::from_size(PhysAddr::new(base.0), size.0)
                    .ok_or_else(|| refuse(source, region.span(), "a region has at least one byte"))
            })
            .collect();
        let behind = if self.streams.is_empty() { None } else { Some(self.smmu.unwrap_or(0)) };
        if self.smmu.is_some() && behind.is_none() {
            let message = format!("{} is behind an SMMU and has no stream", self.name);
            return Err(refuse(source, place, message).with_hint("add `streams = [...]`"));
        }
        if behind.is_some_and(|smmu| smmu >= smmus) {
            let message = format!("there is no SMMU number {}", self.smmu.unwrap_or(0));
            return Err(refuse(source, place, message)
                .with_hint("SMMUs are counted from 0 in the file's order"));
        }
        if let Some(held) = self.held.iter().find(|held| u32::from(held.vector) >= self.messages) {
            let message = format!("{} has no message {}", self.name, held.vector);
            return Err(refuse(source, place, message)
                .with_hint("`messages` says how many it can send, counted from 0"));
        }
        let held = HeldFile::all(self.held, source)?;
        Ok(Platform {
            name: self.name,
            group: None,
            driver: self.driver,
            smmu: behind,
            device_id: DeviceId::new(self.device_id.unwrap_or(0)),
            its: self.its.unwrap_or(0),
            streams: self.streams.into_iter().map(StreamId::new).collect(),
            regions: regions?,
            wires: self.wires.into_wires(),
            messages: self.messages,
            message_table: self.message_table.map(|at| PhysAddr::new(at.0)),
            resettable: self.resettable,
            dma_coherent: self.dma_coherent.unwrap_or(true),
            held,
        })
    }
}

/// `iommu_map` and `msi_map`: a mask and ranges.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MapFile<E> {
    #[serde(default = "whole", deserialize_with = "narrow")]
    mask: u16,
    entries: Vec<Spanned<E>>,
}

fn whole() -> u16 {
    u16::MAX
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamRangeFile {
    rid: Quantity,
    count: u32,
    #[serde(default)]
    smmu: usize,
    stream: u32,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeviceRangeFile {
    rid: Quantity,
    count: u32,
    #[serde(default)]
    its: usize,
    device_id: u32,
}

impl From<StreamRangeFile> for (Quantity, u32, (usize, u32)) {
    fn from(file: StreamRangeFile) -> Self {
        (file.rid, file.count, (file.smmu, file.stream))
    }
}

impl From<DeviceRangeFile> for (Quantity, u32, (usize, u32)) {
    fn from(file: DeviceRangeFile) -> Self {
        (file.rid, file.count, (file.its, file.device_id))
    }
}

impl<E> MapFile<E> {
    pub(super) fn into_map<T>(self, source: &SourceText) -> Result<Map<T>, InputError>
    where
        E: Copy + Into<(Quantity, u32, T)>,
    {
        let mask = self.mask;
        let entries: Result<Vec<_>, InputError> = self
            .entries
            .into_iter()
            .map(|file| {
                let (rid, count, to) = (*file.get_ref()).into();
                let first = u16::try_from(rid.0).ok().filter(|first| first & !mask == 0);
                // 6.12 of/base.c, of_map_id: a first outside the mask is an invalid map.
                let first = first.ok_or_else(|| {
                    let message = format!("rid {:#x} has bits outside the mask {mask:#x}", rid.0);
                    refuse(source, file.span(), message)
                })?;
                Ok(Entry { first, count, to })
            })
            .collect();
        Ok(Map { mask, entries: entries? })
    }
}
