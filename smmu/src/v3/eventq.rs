//! The Event queue: what a record says and when it is written. IHI 0070 G.b 7.2 to 7.4.

use crate::v3::SmmuV3;
use crate::v3::config::cd::CdFlaw;
use crate::v3::config::ste::SteFlaw;
use crate::v3::irq::Source;
use crate::v3::wire::event::{
    Class, EVENT_WORDS, Event0, Event1, Event3Fetch, Event3Ipa, EventKind,
};
use crate::v3::wire::regs::{Cr0, EventqProd, Gerror};
use passim_model::access::{Access, Privilege};
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{Iova, Ipa, Memory, PhysAddr, StreamId, SubstreamId};

/// More about an event than its record holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Detail {
    /// Nothing.
    None,
    /// The rule an STE broke.
    Ste(SteFlaw),
    /// The rule a CD broke.
    Cd(CdFlaw),
    /// The level of the descriptor that decided.
    Level(u8),
}

/// A configuration error or translation fault.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// Which.
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
    /// What its address was for.
    pub class: Class,
    /// The address put into stage 2, where stage 2 faulted.
    pub ipa: Option<Ipa>,
    /// Where memory did not answer.
    pub fetch: Option<PhysAddr>,
    /// More than the record holds.
    pub detail: Detail,
}

impl Event {
    /// The record. IHI 0070 G.b 7.3.2 to 7.3.16; fields that do not belong to the event are zero.
    pub fn words(&self) -> [u64; EVENT_WORDS] {
        let mut words = [0; EVENT_WORDS];
        words[0] = Event0::ID.of(u64::from(self.kind.number()))
            | Event0::STREAM_ID.of(u64::from(self.stream.get()));
        if let Some(substream) = self.substream {
            words[0] |= Event0::SUBSTREAM_ID.of(u64::from(substream.get()));
            // IHI 0070 G.b 7.3.9: in C_BAD_SUBSTREAMID it is always valid, and nothing says so.
            words[0] |= Event0::SSV.flag(self.kind != EventKind::BadSubstreamId);
        }
        if let Some(fetch) = self.fetch {
            words[3] = Event3Fetch::FETCH_ADDR.in_place(fetch.get());
        }
        if self.is_about_translation() {
            let privileged = self.access.privilege == Privilege::Privileged;
            let table_read = self.kind == EventKind::Permission && self.class == Class::Tt;
            words[1] = Event1::PNU.flag(privileged)
                | Event1::IND.flag(self.access.instruction && !self.access.is_write())
                | Event1::RNW.flag(!self.access.is_write())
                | Event1::S2.flag(self.stage == Stage::Two)
                | Event1::CLASS.of(self.class as u64)
                | Event1::TTRNW.flag(table_read);
            words[2] = self.input.get();
            if let Some(ipa) = self.ipa.filter(|_| self.kind != EventKind::WalkEabt) {
                words[3] = Event3Ipa::IPA.in_place(ipa.get());
            }
        }
        words
    }

    fn is_about_translation(&self) -> bool {
        match self.kind {
            EventKind::WalkEabt
            | EventKind::Translation
            | EventKind::AddrSize
            | EventKind::Access
            | EventKind::Permission => true,
            EventKind::BadStreamId
            | EventKind::SteFetch
            | EventKind::BadSte
            | EventKind::StreamDisabled
            | EventKind::BadSubstreamId
            | EventKind::CdFetch
            | EventKind::BadCd => false,
        }
    }
}

/// What became of an event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Record {
    /// It was written.
    Written,
    /// Configuration says it is not recorded.
    Suppressed,
    /// Lost: the queue is not enabled.
    QueueDisabled,
    /// Lost: the queue is full, and overflow says so.
    QueueFull,
    /// Lost: memory did not answer, now or since the last acknowledgement.
    QueueAborted,
}

impl SmmuV3 {
    /// Writes a record, if the queue is writable.
    pub(crate) fn record(&mut self, memory: &mut Memory, event: &Event) -> Record {
        let (name, stream, input) = (event.kind.name(), event.stream, event.input);
        tracing::debug!(target: passim_model::event::TRANSLATE, name, %stream, %input, "fault");
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
