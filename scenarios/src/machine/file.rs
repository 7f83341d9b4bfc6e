//! The machine file: TOML in, a [`Machine`] out.
//!
//! A number is an integer, or in quotes one with a unit: `0x4000_0000`, `"2G"`. A key that is not
//! known is an error, so that a misspelt one is not silently its default.

mod cache;
mod devices;
mod held;
mod interrupts;
mod isolation;
mod platform;
mod smmuv2;
mod smmuv3;
mod sriov;

pub(crate) use smmuv3::set_smmu_choice;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use passim_model::{IntId, Iova, PageSize, PhysAddr, Span};
use passim_vfio::Profile;
use serde::Deserialize;
use toml::Spanned;

use self::devices::{Completed, Devices};
use self::held::{HeldFile, irq_number};
use self::interrupts::{GicFile, gic};
use self::platform::{DeviceRangeFile, MapFile, PlatformFile, StreamRangeFile};
use self::smmuv2::SmmuV2File;
use self::smmuv3::SmmuFile;
use self::sriov::SriovFile;
use super::ids::Ids;
use super::quantity::{Bdf, GroupNumber, Quantity, narrow, optional_narrow};
use super::{Bar, CONFIG_BYTES, Gic, Iommu, Machine, Parameters, Reserved, ReservedKind, X86};
use crate::chosen::{Overrides, meant_profile};
use crate::input_error::{InputError, InputKind, SourceText};

/// A file. Sections are documented where their contents are, at [`Machine`] and its parts.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineFile {
    name: String,
    #[serde(default = "default_profile")]
    profile: Spanned<String>,
    #[serde(default)]
    policy: BTreeMap<Spanned<String>, Spanned<String>>,
    cpus: Spanned<u32>,
    #[serde(default)]
    in_el2: bool,
    page_size: Spanned<Quantity>,
    #[serde(default)]
    io_strict_devmem: bool,
    #[serde(default = "virt_ecam")]
    ecam: Quantity,
    /// As in a device tree, of the host bridge, but there unless it is said.
    dma_coherent: Option<bool>,
    #[serde(default)]
    vfio_iommu_type1: ParametersFile,
    ram: Vec<Spanned<BankFile>>,
    iommu: Spanned<IommuFile>,
    gic: Spanned<GicFile>,
    intx: Option<[SpiFile; 4]>,
    groups: Option<GroupsFile>,
    iommu_map: Option<MapFile<StreamRangeFile>>,
    msi_map: Option<MapFile<DeviceRangeFile>>,
    /// Which ITS messages of functions go to that `msi_map` says nothing of. Beside a map, and
    /// without this, such a function has no MSI domain.
    msi_parent: Option<usize>,
    #[serde(default)]
    function: Vec<FunctionFile>,
    #[serde(default)]
    platform: Vec<Spanned<PlatformFile>>,
    #[serde(default)]
    irqs_allocated: Vec<Spanned<u32>>,
}

/// Where groups come from; from the hierarchy unless said.
#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum GroupsFile {
    Given,
}

fn default_profile() -> Spanned<String> {
    Spanned::new(0..0, Profile::default().name().to_owned())
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
    X86(X86File),
    SmmuV3(Vec<SmmuFile>),
    SmmuV2(Vec<SmmuV2File>),
    Mixed(MixedFile),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MixedFile {
    smmuv3: Vec<SmmuFile>,
    x86: X86File,
}

/// Where the register of an IOMMU as on x86 is unless said: beside the messages.
const X86_BASE: u64 = 0xfed9_0000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct X86File {
    /// Where messages go; 0xfee0_0000 to 0xfeef_ffff unless said.
    messages: Option<Spanned<WindowFile>>,
    /// Where its register is; 0xfed9_0000 unless said.
    base: Option<Quantity>,
    remaps_interrupts: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowFile {
    start: Quantity,
    last: Quantity,
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
#[serde(deny_unknown_fields)]
struct FunctionFile {
    bdf: Spanned<Bdf>,
    #[serde(deserialize_with = "narrow")]
    vendor: u16,
    #[serde(deserialize_with = "narrow")]
    device: u16,
    #[serde(deserialize_with = "narrow")]
    class: u32,
    group: Option<GroupNumber>,
    driver: Option<String>,
    acs: Option<String>,
    acs_capable: Option<String>,
    #[serde(default)]
    dma_aliases: Vec<String>,
    #[serde(default)]
    swapped_alias: bool,
    #[serde(default)]
    ats: bool,
    sriov: Option<SriovFile>,
    #[serde(default)]
    bars: Vec<BarFile>,
    #[serde(default = "conventional_config_size")]
    config_size: u32,
    config: Option<Spanned<String>>,
    /// Extended configuration space, from 0x100 on.
    extended: Option<Spanned<String>>,
    #[serde(default, deserialize_with = "optional_narrow")]
    msi: Option<u8>,
    #[serde(default, deserialize_with = "optional_narrow")]
    msix: Option<u8>,
    #[serde(default, deserialize_with = "optional_narrow")]
    pcie: Option<u8>,
    reset_method: Option<String>,
    smmu: Option<usize>,
    streams: Option<Vec<u32>>,
    device_id: Option<u32>,
    its: Option<usize>,
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
        if let Err(error) = self.profile.get_ref().parse::<Profile>() {
            let hint = meant_profile(self.profile.get_ref());
            return Err(refuse(source, self.profile.span(), error.to_string()).with_hint(hint));
        }
        let choices = choices(&self.policy, source)?;
        let ram = banks(&self.ram, source)?;
        let iommu = iommu(self.iommu, source)?;
        let gic = gic(self.gic, source)?;
        cpus_fit(&self.cpus, &gic, source)?;
        let devices = Devices {
            ids: Ids {
                streams: self.iommu_map.map(|map| map.into_map(source)).transpose()?,
                devices: self.msi_map.map(|map| map.into_map(source)).transpose()?,
                msi_parent: self.msi_parent,
            },
            groups: self.groups,
            functions: self.function,
            platforms: self.platform,
        };
        let Completed { functions, platforms, said } = devices.complete(&iommu, &gic, source)?;
        let allocated = self.irqs_allocated.iter().map(|irq| irq_number(irq, source));
        let mut irqs_allocated = allocated.collect::<Result<Vec<_>, _>>()?;
        irqs_allocated.sort_unstable();
        irqs_allocated.dedup();
        let (default, parameters) = (Parameters::default(), self.vfio_iommu_type1);
        Ok(Machine {
            name: self.name,
            profile: self.profile.into_inner(),
            choices,
            cpus: self.cpus.into_inner(),
            in_el2: self.in_el2,
            page_size,
            io_strict_devmem: self.io_strict_devmem,
            ecam: PhysAddr::new(self.ecam.0),
            dma_coherent: self.dma_coherent.unwrap_or(true),
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
            platforms,
            intx: self.intx.map(|spis| spis.map(|spi| spi.0)),
            irqs_allocated,
            said,
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

/// That the interrupt controller serves as many CPUs.
fn cpus_fit(cpus: &Spanned<u32>, gic: &Gic, source: &SourceText) -> Result<(), InputError> {
    // IHI 0048 B.b 2.2.1: a GICv2 has CPU interfaces for eight.
    if matches!(gic, Gic::V2m(_)) && *cpus.get_ref() > 8 {
        let error = refuse(source, cpus.span(), "a GICv2 serves at most 8 CPUs");
        return Err(error.with_hint("fewer CPUs, or `[gic.its]`"));
    }
    let most = passim_gic::v3::MOST_CPUS;
    if *cpus.get_ref() as usize > most {
        let message = format!("a GICv3 serves at most {most} CPUs here");
        return Err(refuse(source, cpus.span(), message).with_hint("fewer CPUs"));
    }
    if let Gic::V2m(v2m) = gic
        && !v2m.doorbells_per_cpu.is_empty()
        && v2m.doorbells_per_cpu.len() != *cpus.get_ref() as usize
    {
        let message = "there is a doorbell for each CPU, or one for all";
        return Err(refuse(source, cpus.span(), message)
            .with_hint("`doorbells_per_cpu` lists as many addresses as there are CPUs"));
    }
    Ok(())
}

/// The table `[policy]`: a choice and its value a line.
fn choices(
    table: &BTreeMap<Spanned<String>, Spanned<String>>,
    source: &SourceText,
) -> Result<Overrides, InputError> {
    let mut overrides = Overrides::default();
    for (name, value) in table {
        overrides.push(name.get_ref(), value.get_ref()).map_err(|error| {
            let span = if error.is_value { value.span() } else { name.span() };
            refuse(source, span, error.message).with_hint(error.hint)
        })?;
    }
    Ok(overrides)
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
    let smmus = |files: Vec<SmmuFile>| match files.is_empty() {
        true => Err(refuse(source, span.clone(), "`smmuv3` lists at least one SMMU")),
        false => files.into_iter().map(|file| file.into_smmu(&span, source)).collect(),
    };
    match file.into_inner() {
        IommuFile::Flat => Ok(Iommu::Flat),
        IommuFile::X86(file) => Ok(Iommu::X86(file.into_x86(&span, source)?)),
        IommuFile::SmmuV3(files) => Ok(Iommu::SmmuV3(smmus(files)?)),
        IommuFile::SmmuV2(files) if files.is_empty() => {
            Err(refuse(source, span, "`smmuv2` lists at least one SMMU"))
        }
        IommuFile::SmmuV2(files) => {
            let smmus = files.into_iter().map(|file| file.into_smmu(source));
            Ok(Iommu::SmmuV2(smmus.collect::<Result<_, _>>()?))
        }
        IommuFile::Mixed(MixedFile { smmuv3, x86 }) => {
            Ok(Iommu::Mixed(smmus(smmuv3)?, x86.into_x86(&span, source)?))
        }
    }
}

impl X86File {
    /// The IOMMU; `span` is where the file speaks of it.
    fn into_x86(self, span: &Range<usize>, source: &SourceText) -> Result<X86, InputError> {
        let (start, last, at) = match self.messages {
            None => (0xfee0_0000, 0xfeef_ffff, span.clone()),
            Some(file) => (file.get_ref().start.0, file.get_ref().last.0, file.span()),
        };
        let messages = Span::new(Iova::new(start), Iova::new(last));
        let messages = messages.ok_or_else(|| refuse(source, at, "`last` lies before `start`"))?;
        let base = PhysAddr::new(self.base.map_or(X86_BASE, |base| base.0));
        Ok(X86 { base, messages, remaps_interrupts: self.remaps_interrupts })
    }
}

impl BarFile {
    fn to_bar(&self) -> Bar {
        Bar { index: self.index, start: self.start.0, size: self.size.0, flags: self.flags.0 }
    }
}

fn reserved(file: &Spanned<ReservedFile>, source: &SourceText) -> Result<Reserved, InputError> {
    let ReservedFile { start, last, kind } = file.get_ref();
    let span = Span::new(Iova::new(start.0), Iova::new(last.0));
    let span = span.ok_or_else(|| refuse(source, file.span(), "`last` lies before `start`"))?;
    Ok(Reserved { span, kind: *kind })
}

/// Hexadecimal digits, white space between them ignored.
fn bytes(text: &Spanned<String>, source: &SourceText) -> Result<Vec<u8>, InputError> {
    let digits: String = text.get_ref().split_whitespace().collect();
    hex::decode(&digits)
        .map_err(|error| refuse(source, text.span(), format!("not bytes in hexadecimal: {error}")))
}

/// The first bytes of configuration space; what is not given is 0.
fn config(
    text: &Spanned<String>,
    source: &SourceText,
) -> Result<Box<[u8; CONFIG_BYTES]>, InputError> {
    let bytes = bytes(text, source)?;
    let mut config = Box::new([0; CONFIG_BYTES]);
    let Some(given) = config.get_mut(..bytes.len()) else {
        let message =
            format!("{} bytes, of which only {CONFIG_BYTES} are configuration", bytes.len());
        return Err(refuse(source, text.span(), message));
    };
    given.copy_from_slice(&bytes);
    Ok(config)
}
