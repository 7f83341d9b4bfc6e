//! Commands match the recorded ones, and the driver does not wait for a stalled queue.

mod tables;

use super::Event;
use super::Its;
use super::command::Command;
use super::queue::{Queue, Stop};
use super::registers::Registers;
use crate::policy::{ItsQueueWait, Profile};
use passim_model::{
    Abort, DeviceId, EventId, Frames, Host, IntId, Memory, PageSize, PhysAddr, Span, Width,
};

const ITS: u64 = 0x808_0000;

/// A machine whose ITS performs nothing, and the number of reads of GITS_CREADR.
struct Idle {
    memory: Memory,
    creadr: u64,
    looks: u32,
}

impl Host for Idle {
    fn memory(&self) -> &Memory {
        &self.memory
    }
    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
    fn load(&mut self, at: PhysAddr, _: Width) -> Result<u64, Abort> {
        self.looks += u32::from(at.get() == ITS + 0x90);
        Ok(self.creadr)
    }
    fn store(&mut self, _: PhysAddr, _: Width, _: u64) -> Result<(), Abort> {
        Ok(())
    }
    fn relax(&mut self) {}
}

/// A machine whose ITS has reached `creadr`, and an empty queue.
fn idle(base: PhysAddr, creadr: u64) -> (Idle, Queue) {
    waiting(base, creadr, ItsQueueWait::Performed)
}

/// The same, with a driver's way of waiting.
fn waiting(base: PhysAddr, creadr: u64, wait: ItsQueueWait) -> (Idle, Queue) {
    let mut memory = Memory::new();
    memory.add_bank(Span::from_size(base, 0x1_0000).unwrap()).unwrap();
    let mut host = Idle { memory, creadr, looks: 0 };
    let queue = Queue::new(base, (7, wait), Registers(PhysAddr::new(ITS)), &mut host).unwrap();
    (host, queue)
}

const BASE: PhysAddr = PhysAddr::new(0x4000_0000);
const INVALL: Command = Command::Invall { collection: 0 };

/// GITS_CREADR.Stalled ends the wait; without it the driver polls until the time is up.
#[test]
fn a_queue_that_has_stopped_is_not_waited_for() {
    for (creadr, looks) in [(1, 1), (0, 1 << 16)] {
        let (mut host, mut queue) = idle(BASE, creadr);
        queue.send(INVALL, None, &mut host);
        assert_eq!(host.looks, 1 + looks, "one for the room: GITS_CREADR {creadr:#x}");
        assert_eq!(queue.take_stops(), [Stop::Waiting(BASE)]);
        queue.send(INVALL, None, &mut host);
        assert_eq!(queue.take_stops(), [], "once for each place");
        host.creadr = 0x40;
        queue.send(INVALL, None, &mut host);
        host.creadr = 0x61;
        queue.send(INVALL, None, &mut host);
        let places = [0x40, 0x60].map(|offset| Stop::Waiting(PhysAddr::new(0x4000_0000 + offset)));
        assert_eq!(queue.take_stops(), places);
    }
}

/// 4.4 its_wait_for_range_completion: a command counts as performed if GITS_CREADR is before it, as
/// in a stalled queue, or if the queue wraps after it.
#[test]
fn offsets_that_are_compared_as_they_are_end_waits_early() {
    let (mut host, mut queue) = waiting(BASE, 1, ItsQueueWait::Range);
    queue.send(INVALL, None, &mut host);
    assert_eq!(queue.take_stops(), [Stop::Waiting(BASE)]);
    let looks = host.looks;
    for _ in 0..3 {
        queue.send(INVALL, Some(0), &mut host);
    }
    assert_eq!((queue.take_stops(), host.looks - looks), (vec![], 9), "one look for each");
    // The ITS is behind, but the last command of the queue is before its SYNC.
    host.creadr = 0;
    for _ in 7..2047 {
        queue.send(INVALL, None, &mut host);
    }
    assert_eq!(queue.take_stops(), []);
    host.creadr = 0xffe0;
    let looks = host.looks;
    queue.send(INVALL, Some(0), &mut host);
    assert_eq!((queue.take_stops(), host.looks - looks), (vec![], 3));
    let (mut host, mut queue) = waiting(BASE, 1, ItsQueueWait::Performed);
    for _ in 0..2047 {
        queue.send(INVALL, None, &mut host);
    }
    queue.take_stops();
    host.creadr = 0xffe1;
    queue.send(INVALL, Some(0), &mut host);
    assert_eq!(queue.take_stops(), [Stop::Waiting(PhysAddr::new(0x4000_ffe0))]);
}

/// Waiting commands are not overwritten, however many follow, wherever the ITS has stopped.
#[test]
fn a_queue_that_is_full_takes_no_command() {
    for stopped in [0x20, 0x8000, 0xffc0] {
        let (mut host, mut queue) = idle(BASE, 1);
        let first = Command::Invall { collection: 7 };
        for _ in 0..stopped / 32 {
            queue.send(INVALL, None, &mut host);
        }
        host.creadr = stopped | 1;
        queue.take_stops();
        queue.send(first, None, &mut host);
        for _ in 0..2045 {
            queue.send(INVALL, None, &mut host);
        }
        assert_eq!(queue.take_stops(), [Stop::Waiting(PhysAddr::new(0x4000_0000 + stopped))]);
        // One place is left: the command is queued and the SYNC dropped.
        queue.send(INVALL, Some(0), &mut host);
        let full = Stop::Full(PhysAddr::new(0x4000_0000 + stopped - 32));
        assert_eq!(queue.take_stops(), [full]);
        queue.send(INVALL, None, &mut host);
        assert_eq!(queue.take_stops(), [], "once");
        let at = PhysAddr::new(0x4000_0000 + stopped);
        assert_eq!(host.memory.load_u64(at).unwrap(), first.words()[0]);
        assert_eq!(host.memory.load_u64(PhysAddr::new(at.get() + 16)).unwrap(), first.words()[2]);
        // The ITS continues, and commands succeed again.
        host.creadr = stopped + 32;
        queue.send(first, None, &mut host);
        assert_eq!(queue.take_stops(), [Stop::Waiting(PhysAddr::new(0x4000_0000 + stopped + 32))]);
    }
}

/// The first commands of the recorded 6.12 board (`its`, dump `unsafe_0`): collections of two CPUs,
/// then one message of 00:05.0 and of 00:06.0; the ends of a message of 00:01.0 (dump `unsafe_1`).
#[test]
fn commands_are_those_of_the_dumps() {
    let event = |device, event| Event { device: DeviceId::new(device), event: EventId::new(event) };
    let (port, edu) = (event(0x28, 0), event(0x8, 0));
    let mapd = |device, itt, valid| {
        let (device, itt) = (DeviceId::new(device), PhysAddr::new(itt));
        Command::Mapd { device, bits: 1, itt, valid }
    };
    let recorded = [
        (Command::Mapc { collection: 0, target: 0 }, [0x9, 0, 1 << 63, 0]),
        (Command::Sync { target: 0 }, [0x5, 0, 0, 0]),
        (Command::Invall { collection: 0 }, [0xd, 0, 0, 0]),
        (Command::Mapc { collection: 1, target: 1 << 16 }, [0x9, 0, 0x8000_0000_0001_0001, 0]),
        (Command::Sync { target: 1 << 16 }, [0x5, 0, 0x1_0000, 0]),
        (Command::Invall { collection: 1 }, [0xd, 0, 1, 0]),
        (mapd(0x28, 0x44a5_8400, true), [0x28_0000_0008, 0, 0x8000_0000_44a5_8400, 0]),
        (
            Command::Mapti { event: port, lpi: IntId::new(8192), collection: 0 },
            [0x28_0000_000a, 0x2000_0000_0000, 0, 0],
        ),
        (Command::Inv { event: port }, [0x28_0000_000c, 0, 0, 0]),
        (Command::Discard { event: edu }, [0x8_0000_000f, 0, 0, 0]),
        (mapd(0x8, 0x44bd_d800, false), [0x8_0000_0008, 0, 0x44bd_d800, 0]),
    ];
    for (command, words) in recorded {
        assert_eq!(command.words(), words, "{command:?}");
    }
}

/// With LPIs in chunks, the events of a failed allocation are lost: a smaller allocation does not
/// get them, and the device stays. With blocks, a failed allocation takes none.
#[test]
fn what_was_taken_of_too_few_is_lost_with_chunks() {
    for (profile, left) in [(Profile::Linux4_11, 0), (Profile::Linux6_12, 2)] {
        let (mut host, _) = idle(BASE, 0);
        let mut frames = Frames::new(PageSize::from_lg2(12).unwrap(), []);
        let mut its = Its::new(&[PhysAddr::new(ITS)], &profile.policy());
        let device = (0, DeviceId::new(8));
        its.prepare(device, (32, false), &mut frames, &mut host).unwrap();
        let held: Vec<_> = (0..30).map(|_| its.alloc(device, 1).unwrap()[0].0).collect();
        assert_eq!(its.alloc(device, 4), None);
        let more: Vec<_> = (0..3).map_while(|_| its.alloc(device, 1)).collect();
        assert_eq!(more.len(), left, "{profile}");
        for event in held {
            its.free(0, &[event], &mut frames, &mut host);
        }
        for events in more {
            its.free(0, &[events[0].0], &mut frames, &mut host);
        }
        let gone = its.alloc(device, 1).is_none();
        assert_eq!(gone, left > 0, "{profile}: without events it goes");
    }
}
