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
