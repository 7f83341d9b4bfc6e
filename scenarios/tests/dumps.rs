//! What a dump holds, one by one, as a shell sees it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn passim(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_passim")).args(arguments).output().unwrap()
}

fn recording(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    root.join("tests/recordings").join(name).display().to_string()
}

fn scratch(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("passim-dumps-{}-{name}", std::process::id()))
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

const ITS: &str = "linux-6.12-4k/its/dumps/its_unsafe_1.json.zst";

#[test]
fn the_dump_of_an_its_is_told() {
    let output = passim(&["walk", "--dump", &recording(ITS)]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for line in [
        "3 devices, 3 events, 2 collections, 33 commands; 0 differ",
        "    GITS_CREADR 0x420 OFFSET=0x21",
        "    4: MAPC icid=1 cpu=1 valid=y\n",
        "    8: MAPD device=0x28 itt=0x44a58400 bits=1 valid=y\n",
        "    14: MAPTI device=0x30 event=0 intid=8193 icid=1\n",
        "    25: DISCARD device=0x8 event=0\n",
        "      entry 48: 0x0000000011296801",
        "    collection 1: cpu 1\n",
        "    device 0x30: table at 0x44a5a000, 1 bits of EventID\n      event 0: lpi 8193, collection 1 \
         -> lpi 8193 at cpu 1, enabled, priority 0xc0\n",
        "    lpi 8194: 0xc3, enabled, priority 0xc0",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    let document = json(&passim(&["walk", "--json", "--dump", &recording(ITS)]));
    let its = &document["its"][0];
    assert_eq!(its["verdict"], "agreed");
    assert_eq!(its["commands"][9]["name"], "MAPTI");
    assert_eq!(its["commands"][9]["fields"][2]["name"], "intid");
    assert_eq!(its["commands"][9]["fields"][2]["value"], 8192);
    assert_eq!(its["devices"][1]["events"][0]["cpu"], 0);
}

/// What the list beside the tables says, and what the tables say.
#[test]
fn a_dump_of_an_its_that_contradicts_itself_differs() {
    let whole = passim::recording::read::read_whole(Path::new(&recording(ITS))).unwrap();
    for (from, to, told) in [
        (
            "\"itt_pa\":\"0x44a58400\"",
            "\"itt_pa\":\"0x44a58500\"",
            "device 0x28\n    expected: a table at 0x44a58500",
        ),
        ("\"8\":\"0000000011296d01\"", "\"8\":\"0000000011296d00\"", "device 0x8\n"),
        (
            "\"CWRITER\":\"0x420\"",
            "\"CWRITER\":\"0x440\"",
            "expected: 34 commands\n    found:    33",
        ),
    ] {
        let file = scratch("its.json");
        assert!(whole.text().contains(from), "{from}");
        std::fs::write(&file, whole.text().replacen(from, to, 1)).unwrap();
        let output = passim(&["walk", "--dump", &file.display().to_string()]);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains(told), "{}", text(&output));
    }
}

#[test]
fn every_run_of_leaves_and_every_command_is_listed() {
    let dump = recording("linux-6.12-4k/stage1/dumps/smmu_s1v2_4k.json.zst");
    let output = passim(&["walk", "--list", "--dump", &dump]);
    let told = text(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for line in [
        "  stream 0x8 of 00:01.0:\n",
        "V=0x1 Config=0x5 (stage 1) S1ContextPtr=0x108ea2000",
        "    0x0 to 0xfff -> 0x109cb0000 to 0x109cb0fff: 1 x 4K, r|x, privileged r|x, memory 0xff inner\n",
        "    0x7ffffff000 to 0x8000000fff -> 0x109cba000 to 0x109cbbfff: 2 x 4K, r|w|x, privileged r|w, ",
        "    0: CFGI_STE_RANGE RANGE=0x1f\n",
        "    14: PREFETCH_CONFIG STREAM_ID=0x28\n",
    ] {
        assert!(told.contains(line), "{line}\n{told}");
    }
    let document = json(&passim(&["walk", "--json", "--list", "--dump", &dump]));
    let listing = &document["dumps"][0]["listing"];
    assert_eq!(listing["streams"][0]["runs"][0]["pa"], "0x109cb0000");
    assert_eq!(listing["commands"].as_array().unwrap().len(), 132);
    let plain = json(&passim(&["walk", "--json", "--dump", &dump]));
    assert!(plain["dumps"][0].get("listing").is_none());
    // Every leaf of the dump's own list is in a run.
    let leaves = listing["streams"][0]["runs"].as_array().unwrap().iter();
    let leaves: u64 = leaves.map(|run| run["leaves"].as_u64().unwrap()).sum();
    assert_eq!(leaves, document["dumps"][0]["leaves"]);
}

/// Stage 2, and every other dump there is: no listing fails.
#[test]
fn every_dump_has_a_listing() {
    let stage2 = recording("linux-6.12-4k/stage2/dumps");
    let mut dumps: Vec<_> =
        std::fs::read_dir(stage2).unwrap().map(|it| it.unwrap().path()).collect();
    dumps.extend(
        std::fs::read_dir(recording("linux-6.12-4k/its/dumps"))
            .unwrap()
            .map(|it| it.unwrap().path()),
    );
    dumps.sort();
    for dump in dumps {
        let dump = dump.display().to_string();
        let output = passim(&["walk", "--list", "--dump", &dump]);
        let what = if dump.contains("gicv2m") { Some(2) } else { Some(0) };
        assert_eq!(output.status.code(), what, "{dump}: {}", text(&output));
    }
}

/// Whatever a dump says beside its words is held against them.
#[test]
fn a_dump_that_does_not_go_together_differs() {
    let dump = recording("linux-6.12-4k/stage1/dumps/smmu_s1v2_4k.json.zst");
    let whole = passim::recording::read::read_whole(Path::new(&dump)).unwrap();
    for (from, to, told) in [
        // Config says bypass, and V that nothing is valid.
        (
            "\"ste\":[\"0x108ea200b\"",
            "\"ste\":[\"0x108ea2009\"",
            "STE.CONFIG\n    expected: 0x5\n    found:    0x4",
        ),
        (
            "\"ste\":[\"0x108ea200b\"",
            "\"ste\":[\"0x108ea2009\"",
            "list of leaves\n    expected: 15 leaves\n    found:    no tables",
        ),
        (
            "\"ste\":[\"0x108ea200b\"",
            "\"ste\":[\"0x108ea200a\"",
            "STE.V\n    expected: 0x1\n    found:    0x0",
        ),
        ("\"sid\":\"0x8\"", "\"sid\":\"0x9\"", "STE\n    expected: it lies at 0xfc180200\n"),
        ("\"cfg\":5", "\"cfg\":7", "STE.CONFIG\n    expected: 0x7\n    found:    0x5"),
        ("\"T0SZ\":16", "\"T0SZ\":17", "CD.T0SZ\n    expected: 0x11\n    found:    0x10"),
        ("\"granule\":4096", "\"granule\":65536", "CD.granule"),
        ("\"split\":8", "\"split\":6", "STRTAB_BASE_CFG.SPLIT"),
        ("\"l2_span\":9", "\"l2_span\":8", "L1STD.SPAN"),
    ] {
        let file = scratch("smmu.json");
        assert!(whole.text().contains(from), "{from}");
        std::fs::write(&file, whole.text().replacen(from, to, 1)).unwrap();
        let output = passim(&["walk", "--dump", &file.display().to_string()]);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(output.status.code(), Some(1), "{to}: {}", text(&output));
        assert!(text(&output).contains(told), "{to}: {}", text(&output));
    }
}

/// Nothing of what a recorder says of itself contradicts a recorded dump.
#[test]
fn every_recorded_dump_goes_together() {
    let folders =
        ["6.12-4k/stage1", "6.12-4k/stage2", "6.12-16k/stage1", "6.12-64k/stage1", "6.1-4k/stage1"];
    for folder in folders {
        let folder = recording(&format!("linux-{folder}/dumps"));
        let mut dumps: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path()).collect();
        dumps.retain(|dump| dump.display().to_string().contains("smmu_"));
        dumps.sort();
        for dump in dumps.iter().take(4) {
            let dump = dump.display().to_string();
            let output = passim(&["walk", "--dump", &dump]);
            assert_eq!(output.status.code(), Some(0), "{dump}: {}", text(&output));
            assert!(!text(&output).contains("no such name"), "{dump}: {}", text(&output));
        }
    }
}

/// Tables in the layout of KVM's ABI are told by the size of their entries.
#[test]
fn tables_as_kvm_saves_them_are_told_too() {
    let whole = passim::recording::read::read_whole(Path::new(&recording(ITS))).unwrap();
    let mut dump: Value = serde_json::from_str(whole.text()).unwrap();
    dump["gits"]["TYPER"] = "0x1f0001ef71".into();
    let lpis = [
        (8, 0x44a5_b400u64, 8194u64, 0u64),
        (40, 0x44a5_8400, 8192, 0),
        (48, 0x44a5_a000, 8193, 1),
    ];
    for (at, (device, itt, lpi, icid)) in lpis.into_iter().enumerate() {
        let entry = format!("{:016x}", 1 << 63 | itt >> 8 << 5);
        dump["basers"][0]["nonzero"][device.to_string()] = entry.into();
        dump["itts"][at]["entry_size"] = 8.into();
        dump["itts"][at]["entries"] =
            serde_json::json!({"0": format!("{:016x}", lpi << 16 | icid)});
    }
    for (icid, cpu) in [(0, 0), (1, 1u64)] {
        let entry = format!("{:016x}", 1 << 63 | cpu << 16 | icid);
        dump["basers"][1]["nonzero"][icid.to_string()] = entry.into();
    }
    let file = scratch("kvm.json");
    std::fs::write(&file, dump.to_string()).unwrap();
    let output = passim(&["walk", "--dump", &file.display().to_string()]);
    std::fs::remove_file(&file).unwrap();
    let told = text(&output);
    assert_eq!(output.status.code(), Some(0), "{told}");
    let event = "event 0: lpi 8193, collection 1 -> lpi 8193 at cpu 1, enabled, priority 0xc0";
    assert!(told.contains(event), "{told}");
}

/// The dump of an ITS with one piece of its text in place of another: how `walk` ends, and what it
/// says on both streams.
fn changed(from: &str, to: &str) -> (Option<i32>, String) {
    let source = Path::new(&recording(ITS)).to_owned();
    let good = passim::recording::read::read_whole(&source).unwrap().text().to_owned();
    assert!(good.contains(from), "{from}");
    let file = scratch(&format!("changed-{}.json", from.len() + 100 * to.len()));
    std::fs::write(&file, good.replacen(from, to, 1)).unwrap();
    let output = passim(&["walk", "--dump", &file.display().to_string()]);
    std::fs::remove_file(&file).unwrap();
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code(), String::from_utf8(both).unwrap())
}

#[test]
fn a_dump_of_an_its_that_contradicts_itself_says_so() {
    for (from, to, says) in [
        ("0x200000000000\",\"0x0\"", "0x200300000000\",\"0x0\"", "by the command in slot 9"),
        ("\"000003ff0000000000008003\"", "\"000003ff0000000000008007\"", "slot 9"),
        ("\"0xb8000000431c040f\"", "\"0x0\"", "GITS_CBASER.Valid"),
        ("\"entry_size\":12", "\"entry_size\":8", "digits are no entry of 8 bytes"),
        ("\"type\":\"devices\"", "\"type\":\"foo\"", "GITS_BASER0.Type"),
        ("\"indirect\":1", "\"indirect\":0", "GITS_BASER0.Indirect"),
        ("\"CREADR\":\"0x420\"", "\"CREADR\":\"0x460\"", "the commands that wait from GITS_CREADR"),
        ("\"0x43200780\"", "\"0x0\"", "GICR_PENDBASER of cpu 0, whose LPIs are on"),
        ("\"000003ff000000000000800b\"", "\"03ff000000000000800b\"", "no entry of 12 bytes"),
        ("\"0x431f078f\"", "\"0x431f0780\"", "lpi 8192 has no configuration"),
    ] {
        let (code, text) = changed(from, to);
        assert!(matches!(code, Some(1 | 2)), "{from} -> {to}: {text}");
        assert!(text.contains(says), "{from} -> {to}: {text}");
    }
    let (_, text) = changed("\"0x431f078f\"", "\"0x431f0780\"");
    let place = text.lines().find(|line| line.contains(".json:1:")).unwrap_or_default();
    assert!(text.contains("PROPBASER") && !place.is_empty(), "{text}");
}

/// A table of configuration takes as many bytes here as in the machine: what dumps name is bounded,
/// and a table that all redistributors share counts once.
#[test]
fn configuration_tables_have_so_much_room() {
    let source = Path::new(&recording(ITS)).to_owned();
    let good = passim::recording::read::read_whole(&source).unwrap();
    let told = |name: &str, apart: u64| {
        let mut dump: Value = serde_json::from_str(good.text()).unwrap();
        let redistributor = |cpu: u64| {
            serde_json::json!({
                "cpu": cpu, "CTLR": "0x3", "TYPER": "0x1000001", "lpi_config_default": "0xa3",
                "PROPBASER": format!("{:#x}", 0x1_0000_0017u64 + cpu * apart),
                "PENDBASER": format!("{:#x}", 0x10_0000_0000u64 + cpu * 0x100_0000),
                "lpi_config_other": {}, "lpi_pending": []
            })
        };
        dump["gicr"] = (0..8).map(redistributor).collect();
        let file = scratch(name);
        std::fs::write(&file, dump.to_string()).unwrap();
        let output = passim(&["walk", "--dump", &file.display().to_string()]);
        std::fs::remove_file(&file).unwrap();
        [output.stdout.as_slice(), output.stderr.as_slice()].concat()
    };
    let [shared, apart] = [("shared", 0), ("apart", 0x200_0000)]
        .map(|(name, apart)| String::from_utf8(told(&format!("{name}.json"), apart)).unwrap());
    assert!(shared.contains("lpi 8192"), "{shared}");
    assert!(apart.contains("configuration tables of more than 64 MiB"), "{apart}");
}

#[test]
fn what_a_message_comes_to_is_told_where_redistributors_are_off_or_missing() {
    let (code, text) = changed("\"CTLR\":\"0x3\"", "\"CTLR\":\"0x2\"");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("-> lpi 8192 at cpu 0, whose LPIs are off"), "{text}");
    let (_, text) = changed("\"000003ff0000000000008003\"", "\"000003ff000000000000000b\"");
    assert!(text.contains("-> nothing: 2 is no LPI"), "{text}");
}

#[test]
fn what_a_dump_does_not_hold_is_not_read_as_zero() {
    let smmu = recording("linux-6.12-4k/stage1/dumps/smmu_s1v2_4k.json.zst");
    let output = passim(&["walk", "--dump", &smmu, "--sid", "0x28", "--iova", "0"]);
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(2), "{}{error}", text(&output));
    assert!(error.contains("not in the dump: the STE at 0xfc180a00"), "{error}");
    assert!(error.contains("the dump has 0x8 (00:01.0)"), "{error}");
    let drawn = ["draw", &smmu, "--sid", "0x28", "--iova", "0", "--out", "-"];
    assert_eq!(passim(&drawn).status.code(), Some(2));
}
