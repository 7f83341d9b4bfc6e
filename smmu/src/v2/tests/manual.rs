//! Every register as IHI 0062 D.c documents it: its offset, which stores it accepts, which bits it
//! has with which features, and what a load returns.
//!
//! A second transcription, in numbers; nothing here uses the layouts under test. Where the
//! architecture leaves a choice, this follows the list of choices.

use crate::v2::{Aarch32, Auxiliary, Description, FlagUpdates, Version};
use std::collections::BTreeMap;

/// How a word of the register window responds to stores and loads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Stores change `stored`; loads show `shown`, and `ones` as ones.
    Keeps { stored: u32, shown: u32, ones: u32 },
    /// As `Keeps`, and a store makes every other bit zero.
    Replaces { stored: u32 },
    /// A stored one clears the bit; loads show `shown`, and `ones` as ones.
    Clears { cleared: u32, shown: u32, ones: u32 },
    /// What is stored becomes these bits of the register at another offset; reads as zero.
    Restores { at: u64, bits: u32 },
    /// Read-only.
    Fixed(u32),
    /// Read-only: reads as another word.
    Alias(u64),
    /// A store does something; reads as zero.
    Operation,
    /// Read-only, and 1 while an operation is under way.
    Status,
    /// Reads as zero and ignores stores: reserved, Secure, or without the feature.
    Absent,
}

use Kind::{Absent, Alias, Clears, Fixed, Operation, Replaces, Restores, Status};

const fn keeps(bits: u32) -> Kind {
    Kind::Keeps { stored: bits, shown: bits, ones: 0 }
}

/// `kind` with a feature, nothing without.
const fn with(feature: bool, kind: Kind) -> Kind {
    if feature { kind } else { Absent }
}

/// As many ones from bit 0 up.
fn ones(bits: u8) -> u64 {
    if bits >= 64 { u64::MAX } else { (1 << bits) - 1 }
}

fn high(bits: u64) -> u32 {
    (bits >> 32) as u32
}

/// The page of the window a word lies in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Page {
    Global0,
    Global1,
    Bank(u64),
    Hole,
}

/// A word: page and offset.
pub(super) type Word = (Page, u64);

/// The format of a bank's tables, as in FSR.Format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Tables {
    Short,
    Long,
    Aarch64,
}

/// What the rows depend on.
struct View<'a> {
    built: &'a Description,
    /// Offset of the word in its page.
    at: u64,
    /// CR0 as it is.
    cr0: u32,
    /// Of a bank: whether it has the stage-2 format.
    stage2: bool,
    tables: Tables,
    /// ACR as it is.
    acr: u32,
}

impl View<'_> {
    fn v2(&self) -> bool {
        self.built.version == Version::V2
    }

    fn extended_ids(&self) -> bool {
        self.v2() && self.built.stream_matching && self.built.extended_ids
    }

    fn aarch64(&self) -> bool {
        has_aarch64(self.built)
    }

    fn operations(&self) -> bool {
        self.built.stage1 && self.built.translation_operations
    }

    fn vmid16(&self) -> bool {
        self.v2() && self.built.vmid16
    }

    fn mmu500(&self) -> bool {
        matches!(self.built.auxiliary, Auxiliary::Mmu500 { .. })
    }

    /// Bits of the addresses a table register can hold. 16.5.40.
    fn table_bits(&self) -> u64 {
        let bits = self.built.ipa_bits.max(self.built.output_bits);
        ones(if self.aarch64() { bits } else { bits.min(40) })
    }

    /// Bits of an upstream address. 9.6.14: for SMMUv1 these are IAS.
    fn upstream(&self) -> u8 {
        if self.v2() { self.built.upstream_bits } else { self.built.ipa_bits }
    }

    /// Bits of FAR and IPAFAR: no fewer than of upstream addresses and of IPAs. 16.5.8, 17.3.2.
    fn fault_address(&self) -> u64 {
        ones(self.upstream().max(self.built.ipa_bits))
    }

    fn stream_id(&self) -> u32 {
        ones(if self.extended_ids() { 16 } else { self.built.stream_bits }) as u32
    }

    /// The index of this register in its array, which starts at `first`.
    fn index(&self, first: u64) -> u64 {
        (self.at - first) / 4
    }
}

fn has_aarch64(built: &Description) -> bool {
    built.version != Version::V1 && built.granules != [false; 3]
}

fn has_aarch32(built: &Description) -> bool {
    built.aarch32 != Aarch32::Absent || !has_aarch64(built)
}

/// Registers of one kind: first and last offset, name, and kind.
struct Row(u64, u64, &'static str, fn(&View<'_>) -> Kind);

/// Table 9-1. Missing rows are reserved, and so are the offsets between them.
const SPACE_0: &[Row] = &[
    Row(0x000, 0x000, "CR0", cr0),
    Row(0x004, 0x004, "SCR1", |_| Absent),
    // BPVMID: implementation defined whether there is one; the extensions are not there.
    Row(0x008, 0x008, "CR2", |_| Absent),
    Row(0x010, 0x010, "ACR", |v| keeps(if v.mmu500() { 1 << 26 | 1 << 10 | 1 << 8 } else { 0 })),
    Row(0x020, 0x03c, "IDR0 to IDR7", identification),
    Row(0x040, 0x040, "GFAR", |_| keeps(u32::MAX)),
    Row(0x044, 0x044, "GFAR, upper half", |v| keeps(high(ones(v.upstream())))),
    Row(0x048, 0x048, "GFSR", |v| Clears { cleared: gfsr(v), shown: gfsr(v), ones: 0 }),
    Row(0x04c, 0x04c, "GFSRRESTORE", |v| Restores { at: 0x048, bits: gfsr(v) }),
    Row(0x050, 0x050, "GFSYNR0", |_| keeps(1 << 6 | 0xf)),
    Row(0x054, 0x054, "GFSYNR1", |v| keeps(v.stream_id())),
    Row(0x058, 0x058, "GFSYNR2", |_| Absent),
    Row(0x060, 0x060, "STLBIALL", |_| Absent),
    Row(0x064, 0x070, "TLBIVMID, TLBIALLNSNH, TLBIALLH, TLBGSYNC", |_| Operation),
    Row(0x074, 0x074, "TLBGSTATUS", |_| Status),
    Row(0x078, 0x078, "TLBIVAH", |_| Operation),
    Row(0x0a0, 0x0ac, "STLBIVALM, STLBIVAM", |_| Absent),
    Row(0x0b0, 0x0b8, "TLBIVALH64, TLBIVMIDS1", |v| with(v.v2(), Operation)),
    Row(0x0bc, 0x0bc, "STLBIALLM", |_| Absent),
    Row(0x0c0, 0x0c4, "TLBIVAH64", |v| with(v.v2(), Operation)),
    Row(0x100, 0x13c, "GATS1UR to GATS12PW", |v| with(v.operations(), Operation)),
    Row(0x180, 0x180, "GPAR", |v| with(v.operations(), keeps(u32::MAX))),
    Row(0x184, 0x184, "GPAR, upper half", |v| with(v.operations(), par_high(v))),
    Row(0x188, 0x188, "GATSR", |v| with(v.operations(), Status)),
    Row(0x400, 0x588, "the Secure alias", |_| Absent),
    Row(0x800, 0x9fc, "SMR", smr),
    Row(0xc00, 0xdfc, "S2CR", s2cr),
];

/// Table 10-1.
const SPACE_1: &[Row] = &[
    Row(0x000, 0x1fc, "CBAR", |v| with(v.index(0x000) < u64::from(v.built.banks), cbar(v))),
    Row(0x400, 0x5fc, "CBFRSYNRA", |v| {
        with(v.index(0x400) < u64::from(v.built.banks), keeps(v.stream_id()))
    }),
    Row(0x800, 0x9fc, "CBA2R", |v| with(v.index(0x800) < u64::from(v.built.banks), cba2r(v))),
];

/// Tables 16-1 and 17-1.
const BANK: &[Row] = &[
    Row(0x000, 0x000, "SCTLR", sctlr),
    Row(0x004, 0x004, "ACTLR", |v| {
        let locked = v.acr & 1 << 26 != 0;
        let bits = if v.mmu500() { 1 << 1 } else { 0 };
        Kind::Keeps { stored: if locked { 0 } else { bits }, shown: bits, ones: 0 }
    }),
    Row(0x008, 0x008, "RESUME", |_| Operation),
    Row(0x010, 0x010, "TCR2", |v| with(v.v2() && !v.stage2, tcr2(v))),
    Row(0x020, 0x020, "TTBR0", |v| keeps(v.table_bits() as u32)),
    Row(0x024, 0x024, "TTBR0, upper half", ttbr_high),
    Row(0x028, 0x028, "TTBR1", |v| with(!v.stage2, keeps(v.table_bits() as u32))),
    Row(0x02c, 0x02c, "TTBR1, upper half", |v| with(!v.stage2, ttbr_high(v))),
    Row(0x030, 0x030, "TCR", tcr),
    Row(0x034, 0x034, "CONTEXTIDR", |v| with(!v.stage2, keeps(u32::MAX))),
    Row(0x038, 0x03c, "MAIR0, MAIR1", |v| with(!v.stage2, keeps(u32::MAX))),
    Row(0x050, 0x050, "PAR", |v| with(!v.stage2 && v.operations(), keeps(u32::MAX))),
    Row(0x054, 0x054, "PAR, upper half", |v| with(!v.stage2 && v.operations(), par_high(v))),
    Row(0x058, 0x058, "FSR", |v| {
        let format = if v.v2() { (v.tables as u32) << 9 } else { 0 };
        // RESUME clears SS.
        Clears { cleared: fsr(v), shown: fsr(v) | 1 << 30, ones: format }
    }),
    Row(0x05c, 0x05c, "FSRRESTORE", |v| Restores { at: 0x058, bits: fsr(v) }),
    Row(0x060, 0x060, "FAR", |_| keeps(u32::MAX)),
    Row(0x064, 0x064, "FAR, upper half", |v| keeps(high(v.fault_address()))),
    Row(0x068, 0x068, "FSYNR0", |v| Replaces { stored: fsynr0(v) }),
    Row(0x06c, 0x06c, "FSYNR1", |_| Absent),
    Row(0x070, 0x074, "IPAFAR", ipafar),
    Row(0x600, 0x62c, "TLBIVA to TLBIVAAL", |v| with(!v.stage2, Operation)),
    Row(0x630, 0x63c, "TLBIIPAS2, TLBIIPAS2L", |v| with(v.v2() && v.stage2, Operation)),
    Row(0x7f0, 0x7f0, "TLBSYNC", |v| with(v.v2() || !v.stage2, Operation)),
    Row(0x7f4, 0x7f4, "TLBSTATUS", |v| with(v.v2() || !v.stage2, Status)),
    Row(0x800, 0x81c, "ATS1PR to ATS1UW", |v| with(!v.stage2 && v.operations(), Operation)),
    Row(0x8f0, 0x8f0, "ATSR", |v| with(!v.stage2 && v.operations(), Status)),
];

/// 9.6.3. GCFGFRE and GCFGFIE are not there without configuration faults; GSE is not while STALLD
/// is set.
fn cr0(v: &View<'_>) -> Kind {
    // CLIENTPD, GFRE, GFIE; TRANSIENTCFG; USFCFG to MTCFG; SMCFCFG to WACFG.
    let mut bits = 0x0fff_fcc7;
    if v.extended_ids() {
        bits |= 1 << 3;
    }
    if v.built.stall {
        bits |= 1 << 8;
    }
    let gse = if v.built.stall && v.built.global_stall { 1 << 9 } else { 0 };
    if v.v2() && v.built.e2h {
        bits |= 1 << 30;
    }
    if v.vmid16() {
        bits |= 1 << 31;
    }
    let shown = if v.cr0 & 1 << 8 != 0 { bits } else { bits | gse };
    Kind::Keeps { stored: bits | gse, shown, ones: 0 }
}

/// 9.6.1.
fn identification(v: &View<'_>) -> Kind {
    let built = v.built;
    let flag = |set: bool, bit: u32| u32::from(set) << bit;
    let size = |bits: u8| match bits {
        32 => 0,
        36 => 1,
        40 => 2,
        42 => 3,
        44 => 4,
        _ => 5u32,
    };
    let formats = match built.aarch32 {
        Aarch32::LongAndShort => 0,
        Aarch32::Long => 1,
        Aarch32::Absent => 2,
    };
    let interrupts = if v.v2() { 1 } else { u32::from(built.context_interrupts) };
    let atosns = v.v2() && built.stage1 && !built.translation_operations;
    let upstream = match built.upstream_bits {
        64 => 15,
        bits => size(bits),
    };
    let updates = match built.flag_updates {
        FlagUpdates::None => 0,
        FlagUpdates::Access => 1,
        FlagUpdates::Dirty => 3,
    };
    let of_v2 = upstream << 8
        | flag(built.granules[0], 12)
        | flag(built.granules[1], 13)
        | flag(built.granules[2], 14)
        | flag(built.vmid16, 15)
        | flag(built.e2h, 27)
        | flag(built.hierarchical_disable, 28);
    Fixed(match v.at {
        0x20 => {
            flag(built.stage1, 30)
                | flag(built.stage2, 29)
                | flag(built.nested, 28)
                | flag(built.stream_matching, 27)
                | flag(atosns, 26)
                | formats << 24
                | interrupts << 16
                | flag(built.coherent, 14)
                | u32::from(built.stream_bits) << 9
                | flag(v.extended_ids(), 8)
                | u32::from(built.stream_entries)
        }
        0x24 => {
            flag(built.large_pages, 31)
                | u32::from(built.pages_lg2 - 1) << 28
                | if v.v2() { updates << 24 } else { 0 }
                | u32::from(built.stage2_banks) << 16
                | flag(built.conflict_detection, 15)
                | u32::from(built.banks)
        }
        0x28 => {
            size(built.output_bits) << 4 | size(built.ipa_bits) | if v.v2() { of_v2 } else { 0 }
        }
        0x3c => u32::from(built.revision),
        _ => 0,
    })
}

/// 9.6.15. PF is the Secure state's; there are no configuration access faults.
fn gfsr(v: &View<'_>) -> u32 {
    1 << 31 | 1 << 6 | 0x1f | if v.v2() { 1 << 8 } else { 0 }
}

/// 16.5.14: MATTR, the physical address, and PLVL and STAGE of a fault.
fn par_high(v: &View<'_>) -> Kind {
    let address = ones(v.built.ipa_bits.max(v.built.output_bits));
    keeps(0xff00_000b | high(address))
}

/// 9.6.25. Where both formats exist, 9.5 stores the bit that only one of them has.
fn smr(v: &View<'_>) -> Kind {
    let id = ones(v.built.stream_bits) as u32;
    let bits = if v.extended_ids() { u32::MAX } else { 1 << 31 | id << 16 | id };
    let there = v.index(0x800) < u64::from(v.built.stream_entries);
    with(v.built.stream_matching && there, keeps(bits))
}

/// 9.6.23: all three formats together. NSCFG is the Secure state's.
fn s2cr(v: &View<'_>) -> Kind {
    let extended = if v.extended_ids() { 1 << 10 } else { 0 };
    let there = v.index(0xc00) < u64::from(v.built.stream_entries);
    with(there, keeps(0x3ff3_fbff | extended))
}

/// 10.2.1: all four formats together.
fn cbar(v: &View<'_>) -> Kind {
    keeps(if v.v2() { 0x00ff_ffff } else { u32::MAX })
}

/// 10.2.2. MONC is RAZ/WI without two Security states.
fn cba2r(v: &View<'_>) -> Kind {
    let choice = has_aarch32(v.built) && v.aarch64();
    let vmid = if v.vmid16() { 0xffff << 16 } else { 0 };
    let bits = vmid | u32::from(choice);
    Kind::Keeps { stored: bits, shown: bits, ones: u32::from(!has_aarch32(v.built)) }
}

/// 16.5.29 and 17.3.3. CFCFG is not there where nothing stalls.
fn sctlr(v: &View<'_>) -> Kind {
    let stalls = v.built.stall && v.cr0 & 1 << 8 == 0;
    let both = 0x0fcf_017f | if stalls { 1 << 7 } else { 0 };
    keeps(if v.stage2 {
        both | 1 << 21 | 3 << 14 | if v.built.nested { 1 << 13 } else { 0 }
    } else {
        let uci = if v.v2() { 1 << 30 } else { 0 };
        both | uci | 1 << 20 | 3 << 14 | 1 << 12 | 3 << 9
    })
}

/// 16.5.39. NSCFG0 and NSCFG1 are the Secure state's.
fn tcr2(v: &View<'_>) -> Kind {
    let hierarchy = if v.built.hierarchical_disable { 3 << 8 } else { 0 };
    let updates = match v.built.flag_updates {
        FlagUpdates::None => 0,
        FlagUpdates::Access => 1 << 10,
        FlagUpdates::Dirty => 3 << 10,
    };
    keeps(7 << 15 | updates | hierarchy | 7 << 4 | 7)
}

/// 16.5.40, 17.3.9: an ASID of 16 bits with AArch64, of 8 with long descriptors alone; stage 2 has
/// none.
fn ttbr_high(v: &View<'_>) -> Kind {
    let asid = match (v.stage2, v.aarch64()) {
        (true, _) => 0,
        (false, true) => 0xffff << 16,
        (false, false) => 0xff << 16,
    };
    keeps(asid | high(v.table_bits()))
}

/// 16.5.38, 17.3.8: all formats together.
fn tcr(v: &View<'_>) -> Kind {
    let short = v.built.aarch32 == Aarch32::LongAndShort;
    if !v.stage2 {
        // EAE to A1, T1SZ, SH0 to EPD0, T0SZ; of Secure banks NSCFG1 and NSCFG0.
        let long = 0xbfc7_3f87;
        let short = if short { 3 << 4 } else { 0 };
        return keeps(if v.aarch64() { !(1 << 6) } else { long | short });
    }
    let both = 0x3fcf;
    let updates = match v.built.flag_updates {
        _ if !v.v2() => 0,
        FlagUpdates::None => 0,
        FlagUpdates::Access => 1 << 21,
        FlagUpdates::Dirty => 3 << 21,
    };
    let of_64 = if v.aarch64() { updates | 7 << 16 | 3 << 14 | 3 << 4 } else { 0 };
    let ones = if v.tables == Tables::Long { 1 << 31 } else { 0 };
    // With long descriptors, stores to bit 4 are ignored.
    let ignored = if v.tables == Tables::Long { 1 << 4 } else { 0 };
    Kind::Keeps { stored: (both | of_64) & !ignored, shown: both | of_64, ones }
}

/// 16.5.9: MULTI, TLBLKF to TF; ASF and UUT with SMMUv2.
fn fsr(v: &View<'_>) -> u32 {
    1 << 31 | 0x7e | if v.v2() { 3 << 7 } else { 0 }
}

/// 16.5.11, 17.3.1.
fn fsynr0(v: &View<'_>) -> u32 {
    // AFR, PTWF, IND, PNU, WNR, PLVL.
    let both = 0xc73;
    match (v.stage2, v.built.nested) {
        (false, _) => both,
        // ATOF, NSATTR.
        (true, false) => both | 3 << 8,
        // S1CBNDX, S1PTWF; NESTED with SMMUv2 (3.5.1).
        (true, true) => both | 3 << 8 | 0xff << 16 | 1 << 3 | u32::from(v.v2()) << 2,
    }
}

/// 17.3.2.
fn ipafar(v: &View<'_>) -> Kind {
    let bits = if v.at == 0x70 { u32::MAX } else { high(v.fault_address()) };
    let kind = if v.built.nested { keeps(bits) } else { Alias(v.at - 0x10) };
    with(v.v2() && v.stage2, kind)
}

/// Where an offset of the register window leads. 8.1.
pub(super) fn word(built: &Description, offset: u64) -> Word {
    let size = if built.large_pages { 0x1_0000 } else { 0x1000 };
    let pages = 1u64 << built.pages_lg2;
    let page = match offset / size {
        0 => Page::Global0,
        1 => Page::Global1,
        page if page >= pages && page - pages < u64::from(built.banks) => Page::Bank(page - pages),
        _ => Page::Hole,
    };
    (page, offset % size)
}

/// The content of the registers, by the manual.
#[derive(Clone)]
pub(super) struct Manual {
    built: Description,
    words: BTreeMap<Word, u32>,
}

impl Manual {
    /// After reset. 9.2, 16.2; what is UNKNOWN there is zero.
    pub(super) fn reset(built: Description) -> Self {
        let mut words = BTreeMap::from([((Page::Global0, 0), 1)]);
        if let Auxiliary::Mmu500 { locked } = built.auxiliary {
            words.insert((Page::Global0, 0x10), u32::from(locked) << 26);
            for bank in 0..u64::from(built.banks) {
                words.insert((Page::Bank(bank), 4), 1 << 1);
            }
        }
        Self { built, words }
    }

    fn raw(&self, word: Word) -> u32 {
        self.words.get(&word).copied().unwrap_or(0)
    }

    fn view(&self, (page, at): Word) -> View<'_> {
        let mut view = View {
            built: &self.built,
            at,
            cr0: self.raw((Page::Global0, 0)),
            stage2: false,
            tables: Tables::Long,
            acr: self.raw((Page::Global0, 0x10)),
        };
        if let Page::Bank(bank) = page {
            let cbar = self.raw((Page::Global1, 4 * bank));
            let kind = cbar >> 16 & 3;
            view.stage2 = bank < u64::from(self.built.stage2_banks) || kind == 0;
            let va64 = self.load((Page::Global1, 0x800 + 4 * bank)) & 1 != 0;
            // HYPC; not E2HC.
            let hypervisor =
                kind == 1 && self.built.stage1 && cbar & 1 << 10 != 0 && view.cr0 & 1 << 30 == 0;
            let eae = self.raw((page, 0x30)) >> 31 != 0
                || view.stage2
                || hypervisor
                || self.built.aarch32 != Aarch32::LongAndShort;
            view.tables = match (va64 && view.aarch64(), eae) {
                (true, _) => Tables::Aarch64,
                (false, true) => Tables::Long,
                (false, false) => Tables::Short,
            };
        }
        view
    }

    /// The name and the kind of a word's register.
    pub(super) fn row(&self, word: Word) -> (&'static str, Kind) {
        let rows = match word.0 {
            Page::Global0 => SPACE_0,
            Page::Global1 => SPACE_1,
            Page::Bank(_) => BANK,
            Page::Hole => return ("a hole", Absent),
        };
        match rows.iter().find(|row| (row.0..=row.1).contains(&word.1)) {
            Some(row) => (row.2, row.3(&self.view(word))),
            None => ("reserved", Absent),
        }
    }

    /// Stores one word. Returns whether it had an effect beyond the register.
    pub(super) fn store(&mut self, word: Word, value: u32) -> bool {
        let old = self.raw(word);
        match self.row(word).1 {
            Kind::Keeps { stored, .. } => {
                self.words.insert(word, old & !stored | value & stored);
            }
            Replaces { stored } => {
                self.words.insert(word, value & stored);
            }
            Clears { cleared, .. } => {
                self.words.insert(word, old & !(value & cleared));
            }
            Restores { at, bits } => {
                let target = (word.0, at);
                let kept = self.raw(target) & !bits;
                self.words.insert(target, kept | value & bits);
            }
            Operation => return true,
            Fixed(_) | Alias(_) | Status | Absent => {}
        }
        false
    }

    /// The value that a load of one word returns; for a status, its value at rest.
    pub(super) fn load(&self, word: Word) -> u32 {
        let raw = self.raw(word);
        match self.row(word).1 {
            Kind::Keeps { shown, ones, .. } | Clears { shown, ones, .. } => raw & shown | ones,
            Replaces { stored } => raw & stored,
            Fixed(value) => value,
            Alias(at) => self.load((word.0, at)),
            Restores { .. } | Operation | Status | Absent => 0,
        }
    }

    /// Takes over a value that the SMMU itself wrote to a register.
    ///
    /// # Panics
    /// If it holds bits that the register does not have.
    pub(super) fn learn(&mut self, word: Word, value: u32) {
        let (name, kind) = self.row(word);
        let (there, fixed) = match kind {
            Kind::Keeps { shown, ones, .. } | Clears { shown, ones, .. } => (shown, ones),
            Replaces { stored } => (stored, 0),
            Alias(_) | Absent => return,
            other => panic!("{name} is {other:?}"),
        };
        assert_eq!(value & !(there | fixed), 0, "{name} {word:x?} has bits that are not there");
        self.words.insert(word, value & there);
    }
}
