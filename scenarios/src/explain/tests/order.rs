//! The checks that a request is reported to have passed, compared with the order in which the model
//! makes them.

use super::at;

/// Explains `ops`, each with one mistake fewer than the one before: a check that refuses a later
/// one was not passed by any before it, and a check that refused an earlier one is passed where the
/// order is known.
fn is_held_to(start: &str, ops: &[(&str, &str)]) {
    let mut met: Vec<&str> = Vec::new();
    for (i, (op, rule)) in ops.iter().enumerate() {
        let text = format!("{start}{op}\n");
        let explanation = at(&text, start.lines().count() as u64 + 1).unwrap();
        let [refusal] = &explanation.refusals[..] else { panic!("{op}: {explanation}") };
        assert_eq!(refusal.rule, *rule, "{op}");
        for (_, later) in &ops[i..] {
            assert!(!refusal.passed.contains(later), "{op}: {explanation}");
        }
        for earlier in &met {
            assert!(refusal.passed.contains(earlier), "{op}, {earlier}: {explanation}");
        }
        met.push(rule);
    }
}

#[test]
fn a_container_without_a_type_reads_nothing() {
    for profile in ["linux-4.6", "linux-6.12", "linux-7.2", "msi-v9"] {
        let start =
            format!("machine virt-its profile={profile}\narea A size=64K\nopen /dev/vfio/vfio\n");
        for op in
            ["map iova=1 va=A size=4K prot=r argsz=8 fd=3", "unmap iova=1 size=4K argsz=8 fd=3"]
        {
            is_held_to(&start, &[(op, "container-without-iommu")]);
            let explanation = at(&format!("{start}{op}\n"), 4).unwrap();
            assert_eq!(explanation.refusals[0].passed, [] as [&str; 0], "{explanation}");
        }
    }
}

const START: &str = "area A size=64K\nattach dev=00:01.0\n\
    map iova=0x10000 va=A size=16K prot=r|w\n";

#[test]
fn a_mapping_is_checked_in_the_order_of_the_model() {
    let start = format!("machine virt-its profile=linux-6.12\n{START}");
    is_held_to(
        &start,
        &[
            ("map iova=0x8000800 va=0 size=0 prot=- flags=0x80 argsz=8", "argsz-short"),
            ("map iova=0x8000800 va=0 size=0 prot=- flags=0x80", "flags-unknown"),
            ("map iova=0xfffffffffffff800 va=0 size=8K prot=-", "map-no-permission"),
            ("map iova=0xfffffffffffff800 va=0 size=8K prot=r", "map-alignment"),
            ("map iova=0xfffffffffffff000 va=0 size=8K prot=r", "map-wrap"),
            ("map iova=0x10000 va=0 size=0x10000000 prot=r", "map-overlap"),
            ("map iova=0x20000 va=0 size=0x10000000 prot=r", "map-outside-valid"),
            ("map iova=0x20000 va=0 size=4K prot=r", "map-page-fault"),
        ],
    );
    let start = format!("machine virt-its profile=linux-7.2\n{START}");
    is_held_to(
        &start,
        &[
            ("map iova=0xfffffffffffff800 va=0 size=8K prot=-", "map-wrap"),
            ("map iova=0x10800 va=0 size=8K prot=-", "map-no-permission"),
            ("map iova=0x10800 va=0 size=8K prot=r", "map-alignment"),
            ("map iova=0x10000 va=0 size=8K prot=r", "map-overlap"),
        ],
    );
}

#[test]
fn an_unmap_is_checked_in_the_order_of_the_model() {
    let start = format!("machine virt-its profile=linux-6.12\n{START}");
    is_held_to(
        &start,
        &[
            ("unmap iova=0x10800 size=4K flags=0x83 argsz=8", "argsz-short"),
            ("unmap iova=0x10800 size=4K flags=0x83", "flags-unknown"),
            ("unmap iova=0x10800 size=4K flags=3", "unmap-flags-conflict"),
            ("unmap iova=0x10800 size=4K flags=2", "unmap-alignment"),
            ("unmap iova=0x10000 size=4K flags=2", "unmap-all-range"),
        ],
    );
    is_held_to(
        &start,
        &[
            ("unmap iova=0xfffffffffffff000 size=0x1800", "unmap-alignment"),
            ("unmap iova=0xfffffffffffff000 size=8K", "unmap-wrap"),
        ],
    );
}

#[test]
fn a_window_is_checked_in_the_order_of_the_model() {
    let start = format!("machine virt-its profile=msi-v9\n{START}");
    is_held_to(
        &start,
        &[
            ("map iova=0xfffffffffffff800 va=A size=8K prot=- flags=0x84 argsz=8", "argsz-short"),
            ("map iova=0xfffffffffffff800 va=A size=8K prot=- flags=0x84", "flags-unknown"),
            ("map iova=0xfffffffffffff800 va=A size=8K prot=- flags=4", "window-alignment"),
            ("map iova=0xfffffffffffff000 va=A size=8K prot=- flags=4", "window-wrap"),
            ("map iova=0x10000 va=A size=8K prot=- flags=4", "window-overlap"),
        ],
    );
}
