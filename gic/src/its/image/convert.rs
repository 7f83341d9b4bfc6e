//! Tables rewritten from one layout to another.
//!
//! Tables of devices and collections stay where they are. Entries of devices have the same size in all;
//! those of collections have 2 bytes in one, so that a table of that many has room for a quarter of the
//! others'. Tables of interrupts have entries of 4, 8 or 12 bytes, and the software that
//! made them left room for the entries that GITS_TYPER told it of. Where there is not enough, whoever
//! converts has to give memory that the software does not use; the table goes there, and stays until
//! the device is mapped anew. Numbers that no entry of the new layout has room for are refused.

use super::super::entry::Layout;
use super::{Device, Found, ImageError, Kind, Mappings, Reading, Silent, Tables};
use passim_model::{DeviceId, Memory, PhysAddr, Span};
use std::collections::BTreeMap;

/// IHI 0069 H 2.2: no INTID has more.
const MOST_INTID_BITS: u32 = 24;

/// The alignment of an interrupt translation table: no other lies closer.
const ITT_LEAST: u64 = 256;

/// What came of a conversion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Converted {
    /// What the tables map.
    pub mappings: Mappings,
    /// What did not answer and is not mapped any more.
    pub silent: Vec<Silent>,
    /// Devices whose tables of interrupts lie elsewhere now, with the place of before.
    pub moved: BTreeMap<DeviceId, PhysAddr>,
    /// What is left of the scratch memory.
    pub scratch: Option<Span<PhysAddr>>,
}

/// A conversion that can be made: everything has been read, and has its place.
pub(crate) struct Plan {
    to: Layout,
    tables: Tables,
    converted: Converted,
}

/// Rewrites tables from one layout to another, of KVM's as it saves them: in place, but for tables of
/// interrupts that have no room for larger entries, which go to `scratch` if there is any. In KVM's a device
/// whose table does not answer as far as it is read is not mapped.
///
/// # Errors
/// As [`Mappings::read`] and [`Mappings::write`], [`ImageError::IttTooSmall`], [`ImageError::TooWide`]
/// and [`ImageError::Scratch`]; nothing is written but where [`Mappings::write`] fails.
pub fn convert(
    layouts: (Layout, Layout),
    tables: Tables,
    bits: (u32, u32),
    scratch: Option<Span<PhysAddr>>,
    memory: &mut Memory,
) -> Result<Converted, ImageError> {
    let reading = match layouts.0 {
        Layout::Kvm0 => Reading::ByDistance,
        Layout::Qemu | Layout::Gic600 => Reading::Every,
    };
    let bits = (bits, MOST_INTID_BITS);
    plan(layouts, reading, tables, bits, scratch, memory)?.write(memory)
}

/// As [`convert`], of which nothing is written yet. What has an INTID of more bits is not mapped.
pub(in crate::its) fn plan(
    (from, to): (Layout, Layout),
    reading: Reading,
    tables: Tables,
    (bits, intid_bits): ((u32, u32), u32),
    scratch: Option<Span<PhysAddr>>,
    memory: &Memory,
) -> Result<Plan, ImageError> {
    let Found { mut mappings, silent } = Mappings::read(from, reading, tables, bits, memory)?;
    for device in mappings.devices.values_mut() {
        device.events.retain(|_, (lpi, _)| u64::from(lpi.get()) >> intid_bits == 0);
    }
    if let Some(scratch) = scratch {
        is_free(scratch, from, tables, &mappings, memory)?;
    }
    fits(&mappings, to)?;
    let (moved, scratch) = make_room(&mut mappings, (from, to), scratch)?;
    if to == Layout::Kvm0 {
        mappings.devices.retain(|_, device| can_be_restored(device, memory));
    }
    let tables = tables.laid_out((from, to));
    Ok(Plan { to, tables, converted: Converted { mappings, silent, moved, scratch } })
}

impl Plan {
    /// What comes of it.
    pub(crate) fn converted(&self) -> &Converted {
        &self.converted
    }

    /// Writes the tables.
    ///
    /// # Errors
    /// As [`Mappings::write`].
    pub(crate) fn write(self, memory: &mut Memory) -> Result<Converted, ImageError> {
        self.converted.mappings.write(self.to, self.tables, memory)?;
        Ok(self.converted)
    }
}

/// Whether who restores tables of KVM's gets to the last event of a device, or to the end of its table if it
/// has none: it takes nothing of any where memory does not answer on the way.
fn can_be_restored(device: &Device, memory: &Memory) -> bool {
    let last = device.events.keys().next_back().map(|event| u64::from(event.get()) + 1);
    let bytes = Layout::Kvm0.ite_bytes() * last.unwrap_or(1 << device.event_bits);
    let span = Span::from_size(device.itt, bytes);
    span.is_some_and(|span| memory.is_ram(span))
}

/// That there is room in entries for every number.
fn fits(mappings: &Mappings, to: Layout) -> Result<(), ImageError> {
    let wide = |of, what, number: u32, bits: u32| match u64::from(number) >> bits {
        0 => Ok(()),
        _ => Err(ImageError::TooWide { of, what, number }),
    };
    for icid in mappings.collections.keys() {
        wide(Kind::Collection, "collection", u32::from(*icid), to.icid_bits())?;
    }
    for (lpi, icid) in mappings.devices.values().flat_map(|device| device.events.values()) {
        wide(Kind::Event, "lpi", lpi.get(), to.intid_bits())?;
        wide(Kind::Event, "collection", u32::from(icid.unwrap_or(0)), to.icid_bits())?;
    }
    Ok(())
}

/// That the scratch memory is memory, and nothing of the tables lies in it.
fn is_free(
    scratch: Span<PhysAddr>,
    from: Layout,
    tables: Tables,
    mappings: &Mappings,
    memory: &Memory,
) -> Result<(), ImageError> {
    let wrong = ImageError::Scratch(scratch);
    let is_memory = memory.banks().any(|bank| bank.covers(scratch));
    let of = [tables.of_devices(from), tables.of_collections(from)].into_iter().flatten();
    let tables = of.flat_map(|table| table.spans(memory));
    let itts = mappings
        .devices
        .values()
        .filter_map(|device| Span::from_size(device.itt, from.ite_bytes() << device.event_bits));
    let in_use = tables.chain(itts).any(|span| span.overlaps(scratch));
    if is_memory && !in_use { Ok(()) } else { Err(wrong) }
}

/// Tables that moved, with the place of before, and the scratch memory that is left.
type Moved = (BTreeMap<DeviceId, PhysAddr>, Option<Span<PhysAddr>>);

/// Gives every device's table room for the entries of the new layout. Where two devices have one
/// table, they still have.
fn make_room(
    mappings: &mut Mappings,
    (from, to): (Layout, Layout),
    scratch: Option<Span<PhysAddr>>,
) -> Result<Moved, ImageError> {
    let mut next = scratch.map_or(0, |scratch| scratch.start().get().next_multiple_of(ITT_LEAST));
    let mut moved = BTreeMap::new();
    let mut places: BTreeMap<(PhysAddr, u32), PhysAddr> = BTreeMap::new();
    for (&device, entry) in &mut mappings.devices {
        let Device { itt, event_bits, .. } = entry;
        let has = (from.ite_bytes() << *event_bits).max(ITT_LEAST);
        let wants = to.ite_bytes() << *event_bits;
        if wants <= has {
            continue;
        }
        let place = match places.get(&(*itt, *event_bits)) {
            Some(&place) => place,
            None => {
                let span = Span::from_size(PhysAddr::new(next), wants);
                let fits = span.filter(|span| scratch.is_some_and(|it| it.covers(*span)));
                let Some(span) = fits else {
                    return Err(ImageError::IttTooSmall { device, has, wants });
                };
                next = span.last().get().saturating_add(1).next_multiple_of(ITT_LEAST);
                places.insert((*itt, *event_bits), span.start());
                span.start()
            }
        };
        moved.insert(device, *itt);
        *itt = place;
    }
    let left = scratch.and_then(|scratch| Span::new(PhysAddr::new(next), scratch.last()));
    Ok((moved, left))
}
