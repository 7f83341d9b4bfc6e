//! Two devices of one domain enable their vectors at once: every order of their steps.

use passim::machine;
use passim::system::{Outcome, Setup, System};
use passim_model::{Access, Host, Iova, Rid};
use passim_vfio::operation::Operation;
use passim_vfio::policy::DoorbellUnwind;
use passim_vfio::process::{Capabilities, Pid, Start};
use passim_vfio::step::{Queue, Step};
use passim_vfio::uapi::{Header, IrqSet, MapRequest, ioctl};
use passim_vfio::{Answer, Arg, Call, Profile};

/// Two devices of plain-v2m, each a group of its own, behind one SMMU.
const DEVICES: [Rid; 2] = [Rid::new(0x08), Rid::new(0x10)];
/// Their descriptors.
const FILES: [i32; 2] = [5, 7];
const WINDOW: u64 = 0x800_0000;

/// The steps of two calls that each map a doorbell, of which one unmaps it.
const STEPS: u32 = 8;

struct Rig {
    system: System,
    pid: Pid,
    /// One for each possible vector.
    eventfds: Vec<i32>,
}

impl Rig {
    /// Both devices in one container, with a window of `pages` pages.
    fn new(pages: u64, unwind: DoorbellUnwind) -> Self {
        let machine = machine::builtin("plain-v2m").expect("it is built in").expect("it parses");
        let mut setup = Setup::new(&machine, Profile::MsiV9);
        setup.params.allow_unsafe_interrupts = true;
        setup.policy.doorbell_unwind = unwind;
        let mut system = System::new(&machine, setup).expect("it boots");
        let capabilities = Capabilities::all();
        let pid = system.kernel.spawn(&Start { fds: vec![0, 1, 2], memlock: 0, capabilities });
        let mut rig = Self { system, pid, eventfds: Vec::new() };
        rig.run(Call::Open { path: "/dev/vfio/vfio".to_owned() });
        for (device, group) in DEVICES.into_iter().zip([4, 6]) {
            let number = rig.system.topology().function(device).and_then(|it| it.group);
            rig.run(Call::Open { path: format!("/dev/vfio/{}", number.expect("it has a group")) });
            let container = Arg::Bytes(3i32.to_le_bytes().to_vec());
            rig.ioctl(group, ioctl::GROUP_SET_CONTAINER, container);
            if group == 4 {
                rig.ioctl(3, ioctl::SET_IOMMU, Arg::Value(3));
            }
            let name = Arg::Bytes(format!("0000:{device}\0").into_bytes());
            rig.ioctl(group, ioctl::GROUP_GET_DEVICE_FD, name);
        }
        let header = Header { argsz: 32, flags: 4 };
        let window = MapRequest { header, vaddr: 0, iova: WINDOW, size: pages << 12 };
        rig.ioctl(3, ioctl::IOMMU_MAP_DMA, Arg::Bytes(window.to_bytes()));
        for _ in 0..4 {
            let eventfd = rig.run(Call::EventFd).ret.expect("a descriptor is free");
            rig.eventfds.push(eventfd as i32);
        }
        rig
    }

    fn run(&mut self, call: Call) -> Answer {
        let answer = self.system.call(self.pid, call);
        assert!(answer.ret.is_ok(), "{answer:?}");
        answer
    }

    fn ioctl(&mut self, fd: i32, request: u32, arg: Arg) -> Answer {
        self.run(Call::Ioctl { fd, request, arg })
    }

    /// SET_IRQS of MSI-X that enables `vectors` vectors, each with an eventfd: with the series a
    /// message is composed when its interrupt is requested.
    fn enabling(&self, device: usize, vectors: u32) -> Operation {
        let header = Header { argsz: IrqSet::BYTES as u32 + 4 * vectors, flags: 4 | 32 };
        let set = IrqSet { header, index: 2, start: 0, count: vectors };
        let mut bytes = set.to_bytes().to_vec();
        let eventfds = self.eventfds[2 * device..].iter().take(vectors as usize);
        bytes.extend(eventfds.flat_map(|eventfd| eventfd.to_le_bytes()));
        let (fd, request) = (FILES[device], ioctl::DEVICE_SET_IRQS);
        let call = Call::Ioctl { fd, request, arg: Arg::Bytes(bytes) };
        self.system.kernel.begin(self.pid, call)
    }

    /// Runs both to their ends; the bits of `turns` decide whose step is next.
    fn both(&mut self, vectors: [u32; 2], turns: u32) -> [Answer; 2] {
        let mut running = [self.enabling(0, vectors[0]), self.enabling(1, vectors[1])];
        let mut answers = [None, None];
        for turn in 0.. {
            let whose = (turns >> (turn % STEPS) & 1) as usize;
            let open = |at: &usize| !running[*at].is_finished();
            let Some(at) = [whose, 1 - whose].into_iter().find(open) else { break };
            match self.system.kernel.step(&mut running[at], &mut self.system.board) {
                Step::Done(answer) => answers[at] = Some(answer),
                Step::Waiting(Queue::SmmuCommands(_) | Queue::SmmuInvalidations(_)) => {
                    self.system.board.relax();
                }
                Step::Waiting(queue) => panic!("two devices wait for no lock: {queue:?}"),
                Step::Unlocked => {}
            }
        }
        answers.map(|answer| answer.expect("both came to an end"))
    }

    fn vectors(&self) -> u64 {
        DEVICES.iter().map(|&device| self.system.kernel.vectors(device).len() as u64).sum()
    }

    fn references(&self) -> u64 {
        self.system.kernel.doorbells_of(DEVICES[0]).iter().map(|it| it.references).sum()
    }

    /// Whether every vector's message arrives.
    fn all_get_through(&mut self) -> bool {
        let mut through = true;
        for device in DEVICES {
            for vector in self.system.kernel.vectors(device) {
                let at = Iova::new(vector.message.address);
                let outcome = self.system.translate(device, at, Access::WRITE);
                through &= matches!(outcome, Some(Outcome::Translated(_)));
            }
        }
        through
    }

    fn overput(&mut self) -> bool {
        let verdicts = self.system.kernel.take_verdicts();
        verdicts.iter().any(|verdict| verdict.rule.name == "doorbell-put-twice")
    }
}

/// As intended, every vector holds one reference in any order, and every message arrives. With room
/// for one doorbell only the second look-up may fail.
#[test]
fn no_order_loses_a_reference_as_intended() {
    for pages in [2, 3, 16] {
        let mut refused = 0;
        for turns in 0..1 << STEPS {
            let mut rig = Rig::new(pages, DoorbellUnwind::AsIntended);
            let answers = rig.both([1, 2], turns);
            refused += answers.iter().filter(|answer| answer.ret.is_err()).count();
            assert_eq!(rig.references(), rig.vectors(), "{pages} pages, turns {turns:#b}");
            assert!(rig.all_get_through(), "{pages} pages, turns {turns:#b}");
            assert!(!rig.overput());
        }
        assert_eq!(refused > 0, pages == 2, "{pages} pages: {refused} refused");
    }
}

/// As coded, an order that makes one fail drops a reference of the other: exactly where a verdict
/// reports it.
#[test]
fn some_orders_lose_a_reference_as_coded() {
    let (mut bites, mut faults) = (0, 0);
    for turns in 0..1 << STEPS {
        let mut rig = Rig::new(2, DoorbellUnwind::AsCoded);
        rig.both([1, 1], turns);
        let lost = rig.references() != rig.vectors();
        assert_eq!(lost, rig.overput(), "turns {turns:#b}");
        bites += u32::from(lost);
        faults += u32::from(!rig.all_get_through());
    }
    assert!(bites > 0 && faults == bites, "{bites} bite, {faults} fault");
}

/// A second call on the same device waits for the first, and so does closing it.
#[test]
fn calls_about_one_device_exclude_one_another() {
    let mut rig = Rig::new(16, DoorbellUnwind::AsCoded);
    let mut first = rig.enabling(0, 1);
    let Rig { system, pid, .. } = &mut rig;
    assert_eq!(system.kernel.step(&mut first, &mut system.board), Step::Unlocked);
    assert_eq!(first.point(), Some("doorbell-before-map"));
    let close = Call::Close { fd: FILES[0] };
    assert!(system.kernel.must_wait(*pid, &close) && system.kernel.must_wait(*pid, &Call::Exit));
    let mut second = system.kernel.begin(*pid, close);
    let step = system.kernel.step(&mut second, &mut system.board);
    assert_eq!(step, Step::Waiting(Queue::DeviceLock(DEVICES[0].into())));
    while !first.is_finished() {
        system.kernel.step(&mut first, &mut system.board);
    }
    assert!(matches!(system.kernel.step(&mut second, &mut system.board), Step::Done(_)));
    assert!(system.kernel.vectors(DEVICES[0]).is_empty());
    assert!(system.kernel.doorbells_of(DEVICES[1]).is_empty());
}
