//! A frame driven through its registers, with raw numbers.

use super::{Frame, Implementation};
use crate::Size;
use passim_model::IntId;

/// The frame of the recordings' machine: SPIs 80 to 143.
fn frame() -> Frame {
    Frame::new(Implementation::new(IntId::new(80), 64))
}

fn raised(frame: Frame, at: u64, size: Size, value: u64) -> Option<u32> {
    frame.store(at, size, value).map(IntId::get)
}

#[test]
fn what_a_driver_reads() {
    assert_eq!(frame().load(0x008, Size::Word), 0x0050_0040);
    assert_eq!(frame().load(0xfcc, Size::Word), 0x0510_0000);
    for at in (0xfd0..0x1000).step_by(4) {
        assert_eq!(frame().load(at, Size::Word), 0);
    }
    assert_eq!(frame().load(0x040, Size::Word), 0, "write-only");
    let numbered = Implementation {
        identification: core::array::from_fn(|i| i as u32 + 1),
        ..*frame().implementation()
    };
    assert_eq!(Frame::new(numbered).load(0xfe8, Size::Word), 7);
}

#[test]
fn only_whole_words_are_read() {
    for (at, size) in [
        (8, Size::Byte),
        (8, Size::Half),
        (8, Size::Double),
        (10, Size::Word),
        (0x1008, Size::Word),
    ] {
        assert_eq!(frame().load(at, size), 0);
    }
}

#[test]
fn a_number_of_the_run_raises_its_spi() {
    for number in 0..0x400 {
        let expected = (80..144).contains(&number).then_some(number as u32);
        assert_eq!(raised(frame(), 0x40, Size::Word, number), expected);
        assert_eq!(raised(frame(), 0x40, Size::Half, number), expected);
    }
    assert_eq!(raised(frame(), 0x40, Size::Word, 0xffff_fc50), Some(80), "ten bits count");
}

#[test]
fn other_sizes_and_offsets_are_ignored() {
    assert_eq!(raised(frame(), 0x40, Size::Byte, 80), None);
    assert_eq!(raised(frame(), 0x40, Size::Double, 80), None);
    assert_eq!(raised(frame(), 0x42, Size::Word, 80), None);
    for at in (0..0x2000).step_by(2).filter(|&at| at != 0x40) {
        assert_eq!(raised(frame(), at, Size::Half, 80), None);
    }
}

#[test]
fn variants_read_the_data_their_own_way() {
    let base = IntId::new(80);
    let xgene = Frame::new(Implementation::xgene(base, 64));
    assert_eq!(xgene.load(0xfcc, Size::Word), 0x0600_0170);
    assert_eq!(raised(xgene, 0x40, Size::Word, 0), Some(80));
    assert_eq!(raised(xgene, 0x40, Size::Word, 64), None);
    let ns2 = Frame::new(Implementation::ns2(base, 64));
    assert_eq!(ns2.load(0xfcc, Size::Word), 0x13f);
    assert_eq!(raised(ns2, 0x40, Size::Word, 48), Some(80));
    assert_eq!(raised(ns2, 0x40, Size::Word, 80), Some(112));
    let graviton = Frame::new(Implementation::graviton(base, 64));
    assert_eq!(raised(graviton, 48 << 3, Size::Word, 0), Some(80));
    assert_eq!(raised(graviton, 47 << 3, Size::Word, 80), None);
}

#[test]
fn a_run_at_the_end_of_the_numbers_is_no_trouble() {
    let frame = Frame::new(Implementation::xgene(IntId::new(u32::MAX), u16::MAX));
    assert_eq!(raised(frame, 0x40, Size::Word, 5), None);
    assert_eq!(raised(frame, 0x40, Size::Word, 0), Some(u32::MAX));
}
