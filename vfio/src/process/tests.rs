//! A machine of 64 MiB, half of it set aside, with one or two processes.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `areas` | how do calls split, replace and remove areas? |
//! | `files` | how are plain files shared and truncated? |
//! | `locking` | what counts as locked memory? |
//! | `pinning` | which pages can be pinned, in which runs? |
//! | `placing` | are pages placed as planned? |
//! | `dense` | do random calls agree with a model that has an entry per page? |

use super::{AreaKind, Capabilities, FileId, Pid, PinAccess, Processes, Run};
use crate::call::Protection;
use crate::policy::ZeroPage;
use passim_model::{Errno, Frames, Memory, PageSize, PhysAddr, Refusal, Span, UserAddr};

mod areas;
mod dense;
mod files;
mod locking;
mod pinning;
mod placing;

const PAGE: u64 = 0x1000;
const RAM: u64 = 0x4000_0000;
/// Frames from here on are set aside.
const ASIDE: u64 = 0x4200_0000;
const A: u64 = 0x1000_0000_0000;

struct Machine {
    processes: Processes,
    frames: Frames,
    memory: Memory,
}

fn at(raw: u64) -> UserAddr {
    UserAddr::new(raw)
}

fn file(index: u32) -> FileId {
    FileId::new(index, 1)
}

impl Machine {
    fn new(zero_page: ZeroPage) -> Self {
        let ram = Span::from_size(PhysAddr::new(RAM), 0x400_0000).unwrap();
        let mut memory = Memory::new();
        memory.add_bank(ram).unwrap();
        let mut frames = Frames::new(PageSize::K4, [ram]);
        frames.set_aside(Span::from_size(PhysAddr::new(ASIDE), 0x200_0000).unwrap());
        Self { processes: Processes::new(PageSize::K4, 48, zero_page), frames, memory }
    }

    /// A 6.12 machine with one process that may lock anything.
    fn with_process() -> (Self, Pid) {
        let mut machine = Self::new(ZeroPage::Unshared);
        let pid = machine.processes.spawn(Capabilities::all(), 8 << 20);
        (machine, pid)
    }

    fn mmap(&mut self, pid: Pid, va: u64, len: u64, kind: AreaKind) -> Vec<FileId> {
        let prot = Protection::ReadWrite;
        self.processes.mmap(pid, at(va), len, prot, kind, &mut self.frames).unwrap()
    }

    fn anon(&mut self, pid: Pid, va: u64, pages: u64) {
        assert_eq!(self.mmap(pid, va, pages * PAGE, AreaKind::Anonymous), []);
    }

    fn munmap(&mut self, pid: Pid, va: u64, len: u64) -> Result<Vec<FileId>, Errno> {
        self.processes.munmap(pid, at(va), len, &mut self.frames).map_err(errno)
    }

    fn touch(&mut self, pid: Pid, va: u64, pages: u64) {
        let len = pages * PAGE;
        self.processes.touch(pid, at(va), len, &mut self.frames, &mut self.memory).unwrap();
    }

    fn read(&self, pid: Pid, va: u64) -> Result<u64, Errno> {
        let mut bytes = [0; 8];
        self.processes.read(pid, at(va), &mut bytes, &self.memory).map_err(errno)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn write(&mut self, pid: Pid, va: u64, value: u64) -> Result<(), Errno> {
        let bytes = value.to_le_bytes();
        let (frames, memory) = (&mut self.frames, &mut self.memory);
        self.processes.write(pid, at(va), &bytes, frames, memory).map_err(errno)
    }

    fn fork(&mut self, pid: Pid) -> (Pid, Vec<FileId>) {
        self.processes.fork(pid, &mut self.frames, &mut self.memory).unwrap()
    }

    fn pin(&mut self, pid: Pid, va: u64, most: u64, access: PinAccess) -> Option<Run> {
        let (frames, memory) = (&mut self.frames, &mut self.memory);
        self.processes.pin_run(pid, at(va), most, access, frames, memory).ok()
    }

    fn unpin(&mut self, run: Run) {
        for k in 0..run.pages {
            let frame = PhysAddr::new(run.frame.get() + k * PAGE);
            assert!(self.processes.unpin(frame, &mut self.frames));
        }
    }

    fn frame(&self, pid: Pid, va: u64) -> Option<u64> {
        self.processes.frame_of(pid, at(va)).map(PhysAddr::get)
    }

    fn mlock(&mut self, pid: Pid, va: u64, len: u64) -> Result<i64, Errno> {
        let (frames, memory) = (&mut self.frames, &mut self.memory);
        self.processes.mlock(pid, at(va), len, frames, memory).map_err(errno)
    }
}

fn errno(refusal: Refusal) -> Errno {
    refusal.errno
}

#[test]
fn descriptors_are_the_lowest_free_number() {
    let (mut machine, pid) = Machine::with_process();
    let process = machine.processes.get_mut(pid).unwrap();
    for fd in [0, 1, 2] {
        assert_eq!(process.place_file(fd, file(0)), None);
    }
    assert_eq!([3, 4, 5].map(|k| process.install_file(file(k))), [3, 4, 5]);
    assert_eq!(process.remove_file(4), Some(file(4)));
    assert_eq!(process.remove_file(1), Some(file(0)));
    assert_eq!(process.remove_file(1), None);
    assert_eq!([6, 7, 8].map(|k| process.install_file(file(k))), [1, 4, 6]);
    assert_eq!(process.place_file(4, file(9)), Some(file(7)));
    assert_eq!(process.place_file(-1, file(9)), Some(file(9)));
    assert_eq!(process.place_file(i32::MAX, file(9)), Some(file(9)));
    assert_eq!(process.place_file(9, file(9)), None);
    assert_eq!([10, 11, 12].map(|k| process.install_file(file(k))), [7, 8, 10]);
    assert_eq!((process.file(9), process.file(-1)), (Some(file(9)), None));
    assert_eq!(machine.processes.exit(pid, &mut machine.frames).len(), 11);
}

#[test]
fn an_ended_process_is_known_and_does_nothing() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 4);
    machine.touch(pid, A, 4);
    machine.processes.exit(pid, &mut machine.frames);
    assert_eq!(machine.frames.in_use(), 0);
    assert!(machine.processes.get(pid).is_none());
    assert_eq!(machine.read(pid, A), Err(Errno::EFAULT));
    assert_eq!(machine.munmap(pid, A, PAGE), Err(Errno::EINVAL));
    assert_eq!(machine.pin(pid, A, 1, PinAccess::Read), None);
    assert_eq!(machine.processes.charge(pid, 5, false), Ok(()));
    machine.processes.uncharge(pid, 7);
    assert_eq!(machine.processes.locked_pages(pid), 0);
    assert_eq!(machine.processes.exit(pid, &mut machine.frames), []);
    let next = machine.processes.spawn(Capabilities::empty(), 0);
    assert_ne!(next, pid);
}

#[test]
fn user_addresses_end_where_the_kernels_begin() {
    let (machine, _) = Machine::with_process();
    let ok = |va: u64, len| machine.processes.access_ok(at(va), len);
    assert!(ok(0, 1 << 48) && ok(1 << 48, 0) && ok((1 << 48) - 8, 8));
    assert!(!ok((1 << 48) - 8, 9) && !ok(1 << 48, 1) && !ok(u64::MAX - 7, 8) && !ok(8, u64::MAX));
}
