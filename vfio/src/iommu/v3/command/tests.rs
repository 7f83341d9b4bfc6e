//! Encodings of commands.

use super::Command;
use passim_model::StreamId;

#[test]
fn a_device_forgets_the_span_that_holds_what_is_meant() {
    // First page, pages; address and log2.
    let rows = [
        (0x10, 1, 0x10, 0),
        (0x10, 2, 0x10, 1),
        (0x11, 2, 0x10, 2),
        (0x7f, 2, 0x0, 8),
        (0x200, 0x200, 0x200, 9),
    ];
    for (first, pages, address, lg2) in rows {
        let Command([_, second]) = Command::atc_inv(StreamId::new(8), first << 12, pages << 12);
        assert_eq!(second, address << 12 | lg2, "{first:#x} {pages:#x}");
    }
    // Every address.
    let Command(words) = Command::atc_inv(StreamId::new(8), 0, 0);
    assert_eq!(words, [0x8_0000_0040, 52]);
}

#[test]
fn a_stalled_transaction_aborts() {
    let Command(words) = Command::resume_abort(StreamId::new(8), 0x17);
    assert_eq!(words, [0x8_0000_2044, 0x17]);
}
