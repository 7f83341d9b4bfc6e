//! Files whose outcomes do not depend on the architecture's choices.
//!
//! `scenarios/files/its/kut` contains kvm-unit-tests' assertions about an ITS, one per file. All of
//! them hold under every preset, and under the random one with every seed.

use passim::chosen::Chosen;
use passim::docs::its::LIVES;
use passim::input_error::SourceText;
use passim::run::files::{find, run_with};
use passim::script::Script;
use passim_gic::choice::Preset;
use std::path::{Path, PathBuf};

const SEEDS: u64 = 24;

fn scenarios() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/files")
}

fn presets(seeds: u64) -> impl Iterator<Item = Preset> {
    let certain = Preset::ALL.into_iter().filter(|it| !matches!(it, Preset::Adversarial(_)));
    certain.chain((0..seeds).map(Preset::Adversarial))
}

/// Checks that the outcome under a preset is that of the file.
fn holds(script: &Script, preset: Preset) {
    let chosen = Chosen { gic: Some(preset), ..Chosen::default() };
    let report = run_with(script, &chosen).unwrap_or_else(|error| panic!("{preset:?}: {error}"));
    assert_eq!(report.differences, [], "{}, {preset:?}", report.file);
}

fn script(path: &Path) -> Script {
    SourceText::read(path).and_then(Script::parse).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn known_assertions_hold_under_every_preset() {
    let files = find(&[scenarios().join("its/kut")]).unwrap();
    let numbers = files.iter().map(|path| path.file_name().unwrap().to_str().unwrap()[..2].parse());
    assert!(numbers.eq((1..=17).map(Ok)), "one file for each assertion");
    for path in &files {
        let script = script(path);
        presets(SEEDS).for_each(|preset| holds(&script, preset));
    }
}

/// Linux's driver relies only on what the architecture guarantees.
#[test]
fn linux_is_served_alike_under_every_preset() {
    let files = find(&[scenarios().join("series"), scenarios().join("choices")]).unwrap();
    for path in files.iter().filter(|path| !names_a_preset(path)) {
        let script = script(path);
        presets(4).for_each(|preset| holds(&script, preset));
    }
    let lives = LIVES.map(|life| format!("its/{life}"));
    let whole = ["its/linux-6.12.scn", "its/msi-v9.scn", "its/attack.scn"].map(str::to_owned);
    for path in lives.iter().chain(&whole) {
        let script = script(&scenarios().join(path));
        let by_hand = path.ends_with("life-by-hand.scn");
        // An even seed: EventIDs beyond a table are not truncated, which the attack would show.
        for preset in presets(SEEDS).filter(is_even) {
            match (by_hand, preset) {
                (true, Preset::KvmAbi0) => all_but_movall_holds_under_kvm(&script),
                _ => holds(&script, preset),
            }
        }
    }
}

/// Outcomes of the life by hand that differ under KVM: its MOVALL moves an LPI without its event,
/// whose collection stays the same. INVALL of that collection then skips the LPI, which stays
/// disabled.
const OTHERWISE_UNDER_KVM: [&str; 4] = ["take cpu=1", "take cpu=0", "take cpu=1", "take cpu=0"];

fn all_but_movall_holds_under_kvm(script: &Script) {
    let chosen = Chosen { gic: Some(Preset::KvmAbi0), ..Chosen::default() };
    let report = run_with(script, &chosen).unwrap();
    let lines = report.differences.iter().map(|it| it.operation.as_str());
    assert!(lines.eq(OTHERWISE_UNDER_KVM), "{:?}", report.differences);
}

/// Whether a file concerns one implementation's reaction to the driver's mistakes.
fn names_a_preset(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| text.contains(" gic="))
}

fn is_even(preset: &Preset) -> bool {
    !matches!(preset, Preset::Adversarial(seed) if seed % 2 == 1)
}
