//! iova_to_phys, continued over physically contiguous neighbours.

use passim_model::pgtable::table::Table;
use passim_model::pgtable::vmsav7s::table as short;
use passim_model::pgtable::vmsav8::{Entry, LAST_LEVEL};
use passim_model::{Memory, PhysAddr};

/// A leaf and the position of its descriptor.
struct Place {
    /// The table page it is in.
    page: PhysAddr,
    /// Its index in that page.
    index: u64,
    level: u8,
    output: u64,
}

/// The physical address of `input`, and how many bytes stay contiguous from there, at most `max`.
///
/// Reads the tables in memory. Adjacent leaves of one table need no new walk from the top.
pub(super) fn run(table: &Table, memory: &Memory, input: u64, max: u64) -> Option<(PhysAddr, u64)> {
    let geometry = table.geometry();
    let granule = geometry.granule;
    let output_bits = granule.expressible_output_bits(geometry.output_bits);
    let mut place = find(table, memory, input)?;
    let inside = input & ((1 << granule.level_lg2(place.level)) - 1);
    let start = place.output + inside;
    let mut length = (1 << granule.level_lg2(place.level)) - inside;
    while length < max {
        let block = 1 << granule.level_lg2(place.level);
        let next = PhysAddr::new(place.page.get() + 8 * (place.index + 1));
        let count = (1 << granule.index_bits()) - (place.index + 1);
        for descriptor in memory.words(next, count as usize).unwrap_or(&[]) {
            let entry = granule.decode(*descriptor, place.level, output_bits);
            if length >= max || entry != Entry::Leaf(start + length) {
                break;
            }
            length += block;
        }
        // The table ends here, or the next entry is no leaf of this size.
        let next = input.checked_add(length);
        match next.and_then(|next| find(table, memory, next)) {
            Some(found) if found.output == start + length => place = found,
            _ => break,
        }
        length += 1 << granule.level_lg2(place.level);
    }
    Some((PhysAddr::new(start), length.min(max)))
}

/// The same for short descriptors.
pub(super) fn short_run(
    table: &short::Table,
    memory: &Memory,
    input: u64,
    max: u64,
) -> Option<(PhysAddr, u64)> {
    // The physical address of an input, and the rest of its leaf from there on.
    let rest = |input: u64| {
        let leaf = table.leaf(memory, input)?;
        let inside = input - leaf.input;
        Some((leaf.output + inside, (1 << leaf.lg2) - inside))
    };
    let (start, mut length) = rest(input)?;
    while length < max {
        let next = input.checked_add(length).and_then(rest);
        let Some((_, more)) = next.filter(|(output, _)| *output == start + length) else { break };
        length += more;
    }
    Some((PhysAddr::new(start), length.min(max)))
}

fn find(table: &Table, memory: &Memory, input: u64) -> Option<Place> {
    let geometry = table.geometry();
    if input > table.last_input() {
        return None;
    }
    let granule = geometry.granule;
    let output_bits = granule.expressible_output_bits(geometry.output_bits);
    let entries = 1 << granule.index_bits();
    // Concatenated tables are adjacent: one index runs through all of them.
    let top = input >> granule.level_lg2(geometry.start_level);
    let mut page = PhysAddr::new(table.root().get() + 8 * (top & !(entries - 1)));
    for level in geometry.start_level..=LAST_LEVEL {
        let index = input >> granule.level_lg2(level) & (entries - 1);
        let descriptor = memory.load_u64(PhysAddr::new(page.get() + 8 * index)).ok()?;
        match granule.decode(descriptor, level, output_bits) {
            Entry::Invalid => return None,
            Entry::Table(below) => page = PhysAddr::new(below),
            Entry::Leaf(output) => return Some(Place { page, index, level, output }),
        }
    }
    None
}
