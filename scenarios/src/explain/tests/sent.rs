//! Below a kernel it is told which commands its driver sent that did nothing, and which ITS a message
//! came to.

use std::path::Path;

use super::{Explanation, Nearest, at};
use crate::chosen::Chosen;
use crate::explain::explain;
use crate::input_error::SourceText;
use crate::script::Script;
use passim_gic::choice::Preset;

/// A line of one of the project's scenarios.
fn of_file(name: &str, line: u64, chosen: &Chosen) -> Explanation {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("files/its").join(name);
    explain(&Script::parse(SourceText::read(&path).unwrap()).unwrap(), line, chosen).unwrap()
}

/// The row for SYNC:11 of the documentation: the interrupt goes where the event was.
#[test]
fn a_sync_that_the_driver_lost_is_told_with_what_waits_for_it() {
    let lost = "SYNC:11".parse().ok();
    let chosen = Chosen { gic: Some(Preset::Adversarial(5)), lost, ..Chosen::default() };
    let explanation = of_file("life.scn", 24, &chosen);
    assert!(explanation.lost && explanation.hardware.is_empty(), "{explanation}");
    let [sync] = &explanation.not_performed[..] else { panic!("{explanation}") };
    assert_eq!((sync.line, sync.command.as_str()), (22, "SYNC cpu=0"));
    assert!(sync.because.contains("SYNC:11"), "{explanation}");
    let [waits] = &explanation.not_synchronised[..] else { panic!("{explanation}") };
    assert_eq!((waits.line, waits.command.as_str()), (22, "MOVI device=0x10 event=0 icid=1"));
    let otherwise = &explanation.otherwise[0];
    assert_eq!(otherwise.with, "nothing lost");
    assert!(otherwise.outcome[0].contains("sent to cpu 1"), "{explanation}");
}

#[test]
fn a_command_that_maps_and_was_lost_is_told_where_it_is_missed() {
    let chosen = Chosen { lost: "MAPC:1".parse().ok(), ..Chosen::default() };
    let explanation = of_file("life.scn", 7, &chosen);
    let mapc = &explanation.not_performed[0];
    assert!(mapc.command.starts_with("MAPC icid=0"), "{explanation}");
    assert!(mapc.because.contains("the ITS never saw it"), "{explanation}");
}

#[test]
fn the_command_where_a_queue_stands_is_told_with_its_line() {
    let raised = of_file("queue-stopped.scn", 17, &Chosen::default());
    let line = of_file("queue-stopped.scn", 8, &Chosen::default());
    for explanation in [&raised, &line] {
        let stands = &explanation.not_performed[0];
        assert!(stands.command.starts_with("MAPD device=0x10"), "{explanation}");
        assert!(stands.because.contains("its queue stands there"), "{explanation}");
        assert!(stands.because.contains("0x010802"), "{explanation}");
        assert_eq!(stands.line, 8);
        let waits = &explanation.not_performed[1];
        assert!(waits.because.contains("it waits in the queue"), "{explanation}");
    }
    // What other devices asked for is not told to who asks for this one.
    let others = |it: &crate::explain::Undone| it.command.contains("device=0x18");
    assert!(!raised.not_performed.iter().any(others), "{raised}");
}

#[test]
fn an_its_that_is_off_performs_nothing() {
    let explanation = of_file("queue-stopped.scn", 35, &Chosen::default());
    let waits = &explanation.not_performed;
    assert!(waits.iter().any(|it| it.because.contains("GITS_CTLR.Enabled")), "{explanation}");
}

#[test]
fn nothing_is_missing_where_nothing_was_lost() {
    let chosen = Chosen { gic: Some(Preset::Adversarial(5)), ..Chosen::default() };
    let explanation = of_file("life.scn", 24, &chosen);
    assert!(explanation.not_performed.is_empty(), "{explanation}");
    assert!(explanation.not_synchronised.is_empty(), "{explanation}");
    assert!(explanation.otherwise.is_empty(), "{explanation}");
}

/// A window for doorbells allows nothing of its own; the page in it is mapped for writing.
#[test]
fn a_write_into_a_window_is_not_called_forbidden() {
    let explanation = of_file("msi-v9.scn", 80, &Chosen::default());
    let notes = explanation.notes.join("\n");
    assert!(notes.contains("window [0x8000000, 0x800ffff] for doorbells"), "{explanation}");
    assert!(notes.contains("0x800f000 leads to the doorbell's page"), "{explanation}");
    assert!(!notes.contains("allows no write"), "{explanation}");
}

#[test]
fn an_its_takes_only_what_comes_to_it() {
    let stopped = of_file("two-its-windows.scn", 141, &Chosen::default());
    assert!(!stopped.to_string().contains("takes it for"), "{stopped}");
    let masked = at(
        "machine virt-its profile=linux-6.12\nattach dev=00:02.0\nset-irqs dev=00:02.0 index=msix \
         flags=0x24 start=0 count=2 data=ffffffffffffffff\nraise dev=00:02.0 vector=0\n",
        4,
    );
    let masked = masked.unwrap();
    assert_eq!(masked.outcome, ["masked: pending"]);
    assert!(!masked.to_string().contains("takes it for"), "{masked}");
    // Nobody's container has it, and the bridge in front speaks for it.
    let alias = of_file("alias.scn", 21, &Chosen::default());
    assert!(
        alias.to_string().contains("the ITS takes it for DeviceID 0x200, EventID 1"),
        "{alias}"
    );
    let Some(Nearest::None { tried, .. }) = &alias.nearest else { panic!("{alias}") };
    assert!(tried[0].answer.contains("cannot be made: this process"), "{alias}");
}

#[test]
fn a_message_to_another_its_is_told_whose_it_is() {
    let explanation = of_file("attack-two-its.scn", 28, &Chosen::default());
    let notes = explanation.notes.join("\n");
    assert!(notes.contains("ITS 0 takes it for DeviceID 0x8008, EventID 0"), "{explanation}");
    assert!(notes.contains("its messages go to ITS 1 at 0x9000000"), "{explanation}");
    let Some(Nearest::Accepted { lines, .. }) = &explanation.nearest else {
        panic!("{explanation}")
    };
    assert_eq!(lines, &["write dev=80:01.0 iova=0x8001040 value=0x0 size=0x4"]);
}

#[test]
fn a_write_to_a_doorbells_physical_address_is_led_to_where_it_is_mapped() {
    let start = "machine virt-its profile=linux-6.12\nattach dev=00:02.0\n";
    let write = "write dev=00:02.0 iova=0x8090040 value=0 size=4\n";
    let before = at(&format!("{start}{write}"), 3).unwrap();
    assert!(before.notes[0].contains("physical address of GITS_TRANSLATER"), "{before}");
    let text = format!("{start}enable dev=00:02.0 vectors=2\n{write}");
    let explanation = at(&text, 4).unwrap();
    assert!(explanation.notes[0].contains("it is mapped at 0x8000040"), "{explanation}");
    let Some(Nearest::Accepted { lines, .. }) = &explanation.nearest else {
        panic!("{explanation}")
    };
    assert_eq!(lines, &["write dev=00:02.0 iova=0x8000040 value=0x0 size=0x4"]);
}

#[test]
fn a_place_with_a_blank_is_one_word_of_a_shell() {
    let text = "machine virt-its profile=linux-6.12\nattach dev=00:01.0\nread dev=00:01.0 iova=0\n";
    let script = Script::parse(SourceText::new("a b/it's.scn", text)).unwrap();
    let explanation = explain(&script, 3, &Chosen::default()).unwrap();
    let walk = "how it is translated: passim walk 'a b/it'\\''s.scn:3' --dev 00:01.0 --iova 0x0";
    assert!(explanation.notes.iter().any(|it| it == walk), "{explanation}");
}

#[test]
fn a_bad_structure_is_demanded_and_said_to_be_bad() {
    let explanation = of_file("smmu-event-message.scn", 36, &Chosen::default());
    let answer = &explanation.hardware[0];
    assert_eq!(answer.answer, "C_BAD_STE: STE.V is 0");
    assert_eq!(answer.sentence, "The structure is one that the architecture calls valid.");
}

#[test]
fn a_function_without_an_its_lacks_no_lpis() {
    let explanation = of_file("msi-map-gap.scn", 17, &Chosen::default());
    let refusal = &explanation.refusals[0];
    assert_eq!((refusal.rule, &refusal.limit), ("msi-no-domain", &None));
    let ran_into = "device 00:02.0, which firmware's msi-map leaves out";
    assert_eq!(refusal.ran_into.as_deref(), Some(ran_into));
}

#[test]
fn a_virtual_function_that_is_not_there_is_told_who_makes_it() {
    let explanation = at("machine armada-7040\nattach dev=01:10.2\n", 2).unwrap();
    let ran_into = "group 6: 01:10.2 is a virtual function, which sriov_numvfs of 01:00.0 makes";
    assert_eq!(explanation.refusals[0].ran_into.as_deref(), Some(ran_into), "{explanation}");
}
