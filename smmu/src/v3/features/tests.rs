use super::*;
use crate::v3::testkit::BOTH_STAGES;

#[test]
fn an_emulated_board_promises_nothing_unmodelled() {
    assert_eq!(BOTH_STAGES.unmodelled(), []);
    let features = Features::of(&BOTH_STAGES);
    assert_eq!((features.oas, features.ias(), features.stream_bits), (44, 44, 16));
    assert_eq!(features.granules, [true; 3]);
    assert!(features.range_invalidation && features.hierarchical_disable && !features.msi);
}

#[test]
fn what_is_missing_is_named() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 5 | 1 << 15;
    ids.idr[3] |= 1 << 15;
    let fields: Vec<&str> = ids.unmodelled().iter().map(|missing| missing.field).collect();
    assert_eq!(fields, ["IDR0.BTM", "IDR0.ATOS", "IDR3.DPT"]);
}

#[test]
fn aarch32_tables_widen_the_intermediate_size() {
    let mut ids = BOTH_STAGES;
    ids.idr[0] |= 1 << 2;
    ids.idr[5] = 0x71;
    let features = Features::of(&ids);
    assert_eq!((features.oas, features.ias()), (36, 40));
}

#[test]
fn presets_promise_nothing_unmodelled_and_agree_with_what_was_measured() {
    for (name, preset) in Description::PRESETS {
        let ids = preset.id_registers().unwrap();
        assert_eq!(ids.unmodelled(), [], "{name}");
        assert_eq!(Description::preset(name), Some(preset));
    }
    assert_eq!(Description::VIRT.id_registers(), Ok(BOTH_STAGES));
    let stage2 = Description { stage1: false, ..Description::VIRT };
    assert_eq!(stage2.id_registers().unwrap().idr[0], 0xd44_1019);
    assert_eq!(Description::MMU_600.product(), 0x483);
    let everything = Features::of(&Description::EVERYTHING.id_registers().unwrap());
    assert!(everything.ds && everything.ats && everything.pri && everything.force_write_back);
    assert_eq!((everything.oas, everything.stall_max), (52, 256));
}

#[test]
fn contradictions_are_named() {
    let (base, everything) = (Description::VIRT, Description::EVERYTHING);
    let cases = [
        (Description { pri: true, ..base }, "pri"),
        (Description { output_bits: 45, ..base }, "output_bits"),
        (Description { stream_bits: 33, ..base }, "stream_bits"),
        (Description { stage1: false, hyp: true, ..base }, "hyp"),
        (Description { stall_model: StallModel::Both, ..base }, "stall_max"),
        (Description { granules: [false; 3], ..base }, "granules"),
        (Description { minor: 0, output_bits: 52, ..base }, "output_bits"),
        (Description { hierarchical_disable: false, ..base }, "hierarchical_disable"),
        (Description { xnx: false, ..base }, "xnx"),
        (Description { two_level_stream: false, ..base }, "two_level_stream"),
        (Description { stage2: false, hyp: true, ..base }, "hyp"),
        (Description { ds: true, ..base }, "large_va"),
        (Description { granules: [true, true, false], large_va: true, ..base }, "large_va"),
        (Description { granules: [true, true, false], output_bits: 52, ..base }, "output_bits"),
        (Description { granules: [false, false, true], ..everything }, "ds"),
        (Description { bbm_level: 0, ..everything }, "bbm_level"),
        (Description { range_invalidation: false, ..everything }, "range_invalidation"),
        (Description { force_write_back: false, ..everything }, "force_write_back"),
        (Description { hyp: false, ..everything }, "hyp"),
        (Description { e0pd: false, ..everything }, "e0pd"),
        (Description { minor: 4, epan: false, ..everything }, "epan"),
        (Description { minor: 0, ..base }, "bbm_level"),
        (Description { minor: 0, bbm_level: 0, ..base }, "range_invalidation"),
        (Description { e0pd: true, ..base }, "e0pd"),
        (Description { ats: true, ats_errors: true, ..base }, "ats_errors"),
        (Description { minor: 2, ..everything }, "ds"),
        (Description { flag_updates: FlagUpdate::Tables, ..base }, "flag_updates"),
    ];
    for (description, field) in cases {
        assert_eq!(description.id_registers().unwrap_err().field, field);
    }
}

/// IHI 0070 G.b 2.9: of the next version a part may be there, of the one after that nothing.
#[test]
fn the_next_version_may_be_had_in_part() {
    let next = Description { mpam: true, small_tables: true, ..Description::VIRT };
    assert!(next.id_registers().is_ok());
    let first = Description {
        minor: 0,
        bbm_level: 0,
        range_invalidation: false,
        stall_max: 64,
        ..Description::VIRT
    };
    let idr = first.id_registers().unwrap().idr;
    // XNX, of which that version has nothing, and STALL_MAX, where nothing stalls.
    assert_eq!((idr[3] >> 4 & 1, idr[5] >> 16), (0, 0));
}

#[test]
fn fields_that_hang_on_others_are_res0_without_them() {
    let everything = Description::EVERYTHING;
    let idr = |description: Description| description.id_registers().unwrap().idr;
    // PPS, PTWNNC and PASIDTT.
    assert_eq!(idr(everything)[3] & (1 << 5 | 1 << 14 | 1 << 16), 1 << 5 | 1 << 14 | 1 << 16);
    let flat = idr(Description { substream_bits: 0, ..everything });
    assert_eq!(flat[3] & (1 << 5 | 1 << 16), 0);
    let mute = idr(Description { ats: false, pri: false, ..everything });
    assert_eq!((mute[0] & 1 << 23, mute[3] & (1 << 5 | 1 << 16)), (0, 0), "ATSRECERR too");
    let first = idr(Description { stage2: false, hyp: false, ..everything });
    assert_eq!((first[0] & 1 << 17, first[3] & 1 << 14), (0, 0), "VMW too");
    // HAD; MTEPERM, which v3.4 has.
    let flat = Description { mpam: false, substream_bits: 0, ..everything };
    let second = idr(Description { stage1: false, hyp: false, pri: false, ats: false, ..flat });
    assert_eq!((idr(flat)[3] & 1 << 2, second[3] & 1 << 2), (1 << 2, 0));
    let fourth = Description { minor: 4, ..everything };
    assert_eq!((idr(everything)[3] >> 22 & 1, idr(fourth)[3] >> 22 & 1), (0, 1));
    let first = Description { stage2: false, hyp: false, mpam: false, ..fourth };
    assert_eq!(idr(first)[3] >> 22 & 1, 0);
}

/// Every bit of the ID registers is some capability's, or reserved.
#[test]
fn capabilities_cover_the_id_registers() {
    for (register, reserved) in [(0, 0xa000_0000u32), (1, 0), (3, 0xff00_0043), (5, 0xf208)] {
        let mut covered = reserved;
        for bit in 0..32 {
            let mut ids = IdRegisters::default();
            ids.idr[register] = 1 << bit;
            let known = CAPABILITIES.iter().any(|capability| capability.value(&ids) != 0);
            covered |= u32::from(known) << bit;
        }
        assert_eq!(covered, u32::MAX, "IDR{register}: {:#x}", !covered);
    }
}
