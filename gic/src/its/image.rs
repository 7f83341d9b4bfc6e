//! What tables say, free of how they say it: read in one layout, written in another.
//!
//! The layouts are KVM's save and restore ABI revision 0 (Linux
//! `Documentation/virt/kvm/devices/arm-vgic-its.rst`) and QEMU's (`hw/intc/gicv3_internal.h`).
//! A machine saved by one and read by the other lacks exactly this.

use super::entry::{Dte, Ite, Layout};
use super::table::{Missing, Table};
use crate::Cpu;
use core::fmt;
use passim_model::{Abort, DeviceId, EventId, IntId, Memory, PhysAddr};
use std::collections::BTreeMap;

/// A mapped device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Where its interrupt translation table is.
    pub itt: PhysAddr,
    /// Bits of an EventID.
    pub event_bits: u32,
    /// Its mapped events: LPI and ICID, `None` of those that lost their collection for good.
    pub events: BTreeMap<EventId, (IntId, Option<u16>)>,
}

/// Everything that the tables of an ITS map.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Mappings {
    /// The mapped devices.
    pub devices: BTreeMap<DeviceId, Device>,
    /// The mapped collections, and the CPU of each.
    pub collections: BTreeMap<u16, Cpu>,
}

/// Where tables are: the values of the GITS_BASER registers for devices and collections.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tables {
    /// Of devices.
    pub devices: u64,
    /// Of collections.
    pub collections: u64,
}

/// How the mapped entries of a table are found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reading {
    /// Every entry is looked at.
    Every,
    /// By the distances from one to the next, as the KVM ABI has it. What no distance leads to is
    /// not seen.
    ByDistance,
}

/// Why tables cannot be read or written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ImageError {
    /// Memory did not answer.
    #[error("{0}")]
    Abort(Abort),
    /// There is no room for an entry.
    #[error("the {0} table has no room for number {1}")]
    NoRoom(Kind, u32),
    /// The interrupt translation table of a device is too small for entries of the new layout.
    #[error("the table of device {device} has {has} bytes, and {wants} are needed")]
    IttTooSmall {
        /// The device.
        device: DeviceId,
        /// What its owner had to allocate, at least.
        has: u64,
        /// What the layout needs.
        wants: u64,
    },
    /// The tables map more than an ITS could have been told to.
    #[error("the tables map more than {MOST_ENTRIES} entries")]
    TooLarge,
}

/// A table, in errors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Of devices.
    Device,
    /// Of collections.
    Collection,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::Collection => "collection",
        })
    }
}

impl From<Abort> for ImageError {
    fn from(abort: Abort) -> Self {
        Self::Abort(abort)
    }
}

/// Entries looked at, at most.
const MOST_ENTRIES: u64 = 1 << 22;
/// Collections, at most.
const MOST_COLLECTIONS: u64 = 1 << 16;
/// The alignment of an interrupt translation table: no other lies closer.
const ITT_LEAST: u64 = 256;

/// How many more entries may be looked at.
struct Budget(u64);

impl Budget {
    fn spend(&mut self) -> Result<(), ImageError> {
        self.0 = self.0.checked_sub(1).ok_or(ImageError::TooLarge)?;
        Ok(())
    }
}

impl Mappings {
    /// Reads tables, of DeviceIDs and EventIDs of so many bits.
    ///
    /// # Errors
    /// [`ImageError::Abort`] and [`ImageError::TooLarge`].
    pub fn read(
        layout: Layout,
        reading: Reading,
        tables: Tables,
        (device_bits, event_bits): (u32, u32),
        memory: &Memory,
    ) -> Result<Self, ImageError> {
        let mut mappings = Self::default();
        let mut budget = Budget(MOST_ENTRIES);
        if let Some(table) = Table::of(tables.collections) {
            mappings.collections = read_collections(layout, table, memory)?;
        }
        let Some(table) = Table::of(tables.devices) else { return Ok(mappings) };
        let bound = table.room().min(1 << device_bits.min(32));
        let mut n = 0;
        while n < bound {
            let word = match table.entry(n, memory) {
                Ok(at) => memory.load_u64(at)?,
                // Nothing on this page, which is not there.
                Err(Missing::NoPage) => {
                    n = (n / table.in_page() + 1) * table.in_page();
                    continue;
                }
                Err(Missing::Beyond) => break,
                Err(Missing::Abort(at)) => return Err(Abort(at).into()),
            };
            budget.spend()?;
            let mut distance = 1;
            if let Some(dte) = layout.dte(word) {
                let bits = dte.bits.min(event_bits);
                let events = read_events(layout, reading, dte.itt, bits, &mut budget, memory)?;
                let device = Device { itt: PhysAddr::new(dte.itt), event_bits: bits, events };
                mappings.devices.insert(DeviceId::new(n as u32), device);
                if reading == Reading::ByDistance {
                    distance = Layout::next_dte(word);
                }
            }
            if distance == 0 {
                break;
            }
            n += distance;
        }
        Ok(mappings)
    }

    /// Writes tables: what they held before is gone, what distances there are lead from each
    /// mapped entry to the next.
    ///
    /// # Errors
    /// [`ImageError::Abort`] and [`ImageError::NoRoom`].
    pub fn write(
        &self,
        layout: Layout,
        tables: Tables,
        memory: &mut Memory,
    ) -> Result<(), ImageError> {
        if let Some(table) = Table::of(tables.collections) {
            self.write_collections(layout, table, memory)?;
        } else if let Some(icid) = self.collections.keys().next() {
            return Err(ImageError::NoRoom(Kind::Collection, u32::from(*icid)));
        }
        if let Some(table) = Table::of(tables.devices) {
            clear(table, memory)?;
        }
        for (device, next) in with_distance(self.devices.keys(), |id| id.get()) {
            let number = device.get();
            let no_room = ImageError::NoRoom(Kind::Device, number);
            let table = Table::of(tables.devices).ok_or(no_room)?;
            let at = match table.entry(u64::from(number), memory) {
                Ok(at) => at,
                Err(Missing::Abort(at)) => return Err(Abort(at).into()),
                Err(Missing::NoPage | Missing::Beyond) => return Err(no_room),
            };
            let Device { itt, event_bits, events } = &self.devices[device];
            let dte = Dte { itt: itt.get(), bits: *event_bits };
            memory.store_u64(at, layout.spell_dte(Some(dte), next.min(Layout::MOST_NEXT.0)))?;
            write_events(layout, *itt, *event_bits, events, memory)?;
        }
        Ok(())
    }

    fn write_collections(
        &self,
        layout: Layout,
        table: Table,
        memory: &mut Memory,
    ) -> Result<(), ImageError> {
        clear(table, memory)?;
        for (place, (icid, cpu)) in self.collections.iter().enumerate() {
            let n = match layout {
                Layout::Kvm0 => place as u64,
                Layout::Qemu => u64::from(*icid),
            };
            match table.entry(n, memory) {
                Ok(at) => memory.store_u64(at, layout.spell_cte(*icid, *cpu))?,
                Err(Missing::Abort(at)) => return Err(Abort(at).into()),
                Err(Missing::NoPage | Missing::Beyond) => {
                    return Err(ImageError::NoRoom(Kind::Collection, u32::from(*icid)));
                }
            }
        }
        Ok(())
    }

    /// That every device's table has room for entries of the layout `to`, when it was made for
    /// those of `from`. A table is as large as its entries, and never smaller than its alignment.
    ///
    /// # Errors
    /// [`ImageError::IttTooSmall`] with the first device that has no room.
    pub fn fits(&self, from: Layout, to: Layout) -> Result<(), ImageError> {
        for (device, entry) in &self.devices {
            let has = (from.ite_bytes() << entry.event_bits).max(ITT_LEAST);
            let wants = to.ite_bytes() << entry.event_bits;
            if wants > has {
                return Err(ImageError::IttTooSmall { device: *device, has, wants });
            }
        }
        Ok(())
    }
}

/// Rewrites tables in place from one layout to the other.
///
/// # Errors
/// As [`Mappings::read`], [`Mappings::fits`] and [`Mappings::write`]; nothing is written unless
/// the first two succeed.
pub fn convert(
    from: Layout,
    to: Layout,
    tables: Tables,
    bits: (u32, u32),
    memory: &mut Memory,
) -> Result<Mappings, ImageError> {
    let reading = match from {
        Layout::Kvm0 => Reading::ByDistance,
        Layout::Qemu => Reading::Every,
    };
    let mappings = Mappings::read(from, reading, tables, bits, memory)?;
    mappings.fits(from, to)?;
    mappings.write(to, tables, memory)?;
    Ok(mappings)
}

fn read_collections(
    layout: Layout,
    table: Table,
    memory: &Memory,
) -> Result<BTreeMap<u16, Cpu>, ImageError> {
    let mut collections = BTreeMap::new();
    for n in 0..table.room().min(MOST_COLLECTIONS) {
        let word = match table.entry(n, memory) {
            Ok(at) => memory.load_u64(at)?,
            Err(Missing::NoPage | Missing::Beyond) => 0,
            Err(Missing::Abort(at)) => return Err(Abort(at).into()),
        };
        match (layout, layout.cte(word)) {
            (Layout::Kvm0, Some((icid, cpu))) => {
                // Of two entries for one collection the first is found.
                collections.entry(icid).or_insert(cpu);
            }
            (Layout::Kvm0, None) => break,
            (Layout::Qemu, Some((_, cpu))) => {
                collections.insert(n as u16, cpu);
            }
            (Layout::Qemu, None) => {}
        }
    }
    Ok(collections)
}

fn read_events(
    layout: Layout,
    reading: Reading,
    itt: u64,
    bits: u32,
    budget: &mut Budget,
    memory: &Memory,
) -> Result<BTreeMap<EventId, (IntId, Option<u16>)>, ImageError> {
    let mut events = BTreeMap::new();
    let mut n = 0;
    while n < 1u64 << bits {
        budget.spend()?;
        let at = PhysAddr::new(itt + n * layout.ite_bytes());
        let mut distance = 1;
        if let Some(ite) = layout.load_ite(at, memory)? {
            events.insert(EventId::new(n as u32), (IntId::new(ite.intid), ite.icid));
            if reading == Reading::ByDistance {
                distance = Layout::next_ite(memory.load_u64(at)?);
            }
        }
        if distance == 0 {
            break;
        }
        n += distance;
    }
    Ok(events)
}

fn write_events(
    layout: Layout,
    itt: PhysAddr,
    bits: u32,
    events: &BTreeMap<EventId, (IntId, Option<u16>)>,
    memory: &mut Memory,
) -> Result<(), ImageError> {
    let bytes = layout.ite_bytes() << bits;
    if let Some(span) = passim_model::Span::from_size(itt, bytes) {
        memory.zero(span)?;
    }
    for (event, next) in with_distance(events.keys(), |id| id.get()) {
        let (intid, icid) = events[event];
        let at = PhysAddr::new(itt.get() + u64::from(event.get()) * layout.ite_bytes());
        let ite = Ite { intid: intid.get(), icid };
        layout.store_ite(at, Some(ite), next.min(Layout::MOST_NEXT.1), memory)?;
    }
    Ok(())
}

/// Each key with the distance to the next, 0 for the last.
fn with_distance<'a, K: 'a>(
    keys: impl Iterator<Item = &'a K>,
    number: impl Fn(&K) -> u32,
) -> Vec<(&'a K, u64)> {
    let keys: Vec<_> = keys.collect();
    let next = |i: usize| {
        keys.get(i + 1).map_or(0, |next| u64::from(number(next)) - u64::from(number(keys[i])))
    };
    (0..keys.len()).map(|i| (keys[i], next(i))).collect()
}

/// Zeroes a table, of two levels the pages that are there.
fn clear(table: Table, memory: &mut Memory) -> Result<(), ImageError> {
    let mut n = 0;
    while n < table.room() {
        match table.entry(n, memory) {
            Ok(at) => {
                if let Some(span) = passim_model::Span::from_size(at, table.page_bytes()) {
                    memory.zero(span)?;
                }
            }
            Err(Missing::NoPage) => {}
            Err(Missing::Beyond) => break,
            Err(Missing::Abort(at)) => return Err(Abort(at).into()),
        }
        n += table.in_page();
    }
    Ok(())
}
