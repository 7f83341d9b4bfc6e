//! Tables written by the model's own software, read by both walks: every size at every place of a
//! small address space, mapped and unmapped again.

use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::{Geometry, Mapping, MemoryType, Table};
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::pgtable::walk::{PlainFetch, walk};
use passim_model::{Frames, Memory, PageSize, Perms, PhysAddr, Span};
use passim_oracle as oracle;

/// The pairs of input and output size Linux tests its tables with, and 52 bits.
const SIZES: [u32; 7] = [32, 36, 40, 42, 44, 48, 52];

fn second(table: &Table, memory: &Memory, input: u64) -> Option<u64> {
    let geometry = table.geometry();
    let granule = match geometry.granule {
        Granule::K4 => oracle::Granule::Size4K,
        Granule::K16 => oracle::Granule::Size16K,
        Granule::K64 => oracle::Granule::Size64K,
    };
    let (root, bits) = (table.root().get(), geometry.input_bits as u8);
    let output = geometry.output_bits as u8;
    let config = match geometry.stage {
        Stage::One => oracle::walk::Config::stage1(granule, root, bits, output),
        Stage::Two => {
            oracle::walk::Config::stage2(granule, root, bits, geometry.start_level, output)
        }
    };
    let word = |at| memory.load_u64(PhysAddr::new(at)).ok();
    oracle::walk::translate(&config, input, word).ok().map(|leaf| leaf.pa)
}

fn agree(table: &Table, memory: &Memory, input: u64, expected: Option<u64>) {
    let hardware = walk(&table.config(), input, &mut PlainFetch(memory));
    let hardware = hardware.ok().map(|leaf| leaf.translate(input));
    let software = table.lookup(memory, input).map(PhysAddr::get);
    let found = (hardware, software, second(table, memory, input));
    let geometry = table.geometry();
    assert_eq!(found, (expected, expected, expected), "{geometry:?} {input:#x}");
}

/// Maps one block of each size at the first, second and last place, compares, and unmaps.
fn sweep(geometry: Geometry) {
    let bank = 64 << 20;
    let top = 1u64 << geometry.output_bits.min(48);
    let span = Span::from_size(PhysAddr::new(top - bank), bank).expect("a bank below the top");
    let mut memory = Memory::new();
    memory.add_bank(span).expect("the one bank");
    let mut frames = Frames::new(PageSize::K4, [span]);
    let mut table = Table::new(geometry, &mut memory, &mut frames).expect("room for a root");
    let mut gather = Gather::new();
    let end = 1u64 << geometry.input_bits;
    let sizes = (0..52).map(|lg2| 1u64 << lg2);
    let bits = geometry.page_sizes().bits();
    for size in sizes.filter(|size| bits & size != 0 && *size < end) {
        for input in [0, size, end - size] {
            let output = (end - size - input) & (top - 1) & !(size - 1);
            let perms = Perms::READ | Perms::WRITE;
            let target = PhysAddr::new(output);
            let memory_type = MemoryType::Normal;
            let mapping = Mapping { input, output: target, size, perms, memory_type };
            let mapped = table.map(&mut memory, &mut frames, &mapping, &mut gather);
            assert_eq!(mapped, Ok(()), "{geometry:?} {size:#x} at {input:#x}");
            for offset in [0, size / 2, size - 1] {
                agree(&table, &memory, input + offset, Some(output + offset));
            }
            for outside in [input.wrapping_sub(1), input + size] {
                if outside < end {
                    agree(&table, &memory, outside, None);
                }
            }
            assert_eq!(table.unmap(&mut memory, input, size, &mut gather), size);
            agree(&table, &memory, input, None);
        }
    }
    gather.release_tables(&mut frames);
    table.free(&mut frames);
    assert_eq!(frames.in_use(), 0, "{geometry:?}: every table was given back");
}

#[test]
fn every_shape_linux_builds_is_read_the_same_by_all() {
    let mut shapes = 0;
    for stage in [Stage::One, Stage::Two] {
        for granule in Granule::ALL {
            for input_bits in SIZES {
                for output_bits in SIZES {
                    let geometry = Geometry::linux(stage, granule, input_bits, output_bits);
                    if let Some(geometry) = geometry.filter(|_| input_bits <= output_bits) {
                        sweep(geometry);
                        shapes += 1;
                    }
                }
            }
        }
    }
    assert!(shapes >= 126, "the pairs Linux tests are among them: {shapes}");
}
