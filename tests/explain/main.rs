//! What an explanation suggests is accepted: for requests made at random, refused, and asked about.

use passim::chosen::Chosen;
use passim::explain::{Explanation, Nearest, explain};
use passim::input_error::SourceText;
use passim::run::files::run;
use passim::script::Script;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_oneof, proptest};
use proptest::sample::select;

/// Refusals that no other request gets around.
const FINAL: [&str; 4] =
    ["map-entry-limit", "msi-second-aperture", "vaddr-no-mapping", "find-dma-null"];

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

fn explained(script: &Script) -> Explanation {
    let line = script.blocks().count() as u64;
    explain(script, line, &Chosen::default()).unwrap()
}

proptest! {
    #[test]
    fn the_suggested_request_is_accepted(
        profile in select(vec!["linux-6.1", "linux-6.12", "msi-v9", "linux-4.11", "linux-7.2"]),
        kind in select(vec!["v1", "v2"]),
        before in vec(request(), 0..3),
        last in request(),
    ) {
        let script = scenario(profile, kind, &before, &last);
        let explanation = explained(&script);
        match explanation.nearest {
            None => prop_assert!(explanation.refusals.is_empty()),
            Some(Nearest::Accepted { lines, .. }) => {
                let accepted = scenario(profile, kind, &before, &lines.join("\n"));
                let again = explained(&accepted);
                prop_assert!(again.refusals.is_empty(), "{again}");
                let report = run(&accepted).unwrap();
                prop_assert!(!report.outcomes.last().unwrap()[0].starts_with('E'));
            }
            Some(Nearest::None { because, .. }) => {
                let rule = explanation.refusals[0].rule;
                let windows = !["linux-6.1", "linux-6.12", "linux-4.11", "linux-7.2"].contains(&profile);
                let is_final = FINAL.contains(&rule) || (last.starts_with("msi-window") && !windows);
                prop_assert!(is_final, "{script}{rule}: {because}");
            }
        }
    }
}
