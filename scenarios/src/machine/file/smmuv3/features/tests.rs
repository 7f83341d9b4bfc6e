use super::testkit::{refused, smmu};
use super::*;
use passim_smmu::tlb::Retention;

#[test]
fn a_preset_and_what_is_otherwise() {
    for (name, description) in Description::PRESETS {
        let ids = smmu(&format!("features = {{ preset = {name:?} }}")).unwrap().ids;
        assert_eq!(Ok(ids), description.id_registers(), "{name}");
    }
    let lines = r#"
features = { preset = "virt", granules = ["64K"], stall_model = "both", stall_max = 4, stage2 = false }
caches = "everything"
choices = { completion = "when-synchronised", overlap = "detected" }"#;
    let smmu = smmu(lines).unwrap();
    // Measured registers of the board, except for S2P, STALL_MODEL, the granules and STALL_MAX.
    assert_eq!(smmu.ids.idr, [0x0c44_101a, 0x0273_0010, 0, 0x1414, 0, 0x0004_0044]);
    assert_eq!(smmu.retention, Retention::Everything);
    assert_eq!(smmu.choices.completion, Completion::WhenSynchronised);
    assert_eq!(smmu.choices.overlap, Overlap::Detected);
    assert_eq!(smmu.choices.prefetch, Prefetch::Ignored);
}

#[test]
fn raw_registers_are_as_good() {
    let raw = "idr = [0x0d44_101b, 0x0273_0010, 0, 0x1414, 0, 0x74]\naidr = 1";
    let described = smmu("features = { preset = \"virt\" }").unwrap();
    assert_eq!(smmu(raw).unwrap(), described);
}

/// The keys are exactly the fields of the description.
#[test]
fn every_field_has_a_key() {
    let printed = format!("{:#?}", Description::VIRT);
    let fields = printed.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(':'));
    let fields: Vec<_> =
        fields.map(|(name, _)| name).filter(|name| !name.starts_with(' ')).collect();
    assert_eq!(fields, FEATURES);
    for name in FEATURES {
        let nothing = Value::Datetime("1979-05-27".parse().unwrap());
        let set = set_feature(&mut Description::VIRT.clone(), name, &nothing);
        assert!(set.is_some_and(|set| set.is_err()), "{name}");
    }
    for name in CHOICES {
        let set = set_choice(&mut Choices::default(), name, &Value::Boolean(true));
        assert!(set.is_some_and(|set| set.is_err()), "{name}");
    }
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    for (lines, place, said) in [
        ("features = { preset = \"mmu600\" }", "14:23", "presets: virt, mmu-600, everything"),
        ("features = { ats = true }", "14:12", "starts from a `preset`"),
        ("features = { preset = \"virt\", ast = true }", "14:31", "did you mean `ats`?"),
        ("features = { preset = \"virt\", ats = 1 }", "14:37", "`ats` is true or false"),
        ("features = { preset = \"virt\", pri = true }", "14:37", "IDR0.PRI is 0 where"),
        ("features = { preset = \"virt\", minor = 300 }", "14:39", "a whole number of 8 bits"),
        ("features = { preset = \"virt\", granules = [\"8K\"] }", "14:42", "a list of \"4K\""),
        ("features = { preset = \"virt\" }\naidr = 1", "15:8", "either `features` or both"),
        ("aidr = 1", "14:8", "either `features` or both"),
        (
            "features = { preset = \"virt\" }\nchoices = { completion = \"never\" }",
            "15:26",
            "one of \"at-once\", \"when-synchronised\"",
        ),
    ] {
        let refused = refused(lines);
        assert!(refused.contains(place) && refused.contains(said), "{lines}:\n{refused}");
    }
}
