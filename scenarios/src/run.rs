//! Runs scenarios: performs each operation on a machine and says what happened.
//!
//! A scenario begins with `machine`. Everything after it acts on that machine, in the name of the
//! process that is current. What happened is text, one line or a few; comparing it with what the
//! file says, and blessing the file, is [`files`]'.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`files`], [`junit`] | which files are run, and how is it reported? |
//! | `boot` | which machine is built, and of which kernel? |
//! | `calls`, `attach`, `interrupts`, `memory`, `transfers` | what does a process ask? |
//! | `info`, `iommu_info` | what do containers, groups and devices say of themselves? |
//! | `device`, `translations`, `messages` | what does a device do? |
//! | `raw`, [`its`], `bare` | what is asked of hardware past the kernel, or without one? |
//! | `queues` | which commands do drivers send to ITSs? |
//! | `under_way` | which calls have stopped on their way? |
//! | `outcome`, `account`, `surroundings` | how is it told, and what did it stand among? |

mod account;
mod attach;
mod bare;
mod boot;
mod calls;
mod device;
pub mod files;
mod info;
mod interrupts;
mod iommu_info;
pub mod its;
pub mod junit;
mod memory;
mod messages;
mod outcome;
mod queues;
mod raw;
mod surroundings;
mod transfers;
mod translations;
mod under_way;

pub use account::{Account, Answered, CommandError, Shortage};
pub(crate) use info::{device as device_text, status as status_text};
pub(crate) use iommu_info::info_text;
pub(crate) use memory::AREA_ALIGN;
pub(crate) use queues::QueueHere;
pub use surroundings::{
    AbsentHere, AreaHere, AttachedHere, ContainerHere, FunctionHere, Surroundings,
};
use under_way::UnderWay;

use std::collections::{BTreeMap, BTreeSet};

use passim_model::{Iova, PhysAddr, Rid, Span, UserAddr};
use passim_vfio::Pid;
use passim_vfio::call::{Answer, Arg, Call};
use passim_vfio::policy::Profile;
use passim_vfio::process::{Capabilities, Start};

use self::bare::Bare;
use self::boot::{boot, machine_of, pace_of};
use self::its::GicWanted;
use crate::chosen::Chosen;
use crate::machine::Machine;
use crate::op::{ItsOp, Op};
use crate::script::Place;
use crate::system::{Setup, System};

/// RLIMIT_MEMLOCK of a process that sets none: the kernel's default, 8 MiB.
const DEFAULT_MEMLOCK: u64 = 8 << 20;

/// Why an operation could not be performed at all: the scenario is wrong, not the machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unperformable {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
    /// The key of the argument it is about, where it is about one.
    pub key: Option<String>,
}

impl Unperformable {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, key: None }
    }

    fn at_key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// What an operation brought about: lines of text, or no way to perform it.
pub type Outcome = Result<Vec<String>, Unperformable>;

/// A scenario under way.
#[derive(Default)]
pub struct Runner {
    chosen: Chosen,
    stage: Stage,
}

/// What a scenario acts on.
#[derive(Default)]
enum Stage {
    /// Nothing is built yet.
    #[default]
    Empty,
    /// A machine that Linux runs.
    Booted(Box<Running>),
    /// A machine that nothing boots.
    Bare(Box<Bare>),
}

/// A named area of one process.
struct NamedArea {
    process: u32,
    va: UserAddr,
    size: u64,
}

/// What `attach` opened for a device.
#[derive(Clone, Copy)]
struct Attached {
    process: u32,
    group: i32,
    device: i32,
}

/// A machine and what the scenario made on it.
struct Running {
    system: System,
    /// Processes by number less one; `None` for those that ended.
    processes: Vec<Option<Pid>>,
    current: u32,
    areas: BTreeMap<String, NamedArea>,
    attached: BTreeMap<Rid, Attached>,
    /// The container of operations that name none, by process.
    container: BTreeMap<u32, i32>,
    /// Eventfds of vectors, by process, device and vector.
    eventfds: BTreeMap<(u32, Rid, u32), i32>,
    /// Calls that stopped in the middle, by device.
    under_way: BTreeMap<Rid, UnderWay>,
    /// Pages the scenario wrote by their physical addresses.
    poked: BTreeSet<PhysAddr>,
    /// What the kernel said during the present operation.
    account: Account,
    /// Which kernel it is, where a scenario or its machine chose one.
    profile: Option<Profile>,
}

impl Runner {
    /// Nothing built yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Nothing built yet; every machine will have this profile and these choices, whatever the
    /// scenario says.
    pub fn with(chosen: Chosen) -> Self {
        Self { chosen, stage: Stage::Empty }
    }

    /// On a machine that something else drove so far: operations are done by this process, which is
    /// process 1, and may name the descriptors it has.
    pub(crate) fn adopt(system: System, pid: Pid) -> Self {
        let mut running = Running::of(system);
        running.add(pid);
        running.current = 1;
        running.adopt_files(pid);
        Self { chosen: Chosen::default(), stage: Stage::Booted(Box::new(running)) }
    }

    /// Performs one operation.
    ///
    /// # Errors
    /// [`Unperformable`]: it names what does not exist, or there is no machine.
    pub fn perform(&mut self, op: &Op) -> Outcome {
        // A machine that does not come up leaves none, least of all the one before.
        if matches!(op, Op::Machine { .. } | Op::Bare { .. }) {
            self.stage = Stage::Empty;
        }
        match op {
            Op::Machine { .. } => {
                let mut running = Box::new(boot(op, &self.chosen)?);
                let said = running.brought_about();
                self.stage = Stage::Booted(running);
                return Ok(["ok".to_owned()].into_iter().chain(said).collect());
            }
            Op::Bare { name, smmu, choices, pace, gic, seed, built } => {
                let machine = machine_of(name)?;
                let machine = bare::with_smmus(machine, smmu.as_ref(), choices.as_ref())?;
                let gic = GicWanted { preset: gic.as_ref(), seed: *seed, built: built.as_ref() };
                let machine = self.chosen.machine(machine, gic)?;
                let bare = Bare::new(&machine, pace_of(*pace), self.chosen.lost)?;
                self.stage = Stage::Bare(Box::new(bare));
                return Ok(vec!["ok".to_owned()]);
            }
            _ => {}
        }
        match &mut self.stage {
            Stage::Empty => Err(Unperformable::new("there is no machine yet")
                .hint("a scenario begins with `machine NAME` or `bare NAME`")),
            Stage::Bare(bare) => bare.perform(op),
            Stage::Booted(running) => {
                running.account = Account::default();
                let mut lines = running.perform(op)?;
                lines.extend(running.brought_about());
                Ok(lines)
            }
        }
    }

    /// The machine that Linux runs, if there is one.
    fn running(&self) -> Option<&Running> {
        match &self.stage {
            Stage::Booted(running) => Some(running),
            Stage::Empty | Stage::Bare(_) => None,
        }
    }
}

impl Running {
    fn new(machine: &Machine, setup: Setup) -> Result<Self, Unperformable> {
        let system =
            System::new(machine, setup).map_err(|error| Unperformable::new(error.to_string()))?;
        let mut running = Self::of(system);
        running.spawn(DEFAULT_MEMLOCK);
        Ok(running)
    }

    fn of(system: System) -> Self {
        Self {
            system,
            processes: Vec::new(),
            current: 0,
            areas: BTreeMap::new(),
            attached: BTreeMap::new(),
            container: BTreeMap::new(),
            eventfds: BTreeMap::new(),
            under_way: BTreeMap::new(),
            poked: BTreeSet::new(),
            account: Account::default(),
            profile: None,
        }
    }

    fn perform(&mut self, op: &Op) -> Outcome {
        // What was sent before is not what this operation brings about.
        self.system.board.take_deliveries();
        match op {
            Op::Machine { .. } | Op::Bare { .. } => unreachable!("performed by the runner"),
            Op::Process { memlock } => {
                self.spawn(memlock.map_or(DEFAULT_MEMLOCK, |limit| limit.0));
                Ok(vec![format!("process {}", self.current)])
            }
            Op::In { process } => {
                if self.pid_of(*process).is_none() {
                    return Err(Unperformable::new(format!("there is no process {process}")));
                }
                self.current = *process;
                Ok(Vec::new())
            }
            Op::Fork {} => self.fork(),
            Op::Exit {} => {
                let lines = self.plain(Call::Exit)?;
                self.processes[self.current as usize - 1] = None;
                Ok(lines)
            }
            Op::Area { .. }
            | Op::Munmap { .. }
            | Op::Mprotect { .. }
            | Op::Touch { .. }
            | Op::Fill { .. }
            | Op::Peek { .. }
            | Op::Mlock { .. }
            | Op::Munlock { .. }
            | Op::Locked {}
            | Op::SetRlimit { .. }
            | Op::DropCap {} => self.memory(op),
            Op::Attach { .. } | Op::Detach { .. } | Op::TryDomain { .. } => self.attachment(op),
            Op::Info { .. }
            | Op::Doorbells { .. }
            | Op::Status { .. }
            | Op::DeviceInfo { .. }
            | Op::Dirty { .. } => self.information(op),
            Op::Enable { .. }
            | Op::GoOn { .. }
            | Op::Disable { .. }
            | Op::SetIrqs { .. }
            | Op::Eventfd { .. }
            | Op::NewEventfd {}
            | Op::Signal { .. }
            | Op::Affinity { .. }
            | Op::Interrupts {} => self.interrupts(op),
            Op::Read { .. } | Op::Write { .. } => self.device(op),
            Op::Transfer(op) => self.transfers(op),
            Op::Translation(op) => self.translations(op),
            Op::Raise { .. }
            | Op::Wire { .. }
            | Op::Msi { .. }
            | Op::Msix { .. }
            | Op::Pending {} => self.messages(op),
            Op::Findings {} => Ok(self.findings()),
            Op::Hardware(op) => self.raw(op),
            Op::Its(ItsOp::ItsMappings { its }) => its::mappings(&self.system.board, *its),
            Op::Its(ItsOp::ItsQueue { its, last }) => {
                its::queue(&mut self.system.board, &self.system.its, *its, *last)
            }
            Op::Its(ItsOp::IccLoad { register, cpu }) => {
                bare::interface_of_kernel(&mut self.system.board, &register.0, *cpu)
            }
            Op::Smmu(_) | Op::Its(_) => Err(its::driven()),
            _ => self.calls(op),
        }
    }

    fn spawn(&mut self, memlock: u64) {
        let start = Start { fds: vec![0, 1, 2], memlock, capabilities: Capabilities::all() };
        let pid = self.system.kernel.spawn(&start);
        self.add(pid);
        self.current = self.processes.len() as u32;
    }

    fn fork(&mut self) -> Outcome {
        let pid = self.pid()?;
        let child = self.system.kernel.fork(pid, &mut self.system.board);
        let child = child.ok_or_else(|| Unperformable::new("no memory for a copy"))?;
        self.add(child);
        let number = self.processes.len() as u32;
        // The child has the same areas, under the same names.
        let container = self.container.get(&self.current).copied();
        self.container.extend(container.map(|container| (number, container)));
        Ok(vec![format!("process {number}")])
    }

    fn add(&mut self, pid: Pid) {
        self.processes.push(Some(pid));
    }

    fn pid_of(&self, process: u32) -> Option<Pid> {
        let index = usize::try_from(process.checked_sub(1)?).ok()?;
        self.processes.get(index).copied().flatten()
    }

    /// The current process.
    fn pid(&self) -> Result<Pid, Unperformable> {
        self.pid_of(self.current).ok_or_else(|| {
            Unperformable::new(format!("process {} has ended", self.current))
                .hint("`process` starts another, `in` goes to one that runs")
        })
    }

    /// Makes a call as the current process.
    fn call(&mut self, call: Call) -> Result<Answer, Unperformable> {
        let pid = self.pid()?;
        let answer = self.system.call(pid, call);
        self.account.refused.extend(answer.ret.as_ref().err());
        Ok(answer)
    }

    fn ioctl(&mut self, fd: i32, request: u32, arg: Arg) -> Result<Answer, Unperformable> {
        self.call(Call::Ioctl { fd, request, arg })
    }

    /// Makes a call whose success says nothing more.
    fn plain(&mut self, call: Call) -> Outcome {
        Ok(vec![outcome::plain(&self.call(call)?)])
    }

    /// A descriptor as the scenario gives it.
    fn fd(number: i64) -> Result<i32, Unperformable> {
        i32::try_from(number)
            .map_err(|_| Unperformable::new(format!("{number} is no file descriptor")))
    }

    /// The container an operation names, or the one attached last.
    fn container_fd(&self, fd: Option<crate::script::Signed>) -> Result<i32, Unperformable> {
        match fd {
            Some(fd) => Self::fd(fd.0),
            None => self.container.get(&self.current).copied().ok_or_else(|| {
                Unperformable::new("this process has no container")
                    .hint("`attach dev=...` makes one, or name one with `fd=`")
            }),
        }
    }

    /// A user address as the scenario gives it.
    fn address(&self, place: &Place) -> Result<UserAddr, Unperformable> {
        match place {
            Place::Absolute(address) => Ok(UserAddr::new(*address)),
            Place::Area { name, offset } => {
                let area = self.areas.get(name).ok_or_else(|| {
                    let names: Vec<_> = self.areas.keys().map(String::as_str).collect();
                    let hint = if names.is_empty() {
                        format!("make it first: area {name} size=4K")
                    } else {
                        format!("areas: {}", names.join(", "))
                    };
                    Unperformable::new(format!("there is no area `{name}`")).hint(hint)
                })?;
                Ok(UserAddr::new(area.va.get().wrapping_add(*offset)))
            }
        }
    }

    /// `A+0x8` for an address in a page of a named area; another is shown if the scenario chose it.
    fn name_of(&self, pa: PhysAddr, iova: Iova) -> String {
        let lg2 = self.system.page().lg2();
        let frame = pa.align_down(lg2);
        for (name, area) in &self.areas {
            let Some(pid) = self.pid_of(area.process) else { continue };
            let span = Span::from_size(area.va, area.size);
            if let Some(va) = span.and_then(|span| self.system.kernel.page_in(pid, span, frame)) {
                let offset = va.get() - area.va.get() + pa.offset_in(lg2);
                return Place::Area { name: name.clone(), offset }.to_string();
            }
        }
        if pa.get() == iova.get() || self.poked.contains(&pa.align_down(lg2)) {
            return pa.to_string();
        }
        "a page of no area".to_owned()
    }
}

#[cfg(test)]
mod tests;
