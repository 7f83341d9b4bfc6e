//! Writing of tables: every entry has its place before the first byte is written.

use super::{Device, ImageError, Kind, Mappings, Tables, with_distance};
use crate::its::entry::{Dte, Layout};
use crate::its::table::{Missing, Table, clear, zero};
use passim_model::{Abort, DeviceId, EventId, Memory, PhysAddr, Span};
use std::collections::BTreeMap;

/// Entries and their addresses. All of them are RAM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Places {
    collections: Vec<(PhysAddr, u64)>,
    devices: Vec<(PhysAddr, u64)>,
}

impl Mappings {
    /// Writes tables and clears their earlier contents. Distances, where the layout has them, lead
    /// from each mapped entry to the next. In the KVM ABI, unmapped collections that events name
    /// are listed too; events without a collection cannot be represented and are left unmapped.
    ///
    /// # Errors
    /// [`ImageError::Abort`], [`ImageError::NoRoom`] and [`ImageError::Shared`]. Nothing is written
    /// then.
    pub fn write(
        &self,
        layout: Layout,
        tables: Tables,
        memory: &mut Memory,
    ) -> Result<(), ImageError> {
        let places = self.places(layout, tables, memory)?;
        self.write_to(&places, layout, tables, memory);
        Ok(())
    }

    /// The place of every entry.
    pub(super) fn places(
        &self,
        layout: Layout,
        tables: Tables,
        memory: &Memory,
    ) -> Result<Places, ImageError> {
        let collections = self.collection_places(layout, tables, memory)?;
        let devices = self.device_places(layout, tables, memory)?;
        for device in self.devices.values() {
            for event in device.said().keys() {
                is_ram(event_place(layout, device.itt, *event), layout.ite_bytes(), memory)?;
            }
        }
        Ok(Places { collections, devices })
    }

    /// Writes what has a place. The registers and memory are those with which it was found.
    pub(super) fn write_to(
        &self,
        places: &Places,
        layout: Layout,
        tables: Tables,
        memory: &mut Memory,
    ) {
        let of = [tables.of_collections(layout), tables.of_devices(layout)];
        of.into_iter().flatten().for_each(|table| clear(table, memory));
        let mut stored = Ok(());
        for &(at, word) in &places.collections {
            stored = stored.and(layout.store_cte(at, word, memory));
        }
        for &(at, word) in &places.devices {
            stored = stored.and(memory.store_u64(at, word));
        }
        for device in self.devices.values() {
            stored = stored.and(write_events(layout, device, memory));
        }
        stored.expect("every place is RAM");
    }

    fn collection_places(
        &self,
        layout: Layout,
        tables: Tables,
        memory: &Memory,
    ) -> Result<Vec<(PhysAddr, u64)>, ImageError> {
        let list = layout.lists_collections();
        let mapped = self.collections.iter();
        let mapped = mapped.map(|(icid, cpu)| (*icid, layout.spell_cte(*icid, *cpu)));
        let named = self.unmapped_collections().into_iter().filter(|_| list);
        let named = named.map(|icid| (icid, Layout::spell_unmapped_cte(icid)));
        let table = tables.of_collections(layout);
        let place = |(place, (icid, word)): (u64, (u16, u64))| {
            let of = ((Kind::Collection, u32::from(icid)), layout.cte_bytes());
            // Also in a list: KVM's vgic_its_restore_cte refuses a collection without a place in an
            // array (vgic_its_check_id).
            let at = entry(table, u64::from(icid), of, memory)?;
            let at = if list { entry(table, place, of, memory)? } else { at };
            Ok((at, word))
        };
        let places: Vec<_> =
            (0..).zip(mapped.chain(named)).map(place).collect::<Result<_, ImageError>>()?;
        // A list is read to the entry that ends it, if the table has room for that.
        if let Some(Ok(end)) = table.map(|table| table.entry(places.len() as u64, memory))
            && list
        {
            is_ram(end, layout.cte_bytes(), memory)?;
        }
        Ok(places)
    }

    fn device_places(
        &self,
        layout: Layout,
        tables: Tables,
        memory: &Memory,
    ) -> Result<Vec<(PhysAddr, u64)>, ImageError> {
        let table = tables.of_devices(layout);
        let place = |(device, next): (&DeviceId, u64)| {
            let number = device.get();
            let of = (Kind::Device, number);
            let at = entry(table, u64::from(number), (of, layout.dte_bytes()), memory)?;
            let Device { itt, event_bits, .. } = &self.devices[device];
            let dte = Dte { itt: itt.get(), bits: *event_bits };
            Ok((at, layout.spell_dte(Some(dte), next.min(Layout::MOST_NEXT.0))))
        };
        let all = with_distance(self.devices.keys(), |id| id.get());
        let places: Vec<_> = all.into_iter().map(place).collect::<Result<_, ImageError>>()?;
        // Two entries of level 1 may name one page, whose entries are then those of two devices.
        let mut written = BTreeMap::new();
        for (device, &(at, word)) in self.devices.keys().zip(&places) {
            let (first, before) = *written.entry(at).or_insert((*device, word));
            if before != word {
                return Err(ImageError::Shared(first, *device));
            }
        }
        Ok(places)
    }
}

impl Device {
    /// The events that an entry can represent: those with a collection.
    pub(super) fn said(&self) -> BTreeMap<EventId, (u32, u16)> {
        let events = self.events.iter();
        events.filter_map(|(event, (lpi, icid))| Some((*event, (lpi.get(), (*icid)?)))).collect()
    }
}

/// Address of entry `n`, which is that of number `of`, and RAM.
fn entry(
    table: Option<Table>,
    n: u64,
    (of, bytes): ((Kind, u32), u64),
    memory: &Memory,
) -> Result<PhysAddr, ImageError> {
    let at = match table.map(|table| table.entry(n, memory)) {
        Some(Ok(at)) => at,
        Some(Err(Missing::Abort(at))) => return Err(Abort(at).into()),
        Some(Err(Missing::NoPage | Missing::Beyond)) | None => {
            return Err(ImageError::NoRoom(of.0, of.1));
        }
    };
    is_ram(at, bytes, memory)?;
    Ok(at)
}

/// Checks that an entry is RAM.
fn is_ram(at: PhysAddr, bytes: u64, memory: &Memory) -> Result<(), Abort> {
    let is_ram = Span::from_size(at, bytes).is_some_and(|span| memory.is_ram(span));
    if is_ram { Ok(()) } else { Err(Abort(at)) }
}

fn event_place(layout: Layout, itt: PhysAddr, event: EventId) -> PhysAddr {
    PhysAddr::new(itt.get() + u64::from(event.get()) * layout.ite_bytes())
}

fn write_events(layout: Layout, device: &Device, memory: &mut Memory) -> Result<(), Abort> {
    zero(device.itt, layout.ite_bytes() << device.event_bits, memory);
    let said = device.said();
    for (event, next) in with_distance(said.keys(), |id| id.get()) {
        let at = event_place(layout, device.itt, *event);
        layout.store_ite(at, Some(said[event]), next.min(Layout::MOST_NEXT.1), memory)?;
    }
    Ok(())
}
