//! Distances in the tables of the KVM ABI: from each mapped entry to the next, written where the
//! tables are and followed there (Linux `Documentation/virt/kvm/devices/arm-vgic-its.rst`).
//!
//! Whatever a guest has written, this comes to an end and to a result: what memory does not answer
//! for is passed over, tables that overlap are looked at once, and what is to be done for a table
//! grows with the memory behind it. Entries keep everything but their distances.
//!
//! Not here: what entries map ([`image`](super::image)).

use super::command::Source;
use super::entry::Layout;
use super::table::{Missing, Table, zeros};
use core::ops::Range;
use passim_model::{DeviceId, EventId, Memory, PhysAddr};

/// Devices, and events, at most.
const MOST: u64 = 1 << 22;
/// Pages of a device table that are looked at where they hold nothing, at most.
const MOST_EMPTY: u64 = 1 << 24;
/// Bytes that one read covers.
const PIECE: u64 = 1 << 16;

/// A valid entry of a device table.
struct Entry {
    device: u64,
    at: PhysAddr,
    word: u64,
}

impl Entry {
    /// The bytes of its table of interrupts, of EventIDs of so many bits.
    fn table(&self, event_bits: u32) -> Option<Range<u64>> {
        let dte = Layout::Kvm0.dte(self.word)?;
        let bytes = Layout::Kvm0.ite_bytes() << dte.bits.min(event_bits);
        Some(dte.itt..dte.itt.checked_add(bytes)?)
    }
}

/// Where tables are, and the bits of a DeviceID and of an EventID.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) table: Table,
    pub(super) device_bits: u32,
    pub(super) event_bits: u32,
}

impl Place {
    /// Writes the distances of devices and of their events.
    pub(super) fn write(self, memory: &mut Memory) {
        let entries = self.entries(memory);
        for (place, entry) in entries.iter().enumerate() {
            let next = entries.get(place + 1).map_or(0, |next| next.device - entry.device);
            let word = Layout::with_next_dte(entry.word, next.min(Layout::MOST_NEXT.0));
            store(entry.at, word, memory);
        }
        for part in self.parts(&entries) {
            let mapped = mapped(&part.place, memory);
            for (place, (at, word)) in mapped.iter().enumerate() {
                let next = mapped.get(place + 1).map_or(0, |(next, _)| (next - at) / ITE_BYTES);
                let word = Layout::with_next_ite(*word, next.min(Layout::MOST_NEXT.1));
                store(PhysAddr::new(*at), word, memory);
            }
        }
    }

    /// Unmaps what no distance leads to.
    pub(super) fn prune(self, memory: &mut Memory) {
        let entries = self.entries(memory);
        let reached =
            follow(entries.iter().map(|entry| (entry.device, Layout::next_dte(entry.word))), [0]);
        let mut left = Vec::new();
        for (entry, reached) in entries.into_iter().zip(reached) {
            match reached {
                true => left.push(entry),
                false => store(entry.at, 0, memory),
            }
        }
        for Part { place, tables } in self.parts(&left) {
            let mapped = mapped(&place, memory);
            let steps = mapped.iter().map(|(at, word)| (at / ITE_BYTES, Layout::next_ite(*word)));
            let starts = tables.iter().map(|(_, table)| table.start / ITE_BYTES);
            let reached = follow(steps, starts);
            for ((at, _), _) in mapped.iter().zip(reached).filter(|(_, reached)| !reached) {
                store(PhysAddr::new(*at), 0, memory);
            }
        }
    }

    /// The mapped events and the collection of each, if it is in one.
    pub(super) fn events(self, memory: &Memory) -> Vec<(Source, Option<u16>)> {
        let entries = self.entries(memory);
        let mut events = Vec::new();
        for Part { place, tables } in self.parts(&entries) {
            let mapped = mapped(&place, memory);
            for (device, table) in tables {
                let first = mapped.partition_point(|(at, _)| *at < table.start);
                for (at, word) in mapped[first..].iter().take_while(|(at, _)| *at < table.end) {
                    if events.len() as u64 == MOST {
                        return events;
                    }
                    let event = EventId::new(((at - table.start) / ITE_BYTES) as u32);
                    let icid = Layout::Kvm0.ite(*word).and_then(|ite| ite.icid);
                    events.push((Source { device, event }, icid));
                }
            }
        }
        events
    }

    /// The valid entries of the device table, by DeviceID.
    fn entries(self, memory: &Memory) -> Vec<Entry> {
        let (mut entries, mut empty, mut device) = (Vec::new(), 0, 0);
        let bound = self.table.room().min(1 << self.device_bits.min(32));
        while device < bound && empty < MOST_EMPTY && (entries.len() as u64) < MOST {
            let at = self.table.entry(device, memory);
            let zeros = at.map_or(0, |at| zeros(at, self.table.entry_bytes(), memory));
            if zeros != 0 {
                empty += 1;
                device += zeros;
                continue;
            }
            match at.and_then(|at| Ok((at, memory.load_u64(at)?))) {
                Ok((at, word)) => {
                    if Layout::Kvm0.dte(word).is_some() {
                        entries.push(Entry { device, at, word });
                    }
                    device += 1;
                }
                Err(Missing::Beyond) => break,
                // There is nothing on this page, which is not there.
                Err(Missing::NoPage | Missing::Abort(_)) => {
                    empty += 1;
                    device = (device / self.table.in_page() + 1) * self.table.in_page();
                }
            }
        }
        entries
    }

    /// The memory that tables of interrupts lie in: those that overlap are in one part.
    fn parts(self, entries: &[Entry]) -> Vec<Part> {
        let table = |it: &Entry| {
            let table = it.table(self.event_bits)?;
            Some((DeviceId::new(it.device as u32), table))
        };
        let mut tables: Vec<_> = entries.iter().filter_map(table).collect();
        tables.sort_by_key(|(_, table)| (table.start, table.end));
        let mut parts: Vec<Part> = Vec::new();
        for (device, table) in tables {
            match parts.last_mut().filter(|part| table.start < part.place.end) {
                Some(part) => {
                    part.place.end = part.place.end.max(table.end);
                    part.tables.push((device, table));
                }
                None => {
                    let place = table.clone();
                    parts.push(Part { place, tables: vec![(device, table)] });
                }
            }
        }
        parts
    }
}

/// Memory that tables of interrupts lie in, and those tables.
struct Part {
    place: Range<u64>,
    tables: Vec<(DeviceId, Range<u64>)>,
}

const ITE_BYTES: u64 = Layout::Kvm0.ite_bytes();

/// The mapped entries of interrupts in a part of memory, in order; what of it is not RAM has none.
fn mapped(part: &Range<u64>, memory: &Memory) -> Vec<(u64, u64)> {
    let mut mapped = Vec::new();
    for bank in memory.banks() {
        let end = part.end.min(bank.last().get() + 1);
        let mut at = part.start.max(bank.start().get());
        while at < end {
            let stop = end.min((at / PIECE + 1) * PIECE);
            let words = memory.words(PhysAddr::new(at), ((stop - at) / ITE_BYTES) as usize);
            let words = words.ok().filter(|words| words.iter().any(|word| *word != 0));
            let places = (at..stop).step_by(ITE_BYTES as usize);
            let of_piece = places.zip(words.unwrap_or(&[]).iter().copied());
            mapped.extend(of_piece.filter(|(_, word)| Layout::Kvm0.ite(*word).is_some()));
            at = stop;
        }
    }
    mapped
}

/// Which of the entries, given by number with the distance to the next, are reached from any of the
/// starts: one by one to the first, then by distances. A distance that leads to none leads to the
/// next there is.
fn follow(
    entries: impl Iterator<Item = (u64, u64)>,
    starts: impl IntoIterator<Item = u64>,
) -> Vec<bool> {
    let entries: Vec<_> = entries.collect();
    let mut reached = vec![false; entries.len()];
    for start in starts {
        let mut from = start;
        loop {
            let place = entries.partition_point(|(number, _)| *number < from);
            // Where one has come before, all that follows has been found.
            let Some((number, distance)) = entries.get(place).filter(|_| !reached[place]) else {
                break;
            };
            reached[place] = true;
            if *distance == 0 {
                break;
            }
            from = number + distance;
        }
    }
    reached
}

/// Stores to where an entry was read.
fn store(at: PhysAddr, word: u64, memory: &mut Memory) {
    memory.store_u64(at, word).expect("RAM answers as it did");
}
