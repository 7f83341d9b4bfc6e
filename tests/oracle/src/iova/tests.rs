use super::*;

/// The table of worked examples: window, first, second and last page, how many.
#[test]
fn worked_examples() {
    let cases = [
        (0x8000, 0x80ff, 0x80ff, 0x80fe, 0x8001, 255),
        (0xc000, 0xc00f, 0xc00f, 0xc00e, 0xc001, 15),
        (0x1, 0xf, 0xf, 0xe, 0x2, 14),
        (0xc00, 0xc0f, 0xc0f, 0xc0e, 0xc01, 15),
    ];
    for (start, limit, first, second, last, count) in cases {
        let mut space = TopDown::new(start, limit);
        let all: Vec<_> = std::iter::from_fn(|| space.alloc(1)).collect();
        assert_eq!((all[0], all[1], all[all.len() - 1], all.len()), (first, second, last, count));
    }
    assert_eq!(TopDown::new(0x8000, 0x8000).alloc(1), None);
}

#[test]
fn the_newer_one_uses_the_lowest_page() {
    let mut space = Anchored::new(0x10, 0x14);
    assert_eq!(space.alloc(2), Some(0x12));
    assert_eq!(space.alloc(1), Some(0x11));
    assert_eq!(space.alloc(1), Some(0x10));
    assert_eq!(space.alloc(1), None);
    space.free(0x12);
    assert_eq!(space.alloc(1), Some(0x13));
}
