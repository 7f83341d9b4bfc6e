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
