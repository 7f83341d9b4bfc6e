//! Performs one line after the other, and compares the answers.

use passim_model::{UserAddr, Width};
use passim_vfio::Pid;
use passim_vfio::call::{Answer, Call, MapKind, Protection};
use passim_vfio::process::{Capabilities, Start as ProcessStart};

use super::Replayer;
use super::compare::{Place, Recorded, negative_errno, recorded};
use super::report::Difference;
use super::requests::{describe_ioctl, describe_map, describe_unmap};
use crate::input_error::{InputError, nearest};
use crate::recording::line::{Answer as RecordedAnswer, Line, StatusCounter};
use crate::recording::step::{
    self as recording, AreaKind, Close, DumpKind, Fill, FillPattern, Lock, Mmap, Mmio, Open, Peek,
    Prot, Start, Step, Transfer,
};

/// The result of a line.
pub(super) enum Taken {
    /// It contains only an input.
    Input,
    /// Its answer was compared.
    Compared(Option<Difference>),
    /// Its answer is not compared: kind and reason.
    Skipped(&'static str, &'static str),
    /// It repeats other lines.
    Repeats(&'static str),
    /// Its kind is unknown.
    Unknown(String),
    /// No later line can be taken: the recording is inconsistent.
    Broken(Difference),
    /// A file that the line names cannot be used.
    Unreadable(InputError),
}

const REGISTERS: &str = "needs the device's registers";

/// The backing of a mapping, in words.
fn backing(kind: AreaKind) -> String {
    match kind {
        AreaKind::Anon | AreaKind::AnonUntouched => "memory of no file".to_owned(),
        AreaKind::AnonThp => "memory of no file, in huge pages".to_owned(),
        AreaKind::Hugetlb(size) => format!("hugetlbfs, pages of {size}"),
        AreaKind::File => "a file".to_owned(),
        AreaKind::Bar => "registers of a device".to_owned(),
    }
}

/// The difference for a step or operation that the model does not support: later differences may
/// follow from it.
fn of_no_known_kind(place: &Place) -> Difference {
    let mut difference = place.differs("answered it", "knows nothing of this name");
    let name = place.call.strip_prefix("op ");
    let meant = name.and_then(|name| nearest(name, &["map", "unmap"]));
    difference.hint = Some(match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "what comes after it may differ because it was not done".to_owned(),
    });
    difference.parts = true;
    difference
}

impl Replayer<'_> {
    /// Takes one line.
    pub(super) fn line(&mut self, number: u64, line: &Line) -> Taken {
        let place = |call: String| Place { line: number, call };
        match line {
            Line::Step(step) => self.step(number, step),
            Line::Ioctl(line) => self.ioctl(&place(describe_ioctl(line)), line),
            Line::Map(line) => self.map(&place(describe_map(line)), line),
            Line::Unmap(line) => self.unmap(&place(describe_unmap(line)), line),
            Line::RandomMap(line) => self.random_map(number, line),
            Line::RandomUnmap(line) => self.random_unmap(number, line),
            Line::ArenaPfn(_) => Taken::Input,
            Line::Buf(buf) => {
                if buf.name == "ARENA" {
                    self.arena = buf.va;
                    self.each_expected(|expected| expected.arena(buf.va));
                }
                Taken::Repeats("buf")
            }
            Line::Answer(answer) => self.answer(number, answer),
            Line::Summary(kind) => Taken::Repeats(kind),
            // The kernel did something that the model does not support: later differences may
            // follow from it.
            Line::Unknown(kind) if kind.starts_with("step ") || kind.starts_with("op ") => {
                Taken::Compared(Some(of_no_known_kind(&place(kind.clone()))))
            }
            Line::Unknown(kind) => Taken::Unknown(kind.clone()),
        }
    }

    fn step(&mut self, number: u64, step: &Step) -> Taken {
        self.each_expected(|expected| expected.step(step));
        match step {
            Step::Start(start) => self.start(start),
            Step::In { proc } => {
                if !self.processes.contains_key(proc) {
                    let place = Place { line: number, call: format!("in process {proc}") };
                    return Taken::Broken(place.differs("ran", "no such process"));
                }
                self.current = Some(*proc);
                Taken::Input
            }
            Step::Exit { proc } => {
                let Some(pid) = self.processes.remove(proc) else {
                    let place = Place { line: number, call: format!("exit of process {proc}") };
                    return Taken::Broken(place.differs("ended", "no such process"));
                };
                self.call(pid, Call::Exit);
                Taken::Input
            }
            _ => match self.pid() {
                Some(pid) => self.step_of(pid, number, step),
                None => {
                    let place = Place { line: number, call: "a step".to_owned() };
                    Taken::Broken(place.differs("did it", "no process runs"))
                }
            },
        }
    }

    fn start(&mut self, start: &Start) -> Taken {
        let pid = self.system.kernel.spawn(&ProcessStart {
            fds: start.fds.clone(),
            memlock: start.memlock,
            capabilities: match start.caps {
                recording::Capabilities::All => Capabilities::all(),
            },
        });
        self.processes.insert(start.proc, pid);
        self.current = Some(start.proc);
        Taken::Input
    }

    /// A step of the current process.
    fn step_of(&mut self, pid: Pid, number: u64, step: &Step) -> Taken {
        let place = |call: String| Place { line: number, call };
        match step {
            Step::Start(_) | Step::In { .. } | Step::Exit { .. } => {
                unreachable!("taken before a process is looked for")
            }
            Step::Fork { child } => {
                let Some(copy) = self.system.kernel.fork(pid, &mut self.system.board) else {
                    let place = place(format!("fork of process {child}"));
                    return Taken::Broken(place.differs("forked", "could not copy the process"));
                };
                self.processes.insert(*child, copy);
                self.copy_files(*child);
                self.plan(copy, number);
                Taken::Input
            }
            Step::SetRlimit { memlock } => self.input(pid, Call::SetMemlock { bytes: *memlock }),
            Step::DropCap(_) => self.input(pid, Call::DropIpcLock),
            Step::Open(open) => self.open(pid, &place(format!("open {}", open.path)), open),
            Step::Close(close) => self.close(pid, &place(format!("close {}", close.fd)), close),
            Step::Eventfd { fd } => {
                let ret = recorded(i64::from(*fd), 0);
                self.compare(pid, &place("eventfd".to_owned()), Call::EventFd, ret)
            }
            Step::EventfdRead { fd, value } => {
                let ret = recorded(value.cast_signed(), 0);
                let place = place(format!("read of eventfd {fd}"));
                self.compare(pid, &place, Call::ReadEventFd { fd: *fd }, ret)
            }
            Step::Ftruncate { fd, len } => self.input(pid, Call::Truncate { fd: *fd, len: *len }),
            Step::Pread(transfer) => self.pread(pid, number, transfer),
            Step::Pwrite(transfer) => {
                let place = place(format!("pwrite of {} at {:#x}", transfer.fd, transfer.offset));
                let (fd, offset) = (transfer.fd, transfer.offset);
                let call = Call::Pwrite { fd, offset, bytes: transfer.bytes.clone() };
                self.compare(pid, &place, call, recorded(transfer.ret, transfer.errno))
            }
            Step::Module { name, ret, .. } => {
                if *ret == 0 {
                    self.system.kernel.load_module(name);
                }
                Taken::Input
            }
            Step::Dump(dump) => match dump.what {
                DumpKind::Smmu => self.dump(number, dump),
                DumpKind::Its => self.controller_dump(number, dump),
            },
            Step::Write(_) | Step::Read { .. } | Step::Readlink { .. } => {
                self.sysfs_step(pid, number, step)
            }
            Step::Mmio(_) | Step::MmioRead(_) => self.register_step(number, step),
            _ => self.memory_step(pid, number, step),
        }
    }

    /// A step that reads or writes sysfs.
    fn sysfs_step(&mut self, pid: Pid, number: u64, step: &Step) -> Taken {
        let place = |call: String| Place { line: number, call };
        match step {
            Step::Write(write) => {
                let place = place(format!("write {:?} to {}", write.value, write.path));
                let (path, value) = (write.path.clone(), write.value.clone());
                let call = Call::WriteAttribute { path, value };
                self.compare(pid, &place, call, negative_errno(write.ret))
            }
            Step::Read { path, value } => self.read_text(
                pid,
                &place(format!("read {path}")),
                Call::ReadAttribute { path: path.clone() },
                (value, 0),
            ),
            Step::Readlink { path, value, errno } => self.read_text(
                pid,
                &place(format!("readlink {path}")),
                Call::Readlink { path: path.clone() },
                (value, *errno),
            ),
            _ => unreachable!("only sysfs comes here"),
        }
    }

    /// A step that loads or stores a device's register.
    fn register_step(&mut self, number: u64, step: &Step) -> Taken {
        let place = |call: String| Place { line: number, call };
        match step {
            Step::Mmio(Mmio { dev, bar, off, size, value }) => {
                match self.system.store_device(*dev, *bar, *off, width(*size), *value) {
                    Some(()) => Taken::Input,
                    None => Taken::Skipped("mmio", REGISTERS),
                }
            }
            Step::MmioRead(Mmio { dev, bar, off, size, value }) => {
                let place = place(format!("register {off:#x} of {dev}"));
                match self.system.load_device(*dev, *bar, *off, width(*size)) {
                    Some(model) => Taken::Compared(place.number("value", *value, model)),
                    None => Taken::Skipped("mmio_read", REGISTERS),
                }
            }
            _ => unreachable!("only registers come here"),
        }
    }

    /// A step that concerns memory of a process.
    fn memory_step(&mut self, pid: Pid, number: u64, step: &Step) -> Taken {
        let place = |call: String| Place { line: number, call };
        match step {
            Step::Mmap(mmap) => self.mmap(pid, number, mmap),
            Step::Munmap(area) => {
                self.forget_registers(area.va);
                self.input(pid, Call::Munmap { va: area.va, len: area.len })
            }
            Step::Mprotect(change) => {
                let prot = protection(change.prot);
                self.input(pid, Call::Mprotect { va: change.va, len: change.len, prot })
            }
            Step::Touch(area) => {
                let board = &mut self.system.board;
                match self.system.kernel.touch(pid, area.va, area.len, board) {
                    Ok(()) => Taken::Input,
                    Err(refusal) => {
                        let place = place(format!("touch {} len {:#x}", area.va, area.len));
                        Taken::Compared(Some(place.refused("wrote every page", &refusal)))
                    }
                }
            }
            Step::Fill(fill) => self.fill(pid, number, fill),
            Step::Peek(peek) => self.peek(pid, number, peek),
            Step::Mlock(lock) => {
                let Lock { va, len, .. } = *lock;
                let place = place(format!("mlock {va} len {len:#x}"));
                let ret = recorded(i64::from(lock.ret), lock.errno);
                self.compare(pid, &place, Call::Mlock { va, len }, ret)
            }
            Step::Munlock(lock) => {
                let Lock { va, len, .. } = *lock;
                let place = place(format!("munlock {va} len {len:#x}"));
                let ret = recorded(i64::from(lock.ret), lock.errno);
                self.compare(pid, &place, Call::Munlock { va, len }, ret)
            }
            _ => Taken::Input,
        }
    }

    fn open(&mut self, pid: Pid, place: &Place, open: &Open) -> Taken {
        if open.fd >= 0 {
            self.name_file(open.fd, open.path.clone());
            self.list_interrupts(&open.path);
        }
        let call = Call::Open { path: open.path.clone() };
        self.compare(pid, place, call, recorded(i64::from(open.fd), open.errno))
    }

    fn close(&mut self, pid: Pid, place: &Place, close: &Close) -> Taken {
        let left = self.interrupts_left(place, close.fd);
        self.forget_file(close.fd);
        let ret = if close.errno == 0 { Ok(0) } else { Err(close.errno) };
        match self.compare(pid, place, Call::Close { fd: close.fd }, ret) {
            Taken::Compared(difference) => Taken::Compared(difference.or(left)),
            other => other,
        }
    }

    fn pread(&mut self, pid: Pid, number: u64, transfer: &Transfer) -> Taken {
        let Transfer { fd, offset, len, .. } = *transfer;
        let place = Place { line: number, call: format!("pread of {fd} at {offset:#x}") };
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let answer = self.call(pid, Call::Pread { fd, offset, len });
        let ret = recorded(transfer.ret, transfer.errno);
        Taken::Compared(
            place
                .ret(ret, &answer)
                .or_else(|| place.bytes("bytes", &transfer.bytes, &answer.bytes)),
        )
    }

    fn read_text(
        &mut self,
        pid: Pid,
        place: &Place,
        call: Call,
        (value, errno): (&str, i32),
    ) -> Taken {
        let answer = self.call(pid, call);
        let text = String::from_utf8_lossy(&answer.bytes);
        let text = text.trim_end_matches('\n');
        let difference = match (&answer.ret, errno) {
            (Ok(_), 0) => (text != value).then(|| place.differs(value, text)),
            (Ok(_), errno) => Some(place.differs(format!("errno {errno}"), text)),
            (Err(refusal), 0) => Some(place.refused(value, refusal)),
            (Err(_), errno) => place.ret(Err(errno), &answer),
        };
        Taken::Compared(difference)
    }

    fn mmap(&mut self, pid: Pid, number: u64, mmap: &Mmap) -> Taken {
        let Mmap { len, prot, fd, offset, .. } = *mmap;
        let kind = match mmap.kind {
            AreaKind::Anon | AreaKind::AnonThp | AreaKind::AnonUntouched => MapKind::Anonymous,
            // Whether huge pages are reserved depends on the recorded machine.
            AreaKind::Hugetlb(_) if mmap.va.is_none() => return Taken::Input,
            AreaKind::Hugetlb(size) => MapKind::HugeTlb { lg2: size.lg2() },
            AreaKind::File | AreaKind::Bar => {
                MapKind::File { fd: fd.unwrap_or(-1), offset: offset.unwrap_or(0) }
            }
        };
        self.plan(pid, number);
        let place =
            Place { line: number, call: format!("mmap of {}, {len:#x} bytes", backing(mmap.kind)) };
        let va = mmap.va.unwrap_or(NOWHERE);
        let call = Call::Mmap { va, len, prot: protection(prot), kind };
        let answer = self.call(pid, call);
        // The recorder fixes addresses, so only success or the errno is compared.
        let (ret, answer) = match (mmap.va, answer.ret) {
            (Some(va), Ok(_)) => {
                self.note_registers(va, mmap);
                return Taken::Compared(None);
            }
            (Some(va), Err(_)) => (Ok(va.get().cast_signed()), answer),
            (None, _) => (Err(mmap.errno), answer),
        };
        Taken::Compared(place.ret(ret, &answer))
    }

    fn fill(&mut self, pid: Pid, number: u64, fill: &Fill) -> Taken {
        let bytes = match &fill.pattern {
            FillPattern::Byte(byte) => {
                let len = usize::try_from(fill.len.min(MAX_FILL)).unwrap_or(usize::MAX);
                vec![*byte; len]
            }
            FillPattern::Bytes(bytes) => bytes.clone(),
        };
        match self.system.write_memory(pid, fill.va, &bytes) {
            Ok(()) => Taken::Input,
            Err(refusal) => {
                let place = Place { line: number, call: format!("fill {}", fill.va) };
                Taken::Compared(Some(place.refused("wrote", &refusal)))
            }
        }
    }

    fn peek(&mut self, pid: Pid, number: u64, peek: &Peek) -> Taken {
        let place = Place { line: number, call: format!("peek {}", peek.va) };
        let bytes = self.system.read_memory(pid, peek.va, peek.bytes.len());
        Taken::Compared(match bytes {
            Ok(bytes) => place.bytes("memory", &peek.bytes, &bytes),
            Err(refusal) => Some(place.refused("read", &refusal)),
        })
    }

    fn answer(&mut self, number: u64, answer: &RecordedAnswer) -> Taken {
        match answer {
            RecordedAnswer::Status(status) => {
                let Some(pid) = self.pid() else { return Taken::Skipped("status", "no process") };
                let (name, model) = match status.counter {
                    StatusCounter::Locked => ("VmLck", self.system.kernel.locked_kib(pid)),
                    // Type1 charges VmLck; VmPin is never anything else (measured on 6.1 and 6.12).
                    StatusCounter::Pinned => ("VmPin", 0),
                };
                let place = Place { line: number, call: STATUS.to_owned() };
                if !self.has_open(STATUS) {
                    return Taken::Compared(Some(place.differs("read", "the file is not open")));
                }
                let shown = |kib| format!("{name} {kib} kB");
                let differs = status.kib != model;
                Taken::Compared(differs.then(|| place.differs(shown(status.kib), shown(model))))
            }
            RecordedAnswer::Expect(expect) => self.expect(number, expect),
            RecordedAnswer::MsiCap(line) => self.msi_cap(number, line),
            RecordedAnswer::MsixCap(line) => self.msix_cap(number, line),
            RecordedAnswer::MsixEntry(line) => self.msix_entry(number, line),
            RecordedAnswer::ProcInterrupts(line) => self.interrupt_line(number, line),
        }
    }

    /// Makes a call of which only the return value or errno is compared.
    fn compare(&mut self, pid: Pid, place: &Place, call: Call, ret: Recorded) -> Taken {
        let answer = self.call(pid, call);
        Taken::Compared(place.ret(ret, &answer))
    }

    /// Makes a call without a recorded answer.
    fn input(&mut self, pid: Pid, call: Call) -> Taken {
        self.call(pid, call);
        Taken::Input
    }

    pub(super) fn call(&mut self, pid: Pid, call: Call) -> Answer {
        if self.heard.is_none() {
            return self.system.call(pid, call);
        }
        let answer = self.system.call(pid, call.clone());
        self.overhear(pid, &call, &answer);
        answer
    }
}

/// The file from which status lines are read.
const STATUS: &str = "/proc/self/status";

/// Most bytes a fill line may write.
const MAX_FILL: u64 = 1 << 30;

/// The address requested for an area that the kernel refused.
const NOWHERE: UserAddr = UserAddr::new(0x2000_0000_0000);

/// The width of a register access of this many bytes.
pub(super) fn width(bytes: u8) -> Width {
    match bytes {
        1 => Width::W8,
        2 => Width::W16,
        8 => Width::W64,
        _ => Width::W32,
    }
}

fn protection(prot: Prot) -> Protection {
    match prot {
        Prot::None => Protection::None,
        Prot::Read => Protection::Read,
        Prot::Write => Protection::Write,
        Prot::ReadWrite => Protection::ReadWrite,
    }
}
