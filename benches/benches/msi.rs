//! What does it cost to deliver a message: a device's write until its LPI is pending?
//!
//! Devices write 1 to 64k different events in random order; before each round nothing is pending.
//! The ITS reads its three entries for every message, or remembers translations; the write comes
//! straight to GITS_TRANSLATER, or through an SMMU that has the doorbell's page in its TLB. Last,
//! messages whose LPI is pending already. One iteration is every event once; only ratios within one
//! run mean anything.

#[path = "../../tests/agree/rig.rs"]
#[allow(dead_code, reason = "the tests' rig, of which a part is used")]
mod rig;

mod apart;

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use apart::smmu_like;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use passim_benches::{Goal, timed};
use passim_gic::choice::Preset;
use passim_gic::choice::its::Caching;
use passim_gic::its::{Arrival, TRANSLATER};
use passim_gic::v3::{Block, Implementation};
use passim_gic::{Cpu, GicV3, Progress, Size};
use passim_model::{Access, DeviceId, Host, Iova, Memory, PhysAddr, Requester, Span, StreamId};
use passim_smmu::SmmuV3;
use passim_smmu::v3::{Outcome, Transaction};
use passim_structures::SplitMix64;
use passim_vfio::call::MapKind;
use rig::{Rig, Spec, bytes, ioctl};

const RAM: u64 = 0x4000_0000;
const CONFIGURATION: u64 = 0x4100_0000;
const PENDING: u64 = 0x4200_0000;
const QUEUE: u64 = 0x4300_0000;
const DEVICES: u64 = 0x4400_0000;
const COLLECTIONS: u64 = 0x4500_0000;
const ITT: u64 = 0x4600_0000;
const DEVICE: u32 = 8;
const ITS: Block = Block::Its(0);
/// Enough for 64k LPIs above 8192.
const INTID_BITS: u32 = 17;
const IOVA: u64 = 0x1000_0000;

const EVENTS: [u32; 5] = [1, 16, 256, 4096, 65536];

/// A GICv3 whose ITS maps events of one device to LPIs of one CPU.
struct Gic {
    gic: GicV3,
    memory: Memory,
    writer: u64,
}

impl Gic {
    fn new(caching: Caching, events: u32) -> Self {
        let mut built = Implementation::of(Preset::Gic600, 1, 32);
        built.distributor.intid_bits = INTID_BITS;
        built.its[0].features.intid_bits = INTID_BITS;
        built.its[0].choices.caching = caching;
        let mut memory = Memory::new();
        let ram = Span::from_size(PhysAddr::new(RAM), 0x1000_0000).expect("RAM ends");
        memory.add_bank(ram).expect("the first bank");
        let all = vec![0xa3; (1 << INTID_BITS) - 8192];
        memory.write(PhysAddr::new(CONFIGURATION), &all).expect("in RAM");
        let mut gic = Self { gic: GicV3::new(built), memory, writer: 0 };
        gic.store(Block::Distributor, 0, Size::Word, 2);
        gic.store(gic.cpu(), 0x70, Size::Double, CONFIGURATION | u64::from(INTID_BITS - 1));
        gic.empty();
        gic.store(ITS, 0x100, Size::Double, 1 << 63 | DEVICES | 2 << 8);
        gic.store(ITS, 0x108, Size::Double, 1 << 63 | COLLECTIONS | 2 << 8);
        gic.store(ITS, 0x80, Size::Double, 1 << 63 | QUEUE | 15);
        gic.store(ITS, 0x88, Size::Double, 0);
        gic.store(ITS, 0, Size::Word, 1);
        gic.command([u64::from(DEVICE) << 32 | 0x08, 15, 1 << 63 | ITT, 0]);
        gic.command([0x09, 0, 1 << 63, 0]);
        for event in 0..u64::from(events) {
            gic.command([u64::from(DEVICE) << 32 | 0x0a, (8192 + event) << 32 | event, 0, 0]);
        }
        gic
    }

    fn cpu(&self) -> Block {
        Block::Redistributor(Cpu::default())
    }

    fn store(&mut self, block: Block, at: u64, size: Size, value: u64) {
        self.gic.store(block, at, size, value, &mut self.memory);
    }

    fn command(&mut self, words: [u64; 4]) {
        for (at, word) in (0..).step_by(8).zip(words) {
            self.memory.store_u64(PhysAddr::new(QUEUE + self.writer + at), word).expect("in RAM");
        }
        self.writer = (self.writer + 32) % 0x1_0000;
        self.store(ITS, 0x88, Size::Double, self.writer);
        while self.gic.step(&mut self.memory) == Progress::Worked {}
    }

    /// Nothing is pending: LPIs are turned off, and on with GICR_PENDBASER.PTZ.
    fn empty(&mut self) {
        self.store(self.cpu(), 0x00, Size::Word, 0);
        self.store(self.cpu(), 0x78, Size::Double, 1 << 62 | PENDING);
        self.store(self.cpu(), 0x00, Size::Word, 1);
    }

    fn message(&mut self, event: u32) -> Arrival {
        let (stream, device) = (StreamId::new(DEVICE), DeviceId::new(DEVICE));
        let from = Requester { stream, substream: None, device };
        self.gic.message(0, TRANSLATER, Size::Word, event.into(), &from, &mut self.memory)
    }
}

/// A device with one page mapped, in place of that of a doorbell, and the SMMU it is behind.
fn behind_smmu() -> (Rig, SmmuV3) {
    const ARENA: u64 = 0x1000_0000_0000;
    let mut rig = Rig::new(Spec::PLAIN);
    rig.area(ARENA, 0x1000, MapKind::Anonymous);
    assert!(rig.on_container(ioctl::MAP, bytes(&[32, 3], &[ARENA, IOVA, 0x1000])).ret.is_ok());
    let smmu = smmu_like(&mut rig);
    (rig, smmu)
}

fn translate(smmu: &mut SmmuV3, rig: &mut Rig) -> PhysAddr {
    let stream = StreamId::new(8);
    let requester = Requester { stream, substream: None, device: DeviceId::new(8) };
    let iova = Iova::new(IOVA | 0x40);
    let transaction = Transaction { requester, iova, access: Access::WRITE };
    match smmu.translate(rig.system.board.memory_mut(), &transaction) {
        Outcome::Translated(translated) => translated.pa,
        other => panic!("{other:?}"),
    }
}

/// So many rounds of every event; only the messages are timed.
fn rounds(gic: &mut Gic, order: &[u32], rounds: u64, mut before: impl FnMut()) -> Duration {
    let mut spent = Duration::ZERO;
    for _ in 0..rounds {
        gic.empty();
        let start = Instant::now();
        for &event in order {
            before();
            black_box(gic.message(event));
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

/// The ratio, measured in turns: the ITS remembers translations.
fn ratios(_: &mut Criterion) {
    const COUNT: u32 = 256;
    let order = SplitMix64::new(1).order(COUNT as usize);
    let order: Vec<_> = order.into_iter().map(|event| event as u32).collect();
    let mut gic = Gic::new(Caching::Translations { lg2: 17 }, COUNT);
    let (mut rig, mut smmu) = behind_smmu();
    let words: Vec<_> = (0..COUNT / 64).map(|_| AtomicU64::new(0)).collect();
    let ratio = DELIVERY.race(
        2000,
        COUNT.into(),
        || {
            rounds(&mut gic, &order, 1, || {
                black_box(translate(&mut smmu, &mut rig));
            })
        },
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
    let cachings = [("entries", Caching::Off), ("cache", Caching::Translations { lg2: 17 })];
    for events in EVENTS {
        let order = SplitMix64::new(1).order(events as usize);
        let order: Vec<_> = order.into_iter().map(|event| event as u32).collect();
        group.throughput(Throughput::Elements(events.into()));
        for (name, caching) in cachings {
            let mut gic = Gic::new(caching, events);
            assert!(
                order.iter().all(|&event| matches!(gic.message(event), Arrival::Raised { .. }))
            );
            group.bench_function(BenchmarkId::new(name, events), |b| {
                b.iter_custom(|n| rounds(&mut gic, &order, n, || {}));
            });
            let (mut rig, mut smmu) = behind_smmu();
            group.bench_function(BenchmarkId::new(format!("smmu and {name}"), events), |b| {
                b.iter_custom(|n| {
                    rounds(&mut gic, &order, n, || {
                        black_box(translate(&mut smmu, &mut rig));
                    })
                });
            });
        }
        let mut gic = Gic::new(cachings[1].1, events);
        for &event in &order {
            gic.message(event);
        }
        group.bench_function(BenchmarkId::new("already pending", events), |b| {
            b.iter(|| {
                for &event in &order {
                    black_box(gic.message(event));
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, ratios, deliver);
criterion_main!(benches);
