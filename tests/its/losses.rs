//! Missing synchronisation is visible: scenarios of messages, with one of their commands lost.

use passim::docs::its::{LIVES, Loss, SEEDS, losses};
use passim::input_error::SourceText;
use passim::script::Script;
use passim::system::LostCommand;
use std::collections::BTreeSet;
use std::path::Path;

/// Most seeds until the loss of a necessary command shows: half of those tried.
const SOON: u64 = SEEDS / 2;

fn life(name: &str) -> Vec<Loss> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/files/its");
    losses(&Script::parse(SourceText::read(&folder.join(name)).unwrap()).unwrap()).unwrap()
}

/// Whether the architecture requires a command, by what follows it, equals whether its loss shows.
#[test]
fn needed_commands_are_missed_and_others_are_not() {
    let mut wrong = Vec::new();
    for (name, loss) in
        LIVES.iter().flat_map(|name| life(name).into_iter().map(move |it| (name, it)))
    {
        let soon = loss.missed.as_ref().map(|missed| missed.seed < SOON);
        if soon != loss.why.needed.then_some(true) {
            wrong.push(format!(
                "{name} {}, {}: {:?}, {:?}",
                loss.lost, loss.says, loss.why, loss.missed
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The scenarios contain every command, necessary at each of two ITSs; and SYNCs that are not
/// necessary.
#[test]
fn the_lives_have_every_command() {
    let all: Vec<_> = LIVES.iter().flat_map(|name| life(name)).collect();
    let of = |needed: bool| -> BTreeSet<_> {
        let of = all.iter().filter(|loss| loss.why.needed == needed);
        of.map(|loss| (loss.lost.its, loss.lost.command)).collect()
    };
    for its in [0, 1] {
        for command in LostCommand::ALL {
            // MAPI is written by hand for the first ITS only.
            let expected = its == 0 || command != LostCommand::Mapi;
            assert_eq!(of(true).contains(&(its, command)), expected, "{its} {command:?}");
        }
        for command in [LostCommand::Sync, LostCommand::Inv, LostCommand::Invall] {
            assert!(of(false).contains(&(its, command)), "{its} {command:?}");
        }
    }
}
