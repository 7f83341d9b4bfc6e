//! The registers that decide the outcome of a transaction, in the order in which the SMMU reads
//! them.

use crate::v2::SmmuV2;
use crate::v2::bank::{BankFormat, Scheme};
use crate::v2::context;
use crate::v2::regs::Place;
use crate::v2::stream;
use crate::v2::wire::bank::{
    Contextidr, Fsr, Sctlr, Tcr, Tcr2, Tcr2Long, TcrLong, TcrShort, TcrStage2, Ttbr, TtbrLong,
    TtbrShort, offset,
};
use crate::v2::wire::global::{
    Cba2r, Cbar, CbarBypass, CbarNested, Cr0, S2cr, Smr, SmrExtended, cbar_type, gr0, gr1,
};
use passim_model::bits::Field;

/// A register's fields by name.
pub(super) type Layout = &'static [(&'static str, Field)];

/// A register, and the value that a load returns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Register {
    /// Its name, without `SMMU_`.
    pub name: &'static str,
    /// The number of its stream mapping entry or of its bank, if it has one.
    pub index: Option<u8>,
    /// Its offset in bytes from the base of the register window.
    pub offset: u64,
    /// The value, of 32 or 64 bits.
    pub value: u64,
    /// Its layouts: a common one, and one that another field selects.
    pub(super) layouts: [Layout; 2],
    /// The section of IHI 0062 D.c.
    pub(super) section: &'static str,
}

const NO_LAYOUT: Layout = &[];

impl SmmuV2 {
    /// CR0, and the entries that match a StreamID.
    pub(super) fn registers_of_stream(&self, stream: u32) -> Vec<Register> {
        let global = |name, index: Option<usize>, at, layout, section| {
            let place = Place::Global0(at);
            self.told(name, index, place, false, [layout, NO_LAYOUT], section)
        };
        let mut found = vec![global("CR0", None, gr0::CR0, Cr0::FIELDS, "9.6.3")];
        if self.globals.has(Cr0::CLIENTPD) {
            return found;
        }
        let description = &self.implementation.description;
        let extended = self.globals.has(Cr0::EXIDENABLE);
        let smr = if extended { SmrExtended::FIELDS } else { Smr::FIELDS };
        for entry in stream::all(&self.globals, description, stream) {
            let at = 4 * entry as u64;
            if description.stream_matching {
                found.push(global("SMR", Some(entry), gr0::SMR + at, smr, "9.6.25"));
            }
            found.push(global("S2CR", Some(entry), gr0::S2CR + at, S2cr::FIELDS, "9.6.23"));
        }
        found
    }

    /// The registers of a bank.
    pub(super) fn registers_of_bank(&self, bank: usize) -> Vec<Register> {
        let registers = self.registers();
        if bank >= registers.banks.len() {
            return Vec::new();
        }
        let format = context::format_of(registers, bank);
        let scheme = context::scheme_of(registers, bank);
        let stage1 = format == BankFormat::Stage1;
        let at = 4 * bank as u64;
        let cbar = match Cbar::TYPE.get(self.globals.cbar(bank)) {
            cbar_type::STAGE1 => CbarBypass::FIELDS,
            cbar_type::NESTED => CbarNested::FIELDS,
            _ => NO_LAYOUT,
        };
        let second = |name, at, layouts, section| {
            self.told(name, Some(bank), Place::Global1(at), false, layouts, section)
        };
        let own = |name, at, wide, layout, section| {
            let place = Place::Bank(bank, at);
            self.told(name, Some(bank), place, wide, [layout, NO_LAYOUT], section)
        };
        let (tcr, ttbr): (Layout, Layout) = match (format, scheme) {
            (BankFormat::Stage1, Scheme::Short) => (TcrShort::FIELDS, TtbrShort::FIELDS),
            (BankFormat::Stage1, Scheme::Long) => (TcrLong::FIELDS, TtbrLong::FIELDS),
            (BankFormat::Stage1, Scheme::Aarch64) => (Tcr::FIELDS, Ttbr::FIELDS),
            (BankFormat::Stage2, Scheme::Aarch64) => (TcrStage2::FIELDS, Ttbr::FIELDS),
            (BankFormat::Stage2, _) => (Tcr2Long::FIELDS, TtbrLong::FIELDS),
        };
        let wide = scheme != Scheme::Short;
        let mut found = vec![
            second("CBAR", gr1::CBAR + at, [Cbar::FIELDS, cbar], "10.2.1"),
            second("CBA2R", gr1::CBA2R + at, [Cba2r::FIELDS, NO_LAYOUT], "10.2.2"),
            own("SCTLR", offset::SCTLR, false, Sctlr::FIELDS, "16.5.29"),
            own("TCR", offset::TCR, false, tcr, if stage1 { "16.5.38" } else { "17.3.8" }),
        ];
        if stage1 && self.implementation.description.is_v2() {
            found.push(own("TCR2", offset::TCR2, false, Tcr2::FIELDS, "16.5.39"));
        }
        let section = if stage1 { "16.5.40" } else { "17.3.9" };
        found.push(own("TTBR0", offset::TTBR0, wide, ttbr, section));
        if stage1 {
            found.push(own("TTBR1", offset::TTBR1, wide, ttbr, section));
        }
        if stage1 && scheme == Scheme::Short {
            found.push(own("CONTEXTIDR", offset::CONTEXTIDR, false, Contextidr::FIELDS, "16.5.7"));
        }
        if self.banks[bank].is_faulting() {
            found.push(own("FSR", offset::FSR, false, Fsr::FIELDS, "16.5.9"));
        }
        found
    }

    fn told(
        &self,
        name: &'static str,
        index: Option<usize>,
        place: Place,
        wide: bool,
        layouts: [Layout; 2],
        section: &'static str,
    ) -> Register {
        let low = u64::from(self.load_word(place));
        let high = if wide { u64::from(self.load_word(place.plus(4))) } else { 0 };
        let offset = place.offset(&self.implementation.description);
        let index = index.and_then(|index| u8::try_from(index).ok());
        Register { name, index, offset, value: high << 32 | low, layouts, section }
    }
}
