//! Pointers of STEs and level 1 descriptors beyond the output size, and descriptors that hardware
//! updates.

use serde_json::{Value, json};

use super::{at, hex, looked, nested, of_16k};
use crate::walk::report::DumpReport;

fn word(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// The same dump with more bits set in a word of its stream's STE or CD.
fn with(mut made: Value, (structure, index): (&str, usize), bits: u64) -> Value {
    let it = &mut made["streams"][0][structure][index];
    *it = hex(word(it) | bits);
    made
}

fn with_register(mut made: Value, name: &str, bits: u64) -> Value {
    made["regs"][name] = hex(word(&made["regs"][name]) | bits);
    made
}

/// Everything is compared, and nothing differs.
fn is_judged(made: &Value) -> DumpReport {
    let report = looked(made);
    assert_eq!((&report.differences[..], report.not_compared.len()), (&[][..], 0), "{report}");
    report
}

fn without_leaves(mut made: Value) -> Value {
    made["streams"][0]["leaves"] = json!([]);
    made
}

/// With an S1ContextPtr beyond the output size of an SMMUv3.0, which may truncate it.
pub(super) fn cut(made: Value) -> Value {
    let mut first = with(made, ("ste", 0), 1 << 50);
    first["regs"]["AIDR"] = json!("0x0");
    first
}

/// For a pointer beyond every IPA the SMMU has two ways to refuse: both are right, nothing else is.
#[test]
fn a_context_pointer_beyond_every_ipa_is_judged() {
    is_judged(&without_leaves(with(nested(), ("ste", 0), 1 << 50)));
    assert_eq!(looked(&cut(without_leaves(of_16k()))).not_compared.len(), 1);
}

/// IDR3.MPAM and STE.S1MPAM: VMSPtr points to a structure of the virtual machine.
#[test]
fn the_structure_of_a_machine_is_looked_for() {
    let labelled = |pointer: u64| {
        let made = with(with(nested(), ("ste", 1), 1 << 26), ("ste", 5), pointer);
        let mut made = with_register(made, "IDR3", 1 << 7);
        made["regs"]["MPAMIDR"] = hex(63);
        made
    };
    // Beyond the output size it makes the STE ILLEGAL; where the dump has no memory, nothing is
    // known.
    is_judged(&without_leaves(labelled(1 << 50)));
    assert_eq!(looked(&labelled(0x7000_0000)).not_compared.len(), 1);
    assert_eq!(is_judged(&labelled(at::CD)).leaves, 3);
    // Without S1MPAM, or with only one partition, it has no effect.
    let mut pointer = with(with_register(nested(), "IDR3", 1 << 7), ("ste", 5), 1 << 50);
    assert_eq!(is_judged(&with(pointer.clone(), ("ste", 1), 1 << 26)).leaves, 3);
    pointer["regs"]["MPAMIDR"] = hex(63);
    assert_eq!(is_judged(&pointer).leaves, 3);
}

/// Stage 1 of [`nested`] with hardware that sets access flags, and a first page without one; stage
/// 2 lets its table be written, or not.
fn unaccessed(lets_write: bool) -> Value {
    let made = with_register(nested(), "IDR0", 2 << 6);
    let mut made = with(made, ("cd", 0), 1 << 43);
    let page = hex(0x8_0000 | 0xb47);
    made["streams"][0]["tables"][2]["ent"]["1"] = page.clone();
    made["streams"][0]["leaves"][0][3] = page;
    if !lets_write {
        made["streams"][0]["tables"][4]["ent"]["0"] = hex(0x77d);
    }
    made
}

/// An update of a descriptor is a write that stage 2 may refuse, before it translates the output.
#[test]
fn updates_of_descriptors_are_judged() {
    for lets_write in [true, false] {
        assert_eq!(is_judged(&unaccessed(lets_write)).leaves, 3);
    }
    // The output is not mapped either.
    let mut nowhere = unaccessed(false);
    let page = hex(0x9000_0000 | 0xb47);
    nowhere["streams"][0]["tables"][2]["ent"]["1"] = page.clone();
    nowhere["streams"][0]["leaves"][0][1] = hex(0x9000_0000);
    nowhere["streams"][0]["leaves"][0][3] = page;
    is_judged(&nowhere);
}
