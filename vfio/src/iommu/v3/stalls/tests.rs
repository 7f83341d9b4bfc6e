//! Which events a command answers.

use super::resume;

/// F_TRANSLATION of stream 8, STAG 3, stalled.
const EVENT: [u64; 4] = [0x8_0000_0010, 1 << 31 | 3, 0x2_0000, 0];

#[test]
fn what_stalls_at_stage_1_aborts() {
    let command = resume(&EVENT, false).expect("it stalls");
    assert_eq!(command.0, [0x8_0000_2044, 3]);
    let changed = |index: usize, bits: u64| {
        let mut event = EVENT;
        event[index] ^= bits;
        resume(&event, false).is_some()
    };
    assert!(!changed(1, 1 << 31), "it ended");
    assert!(!changed(1, 1 << 39), "stage 2");
    let at_stage2 = [EVENT[0], EVENT[1] | 1 << 39, EVENT[2], EVENT[3]];
    assert!(resume(&at_stage2, true).is_some(), "stage 2, by a driver that sets S2S");
    assert!(changed(0, 3), "F_PERMISSION");
    assert!(!changed(0, 0x12), "C_BAD_STREAMID");
}
