//! The Event queue: what a record holds and when it is written. IHI 0070 G.b 7.2 to 7.4.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `refused` | which event reports a refused translation? |

mod refused;

pub(crate) use refused::refused;

use crate::transaction::Transaction;
use crate::v3::config::cd::CdFlaw;
use crate::v3::config::ste::SteFlaw;
use crate::v3::irq::Source;
use crate::v3::wire::event::{
    Class, EVENT_WORDS, Event0, Event1, Event1Conflict, Event1PageRequest,
    Event1TranslationRequest, Event2Page, Event3Fetch, Event3Ipa, EventKind,
};
use crate::v3::wire::regs::{Cr0, EventqProd, Gerror};
use crate::v3::{Requested, SmmuV3};
use passim_model::access::{Access, Perms, Privilege};
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{Iova, Ipa, Memory, PhysAddr, StreamId, SubstreamId};

/// Details of an event that its record does not hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Detail {
    /// Nothing.
    None,
    /// The rule an STE broke.
    Ste(SteFlaw),
    /// The rule a CD broke.
    Cd(CdFlaw),
    /// The level of the descriptor that decided.
    Level(i8),
    /// The stream whose STE matched too. The record holds it as Reason.
    Conflict(StreamId),
}

/// The content of E_PAGE_REQUEST: accesses that a device expects. IHI 0070 G.b 7.3.19.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PageHint {
    /// Pages of 4K from the address on: the record's Span, 8 bits.
    pub span: u8,
    /// What unprivileged accesses will need.
    pub unprivileged: Perms,
    /// What privileged accesses will need.
    pub privileged: Perms,
}

/// A configuration error or translation fault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// Its kind.
    pub kind: EventKind,
    /// Stream of the transaction.
    pub stream: StreamId,
    /// SubstreamID, where the transaction carried one.
    pub substream: Option<SubstreamId>,
    /// The access, after the overrides of the STE.
    pub access: Access,
    /// The address the transaction carried.
    pub input: Iova,
    /// Stage that faulted.
    pub stage: Stage,
    /// The operation whose address faulted.
    pub class: Class,
    /// The input address of stage 2, where stage 2 faulted.
    pub ipa: Option<Ipa>,
    /// The address of a fetch that aborted.
    pub fetch: Option<PhysAddr>,
    /// Whether it was a write of a stage-1 descriptor that stage 2 refused.
    pub table_write: bool,
    /// The STAG, where the transaction waits for software.
    pub stall: Option<u16>,
    /// The request, where it was not an access.
    pub requested: Requested,
    /// Details that the record does not hold.
    pub detail: Detail,
}

impl Event {
    /// An event of a transaction, without details of a translation.
    pub(crate) fn new(kind: EventKind, txn: &Transaction) -> Self {
        Self {
            kind,
            stream: txn.requester.stream,
            substream: txn.requester.substream,
            access: txn.access,
            input: txn.iova,
            stage: Stage::One,
            class: Class::In,
            ipa: None,
            fetch: None,
            table_write: false,
            stall: None,
            requested: Requested::Access,
            detail: Detail::None,
        }
    }

    /// The record, as four doublewords in memory's order. IHI 0070 G.b 7.3.2 to 7.3.20; fields that
    /// do not belong to the event are zero.
    pub fn words(&self) -> [u64; EVENT_WORDS] {
        let mut words = [0; EVENT_WORDS];
        words[0] = Event0::ID.of(u64::from(self.kind.number()))
            | Event0::STREAM_ID.of(u64::from(self.stream.get()));
        if let Some(substream) = self.substream {
            words[0] |= Event0::SUBSTREAM_ID.of(u64::from(substream.get()));
            // IHI 0070 G.b 7.3.9: in C_BAD_SUBSTREAMID it is always valid, and the record has no
            // SSV.
            words[0] |= Event0::SSV.flag(self.kind != EventKind::BadSubstreamId);
        }
        if let Some(fetch) = self.fetch {
            words[3] = Event3Fetch::FETCH_ADDR.in_place(fetch.get());
        }
        let access = Event1::PNU.flag(self.access.privilege == Privilege::Privileged)
            | Event1::IND.flag(self.access.instruction && !self.access.is_write())
            | Event1::RNW.flag(!self.access.is_write());
        match self.kind {
            EventKind::UnsupportedTransaction => {
                words[1] = access;
                words[2] = self.input.get();
            }
            EventKind::TranslatedForbidden => {
                words[1] = Event1::RNW.flag(!self.access.is_write());
                words[2] = self.input.get();
            }
            EventKind::BadTranslationRequest | EventKind::PageRequest => {
                words[1] = self.requested.word();
                words[2] = Event2Page::INPUT_ADDR.in_place(self.input.get());
            }
            EventKind::TlbConflict => {
                words[1] = access | Event1::S2.flag(self.stage == Stage::Two);
                words[2] = self.input.get();
                words[3] = self.ipa_word();
            }
            EventKind::WalkEabt => {
                words[1] = access | self.place();
                words[2] = self.input.get();
            }
            EventKind::Translation
            | EventKind::AddrSize
            | EventKind::Access
            | EventKind::Permission => {
                words[1] = access | self.place() | self.stalled();
                words[2] = self.input.get();
                words[3] = self.ipa_word();
            }
            EventKind::ConfigConflict => {
                if let Detail::Conflict(other) = self.detail {
                    words[1] = Event1Conflict::REASON.of(u64::from(other.get()));
                }
            }
            EventKind::BadStreamId
            | EventKind::SteFetch
            | EventKind::BadSte
            | EventKind::StreamDisabled
            | EventKind::BadSubstreamId
            | EventKind::CdFetch
            | EventKind::BadCd
            | EventKind::VmsFetch => {}
        }
        words
    }

    /// Stage and class of the operation that faulted.
    fn place(&self) -> u64 {
        let about_table = self.kind == EventKind::Permission && self.class == Class::Tt;
        Event1::S2.flag(self.stage == Stage::Two)
            | Event1::CLASS.of(self.class as u64)
            | Event1::TTRNW.flag(about_table && !self.table_write)
    }

    fn stalled(&self) -> u64 {
        self.stall.map_or(0, |stag| Event1::STALL.flag(true) | Event1::STAG.of(u64::from(stag)))
    }

    fn ipa_word(&self) -> u64 {
        self.ipa.map_or(0, |ipa| Event3Ipa::IPA.in_place(ipa.get()))
    }
}

impl Requested {
    /// Doubleword 1 of F_BAD_ATS_TREQ and E_PAGE_REQUEST.
    fn word(self) -> u64 {
        match self {
            Self::Access => 0,
            // IHI 0070 G.b 7.3.6: before overrides; a request always reads.
            Self::Translation { no_write, execute, privileged } => {
                Event1TranslationRequest::SPAN.of(1)
                    | Event1TranslationRequest::R.flag(true)
                    | Event1TranslationRequest::W.flag(!no_write)
                    | Event1TranslationRequest::X.flag(execute)
                    | Event1TranslationRequest::P.flag(privileged)
            }
            Self::Pages(PageHint { span, unprivileged, privileged }) => {
                Event1PageRequest::SPAN.of(u64::from(span))
                    | Event1PageRequest::UR.flag(unprivileged.contains(Perms::READ))
                    | Event1PageRequest::UW.flag(unprivileged.contains(Perms::WRITE))
                    | Event1PageRequest::UX.flag(unprivileged.contains(Perms::EXEC))
                    | Event1PageRequest::PR.flag(privileged.contains(Perms::READ))
                    | Event1PageRequest::PW.flag(privileged.contains(Perms::WRITE))
                    | Event1PageRequest::PX.flag(privileged.contains(Perms::EXEC))
            }
        }
    }
}

/// How an event was recorded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// It was written.
    Written,
    /// Configuration suppresses it.
    Suppressed,
    /// Lost: the queue is not enabled.
    QueueDisabled,
    /// Lost: the queue is full, and OVFLG shows it.
    QueueFull,
    /// Lost: a write to the queue aborted, now or since the last acknowledgement.
    QueueAborted,
    /// Lost: the SMMU is in service failure mode and no longer accesses its queues. IHI 0070 G.b
    /// 12.3.
    ServiceFailure,
    /// Not yet written: the transaction waits until the queue is writable.
    Waiting,
}

impl SmmuV3 {
    /// Whether a record can be written now. IHI 0070 G.b 7.2.1.
    pub(crate) fn event_queue_writable(&self) -> bool {
        let queue = self.registers.event_queue(&self.features);
        let (prod, cons) = (self.registers.eventq_prod, self.registers.eventq_cons);
        self.registers.enabled(Cr0::EVENTQEN)
            && !self.registers.error_active(Gerror::EVENTQ_ABT_ERR)
            && !queue.is_full(prod, cons)
    }

    /// Answers a transaction of an unsupported kind: aborted, F_UUT. IHI 0070 G.b 7.3.2: the record
    /// holds the incoming attributes, and is written while SMMUEN is 0, too.
    pub fn unsupported(&mut self, memory: &mut Memory, txn: &Transaction) -> Record {
        let event = Event::new(EventKind::UnsupportedTransaction, txn);
        self.record(memory, &event)
    }

    /// Records a device's hint at accesses to come: E_PAGE_REQUEST, which software need not answer.
    /// IHI 0070 G.b 3.12.4.1.
    pub fn hint(&mut self, memory: &mut Memory, txn: &Transaction, hint: PageHint) -> Record {
        let requested = Requested::Pages(hint);
        let event = Event { requested, ..Event::new(EventKind::PageRequest, txn) };
        // IHI 0070 G.b 7.2.1: with SMMUEN = 0 only events are recorded whose description says so;
        // 7.3.19 does not.
        if !self.registers.enabled(Cr0::SMMUEN) {
            return Record::Suppressed;
        }
        self.record(memory, &event)
    }

    /// Writes a record, if the queue is writable.
    pub(crate) fn record(&mut self, memory: &mut Memory, event: &Event) -> Record {
        let (name, stream, input) = (event.kind.name(), event.stream, event.input);
        tracing::debug!(target: passim_model::event::TRANSLATE, name, %stream, %input, "fault");
        if self.failed {
            return Record::ServiceFailure;
        }
        // IHI 0070 G.b 7.2.1: a disabled queue loses events without overflow.
        if !self.registers.enabled(Cr0::EVENTQEN) {
            return Record::QueueDisabled;
        }
        if self.registers.error_active(Gerror::EVENTQ_ABT_ERR) {
            return Record::QueueAborted;
        }
        let queue = self.registers.event_queue(&self.features);
        let (prod, cons) = (self.registers.eventq_prod, self.registers.eventq_cons);
        if queue.is_full(prod, cons) {
            // IHI 0070 G.b 7.4: OVFLG toggles unless an overflow waits for its acknowledgement.
            let overflow = EventqProd::OVFLG.mask() as u32;
            if (prod ^ cons) & overflow == 0 {
                self.registers.eventq_prod ^= overflow;
            }
            return Record::QueueFull;
        }
        let Ok(entry) = memory.words_mut(queue.entry(prod), EVENT_WORDS) else {
            self.activate_error(Gerror::EVENTQ_ABT_ERR);
            return Record::QueueAborted;
        };
        entry.copy_from_slice(&event.words());
        let overflow = prod & EventqProd::OVFLG.mask() as u32;
        self.registers.eventq_prod = overflow | queue.next(prod);
        self.counters.events += 1;
        // IHI 0070 G.b 3.18.2: the interrupt marks the transition from empty to non-empty.
        if queue.is_empty(prod, cons) {
            self.interrupt(Source::EventQueue);
        }
        Record::Written
    }
}

#[cfg(test)]
mod tests;
