//! The oracles' expectations of a case: the container, its bitmaps, and the process's locked
//! memory.

use crate::rig::{Spec, Type};
use crate::steps::{
    ARENA, ARENA_PAGES, BITMAPS, HOLE, HUGE, READ_ONLY, Range, Step, huge_lg2, input_bits,
};
use passim_model::PageSize;
use passim_oracle::EINVAL;
use passim_oracle::dirty::{Command, Protection, Request, Tracker, UserBuffer, command};
use passim_oracle::window::{
    Budget, Caller, Container, MapRequest, PageAnswer, Pin, UnmapRequest, Version,
};
use passim_vfio::Profile;
use std::collections::BTreeMap;

/// The expected result of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Expected {
    /// 0, or the errno.
    pub(crate) errno: i32,
    /// The value that UNMAP_DMA writes to `size`, if it succeeds.
    pub(crate) size: Option<u64>,
    /// Whether a refusal changes state all the same.
    pub(crate) leaves_traces: LeavesTraces,
}

/// Refusals that do not roll back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LeavesTraces {
    No,
    /// A fault of the caller's bitmap: mappings before it are reported, or removed.
    Bitmap,
    /// A page that cannot be pinned: tables allocated for the pages before it stay.
    Tables,
}

/// The oracle's side of a case. See the [module](self).
pub(crate) struct Twin {
    page: PageSize,
    version: Version,
    pub(crate) container: Container,
    tracker: Tracker,
    pub(crate) user: UserBuffer,
    /// Frames by user page, and whether the page may be written.
    frames: BTreeMap<u64, (u64, bool)>,
    memlock: u64,
    limited: bool,
}

/// The one process.
const PROCESS: u64 = 0;

impl Twin {
    /// `frame_of` returns the frames of the process's pages.
    pub(crate) fn new(spec: Spec, frame_of: impl Fn(u64) -> u64) -> Self {
        let page = spec.page.bytes();
        let version = if spec.kind == Type::V1 { Version::V1 } else { Version::V2 };
        let valid = vec![(0, 0x7ff_ffff), (0x810_0000, (1 << input_bits(spec)) - 1)];
        let mut frames = BTreeMap::new();
        for at in (0..ARENA_PAGES).filter(|at| *at != HOLE) {
            let writable = !(READ_ONLY.0..READ_ONLY.0 + READ_ONLY.1).contains(&at);
            let va = ARENA + at * page;
            frames.insert(va, (frame_of(va), writable));
        }
        for va in (HUGE..HUGE + (1 << huge_lg2(spec.page))).step_by(page as usize) {
            frames.insert(va, (frame_of(va), true));
        }
        let mut user = UserBuffer::new();
        // A touched page contains its own address.
        for (at, protection) in
            [(BITMAPS, Protection::ReadWrite), (BITMAPS + page, Protection::ReadOnly)]
        {
            user.place(at, &vec![0; page as usize], protection);
            user.place(at, &at.to_le_bytes(), protection);
        }
        let user_bits =
            if spec.profile == Profile::Linux6_12 && spec.page != PageSize::K64 { 52 } else { 48 };
        Self {
            page: spec.page,
            version,
            container: Container::new(page, version, spec.entry_limit, valid),
            tracker: Tracker::new(page, 1 << user_bits),
            user,
            frames,
            memlock: 8 << 20,
            limited: false,
        }
    }

    /// VmLck in KiB.
    pub(crate) fn locked_kib(&self) -> u64 {
        self.container.locked_pages(PROCESS) * self.page.bytes() / 1024
    }

    /// Carries out a request; returns the expected result.
    pub(crate) fn take(&mut self, step: Step) -> Expected {
        let mut leaves_traces = LeavesTraces::No;
        let result = match step {
            Step::Map { argsz, flags, iova, vaddr, size } => {
                leaves_traces = LeavesTraces::Tables;
                self.map(&MapRequest { argsz, flags, vaddr, iova, size }).map(|()| None)
            }
            Step::Unmap { argsz, flags, iova, size } => {
                self.unmap(&UnmapRequest { argsz, flags, iova, size }).map(Some)
            }
            Step::UnmapDirty { argsz, range } => {
                leaves_traces = LeavesTraces::Bitmap;
                self.unmap_dirty(argsz, range).map(Some)
            }
            Step::Dirty { argsz, flags } => self.dirty(argsz, flags, None).map(|()| None),
            Step::Get { argsz, range } => {
                leaves_traces = LeavesTraces::Bitmap;
                self.dirty(argsz, 4, Some(range)).map(|()| None)
            }
            Step::Fill { at, value } => {
                self.user.place(at, &value.to_le_bytes(), Protection::ReadWrite);
                Ok(None)
            }
            Step::Memlock { bytes } => {
                self.memlock = bytes;
                Ok(None)
            }
            Step::DropCap => {
                self.limited = true;
                Ok(None)
            }
        };
        match result {
            Ok(size) => Expected { errno: 0, size, leaves_traces },
            Err(errno) => Expected { errno, size: None, leaves_traces },
        }
    }

    fn map(&mut self, request: &MapRequest) -> Result<(), i32> {
        let locked = self.container.locked_pages(PROCESS);
        let budget = if self.limited {
            Budget::Pages((self.memlock / self.page.bytes()).saturating_sub(locked))
        } else {
            Budget::Unlimited
        };
        let frames = &self.frames;
        let pages = |va: u64, pin: Pin| match frames.get(&va) {
            Some(&(frame, writable)) if writable || pin == Pin::Read => PageAnswer::Frame(frame),
            _ => PageAnswer::Fault,
        };
        let caller = Caller { process: PROCESS, budget };
        self.container.map(request, caller, pages)?;
        // FLAG_VADDR maps nothing.
        if request.flags & 3 != 0 {
            self.tracker.mapped(request.iova, request.size);
        }
        Ok(())
    }

    fn unmap(&mut self, request: &UnmapRequest) -> Result<u64, i32> {
        let before: Vec<_> = self.container.slots().iter().map(|slot| slot.iova).collect();
        let size = self.container.unmap(request)?;
        let left: Vec<_> = self.container.slots().iter().map(|slot| slot.iova).collect();
        for iova in before.into_iter().filter(|iova| !left.contains(iova)) {
            self.tracker.unmapped(iova);
        }
        Ok(size)
    }

    fn unmap_dirty(&mut self, argsz: u32, range: Range) -> Result<u64, i32> {
        let Range { iova, size, .. } = range;
        let plain = UnmapRequest { argsz, flags: 1, iova, size };
        // The form is checked first, then the bitmap after it.
        self.container.clone().unmap(&plain)?;
        if argsz < 48 {
            return Err(EINVAL);
        }
        let (removed, result) = match self.tracker.unmap(&request(range), &mut self.user) {
            Ok(removed) => (removed, Ok(())),
            Err(failure) => (failure.removed, Err(failure.errno)),
        };
        let mut bytes = 0;
        for iova in removed {
            let slot = self.container.slots().iter().find(|slot| slot.iova == iova);
            let size = slot.expect("both oracles hold the same mappings").size;
            let alone = UnmapRequest { argsz: 24, flags: 0, iova, size };
            bytes += self.container.unmap(&alone).expect("a mapping can go alone");
        }
        result.map(|()| bytes)
    }

    fn dirty(&mut self, argsz: u32, flags: u32, range: Option<Range>) -> Result<(), i32> {
        match (command(self.version, argsz, flags)?, range) {
            (Command::Start, _) => self.tracker.start(),
            (Command::Stop, _) => self.tracker.stop(),
            (Command::Get, Some(range)) => {
                return self.tracker.get(&request(range), &mut self.user);
            }
            (Command::Get, None) => panic!("GET comes with a range"),
        }
        Ok(())
    }
}

fn request(range: Range) -> Request {
    let Range { iova, size, pgsize, bitmap_bytes, data } = range;
    Request { iova, size, pgsize, bitmap_bytes, data }
}
