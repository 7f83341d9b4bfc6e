//! What does a translation cost, and how much of that is more than necessary?
//!
//! A hit takes the whole path (stream, configuration cache, TLB, permission) and is compared with a
//! bare direct-mapped table. A miss reads the tables that Linux built in memory and is compared
//! with a walk of four levels over one flat slice, by index. Both translate 1024 pages of 4K in
//! random order; one iteration is all of them. Only ratios within one run mean anything.

#[path = "../../tests/agree/rig.rs"]
#[allow(dead_code, reason = "the tests' rig, of which a part is used")]
mod rig;

mod apart;

use std::hint::black_box;
use std::time::{Duration, Instant};

use apart::smmu_like;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use passim_benches::{Goal, timed};
use passim_model::{Access, DeviceId, Host, Iova, Requester, StreamId};
use passim_smmu::SmmuV3;
use passim_smmu::v3::{Outcome, Transaction};
use passim_structures::SplitMix64;
use passim_vfio::call::MapKind;
use rig::{Rig, Spec, bytes, ioctl};

const PAGES: u64 = 1024;
const FIRST: u64 = 0x4000_0000;
const ARENA: u64 = 0x1000_0000_0000;

/// A device whose pages are mapped one by one, and where each lies.
fn mapped() -> Rig {
    let mut rig = Rig::new(Spec::PLAIN);
    rig.area(ARENA, PAGES << 12, MapKind::Anonymous);
    for page in 0..PAGES {
        // Backwards, so that no block fits.
        let va = ARENA + ((PAGES - 1 - page) << 12);
        let map = bytes(&[32, 3], &[va, FIRST + (page << 12), 0x1000]);
        assert!(rig.on_container(ioctl::MAP, map).ret.is_ok());
    }
    rig
}

/// Every page once, in random order, at a random word.
fn addresses() -> Vec<u64> {
    let mut numbers = SplitMix64::new(1);
    let order = numbers.order(PAGES as usize);
    let page = |at: usize| FIRST + ((at as u64) << 12);
    order.into_iter().map(|at| page(at) | numbers.below(0x200) << 3).collect()
}

#[inline(always)]
fn look(smmu: &mut SmmuV3, rig: &mut Rig, iova: u64) -> u64 {
    let stream = StreamId::new(8);
    let requester = Requester { stream, substream: None, device: DeviceId::new(8) };
    let transaction = Transaction { requester, iova: Iova::new(iova), access: Access::READ };
    match smmu.translate(rig.system.board.memory_mut(), &transaction) {
        Outcome::Translated(translated) => translated.pa.get(),
        Outcome::Terminated(ended) => panic!("{ended:?}"),
        Outcome::Stalled(stalled) => panic!("{stalled:?}"),
    }
}

/// A minimal TLB: one entry per set, a tag, an output.
struct Bare {
    entries: Vec<(u64, u64)>,
}

impl Bare {
    fn of(smmu: &mut SmmuV3, rig: &mut Rig, addresses: &[u64]) -> Self {
        let mut entries = vec![(u64::MAX, 0); 4096];
        for iova in addresses {
            let page = iova >> 12;
            entries[(page & 0xfff) as usize] = (page, look(smmu, rig, page << 12));
        }
        Self { entries }
    }

    fn look(&self, iova: u64) -> Option<u64> {
        let page = iova >> 12;
        let (tag, output) = self.entries[(page & 0xfff) as usize];
        (tag == page).then_some(output | iova & 0xfff)
    }
}

/// Four levels in one slice; an entry is the index of a table, or an output address.
struct Flat {
    tables: Vec<u64>,
}

impl Flat {
    const VALID: u64 = 1;

    fn of(smmu: &mut SmmuV3, rig: &mut Rig, addresses: &[u64]) -> Self {
        let mut flat = Self { tables: vec![0; 512] };
        for &iova in addresses {
            let output = look(smmu, rig, iova & !0xfff);
            let mut table = 0;
            for low in [39, 30, 21] {
                let at = table + (iova >> low & 511) as usize;
                if flat.tables[at] == 0 {
                    flat.tables[at] = (flat.tables.len() as u64) << 12 | Self::VALID;
                    flat.tables.extend([0; 512]);
                }
                table = (flat.tables[at] >> 12) as usize;
            }
            flat.tables[table + (iova >> 12 & 511) as usize] = output | Self::VALID;
        }
        flat
    }

    fn look(&self, iova: u64) -> Option<u64> {
        let mut table = 0;
        for low in [39, 30, 21] {
            let entry = *self.tables.get(table + (iova >> low & 511) as usize)?;
            if entry & Self::VALID == 0 {
                return None;
            }
            table = (entry >> 12) as usize;
        }
        let entry = *self.tables.get(table + (iova >> 12 & 511) as usize)?;
        (entry & Self::VALID != 0).then_some(entry & !0xfff | iova & 0xfff)
    }
}

/// Translates every address; the answers are used.
#[inline(always)]
fn over(addresses: &[u64], mut look: impl FnMut(u64) -> u64) -> u64 {
    addresses.iter().fold(0, |answers, &iova| answers ^ look(black_box(iova)))
}

const HIT: Goal = Goal {
    id: "P8",
    what: "translation on a TLB hit, through the whole front",
    against: "a bare direct-mapped hit",
    at_most: 3.0,
};
const MISS: Goal = Goal {
    id: "P9",
    what: "translation on a miss, hot tables",
    against: "a walk of four levels over one flat slice",
    at_most: 1.5,
};

/// The ratios, measured in turns.
fn ratios(smmu: &mut SmmuV3, rig: &mut Rig, bare: &Bare, flat: &Flat, addresses: &[u64]) {
    let hit = HIT.race(
        2000,
        PAGES,
        || timed(|| over(addresses, |iova| look(smmu, rig, iova))),
        || timed(|| over(addresses, |iova| bare.look(iova).unwrap_or(0))),
    );
    println!("{hit}");
    let miss = MISS.race(
        2000,
        PAGES,
        || {
            smmu.clear_caches();
            timed(|| over(addresses, |iova| look(smmu, rig, iova)))
        },
        || timed(|| over(addresses, |iova| flat.look(iova).unwrap_or(0))),
    );
    println!("{miss}");
}

fn translate(criterion: &mut Criterion) {
    let mut rig = mapped();
    let addresses = addresses();
    let mut smmu = smmu_like(&mut rig);
    let bare = Bare::of(&mut smmu, &mut rig, &addresses);
    let flat = Flat::of(&mut smmu, &mut rig, &addresses);
    for &iova in &addresses {
        let reached = Some(look(&mut smmu, &mut rig, iova));
        assert_eq!((bare.look(iova), flat.look(iova)), (reached, reached));
    }
    let misses = smmu.counters().tlb_misses;
    assert_eq!(misses, PAGES, "the TLB holds every page");
    ratios(&mut smmu, &mut rig, &bare, &flat, &addresses);
    for &iova in &addresses {
        look(&mut smmu, &mut rig, iova);
    }
    let misses = smmu.counters().tlb_misses;
    let mut group = criterion.benchmark_group("translate");
    group.sample_size(30).warm_up_time(Duration::from_millis(300));
    group.measurement_time(Duration::from_secs(1)).throughput(Throughput::Elements(PAGES));
    group.bench_function("hit/bare", |b| {
        b.iter(|| over(&addresses, |iova| bare.look(iova).unwrap_or(0)));
    });
    group.bench_function("hit/smmu", |b| {
        b.iter(|| over(&addresses, |iova| look(&mut smmu, &mut rig, iova)));
    });
    assert_eq!(smmu.counters().tlb_misses, misses, "hits are hits");
    group.bench_function("miss/flat", |b| {
        b.iter(|| over(&addresses, |iova| flat.look(iova).unwrap_or(0)));
    });
    group.bench_function("miss/smmu", |b| {
        b.iter_custom(|times| {
            let mut spent = Duration::ZERO;
            for _ in 0..times {
                // This drops the configuration too: two fetches in a thousand translations.
                smmu.clear_caches();
                let begun = Instant::now();
                black_box(over(&addresses, |iova| look(&mut smmu, &mut rig, iova)));
                spent += begun.elapsed();
            }
            spent
        });
    });
    group.finish();
    let counters = smmu.counters();
    let hits = counters.transactions - counters.tlb_misses;
    assert_eq!(counters.tlb_hits, hits);
    assert_eq!(counters.walks, counters.tlb_misses, "misses are misses");
}

criterion_group!(benches, translate);
criterion_main!(benches);
