//! What a machine is made of: the facts a system is assembled from, and nothing that runs.
//!
//! A [`Machine`] is read from a TOML file ([`Machine::parse`]), is one of those built in
//! ([`builtin()`]), or follows from the topology of a recording ([`Machine::from_topology`]).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `file`, `quantity` | what does a machine file say? |
//! | `builtin` | which machines come with the program? |
//! | `virt` | what is a machine that a recording was made on? |
//! | `check` | what must hold of any of them? |
//! | `ids`, `pins` | which StreamID, DeviceID and interrupt has a function? |
//! | `hierarchy`, `groups`, `entries` | who is in one group with whom, and why? |
//! | `capabilities` | what do the bytes of its configuration space say of a function? |
//! | `built` | how is a GICv3 built, over its preset? |

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

/// Bytes of configuration space that a machine may spell out.
pub const CONFIG_BYTES: usize = 256;

/// A machine as it stands before anything runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Machine {
    /// Its name.
    pub name: String,
    /// The Linux profile it runs unless a scenario says otherwise.
    pub profile: String,
    /// Single choices of the policy, over the profile's.
    pub choices: Overrides,
    /// Number of CPUs, at least 1.
    pub cpus: u32,
    /// Whether the kernel is started in EL2, where it may be a hypervisor.
    pub in_el2: bool,
    /// The kernel's page: 4K, 16K or 64K.
    pub page_size: PageSize,
    /// Whether user space may not map a BAR through sysfs that a driver has claimed.
    pub io_strict_devmem: bool,
    /// Where the configuration space of its PCI functions is mapped, 4 KiB each: ECAM.
    pub ecam: PhysAddr,
    /// The device tree's `dma-coherent`, of the host bridge: the caches of CPUs see what PCI
    /// functions do.
    pub dma_coherent: bool,
    /// Parameters of `vfio_iommu_type1` at boot.
    pub parameters: Parameters,
    /// Banks of RAM, ascending, apart from one another; at least one.
    pub ram: Vec<Span<PhysAddr>>,
    /// What translates DMA.
    pub iommu: Iommu,
    /// The interrupt controller.
    pub gic: Gic,
    /// PCI functions, ascending by requester identifier.
    pub functions: Vec<Function>,
    /// Platform devices, in the file's order.
    pub platforms: Vec<Platform>,
    /// Where the pins INTA to INTD of a root bus lead, from its device 0 on; `None` where that is
    /// not known.
    pub intx: Option<[IntId; 4]>,
    /// Linux interrupt numbers in use at boot, ascending; a new vector gets the lowest free one.
    pub irqs_allocated: Vec<u32>,
    /// What its file says of groups, where they follow from the rest.
    said: Option<groups::Said>,
}

/// Parameters of the module `vfio_iommu_type1`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameters {
    /// Attach although MSIs are not checked against the device that sends them.
    pub allow_unsafe_interrupts: bool,
    /// Pin and map page by page.
    pub disable_hugepages: bool,
    /// Most mappings a container may hold.
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

/// What translates DMA.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Iommu {
    /// A driver without hardware, for work on the type1 side alone.
    Flat,
    /// The same with the messages of an x86 machine.
    X86(X86),
    /// SMMUv3s, at least one; a [`Function::smmu`] is an index into them.
    SmmuV3(Vec<SmmuV3>),
    /// SMMUv2s or SMMUv1s, at least one; a [`Function::smmu`] is an index into them.
    SmmuV2(Vec<SmmuV2>),
    /// SMMUv3s, at least one, and after them an IOMMU as on x86. No board has both; it shows what a
    /// container makes of domains that do not want the same.
    Mixed(Vec<SmmuV3>, X86),
}

/// What an x86-like IOMMU makes of messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct X86 {
    /// Where its register is.
    pub base: PhysAddr,
    /// Where hardware takes them from the bus.
    pub messages: Span<Iova>,
    /// Whether it remaps interrupts, so that senders are told apart.
    pub remaps_interrupts: bool,
}

/// One SMMUv3.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmmuV3 {
    /// Where its register pages 0 and 1 begin.
    pub base: PhysAddr,
    /// Its ID registers.
    pub ids: IdRegisters,
    /// Its wired interrupts.
    pub wired: SmmuWires,
    /// What an ITS knows its own messages by; `None` where they reach none.
    pub device_id: Option<DeviceId>,
    /// How long what was cached is kept.
    pub retention: Retention,
    /// Which caches it has and how large, where they are sized.
    pub caches: Caches,
    /// What the architecture leaves open.
    pub choices: passim_smmu::Choices,
}

/// One SMMUv2 or SMMUv1.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SmmuV2 {
    /// Where its registers begin.
    pub base: PhysAddr,
    /// What it is built with.
    pub description: Description,
    /// When its TLB invalidations take effect.
    pub completion: Completion,
    /// What does not do as the architecture says.
    pub errata: Errata,
    /// How large its TLB is.
    pub tlb: Geometry,
    /// How large its walk cache is; `None`: it has none.
    pub tables: Option<Geometry>,
    /// What its driver takes it for.
    pub model: SmmuModel,
    /// The device tree's `calxeda,smmu-secure-config-access`.
    pub secure_config_access: bool,
    /// The device tree's `dma-coherent`: its driver takes its walks to be coherent.
    pub dma_coherent: bool,
    /// The device tree's `stream-match-mask`: bits of StreamIDs that its driver has every stream
    /// match register ignore.
    pub stream_match_mask: u32,
    /// The interrupt of global faults; `None` where the wire is not connected.
    pub global_fault: Option<IntId>,
    /// The interrupts of context faults: of an SMMUv2 bank n has the n-th, and the last serves
    /// those that follow.
    pub context_faults: Vec<IntId>,
}

/// The wired interrupts of an SMMUv3; `None` where a wire is not connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SmmuWires {
    /// The event queue has become non-empty.
    pub event_queue: Option<IntId>,
    /// The PRI queue wants attention.
    pub pri_queue: Option<IntId>,
    /// CMD_SYNC is complete.
    pub command_sync: Option<IntId>,
    /// SMMU_GERROR has changed.
    pub global_error: Option<IntId>,
}

/// The interrupt controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gic {
    /// GICv3 with an ITS: messages become LPIs, and the sender is known.
    Its(GicIts),
    /// GICv2 with GICv2m frames: messages become SPIs, and anyone may send them.
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
    /// What it and its ITS choose where the architecture leaves a choice.
    pub preset: Preset,
    /// What is built otherwise.
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
    /// Whether it has Security Extensions: everything here then happens in the Non-secure state.
    pub security_extensions: bool,
    /// The frames, ascending by address; at least one.
    pub frames: Vec<V2mFrame>,
    /// Doorbells in place of the only frame's, one for each CPU; none on any board that exists.
    pub doorbells_per_cpu: Vec<PhysAddr>,
}

/// A GICv2m frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct V2mFrame {
    /// Where its 4 KiB of registers begin.
    pub base: PhysAddr,
    /// The first SPI it can raise, as an INTID.
    pub first: IntId,
    /// How many.
    pub count: u32,
    /// Whose it is, by which a message means an SPI.
    pub meaning: Meaning,
    /// What firmware says in place of MSI_TYPER: the device tree's `arm,msi-base-spi`, which is an
    /// INTID, and `arm,msi-num-spis`.
    pub properties: Option<(IntId, u32)>,
}

/// A PCI function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Where it is.
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
    /// Its first bytes while nobody has the device open; `None` leaves them to whoever builds it.
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
    /// StreamIDs of its DMA: its own first, then those of bridges that answer for it.
    pub streams: Vec<StreamId>,
    /// Which of them its transactions carry: its own, or that of the bridge nearest to the root
    /// that answers for it.
    pub stream: StreamId,
    /// What an ITS knows its messages by.
    pub device_id: DeviceId,
    /// Which ITS firmware names for its messages: an index into [`GicIts::its`].
    pub its: usize,
    /// The same, and a DeviceID, for a kernel that goes by the last requester identifier under
    /// which the function may send.
    pub last_alias: (usize, DeviceId),
    /// Reserved regions of its group.
    pub reserved: Vec<Reserved>,
    /// Message-signalled interrupts its driver holds at boot, ascending by interrupt number.
    pub held: Vec<HeldVector>,
    /// What its isolation depends on besides its configuration space.
    pub isolation: Isolation,
    /// Whether it has a cache of translations: PCIe ATS.
    pub ats: bool,
    /// Its extended configuration space, from 0x100 on, as far as it is given.
    pub extended: Vec<u8>,
    /// Its SR-IOV capability.
    pub sriov: Option<Sriov>,
    /// Whether it is a virtual function that is not turned on at boot.
    pub off: bool,
}

/// A device of the board that is on no bus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Platform {
    /// Its name, which the kernel knows it by.
    pub name: String,
    /// IOMMU group, `None` without one.
    pub group: Option<u32>,
    /// The driver bound at boot, `None` without one.
    pub driver: Option<String>,
    /// Which SMMU its DMA passes; `None` if it passes none.
    pub smmu: Option<usize>,
    /// StreamIDs of its DMA; at least one behind an SMMU.
    pub streams: Vec<StreamId>,
    /// What an ITS knows its messages by.
    pub device_id: DeviceId,
    /// Which ITS firmware names for its messages: an index into [`GicIts::its`].
    pub its: usize,
    /// Its register windows.
    pub regions: Vec<Span<PhysAddr>>,
    /// Its wired interrupts.
    pub wires: Vec<Wire>,
    /// How many messages it can send; 0 for a device that sends none.
    pub messages: u32,
    /// Where it learns them; `None` if nothing is known of its registers.
    pub message_table: Option<PhysAddr>,
    /// Whether there is a way to reset it.
    pub resettable: bool,
    /// The device tree's `dma-coherent`: the caches of CPUs see what it does.
    pub dma_coherent: bool,
    /// Messages its driver holds at boot, ascending by interrupt number.
    pub held: Vec<HeldVector>,
}

/// A BAR, the ROM or a bridge window.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bar {
    /// 0 to 5 a BAR, 6 the ROM, above 6 a bridge window.
    pub index: u8,
    /// Where it begins, in I/O space if [`Bar::is_io`] and in memory otherwise.
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
    /// What it is reserved for.
    pub kind: ReservedKind,
}

/// What a region is reserved for, by the names of `reserved_regions` in sysfs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReservedKind {
    /// Mapped one to one for firmware.
    Direct,
    /// The same, but may be given up.
    DirectRelaxable,
    /// Never to be mapped.
    Reserved,
    /// Where MSIs go: the doorbell itself, or the window that software maps doorbells in.
    Msi,
}

/// A message-signalled interrupt that a host driver holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeldVector {
    /// Linux interrupt number.
    pub irq: u32,
    /// Vector of the function, counted from 0.
    pub vector: u16,
    /// Who asked for it.
    pub name: String,
}

impl Iommu {
    /// How many IOMMUs there are.
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

    /// The SMMUv2s, on a board of such.
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

    /// Where it lies in memory; `None` in I/O space.
    pub fn memory(&self) -> Option<Span<PhysAddr>> {
        if self.is_io() {
            return None;
        }
        Span::from_size(PhysAddr::new(self.start), self.size)
    }
}

#[cfg(test)]
mod tests;
