use super::*;

#[test]
fn every_preset_can_be() {
    for (name, preset) in Description::PRESETS {
        assert_eq!(preset.check(), Ok(()), "{name}");
        assert_eq!(preset.within_limits(), preset, "{name}");
        assert_eq!(Description::preset(name), Some(preset));
    }
    assert_eq!(Description::preset("mmu-600"), None);
}

#[test]
fn registers_of_an_mmu_401() {
    let [idr0, idr1, idr2, .., idr7] = Description::MMU_401.ids();
    // S2TS and SMS, not S1TS, NTS or SES; PTFS 1; coherent; 15 StreamID bits.
    assert_eq!(idr0, 1 << 29 | 1 << 27 | 1 << 24 | 4 << 16 | 1 << 14 | 15 << 9 | 4);
    // SMCD; 4K pages, 8 of them.
    assert_eq!(idr1, 2 << 28 | 4 << 16 | 1 << 15 | 4);
    assert_eq!((idr2, idr7), (2 << 4 | 2, 0));
}

#[test]
fn registers_of_an_mmu_500() {
    let [idr0, idr1, idr2, .., idr7] = Description::MMU_500.ids();
    assert_eq!(idr0, 0x7 << 28 | 1 << 27 | 1 << 26 | 1 << 16 | 1 << 14 | 15 << 9 | 128);
    assert_eq!(idr1, 1 << 31 | 6 << 28 | 1 << 15 | 64);
    assert_eq!((idr2, idr7), (1 << 14 | 1 << 12 | 5 << 8 | 5 << 4 | 5, 0x20));
}

#[test]
fn contradictions_are_named() {
    let cases = [
        (
            Description { stage1: false, nested: false, upstream_bits: 64, ..Description::MMU_500 },
            "upstream_bits",
        ),
        (Description { stage1: false, ..Description::MMU_500 }, "nested"),
        (Description { stream_matching: false, ..Description::MMU_500 }, "stream_bits"),
        (Description { pages_lg2: 5, ..Description::MMU_500 }, "pages_lg2"),
        (Description { ipa_bits: 52, ..Description::MMU_500 }, "ipa_bits"),
        (Description { upstream_bits: 48, ..Description::MMU_500 }, "upstream_bits"),
        (Description { extended_ids: true, ..Description::SMMU_V1 }, "extended_ids"),
        (Description { granules: [true; 3], ..Description::MMU_401 }, "granules"),
    ];
    for (description, field) in cases {
        assert_eq!(description.check().unwrap_err().field, field);
    }
}
