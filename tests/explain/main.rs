//! The request that an explanation suggests is accepted: for random requests that were refused and
//! explained.

mod interrupts;

use passim::chosen::Chosen;
use passim::explain::{Explanation, Nearest, explain};
use passim::input_error::SourceText;
use passim::script::Script;
use passim_tests::cases;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_oneof, proptest};
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestRunner};
use std::cell::Cell;

fn near(values: &'static [u64]) -> impl Strategy<Value = u64> {
    let nudge = select(vec![0, 0, 0, 0, 0, 1, 0x800, 0x1000]);
    (select(values.to_vec()), nudge)
        .prop_map(|(value, nudge): (u64, u64)| value.wrapping_add(nudge))
}

fn iova() -> impl Strategy<Value = u64> {
    const NEAR: &[u64] = &[
        0,
        0x1000,
        0x1_0000,
        0x1_2000,
        0x2_0000,
        0x800_0000,
        0x7ff_f000,
        0x80f_f000,
        0xffff_ffff_f000,
        0x1_0000_0000_0000,
        0xffff_ffff_ffff_f000,
    ];
    prop_oneof![8 => near(NEAR), 1 => any::<u64>()]
}

fn size() -> impl Strategy<Value = u64> {
    const NEAR: &[u64] = &[0, 0x1000, 0x2000, 0x4000, 0x1_0000, 0x10_0000, 0xffff_ffff_ffff_f000];
    prop_oneof![8 => near(NEAR), 1 => any::<u64>()]
}

fn va() -> impl Strategy<Value = String> {
    let offset = near(&[0, 0x1000, 0x8000, 0xf000, 0x1_0000, 0x10_0000]);
    prop_oneof![
        6 => (select(vec!["A", "R"]), offset).prop_map(|(area, at)| format!("{area}+{at:#x}")),
        1 => any::<u64>().prop_map(|at| format!("{at:#x}")),
    ]
}

fn flags() -> impl Strategy<Value = String> {
    prop_oneof![6 => select(vec![String::new()]), 1 => (0..0x20u32).prop_map(|it| format!(" flags={it}"))]
}

fn fd() -> impl Strategy<Value = String> {
    let fds = ["", "", "", "", "", "", " fd=3", " fd=4", " fd=5", " fd=77", " fd=-1"];
    select(fds.map(str::to_owned).to_vec())
}

fn argsz() -> impl Strategy<Value = String> {
    select(
        ["", "", "", "", "", "", " argsz=8", " argsz=0", " argsz=64"].map(str::to_owned).to_vec(),
    )
}

fn map() -> impl Strategy<Value = String> {
    let prot = select(vec!["r", "w", "r|w", "-"]);
    (iova(), va(), size(), prot, fd(), flags(), argsz()).prop_map(
        |(iova, va, size, prot, fd, flags, argsz)| {
            format!("map iova={iova:#x} va={va} size={size:#x} prot={prot}{fd}{flags}{argsz}")
        },
    )
}

fn unmap() -> impl Strategy<Value = String> {
    (iova(), size(), fd(), flags(), argsz()).prop_map(|(iova, size, fd, flags, argsz)| {
        format!("unmap iova={iova:#x} size={size:#x}{fd}{flags}{argsz}")
    })
}

fn window() -> impl Strategy<Value = String> {
    (iova(), size(), fd())
        .prop_map(|(iova, size, fd)| format!("msi-window iova={iova:#x} size={size:#x}{fd}"))
}

fn request() -> impl Strategy<Value = String> {
    prop_oneof![3 => map(), 2 => unmap(), 1 => window()]
}

fn scenario(profile: &str, kind: &str, before: &[String], last: &str) -> Script {
    let text = format!(
        "machine virt-its profile={profile}\nprocess memlock=80K\ndrop-cap\narea A size=64K\n\
         area R size=64K prot=r\nattach dev=00:01.0 type={kind}\n\
         map iova=0x10000 va=A size=16K prot=r|w\nmap iova=0x1000 va=A+0x8000 size=8K prot=r\n\
         {}\n{last}\n",
        before.join("\n")
    );
    let text: String =
        text.lines().filter(|line| !line.is_empty()).map(|it| it.to_owned() + "\n").collect();
    Script::parse(SourceText::new("random.scn", text)).unwrap()
}

/// Judges random requests, and demands that of `least` in a hundred a suggestion is accepted: else
/// no suggestion at all would pass, too.
fn judge_all<S: Strategy>(
    cases: u32,
    least: u32,
    requests: S,
    judge: impl Fn(S::Value) -> Result<bool, TestCaseError>,
) {
    let accepted = Cell::new(0);
    let judged = TestRunner::new(cases::any(cases)).run(&requests, |request| {
        accepted.set(accepted.get() + u32::from(judge(request)?));
        Ok(())
    });
    judged.unwrap_or_else(|error| panic!("{error}"));
    let accepted = accepted.get();
    assert!(accepted * 100 >= cases * least, "{accepted} accepted suggestions in {cases} cases");
}

/// Explains the last line of a scenario that ends with `last`, and makes the suggested request.
/// Returns whether there was one.
fn judge(scenario: impl Fn(&str) -> Script, last: &str) -> Result<bool, TestCaseError> {
    let script = scenario(last);
    let line = script.blocks().count() as u64;
    // Earlier random requests may have removed the object of the last line.
    let Ok(explanation) = explain(&script, line, &Chosen::default()) else { return Ok(false) };
    match explanation.nearest {
        None => prop_assert!(explanation.refusals.is_empty(), "{explanation}"),
        Some(Nearest::Accepted { lines, .. }) => {
            let again = explained(&scenario(&lines.join("\n")));
            prop_assert!(again.refusals.is_empty(), "{last}: {again}");
            let said = again.outcome.first().map_or("", String::as_str);
            prop_assert!(!said.starts_with("off:"), "{last}: {again}");
            return Ok(true);
        }
        Some(Nearest::None { because, tries, tried }) => {
            prop_assert!(!because.is_empty() && tries == tried.len());
        }
    }
    Ok(false)
}

fn explained(script: &Script) -> Explanation {
    let line = script.blocks().count() as u64;
    explain(script, line, &Chosen::default()).unwrap()
}

/// An acceptable request with one field made invalid.
fn spoiled() -> impl Strategy<Value = String> {
    let fields = (iova(), va(), size(), select(vec!["r", "w", "r|w", "-"]), fd(), argsz());
    let map = |(iova, va, size, prot, fd, argsz): (u64, &str, u64, &str, &str, &str)| {
        format!("map iova={iova:#x} va={va} size={size:#x} prot={prot}{fd}{argsz}")
    };
    (fields, 0..6u8).prop_map(move |((iova, va, size, prot, fd, argsz), which)| match which {
        0 => map((iova, "A", 0x1000, "r", "", "")),
        1 => map((0x40_0000, &va, 0x1000, "r", "", "")),
        2 => map((0x40_0000, "A", size, "r", "", "")),
        3 => map((0x40_0000, "A", 0x1000, prot, "", "")),
        4 => map((0x40_0000, "A", 0x1000, "r", &fd, "")),
        _ => map((0x40_0000, "A", 0x1000, "r", "", &argsz)),
    })
}

const PROFILES: [&str; 5] = ["linux-6.1", "linux-6.12", "msi-v9", "linux-4.11", "linux-7.2"];

#[test]
fn the_suggested_request_is_accepted() {
    let profile = select(PROFILES.to_vec());
    let kind = select(vec!["v1", "v2"]);
    let requests = (profile, kind, vec(request(), 0..3), request());
    judge_all(256, 50, requests, |(profile, kind, before, last)| {
        judge(|last| scenario(profile, kind, &before, last), &last)
    });
}

proptest! {
    #![proptest_config(cases::any(256))]

    #[test]
    fn something_is_suggested_where_one_field_is_wrong(
        profile in select(PROFILES.to_vec()),
        last in spoiled(),
    ) {
        let explanation = explained(&scenario(profile, "v2", &[], &last));
        if let Some(Nearest::None { because, .. }) = &explanation.nearest {
            prop_assert!(false, "{explanation}: {because}");
        }
    }
}
