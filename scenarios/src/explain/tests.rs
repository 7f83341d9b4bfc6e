mod hardware;
mod near;
mod order;
mod sent;
mod unperformed;
mod words;

use super::{Explanation, Nearest, explain};
use crate::chosen::Chosen;
use crate::input_error::{InputError, SourceText};
use crate::script::Script;

const START: &str = "machine virt-its profile=linux-6.12\n  ok\narea A size=64K\n  ok\n\
    attach dev=00:01.0\n  container 3, group 4, device 5\n\
    map iova=0x10000 va=A size=16K prot=r|w\n  ok\n";

/// The line `START` leaves off before.
const LINE: u64 = 9;

fn at(text: &str, line: u64) -> Result<Explanation, InputError> {
    let script = Script::parse(SourceText::new("t.scn", text))?;
    explain(&script, line, &Chosen::default())
}

fn of(op: &str) -> Explanation {
    at(&format!("{START}{op}\n"), LINE).unwrap()
}

/// The line that is accepted in place of `op`.
fn instead(op: &str) -> String {
    match of(op).nearest {
        Some(Nearest::Accepted { lines, .. }) => lines.join("; "),
        other => panic!("{op}: {other:?}"),
    }
}

#[test]
fn a_refusal_is_told_with_names_and_the_checks_before() {
    let explanation = of("map iova=0x12000 va=A size=4K prot=r");
    let refusal = &explanation.refusals[0];
    assert_eq!((refusal.errno.as_str(), refusal.rule), ("EEXIST", "map-overlap"));
    let ran_into = "mapping [0x10000, 0x13fff] of A, r|w, made in line 7";
    assert_eq!(refusal.ran_into.as_deref(), Some(ran_into));
    assert_eq!(refusal.passed.last(), Some(&"map-wrap"));
    let text = explanation.to_string();
    assert!(
        text.contains("source:") && text.contains("nearest request that is accepted"),
        "{text}"
    );
}

#[test]
fn the_nearest_map_is_shifted_cut_aligned_or_given_a_permission() {
    let cases = [
        ("map iova=0x13000 va=A size=4K prot=r", "map iova=0x14000 va=A size=0x1000 prot=r"),
        ("map iova=0xf000 va=A size=8K prot=r", "map iova=0xe000 va=A size=0x2000 prot=r"),
        ("map iova=0x20800 va=A size=4K prot=r", "map iova=0x20000 va=A size=0x1000 prot=r"),
        ("map iova=0x20000 va=A size=0 prot=r", "map iova=0x20000 va=A size=0x1000 prot=r"),
        ("map iova=0x20000 va=A size=4K prot=-", "map iova=0x20000 va=A size=0x1000 prot=r|w"),
        ("map iova=0x8000000 va=A size=4K prot=r", "map iova=0x7fff000 va=A size=0x1000 prot=r"),
        ("map iova=0x20000 va=A size=128K prot=r", "map iova=0x20000 va=A size=0x10000 prot=r"),
        ("map iova=0x20000 va=0x1000 size=4K prot=r", "map iova=0x20000 va=A size=0x1000 prot=r"),
        ("map iova=0x20000 va=A size=4K prot=r fd=4", "map iova=0x20000 va=A size=0x1000 prot=r"),
        (
            "map iova=0x20000 va=A size=4K prot=r argsz=8",
            "map iova=0x20000 va=A size=0x1000 prot=r",
        ),
    ];
    for (op, wanted) in cases {
        assert_eq!(instead(op), wanted, "{op}");
    }
}

#[test]
fn the_nearest_unmap_goes_around_a_mapping_or_stops_short_of_it() {
    let cases = [
        ("unmap iova=0x10000 size=4K", "unmap iova=0x10000 size=0x4000"),
        ("unmap iova=0x13000 size=8K", "unmap iova=0x14000 size=0x1000"),
        ("unmap iova=0x10000 size=0", "unmap iova=0x10000 size=0x4000"),
        ("unmap iova=0x20000 size=4K flags=0x80", "unmap iova=0x20000 size=0x1000"),
    ];
    for (op, wanted) in cases {
        assert_eq!(instead(op), wanted, "{op}");
    }
}

#[test]
fn what_must_come_first_is_said() {
    let text = "machine virt-gicv2m profile=linux-6.12\nattach dev=00:01.0\n";
    let nearest = at(text, 2).unwrap().nearest;
    let Some(Nearest::Accepted { lines, .. }) = nearest else { panic!("{nearest:?}") };
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("allow_unsafe_interrupts") && lines[1] == "attach dev=00:01.0");
}

#[test]
fn windows_are_moved_and_there_is_one() {
    let start = "machine virt-its profile=msi-v9\narea A size=64K\nattach dev=00:01.0\n\
        map iova=0x10000 va=A size=16K prot=r|w\n";
    let text = format!("{start}msi-window iova=0x12000 size=64K\n");
    let explanation = at(&text, 5).unwrap();
    let Some(Nearest::Accepted { lines, .. }) = &explanation.nearest else {
        panic!("{explanation}")
    };
    assert_eq!(lines, &["msi-window iova=0x14000 size=0x10000"]);
    let text =
        format!("{start}msi-window iova=0x20000 size=64K\nmsi-window iova=0x40000 size=64K\n");
    let explanation = at(&text, 6).unwrap();
    let Some(Nearest::Accepted { lines, .. }) = &explanation.nearest else {
        panic!("{explanation}")
    };
    assert_eq!(lines[..2], ["detach dev=00:01.0", "attach dev=00:01.0"]);
    let limit = explanation.refusals[0].limit.as_deref().unwrap_or_default();
    assert!(limit.ends_with("this one has [0x20000, 0x2ffff]"), "{limit}");
    let text =
        format!("{start}msi-window iova=0x20000 size=64K\nmap iova=0x20000 va=A size=4K prot=r\n");
    let ran_into = at(&text, 6).unwrap().refusals[0].ran_into.clone();
    assert_eq!(
        ran_into.as_deref(),
        Some("window [0x20000, 0x2ffff] for doorbells, made in line 5")
    );
    let text = format!("{}msi-window iova=0x20000 size=64K\n", START);
    let Some(Nearest::None { because, .. }) = at(&text, LINE).unwrap().nearest else { panic!() };
    assert!(because.contains("third-map-flag = vaddr"), "{because}");
}

#[test]
fn where_there_is_no_room_something_must_go() {
    let text = START.replace("linux-6.12", "linux-6.12 dma_entry_limit=1");
    let text = format!("{text}map iova=0x20000 va=A size=4K prot=r\n");
    let explanation = at(&text, LINE).unwrap();
    let Some(Nearest::Accepted { lines, .. }) = &explanation.nearest else {
        panic!("{explanation}")
    };
    assert_eq!(lines[0], "unmap iova=0x10000 size=0x4000");
    let limit = explanation.refusals[0].limit.as_deref().unwrap_or_default();
    assert!(limit.contains("dma_entry_limit") && limit.ends_with("0 left"), "{limit}");
}

#[test]
fn the_nearest_request_for_interrupts_fits_the_device_and_what_is_on() {
    let start =
        "machine virt-its profile=linux-6.12\nattach dev=00:02.0\nenable dev=00:02.0 vectors=2\n";
    let cases = [
        ("enable dev=00:02.0 vectors=3", "enable dev=00:02.0 vectors=2"),
        ("enable dev=00:02.0 vectors=1 start=2", "enable dev=00:02.0 vectors=1 start=1"),
        (
            "enable dev=00:02.0 vectors=1 index=msi",
            "disable dev=00:02.0; enable dev=00:02.0 vectors=1 index=msi",
        ),
        (
            "set-irqs dev=00:02.0 index=msix flags=0x28",
            "set-irqs dev=00:02.0 index=msix flags=0x21",
        ),
        (
            "set-irqs dev=00:02.0 index=msix flags=0x24 data=63000000",
            "set-irqs dev=00:02.0 index=msix flags=0x24 data=06000000",
        ),
        (
            "set-irqs dev=00:02.0 index=req flags=0x21",
            "set-irqs dev=00:02.0 index=req flags=0x24 data=06000000; \
             set-irqs dev=00:02.0 index=req flags=0x21",
        ),
        ("disable dev=00:02.0 index=msi", "disable dev=00:02.0"),
        ("affinity irq=9999 cpu=0", "affinity irq=27 cpu=0"),
        ("affinity irq=27 cpu=99", "affinity irq=27 cpu=1"),
    ];
    for (op, wanted) in cases {
        let explanation = at(&format!("{start}{op}\n"), 4).unwrap();
        let Some(Nearest::Accepted { lines, .. }) = &explanation.nearest else {
            panic!("{op}: {explanation}")
        };
        assert_eq!(lines.join("; "), wanted, "{op}: {explanation}");
    }
}

/// What the kernel answers in place of an errno is a refusal all the same.
#[test]
fn vectors_that_run_out_are_explained() {
    let text = "machine virt-gicv2m profile=linux-6.12 allow_unsafe_interrupts=y\n\
        attach dev=00:03.0\nenable dev=00:03.0 vectors=65\n";
    let explanation = at(text, 3).unwrap();
    let [refusal] = &explanation.refusals[..] else { panic!("{explanation}") };
    assert_eq!(refusal.rule, "vectors-exhausted");
    let limit = refusal.limit.as_deref().unwrap_or_default();
    assert!(limit.starts_with("64 SPIs, set by the GICv2m frames"), "{limit}");
    let granted = refusal.granted.unwrap();
    let Some(Nearest::Accepted { lines, .. }) = &explanation.nearest else {
        panic!("{explanation}")
    };
    assert_eq!(lines, &[format!("enable dev=00:03.0 vectors={granted}")]);
}

#[test]
fn a_window_comes_before_vectors_and_a_larger_one_where_it_is_full() {
    let start = "machine plain-v2m profile=msi-v9 allow_unsafe_interrupts=y\nattach dev=00:01.0\n";
    let explanation = at(&format!("{start}enable dev=00:01.0 vectors=1\n"), 3).unwrap();
    let Some(Nearest::Accepted { lines, .. }) = &explanation.nearest else {
        panic!("{explanation}")
    };
    let window = "msi-window iova=0x8000000 size=0x10000";
    assert_eq!(lines, &[window, "enable dev=00:01.0 vectors=1"]);
    let small = "msi-window iova=0x8000000 size=0x1000\n";
    let explanation = at(&format!("{start}{small}enable dev=00:01.0 vectors=1\n"), 4).unwrap();
    let limit = explanation.refusals[0].limit.as_deref().unwrap_or_default();
    assert!(limit.contains("leaves 0 for doorbells"), "{limit}");
    let Some(Nearest::Accepted { lines, .. }) = &explanation.nearest else {
        panic!("{explanation}")
    };
    assert_eq!(lines[..2], ["detach dev=00:01.0", "attach dev=00:01.0"]);
}

#[test]
fn groups_drivers_and_memory_are_explained_as_well() {
    let start = "machine virt-its profile=linux-6.12\narea A size=64K\nattach dev=00:01.0\n";
    let cases = [
        ("unbind dev=00:01.0", "detach dev=00:01.0; unbind dev=00:01.0"),
        ("unplug dev=00:01.0", "detach dev=00:01.0; unplug dev=00:01.0"),
        ("unset-container group=4", "close fd=5; unset-container group=4"),
        (
            "set-container group=9 container=3",
            "close fd=5; unset-container group=4; set-container group=4 container=3",
        ),
        ("status group=3", "status group=4"),
        ("get-device group=4 name=00:01.0", "get-device group=4 name=0000:00:01.0"),
        ("device-info fd=4", "device-info fd=5"),
        ("open /dev/vfio/99", "open /dev/vfio/5"),
        ("peek va=0x1000 size=8", "peek va=A size=0x8"),
        (
            "write-attribute /sys/module/vfio_iommu_type1/parameters/dma_entry_limit value=many",
            "write-attribute /sys/module/vfio_iommu_type1/parameters/dma_entry_limit value=65535",
        ),
        ("dirty get iova=0x0 size=0x1000", "dirty start; dirty get iova=0x0 size=0x1000"),
    ];
    for (op, wanted) in cases {
        let explanation = at(&format!("{start}{op}\n"), 4).unwrap();
        let Some(Nearest::Accepted { lines, .. }) = &explanation.nearest else {
            panic!("{op}: {explanation}")
        };
        assert_eq!(lines.join("; "), wanted, "{op}: {explanation}");
    }
    let explanation = at(&format!("{start}set-iommu type=v1\n"), 4).unwrap();
    let Some(Nearest::None { because, tried, .. }) = &explanation.nearest else {
        panic!("{explanation}")
    };
    assert!(because.contains("keeps its type"), "{because}");
    assert!(tried.iter().any(|tried| tried.answer == "EINVAL by set-iommu-twice"), "{tried:?}");
}

/// What the series is about: a doorbell that nobody mapped, at its physical address.
#[test]
fn a_message_that_faults_is_followed_to_where_it_should_lead() {
    let start = "allow_unsafe_interrupts=y\nattach dev=00:01.0\n";
    let old = format!(
        "machine plain-v2m profile=linux-4.6 {start}enable dev=00:01.0 vectors=1\n\
         raise dev=00:01.0 vector=0\n"
    );
    let explanation = at(&old, 4).unwrap();
    assert!(explanation.by_device && explanation.outcome[0].starts_with("F_TRANSLATION"));
    let notes = &explanation.notes;
    assert_eq!(notes[0], "the kernel programmed vector 0 of 00:01.0 to write 0x40 to 0xf200040");
    assert!(notes[1].contains("window-provider = nobody, msi-mapping = never"), "{notes:?}");
    let new = format!(
        "machine plain-v2m profile=msi-v9 {start}msi-window iova=0x8000000 size=64K\n\
         enable dev=00:01.0 vectors=1\nraise dev=00:01.0 vector=0\n"
    );
    let notes = at(&new, 5).unwrap().notes;
    assert_eq!(notes[1], "a doorbell is mapped there: 0x800f000 leads to 0xf200000");
    assert!(notes[2].ends_with("window [0x8000000, 0x800ffff] for doorbells, made in line 3"));
}

#[test]
fn lines_without_a_refusal_or_an_operation() {
    let text = format!("{START}# nothing\nread dev=00:01.0 iova=0x20000\n");
    let explanation = at(&text, 10).unwrap();
    assert!(explanation.refusals.is_empty(), "{explanation}");
    assert!(explanation.notes[0].contains("no mapping holds 0x20000"), "{:?}", explanation.notes);
    assert!(explanation.notes[1].contains("made in line 7"), "{:?}", explanation.notes);
    // What happened belongs to the operation above it.
    assert_eq!(at(&text, 8).unwrap().line, 7);
    let error = at(&text, 9).unwrap_err();
    assert!(error.line() == Some(9) && error.hint().contains("nearest one"), "{error}");
}
