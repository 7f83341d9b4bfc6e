//! Dumps of drivers with errors: the SMMU's answer is correct, and no difference is reported.

use serde_json::{Value, json};

use super::{STE_STAGE1, Table, agrees, at, cd, dump, hex, looked, nested, of_16k, of_64k};

fn word(value: &Value) -> u64 {
    u64::from_str_radix(value.as_str().unwrap().trim_start_matches("0x"), 16).unwrap()
}

/// A two-level stream table with this configuration and level 1 descriptor.
fn two_levels(config: u64, l1std: u64) -> Value {
    let mut made = of_16k();
    made["regs"]["STRTAB_BASE_CFG"] = hex(config);
    made["regs"]["STRTAB_BASE"] = hex(LEVEL_ONE);
    made["streams"][0]["l1std_pa"] = hex(LEVEL_ONE);
    made["streams"][0]["l1std"] = json!([hex(l1std)]);
    made
}

const LEVEL_ONE: u64 = 0x5_0000;

/// Two levels, SPLIT 8, 2^16 streams.
const SPLIT_8: u64 = 1 << 16 | 8 << 6 | 16;

fn with_bits(mut made: Value, place: (&str, usize), clear: u64, set: u64) -> Value {
    let it = &mut made["streams"][0][place.0][place.1];
    *it = hex(word(it) & !clear | set);
    made
}

fn with_register(mut made: Value, name: &str, value: u64) -> Value {
    made["regs"][name] = hex(value);
    made
}

/// No difference is reported, everything is compared, and no leaf is reached.
fn is_refused(made: &Value) {
    let mut made = made.clone();
    made["streams"][0]["leaves"] = json!([]);
    agrees(&made, 0);
}

#[test]
fn a_span_that_reaches_too_far_is_none() {
    agrees(&two_levels(SPLIT_8, at::STREAM_TABLE | 9), 2);
    for span in [0, 1, 4, 10, 11, 12, 31] {
        is_refused(&two_levels(SPLIT_8, at::STREAM_TABLE | span));
    }
}

#[test]
fn a_split_that_is_reserved_acts_as_6() {
    for split in [0, 5, 7, 9, 11, 31] {
        let config = 1 << 16 | split << 6 | 16;
        agrees(&two_levels(config, at::STREAM_TABLE | 7), 2);
        is_refused(&two_levels(config, at::STREAM_TABLE | 8));
    }
}

#[test]
fn tables_of_streams_are_aligned_to_their_size() {
    // 2^8 descriptors of 8 bytes; 2^8 STEs; 2^4 STEs.
    let base = |made: Value, low: u64| {
        let base = word(&made["regs"]["STRTAB_BASE"]);
        with_register(made, "STRTAB_BASE", base | low)
    };
    agrees(&base(two_levels(SPLIT_8, at::STREAM_TABLE | 9), 0x7c0), 2);
    agrees(&two_levels(SPLIT_8, at::STREAM_TABLE | 0x3fc0 | 9), 2);
    agrees(&base(of_16k(), 0x3c0), 2);
    // FMT 2 and 3 are reserved and act as a linear table.
    agrees(&with_register(of_16k(), "STRTAB_BASE_CFG", 2 << 16 | 8 << 6 | 4), 2);
    // IDR1.SIDSIZE 16: the table is no larger, but aligned as if it were.
    agrees(&with_register(of_16k(), "STRTAB_BASE_CFG", 10), 2);
}

#[test]
fn an_illegal_cd_is_expected_to_be_refused() {
    let idr0 = word(&of_16k()["regs"]["IDR0"]);
    // STALL_MODEL 1 and S, TERM_MODEL and no A, HTTU 0 and HA or HD, both reserved granules, T0SZ
    // beyond 39 and below 16, TTB0 beyond IPS.
    is_refused(&with_bits(of_16k(), ("cd", 0), 0, 1 << 44));
    is_refused(&with_bits(of_16k(), ("cd", 0), 1 << 46, 0));
    is_refused(&with_bits(of_16k(), ("cd", 0), 0, 1 << 43));
    is_refused(&with_bits(of_16k(), ("cd", 0), 0, 1 << 42));
    is_refused(&with_bits(of_16k(), ("cd", 0), 0, 3 << 6));
    is_refused(&with_bits(of_16k(), ("cd", 0), 1 << 30, 0));
    is_refused(&with_bits(of_16k(), ("cd", 0), 0x3f, 40));
    is_refused(&with_bits(of_16k(), ("cd", 0), 0x3f, 15));
    is_refused(&with_bits(of_16k(), ("cd", 0), 0x3f | 3 << 6, 12 | 1 << 6));
    is_refused(&with_bits(of_16k(), ("cd", 1), 0, 1 << 45));
    is_refused(&with_bits(of_16k(), ("cd", 0), 0xff << 56, 1 << 56).clone_without(idr0, 12));
    // STALL_MODEL 2 and no S.
    is_refused(&with_register(of_16k(), "IDR0", idr0 & !(3 << 24) | 2 << 24));
    // A granule that the SMMU lacks.
    is_refused(&with_register(of_16k(), "IDR5", 0x54));
    // What SMMUv3.0 leaves open is not compared.
    let open = with_bits(of_16k(), ("cd", 0), 0x3f, 40);
    let report = looked(&with_register(open, "AIDR", 0));
    assert_eq!((report.differences.len(), report.not_compared.len()), (0, 1), "{report}");
}

/// The same without a bit of IDR0.
trait Without {
    fn clone_without(&self, idr0: u64, bit: u32) -> Value;
}

impl Without for Value {
    fn clone_without(&self, idr0: u64, bit: u32) -> Value {
        with_register(self.clone(), "IDR0", idr0 & !(1 << bit))
    }
}

#[test]
fn an_illegal_ste_is_expected_to_be_refused() {
    let idr0 = word(&of_64k()["regs"]["IDR0"]);
    // S2S, S2HA, S2HD, S2T0SZ below 64 - IAS and beyond 39, S2TG reserved, S2TTB beyond S2PS,
    // VMIDs of 8 bits.
    for flag in [57, 56, 55] {
        is_refused(&with_bits(of_64k(), ("ste", 2), 0, 1 << flag));
    }
    is_refused(&with_bits(of_64k(), ("ste", 2), 0x3f << 32, 19 << 32));
    is_refused(&with_bits(of_64k(), ("ste", 2), 0x3f << 32, 40 << 32));
    is_refused(&with_bits(of_64k(), ("ste", 2), 0, 3 << 46));
    is_refused(&with_bits(of_64k(), ("ste", 3), 0, 1 << 45));
    is_refused(&with_bits(of_64k(), ("ste", 2), 0, 1 << 8).clone_without(idr0, 18));
    // S1STALLD, S1CDMax, S1ContextPtr beyond the output size; neither stage.
    is_refused(&with_bits(of_16k(), ("ste", 1), 0, 1 << 27));
    let substreams = word(&of_16k()["regs"]["IDR1"]) | 4 << 6;
    let many = with_bits(of_16k(), ("ste", 0), 0, 5 << 59);
    is_refused(&with_register(many, "IDR1", substreams));
    is_refused(&with_bits(of_16k(), ("ste", 0), 0, 1 << 45));
    is_refused(&of_16k().clone_without(idr0, 1));
    is_refused(&of_64k().clone_without(idr0, 0));
}

/// A stage 2 that does not map the CD, or maps it write-only, produces the event's record.
#[test]
fn a_cd_that_stage_2_refuses_is_compared() {
    is_refused(&with_bits(nested(), ("ste", 0), at::CD, 0x8000_0000));
    let mut unreadable = nested();
    unreadable["streams"][0]["tables"][4]["ent"]["0"] = hex(0x7bd);
    is_refused(&unreadable);
    let tables: [Table<'_>; 1] = [(at::TABLES, 0, 512, &[])];
    is_refused(&dump(STE_STAGE1, Some(cd(16, 0)), &tables, &[]));
}
