//! The identification registers, as Linux reads them.
//!
//! Not here: bring-up (`reset`). Nothing is stored here.

use super::tlbi::Spelling;
use super::wire::{Idr0, Idr1, Idr3, Idr5, offset};
use crate::iommu::BootError;
use crate::iommu::registers::Registers;
use crate::policy::{
    Policy, Smmu3Forced, Smmu3Privilege, Smmu3Queues, Smmu3Ranges, Smmu3Regime, Smmu3Reset,
    Smmu3Sync, Stage1Attributes, Stage2Roots, UnmapSync, WalkAttributes,
};
use passim_model::pgtable::vmsav8::Granule;
use passim_model::{Host, PageSize};

/// StreamID bits that a second-level stream table resolves.
pub(super) const STRTAB_SPLIT: u32 = 8;

/// How the stream table is laid out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StreamTableShape {
    /// One table.
    Linear,
    /// First level with second levels of `1 << STRTAB_SPLIT` entries.
    TwoLevel,
}

/// Whether the SMMU may stall faulting transactions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stalls {
    /// Never.
    No,
    /// Where the STE allows it.
    Optional,
    /// Always.
    Forced,
}

/// How a CPU detects that a CMD_SYNC is complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum SyncSignal {
    /// By CMDQ_CONS passing it; the kernel encodes no completion signal.
    Bare,
    /// By CMDQ_CONS passing it.
    Consumed,
    /// By a message that overwrites the command itself.
    Message,
}

impl SyncSignal {
    /// The signal of this kernel, with an SMMU that can send coherent messages, or cannot.
    fn of(sync: Smmu3Sync, message: bool) -> Self {
        match sync {
            Smmu3Sync::Bare => Self::Bare,
            Smmu3Sync::Message if message => Self::Message,
            Smmu3Sync::Message => Self::Consumed,
        }
    }
}

/// The features of one SMMU that Linux uses.
#[derive(Clone, Debug)]
pub(super) struct Features {
    pub(super) stage1: bool,
    pub(super) stage2: bool,
    pub(super) hyp: bool,
    /// Whether stage 1 uses the regime EL2-E2H, as the kernel itself does.
    pub(super) e2h: bool,
    pub(super) ats: bool,
    pub(super) pri: bool,
    /// How invalidations encode ranges.
    pub(super) spelling: Spelling,
    /// When an unmap waits for its invalidations.
    pub(super) unmap_sync: UnmapSync,
    /// The privilege field of STEs of stage 1.
    pub(super) privilege: Smmu3Privilege,
    pub(super) attribute_override: bool,
    pub(super) stalls: Stalls,
    /// Whether stage 2 stalls where stalls are forced.
    pub(super) stage2_stalls: bool,
    /// Whether table walks are configured as cacheable.
    pub(super) cached_walks: bool,
    /// Whether its accesses to tables are coherent: IDR0.COHACC.
    pub(super) coherent: bool,
    /// Memory attributes that stage 1 selects from.
    pub(super) attributes: Stage1Attributes,
    /// The start level of stage 2 tables.
    pub(super) roots: Stage2Roots,
    pub(super) stream_table: StreamTableShape,
    pub(super) sync_signal: SyncSignal,
    pub(super) asid_bits: u32,
    pub(super) vmid_bits: u32,
    pub(super) sid_bits: u32,
    /// Input size of stage 2, and output size of stage 1, in bits.
    pub(super) ias: u32,
    /// Output size of stage 2 in bits.
    pub(super) oas: u32,
    pub(super) granule: Granule,
    /// log2 of the smallest granule: the smallest unit that a device with ATS may request.
    pub(super) unit_lg2: u32,
    pub(super) cmdq_lg2: u32,
    pub(super) evtq_lg2: u32,
    pub(super) priq_lg2: u32,
}

/// log2 of the largest queue that Linux allocates, in bytes: its largest contiguous block.
// Dumps with 4K pages: CMDQ_BASE.LOG2SIZE 0x10, EVTQ_BASE.LOG2SIZE 0xf, though IDR1 allows 19.
// The block grows with the page: 256 pages.
const fn queue_bytes_lg2(page: PageSize) -> u32 {
    page.lg2() + 8
}

/// log2 of the bytes of a queue in kernels with short queues.
const SHORT_QUEUE_LG2: u32 = 12;

const COMMAND_LG2: u32 = 4;
const EVENT_LG2: u32 = 5;
const PAGE_REQUEST_LG2: u32 = 4;

/// Most commands that Linux submits at once, without the SYNC.
pub(super) const BATCH: usize = 64;

/// Reads the identification registers of the SMMU.
///
/// The order of loads is the kernel's: IDR0, IDR1, IDR3, IDR5, IIDR (measured on 6.1 and 6.12);
/// early kernels read neither IDR3 nor IIDR.
pub(super) fn probe(
    registers: Registers,
    policy: &Policy,
    page: PageSize,
    host: &mut impl Host,
) -> Result<Features, BootError> {
    let idr0 = registers.load(offset::IDR0, host)?;
    let idr1 = registers.load(offset::IDR1, host)?;
    let idr3 = match policy.smmu3_reset {
        Smmu3Reset::Early => 0,
        Smmu3Reset::Late => registers.load(offset::IDR3, host)?,
    };
    let idr5 = registers.load(offset::IDR5, host)?;
    if policy.smmu3_reset == Smmu3Reset::Late {
        // Selects errata workarounds, of which none is modelled.
        registers.load(offset::IIDR, host)?;
    }

    check(idr0, idr1)?;
    let [cmdq_lg2, evtq_lg2, priq_lg2] = queues(idr1, policy.smmu3_queues, page)?;
    let sid_bits = Idr1::SIDSIZE.get(idr1) as u32;
    if sid_bits > 32 {
        return Err(BootError::StreamIdSize(sid_bits));
    }
    let oas = match policy.smmu3_reset {
        Smmu3Reset::Early => output_bits(idr5).min(48),
        Smmu3Reset::Late => output_bits(idr5),
    };
    let stream_table = if Idr0::ST_LVL.get(idr0) == 1 && sid_bits > STRTAB_SPLIT {
        StreamTableShape::TwoLevel
    } else {
        StreamTableShape::Linear
    };
    let message = Idr0::MSI.is_set(idr0) && Idr0::COHACC.is_set(idr0);
    Ok(Features {
        stage1: Idr0::S1P.is_set(idr0),
        stage2: Idr0::S2P.is_set(idr0),
        hyp: Idr0::HYP.is_set(idr0),
        e2h: Idr0::HYP.is_set(idr0) && policy.smmu3_regime == Smmu3Regime::El2E2h,
        ats: Idr0::ATS.is_set(idr0),
        pri: Idr0::PRI.is_set(idr0),
        spelling: match policy.smmu3_ranges {
            Smmu3Ranges::Used if Idr3::RIL.is_set(idr3) => Spelling::Ranges,
            _ => Spelling::Blocks(policy.smmu3_long_ranges),
        },
        unmap_sync: policy.unmap_sync,
        privilege: policy.smmu3_privilege,
        attribute_override: Idr1::ATTR_TYPES_OVR.is_set(idr1),
        stalls: stalls(idr0, policy.smmu3_forced),
        stage2_stalls: Idr0::STALL_MODEL.get(idr0) == 2 && policy.smmu3_forced == Smmu3Forced::Both,
        coherent: Idr0::COHACC.is_set(idr0),
        cached_walks: Idr0::COHACC.is_set(idr0) || policy.walk_attributes == WalkAttributes::Cached,
        attributes: policy.stage1_attributes,
        roots: policy.stage2_roots,
        stream_table,
        sync_signal: SyncSignal::of(policy.smmu3_sync, message),
        asid_bits: if Idr0::ASID16.is_set(idr0) { 16 } else { 8 },
        vmid_bits: if Idr0::VMID16.is_set(idr0) { 16 } else { 8 },
        sid_bits,
        // AArch32 tables have inputs of 40 bits.
        ias: if Idr0::TTF.get(idr0) == 0b11 { oas.max(40) } else { oas },
        oas,
        granule: granule(idr5, page).ok_or(BootError::NoGranule)?,
        unit_lg2: offered(idr5).next().ok_or(BootError::NoGranule)?.lg2(),
        cmdq_lg2,
        evtq_lg2,
        priq_lg2,
    })
}

/// log2 of the entries of the three queues.
fn queues(idr1: u64, queues: Smmu3Queues, page: PageSize) -> Result<[u32; 3], BootError> {
    let (limit, least) = match queues {
        Smmu3Queues::Short => (SHORT_QUEUE_LG2, 1),
        Smmu3Queues::LargestBlock => (queue_bytes_lg2(page), BATCH),
    };
    let queue = |size: u64, entry_lg2: u32| (size as u32).min(limit - entry_lg2);
    let commands = queue(Idr1::CMDQS.get(idr1), COMMAND_LG2);
    if 1 << commands <= least {
        return Err(BootError::CommandQueueTooSmall);
    }
    let events = queue(Idr1::EVTQS.get(idr1), EVENT_LG2);
    Ok([commands, events, queue(Idr1::PRIQS.get(idr1), PAGE_REQUEST_LG2)])
}

/// How this kernel treats the SMMU's stall model.
fn stalls(idr0: u64, forced: Smmu3Forced) -> Stalls {
    match Idr0::STALL_MODEL.get(idr0) {
        0 => Stalls::Optional,
        2 if forced == Smmu3Forced::AsOptional => Stalls::Optional,
        2 => Stalls::Forced,
        _ => Stalls::No,
    }
}

/// Refuses an SMMU that Linux does not drive.
fn check(idr0: u64, idr1: u64) -> Result<(), BootError> {
    if Idr0::TTF.get(idr0) & 0b10 == 0 {
        return Err(BootError::NoAarch64Tables);
    }
    if Idr0::TTENDIAN.get(idr0) & 1 != 0 {
        return Err(BootError::BigEndianTables);
    }
    if !Idr0::S1P.is_set(idr0) && !Idr0::S2P.is_set(idr0) {
        return Err(BootError::NoTranslation);
    }
    let preset = Idr1::TABLES_PRESET.mask() | Idr1::QUEUES_PRESET.mask() | Idr1::REL.mask();
    if idr1 & preset != 0 {
        return Err(BootError::PresetTables);
    }
    Ok(())
}

/// IDR5.OAS in bits. Linux reads the reserved value as 48.
fn output_bits(idr5: u64) -> u32 {
    match Idr5::OAS.get(idr5) {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        6 => 52,
        _ => 48,
    }
}

/// The granule Linux chooses: the CPU's page size, else the largest smaller, else the smallest
/// larger.
fn granule(idr5: u64, page: PageSize) -> Option<Granule> {
    let (small, large): (Vec<_>, Vec<_>) =
        offered(idr5).partition(|granule| granule.page() <= page);
    small.last().or(large.first()).copied()
}

/// The granules of the SMMU, smallest first.
fn offered(idr5: u64) -> impl Iterator<Item = Granule> {
    let granules =
        [(Idr5::GRAN4K, Granule::K4), (Idr5::GRAN16K, Granule::K16), (Idr5::GRAN64K, Granule::K64)];
    granules.into_iter().filter(move |(field, _)| field.is_set(idr5)).map(|(_, granule)| granule)
}

#[cfg(test)]
mod tests;
