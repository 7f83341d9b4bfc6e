//! The fast path of messages against the general path: two GICs with the same actions.

use super::actions::{Action, action};
use super::{Seen, perform, start};
use crate::Size;
use crate::choice::Preset;
use crate::its::testkit::Board;
use crate::its::{Arrival, TRANSLATER};
use crate::v3::testkit::{PENDING, cpu};
use passim_model::{DeviceId, Requester, StreamId};
use proptest::prelude::*;

fn requester(device: u32) -> Requester {
    Requester { stream: StreamId::new(0), substream: None, device: DeviceId::new(device) }
}

/// A message that always takes the general path.
fn in_full(board: &mut Board, (device, at): (u32, u64), size: Size, value: u64) -> Arrival {
    let kit = &mut board.board;
    kit.gic.message_slow((0, at, size), value, &requester(device), &mut kit.memory)
}

/// The observable state of a GIC, including its pending tables. Takes the reports.
fn state(board: &mut Board) -> impl PartialEq + core::fmt::Debug + use<> {
    let cpus = [0, 1, 2, 3].map(|n| {
        let tables: Vec<_> = (0..16u64)
            .map(|word| board.get(PENDING + (u64::from(n) << 16) + 1024 + 8 * word))
            .collect();
        (board.pending_lpis(n), board.gic.highest_pending(cpu(n)), tables)
    });
    let its = &board.gic.its()[0];
    let of_its = (its.counters(), its.cached_translations(), its.in_flight());
    let writes = board.gic.take_failed_writes(0);
    (cpus, of_its, board.gic.counters(), writes, board.reports())
}

/// Messages of events that [`start`] maps, so that many are cached.
fn happening() -> impl Strategy<Value = Action> {
    let message = (0u32..3, 0u64..6)
        .prop_map(|(device, event)| Action::Message(device, TRANSLATER, Size::Word, event));
    prop_oneof![2 => message, 1 => action()]
}

proptest! {
    #[test]
    fn both_ways_come_to_the_same(
        start in start(),
        actions in prop::collection::vec(happening(), 0..100),
    ) {
        let [mut short, mut full] = [start.board(), start.board()];
        let mut seen = [Seen::new(), Seen::new()];
        for action in actions {
            if let Action::Message(device, at, size, value) = action {
                let one = short.device_write(device, at, size, value);
                prop_assert_eq!(one, in_full(&mut full, (device, at), size, value));
            } else {
                perform(&mut short, action, &mut seen[0]);
                perform(&mut full, action, &mut seen[1]);
            }
            prop_assert_eq!(&seen[0], &seen[1]);
            prop_assert_eq!(state(&mut short), state(&mut full));
        }
    }
}

/// A translation that the first message looked up is cached for the second, unless a command has
/// come between, or LPIs are off.
#[test]
fn the_second_message_is_at_hand() {
    let mut board = Board::new(Preset::Gic600);
    board.map(2, 20, 8195, 3);
    let at_hand = |board: &Board| {
        // On a copy: the fast path makes the LPI pending and counts the message.
        let (mut gic, mut memory) = (board.gic.clone(), crate::v3::testkit::memory());
        gic.message_fast(0, (TRANSLATER, Size::Word, 20), &requester(2), &mut memory)
    };
    assert_eq!(at_hand(&board), None);
    board.message(2, 20);
    assert_eq!(at_hand(&board).map(|(intid, to)| (intid.get(), to)), Some((8195, cpu(3))));
    board.movi(2, 20, 1);
    assert_eq!(at_hand(&board), None);
    board.message(2, 20);
    assert_eq!(at_hand(&board).map(|(_, to)| to), Some(cpu(1)));
    board.w32(crate::v3::Block::Redistributor(cpu(1)), 0, 0);
    assert_eq!(at_hand(&board), None);
}
