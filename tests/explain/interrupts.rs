//! Random requests for interrupts, drivers and groups, on machines with few interrupts.

use super::{judge, judge_all};
use passim::input_error::SourceText;
use passim::script::Script;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

/// Machines with a function of many vectors and one of few, and where a window may be registered.
const MACHINES: [(&str, &str, &str); 5] = [
    ("virt-gicv2m", "msi-v9", "00:03.0"),
    ("virt-gicv2m", "linux-6.12", "00:03.0"),
    ("virt-its", "linux-6.1", "00:03.0"),
    ("virt-its", "msi-v9", "00:03.0"),
    ("virt-its", "linux-6.12", "00:03.0"),
];

fn dev() -> impl Strategy<Value = &'static str> {
    select(vec!["00:02.0", "00:03.0"])
}

fn index() -> impl Strategy<Value = &'static str> {
    select(vec!["intx", "msi", "msix", "err", "req"])
}

fn enable() -> impl Strategy<Value = String> {
    let vectors = prop_oneof![6 => 0..9u32, 2 => 55..80u32];
    let start = prop_oneof![6 => Just(0), 2 => 0..9u32, 1 => Just(u32::MAX)];
    (dev(), vectors, index(), start).prop_map(|(dev, vectors, index, start)| {
        format!("enable dev={dev} vectors={vectors} index={index} start={start}")
    })
}

fn disable() -> impl Strategy<Value = String> {
    (dev(), index()).prop_map(|(dev, index)| format!("disable dev={dev} index={index}"))
}

fn raw() -> impl Strategy<Value = String> {
    let flags = prop_oneof![
        6 => (select(vec![1u64, 2, 4]), select(vec![8u64, 16, 32])).prop_map(|(a, b)| a | b),
        2 => 0..0x80u64,
    ];
    let descriptor = select(vec![-1i32, 6, 7, 8, 99, 3]);
    let data = prop_oneof![
        4 => vec(descriptor, 0..4)
            .prop_map(|fds| fds.into_iter().flat_map(i32::to_le_bytes).collect::<Vec<u8>>()),
        1 => vec(any::<u8>(), 0..6),
    ];
    let start = prop_oneof![6 => Just(0), 2 => 0..70u32, 1 => Just(u32::MAX)];
    let count = prop_oneof![6 => 0..4u32, 1 => Just(u32::MAX)];
    (dev(), index(), flags, start, count, data).prop_map(
        |(dev, index, flags, start, count, data)| {
            let data: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
            let data = if data.is_empty() { String::new() } else { format!(" data={data}") };
            format!(
                "set-irqs dev={dev} index={index} flags={flags:#x} start={start} count={count}{data}"
            )
        },
    )
}

fn window() -> impl Strategy<Value = String> {
    let size = select(vec![0x1000u64, 0x2000, 0x1_0000]);
    size.prop_map(|size| format!("msi-window iova=0x8000000 size={size:#x}"))
}

fn administration() -> impl Strategy<Value = String> {
    let fd = || 2..10i32;
    prop_oneof![
        (0..60u32, 0..6u32).prop_map(|(irq, cpu)| format!("affinity irq={irq} cpu={cpu}")),
        dev().prop_map(|dev| format!("unbind dev={dev}")),
        dev().prop_map(|dev| format!("unplug dev={dev}")),
        (dev(), select(vec!["vfio-pci", "nvme", "e1000e"]))
            .prop_map(|(dev, driver)| format!("bind dev={dev} driver={driver}")),
        (fd(), fd()).prop_map(|(group, at)| format!("set-container group={group} container={at}")),
        fd().prop_map(|group| format!("unset-container group={group}")),
        (fd(), select(vec!["v1", "v2", "nesting", "unmap-all"]))
            .prop_map(|(fd, kind)| format!("set-iommu fd={fd} type={kind}")),
        (fd(), dev()).prop_map(|(fd, dev)| format!("get-device group={fd} name=0000:{dev}")),
        fd().prop_map(|group| format!("status group={group}")),
        (0..0x9000u64, 0..0x9000u64, fd()).prop_map(|(iova, size, fd)| format!(
            "dirty get iova={iova:#x} size={size:#x} fd={fd}"
        )),
        (0..0x2_0000u64, 0..0x2_0000u64)
            .prop_map(|(at, size)| format!("mlock va=A+{at:#x} size={size:#x}")),
        (0..0x2_0000u64, 0..0x100u64)
            .prop_map(|(at, size)| format!("peek va=A+{at:#x} size={size:#x}")),
    ]
}

fn request() -> impl Strategy<Value = String> {
    prop_oneof![3 => enable(), 1 => disable(), 3 => raw(), 3 => administration()]
}

fn scenario(machine: (&str, &str, &str), before: &[String], last: &str) -> Script {
    let (name, profile, other) = machine;
    let text = format!(
        "machine {name} profile={profile} allow_unsafe_interrupts=y\nprocess memlock=64K\n\
         drop-cap\narea A size=64K\nattach dev=00:02.0\nattach dev={other}\n{}\n{last}\n",
        before.join("\n")
    );
    let text: String =
        text.lines().filter(|line| !line.is_empty()).map(|it| it.to_owned() + "\n").collect();
    Script::parse(SourceText::new("random.scn", text)).unwrap()
}

/// Every case boots a machine.
const CASES: u32 = 64;

/// A suggested request for interrupts is accepted.
#[test]
fn the_suggested_request_for_interrupts_is_accepted() {
    let window = prop_oneof![Just(None), window().prop_map(Some)];
    let before = vec(prop_oneof![3 => enable(), 1 => raw(), 1 => disable()], 0..3);
    let requests = (select(MACHINES.to_vec()), window, before, request());
    judge_all(CASES, 50, requests, |(machine, window, before, last)| {
        let before: Vec<_> = window.into_iter().chain(before).collect();
        judge(|last| scenario(machine, &before, last), &last)
    });
}

/// So is one about drivers and groups, after some were removed.
#[test]
fn the_suggested_request_about_groups_is_accepted() {
    let requests = (select(MACHINES.to_vec()), vec(administration(), 0..3), administration());
    judge_all(CASES, 33, requests, |(machine, before, last)| {
        judge(|last| scenario(machine, &before, last), &last)
    });
}
