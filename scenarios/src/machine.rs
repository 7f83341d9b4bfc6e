//! The parts of a machine: the facts from which a system is assembled. Nothing runs here.
//!
//! A [`Machine`] is read from a TOML file ([`Machine::parse`]), is one of those built in
//! ([`builtin()`]), or follows from the topology of a recording ([`Machine::from_topology`]).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `file`, `quantity` | what does a machine file contain? |
//! | `builtin` | which machines come with the program? |
//! | `virt` | which machine was a recording made on? |
//! | `check` | what must hold of every machine? |
//! | `ids`, `pins` | which StreamID, DeviceID and interrupt has a function? |
//! | `hierarchy`, `groups`, `entries` | which devices share a group, and why? |
//! | `capabilities` | what does a function's configuration space contain? |
//! | `built` | which hardware features of a GICv3 differ from its preset? |

mod built;
mod builtin;
mod capabilities;
mod check;
mod entries;
mod file;
mod groups;
mod hierarchy;
mod ids;
mod pins;
mod quantity;
mod virt;

use passim_gic::choice::Preset;
use passim_gic::v2m::Meaning;
use passim_model::pci::Sriov;
use passim_model::topology::Wire;
use passim_model::{DeviceId, IntId, Iova, PageSize, PhysAddr, Rid, Span, StreamId};
use passim_smmu::cache::{Geometry, Retention};
use passim_smmu::v2::{Completion, Description, Errata};
use passim_smmu::v3::{Caches, IdRegisters};
use passim_vfio::iommu::SmmuModel;
use serde::Deserialize;

use crate::chosen::Overrides;

pub use built::GicBuilt;
pub use builtin::{BUILTIN, builtin};
pub use capabilities::BarOffset;
pub(crate) use file::set_smmu_choice;
pub use groups::GroupConflict;
pub use hierarchy::{Isolation, NoHierarchy};

/// Bytes of configuration space that a machine may list.
pub const CONFIG_BYTES: usize = 256;

/// A machine before anything runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// The Linux profile it runs by default.
    pub profile: String,
    /// Single choices of the policy that override the profile's.
    pub choices: Overrides,
    /// Number of CPUs, at least 1.
    pub cpus: u32,
    /// Whether the kernel is started in EL2, where it may be a hypervisor.
    pub in_el2: bool,
    /// The kernel's page: 4K, 16K or 64K.
    pub page_size: PageSize,
    /// Whether user space may not map a BAR through sysfs once a driver has claimed it.
    pub io_strict_devmem: bool,
    /// Where the configuration space of its PCI functions is mapped, 4 KiB each: ECAM.
    pub ecam: PhysAddr,
    /// The device tree's `dma-coherent` of the host bridge: DMA of PCI functions is coherent with
    /// the caches of CPUs.
    pub dma_coherent: bool,
    /// Parameters of `vfio_iommu_type1` at boot.
    pub parameters: Parameters,
    /// Banks of RAM, ascending, disjoint; at least one.
    pub ram: Vec<Span<PhysAddr>>,
    /// The hardware that translates DMA.
    pub iommu: Iommu,
    /// The interrupt controller.
    pub gic: Gic,
    /// PCI functions, ascending by requester ID.
    pub functions: Vec<Function>,
    /// Platform devices, in the file's order.
    pub platforms: Vec<Platform>,
    /// The interrupts of the pins INTA to INTD of a root bus, for its device 0; `None` where they
    /// are not known.
    pub intx: Option<[IntId; 4]>,
    /// Linux interrupt numbers in use at boot, ascending; a new vector gets the lowest free one.
    pub irqs_allocated: Vec<u32>,
    /// The file's statements about groups, where groups follow from the rest of it.
    said: Option<groups::Said>,
}

/// Parameters of the module `vfio_iommu_type1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// Whether to attach a group although MSIs are not checked against the device that sends them.
    pub allow_unsafe_interrupts: bool,
    /// Whether to pin and map page by page.
    pub disable_hugepages: bool,
    /// Most mappings a container may have.
    pub dma_entry_limit: u32,
}

/// The kernel's defaults.
impl Default for Parameters {
    fn default() -> Self {
        Self {
            allow_unsafe_interrupts: false,
            disable_hugepages: false,
            // Measured: the `start` step of every recording.
            dma_entry_limit: 65535,
        }
    }
}

/// The hardware that translates DMA.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Iommu {
    /// A driver without hardware, for tests of type1 alone.
    Flat,
    /// The same, with the message range of an x86 machine.
    X86(X86),
    /// SMMUv3s, at least one; a [`Function::smmu`] is an index into them.
    SmmuV3(Vec<SmmuV3>),
    /// SMMUv2s or SMMUv1s, at least one; a [`Function::smmu`] is an index into them.
    SmmuV2(Vec<SmmuV2>),
    /// SMMUv3s, at least one, and after them an x86-like IOMMU. No real board has both; it shows
    /// how a container combines domains with different requirements.
    Mixed(Vec<SmmuV3>, X86),
}

/// How an x86-like IOMMU treats messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct X86 {
    /// The address of its register.
    pub base: PhysAddr,
    /// The range in which hardware takes messages from the bus.
    pub messages: Span<Iova>,
    /// Whether it remaps interrupts, and so distinguishes senders.
    pub remaps_interrupts: bool,
}

/// One SMMUv3.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmmuV3 {
    /// The address of its register pages 0 and 1.
    pub base: PhysAddr,
    /// Its ID registers.
    pub ids: IdRegisters,
    /// Its wired interrupts.
    pub wired: SmmuWires,
    /// The DeviceID of its own messages; `None` where they reach no ITS.
    pub device_id: Option<DeviceId>,
    /// How long cached entries are retained.
    pub retention: Retention,
    /// Its caches and their sizes, where they are sized.
    pub caches: Caches,
    /// Its choices where the architecture leaves them open.
    pub choices: passim_smmu::Choices,
}

/// One SMMUv2 or SMMUv1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmmuV2 {
    /// The address of its registers.
    pub base: PhysAddr,
    /// Its hardware features.
    pub description: Description,
    /// When its TLB invalidations take effect.
    pub completion: Completion,
    /// Where it deviates from the architecture.
    pub errata: Errata,
    /// The size of its TLB.
    pub tlb: Geometry,
    /// The size of its walk cache; `None` without one.
    pub tables: Option<Geometry>,
    /// The model that its driver takes it for.
    pub model: SmmuModel,
    /// The device tree's `calxeda,smmu-secure-config-access`.
    pub secure_config_access: bool,
    /// The device tree's `dma-coherent`: its driver assumes that its walks are coherent.
    pub dma_coherent: bool,
    /// The device tree's `stream-match-mask`: StreamID bits that its driver masks in every stream
    /// match register.
    pub stream_match_mask: u32,
    /// The interrupt of global faults; `None` where the wire is not connected.
    pub global_fault: Option<IntId>,
    /// The interrupts of context faults: on an SMMUv2 bank n has the n-th, and the last serves all
    /// further banks.
    pub context_faults: Vec<IntId>,
}

/// The wired interrupts of an SMMUv3; `None` where a wire is not connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SmmuWires {
    /// The event queue has become non-empty.
    pub event_queue: Option<IntId>,
    /// The PRI queue has become non-empty, or has got the last request of a group.
    pub pri_queue: Option<IntId>,
    /// CMD_SYNC is complete.
    pub command_sync: Option<IntId>,
    /// SMMU_GERROR has changed.
    pub global_error: Option<IntId>,
}

/// The interrupt controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gic {
    /// GICv3 with an ITS: messages become LPIs, and the ITS knows their sender.
    Its(GicIts),
    /// GICv2 with GICv2m frames: messages become SPIs, whoever sends them.
    V2m(GicV2m),
}

/// A GICv3 with ITSs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GicIts {
    /// GICD.
    pub distributor: PhysAddr,
    /// The first GICR; those of the other CPUs follow at 128 KiB each.
    pub redistributors: PhysAddr,
    /// GITS of each ITS, at least one; GITS_TRANSLATER lies in the next 64 KiB.
    pub its: Vec<PhysAddr>,
    /// SPIs of the distributor, a multiple of 32 up to 992.
    pub spis: u32,
    /// The choices of the GICv3 and its ITSs where the architecture leaves them open.
    pub preset: Preset,
    /// Hardware features that differ from the preset.
    pub built: GicBuilt,
}

/// A GICv2 with GICv2m frames.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GicV2m {
    /// GICD.
    pub distributor: PhysAddr,
    /// GICC: 8 KiB.
    pub cpu_interface: PhysAddr,
    /// SPIs of the distributor, a multiple of 32 up to 992.
    pub spis: u32,
    /// Whether it has Security Extensions: then every access here is Non-secure.
    pub security_extensions: bool,
    /// The frames, ascending by address; at least one.
    pub frames: Vec<V2mFrame>,
    /// Doorbells in place of the only frame's, one for each CPU; no real board has them.
    pub doorbells_per_cpu: Vec<PhysAddr>,
}

/// A GICv2m frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct V2mFrame {
    /// The address of its 4 KiB of registers.
    pub base: PhysAddr,
    /// The first SPI it can raise, as an INTID.
    pub first: IntId,
    /// Number of SPIs.
    pub count: u32,
    /// How its variant encodes the SPI in a message.
    pub meaning: Meaning,
    /// The device tree's `arm,msi-base-spi`, which is an INTID, and `arm,msi-num-spis`, which
    /// replace MSI_TYPER.
    pub properties: Option<(IntId, u32)>,
}

/// A PCI function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Its requester ID.
    pub rid: Rid,
    /// Vendor identifier.
    pub vendor: u16,
    /// Device identifier.
    pub device: u16,
    /// Class code, 24 bits.
    pub class: u32,
    /// IOMMU group, `None` without one.
    pub group: Option<u32>,
    /// The driver bound at boot, `None` without one.
    pub driver: Option<String>,
    /// BARs, ROM and bridge windows, ascending by index.
    pub bars: Vec<Bar>,
    /// Bytes of configuration space: 256 or 4096.
    pub config_size: u32,
    /// Its first bytes while no process has the device open; `None` lets the system generate them.
    pub config: Option<Box<[u8; CONFIG_BYTES]>>,
    /// Offset of the MSI capability in configuration space, in bytes.
    pub msi: Option<u8>,
    /// Offset of the MSI-X capability in configuration space, in bytes.
    pub msix: Option<u8>,
    /// Offset of the PCI Express capability in configuration space, in bytes.
    pub pcie: Option<u8>,
    /// Ways to reset it, `None` without any.
    pub reset_method: Option<String>,
    /// Which SMMU its DMA passes, an index into [`Iommu::SmmuV3`]; `None` if it passes none.
    pub smmu: Option<usize>,
    /// StreamIDs of its DMA: its own first, then those of bridges that alias it.
    pub streams: Vec<StreamId>,
    /// The StreamID that its transactions carry: its own, or that of the bridge nearest to the root
    /// that aliases it.
    pub stream: StreamId,
    /// The DeviceID of its messages.
    pub device_id: DeviceId,
    /// The ITS of its messages according to firmware, an index into [`GicIts::its`], or 0 for the
    /// frames of GICv2m; `None` if `msi-map` leaves it out: the kernel gives it no MSI domain.
    pub its: Option<usize>,
    /// ITS and DeviceID for a kernel that maps the last requester ID under which the function may
    /// send.
    pub last_alias: (Option<usize>, DeviceId),
    /// Reserved regions of its group.
    pub reserved: Vec<Reserved>,
    /// Message-signalled interrupts its driver holds at boot, ascending by interrupt number.
    pub held: Vec<HeldVector>,
    /// Facts that its isolation depends on besides its configuration space.
    pub isolation: Isolation,
    /// Whether it has an address translation cache: PCIe ATS.
    pub ats: bool,
    /// Its extended configuration space, from 0x100 on, as far as it is known.
    pub extended: Vec<u8>,
    /// Its SR-IOV capability.
    pub sriov: Option<Sriov>,
    /// Whether it is a virtual function that is not enabled at boot.
    pub off: bool,
}

/// A platform device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Platform {
    /// Its name in the kernel.
    pub name: String,
    /// IOMMU group, `None` without one.
    pub group: Option<u32>,
    /// The driver bound at boot, `None` without one.
    pub driver: Option<String>,
    /// Which SMMU its DMA passes; `None` if it passes none.
    pub smmu: Option<usize>,
    /// StreamIDs of its DMA; at least one behind an SMMU.
    pub streams: Vec<StreamId>,
    /// The DeviceID of its messages.
    pub device_id: DeviceId,
    /// The ITS of its messages according to firmware: an index into [`GicIts::its`].
    pub its: usize,
    /// Its register windows.
    pub regions: Vec<Span<PhysAddr>>,
    /// Its wired interrupts.
    pub wires: Vec<Wire>,
    /// Number of messages it can send; 0 if it sends none.
    pub messages: u32,
    /// The address of its message registers; `None` if it has none that are known.
    pub message_table: Option<PhysAddr>,
    /// Whether the kernel has a way to reset it.
    pub resettable: bool,
    /// The device tree's `dma-coherent`: its DMA is coherent with the caches of CPUs.
    pub dma_coherent: bool,
    /// Messages its driver holds at boot, ascending by interrupt number.
    pub held: Vec<HeldVector>,
}

/// A BAR, the ROM or a bridge window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// 0 to 5 a BAR, 6 the ROM, above 6 a bridge window.
    pub index: u8,
    /// Its address, in I/O space if [`Bar::is_io`] and in memory otherwise.
    pub start: u64,
    /// Bytes.
    pub size: u64,
    /// Linux's `IORESOURCE_*`: 0x100 I/O ports, 0x200 memory.
    pub flags: u64,
}

/// `IORESOURCE_IO`.
const RESOURCE_IO: u64 = 0x100;

/// A reserved region of a group.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reserved {
    /// Its IOVAs.
    pub span: Span<Iova>,
    /// The purpose of the reservation.
    pub kind: ReservedKind,
}

/// The purpose of a reserved region, by its name in `reserved_regions` of sysfs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReservedKind {
    /// Identity-mapped for firmware.
    Direct,
    /// The same, but the mapping may be removed.
    DirectRelaxable,
    /// Never to be mapped.
    Reserved,
    /// The range of MSIs: the doorbell itself, or the window in which software maps doorbells.
    Msi,
}

/// A message-signalled interrupt that a host driver holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldVector {
    /// Linux interrupt number.
    pub irq: u32,
    /// Vector of the function, counted from 0.
    pub vector: u16,
    /// The name it was requested under.
    pub name: String,
}

impl Iommu {
    /// Number of IOMMUs.
    pub fn count(&self) -> usize {
        match self {
            Self::Flat | Self::X86(_) => 1,
            Self::SmmuV3(smmus) => smmus.len(),
            Self::SmmuV2(smmus) => smmus.len(),
            Self::Mixed(smmus, _) => smmus.len() + 1,
        }
    }

    /// The SMMUv3s among them, which come first.
    pub fn smmus(&self) -> &[SmmuV3] {
        match self {
            Self::Flat | Self::X86(_) | Self::SmmuV2(_) => &[],
            Self::SmmuV3(smmus) | Self::Mixed(smmus, _) => smmus,
        }
    }

    /// The SMMUv2s, on a board with SMMUv2s.
    pub fn smmu_v2s(&self) -> &[SmmuV2] {
        match self {
            Self::SmmuV2(smmus) => smmus,
            Self::Flat | Self::X86(_) | Self::SmmuV3(_) | Self::Mixed(..) => &[],
        }
    }
}

impl Machine {
    /// The function at `rid`.
    pub fn function(&self, rid: Rid) -> Option<&Function> {
        let index = self.functions.binary_search_by_key(&rid, |function| function.rid).ok()?;
        Some(&self.functions[index])
    }
}

impl Bar {
    /// Whether it lies in I/O space.
    pub fn is_io(&self) -> bool {
        self.flags & RESOURCE_IO != 0
    }

    /// Its range in memory; `None` in I/O space.
    pub fn memory(&self) -> Option<Span<PhysAddr>> {
        if self.is_io() {
            return None;
        }
        Span::from_size(PhysAddr::new(self.start), self.size)
    }
}

#[cfg(test)]
mod tests;
