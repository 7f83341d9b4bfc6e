//! Command errors that the loss of earlier commands explains.
//!
//! The commands of a wrapped queue are performed again on the tables that they produced. A command
//! may then name something that a later one has unmapped, and that a lost earlier one had mapped.
//! What an earlier command in the queue has mapped must be found.

use passim_gic::its::Reason;

/// MAPD, MAPC, MAPTI, MAPI, MOVI. IHI 0069 H 5.3.
const MAPD: u64 = 0x08;
const MAPC: u64 = 0x09;
const MAPTI: u64 = 0x0a;
const MAPI: u64 = 0x0b;
const MOVI: u64 = 0x01;

fn number(command: &[u64; 4]) -> u64 {
    command[0] & 0xff
}

fn device(command: &[u64; 4]) -> u64 {
    command[0] >> 32
}

fn event(command: &[u64; 4]) -> (u64, u64) {
    (device(command), command[1] & 0xffff_ffff)
}

fn collection(command: &[u64; 4]) -> u64 {
    command[2] & 0xffff
}

fn is_valid(command: &[u64; 4]) -> bool {
    command[2] >> 63 != 0
}

/// Whether the last command of `commands` may fail for this reason because earlier commands are
/// lost.
pub(super) fn by_loss(commands: &[[u64; 4]], reason: Reason) -> bool {
    let Some((failed, earlier)) = commands.split_last() else { return false };
    let device_is_mapped = || {
        earlier.iter().any(|it| number(it) == MAPD && is_valid(it) && device(it) == device(failed))
    };
    let event_is_mapped = || {
        let maps = |it: &&[u64; 4]| matches!(number(it), MAPTI | MAPI);
        earlier.iter().filter(maps).any(|it| event(it) == event(failed))
    };
    let collection_is_mapped = |icid| {
        earlier.iter().any(|it| number(it) == MAPC && is_valid(it) && collection(it) == icid)
    };
    match reason {
        // A MAPD gives the table's address and size; the table is empty then.
        Reason::UnmappedDevice | Reason::EventOutOfRange => !device_is_mapped(),
        Reason::UnmappedInterrupt => !device_is_mapped() && !event_is_mapped(),
        Reason::UnmappedCollection => !collection_is_mapped(collection(failed)),
        Reason::IteInvalid => {
            let places = |it: &&[u64; 4]| matches!(number(it), MAPTI | MAPI | MOVI);
            let of_event = |it: &&[u64; 4]| event(it) == event(failed);
            let last = earlier.iter().filter(places).rfind(of_event);
            last.is_none_or(|last| !collection_is_mapped(collection(last)))
        }
        // Numbers out of range and unknown commands fail regardless of earlier commands.
        _ => false,
    }
}

#[cfg(test)]
mod tests;
