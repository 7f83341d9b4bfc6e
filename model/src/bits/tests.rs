use super::{bit, bits};

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
