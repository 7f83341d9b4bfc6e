//! The LPIs of events, where redistributors are told of every event that comes, moves and goes
//! ([`EventsOfLpis::Told`](crate::choice::its::EventsOfLpis)). Tables say it, too; but of a table that a
//! device has no more they say it too late.

use super::Its;
use super::command::Source;
use super::flight::Late;
use crate::Cpu;
use crate::choice::its::EventsOfLpis;
use crate::v3::Packet;
use passim_model::{DeviceId, EventId, IntId, Memory};

impl Its {
    pub(super) fn tells(&self) -> bool {
        self.implementation.choices.events_of_lpis == EventsOfLpis::Told
    }

    /// An event maps to this LPI from now on, or to none.
    pub(super) fn tell(&mut self, source: Source, intid: Option<IntId>) {
        if !self.tells() {
            return;
        }
        let before = match intid {
            Some(intid) => self.told.insert(source, intid),
            None => self.told.remove(&source),
        };
        if let Some(before) = before {
            self.release(source, before);
        }
    }

    /// The events of a device map to nothing any more.
    pub(super) fn tell_device(&mut self, device: DeviceId) {
        let source = |event| Source { device, event: EventId::new(event) };
        let events = self.told.range(source(0)..=source(u32::MAX));
        for (source, intid) in events.map(|(source, intid)| (*source, *intid)).collect::<Vec<_>>() {
            self.told.remove(&source);
            self.release(source, intid);
        }
    }

    /// No event maps to anything any more.
    pub(super) fn tell_all(&mut self) {
        for (source, intid) in core::mem::take(&mut self.told) {
            self.release(source, intid);
        }
    }

    /// It is for no one redistributor.
    fn release(&mut self, source: Source, intid: IntId) {
        self.send(Cpu::new(0), Packet::Released(intid), Some(source), Late::No);
    }

    /// The LPI of each event, and the CPU of its collection, if that is mapped, by DeviceID and EventID.
    pub(crate) fn lpis(&self, memory: &Memory) -> Vec<(IntId, Option<Cpu>)> {
        let of = |(source, intid): (&Source, &IntId)| {
            let cpu = self.translate(*source, memory).map(|(_, cpu)| cpu);
            (*intid, cpu.ok())
        };
        self.told.iter().map(of).collect()
    }

    /// What tables that are restored say.
    pub(super) fn gather_told(&mut self, memory: &Memory) {
        if !self.tells() {
            return;
        }
        for (device, found) in self.most_mappings(memory).0.mappings.devices {
            for (event, (intid, _)) in found.events {
                self.told.insert(Source { device, event }, intid);
            }
        }
    }
}
