//! Whatever features an ITS has, it serves software that reads its identification registers alike:
//! Linux's driver, and kvm-unit-tests' assertions.
//!
//! Every feature visible to software is random, within the machine's needs: as many DeviceID bits
//! as its devices need, EventID bits as their vectors, ICID bits as there are CPUs.

use passim::chosen::Chosen;
use passim::docs::its::LIVES;
use passim::input_error::{InputError, SourceText};
use passim::machine::GicBuilt;
use passim::run::files::{find, run_with};
use passim::script::Script;
use passim_gic::choice::Preset;
use passim_gic::its::PageSizes;
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Files with the same outcome under every preset and with all features.
static FILES: LazyLock<Vec<(PathBuf, Script)>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/files/its");
    let linux = ["linux-6.12.scn", "msi-v9.scn", "attack.scn", "two-its-linux.scn"];
    let paths = LIVES.into_iter().chain(linux).map(|name| folder.join(name));
    let known = find(&[folder.join("kut")]).unwrap();
    // The first five only list presets and features.
    let paths = paths.chain(known.into_iter().skip(5));
    let read = |path: PathBuf| Ok((path.clone(), SourceText::read(&path).and_then(Script::parse)?));
    let all: Result<_, InputError> = paths.map(read).collect();
    all.unwrap_or_else(|error| panic!("{error}"))
});

fn presets() -> impl Strategy<Value = Preset> {
    let certain = [Preset::ArchStrict, Preset::Qemu, Preset::KvmAbi0, Preset::Gic600];
    // Even seeds: EventIDs beyond a table are not truncated, which the attack would show.
    prop_oneof![
        prop::sample::select(certain.to_vec()),
        (0..500u64).prop_map(|seed| Preset::Adversarial(2 * seed)),
    ]
}

fn word(key: &'static str, words: &'static [&'static str]) -> BoxedStrategy<(String, String)> {
    prop::sample::select(words).prop_map(move |word| (key.to_owned(), word.to_owned())).boxed()
}

fn number(key: &'static str, least: u32, most: u32) -> BoxedStrategy<(String, String)> {
    (least..=most).prop_map(move |number| (key.to_owned(), number.to_string())).boxed()
}

/// Each key with a value, or most keys without.
fn features() -> impl Strategy<Value = Vec<(String, String)>> {
    let on_off = &["on", "off"];
    let keys = vec![
        word("reserved-bits", &["ignore", "error"]),
        number("error-interrupt", 32, 1019),
        number("unmapped-interrupt", 32, 1019),
        word("cache", &["off", "1", "16", "1024"]),
        number("event-bits", 14, 32),
        // Devices of the second ITS of `two-its` are from 80:00.0 on.
        number("device-bits", 16, 32),
        word("collection-bits", &["none", "1", "2", "3", "15", "16"]),
        number("intid-bits", 14, 24),
        word("lpis", &["512", "4096", "65536"]),
        word("held-collections", &["0", "1", "2", "3", "255"]),
        word("targets", &["number", "address"]),
        word("table-pages", &["all", "4K", "16K", "64K"]),
        word("table-entry", &["8", "16", "32"]),
        word("two-level", &["none", "devices", "both"]),
        word("entries", &["kvm", "qemu", "gic600"]),
        word("unmapped-messages", on_off),
        word("direct-lpi", on_off),
        word("invalidation-registers", on_off),
        word("message-spis", on_off),
    ];
    let rare = any::<u8>();
    (keys, prop::collection::vec(any::<bool>(), 19), rare).prop_map(|(keys, kept, rare)| {
        let all = rare % 4 == 0;
        keys.into_iter().zip(kept).filter(|(_, kept)| all || *kept).map(|(key, _)| key).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: ProptestConfig::default().cases / 4,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn software_is_served_alike_however_an_its_is_built(
        file in any::<prop::sample::Index>(),
        preset in presets(),
        features in features(),
    ) {
        let mut built = GicBuilt::default();
        for (key, value) in &features {
            built.set(key, value).map_err(|wrong| TestCaseError::fail(wrong.message))?;
        }
        let (path, script) = file.get(&FILES);
        // GITS_BASER encodes at most 256 pages: of 4 KiB, 32768 entries of 32 bytes, and `two-its`
        // has devices beyond.
        let short = built.two_level == Some((false, false)) && built.table_entry == Some(32);
        prop_assume!(!short || !matches!(built.table_pages, Some(PageSizes::K4)));
        // Other machines have four CPUs, each with a collection.
        let two_cpus = ["life.scn", "linux-6.12.scn", "msi-v9.scn", "attack.scn"];
        let few = built.collection_bits == Some(Some(1));
        prop_assume!(!few || two_cpus.iter().any(|name| path.ends_with(name)));
        // Linux counts 2^32 EventIDs as none, and then creates no device.
        let linux = !path.ends_with("life-by-hand.scn") && !path.iter().any(|part| part == "kut");
        prop_assume!(!linux || built.event_bits != Some(32));
        // Its outcome differs under KVM, whose MOVALL is unlike any other: see `presets`.
        prop_assume!(preset != Preset::KvmAbi0 || !path.ends_with("life-by-hand.scn"));
        let chosen = Chosen { gic: Some(preset), built, ..Chosen::default() };
        let report = run_with(script, &chosen).unwrap_or_else(|error| panic!("{error}"));
        let said = format!("{}, {preset:?}, {features:?}", report.file);
        prop_assert_eq!(report.differences, [], "{}", said);
    }
}
