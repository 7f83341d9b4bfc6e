//! What does a mapping cost, from ioctl bytes to unpinned pages, compared with its parts alone?
//!
//! `page/ioctl` maps and unmaps one page of 4K by system calls. `page/parts` does what must be done
//! for that, each part by itself and on structures of its own: bytes, tree, pinning, tables,
//! invalidation and sync. `bulk` maps 1 GiB of 4K pages into tables, beside a loop that writes each
//! descriptor once. Only ratios within one run mean anything.

#[path = "../../tests/agree/rig.rs"]
#[allow(dead_code, reason = "the tests' rig, of which a part is used")]
mod rig;

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use passim_benches::{Goal, timed};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::{Geometry, Mapping, MemoryType, Table};
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::{Frames, Host, Iova, Memory, PageSize, Perms, PhysAddr, Span, UserAddr, Width};
use passim_vfio::Pid;
use passim_vfio::call::{MapKind, Protection};
use passim_vfio::policy::ZeroPage;
use passim_vfio::process::{AreaKind, Capabilities, PinAccess, Processes};
use passim_vfio::type1::slots::Slots;
use rig::{Rig, Spec, bytes, ioctl};

const ARENA: u64 = 0x1000_0000_0000;
const SMMU: u64 = 0x0905_0000;
/// Mappings besides the one that is made and removed.
const OTHERS: u64 = 1000;
/// Address of that one.
const IOVA: u64 = 0x4000_0000;

fn ram() -> Span<PhysAddr> {
    Span::from_size(PhysAddr::new(0x4000_0000), 4 << 30).expect("4G from 1G")
}

fn mapping(input: u64, output: u64, size: u64) -> Mapping {
    let (output, perms) = (PhysAddr::new(output), Perms::READ | Perms::WRITE);
    Mapping { input, output, size, perms, memory_type: MemoryType::Normal }
}

/// Memory, frames, and one set of stage-1 tables.
struct Tables {
    memory: Memory,
    frames: Frames,
    table: Table,
}

impl Tables {
    fn new() -> Self {
        let mut memory = Memory::new();
        memory.add_bank(ram()).expect("the one bank");
        let mut frames = Frames::new(PageSize::K4, [ram()]);
        let geometry = Geometry::linux(Stage::One, Granule::K4, 48, 44).expect("a geometry");
        let table = Table::new(geometry, &mut memory, &mut frames).expect("frames");
        Self { memory, frames, table }
    }

    fn map(&mut self, mapping: &Mapping) {
        let mut gather = Gather::new();
        let Self { memory, frames, table } = self;
        table.map(memory, frames, mapping, &mut gather).expect("a free range");
        gather.release_tables(frames);
    }

    fn unmap(&mut self, input: u64, size: u64) {
        let mut gather = Gather::new();
        self.table.unmap(&mut self.memory, input, size, &mut gather);
        black_box(gather.ranges().count());
        gather.release_tables(&mut self.frames);
    }
}

/// The parts, each on structures of its own.
struct Parts {
    slots: Slots<u64>,
    processes: Processes,
    pid: Pid,
    frames: Frames,
    memory: Memory,
    tables: Tables,
    /// Its command queue takes the invalidation.
    rig: Rig,
    prod: u64,
}

impl Parts {
    fn new() -> Self {
        let mut memory = Memory::new();
        memory.add_bank(ram()).expect("the one bank");
        let mut frames = Frames::new(PageSize::K4, [ram()]);
        let mut processes = Processes::new(PageSize::K4, 48, ZeroPage::Unshared);
        let pid = processes.spawn(Capabilities::all(), 8 << 20);
        let (at, prot) = (UserAddr::new(ARENA), Protection::ReadWrite);
        let kind = AreaKind::Anonymous;
        processes.mmap(pid, at, 0x10_0000, prot, kind, &mut frames).expect("room");
        processes.touch(pid, at, 0x10_0000, &mut frames, &mut memory).expect("writable");
        let (mut slots, mut tables) = (Slots::new(), Tables::new());
        for page in 0..OTHERS {
            let input = 0x1000_0000 + (page << 13);
            slots.insert(span(input), page).expect("a free range");
            tables.map(&mapping(input, 0x8000_0000 + (page << 12), 0x1000));
        }
        let mut rig = Rig::new(Spec::PLAIN);
        let prod = load(&mut rig, 0x98);
        Self { slots, processes, pid, frames, memory, tables, rig, prod }
    }

    fn bytes(&self) -> u64 {
        let map = bytes(&[32, 3], &[black_box(ARENA), IOVA, 0x1000]);
        let unmap = bytes(&[24, 0], &[black_box(IOVA), 0x1000]);
        map.iter().chain(&unmap).fold(0, |sum, byte| sum + u64::from(*byte))
    }

    fn tree(&mut self) {
        let span = span(black_box(IOVA));
        assert!(self.slots.first_overlapping(span).is_none());
        self.slots.insert(span, 1).expect("a free range");
        let found = self.slots.first_overlapping(span).expect("just inserted");
        self.slots.remove(found);
    }

    fn pinning(&mut self) {
        let Self { processes, pid, frames, memory, .. } = self;
        let at = UserAddr::new(black_box(ARENA));
        let run = processes.pin_run(*pid, at, 1, PinAccess::Write, frames, memory);
        let run = run.expect("a page that was touched");
        processes.charge(*pid, 1, true).expect("not limited");
        processes.unpin(run.frame, frames);
        processes.uncharge(*pid, 1);
    }

    fn tables(&mut self) {
        self.tables.map(&mapping(black_box(IOVA), 0x9000_0000, 0x1000));
        self.tables.unmap(IOVA, 0x1000);
    }

    /// All parts, one after the other.
    fn all(&mut self) {
        black_box(self.bytes());
        self.tree();
        self.pinning();
        self.tables();
        self.invalidation();
    }

    /// TLBI_NH_VA and CMD_SYNC, rung once and waited for.
    fn invalidation(&mut self) {
        let base = {
            const ADDRESS: u64 = 0xf_ffff_ffff_ffe0;
            let at = PhysAddr::new(SMMU + 0x90);
            self.rig.system.board.load(at, Width::W64).expect("the SMMU answers") & ADDRESS
        };
        for words in [[0x7_0000_0000_0012, IOVA | 0x701], [0xfc0_2046, 0]] {
            let slot = PhysAddr::new(base + 16 * (self.prod & 0xffff));
            let memory = self.rig.system.board.memory_mut();
            memory.words_mut(slot, 2).expect("the queue is in RAM").copy_from_slice(&words);
            self.prod = (self.prod + 1) & 0x1_ffff;
        }
        let at = PhysAddr::new(SMMU + 0x98);
        self.rig.system.board.store(at, Width::W32, self.prod).expect("the SMMU answers");
        assert_eq!(load(&mut self.rig, 0x9c), self.prod);
    }
}

fn load(rig: &mut Rig, offset: u64) -> u64 {
    let at = PhysAddr::new(SMMU + offset);
    rig.system.board.load(at, Width::W32).expect("the SMMU answers")
}

fn span(input: u64) -> Span<Iova> {
    Span::from_size(Iova::new(input), 0x1000).expect("a page")
}

/// A container with other mappings.
fn container() -> Rig {
    let mut rig = Rig::new(Spec::PLAIN);
    rig.area(ARENA, 0x10_0000, MapKind::Anonymous);
    for page in 0..OTHERS {
        let map = bytes(&[32, 3], &[ARENA + 0x1000, 0x1000_0000 + (page << 13), 0x1000]);
        assert!(rig.on_container(ioctl::MAP, map).ret.is_ok());
    }
    rig
}

const BULK: Goal = Goal {
    id: "P10",
    what: "mapping 1 GiB of 4K pages in bulk",
    against: "a loop that writes each descriptor once",
    at_most: 1.0,
};
const PAGE: Goal = Goal {
    id: "P11",
    what: "map and unmap of one page by system calls",
    against: "its parts, each by itself",
    at_most: 1.5,
};

/// Maps and unmaps one page by system calls.
fn map_and_unmap(rig: &mut Rig) {
    let map = bytes(&[32, 3], &[black_box(ARENA), IOVA, 0x1000]);
    assert!(rig.on_container(ioctl::MAP, map).ret.is_ok());
    let unmap = bytes(&[24, 0], &[black_box(IOVA), 0x1000]);
    assert!(rig.on_container(ioctl::UNMAP, unmap).ret.is_ok());
}

/// The ratios, measured in turns.
fn ratios(_: &mut Criterion) {
    const EACH: u64 = 100;
    let (mut rig, mut parts) = (container(), Parts::new());
    let page = PAGE.race(
        300,
        EACH,
        || timed(|| (0..EACH).for_each(|_| map_and_unmap(&mut rig))),
        || timed(|| (0..EACH).for_each(|_| parts.all())),
    );
    println!("{page}");
    let mut tables = Tables::new();
    let mut descriptors = vec![1u64; DESCRIPTORS as usize];
    let bulk = BULK.race(
        40,
        DESCRIPTORS,
        || {
            let spent = timed(|| tables.map(&gigabyte()));
            tables.unmap(IOVA, 1 << 30);
            spent
        },
        || timed(|| write_once(&mut descriptors)),
    );
    println!("{bulk}");
}

/// Descriptors of 1 GiB.
const DESCRIPTORS: u64 = (1 << 30) >> 12;

/// 1 GiB of pages whose outputs are a page off, so that no block fits.
fn gigabyte() -> Mapping {
    mapping(IOVA, 0x8000_1000, 1 << 30)
}

fn write_once(descriptors: &mut [u64]) {
    let first = black_box(0x8000_1f47);
    for (at, descriptor) in (0u64..).zip(&mut *descriptors) {
        *descriptor = first + (at << 12);
    }
    black_box(descriptors);
}

fn page(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("page");
    group.sample_size(30).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1));
    let mut rig = container();
    group.bench_function("ioctl", |b| {
        b.iter(|| map_and_unmap(&mut rig));
    });
    let mut parts = Parts::new();
    group.bench_function("parts", |b| {
        b.iter(|| parts.all());
    });
    group.bench_function("part/bytes", |b| b.iter(|| black_box(parts.bytes())));
    group.bench_function("part/tree", |b| b.iter(|| parts.tree()));
    group.bench_function("part/pinning", |b| b.iter(|| parts.pinning()));
    group.bench_function("part/tables", |b| b.iter(|| parts.tables()));
    group.bench_function("part/invalidation", |b| b.iter(|| parts.invalidation()));
    group.finish();
}

fn bulk(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bulk");
    group.sample_size(20).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1)).throughput(Throughput::Elements(DESCRIPTORS));
    let mut tables = Tables::new();
    let gigabyte = gigabyte();
    // Once before, so that the memory of the tables exists.
    tables.map(&gigabyte);
    assert_eq!(tables.table.leaves(&tables.memory).count() as u64, DESCRIPTORS);
    tables.unmap(IOVA, 1 << 30);
    group.bench_function("map", |b| {
        b.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                let begun = Instant::now();
                tables.map(&gigabyte);
                spent += begun.elapsed();
                tables.unmap(IOVA, 1 << 30);
            }
            spent
        });
    });
    let mut descriptors = vec![1u64; DESCRIPTORS as usize];
    group.bench_function("write-once", |b| {
        b.iter(|| write_once(&mut descriptors));
    });
    group.finish();
}

criterion_group!(benches, ratios, page, bulk);
criterion_main!(benches);
