//! An initialised ITS, then stores, commands, words of its tables, messages, acknowledged
//! interrupts, migrations and conversions: no panic; every command is passed or stalls the queue,
//! which in the end is empty or has stalled; a CPU acknowledges the interrupt that it was
//! signalled; and a restored ITS maps what was saved, or refuses it.
#![no_main]

#[allow(dead_code, reason = "shared with another program, each of which uses a part")]
mod actions;
#[allow(dead_code, reason = "shared with another program, each of which uses a part")]
mod board;

use actions::{Action, Start};
use board::Board;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (Start, Vec<Action>)| {
    let (start, actions) = input;
    let mut board = Board::new(&start);
    for action in &actions {
        board.act(action);
    }
    board.finish();
});
