//! Any order of enabling, disabling, moving and closing: only vectors hold references on doorbells.

use super::board::{Build, ENTRIES, FRAME, Machine, USERS};
use crate::call::Call;
use crate::policy::{DoorbellUnwind, Profile};
use crate::uapi::irq;
use passim_model::Rid;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::cell::Cell;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
enum Step {
    Enable { user: usize, msi: bool, start: u32, count: usize },
    Disable { user: usize, msi: bool },
    TakeOff { user: usize, vector: u32 },
    Move { user: usize, vector: usize, cpu: u16 },
    Reopen { user: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..USERS.len();
    let most = u32::from(ENTRIES);
    prop_oneof![
        3 => (user.clone(), any::<bool>(), 0..most, 0..=ENTRIES as usize)
            .prop_map(|(user, msi, start, count)| Step::Enable { user, msi, start, count }),
        2 => (user.clone(), any::<bool>()).prop_map(|(user, msi)| Step::Disable { user, msi }),
        1 => (user.clone(), 0..most).prop_map(|(user, vector)| Step::TakeOff { user, vector }),
        1 => (user.clone(), 0..ENTRIES as usize, 0..3u16)
            .prop_map(|(user, vector, cpu)| Step::Move { user, vector, cpu }),
        1 => user.prop_map(|user| Step::Reopen { user }),
    ]
}

fn kind(msi: bool) -> u32 {
    if msi { irq::MSI } else { irq::MSIX }
}

struct World {
    machine: Machine,
    groups: Vec<i64>,
    devices: Vec<i64>,
    eventfds: Vec<i64>,
}

impl World {
    fn take(&mut self, step: &Step) {
        let Self { machine, groups, devices, eventfds } = self;
        match *step {
            Step::Enable { user, msi, start, count } => {
                let _ = machine.enable_as(devices[user], kind(msi), start, &eventfds[..count]);
            }
            Step::Disable { user, msi } => {
                let _ = machine.disable(devices[user], kind(msi));
            }
            Step::TakeOff { user, vector } => {
                let _ = machine.enable(devices[user], vector, &[-1]);
            }
            Step::Move { user, vector, cpu } => {
                let vectors = machine.kernel.vectors(Rid::new(USERS[user]));
                if let Some(view) = vectors.get(vector) {
                    let path = format!("/proc/irq/{}/smp_affinity_list", view.irq);
                    let value = cpu.to_string();
                    let _ = machine.call(Call::WriteAttribute { path, value });
                }
            }
            Step::Reopen { user } => {
                machine.call(Call::Close { fd: devices[user] as i32 }).unwrap();
                devices[user] = machine.device(groups[user], USERS[user]);
            }
        }
    }

    /// For each page of doorbells: the expected and the actual number of references.
    fn judge(&self, doorbells: usize, pages: usize) {
        let mut wanted: BTreeMap<u64, u64> = BTreeMap::new();
        for rid in USERS {
            for view in self.machine.kernel.vectors(Rid::new(rid)) {
                assert_eq!(view.references, doorbells);
                if doorbells == 1 {
                    let frame = (u64::from(view.intid.get()) - 64) / 6;
                    *wanted.entry(FRAME + frame * 0x1000).or_default() += 1;
                } else {
                    (0..doorbells as u64).for_each(|cpu| {
                        *wanted.entry(FRAME + cpu * 0x1_0000).or_default() += 1;
                    });
                }
            }
        }
        assert!(wanted.len() <= pages);
        let held = self.machine.kernel.doorbells_of(Rid::new(USERS[0]));
        let held: BTreeMap<_, _> =
            held.iter().map(|doorbell| (doorbell.pa.get(), doorbell.references)).collect();
        assert_eq!(held, wanted);
    }
}

/// One case: every step, and closing at the end. Returns the number of steps after which the first
/// user has vectors.
fn run(steps: &[Step], per_cpu: bool, pages: usize) -> Result<usize, TestCaseError> {
    let mut policy = Profile::MsiV9.policy();
    policy.doorbell_unwind = DoorbellUnwind::AsIntended;
    let mut build = Build { cpus: 3, ..Build::new(policy) };
    build.frames = (0..3).map(|k| (FRAME + u64::from(k) * 0x1000, 64 + 6 * k, 6)).collect();
    if per_cpu {
        build.per_cpu = (0..3).map(|cpu| FRAME + cpu * 0x1_0000).collect();
    }
    let doorbells = if per_cpu { 3 } else { 1 };
    let mut machine = Machine::boot(build);
    let (container, groups) = machine.container(&USERS);
    // The lowest page of the window is never allocated.
    machine.window(container, 0x800_0000, (pages as u64 + 1) * 0x1000).unwrap();
    let opened = groups.iter().zip(USERS).map(|(group, rid)| machine.device(*group, rid));
    let devices = opened.collect();
    let eventfds = machine.eventfds(ENTRIES as usize);
    let mut world = World { machine, groups, devices, eventfds };
    let mut with_vectors = 0;
    for step in steps {
        world.take(step);
        world.judge(doorbells, pages);
        with_vectors += usize::from(!world.machine.kernel.vectors(Rid::new(USERS[0])).is_empty());
    }
    for device in world.devices.clone() {
        world.machine.call(Call::Close { fd: device as i32 }).unwrap();
    }
    world.judge(doorbells, pages);
    prop_assert_eq!(world.machine.kernel.messages_in_use(), 1);
    prop_assert_eq!(world.machine.kernel.interrupts().len(), 1);
    prop_assert!(world.machine.kernel.take_verdicts().is_empty());
    Ok(with_vectors)
}

#[test]
fn references_are_vectors() {
    const CASES: u32 = 48;
    let (steps, with_vectors) = (Cell::new(0), Cell::new(0));
    let cases = (prop::collection::vec(step(), 1..24), any::<bool>(), 1..4usize);
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) };
    let judged = TestRunner::new(config).run(&cases, |(all, per_cpu, pages)| {
        steps.set(steps.get() + all.len());
        with_vectors.set(with_vectors.get() + run(&all, per_cpu, pages)?);
        Ok(())
    });
    judged.unwrap_or_else(|error| panic!("{error}"));
    // Were every request refused, there would be no reference to count: there are after every fifth
    // step.
    assert!(with_vectors.get() * 20 >= steps.get(), "{with_vectors:?} of {steps:?}");
}
