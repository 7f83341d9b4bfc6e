//! All structures give the same answers, and the layouts are as described.

use crate::{ByStart, Index, KernelRb, Layout, Range, Ranges, Shape, Sorted, SplitMix64};

/// The answers of an index while it is built, churned, queried and emptied.
fn story(mut index: impl Index, layout: Layout, count: usize) -> Vec<u64> {
    let mut numbers = SplitMix64::new(layout as u64 + 1);
    let shape = Shape::new(layout, count, &mut numbers);
    let mut told = Vec::new();
    for place in numbers.order(count) {
        assert!(index.insert(shape.ranges[place], place as u64 + 1).is_some());
    }
    for round in 0..4 * count as u64 {
        let point = shape.point(&mut numbers);
        let mut value = 0;
        index.for_each_in(Range { start: point, last: point }, |range, there| {
            assert!(range.start <= point && point <= range.last);
            value = there;
        });
        assert_eq!(index.find(point).is_some(), value != 0);
        told.push(value);
        assert!(index.find(shape.hole(&mut numbers)).is_none());

        let range = shape.range(&mut numbers);
        let other = shape.range(&mut numbers);
        match index.find(range.start) {
            Some(handle) => told.push(index.remove(handle)),
            None => assert!(!index.overlaps(range)),
        }
        let wide = Range { start: range.start.min(other.start), last: range.last.max(other.last) };
        let refused = index.overlaps(wide);
        assert_eq!(index.insert(wide, count as u64 + round).is_none(), refused);
        told.push(u64::from(refused));
        if !refused {
            let handle = index.find(wide.last).expect("it was just inserted");
            index.remove(handle);
        }
        if !index.overlaps(range) {
            assert!(index.insert(range, count as u64 * 8 + round).is_some());
        }
        index.for_each_in(shape.window(128, &mut numbers), |range, value| {
            told.extend([range.start, range.last, value]);
        });
    }
    for place in numbers.order(count) {
        if let Some(handle) = index.find(shape.ranges[place].last) {
            told.push(index.remove(handle));
        }
    }
    index.for_each_in(Range { start: 0, last: u64::MAX - 1 }, |_, _| unreachable!("it is empty"));
    told
}

#[test]
fn all_structures_tell_the_same_story() {
    for layout in Layout::ALL {
        for count in [16, 300] {
            let told = story(Sorted::new(), layout, count);
            assert!(told == story(ByStart::new(), layout, count));
            assert!(told == story(Ranges::new(), layout, count));
            assert!(told == story(KernelRb::new(), layout, count));
        }
    }
}

#[test]
fn layouts_are_what_they_say() {
    let mut numbers = SplitMix64::new(7);
    for layout in Layout::ALL {
        for &count in layout.sizes() {
            let ranges = layout.ranges(count, &mut numbers);
            assert_eq!(ranges.len(), count);
            assert!(ranges.windows(2).all(|pair| pair[0].last < pair[1].start));
            let sizes = ranges.iter().map(|range| range.last - range.start + 1);
            let (least, most) = match layout {
                Layout::Vm => (1 << 30, 16 << 30),
                Layout::Dpdk => (2 << 20, 2 << 20),
                Layout::Mix => (4 << 10, 2 << 20),
                Layout::Fuzz => (4 << 10, 4 << 10),
            };
            assert!(sizes.clone().all(|size| (least..=most).contains(&size)));
        }
    }
}

#[test]
fn random_lookups_mostly_hit() {
    let mut numbers = SplitMix64::new(9);
    let shape = Shape::new(Layout::Mix, 1 << 10, &mut numbers);
    let mut index = Sorted::new();
    for range in &shape.ranges {
        index.insert(*range, 0).expect("the layout does not overlap itself");
    }
    let hits = (0..10_000).filter(|_| index.find(shape.point(&mut numbers)).is_some()).count();
    assert!((7_000..9_200).contains(&hits), "{hits} of 10000");
}
