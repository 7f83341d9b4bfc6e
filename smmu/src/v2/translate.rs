//! Translates one transaction. IHI 0062 D.c 2.1 and 3.7.3.
//!
//! The front cache answers first, as in SMMUv3. After it, in this order: stream mapping, the bank,
//! earlier faults of the bank, the TLB and the tables.

use crate::attributes::Attributes;
use crate::cache::Retention;
use crate::front::NEVER;
use crate::regime::Response;
use crate::stages::{About, Caching, Demand, FlagWrite, Found, Kind, Refusal, Stages};
use crate::stages::{Log, Silent};
use crate::v2::SmmuV2;
use crate::v2::attributes::Preset;
use crate::v2::bank::Scheme;
use crate::v2::context::{self, Setting, SignExtension};
use crate::v2::features::Description;
use crate::v2::outcome::{
    Cause, ContextFault, ContextFaultKind, GlobalFault, GlobalFaultKind, Outcome, Path, Terminated,
    Transaction, Translated,
};
use crate::v2::stall::{Held, Waits};
use crate::v2::stream::{self, Matched};
use crate::v2::wire::global::{Cr0, S2cr, s2cr_type};
use passim_model::access::{Access, Perms, Privilege};
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{Ipa, Memory, PhysAddr};

/// The route of a transaction, by its StreamID.
enum Route {
    /// Past every context bank, with these attributes.
    Past(Preset),
    /// Terminated with this fault.
    Fault(GlobalFault),
    /// To this bank.
    Bank { bank: usize, s2cr: u64 },
}

/// The result of a translation: what was found, or a bank's fault that is not yet recorded.
pub(crate) type Translation = Result<Found, ContextFault>;

/// Everything translation needs besides a setting.
pub(crate) struct Parts<'a, L> {
    pub(crate) description: &'a Description,
    pub(crate) stages: Stages<'a, L>,
}

/// Why a transaction stops, before anything is recorded.
pub(crate) enum Stop {
    Global(GlobalFault),
    /// A bank is stalled.
    Waits(usize),
    /// A bank has an earlier fault.
    Outstanding(usize),
    /// A fault of a bank, and the access as the stream makes it.
    Context(ContextFault, Access),
}

impl SmmuV2 {
    /// Translates one transaction; a fault is recorded before this returns.
    pub fn translate(&mut self, memory: &mut Memory, txn: &Transaction) -> Outcome {
        self.counters.transactions += 1;
        if let Some(answer) = self.front.answer(self.epoch(), txn) {
            self.counters.tlb_hits += 1;
            return Outcome::Translated(answer);
        }
        self.attempt(memory, txn, None)
    }

    /// A number that changes whenever an entry leaves a cache, or a register changes.
    #[inline(always)]
    fn epoch(&self) -> u64 {
        NEVER + 1 + self.tlb.losses() + self.changes
    }

    /// Translates a transaction, and records its fault; `ticket`: its ticket, if it stalled before.
    pub(crate) fn attempt(
        &mut self,
        memory: &mut Memory,
        txn: &Transaction,
        ticket: Option<u64>,
    ) -> Outcome {
        self.land_prefetch();
        let resolved = self.resolve(memory, txn, &mut Silent);
        self.write_flags(memory);
        if let Ok(answer @ Translated { path: Path::Walk, .. }) = &resolved
            && let Some(bank) = self.bank_of(txn)
        {
            self.prefetch(memory, bank, txn.iova.get(), answer.lg2.into());
        }
        match resolved {
            Ok(answer) => Outcome::Translated(answer),
            Err(Stop::Global(fault)) => self.global_fault(txn, fault),
            Err(Stop::Waits(bank)) => self.wait(Held::Transaction(*txn), ticket, Waits::Bank(bank)),
            Err(Stop::Outstanding(bank)) => {
                let cause = Cause::Outstanding { bank: bank as u8 };
                Outcome::Terminated(Terminated { response: self.report(bank), cause })
            }
            Err(Stop::Context(fault, access)) => self.context_fault(txn, access, fault, ticket),
        }
    }

    /// Translates a transaction without recording a fault or changing memory.
    pub(crate) fn resolve<L: Log>(
        &mut self,
        memory: &Memory,
        txn: &Transaction,
        log: &mut L,
    ) -> Result<Translated, Stop> {
        let (bank, s2cr) = match self.route(txn) {
            Route::Past(preset) => return Ok(self.pass_by(txn, preset)),
            Route::Fault(fault) => return Err(Stop::Global(fault)),
            Route::Bank { bank, s2cr } => (bank, s2cr),
        };
        self.prepare(bank).map_err(Stop::Global)?;
        // IHI 0062 D.c 3.7.5: with GSE nothing passes while any bank is stalled.
        if let Some(stalled) = self.global_stall() {
            return Err(Stop::Waits(stalled));
        }
        for bank in [Some(bank), self.second_of(bank)].into_iter().flatten() {
            match self.earlier_fault(bank) {
                Earlier::None => {}
                Earlier::Waits => return Err(Stop::Waits(bank)),
                Earlier::Terminates => return Err(Stop::Outstanding(bank)),
            }
        }
        let Some(Ok(setting)) = &self.settings[bank] else {
            unreachable!("the setting was just prepared");
        };
        let (access, changed) = overridden(setting, s2cr, txn.access);
        let attributes = Preset::of_s2cr(s2cr).apply(Attributes::INCOMING);
        let mut parts = Parts {
            description: &self.implementation.description,
            stages: Stages {
                memory,
                tlb: &mut self.tlb,
                counters: &mut self.counters,
                writes: &mut self.flag_writes,
                caching: self.caching,
                log,
            },
        };
        let demand = Demand { access, attributes };
        let found = through(&mut parts, setting, txn.iova.get(), demand);
        let Found { answer, .. } = found.map_err(|fault| Stop::Context(fault, access))?;
        if !changed && self.caching.has_front() {
            self.front.remember(self.epoch(), txn, &answer);
        }
        Ok(answer)
    }

    /// The bank that a transaction's stream names, if it names one.
    pub(crate) fn bank_of(&self, txn: &Transaction) -> Option<usize> {
        match self.route(txn) {
            Route::Bank { bank, .. } => Some(bank),
            Route::Past(_) | Route::Fault(_) => None,
        }
    }

    /// Finds the bank of a transaction. IHI 0062 D.c 2.3.
    fn route(&self, txn: &Transaction) -> Route {
        let globals = &self.globals;
        let fault = |kind| Route::Fault(GlobalFault { kind, nested: false });
        let past = || Route::Past(Preset::of_cr0(globals.cr0()));
        if globals.has(Cr0::CLIENTPD) {
            return past();
        }
        let implementation = &self.implementation;
        let (description, choice) = (&implementation.description, implementation.choices.conflict);
        let stream = txn.requester.stream.get();
        let entry = match stream::find(globals, description, choice, stream) {
            Matched::Entry(entry) => entry,
            Matched::None if globals.has(Cr0::USFCFG) => {
                return fault(GlobalFaultKind::UnidentifiedStream);
            }
            Matched::Conflict if globals.has(Cr0::SMCFCFG) => {
                return fault(GlobalFaultKind::StreamMatchConflict);
            }
            Matched::None | Matched::Conflict => return past(),
        };
        let s2cr = u64::from(globals.s2cr[entry]);
        match S2cr::TYPE.get(s2cr) {
            s2cr_type::TRANSLATE => Route::Bank { bank: S2cr::CBNDX.get(s2cr) as usize, s2cr },
            s2cr_type::BYPASS => Route::Past(Preset::of_s2cr(s2cr)),
            _ => fault(GlobalFaultKind::InvalidContext),
        }
    }

    /// Lets a transaction bypass every context bank. IHI 0062 D.c 1.6.2: its address is truncated
    /// to OAS.
    fn pass_by(&self, txn: &Transaction, preset: Preset) -> Translated {
        let description = &self.implementation.description;
        let address = txn.iova.get() & ((1 << description.oas()) - 1);
        let path = if self.globals.has(Cr0::CLIENTPD) { Path::Disabled } else { Path::Bypass };
        untranslated(address, path, preset.apply(Attributes::INCOMING))
    }

    /// Decodes a bank, if it is not decoded yet.
    pub(crate) fn prepare(&mut self, bank: usize) -> Result<(), GlobalFault> {
        let unimplemented = GlobalFault { kind: GlobalFaultKind::UnimplementedBank, nested: false };
        let known = self.settings.get(bank).ok_or(unimplemented)?;
        if let Some(known) = known {
            return known.as_ref().map(|_| ()).map_err(|fault| *fault);
        }
        let registers = context::Registers {
            description: &self.implementation.description,
            globals: &self.globals,
            banks: &self.banks,
        };
        let setting = context::setting(registers, bank, &mut self.tlb);
        let result = setting.as_ref().map(|_| ()).map_err(|fault| *fault);
        self.settings[bank] = Some(setting);
        result
    }

    /// The bank of stage 2 behind a prepared bank.
    pub(crate) fn second_of(&self, bank: usize) -> Option<usize> {
        match &self.settings[bank] {
            Some(Ok(setting)) => setting.second.map(|(second, _)| second),
            _ => None,
        }
    }

    /// Writes the descriptor updates of a translation.
    pub(crate) fn write_flags(&mut self, memory: &mut Memory) {
        for FlagWrite { at, set, clear } in self.flag_writes.drain(..) {
            // The descriptor was read from this address, so memory answers.
            if let Ok(word) = memory.load_u64(at) {
                let _ = memory.store_u64(at, word & !clear | set);
                self.counters.flag_updates += 1;
            }
        }
    }

    /// The response to a terminated transaction of this bank. IHI 0062 D.c 3.7.4.
    pub(crate) fn report(&self, bank: usize) -> Response {
        let reported = crate::v2::wire::bank::Sctlr::CFRE.is_set(self.banks[bank].sctlr());
        if reported { Response::Abort } else { Response::RazWi }
    }
}

/// How earlier faults of a bank affect the next transaction.
pub(crate) enum Earlier {
    None,
    Waits,
    Terminates,
}

/// The access after S2CR.PRIVCFG and INSTCFG, and whether they changed it. IHI 0062 D.c 9.6.23, and
/// table 2-4 for the reserved value 1.
fn overridden(setting: &Setting, s2cr: u64, access: Access) -> (Access, bool) {
    let mut found = access;
    match S2cr::PRIVCFG.get(s2cr) {
        1 | 2 => found.privilege = Privilege::Unprivileged,
        3 => found.privilege = Privilege::Privileged,
        _ => {}
    }
    // Writes are data accesses.
    match S2cr::INSTCFG.get(s2cr) {
        2 => found.instruction = false,
        1 | 3 => found.instruction = !access.is_write(),
        _ => {}
    }
    if setting.privileged {
        found.privilege = Privilege::Privileged;
    }
    (found, found != access)
}

pub(crate) fn untranslated(address: u64, path: Path, attributes: Attributes) -> Translated {
    Translated { pa: PhysAddr::new(address), perms: Perms::all(), lg2: 64, path, attributes }
}

/// A bank's fault before any table is read.
fn early(
    description: &Description,
    bank: usize,
    kind: ContextFaultKind,
    scheme: Scheme,
) -> ContextFault {
    ContextFault {
        bank: bank as u8,
        kind,
        level: scheme.first_level(description),
        nested_in: None,
        on_stage1_walk: false,
        ipa: None,
    }
}

/// An address as the upstream bus carries it; `None` if it does not fit. IHI 0062 D.c 1.6.4: 49
/// wires hold 48 address bits and the sign; fewer, or 64, hold no sign.
pub(crate) fn on_the_bus(address: u64, description: &Description) -> Option<u64> {
    match description.ubs() {
        64.. => Some(address),
        bits @ 49.. => {
            let above = address as i64 >> (bits - 1);
            (above == 0 || above == -1).then_some(address & ((1 << bits) - 1))
        }
        bits => (address >> bits == 0).then_some(address),
    }
}

/// Translates an address through the banks of a setting.
pub(crate) fn through<L: Log>(
    parts: &mut Parts<'_, L>,
    setting: &Setting,
    address: u64,
    demand: Demand,
) -> Translation {
    let description = parts.description;
    let early = |kind| Err(early(description, setting.first, kind, setting.scheme));
    let v1 = !parts.description.is_v2();
    let Some(input) = on_the_bus(address, parts.description) else {
        // IHI 0062 D.c 3.7: in SMMUv1 an address out of range is a translation fault.
        let kind =
            if v1 { ContextFaultKind::Translation } else { ContextFaultKind::UnsupportedUpstream };
        return early(kind);
    };
    if !setting.is_stage1 {
        return stage2_alone(parts, setting, input, demand);
    }
    // IHI 0062 D.c 3.8.4: an AArch32 input has 32 bits, whether or not the bank is on.
    if setting.scheme != Scheme::Aarch64 && input >> 32 != 0 {
        return early(ContextFaultKind::Translation);
    }
    let input = match setting.sign {
        SignExtension::None => input,
        SignExtension::From(bit) if bit < 63 && input >> (bit + 1) != 0 => {
            return early(ContextFaultKind::Translation);
        }
        SignExtension::From(bit) => ((input << (63 - bit)) as i64 >> (63 - bit)) as u64,
    };
    both(parts, setting, input, demand)
}

/// Translates through stage 1, and through stage 2 if there is one.
pub(crate) fn both<L: Log>(
    parts: &mut Parts<'_, L>,
    setting: &Setting,
    input: u64,
    demand: Demand,
) -> Translation {
    let description = parts.description;
    let early = |kind| Err(early(description, setting.first, kind, setting.scheme));
    if setting.stage1.is_none() && beyond(input, setting.stage1_bits) {
        return early(ContextFaultKind::AddressSize);
    }
    let off = Demand { attributes: setting.off.apply(demand.attributes), ..demand };
    let found = match (&setting.stage1, &setting.stage2) {
        (Some(stage1), stage2) => parts.stages.both(stage1, stage2.as_ref(), input, demand),
        (None, Some(stage2)) => parts.stages.second(stage2, input, off),
        (None, None) => {
            let answer = untranslated(input, Path::Bypass, off.attributes);
            Ok(Found { answer, intermediate: input })
        }
    };
    let mut found = match found {
        Ok(found) => found,
        Err(refusal) => return Err(fault_of(parts.description, setting, &refusal, input)),
    };
    if setting.stage2.is_none()
        && let Some((bank, scheme)) = setting.second
        && beyond(found.answer.pa.get(), setting.stage2_bits)
    {
        let fault = self::early(description, bank, ContextFaultKind::AddressSize, scheme);
        let ipa = Some(Ipa::new(found.answer.pa.get()));
        return Err(ContextFault { nested_in: Some(setting.first as u8), ipa, ..fault });
    }
    if let Some(combination) = setting.combination {
        found.answer.attributes = combination.apply(found.answer.attributes);
    }
    Ok(found)
}

/// Whether an address has more than so many bits.
fn beyond(address: u64, bits: u32) -> bool {
    bits < u64::BITS && address >> bits != 0
}

/// Bits of an IPA that AArch32 can have.
const AARCH32_IPA_BITS: u32 = 40;

fn stage2_alone<L: Log>(
    parts: &mut Parts<'_, L>,
    setting: &Setting,
    input: u64,
    demand: Demand,
) -> Translation {
    let description = parts.description;
    let early = |kind| {
        let fault = early(description, setting.first, kind, setting.scheme);
        Err(ContextFault { ipa: Some(Ipa::new(input)), ..fault })
    };
    // IHI 0062 D.c 3.8.4.
    if setting.scheme != Scheme::Aarch64 && beyond(input, AARCH32_IPA_BITS) {
        return early(match setting.on {
            true => ContextFaultKind::Translation,
            false => ContextFaultKind::AddressSize,
        });
    }
    let Some(stage2) = &setting.stage2 else {
        if beyond(input, setting.stage2_bits) {
            return early(ContextFaultKind::AddressSize);
        }
        let combined = setting.combination.map(|combination| combination.apply(demand.attributes));
        let attributes = combined.unwrap_or(demand.attributes);
        let answer = untranslated(input, Path::Bypass, attributes);
        return Ok(Found { answer, intermediate: input });
    };
    let found = parts.stages.second(stage2, input, demand);
    found.map_err(|refusal| fault_of(parts.description, setting, &refusal, input))
}

/// The context fault of a refused translation.
pub(crate) fn fault_of(
    description: &Description,
    setting: &Setting,
    refusal: &Refusal,
    input: u64,
) -> ContextFault {
    let kind = match refusal.kind {
        Kind::AccessFlag => ContextFaultKind::AccessFlag,
        Kind::Permission => ContextFaultKind::Permission,
        Kind::WalkAbort => ContextFaultKind::External,
        Kind::Conflict => ContextFaultKind::TlbConflict,
        Kind::AddressSize => ContextFaultKind::AddressSize,
        Kind::Translation => ContextFaultKind::Translation,
    };
    let external = kind == ContextFaultKind::External;
    // IHI 0062 D.c 3.10: an external abort belongs to stage 2, where there is one.
    let (bank, scheme, nested_in) = match (setting.second, refusal.stage) {
        (Some((bank, scheme)), stage) if stage == Stage::Two || external => {
            (bank, scheme, Some(setting.first as u8))
        }
        _ => (setting.first, setting.scheme, None),
    };
    let at_stage2 = refusal.stage == Stage::Two;
    let ipa = match nested_in {
        Some(_) => refusal.ipa.or(refusal.descriptor),
        None if at_stage2 => Some(input),
        None => None,
    };
    let level = refusal.level.and_then(|level| u8::try_from(level).ok());
    let first = scheme.first_level(description);
    // IHI 0062 D.c 16.5.11: PLVL of SMMUv1 has no 0.
    let least = u8::from(!description.is_v2());
    ContextFault {
        bank: bank as u8,
        kind: kind_of_version(kind, description),
        level: level.unwrap_or(first).max(least),
        nested_in,
        on_stage1_walk: at_stage2 && nested_in.is_some() && refusal.about == About::Table,
        ipa: ipa.map(Ipa::new),
    }
}

/// IHI 0062 D.c 16.5.9: SMMUv1 has neither address size faults nor unsupported transactions.
fn kind_of_version(kind: ContextFaultKind, description: &Description) -> ContextFaultKind {
    match kind {
        ContextFaultKind::AddressSize if !description.is_v2() => ContextFaultKind::Translation,
        kind => kind,
    }
}

/// How translations are cached in this implementation.
pub(crate) fn caching(implementation: &crate::v2::Implementation) -> Caching {
    let crate::v2::Implementation { choices, retention, tlb, tables, .. } = *implementation;
    let sized = retention == Retention::Sized;
    Caching {
        overlap: choices.overlap,
        retention,
        heeds_nt: false,
        keeps_tables: !sized || tables.is_some(),
        counts_tlb_uses: sized && tlb.counts_uses(),
        counts_config_uses: false,
    }
}

#[cfg(test)]
mod tests;
