//! Decodes what was read into fields, by the names the specification prints.
//!
//! Fields that are 0 are omitted, except where 0 has a meaning of its own.

use super::{Step, Verdict};
use crate::descriptor;
use crate::named::{Layout, Named, Shown, named};
use crate::v3::config::cd::CdFlaw;
use crate::v3::config::ste::SteFlaw;
use crate::v3::eventq::Detail;
use crate::v3::wire::cd::{Cd0, Cd1, Cd2, Cd5, L1Cd};
use crate::v3::wire::ste::{L1Std, Ste0, Ste1, Ste2, Ste3, Ste4, Ste5};
use Shown::{Address, Always, Set};

const L1STD: Layout = &[("Span", L1Std::SPAN, Always), ("L2Ptr", L1Std::L2PTR, Address)];

const L1CD: Layout = &[("V", L1Cd::V, Always), ("L2Ptr", L1Cd::L2PTR, Address)];

const STE: [Layout; 6] = [
    &[
        ("V", Ste0::V, Always),
        ("Config", Ste0::CONFIG, Always),
        ("S1Fmt", Ste0::S1FMT, Set),
        ("S1ContextPtr", Ste0::S1CONTEXTPTR, Address),
        ("S1CDMax", Ste0::S1CDMAX, Set),
    ],
    &[
        ("S1DSS", Ste1::S1DSS, Set),
        ("S1CIR", Ste1::S1CIR, Set),
        ("S1COR", Ste1::S1COR, Set),
        ("S1CSH", Ste1::S1CSH, Set),
        ("S2HWU", Ste1::S2HWU, Set),
        ("DRE", Ste1::DRE, Set),
        ("CONT", Ste1::CONT, Set),
        ("DCP", Ste1::DCP, Set),
        ("PPAR", Ste1::PPAR, Set),
        ("MEV", Ste1::MEV, Set),
        ("S1PIE", Ste1::S1PIE, Set),
        ("S2FWB", Ste1::S2FWB, Set),
        ("S1MPAM", Ste1::S1MPAM, Set),
        ("S1STALLD", Ste1::S1STALLD, Set),
        ("EATS", Ste1::EATS, Set),
        ("STRW", Ste1::STRW, Set),
        ("MemAttr", Ste1::MEM_ATTR, Set),
        ("MTCFG", Ste1::MTCFG, Set),
        ("ALLOCCFG", Ste1::ALLOCCFG, Set),
        ("SHCFG", Ste1::SHCFG, Set),
        ("NSCFG", Ste1::NSCFG, Set),
        ("PRIVCFG", Ste1::PRIVCFG, Set),
        ("INSTCFG", Ste1::INSTCFG, Set),
    ],
    &[
        ("S2VMID", Ste2::S2VMID, Set),
        ("S2T0SZ", Ste2::S2T0SZ, Set),
        ("S2SL0", Ste2::S2SL0, Set),
        ("S2IR0", Ste2::S2IR0, Set),
        ("S2OR0", Ste2::S2OR0, Set),
        ("S2SH0", Ste2::S2SH0, Set),
        ("S2TG", Ste2::S2TG, Set),
        ("S2PS", Ste2::S2PS, Set),
        ("S2AA64", Ste2::S2AA64, Set),
        ("S2ENDI", Ste2::S2ENDI, Set),
        ("S2AFFD", Ste2::S2AFFD, Set),
        ("S2PTW", Ste2::S2PTW, Set),
        ("S2HD", Ste2::S2HD, Set),
        ("S2HA", Ste2::S2HA, Set),
        ("S2S", Ste2::S2S, Set),
        ("S2R", Ste2::S2R, Set),
        ("S2HAFT", Ste2::S2HAFT, Set),
    ],
    &[
        ("S2SL0_2", Ste3::S2SL0_2, Set),
        ("S2DS", Ste3::S2DS, Set),
        ("S2TTB", Ste3::S2TTB, Address),
        ("S2SKL", Ste3::S2SKL, Set),
    ],
    &[("PARTID", Ste4::PARTID, Set)],
    &[("PMG", Ste5::PMG, Set), ("VMSPtr", Ste5::VMSPTR, Address)],
];

const CD: [Layout; 6] = [
    &[
        ("V", Cd0::V, Always),
        ("ASID", Cd0::ASID, Always),
        ("T0SZ", Cd0::T0SZ, Always),
        ("TG0", Cd0::TG0, Always),
        ("IR0", Cd0::IR0, Set),
        ("OR0", Cd0::OR0, Set),
        ("SH0", Cd0::SH0, Set),
        ("EPD0", Cd0::EPD0, Set),
        ("T1SZ", Cd0::T1SZ, Set),
        ("TG1", Cd0::TG1, Set),
        ("IR1", Cd0::IR1, Set),
        ("OR1", Cd0::OR1, Set),
        ("SH1", Cd0::SH1, Set),
        ("EPD1", Cd0::EPD1, Set),
        ("ENDI", Cd0::ENDI, Set),
        ("IPS", Cd0::IPS, Always),
        ("AFFD", Cd0::AFFD, Set),
        ("WXN", Cd0::WXN, Set),
        ("UWXN", Cd0::UWXN, Set),
        ("TBI0", Cd0::TBI0, Set),
        ("TBI1", Cd0::TBI1, Set),
        ("PAN", Cd0::PAN, Set),
        ("AA64", Cd0::AA64, Always),
        ("HD", Cd0::HD, Set),
        ("HA", Cd0::HA, Set),
        ("S", Cd0::S, Set),
        ("R", Cd0::R, Set),
        ("A", Cd0::A, Set),
        ("ASET", Cd0::ASET, Set),
    ],
    &[
        ("HAD0", Cd1::HAD0, Set),
        ("E0PD0", Cd1::E0PD0, Set),
        ("HAFT", Cd1::HAFT, Set),
        ("TTB0", Cd1::TTB0, Address),
        ("EPAN", Cd1::EPAN, Set),
        ("HWU0", Cd1::HWU0, Set),
    ],
    &[
        ("HAD1", Cd2::HAD1, Set),
        ("E0PD1", Cd2::E0PD1, Set),
        ("TTB1", Cd2::TTB1, Address),
        ("DS", Cd2::DS, Set),
        ("PIE", Cd2::PIE, Set),
        ("HWU1", Cd2::HWU1, Set),
    ],
    &[],
    &[],
    &[("PARTID", Cd5::PARTID, Set), ("PMG", Cd5::PMG, Set)],
];

impl Step {
    /// The section that defines this step: of IHI 0070 G.b, or of DDI 0487.
    pub fn section(&self) -> &'static str {
        match self {
            Self::LevelOneStream { .. } => "IHI 0070 G.b 5.1",
            Self::Ste { .. } => "IHI 0070 G.b 5.2",
            Self::LevelOneCd { .. } => "IHI 0070 G.b 5.3",
            Self::Cd { .. } => "IHI 0070 G.b 5.4",
            Self::CachedLevelOneStream { .. }
            | Self::CachedSte
            | Self::CachedLevelOneCd { .. }
            | Self::CachedCd => "IHI 0070 G.b 3.21.3",
            Self::PartidMap { .. } => "IHI 0070 G.b 5.6",
            Self::CachedPartidMap => "IHI 0070 G.b 5.6.2",
            Self::Hit { .. } => "IHI 0070 G.b 3.17",
            Self::CachedTable { .. } => "IHI 0070 G.b 3.21.1",
            Self::Descriptor { .. } | Self::Leaf { .. } => "DDI 0487 D8.3",
            Self::Update { .. } => "IHI 0070 G.b 3.13",
        }
    }

    /// The fields of the words read, in the order of the structure.
    pub fn fields(&self) -> Vec<Named> {
        match self {
            Self::LevelOneStream { word, .. } | Self::CachedLevelOneStream { word } => {
                named(L1STD, *word, meaning)
            }
            Self::LevelOneCd { word, .. } | Self::CachedLevelOneCd { word } => {
                named(L1CD, *word, meaning)
            }
            Self::Ste { words, .. } => STE.iter().zip(words).flat_map(pair).collect(),
            Self::Cd { words, .. } => CD.iter().zip(words).flat_map(pair).collect(),
            Self::Descriptor { stage, word, entry: Some(entry), .. } => {
                descriptor::fields(*stage, *word, *entry)
            }
            Self::Descriptor { entry: None, .. }
            | Self::CachedSte
            | Self::CachedCd
            | Self::PartidMap { .. }
            | Self::CachedPartidMap
            | Self::Hit { .. }
            | Self::CachedTable { .. }
            | Self::Leaf { .. }
            | Self::Update { .. } => Vec::new(),
        }
    }
}

fn pair((layout, word): (&Layout, &u64)) -> Vec<Named> {
    named(layout, *word, meaning)
}

/// Meaning of a value, where words say more than the number.
fn meaning(name: &str, value: u64) -> Option<String> {
    let text = match (name, value) {
        ("Config", 0..4) => "abort",
        ("Config", 4) => "bypass",
        ("Config", 5) => "stage 1",
        ("Config", 6) => "stage 2",
        ("Config", 7) => "stage 1 and stage 2",
        ("S1DSS", 1) => "without SubstreamID: bypass stage 1",
        ("S1DSS", 2) => "without SubstreamID: CD 0",
        ("TG0" | "S2TG", 0) | ("TG1", 2) => "4K",
        ("TG0" | "S2TG", 1) | ("TG1", 3) => "64K",
        ("TG0" | "S2TG", 2) | ("TG1", 1) => "16K",
        ("T0SZ" | "T1SZ" | "S2T0SZ", size) => {
            return Some(format!("{} bits", 64u64.saturating_sub(size)));
        }
        ("IPS" | "S2PS", size) => {
            let bits = [32, 36, 40, 42, 44, 48, 52].get(size as usize)?;
            return Some(format!("{bits} bits"));
        }
        _ => return None,
    };
    Some(text.to_owned())
}

impl Verdict {
    /// The rule of an STE or CD that was broken, where that decided the verdict.
    pub fn flaw(&self) -> Option<&'static str> {
        let Self::Event(event) = self else { return None };
        match event.detail {
            Detail::Ste(flaw) => Some(flaw.sentence()),
            Detail::Cd(flaw) => Some(flaw.sentence()),
            Detail::None | Detail::Level(_) | Detail::Conflict(_) => None,
        }
    }
}

impl SteFlaw {
    /// What is wrong with the STE.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotValid => "STE.V is 0",
            Self::NoStage1 => "STE.Config asks for stage 1, and IDR0.S1P is 0",
            Self::NoStage2 => "STE.Config asks for stage 2, and IDR0.S2P is 0",
            Self::Eats => "STE.EATS does not fit Config, S2S or IDR0.NS1ATS",
            Self::Strw => "STE.STRW is reserved",
            Self::S1Stalld => "STE.S1STALLD is 1, and stalls cannot be disabled",
            Self::S1CdMax => "STE.S1CDMax is above IDR1.SSIDSIZE",
            Self::S1Fmt => "STE.S1Fmt asks for two levels, and IDR0.CD2L is 0",
            Self::S1ContextPtr => "STE.S1ContextPtr is beyond the address size",
            Self::S2Fwb => "STE.S2FWB is 1 with tables of AArch32",
            Self::S2S => "STE.S2S does not fit IDR0.STALL_MODEL",
            Self::S2Aa64 => "STE.S2AA64 asks for a format that IDR0.TTF lacks",
            Self::S2FlagUpdate => "STE.S2HA, S2HD or S2HAFT is beyond IDR0.HTTU",
            Self::S2Tg => "STE.S2TG names a granule that is not implemented",
            Self::S2Ttb => "STE.S2TTB is beyond the effective S2PS",
            Self::S2T0Sz => "STE.S2T0SZ is out of range",
            Self::S2Sl0 => "STE.S2SL0 does not fit S2T0SZ and S2TG",
            Self::S2Endi => "STE.S2ENDI is not in IDR0.TTENDIAN",
            Self::VmsPtr => "STE.VMSPtr lies beyond the output size",
            Self::S2Vmid => "STE.S2VMID has more than 8 bits, and IDR0.VMID16 is 0",
        }
    }
}

impl CdFlaw {
    /// What is wrong with the CD.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NotValid => "CD.V is 0",
            Self::StallDisabled => "CD.S is 1, and STE.S1STALLD forbids stalls",
            Self::A => "CD.A is 0, and IDR0.TERM_MODEL is 1",
            Self::S => "CD.S does not fit IDR0.STALL_MODEL",
            Self::Endi => "CD.ENDI is not in IDR0.TTENDIAN",
            Self::Aa64 => "CD.AA64 asks for a format that IDR0.TTF or the regime lacks",
            Self::FlagUpdate => "CD.HA, HD or HAFT is beyond IDR0.HTTU",
            Self::Asid => "CD.ASID has more than 8 bits, and IDR0.ASID16 is 0",
            Self::TxSz => "CD.T0SZ or T1SZ is out of range",
            Self::Tg => "CD.TG0 or TG1 names a granule that is not implemented",
            Self::Ttb => "CD.TTB0 or TTB1 is beyond the effective IPS",
        }
    }
}
