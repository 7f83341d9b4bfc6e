//! A container under random requests: answers, locked memory, the device's accesses, tables.

use crate::explore;
use crate::rig::Rig;
use crate::steps::{
    ARENA, ARENA_PAGES, BITMAPS, Case, HOLE, HUGE, READ_ONLY, Step, WINDOW_PAGES, bases, case,
    huge_lg2, looks_after, machine_file, scenario_text, written_down,
};
use crate::tables::{config, granule, leaves, look_up, stage};
use crate::twin::{Expected, LeavesTraces, Twin};
use passim::op::Op;
use passim::run::Runner;
use passim_model::{Access, UserAddr};
use passim_oracle::leaves::Leaf;
use passim_vfio::call::{Answer, Call, MapKind, Protection};
use passim_vfio::view::{ContainerView, MappingView};
use proptest::prelude::prop_assert_eq;
use proptest::test_runner::{TestCaseError, TestCaseResult};
use std::collections::BTreeSet;

/// A rig with the memory of a case.
fn build(case: &Case) -> Rig {
    let mut rig = Rig::new(case.spec);
    let page = case.spec.page.bytes();
    rig.area(ARENA, ARENA_PAGES * page, MapKind::Anonymous);
    let lg2 = huge_lg2(case.spec.page);
    rig.area(HUGE, 1 << lg2, MapKind::HugeTlb { lg2 });
    rig.area(BITMAPS, 2 * page, MapKind::Anonymous);
    let hole = UserAddr::new(ARENA + HOLE * page);
    let prot = Protection::Read;
    let read_only = [(ARENA + READ_ONLY.0 * page, READ_ONLY.1), (BITMAPS + page, 1)];
    let calls = read_only.map(|(va, pages)| Call::Mprotect {
        va: UserAddr::new(va),
        len: pages * page,
        prot,
    });
    for call in [Call::Munmap { va: hole, len: page }].into_iter().chain(calls) {
        assert!(rig.call(call).ret.is_ok());
    }
    rig
}

fn twin_of(rig: &Rig) -> Twin {
    let lg2 = rig.spec.page.lg2();
    Twin::new(rig.spec, |va| {
        let frame = rig.system.kernel.frame_of(rig.pid, UserAddr::new(va));
        frame.unwrap_or_else(|| panic!("{va:#x} is populated")).get() >> lg2
    })
}

/// State that a refused request must not change.
#[derive(PartialEq, Debug)]
struct State {
    containers: Vec<ContainerView>,
    mappings: Vec<MappingView>,
    locked_kib: u64,
}

fn state(rig: &Rig) -> State {
    let kernel = &rig.system.kernel;
    let containers = kernel.containers();
    let mappings = containers.iter().flat_map(|view| kernel.mappings(view.number)).collect();
    State { containers, mappings, locked_kib: kernel.locked_kib(rig.pid) }
}

fn perform(rig: &mut Rig, step: Step) -> Answer {
    if let Some((request, bytes)) = step.ioctl() {
        return rig.on_container(request, bytes);
    }
    match step {
        Step::Fill { at, value } => {
            let board = &mut rig.system.board;
            let (va, bytes) = (UserAddr::new(at), value.to_le_bytes());
            let written = rig.system.kernel.write_memory(rig.pid, va, &bytes, board);
            written.expect("the first page of the bitmaps is writable");
            Answer::value(0)
        }
        Step::Memlock { bytes } => rig.call(Call::SetMemlock { bytes }),
        Step::DropCap => rig.call(Call::DropIpcLock),
        other => panic!("{other:?} is an ioctl"),
    }
}

/// Compares return value and the caller's structure.
fn answers(step: Step, answer: &Answer, expected: &Expected) -> TestCaseResult {
    let errno = answer.ret.as_ref().map_or_else(|refusal| refusal.errno.number(), |_| 0);
    let rule = answer.ret.as_ref().err().map(|refusal| refusal.rule.name);
    prop_assert_eq!(errno, expected.errno, "{:?}, by {:?}", step, rule);
    let Some((_, mut after)) = step.ioctl() else { return Ok(()) };
    if let Some(size) = expected.size {
        after[16..24].copy_from_slice(&size.to_le_bytes());
    }
    prop_assert_eq!(&answer.bytes, &after, "the structure after {:?}", step);
    Ok(())
}

fn take(rig: &mut Rig, twin: &mut Twin, step: Step) -> TestCaseResult {
    let (before, frames) = (state(rig), rig.system.kernel.frames_in_use());
    let expected = twin.take(step);
    let answer = perform(rig, step);
    answers(step, &answer, &expected)?;
    let page = rig.spec.page.bytes();
    let bitmaps = rig.system.read_memory(rig.pid, UserAddr::new(BITMAPS), 2 * page as usize);
    let bitmaps = bitmaps.map_err(|refusal| TestCaseError::fail(refusal.to_string()))?;
    prop_assert_eq!(Some(bitmaps), twin.user.bytes(BITMAPS, 2 * page), "bitmaps after {:?}", step);
    prop_assert_eq!(rig.system.kernel.locked_kib(rig.pid), twin.locked_kib(), "{:?}", step);
    let mapped = rig.system.kernel.mappings(rig.system.kernel.containers()[0].number);
    prop_assert_eq!(mapped.len(), twin.container.slots().len(), "{:?}", step);
    if expected.errno != 0 && expected.leaves_traces != LeavesTraces::Bitmap {
        prop_assert_eq!(state(rig), before, "{:?} was refused", step);
        if expected.leaves_traces == LeavesTraces::No {
            prop_assert_eq!(rig.system.kernel.frames_in_use(), frames, "{:?} was refused", step);
        }
    }
    Ok(())
}

/// Every page of the windows, both ends of every mapping, and the pages beside them.
fn places(rig: &Rig, twin: &Twin) -> BTreeSet<u64> {
    let page = rig.spec.page.bytes();
    let mut places = BTreeSet::new();
    for base in bases(rig.spec) {
        places.extend((0..WINDOW_PAGES + 12).map(|at| base.wrapping_add(at * page)));
    }
    for slot in twin.container.slots() {
        let end = slot.iova.wrapping_add(slot.size);
        let ends = [slot.iova.wrapping_sub(page), slot.iova, end.wrapping_sub(page), end];
        places.extend(ends);
        places.extend((0..slot.size / page).step_by(61).map(|at| slot.iova + at * page));
    }
    places
}

/// The device reads and writes at every place, with the TLB as it is and emptied.
fn reaches(rig: &mut Rig, twin: &Twin) -> TestCaseResult {
    let config = config(rig);
    let page = rig.spec.page;
    for emptied in [false, true] {
        if emptied {
            rig.system.board.forget_translations();
        }
        for iova in places(rig, twin) {
            let expected = twin.container.translate(iova, stage(&config));
            let at = |reached: passim_oracle::window::Reached| reached.frame << page.lg2() | 0x8;
            let read = expected.filter(|reached| reached.readable).map(at);
            let write = expected.filter(|reached| reached.writable).map(at);
            let found = rig.reaches(iova | 8, Access::READ);
            prop_assert_eq!(found, read, "read of {:#x}, TLB emptied: {}", iova, emptied);
            let found = rig.reaches(iova | 8, Access::WRITE);
            prop_assert_eq!(found, write, "write of {:#x}, TLB emptied: {}", iova, emptied);
            let second = look_up(rig, &config, iova | 8);
            let read = second.filter(|leaf| leaf.readable).map(|leaf| leaf.pa);
            prop_assert_eq!(read, expected.filter(|it| it.readable).map(at), "{:#x}", iova);
        }
    }
    Ok(())
}

/// Checks that the tables contain exactly the leaves that follow from the mappings.
fn holds_leaves(rig: &mut Rig, twin: &Twin) -> TestCaseResult {
    let granule = granule(rig.spec.page.lg2());
    let expected = passim_oracle::leaves::leaves(granule, &twin.container.mappings());
    let found: Vec<_> = leaves(rig)
        .into_iter()
        .map(|leaf| Leaf { iova: leaf.iova, pa: leaf.pa, size: leaf.size })
        .collect();
    prop_assert_eq!(found, expected);
    Ok(())
}

fn holds(case: &Case) -> TestCaseResult {
    let mut rig = build(case);
    let mut twin = twin_of(&rig);
    for (at, step) in case.steps.iter().enumerate() {
        take(&mut rig, &mut twin, *step)?;
        if looks_after(at) {
            reaches(&mut rig, &twin)?;
        }
    }
    reaches(&mut rig, &twin)?;
    holds_leaves(&mut rig, &twin)
}

#[test]
fn containers_answer_and_translate_as_the_oracles_say() {
    explore(120, 1, &case(48), |case| holds(&case), written_down);
}

#[test]
fn few_requests_many_containers() {
    explore(120, 2, &case(6), |case| holds(&case), written_down);
}

#[test]
fn cases_read_back_as_scenarios() {
    let reads_back = |case: Case| {
        let machine = machine_file(&case, "read-back");
        let text = scenario_text(&case, &machine);
        let mut runner = Runner::new();
        for line in text.lines() {
            let fail = |error: String| TestCaseError::fail(format!("{line}: {error}"));
            let op = Op::parse("case", line).map_err(|error| fail(error.to_string()))?;
            prop_assert_eq!(op.to_string(), line);
            runner.perform(&op).map_err(|error| fail(error.message))?;
        }
        Ok(())
    };
    explore(24, 4, &case(12), reads_back, |case| format!("{case:#x?}"));
}
