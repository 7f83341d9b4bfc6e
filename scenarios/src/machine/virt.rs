//! Machines of recordings: a topology, completed by the facts of its board.
//!
//! A topology records what the kernel saw, which does not include the addresses of the board's own
//! devices. They are known here for QEMU's `virt`; any other board is an error, not a guess.

use passim_gic::choice::Preset;
use passim_gic::v2m::Meaning;
use passim_model::{DeviceId, IntId, Rid, Span, StreamId};
use passim_smmu::Choices;
use passim_smmu::tlb::Retention;
use passim_smmu::v3::{Caches, IdRegisters};

use super::check::{self, Flaw};
use super::hierarchy;
use super::ids::Ids;
use super::{
    Bar, CONFIG_BYTES, Function, Gic, GicBuilt, GicIts, GicV2m, HeldVector, Iommu, Isolation,
    Machine, Parameters, Reserved, ReservedKind, SmmuV3, SmmuWires, V2mFrame,
};
use crate::chosen::Overrides;
use crate::input_error::{InputError, InputKind};
use crate::recording::interrupts::InterruptLine;
use crate::recording::topo::{GroupMember, PciConfig, PciDevice, Topology};

/// QEMU `virt`, hw/arm/virt.c as of 10.0: the addresses of its devices. They are the same in every
/// version of the board, which are named `virt-9.0` and so on.
pub(super) mod board {
    use passim_model::PhysAddr;

    pub(super) const NAME: &str = "virt";
    pub(super) const DISTRIBUTOR: PhysAddr = PhysAddr::new(0x0800_0000);
    pub(super) const CPU_INTERFACE: PhysAddr = PhysAddr::new(0x0801_0000);
    pub(super) const REDISTRIBUTORS: PhysAddr = PhysAddr::new(0x080a_0000);
    // Measured: the doorbell leaf of gicv2m/dumps/smmu_unsafe_1.json leads here.
    pub(super) const V2M_FRAME: PhysAddr = PhysAddr::new(0x0802_0000);
    // Measured: doorbell leaves of its/dumps lead to 0x8090000, the page of GITS_TRANSLATER.
    pub(super) const ITS: PhysAddr = PhysAddr::new(0x0808_0000);
    /// The window above 4 GiB, which the board uses while high memory is on.
    pub(in crate::machine) const ECAM: PhysAddr = PhysAddr::new(0x40_1000_0000);
    pub(super) const SMMU: PhysAddr = PhysAddr::new(0x0905_0000);

    /// MSI_TYPER 0x500040: 64 SPIs from INTID 80 on. Measured: gicv2m/dumps/its_unsafe_1.json.
    pub(super) const V2M_FIRST: u32 = 80;
    pub(super) const V2M_COUNT: u32 = 64;
    /// hw/arm/virt.c: NUM_IRQS.
    pub(in crate::machine) const SPIS: u32 = 256;

    /// Event queue, PRI queue, command sync, global error. Measured for the first and the last:
    /// `irq_at_boot` lines of every topology name 106 and 109.
    pub(super) const SMMU_WIRES: [u32; 4] = [106, 107, 108, 109];

    /// SMMU_IDR0 with both stages and with stage 2 only; the other registers are the same.
    /// Measured: `regs` of every dump.
    pub(super) const IDR0_BOTH: u32 = 0x0d44_101b;
    pub(super) const IDR0_STAGE2: u32 = 0x0d44_1019;
    pub(super) const IDR1_TO_5: [u32; 5] = [0x0273_0010, 0, 0x1414, 0, 0x74];
    pub(super) const AIDR: u32 = 1;
}

/// Linux's hwirq of a PCI MSI whose domain has no chip of its own: `rid << 11 | vector`. Measured
/// on 6.1: 81920 is vector 0 of 00:05.0.
const HWIRQ_RID_SHIFT: u32 = 11;

impl Machine {
    /// The machine of a recording.
    ///
    /// Its profile is named after the kernel's version, `linux-6.12` for 6.12.95, whether or not
    /// such a profile exists.
    ///
    /// # Errors
    /// A board, interrupt controller, SMMU or kind of reserved region that is not known here, or a
    /// topology that contradicts itself.
    pub fn from_topology(topology: &Topology) -> Result<Self, InputError> {
        let board = &topology.board;
        let is_version = |rest: &str| rest.strip_prefix('-').is_some_and(is_number);
        if !board.machine.strip_prefix(board::NAME).is_some_and(|v| v.is_empty() || is_version(v)) {
            return Err(unknown(topology, "board", &board.machine, "virt"));
        }
        let (name, gic) = match board.gic.as_str() {
            "its" => ("virt-its", its()),
            "v2m" => ("virt-gicv2m", v2m()),
            other => return Err(unknown(topology, "interrupt controller", other, "its or v2m")),
        };
        let idr0 = match board.smmu.as_str() {
            "stage1+2" => board::IDR0_BOTH,
            "stage2" => board::IDR0_STAGE2,
            other => return Err(unknown(topology, "SMMU", other, "stage1+2 or stage2")),
        };
        let at_board =
            |message: &str| topology.source.error_in_line(InputKind::Recording, 1, message);
        let ram = Span::from_size(board.ram_base, board.ram)
            .ok_or_else(|| at_board("RAM is empty or leaves the address space"))?;
        if board.cpus == 0 {
            return Err(at_board("a machine has at least one CPU"));
        }
        let iommu = Iommu::SmmuV3(vec![smmu(idr0)]);
        let functions = functions(topology, &iommu)?;
        Ok(Self {
            name: name.to_owned(),
            profile: format!("linux-{}.{}", board.version.major, board.version.minor),
            choices: Overrides::default(),
            cpus: board.cpus,
            // QEMU's virt without `virtualization=on`.
            in_el2: false,
            page_size: board.page,
            io_strict_devmem: board.io_strict_devmem,
            ecam: board::ECAM,
            dma_coherent: true,
            parameters: Parameters::default(),
            ram: vec![ram],
            iommu,
            gic,
            functions,
            platforms: Vec::new(),
            intx: None,
            irqs_allocated: topology.irqs_allocated.clone(),
            said: None,
        })
    }
}

/// `9.0`.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

fn unknown(topology: &Topology, what: &str, found: &str, known: &str) -> InputError {
    let message = format!("{what} {found:?} is not known");
    topology
        .source
        .error_in_line(InputKind::Recording, 1, message)
        .with_hint(format!("known: {known}"))
}

fn its() -> Gic {
    Gic::Its(GicIts {
        distributor: board::DISTRIBUTOR,
        redistributors: board::REDISTRIBUTORS,
        its: vec![board::ITS],
        spis: board::SPIS,
        // The registers and table entries of the recordings are QEMU's.
        preset: Preset::Qemu,
        built: GicBuilt::default(),
    })
}

fn v2m() -> Gic {
    Gic::V2m(GicV2m {
        distributor: board::DISTRIBUTOR,
        cpu_interface: board::CPU_INTERFACE,
        spis: board::SPIS,
        security_extensions: false,
        frames: vec![V2mFrame {
            base: board::V2M_FRAME,
            first: IntId::new(board::V2M_FIRST),
            count: board::V2M_COUNT,
            meaning: Meaning::IntId,
            properties: None,
        }],
        doorbells_per_cpu: Vec::new(),
    })
}

fn smmu(idr0: u32) -> SmmuV3 {
    let [idr1, idr2, idr3, idr4, idr5] = board::IDR1_TO_5;
    let [event_queue, pri_queue, command_sync, global_error] =
        board::SMMU_WIRES.map(|wire| Some(IntId::new(wire)));
    SmmuV3 {
        base: board::SMMU,
        ids: IdRegisters {
            idr: [idr0, idr1, idr2, idr3, idr4, idr5],
            iidr: 0,
            aidr: board::AIDR,
            mpamidr: 0,
        },
        wired: SmmuWires { event_queue, pri_queue, command_sync, global_error },
        retention: Retention::default(),
        caches: Caches::VIRT,
        choices: Choices::default(),
        device_id: None,
    }
}

fn functions(topology: &Topology, iommu: &Iommu) -> Result<Vec<Function>, InputError> {
    let source = &topology.source;
    let at = |line, message: String| source.error_in_line(InputKind::Recording, line, message);
    let mut functions = Vec::new();
    for config in &topology.configs {
        let device = topology.devices.iter().find(|device| device.rid == config.rid);
        let device =
            device.ok_or_else(|| at(config.line, format!("no `pci` line for {}", config.rid)))?;
        let mut function = function(device, config)
            .ok_or_else(|| at(config.line, "more bytes than configuration space".to_owned()))?;
        function.reserved = reserved(&topology.members, config.rid)
            .map_err(|kind| at(config.line, format!("reserved region of unknown kind {kind:?}")))?;
        functions.push(function);
    }
    if let Some(device) = topology
        .devices
        .iter()
        .find(|device| topology.configs.iter().all(|config| config.rid != device.rid))
    {
        let message = format!("no `pci_config` line for {}", device.rid);
        return Err(InputError::in_file(InputKind::Recording, source.path(), message));
    }
    check::functions(&functions, iommu)
        .map_err(|Flaw { function, message, .. }| at(topology.configs[function].line, message))?;
    let line_of = |rid| topology.configs.iter().find(|it| it.rid == rid).map_or(1, |it| it.line);
    let hierarchy = hierarchy::of_functions(&functions)
        .map_err(|error| at(line_of(error.rid()), error.to_string()))?;
    for function in &mut functions {
        let rid = function.rid;
        let top = hierarchy.bridges_above(rid).last().unwrap_or(rid);
        if top.bus() != 0 {
            let message = format!("no bridge leads to bus {:#04x} of {rid}", top.bus());
            return Err(at(line_of(rid), message));
        }
        // The identity: no recorded board maps requester IDs.
        let ids = Ids::default();
        let known = hierarchy::streams(&hierarchy, &ids, rid)
            .map_err(|alias| at(line_of(rid), format!("{alias} is behind another SMMU")))?;
        function.streams = known.streams;
        function.stream = hierarchy::sent_under(&hierarchy, rid, &function.streams);
        (function.its, function.device_id) = ids.message(hierarchy.message_alias(rid));
        function.last_alias = ids.message(hierarchy.last_alias(rid));
    }
    for line in topology.interrupts.iter().filter(|line| line.is_msi()) {
        hold(&mut functions, line).ok_or_else(|| {
            let message = format!("interrupt {} ({}) belongs to no function", line.irq, line.chip);
            InputError::in_file(InputKind::Recording, source.path(), message)
        })?;
    }
    functions.sort_by_key(|function| function.rid);
    Ok(functions)
}

/// `None` if the configuration bytes are too many.
fn function(device: &PciDevice, config: &PciConfig) -> Option<Function> {
    let mut bytes = Box::new([0; CONFIG_BYTES]);
    bytes.get_mut(..config.config.len())?.copy_from_slice(&config.config);
    let mut bars: Vec<_> = config
        .bars
        .iter()
        .map(|bar| Bar {
            index: bar.index,
            start: bar.addr.get(),
            size: bar.size,
            flags: bar.flags,
        })
        .collect();
    bars.sort_by_key(|bar| bar.index);
    let own = u32::from(device.rid.get());
    Some(Function {
        rid: device.rid,
        vendor: device.vendor,
        device: device.device,
        class: device.class,
        group: device.group,
        driver: device.driver.clone(),
        bars,
        config_size: config.config_size,
        config: Some(bytes),
        msi: config.msi,
        msix: config.msix,
        pcie: config.pcie,
        reset_method: config.reset_method.clone(),
        smmu: Some(0),
        streams: vec![StreamId::new(own)],
        stream: StreamId::new(own),
        device_id: DeviceId::new(own),
        its: Some(0),
        last_alias: (Some(0), DeviceId::new(own)),
        reserved: Vec::new(),
        held: Vec::new(),
        isolation: Isolation::default(),
        ats: false,
        extended: Vec::new(),
        sriov: None,
        off: false,
    })
}

/// The reserved regions of the function's group, or the name of a kind that is not known.
fn reserved(members: &[GroupMember], rid: Rid) -> Result<Vec<Reserved>, &str> {
    let Some(member) = members.iter().find(|member| member.rid == rid) else {
        return Ok(Vec::new());
    };
    let region = |region: &crate::recording::topo::ReservedRegion| {
        let kind = match region.kind.as_str() {
            "direct" => ReservedKind::Direct,
            "direct-relaxable" => ReservedKind::DirectRelaxable,
            "reserved" => ReservedKind::Reserved,
            "msi" => ReservedKind::Msi,
            _ => return None,
        };
        Some(Reserved { span: region.span, kind })
    };
    member.reserved.iter().map(|found| region(found).ok_or(found.kind.as_str())).collect()
}

/// Adds a vector of a host driver to its function; `None` if there is no such function.
fn hold(functions: &mut [Function], line: &InterruptLine) -> Option<()> {
    // Measured: on 6.12 each device has an interrupt chip, named after it, that numbers its
    // vectors; on 6.1 one chip numbers the vectors of all devices.
    let own_chip = line.chip.len().checked_sub("0000:00:00.0".len());
    let own_chip = own_chip.and_then(|at| line.chip.get(at..)).and_then(Rid::parse);
    let (rid, vector) = match own_chip {
        Some(rid) => (rid, line.hwirq),
        None => {
            let rid = u16::try_from(line.hwirq >> HWIRQ_RID_SHIFT).ok()?;
            (Rid::new(rid), line.hwirq & ((1 << HWIRQ_RID_SHIFT) - 1))
        }
    };
    let vector = u16::try_from(vector).ok()?;
    let function = functions.iter_mut().find(|function| function.rid == rid)?;
    function.held.push(HeldVector { irq: line.irq, vector, name: line.name.clone() });
    Some(())
}

#[cfg(test)]
mod tests;
