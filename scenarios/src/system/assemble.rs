//! From a machine's facts to a machine that runs.

mod firmware;

use passim_gic::its::ITS_BYTES;
use passim_gic::v2m::Meaning;
use passim_gic::v3::REDISTRIBUTOR_BYTES;
use passim_gic::{GicV2, GicV3, v2, v2m, v3};
use passim_model::memory::BankError;
use passim_model::pci::Registers;
use passim_model::topology::{BarKind, Function, Platform, SameRid};
use passim_model::{AddressMap, DeviceId, Endpoint, Memory, PhysAddr, Rid, Span, Target, Topology};
use passim_smmu::v3::{Implementation, Wires};
use passim_smmu::{SmmuV2, SmmuV3};
use passim_vfio::iommu::BootError;
use passim_vfio::kernel::{Boot, Kernel, Params};
use passim_vfio::policy::{Policy, Profile};

use self::firmware::{firmware, interrupts};
use super::ats::Ats;
use super::board::Parts;
use super::controller::Controller;
use super::edu::Edu;
use super::parts::{self, Clash};
use super::platform_device::MESSAGE_BYTES;
use super::x86::X86Unit;
use super::{Board, Lost, Pace, PlatformDevice, Slot, System};
use crate::machine::{self, Gic, GicIts, GroupConflict, Iommu, Machine, X86};

/// Bytes of an SMMUv3's two register pages. IHI 0070 G.b 6.1: 64 KiB each.
const SMMU_BYTES: u64 = 0x2_0000;

/// What a machine does not say of the run it is assembled for.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The kernel's choices.
    pub policy: Policy,
    /// Parameters of the type1 module.
    pub params: Params,
    /// Modules loaded.
    pub modules: Vec<String>,
    /// Frames of RAM whose use is given from outside.
    pub set_aside: Vec<Span<PhysAddr>>,
    /// When hardware works.
    pub pace: Pace,
    /// A command of the ITS's driver that the ITS does not see.
    pub lost: Option<Lost>,
}

impl Setup {
    /// A run of `machine` under `profile`, everything else as the machine says.
    pub fn new(machine: &Machine, profile: Profile) -> Self {
        let machine::Parameters { allow_unsafe_interrupts, disable_hugepages, dma_entry_limit } =
            machine.parameters;
        let mut policy = profile.policy();
        machine.choices.apply(&mut policy);
        Self {
            policy,
            params: Params { allow_unsafe_interrupts, disable_hugepages, dma_entry_limit },
            modules: Vec::new(),
            set_aside: Vec::new(),
            pace: Pace::Eager,
            lost: None,
        }
    }
}

/// Why a machine could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AssemblyError {
    /// A bank of RAM cannot be.
    #[error(transparent)]
    Bank(#[from] BankError),
    /// Two parts claim one address.
    #[error("{0}")]
    Overlap(Clash),
    /// Two functions claim one place.
    #[error(transparent)]
    SameRid(#[from] SameRid),
    /// A part leaves the address space.
    #[error("{2} at {1} leaves the address space")]
    Beyond(Target, PhysAddr, String),
    /// What is said of groups is not what this kernel makes.
    #[error(transparent)]
    Groups(#[from] GroupConflict),
    /// The kernel did not boot.
    #[error("the kernel does not boot: {0}")]
    Boot(#[from] BootError),
}

impl System {
    /// Puts `machine` together and boots it.
    ///
    /// # Errors
    /// [`AssemblyError`]: the machine's facts do not go together.
    pub fn new(machine: &Machine, setup: Setup) -> Result<Self, AssemblyError> {
        let machine = &*machine.grouped(setup.policy.smmu2_entries)?;
        let topology = topology(machine)?;
        let mut board = Board::with(machine, &topology, setup.pace)?;
        board.lose(setup.lost);
        let firmware = firmware(machine);
        let interrupts = interrupts(machine);
        let boot = Boot {
            page: machine.page_size,
            ram: machine.ram.clone(),
            set_aside: setup.set_aside,
            topology: &topology,
            interrupts: &interrupts,
            firmware: &firmware,
            policy: setup.policy,
            params: setup.params,
            modules: setup.modules,
            io_strict_devmem: machine.io_strict_devmem,
        };
        let kernel = Kernel::boot(boot, &mut board)?;
        let functions = machine.functions.iter().map(|it| (Endpoint::from(it.rid), it.smmu));
        let platforms = machine.platforms.iter().map(|platform| platform.smmu);
        let platforms = (0..).map(Endpoint::Platform).zip(platforms);
        let smmu_of = functions.chain(platforms);
        let smmu_of = smmu_of.filter_map(|(device, smmu)| Some((device, smmu?))).collect();
        let off = machine.functions.iter().filter(|it| it.off).map(|it| it.rid);
        let (page, unplugged) = (machine.page_size, off.collect());
        let its = match &machine.gic {
            Gic::Its(gic) => gic.its.clone(),
            Gic::V2m(_) => Vec::new(),
        };
        let its_of = machine.functions.iter().filter_map(|it| Some((it.rid, it.its?))).collect();
        Ok(Self { board, kernel, topology, page, smmu_of, unplugged, its, its_of })
    }
}

impl Board {
    /// The board of `machine` as it stands after power-on.
    ///
    /// # Errors
    /// [`AssemblyError`]: the machine's facts do not go together.
    pub fn of(machine: &Machine, pace: Pace) -> Result<Self, AssemblyError> {
        Self::with(machine, &topology(machine)?, pace)
    }

    fn with(machine: &Machine, topology: &Topology, pace: Pace) -> Result<Self, AssemblyError> {
        let mut memory = Memory::new();
        let mut map = Places { map: AddressMap::new(), machine };
        for bank in &machine.ram {
            memory.add_bank(*bank)?;
            map.place_span(*bank, Target::Ram)?;
        }
        let mut smmus = Vec::new();
        for (index, smmu) in (0u16..).zip(machine.iommu.smmus()) {
            map.place(smmu.base, SMMU_BYTES, Target::Smmu(index))?;
            smmus.push(smmu_of(smmu).into());
        }
        for (index, facts) in (0u16..).zip(machine.iommu.smmu_v2s()) {
            let smmu = smmu_v2_of(facts);
            map.place(facts.base, smmu.window(), Target::Smmu(index))?;
            smmus.push(smmu.into());
        }
        place_interrupts(&mut map, machine)?;
        place_config(&mut map, machine)?;
        place_bars(&mut map, machine)?;
        place_messages(&mut map, topology)?;
        let x86 = place_x86(&mut map, machine)?;
        let map = map.map;
        let iommus = smmus.len() + usize::from(x86.is_some());
        let slots = slots(machine, topology, iommus);
        let aboard = machine.platforms.iter().zip(topology.platforms()).map(|(facts, device)| {
            PlatformDevice::new(device, facts.smmu.filter(|iommu| *iommu < iommus))
        });
        let (aboard, controller) = (aboard.collect(), controller(machine));
        let smmu_ids = smmu_ids(machine);
        let parts = Parts { memory, map, smmus, smmu_ids, slots, x86, aboard, controller };
        Ok(Board::new(parts, pace))
    }
}

/// Where the parts of a machine are, as far as they are placed.
struct Places<'a> {
    map: AddressMap,
    machine: &'a Machine,
}

impl Places<'_> {
    fn place(&mut self, base: PhysAddr, bytes: u64, part: Target) -> Result<(), AssemblyError> {
        let beyond = || AssemblyError::Beyond(part, base, parts::name(part, self.machine));
        self.place_span(Span::from_size(base, bytes).ok_or_else(beyond)?, part)
    }

    fn place_span(&mut self, span: Span<PhysAddr>, part: Target) -> Result<(), AssemblyError> {
        let placed = self.map.place(span, part);
        placed.map_err(|overlap| AssemblyError::Overlap(Clash::of(overlap, self.machine)))
    }
}

/// What an ITS knows the messages of each SMMU by.
fn smmu_ids(machine: &Machine) -> Vec<Option<DeviceId>> {
    machine.iommu.smmus().iter().map(|smmu| smmu.device_id).collect()
}

/// The functions, as the topology has them.
fn slots(machine: &Machine, topology: &Topology, smmus: usize) -> Vec<Slot> {
    let slot = |function: &Function| {
        let rid = function.rid;
        let facts = machine.function(rid);
        let smmu = facts.and_then(|facts| facts.smmu);
        let is_virtual = facts.is_some_and(|facts| facts.isolation.physical.is_some());
        let registers = match is_virtual {
            true => Registers::of_virtual(function),
            false => Registers::new(function),
        };
        let has_ats = facts.is_some_and(|facts| facts.ats);
        let sriov = facts.and_then(|facts| facts.sriov.as_ref());
        let registers = sriov.map_or(registers.clone(), |it| registers.with_virtual(it));
        let registers = if has_ats { registers.with_ats() } else { registers };
        Slot {
            rid,
            registers,
            smmu: smmu.filter(|smmu| *smmu < smmus),
            ats: has_ats.then(Ats::default),
            pin: topology.pin(rid),
            edu: Edu::at(rid, topology),
            physical: physical(topology, rid),
        }
    };
    topology.functions().iter().map(slot).collect()
}

/// The physical function of a virtual one, and which of its virtual functions it is.
fn physical(topology: &Topology, rid: Rid) -> Option<(Rid, u16)> {
    let of = topology.physical_of(rid)?;
    let number = topology.virtual_of(of).position(|it| it == rid)?;
    Some((of, u16::try_from(number).ok()?))
}

fn controller(machine: &Machine) -> Controller {
    let facts = match &machine.gic {
        Gic::Its(facts) => return Controller::of_v3(gicv3(machine, facts)),
        Gic::V2m(facts) => facts,
    };
    let frames = facts.frames.iter().map(|frame| {
        let count = u16::try_from(frame.count).unwrap_or(u16::MAX);
        let of = match frame.meaning {
            Meaning::IntId => v2m::Implementation::new,
            Meaning::FromBase => v2m::Implementation::xgene,
            Meaning::FromFirstSpi => v2m::Implementation::ns2,
            Meaning::InOffset => v2m::Implementation::graviton,
        };
        of(frame.first, count)
    });
    let cpus = u16::try_from(machine.cpus).unwrap_or(v2::MOST_CPUS);
    let spis = u16::try_from(facts.spis).unwrap_or(u16::MAX);
    let view = match facts.security_extensions {
        true => v2::View::NonSecure,
        false => v2::View::Single,
    };
    let gic400 = v2::Implementation::gic400(cpus, spis);
    let implementation = v2::Implementation { view, frames: frames.collect(), ..gic400 };
    Controller::of_v2(GicV2::new(implementation))
}

/// The GICv3 of a machine as it stands after power-on.
pub(crate) fn gicv3(machine: &Machine, facts: &GicIts) -> GicV3 {
    let spis = u16::try_from(facts.spis).unwrap_or(u16::MAX);
    let mut built = v3::Implementation::of(facts.preset, gicv3_cpus(machine), spis);
    built.its = vec![built.its[0]; facts.its.len()];
    facts.built.apply(&mut built, facts.redistributors);
    GicV3::new(built)
}

fn gicv3_cpus(machine: &Machine) -> u16 {
    let most = v3::MOST_CPUS as u16;
    u16::try_from(machine.cpus).unwrap_or(most).clamp(1, most)
}

fn smmu_of(facts: &machine::SmmuV3) -> SmmuV3 {
    let machine::SmmuWires { event_queue, pri_queue, command_sync, global_error } = facts.wired;
    SmmuV3::new(Implementation {
        ids: facts.ids,
        wires: Wires { event_queue, pri_queue, command_sync, global_error },
        retention: facts.retention,
        caches: facts.caches,
        choices: facts.choices,
        ..Implementation::default()
    })
}

fn smmu_v2_of(facts: &machine::SmmuV2) -> SmmuV2 {
    let description = passim_smmu::v2::Implementation::new(facts.description);
    let choices = passim_smmu::v2::Choices { completion: facts.completion, ..description.choices };
    SmmuV2::new(passim_smmu::v2::Implementation {
        choices,
        wires: passim_smmu::v2::Wires {
            global: facts.global_fault,
            contexts: facts.context_faults.clone(),
        },
        tlb: facts.tlb,
        tables: facts.tables,
        errata: facts.errata,
        ..description
    })
}

/// Doorbells first: they are the blocks that devices write to.
fn place_interrupts(map: &mut Places<'_>, machine: &Machine) -> Result<(), AssemblyError> {
    /// IHI 0069 H.b 12.8: the distributor of a GICv3.
    const DISTRIBUTOR_V3_BYTES: u64 = 0x1_0000;
    /// IHI 0048 B.b 4.1.2, 4.1.3: the distributor and the CPU interface.
    const DISTRIBUTOR_BYTES: u64 = 0x1000;
    const CPU_INTERFACE_BYTES: u64 = 0x2000;
    let blocks: Vec<_> = match &machine.gic {
        Gic::Its(its) => {
            let mut blocks: Vec<_> = its.its.iter().map(|&base| (base, ITS_BYTES)).collect();
            blocks.push((its.distributor, DISTRIBUTOR_V3_BYTES));
            for cpu in 0..gicv3_cpus(machine) {
                let at = u64::from(cpu) * REDISTRIBUTOR_BYTES;
                // One that would begin beyond the end leaves the address space all the same.
                let base = its.redistributors.checked_add(at).unwrap_or(PhysAddr::new(u64::MAX));
                blocks.push((base, REDISTRIBUTOR_BYTES));
            }
            blocks
        }
        Gic::V2m(v2m) => {
            let frames =
                v2m.frames.iter().map(|frame| (frame.base, v2m::Frame::bytes(frame.meaning)));
            let distributor = (v2m.distributor, DISTRIBUTOR_BYTES);
            let interface = (v2m.cpu_interface, CPU_INTERFACE_BYTES);
            frames.chain([distributor, interface]).collect()
        }
    };
    for (index, (base, bytes)) in (0u16..).zip(blocks) {
        map.place(base, bytes, Target::Interrupts(index))?;
    }
    // The doorbell of a CPU is the frame's, at another address.
    if let Gic::V2m(v2m) = &machine.gic {
        for &base in &v2m.doorbells_per_cpu {
            map.place(base, v2m::Frame::BYTES, Target::Interrupts(0))?;
        }
    }
    Ok(())
}

/// Places configuration space, as far as there are buses: 1 MiB each.
fn place_config(map: &mut Places<'_>, machine: &Machine) -> Result<(), AssemblyError> {
    const BUS_LG2: u32 = 20;
    let Some(last) = machine.functions.iter().map(|function| function.rid.bus()).max() else {
        return Ok(());
    };
    let bytes = (u64::from(last) + 1) << BUS_LG2;
    map.place(machine.ecam, bytes, Target::Config)
}

/// Places memory BARs. Bridge windows hold the BARs behind them, and ROMs are disabled.
fn place_bars(map: &mut Places<'_>, machine: &Machine) -> Result<(), AssemblyError> {
    for (index, function) in (0u16..).zip(&machine.functions) {
        for bar in function.bars.iter().filter(|bar| bar.index < 6 && bar.start != 0) {
            if let Some(span) = bar.memory() {
                map.place_span(span, Target::Bar { function: index, bar: bar.index })?;
            }
        }
    }
    Ok(())
}

/// The IOMMU as on x86, if there is one, and its register.
fn place_x86(map: &mut Places<'_>, machine: &Machine) -> Result<Option<X86Unit>, AssemblyError> {
    let (Iommu::X86(X86 { base, messages, .. }) | Iommu::Mixed(_, X86 { base, messages, .. })) =
        machine.iommu
    else {
        return Ok(None);
    };
    map.place(base, super::x86::BYTES, Target::X86Iommu)?;
    Ok(Some(X86Unit::new(messages)))
}

/// Places the message registers of devices on no bus.
fn place_messages(map: &mut Places<'_>, topology: &Topology) -> Result<(), AssemblyError> {
    for (index, device) in (0u16..).zip(topology.platforms()) {
        let Some(table) = device.message_table.filter(|_| device.messages > 0) else { continue };
        map.place(table, u64::from(device.messages) * MESSAGE_BYTES, Target::Board(index))?;
    }
    Ok(())
}

fn topology(machine: &Machine) -> Result<Topology, SameRid> {
    let topology = Topology::new(machine.functions.iter().map(function).collect())?;
    let platforms = machine.platforms.iter().map(platform).collect();
    let physical = |it: &machine::Function| Some((it.rid, it.isolation.physical?));
    let physical = machine.functions.iter().filter_map(physical).collect();
    let off = machine.functions.iter().filter(|it| it.off).map(|it| it.rid).collect();
    let topology = topology.with_platforms(platforms).with_pins(machine.pins());
    Ok(topology.with_virtual(physical).with_off(off).with_bridges(machine.bridges_above()))
}

fn platform(facts: &machine::Platform) -> Platform {
    Platform {
        name: facts.name.clone(),
        group: facts.group,
        boot_driver: facts.driver.clone(),
        regions: facts.regions.clone(),
        wires: facts.wires.clone(),
        messages: facts.messages,
        message_table: facts.message_table,
        resettable: facts.resettable,
        stream: facts.streams.first().copied().unwrap_or_default(),
        device_id: facts.device_id,
    }
}

fn function(facts: &machine::Function) -> Function {
    let bars = facts.bars.iter().filter_map(|bar| {
        let span = Span::from_size(PhysAddr::new(bar.start), bar.size)?;
        let kind = if bar.is_io() { BarKind::Io } else { BarKind::Memory };
        Some(passim_model::topology::Bar { index: bar.index, span, kind })
    });
    let config = facts.config.iter().flat_map(|config| config.iter().chain(&facts.extended));
    Function {
        rid: facts.rid,
        vendor: facts.vendor,
        device: facts.device,
        class: facts.class,
        group: facts.group,
        boot_driver: facts.driver.clone(),
        bars: bars.collect(),
        config: config.copied().collect(),
        config_size: facts.config_size,
        msi: facts.msi.map(u16::from),
        msix: facts.msix.map(u16::from),
        pcie: facts.pcie.map(u16::from),
        resettable: facts.reset_method.is_some(),
        stream: facts.stream,
        device_id: facts.device_id,
    }
}
