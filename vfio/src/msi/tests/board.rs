//! A machine for message tests: three functions with MSI and MSI-X, one of them the kernel's own, a
//! toy SMMU that performs every command at once, and a toy GICv2.

use crate::call::{Arg, Call};
use crate::iommu::{DeviceFacts, DriverFacts, Firmware};
use crate::irq::{FrameFacts, GicFacts, HeldFacts, InterruptFacts};
use crate::kernel::{Boot, Kernel, Params};
use crate::policy::Policy;
use crate::process::{Capabilities, Pid, Start};
use crate::uapi::{Header, IrqSet, MapRequest, ioctl, irq, irq_set};
use passim_model::pci::{Raised, Registers};
use passim_model::topology::{Bar, BarKind, Function};
use passim_model::{
    Abort, DeviceId, Endpoint, Errno, Host, IntId, Memory, PageSize, PhysAddr, Rid, Span, StreamId,
    Topology, Width,
};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RAM: u64 = 0x4000_0000;
const SMMU: u64 = 0x0905_0000;
const ECAM: u64 = 0x40_1000_0000;
const GICD: u64 = 0x0800_0000;
const GICC: u64 = 0x0801_0000;
pub(super) const ITS: u64 = 0x0808_0000;
/// The frame of series 8.
pub(super) const FRAME: u64 = 0x0f20_0000;
const BARS: u64 = 0x1000_0000;
/// Entries of each MSI-X table.
pub(super) const ENTRIES: u16 = 8;

/// Two functions of a user, and one whose driver holds a message.
pub(super) const USERS: [u16; 2] = [0x08, 0x10];
pub(super) const HOLDER: u16 = 0x18;

/// A function with power management, MSI for 8 messages and MSI-X.
fn function(rid: u16) -> Function {
    let mut config = vec![0; 256];
    let mut put = |at: usize, bytes: &[u8]| config[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x06, &[0x10]);
    let bar = BARS + u64::from(rid) * 0x4000;
    put(0x10, &(bar as u32).to_le_bytes());
    put(0x34, &[0x40]);
    put(0x3c, &[0, 1]);
    put(0x40, &[1, 0x50, 2, 0, 3]);
    // Four messages would be 1 << 1; eight, 64-bit addresses, maskable.
    put(0x50, &[5, 0x70, 0x86, 0x01]);
    put(0x70, &[0x11, 0, ENTRIES as u8 - 1, 0, 0, 0, 0, 0, 0, 0x20]);
    let span = Span::from_size(PhysAddr::new(bar), 0x4000).unwrap();
    Function {
        rid: Rid::new(rid),
        vendor: 0x8086,
        device: 0x10d3,
        class: 0x2_0000,
        group: Some(u32::from(rid)),
        boot_driver: Some(if rid == HOLDER { "pcieport" } else { "vfio-pci" }.to_owned()),
        bars: vec![Bar { index: 0, span, kind: BarKind::Memory }],
        config,
        config_size: 256,
        msi: Some(0x50),
        msix: Some(0x70),
        pcie: None,
        resettable: false,
        stream: StreamId::new(u32::from(rid)),
        device_id: DeviceId::new(u32::from(rid)),
    }
}

/// The hardware that the kernel accesses.
pub(super) struct Board {
    memory: Memory,
    smmu: BTreeMap<u64, u64>,
    functions: BTreeMap<Rid, (Registers, Span<PhysAddr>)>,
    /// Each frame: base, first SPI, number of SPIs.
    frames: Vec<(u64, u32, u32)>,
    gicd: BTreeMap<u64, u64>,
    enabled: BTreeSet<u32>,
    pending: BTreeSet<u32>,
    active: Vec<u32>,
    cpu: u16,
}

impl Board {
    /// Raises a vector of the function and returns the message sent. If it reaches a frame,
    /// untranslated or by its page's offset, the SPI becomes pending.
    pub(super) fn raise(&mut self, rid: u16, vector: u16) -> Option<(u64, u32)> {
        let (registers, _) = self.functions.get_mut(&Rid::new(rid)).unwrap();
        let Raised::Sent(message) = registers.raise(vector) else { return None };
        self.pending.insert(message.data);
        Some((message.at.get(), message.data))
    }

    /// An entry of a function's MSI-X table: address, data, control.
    pub(super) fn entry(&self, rid: u16, index: usize) -> (u64, u32, u32) {
        let (registers, _) = &self.functions[&Rid::new(rid)];
        let entry = registers.msix().unwrap().entries()[index];
        (entry.address.get(), entry.data, entry.control)
    }

    pub(super) fn registers(&self, rid: u16) -> &Registers {
        &self.functions[&Rid::new(rid)].0
    }

    /// The CPU that an SPI is routed to, as a bit.
    pub(super) fn target(&self, spi: u32) -> u64 {
        self.gicd.get(&(0x800 + u64::from(spi))).copied().unwrap_or(0)
    }

    fn load_gicd(&self, at: u64) -> u64 {
        match at {
            0x4 => 7,
            0x800..0x820 => 0x0101_0101 << self.cpu,
            _ => self.gicd.get(&at).copied().unwrap_or(0),
        }
    }

    fn store_gicd(&mut self, at: u64, value: u64) {
        let bits = |start: u64| {
            let first = (at - start) as u32 * 8;
            (0..32).filter(move |n| value >> n & 1 == 1).map(move |n| first + n)
        };
        match at {
            0x100..0x180 => self.enabled.extend(bits(0x100)),
            0x180..0x200 => {
                for n in bits(0x180) {
                    self.enabled.remove(&n);
                }
            }
            _ => drop(self.gicd.insert(at, value)),
        }
    }

    fn acknowledge(&mut self) -> u64 {
        let mine = |n: &&u32| self.enabled.contains(n) && self.target(**n) >> self.cpu & 1 == 1;
        let Some(&spi) = self.pending.iter().find(mine) else { return 1023 };
        self.pending.remove(&spi);
        self.active.push(spi);
        u64::from(spi)
    }
}

impl Host for Board {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn load(&mut self, at: PhysAddr, width: Width) -> Result<u64, Abort> {
        let place = at.get();
        let frame = self.frames.iter().find(|(base, ..)| *base == place & !0xfff);
        if let Some((_, first, count)) = frame {
            return Ok(if place & 0xfff == 8 { u64::from(first << 16 | count) } else { 0 });
        }
        match place {
            SMMU..0x0907_0000 => Ok(self.smmu.get(&(place - SMMU)).copied().unwrap_or(0)),
            GICD..0x0800_1000 => Ok(self.load_gicd(place - GICD)),
            GICC..0x0801_1000 if place == GICC + 0xc => Ok(self.acknowledge()),
            GICC..0x0801_1000 => Ok(0),
            ECAM.. => {
                let rid = Rid::new(((place - ECAM) >> 12) as u16);
                let (registers, _) = self.functions.get(&rid).ok_or(Abort(at))?;
                Ok(registers.load(place as u32 & 0xfff, width))
            }
            _ => {
                let mut functions = self.functions.values();
                let found = functions.find(|(_, span)| span.contains(at)).ok_or(Abort(at))?;
                let offset = place - found.1.start().get();
                Ok(found.0.load_bar(0, offset, width).unwrap_or(0))
            }
        }
    }

    fn store(&mut self, at: PhysAddr, width: Width, value: u64) -> Result<(), Abort> {
        let place = at.get();
        match place {
            SMMU..0x0907_0000 => {
                let offset = place - SMMU;
                self.smmu.insert(offset, value);
                match offset {
                    // Acknowledges, and consumes all commands, at once.
                    0x20 | 0x50 | 0x98 => drop(self.smmu.insert(offset + 4, value)),
                    _ => {}
                }
            }
            GICD..0x0800_1000 => self.store_gicd(place - GICD, value),
            GICC..0x0801_1000 if place == GICC + 0x10 => {
                assert_eq!(self.active.pop(), Some(value as u32), "ended in order");
            }
            GICC..0x0801_1000 => {}
            ECAM.. => {
                let rid = Rid::new(((place - ECAM) >> 12) as u16);
                let (registers, _) = self.functions.get_mut(&rid).ok_or(Abort(at))?;
                let _ = registers.store(place as u32 & 0xfff, width, value);
            }
            _ => {
                let mut functions = self.functions.values_mut();
                let found = functions.find(|(_, span)| span.contains(at)).ok_or(Abort(at))?;
                let offset = place - found.1.start().get();
                let _ = found.0.store_bar(0, offset, width, value);
            }
        }
        Ok(())
    }

    fn run_on(&mut self, cpu: u16) {
        self.cpu = cpu;
    }

    fn relax(&mut self) {}
}

/// The parameters of a machine.
pub(super) struct Build {
    pub(super) policy: Policy,
    /// Each frame: base, first SPI, number of SPIs; none for an ITS.
    pub(super) frames: Vec<(u64, u32, u32)>,
    pub(super) per_cpu: Vec<u64>,
    pub(super) cpus: u32,
    pub(super) page: PageSize,
}

impl Build {
    /// A machine with the frame of series 8, and two CPUs.
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            policy,
            frames: vec![(FRAME, 64, 128)],
            per_cpu: Vec::new(),
            cpus: 2,
            page: PageSize::K4,
        }
    }
}

/// Firmware's facts of interrupts: some numbers are in use, one message is held.
fn interrupts(build: &Build) -> InterruptFacts {
    let frames = build.frames.iter().map(|(base, ..)| FrameFacts {
        base: PhysAddr::new(*base),
        spis: None,
        amazon: false,
    });
    let distributor = PhysAddr::new(GICD);
    let gic = match build.frames.is_empty() {
        true => GicFacts::V3 {
            distributor,
            redistributors: PhysAddr::new(0x080a_0000),
            its: vec![PhysAddr::new(ITS)],
        },
        false => GicFacts::V2 {
            distributor,
            cpu_interface: PhysAddr::new(GICC),
            frames: frames.collect(),
        },
    };
    let held = HeldFacts {
        holder: Endpoint::Pci(Rid::new(HOLDER)),
        irq: Some(3),
        vector: 0,
        name: "pciehp".to_owned(),
    };
    InterruptFacts {
        gic,
        cpus: build.cpus,
        in_el2: false,
        ecam: PhysAddr::new(ECAM),
        msi_parents: BTreeMap::new(),
        last_aliases: BTreeMap::new(),
        held: vec![held],
        irqs_allocated: vec![1, 2, 3, 5],
        smmus: Vec::new(),
        doorbells_per_cpu: build.per_cpu.iter().copied().map(PhysAddr::new).collect(),
    }
}

/// A booted machine and a process.
pub(super) struct Machine {
    pub(super) board: Board,
    pub(super) kernel: Kernel,
    pub(super) pid: Pid,
}

impl Machine {
    pub(super) fn boot(build: Build) -> Self {
        Self::boot_with(build, |_| {})
    }

    /// The same after changing its functions.
    pub(super) fn boot_with(build: Build, change: impl Fn(&mut Function)) -> Self {
        let ram = Span::from_size(PhysAddr::new(RAM), 0x800_0000).unwrap();
        let mut memory = Memory::new();
        memory.add_bank(ram).unwrap();
        let mut functions: Vec<_> = USERS.into_iter().chain([HOLDER]).map(function).collect();
        functions.iter_mut().for_each(change);
        let registers = functions.iter().map(|it| (it.rid, (Registers::new(it), it.bars[0].span)));
        let identification = [(0x0, 0xd44_101b), (0x4, 0x273_0010), (0xc, 0x1414), (0x14, 0x74)];
        let mut board = Board {
            memory,
            smmu: identification.into_iter().collect(),
            functions: registers.collect(),
            frames: build.frames.clone(),
            gicd: BTreeMap::new(),
            enabled: BTreeSet::new(),
            pending: BTreeSet::new(),
            active: Vec::new(),
            cpu: 0,
        };
        let topology = Topology::new(functions).unwrap();
        let firmware = Firmware {
            drivers: vec![DriverFacts::SmmuV3 { base: PhysAddr::new(SMMU) }],
            devices: DeviceFacts::of_topology(&topology, 0),
        };
        let interrupts = interrupts(&build);
        let params = Params { allow_unsafe_interrupts: true, ..Params::default() };
        let boot = Boot {
            page: build.page,
            ram: vec![ram],
            set_aside: Vec::new(),
            topology: &topology,
            interrupts: &interrupts,
            firmware: &firmware,
            policy: build.policy,
            params,
            modules: Vec::new(),
            io_strict_devmem: true,
        };
        let mut kernel = Kernel::boot(boot, &mut board).unwrap();
        let start =
            Start { fds: vec![0, 1, 2], memlock: 1 << 20, capabilities: Capabilities::all() };
        let pid = kernel.spawn(&start);
        Self { board, kernel, pid }
    }

    pub(super) fn call(&mut self, call: Call) -> Result<i64, Errno> {
        let answer = self.kernel.run(self.pid, call, &mut self.board);
        answer.ret.map_err(|refusal| refusal.errno)
    }

    pub(super) fn ioctl(&mut self, fd: i64, request: u32, bytes: Vec<u8>) -> Result<i64, Errno> {
        self.call(Call::Ioctl { fd: fd as i32, request, arg: Arg::Bytes(bytes) })
    }

    /// A container with the group of each user; returns its descriptor and the groups'.
    pub(super) fn container(&mut self, users: &[u16]) -> (i64, Vec<i64>) {
        let container = self.call(Call::Open { path: "/dev/vfio/vfio".to_owned() }).unwrap();
        let mut groups = Vec::new();
        for rid in users {
            let group = self.call(Call::Open { path: format!("/dev/vfio/{rid}") }).unwrap();
            let fd = (container as i32).to_le_bytes().to_vec();
            self.ioctl(group, ioctl::GROUP_SET_CONTAINER, fd).unwrap();
            groups.push(group);
        }
        let (fd, request) = (container as i32, ioctl::SET_IOMMU);
        self.call(Call::Ioctl { fd, request, arg: Arg::Value(3) }).unwrap();
        (container, groups)
    }

    /// The file of a user's device.
    pub(super) fn device(&mut self, group: i64, rid: u16) -> i64 {
        let name = format!("0000:{}\0", Rid::new(rid)).into_bytes();
        self.ioctl(group, ioctl::GROUP_GET_DEVICE_FD, name).unwrap()
    }

    /// Registers the window of the series.
    pub(super) fn window(&mut self, container: i64, iova: u64, size: u64) -> Result<i64, Errno> {
        let header = Header { argsz: 32, flags: 4 };
        let map = MapRequest { header, vaddr: 0, iova, size };
        self.ioctl(container, ioctl::IOMMU_MAP_DMA, map.to_bytes())
    }

    pub(super) fn eventfds(&mut self, count: usize) -> Vec<i64> {
        (0..count).map(|_| self.call(Call::EventFd).unwrap()).collect()
    }

    pub(super) fn count(&mut self, eventfd: i64) -> i64 {
        self.call(Call::ReadEventFd { fd: eventfd as i32 }).unwrap()
    }

    /// SET_IRQS in raw form.
    pub(super) fn set_irqs(
        &mut self,
        device: i64,
        index: u32,
        flags: u32,
        (start, count): (u32, u32),
        data: &[u8],
    ) -> Result<i64, Errno> {
        let argsz = (IrqSet::BYTES + data.len()) as u32;
        let header = Header { argsz, flags };
        let mut bytes = IrqSet { header, index, start, count }.to_bytes().to_vec();
        bytes.extend_from_slice(data);
        self.ioctl(device, ioctl::DEVICE_SET_IRQS, bytes)
    }

    /// SET_IRQS that sets the eventfds of MSI-X vectors.
    pub(super) fn enable(&mut self, device: i64, start: u32, fds: &[i64]) -> Result<i64, Errno> {
        self.enable_as(device, irq::MSIX, start, fds)
    }

    pub(super) fn enable_as(
        &mut self,
        device: i64,
        index: u32,
        start: u32,
        fds: &[i64],
    ) -> Result<i64, Errno> {
        let data: Vec<u8> = fds.iter().flat_map(|fd| (*fd as i32).to_le_bytes()).collect();
        let flags = irq_set::DATA_EVENTFD | irq_set::ACTION_TRIGGER;
        self.set_irqs(device, index, flags, (start, fds.len() as u32), &data)
    }

    pub(super) fn disable(&mut self, device: i64, index: u32) -> Result<i64, Errno> {
        let flags = irq_set::DATA_NONE | irq_set::ACTION_TRIGGER;
        self.set_irqs(device, index, flags, (0, 0), &[])
    }

    /// SPIs of a function's vectors.
    pub(super) fn intids(&self, rid: u16) -> Vec<IntId> {
        self.kernel.vectors(Rid::new(rid)).iter().map(|vector| vector.intid).collect()
    }

    /// References on the doorbells in the domain of a user's device.
    pub(super) fn references(&self, rid: u16) -> Vec<u64> {
        let doorbells = self.kernel.doorbells_of(Rid::new(rid));
        doorbells.iter().map(|doorbell| doorbell.references).collect()
    }
}
