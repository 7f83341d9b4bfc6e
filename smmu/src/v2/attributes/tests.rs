use super::*;

fn cr0(mem_attr: u64, mtcfg: u64, [shcfg, racfg, wacfg]: [u64; 3]) -> Attributes {
    let word = wacfg << 26 | racfg << 24 | shcfg << 22 | mtcfg << 20 | mem_attr << 16;
    Preset::of_cr0(word).apply(Attributes::INCOMING)
}

#[test]
fn zero_is_default() {
    assert_eq!(cr0(0xf, 0, [0; 3]), Attributes::INCOMING);
    assert_eq!(Preset::of_s2cr(0).apply(Attributes::INCOMING), Attributes::INCOMING);
    assert_eq!(Preset::of_sctlr(0).apply(Attributes::INCOMING), Attributes::INCOMING);
}

#[test]
fn each_field_by_itself() {
    assert_eq!(cr0(0b0101, 1, [0; 3]).memory, 0x44);
    assert_eq!(cr0(0b0001, 1, [0; 3]).memory, 0x04);
    assert_eq!(cr0(0b1111, 1, [1, 0, 0]).shareability, Shareability::Outer);
    assert_eq!(cr0(0, 0, [3, 0, 0]).shareability, Shareability::Non);
    assert_eq!(cr0(0, 0, [0, 3, 0]).memory, 0xdd, "no read-allocate");
    assert_eq!(cr0(0, 0, [0, 2, 3]).memory, 0xee, "no write-allocate");
    assert_eq!(cr0(0, 0, [0, 3, 3]).memory, 0xcc);
}

#[test]
fn bypassed_stage_2_combines() {
    // BPSHCFG outer, MemAttr non-cacheable.
    let combined = Combination::of_cbar(1 << 8 | 0b0101 << 12).apply(Attributes::INCOMING);
    assert_eq!(combined, Attributes { memory: 0x44, shareability: Shareability::Outer });
    // Write-back, non-shareable: what came in stays.
    let combined = Combination::of_cbar(3 << 8 | 0b1111 << 12).apply(Attributes::INCOMING);
    assert_eq!(combined, Attributes::INCOMING);
}

#[test]
fn reserved_values_are_those_of_table_2_4() {
    for reserved in [0b0100, 0b1000, 0b1100] {
        let so = Attributes { memory: 0, shareability: Shareability::Outer };
        assert_eq!(cr0(reserved, 1, [0; 3]), so);
        let s2cr = Preset::of_s2cr(1 << 11 | reserved << 12);
        assert_eq!(s2cr.apply(Attributes::INCOMING), so);
        let cbar = Combination::of_cbar(3 << 8 | reserved << 12);
        assert_eq!(cbar.apply(Attributes::INCOMING), so);
        assert_eq!(Combination::of_sctlr(reserved << 16).apply(Attributes::INCOMING), so);
    }
    // BPSHCFG 0; RACFG and WACFG 1.
    let combined = Combination::of_cbar(0b1111 << 12).apply(Attributes::INCOMING);
    assert_eq!(combined, Attributes { memory: 0xff, shareability: Shareability::Outer });
    assert_eq!(cr0(0, 0, [0, 1, 1]), Attributes::INCOMING);
}

#[test]
fn stage_2_has_the_word_on_allocation() {
    let incoming = Attributes { memory: 0xee, ..Attributes::INCOMING };
    for [racfg, wacfg, expected] in [[0, 0, 0xee], [3, 3, 0xcc], [2, 2, 0xff], [3, 0, 0xcc]] {
        let cbar = Combination::of_cbar(3 << 8 | 0xf << 12 | racfg << 20 | wacfg << 22);
        assert_eq!(u64::from(cbar.apply(incoming).memory), expected);
        let sctlr = Combination::of_sctlr(0xf << 16 | racfg << 24 | wacfg << 26);
        assert_eq!(u64::from(sctlr.apply(incoming).memory), expected);
    }
    // Nothing is allocated that is not cached.
    assert_eq!(Combination::of_cbar(5 << 12 | 0xa << 20).apply(incoming).memory, 0x44);
}

#[test]
fn a_replaced_type_keeps_what_came_in_of_allocation() {
    let write_back = Preset::of_sctlr(1 << 20 | 0xf << 16);
    let apply = |memory| write_back.apply(Attributes { memory, ..Attributes::INCOMING }).memory;
    assert_eq!(apply(0xff), 0xff);
    assert_eq!(apply(0xcc), 0xcc);
    assert_eq!(apply(0xe4), 0xec, "inner was not cached");
    assert_eq!(apply(0x44), 0xcc);
    assert_eq!(apply(0x04), 0xcc, "a device");
    let hinted = Preset::of_sctlr(1 << 20 | 0xf << 16 | 2 << 24);
    let non_cacheable = Attributes { memory: 0x44, ..Attributes::INCOMING };
    assert_eq!(hinted.apply(non_cacheable).memory, 0xee, "RACFG");
}
