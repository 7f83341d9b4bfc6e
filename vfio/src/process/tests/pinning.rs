use super::*;
use crate::process::{Cause, Fault};

impl Machine {
    fn pin_fault(&mut self, pid: Pid, va: u64, access: PinAccess) -> Option<Fault> {
        let (frames, memory) = (&mut self.frames, &mut self.memory);
        self.processes.pin_run(pid, at(va), 1, access, frames, memory).err()
    }
}

#[test]
fn a_pinned_page_outlives_its_mapping() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 1);
    machine.touch(pid, A, 1);
    let first = machine.pin(pid, A, 1, PinAccess::Write).unwrap();
    let second = machine.pin(pid, A, 1, PinAccess::Read).unwrap();
    assert_eq!(first, second);
    assert_eq!(machine.processes.pins(first.frame), 2);
    machine.anon(pid, A, 1);
    assert_eq!(machine.read(pid, A), Ok(0));
    machine.processes.exit(pid, &mut machine.frames);
    machine.unpin(first);
    assert_eq!(machine.memory.load_u64(first.frame), Ok(A));
    assert_eq!(machine.frames.in_use(), PAGE);
    machine.unpin(second);
    assert_eq!(machine.frames.in_use(), 0);
    assert!(!machine.processes.unpin(first.frame, &mut machine.frames));
    assert!(!machine.processes.unpin(PhysAddr::new(u64::MAX), &mut machine.frames));
}

#[test]
fn what_cannot_be_pinned_faults() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 2);
    machine.processes.mprotect(pid, at(A), PAGE, Protection::Read).unwrap();
    machine.processes.mprotect(pid, at(A + PAGE), PAGE, Protection::None).unwrap();
    for (va, access, cause) in [
        (A, PinAccess::Write, Cause::Protection),
        (A + PAGE, PinAccess::Read, Cause::Protection),
        (A + 2 * PAGE, PinAccess::Read, Cause::NoArea),
        (0, PinAccess::Read, Cause::NoArea),
        (1 << 55, PinAccess::Write, Cause::NoArea),
        (!0xfff, PinAccess::Read, Cause::NoArea),
    ] {
        let fault = machine.pin_fault(pid, va, access);
        assert_eq!(fault, Some(Fault { address: at(va), cause }));
    }
    assert_eq!(machine.pin_fault(pid, A, PinAccess::Read), None);
}

#[test]
fn untouched_pages_are_zero_pages_or_own_pages() {
    for (zero_page, counted) in [(ZeroPage::Pinned, false), (ZeroPage::Unshared, true)] {
        let mut machine = Machine::new(zero_page);
        let pid = machine.processes.spawn(Capabilities::empty(), 0);
        machine.anon(pid, A, 3);
        let run = machine.pin(pid, A, 1, PinAccess::Read).unwrap();
        assert_eq!(run.counted, counted);
        assert_eq!(machine.processes.pins(run.frame), u32::from(counted));
        assert_eq!(machine.frame(pid, A).is_some(), counted);
        // A write is visible in the pinned frame only if it is the process's own page.
        machine.write(pid, A, 1).unwrap();
        assert_eq!(machine.memory.load_u64(run.frame), Ok(u64::from(counted)));
        assert!(machine.pin(pid, A + PAGE, 1, PinAccess::Write).unwrap().counted);
        let mixed = machine.pin(pid, A + PAGE, 2, PinAccess::Read).unwrap();
        assert!(mixed.counted);
    }
}

#[test]
fn a_pin_takes_a_page_out_of_sharing() {
    let (mut machine, parent) = Machine::with_process();
    machine.anon(parent, A, 2);
    machine.touch(parent, A, 2);
    let (child, _) = machine.fork(parent);
    let read = machine.pin(parent, A, 1, PinAccess::Read).unwrap();
    let write = machine.pin(child, A + PAGE, 1, PinAccess::Write).unwrap();
    assert_ne!(Some(read.frame.get()), machine.frame(child, A));
    assert_ne!(Some(write.frame.get()), machine.frame(parent, A + PAGE));
    machine.write(parent, A, 1).unwrap();
    machine.write(child, A + PAGE, 2).unwrap();
    assert_eq!(machine.memory.load_u64(read.frame), Ok(1));
    assert_eq!(machine.memory.load_u64(write.frame), Ok(2));
}

#[test]
fn a_fork_leaves_pinned_pages_to_the_parent() {
    let (mut machine, parent) = Machine::with_process();
    machine.anon(parent, A, 1);
    machine.touch(parent, A, 1);
    let run = machine.pin(parent, A, 1, PinAccess::Read).unwrap();
    let (child, _) = machine.fork(parent);
    machine.write(parent, A, 1).unwrap();
    assert_eq!(machine.frame(parent, A), Some(run.frame.get()));
    assert_eq!(machine.read(child, A), Ok(A));
}

#[test]
fn a_run_is_as_long_as_memory_is_contiguous() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 16);
    machine.processes.plan(pid, at(A), PhysAddr::new(ASIDE), 10);
    machine.processes.plan(pid, at(A + 10 * PAGE), PhysAddr::new(ASIDE + 0x20_0000), 6);
    machine.touch(pid, A, 4);
    // Splitting areas does not split runs, nor does a page that is not yet populated.
    machine.processes.mprotect(pid, at(A), 2 * PAGE, Protection::Read).unwrap();
    let run = machine.pin(pid, A, 100, PinAccess::Read).unwrap();
    assert_eq!(run, Run { frame: PhysAddr::new(ASIDE), pages: 10, counted: true });
    assert_eq!(machine.pin(pid, A + PAGE, 3, PinAccess::Read).unwrap().pages, 3);
    let rest = machine.pin(pid, A + 10 * PAGE, 100, PinAccess::Write).unwrap();
    assert_eq!((rest.frame.get(), rest.pages), (ASIDE + 0x20_0000, 6));
    assert_eq!(machine.pin(pid, A + 15 * PAGE, 0, PinAccess::Write).unwrap().pages, 1);
    machine.processes.mprotect(pid, at(A + 5 * PAGE), PAGE, Protection::None).unwrap();
    assert_eq!(machine.pin(pid, A, 100, PinAccess::Read).unwrap().pages, 5);
}

#[test]
fn device_memory_is_not_counted_and_may_lie_beside_memory() {
    let (mut machine, pid) = Machine::with_process();
    let base = PhysAddr::new(0x1000_0000);
    machine.mmap(pid, A, 256 * PAGE, AreaKind::Device { base, file: file(1) });
    machine.anon(pid, A + 256 * PAGE, 2);
    let run = machine.pin(pid, A + PAGE, u64::MAX, PinAccess::Write).unwrap();
    assert_eq!(run, Run { frame: PhysAddr::new(0x1000_1000), pages: 255, counted: false });
    assert!(!machine.processes.unpin(run.frame, &mut machine.frames));
    // Two mappings of adjacent registers are one run.
    let base = PhysAddr::new(0x1010_0000);
    machine.mmap(pid, A + 256 * PAGE, PAGE, AreaKind::Device { base, file: file(1) });
    assert_eq!(machine.pin(pid, A, u64::MAX, PinAccess::Read).unwrap().pages, 257);
    machine.processes.mprotect(pid, at(A), PAGE, Protection::Read).unwrap();
    assert_eq!(machine.pin(pid, A, 4, PinAccess::Write), None);
}

#[test]
fn memory_ends() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 1 << 30);
    let (frames, memory) = (&mut machine.frames, &mut machine.memory);
    let touched = machine.processes.touch(pid, at(A), 1 << 40, frames, memory);
    assert_eq!(touched.map_err(errno), Err(Errno::ENOMEM));
    let fault = machine.pin_fault(pid, A + (1 << 40), PinAccess::Write);
    assert_eq!(fault.map(|fault| fault.cause), Some(Cause::NoFrame));
    let run = machine.pin(pid, A, 1, PinAccess::Write).unwrap();
    let (frames, memory) = (&mut machine.frames, &mut machine.memory);
    assert!(machine.processes.fork(pid, frames, memory).is_none(), "no frame for a copy");
    machine.unpin(run);
    let (child, _) = machine.fork(pid);
    machine.processes.exit(child, &mut machine.frames);
    machine.processes.exit(pid, &mut machine.frames);
    assert_eq!(machine.frames.in_use(), 0);
}
