use super::*;

fn leaf(tex: u8, c: bool, b: bool) -> vmsav7s::Attributes {
    let (ap, shareable, not_global, xn, pxn) = (3, true, true, false, false);
    vmsav7s::Attributes { ap, tex, c, b, shareable, not_global, xn, pxn }
}

/// What Linux writes: type 1 Device, 4 and 7 Normal, 7 write-back; NS1, DS0, DS1, NOS7.
const PRRR: u32 = 1 << 2 | 2 << 8 | 2 << 14 | 1 << 16 | 1 << 17 | 1 << 19 | 1 << 31;
const NMRR: u32 = 1 << 14 | 1 << 30;

#[test]
fn the_remap_linux_sets_up() {
    let of = |tex, c, b| Attributes::remapped(&leaf(tex, c, b), PRRR, NMRR);
    let expected = |memory, shareability| Attributes { memory, shareability };
    assert_eq!(of(1, true, true), expected(0xff, Shareability::Inner));
    assert_eq!(of(1, false, false), expected(0x44, Shareability::Outer));
    assert_eq!(of(0, false, true), expected(0x04, Shareability::Outer));
    assert_eq!(of(0, false, false), expected(0x00, Shareability::Outer));
    // TEX[2:1] are software's.
    assert_eq!(of(7, true, true), of(1, true, true));
    let private = vmsav7s::Attributes { shareable: false, ..leaf(1, true, true) };
    let found = Attributes::remapped(&private, PRRR, NMRR);
    assert_eq!(found, expected(0xff, Shareability::Non));
}

#[test]
fn types_spelled_out() {
    let memory = |tex, c, b| Attributes::spelled(&leaf(tex, c, b)).memory;
    assert_eq!(memory(0, false, false), 0x00);
    assert_eq!(memory(0, false, true), 0x04);
    assert_eq!(memory(2, false, false), 0x04);
    assert_eq!(memory(0, true, false), 0xaa);
    assert_eq!(memory(0, true, true), 0xee);
    assert_eq!(memory(1, false, false), 0x44);
    assert_eq!(memory(1, true, true), 0xff);
    // Outer write-through, inner write-back with allocation.
    assert_eq!(memory(6, false, true), 0xaf);
}
