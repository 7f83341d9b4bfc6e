use super::*;

const FILE: AreaKind = AreaKind::File { number: 3, offset: 0 };

impl Machine {
    fn truncate(&mut self, len: u64) {
        self.processes.truncate(3, len, &mut self.frames, &mut self.memory);
    }
}

#[test]
fn a_file_is_shared_up_to_its_end() {
    let (mut machine, pid) = Machine::with_process();
    machine.truncate(4 * PAGE);
    machine.mmap(pid, A, 8 * PAGE, FILE);
    machine.mmap(pid, A + 0x10_0000, PAGE, AreaKind::File { number: 3, offset: 3 * PAGE });
    let (child, _) = machine.fork(pid);
    machine.write(child, A + 3 * PAGE, 5).unwrap();
    assert_eq!(machine.read(pid, A + 0x10_0000), Ok(5));
    assert_eq!(machine.read(pid, A + 2 * PAGE), Ok(0));
    assert_eq!(machine.read(pid, A + 4 * PAGE), Err(Errno::EFAULT));
    assert_eq!(machine.write(pid, A + 4 * PAGE, 1), Err(Errno::EFAULT));
    assert_eq!(machine.frames.in_use(), PAGE);
    machine.processes.exit(child, &mut machine.frames);
    machine.munmap(pid, A, 8 * PAGE).unwrap();
    assert_eq!(machine.read(pid, A + 0x10_0000), Ok(5), "the file keeps its pages");
}

#[test]
fn what_is_cut_off_reads_zero_when_it_comes_back() {
    let (mut machine, pid) = Machine::with_process();
    machine.truncate(2 * PAGE);
    machine.mmap(pid, A, 2 * PAGE, FILE);
    machine.write(pid, A + 8, 1).unwrap();
    machine.write(pid, A + 16, 2).unwrap();
    machine.write(pid, A + PAGE, 3).unwrap();
    machine.truncate(16);
    assert_eq!(machine.frames.in_use(), PAGE);
    assert_eq!(machine.read(pid, A + PAGE), Err(Errno::EFAULT));
    machine.truncate(u64::MAX);
    assert_eq!(machine.processes.file_len(3), u64::MAX);
    assert_eq!([8, 16, PAGE].map(|k| machine.read(pid, A + k)), [Ok(1), Ok(0), Ok(0)]);
}

#[test]
fn pinning_a_file_stops_at_its_end() {
    let (mut machine, pid) = Machine::with_process();
    machine.truncate(PAGE + 1);
    machine.mmap(pid, A, 4 * PAGE, FILE);
    for access in [PinAccess::Read, PinAccess::Write] {
        let mut pages = 0;
        while let Some(run) = machine.pin(pid, A + pages * PAGE, 4 - pages, access) {
            assert!(run.counted);
            pages += run.pages;
        }
        assert_eq!(pages, 2);
    }
    machine.truncate(0);
    assert_eq!(machine.frames.in_use(), 2 * PAGE, "devices still reach the pages");
}

/// Found by its frame, a page is the lowest that can be read; beyond the end of a file is none.
#[test]
fn a_page_is_found_by_its_frame() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 1 << 24);
    machine.touch(pid, A + 7 * PAGE, 2);
    let mapped = AreaKind::File { number: 3, offset: PAGE };
    machine.truncate(4 * PAGE);
    machine.mmap(pid, A - 8 * PAGE, 4 * PAGE, mapped);
    machine.write(pid, A - 7 * PAGE, 1).unwrap();
    let found = |machine: &Machine, from: u64, len: u64, frame: u64| {
        let span = Span::from_size(at(from), len).unwrap();
        machine.processes.page_in(pid, span, PhysAddr::new(frame)).map(UserAddr::get)
    };
    let whole = (A - 16 * PAGE, 1 << 37);
    for page in [A + 7 * PAGE, A + 8 * PAGE, A - 7 * PAGE] {
        let frame = machine.frame(pid, page).unwrap();
        assert_eq!(found(&machine, whole.0, whole.1, frame), Some(page));
        assert_eq!(found(&machine, page, 1, frame), Some(page));
        assert_eq!(found(&machine, page + PAGE, PAGE, frame), None);
        assert_eq!(found(&machine, whole.0, whole.1, frame + 0x100_0000), None);
    }
    let frame = machine.frame(pid, A + 8 * PAGE).unwrap();
    machine.processes.mprotect(pid, at(A + 8 * PAGE), PAGE, Protection::None).unwrap();
    assert_eq!(found(&machine, whole.0, whole.1, frame), None);
    let frame = machine.frame(pid, A - 7 * PAGE).unwrap();
    machine.truncate(PAGE);
    assert_eq!(found(&machine, whole.0, whole.1, frame), None);
}
