//! The machine file: TOML in, a [`Machine`] out.
//!
//! A number is an integer, or in quotes one with a unit: `0x4000_0000`, `"2G"`. A key that is not
//! known is an error, so that a misspelt one is not silently its default.

use std::ops::Range;
use std::path::Path;

use passim_model::{DeviceId, IntId, Iova, PageSize, PhysAddr, Span, StreamId};
use serde::Deserialize;
use toml::Spanned;

use super::check::{self, Flaw};
use super::quantity::{Bdf, Quantity, narrow, optional_narrow};
use super::{
    Bar, CONFIG_BYTES, Function, Gic, GicIts, GicV2m, HeldVector, Iommu, Machine, Parameters,
    Reserved, ReservedKind, SmmuV3, SmmuWires, V2mFrame,
};
use crate::input_error::{InputError, InputKind, SourceText};

/// A file. Sections are documented where their contents are, at [`Machine`] and its parts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineFile {
    name: String,
    #[serde(default = "default_profile")]
    profile: String,
    cpus: Spanned<u32>,
    page_size: Spanned<Quantity>,
    #[serde(default)]
    io_strict_devmem: bool,
    #[serde(default = "virt_ecam")]
    ecam: Quantity,
    #[serde(default)]
    vfio_iommu_type1: ParametersFile,
    ram: Vec<Spanned<BankFile>>,
    iommu: Spanned<IommuFile>,
    gic: Spanned<GicFile>,
    #[serde(default)]
    function: Vec<FunctionFile>,
    #[serde(default)]
    irqs_allocated: Vec<u32>,
}

fn default_profile() -> String {
    passim_vfio::Profile::default().name().to_owned()
}

/// Where QEMU's `virt` board has it.
fn virt_ecam() -> Quantity {
    Quantity(super::virt::board::ECAM.get())
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ParametersFile {
    allow_unsafe_interrupts: Option<bool>,
    disable_hugepages: Option<bool>,
    dma_entry_limit: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BankFile {
    base: Quantity,
    size: Quantity,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum IommuFile {
    Flat,
    SmmuV3(Vec<SmmuFile>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SmmuFile {
    base: Quantity,
    idr: [u32; 6],
    aidr: u32,
    #[serde(default)]
    spis: SmmuSpisFile,
}

/// SPI numbers, as a device tree counts them: INTID less 32.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SmmuSpisFile {
    event_queue: Option<SpiFile>,
    pri_queue: Option<SpiFile>,
    command_sync: Option<SpiFile>,
    global_error: Option<SpiFile>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(try_from = "u32")]
struct SpiFile(IntId);

/// IHI 0069 H.b 2.2: SPIs are INTIDs 32 to 1019.
impl TryFrom<u32> for SpiFile {
    type Error = String;

    fn try_from(spi: u32) -> Result<Self, String> {
        if spi <= 1019 - 32 {
            Ok(Self(IntId::new(spi + 32)))
        } else {
            Err(format!("there is no SPI {spi}: they are numbered 0 to 987"))
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
enum GicFile {
    Its { distributor: Quantity, redistributors: Quantity, its: Quantity },
    V2m(V2mFile),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct V2mFile {
    distributor: Quantity,
    cpu_interface: Quantity,
    #[serde(default = "virt_spis")]
    spis: u32,
    #[serde(default)]
    security_extensions: bool,
    frames: Vec<FrameFile>,
}

/// As many as QEMU's `virt` board has.
fn virt_spis() -> u32 {
    super::virt::board::SPIS
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FrameFile {
    base: Quantity,
    first_spi: SpiFile,
    spis: u32,
    /// `arm,msi-base-spi`, an INTID unlike `first_spi`; together with the next or not at all.
    msi_base_spi: Option<u32>,
    /// `arm,msi-num-spis`.
    msi_num_spis: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FunctionFile {
    bdf: Spanned<Bdf>,
    #[serde(deserialize_with = "narrow")]
    vendor: u16,
    #[serde(deserialize_with = "narrow")]
    device: u16,
    #[serde(deserialize_with = "narrow")]
    class: u32,
    group: Option<u32>,
    driver: Option<String>,
    #[serde(default)]
    bars: Vec<BarFile>,
    #[serde(default = "conventional_config_size")]
    config_size: u32,
    config: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "optional_narrow")]
    msi: Option<u8>,
    #[serde(default, deserialize_with = "optional_narrow")]
    msix: Option<u8>,
    #[serde(default, deserialize_with = "optional_narrow")]
    pcie: Option<u8>,
    reset_method: Option<String>,
    #[serde(default)]
    smmu: usize,
    streams: Option<Vec<u32>>,
    device_id: Option<u32>,
    #[serde(default)]
    reserved: Vec<Spanned<ReservedFile>>,
    #[serde(default)]
    held: Vec<HeldFile>,
}

/// Without PCI Express there are no extended capabilities.
fn conventional_config_size() -> u32 {
    256
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BarFile {
    index: u8,
    start: Quantity,
    size: Quantity,
    flags: Quantity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReservedFile {
    start: Quantity,
    last: Quantity,
    kind: ReservedKind,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HeldFile {
    irq: u32,
    vector: u16,
    name: String,
}

impl Machine {
    /// Reads a machine file.
    ///
    /// # Errors
    /// Unreadable, or what [`Machine::parse`] refuses.
    pub fn read(path: &Path) -> Result<Self, InputError> {
        Self::parse(&SourceText::read(path)?)
    }

    /// Reads a machine already in memory.
    ///
    /// # Errors
    /// Not TOML, a key missing, unknown or of another form, or a machine that cannot be: see
    /// the fields of [`Machine`] and its parts.
    pub fn parse(source: &SourceText) -> Result<Self, InputError> {
        let file: MachineFile = toml::from_str(source.text()).map_err(|error| {
            let message = error.message().lines().collect::<Vec<_>>().join("; ");
            source.error(InputKind::Machine, error.span().unwrap_or(0..0), message)
        })?;
        file.into_machine(source)
    }
}

/// Complains about a part of the file.
fn refuse(source: &SourceText, span: Range<usize>, message: impl Into<String>) -> InputError {
    source.error(InputKind::Machine, span, message)
}

impl MachineFile {
    fn into_machine(self, source: &SourceText) -> Result<Machine, InputError> {
        if *self.cpus.get_ref() == 0 {
            return Err(refuse(source, self.cpus.span(), "a machine has at least one CPU"));
        }
        let page_size = self.page_size(source)?;
        let ram = banks(&self.ram, source)?;
        let iommu = iommu(self.iommu, source)?;
        let gic = gic(self.gic, source)?;
        let places: Vec<_> = self.function.iter().map(|function| function.bdf.span()).collect();
        let functions: Result<Vec<_>, _> =
            self.function.into_iter().map(|function| function.into_function(source)).collect();
        let mut functions = functions?;
        check::functions(&functions, &iommu).map_err(|Flaw { function, message, hint }| {
            let error = refuse(source, places[function].clone(), message);
            match hint {
                Some(hint) => error.with_hint(hint),
                None => error,
            }
        })?;
        functions.sort_by_key(|function| function.rid);
        let mut irqs_allocated = self.irqs_allocated;
        irqs_allocated.sort_unstable();
        irqs_allocated.dedup();
        let default = Parameters::default();
        let parameters = self.vfio_iommu_type1;
        Ok(Machine {
            name: self.name,
            profile: self.profile,
            cpus: self.cpus.into_inner(),
            page_size,
            io_strict_devmem: self.io_strict_devmem,
            ecam: PhysAddr::new(self.ecam.0),
            parameters: Parameters {
                allow_unsafe_interrupts: parameters
                    .allow_unsafe_interrupts
                    .unwrap_or(default.allow_unsafe_interrupts),
                disable_hugepages: parameters
                    .disable_hugepages
                    .unwrap_or(default.disable_hugepages),
                dma_entry_limit: parameters.dma_entry_limit.unwrap_or(default.dma_entry_limit),
            },
            ram,
            iommu,
            gic,
            functions,
            irqs_allocated,
        })
    }

    fn page_size(&self, source: &SourceText) -> Result<PageSize, InputError> {
        let Quantity(bytes) = *self.page_size.get_ref();
        [PageSize::K4, PageSize::K16, PageSize::K64]
            .into_iter()
            .find(|size| size.bytes() == bytes)
            .ok_or_else(|| refuse(source, self.page_size.span(), "a page has 4K, 16K or 64K bytes"))
    }
}

fn banks(
    files: &[Spanned<BankFile>],
    source: &SourceText,
) -> Result<Vec<Span<PhysAddr>>, InputError> {
    let mut banks: Vec<Span<PhysAddr>> = Vec::new();
    for file in files {
        let BankFile { base: Quantity(base), size: Quantity(size) } = *file.get_ref();
        let bank = Span::from_size(PhysAddr::new(base), size).ok_or_else(|| {
            refuse(source, file.span(), format!("{size:#x} bytes from {base:#x} is no range"))
        })?;
        if banks.last().is_some_and(|before| before.last() >= bank.start()) {
            let message = "banks of RAM ascend and do not overlap";
            return Err(refuse(source, file.span(), message));
        }
        banks.push(bank);
    }
    if banks.is_empty() {
        return Err(refuse(source, 0..0, "a machine has at least one bank of RAM"));
    }
    Ok(banks)
}

fn iommu(file: Spanned<IommuFile>, source: &SourceText) -> Result<Iommu, InputError> {
    let span = file.span();
    match file.into_inner() {
        IommuFile::Flat => Ok(Iommu::Flat),
        IommuFile::SmmuV3(files) if files.is_empty() => {
            Err(refuse(source, span, "`smmuv3` lists at least one SMMU"))
        }
        IommuFile::SmmuV3(files) => {
            Ok(Iommu::SmmuV3(files.into_iter().map(SmmuFile::into_smmu).collect()))
        }
    }
}

impl SmmuFile {
    fn into_smmu(self) -> SmmuV3 {
        let wire = |spi: Option<SpiFile>| spi.map(|spi| spi.0);
        SmmuV3 {
            base: PhysAddr::new(self.base.0),
            idr: self.idr,
            aidr: self.aidr,
            wired: SmmuWires {
                event_queue: wire(self.spis.event_queue),
                pri_queue: wire(self.spis.pri_queue),
                command_sync: wire(self.spis.command_sync),
                global_error: wire(self.spis.global_error),
            },
        }
    }
}

fn gic(file: Spanned<GicFile>, source: &SourceText) -> Result<Gic, InputError> {
    let span = file.span();
    match file.into_inner() {
        GicFile::Its { distributor, redistributors, its } => Ok(Gic::Its(GicIts {
            distributor: PhysAddr::new(distributor.0),
            redistributors: PhysAddr::new(redistributors.0),
            its: PhysAddr::new(its.0),
        })),
        GicFile::V2m(file) => {
            file.into_gic().map(Gic::V2m).map_err(|message| refuse(source, span, message))
        }
    }
}

impl V2mFile {
    fn into_gic(self) -> Result<GicV2m, &'static str> {
        // IHI 0048 B.b 2.2.1, 4.3.2: SPIs come in rows of 32; INTIDs end with 1019.
        if self.spis == 0 || self.spis > 992 || !self.spis.is_multiple_of(32) {
            return Err("`spis` is a multiple of 32, up to 992");
        }
        let frames: Result<Vec<_>, _> =
            self.frames.into_iter().map(|frame| frame.into_frame(self.spis)).collect();
        let mut frames = frames?;
        frames.sort_by_key(|frame| frame.base);
        if frames.is_empty() {
            return Err("`v2m` lists at least one frame");
        }
        Ok(GicV2m {
            distributor: PhysAddr::new(self.distributor.0),
            cpu_interface: PhysAddr::new(self.cpu_interface.0),
            spis: self.spis,
            security_extensions: self.security_extensions,
            frames,
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
        Ok(V2mFrame { base, first, count: self.spis, properties })
    }
}

impl FunctionFile {
    fn into_function(self, source: &SourceText) -> Result<Function, InputError> {
        let rid = self.bdf.get_ref().0;
        let config = self.config.map(|text| config(&text, source)).transpose()?;
        let reserved: Result<Vec<_>, _> =
            self.reserved.iter().map(|region| reserved(region, source)).collect();
        let mut bars: Vec<_> = self.bars.into_iter().map(BarFile::into_bar).collect();
        bars.sort_by_key(|bar| bar.index);
        let held = self.held.into_iter().map(|HeldFile { irq, vector, name }| HeldVector {
            irq,
            vector,
            name,
        });
        let mut held: Vec<_> = held.collect();
        held.sort_by_key(|held| held.irq);
        let own = u32::from(rid.get());
        Ok(Function {
            rid,
            vendor: self.vendor,
            device: self.device,
            class: self.class,
            group: self.group,
            driver: self.driver,
            bars,
            config_size: self.config_size,
            config,
            msi: self.msi,
            msix: self.msix,
            pcie: self.pcie,
            reset_method: self.reset_method,
            smmu: self.smmu,
            streams: self
                .streams
                .unwrap_or_else(|| vec![own])
                .into_iter()
                .map(StreamId::new)
                .collect(),
            device_id: DeviceId::new(self.device_id.unwrap_or(own)),
            reserved: reserved?,
            held,
        })
    }
}

impl BarFile {
    fn into_bar(self) -> Bar {
        Bar { index: self.index, start: self.start.0, size: self.size.0, flags: self.flags.0 }
    }
}

fn reserved(file: &Spanned<ReservedFile>, source: &SourceText) -> Result<Reserved, InputError> {
    let ReservedFile { start, last, kind } = file.get_ref();
    let span = Span::new(Iova::new(start.0), Iova::new(last.0));
    let span = span.ok_or_else(|| refuse(source, file.span(), "`last` lies before `start`"))?;
    Ok(Reserved { span, kind: *kind })
}

/// Hexadecimal digits, white space between them ignored; what is not given is 0.
fn config(
    text: &Spanned<String>,
    source: &SourceText,
) -> Result<Box<[u8; CONFIG_BYTES]>, InputError> {
    let digits: String = text.get_ref().split_whitespace().collect();
    let bytes = hex::decode(&digits).map_err(|error| {
        refuse(source, text.span(), format!("not bytes in hexadecimal: {error}"))
    })?;
    let mut config = Box::new([0; CONFIG_BYTES]);
    let Some(given) = config.get_mut(..bytes.len()) else {
        let message =
            format!("{} bytes, of which only {CONFIG_BYTES} are configuration", bytes.len());
        return Err(refuse(source, text.span(), message));
    };
    given.copy_from_slice(&bytes);
    Ok(config)
}
