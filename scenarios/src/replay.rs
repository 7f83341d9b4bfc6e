//! Replays a recording of a real kernel: performs its lines, and compares every answer.
//!
//! It uses only the data of the lines, in their order. A first pass over the file determines the
//! physical addresses of pages (`placement`), which a recording contains only afterwards; the
//! second performs the lines. Earlier recordings of the same boot are read for the state that they
//! left (`earlier`). Replay reads no `note` and treats no file specially.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `coherence`, `select` | is the recording consistent, and on which machine is it replayed? |
//! | `placement`, `earlier` | where were pages, and what state did the boot leave? |
//! | `perform`, `requests`, `compare` | what does a line call, and is the answer the same? |
//! | `interrupts` | what does a recording contain about messages? |
//! | `walk`, `tables`, `expected` | what do devices reach, according to dumps and the oracle? |
//! | `commands`, `controller` | did SMMU and ITS receive the same commands? |
//! | `nearest` | what would the model have accepted? |
//! | `listen`, `words` | what does the model answer, whatever was recorded? |
//! | `report` | how are the results reported? |

mod coherence;
mod commands;
mod compare;
mod controller;
mod earlier;
mod expected;
mod interrupts;
mod listen;
mod nearest;
mod perform;
mod placement;
mod report;
mod requests;
mod select;
mod tables;
mod walk;
mod words;

pub use listen::{Heard, listen};
pub(crate) use nearest::nearest_in;
pub use report::{Difference, FileReport, NotCompared, RuleNote, Verdict};
pub use select::{Choices, Selected, machine_named, select};

use std::collections::{BTreeMap, VecDeque};

use passim_model::{Refusal, UserAddr};
use passim_vfio::Pid;
use passim_vfio::call::Call;
use passim_vfio::kernel::Params;

use crate::input_error::{InputError, InputKind};
use crate::machine::{Machine, ReservedKind};
use crate::recording::step::{ProcessNumber, Start};
use crate::recording::{Found, Record, Recording, Topology};
use crate::system::{Setup, System};
use coherence::Coherence;
use commands::Producers;
use earlier::Earlier;
use expected::Expected;
use interrupts::MappedBar;
use perform::Taken;
use placement::{LookAhead, Moved, Placed, Placements};

/// The process that a recording starts with, and ends with the `exit` of.
const FIRST_PROCESS: ProcessNumber = 0;

/// A random trace is walked after every so many operations, and at its end.
const WALK_EVERY: u64 = 1000;

/// The progress of a replay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Lines taken so far.
    pub line: u64,
    /// Lines of the file.
    pub lines: u64,
}

/// Replays one recording. `observe` receives the progress from time to time.
///
/// # Errors
/// A recording, topology, dump, machine or choice that cannot be used. A model's answer that
/// differs from the kernel's is no error: it is in the report.
pub fn replay(
    found: &Found,
    choices: &Choices,
    mut observe: impl FnMut(Progress),
) -> Result<FileReport, InputError> {
    let selected = select(found, choices)?;
    let placements = look_ahead(found, &selected.machine)?;
    let lines = placements.lines;
    let mut replayer = Replayer::new(found, selected, placements)?;
    for record in Recording::open(&found.recording)? {
        let record = record?;
        let is_over = replayer.take(&record)?;
        if record.line.is_multiple_of(WALK_EVERY) {
            observe(Progress { line: record.line, lines });
        }
        if is_over {
            break;
        }
    }
    let mut report = replayer.finish();
    nearest::explain(found, choices, &mut report)?;
    if report.compared + report.inputs == 0 && report.not_compared.is_empty() {
        let message = "nothing in this file is a step or an answer of a recording";
        return Err(InputError::in_file(InputKind::Recording, &found.recording, message));
    }
    Ok(report)
}

fn look_ahead(found: &Found, machine: &Machine) -> Result<Placements, InputError> {
    let mut pass = LookAhead::new(machine.page_size);
    for record in Recording::open(&found.recording)? {
        let Record { line, content } = record?;
        pass.line(line, &content);
    }
    Ok(pass.finish())
}

/// A recording during replay.
struct Replayer<'a> {
    found: &'a Found,
    machine: Machine,
    system: System,
    placements: Placements,
    /// The oracle's state for a random trace.
    expected: Option<Expected>,
    processes: BTreeMap<ProcessNumber, Pid>,
    current: Option<ProcessNumber>,
    /// Paths of open files, by process and descriptor.
    files: BTreeMap<(ProcessNumber, i32), String>,
    arena: Option<UserAddr>,
    /// BARs that the current recording's processes have mapped through sysfs.
    registers: Vec<MappedBar>,
    /// The lines of an open `/proc/interrupts` that have not been compared yet.
    interrupts: VecDeque<String>,
    /// Pages that move as soon as nothing pins them.
    moving: Vec<Moved>,
    coherence: Coherence,
    /// The producer pointers of the command queues at the last dump, by SMMU.
    producers: BTreeMap<usize, Producers>,
    /// State from earlier recordings of the same boot.
    earlier: Earlier,
    /// Number of operations of the random trace so far.
    random: u64,
    /// The model's answers to the present line, if they are collected.
    heard: Option<Vec<Heard>>,
    /// The last refused call, while answers are collected.
    refused: Option<(Pid, Call, Refusal)>,
    report: FileReport,
}

impl<'a> Replayer<'a> {
    fn new(
        found: &'a Found,
        selected: Selected,
        placements: Placements,
    ) -> Result<Self, InputError> {
        let Selected { machine, profile, stands_for, policy, modules } = selected;
        let mut setup = Setup::new(&machine, profile);
        setup.policy = policy;
        setup.modules = modules;
        setup.set_aside = placements.set_aside(&machine.ram);
        if let Some(start) = &placements.start {
            setup.params = params(start, setup.params);
        }
        let mut system = System::new(&machine, setup).map_err(|error| {
            InputError::in_file(InputKind::Machine, &found.topology, error.to_string())
        })?;
        let earlier = earlier::earlier(found, &Topology::read(&found.topology)?);
        earlier.perform(&mut system);
        let file = found.recording.display().to_string();
        let mut report = FileReport::new(file, machine.name.clone(), profile.to_string());
        report.stands_for = stands_for.map(|kernel| kernel.to_string());
        report.must_walk = placements.is_random;
        report.notes.clone_from(&earlier.notes);
        // Without the addresses of its pages, the frames that devices must reach are unknown.
        let is_walkable = placements.is_random && !placements.arena.is_empty();
        let expected = is_walkable.then(|| {
            let frames = placements.arena.clone();
            Expected::new(machine.page_size, valid_iovas(&machine), frames)
        });
        Ok(Self {
            found,
            machine,
            system,
            placements,
            expected,
            processes: BTreeMap::new(),
            current: None,
            files: BTreeMap::new(),
            arena: None,
            registers: Vec::new(),
            interrupts: VecDeque::new(),
            moving: Vec::new(),
            coherence: Coherence::default(),
            producers: BTreeMap::new(),
            earlier,
            random: 0,
            heard: None,
            refused: None,
            report,
        })
    }

    /// Takes a line; `true` if no later line can be replayed.
    fn take(&mut self, record: &Record) -> Result<bool, InputError> {
        self.report.lines += 1;
        self.move_pages();
        let flaw = self.coherence.flaw(record.line, &record.content);
        match self.line(record.line, &record.content) {
            Taken::Input => self.report.inputs += 1,
            Taken::Compared(Some(difference)) => {
                let hint = flaw.and_then(|flaw| flaw.hint).or(difference.hint.clone());
                self.report.compared(Some(Difference { hint, ..difference }));
            }
            Taken::Compared(None) => self.report.compared(flaw),
            Taken::Skipped(kind, reason) => self.report.skipped(kind, reason),
            Taken::Repeats(kind) => {
                *self.report.repeats.entry(kind.to_owned()).or_default() += 1;
            }
            Taken::Unknown(kind) => *self.report.unknown.entry(kind).or_default() += 1,
            Taken::Unreadable(error) => return Err(error),
            Taken::Broken(difference) => {
                self.report.compared(Some(difference));
                return Ok(true);
            }
        }
        if self.placements.is_walked_after(record.line)
            || (self.is_random(record) && self.random.is_multiple_of(WALK_EVERY))
        {
            self.walk_window(record.line);
        }
        self.moving.extend_from_slice(self.placements.moves(record.line));
        Ok(false)
    }

    fn is_random(&self, record: &Record) -> bool {
        use crate::recording::Line;
        matches!(record.content, Line::RandomMap(_) | Line::RandomUnmap(_))
    }

    /// The report, after the last line.
    fn finish(mut self) -> FileReport {
        if self.processes.contains_key(&FIRST_PROCESS) && self.report.differences.is_empty() {
            let place = compare::Place {
                line: self.report.lines + 1,
                call: "the end of the recording".to_owned(),
            };
            let mut difference = place.differs("process 0 ended before", "process 0 still runs");
            difference.hint = Some("the recording is cut short, or an `exit` is missing".into());
            self.report.compared(Some(difference));
        }
        self.report.misplaced = self.system.kernel.take_misplaced().len() as u64;
        self.report
    }

    fn pid(&self) -> Option<Pid> {
        self.processes.get(&self.current?).copied()
    }

    /// Records the path of a descriptor of the current process.
    fn name_file(&mut self, fd: i32, path: String) {
        if let Some(current) = self.current {
            self.files.insert((current, fd), path);
        }
    }

    fn forget_file(&mut self, fd: i32) {
        if let Some(current) = self.current {
            self.files.remove(&(current, fd));
        }
    }

    fn file_name(&self, fd: i32) -> Option<&str> {
        self.files.get(&(self.current?, fd)).map(String::as_str)
    }

    /// Whether the current process has the file open.
    fn has_open(&self, path: &str) -> bool {
        let Some(current) = self.current else { return false };
        let mut own = self.files.range((current, i32::MIN)..=(current, i32::MAX));
        own.any(|(_, open)| open == path)
    }

    /// Copies the parent's files to a child.
    fn copy_files(&mut self, child: ProcessNumber) {
        let Some(current) = self.current else { return };
        let own = self.files.range((current, i32::MIN)..=(current, i32::MAX));
        let copies: Vec<_> = own.map(|((_, fd), path)| ((child, *fd), path.clone())).collect();
        self.files.extend(copies);
    }

    fn each_expected(&mut self, tell: impl FnOnce(&mut Expected)) {
        if let Some(expected) = &mut self.expected {
            tell(expected);
        }
    }

    /// Plans the physical addresses of the pages of the area mapped at `line`, run by run.
    fn plan(&mut self, pid: Pid, line: u64) {
        let page = self.system.page().bytes();
        let kernel = &mut self.system.kernel;
        let follows = |a: &Placed, b: &Placed| {
            a.va.checked_add(page) == Some(b.va) && a.at.checked_add(page) == Some(b.at)
        };
        for run in self.placements.plans(line).chunk_by(follows) {
            kernel.plan_pages(pid, run[0].va, run[0].at, run.len() as u64);
        }
    }

    /// Moves pages that were later seen at another address, unless they are pinned.
    fn move_pages(&mut self) {
        let Self { moving, processes, system, .. } = self;
        moving.retain(|Moved { process, to }| {
            let Some(pid) = processes.get(process) else { return false };
            let now = system.kernel.frame_of(*pid, to.va);
            if now.is_none() || now == Some(to.at) {
                return false;
            }
            system.kernel.migrate_page(*pid, to.va, to.at, &mut system.board).is_err()
        });
    }
}

/// The parameters at the start, as far as the recording contains them.
fn params(start: &Start, otherwise: Params) -> Params {
    let said = &start.params;
    Params {
        allow_unsafe_interrupts: said
            .allow_unsafe_interrupts
            .unwrap_or(otherwise.allow_unsafe_interrupts),
        disable_hugepages: said.disable_hugepages.unwrap_or(otherwise.disable_hugepages),
        dma_entry_limit: said.dma_entry_limit.unwrap_or(otherwise.dma_entry_limit),
    }
}

/// Valid IOVAs of a mapping: the SMMU's input range, without the reserved regions of the groups.
fn valid_iovas(machine: &Machine) -> Vec<(u64, u64)> {
    let mut valid = vec![(0, input_last(machine))];
    let reserved = machine.functions.iter().flat_map(|function| &function.reserved);
    for region in reserved.filter(|region| region.kind != ReservedKind::DirectRelaxable) {
        let (first, last) = (region.span.start().get(), region.span.last().get());
        let mut rest = Vec::with_capacity(valid.len() + 1);
        for (low, high) in valid {
            if first > high || last < low {
                rest.push((low, high));
                continue;
            }
            rest.extend(first.checked_sub(1).filter(|end| *end >= low).map(|end| (low, end)));
            rest.extend(last.checked_add(1).filter(|start| *start <= high).map(|s| (s, high)));
        }
        valid = rest;
    }
    valid
}

/// The last IOVA that tables can translate. Measured on 6.1 and 6.12: 48 bits with stage 1, 44
/// without.
fn input_last(machine: &Machine) -> u64 {
    /// SMMU_IDR0.S1P, IHI 0070 G.b 6.3.1.
    const STAGE1: u32 = 1 << 1;
    let has_stage1 = machine.iommu.smmus().iter().all(|smmu| smmu.ids.idr[0] & STAGE1 != 0);
    if has_stage1 { (1 << 48) - 1 } else { (1 << 44) - 1 }
}

#[cfg(test)]
#[path = "replay/tests.rs"]
mod tests;
