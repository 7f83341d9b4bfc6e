use super::{Iova, Span};

fn span(start: u64, last: u64) -> Option<Span<Iova>> {
    Span::new(Iova::new(start), Iova::new(last))
}

#[test]
fn a_span_may_end_at_the_last_address_but_not_wrap() {
    let top = Span::from_size(Iova::new(u64::MAX - 0xfff), 0x1000).unwrap();
    assert_eq!(top.last().get(), u64::MAX);
    assert_eq!(Span::from_size(Iova::new(u64::MAX - 0xfff), 0x1001), None);
    assert_eq!(Span::from_size(Iova::new(0), 0), None);
    assert_eq!(span(1, 0), None);
}

#[test]
fn only_the_whole_space_has_no_size() {
    assert_eq!(span(0, u64::MAX).unwrap().size(), None);
    assert_eq!(span(1, u64::MAX).unwrap().size(), Some(u64::MAX));
    assert_eq!(span(7, 7).unwrap().size(), Some(1));
}

#[test]
fn overlap_counts_both_ends() {
    let a = span(0x1000, 0x1fff).unwrap();
    assert!(a.overlaps(span(0x1fff, 0x2000).unwrap()));
    assert!(!a.overlaps(span(0x2000, 0x2000).unwrap()));
    assert_eq!(a.intersection(span(0x1800, 0x4000).unwrap()), span(0x1800, 0x1fff));
}

#[test]
fn alignment_is_by_power_of_two() {
    assert_eq!(Iova::new(0x12345).align_down(12).get(), 0x12000);
    assert_eq!(Iova::new(0x12345).offset_in(12), 0x345);
    assert!(Iova::new(0).is_aligned(64));
}
