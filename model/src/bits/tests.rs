use super::{address, bit, bits};

#[test]
fn a_field_reads_and_writes_only_itself() {
    let field = bits(31, 12);
    assert_eq!(field.mask(), 0xffff_f000);
    assert_eq!(field.get(0x1234_5678_9abc_def0), 0x9abcd);
    assert_eq!(field.set(u64::MAX, 0), 0xffff_ffff_0000_0fff);
    assert_eq!(field.set(0, u64::MAX), 0xffff_f000);
    assert_eq!(bits(63, 0).mask(), u64::MAX);
    assert_eq!(bit(63).flag(true), 1 << 63);
    assert_eq!(bits(51, 12).in_place(0x000f_ffff_ffff_ffff), 0x000f_ffff_ffff_f000);
}

/// The text value of an address field is the address.
#[test]
fn a_field_holds_what_is_said_or_nothing() {
    let number = bits(7, 4);
    assert_eq!((number.of_said(0xf), number.of_said(0x10)), (Some(0xf0), None));
    assert_eq!(number.said(0xabc), 0xb);
    let base = address(55, 6);
    assert_eq!((base.of_said(0x1040), base.of_said(0x1041)), (Some(0x1040), None));
    assert_eq!(base.said(0x107f), 0x1040);
    assert_eq!(address(63, 0).of_said(u64::MAX), Some(u64::MAX));
}

crate::layout! {
    /// A layout with both kinds of fields.
    struct Both {
        V = bit(0);
        BASE = address(47, 12);
    }
}

#[test]
fn a_layout_lists_its_fields() {
    assert_eq!(Both::FIELDS, [("V", bit(0)), ("BASE", address(47, 12))]);
}
