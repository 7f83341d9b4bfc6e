//! Translation of a message: from device and event to collection and LPI. IHI 0069 H 5.2.

use super::collection::NoCollection;
use super::command::Source;
use super::entry::{Dte, Ite};
use super::error::{FailedWrite, Untranslated, Wrote};
use super::flight::{Before, InFlight, Late};
use super::table::Missing;
use super::wire::offset;
use super::{Arrival, Its, MOST_REPORTS};
use crate::choice::its::{EventBeyond, Forgetting, Ordering, StoredEntries};
use crate::v3::Packet;
use crate::{Cpu, Size};
use passim_model::{DeviceId, EventId, IntId, Memory, PhysAddr, Requester, event};

/// How the LPI of a message reaches its redistributor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Delivery {
    /// The caller makes it pending at once: no packet is ahead of it.
    Now,
    /// With the packets that are due, if any.
    Packets,
}

type Raised = (IntId, Cpu, Delivery);

impl Its {
    /// Fast path of [`Its::message`]: the LPI and CPU of a message whose translation is cached and
    /// whose LPI becomes pending at once. `None`, with nothing changed, in every other case.
    #[inline(always)]
    pub(crate) fn message_fast(
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

    /// A message arrives, at an offset from the start of the ITS. The requester is known to the
    /// bus: nothing a device writes can name another device. Returns the outcome, and whether the
    /// caller has to make the LPI pending at once.
    #[inline(never)]
    pub(crate) fn message(
        &mut self,
        at: u64,
        size: Size,
        value: u64,
        requester: &Requester,
        memory: &Memory,
    ) -> (Arrival, Delivery) {
        // IHI 0069 H 12.19 (GITS_TRANSLATER): 32 bits, or 16 with the rest zero.
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

    /// Records a device's write that GIC-600 reports: a failed message with INT's syndromes, or a
    /// write that is no message.
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
        // From here on `source` is the event as commands name it.
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

    /// Caches a translation, where that is chosen.
    #[inline]
    pub(super) fn remember(&mut self, source: Source, intid: IntId, cpu: Cpu) {
        if !self.forgets_whole() || self.reach.get(cpu.index()) != Some(&0) {
            self.cache.remember(source, intid, cpu);
        }
    }

    /// Invalidates the translation of an event that is unmapped, or moved.
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

    /// By chance, translates as before a command that no SYNC has followed. `None` if the message
    /// is to be translated as now. `sent` is the event that the device wrote, `source` the same by
    /// the current table.
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

    /// Translates a message of a device whose table a later MAPD replaced: through the old table,
    /// as memory holds it now.
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

    /// The event of a message once excess bits of its EventID are removed, where that is chosen. A
    /// command's EventID is never cut.
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

    /// As [`Its::cut`], for a device with this table entry.
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

    /// Address of the device table entry.
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

    fn believes_entries(&self) -> bool {
        self.implementation.choices.stored_entries == StoredEntries::Believed
    }

    /// The device table entry of a mapped device.
    pub(super) fn device(&self, device: DeviceId, memory: &Memory) -> Result<Dte, Untranslated> {
        if let Some(internal) = &self.internal {
            let beyond = u64::from(device.get()) >> self.implementation.features.device_bits != 0;
            let missing =
                if beyond { Untranslated::DeviceOutOfRange } else { Untranslated::UnmappedDevice };
            return internal.device(device).ok_or(missing);
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
        // The entry in memory may exceed the EventID bits that MAPD accepts.
        match self.believes_entries() {
            true => Ok(dte),
            false => Ok(Dte { bits: dte.bits.min(features.event_bits), ..dte }),
        }
    }

    /// The interrupt translation entry of an event, and its address.
    pub(super) fn event(
        &self,
        source: Source,
        memory: &Memory,
    ) -> Result<(PhysAddr, Option<Ite>), Untranslated> {
        let dte = self.device(source.device, memory)?;
        self.event_of(dte, source, memory)
    }

    /// Address of the interrupt translation entry of an event of a device with this table entry.
    pub(super) fn event_entry(&self, dte: Dte, event: EventId) -> Result<PhysAddr, Untranslated> {
        let n = u64::from(event.get());
        match n >> dte.bits {
            0 => Ok(PhysAddr::new(dte.itt + n * self.implementation.features.layout.ite_bytes())),
            _ => Err(Untranslated::EventOutOfRange),
        }
    }

    /// As [`Its::event`], for a device with this table entry.
    fn event_of(
        &self,
        dte: Dte,
        source: Source,
        memory: &Memory,
    ) -> Result<(PhysAddr, Option<Ite>), Untranslated> {
        let at = self.event_entry(dte, source.event)?;
        let features = &self.implementation.features;
        if let Some(internal) = &self.internal {
            return Ok((at, internal.event(source)));
        }
        let ite = features.layout.load_ite(at, memory);
        let ite = ite.map_err(|abort| Untranslated::Abort(abort.0))?;
        let ite = ite.filter(|ite| self.believes_entries() || features.is_lpi(ite.intid));
        Ok((at, ite.or_else(|| self.orphans.at(at))))
    }
}
