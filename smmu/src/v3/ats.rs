//! ATS: translation requests, translated transactions, and the completion of invalidations. IHI
//! 0070 G.b 3.9.1, 13.6 and 13.7.
//!
//! Not here: what a device caches of the answers ([`Atc`](passim_model::device::Atc)), and page
//! requests (`priq`).

use crate::attributes::Attributes;
use crate::regime::{OnFault, Response};
use crate::stages::Silent;
use crate::stages::{Demand, Found, Refusal, Stages};
use crate::transaction::{Path, Transaction};
use crate::v3::SmmuV3;
use crate::v3::config::ste::{Ats, Overrides, SteState};
use crate::v3::config::{self, Context, ContextFault};
use crate::v3::eventq::refused;
use crate::v3::eventq::{Detail, Event, PageHint, Record};
use crate::v3::outcome::{Cause, Outcome, Terminated};
use crate::v3::translate::{Stop, event, untranslated};
use crate::v3::vms::no_vms;
use crate::v3::wire::event::EventKind;
use crate::v3::wire::regs::{Cr0, Cr2};
use passim_model::access::{Access, Perms, Privilege};
use passim_model::ats::{Completion, Grant, InvalidationEnd, TranslationRequest};
use passim_model::{Memory, StreamId};

/// The request that an event records.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Requested {
    /// An access.
    Access,
    /// A translation (F_BAD_ATS_TREQ).
    Translation {
        /// NW.
        no_write: bool,
        /// Execute_Requested.
        execute: bool,
        /// Privileged_Mode_Requested.
        privileged: bool,
    },
    /// Pages that will be needed (E_PAGE_REQUEST).
    Pages(PageHint),
}

/// Outstanding ATS Invalidate Requests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Invalidations {
    /// Tags of the requests without an answer, ascending.
    pub(crate) waiting: Vec<u32>,
    /// A request timed out, and no CMD_SYNC has reported it yet.
    pub(crate) timed_out: bool,
    pub(crate) next_tag: u32,
}

impl SmmuV3 {
    /// Answers an ATS Translation Request: errors are recorded before this returns, and become
    /// [`Completion::UnsupportedRequest`] or [`Completion::CompleterAbort`]. IHI 0070 G.b 3.9.1.2.
    pub fn translation_request(
        &mut self,
        memory: &mut Memory,
        request: &TranslationRequest,
    ) -> Completion {
        // IHI 0070 G.b 13.7.1: without a PASID there is neither privilege nor execution.
        let tagged = request.requester.substream.is_some();
        let privileged = tagged && request.privileged;
        let execute = tagged && request.execute;
        let privilege = if privileged { Privilege::Privileged } else { Privilege::Unprivileged };
        let access = Access { privilege, ..Access::READ };
        let txn = Transaction { requester: request.requester, iova: request.iova, access };
        let requested = Requested::Translation { no_write: request.no_write, execute, privileged };
        if self.failed {
            return Completion::CompleterAbort;
        }
        // IHI 0070 G.b 5.2 (EATS): without ATS no request can be made, and none is recorded.
        if !self.features.ats {
            return Completion::UnsupportedRequest;
        }
        let (ats, overrides) = match self.ats_stream(memory, &txn) {
            Ok(found) => found,
            Err(NoAts::Forbidden) => {
                let kind = EventKind::BadTranslationRequest;
                self.record(memory, &Event { requested, ..event(&txn, kind) });
                return Completion::UnsupportedRequest;
            }
            Err(NoAts::StreamAborts) => return Completion::UnsupportedRequest,
            Err(NoAts::Error(stop)) => return self.ats_error(memory, stop),
        };
        // IHI 0070 G.b 3.9.1.2: an answer that grants nothing covers one translation unit.
        let unit = self.features.translation_unit_lg2();
        let empty = Grant { address: 0, lg2: unit, perms: Perms::empty(), privileged };
        // A request to write is granted reading where writing is refused.
        let write = Access { privilege, ..Access::WRITE };
        let attempts = [write, access];
        for access in &attempts[usize::from(request.no_write)..] {
            let txn = Transaction { access: *access, ..txn };
            let found = self.resolve(memory, &txn, &mut Silent);
            self.write_flags(memory);
            match found {
                Ok(found) => {
                    let perms = granted(found.answer.perms, overrides, execute);
                    let (address, lg2) = range(&found, ats, unit);
                    return Completion::Success(Grant { address, lg2, perms, privileged });
                }
                Err(Stop::Fault(fault, _)) if fault.kind == EventKind::Permission => {}
                Err(Stop::Fault(fault, _)) if is_answered(fault.kind) => break,
                Err(stop) => return self.ats_error(memory, stop),
            }
        }
        Completion::Success(empty)
    }

    /// Answers a translated transaction, whose address an ATS answer gave. IHI 0070 G.b 3.9.1.3. An
    /// SMMU without ATS translates it like any other.
    pub fn translated(&mut self, memory: &mut Memory, txn: &Transaction) -> Outcome {
        // IHI 0070 G.b 5.2 (EATS): without ATS no translated traffic is passed. An SMMU without ATS
        // ignores the AT field, which is then reserved (PCI Express).
        if !self.features.ats {
            return self.translate(memory, txn);
        }
        let mut txn = *txn;
        // IHI 0070 G.b 3.9.1.3: without PASIDTT, or without a PASID, it is unprivileged data.
        if !self.features.pasid_translated || txn.requester.substream.is_none() {
            txn.requester.substream = None;
            let plain = Access { direction: txn.access.direction, ..Access::READ };
            txn.access = plain;
        }
        if self.failed {
            return aborted(Cause::ServiceFailure);
        }
        let enabled = self.registers.enabled(Cr0::SMMUEN);
        if enabled && !self.registers.enabled(Cr0::ATSCHK) {
            return self.pass_translated(&txn);
        }
        let (ats, overrides) = match self.ats_stream(memory, &txn) {
            Ok(found) => found,
            Err(NoAts::Forbidden) => {
                let event = event(&txn, EventKind::TranslatedForbidden);
                let record = self.record(memory, &event);
                return aborted(Cause::Event(event, record));
            }
            Err(NoAts::StreamAborts) => return aborted(Cause::StreamAborts),
            Err(NoAts::Error(stop)) => return self.translated_error(memory, stop),
        };
        let context = self.translated_context(memory, &txn);
        self.write_flags(memory);
        if let Err(stop) = context {
            return self.translated_error(memory, stop);
        }
        match ats {
            Ats::Full | Ats::Disabled => self.pass_translated(&txn),
            Ats::SplitStage => self.translated_second(memory, &txn, overrides),
        }
    }

    /// Answers a translated transaction of an unsupported kind: aborted, and not recorded, while
    /// others record F_UUT. IHI 0070 G.b 3.9.1.3.
    pub fn translated_unsupported(&self) -> Record {
        Record::Suppressed
    }

    /// Ends the ATS Invalidate Request with this tag
    /// ([`Effect::InvalidateAtc`](passim_model::Effect)). CMD_SYNC waits for it; a timeout stops
    /// the queue at the next CMD_SYNC. An unknown tag is ignored. IHI 0070 G.b 3.9.1.4, 3.9.1.5.
    pub fn invalidation_ended(&mut self, tag: u32, end: InvalidationEnd) {
        let waiting = &mut self.invalidations.waiting;
        let Some(at) = waiting.iter().position(|&waits| waits == tag) else {
            return;
        };
        waiting.remove(at);
        self.invalidations.timed_out |= end == InvalidationEnd::TimedOut;
    }

    /// Tags of the ATS Invalidate Requests without an answer, ascending.
    pub fn invalidations_waiting(&self) -> &[u32] {
        &self.invalidations.waiting
    }

    /// The ATS configuration of a stream that may use it.
    fn ats_stream(
        &mut self,
        memory: &Memory,
        txn: &Transaction,
    ) -> Result<(Ats, Overrides), NoAts> {
        if !self.registers.enabled(Cr0::SMMUEN) {
            return Err(NoAts::Forbidden);
        }
        let stream = txn.requester.stream;
        self.configuration_alone(txn).map_err(NoAts::Error)?;
        if self.configs.ste(stream).is_none()
            && let Err(fault) = self.fill_ste(memory, stream, &mut Silent)
        {
            return Err(NoAts::Error(self.no_ste(txn, fault)));
        }
        match self.configs.ste(stream) {
            Some(SteState::Illegal(flaw)) => {
                let detail = Detail::Ste(*flaw);
                let event = Event { detail, ..event(txn, EventKind::BadSte) };
                Err(NoAts::Error(Stop::Fault(event, OnFault::ABORT_AND_RECORD)))
            }
            None | Some(SteState::Abort) => Err(NoAts::StreamAborts),
            Some(SteState::Bypass(_)) => Err(NoAts::Forbidden),
            Some(SteState::Translate(found)) => match found.ats {
                Ats::Disabled => Err(NoAts::Forbidden),
                ats => Ok((ats, found.overrides)),
            },
        }
    }

    /// Answers a request whose configuration is in error. IHI 0070 G.b 3.9.1.2: Completer Abort,
    /// and a record only if CR2.REC_CFG_ATS is set.
    fn ats_error(&mut self, memory: &mut Memory, stop: Stop) -> Completion {
        match stop {
            Stop::Silent => Completion::UnsupportedRequest,
            Stop::Fault(event, _) => {
                let wanted = event.kind != EventKind::BadStreamId
                    || self.registers.cr2_is_set(Cr2::RECINVSID);
                if wanted {
                    self.record_if_asked(memory, &event);
                }
                Completion::CompleterAbort
            }
        }
    }

    fn record_if_asked(&mut self, memory: &mut Memory, event: &Event) -> Record {
        match self.registers.cr2_is_set(Cr2::REC_CFG_ATS) {
            true => self.record(memory, event),
            false => Record::Suppressed,
        }
    }

    /// Answers a translated transaction whose configuration is in error. IHI 0070 G.b 3.9.1.3: an
    /// abort, and a record only if CR2.REC_CFG_ATS is set, whatever RECINVSID is. A stage-2 fault
    /// of a CD fetch is a translation fault, recorded like any other.
    fn translated_error(&mut self, memory: &mut Memory, stop: Stop) -> Outcome {
        match stop {
            Stop::Silent => aborted(Cause::StreamAborts),
            Stop::Fault(event, _) if is_of_configuration(event.kind) => {
                let record = self.record_if_asked(memory, &event);
                aborted(Cause::Event(event, record))
            }
            Stop::Fault(..) => Outcome::Terminated(self.terminate(memory, stop)),
        }
    }

    /// Whether the stream has a context for a translated transaction, with its PASID or without
    /// one, in the order of IHI 0070 G.b 3.9.1.3. With a PASID that context is a CD, which is read
    /// for its label (17.3).
    fn translated_context(&mut self, memory: &Memory, txn: &Transaction) -> Result<(), Stop> {
        // IHI 0070 G.b 7.3.7, 7.3.9: only where PASIDs of translated transactions are visible.
        // Elsewhere, a transaction that had a PASID cannot be distinguished from one that S1DSS
        // disables.
        if !self.features.pasid_translated {
            return Ok(());
        }
        let substream = txn.requester.substream;
        let Some(SteState::Translate(stream)) = self.configs.ste(txn.requester.stream) else {
            return Ok(());
        };
        let stream = *stream;
        let context = match &stream.stage1 {
            Some(pointer) => config::select_context(pointer, substream),
            None if substream.is_none() => Ok(Context::Bypass),
            None => Err(ContextFault::BadSubstreamId),
        };
        let context = context.map_err(|fault| {
            let kind = match fault {
                ContextFault::BadSubstreamId => EventKind::BadSubstreamId,
                ContextFault::StreamDisabled => EventKind::StreamDisabled,
            };
            Stop::Fault(event(txn, kind), OnFault::ABORT_AND_RECORD)
        })?;
        match context {
            Context::Cd(index) if substream.is_some() => {
                self.need_cd(memory, txn, index)?;
                let read = self.vms.need(memory, &stream, &txn.requester, &mut Silent);
                read.map_err(|at| no_vms(txn, at))
            }
            Context::Cd(_) | Context::Bypass => Ok(()),
        }
    }

    /// Passes a translated transaction without further translation. IHI 0070 G.b 3.9.1.1.
    fn pass_translated(&self, txn: &Transaction) -> Outcome {
        let address = txn.iova.get();
        if !self.features.in_oas(address) {
            return aborted(Cause::BeyondOutputSize);
        }
        Outcome::Translated(untranslated(address, Path::Bypass, Attributes::INCOMING))
    }

    /// Translates a translated transaction, whose address is intermediate, through stage 2. IHI
    /// 0070 G.b 13.6.3.
    fn translated_second(
        &mut self,
        memory: &mut Memory,
        txn: &Transaction,
        overrides: Overrides,
    ) -> Outcome {
        let Some(SteState::Translate(stream)) = self.configs.ste(txn.requester.stream) else {
            return aborted(Cause::StreamAborts);
        };
        let Some(stage2) = stream.stage2 else {
            return self.pass_translated(txn);
        };
        let access = overrides.apply(txn.access);
        let demand = Demand { access, attributes: Attributes::INCOMING };
        let input = txn.iova.get();
        let found = if input >> self.features.ias() != 0 {
            Err(Refusal::beyond_bypass())
        } else {
            let mut stages = Stages {
                memory,
                tlb: &mut self.tlb,
                counters: &mut self.counters,
                writes: &mut self.flag_writes,
                caching: self.caching,
                log: &mut Silent,
            };
            stages.second(&stage2, input, demand)
        };
        self.write_flags(memory);
        match found {
            Ok(found) => Outcome::Translated(found.answer),
            Err(refusal) => {
                let event = refused(&refusal, txn, access);
                let stop = Stop::Fault(event, refusal.on_fault);
                Outcome::Terminated(self.terminate(memory, stop))
            }
        }
    }

    /// Allocates the tag of a new ATS Invalidate Request.
    pub(crate) fn invalidation_tag(&mut self) -> u32 {
        let tag = self.invalidations.next_tag;
        self.invalidations.next_tag = tag.wrapping_add(1);
        self.invalidations.waiting.push(tag);
        tag
    }

    /// STE.PPAR of a stream; `None` if the STE cannot be read, or is illegal. IHI 0070 G.b 8.1.
    pub(crate) fn pasid_in_responses(
        &mut self,
        memory: &mut Memory,
        txn: &Transaction,
    ) -> Option<bool> {
        let stream: StreamId = txn.requester.stream;
        if !self.registers.enabled(Cr0::SMMUEN) {
            return None;
        }
        if let Err(stop) = self.configuration_alone(txn) {
            self.ats_error(memory, stop);
            return None;
        }
        if self.configs.whole_ste(stream).is_none()
            && let Err(fault) = self.fill_ste(memory, stream, &mut Silent)
        {
            let stop = self.no_ste(txn, fault);
            self.ats_error(memory, stop);
            return None;
        }
        let ste = *self.configs.whole_ste(stream)?;
        if let SteState::Illegal(flaw) = ste.state {
            let event = Event { detail: Detail::Ste(flaw), ..event(txn, EventKind::BadSte) };
            self.record_if_asked(memory, &event);
            return None;
        }
        Some(ste.pasid_in_responses)
    }
}

/// Why a stream cannot use ATS.
enum NoAts {
    /// It is disabled, which is recorded.
    Forbidden,
    /// STE.Config is 0b0xx, which is not recorded.
    StreamAborts,
    /// The configuration is in error.
    Error(Stop),
}

/// Faults that the answer to a translation request reports. IHI 0070 G.b 3.9.1.2.
fn is_answered(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::Translation | EventKind::AddrSize | EventKind::Access | EventKind::Permission
    )
}

/// Errors of configuration, and of reading it: CR2.REC_CFG_ATS decides whether they are recorded.
fn is_of_configuration(kind: EventKind) -> bool {
    matches!(
        kind,
        EventKind::BadStreamId
            | EventKind::SteFetch
            | EventKind::BadSte
            | EventKind::VmsFetch
            | EventKind::ConfigConflict
            | EventKind::BadSubstreamId
            | EventKind::StreamDisabled
            | EventKind::CdFetch
            | EventKind::BadCd
    )
}

fn aborted(cause: Cause) -> Outcome {
    Outcome::Terminated(Terminated { response: Response::Abort, cause })
}

/// The permissions of an answer. IHI 0070 G.b 13.7.1.
fn granted(page: Perms, overrides: Overrides, execute: bool) -> Perms {
    let (readable, executable) = (page.contains(Perms::READ), page.contains(Perms::EXEC));
    let (read, exec) = match overrides.instruction {
        None => (readable, readable && executable),
        Some(true) => (executable, executable),
        Some(false) => (readable, readable),
    };
    let mut perms = page & Perms::WRITE;
    perms.set(Perms::READ, read);
    perms.set(Perms::EXEC, execute && exec);
    perms
}

/// The translated address of an answer, and log2 of the bytes it covers.
fn range(found: &Found, ats: Ats, unit: u32) -> (u64, u32) {
    let address = match ats {
        Ats::SplitStage => found.intermediate,
        Ats::Full | Ats::Disabled => found.answer.pa.get(),
    };
    // Where nothing translates, the answer still covers one translation unit.
    let lg2 = match found.answer.lg2 {
        64 => unit,
        lg2 => u32::from(lg2),
    };
    (address >> lg2 << lg2, lg2)
}

#[cfg(test)]
mod tests;
