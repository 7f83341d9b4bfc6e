//! Every state and every event, against a table written out in full.

use super::{State, States, Trigger};

fn all() -> impl Iterator<Item = States> {
    (0..16u32).map(|code| States {
        edge: code & 1,
        latch: code >> 1 & 1,
        wire: code >> 2 & 1,
        active: code >> 3,
    })
}

type Event = (&'static str, fn(States, u32) -> States);

const EVENTS: [Event; 8] = [
    ("rise", States::rise),
    ("fall", States::fall),
    ("set_pending", States::set_pending),
    ("clear_pending", States::clear_pending),
    ("acknowledge", States::acknowledge),
    ("activate", States::activate),
    ("deactivate", States::deactivate),
    ("to edge", |states, mask| states.retrigger(mask, mask)),
];

/// Pending and active after an event by IHI 0048 B.b, case by case.
fn expected(before: States, event: &str) -> (bool, bool) {
    let edge = before.edge == 1;
    let (latch, wire, active) = (before.latch == 1, before.wire == 1, before.active == 1);
    let pending = if edge { latch } else { latch || wire };
    match (event, edge) {
        ("rise", true) => (latch || !wire, active),
        ("rise", false) => (true, active),
        ("fall", true) => (pending, active),
        ("fall", false) => (latch, active),
        ("set_pending", _) => (true, active),
        ("clear_pending", true) => (false, active),
        ("clear_pending", false) => (wire, active),
        ("acknowledge", true) => (false, true),
        ("acknowledge", false) => (wire, true),
        ("activate", _) => (pending, true),
        ("deactivate", _) => (pending, false),
        ("to edge", _) => (latch, active),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_transition_from_every_state() {
    for before in all() {
        for (name, event) in EVENTS {
            let after = event(before, 1);
            let seen = (after.pending() == 1, after.active == 1);
            assert_eq!(seen, expected(before, name), "{name} of {before:?}");
            let state = match seen {
                (false, false) => State::Inactive,
                (true, false) => State::Pending,
                (false, true) => State::Active,
                (true, true) => State::ActivePending,
            };
            assert_eq!(after.state(0), state);
        }
    }
}

#[test]
fn an_event_touches_only_its_interrupts() {
    for code in all() {
        let spread = |bit: u32| if bit == 1 { u32::MAX } else { 0 };
        let before = States {
            edge: spread(code.edge),
            latch: spread(code.latch),
            wire: spread(code.wire),
            active: spread(code.active),
        };
        for (name, event) in EVENTS {
            let after = event(before, 0x8000_0001);
            for bit in 1..31 {
                let word = |states: States| {
                    [states.edge, states.latch, states.wire, states.active]
                        .map(|word| word >> bit & 1)
                };
                assert_eq!(word(after), word(before), "{name}");
            }
            assert_eq!(after.state(0), after.state(31));
        }
    }
}

#[test]
fn a_pulse_is_kept_by_an_edge_and_lost_by_a_level() {
    let level = States::default().rise(1).fall(1);
    assert_eq!(level.state(0), State::Inactive);
    let edge = States { edge: 1, ..States::default() }.rise(1).fall(1);
    assert_eq!(edge.state(0), State::Pending);
    assert_eq!(edge.acknowledge(1).rise(1).state(0), State::ActivePending);
    assert_eq!((edge.trigger(0), edge.trigger(1)), (Trigger::Edge, Trigger::Level));
}
