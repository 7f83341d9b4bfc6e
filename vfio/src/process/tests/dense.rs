//! Random calls against a model with one entry per page.

use super::*;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const PAGES: u64 = 12;
const DEVICE: u64 = 0x1000_0000;

#[derive(Clone, Copy, Debug)]
enum Op {
    Map { page: u64, pages: u64, prot: Protection, kind: u8 },
    Unmap { page: u64, pages: u64 },
    Protect { page: u64, pages: u64, prot: Protection },
    Touch { page: u64, pages: u64 },
    Write { page: u64, value: u64 },
    Pin { page: u64, most: u64, access: PinAccess },
    Unpin { which: usize },
    Lock { page: u64, pages: u64 },
    Unlock { page: u64, pages: u64 },
    Fork,
    Exit,
}

fn op() -> impl Strategy<Value = (usize, Op)> {
    let page = || 0..PAGES;
    let pages = || 1..=PAGES / 2;
    let prot = || {
        prop_oneof![
            1 => Just(Protection::None),
            1 => Just(Protection::Read),
            1 => Just(Protection::Write),
            3 => Just(Protection::ReadWrite),
        ]
    };
    let access = prop_oneof![Just(PinAccess::Read), Just(PinAccess::Write)];
    let op = prop_oneof![
        4 => (page(), pages(), prot(), 0..3u8)
            .prop_map(|(page, pages, prot, kind)| Op::Map { page, pages, prot, kind }),
        2 => (page(), pages()).prop_map(|(page, pages)| Op::Unmap { page, pages }),
        2 => (page(), pages(), prot())
            .prop_map(|(page, pages, prot)| Op::Protect { page, pages, prot }),
        3 => (page(), pages()).prop_map(|(page, pages)| Op::Touch { page, pages }),
        4 => (page(), 1..u64::MAX).prop_map(|(page, value)| Op::Write { page, value }),
        3 => (page(), pages(), access)
            .prop_map(|(page, most, access)| Op::Pin { page, most, access }),
        2 => any::<usize>().prop_map(|which| Op::Unpin { which }),
        1 => (page(), pages()).prop_map(|(page, pages)| Op::Lock { page, pages }),
        1 => (page(), pages()).prop_map(|(page, pages)| Op::Unlock { page, pages }),
        1 => Just(Op::Fork),
        1 => Just(Op::Exit),
    ];
    (0..3usize, op)
}

/// One page of one process.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Dense {
    prot: Protection,
    content: Content,
    locked: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Content {
    Private(u64),
    /// Page of the one file.
    File(u64),
    /// Number of the mmap, and page of the BAR.
    Device(u32, u64),
}

#[derive(Clone, Default)]
struct Space {
    pages: BTreeMap<u64, Dense>,
}

impl Space {
    /// The mmaps of a device that have pages left.
    fn devices(&self) -> BTreeSet<u32> {
        let maps = self.pages.values().filter_map(|dense| match dense.content {
            Content::Device(map, _) => Some(map),
            _ => None,
        });
        maps.collect()
    }
}

/// The dense model beside the machine.
struct Both {
    machine: Machine,
    pids: Vec<Pid>,
    spaces: Vec<Space>,
    file: [u64; PAGES as usize],
    /// Pinned frames, with the value that the device must see there.
    pinned: Vec<(u64, Option<(usize, u64)>)>,
    maps: u32,
}

fn va(page: u64) -> u64 {
    A + page * PAGE
}

impl Both {
    fn new() -> Self {
        let (mut machine, pid) = Machine::with_process();
        machine.processes.truncate(0, PAGES * PAGE, &mut machine.frames, &mut machine.memory);
        let (file, spaces) = ([0; PAGES as usize], vec![Space::default()]);
        Self { machine, pids: vec![pid], spaces, file, pinned: Vec::new(), maps: 0 }
    }

    fn value(&self, who: usize, page: u64) -> Result<u64, Errno> {
        match self.spaces[who].pages.get(&page) {
            None | Some(Dense { prot: Protection::None, .. }) => Err(Errno::EFAULT),
            Some(dense) => match dense.content {
                Content::Private(value) => Ok(value),
                Content::File(index) => Ok(self.file[index as usize]),
                Content::Device(..) => Err(Errno::EFAULT),
            },
        }
    }

    fn store(&mut self, who: usize, page: u64, value: u64) -> Result<(), Errno> {
        let dense = self.spaces[who].pages.get_mut(&page).ok_or(Errno::EFAULT)?;
        if !matches!(dense.prot, Protection::Write | Protection::ReadWrite) {
            return Err(Errno::EFAULT);
        }
        match &mut dense.content {
            Content::Private(old) => *old = value,
            Content::File(index) => self.file[*index as usize] = value,
            Content::Device(..) => return Err(Errno::EFAULT),
        }
        Ok(())
    }

    /// Removes pages; returns the files of devices without pages left.
    fn clear(&mut self, who: usize, page: u64, pages: u64) -> Vec<FileId> {
        let space = &mut self.spaces[who];
        let before = space.devices();
        space.pages.retain(|at, _| !(page..page + pages).contains(at));
        let after = space.devices();
        before.difference(&after).copied().map(file).collect()
    }

    fn map(&mut self, who: usize, page: u64, pages: u64, prot: Protection, kind: u8) {
        let expected = self.clear(who, page, pages);
        self.maps += 1;
        let kind = match kind {
            0 => AreaKind::Anonymous,
            1 => AreaKind::File { number: 0, offset: page * PAGE },
            _ => AreaKind::Device { base: PhysAddr::new(DEVICE), file: file(self.maps) },
        };
        for k in page..page + pages {
            let content = match kind {
                AreaKind::File { .. } => Content::File(k % PAGES),
                AreaKind::Device { .. } => Content::Device(self.maps, k - page),
                _ => Content::Private(0),
            };
            self.spaces[who].pages.insert(k, Dense { prot, content, locked: false });
        }
        let (frames, pid) = (&mut self.machine.frames, self.pids[who]);
        let dropped =
            self.machine.processes.mmap(pid, at(va(page)), pages * PAGE, prot, kind, frames);
        let mut dropped = dropped.unwrap();
        dropped.sort_unstable();
        assert_eq!(dropped, expected);
    }

    fn apply(&mut self, who: usize, op: Op) {
        let pid = self.pids[who];
        match op {
            // Other tests cover pages beyond the file's end.
            Op::Map { page, pages, prot, kind } => {
                let pages = if kind == 1 { pages.min(PAGES - page) } else { pages };
                self.map(who, page, pages, prot, kind);
            }
            Op::Unmap { page, pages } => {
                let expected = self.clear(who, page, pages);
                let mut dropped = self.machine.munmap(pid, va(page), pages * PAGE).unwrap();
                dropped.sort_unstable();
                assert_eq!(dropped, expected);
            }
            Op::Protect { page, pages, prot } => {
                let done = self.up_to_hole(who, page, pages, |dense| dense.prot = prot);
                let len = pages * PAGE;
                let got = self.machine.processes.mprotect(pid, at(va(page)), len, prot);
                assert_eq!(got.map_err(errno), done);
            }
            Op::Touch { page, pages } => {
                let expected =
                    (page..page + pages).try_for_each(|page| self.store(who, page, va(page)));
                let (frames, memory) = (&mut self.machine.frames, &mut self.machine.memory);
                let len = pages * PAGE;
                let got = self.machine.processes.touch(pid, at(va(page)), len, frames, memory);
                assert_eq!(got.map_err(errno), expected);
            }
            Op::Write { page, value } => {
                let expected = self.store(who, page, value);
                assert_eq!(self.machine.write(pid, va(page), value), expected);
            }
            Op::Pin { page, most, access } => self.pin(who, page, most, access),
            Op::Unpin { which } => {
                if !self.pinned.is_empty() {
                    let (frame, _) = self.pinned.swap_remove(which % self.pinned.len());
                    let frame = PhysAddr::new(frame);
                    assert!(self.machine.processes.unpin(frame, &mut self.machine.frames));
                }
            }
            Op::Lock { page, pages } => {
                let done = self.set_locked(who, page, pages, true);
                let range = page..page + pages;
                let space = &self.spaces[who].pages;
                let dark =
                    done.is_ok() && range.clone().any(|k| space[&k].prot == Protection::None);
                let expected = if dark { Err(Errno::ENOMEM) } else { done };
                assert_eq!(self.machine.mlock(pid, va(page), pages * PAGE), expected);
            }
            Op::Unlock { page, pages } => {
                let done = self.set_locked(who, page, pages, false);
                let got = self.machine.processes.munlock(pid, at(va(page)), pages * PAGE);
                assert_eq!(got.map_err(errno), done);
            }
            Op::Fork if self.pids.len() < 3 => self.fork(who),
            Op::Exit if self.pids.len() > 1 => self.exit(who),
            Op::Fork | Op::Exit => {}
        }
    }

    fn fork(&mut self, who: usize) {
        let (child, mut files) = self.machine.fork(self.pids[who]);
        files.sort_unstable();
        assert!(files.into_iter().eq(self.spaces[who].devices().into_iter().map(file)));
        self.pids.push(child);
        let mut space = self.spaces[who].clone();
        space.pages.values_mut().for_each(|dense| dense.locked = false);
        self.spaces.push(space);
    }

    fn exit(&mut self, who: usize) {
        let expected = self.clear(who, 0, 2 * PAGES);
        let mut files = self.machine.processes.exit(self.pids[who], &mut self.machine.frames);
        files.sort_unstable();
        assert_eq!(files, expected);
        self.pids.remove(who);
        self.spaces.remove(who);
        for (_, seen) in &mut self.pinned {
            *seen = match *seen {
                Some((of, _)) if of == who => None,
                Some((of, page)) if of > who => Some((of - 1, page)),
                other => other,
            };
        }
    }

    fn up_to_hole(
        &mut self,
        who: usize,
        page: u64,
        pages: u64,
        mut change: impl FnMut(&mut Dense),
    ) -> Result<i64, Errno> {
        for k in page..page + pages {
            change(self.spaces[who].pages.get_mut(&k).ok_or(Errno::ENOMEM)?);
        }
        Ok(0)
    }

    fn set_locked(
        &mut self,
        who: usize,
        page: u64,
        pages: u64,
        locked: bool,
    ) -> Result<i64, Errno> {
        self.up_to_hole(who, page, pages, |dense| {
            dense.locked = locked && !matches!(dense.content, Content::Device(..));
        })
    }

    fn pin(&mut self, who: usize, page: u64, most: u64, access: PinAccess) {
        let run = self.machine.pin(self.pids[who], va(page), most, access);
        let dense = self.spaces[who].pages.get(&page);
        let allowed = dense.is_some_and(|dense| match dense.prot {
            Protection::None => false,
            Protection::Read => access == PinAccess::Read,
            Protection::Write => access == PinAccess::Write,
            Protection::ReadWrite => true,
        });
        assert_eq!(run.is_some(), allowed);
        let Some(run) = run else { return };
        assert!(run.pages >= 1 && run.pages <= most);
        for k in 0..run.pages {
            let frame = run.frame.get() + k * PAGE;
            match self.spaces[who].pages[&(page + k)].content {
                Content::Device(_, index) => {
                    assert_eq!((frame, run.counted), (DEVICE + index * PAGE, false));
                }
                _ => {
                    assert!(run.counted);
                    self.pinned.push((frame, Some((who, page + k))));
                }
            }
        }
    }

    fn check(&self) {
        for (who, (&pid, space)) in self.pids.iter().zip(&self.spaces).enumerate() {
            for page in 0..2 * PAGES {
                let read = self.machine.read(pid, va(page));
                assert_eq!(read, self.value(who, page), "page {page} of process {who}");
            }
            let locked = space.pages.values().filter(|dense| dense.locked).count() as u64;
            assert_eq!(self.machine.processes.locked_pages(pid), locked);
        }
        for &(frame, seen) in &self.pinned {
            assert!(self.machine.processes.pins(PhysAddr::new(frame)) > 0);
            let Some((who, page)) = seen else { continue };
            // While the page is still mapped, device and process see the same bytes.
            if self.machine.frame(self.pids[who], va(page)) == Some(frame)
                && let Ok(value) = self.value(who, page)
            {
                assert_eq!(self.machine.memory.load_u64(PhysAddr::new(frame)), Ok(value));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn agrees_with_one_entry_for_each_page(ops in prop::collection::vec(op(), 1..60)) {
        let mut both = Both::new();
        for (who, op) in ops {
            both.apply(who % both.pids.len(), op);
            both.check();
        }
        // After all processes have ended nothing is left.
        for &pid in &both.pids {
            both.machine.processes.exit(pid, &mut both.machine.frames);
        }
        for (frame, _) in both.pinned {
            assert!(both.machine.processes.unpin(PhysAddr::new(frame), &mut both.machine.frames));
        }
        both.machine.processes.truncate(0, 0, &mut both.machine.frames, &mut both.machine.memory);
        prop_assert_eq!(both.machine.frames.in_use(), 0);
    }

    #[test]
    fn no_number_is_too_wild(
        ops in prop::collection::vec(
            (0..12u8, any_address(), any_address(), any_address()), 1..40,
        ),
    ) {
        let (mut machine, pid) = Machine::with_process();
        for (op, va, len, other) in ops {
            wild(&mut machine, pid, op, va, len, other);
        }
    }
}

/// Addresses and lengths: small ones, those around boundaries, and any.
fn any_address() -> impl Strategy<Value = u64> {
    let border = prop_oneof![
        Just(0u64),
        Just(A),
        Just(ASIDE),
        Just(1 << 47),
        Just(1 << 48),
        Just(1 << 52),
        Just(1 << 63)
    ];
    let near = (border, -3..=3i64, any::<bool>()).prop_map(|(border, offset, aligned)| {
        border.wrapping_add_signed(if aligned { offset * 0x1000 } else { offset })
    });
    prop_oneof![4 => near, 1 => any::<u64>()]
}

fn wild(machine: &mut Machine, pid: Pid, op: u8, va: u64, len: u64, other: u64) {
    let Machine { processes, frames, memory } = machine;
    let va = at(va);
    let prot = Protection::ReadWrite;
    let base = PhysAddr::new(other);
    match op {
        0 => drop(processes.mmap(pid, va, len, prot, AreaKind::Anonymous, frames)),
        1 => {
            let kind = AreaKind::Device { base, file: file(1) };
            drop(processes.mmap(pid, va, len, prot, kind, frames));
        }
        2 => {
            let kind = AreaKind::HugeTlb { lg2: other as u32 };
            drop(processes.mmap(pid, va, len, prot, kind, frames));
        }
        3 => {
            let kind = AreaKind::File { number: 0, offset: other };
            drop(processes.mmap(pid, va, len, prot, kind, frames));
            processes.truncate(0, len, frames, memory);
        }
        4 => drop(processes.munmap(pid, va, len, frames)),
        5 => _ = processes.mprotect(pid, va, len, Protection::Read),
        6 => _ = processes.mlock(pid, va, len, frames, memory),
        7 => _ = processes.munlock(pid, va, len),
        8 => _ = processes.touch(pid, va, len, frames, memory),
        9 => {
            let access = if other & 1 == 0 { PinAccess::Read } else { PinAccess::Write };
            let run = processes.pin_run(pid, va, len, access, frames, memory);
            if let Ok(run) = run {
                processes.unpin(run.frame, frames);
            }
            processes.unpin(base, frames);
        }
        10 => {
            processes.plan(pid, va, base, len);
            let _ = processes.migrate(pid, va, base, frames, memory);
        }
        _ => {
            let _ = processes.access_ok(va, len);
            let mut bytes = [1; 70];
            let _ = processes.read(pid, va, &mut bytes, memory);
            let _ = processes.write(pid, va, &bytes, frames, memory);
            let _ = processes.read_prefix(pid, va, 70, memory);
        }
    }
}
