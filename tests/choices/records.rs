//! Every record of the Event queue, with each of its fields, occurs in a scenario.
//!
//! The outcomes of all scenarios are searched for records as `events` prints them: the name, then
//! each field and its value. A field counts as shown if it is not zero. Fields that are always zero
//! are in a list that may only shrink.

use passim_smmu::v3::EventKind;
use passim_smmu::v3::names::record_fields;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Fields that are zero in every record, and why.
const ALWAYS_ZERO: &[(&str, &str)] =
    &[("NSIPA", "an IPA of a Non-secure stream; RES0 on the queue there is")];

/// Fields of single records that are zero, and why.
const ZERO_IN: &[(&str, &str, &str)] = &[
    ("F_STREAM_DISABLED", "SubstreamID", "there is none, or it is 0 (7.3.7)"),
    ("F_TRANSLATION", "TTRnW", NO_RIGHTS),
    ("F_ADDR_SIZE", "TTRnW", NO_RIGHTS),
    ("F_ACCESS", "TTRnW", NO_RIGHTS),
    ("F_WALK_EABT", "TTRnW", NO_RIGHTS),
];

/// TTRnW is set for a descriptor of stage 1 that stage 2 does not permit to read or write.
const NO_RIGHTS: &str = "what is refused is not a right (7.3.16)";

fn scenarios(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scenarios(&path, found);
        } else if path.extension().is_some_and(|end| end == "scn") {
            found.push(path);
        }
    }
}

/// The records that outcomes print: name, and fields with their values.
fn records() -> Vec<(String, BTreeMap<String, String>)> {
    let mut files = Vec::new();
    scenarios(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/files/smmu"), &mut files);
    let mut records = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        for outcome in text.lines().filter_map(|line| line.strip_prefix("  ")) {
            let mut words = outcome.split_whitespace();
            let Some(name) = words.next() else { continue };
            let fields: Option<BTreeMap<_, _>> = words
                .map(|word| word.split_once('=').map(|(a, b)| (a.to_owned(), b.to_owned())))
                .collect();
            if let Some(fields) = fields.filter(|fields| fields.contains_key("StreamID")) {
                records.push((name.to_owned(), fields));
            }
        }
    }
    records
}

#[test]
fn every_record_and_every_field_is_shown() {
    let records = records();
    let mut missing = BTreeSet::new();
    for kind in EventKind::ALL {
        let of_kind = || records.iter().filter(|(name, _)| name == kind.name());
        if of_kind().next().is_none() {
            missing.insert(format!("{}: in no scenario", kind.name()));
        }
        for field in record_fields(kind) {
            let here = |of: &str, name: &str| of == kind.name() && name == field.name;
            let is_zero = ALWAYS_ZERO.iter().any(|(name, _)| *name == field.name)
                || ZERO_IN.iter().any(|(of, name, _)| here(of, name));
            let shown = of_kind().any(|(_, fields)| {
                fields.get(field.name).is_some_and(|value| value != "0" && value != "0x0")
            });
            if shown == is_zero {
                let what = if is_zero { "is not zero after all" } else { "is zero everywhere" };
                missing.insert(format!("{}: {} {what}", kind.name(), field.name));
            }
        }
    }
    let missing: Vec<_> = missing.into_iter().collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn there_are_nineteen_records() {
    let names: BTreeSet<_> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(names.len(), 19);
}

/// Global errors that are not modelled: enhanced Command queues, device permission tables.
const UNMODELLED_ERRORS: [&str; 2] = ["CMDQP_ERR", "DPT_ERR"];

#[test]
fn every_global_error_is_shown() {
    let mut files = Vec::new();
    scenarios(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/files/smmu"), &mut files);
    // The values that `smmu-register GERROR` printed.
    let mut shown = BTreeSet::<String>::new();
    for file in files {
        let text = std::fs::read_to_string(file).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[0] == "smmu-register GERROR") {
            let names = pair[1].split_whitespace().filter_map(|word| word.strip_suffix("=1"));
            shown.extend(names.map(str::to_owned));
        }
    }
    let registers = passim_smmu::v3::names::REGISTERS;
    let gerror = registers.iter().find(|register| register.name == "GERROR").expect("it exists");
    let names = gerror.fields.iter().map(|(name, _)| *name);
    let missing: Vec<_> = names.filter(|name| !shown.contains(*name)).collect();
    assert_eq!(missing, UNMODELLED_ERRORS, "GERROR's fields that stand in no scenario");
}
