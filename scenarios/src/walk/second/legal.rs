//! Which STEs and CDs of Non-secure streams are ILLEGAL. IHI 0070 G.b 5.2.2 and 5.4.2.
//!
//! The fields of a stage's tables (granule, input size, TTB) are checked where they are read.

use super::context::Cd;
use super::fields::{Cd0, Cd1, Idr0, Idr1, Ste0, Ste1, Ste2};
use super::{Reading, Registers, STAGE_1, STAGE_2, World, stages};

/// SMMU_IDR0.STALL_MODEL: no fault stalls; every fault does. IHI 0070 G.b 6.3.1.
const NEVER: u64 = 1;
const ALWAYS: u64 = 2;

/// Checks an STE that translates; `Err` if it is ILLEGAL.
pub(super) fn ste(registers: &Registers, words: &[u64; 4]) -> Result<(), Reading> {
    let &[ste0, ste1, ste2, _] = words;
    let idr0 = registers.idr0;
    let config = Ste0::CONFIG.get(ste0);
    let (first, second) = (config & STAGE_1 != 0, config & STAGE_2 != 0);
    let stalls = Ste2::S2S.is_set(ste2);
    let eats = Ste1::EATS.get(ste1);
    let split = eats == 2 && (!(first && second) || stalls || Idr0::NS1ATS.is_set(idr0));
    let full = eats == 1 && stalls;
    let has_ats = Idr0::ATS.is_set(idr0);
    if full && has_ats && !second && registers.is_first_version() {
        return Err(Reading::Unread("STE.S2S with full ATS, of which SMMUv3.0 may make anything"));
    }
    // STRW applies to stage 1 alone; EL2 has no VMIDs.
    let of_el2 = !second && Idr0::HYP.is_set(idr0) && Ste1::STRW.get(ste1) != 0;
    let wide = Ste2::S2VMID.get(ste2) >> 8 != 0;
    let flaws = [
        first && !Idr0::S1P.is_set(idr0),
        second && !Idr0::S2P.is_set(idr0),
        has_ats && (split || full),
        first && first_is_illegal(registers, [ste0, ste1]),
        second && second_is_illegal(registers, ste2),
        wide && !Idr0::VMID16.is_set(idr0) && Idr0::S2P.is_set(idr0) && !of_el2,
    ];
    if flaws.contains(&true) { Err(Reading::Nothing) } else { Ok(()) }
}

fn first_is_illegal(registers: &Registers, [ste0, ste1]: [u64; 2]) -> bool {
    let substreams = Idr1::SSIDSIZE.get(registers.idr1);
    Ste1::S1STALLD.is_set(ste1) && Idr0::STALL_MODEL.get(registers.idr0) != 0
        || substreams != 0 && Ste0::S1CDMAX.get(ste0) > substreams
}

fn second_is_illegal(registers: &Registers, ste2: u64) -> bool {
    let flags = [&Ste2::S2HA, &Ste2::S2HD, &Ste2::S2HAFT].map(|flag| flag.is_set(ste2));
    stalls_wrongly(registers, Ste2::S2S.is_set(ste2)) || keeps_too_much(registers, flags)
}

/// Whether STE.S1ContextPtr is a valid pointer. IHI 0070 G.b 3.4.3: SMMUv3.0 may truncate bits
/// beyond the output size; an IPA beyond its size may be refused by the STE or by stage 2.
pub(super) fn context_pointer(registers: &Registers, ste0: u64, second: bool) -> Pointer {
    let bits = if second { stages::input_size(registers) } else { stages::output_size(registers) };
    match Ste0::S1CONTEXTPTR.in_place(ste0) >> bits {
        0 => Pointer::Within,
        _ if second => Pointer::Beyond,
        _ if registers.is_first_version() => Pointer::Cut,
        _ => Pointer::Illegal,
    }
}

/// The validity of an STE's pointer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pointer {
    Within,
    /// Beyond the sizes, in a version that may truncate it.
    Cut,
    /// Beyond the output size.
    Illegal,
    /// An IPA beyond its size.
    Beyond,
}

/// Checks a CD; `Err` if it is ILLEGAL.
pub(super) fn cd(registers: &Registers, ste1: u64, cd: &Cd, world: World) -> Result<(), Reading> {
    let &[cd0, cd1, _] = cd;
    let idr0 = registers.idr0;
    let stalls = Cd0::S.is_set(cd0);
    let flags = [Cd0::HA.is_set(cd0), Cd0::HD.is_set(cd0), Cd1::HAFT.is_set(cd1)];
    // EL2 has no ASIDs.
    let wide = world == World::Two && Cd0::ASID.get(cd0) >> 8 != 0;
    let flaws = [
        !Cd0::V.is_set(cd0),
        stalls && Ste1::S1STALLD.is_set(ste1),
        Idr0::TERM_MODEL.is_set(idr0) && !Cd0::A.is_set(cd0),
        stalls_wrongly(registers, stalls),
        keeps_too_much(registers, flags) && Cd0::AA64.is_set(cd0),
        wide && !Idr0::ASID16.is_set(idr0),
    ];
    if flaws.contains(&true) { Err(Reading::NoContext) } else { Ok(()) }
}

fn stalls_wrongly(registers: &Registers, stalls: bool) -> bool {
    match Idr0::STALL_MODEL.get(registers.idr0) {
        NEVER => stalls,
        ALWAYS => !stalls,
        _ => false,
    }
}

/// Checks HA, HD and HAFT against the hardware's updates: none, access flags, dirty state, and the
/// access flags of tables.
fn keeps_too_much(registers: &Registers, [access, dirty, of_tables]: [bool; 3]) -> bool {
    match Idr0::HTTU.get(registers.idr0) {
        0 => access || dirty,
        1 => dirty,
        2 => false,
        _ => of_tables && !access,
    }
}
