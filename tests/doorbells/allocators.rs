//! Random allocations and frees, each compared with a walk over everything allocated.

use passim_oracle::iova as oracle;
use passim_vfio::iommu::iova::{Anchored, Bump, TopDown};
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

/// An operation on an allocator.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Allocate this many pages.
    Alloc(u64),
    /// Free the allocation with this index, modulo their number.
    Free(usize),
    /// Extend the window by this many pages.
    Enlarge(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![6 => 1u64..2, 4 => 1u64..9, 1 => 1u64..80];
    prop_oneof![
        6 => size.prop_map(Step::Alloc),
        5 => any::<usize>().prop_map(Step::Free),
        1 => (0u64..20).prop_map(Step::Enlarge),
    ]
}

/// First page and number of pages of a window, and the operations.
fn case() -> impl Strategy<Value = (u64, u64, Vec<Step>)> {
    let first = prop_oneof![1u64..4, 0x7fe0u64..0x8010, (1u64 << 52) - 9_000..(1u64 << 52) - 8_000];
    let pages = prop_oneof![1u64..40, 1u64..400];
    (first, pages, prop::collection::vec(step(), 1..300))
}

#[test]
fn top_down_walks_as_until_4_12() {
    super::explore(3_000, 1, &case(), |(first, pages, steps)| {
        let mut last = first + pages - 1;
        let mut space = TopDown::new(first, last);
        let mut twin = oracle::TopDown::new(first, last);
        let mut held = Vec::new();
        for step in steps {
            match step {
                Step::Alloc(size) => {
                    let expected = twin.alloc(size);
                    prop_assert_eq!(space.alloc(size), expected, "{} pages", size);
                    held.extend(expected);
                }
                Step::Free(at) if !held.is_empty() => {
                    let page = held.swap_remove(at % held.len());
                    space.free(page);
                    twin.free(page);
                }
                Step::Enlarge(pages) => {
                    last += pages;
                    prop_assert!(space.enlarge(first, last));
                    twin.enlarge(last);
                }
                Step::Free(_) => {}
            }
        }
        Ok(())
    });
}

#[test]
fn anchored_walks_as_since_4_15() {
    super::explore(3_000, 2, &case(), |(first, pages, steps)| {
        let mut space = Anchored::new(first, first + pages);
        let mut twin = oracle::Anchored::new(first, first + pages);
        let mut held = Vec::new();
        for step in steps {
            match step {
                Step::Alloc(size) => {
                    let expected = twin.alloc(size);
                    prop_assert_eq!(space.alloc(size), expected, "{} pages", size);
                    held.extend(expected);
                }
                Step::Free(at) if !held.is_empty() => {
                    let page = held.swap_remove(at % held.len());
                    space.free(page);
                    twin.free(page);
                }
                Step::Free(_) | Step::Enlarge(_) => {}
            }
        }
        Ok(())
    });
}

#[test]
fn bump_only_moves_up() {
    let sizes = prop::collection::vec((1u64..0x10_0000, any::<bool>()), 1..100);
    let base = prop_oneof![0u64..0x1000_0000, u64::MAX - 0x100_0000..u64::MAX];
    super::explore(300, 3, &(base, sizes), |(base, sizes)| {
        let mut space = Bump::new(base);
        let mut twin = oracle::Upwards::new(base);
        for (size, mapped) in sizes {
            prop_assert_eq!(space.alloc(size), twin.alloc(size));
            if !mapped {
                space.undo(size);
                twin.undo(size);
            }
        }
        Ok(())
    });
}

/// A million pages, of which the kernel's walk would visit half for every answer.
#[test]
fn large_numbers_of_allocations_are_no_burden() {
    let pages = 1 << 20;
    let mut space = TopDown::new(1, pages);
    let all: Vec<_> = std::iter::from_fn(|| space.alloc(1)).collect();
    assert_eq!((all.len() as u64, all[0]), (pages - 1, pages));
    // Every second page is freed: no two free pages are adjacent, and the walk for two pages would
    // visit every hole.
    for page in all.iter().skip(1).step_by(2) {
        space.free(*page);
    }
    for _ in 0..1000 {
        assert_eq!(space.alloc(2), None);
    }
    let again: Vec<_> = std::iter::from_fn(|| space.alloc(1)).collect();
    assert!(again.is_sorted_by(|a, b| a > b));
}

/// No number panics, and every allocation lies inside the window.
#[test]
fn any_number_is_taken() {
    let steps = prop::collection::vec((any::<u64>(), any::<bool>()), 1..20);
    super::explore(500, 4, &(any::<u64>(), any::<u64>(), steps), |(first, last, steps)| {
        let mut older = TopDown::new(first, last);
        let mut newer = Anchored::new(first, last);
        for (number, free) in steps {
            if free {
                older.free(number);
                newer.free(number);
            } else {
                inside(older.alloc(number), number, first, last)?;
                inside(newer.alloc(number), number, first, last)?;
            }
            older.enlarge(first, number);
            newer.enlarge(first, number);
            if number >= last {
                return Ok(());
            }
        }
        Ok(())
    });
}

fn inside(at: Option<u64>, pages: u64, first: u64, last: u64) -> TestCaseResult {
    if let Some(at) = at {
        prop_assert!(at >= first && at.checked_add(pages - 1).is_some_and(|end| end <= last));
    }
    Ok(())
}
