//! Printed commands: the values of fields, and that no bit is left out.

use crate::its::{Opcode, Spelled};
use proptest::prelude::*;

fn text(words: [u64; 4]) -> String {
    Spelled::of(&words, false).to_string()
}

#[test]
fn a_command_is_told_by_its_fields() {
    // Written by Linux 6.12 into the queue of QEMU's virt machine.
    let told = [
        ([0x9, 0, 0x8000_0000_0001_0001, 0], "MAPC icid=1 cpu=1 valid=y"),
        ([0x5, 0, 0x1_0000, 0], "SYNC cpu=1"),
        ([0xd, 0, 0x1, 0], "INVALL icid=1"),
        (
            [0x28_0000_0008, 0, 0x8000_0000_44a5_8400, 0],
            "MAPD device=0x28 itt=0x44a58400 bits=1 valid=y",
        ),
        ([0x30_0000_000a, 0x2001_0000_0000, 1, 0], "MAPTI device=0x30 event=0 intid=8193 icid=1"),
        ([0x8_0000_000c, 0, 0, 0], "INV device=0x8 event=0"),
        ([0x8_0000_000f, 3, 0, 0], "DISCARD device=0x8 event=3"),
        ([0x8_0000_0008, 0, 0x44bd_d800, 0], "MAPD device=0x8 itt=0x44bdd800 bits=1 valid=n"),
        ([0x8_0000_0001, 3, 2, 0], "MOVI device=0x8 event=3 icid=2"),
        ([0x8_0000_000b, 8195, 2, 0], "MAPI device=0x8 event=8195 icid=2"),
        ([0xe, 0, 0x1_0000, 0x2_0000], "MOVALL cpu=1 to=2"),
    ];
    for (words, told) in told {
        assert_eq!(text(words), told);
    }
}

#[test]
fn a_redistributor_is_told_as_it_is_named() {
    let words = [0x5, 0, 0x80a_0000, 0];
    assert_eq!(Spelled::of(&words, true).to_string(), "SYNC cpu=0x80a0000");
}

#[test]
fn what_has_no_name_or_no_field_is_shown() {
    assert_eq!(text([0x7, 0, 0, 0]), "no command has the number 0x07");
    assert_eq!(text([0x22, 5, 0, 0]), "VMOVP, and in doubleword 1 0x5");
    assert_eq!(
        text([0x105, 0, 0, 1]),
        "SYNC cpu=0, and in doubleword 0 0x100, and in doubleword 3 0x1"
    );
}

proptest! {
    /// Two commands that print alike are equal.
    #[test]
    fn every_bit_is_told(
        opcode in prop::sample::select((0..=0xffu8).collect::<Vec<_>>()),
        words in any::<[u64; 4]>(),
        word in 0..4usize,
        bit in 0..64u32,
    ) {
        let first = words[0] & !0xff | u64::from(opcode);
        let words = [first, words[1], words[2], words[3]];
        let mut other = words;
        other[word] ^= 1 << bit;
        prop_assert_ne!(Spelled::of(&words, false), Spelled::of(&other, false));
        prop_assert_eq!(Spelled::of(&words, false).name, Opcode::of(opcode).map(Opcode::name));
    }
}
