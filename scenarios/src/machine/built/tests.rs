//! Keys of hardware features, and errors for other keys and values.

use passim_gic::choice::its::CommandErrors;

use super::GicBuilt;

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
