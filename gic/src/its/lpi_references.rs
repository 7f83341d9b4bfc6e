//! The LPI of each event, where redistributors are notified of every mapping, move and unmapping
//! ([`EventsOfLpis::Told`](crate::choice::its::EventsOfLpis)). The tables hold it too, but once a
//! device's table has been unmapped they can no longer be read.

use super::Its;
use super::command::Source;
use super::flight::Late;
use crate::Cpu;
use crate::choice::its::EventsOfLpis;
use crate::v3::Packet;
use passim_model::{DeviceId, EventId, IntId, Memory};

impl Its {
    pub(super) fn notifies(&self) -> bool {
        self.implementation.choices.events_of_lpis == EventsOfLpis::Told
    }

    /// An event now maps to this LPI, or to none.
    pub(super) fn notify(&mut self, source: Source, intid: Option<IntId>) {
        if !self.notifies() {
            return;
        }
        let before = match intid {
            Some(intid) => self.references.insert(source, intid),
            None => self.references.remove(&source),
        };
        if let Some(before) = before {
            self.release(source, before);
        }
    }

    /// Releases the LPIs of all events of a device.
    pub(super) fn notify_device(&mut self, device: DeviceId) {
        let source = |event| Source { device, event: EventId::new(event) };
        let events = self.references.range(source(0)..=source(u32::MAX));
        for (source, intid) in events.map(|(source, intid)| (*source, *intid)).collect::<Vec<_>>() {
            self.references.remove(&source);
            self.release(source, intid);
        }
    }

    /// Releases the LPIs of all events.
    pub(super) fn notify_all(&mut self) {
        for (source, intid) in core::mem::take(&mut self.references) {
            self.release(source, intid);
        }
    }

    /// Sent to CPU 0: a release concerns all redistributors.
    fn release(&mut self, source: Source, intid: IntId) {
        self.send(Cpu::new(0), Packet::Released(intid), Some(source), Late::No);
    }

    /// The LPI of each event, and its collection's CPU, if mapped, by DeviceID and EventID.
    pub(crate) fn lpis(&self, memory: &Memory) -> Vec<(IntId, Option<Cpu>)> {
        let of = |(source, intid): (&Source, &IntId)| {
            let cpu = self.translate(*source, memory).map(|(_, cpu)| cpu);
            (*intid, cpu.ok())
        };
        self.references.iter().map(of).collect()
    }

    /// Records the events of restored tables.
    pub(super) fn gather_references(&mut self, memory: &Memory) {
        if !self.notifies() {
            return;
        }
        for (device, found) in self.most_mappings(memory).0.mappings.devices {
            for (event, (intid, _)) in found.events {
                self.references.insert(Source { device, event }, intid);
            }
        }
    }
}
