//! Stage 1 of a context bank. IHI 0062 D.c chapter 16.

use super::{FAULTS, Registers, SignExtension, hypervisor, tags_of};
use crate::regime::{
    Endian, FlagUpdates, Half, MemoryTypes, PermissionLimits, Split, Stage1, TopByte, Unprivileged,
    World,
};
use crate::tlb::{Space, Tlb};
use crate::v2::bank::{Bank, Scheme};
use crate::v2::features::{Description, FlagUpdates as Updates, size_of};
use crate::v2::wire::bank::{
    Contextidr, Sctlr, Tcr, Tcr2, TcrLong, TcrShort, Ttbr, TtbrLong, TtbrShort,
};
use passim_model::Asid;
use passim_model::pgtable::vmsav7l;
use passim_model::pgtable::vmsav8::{Granule, Stage};
use passim_model::pgtable::walk::{self, Config, Format};

/// Bits of an address in AArch32's tables.
const AARCH32_BITS: u32 = vmsav7l::MAX_BITS;

/// Output bits of stage 1 that the implementation allows. IHI 0062 D.c table 3-3, 1.6.1: the
/// effective IPA size. 1.5.2, address size faults in AArch32: without a second stage the output
/// must also fit the bus.
pub(super) fn output_bits(description: &Description, scheme: Scheme, nested: bool) -> u32 {
    let ias = description.ias();
    match scheme {
        Scheme::Short | Scheme::Long if nested => ias.min(AARCH32_BITS),
        Scheme::Short | Scheme::Long => ias.min(AARCH32_BITS).min(description.oas()),
        Scheme::Aarch64 if nested => ias,
        Scheme::Aarch64 => ias.min(description.oas()),
    }
}

/// The ASID of a bank. IHI 0062 D.c 16.5.7, 16.5.39, 16.5.40.
pub(super) fn asid(registers: Registers<'_>, bank: usize) -> Asid {
    let scheme = super::scheme_of(registers, bank);
    let bank = &registers.banks[bank];
    let tcr = bank.tcr();
    let asid = match scheme {
        Scheme::Short => Contextidr::ASID.get(u64::from(bank.contextidr)),
        Scheme::Long => TtbrLong::ASID.get(bank.ttbr[usize::from(TcrLong::A1.is_set(tcr))]),
        Scheme::Aarch64 => {
            let asid = Ttbr::ASID.get(bank.ttbr[usize::from(Tcr::A1.is_set(tcr))]);
            if Tcr2::AS.is_set(bank.tcr2()) { asid } else { asid & 0xff }
        }
    };
    Asid::new(asid as u16)
}

/// How a bus address is sign-extended. IHI 0062 D.c 1.6.4, 16.5.39 (SEP).
pub(super) fn sign_extension(
    registers: Registers<'_>,
    bank: usize,
    scheme: Scheme,
) -> SignExtension {
    let off = !Sctlr::M.is_set(registers.banks[bank].sctlr());
    let hypc = hypervisor(registers, bank) == Some(World::El2);
    if scheme != Scheme::Aarch64 || off || hypc {
        return SignExtension::None;
    }
    let bits = registers.description.ubs();
    let asked = match Tcr2::SEP.get(registers.banks[bank].tcr2()) {
        0 => Some(31),
        1 => Some(35),
        2 => Some(39),
        3 => Some(41),
        4 => Some(43),
        5 => Some(47),
        // Reserved, or the topmost bit of a bus that has one for the sign.
        _ => (bits == 49).then_some(48),
    };
    // A bit the bus does not have: the address is zero-extended.
    asked.filter(|&bit| bit < bits).map_or(SignExtension::None, SignExtension::From)
}

/// Decodes stage 1 of a bank.
pub(super) fn of(
    registers: Registers<'_>,
    bank: usize,
    scheme: Scheme,
    output_bits: u32,
    tlb: &mut Tlb,
) -> Stage1 {
    let (world, vmid, asid) = tags_of(registers, bank);
    let bank = &registers.banks[bank];
    let sctlr = bank.sctlr();
    let built = Build { description: registers.description, bank, output_bits, world };
    let updates = built.updates(scheme);
    let (halves, split, types) = match scheme {
        Scheme::Short => built.short(),
        Scheme::Long => built.long(),
        Scheme::Aarch64 => built.aarch64(updates),
    };
    Stage1 {
        world,
        halves,
        split,
        endian: if Sctlr::E.is_set(sctlr) { Endian::Big } else { Endian::Little },
        limits: PermissionLimits {
            write_implies_never_execute: Sctlr::WXN.is_set(sctlr),
            // IHI 0062 D.c 2.8.1: a hypervisor's context has no unprivileged accesses.
            unprivileged_write_implies_never_execute: world != World::El2
                && Sctlr::UWXN.is_set(sctlr),
            ..PermissionLimits::default()
        },
        types,
        updates,
        on_fault: FAULTS,
        heeds_hints: false,
        space: tlb.space(Space::Stage1 { world, vmid, asid }),
        global: tlb.space(Space::Global { world, vmid, aset: 0 }),
    }
}

/// A half whose walks are disabled, or that does not exist.
const NO_HALF: Half = Half {
    walk: None,
    granule: Granule::K4,
    top_byte: TopByte::Counts,
    unprivileged: Unprivileged::Permitted,
    shareability: None,
};

/// What the formats have in common.
struct Build<'a> {
    description: &'a Description,
    bank: &'a Bank,
    output_bits: u32,
    world: World,
}

impl Build<'_> {
    /// IHI 0062 D.c 16.5.39: only AArch64 contexts use HA and HD.
    fn updates(&self, scheme: Scheme) -> FlagUpdates {
        let tcr2 = self.bank.tcr2();
        let capable = scheme == Scheme::Aarch64 && self.description.flag_updates != Updates::None;
        let access = capable && Tcr2::HA.is_set(tcr2);
        FlagUpdates { access, dirty: access && Tcr2::HD.is_set(tcr2), tables: false }
    }

    /// Whether a clear access flag faults. IHI 0062 D.c 16.5.29 (AFFD).
    fn flag_faults(&self) -> bool {
        !Sctlr::AFFD.is_set(self.bank.sctlr())
    }

    fn mair(&self) -> MemoryTypes {
        let [low, high] = self.bank.mair.map(u64::from);
        MemoryTypes::Mair(high << 32 | low)
    }

    /// A configuration of AArch32, without root.
    fn aarch32(&self, format: Format, input_bits: u32) -> Config {
        Config {
            format,
            stage: Stage::One,
            granule: Granule::K4,
            input_bits,
            start_level: vmsav7l::stage1_start_level(input_bits) as i8,
            root: 0,
            output_bits: self.output_bits,
            implemented_bits: self.output_bits,
            hierarchical: true,
            access_flag_faults: self.flag_faults(),
            ds: false,
            dirty_state: false,
        }
    }

    fn short(&self) -> ([Half; 2], Split, MemoryTypes) {
        let (tcr, sctlr) = (self.bank.tcr(), self.bank.sctlr());
        let n = TcrShort::T0SZ.get(tcr) as u32;
        let format = Format::Short { simplified: Sctlr::AFE.is_set(sctlr) };
        let half = |ttbr: u64, disabled: bool, less: u32| {
            let config = self.aarch32(format, 32 - less);
            let root = TtbrShort::BASE.in_place(ttbr);
            Half { walk: (!disabled).then_some(Config { root, ..config }), ..NO_HALF }
        };
        let [lower, upper] = self.bank.ttbr;
        let halves =
            [half(lower, TcrShort::PD0.is_set(tcr), n), half(upper, TcrShort::PD1.is_set(tcr), 0)];
        let [primary, normal] = self.bank.mair;
        let types = match Sctlr::TRE.is_set(sctlr) {
            true => MemoryTypes::Remap { primary, normal },
            false => MemoryTypes::Spelled,
        };
        (halves, Split::Size { lower: n, upper: 0 }, types)
    }

    fn long(&self) -> ([Half; 2], Split, MemoryTypes) {
        let tcr = self.bank.tcr();
        let half = |ttbr: u64, disabled: bool, less: u32| {
            let config = self.aarch32(Format::Long, 32 - less);
            let root = aligned(TtbrLong::BASE.in_place(ttbr), &config);
            Half { walk: (!disabled).then_some(Config { root, ..config }), ..NO_HALF }
        };
        let (less0, less1) = (TcrLong::T0SZ.get(tcr) as u32, TcrLong::T1SZ.get(tcr) as u32);
        let [lower, upper] = self.bank.ttbr;
        // IHI 0062 D.c 2.8.1: a hypervisor's context has TTBR0 alone; 1.5.2: EPD0 applies to it.
        if self.world == World::El2 {
            let halves = [half(lower, TcrLong::EPD0.is_set(tcr), less0), NO_HALF];
            return (halves, Split::Size { lower: less0, upper: 0 }, self.mair());
        }
        let halves = [
            half(lower, TcrLong::EPD0.is_set(tcr), less0),
            half(upper, TcrLong::EPD1.is_set(tcr), less1),
        ];
        (halves, Split::Size { lower: less0, upper: less1 }, self.mair())
    }

    fn aarch64(&self, updates: FlagUpdates) -> ([Half; 2], Split, MemoryTypes) {
        let (tcr, tcr2) = (self.bank.tcr(), self.bank.tcr2());
        let one_half = self.world == World::El2;
        let sides = [
            (Tcr::T0SZ, granule0(Tcr::TG0.get(tcr)), Tcr::EPD0, Tcr2::TBI0, Tcr2::HAD0),
            (Tcr::T1SZ, granule1(Tcr::TG1.get(tcr)), Tcr::EPD1, Tcr2::TBI1, Tcr2::HAD1),
        ];
        let mut halves = [NO_HALF; 2];
        for (i, (size, asked, disabled, top_byte, no_hierarchy)) in sides.into_iter().enumerate() {
            if one_half && i == 1 {
                break;
            }
            let granule = self.description.granule(asked);
            let input_bits = 64 - (size.get(tcr) as u32).clamp(16, 39);
            let config = Config {
                format: Format::Aarch64,
                stage: Stage::One,
                granule,
                input_bits,
                start_level: Config::start_level_for(granule, input_bits) as i8,
                root: 0,
                output_bits: self.output_bits.min(size_of(Tcr2::PASIZE.get(tcr2))),
                implemented_bits: self.output_bits,
                // IHI 0062 D.c 16.5.39: HAD is not used by a hypervisor's context.
                hierarchical: one_half || !no_hierarchy.is_set(tcr2),
                access_flag_faults: self.flag_faults() && !updates.access,
                ds: false,
                dirty_state: updates.dirty,
            };
            let root = aligned(Ttbr::BASE.in_place(self.bank.ttbr[i]), &config);
            // IHI 0062 D.c 1.5.2: EPD0 applies to a hypervisor's context, too.
            let disabled = disabled.is_set(tcr);
            let ignored = top_byte.is_set(tcr2);
            halves[i] = Half {
                walk: (!disabled).then_some(Config { root, ..config }),
                granule,
                top_byte: if ignored { TopByte::Ignored } else { TopByte::Counts },
                ..NO_HALF
            };
        }
        (halves, Split::Bit55, self.mair())
    }
}

/// TG0. IHI 0062 D.c 16.5.38.
pub(crate) const fn granule0(field: u64) -> Option<Granule> {
    match field {
        0 => Some(Granule::K4),
        1 => Some(Granule::K64),
        2 => Some(Granule::K16),
        _ => None,
    }
}

/// TG1. IHI 0062 D.c 16.5.38.
pub(crate) const fn granule1(field: u64) -> Option<Granule> {
    match field {
        1 => Some(Granule::K16),
        2 => Some(Granule::K4),
        3 => Some(Granule::K64),
        _ => None,
    }
}

/// The address of a first table, aligned to its size. IHI 0062 D.c 2.6.4.
pub(super) fn aligned(base: u64, config: &walk::Config) -> u64 {
    let Ok(level) = u8::try_from(config.start_level) else { return base };
    let entries_lg2 = config.input_bits.saturating_sub(config.granule.level_lg2(level));
    let lg2 = (entries_lg2 + 3).min(63);
    base >> lg2 << lg2
}
