use super::*;

#[test]
fn touched_pages_hold_their_own_address() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 3);
    assert_eq!(machine.read(pid, A + PAGE), Ok(0));
    assert_eq!(machine.frames.in_use(), 0, "reading makes no pages");
    machine.write(pid, A + PAGE + 0x800, 1).unwrap();
    machine.touch(pid, A, 3);
    assert_eq!(machine.frames.in_use(), 3 * PAGE);
    for page in 0..3 {
        assert_eq!(machine.read(pid, A + page * PAGE), Ok(A + page * PAGE));
    }
    assert_eq!(machine.read(pid, A + PAGE + 0x800), Ok(0));
}

#[test]
fn an_access_stops_at_the_first_bad_byte() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 2);
    machine.munmap(pid, A + PAGE, PAGE).unwrap();
    let (frames, memory) = (&mut machine.frames, &mut machine.memory);
    let refusal = machine.processes.write(pid, at(A + 0xffc), &[7; 8], frames, memory);
    let refusal = refusal.unwrap_err();
    assert_eq!(refusal.errno, Errno::EFAULT);
    assert_eq!(refusal.conflict, passim_model::Conflict::User(at(A + PAGE)));
    let prefix = machine.processes.read_prefix(pid, at(A + 0xffa), 100, &machine.memory);
    assert_eq!(prefix, [0, 0, 7, 7, 7, 7]);
    assert_eq!(machine.write(pid, u64::MAX - 3, 1), Err(Errno::EFAULT));
    assert_eq!(machine.read(pid, u64::MAX - 3), Err(Errno::EFAULT));
}

#[test]
fn protection_decides_and_a_hole_stops_its_change() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 4);
    machine.touch(pid, A, 4);
    let mprotect = |machine: &mut Machine, va, len, prot| {
        machine.processes.mprotect(pid, at(va), len, prot).map_err(errno)
    };
    assert_eq!(mprotect(&mut machine, A + PAGE, PAGE, Protection::Read), Ok(0));
    assert_eq!(mprotect(&mut machine, A + 2 * PAGE, PAGE, Protection::None), Ok(0));
    assert_eq!(machine.read(pid, A + PAGE), Ok(A + PAGE));
    assert_eq!(machine.write(pid, A + PAGE, 1), Err(Errno::EFAULT));
    assert_eq!(machine.read(pid, A + 2 * PAGE), Err(Errno::EFAULT));
    assert_eq!(machine.write(pid, A + 3 * PAGE, 1), Ok(()));
    machine.munmap(pid, A + 2 * PAGE, PAGE).unwrap();
    let all = mprotect(&mut machine, A, 4 * PAGE, Protection::Read);
    assert_eq!(all, Err(Errno::ENOMEM));
    assert_eq!(machine.write(pid, A, 1), Err(Errno::EFAULT), "in front of the hole");
    assert_eq!(machine.write(pid, A + 3 * PAGE, 1), Ok(()), "behind it");
    assert_eq!(mprotect(&mut machine, A + 1, PAGE, Protection::Read), Err(Errno::EINVAL));
    assert_eq!(mprotect(&mut machine, A, 0, Protection::None), Ok(0));
}

#[test]
fn ranges_are_judged() {
    let (mut machine, pid) = Machine::with_process();
    let mut mmap = |va, len, kind| {
        let (processes, frames) = (&mut machine.processes, &mut machine.frames);
        processes.mmap(pid, at(va), len, Protection::Read, kind, frames).map_err(errno)
    };
    let anon = AreaKind::Anonymous;
    assert_eq!(mmap(A + 1, PAGE, anon), Err(Errno::EINVAL));
    assert_eq!(mmap(A, 0, anon), Err(Errno::EINVAL));
    assert_eq!(mmap(1 << 48, PAGE, anon), Err(Errno::ENOMEM));
    assert_eq!(mmap((1 << 48) - PAGE, 2 * PAGE, anon), Err(Errno::ENOMEM));
    assert_eq!(mmap(A, u64::MAX, anon), Err(Errno::ENOMEM));
    assert_eq!(mmap((1 << 48) - PAGE, 1, anon), Ok(vec![]));
    assert_eq!(mmap(0, 1 << 48, anon), Ok(vec![]));
    assert_eq!(mmap(A, PAGE, AreaKind::File { number: 0, offset: 1 }), Err(Errno::EINVAL));
    for lg2 in [0, 11, 64, u32::MAX] {
        assert_eq!(mmap(A, 0x20_0000, AreaKind::HugeTlb { lg2 }), Err(Errno::EINVAL));
    }
    assert_eq!(mmap(A, PAGE, AreaKind::HugeTlb { lg2: 21 }), Err(Errno::EINVAL));
    assert_eq!(mmap(A + PAGE, 0x20_0000, AreaKind::HugeTlb { lg2: 21 }), Err(Errno::EINVAL));
    assert_eq!(machine.munmap(pid, A + 1, PAGE), Err(Errno::EINVAL));
    assert_eq!(machine.munmap(pid, A, 0), Err(Errno::EINVAL));
    assert_eq!(machine.munmap(pid, 1 << 48, PAGE), Err(Errno::EINVAL));
    assert_eq!(machine.munmap(pid, 0, 1 << 48), Ok(vec![]));
}

#[test]
fn a_device_stays_open_until_its_last_piece_goes() {
    let (mut machine, pid) = Machine::with_process();
    let device = AreaKind::Device { base: PhysAddr::new(0x1000_0000), file: file(7) };
    machine.mmap(pid, A, 4 * PAGE, device);
    assert_eq!(machine.munmap(pid, A + PAGE, PAGE), Ok(vec![]));
    machine.processes.mprotect(pid, at(A + 2 * PAGE), PAGE, Protection::Read).unwrap();
    let resolve = |machine: &Machine, va, access| machine.processes.resolve(pid, at(va), access);
    assert_eq!(
        resolve(&machine, A + 3 * PAGE + 8, PinAccess::Write),
        Ok(crate::process::Resolved::Device(PhysAddr::new(0x1000_3008)))
    );
    assert!(resolve(&machine, A + 2 * PAGE, PinAccess::Write).is_err());
    assert_eq!(machine.read(pid, A), Err(Errno::EFAULT), "registers are no memory");
    let (child, files) = machine.fork(pid);
    assert_eq!(files, [file(7)]);
    assert_eq!(machine.munmap(pid, A, 3 * PAGE), Ok(vec![]));
    assert_eq!(machine.mmap(pid, A + 3 * PAGE, PAGE, AreaKind::Anonymous), [file(7)]);
    assert_eq!(machine.processes.exit(pid, &mut machine.frames), []);
    assert_eq!(machine.processes.exit(child, &mut machine.frames), [file(7)]);
}

#[test]
fn a_fork_copies_on_write() {
    let (mut machine, parent) = Machine::with_process();
    machine.anon(parent, A, 3);
    machine.touch(parent, A, 2);
    let (child, files) = machine.fork(parent);
    assert_eq!(files, []);
    assert_eq!(machine.frames.in_use(), 2 * PAGE);
    assert_eq!(machine.frame(parent, A), machine.frame(child, A));
    let before = machine.frame(parent, A);
    machine.write(parent, A, 1).unwrap();
    assert_eq!(machine.frame(child, A), before);
    assert_eq!(machine.read(child, A), Ok(A));
    machine.write(child, A, 2).unwrap();
    assert_eq!(machine.frame(child, A), before, "the last owner keeps the frame");
    assert_eq!((machine.read(parent, A), machine.read(child, A)), (Ok(1), Ok(2)));
    machine.write(child, A + 2 * PAGE, 3).unwrap();
    assert_eq!(machine.read(parent, A + 2 * PAGE), Ok(0));
    machine.processes.exit(parent, &mut machine.frames);
    assert_eq!(machine.read(child, A + PAGE), Ok(A + PAGE));
    machine.processes.exit(child, &mut machine.frames);
    assert_eq!(machine.frames.in_use(), 0);
}

#[test]
fn huge_pages_appear_and_go_as_a_whole() {
    const HUGE: u64 = 0x20_0000;
    let (mut machine, pid) = Machine::with_process();
    machine.mmap(pid, A, 2 * HUGE, AreaKind::HugeTlb { lg2: 21 });
    machine.write(pid, A + 5 * PAGE, 9).unwrap();
    assert_eq!(machine.frames.in_use(), HUGE);
    let head = machine.frame(pid, A).unwrap();
    assert_eq!(head % HUGE, 0);
    assert_eq!(machine.frame(pid, A + HUGE - PAGE), Some(head + HUGE - PAGE));
    assert_eq!(machine.munmap(pid, A + PAGE, PAGE), Err(Errno::EINVAL));
    assert_eq!(machine.munmap(pid, A, HUGE + PAGE), Err(Errno::EINVAL));
    let run = machine.pin(pid, A + PAGE, 1, PinAccess::Write).unwrap();
    let (child, _) = machine.fork(pid);
    assert_eq!(machine.frames.in_use(), 2 * HUGE, "pinned, so copied at once");
    assert_eq!(machine.read(child, A + 5 * PAGE), Ok(9));
    machine.processes.exit(child, &mut machine.frames);
    machine.munmap(pid, A, HUGE).unwrap();
    assert_eq!(machine.frames.in_use(), HUGE, "one pinned page holds all of it");
    machine.unpin(run);
    assert_eq!(machine.frames.in_use(), 0);
    assert!(machine.frames.alloc(PageSize::from_lg2(24).unwrap()).is_some());
}
