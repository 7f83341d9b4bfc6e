//! Requests near a refused one, beyond those for mappings and vectors; and the explanation when the
//! search finds none.

use super::{Nearest, at};

/// The lines that are accepted in place of `op`.
fn instead(start: &str, op: &str) -> String {
    let text = format!("{start}{op}\n");
    let explanation = at(&text, start.lines().count() as u64 + 1).unwrap();
    match &explanation.nearest {
        Some(Nearest::Accepted { lines, .. }) => lines.join("; "),
        other => panic!("{op}: {other:?}"),
    }
}

fn are_accepted(start: &str, cases: &[(&str, &str)]) {
    for (op, wanted) in cases {
        assert_eq!(instead(start, op), *wanted, "{op}");
    }
}

#[test]
fn memory_that_may_only_be_written_is_mapped_so() {
    let start = "machine virt-its profile=linux-6.12\nattach dev=00:01.0\narea A size=8K\n\
        mprotect va=A size=8K prot=w\n";
    let wanted = "map iova=0x10000 va=A size=0x1000 prot=w";
    are_accepted(start, &[("map iova=0x10000 va=A size=4K prot=r", wanted)]);
}

#[test]
fn a_wire_has_one_interrupt_and_one_eventfd() {
    let start = "machine board-its profile=linux-6.12 allow_unsafe_interrupts=y\n\
        open /dev/vfio/vfio\nopen /dev/vfio/4\nset-container group=4 container=3\n\
        set-iommu fd=3 type=v2\nget-device group=4 name=c010000.engine\nnew-eventfd\n\
        set-irqs fd=5 index=0 flags=0x24 data=06000000\n";
    are_accepted(
        start,
        &[
            ("set-irqs fd=5 index=0 flags=0x21 count=2", "set-irqs fd=5 index=0 flags=0x21"),
            ("set-irqs fd=5 index=0 flags=0x21 start=1", "set-irqs fd=5 index=0 flags=0x21"),
            ("set-irqs fd=5 index=2 flags=0x21", "set-irqs fd=5 index=0 flags=0x21"),
            ("set-irqs fd=5 index=0 flags=0x31", "set-irqs fd=5 index=0 flags=0x21"),
            (
                "set-irqs fd=5 index=0 flags=0x24 data=03000000",
                "set-irqs fd=5 index=0 flags=0x24 data=06000000",
            ),
        ],
    );
}

#[test]
fn transfers_stay_inside_a_region_that_is_there_and_answers() {
    let start = "machine virt-its profile=linux-6.12\nattach dev=00:01.0\n";
    are_accepted(
        start,
        &[
            ("pread fd=5 offset=0x100000 size=4", "pread fd=5 offset=0xffffc size=0x4"),
            ("pread fd=5 offset=0x10000000000 size=4", "pread fd=5 offset=0x0 size=0x4"),
            ("pread fd=4 offset=0 size=4", "pread fd=5 offset=0x0 size=0x4"),
        ],
    );
    let start = format!("{start}pwrite fd=5 offset=0x70000000004 bytes=0000\n");
    let on = "pwrite fd=5 offset=0x70000000004 bytes=0200; pread fd=5 offset=0x0 size=0x4";
    are_accepted(&start, &[("pread fd=5 offset=0 size=4", on)]);
}

#[test]
fn structures_are_changed_where_they_are_wrong() {
    let start = "machine virt-its profile=linux-6.12\nattach dev=00:02.0\nnew-eventfd\n\
        ioctl fd=5 nr=0x3b75 bytes=0800000003000200\n";
    are_accepted(
        start,
        &[(
            "ioctl fd=5 nr=0x3b75 bytes=0800000003000200",
            "ioctl fd=5 nr=0x3b75 bytes=0800000005000200; \
             ioctl fd=5 nr=0x3b75 bytes=0800000003000200",
        )],
    );
    let start = "machine virt-its profile=linux-6.12\nattach dev=00:02.0\n";
    are_accepted(
        start,
        &[(
            "ioctl fd=5 nr=0x3b75 bytes=10000000040002000300000000000000",
            "new-eventfd; ioctl fd=5 nr=0x3b75 bytes=10000000040002000600000000000000",
        )],
    );
}

/// Two lines: the first makes the second possible.
#[test]
fn virtual_functions_are_turned_off_before_another_number() {
    let path = "/sys/bus/pci/devices/0000:81:00.0/sriov_numvfs";
    let start = "machine two-smmus profile=linux-6.12 allow_unsafe_interrupts=y\n\
        unbind dev=81:00.0\nmodule ixgbe\nbind dev=81:00.0 driver=ixgbe\n";
    let start = format!("{start}write-attribute {path} value=4\n");
    let write = |value: u32| format!("write-attribute {path} value={value}");
    are_accepted(
        &start,
        &[(&write(2), &format!("{}; {}", write(0), write(2))), (&write(5), &write(4))],
    );
}

#[test]
fn a_name_is_the_functions_and_a_device_wants_a_container_with_a_type() {
    let start = "machine virt-its profile=linux-6.12\nopen /dev/vfio/2\n";
    let lines = instead(start, "get-device group=3 name=0000:00:01.0");
    let wanted = "open /dev/vfio/vfio; set-container group=3 container=4; \
        set-iommu fd=4 type=v2; get-device group=3 name=0000:00:01.0";
    assert_eq!(lines, wanted);
}

/// The explanation does not claim that no request is accepted, only that the search has none.
#[test]
fn a_search_without_a_change_says_that_and_no_more() {
    let text = "machine virt-its profile=linux-6.12\nattach dev=00:01.0\n\
        close fd=5\nclose fd=4\nunbind dev=00:01.0\nunbind dev=00:01.0\n";
    let explanation = at(text, 6).unwrap();
    let Some(Nearest::None { tries: 0, .. }) = &explanation.nearest else {
        panic!("{explanation}")
    };
    let text = explanation.to_string();
    assert!(text.contains("no other request was tried: "), "{text}");
    assert!(!text.contains("no part of the request"), "{text}");
}
