//! A machine, one process, and its open files.

use std::collections::{BTreeMap, BTreeSet};

use passim::machine::{Gic, Machine};
use passim::system::{Setup, System};
use passim_model::{Endpoint, Host, Iova, PhysAddr, Refusal, Rid, Span, UserAddr};
use passim_vfio::call::{Answer, Arg, Call, MapKind, Protection};
use passim_vfio::iommu::msi::DoorbellView;
use passim_vfio::policy::{ApertureRollback, DoorbellUnwind, Policy, Profile};
use passim_vfio::process::{Capabilities, Pid, Start};
use passim_vfio::step::Step as Progress;
use passim_vfio::uapi::ioctl;
use passim_vfio::view::{ContainerView, MappingView};

use crate::steps::Step;

/// Address and size of the process's memory.
const ARENA: UserAddr = UserAddr::new(0x1000_0000_0000);
const ARENA_PAGES: u64 = 16;

const PAGE_LG2: u32 = 12;

/// Offset of the frame of GITS_TRANSLATER in an ITS.
const ITS_FRAME: u64 = 0x1_0000;

/// LPIs that Linux allocates, at most.
const LPIS: core::ops::Range<u32> = 0x2000..0x1_0000;

/// Rules whose refusal leaves changes by design: apertures of domains set before.
const NO_ROLLBACK: &[&str] = &["msi-no-cookie", "msi-second-aperture", "msi-other-range"];

/// Resources of a machine that a process must return.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Usage {
    frames: u64,
    messages: usize,
    locked: u64,
    containers: usize,
    doorbells: usize,
}

/// State that a refused call may not change.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Snapshot {
    containers: Vec<ContainerView>,
    mappings: Vec<Vec<MappingView>>,
    doorbells: Vec<Vec<DoorbellView>>,
    vectors: Vec<usize>,
    messages: usize,
    locked: u64,
    open: Vec<Rid>,
    windows: Vec<Option<Span<Iova>>>,
}

/// An attached group.
struct Attached {
    fd: i32,
    devices: BTreeMap<Rid, i32>,
}

/// See the [module](self).
pub(crate) struct World {
    pub(crate) system: System,
    pid: Pid,
    /// The pages of doorbells, each with the interrupts that its messages raise.
    frames: Vec<(PhysAddr, core::ops::Range<u32>)>,
    /// The ITS of each device, where there are several.
    its: BTreeMap<Endpoint, usize>,
    /// Devices on no bus with drivers of the kernel.
    pub(crate) held: Vec<Endpoint>,
    /// Functions that VFIO serves, ascending, with their groups.
    functions: Vec<(Rid, u32)>,
    containers: [Option<i32>; 2],
    attached: BTreeMap<u32, Attached>,
    eventfds: BTreeMap<Rid, Vec<i32>>,
    /// Whether, as coded, a reference of another holder was dropped.
    pub(crate) overput: bool,
    /// Whether v14 removed a window, and with it the records of doorbells that stay mapped.
    pub(crate) undone: bool,
    /// Devices whose vectors were enabled while their domain translated messages.
    pub(crate) translated: BTreeSet<Rid>,
}

impl World {
    pub(crate) fn new(machine: &Machine, policy: Policy) -> Self {
        let mut setup = Setup::new(machine, Profile::default());
        setup.policy = policy;
        setup.params.allow_unsafe_interrupts = true;
        let mut system = System::new(machine, setup).expect("drawn machines boot");
        let start =
            Start { fds: vec![0, 1, 2], memlock: 1 << 30, capabilities: Capabilities::all() };
        let pid = system.kernel.spawn(&start);
        let len = ARENA_PAGES << PAGE_LG2;
        let (prot, kind) = (Protection::ReadWrite, MapKind::Anonymous);
        system.call(pid, Call::Mmap { va: ARENA, len, prot, kind }).ret.expect("there is room");
        system.kernel.touch(pid, ARENA, len, &mut system.board).expect("the arena is there");
        let driven = |rid| system.kernel.driver_of(rid) == Some("vfio-pci");
        let functions = machine.functions.iter().filter(|function| driven(function.rid));
        let functions = functions.filter_map(|it| Some((it.rid, it.group?))).collect();
        let frames = match &machine.gic {
            Gic::V2m(gic) => {
                let frames = gic.frames.iter().map(|frame| {
                    let first = frame.first.get();
                    (frame.base, first..first + frame.count)
                });
                frames.collect()
            }
            Gic::Its(gic) => {
                gic.its.iter().map(|its| (PhysAddr::new(its.get() + ITS_FRAME), LPIS)).collect()
            }
        };
        let boards = (0..).map(Endpoint::Platform).zip(&machine.platforms);
        let held = boards.filter(|(_, device)| device.messages > 0).map(|(it, _)| it).collect();
        let led = machine.functions.iter().filter_map(|it| Some((Endpoint::from(it.rid), it.its?)));
        let boards = (0..).map(Endpoint::Platform).zip(&machine.platforms);
        let its = led.chain(boards.map(|(device, it)| (device, it.its))).collect();
        let (containers, attached) = ([None, None], BTreeMap::new());
        let eventfds = BTreeMap::new();
        let (translated, undone) = (BTreeSet::new(), false);
        Self {
            system,
            pid,
            frames,
            its,
            held,
            functions,
            containers,
            attached,
            eventfds,
            undone,
            overput: false,
            translated,
        }
    }

    /// The page with the doorbell of a device's interrupt: for GICv2m frames by INTID, for ITSs by
    /// device.
    pub(crate) fn frame_of(&self, device: impl Into<Endpoint>, intid: u32) -> Option<PhysAddr> {
        let mut frames = self.frames.iter().filter(|(_, intids)| intids.contains(&intid));
        frames.nth(self.its.get(&device.into()).copied()?).map(|(base, _)| *base)
    }

    /// The ITS of a device.
    pub(crate) fn its_of(&self, device: Endpoint) -> usize {
        self.its.get(&device).copied().unwrap_or(0)
    }

    /// Open devices, with their groups.
    pub(crate) fn open(&self) -> Vec<(Rid, u32)> {
        let open = |(rid, group): &&(Rid, u32)| {
            self.attached.get(group).is_some_and(|it| it.devices.contains_key(rid))
        };
        self.functions.iter().filter(open).copied().collect()
    }

    fn device(&self, index: usize) -> Option<Rid> {
        let open = self.open();
        (!open.is_empty()).then(|| open[index % open.len()].0)
    }

    /// Pages that the process has mapped in its containers, counted per mapping.
    pub(crate) fn locked_pages(&self) -> u64 {
        self.system.kernel.locked_kib(self.pid) >> (PAGE_LG2 - 10)
    }

    pub(crate) fn usage(&self) -> Usage {
        let kernel = &self.system.kernel;
        Usage {
            frames: kernel.frames_in_use(),
            messages: kernel.messages_in_use(),
            locked: kernel.locked_kib(self.pid),
            containers: kernel.containers().len(),
            doorbells: self.functions.iter().map(|(rid, _)| kernel.doorbells_of(*rid).len()).sum(),
        }
    }

    fn snapshot(&self) -> Snapshot {
        let kernel = &self.system.kernel;
        let containers = kernel.containers();
        let domains = containers.iter().flat_map(|container| &container.domains);
        Snapshot {
            mappings: containers.iter().map(|it| kernel.mappings(it.number)).collect(),
            windows: domains.map(|it| kernel.iommu().msi_geometry(*it).aperture).collect(),
            doorbells: self.functions.iter().map(|(rid, _)| kernel.doorbells_of(*rid)).collect(),
            vectors: self.functions.iter().map(|(rid, _)| kernel.vectors(*rid).len()).collect(),
            messages: kernel.messages_in_use(),
            locked: kernel.locked_kib(self.pid),
            open: kernel.open_devices().collect(),
            containers,
        }
    }

    /// Makes a call, and checks that a refusal changed nothing.
    fn call(&mut self, call: Call) -> Result<Answer, String> {
        let before = self.snapshot();
        let answer = self.system.call(self.pid, call.clone());
        if let Err(refusal) = &answer.ret {
            let after = self.snapshot();
            let undoes = self.system.kernel.policy().aperture_rollback == ApertureRollback::Undo;
            if after != before && !leaves_traces(refusal, undoes, &before, &after) {
                return Err(format!("{refusal:?} of {call:?} changed {before:?} to {after:?}"));
            }
            self.undone |= undoes && after != before;
        }
        Ok(answer)
    }

    fn ioctl(&mut self, fd: i32, request: u32, arg: Arg) -> Result<Answer, String> {
        self.call(Call::Ioctl { fd, request, arg })
    }

    /// Performs one step. A step that is not possible now is skipped.
    pub(crate) fn take(&mut self, step: &Step) -> Result<(), String> {
        match *step {
            Step::Attach { group, container } => self.attach(group, container),
            Step::Detach { group } => match self.group(group) {
                Some(group) => self.detach(group),
                None => Ok(()),
            },
            Step::Close { container } => self.close_container(container),
            Step::Map { container, page, pages } => {
                let vaddr = ARENA.get() + ((page % (ARENA_PAGES - pages)) << PAGE_LG2);
                self.map(container, 3, vaddr, page, pages)
            }
            Step::Window { container, page, pages } => self.map(container, 4, 0, page, pages),
            Step::Unmap { container, page, pages } => {
                let Some(fd) = self.containers[container] else { return Ok(()) };
                let mut bytes = 24u32.to_le_bytes().to_vec();
                bytes.extend(0u32.to_le_bytes());
                for field in [page << PAGE_LG2, pages << PAGE_LG2] {
                    bytes.extend(field.to_le_bytes());
                }
                self.ioctl(fd, ioctl::IOMMU_UNMAP_DMA, Arg::Bytes(bytes)).map(|_| ())
            }
            Step::Enable { device, vectors } => self.enable(device, vectors),
            Step::EnableBoth { devices, vectors, turns } => {
                self.enable_both(devices, vectors, turns)
            }
            Step::Disable { device } => self.disable(device),
            Step::Raise { device, vector } => {
                if let Some(rid) = self.device(device) {
                    let _ = self.system.raise(rid, vector);
                }
                Ok(())
            }
        }
    }

    fn group(&self, index: usize) -> Option<u32> {
        let mut groups: Vec<u32> = self.functions.iter().map(|(_, group)| *group).collect();
        groups.dedup();
        (!groups.is_empty()).then(|| groups[index % groups.len()])
    }

    fn attach(&mut self, index: usize, container: usize) -> Result<(), String> {
        let Some(group) = self.group(index) else { return Ok(()) };
        if self.attached.contains_key(&group) {
            return Ok(());
        }
        let fd = match self.containers[container] {
            Some(fd) => fd,
            None => {
                let answer = self.call(Call::Open { path: "/dev/vfio/vfio".to_owned() })?;
                let fd = answer.ret.expect("containers can always be opened") as i32;
                self.containers[container] = Some(fd);
                fd
            }
        };
        let answer = self.call(Call::Open { path: format!("/dev/vfio/{group}") })?;
        let Ok(group_fd) = answer.ret else { return Ok(()) };
        let group_fd = group_fd as i32;
        self.attached.insert(group, Attached { fd: group_fd, devices: BTreeMap::new() });
        let arg = Arg::Bytes(fd.to_le_bytes().to_vec());
        if self.ioctl(group_fd, ioctl::GROUP_SET_CONTAINER, arg)?.ret.is_err() {
            return Ok(());
        }
        // EINVAL if the container has a type already.
        self.ioctl(fd, ioctl::SET_IOMMU, Arg::Value(3))?;
        let members = self.functions.iter().filter(|(_, number)| *number == group);
        for rid in members.map(|(rid, _)| *rid).collect::<Vec<_>>() {
            let name = format!("0000:{rid}\0").into_bytes();
            let answer = self.ioctl(group_fd, ioctl::GROUP_GET_DEVICE_FD, Arg::Bytes(name))?;
            if let (Ok(fd), Some(attached)) = (answer.ret, self.attached.get_mut(&group)) {
                attached.devices.insert(rid, fd as i32);
            }
        }
        Ok(())
    }

    fn detach(&mut self, group: u32) -> Result<(), String> {
        let Some(Attached { fd, devices }) = self.attached.remove(&group) else { return Ok(()) };
        for (rid, device) in devices {
            self.call(Call::Close { fd: device })?;
            for fd in self.eventfds.remove(&rid).unwrap_or_default() {
                self.call(Call::Close { fd })?;
            }
        }
        self.call(Call::Close { fd }).map(|_| ())
    }

    fn close_container(&mut self, container: usize) -> Result<(), String> {
        match self.containers[container].take() {
            Some(fd) => self.call(Call::Close { fd }).map(|_| ()),
            None => Ok(()),
        }
    }

    /// What a kernel allocates for a group when it is first claimed, and then keeps: 6.1's domain
    /// for blocking it, CD tables.
    pub(crate) fn attach_everything_once(&mut self) -> Result<(), String> {
        for group in 0..self.functions.len() {
            self.attach(group, 0)?;
        }
        // An ITS driver keeps the pages of its device table.
        for device in 0..self.open().len() {
            self.enable(device, 1)?;
            self.disable(device)?;
        }
        self.close_all()?;
        self.system.kernel.take_verdicts();
        Ok(())
    }

    /// Closes everything of the process.
    pub(crate) fn close_all(&mut self) -> Result<(), String> {
        for group in self.attached.keys().copied().collect::<Vec<_>>() {
            self.detach(group)?;
        }
        self.close_container(0)?;
        self.close_container(1)
    }

    fn map(
        &mut self,
        container: usize,
        flags: u32,
        vaddr: u64,
        page: u64,
        pages: u64,
    ) -> Result<(), String> {
        let Some(fd) = self.containers[container] else { return Ok(()) };
        let mut bytes = 32u32.to_le_bytes().to_vec();
        bytes.extend(flags.to_le_bytes());
        for field in [vaddr, page << PAGE_LG2, pages << PAGE_LG2] {
            bytes.extend(field.to_le_bytes());
        }
        self.ioctl(fd, ioctl::IOMMU_MAP_DMA, Arg::Bytes(bytes)).map(|_| ())
    }

    /// VFIO_PCI_MSIX_IRQ_INDEX or VFIO_PCI_MSI_IRQ_INDEX, whichever the function has.
    fn index(&self, rid: Rid) -> u32 {
        let function = self.system.topology().function(rid);
        if function.is_some_and(|function| function.msix.is_some()) { 2 } else { 1 }
    }

    /// SET_IRQS on an open device.
    fn set_irqs(&self, rid: Rid, flags: u32, fds: &[i32]) -> Option<Call> {
        let fd = self.attached.values().find_map(|it| it.devices.get(&rid).copied())?;
        let count = fds.len() as u32;
        let mut bytes = (20 + 4 * count).to_le_bytes().to_vec();
        for field in [flags, self.index(rid), 0, count] {
            bytes.extend(field.to_le_bytes());
        }
        for fd in fds {
            bytes.extend(fd.to_le_bytes());
        }
        Some(Call::Ioctl { fd, request: ioctl::DEVICE_SET_IRQS, arg: Arg::Bytes(bytes) })
    }

    /// The call that enables `vectors` vectors, with an eventfd for each.
    fn enabling(&mut self, rid: Rid, vectors: u32) -> Result<Option<Call>, String> {
        let mut fds = Vec::new();
        for _ in 0..vectors {
            let answer = self.call(Call::EventFd)?;
            fds.push(answer.ret.expect("eventfds can always be made") as i32);
        }
        // Vectors that are already enabled keep their composed messages.
        if self.system.kernel.vectors(rid).is_empty() {
            let translates = self.system.kernel.iommu().msi_domain_of(rid).is_some();
            match translates {
                true => self.translated.insert(rid),
                false => self.translated.remove(&rid),
            };
        }
        // DATA_EVENTFD | ACTION_TRIGGER
        let call = self.set_irqs(rid, 4 | 32, &fds);
        self.eventfds.entry(rid).or_default().extend(fds);
        Ok(call)
    }

    fn enable(&mut self, device: usize, vectors: u32) -> Result<(), String> {
        let Some(rid) = self.device(device) else { return Ok(()) };
        match self.enabling(rid, vectors)? {
            Some(call) => self.call(call).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Two devices enable their vectors at once: the bits of `turns` decide whose step is next.
    fn enable_both(
        &mut self,
        devices: [usize; 2],
        vectors: [u32; 2],
        turns: u32,
    ) -> Result<(), String> {
        let [Some(first), Some(second)] = devices.map(|at| self.device(at)) else { return Ok(()) };
        if first == second {
            return Ok(());
        }
        let calls = [self.enabling(first, vectors[0])?, self.enabling(second, vectors[1])?];
        let [Some(first), Some(second)] = calls else { return Ok(()) };
        let kernel = &mut self.system.kernel;
        let mut running = [kernel.begin(self.pid, first), kernel.begin(self.pid, second)];
        for turn in 0.. {
            let whose = (turns >> (turn % u32::BITS) & 1) as usize;
            let open = |at: usize| !running[at].is_finished();
            let Some(at) = [whose, 1 - whose].into_iter().find(|at| open(*at)) else { break };
            let kernel = &mut self.system.kernel;
            match kernel.step(&mut running[at], &mut self.system.board) {
                Progress::Waiting(_) => Host::relax(&mut self.system.board),
                Progress::Done(_) | Progress::Unlocked => {}
            }
        }
        let verdicts = self.system.kernel.take_verdicts();
        let overput = verdicts.iter().any(|it| it.rule.name == "doorbell-put-twice");
        if overput && self.system.kernel.policy().doorbell_unwind == DoorbellUnwind::AsIntended {
            return Err("a doorbell was put twice where unwinding is as intended".to_owned());
        }
        self.overput |= overput;
        Ok(())
    }

    fn disable(&mut self, device: usize) -> Result<(), String> {
        let Some(rid) = self.device(device) else { return Ok(()) };
        // DATA_NONE | ACTION_TRIGGER
        match self.set_irqs(rid, 1 | 32, &[]) {
            Some(call) => self.call(call).map(|_| ()),
            None => Ok(()),
        }
    }
}

/// Whether a refusal leaves the changes that its rule permits: windows of domains set before; where
/// those are removed, so is everything in them (v14: the cookies of all domains are freed).
fn leaves_traces(refusal: &Refusal, undoes: bool, before: &Snapshot, after: &Snapshot) -> bool {
    let mut may = Snapshot { windows: after.windows.clone(), ..before.clone() };
    if undoes {
        may.doorbells.clone_from(&after.doorbells);
    }
    NO_ROLLBACK.contains(&refusal.rule.name) && *after == may
}
