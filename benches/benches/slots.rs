//! Is the dma tree quicker than the kernel's, and where?
//!
//! Each question is asked of [`Slots`] and of the kernel-shaped tree in the same run; only the
//! ratio of the two means anything. A million ranges take a while to lay out and are measured only
//! when asked for: `cargo bench --bench slots -- 1M`.

use std::hint::black_box;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, criterion_group, criterion_main};
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

/// Independent lookups: the machine overlaps them.
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

fn slots(criterion: &mut Criterion) {
    let mut sizes = vec![(16, "16"), (1 << 10, "1k"), (1 << 16, "64k")];
    if std::env::args().any(|argument| argument.contains("1M")) {
        sizes.push((1 << 20, "1M"));
    }
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

criterion_group!(benches, slots);
criterion_main!(benches);
