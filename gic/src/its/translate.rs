//! What becomes of a message: device, event, collection, LPI. IHI 0069 H 5.2.

use super::collection::NoCollection;
use super::command::Source;
use super::entry::{Dte, Ite};
use super::error::{FailedWrite, Untranslated, Wrote};
use super::flight::{Before, InFlight, Late};
use super::table::Missing;
use super::wire::offset;
use super::{Arrival, Its, MOST_REPORTS};
use crate::choice::its::{EventBeyond, Forgetting, Ordering};
use crate::v3::Packet;
use crate::{Cpu, Size};
use passim_model::{DeviceId, EventId, IntId, Memory, PhysAddr, Requester, event};

/// How the LPI of a message gets to its redistributor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Delivery {
    /// At once: nothing is ahead of it, and nothing else is due.
    Now,
    /// With the packets that are due, if any are.
    Packets,
}

type Raised = (IntId, Cpu, Delivery);

impl Its {
    /// The LPI and CPU of a message, where that is plain to see: it is remembered, and what it raises is
    /// pending at once. What [`Its::message`] would come to, in short; where that is anything else,
    /// nothing is done.
    #[inline(always)]
    pub(crate) fn message_at_hand(
        &mut self,
        at: u64,
        size: Size,
        value: u64,
        requester: &Requester,
    ) -> Option<(IntId, Cpu)> {
        let choices = &self.implementation.choices;
        let plain = (at, size) == (offset::TRANSLATER, Size::Word)
            && self.registers.enabled
            && choices.event_beyond == EventBeyond::Ignored
            && choices.ordering == Ordering::AtOnce
            && !tracing::level_enabled!(tracing::Level::DEBUG);
        if !plain {
            return None;
        }
        debug_assert!(self.flight.is_empty(), "everything has arrived at once");
        let source = Source { device: requester.device, event: EventId::new(value as u32) };
        let (intid, cpu) = self.cache.find(source)?;
        if self.reach.get(cpu.index()) == Some(&0) {
            return None;
        }
        self.counters.messages += 1;
        Some((intid, cpu))
    }

    /// A message arrives at an offset from where the ITS starts. Who sent it travels beside it:
    /// nothing a device writes can name another device. Beside what comes of it, whether its LPI is
    /// for the caller to make pending, at once.
    #[inline(never)]
    pub(crate) fn message(
        &mut self,
        at: u64,
        size: Size,
        value: u64,
        requester: &Requester,
        memory: &Memory,
    ) -> (Arrival, Delivery) {
        // IHI 0069 H 12.19 (GITS_TRANSLATER): 32 bits, or 16 of which the rest is zero.
        if at != offset::TRANSLATER || !matches!(size, Size::Half | Size::Word) {
            if at >= offset::TRANSLATION_FRAME {
                self.report_write(
                    requester.device,
                    Wrote::Other(at, size),
                    FailedWrite::NO_MESSAGE,
                );
            }
            return (Arrival::Ignored, Delivery::Packets);
        }
        let event = EventId::new(size.cut(value) as u32);
        let source = Source { device: requester.device, event };
        let outcome = self.raise(source, memory);
        tracing::debug!(target: event::TRANSLATE, ?source, ?outcome, "message");
        match outcome {
            Ok((intid, cpu, delivery)) => {
                self.counters.messages += 1;
                if self.reach.get(cpu.index()) == Some(&0) {
                    self.report_write(source.device, Wrote::Event(event), FailedWrite::LPIS_OFF);
                }
                (Arrival::Raised { intid, cpu }, delivery)
            }
            Err(why) => {
                self.counters.untranslated += 1;
                let recorded = self.implementation.features.unmapped_messages;
                if recorded && why != Untranslated::Disabled {
                    let (device, event) = (source.device.get(), source.event.get());
                    let told = self.registers.tells_unmapped();
                    self.registers.unmapped(device, event, why.syndrome());
                    self.tell_unmapped(told);
                }
                if let Some(syndrome) = why.of_a_write() {
                    self.report_write(source.device, Wrote::Event(event), syndrome);
                }
                (Arrival::Untranslated(why), Delivery::Packets)
            }
        }
    }

    /// GIC-600 tells of a device's message what it tells of INT, and of what is none that it is.
    fn report_write(&mut self, device: DeviceId, wrote: Wrote, syndrome: u32) {
        if !self.has_own_errors() {
            return;
        }
        if self.failed_writes.len() == MOST_REPORTS {
            self.failed_writes.pop_front();
        }
        self.failed_writes.push_back(FailedWrite { device, wrote, syndrome });
    }

    #[inline]
    fn raise(&mut self, source: Source, memory: &Memory) -> Result<Raised, Untranslated> {
        if !self.registers.enabled {
            return Err(Untranslated::Disabled);
        }
        // From here on an event has one name, that by which commands know it.
        let sent = source;
        let source = self.cut(source, memory);
        if !self.flight.is_empty() {
            self.let_one_arrive();
            if let Some(outcome) = self.raise_as_before(sent, source, memory) {
                return outcome.map(|(intid, cpu)| (intid, cpu, Delivery::Packets));
            }
        }
        let known = self.cache.find(source).or_else(|| self.cache.recall(source));
        let (intid, cpu) = match known {
            Some(known) => known,
            None => {
                let found = self.translate(source, memory)?;
                self.remember(source, found.0, found.1);
                found
            }
        };
        if self.implementation.choices.ordering == Ordering::AtOnce {
            return Ok((intid, cpu, Delivery::Now));
        }
        let ahead = self.flight.overtaken(source, cpu);
        match ahead.filter(|_| self.chance.coin()) {
            Some(place) => {
                self.raise_before(place, source, intid, cpu);
            }
            None => self.send(cpu, Packet::SetPending(intid), Some(source), Late::No),
        }
        Ok((intid, cpu, Delivery::Packets))
    }

    /// Remembers a translation, where that is done.
    #[inline]
    pub(super) fn remember(&mut self, source: Source, intid: IntId, cpu: Cpu) {
        if !self.forgets_whole() || self.reach.get(cpu.index()) != Some(&0) {
            self.cache.remember(source, intid, cpu);
        }
    }

    /// Forgets the translation of an event that is another's, or goes elsewhere, from now on.
    pub(super) fn forget(&mut self, source: Source) {
        match self.implementation.choices.forgetting {
            Forgetting::WhatChanges => self.cache.forget(source),
            Forgetting::Whole => self.cache.forget_all(),
        }
    }

    #[inline]
    pub(super) fn forgets_whole(&self) -> bool {
        self.implementation.choices.forgetting == Forgetting::Whole
    }

    /// By chance, translates as before a command that no SYNC has followed. What comes to nothing
    /// either way is said as it is now. `sent` is what the device wrote, `source` what that is now.
    fn raise_as_before(
        &mut self,
        sent: Source,
        source: Source,
        memory: &Memory,
    ) -> Option<Result<(IntId, Cpu), Untranslated>> {
        let of_event =
            self.flight.before(|before| matches!(before, Before::Event(of, _) if *of == source));
        if let Some(place) = of_event.filter(|_| self.chance.coin()) {
            let InFlight { to, late, .. } = *self.flight.at(place)?;
            let Late::Before(Before::Event(_, Some(intid))) = late else {
                return Some(Err(Untranslated::UnmappedEvent));
            };
            return Some(Ok(self.raise_before(place, source, intid, to)));
        }
        if let Some(before) = self.flight.device(source.device, &mut self.chance)
            && self.chance.coin()
        {
            return self.raise_from(before, sent, memory);
        }
        let (_, ite) = self.event(source, memory).ok()?;
        let ite = ite?;
        let of_collection = self.flight.before(
            |before| matches!(before, Before::Collection(icid, _) if Some(*icid) == ite.icid),
        );
        let place = of_collection.filter(|_| self.chance.coin())?;
        let InFlight { to, late, .. } = *self.flight.at(place)?;
        match late {
            Late::Before(Before::Collection(_, true)) => {
                Some(Ok(self.raise_before(place, source, IntId::new(ite.intid), to)))
            }
            _ => Some(Err(Untranslated::UnmappedCollection)),
        }
    }

    /// Translates a message of a device that was mapped so before a MAPD: with the table of then,
    /// as that is in memory now.
    fn raise_from(
        &mut self,
        before: Option<Dte>,
        sent: Source,
        memory: &Memory,
    ) -> Option<Result<(IntId, Cpu), Untranslated>> {
        let Some(dte) = before else { return Some(Err(Untranslated::UnmappedDevice)) };
        let source = self.cut_to(dte, sent);
        let (_, ite) = self.event_of(dte, source, memory).ok()?;
        let (intid, cpu) = self.place_of(ite, memory).ok()?;
        self.send(cpu, Packet::SetPending(intid), Some(source), Late::No);
        Some(Ok((intid, cpu)))
    }

    fn raise_before(
        &mut self,
        place: usize,
        source: Source,
        intid: IntId,
        to: Cpu,
    ) -> (IntId, Cpu) {
        let packet = Packet::SetPending(intid);
        let packet = InFlight { to, packet, source: Some(source), late: Late::No };
        let crowded_out = self.flight.send_before(place, packet);
        self.due.extend(crowded_out.map(|packet| (packet.to, packet.packet)));
        (intid, to)
    }

    /// The event that a message is taken for, where bits of its EventID are too many. A command's are
    /// never cut.
    #[inline]
    fn cut(&self, sent: Source, memory: &Memory) -> Source {
        match self.implementation.choices.event_beyond {
            EventBeyond::Ignored => sent,
            EventBeyond::Cut => match self.device(sent.device, memory) {
                Ok(dte) => self.cut_to(dte, sent),
                Err(_) => sent,
            },
        }
    }

    /// As [`Its::cut`], of a device that is mapped so.
    fn cut_to(&self, dte: Dte, sent: Source) -> Source {
        let all = u64::from(sent.event.get());
        match self.implementation.choices.event_beyond {
            EventBeyond::Ignored => sent,
            EventBeyond::Cut => {
                let event = EventId::new((all & ((1 << dte.bits) - 1)) as u32);
                Source { event, ..sent }
            }
        }
    }

    /// The LPI and CPU of an event.
    pub(super) fn translate(
        &self,
        source: Source,
        memory: &Memory,
    ) -> Result<(IntId, Cpu), Untranslated> {
        let (_, ite) = self.event(source, memory)?;
        self.place_of(ite, memory)
    }

    /// The LPI and CPU of an interrupt translation entry.
    fn place_of(&self, ite: Option<Ite>, memory: &Memory) -> Result<(IntId, Cpu), Untranslated> {
        let ite = ite.ok_or(Untranslated::UnmappedEvent)?;
        match self.collection_of(ite, memory) {
            Ok(Some(cpu)) => Ok((IntId::new(ite.intid), cpu)),
            Ok(None) | Err(NoCollection::OutOfRange) => Err(Untranslated::UnmappedCollection),
            Err(NoCollection::Abort(at)) => Err(Untranslated::Abort(at)),
        }
    }

    /// Where the device table entry is.
    pub(super) fn device_entry(
        &self,
        device: DeviceId,
        memory: &Memory,
    ) -> Result<PhysAddr, Missing> {
        let n = u64::from(device.get());
        if n >> self.implementation.features.device_bits != 0 {
            return Err(Missing::Beyond);
        }
        self.registers.devices().ok_or(Missing::Beyond)?.entry(n, memory)
    }

    /// The device table entry of a mapped device.
    pub(super) fn device(&self, device: DeviceId, memory: &Memory) -> Result<Dte, Untranslated> {
        if let Some(kept) = &self.kept {
            let beyond = u64::from(device.get()) >> self.implementation.features.device_bits != 0;
            let missing =
                if beyond { Untranslated::DeviceOutOfRange } else { Untranslated::UnmappedDevice };
            return kept.device(device).ok_or(missing);
        }
        let at = self.device_entry(device, memory).map_err(|missing| match missing {
            Missing::Beyond => Untranslated::DeviceOutOfRange,
            Missing::NoPage if self.has_own_errors() => Untranslated::NoDevicePage,
            Missing::NoPage => Untranslated::UnmappedDevice,
            Missing::Abort(at) => Untranslated::Abort(at),
        })?;
        let word = memory.load_u64(at).map_err(|abort| Untranslated::Abort(abort.0))?;
        let features = &self.implementation.features;
        let dte = features.layout.dte(word).ok_or(Untranslated::UnmappedDevice)?;
        // What memory says is not believed beyond what MAPD would have taken.
        Ok(Dte { bits: dte.bits.min(features.event_bits), ..dte })
    }

    /// The interrupt translation entry of an event, and where it is.
    pub(super) fn event(
        &self,
        source: Source,
        memory: &Memory,
    ) -> Result<(PhysAddr, Option<Ite>), Untranslated> {
        let dte = self.device(source.device, memory)?;
        self.event_of(dte, source, memory)
    }

    /// As [`Its::event`], of a device that is mapped so.
    fn event_of(
        &self,
        dte: Dte,
        source: Source,
        memory: &Memory,
    ) -> Result<(PhysAddr, Option<Ite>), Untranslated> {
        let n = u64::from(source.event.get());
        match n >> dte.bits {
            0 => {}
            _ => return Err(Untranslated::EventOutOfRange),
        }
        let features = &self.implementation.features;
        let at = PhysAddr::new(dte.itt + n * features.layout.ite_bytes());
        if let Some(kept) = &self.kept {
            return Ok((at, kept.event(source)));
        }
        let ite = features.layout.load_ite(at, memory);
        let ite = ite.map_err(|abort| Untranslated::Abort(abort.0))?;
        let ite = ite.filter(|ite| features.is_lpi(ite.intid));
        Ok((at, ite.or_else(|| self.orphans.at(at))))
    }
}
