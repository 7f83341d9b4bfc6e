//! Checks what the generator reaches: every outcome of commands, queues that stall and restart,
//! saves and conversions with mappings. A generator that reaches less fails here.

use super::{Seen, Start, action, start, survive};
use crate::choice::Preset;
use crate::choice::its::TableHome;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Number of cases; their seed is fixed, so that they always reach the same.
const CASES: u32 = 600;

/// Outcomes seen under every preset.
const EVERYWHERE: [&str; 23] = [
    "MAPD done",
    "MAPC done",
    "MAPTI done",
    "MAPI done",
    "MOVI done",
    "MOVALL done",
    "DISCARD done",
    "INV done",
    "INVALL done",
    "INT done",
    "CLEAR done",
    "SYNC done",
    "message: Ignored",
    "message: Raised",
    "message: Untranslated(DeviceOutOfRange)",
    "message: Untranslated(Disabled)",
    "message: Untranslated(EventOutOfRange)",
    "message: Untranslated(UnmappedCollection)",
    "message: Untranslated(UnmappedDevice)",
    "message: Untranslated(UnmappedEvent)",
    "migrated with events",
    "restored from other memory",
    "an LPI taken",
];

/// Outcomes seen under every preset whose tables are in memory.
const IN_MEMORY: [&str; 2] = ["MAPTI not answered", "message: Untranslated(Abort)"];

/// Outcomes seen under at least one preset.
const SOMEWHERE: [&str; 7] = [
    "a fetch not answered",
    "MAPD not answered",
    "message: Untranslated(NoDevicePage)",
    "converted",
    "not converted",
    "stalled",
    "went on after Retry",
];

/// Every syndrome of a command: IHI 0069 H 5.5, GIC-600AE TRM 101206_0003_04 pages 82 to 86. Not
/// listed: MAPTI and MAPI to an unmapped collection (no preset refuses it), and offline chips
/// (there is one chip).
const SYNDROMES: [(&str, &[u32]); 12] = [
    ("MAPD", &[0x01_0801, 0x01_0802, 0x01_0b04]),
    ("MAPC", &[0x01_0902, 0x01_0903, 0x01_0920, 0x01_0923]),
    ("MAPTI", &[0x01_0a01, 0x01_0a03, 0x01_0a04, 0x01_0a05, 0x01_0a06]),
    ("MAPI", &[0x01_0b01, 0x01_0b03, 0x01_0b04, 0x01_0b05, 0x01_0b06]),
    ("MOVI", &[0x01_0101, 0x01_0103, 0x01_0104, 0x01_0105, 0x01_0107, 0x01_0109]),
    ("INT", &[0x01_0301, 0x01_0304, 0x01_0305, 0x01_0307, 0x01_0310, 0x01_0323]),
    ("CLEAR", &[0x01_0501, 0x01_0504, 0x01_0505, 0x01_0507, 0x01_0510, 0x01_0523, 0x01_0526]),
    ("INV", &[0x01_0c01, 0x01_0c04, 0x01_0c05, 0x01_0c07, 0x01_0c10]),
    ("INVALL", &[0x01_0d03, 0x01_0d09, 0x01_0d23]),
    ("MOVALL", &[0x01_0e01, 0x01_0e20, 0x01_0e21, 0x01_0e23, 0x01_0e24]),
    ("DISCARD", &[0x01_0f01, 0x01_0f04, 0x01_0f05, 0x01_0f07, 0x01_0f10]),
    ("VMOVI", &[0x01_21ff]),
];

#[test]
fn what_is_drawn_reaches_everything() {
    let seen: RefCell<BTreeMap<&str, Seen>> = RefCell::default();
    let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let cases = (start(), prop::collection::vec(action(), 40..150));
    let survived = TestRunner::new_with_rng(config, rng).run(&cases, |(start, actions)| {
        let mut all = seen.borrow_mut();
        let Start { preset, .. } = start;
        survive(&start, &actions, all.entry(preset.name()).or_default());
        Ok(())
    });
    survived.unwrap();
    let seen = seen.into_inner();
    let names = Preset::ALL.map(Preset::name);
    let under = |name, what: &str| seen.get(name).is_some_and(|seen| seen.contains_key(what));
    let mut missing = Vec::new();
    for preset in Preset::ALL {
        let name = preset.name();
        let in_memory = preset.its().table_home == TableHome::Memory;
        let of_memory = IN_MEMORY.into_iter().filter(|_| in_memory);
        let gone = EVERYWHERE.into_iter().chain(of_memory).filter(|what| !under(name, what));
        missing.extend(gone.map(|what| format!("{what}, under {name}")));
    }
    let errors = SYNDROMES.into_iter();
    let errors = errors.flat_map(|(command, all)| all.iter().map(move |it| (command, it)));
    let errors = errors.map(|(command, syndrome)| format!("{command} {syndrome:#08x}"));
    let all = SOMEWHERE.into_iter().map(str::to_owned).chain(errors);
    missing.extend(all.filter(|what| !names.into_iter().any(|name| under(name, what))));
    assert_eq!(missing, [""; 0], "never seen; seen is {seen:#?}");
}
