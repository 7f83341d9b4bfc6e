use super::*;
use crate::process::{Misplaced, NotMoved};

impl Machine {
    fn plan(&mut self, pid: Pid, va: u64, frame: u64, pages: u64) {
        self.processes.plan(pid, at(va), PhysAddr::new(frame), pages);
    }

    fn migrate(&mut self, pid: Pid, va: u64, to: u64) -> Result<(), NotMoved> {
        let (frames, memory) = (&mut self.frames, &mut self.memory);
        self.processes.migrate(pid, at(va), PhysAddr::new(to), frames, memory)
    }

    fn misplaced(&mut self) -> Vec<(u64, u64)> {
        let misplaced = self.processes.take_misplaced();
        misplaced.iter().map(|Misplaced { at, planned }| (at.get(), planned.get())).collect()
    }
}

#[test]
fn pages_appear_where_they_are_planned_once() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 6);
    machine.plan(pid, A, ASIDE, 6);
    machine.plan(pid, A + 2 * PAGE, ASIDE + 0x10_0000, 2);
    for page in [3, 0, 5] {
        machine.touch(pid, A + page * PAGE, 1);
    }
    machine.touch(pid, A, 6);
    let frames: Vec<_> = (0..6).map(|k| machine.frame(pid, A + k * PAGE).unwrap()).collect();
    let aside = [0, 0x1000, 0x10_0000, 0x10_1000, 0x4000, 0x5000].map(|k| ASIDE + k);
    assert_eq!(frames, aside);
    machine.anon(pid, A, 6);
    machine.touch(pid, A, 1);
    assert!(machine.frame(pid, A).unwrap() < ASIDE, "a plan is used once");
    assert_eq!(machine.misplaced(), []);
}

#[test]
fn a_frame_in_use_is_not_given_twice() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 4);
    machine.plan(pid, A, ASIDE, 1);
    machine.plan(pid, A + PAGE, ASIDE, 1);
    machine.plan(pid, A + 2 * PAGE, RAM, 1);
    machine.plan(pid, A + 3 * PAGE, 1 << 60, 1);
    machine.touch(pid, A, 4);
    let wrong = [(A + PAGE, ASIDE), (A + 2 * PAGE, RAM), (A + 3 * PAGE, 1 << 60)];
    assert_eq!(machine.misplaced(), wrong);
    assert_eq!(machine.misplaced(), []);
    // A pin keeps the frame after the page is unmapped.
    let run = machine.pin(pid, A, 1, PinAccess::Read).unwrap();
    machine.anon(pid, A, 1);
    machine.plan(pid, A, ASIDE, 1);
    machine.touch(pid, A, 1);
    assert_eq!(machine.misplaced(), [(A, ASIDE)]);
    machine.unpin(run);
    machine.anon(pid, A, 1);
    machine.plan(pid, A, ASIDE, 1);
    machine.touch(pid, A, 1);
    assert_eq!((machine.misplaced(), machine.frame(pid, A)), (vec![], Some(ASIDE)));
}

#[test]
fn a_huge_page_is_planned_as_a_whole_or_not_at_all() {
    const HUGE: u64 = 0x20_0000;
    let (mut machine, pid) = Machine::with_process();
    machine.mmap(pid, A, 3 * HUGE, AreaKind::HugeTlb { lg2: 21 });
    machine.plan(pid, A, ASIDE + HUGE, 1024);
    machine.plan(pid, A + 2 * HUGE, ASIDE + PAGE, 512);
    machine.touch(pid, A + 2 * HUGE, 1);
    machine.touch(pid, A, 1024);
    assert_eq!(machine.frame(pid, A), Some(ASIDE + HUGE));
    assert_eq!(machine.frame(pid, A + HUGE + 7 * PAGE), Some(ASIDE + 2 * HUGE + 7 * PAGE));
    assert_eq!(machine.misplaced(), [(A + 2 * HUGE, ASIDE + PAGE)]);
    assert_eq!(machine.pin(pid, A, 4096, PinAccess::Write).unwrap().pages, 1024);
}

#[test]
fn a_page_moves_while_nobody_holds_it() {
    let (mut machine, pid) = Machine::with_process();
    machine.anon(pid, A, 2);
    machine.touch(pid, A, 2);
    assert_eq!(machine.migrate(pid, A, ASIDE), Ok(()));
    assert_eq!(machine.migrate(pid, A, ASIDE), Ok(()));
    assert_eq!((machine.frame(pid, A), machine.read(pid, A)), (Some(ASIDE), Ok(A)));
    assert_eq!(machine.frames.in_use(), PAGE, "the old frame is free");
    assert_eq!(machine.migrate(pid, A + PAGE, ASIDE), Err(NotMoved::Occupied));
    assert_eq!(machine.migrate(pid, A + PAGE, RAM), Err(NotMoved::Occupied));
    assert_eq!(machine.migrate(pid, A + 2 * PAGE, ASIDE), Err(NotMoved::NoPage));
    let run = machine.pin(pid, A, 1, PinAccess::Read).unwrap();
    assert_eq!(machine.migrate(pid, A, ASIDE + PAGE), Err(NotMoved::Held));
    machine.unpin(run);
    machine.fork(pid);
    assert_eq!(machine.migrate(pid, A, ASIDE + PAGE), Err(NotMoved::Held));
}
