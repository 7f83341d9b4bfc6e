//! What every format must do, for every stage, granule and width: the sequence Linux tests its
//! page tables with, and sweeps.

use super::*;

const WIDTHS: [u32; 6] = [32, 36, 40, 42, 44, 48];

/// Every (stage, granule, input bits, output bits) Linux's own test goes through, and 52 bits.
fn every_shape(mut test: impl FnMut(Stage, Granule, (u32, u32))) {
    for stage in STAGES {
        for granule in Granule::ALL {
            for (i, &input_bits) in WIDTHS.iter().enumerate() {
                for &output_bits in &WIDTHS[i..] {
                    if Geometry::linux(stage, granule, input_bits, output_bits).is_some() {
                        test(stage, granule, (input_bits, output_bits));
                    }
                }
            }
        }
        test(stage, Granule::K64, (52, 52));
        test(stage, Granule::K64, (48, 52));
    }
}

#[test]
fn only_the_shapes_that_would_need_too_many_tables_are_refused() {
    for stage in STAGES {
        for granule in Granule::ALL {
            for input_bits in 0..=64 {
                for output_bits in WIDTHS.into_iter().chain([52, 53]) {
                    let widest = if granule == Granule::K64 { 52 } else { 48 };
                    let in_range =
                        input_bits > granule.lg2() && input_bits <= widest && output_bits <= widest;
                    // Stage 2 with outputs of 40 or 42 bits starts at level 1 (4K), which 16
                    // tables take to 43 bits; with 40 bits at level 2 (16K), taken to 40.
                    let too_many = stage == Stage::Two
                        && match (granule, output_bits) {
                            (Granule::K4, 40 | 42) => input_bits > 43,
                            (Granule::K16, 40) => (41..=47).contains(&input_bits),
                            _ => false,
                        };
                    let shape = Geometry::linux(stage, granule, input_bits, output_bits);
                    assert_eq!(
                        shape.is_some(),
                        in_range && !too_many,
                        "{stage:?} {granule:?} {input_bits} {output_bits}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_sequence_linux_tests_its_tables_with() {
    every_shape(|stage, granule, bits| {
        let mut bench = Bench::new(stage, granule, bits);
        for input in [42, (1 << 30) + 42, (2 << 30) + 42] {
            assert_eq!(bench.lookup(input), None);
            assert!(bench.walk(input).is_err());
        }
        // Every size at a place of its own, identity mapped; what overlaps it fails.
        let fitting: Vec<_> = sizes(bench.table.geometry())
            .into_iter()
            .filter(|size| size << 3 <= 1 << bits.0)
            .collect();
        let place = |i: usize, size: u64| (i as u64 * (1 << 30)).next_multiple_of(size);
        for (i, &size) in fitting.iter().enumerate() {
            let input = place(i, size);
            assert_eq!(bench.map(input, input, size), Ok(()));
            assert_eq!(bench.map(input, input + size, size), Err(MapError::Exists { at: input }));
            assert_eq!(bench.lookup(input + 42), Some(input + 42));
            assert_eq!(bench.walk(input + 42).unwrap().lg2, size.trailing_zeros());
        }
        for (i, &size) in fitting.iter().enumerate() {
            let input = place(i, size);
            assert_eq!(bench.unmap(input, size), size);
            assert_eq!(bench.lookup(input + 42), None);
            assert!(bench.walk(input + 42).is_err());
            assert_eq!(bench.map(input, input, size), Ok(()));
            assert_eq!(bench.lookup(input + 42), Some(input + 42));
            assert_eq!(bench.unmap(input, size), size);
        }
        bench.finish();
    });
}

#[test]
fn the_last_block_of_the_input_range() {
    every_shape(|stage, granule, bits| {
        let mut bench = Bench::new(stage, granule, bits);
        let last = bench.table.geometry().last_input();
        for size in sizes(bench.table.geometry()) {
            if size > 1 << bits.0 {
                continue;
            }
            let (input, output) = (last + 1 - size, (1 << bits.1) - size);
            assert_eq!(bench.map(input, output, size), Ok(()));
            for offset in [0, 42, size - 1] {
                assert_eq!(bench.walk(input + offset).unwrap().output, output);
                assert_eq!(bench.lookup(input + offset), Some(output + offset));
            }
            assert_eq!(bench.lookup(last + 1), None, "no aliases beyond the range");
            assert_eq!(bench.unmap(input, size), size);
            assert_eq!(bench.map(input, output, 2 * size), Err(MapError::OutOfRange));
            let output = 1 << bits.1;
            assert_eq!(bench.map(input, output, size), Err(MapError::OutOfRange));
        }
        bench.finish();
    });
}

#[test]
fn a_sweep_maps_and_unmaps_across_every_boundary() {
    for stage in STAGES {
        for granule in Granule::ALL {
            let mut bench = Bench::new(stage, granule, (44, 44));
            let page = granule.page().bytes();
            let big = sizes(bench.table.geometry())[1];
            // Sizes and starts around a boundary between two last-level tables.
            for pages in [1, 2, 3, 63, 64, 65] {
                for start in [big - 2 * page, big - page, big, big + page, 5 * big - 64 * page] {
                    let size = pages * page;
                    let output = (1 << 40) + start + page;
                    assert_eq!(bench.map(start, output, size), Ok(()));
                    let inputs: Vec<_> =
                        bench.table.leaves(&bench.memory).map(|leaf| leaf.input).collect();
                    let expected: Vec<_> = (0..pages).map(|i| start + i * page).collect();
                    assert_eq!(inputs, expected);
                    for input in [start, start + size - 1] {
                        assert_eq!(
                            bench.walk(input).unwrap().translate(input),
                            output + (input - start)
                        );
                    }
                    assert!(bench.walk(start + size).is_err());
                    assert_eq!(bench.unmap(start, size), size);
                    assert_eq!(bench.table.leaves(&bench.memory).next(), None);
                }
            }
            bench.finish();
        }
    }
}

#[test]
fn what_was_unmapped_maps_again_without_new_tables() {
    let mut bench = Bench::new(Stage::One, Granule::K4, (48, 48));
    bench.map(0x1000, 0x5000, 0x3000).unwrap();
    let tables = bench.table.table_count();
    assert_eq!(tables, 4);
    assert_eq!(bench.unmap(0x1000, 0x3000), 0x3000);
    assert_eq!(bench.table.table_count(), tables, "an empty table stays");
    bench.map(0x1000, 0x5000, 0x3000).unwrap();
    assert_eq!(bench.table.table_count(), tables);
    bench.finish();
}

#[test]
fn requests_that_no_block_divides_or_that_allow_nothing() {
    for granule in Granule::ALL {
        let mut bench = Bench::new(Stage::One, granule, (48, 48));
        let page = granule.page().bytes();
        for (input, output, size) in
            [(page / 2, 0, page), (0, page / 2, page), (0, 0, page / 2), (0, 0, 0)]
        {
            assert_eq!(bench.map(input, output, size), Err(MapError::Misaligned));
        }
        for perms in [Perms::empty(), Perms::EXEC] {
            let mapping = Mapping { perms, ..plain(0, 0, page) };
            assert_eq!(bench.try_map(mapping), Err(MapError::Misaligned));
        }
        let top = 1 << 48;
        let beyond = [
            plain(top, 0, page),
            plain(0, top, page),
            plain(top - page, 0, 2 * page),
            plain(0u64.wrapping_sub(page), 0, page),
            plain(0u64.wrapping_sub(page), 0, 2 * page),
            plain(0, 0u64.wrapping_sub(page), 2 * page),
            plain(0, 0, 0u64.wrapping_sub(page)),
        ];
        for mapping in beyond {
            assert_eq!(bench.try_map(mapping), Err(MapError::OutOfRange), "{mapping:x?}");
        }
        assert_eq!(bench.unmap(0, u64::MAX << granule.lg2()), 0);
        assert_eq!(bench.unmap(page / 2, page), 0);
        assert_eq!(bench.unmap(0, page / 2), 0);
        assert_eq!(bench.unmap(top, page), 0);
        assert_eq!(bench.unmap(u64::MAX << granule.lg2(), u64::MAX << granule.lg2()), 0);
        assert_eq!(bench.table.table_count(), 1);
        bench.finish();
    }
}

#[test]
fn a_failed_map_leaves_nothing_mapped() {
    let mut bench = Bench::new(Stage::Two, Granule::K4, (44, 44));
    bench.map(0x3f_f000, 0, 0x2000).unwrap();
    let before: Vec<_> = bench.table.leaves(&bench.memory).collect();
    // Crosses one table of leaves, then meets the leaf at its end.
    let result = bench.map(0x1000, 0x10_0000, 0x40_0000);
    assert_eq!(result, Err(MapError::Exists { at: 0x3f_f000 }));
    assert_eq!(bench.table.leaves(&bench.memory).collect::<Vec<_>>(), before);
    // A page inside a block.
    bench.map(0x4000_0000, 0x4000_0000, 0x4000_0000).unwrap();
    let result = bench.map(0x7fff_f000, 0, 0x1000);
    assert_eq!(result, Err(MapError::Exists { at: 0x4000_0000 }));
    bench.finish();
}

#[test]
fn without_frames_nothing_is_mapped_and_nothing_is_lost() {
    // Room for the first table and seven more.
    let mut bench = Bench::with_bank(Stage::One, Granule::K4, (48, 48), 0x1_0000);
    let mut spare = Vec::new();
    while bench.frames.in_use() < 0x8000 {
        spare.push(bench.frames.alloc(PageSize::K4).unwrap());
    }
    let size = 8 << 21;
    assert_eq!(bench.map(0, 0x1000, size), Err(MapError::NoFrame));
    assert_eq!(bench.table.leaves(&bench.memory).next(), None);
    assert_eq!(bench.map(0, 0x1000, size), Err(MapError::NoFrame), "unlinked tables wait");
    bench.gather.release_tables(&mut bench.frames);
    assert_eq!(bench.map(0, 0, size), Ok(()), "blocks need fewer tables");
    for frame in spare {
        bench.frames.free(frame, PageSize::K4);
    }
    bench.finish();
}
