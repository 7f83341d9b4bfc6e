//! Excused errors, which are not excused once the queue contains the earlier command.

use passim_gic::its::Reason;

use super::by_loss;

const MAPD: [u64; 4] = [2 << 32 | 0x08, 3, 1 << 63 | 0x4600_0000, 0];
const UNMAPD: [u64; 4] = [2 << 32 | 0x08, 3, 0, 0];
const MAPC: [u64; 4] = [0x09, 0, 1 << 63 | 1, 0];
const MAPTI: [u64; 4] = [2 << 32 | 0x0a, 8192 << 32 | 4, 1, 0];
const MOVI: [u64; 4] = [2 << 32 | 0x01, 4, 1, 0];
const INV: [u64; 4] = [2 << 32 | 0x0c, 4, 0, 0];
const INVALL: [u64; 4] = [0x0d, 0, 1, 0];
const OF_OTHERS: [[u64; 4]; 3] = [
    [3 << 32 | 0x08, 3, 1 << 63 | 0x4600_0000, 0],
    [0x09, 0, 1 << 63 | 2, 0],
    [2 << 32 | 0x0a, 8193 << 32 | 5, 1, 0],
];

#[test]
fn what_a_lost_command_had_mapped_is_excused() {
    let cases = [
        (INV, Reason::UnmappedDevice, MAPD),
        (MAPTI, Reason::EventOutOfRange, MAPD),
        (INV, Reason::UnmappedInterrupt, MAPD),
        (INV, Reason::UnmappedInterrupt, MAPTI),
        (MOVI, Reason::UnmappedCollection, MAPC),
        (INVALL, Reason::UnmappedCollection, MAPC),
    ];
    for (failed, reason, there) in cases {
        assert!(by_loss(&[failed], reason), "{reason:?}");
        let [device, collection, event] = OF_OTHERS;
        assert!(by_loss(&[device, collection, event, UNMAPD, failed], reason), "{reason:?}");
        assert!(!by_loss(&[there, failed], reason), "{reason:?}");
        assert!(!by_loss(&[there, UNMAPD, INVALL, failed], reason), "{reason:?}");
    }
}

#[test]
fn the_collection_of_an_event_is_that_of_the_last_command_that_placed_it() {
    assert!(by_loss(&[INV], Reason::IteInvalid));
    assert!(by_loss(&[MAPC, INV], Reason::IteInvalid), "nobody knows where it was");
    assert!(by_loss(&[MAPTI, INV], Reason::IteInvalid));
    assert!(!by_loss(&[MAPC, MAPTI, INV], Reason::IteInvalid));
    let elsewhere = [2 << 32 | 0x01, 4, 7, 0];
    assert!(by_loss(&[MAPC, MAPTI, elsewhere, INV], Reason::IteInvalid));
}

#[test]
fn numbers_out_of_range_are_never_excused() {
    let never = [
        Reason::DeviceOutOfRange,
        Reason::SizeOrTargetOutOfRange,
        Reason::ProcessorOutOfRange,
        Reason::CollectionOutOfRange,
        Reason::PhysicalIdOutOfRange,
        Reason::Unsupported,
        Reason::ReservedBits,
    ];
    for reason in never {
        assert!(!by_loss(&[MAPTI], reason), "{reason:?}");
    }
    assert!(!by_loss(&[], Reason::UnmappedDevice));
}
