//! Rewriting of tables from one layout to another.
//!
//! Device and collection tables stay where they are. Device entries have the same size in all
//! layouts; collection entries have 2 bytes in one, so a table sized for it holds a quarter as many
//! of the others'. Interrupt translation entries have 4, 8 or 12 bytes, and software allocated the
//! tables for the size in GITS_TYPER. Where a table is too small, the caller has to provide memory
//! that software does not use; the table moves there until the device is mapped again. Numbers that
//! no entry of the new layout can hold are refused.

use super::super::entry::Layout;
use super::write::Places;
use super::{Device, Found, ImageError, Kind, Mappings, Reading, Silent, Tables};
use passim_model::{DeviceId, Memory, PhysAddr, Span};
use std::collections::BTreeMap;

/// IHI 0069 H 2.2: the maximum bits of an INTID.
const MOST_INTID_BITS: u32 = 24;

/// The alignment of interrupt translation tables, and so the least distance between two.
const ITT_LEAST: u64 = 256;

/// The result of a conversion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Converted {
    /// The mappings in the tables.
    pub mappings: Mappings,
    /// The parts that could not be read; what they mapped is unmapped.
    pub silent: Vec<Silent>,
    /// Devices whose interrupt translation tables moved, with the old address.
    pub moved: BTreeMap<DeviceId, PhysAddr>,
    /// The unused part of the scratch memory.
    pub scratch: Option<Span<PhysAddr>>,
}

/// A conversion that is known to fit: everything has been read and has a place.
pub(crate) struct Plan {
    to: Layout,
    tables: Tables,
    places: Places,
    converted: Converted,
}

/// Rewrites tables from one layout to another in place; KVM's are read as KVM saves them. Interrupt
/// translation tables too small for the new entries move to `scratch`, if there is any. In a
/// conversion to KVM's layout, a device whose table KVM could not restore is left unmapped.
///
/// # Errors
/// As [`Mappings::read`] and [`Mappings::write`], [`ImageError::IttTooSmall`],
/// [`ImageError::TooWide`] and [`ImageError::Scratch`]. Nothing is written then.
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
    Ok(plan(layouts, reading, tables, bits, scratch, memory)?.write(memory))
}

/// As [`convert`], but writes nothing yet. Events whose INTID exceeds `intid_bits` are left
/// unmapped.
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
    let places = mappings.places(to, tables, memory)?;
    Ok(Plan { to, tables, places, converted: Converted { mappings, silent, moved, scratch } })
}

impl Plan {
    /// The result, before it is written.
    pub(crate) fn converted(&self) -> &Converted {
        &self.converted
    }

    /// Writes the tables, to memory that is laid out as it was for the plan.
    pub(crate) fn write(self, memory: &mut Memory) -> Converted {
        self.converted.mappings.write_to(&self.places, self.to, self.tables, memory);
        self.converted
    }
}

/// Whether KVM's restore can read the device's table up to its last event, or to its end if it has
/// none; a failed read on the way makes KVM refuse all tables.
fn can_be_restored(device: &Device, memory: &Memory) -> bool {
    let last = device.events.keys().next_back().map(|event| u64::from(event.get()) + 1);
    let bytes = Layout::Kvm0.ite_bytes() * last.unwrap_or(1 << device.event_bits);
    let span = Span::from_size(device.itt, bytes);
    span.is_some_and(|span| memory.is_ram(span))
}

/// Checks that entries of the new layout can hold every number.
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

/// Checks that the scratch memory is RAM, and that no table overlaps it.
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

/// Tables that moved, with the old address, and the unused scratch memory.
type Moved = (BTreeMap<DeviceId, PhysAddr>, Option<Span<PhysAddr>>);

/// Gives every device's table room for the entries of the new layout. Devices that share a table
/// still share it afterwards.
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
