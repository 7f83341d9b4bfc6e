//! Between the steps of a system call: what a device can still access, and when pages are unpinned.
//!
//! Hardware runs only while the kernel waits, one command at a time. Between any two steps a device
//! accesses every page of the mapping that is being removed. It may still reach the old page as
//! long as that page is pinned; once the call has returned it must not.

mod enabling;

use passim::machine;
use passim::system::Outcome;
use passim::system::{Pace, Setup, System};
use passim_model::{Access, Host, Iova, PhysAddr, Rid, UserAddr};
use passim_vfio::process::{Capabilities, Pid, Start};
use passim_vfio::step::{Queue, Step};
use passim_vfio::uapi::{Header, MapRequest, UnmapRequest, ioctl};
use passim_vfio::{Answer, Arg, Call, MapKind, Profile, Protection};

const ARENA: UserAddr = UserAddr::new(0x1000_0000_0000);
const IOVA: u64 = 0x4000_0000;
const PAGE: u64 = 0x1000;
const PAGES: u64 = 8;
const DEVICE: Rid = match Rid::from_bdf(0, 1, 0) {
    Some(rid) => rid,
    None => panic!("a device number below 32"),
};

struct Rig {
    system: System,
    pid: Pid,
}

fn rig(profile: Profile) -> Rig {
    let machine = machine::builtin("virt-its").expect("it is built in").expect("it parses");
    let mut system = System::new(&machine, Setup::new(&machine, profile)).expect("it boots");
    let capabilities = Capabilities::all();
    let pid = system.kernel.spawn(&Start { fds: vec![0, 1, 2], memlock: 0, capabilities });
    let mut rig = Rig { system, pid };
    let (prot, kind) = (Protection::ReadWrite, MapKind::Anonymous);
    rig.run(Call::Mmap { va: ARENA, len: PAGES * PAGE, prot, kind });
    let Rig { system, pid } = &mut rig;
    system.kernel.touch(*pid, ARENA, PAGES * PAGE, &mut system.board).expect("it is writable");
    let group = machine.function(DEVICE).and_then(|function| function.group).expect("a group");
    rig.run(Call::Open { path: "/dev/vfio/vfio".to_owned() });
    rig.run(Call::Open { path: format!("/dev/vfio/{group}") });
    let container = Arg::Bytes(3i32.to_le_bytes().to_vec());
    rig.run(Call::Ioctl { fd: 4, request: ioctl::GROUP_SET_CONTAINER, arg: container });
    rig.run(Call::Ioctl { fd: 3, request: ioctl::SET_IOMMU, arg: Arg::Value(3) });
    rig
}

fn map() -> Call {
    let header = Header { argsz: 32, flags: 3 };
    let request = MapRequest { header, vaddr: ARENA.get(), iova: IOVA, size: PAGES * PAGE };
    Call::Ioctl { fd: 3, request: ioctl::IOMMU_MAP_DMA, arg: Arg::Bytes(request.to_bytes()) }
}

fn unmap() -> Call {
    let header = Header { argsz: 24, flags: 0 };
    let request = UnmapRequest { header, iova: IOVA, size: PAGES * PAGE };
    Call::Ioctl { fd: 3, request: ioctl::IOMMU_UNMAP_DMA, arg: Arg::Bytes(request.to_bytes()) }
}

impl Rig {
    fn run(&mut self, call: Call) -> Answer {
        let answer = self.system.kernel.run(self.pid, call, &mut self.system.board);
        assert!(answer.ret.is_ok(), "{answer:?}");
        answer
    }

    /// The addresses that the device's reads of each page of the mapping reach.
    fn reached(&mut self) -> Vec<Option<PhysAddr>> {
        let page = |k| Iova::new(IOVA + k * PAGE);
        (0..PAGES).map(|k| self.reach(page(k))).collect()
    }

    fn reach(&mut self, iova: Iova) -> Option<PhysAddr> {
        match self.system.translate(DEVICE, iova, Access::READ)? {
            Outcome::Translated(translated) => Some(translated.pa),
            Outcome::Terminated(_) | Outcome::Stalled(_) => None,
        }
    }

    fn frames(&self) -> Vec<Option<PhysAddr>> {
        let page = |k| UserAddr::new(ARENA.get() + k * PAGE);
        (0..PAGES).map(|k| self.system.kernel.frame_of(self.pid, page(k))).collect()
    }
}

/// Runs a call step by step, with `look` after each; returns the answer and the number of waits.
fn stepped(rig: &mut Rig, call: Call, mut look: impl FnMut(&mut Rig)) -> (Answer, usize) {
    rig.system.board.set_pace(Pace::Stepped);
    let mut operation = rig.system.kernel.begin(rig.pid, call);
    let mut waits = 0;
    loop {
        let step = rig.system.kernel.step(&mut operation, &mut rig.system.board);
        if let Step::Done(answer) = step {
            rig.system.board.set_pace(Pace::Eager);
            return (answer, waits);
        }
        waits += 1;
        assert!(waits < 10_000, "the call comes to an end");
        look(rig);
        rig.system.board.relax();
    }
}

#[test]
fn a_device_reaches_only_pinned_pages_while_they_are_unmapped() {
    for profile in [Profile::Linux6_1, Profile::Linux6_12] {
        let mut rig = rig(profile);
        rig.run(map());
        let frames = rig.frames();
        assert_eq!(rig.reached(), frames, "the TLB holds every page");
        let mut stale = 0;
        let (answer, waits) = stepped(&mut rig, unmap(), |rig| {
            for (reached, frame) in rig.reached().into_iter().zip(&frames) {
                assert!(reached.is_none() || reached == *frame, "old page or fault");
                if let Some(frame) = reached {
                    stale += 1;
                    assert!(rig.system.kernel.is_pinned(frame), "{frame} is still pinned");
                }
            }
        });
        assert!(answer.ret.is_ok());
        assert!(waits > 0 && stale > 0, "the window between table and SYNC was seen");
        assert_eq!(rig.reached(), vec![None; PAGES as usize]);
        for frame in frames.into_iter().flatten() {
            assert!(!rig.system.kernel.is_pinned(frame));
        }
    }
}

#[test]
fn a_second_call_waits_for_the_container() {
    let mut rig = rig(Profile::Linux6_12);
    rig.run(map());
    rig.system.board.set_pace(Pace::Stepped);
    let mut first = rig.system.kernel.begin(rig.pid, unmap());
    let step = rig.system.kernel.step(&mut first, &mut rig.system.board);
    assert!(matches!(step, Step::Waiting(Queue::SmmuCommands(0))), "{step:?}");
    let mut second = rig.system.kernel.begin(rig.pid, map());
    let step = rig.system.kernel.step(&mut second, &mut rig.system.board);
    assert!(matches!(step, Step::Waiting(Queue::ContainerLock(_))), "{step:?}");
    rig.system.board.set_pace(Pace::Eager);
    rig.system.board.settle();
    for operation in [&mut first, &mut second] {
        match rig.system.kernel.step(operation, &mut rig.system.board) {
            Step::Done(answer) => assert!(answer.ret.is_ok(), "{answer:?}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rig.reached(), rig.frames());
}

/// Joining and leaving pass through a blocked state: no access of the device succeeds then.
#[test]
fn a_group_that_leaves_reaches_nothing_of_its_old_domain() {
    for profile in [Profile::Linux6_1, Profile::Linux6_12] {
        let mut rig = rig(profile);
        rig.run(map());
        let frames = rig.frames();
        rig.reached();
        let (answer, waits) = stepped(&mut rig, Call::Close { fd: 4 }, |rig| {
            for (reached, frame) in rig.reached().into_iter().zip(&frames) {
                let pinned = reached.is_none_or(|at| rig.system.kernel.is_pinned(at));
                assert!(reached.is_none() || reached == *frame && pinned);
            }
        });
        assert!(answer.ret.is_ok() && waits > 0);
        assert_eq!(rig.reached(), vec![None; PAGES as usize]);
    }
}

/// Closing the group while an unmap waits for its SYNC must not free the domain in use.
#[test]
fn closing_a_group_waits_for_an_unmap_under_way() {
    for profile in [Profile::Linux6_1, Profile::Linux6_12] {
        let mut rig = rig(profile);
        rig.run(map());
        rig.reached();
        rig.system.board.set_pace(Pace::Stepped);
        let mut operations = [
            rig.system.kernel.begin(rig.pid, unmap()),
            rig.system.kernel.begin(rig.pid, Call::Close { fd: 4 }),
        ];
        let mut rounds = 0;
        while !operations.iter().all(|operation| operation.is_finished()) {
            rounds += 1;
            assert!(rounds < 10_000, "both calls come to an end");
            for operation in &mut operations {
                if operation.is_finished() {
                    continue;
                }
                let step = rig.system.kernel.step(operation, &mut rig.system.board);
                if let Step::Done(answer) = step {
                    assert!(answer.ret.is_ok(), "{answer:?}");
                }
            }
            rig.system.board.relax();
        }
        rig.system.board.set_pace(Pace::Eager);
        rig.system.board.settle();
        assert_eq!(rig.reached(), vec![None; PAGES as usize]);
        for frame in rig.frames().into_iter().flatten() {
            assert!(!rig.system.kernel.is_pinned(frame));
        }
    }
}
