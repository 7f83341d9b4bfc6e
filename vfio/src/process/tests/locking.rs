use super::*;
use crate::process::LimitExceeded;

#[test]
fn charges_are_limited_in_whole_pages() {
    let mut machine = Machine::new(ZeroPage::Unshared);
    let pid = machine.processes.spawn(Capabilities::IPC_LOCK, 12289);
    let charge =
        |machine: &mut Machine, pages, ipc_lock| machine.processes.charge(pid, pages, ipc_lock);
    let exceeded = |wanted| Err(LimitExceeded { limit: 3, wanted });
    assert_eq!(charge(&mut machine, 4, false), exceeded(4));
    assert_eq!(charge(&mut machine, 3, false), Ok(()));
    assert_eq!(charge(&mut machine, 1, false), exceeded(4));
    assert_eq!(charge(&mut machine, 33, true), Ok(()));
    assert_eq!(charge(&mut machine, 0, false), Ok(()));
    let process = machine.processes.get(pid).unwrap();
    assert_eq!(process.locked_kib(), 144);
    assert_eq!(process.status(), "VmLck:\t     144 kB\nVmPin:\t       0 kB\n");
    let (child, _) = machine.fork(pid);
    assert_eq!(machine.processes.locked_pages(child), 0);
    assert!(machine.processes.get(child).unwrap().ipc_lock());
    machine.processes.drop_ipc_lock(pid).unwrap();
    assert!(!machine.processes.get(pid).unwrap().ipc_lock());
    assert!(machine.processes.get(child).unwrap().ipc_lock());
    machine.processes.uncharge(pid, 36);
    assert_eq!(machine.processes.locked_pages(pid), 0);
    // Below zero: whoever gives back what another was charged exceeds any limit from then on.
    machine.processes.uncharge(pid, 2);
    assert_eq!(machine.processes.locked_pages(pid), u64::MAX - 1);
    assert_eq!(charge(&mut machine, 1, false), exceeded(u64::MAX));
    assert_eq!(charge(&mut machine, 4, false), exceeded(2));
    assert_eq!(charge(&mut machine, 4, true), Ok(()));
    assert_eq!(machine.processes.locked_pages(pid), 2);
}

#[test]
fn mlock_counts_each_page_once_and_nothing_if_refused() {
    let mut machine = Machine::new(ZeroPage::Unshared);
    let pid = machine.processes.spawn(Capabilities::empty(), 3 * PAGE);
    machine.anon(pid, A, 8);
    assert_eq!(machine.mlock(pid, A, 4 * PAGE), Err(Errno::ENOMEM));
    assert_eq!(machine.processes.locked_pages(pid), 0);
    assert_eq!(machine.mlock(pid, A + 0xfff, 2), Ok(0));
    assert_eq!(machine.processes.locked_pages(pid), 2);
    assert_eq!(machine.frames.in_use(), 2 * PAGE, "locked pages are present");
    assert_eq!(machine.mlock(pid, A, 3 * PAGE), Ok(0));
    assert_eq!(machine.mlock(pid, A + 3 * PAGE, PAGE), Err(Errno::ENOMEM));
    assert_eq!(machine.processes.locked_pages(pid), 3);
    assert_eq!(machine.processes.charge(pid, 1, false).unwrap_err().wanted, 4);
    assert_eq!(machine.processes.munlock(pid, at(A + PAGE), PAGE).map_err(errno), Ok(0));
    assert_eq!(machine.processes.locked_pages(pid), 2);
    machine.munmap(pid, A, 2 * PAGE).unwrap();
    assert_eq!(machine.processes.locked_pages(pid), 1);
    machine.anon(pid, A, 8);
    assert_eq!(machine.processes.locked_pages(pid), 0);
    machine.processes.set_memlock(pid, 0).unwrap();
    assert_eq!(machine.mlock(pid, A, PAGE), Err(Errno::EPERM));
}

#[test]
fn mlock_goes_up_to_a_hole() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 4);
    machine.munmap(pid, A + 2 * PAGE, PAGE).unwrap();
    assert_eq!(machine.mlock(pid, A, 4 * PAGE), Err(Errno::ENOMEM));
    assert_eq!(machine.processes.locked_pages(pid), 2);
    let munlocked = machine.processes.munlock(pid, at(A), 4 * PAGE).map_err(errno);
    assert_eq!(munlocked, Err(Errno::ENOMEM));
    assert_eq!(machine.processes.locked_pages(pid), 0);
    assert_eq!(machine.mlock(pid, A, 0), Ok(0));
    assert_eq!(machine.mlock(pid, A, u64::MAX), Ok(0), "the sum wraps to no page");
    assert_eq!(machine.mlock(pid, A, u64::MAX - 0x1fff), Err(Errno::EINVAL));
    machine.processes.mprotect(pid, at(A), PAGE, Protection::None).unwrap();
    assert_eq!(machine.mlock(pid, A, PAGE), Err(Errno::ENOMEM));
    let base = PhysAddr::new(0);
    machine.mmap(pid, A, PAGE, AreaKind::Device { base, file: file(1) });
    assert_eq!(machine.mlock(pid, A, PAGE), Ok(0));
    assert_eq!(machine.processes.locked_pages(pid), 0, "registers do not count");
}

/// 6.12 do_mlock compares what is locked with the limit before it looks at the range.
#[test]
fn mlock_of_no_page_is_judged_by_the_limit() {
    let mut machine = Machine::new(ZeroPage::Unshared);
    let pid = machine.processes.spawn(Capabilities::empty(), 3 * PAGE);
    assert_eq!(machine.mlock(pid, A, 0), Ok(0));
    machine.processes.charge(pid, 3, false).unwrap();
    machine.processes.set_memlock(pid, 2 * PAGE).unwrap();
    assert_eq!(machine.mlock(pid, A, 0), Err(Errno::ENOMEM));
}
