//! Checks and decodes STEs. IHI 0070 G.b 5.2 and 5.2.2.

use crate::attributes::{Attributes, Replacement, Shareability};
use crate::regime::{Endian, FlagUpdates, OnFault, Recording, Response, Stage2, World};
use crate::tlb::{Space, Tlb};
use crate::v3::config::SteWords;
use crate::v3::features::{Features, FlagUpdate, StallModel, TableEndian, address_bits};
use crate::v3::label::SteLabel;
use crate::v3::wire::cd::{CD_LG2, CdTable, L1CD_LG2};
use crate::v3::wire::ste::{Config, DefaultSubstream, Ste0, Ste1, Ste2, Ste3, Ste5};
use passim_model::access::{Access, Direction, Privilege};
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::pgtable::walk;
use passim_model::{PhysAddr, Vmid};

/// Why an STE is ILLEGAL. Each is a rule of IHI 0070 G.b 5.2.2, in its order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum SteFlaw {
    /// V = 0.
    NotValid,
    /// Stage 1 configured, IDR0.S1P = 0.
    NoStage1,
    /// Stage 2 configured, IDR0.S2P = 0.
    NoStage2,
    /// EATS does not fit Config, S2S or NS1ATS.
    Eats,
    /// A reserved STRW where STRW applies.
    Strw,
    /// S1STALLD where stalls cannot be disabled.
    S1Stalld,
    /// S1CDMax above IDR1.SSIDSIZE.
    S1CdMax,
    /// Two-level CD table, IDR0.CD2L = 0.
    S1Fmt,
    /// S1ContextPtr beyond the address size.
    S1ContextPtr,
    /// S2FWB with AArch32 tables.
    S2Fwb,
    /// S2S does not fit IDR0.STALL_MODEL.
    S2S,
    /// Table format not in IDR0.TTF.
    S2Aa64,
    /// S2HA, S2HD or S2HAFT beyond IDR0.HTTU.
    S2FlagUpdate,
    /// Granule not implemented.
    S2Tg,
    /// S2TTB beyond the effective S2PS.
    S2Ttb,
    /// S2T0SZ out of range.
    S2T0Sz,
    /// S2SL0 does not fit S2T0SZ and S2TG.
    S2Sl0,
    /// S2ENDI not in IDR0.TTENDIAN.
    S2Endi,
    /// S2VMID above 8 bits, IDR0.VMID16 = 0.
    S2Vmid,
    /// VMSPtr beyond the output size.
    VmsPtr,
}

/// The CD table of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct CdPointer {
    pub(crate) base: u64,
    pub(crate) table: CdTable,
    /// log2 of the number of CDs; 0 also where substreams do not exist.
    pub(crate) count_lg2: u32,
    pub(crate) default_substream: DefaultSubstream,
}

impl CdPointer {
    /// log2 of the CDs in a leaf, where there are two levels.
    pub(crate) fn split(&self) -> Option<u32> {
        self.table.split().filter(|_| self.count_lg2 != 0)
    }
}

/// The decoded configuration of a stream that translates.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Stream {
    pub(crate) world: World,
    pub(crate) vmid: Vmid,
    pub(crate) stage1: Option<CdPointer>,
    pub(crate) stage2: Option<Stage2>,
    /// STE.S1STALLD: a CD must not stall.
    pub(crate) stalls_disabled: bool,
    pub(crate) overrides: Overrides,
    pub(crate) ats: Ats,
    /// The virtual machine structure, where it is enabled.
    pub(crate) vms: Option<PhysAddr>,
}

/// The effective ATS mode. IHI 0070 G.b 5.2 (EATS).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ats {
    /// Translation requests are refused; so are translated transactions, where they are checked.
    Disabled,
    /// Answers are physical addresses.
    Full,
    /// Answers are intermediate addresses; translated transactions pass stage 2.
    SplitStage,
}

/// The effect of an STE on its transactions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SteState {
    /// C_BAD_STE.
    Illegal(SteFlaw),
    /// Silent termination.
    Abort,
    /// Neither stage translates.
    Bypass(Overrides),
    /// Translation.
    Translate(Stream),
}

/// A decoded STE: its state, and fields that apply in every state but ILLEGAL.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ste {
    pub(crate) state: SteState,
    /// STE.PPAR: responses to page requests carry the PASID of the request.
    pub(crate) pasid_in_responses: bool,
    pub(crate) label: SteLabel,
}

/// STE.PRIVCFG, STE.INSTCFG, and the overrides of memory attributes. IHI 0070 G.b 5.2, 13.5.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Overrides {
    pub(crate) privilege: Option<Privilege>,
    pub(crate) instruction: Option<bool>,
    /// Incoming memory attributes, after their override.
    pub(crate) memory: Attributes,
}

impl Default for Overrides {
    fn default() -> Self {
        Self { privilege: None, instruction: None, memory: Attributes::INCOMING }
    }
}

impl Overrides {
    fn of(word1: u64, features: &Features) -> Self {
        let replacement = match features.override_types {
            false => Replacement::default(),
            true => Replacement::of(
                Ste1::MEM_ATTR.get(word1),
                Ste1::MTCFG.is_set(word1),
                Ste1::SHCFG.get(word1),
                Ste1::ALLOCCFG.get(word1),
            ),
        };
        let memory = replacement.apply(Attributes::INCOMING);
        if !features.override_perms {
            return Self { memory, ..Self::default() };
        }
        Self {
            memory,
            privilege: match Ste1::PRIVCFG.get(word1) {
                2 => Some(Privilege::Unprivileged),
                3 => Some(Privilege::Privileged),
                _ => None,
            },
            instruction: match Ste1::INSTCFG.get(word1) {
                2 => Some(false),
                3 => Some(true),
                _ => None,
            },
        }
    }

    /// Whether accesses change at all.
    #[inline]
    pub(crate) fn change_access(self) -> bool {
        self.privilege.is_some() || self.instruction.is_some()
    }

    /// The access after the overrides.
    #[inline]
    pub(crate) fn apply(self, access: Access) -> Access {
        let instruction = self.instruction.unwrap_or(access.instruction);
        Access {
            privilege: self.privilege.unwrap_or(access.privilege),
            // IHI 0070 G.b 13.1.2: a write is always data.
            instruction: instruction && access.direction == Direction::Read,
            ..access
        }
    }
}

/// Everything outside an STE that its meaning depends on.
#[derive(Clone, Copy)]
pub(crate) struct Surroundings<'a> {
    pub(crate) features: &'a Features,
    /// The regime that STRW 2 selects.
    pub(crate) el2: World,
    /// CR0.ATSCHK. It may be cached with the STE (IHI 0070 G.b 3.9.2).
    pub(crate) ats_checked: bool,
}

/// Checks and decodes an STE.
pub(crate) fn judge(words: &SteWords, around: &Surroundings<'_>, tlb: &mut Tlb) -> Ste {
    let state = match read(words, around, tlb) {
        Ok(state) => state,
        Err(flaw) => SteState::Illegal(flaw),
    };
    let pasid_in_responses = Ste1::PPAR.is_set(words[1]);
    Ste { state, pasid_in_responses, label: SteLabel::of(words) }
}

fn read(words: &SteWords, around: &Surroundings<'_>, tlb: &mut Tlb) -> Result<SteState, SteFlaw> {
    let [w0, w1, w2, ..] = *words;
    let Surroundings { features, el2, ats_checked } = *around;
    require(Ste0::V.is_set(w0), SteFlaw::NotValid)?;
    let config = Config::of(Ste0::CONFIG.get(w0));
    let overrides = Overrides::of(w1, features);
    let (first, second) = match config {
        Config::Abort => return Ok(SteState::Abort),
        Config::Bypass => return Ok(SteState::Bypass(overrides)),
        Config::Stage1 => (true, false),
        Config::Stage2 => (false, true),
        Config::Nested => (true, true),
    };
    require(!first || features.stage1, SteFlaw::NoStage1)?;
    require(!second || features.stage2, SteFlaw::NoStage2)?;
    check_eats(config, w1, w2, features)?;
    let world = world(config, w1, features, el2)?;
    let stage1 = if first { Some(cd_pointer(words, second, features)?) } else { None };
    // IHI 0070 G.b 5.2.2 (IgnoreSTES2VMID): the VMID tags NS-EL1, also of stage 1 alone.
    let vmid = match world {
        World::El1 if features.stage2 => Ste2::S2VMID.get(w2) as u16,
        _ => 0,
    };
    let vmid_fits = features.vmid16 || vmid >> 8 == 0;
    let stage2 = match second {
        true => Some(stage2(words, features, Vmid::new(vmid), tlb)?),
        false => None,
    };
    require(vmid_fits, SteFlaw::S2Vmid)?;
    let vms = vms(config, words, features)?;
    Ok(SteState::Translate(Stream {
        world,
        vmid: Vmid::new(vmid),
        stage1,
        stage2,
        stalls_disabled: Ste1::S1STALLD.is_set(w1),
        overrides,
        ats: match Ste1::EATS.get(w1) {
            _ if !features.ats => Ats::Disabled,
            1 => Ats::Full,
            // IHI 0070 G.b 5.2: without the check, and without DPT, these act as 0.
            2 if ats_checked => Ats::SplitStage,
            _ => Ats::Disabled,
        },
        vms,
    }))
}

fn require(holds: bool, flaw: SteFlaw) -> Result<(), SteFlaw> {
    if holds { Ok(()) } else { Err(flaw) }
}

/// The VMS of a stream that has one. IHI 0070 G.b 5.2 (VMSPtr): both stages, and labels from CDs.
fn vms(config: Config, words: &SteWords, f: &Features) -> Result<Option<PhysAddr>, SteFlaw> {
    if !f.vms || config != Config::Nested || !Ste1::S1MPAM.is_set(words[1]) {
        return Ok(None);
    }
    let at = Ste5::VMSPTR.in_place(words[5]);
    require(f.in_oas(at), SteFlaw::VmsPtr)?;
    Ok(Some(PhysAddr::new(at)))
}

fn check_eats(config: Config, w1: u64, w2: u64, features: &Features) -> Result<(), SteFlaw> {
    if !features.ats {
        return Ok(());
    }
    let stalls = Ste2::S2S.is_set(w2);
    let stage2 = matches!(config, Config::Stage2 | Config::Nested);
    let legal = match Ste1::EATS.get(w1) {
        1 => !(stalls && stage2),
        2 => config == Config::Nested && !stalls && !features.ns1ats,
        3 if features.dpt => {
            let used = features.stage1 && features.hyp && config == Config::Stage1;
            let of_el2 = used && Ste1::STRW.get(w1) != 0;
            !(of_el2 || stalls && stage2)
        }
        _ => true,
    };
    require(legal, SteFlaw::Eats)
}

fn world(config: Config, w1: u64, features: &Features, el2: World) -> Result<World, SteFlaw> {
    // IHI 0070 G.b 5.2.2 (IgnoreSTESTRW): STRW applies only to stage 1 alone, with Hyp.
    if config != Config::Stage1 || !features.hyp {
        return Ok(World::El1);
    }
    match Ste1::STRW.get(w1) {
        0 => Ok(World::El1),
        2 => Ok(el2),
        _ => Err(SteFlaw::Strw),
    }
}

fn cd_pointer(words: &SteWords, nested: bool, f: &Features) -> Result<CdPointer, SteFlaw> {
    let [w0, w1, ..] = *words;
    let stalld = Ste1::S1STALLD.is_set(w1);
    require(!stalld || f.stall_model == StallModel::Both, SteFlaw::S1Stalld)?;
    let substreams = f.substream_bits != 0;
    let count_lg2 = if substreams { Ste0::S1CDMAX.get(w0) as u32 } else { 0 };
    require(count_lg2 <= f.substream_bits, SteFlaw::S1CdMax)?;
    let table = CdTable::of(Ste0::S1FMT.get(w0));
    let two_level = count_lg2 != 0 && table != CdTable::Linear;
    require(!two_level || f.two_level_cd, SteFlaw::S1Fmt)?;
    let base = Ste0::S1CONTEXTPTR.in_place(w0);
    let size = if nested { f.ias() } else { f.oas };
    require(base >> size == 0, SteFlaw::S1ContextPtr)?;
    // IHI 0070 G.b 5.2 (S1Fmt): a table is aligned to its size; what is below acts as zero here.
    let table_lg2 = match table.split().filter(|_| count_lg2 != 0) {
        None => count_lg2 + CD_LG2,
        Some(split) => count_lg2.saturating_sub(split) + L1CD_LG2,
    };
    let base = base & (u64::MAX << table_lg2);
    let default_substream = DefaultSubstream::of(Ste1::S1DSS.get(w1));
    Ok(CdPointer { base, table, count_lg2, default_substream })
}

/// The granule of S2TG and TG0. IHI 0070 G.b 5.2, 5.4.
pub(crate) fn granule0(field: u64, features: &Features) -> Option<Granule> {
    let granule = match field {
        0 => Granule::K4,
        1 => Granule::K64,
        2 => Granule::K16,
        _ => return None,
    };
    features.has(granule).then_some(granule)
}

/// The largest TxSZ. IHI 0070 G.b 5.2.2, 5.4.2.
pub(crate) fn max_size_offset(granule: Granule, features: &Features) -> u32 {
    match (features.small_tables, granule) {
        (false, _) => 39,
        (true, Granule::K64) => 47,
        (true, Granule::K4 | Granule::K16) => 48,
    }
}

fn stage2(words: &SteWords, f: &Features, vmid: Vmid, tlb: &mut Tlb) -> Result<Stage2, SteFlaw> {
    let [_, w1, w2, w3, ..] = *words;
    let aarch64 = Ste2::S2AA64.is_set(w2);
    let fwb = f.force_write_back && Ste1::S2FWB.is_set(w1);
    require(aarch64 || !fwb, SteFlaw::S2Fwb)?;
    let stalls = Ste2::S2S.is_set(w2);
    require(!(stalls && f.stall_model == StallModel::TerminateOnly), SteFlaw::S2S)?;
    require(stalls || f.stall_model != StallModel::Forced, SteFlaw::S2S)?;
    // AArch32 tables are legal only where TTF has them, and no modelled SMMU does.
    require(aarch64 && f.aarch64_tables, SteFlaw::S2Aa64)?;
    let (ha, hd) = (Ste2::S2HA.is_set(w2), Ste2::S2HD.is_set(w2));
    require(!(ha || hd) || f.flag_update >= FlagUpdate::Access, SteFlaw::S2FlagUpdate)?;
    require(!hd || f.flag_update >= FlagUpdate::Dirty, SteFlaw::S2FlagUpdate)?;
    let haft = f.flag_update == FlagUpdate::Tables && Ste2::S2HAFT.is_set(w2);
    require(ha || !haft, SteFlaw::S2FlagUpdate)?;
    let granule = granule0(Ste2::S2TG.get(w2), f).ok_or(SteFlaw::S2Tg)?;
    // IHI 0070 G.b 5.2 (S2DS): no effect with the 64K granule.
    let ds = f.ds && Ste3::S2DS.is_set(w3) && granule != Granule::K64;
    let effective = effective_bits(Ste2::S2PS.get(w2), f);
    let output_bits = output_bits(effective, granule, ds);
    let ttb = Ste3::S2TTB.in_place(w3);
    require(ttb >> output_bits == 0, SteFlaw::S2Ttb)?;
    let t0sz = Ste2::S2T0SZ.get(w2) as u32;
    // IHI 0070 G.b 5.2.2 (STES2T0SZInvalid): the input is bounded by IAS.
    let least = if granule == Granule::K64 || ds { 12 } else { 16 };
    let least = if f.minor == 0 { 64 - f.ias() } else { least.max(64 - f.ias()) };
    let in_range = least <= t0sz && t0sz <= max_size_offset(granule, f);
    require(in_range, SteFlaw::S2T0Sz)?;
    let input_bits = 64 - t0sz;
    let sl0 = (Ste2::S2SL0.get(w2), Ste3::S2SL0_2.is_set(w3));
    let start_level = start_level(sl0, granule, ds, f)
        .filter(|&level| concatenation_fits(level, input_bits, granule))
        .ok_or(SteFlaw::S2Sl0)?;
    let endian = endian(Ste2::S2ENDI.is_set(w2), f).ok_or(SteFlaw::S2Endi)?;
    let recorded = Ste2::S2R.is_set(w2);
    // IHI 0070 G.b 5.2 (S2HD): without S2HA nothing is updated.
    let updates = FlagUpdates { access: ha, dirty: ha && hd, tables: haft };
    Ok(Stage2 {
        walk: walk::Config {
            format: walk::Format::Aarch64,
            stage: Stage::Two,
            granule,
            input_bits,
            start_level,
            root: align_root(ttb, start_level, input_bits, granule, effective),
            output_bits,
            implemented_bits: f.oas,
            hierarchical: false,
            access_flag_faults: !Ste2::S2AFFD.is_set(w2) && !updates.access,
            ds,
            dirty_state: updates.dirty,
        },
        granule,
        endian,
        // IHI 0070 G.b 5.5: stage 2 has no A flag; termination is an abort.
        on_fault: OnFault {
            response: Response::Abort,
            recording: if recorded { Recording::Recorded } else { Recording::Suppressed },
            stalls,
        },
        updates,
        force_write_back: fwb,
        protected_walks: Ste2::S2PTW.is_set(w2),
        tag_permissions: f.tag_permissions,
        xnx: f.xnx,
        shareability: ds.then(|| Shareability::of(Ste2::S2SH0.get(w2))),
        hinted: false,
        space: tlb.space(Space::Stage2 { vmid }),
    })
}

/// The effective IPS or S2PS: capped to OAS. IHI 0070 G.b 5.2 (S2PS), 5.4 (IPS).
pub(crate) fn effective_bits(field: u64, features: &Features) -> u32 {
    let size = match (address_bits(field), features.minor) {
        // Reserved sizes act as the largest that is not.
        (size, 0) => size.min(48),
        (size, _) => size.min(52),
    };
    size.min(features.oas)
}

/// Output address bits under an effective IPS or S2PS: below the 64K granule, and without DS, a
/// descriptor holds 48 bits.
pub(crate) fn output_bits(effective: u32, granule: Granule, ds: bool) -> u32 {
    if granule == Granule::K64 || ds { effective } else { effective.min(48) }
}

/// The configured byte order, if the SMMU supports it.
pub(crate) fn endian(big: bool, features: &Features) -> Option<Endian> {
    match (big, features.table_endian) {
        (true, TableEndian::Little) | (false, TableEndian::Big) => None,
        (true, _) => Some(Endian::Big),
        (false, _) => Some(Endian::Little),
    }
}

/// The start level of S2SL0 and S2SL0_2; `None` where it is reserved or beyond the output size.
fn start_level(sl0: (u64, bool), granule: Granule, ds: bool, f: &Features) -> Option<i8> {
    match (granule, sl0) {
        // DDI 0487, VTCR_EL2.SL2: applies with DS and the 4K granule only.
        (Granule::K4, (0, true)) if ds => Some(-1),
        (Granule::K4, (_, true)) if ds => None,
        (Granule::K4, (0, _)) => Some(2),
        (Granule::K4, (1, _)) => Some(1),
        (Granule::K4, (2, _)) if f.oas >= 44 => Some(0),
        (Granule::K4, (3, _)) if f.small_tables => Some(3),
        (Granule::K16 | Granule::K64, (0, _)) => Some(3),
        (Granule::K16 | Granule::K64, (1, _)) => Some(2),
        (Granule::K16, (2, _)) if f.oas >= 42 => Some(1),
        (Granule::K64, (2, _)) if f.oas >= 44 => Some(1),
        (Granule::K16, (3, _)) if ds => Some(0),
        _ => None,
    }
}

/// log2 of the bytes a descriptor at `level` covers.
pub(crate) const fn level_lg2(level: i8, granule: Granule) -> u32 {
    let page = granule.page().lg2();
    page + (3 - level) as u32 * (page - 3)
}

/// Whether the input needs at least two descriptors and at most sixteen tables at the level.
fn concatenation_fits(level: i8, input_bits: u32, granule: Granule) -> bool {
    let least = level_lg2(level, granule) + 1;
    let most = least + (granule.page().lg2() - 3 - 1) + 4;
    (least..=most).contains(&input_bits)
}

/// The start-level table's address. IHI 0070 G.b 5.2, 5.4: low bits below the alignment of the
/// table act as zero, 64 bytes at least where the effective IPS or S2PS is 52 bits, whatever the
/// granule.
pub(crate) fn align_root(
    ttb: u64,
    level: i8,
    input_bits: u32,
    granule: Granule,
    effective: u32,
) -> u64 {
    let entries_lg2 = input_bits.saturating_sub(level_lg2(level, granule));
    let least = if effective > 48 { 6 } else { 4 };
    ttb & (u64::MAX << (entries_lg2 + 3).max(least))
}
