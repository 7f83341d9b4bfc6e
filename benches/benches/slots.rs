//! Is the dma tree faster than the kernel's, and where?
//!
//! Each access is measured on [`Slots`] and on the kernel-shaped tree in the same run; only the
//! ratio of the two means anything. A million ranges take a while to lay out and are measured only
//! when selected: `cargo bench --bench slots -- 1M`, or `-- "ratios 1M"` for the ratios alone.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
use passim_benches::{Goal, Ratio, timed};
use passim_model::{Iova, Span};
use passim_structures::{Index, KernelRb, Layout, Range, Shape, SplitMix64};
use passim_vfio::type1::slots::{Finger, SlotId, Slots};

/// Ranges in a window.
const WINDOW: usize = 128;

/// The tree under test, behind the trait of its competitors.
struct DmaTree(Slots<u64>);

fn span(range: Range) -> Span<Iova> {
    Span::new(Iova::new(range.start), Iova::new(range.last)).expect("layouts have no empty ranges")
}

impl Index for DmaTree {
    type Handle = SlotId;

    fn insert(&mut self, range: Range, value: u64) -> Option<SlotId> {
        self.0.insert(span(range), value).ok()
    }

    fn remove(&mut self, handle: SlotId) -> u64 {
        self.0.remove(handle).expect("the handle was just found")
    }

    fn find(&self, point: u64) -> Option<SlotId> {
        self.0.containing(Iova::new(point))
    }

    fn overlaps(&self, range: Range) -> bool {
        self.0.first_overlapping(span(range)).is_some()
    }

    fn for_each_in(&self, range: Range, mut visit: impl FnMut(Range, u64)) {
        self.0.overlapping(span(range)).for_each(|(id, found)| {
            let range = Range { start: found.start().get(), last: found.last().get() };
            // The other trees hold the value in the node; here it is one step further.
            visit(range, *self.0.get(id).expect("the walk names live slots"));
        });
    }
}

/// The same ranges in both trees, inserted in the same random order.
struct Pair {
    shape: Shape,
    ours: DmaTree,
    kernel: KernelRb,
    numbers: SplitMix64,
}

impl Pair {
    fn new(count: usize) -> Self {
        let mut numbers = SplitMix64::new(count as u64);
        let shape = Shape::new(Layout::Mix, count, &mut numbers);
        let mut ours = DmaTree(Slots::new());
        let mut kernel = KernelRb::new();
        for place in numbers.order(count) {
            let range = shape.ranges[place];
            ours.insert(range, place as u64).expect("ranges do not overlap");
            kernel.insert(range, place as u64).expect("ranges do not overlap");
        }
        Self { shape, ours, kernel, numbers }
    }
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// Independent lookups: the CPU overlaps them.
fn look(group: &mut Group<'_>, id: BenchmarkId, index: &impl Index, pair: &Pair) {
    let mut numbers = pair.numbers.clone();
    group.bench_function(id, |b| {
        b.iter(|| index.find(pair.shape.point(&mut numbers)).is_some());
    });
}

/// Lookups each of which waits for the answer before it.
fn dependent(group: &mut Group<'_>, id: BenchmarkId, index: &impl Index, pair: &Pair) {
    let mut numbers = pair.numbers.clone();
    let none = black_box(0);
    let mut carried = 0;
    group.bench_function(id, |b| {
        b.iter(|| {
            let point = pair.shape.point(&mut numbers) + (carried & none);
            carried = u64::from(black_box(index.find(point)).is_some());
        });
    });
}

/// Lookups of one page after the other.
fn sequence(group: &mut Group<'_>, id: BenchmarkId, index: &impl Index, pair: &Pair) {
    let mut point = pair.shape.ranges[0].start;
    group.bench_function(id, |b| {
        b.iter(|| {
            point = pair.shape.next_page(point);
            index.find(point).is_some()
        });
    });
}

/// The same with a finger.
fn sequence_with_finger(group: &mut Group<'_>, id: BenchmarkId, pair: &Pair) {
    let mut point = pair.shape.ranges[0].start;
    let mut finger = Finger::default();
    group.bench_function(id, |b| {
        b.iter(|| {
            point = pair.shape.next_page(point);
            pair.ours.0.lookup_with(&mut finger, Iova::new(point)).is_some()
        });
    });
}

/// Find, remove, check for overlap and insert one range. Insertion is what checks for overlap.
fn churn(
    group: &mut Group<'_>,
    id: BenchmarkId,
    index: &mut impl Index,
    shape: &Shape,
    mut numbers: SplitMix64,
) {
    group.bench_function(id, |b| {
        b.iter(|| {
            let range = shape.range(&mut numbers);
            let handle = index.find(range.start).expect("every range of the layout is in");
            let value = index.remove(handle);
            index.insert(range, value).is_some()
        });
    });
}

/// A visit to neighbours, with their values.
fn window(group: &mut Group<'_>, id: BenchmarkId, index: &impl Index, pair: &Pair) {
    let mut numbers = pair.numbers.clone();
    group.bench_function(id, |b| {
        b.iter(|| {
            let mut total = 0_u64;
            index.for_each_in(pair.shape.window(WINDOW, &mut numbers), |range, value| {
                total = total.wrapping_add(range.start ^ range.last ^ value);
            });
            total
        });
    });
}

/// Operations in a turn.
const TURN: u64 = 1000;
/// Turns of each.
const TURNS: u32 = 200;

/// A turn of independent lookups.
fn looks(index: &impl Index, shape: &Shape, numbers: &mut SplitMix64) -> Duration {
    timed(|| (0..TURN).filter(|_| index.find(shape.point(numbers)).is_some()).count())
}

/// A turn of lookups each of which waits for the one before.
fn dependent_looks(index: &impl Index, shape: &Shape, numbers: &mut SplitMix64) -> Duration {
    let (none, mut carried) = (black_box(0), 0);
    timed(|| {
        for _ in 0..TURN {
            let point = shape.point(numbers) + (carried & none);
            carried = u64::from(black_box(index.find(point)).is_some());
        }
    })
}

/// A turn of find, remove and insert.
fn churns(index: &mut impl Index, shape: &Shape, numbers: &mut SplitMix64) -> Duration {
    timed(|| {
        for _ in 0..TURN {
            let range = shape.range(numbers);
            let handle = index.find(range.start).expect("every range of the layout is in");
            let value = index.remove(handle);
            black_box(index.insert(range, value).is_some());
        }
    })
}

/// A turn of visits to windows, counted in ranges.
fn visits(index: &impl Index, shape: &Shape, numbers: &mut SplitMix64) -> Duration {
    let mut total = 0_u64;
    timed(|| {
        for _ in 0..TURN / WINDOW as u64 {
            index.for_each_in(shape.window(WINDOW, numbers), |range, value| {
                total = total.wrapping_add(range.start ^ range.last ^ value);
            });
        }
        total
    })
}

/// The goals for a size, by access: random, dependent, page by page, churn, window.
struct Goals {
    id: [&'static str; 5],
    at_most: [f64; 5],
}

/// The goals for a size.
fn goals(count: usize) -> Goals {
    let (id, at_most) = match count {
        16 => (["P3", "P3", "", "", ""], [0.4, 1.0, 0.0, 0.0, 0.0]),
        1024 => (["P3", "P3", "P4", "P5", ""], [0.4, 0.8, 1.0, 0.5, 0.0]),
        65536 => (["P1", "P1", "P4", "P5", "P6"], [0.15, 0.35, 0.5, 0.35, 0.06]),
        _ => (["P2", "P2", "P4", "P5", "P6"], [0.1, 0.3, 0.5, 0.35, 0.06]),
    };
    Goals { id, at_most }
}

/// The ratios to the kernel-shaped tree at one size, measured in turns.
fn ratios_of(count: usize, pair: &mut Pair) -> Vec<Ratio> {
    let Goals { id, at_most } = goals(count);
    let what = ["random lookup", "dependent lookup", "page-by-page lookup", "churn", "window"];
    let goal = |at: usize| Goal {
        id: id[at],
        what: what[at],
        against: "the kernel-shaped tree",
        at_most: at_most[at],
    };
    let Pair { shape, ours, kernel, numbers } = pair;
    let [mut one, mut other] = [numbers.clone(), numbers.clone()];
    let mut found = Vec::new();
    let mut put = |at: usize, ratio: Ratio| {
        if !id[at].is_empty() {
            found.push(ratio);
        }
    };
    let (a, b) = (&mut one, &mut other);
    put(0, goal(0).race(TURNS, TURN, || looks(ours, shape, a), || looks(kernel, shape, b)));
    put(
        1,
        goal(1).race(
            TURNS,
            TURN,
            || dependent_looks(ours, shape, a),
            || dependent_looks(kernel, shape, b),
        ),
    );
    let start = shape.ranges[0].start;
    let (mut here, mut there, mut finger) = (start, start, Finger::default());
    let by_page = |point: &mut u64, find: &mut dyn FnMut(u64) -> bool| {
        timed(|| {
            for _ in 0..TURN {
                *point = shape.next_page(*point);
                black_box(find(*point));
            }
        })
    };
    let mut with_finger = |at| ours.0.lookup_with(&mut finger, Iova::new(at)).is_some();
    let mut in_kernel = |at| kernel.find(at).is_some();
    put(
        2,
        goal(2).race(
            TURNS,
            TURN,
            || by_page(&mut here, &mut with_finger),
            || by_page(&mut there, &mut in_kernel),
        ),
    );
    put(4, goal(4).race(TURNS, TURN, || visits(ours, shape, a), || visits(kernel, shape, b)));
    put(3, goal(3).race(TURNS, TURN, || churns(ours, shape, a), || churns(kernel, shape, b)));
    found
}

/// P7: what 64k ranges cost over what 1k cost.
fn cliffs(large: &mut Pair, small: &mut Pair) -> [Ratio; 2] {
    let goal = |what| Goal { id: "P7", what, against: "the same among 1k", at_most: 2.5 };
    let [mut a, mut b] = [large.numbers.clone(), small.numbers.clone()];
    let find = goal("random lookup among 64k").race(
        TURNS,
        TURN,
        || looks(&large.ours, &large.shape, &mut a),
        || looks(&small.ours, &small.shape, &mut b),
    );
    let churn = goal("find, remove and insert among 64k").race(
        TURNS,
        TURN,
        || churns(&mut large.ours, &large.shape, &mut a),
        || churns(&mut small.ours, &small.shape, &mut b),
    );
    [find, churn]
}

/// The sizes that are measured.
fn sizes() -> Vec<(usize, &'static str)> {
    let mut sizes = vec![(16, "16"), (1 << 10, "1k"), (1 << 16, "64k")];
    if std::env::args().any(|argument| argument.contains("1M")) {
        sizes.push((1 << 20, "1M"));
    }
    sizes
}

/// All ratios.
fn ratios(_: &mut Criterion) {
    let mut pairs: Vec<_> = sizes().into_iter().map(|size| (size, Pair::new(size.0))).collect();
    for ((count, label), pair) in &mut pairs {
        for ratio in ratios_of(*count, pair) {
            println!("{ratio} ({label})");
        }
    }
    let [_, small, large, ..] = &mut pairs[..] else {
        return;
    };
    for ratio in cliffs(&mut large.1, &mut small.1) {
        println!("{ratio}");
    }
}

fn slots(criterion: &mut Criterion) {
    let sizes = sizes();
    let mut group = criterion.benchmark_group("slots");
    group.sample_size(20);
    group.warm_up_time(Duration::from_millis(200));
    group.measurement_time(Duration::from_millis(600));
    for (count, label) in sizes {
        let mut pair = Pair::new(count);
        let ours = |access| BenchmarkId::new(format!("{access}/slots"), label);
        let kernel = |access| BenchmarkId::new(format!("{access}/kernel-shaped"), label);
        look(&mut group, kernel("random"), &pair.kernel, &pair);
        look(&mut group, ours("random"), &pair.ours, &pair);
        dependent(&mut group, kernel("dependent"), &pair.kernel, &pair);
        dependent(&mut group, ours("dependent"), &pair.ours, &pair);
        sequence(&mut group, kernel("seq4k"), &pair.kernel, &pair);
        sequence(&mut group, ours("seq4k"), &pair.ours, &pair);
        sequence_with_finger(&mut group, ours("seq4k-finger"), &pair);
        window(&mut group, kernel("window128"), &pair.kernel, &pair);
        window(&mut group, ours("window128"), &pair.ours, &pair);
        let numbers = pair.numbers.clone();
        churn(&mut group, kernel("churn"), &mut pair.kernel, &pair.shape, numbers.clone());
        churn(&mut group, ours("churn"), &mut pair.ours, &pair.shape, numbers);
    }
    group.finish();
}

criterion_group!(benches, ratios, slots);
criterion_main!(benches);
