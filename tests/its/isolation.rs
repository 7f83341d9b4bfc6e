//! Whose interrupts a device can raise on the whole board: through SMMU, doorbell and kernel.
//!
//! Behind an ITS only its own, whatever it writes, wherever in the doorbell's page, and however
//! many bytes. Behind a GICv2m frame any: the smallest attack is searched, and is the one that
//! `scenarios/files/its/attack-gicv2m.scn` shows.

use passim::machine::{BUILTIN, Function, Machine, builtin};
use passim::op::Op;
use passim::run::Runner;
use proptest::prelude::*;
use std::path::Path;

/// Functions of the boards that can send messages, with their capability.
const DEVICES: [(&str, &str); 3] = [("00:01.0", "msi"), ("00:02.0", "msix"), ("00:03.0", "msix")];

/// The same for the board with two ITSs: one behind the first, two behind the second.
const BEHIND_TWO: [(&str, &str); 3] = [("00:02.0", "msi"), ("80:01.0", "msix"), ("80:02.0", "msi")];

/// A scenario in progress.
struct World {
    runner: Runner,
    devices: [(&'static str, &'static str); 3],
    /// The user sets the window of doorbells, with room for this many pages.
    window: Option<u64>,
    /// The lines performed.
    lines: Vec<String>,
}

impl World {
    fn new(machine: &str) -> Self {
        let two = machine.contains("two-its");
        let devices = if two { BEHIND_TWO } else { DEVICES };
        let window = machine.contains("msi-v9").then_some(if two { 2 } else { 1 });
        let mut world = Self { runner: Runner::new(), devices, window, lines: Vec::new() };
        world.ask(machine);
        world
    }

    fn ask(&mut self, line: &str) -> String {
        self.lines.push(line.to_owned());
        let op = Op::parse("isolation", line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let outcome = self.runner.perform(&op);
        let lines = outcome.unwrap_or_else(|error| panic!("{line}: {}", error.message));
        lines.join("\n")
    }

    fn enable(&mut self, device: usize, vectors: usize) {
        self.enable_in(device, vectors, "");
    }

    /// Attaches a device to a container (its own if `container` is empty), and enables its vectors.
    fn enable_in(&mut self, device: usize, vectors: usize, container: &str) {
        let (name, index) = self.devices[device];
        let attached = self.ask(&format!("attach dev={name}{container}"));
        if let Some(pages) = self.window.filter(|_| container.is_empty()) {
            let number = attached.split([' ', ',']).nth(1).expect("container N, ...");
            // Of a window of v9 the lowest page is never handed out.
            let size = (pages + 1) << 12;
            self.ask(&format!("msi-window iova=0x7fff000 size={size:#x} fd={number}"));
        }
        let index = if index == "msi" { " index=msi" } else { "" };
        self.ask(&format!("enable dev={name} vectors={vectors}{index}"));
    }

    /// The eventfd counters of a device.
    fn counters(&mut self, device: usize, vectors: usize) -> Vec<String> {
        let name = self.devices[device].0;
        let ask = |vector| format!("eventfd dev={name} vector={vector}");
        (0..vectors).map(|vector| self.ask(&ask(vector))).collect()
    }
}

/// A board under a kernel that leaves the doorbell to the user, or maps it itself.
fn machine(name: &'static str) -> impl Strategy<Value = String> {
    let kernel = prop_oneof![
        2 => Just("linux-6.12"),
        2 => Just("msi-v9 set=\"its-doorbell-info=on\""),
        // Nothing is mapped, and no message arrives.
        1 => Just("msi-v9 set=\"its-doorbell-info=off\""),
    ];
    let preset = prop_oneof![
        Just("arch-strict".to_owned()),
        Just("qemu".to_owned()),
        Just("kvm-abi0".to_owned()),
        Just("gic600".to_owned()),
        (0u32..1000).prop_map(|seed| format!("adversarial seed={seed}")),
    ];
    (kernel, preset)
        .prop_map(move |(kernel, preset)| format!("machine {name} profile={kernel} gic={preset}"))
}

proptest! {
    #![proptest_config(passim_tests::cases::any(48))]

    #[test]
    fn behind_an_its_a_device_raises_only_what_is_its_own(
        machine in machine("virt-its"),
        attacker in 0usize..3,
        vectors in prop::collection::vec(1usize..5, 3),
        writes in prop::collection::vec(
            (prop_oneof![Just(0x40u64), 0u64..0x1000], 0usize..4, any::<u32>(), any::<bool>()),
            1..12,
        ),
    ) {
        let count = |device: usize| if DEVICES[device].1 == "msi" { 1 } else { vectors[device] };
        let mut world = World::new(&machine);
        for device in 0..3 {
            world.enable(device, count(device));
        }
        for (offset, size, value, small) in writes {
            let (size, value) = ([1, 2, 4, 8][size], if small { value % 0x2010 } else { value });
            let (iova, name) = (0x800_0000 + offset / size * size, DEVICES[attacker].0);
            world.ask(&format!("write dev={name} iova={iova:#x} value={value} size={size}"));
        }
        for victim in (0..3).filter(|device| *device != attacker) {
            for counter in world.counters(victim, count(victim)) {
                prop_assert_eq!(counter, "counter 0", "{}", world.lines.join("\n"));
            }
        }
        prop_assert_eq!(world.ask("pending"), "nothing");
    }
}

proptest! {
    #![proptest_config(passim_tests::cases::any(32))]

    /// Two ITSs, and a container whose devices may write to the frames of both: each ITS finds only
    /// the writer's own events.
    #[test]
    fn behind_two_itss_a_device_raises_only_what_is_its_own(
        machine in machine("two-its"),
        attacker in 0usize..3,
        shared in any::<bool>(),
        vectors in prop::collection::vec(1usize..4, 3),
        writes in prop::collection::vec(
            (0u64..2, prop_oneof![Just(0x40u64), 0u64..0x1000], any::<u32>(), any::<bool>()),
            1..12,
        ),
    ) {
        let mut world = World::new(&machine);
        for (device, &count) in vectors.iter().enumerate() {
            let container = if shared && device > 0 { " container=3" } else { "" };
            world.enable_in(device, count, container);
        }
        let name = BEHIND_TWO[attacker].0;
        for (page, offset, value, small) in writes {
            let value = if small { value % 0x2010 } else { value };
            let iova = 0x800_0000 + page * 0x1000 + offset / 4 * 4;
            world.ask(&format!("write dev={name} iova={iova:#x} value={value} size=4"));
        }
        for victim in (0..3).filter(|device| *device != attacker) {
            for counter in world.counters(victim, vectors[victim]) {
                prop_assert_eq!(counter, "counter 0", "{}", world.lines.join("\n"));
            }
        }
        prop_assert_eq!(world.ask("pending"), "nothing");
    }
}

/// The first write with few bits set to the doorbell's page that raises an interrupt of another
/// device.
fn least_attack(
    machine: &str,
    offsets: &[u64],
    values: core::ops::Range<u32>,
) -> Option<Vec<String>> {
    for &offset in offsets {
        let mut world = World::new(machine);
        world.enable(1, 1);
        world.enable(0, 1);
        let set_up = world.lines.len();
        for value in values.clone() {
            world.lines.truncate(set_up);
            let iova = 0x800_0000 + offset;
            world.ask(&format!("write dev=00:01.0 iova={iova:#x} value={value} size=4"));
            let victim = world.ask("eventfd dev=00:02.0");
            if victim != "counter 0" {
                return Some(world.lines);
            }
        }
    }
    None
}

#[test]
fn behind_a_frame_one_write_is_an_attack() {
    let machine = "machine virt-gicv2m profile=linux-6.12 allow_unsafe_interrupts=y";
    let attack = least_attack(machine, &[0x0, 0x8, 0x40], 0..128).expect("a frame asks nobody");
    let file =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/files/its/attack-gicv2m.scn");
    let file = std::fs::read_to_string(file).unwrap();
    let is_operation = |line: &&str| !line.starts_with([' ', '#']) && !line.is_empty();
    let shown: Vec<_> = file.lines().filter(is_operation).collect();
    let parsed = |line: &str| Op::parse("attack", line).unwrap();
    let found: Vec<_> = attack.iter().map(|line| parsed(line)).collect();
    let shown: Vec<_> = shown.into_iter().map(parsed).collect();
    assert_eq!(found, shown, "the least attack is:\n{}", attack.join("\n"));
}

#[test]
fn behind_an_its_there_is_none() {
    for kernel in ["linux-6.12", "msi-v9 set=\"its-doorbell-info=on\""] {
        let machine = format!("machine virt-its profile={kernel}");
        assert_eq!(least_attack(&machine, &[0x0, 0x8, 0x40], 0..128), None);
        let mut world = World::new(&machine);
        world.enable(0, 1);
        world.ask("write dev=00:01.0 iova=0x8000040 value=0 size=4");
        assert_eq!(world.ask("eventfd dev=00:01.0"), "counter 1", "its own it raises");
        // Nor with the numbers of LPIs: 4.6 begins at 8192, in chunks of 32.
        assert_eq!(least_attack(&machine, &[0x40], 8190..8330), None);
    }
}

/// Functions behind a bridge that takes over their requester ID are one device to the ITS;
/// therefore they are one group.
///
/// Only aliases of requester IDs form groups. Where firmware maps two groups to one DeviceID,
/// each raises the other's LPIs, as `scenarios/files/its/attack-shared-id.scn` shows.
#[test]
fn functions_that_share_a_device_id_share_a_group_unless_firmware_says_otherwise() {
    let shares = |machine: &Machine| {
        let with_group = || machine.functions.iter().filter(|it| it.group.is_some());
        let same = |a: &Function, b: &Function| (a.its, a.device_id) == (b.its, b.device_id);
        with_group().any(|a| with_group().any(|b| same(a, b) && a.group != b.group))
    };
    let machines = BUILTIN.iter().map(|(name, _)| (*name, builtin(name).unwrap().unwrap()));
    let sharing: Vec<_> = machines.filter(|(_, it)| shares(it)).map(|(name, _)| name).collect();
    assert_eq!(sharing, ["shared-ids"]);
}
