//! Answers of hardware are explained as well: an ITS, an SMMU, on a bare machine or below a kernel.

use super::{Explanation, Nearest, at};
use crate::chosen::Chosen;
use crate::explain::explain;
use crate::input_error::SourceText;
use crate::script::Script;
use passim_gic::choice::Preset;

const ITS: &str = "lpis-on cpu=0 config=0x40100000 pending=0x40200000\n\
    its-on queue=0x40300000 devices=0x40310000 collections=0x40320000\n\
    lpi intid=8192 value=0xa1\nits-command MAPD device=1 itt=0x40400000 bits=4\n\
    its-command MAPC icid=0 cpu=0\nits-command SYNC cpu=0\n";

/// The explanation of the last line, on a bare machine with an ITS.
fn last(machine: &str, lines: &str) -> Explanation {
    let text = format!("{machine}\n{ITS}{lines}");
    at(&text, text.lines().count() as u64).unwrap()
}

fn accepted(explanation: &Explanation) -> String {
    match &explanation.nearest {
        Some(Nearest::Accepted { lines, .. }) => lines.join("; "),
        other => panic!("{explanation}\n{other:?}"),
    }
}

#[test]
fn a_message_before_a_sync_is_told_with_the_command_that_waits() {
    let lines = "its-command MAPTI device=1 event=0 intid=8192 icid=0\nmessage device=1 event=0\n";
    let late = (0..64).find_map(|seed| {
        let explanation = last(&format!("bare plain-its gic=adversarial seed={seed}"), lines);
        (!explanation.hardware.is_empty()).then_some(explanation)
    });
    let explanation = late.expect("some seed lets the message come before the mapping");
    let answer = &explanation.hardware[0];
    assert_eq!((answer.by, answer.rule), ("its", "its-event-mapped"));
    assert!(answer.source.contains("IHI 0069 H 5.2"), "{explanation}");
    let [waits] = &explanation.not_synchronised[..] else { panic!("{explanation}") };
    assert_eq!(waits.line, 8);
    assert!(waits.until.contains(&"messages find the event unmapped"), "{explanation}");
    let sync = &explanation.otherwise[0];
    assert_eq!(sync.with, "its-command SYNC cpu=0");
    assert_eq!(sync.outcome, ["lpi 8192 sent to cpu 0"]);
    assert!(explanation.otherwise.iter().any(|it| it.with == "gic=arch-strict"), "{explanation}");
    assert_eq!(accepted(&explanation), "its-command SYNC cpu=0; message device=1 event=0x0");
    let text = explanation.to_string();
    assert!(!text.contains("the kernel"), "{text}");
}

#[test]
fn a_message_of_an_event_nobody_mapped_is_told_what_maps_it() {
    let machine = "bare plain-its gic=arch-strict";
    let event = last(machine, "message device=1 event=3\n");
    let wanted = "its-command MAPTI device=1 event=3 intid=8192 icid=0; its-command SYNC cpu=0; \
        message device=1 event=0x3";
    assert_eq!(accepted(&event), wanted);
    let device = last(machine, "message device=2 event=0\n");
    assert_eq!(device.hardware[0].rule, "its-device-mapped");
    let Some(Nearest::None { because, .. }) = &device.nearest else { panic!("{device}") };
    assert!(because.contains("MAPD"), "{device}");
}

#[test]
fn a_command_that_cannot_be_performed_is_told_why_and_where_the_queue_stands() {
    let machine = "bare plain-its gic=arch-strict";
    let wrong = "its-command MAPTI device=1 event=99 intid=8192 icid=0\n";
    let explanation = last(machine, wrong);
    let answer = &explanation.hardware[0];
    assert_eq!(answer.rule, "its-event-range");
    assert!(answer.answer.contains("the queue stops there"), "{explanation}");
    assert!(answer.source.contains("5.3 (MAPTI)"), "{explanation}");
    let passed_over = explanation.otherwise.iter().find(|it| it.with == "gic=qemu").unwrap();
    assert!(passed_over.outcome[0].starts_with("creadr"), "{explanation}");
    assert!(accepted(&explanation).contains("event=0"), "{explanation}");
    let behind = last(machine, &format!("{wrong}its-command SYNC cpu=0\n"));
    assert_eq!(behind.hardware[0].rule, "its-queue-running");
}

/// The caller chooses the GIC, as when scenarios are run.
#[test]
fn another_gic_is_asked_on_behalf_of_the_caller() {
    let text =
        format!("bare plain-its\n{ITS}its-command MAPTI device=1 event=99 intid=8192 icid=0\n");
    let script = Script::parse(SourceText::new("t.scn", &text)).unwrap();
    let chosen = Chosen { gic: Some(Preset::Qemu), ..Chosen::default() };
    let explanation = explain(&script, 8, &chosen).unwrap();
    assert!(explanation.hardware[0].answer.ends_with("it is passed over"), "{explanation}");
}

#[test]
fn a_devices_fault_has_a_rule_a_section_and_a_mapping_that_allows_it() {
    let text = "machine virt-its profile=linux-6.12\narea A size=64K\nattach dev=00:01.0\n\
        map iova=0x10000 va=A size=16K prot=r\nwrite dev=00:01.0 iova=0x10000 value=1\n\
        read dev=00:01.0 iova=0x40000\n";
    let explanation = at(text, 5).unwrap();
    let answer = &explanation.hardware[0];
    assert_eq!((answer.rule, answer.source.as_str()), ("F_PERMISSION", "IHI 0070 G.b 7.3.16"));
    assert!(
        explanation.notes.contains(&"that mapping allows no write".to_owned()),
        "{explanation}"
    );
    assert!(explanation.notes.iter().any(|it| it.contains("passim walk t.scn:5")), "{explanation}");
    let wanted = "unmap iova=0x10000 size=0x4000; map iova=0x10000 va=A size=0x4000 prot=r|w; \
        write dev=00:01.0 iova=0x10000 value=0x1";
    assert_eq!(accepted(&explanation), wanted);
    let explanation = at(text, 6).unwrap();
    assert_eq!(explanation.hardware[0].rule, "F_TRANSLATION");
    let wanted = "map iova=0x40000 va=A size=0x1000 prot=r|w; read dev=00:01.0 iova=0x40000";
    assert_eq!(accepted(&explanation), wanted);
}

/// A page for doorbells is no mapping of the container's user, but translates like one.
#[test]
fn a_write_to_a_doorbell_is_followed_to_the_event_it_is_taken_for() {
    let text = "machine virt-its profile=linux-6.12\nattach dev=00:02.0\n\
        enable dev=00:02.0 vectors=3\nwrite dev=00:02.0 iova=0x8000040 value=1 size=4\n\
        write dev=00:02.0 iova=0x8000040 value=9 size=4\n";
    let explanation = at(text, 4).unwrap();
    let notes = explanation.notes.join("\n");
    assert!(notes.contains("a page that the kernel mapped for messages"), "{explanation}");
    assert!(notes.contains("what the kernel programmed for vector 1"), "{explanation}");
    assert!(notes.contains("DeviceID 0x10, EventID 1"), "{explanation}");
    assert!(!notes.contains("no mapping"), "{explanation}");
    let explanation = at(text, 5).unwrap();
    assert_eq!(explanation.hardware[0].by, "its");
    assert!(explanation.notes.join("\n").contains("EventID 9"), "{explanation}");
}

#[test]
fn a_bare_smmu_is_told_by_its_manual() {
    let text = "bare virt-its\nsmmu-register STRTAB_BASE addr=0x41000000\n\
        smmu-register STRTAB_BASE_CFG log2size=8\nsmmu-register EVENTQ_BASE addr=0x43000000 log2size=4\n\
        smmu-register CR0 smmuen=1 eventqen=1\ntransaction sid=8 iova=0x1000\n";
    let explanation = at(text, 6).unwrap();
    assert!(!explanation.has_kernel);
    assert!(explanation.hardware.iter().all(|it| it.by == "smmu"), "{explanation}");
    assert!(!explanation.hardware.is_empty(), "{explanation}");
    assert!(explanation.hardware[0].source.starts_with("IHI 0070 G.b"), "{explanation}");
}
