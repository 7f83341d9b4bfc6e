//! Checks and decodes CDs. IHI 0070 G.b 5.4, 5.4.2 and 5.5.

use crate::attributes::Shareability;
use crate::regime::{
    FlagUpdates, Half, MemoryTypes, OnFault, PermissionLimits, Recording, Response, Split, Stage1,
    TopByte, Unprivileged, World,
};
use crate::tlb::{Space, Tlb};
use crate::v3::config::CdWords;
use crate::v3::config::ste::{
    Stream, align_root, effective_bits, endian, granule0, level_lg2, max_size_offset, output_bits,
};
use crate::v3::features::{Features, FlagUpdate, StallModel};
use crate::v3::label::Named;
use crate::v3::wire::cd::{Cd0, Cd1, Cd2};
use passim_model::bits::Field;
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::pgtable::walk;
use passim_model::{Asid, Vmid};

/// Why a CD is ILLEGAL. Each is a rule of IHI 0070 G.b 5.4.2, in its order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CdFlaw {
    /// V = 0.
    NotValid,
    /// S = 1 where the STE disables stalls.
    StallDisabled,
    /// A = 0, IDR0.TERM_MODEL = 1.
    A,
    /// S does not fit IDR0.STALL_MODEL.
    S,
    /// ENDI not in IDR0.TTENDIAN.
    Endi,
    /// Table format not in IDR0.TTF, or not in this regime.
    Aa64,
    /// HA, HD or HAFT beyond IDR0.HTTU.
    FlagUpdate,
    /// ASID above 8 bits, IDR0.ASID16 = 0.
    Asid,
    /// T0SZ or T1SZ out of range.
    TxSz,
    /// Granule not implemented.
    Tg,
    /// TTB0 or TTB1 beyond the effective IPS.
    Ttb,
}

/// A decoded CD, and its label.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cd {
    pub(crate) state: CdState,
    pub(crate) label: Named,
}

/// Stage 1 of a CD, or the rule that makes it ILLEGAL.
pub(crate) type CdState = Result<Stage1, CdFlaw>;

fn require(holds: bool, flaw: CdFlaw) -> Result<(), CdFlaw> {
    if holds { Ok(()) } else { Err(flaw) }
}

/// Checks and decodes a CD reached through `stream`.
pub(crate) fn judge(words: &CdWords, stream: &Stream, f: &Features, tlb: &mut Tlb) -> Cd {
    Cd { state: read(words, stream, f, tlb), label: Named::of_cd(words[5]) }
}

fn read(words: &CdWords, stream: &Stream, f: &Features, tlb: &mut Tlb) -> CdState {
    let [w0, w1, w2, ..] = *words;
    require(Cd0::V.is_set(w0), CdFlaw::NotValid)?;
    let stalls = Cd0::S.is_set(w0);
    require(!(stalls && stream.stalls_disabled), CdFlaw::StallDisabled)?;
    let aborts = Cd0::A.is_set(w0);
    require(aborts || !f.abort_only, CdFlaw::A)?;
    require(!(stalls && f.stall_model == StallModel::TerminateOnly), CdFlaw::S)?;
    require(stalls || f.stall_model != StallModel::Forced, CdFlaw::S)?;
    // IHI 0070 G.b 5.4 (EPD0, EPD1): in EL2 and EL3 there is one table and EPD0 acts as 0.
    let two_halves = stream.world != World::El2;
    let disabled = [two_halves && Cd0::EPD0.is_set(w0), !two_halves || Cd0::EPD1.is_set(w0)];
    let order = endian(Cd0::ENDI.is_set(w0), f);
    let endian = match order {
        Some(endian) => endian,
        // IHI 0070 G.b 5.4.2: ENDI applies only if a table is walked.
        None if disabled == [true, true] => crate::regime::Endian::Little,
        None => return Err(CdFlaw::Endi),
    };
    // AArch32 tables are legal only where TTF has them, and no modelled SMMU does.
    require(Cd0::AA64.is_set(w0) && f.aarch64_tables, CdFlaw::Aa64)?;
    let (ha, hd) = (Cd0::HA.is_set(w0), Cd0::HD.is_set(w0));
    require(!(ha || hd) || f.flag_update >= FlagUpdate::Access, CdFlaw::FlagUpdate)?;
    require(!hd || f.flag_update >= FlagUpdate::Dirty, CdFlaw::FlagUpdate)?;
    let haft = f.flag_update == FlagUpdate::Tables && Cd1::HAFT.is_set(w1);
    require(ha || !haft, CdFlaw::FlagUpdate)?;
    let asid = Cd0::ASID.get(w0) as u16;
    let tagged = two_halves;
    require(!tagged || f.asid16 || asid >> 8 == 0, CdFlaw::Asid)?;
    // IHI 0070 G.b 5.4 (HD): without HA nothing is updated.
    let updates = FlagUpdates { access: ha, dirty: ha && hd, tables: haft };
    let shape = Shape { ds: f.ds && Cd2::DS.is_set(w2), updates, two_halves };
    let lower = half(words, &LOWER, disabled[0], &shape, f)?;
    let halves = [lower, half(words, &UPPER, disabled[1], &shape, f)?];
    let (space, global) = spaces(stream, asid, Cd0::ASET.get(w0) as u8, tlb);
    Ok(Stage1 {
        world: stream.world,
        halves,
        endian,
        limits: limits(w0, w1, stream.world, f),
        types: MemoryTypes::Mair(words[3]),
        split: Split::Bit55,
        updates,
        on_fault: OnFault {
            response: if aborts { Response::Abort } else { Response::RazWi },
            recording: match Cd0::R.is_set(w0) {
                true => Recording::Recorded,
                false => Recording::Suppressed,
            },
            stalls,
        },
        heeds_hints: true,
        space,
        global,
    })
}

fn limits(w0: u64, w1: u64, world: World, f: &Features) -> PermissionLimits {
    // IHI 0070 G.b 5.4 (PAN, UWXN): neither exists in EL2 and EL3.
    let privileges = world != World::El2;
    PermissionLimits {
        write_implies_never_execute: Cd0::WXN.is_set(w0),
        unprivileged_write_implies_never_execute: privileges && Cd0::UWXN.is_set(w0),
        privileged_access_never: privileges && Cd0::PAN.is_set(w0),
        execution_counts_for_pan: f.epan && Cd1::EPAN.is_set(w1),
    }
}

/// Where translations through this CD are cached: by ASID, and global ones.
fn spaces(
    stream: &Stream,
    asid: u16,
    aset: u8,
    tlb: &mut Tlb,
) -> (crate::tlb::SpaceId, crate::tlb::SpaceId) {
    let Stream { world, vmid, .. } = *stream;
    // IHI 0070 G.b 3.17: EL2 entries carry neither tag, EL2-E2H entries no VMID.
    let (vmid, asid, aset) = match world {
        World::El1 => (vmid, asid, aset),
        World::El2E2h => (Vmid::new(0), asid, aset),
        World::El2 => (Vmid::new(0), 0, 0),
    };
    let asid = Asid::new(asid);
    let space = tlb.space(Space::Stage1 { world, vmid, asid });
    let global = match world {
        World::El2 => space,
        World::El1 | World::El2E2h => tlb.space(Space::Global { world, vmid, aset }),
    };
    (space, global)
}

/// The fields of one half, and which word holds TTB and HAD.
struct HalfFields {
    size: Field,
    granule: Field,
    top_byte: Field,
    word: usize,
    table: Field,
    no_hierarchy: Field,
    no_unprivileged: Field,
    shareability: Field,
    is_upper: bool,
}

/// What both halves have in common.
struct Shape {
    ds: bool,
    updates: FlagUpdates,
    /// Whether there are two halves and two privileges: in every regime but EL2.
    two_halves: bool,
}

const LOWER: HalfFields = HalfFields {
    size: Cd0::T0SZ,
    granule: Cd0::TG0,
    top_byte: Cd0::TBI0,
    word: 1,
    table: Cd1::TTB0,
    no_hierarchy: Cd1::HAD0,
    no_unprivileged: Cd1::E0PD0,
    shareability: Cd0::SH0,
    is_upper: false,
};

const UPPER: HalfFields = HalfFields {
    size: Cd0::T1SZ,
    granule: Cd0::TG1,
    top_byte: Cd0::TBI1,
    word: 2,
    table: Cd2::TTB1,
    no_hierarchy: Cd2::HAD1,
    no_unprivileged: Cd2::E0PD1,
    shareability: Cd0::SH1,
    is_upper: true,
};

/// The granule of TG1, whose encoding differs from TG0's. IHI 0070 G.b 5.4.
fn granule1(field: u64, features: &Features) -> Option<Granule> {
    let granule = match field {
        1 => Granule::K16,
        2 => Granule::K4,
        3 => Granule::K64,
        _ => return None,
    };
    features.has(granule).then_some(granule)
}

fn half(
    words: &CdWords,
    at: &HalfFields,
    disabled: bool,
    shape: &Shape,
    f: &Features,
) -> Result<Half, CdFlaw> {
    let Shape { ds, updates, two_halves } = *shape;
    let (w0, own) = (words[0], words[at.word]);
    let top_byte = if at.top_byte.is_set(w0) { TopByte::Ignored } else { TopByte::Counts };
    let refused = f.e0pd && two_halves && at.no_unprivileged.is_set(own);
    let unprivileged = if refused { Unprivileged::Refused } else { Unprivileged::Permitted };
    // IHI 0070 G.b 5.4 (DS): descriptors of the small granules then hold an address where
    // shareability was; those of the 64K granule do not change.
    let shared = |ds: bool| ds.then(|| Shareability::of(at.shareability.get(w0)));
    if disabled {
        // IHI 0070 G.b 5.4.1.1: nothing of a disabled half is checked.
        let (granule, shareability) = (Granule::K4, shared(ds));
        return Ok(Half { walk: None, granule, top_byte, unprivileged, shareability });
    }
    let field = at.granule.get(w0);
    let granule = if at.is_upper { granule1(field, f) } else { granule0(field, f) };
    let ds = ds && granule != Some(Granule::K64);
    let shareability = shared(ds);
    let size_offset = at.size.get(w0) as u32;
    // IHI 0070 G.b 5.4.2: TxSZ is checked before TGx, with the limits of the granule named.
    let named = granule.unwrap_or(Granule::K4);
    let least = if f.large_va && (named == Granule::K64 || ds) { 12 } else { 16 };
    let in_range = least <= size_offset && size_offset <= max_size_offset(named, f);
    require(in_range, CdFlaw::TxSz)?;
    let granule = granule.ok_or(CdFlaw::Tg)?;
    let effective = effective_bits(Cd0::IPS.get(w0), f);
    let output_bits = output_bits(effective, granule, ds);
    let ttb = at.table.in_place(own);
    require(ttb >> output_bits == 0, CdFlaw::Ttb)?;
    let input_bits = 64 - size_offset;
    let start_level = start_level(input_bits, granule);
    let walk = walk::Config {
        format: walk::Format::Aarch64,
        stage: Stage::One,
        granule,
        input_bits,
        start_level,
        root: align_root(ttb, start_level, input_bits, granule, effective),
        output_bits,
        implemented_bits: f.oas,
        hierarchical: !(f.hierarchical_disable && at.no_hierarchy.is_set(own)),
        access_flag_faults: !Cd0::AFFD.is_set(w0) && !updates.access,
        ds,
        dirty_state: updates.dirty,
    };
    Ok(Half { walk: Some(walk), granule, top_byte, unprivileged, shareability })
}

/// The level whose one table covers the input: stage 1 does not concatenate.
fn start_level(input_bits: u32, granule: Granule) -> i8 {
    let stride = granule.page().lg2() - 3;
    let covers = |level: &i8| level_lg2(*level, granule) + stride >= input_bits;
    (-1..=3).rev().find(covers).unwrap_or(0)
}
