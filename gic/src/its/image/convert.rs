//! Rewriting of tables from one layout to another.
//!
//! Device and collection tables stay where they are. Device entries have the same size in all
//! layouts; collection entries have 2 bytes in one, so a table sized for it holds a quarter as many
//! of the others'. Interrupt translation entries have 4, 8 or 12 bytes, and software allocated the
//! tables for the size in GITS_TYPER. Where a table is too small, the caller has to provide memory
//! that software does not use; the table moves there until the device is mapped again. Numbers that
//! no entry of the new layout can hold are refused.

use super::super::entry::Layout;
use super::super::table::Missing;
use super::overlap::{Extent, disjoint};
use super::write::Places;
use super::{Device, Found, ImageError, Kind, Mappings, Reading, Silent, Tables};
use crate::v3::{FIRST_LPI, MOST_CPUS};
use passim_model::{Abort, DeviceId, Memory, PhysAddr, Span};
use std::collections::BTreeMap;

/// IHI 0069 H 2.2: the maximum bits of an INTID.
const MOST_INTID_BITS: u32 = 24;

/// The alignment of interrupt translation tables, and so the least distance between two.
const ITT_LEAST: u64 = 256;

/// The limits of the two ITSs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::its) struct Limits {
    /// Bits of a DeviceID and of an EventID, in the old tables.
    pub(in crate::its) bits: (u32, u32),
    /// Bits of an INTID that the old ITS translates to.
    pub(in crate::its) intid_bits: u32,
    /// Bits of an ICID that the new ITS has.
    pub(in crate::its) icid_bits: u32,
    /// Number of CPUs.
    pub(in crate::its) cpus: u16,
}

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
/// [`ImageError::TooWide`], [`ImageError::Overlap`] and [`ImageError::Scratch`]. Nothing is written
/// then.
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
    let icid_bits = layouts.1.icid_bits();
    let limits = Limits { bits, intid_bits: MOST_INTID_BITS, icid_bits, cpus: MOST_CPUS as u16 };
    Ok(plan(layouts, reading, tables, limits, scratch, memory)?.write(memory))
}

/// As [`convert`], but writes nothing yet. What the old ITS takes for unmapped stays so, since KVM
/// would restore nothing with it: events whose INTID is no LPI, and collections at a CPU that does
/// not exist.
pub(in crate::its) fn plan(
    (from, to): (Layout, Layout),
    reading: Reading,
    tables: Tables,
    limits: Limits,
    scratch: Option<Span<PhysAddr>>,
    memory: &Memory,
) -> Result<Plan, ImageError> {
    let Limits { bits, intid_bits, icid_bits, cpus } = limits;
    let Found { mut mappings, silent } = Mappings::read(from, reading, tables, bits, memory)?;
    for device in mappings.devices.values_mut() {
        device.events.retain(|_, (lpi, _)| {
            lpi.get() >= FIRST_LPI && u64::from(lpi.get()) >> intid_bits == 0
        });
    }
    mappings.collections.retain(|_, cpu| cpu.get() < cpus);
    if let Some(scratch) = scratch {
        is_free(scratch, from, tables, &mappings, memory)?;
    }
    fits(&mappings, to)?;
    mappings.has_collections(icid_bits)?;
    let (moved, scratch) = make_room(&mut mappings, (from, to), scratch)?;
    if to == Layout::Kvm0 {
        mappings.devices.retain(|_, device| can_be_restored(device, memory));
    }
    let tables = tables.laid_out((from, to));
    let places = mappings.places(to, tables, memory)?;
    if to == Layout::Kvm0 {
        mappings.devices_can_be_restored(tables, memory)?;
    }
    mappings.share_as_one(to)?;
    disjoint(mappings.extents(to, tables, memory))?;
    Ok(Plan { to, tables, places, converted: Converted { mappings, silent, moved, scratch } })
}

impl Plan {
    /// The memory that will be written.
    pub(crate) fn extents(&self, memory: &Memory) -> Vec<Extent> {
        self.converted.mappings.extents(self.to, self.tables, memory)
    }

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

impl Mappings {
    /// Checks that the new ITS has every collection that is mapped, or that an event names.
    fn has_collections(&self, icid_bits: u32) -> Result<(), ImageError> {
        let named = self.unmapped_collections();
        let mut all = self.collections.keys().chain(&named);
        match all.find(|icid| u32::from(**icid) >> icid_bits.min(16) != 0) {
            Some(&icid) => Err(ImageError::NoCollection(icid)),
            None => Ok(()),
        }
    }

    /// Checks that KVM's restore can read the device table, from its first entry to the last mapped
    /// one, or to its end if there is none.
    fn devices_can_be_restored(&self, tables: Tables, memory: &Memory) -> Result<(), ImageError> {
        let Some(table) = tables.of_devices(Layout::Kvm0) else { return Ok(()) };
        let last = self.devices.keys().next_back().map(|last| u64::from(last.get()) + 1);
        let bound = last.unwrap_or(1 << 16).min(table.room());
        let mut n = 0;
        while n < bound {
            let end = table.end_of_page(n).min(bound);
            match table.entry(n, memory) {
                Ok(at) => {
                    let span = Span::from_size(at, (end - n) * table.entry_bytes());
                    if !span.is_some_and(|span| memory.is_ram(span)) {
                        return Err(Abort(at).into());
                    }
                }
                Err(Missing::Abort(at)) => return Err(Abort(at).into()),
                Err(Missing::NoPage) => {}
                Err(Missing::Beyond) => break,
            }
            n = end;
        }
        Ok(())
    }
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
    let mut places: BTreeMap<PhysAddr, PhysAddr> = BTreeMap::new();
    // Of devices that share a table the one with the most events says how large it is.
    let mut bits: BTreeMap<PhysAddr, u32> = BTreeMap::new();
    for Device { itt, event_bits, .. } in mappings.devices.values() {
        let most = bits.entry(*itt).or_insert(0);
        *most = (*most).max(*event_bits);
    }
    for (&device, Device { itt, .. }) in &mut mappings.devices {
        let has = (from.ite_bytes() << bits[itt]).max(ITT_LEAST);
        let wants = to.ite_bytes() << bits[itt];
        if wants <= has {
            continue;
        }
        let place = match places.get(itt) {
            Some(&place) => place,
            None => {
                let span = Span::from_size(PhysAddr::new(next), wants);
                let fits = span.filter(|span| scratch.is_some_and(|it| it.covers(*span)));
                let Some(span) = fits else {
                    return Err(ImageError::IttTooSmall { device, has, wants });
                };
                next = span.last().get().saturating_add(1).next_multiple_of(ITT_LEAST);
                places.insert(*itt, span.start());
                span.start()
            }
        };
        moved.insert(device, *itt);
        *itt = place;
    }
    let left = scratch.and_then(|scratch| Span::new(PhysAddr::new(next), scratch.last()));
    Ok((moved, left))
}
