//! The tables a stream is translated by, found in memory for a second reading.
//!
//! It goes the way the SMMU goes, from STRTAB_BASE over STE and CD to the first table, with a
//! transcription of its own of the few fields it needs, and leaves the walk to the oracle. Not for
//! translating: it has no caches, checks little, and knows one CD a stream.

use passim_model::{Host, Memory, PhysAddr, StreamId, Width};
use passim_oracle::walk::{Config, TableLeaf, all_leaves, start_level_of_sl0};
use passim_oracle::{Granule, Stage};

use crate::system::Board;

/// IHI 0070 G.b 6.3.24, 6.3.25, 3.3.1: where the stream table lies and how it is split.
mod stream_table {
    passim_model::layout! {
        /// SMMU_STRTAB_BASE, 6.3.24.
        pub(super) struct Base {
            /// Address.
            ADDR = bits(51, 6);
        }
    }
    passim_model::layout! {
        /// SMMU_STRTAB_BASE_CFG, 6.3.25.
        pub(super) struct BaseCfg {
            /// log2 of the number of streams.
            LOG2SIZE = bits(5, 0);
            /// StreamID bits of the second level.
            SPLIT = bits(10, 6);
            /// 1: two levels.
            FMT = bits(17, 16);
        }
    }
    passim_model::layout! {
        /// Level 1 Stream Table Descriptor.
        pub(super) struct L1Std {
            /// Second level has 2^(SPAN - 1) entries; 0: none.
            SPAN = bits(4, 0);
            /// The second level.
            L2PTR = bits(51, 6);
        }
    }
    pub(super) const BASE: u64 = 0x80;
    pub(super) const BASE_CFG: u64 = 0x88;
    pub(super) const STE_LG2: u32 = 6;
    pub(super) const L1STD_LG2: u32 = 3;
}

passim_model::layout! {
    /// STE, bits 63..0. IHI 0070 G.b 5.2.
    struct Ste0 {
        /// Valid.
        V = bit(0);
        /// Which stages.
        CONFIG = bits(3, 1);
        /// First CD.
        S1CONTEXTPTR = bits(51, 6);
    }
}
passim_model::layout! {
    /// STE, bits 191..128.
    struct Ste2 {
        /// 64 less the input bits.
        S2T0SZ = bits(37, 32);
        /// Start level.
        S2SL0 = bits(39, 38);
        /// Granule.
        S2TG = bits(47, 46);
        /// Output size.
        S2PS = bits(50, 48);
    }
}
passim_model::layout! {
    /// A table's address: STE bits 255..192 and CD bits 127..64.
    struct TableBase {
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
        /// Valid.
        V = bit(31);
        /// Output size.
        IPS = bits(34, 32);
    }
}

const CONFIG_STAGE1: u64 = 0b101;
const CONFIG_STAGE2: u64 = 0b110;

/// Every leaf of the tables of `stream`, in order of IOVA, and their stage; `None` where nothing
/// translates for it.
pub(super) fn leaves_of(
    board: &mut Board,
    smmu: PhysAddr,
    stream: StreamId,
) -> Option<(Stage, Vec<TableLeaf>)> {
    let config = config_of(board, smmu, stream)?;
    let memory = board.memory();
    let leaves = all_leaves(&config, |at| memory.load_u64(PhysAddr::new(at)).ok()).ok()?;
    Some((config.stage, leaves))
}

/// What STE and CD of `stream` amount to.
fn config_of(board: &mut Board, smmu: PhysAddr, stream: StreamId) -> Option<Config> {
    let base = board.load(smmu.checked_add(stream_table::BASE)?, Width::W64).ok()?;
    let base_cfg = board.load(smmu.checked_add(stream_table::BASE_CFG)?, Width::W32).ok()?;
    let memory = board.memory();
    let ste = ste_address(memory, base, base_cfg, stream)?;
    let word = |at: PhysAddr, index: u64| memory.load_u64(at.checked_add(8 * index)?).ok();
    let ste0 = word(ste, 0)?;
    if !Ste0::V.is_set(ste0) {
        return None;
    }
    match Ste0::CONFIG.get(ste0) {
        CONFIG_STAGE1 => {
            let cd = PhysAddr::new(Ste0::S1CONTEXTPTR.in_place(ste0));
            let (cd0, cd1) = (word(cd, 0)?, word(cd, 1)?);
            let bits = input_bits(Cd0::T0SZ.get(cd0)).filter(|_| Cd0::V.is_set(cd0))?;
            let ttb = TableBase::TTB.in_place(cd1);
            let granule = granule(Cd0::TG0.get(cd0))?;
            Some(Config::stage1(granule, ttb, bits, output_bits(Cd0::IPS.get(cd0))))
        }
        CONFIG_STAGE2 => {
            let (ste2, ste3) = (word(ste, 2)?, word(ste, 3)?);
            let granule = granule(Ste2::S2TG.get(ste2))?;
            let level = start_level_of_sl0(granule, Ste2::S2SL0.get(ste2) as u8)?;
            let bits = input_bits(Ste2::S2T0SZ.get(ste2))?;
            let output = output_bits(Ste2::S2PS.get(ste2));
            Some(Config::stage2(granule, TableBase::TTB.in_place(ste3), bits, level, output))
        }
        _ => None,
    }
}

fn ste_address(memory: &Memory, base: u64, base_cfg: u64, stream: StreamId) -> Option<PhysAddr> {
    use stream_table::{Base, BaseCfg, L1STD_LG2, L1Std, STE_LG2};
    let table = PhysAddr::new(Base::ADDR.in_place(base));
    let stream = u64::from(stream.get());
    if stream >> BaseCfg::LOG2SIZE.get(base_cfg) != 0 {
        return None;
    }
    if BaseCfg::FMT.get(base_cfg) == 0 {
        return table.checked_add(stream << STE_LG2);
    }
    let split = BaseCfg::SPLIT.get(base_cfg);
    let l1std = memory.load_u64(table.checked_add(stream >> split << L1STD_LG2)?).ok()?;
    let index = stream & ((1 << split) - 1);
    let span = L1Std::SPAN.get(l1std);
    if span == 0 || index >> (span - 1) != 0 {
        return None;
    }
    PhysAddr::new(L1Std::L2PTR.in_place(l1std)).checked_add(index << STE_LG2)
}

/// IHI 0070 G.b 5.4: T0SZ of 16 to 39 is what every granule can do.
fn input_bits(size: u64) -> Option<u8> {
    (16..=39).contains(&size).then(|| 64 - size as u8)
}

/// IHI 0070 G.b 5.4, TG0 and 5.2, S2TG.
fn granule(field: u64) -> Option<Granule> {
    match field {
        0 => Some(Granule::Size4K),
        1 => Some(Granule::Size64K),
        2 => Some(Granule::Size16K),
        _ => None,
    }
}

/// IHI 0070 G.b 5.4, IPS.
fn output_bits(field: u64) -> u8 {
    match field {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        5 => 48,
        _ => 52,
    }
}
