//! Words that real kernels wrote, from memory dumps of Linux 6.12 behind an SMMUv3.

use super::*;

/// Tables and attributes as recorded: stage, input, output, size of the mapping, permissions
/// requested, the first leaf's size and descriptor.
struct Recorded {
    stage: Stage,
    input: u64,
    output: u64,
    size: u64,
    perms: Perms,
    leaf: (u64, u64),
}

const fn recorded(
    stage: Stage,
    input: u64,
    output: u64,
    size: u64,
    perms: Perms,
    leaf: (u64, u64),
) -> Recorded {
    Recorded { stage, input, output, size, perms, leaf }
}

const K: u64 = 1 << 10;
const M: u64 = 1 << 20;
const G: u64 = 1 << 30;
const R: Perms = Perms::READ;
const W: Perms = Perms::WRITE;

/// Measured: linux-6.12-4k, stage1 and stage2, dumps `smmu_s1v2_mixed`.
const RECORDED: [Recorded; 16] = [
    recorded(Stage::One, 0, 0x1_09cb_0000, 4 * K, R, (4 * K, 0x1_09cb_0fc7)),
    recorded(Stage::One, 0x1000, 0x1_09cb_1000, 4 * K, W, (4 * K, 0x1_09cb_1f47)),
    recorded(Stage::One, 0x5000, 0x1_09cb_2000, 4 * K, RW, (4 * K, 0x1_09cb_2f47)),
    recorded(Stage::One, 0x7fff_f000, 0x1_09cb_7000, 4 * K, RW, (4 * K, 0x1_09cb_7f47)),
    recorded(Stage::One, 0x4_0000_0000, 0x8000_0000, G, RW, (G, 0x8000_0f45)),
    recorded(Stage::One, 0x4_8020_0000, 0x8000_0000, G, R, (2 * M, 0x8000_0fc5)),
    recorded(Stage::One, 0x4_ffe0_0000, 0x8020_0000, 4 * M, RW, (2 * M, 0x8020_0f45)),
    recorded(Stage::One, 0x1234_5678_9000, 0x1_09cb_c000, 4 * K, R, (4 * K, 0x1_09cb_cfc7)),
    recorded(Stage::One, 0xffff_ffff_f000, 0x1_09cb_e000, 4 * K, RW, (4 * K, 0x1_09cb_ef47)),
    recorded(Stage::Two, 0, 0x1_0a23_d000, 4 * K, R, (4 * K, 0x1_0a23_d77f)),
    recorded(Stage::Two, 0x1000, 0x1_0a23_e000, 4 * K, W, (4 * K, 0x1_0a23_e7bf)),
    recorded(Stage::Two, 0x5000, 0x1_0a23_f000, 4 * K, RW, (4 * K, 0x1_0a23_f7ff)),
    recorded(Stage::Two, 0x7ff_ffff_f000, 0x1_0a24_7000, 4 * K, W, (4 * K, 0x1_0a24_77bf)),
    recorded(Stage::Two, 0x4_0000_0000, 0x8000_0000, G, RW, (G, 0x8000_07fd)),
    recorded(Stage::Two, 0x4_8020_0000, 0x8000_0000, G, R, (2 * M, 0x8000_077d)),
    recorded(Stage::Two, 0x4_ffe0_0000, 0x8020_0000, 4 * M, RW, (2 * M, 0x8020_07fd)),
];

/// Input and output bits of the recorded machine.
const fn bits(stage: Stage) -> (u32, u32) {
    match stage {
        Stage::One => (48, 44),
        Stage::Two => (44, 44),
    }
}

#[test]
fn leaves_are_spelled_as_recorded() {
    for case in RECORDED {
        let mut bench = Bench::new(case.stage, Granule::K4, bits(case.stage));
        let mapping = Mapping { perms: case.perms, ..plain(case.input, case.output, case.size) };
        bench.try_map(mapping).unwrap();
        let leaf = bench.table.leaf(&bench.memory, case.input).unwrap();
        assert_eq!((1 << leaf.lg2, leaf.descriptor), case.leaf, "{:#x}", case.input);
        assert_eq!(leaf.output, case.output);
        let count = bench.table.leaves(&bench.memory).count() as u64;
        assert_eq!(count, case.size / case.leaf.0);
        bench.finish();
    }
}

#[test]
fn permissions_are_what_recorded_accesses_found() {
    // Measured: a write-only mapping is readable at stage 1 and not at stage 2.
    for (stage, write_only) in [(Stage::One, R | W), (Stage::Two, W)] {
        for (asked, got) in [(R, R), (W, write_only), (R | W, R | W)] {
            let mut bench = Bench::new(stage, Granule::K4, bits(stage));
            bench.try_map(Mapping { perms: asked, ..plain(0x1000, 0x2000, 0x1000) }).unwrap();
            let leaf = bench.walk(0x1000).unwrap();
            assert_eq!(leaf.unprivileged - Perms::EXEC, got);
            assert_eq!(leaf.privileged - Perms::EXEC, got);
            assert_eq!(leaf.not_global, stage == Stage::One);
            bench.finish();
        }
    }
}

#[test]
fn doorbells_are_spelled_as_recorded() {
    // Measured: linux-6.12-4k, stage1 and stage2, dumps `smmu_msi_edu`; the frame of a GICv2m is
    // at 0x8020000.
    for (stage, perms, descriptor) in
        [(Stage::One, RW, 0x60_0000_0809_0e4b), (Stage::Two, W, 0x60_0000_0809_0687)]
    {
        let mut bench = Bench::new(stage, Granule::K4, bits(stage));
        let memory_type = MemoryType::Device;
        let mapping = Mapping { perms, memory_type, ..plain(0x800_0000, 0x809_0000, 0x1000) };
        bench.try_map(mapping).unwrap();
        let leaf = bench.walk(0x800_0040).unwrap();
        assert_eq!(leaf.descriptor, descriptor);
        assert_eq!(leaf.translate(0x800_0040), 0x809_0040);
        assert!(!leaf.unprivileged.contains(Perms::EXEC));
        assert!(leaf.unprivileged.contains(W));
        bench.finish();
    }
}

#[test]
fn table_descriptors_carry_no_attributes() {
    let mut bench = Bench::new(Stage::One, Granule::K4, (48, 44));
    bench.map(0x800_0000, 0x809_0000, 0x1000).unwrap();
    let descriptor = bench.memory.load_u64(bench.table.root()).unwrap();
    assert_eq!(descriptor & 0xfff0_0000_0000_0fff, 3);
    assert_eq!(bench.table.table_count(), 4);
    bench.finish();
}

#[test]
fn first_tables_have_the_recorded_sizes() {
    // Measured on kernels with 4K, 16K and 64K pages: (stage, granule, start level, descriptors).
    let shapes = [
        (Stage::One, Granule::K4, 0, 512),
        (Stage::One, Granule::K16, 0, 2),
        (Stage::One, Granule::K64, 1, 64),
        (Stage::Two, Granule::K4, 0, 32),
        (Stage::Two, Granule::K16, 1, 256),
        (Stage::Two, Granule::K64, 1, 4),
    ];
    for (stage, granule, start_level, entries) in shapes {
        let (input_bits, output_bits) = bits(stage);
        let geometry = Geometry::linux(stage, granule, input_bits, output_bits).unwrap();
        assert_eq!((geometry.start_level, geometry.root_entries()), (start_level, entries));
        assert_eq!(geometry.concatenated_lg2, 0);
    }
}

#[test]
fn page_sizes_are_those_the_kernels_report() {
    // Measured: iova_pgsizes of VFIO_IOMMU_GET_INFO.
    for (granule, bitmap) in
        [(Granule::K4, 0x4020_1000), (Granule::K16, 0x200_4000), (Granule::K64, 0x2001_0000)]
    {
        let geometry = Geometry::linux(Stage::One, granule, 48, 44).unwrap();
        assert_eq!(geometry.page_sizes().bits(), bitmap);
    }
}
