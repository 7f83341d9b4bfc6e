//! STE and CD of a lookup: from a dump, or built from the log's fields.

use passim_model::StreamId;

use super::log::{Configuration, Descriptor, Lookup, Ttb};
use crate::recording::dump::SmmuDump;

/// Words to store in memory.
pub(super) struct Structures {
    /// Address and word.
    pub(super) words: Vec<(u64, u64)>,
    /// Whether they are built from the log because no dump contains them.
    pub(super) are_made: bool,
}

passim_model::layout! {
    /// STE, bits 63..0. IHI 0070 G.b 5.2.
    struct Ste0 {
        /// Valid.
        V = bit(0);
        /// The stages that translate.
        CONFIG = bits(3, 1);
        /// First CD.
        S1CONTEXTPTR = bits(51, 6);
    }
}
passim_model::layout! {
    /// STE, bits 191..128.
    struct Ste2 {
        /// VMID.
        S2VMID = bits(15, 0);
        /// 64 less the input bits.
        S2T0SZ = bits(37, 32);
        /// Start level.
        S2SL0 = bits(39, 38);
        /// Granule.
        S2TG = bits(47, 46);
        /// Output size.
        S2PS = bits(50, 48);
        /// AArch64.
        S2AA64 = bit(51);
        /// Faults are recorded.
        S2R = bit(58);
    }
}
passim_model::layout! {
    /// A table's address: STE bits 255..192 and CD bits 127..64.
    struct TableBase {
        /// CD.HAD0.
        HAD0 = bit(1);
        /// Address.
        TTB = bits(51, 4);
    }
}
passim_model::layout! {
    /// CD, bits 63..0. IHI 0070 G.b 5.4.
    struct Cd0 {
        /// 64 less the input bits.
        T0SZ = bits(5, 0);
        /// Granule.
        TG0 = bits(7, 6);
        /// No TTB1.
        EPD1 = bit(30);
        /// Valid.
        V = bit(31);
        /// Output size.
        IPS = bits(34, 32);
        /// AArch64.
        AA64 = bit(41);
        /// Faults are recorded.
        R = bit(45);
        /// Faults abort.
        A = bit(46);
        /// ASID.
        ASID = bits(63, 48);
    }
}
passim_model::layout! {
    /// SMMU_IDR5, IHI 0070 G.b 6.3.6.
    struct Idr5 {
        /// Output size.
        OAS = bits(2, 0);
    }
}

/// The structures for lookups of a stream from `lookup` on; `None` if neither a dump nor the log
/// contains them.
pub(super) fn structures(
    configuration: &Configuration,
    lookup: &Lookup,
    dumps: &[SmmuDump],
) -> Option<Structures> {
    let mut words: Vec<(u64, u64)> = configuration.level_one.into_iter().collect();
    if let Some(dumped) = dumped(configuration, lookup, dumps) {
        words.extend(dumped);
        return Some(Structures { words, are_made: false });
    }
    words.extend(made(configuration, lookup, dumps.first()?)?);
    Some(Structures { words, are_made: true })
}

/// STE and CD of a dump that are at the lookup's addresses and point to its table.
fn dumped(
    configuration: &Configuration,
    lookup: &Lookup,
    dumps: &[SmmuDump],
) -> Option<Vec<(u64, u64)>> {
    let first = lookup.descriptors.first().map(|descriptor| descriptor.table);
    let streams = dumps.iter().flat_map(|dump| &dump.streams);
    let mut meant = streams.filter(|stream| {
        stream.stream == StreamId::new(lookup.stream)
            && stream.ste_pa.is_some_and(|at| at.get() == configuration.ste)
            && stream.cd_pa.map(|at| at.get()) == configuration.cd
            && match (&stream.cd, configuration.table) {
                (Some(cd), Some(table)) => TableBase::TTB.in_place(cd[1]) == table.address,
                (None, None) => {
                    first.is_none_or(|table| TableBase::TTB.in_place(stream.ste[3]) == table)
                }
                _ => false,
            }
    });
    let stream = meant.next()?;
    let mut words = run(configuration.ste, &stream.ste);
    if let (Some(at), Some(cd)) = (configuration.cd, &stream.cd) {
        words.extend(run(at, cd));
    }
    Some(words)
}

/// STE and CD, built from the fields in the log.
fn made(
    configuration: &Configuration,
    lookup: &Lookup,
    dump: &SmmuDump,
) -> Option<Vec<(u64, u64)>> {
    let oas = Idr5::OAS.get(*dump.regs.get("IDR5")?);
    let config = |stages| Ste0::V.of(1) | Ste0::CONFIG.of(stages);
    match (configuration.cd, configuration.table) {
        (Some(cd), Some(table)) => {
            let ste0 = config(0b101) | Ste0::S1CONTEXTPTR.in_place(cd);
            let mut words = run(configuration.ste, &[ste0, 0, 0, 0, 0, 0, 0, 0]);
            words.extend(run(cd, &context(configuration, &table, lookup)?));
            Some(words)
        }
        (None, None) => {
            let words = second_stage(lookup.descriptors.first()?, lookup.vmid, oas)?;
            let [ste2, ste3] = words;
            Some(run(configuration.ste, &[config(0b110), 0, ste2, ste3, 0, 0, 0, 0]))
        }
        _ => None,
    }
}

fn context(configuration: &Configuration, table: &Ttb, lookup: &Lookup) -> Option<[u64; 8]> {
    let cd0 = Cd0::T0SZ.of(table.t0sz)
        | Cd0::TG0.of(granule_field(table.granule_lg2)?)
        | Cd0::EPD1.of(1)
        | Cd0::V.of(1)
        | Cd0::IPS.of(size_field(configuration.output_bits)?)
        | Cd0::AA64.of(1)
        | Cd0::R.of(1)
        | Cd0::A.of(1)
        | Cd0::ASID.of(lookup.asid);
    let cd1 = TableBase::TTB.in_place(table.address) | TableBase::HAD0.of(table.had);
    Some([cd0, cd1, 0, 0, 0, 0, 0, 0])
}

/// Stage 2 that starts where a walk started. The bytes that one descriptor covers there give the
/// granule; the input size is what one table there resolves, and at most the output size.
fn second_stage(first: &Descriptor, vmid: u64, oas: u64) -> Option<[u64; 2]> {
    if first.level > 3 || !first.covers.is_power_of_two() {
        return None;
    }
    let below = 3 - first.level;
    let covers = u64::from(first.covers.ilog2());
    // DDI 0487 D8.2: a level resolves 3 bits fewer than a page has.
    let granule = [12, 14, 16].into_iter().find(|page| page + below * (page - 3) == covers)?;
    let bits = (covers + granule - 3).min(size_of_field(oas));
    // IHI 0070 G.b 5.2, S2SL0: with 4K 2 is level 0, with the others 2 is level 1.
    let sl0 = if granule == 12 { 2u64.checked_sub(first.level)? } else { below.min(2) };
    let ste2 = Ste2::S2VMID.of(vmid)
        | Ste2::S2T0SZ.of(64 - bits)
        | Ste2::S2SL0.of(sl0)
        | Ste2::S2TG.of(granule_field(granule)?)
        | Ste2::S2PS.of(oas)
        | Ste2::S2AA64.of(1)
        | Ste2::S2R.of(1);
    Some([ste2, TableBase::TTB.in_place(first.table)])
}

fn run(at: u64, words: &[u64; 8]) -> Vec<(u64, u64)> {
    (0u64..).zip(words).map(|(index, word)| (at.saturating_add(8 * index), *word)).collect()
}

/// TG0 and S2TG. IHI 0070 G.b 5.4, 5.2.
fn granule_field(lg2: u64) -> Option<u64> {
    match lg2 {
        12 => Some(0),
        14 => Some(2),
        16 => Some(1),
        _ => None,
    }
}

/// IPS, S2PS and OAS. IHI 0070 G.b 5.4.
const SIZES: [u64; 7] = [32, 36, 40, 42, 44, 48, 52];

fn size_field(bits: u64) -> Option<u64> {
    SIZES.iter().position(|size| *size == bits).map(|field| field as u64)
}

fn size_of_field(field: u64) -> u64 {
    SIZES.get(field as usize).copied().unwrap_or(52)
}
