//! Keys of hardware features, and errors for other keys and values.

use passim_gic::choice::its::CommandErrors;

use super::{GicBuilt, KEYS};
use crate::input_error::SourceText;
use crate::machine::{Gic, Machine};

#[test]
fn every_key_is_set_by_its_name() {
    let mut built = GicBuilt::default();
    for (key, value) in [("command-errors", "report"), ("event_bits", "5"), ("direct-lpi", "on")] {
        built.set(key, value).unwrap();
    }
    let expected = GicBuilt {
        command_errors: Some(CommandErrors::Report),
        event_bits: Some(5),
        direct_lpi: Some(true),
        ..GicBuilt::default()
    };
    assert_eq!(built, expected);
    let mut other = GicBuilt::default();
    other.set("command-errors", "stall").unwrap();
    let over = built.under(other);
    assert_eq!(over, GicBuilt { command_errors: Some(CommandErrors::Stall), ..expected });
}

/// Values of a key, from what it is said to take.
fn values(takes: &[&'static str]) -> Vec<&'static str> {
    let of = |takes: &'static str| match takes.split_once(" to ") {
        _ if takes.starts_with("a power of two") => vec!["64"],
        Some((least, most)) => vec![least, most],
        None => vec![takes],
    };
    takes.iter().flat_map(|takes| of(takes)).collect()
}

/// A machine file sets the same features, and a later setting overrides an earlier one.
#[test]
fn every_key_has_its_values_everywhere() {
    const MACHINE: &str = include_str!("../../../machines/plain-its.toml");
    for (key, takes) in KEYS {
        let values = values(takes);
        assert!(values.len() > 1 || key == "lpis", "{key}");
        let mut before = GicBuilt::default();
        for value in values {
            let mut built = GicBuilt::default();
            built.set(key, value).unwrap();
            assert_ne!(built, before, "{key}={value}");
            assert_ne!(built, GicBuilt::default(), "{key}={value}");
            assert_eq!(before.under(built), built, "{key}={value}");
            assert_eq!(built.under(GicBuilt::default()), built, "{key}={value}");
            let line = format!("[gic.its]\n{} = \"{value}\"\n", key.replace('-', "_"));
            let text = MACHINE.replacen("[gic.its]\n", &line, 1);
            let machine = Machine::parse(&SourceText::new("m.toml", text)).unwrap();
            let Gic::Its(gic) = machine.gic else { panic!("no ITS") };
            assert_eq!(gic.built, built, "{line}");
            before = built;
        }
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let refused = |key, value| {
        let error = GicBuilt::default().set(key, value).unwrap_err();
        (error.message, error.hint)
    };
    let said = |message: &str, hint: &str| (message.to_owned(), hint.to_owned());
    assert_eq!(
        refused("command-error", "stall"),
        said("nothing of a GICv3 is called `command-error`", "did you mean `command-errors`?")
    );
    assert_eq!(
        refused("command-errors", "panic"),
        said("`command-errors` has no value `panic`", "it takes ignore, report, stall")
    );
    for bits in ["0", "33", "many"] {
        assert_eq!(refused("event-bits", bits).1, "it takes 1 to 32");
    }
    assert_eq!(refused("direct-lpi", "1").1, "it takes on, off");
}
