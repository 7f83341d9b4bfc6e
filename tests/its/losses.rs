//! Missing synchronisation is visible: Linux's driver on the board, and one of its commands lost.

use passim::docs::its::{Loss, SEEDS, losses};
use passim::input_error::SourceText;
use passim::script::Script;
use passim::system::LostCommand;
use std::path::Path;

fn life() -> Vec<Loss> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/files/its/life.scn");
    losses(&Script::parse(SourceText::read(&path).unwrap()).unwrap()).unwrap()
}

fn is_after(loss: &Loss, command: &str) -> bool {
    loss.after.starts_with(command)
}

/// What the architecture says must be seen: an INV after a configuration byte was changed, and the
/// SYNC after a MOVI, before which messages may go the old way. What it says cannot be: the SYNC
/// after a MAPTI that an INV and a SYNC for the same redistributor follow before any message.
#[test]
fn needed_commands_are_missed_and_others_are_not() {
    let all = life();
    let of = |command| all.iter().filter(move |loss| loss.lost.command == command);
    assert!(of(LostCommand::Sync).count() > 20 && of(LostCommand::Inv).count() > 5);
    let enabling = |loss: &&Loss| !loss.operation.starts_with("disable");
    for loss in of(LostCommand::Inv).filter(enabling) {
        assert!(loss.missed.is_some(), "{loss:?}");
    }
    for loss in of(LostCommand::Sync) {
        let expected = match loss {
            _ if is_after(loss, "MOVI") => true,
            _ if is_after(loss, "MAPTI") => false,
            _ if is_after(loss, "MAPC") || is_after(loss, "INVALL") => false,
            _ => continue,
        };
        assert_eq!(loss.missed.is_some(), expected, "{loss:?}");
    }
    for loss in of(LostCommand::Invall) {
        assert_eq!(loss.missed, None, "nothing is configured yet: {loss:?}");
    }
    let seeds = all.iter().filter_map(|loss| Some(loss.missed.as_ref()?.seed));
    assert!(seeds.max() < Some(SEEDS));
}
