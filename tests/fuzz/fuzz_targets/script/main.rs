//! Arbitrary text as a scenario: parsed and printed again, performed as far as that can be, and
//! performed again with the outcomes that were written into it: never a panic, and twice the same.
#![no_main]

mod lines;

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use passim::chosen::Chosen;
use passim::input_error::SourceText;
use passim::run::files::run_as_far;
use passim::script::Script;

fuzz_target!(|text: &str| {
    let Ok(script) = Script::parse(SourceText::new("fuzz.scn", text)) else { return };
    assert_eq!(script.to_string(), text);
    let report = run_as_far(&script, &Chosen::default());
    if report.error.is_some() {
        return;
    }
    let blessed = script.bless(&report.outcomes());
    let blessed = Script::parse(SourceText::new("blessed.scn", blessed)).expect("a scenario");
    assert_eq!(run_as_far(&blessed, &Chosen::default()).differences, [], "twice the same");
});

// Three times in four other operations, not other bytes, of which most are no scenario.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let text = core::str::from_utf8(&data[..size]).unwrap_or_default();
    match lines::mutated(text, seed) {
        Some(text) if seed % 4 != 0 && text.len() <= max_size => {
            data[..text.len()].copy_from_slice(text.as_bytes());
            text.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});
