//! What does it cost to deliver a message: a device's write until its LPI is pending?
//!
//! A device of a machine that Linux runs writes 1 to 64k different EventIDs in random order; before
//! each round nothing is pending. A write is one call of the machine's own path for messages:
//! through the SMMU, where the kernel has mapped the doorbell, to GITS_TRANSLATER and a
//! redistributor; or without an SMMU directly to the doorbell. The ITS reads its three entries for
//! every message (`cache off`), or caches translations (`cache on`). Last come messages whose LPI
//! is pending already.
//!
//! Benches are named `msi/WAY, CACHE/EVENTS`; one iteration is every event once, and `elem` are
//! messages. Only ratios within one run mean anything.

#[path = "../../tests/agree/rig.rs"]
#[allow(dead_code, reason = "the tests' rig, of which a part is used")]
mod rig;

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use passim::machine::Gic;
use passim::system::{Arrival, DeviceWrite, Reach};
use passim_benches::{Goal, timed};
use passim_gic::choice::Preset;
use passim_model::{Host, Iova, PhysAddr, Requester, Width};
use passim_structures::SplitMix64;
use passim_vfio::call::{Arg, Call};
use rig::{DEVICE, Rig, Spec};

/// Where the machine's distributor, first redistributor and ITS are.
const GICD: u64 = 0x0800_0000;
const GICR: u64 = 0x080a_0000;
const GITS: u64 = 0x0808_0000;
/// GITS_TRANSLATER.
const DOORBELL: u64 = GITS + 0x1_0040;
/// Tables, in RAM that the kernel does not use: it takes from the end.
const CONFIGURATION: u64 = 0x4100_0000;
const PENDING: u64 = 0x4200_0000;
const QUEUE: u64 = 0x4300_0000;
const DEVICES: u64 = 0x4400_0000;
const COLLECTIONS: u64 = 0x4500_0000;
const ITT: u64 = 0x4600_0000;
/// Enough for 64k LPIs above 8192.
const INTID_BITS: u64 = 17;
/// VFIO_DEVICE_SET_IRQS.
const SET_IRQS: u32 = 0x3b6e;

const EVENTS: [u32; 5] = [1, 16, 256, 4096, 65536];

/// How a message reaches GITS_TRANSLATER.
#[derive(Clone, Copy)]
enum Way {
    /// By the physical address, without an SMMU.
    Straight,
    /// Through the SMMU that the device is behind.
    Smmu,
}

/// A machine whose ITS maps events of one device to LPIs of one CPU.
struct Board {
    rig: Rig,
    requester: Requester,
    smmu: Option<usize>,
    /// The doorbell address that the kernel programmed into the device.
    doorbell: Iova,
    /// GITS_CWRITER.
    writer: u64,
}

impl Board {
    /// `cache`: the value of that key in a machine file.
    fn new(cache: &str, events: u32) -> Self {
        let mut rig = Rig::with_ram(Spec::PLAIN, |machine| {
            let Gic::Its(gic) = &mut machine.gic else { panic!("a machine with an ITS") };
            gic.preset = Preset::Gic600;
            // Entries of GIC-600 have no room for INTIDs of 17 bits.
            let built = [("intid-bits", "17"), ("entries", "kvm"), ("cache", cache)];
            for (key, value) in built {
                gic.built.set(key, value).expect("keys of a GICv3");
            }
        });
        enable(&mut rig);
        let slot = rig.system.board.slot(DEVICE).expect("the machine has it");
        let (requester, smmu) = (slot.registers.requester(), slot.smmu);
        let msi = slot.registers.msi().expect("a device with MSI");
        let doorbell = msi.programmed(slot.registers.config()).address;
        let mut board = Self { rig, requester, smmu, doorbell, writer: 0 };
        board.take_over(events);
        board
    }

    /// Replaces what Linux configured in the GIC by what the bench needs.
    fn take_over(&mut self, events: u32) {
        let all = vec![0xa3; (1 << INTID_BITS) - 8192];
        let memory = self.rig.system.board.memory_mut();
        memory.write(PhysAddr::new(CONFIGURATION), &all).expect("in RAM");
        self.store(GITS, Width::W32, 0);
        self.store(GICR, Width::W32, 0);
        self.store(GICD, Width::W32, 2);
        self.store(GICR + 0x70, Width::W64, CONFIGURATION | (INTID_BITS - 1));
        self.empty();
        self.store(GITS + 0x100, Width::W64, 1 << 63 | DEVICES | 2 << 8);
        self.store(GITS + 0x108, Width::W64, 1 << 63 | COLLECTIONS | 2 << 8);
        self.store(GITS + 0x80, Width::W64, 1 << 63 | QUEUE | 15);
        self.store(GITS + 0x88, Width::W64, 0);
        self.store(GITS, Width::W32, 1);
        let device = u64::from(self.requester.device.get()) << 32;
        self.command([device | 0x08, 15, 1 << 63 | ITT, 0]);
        self.command([0x09, 0, 1 << 63, 0]);
        for event in 0..u64::from(events) {
            self.command([device | 0x0a, (8192 + event) << 32 | event, 0, 0]);
        }
    }

    fn store(&mut self, at: u64, width: Width, value: u64) {
        self.rig.system.board.store(PhysAddr::new(at), width, value).expect("a register");
    }

    fn command(&mut self, words: [u64; 4]) {
        let memory = self.rig.system.board.memory_mut();
        for (at, word) in (0..).step_by(8).zip(words) {
            memory.store_u64(PhysAddr::new(QUEUE + self.writer + at), word).expect("in RAM");
        }
        self.writer = (self.writer + 32) % 0x1_0000;
        self.store(GITS + 0x88, Width::W64, self.writer);
    }

    /// Clears everything pending: turns LPIs off, and on with GICR_PENDBASER.PTZ.
    fn empty(&mut self) {
        self.store(GICR, Width::W32, 0);
        self.store(GICR + 0x78, Width::W64, 1 << 62 | PENDING);
        self.store(GICR, Width::W32, 1);
    }

    /// The device writes an EventID.
    fn message(&mut self, way: Way, event: u32) -> Reach {
        let (smmu, at) = match way {
            Way::Straight => (None, Iova::new(DOORBELL)),
            Way::Smmu => (self.smmu, self.doorbell),
        };
        let (requester, bytes) = (self.requester, &event.to_le_bytes());
        self.rig.system.board.device_write(DeviceWrite {
            requester,
            smmu,
            function: None,
            at,
            bytes,
        })
    }

    /// Checks that every event raises its own LPI, whichever way it takes.
    fn check(&mut self, order: &[u32]) {
        for (way, &event) in [Way::Straight, Way::Smmu].iter().cycle().zip(order) {
            let reach = self.message(*way, event);
            let raised = match reach {
                Reach::Doorbell(_, Arrival::Lpi(intid, _)) => intid.get() == 8192 + event,
                _ => false,
            };
            assert!(raised, "event {event}: {reach:?}");
        }
    }
}

/// The device's one message, enabled as VFIO does it: the kernel maps the doorbell.
fn enable(rig: &mut Rig) {
    let answer = rig.call(Call::EventFd);
    let eventfd = answer.ret.expect("a descriptor is free") as u32;
    // argsz, flags (an eventfd, that triggers), MSI, the first, one.
    let words = [24, 1 << 2 | 1 << 5, 1, 0, 1, eventfd].map(u32::to_le_bytes).concat();
    let answer = rig.ioctl(rig.device, SET_IRQS, Arg::Bytes(words));
    assert!(answer.ret.is_ok(), "{:?}", answer.ret);
}

/// Performs `rounds` rounds of every event; only the messages are timed.
fn rounds(board: &mut Board, way: Way, order: &[u32], rounds: u64) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        board.empty();
        let start = Instant::now();
        for &event in order {
            black_box(&board.message(way, event));
        }
        spent += start.elapsed();
    }
    spent
}

const DELIVERY: Goal = Goal {
    id: "P12",
    what: "a device's message until its LPI is pending, SMMU included",
    against: "one uncontended atomic read-modify-write",
    at_most: 5.0,
};

fn order_of(events: u32) -> Vec<u32> {
    let order = SplitMix64::new(1).order(events as usize);
    order.into_iter().map(|event| event as u32).collect()
}

/// The ratio, measured in turns: the ITS caches translations.
fn ratios(_: &mut Criterion) {
    const COUNT: u32 = 256;
    let order = order_of(COUNT);
    let mut board = Board::new("131072", COUNT);
    board.check(&order);
    let words: Vec<_> = (0..COUNT / 64).map(|_| AtomicU64::new(0)).collect();
    let ratio = DELIVERY.race(
        2000,
        COUNT.into(),
        || rounds(&mut board, Way::Smmu, &order, 1),
        || {
            timed(|| {
                for &event in &order {
                    let (word, bit) = (&words[event as usize / 64], black_box(event) % 64);
                    black_box(word.fetch_or(1 << bit, Ordering::Relaxed));
                }
            })
        },
    );
    println!("{ratio}");
}

fn deliver(c: &mut Criterion) {
    let mut group = c.benchmark_group("msi");
    group.sample_size(10);
    group.warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    for events in EVENTS {
        let order = order_of(events);
        group.throughput(Throughput::Elements(events.into()));
        for (cache, translations) in [("cache off", "off"), ("cache on", "131072")] {
            let mut board = Board::new(translations, events);
            board.check(&order);
            for (smmu, way) in [("no smmu", Way::Straight), ("smmu", Way::Smmu)] {
                let id = BenchmarkId::new(format!("{smmu}, {cache}"), events);
                group.bench_function(id, |b| {
                    b.iter_custom(|n| rounds(&mut board, way, &order, n));
                });
            }
        }
        let mut board = Board::new("131072", events);
        board.check(&order);
        group.bench_function(BenchmarkId::new("no smmu, cache on, pending", events), |b| {
            b.iter(|| {
                for &event in &order {
                    black_box(&board.message(Way::Straight, event));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ratios, deliver);
criterion_main!(benches);
