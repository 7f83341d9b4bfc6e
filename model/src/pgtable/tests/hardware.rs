//! Hardware's walk over descriptors put into memory by hand: order of faults, permissions,
//! impossible configurations.

use super::*;
use crate::pgtable::walk::{Config, Fetch, Format};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Descriptors by address; what is missing cannot be fetched.
#[derive(Clone, Default)]
struct Words(BTreeMap<u64, u64>);

impl Fetch for Words {
    type Fault = u64;

    fn fetch(&mut self, at: u64, _level: i8) -> Result<u64, u64> {
        self.0.get(&at).copied().ok_or(at)
    }
}

const STAGE1: Config = Config {
    format: Format::Aarch64,
    stage: Stage::One,
    granule: Granule::K4,
    input_bits: 48,
    start_level: 0,
    root: 0x1000,
    output_bits: 44,
    implemented_bits: 44,
    hierarchical: true,
    access_flag_faults: true,
    ds: false,
    dirty_state: false,
};
const STAGE2: Config = Config { stage: Stage::Two, ..STAGE1 };

/// Descriptors of levels 0 to 3 for input 0, tables at 0x1000, 0x2000 and so on.
fn chain(descriptors: [u64; 4]) -> Words {
    Words((0x1000..).step_by(0x1000).zip(descriptors).collect())
}

fn faults(config: &Config, descriptors: [u64; 4]) -> Option<Fault<u64>> {
    walk::walk(config, 0, &mut chain(descriptors)).err()
}

const TABLES: [u64; 4] = [0x2003, 0x3003, 0x4003, 0x9743];

/// [`TABLES`] with another descriptor at `level`.
fn with(level: usize, descriptor: u64) -> [u64; 4] {
    let mut descriptors = TABLES;
    descriptors[level] = descriptor;
    descriptors
}

#[test]
fn at_each_level_fetch_then_validity_then_address() {
    assert_eq!(faults(&STAGE1, TABLES), None);
    for level in 0..4i8 {
        let i = level as usize;
        // Invalid, and beyond the output size at that: validity comes first.
        let invalid = Some(Fault::Translation { level });
        assert_eq!(faults(&STAGE1, with(i, 0)), invalid);
        assert_eq!(faults(&STAGE1, with(i, 0x8000_0000_0002)), invalid);
        let beyond = Some(Fault::AddressSize { level });
        assert_eq!(faults(&STAGE1, with(i, 0x1000_0000_0003)), beyond);
        let within = with(i, 0x0fff_ffff_f403);
        let expected = match level {
            3 => None,
            _ => {
                Some(Fault::Fetch { level: level + 1, at: 0xfff_ffff_f000, cause: 0xfff_ffff_f000 })
            }
        };
        assert_eq!(faults(&STAGE1, within), expected);
    }
    // Blocks: none at level 0, and 0b01 is not a page.
    assert_eq!(faults(&STAGE1, with(0, 0x741)), Some(Fault::Translation { level: 0 }));
    assert_eq!(faults(&STAGE1, with(1, 0x741)), None);
    assert_eq!(faults(&STAGE1, with(2, 0x741)), None);
    assert_eq!(faults(&STAGE1, with(3, 0x741)), Some(Fault::Translation { level: 3 }));
}

#[test]
fn the_access_flag_comes_after_the_address() {
    for (stage, level) in [(STAGE1, 3i8), (STAGE2, 3), (STAGE1, 2), (STAGE2, 1)] {
        let page = u64::from(level == 3) << 1 | 1;
        let i = level as usize;
        assert_eq!(faults(&stage, with(i, 0x40 | page)), Some(Fault::AccessFlag { level }));
        let beyond = with(i, 0x1000_0000_0000 | page);
        assert_eq!(faults(&stage, beyond), Some(Fault::AddressSize { level }));
        let ignored = Config { access_flag_faults: false, ..stage };
        assert_eq!(faults(&ignored, with(i, 0x40 | page)), None);
    }
}

fn perms(config: &Config, table: u64, leaf: u64) -> (Perms, Perms, Perms) {
    let descriptors = [0x2003 | table, 0x3003, 0x4003, 0x9403 | leaf];
    let leaf = walk::walk(config, 0, &mut chain(descriptors)).unwrap();
    (leaf.unprivileged, leaf.privileged, leaf.undivided)
}

const R: Perms = Perms::READ;
const X: Perms = Perms::EXEC;
const RX: Perms = R.union(X);
const RWX: Perms = RW.union(X);

const AP1: u64 = 1 << 6;
const AP2: u64 = 1 << 7;
const PXN: u64 = 1 << 53;
const XN: u64 = 1 << 54;
const PXN_TABLE: u64 = 1 << 59;
const XN_TABLE: u64 = 1 << 60;
const AP_TABLE_0: u64 = 1 << 61;
const AP_TABLE_1: u64 = 1 << 62;

#[test]
fn stage_1_permissions() {
    // (table, leaf, unprivileged, privileged, one privilege only); DDI 0487 D8.4.
    let cases = [
        (0, 0, X, RWX, RWX),
        (0, AP1, RWX, RW, RWX),
        (0, AP2, X, RX, RX),
        (0, AP1 | AP2, RX, RX, RX),
        (0, AP1 | XN, RW, RW, RW),
        (0, AP1 | AP2 | PXN, RX, R, RX),
        (0, AP1 | AP2 | XN, R, RX, R),
        (AP_TABLE_1, AP1, RX, RX, RX),
        (AP_TABLE_0, AP1, X, RWX, RWX),
        (AP_TABLE_0 | AP_TABLE_1, AP1, X, RX, RX),
        (XN_TABLE, AP1 | AP2, R, RX, R),
        (PXN_TABLE, AP1 | AP2, RX, R, RX),
        (XN_TABLE | PXN_TABLE, AP1, RW, RW, RW),
    ];
    for (table, leaf, unprivileged, privileged, undivided) in cases {
        let expected = (unprivileged, privileged, undivided);
        assert_eq!(perms(&STAGE1, table, leaf), expected, "{table:#x} {leaf:#x}");
        let flat = Config { hierarchical: false, ..STAGE1 };
        assert_eq!(perms(&flat, table, leaf), perms(&STAGE1, 0, leaf), "HAD: tables limit nothing");
    }
}

#[test]
fn any_table_on_the_way_limits() {
    for (level, table) in TABLES.into_iter().enumerate().take(3) {
        let descriptors = with(level, table | AP_TABLE_1);
        let leaf = walk::walk(&STAGE1, 0, &mut chain(descriptors)).unwrap();
        assert_eq!(leaf.unprivileged, RX);
    }
}

#[test]
fn stage_2_permissions() {
    // (leaf, unprivileged, privileged): S2AP, then XN[1:0]. Table limits do not exist.
    let cases = [
        (0, X, X),
        (1 << 6, RX, RX),
        (1 << 7, Perms::WRITE | X, Perms::WRITE | X),
        (3 << 6, RWX, RWX),
        (3 << 6 | 1 << 53, RWX, RW),
        (3 << 6 | 2 << 53, RW, RW),
        (3 << 6 | 3 << 53, RW, RWX),
    ];
    for (leaf, unprivileged, privileged) in cases {
        for table in [0, AP_TABLE_0 | AP_TABLE_1 | XN_TABLE | PXN_TABLE] {
            let expected = (unprivileged, privileged, unprivileged);
            assert_eq!(perms(&STAGE2, table, leaf), expected, "{leaf:#x}");
        }
    }
}

#[test]
fn hints_are_reported() {
    let leaf = |config: &Config, bits: u64| {
        walk::walk(config, 0, &mut chain(with(3, 0x9403 | bits))).unwrap()
    };
    assert!(leaf(&STAGE1, 1 << 52).contiguous && leaf(&STAGE2, 1 << 52).contiguous);
    assert!(leaf(&STAGE1, 1 << 11).not_global);
    assert!(!leaf(&STAGE2, 1 << 11).not_global, "bit 11 is another thing at stage 2");
    assert!(!leaf(&STAGE1, 0).contiguous && !leaf(&STAGE1, 0).not_global);
}

#[test]
fn the_start_level_of_stage_2_may_have_a_wider_index() {
    // 40 bits, level 1: 1024 descriptors in two tables side by side.
    let config =
        Config { input_bits: 40, start_level: 1, output_bits: 40, implemented_bits: 40, ..STAGE2 };
    let mut words = Words::default();
    words.0.insert(0x1000 + 8 * 1023, 0x7f_c000_0741);
    let input = (1 << 40) - 1;
    let leaf = walk::walk(&config, input, &mut words).unwrap();
    assert_eq!((leaf.output, leaf.lg2, leaf.level), (0x7f_c000_0000, 30, 1));
    assert_eq!(leaf.translate(input), 0x7f_ffff_ffff);
    // Bits above the input size are ignored.
    assert_eq!(walk::walk(&config, input | 0xff << 56, &mut words), Ok(leaf));
    // Stage 1 does not concatenate.
    let stage1 = Config { stage: Stage::One, ..config };
    assert_eq!(walk::walk(&stage1, input, &mut words), Err(Fault::Translation { level: 1 }));
}

#[test]
fn a_first_table_beyond_the_output_size() {
    let config = Config { root: 1 << 44, ..STAGE1 };
    assert_eq!(faults(&config, TABLES), Some(Fault::AddressSize { level: 0 }));
}

fn any_config() -> impl Strategy<Value = Config> {
    let bits = prop_oneof![4 => 12u32..=52, 1 => any::<u32>()];
    let root = prop_oneof![4 => (0u64..4).prop_map(|i| i << 16), 1 => any::<u64>()];
    let formats = vec![
        Format::Aarch64,
        Format::Long,
        Format::Short { simplified: false },
        Format::Short { simplified: true },
    ];
    (
        prop::sample::select(formats),
        prop::sample::select(STAGES.to_vec()),
        prop::sample::select(Granule::ALL.to_vec()),
        (bits.clone(), bits),
        prop_oneof![4 => -1i8..=3, 1 => any::<i8>()],
        root,
        any::<(bool, bool, bool, bool)>(),
    )
        .prop_map(|(format, stage, granule, bits, start_level, root, flags)| Config {
            format,
            stage,
            granule,
            input_bits: bits.0,
            start_level,
            root,
            output_bits: bits.1,
            implemented_bits: bits.1,
            hierarchical: flags.0,
            access_flag_faults: flags.1,
            ds: flags.2,
            dirty_state: flags.3,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Any memory and any configuration give an answer, at a level that exists, after at most one
    /// fetch per level.
    #[test]
    fn every_walk_ends(
        config in any_config(),
        inputs in prop::collection::vec(any::<u64>(), 4),
        seed in any::<u64>(),
    ) {
        /// Random words, with valid tables in low memory made likely.
        struct Noise { seed: u64, fetches: usize }
        impl Fetch for Noise {
            type Fault = ();
            fn fetch(&mut self, at: u64, _level: i8) -> Result<u64, ()> {
                self.fetches += 1;
                let word = (at ^ self.seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                match word >> 60 {
                    0 => Err(()),
                    1..4 => Ok(word),
                    4..12 => Ok(word & 0xff_ffff | 3),
                    _ => Ok(word & 0x8000_0fff_ffff_ffff | 0x401),
                }
            }
        }
        for input in inputs {
            let mut noise = Noise { seed, fetches: 0 };
            let level = match walk::walk(&config, input, &mut noise) {
                Ok(leaf) => {
                    prop_assert!(leaf.output >> 52 == 0);
                    prop_assert!(leaf.output.is_multiple_of(1 << leaf.lg2));
                    leaf.level as i8
                }
                Err(
                    Fault::Fetch { level, .. }
                    | Fault::Translation { level }
                    | Fault::AddressSize { level }
                    | Fault::AccessFlag { level },
                ) => level,
            };
            prop_assert!((-1..=3).contains(&level));
            prop_assert!(noise.fetches <= 5);
        }
    }

    /// The same with real memory, most of whose words lead somewhere.
    #[test]
    fn random_memory_is_walked_without_a_panic(
        config in any_config(),
        words in prop::collection::vec(any::<u64>(), 64),
        inputs in prop::collection::vec(any::<u64>(), 16),
    ) {
        let mut memory = Memory::new();
        memory.add_bank(Span::from_size(PhysAddr::new(0), 0x4_0000).unwrap()).unwrap();
        for at in (0..0x4_0000u64).step_by(8) {
            let word = words[(at as usize / 8 * 7) % words.len()];
            let word = if word & 4 == 0 { word & 0x3_ffff | 3 } else { word };
            memory.store_u64(PhysAddr::new(at), word).unwrap();
        }
        for input in inputs {
            let _ = walk::walk(&config, input, &mut PlainFetch(&memory));
        }
    }
}
