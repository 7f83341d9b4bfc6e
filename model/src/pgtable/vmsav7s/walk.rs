//! Hardware's walk of short-descriptor tables.
//!
//! The order of faults is the engine's ([`crate::pgtable::walk`]): at each level a descriptor that
//! cannot be fetched, an invalid one, an address beyond the output size; at the leaf the access
//! flag, where there is one.

use super::{
    Attributes, FIRST_LEVEL, FIRST_TABLE_LG2, INPUT_BITS, Kind, LAST_LEVEL, SECTION_LG2,
    SMALL_PAGE_LG2, TableEntry, decode,
};
use crate::Perms;
use crate::pgtable::vmsav8::Entry;
use crate::pgtable::walk::{Config, Fault, Fetch, Leaf};

/// Bytes of a descriptor.
const BYTES: u64 = 4;

/// Walks the tables for `input`. `simplified`: AFE, AP\[0\] is the access flag.
///
/// [`Config::input_bits`] is 32 less TTBCR.N: it gives the size of the first table.
///
/// # Errors
/// The first fault in the architecture's order.
pub fn walk<F: Fetch>(
    config: &Config,
    simplified: bool,
    input: u64,
    fetch: &mut F,
) -> Result<Leaf, Fault<F::Fault>> {
    let input_bits = config.input_bits.clamp(SECTION_LG2, INPUT_BITS);
    let input = input & ((1 << input_bits) - 1);
    // DDI 0406 B3.5.4: the first table has 2^(14-N) bytes and is aligned to them.
    let table_lg2 = FIRST_TABLE_LG2 - (INPUT_BITS - input_bits);
    let root = config.root >> table_lg2 << table_lg2;
    let beyond_output = u64::MAX << config.output_bits.min(63);
    if root & beyond_output != 0 {
        return Err(Fault::AddressSize { level: 0 });
    }
    let at = root + BYTES * (input >> SECTION_LG2);
    let first = read(fetch, at, FIRST_LEVEL)?;
    match decode(first, FIRST_LEVEL) {
        Entry::Invalid => Err(Fault::Translation { level: FIRST_LEVEL as i8 }),
        Entry::Leaf(output) => {
            let found = Found { descriptor: first, output, level: FIRST_LEVEL, at, pxn: false };
            found.leaf(config, simplified, beyond_output)
        }
        Entry::Table(table) if table & beyond_output != 0 => {
            Err(Fault::AddressSize { level: FIRST_LEVEL as i8 })
        }
        Entry::Table(table) => {
            let index = input >> SMALL_PAGE_LG2 & ((1 << (SECTION_LG2 - SMALL_PAGE_LG2)) - 1);
            let at = table + BYTES * index;
            let second = read(fetch, at, LAST_LEVEL)?;
            let Entry::Leaf(output) = decode(second, LAST_LEVEL) else {
                return Err(Fault::Translation { level: LAST_LEVEL as i8 });
            };
            let pxn = TableEntry::PXN.is_set(u64::from(first));
            let found = Found { descriptor: second, output, level: LAST_LEVEL, at, pxn };
            found.leaf(config, simplified, beyond_output)
        }
    }
}

fn read<F: Fetch>(fetch: &mut F, at: u64, level: u8) -> Result<u32, Fault<F::Fault>> {
    let level = level as i8;
    fetch.fetch_short(at, level).map_err(|cause| Fault::Fetch { level, at, cause })
}

/// A leaf descriptor.
struct Found {
    descriptor: u32,
    output: u64,
    level: u8,
    at: u64,
    /// PXN of the table's descriptor.
    pxn: bool,
}

impl Found {
    fn leaf<F>(
        self,
        config: &Config,
        simplified: bool,
        beyond_output: u64,
    ) -> Result<Leaf, Fault<F>> {
        let Self { descriptor, output, level, at, pxn } = self;
        let signed = level as i8;
        let Some(kind) = Kind::of(descriptor, level) else {
            return Err(Fault::Translation { level: signed });
        };
        if output & beyond_output != 0 {
            return Err(Fault::AddressSize { level: signed });
        }
        let attributes = Attributes::of(descriptor, kind);
        // DDI 0406 B3.7.2: without AFE there is no access flag.
        let accessed = !simplified || attributes.accessed();
        if config.access_flag_faults && !accessed {
            return Err(Fault::AccessFlag { level: signed });
        }
        let (unprivileged, privileged) = attributes.data(simplified);
        let pxn = pxn || attributes.pxn;
        Ok(Leaf {
            output,
            lg2: kind.lg2(),
            level,
            descriptor: u64::from(descriptor),
            at,
            contiguous: false,
            accessed,
            clean: false,
            not_global: attributes.not_global,
            unprivileged: executable(unprivileged, attributes.xn),
            privileged: executable(privileged, attributes.xn || pxn),
            undivided: executable(privileged, attributes.xn),
        })
    }
}

/// `data`, and execution unless it is forbidden.
// DDI 0406 B3.7.2: what cannot be read is not executed either.
pub(crate) fn executable(data: Perms, forbidden: bool) -> Perms {
    if forbidden || !data.contains(Perms::READ) { data } else { data | Perms::EXEC }
}
