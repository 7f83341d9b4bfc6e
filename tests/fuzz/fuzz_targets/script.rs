//! Arbitrary text as a scenario: parsed and printed again, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passim::input_error::SourceText;
use passim::script::Script;

fuzz_target!(|text: &str| {
    if let Ok(script) = Script::parse(SourceText::new("fuzz.scn", text)) {
        assert_eq!(script.to_string(), text);
    }
});
