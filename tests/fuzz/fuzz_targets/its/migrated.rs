//! Two GICs to which the same happens, except that one is saved and restored where the other is
//! only saved: nothing that software or a device can find out is different.
//!
//! Not where a restore is specified to read tables again: for LPIs with a state of their own, and
//! where the pending table is read repeatedly.
#![no_main]

#[allow(dead_code, reason = "shared with another program, each of which uses a part")]
mod actions;
#[allow(dead_code, reason = "shared with another program, each of which uses a part")]
mod board;

use actions::{Action, Start};
use board::Board;
use libfuzzer_sys::fuzz_target;
use passim_gic::choice::lpi::{LpiState, PendingScan};

fuzz_target!(|input: (Start, Vec<Action>)| {
    let (start, actions) = input;
    let choices = start.implementation().choices;
    if choices.state == LpiState::PerLpi || choices.pending_scan == PendingScan::Repeated {
        return;
    }
    let (mut stays, mut moves) = (Board::new(&start), Board::new(&start));
    for action in actions.iter().filter(|action| action.is_tame()) {
        match action {
            Action::Migrate => {
                stays.save();
                moves.migrate();
            }
            _ => {
                stays.act(action);
                moves.act(action);
            }
        }
        assert_eq!(stays.seen(), moves.seen(), "after {action:?}");
    }
    stays.finish();
    moves.finish();
    assert_eq!(stays.seen(), moves.seen(), "in the end");
});
