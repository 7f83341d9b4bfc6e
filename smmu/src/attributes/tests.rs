use super::*;

const WB: Attributes = Attributes { memory: 0xff, shareability: Shareability::Inner };

fn device(memory: u8) -> Attributes {
    Attributes { memory, shareability: Shareability::Outer }
}

#[test]
fn mair_names_types() {
    let mair = 0x00ff_44bb_0c08_0400;
    let of = |index| Attributes::of_mair(mair, index, Shareability::Inner);
    for index in 0..4 {
        assert!(of(index).is_device());
        assert_eq!(of(index).shareability, Shareability::Outer);
    }
    assert_eq!(
        (of(4).inner(), of(4).outer()),
        (Cacheability::WriteThrough, Cacheability::WriteThrough)
    );
    assert_eq!(
        (of(5).inner(), of(5).shareability),
        (Cacheability::NonCacheable, Shareability::Outer)
    );
    assert_eq!(of(6), WB);
    // Transient: 0b0111 is write-back, 0b0011 write-through.
    let transient = Attributes::of_mair(0x73, 0, Shareability::Non);
    assert_eq!(
        (transient.outer(), transient.inner()),
        (Cacheability::WriteBack, Cacheability::WriteThrough)
    );
}

/// The examples of IHI 0070 G.b 13.1.5.1.
#[test]
fn the_stronger_wins() {
    let mixed = Attributes { memory: 0x4f, shareability: Shareability::Inner };
    // iWB-oNC with Device-nGnRE.
    assert_eq!(mixed.combine(0b0001, Shareability::Inner), device(0x04));
    // Device-nGnRE with Device-nGnRnE.
    assert_eq!(device(0x04).combine(0b0000, Shareability::Inner), device(0x00));
    // iWB-oNC, ISH with iWT-oWT, OSH.
    let found = mixed.combine(0b1010, Shareability::Outer);
    assert_eq!(
        (found.inner(), found.outer()),
        (Cacheability::WriteThrough, Cacheability::NonCacheable)
    );
    assert_eq!(found.shareability, Shareability::Outer);
    assert_eq!(WB.combine(0b1111, Shareability::Non), WB);
    assert_eq!(WB.combine(0b0101, Shareability::Non).memory, 0x44);
    let quiet = Attributes { memory: 0xee, ..WB };
    assert_eq!(quiet.combine(0b1111, Shareability::Non).memory, 0xee, "hints of stage 1 stay");
    // IHI 0070 G.b 13.4.3: stage 2 has no hints, so that transient stays, unless nothing is left to
    // allocate.
    let of = |memory| Attributes { memory, ..WB };
    for (memory, behind) in [(0x77, 0x77), (0x33, 0x33), (0x17, 0x17), (0xcc, 0xcc), (0x47, 0x47)] {
        assert_eq!(of(memory).combine(0b1111, Shareability::Non).memory, behind, "{memory:#x}");
    }
    assert_eq!(
        of(0x77).combine(0b1010, Shareability::Non).memory,
        0x33,
        "write-through, transient"
    );
}

#[test]
fn fwb_forces() {
    let nc = Attributes { memory: 0x44, shareability: Shareability::Outer };
    let forced = |first: Attributes, code| first.combine_forced(code, Shareability::Inner).memory;
    assert_eq!(forced(nc, 0b0110), 0xff);
    assert_eq!(forced(device(0), 0b0110), 0xff);
    // The hints are those of stage 1, where it is cached.
    for (memory, behind) in [(0xcc, 0xcc), (0x77, 0x77), (0xbb, 0xff), (0x88, 0xcc), (0x4c, 0xfc)] {
        assert_eq!(forced(Attributes { memory, ..WB }, 0b0110), behind, "{memory:#x}");
    }
    assert_eq!(forced(WB, 0b0101), 0x44);
    assert_eq!(forced(device(8), 0b0101), 0x08);
    assert_eq!(forced(nc, 0b0111), 0x44);
    assert_eq!(forced(WB, 0b0001), 0x04);
    assert_eq!(forced(device(0), 0b0011), 0x00);
}

#[test]
fn configuration_replaces() {
    let none = Replacement::of(0, false, 1, 0);
    assert_eq!(none, Replacement::default());
    assert_eq!(none.apply(WB), WB);
    assert_eq!(Replacement::of(0b0001, true, 1, 0).apply(WB), device(0x04));
    let outer = Replacement::of(0, false, 2, 0).apply(WB);
    assert_eq!((outer.memory, outer.shareability), (0xff, Shareability::Outer));
    // Read allocate, transient.
    assert_eq!(Replacement::of(0, false, 1, 0b1101).apply(WB).memory, 0x66);
    assert_eq!(Replacement::of(0, false, 1, 0b1000).apply(WB).memory, 0xcc);
    assert_eq!(Replacement::of(0, false, 1, 0b1110).apply(device(4)), device(4));
    // Device stays outer shareable, whatever SHCFG is.
    assert_eq!(Replacement::of(0, true, 0, 0).apply(WB), device(0));
}

/// IHI 0070 G.b 13.4.2: what comes in cached brings its hints through stage 1.
#[test]
fn hints_of_what_comes_in_count_beside_those_of_stage_1() {
    let of = |memory| Attributes { memory, ..WB };
    let cases = [
        (0xff, 0xff, 0xff),
        (0xff, 0xcc, 0xcc),
        (0xff, 0x77, 0x77),
        (0xbb, 0x77, 0x33),
        (0xee, 0xdd, 0xcc),
        (0x44, 0xcc, 0x44),
        (0xff, 0x44, 0xff),
        (0x04, 0xcc, 0x04),
        (0xff, 0x04, 0xff),
    ];
    for (own, incoming, both) in cases {
        let found = of(own).with_hints_of(of(incoming)).memory;
        assert_eq!(found, both, "{own:#x} with {incoming:#x}");
        assert!(of(incoming).has_hints() || both == own, "{incoming:#x}");
    }
}

/// IHI 0070 G.b 5.2 (MemAttr): a Normal type without an inner half.
#[test]
fn reserved_types_of_an_ste_are_device_types() {
    for field in [4, 8, 12] {
        assert_eq!(Attributes::of_mem_attr(field, Shareability::Inner), device(0x00), "{field}");
    }
}

/// IHI 0070 G.b 5.4: the bytes of MAIR that VMSAv8-64 leaves open.
#[test]
fn reserved_types_of_mair_have_a_meaning() {
    let memory = |byte| Attributes::of_mair(byte, 0, Shareability::Inner).memory;
    for (byte, meaning) in [(0x01, 0x00), (0x06, 0x04), (0x0b, 0x08), (0x0d, 0x0c)] {
        assert_eq!(memory(byte), meaning, "{byte:#x}");
    }
    assert_eq!((memory(0x40), memory(0xf0)), (0x43, 0xf3));
    assert_eq!((memory(0x44), memory(0xff), memory(0x04)), (0x44, 0xff, 0x04));
}
