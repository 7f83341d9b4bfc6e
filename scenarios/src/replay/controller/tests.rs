//! Every change of a dump is detected.

use std::fs;
use std::path::{Path, PathBuf};

use super::performed;
use crate::machine::{Gic, builtin};
use crate::recording::Found;
use crate::recording::dump::ItsDump;
use crate::recording::read::read_whole;
use crate::replay::compare::Place;
use crate::replay::{Choices, replay};

fn recorded() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recordings/linux-6.12-4k/its")
}

/// The differences of a replay after `was` is replaced by `is` in the middle dump.
fn differences(was: &str, is: &str) -> Vec<(String, String)> {
    let name = format!("passim-its-{}-{}", std::process::id(), was.len() * 1000 + is.len());
    let folder = std::env::temp_dir().join(name);
    let dumps = folder.join("dumps");
    fs::create_dir_all(&dumps).unwrap();
    let source = read_whole(&recorded().join("dumps/its_unsafe_1.json.zst")).unwrap();
    let dump = source.text();
    assert!(dump.contains(was), "{was}");
    fs::write(dumps.join("its_unsafe_1.json"), dump.replacen(was, is, 1)).unwrap();
    let recording = recorded().join("unsafe.jsonl.zst");
    let found = Found { recording, topology: recorded().join("topo.jsonl"), dumps };
    let report = replay(&found, &Choices::default(), |_| {}).unwrap();
    fs::remove_dir_all(folder).unwrap();
    report.differences.into_iter().map(|it| (it.kernel, it.model)).collect()
}

#[test]
fn a_dump_as_it_is_agrees() {
    assert_eq!(differences("unsafe_1", "unsafe_1"), []);
}

#[test]
fn every_part_of_a_dump_is_looked_at() {
    let cases = [
        // Registers: GITS_TYPER, GITS_BASER0, GICR_CTLR.
        ("0x1f0001efb1", "0x1f0001efb0", "GITS_TYPER 0x1f0001efb0"),
        ("0xf9070000431d0600", "0xf9070000431d0700", "GITS_BASER0 0xf907000000000700"),
        ("\"CTLR\":\"0x3\"", "\"CTLR\":\"0x2\"", "GICR_CTLR of cpu 0 0x2"),
        // A command: MAPTI of another event.
        (
            "0x200100000000",
            "0x200100000001",
            "command 14: MAPTI device=0x30 event=1 intid=8193 icid=1 (0x300000000a 0x200100000001 0x1 0x0)",
        ),
        // An entry: another LPI, another CPU, no device.
        (
            "000003ff000000000000800b",
            "000003ff000000000000800f",
            "device 0x8: 1 bits, 0: lpi 8195 in collection 0",
        ),
        ("\"0000000000000003\"", "\"0000000000000001\"", "collections {0: Cpu(0), 1: Cpu(0)}"),
        ("\"8\":\"0000000011296d01\",", "", "device 0x8: not mapped"),
        // A configuration byte, and a pending LPI.
        ("\"8194\":\"0xc3\"", "\"8194\":\"0xc2\"", "configuration of lpi 8194: 0xc2"),
        ("\"lpi_pending\":[]", "\"lpi_pending\":[8194]", "pending at cpu 0: [8194]"),
    ];
    for (was, is, kernel) in cases {
        let found = differences(was, is);
        assert!(found.iter().any(|(it, _)| it == kernel), "{was}: {found:?}");
    }
}

/// The commands of a dump are performed on their own: tables that they would not produce are
/// detected.
#[test]
fn commands_must_leave_the_tables() {
    let found = differences("000003ff000000000000800b", "000003ff000000000000800f");
    let left = (
        "its commands leave its tables".to_owned(),
        "device 0x8 event 0: lpi 8194 in collection 0 (0x3ff000000000000800b), \
         not lpi 8195 in collection 0 (0x3ff000000000000800f)"
            .to_owned(),
    );
    assert!(found.contains(&left), "{found:?}");
}

/// The middle dump, as if its queue had wrapped after this many of its commands.
fn wrapped(lost: usize) -> ItsDump {
    let mut dump = ItsDump::read(&recorded().join("dumps/its_unsafe_1.json.zst")).unwrap();
    dump.commands.drain(..lost);
    dump
}

fn said(dump: &ItsDump) -> Option<String> {
    let machine = builtin("virt-its").unwrap().unwrap();
    let Gic::Its(gic) = machine.gic.clone() else { panic!("it has an ITS") };
    let place = Place { line: 0, call: String::new() };
    performed(&machine, &gic, &place, dump).map(|difference| difference.model)
}

/// Wherever a queue wraps, the commands since then leave the tables unchanged.
#[test]
fn commands_since_a_wrap_leave_what_they_left() {
    for lost in 0..wrapped(0).commands.len() {
        assert_eq!(said(&wrapped(lost)), None, "{lost} commands are lost");
    }
}

/// An entry that differs from a command since the wrap is detected, up to the last command that
/// names it.
#[test]
fn tables_that_commands_since_a_wrap_would_not_leave_are_noticed() {
    let commands = wrapped(0).commands;
    // MAPTI of device 8.
    let names = |command: &[u64; 4]| command[0] == 8 << 32 | 0x0a;
    let last = commands.iter().rposition(names).unwrap();
    for lost in 0..commands.len() {
        let mut dump = wrapped(lost);
        let itt = dump.itts.iter_mut().find(|itt| itt.device == 8).unwrap();
        // Another LPI.
        *itt.entries.get_mut(&0).unwrap() ^= 1 << 4;
        assert_eq!(said(&dump).is_some(), lost <= last, "{lost} commands are lost");
    }
}
