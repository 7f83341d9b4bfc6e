//! Tables that share memory. Rewritten in another layout, one may spoil the other.

use super::error::Owner;
use super::{ImageError, Kind, Mappings, Tables};
use crate::its::entry::Layout;
use passim_model::{DeviceId, EventId, Memory, PhysAddr, Span};
use std::collections::BTreeMap;

/// The memory of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extent {
    span: Span<PhysAddr>,
    owner: Owner,
    /// Whether it is more than a table without an event: two of those spoil nothing.
    holds: bool,
}

/// Checks that no table lies where another does.
pub(crate) fn disjoint(mut extents: Vec<Extent>) -> Result<(), ImageError> {
    extents.sort_by_key(|it| (it.span.start(), it.span.last()));
    // Several entries of level 1 may name one page.
    extents.dedup();
    let further = |known: Option<Extent>, it: Extent| match known {
        Some(known) if known.span.last() >= it.span.last() => Some(known),
        _ => Some(it),
    };
    let (mut any, mut holding) = (None, None);
    for it in extents {
        let before = if it.holds { any } else { holding };
        if let Some(before) = before.filter(|before: &Extent| before.span.overlaps(it.span)) {
            return Err(ImageError::Overlap(before.owner, it.owner));
        }
        any = further(any, it);
        holding = if it.holds { further(holding, it) } else { holding };
    }
    Ok(())
}

impl Mappings {
    /// Device with the most events, of those that have this table.
    fn by_table(&self) -> BTreeMap<PhysAddr, DeviceId> {
        let mut all: BTreeMap<PhysAddr, DeviceId> = BTreeMap::new();
        for (id, device) in &self.devices {
            let known = all.entry(device.itt).or_insert(*id);
            if self.devices[known].event_bits < device.event_bits {
                *known = *id;
            }
        }
        all
    }

    /// The memory of every table, as far as it is RAM. A table that devices share is one.
    pub(super) fn extents(&self, layout: Layout, tables: Tables, memory: &Memory) -> Vec<Extent> {
        let of = [
            (Kind::Device, tables.of_devices(layout)),
            (Kind::Collection, tables.of_collections(layout)),
        ];
        let of = of.into_iter().filter_map(|(kind, table)| Some((kind, table?)));
        let tables = of.flat_map(|(kind, table)| {
            let spans = table.spans(memory).into_iter();
            spans.map(move |span| Extent { span, owner: Owner::Table(kind), holds: true })
        });
        let itts = self.by_table().into_iter().filter_map(|(itt, id)| {
            let device = &self.devices[&id];
            let span = Span::from_size(itt, layout.ite_bytes() << device.event_bits)?;
            Some(Extent { span, owner: Owner::Device(id), holds: !device.events.is_empty() })
        });
        let is_ram = |it: &Extent| memory.banks().any(|bank| bank.overlaps(it.span));
        tables.chain(itts).filter(is_ram).collect()
    }

    /// Checks that the devices with one table see the same events, as far as each sees; with
    /// distances, also that none is led out of its part: KVM's vgic_its_restore_ite refuses
    /// everything then.
    pub(super) fn share_as_one(&self, layout: Layout) -> Result<(), ImageError> {
        let by_table = self.by_table();
        for (id, device) in &self.devices {
            let whole = &self.devices[&by_table[&device.itt]];
            let bound = 1u64 << device.event_bits;
            let within = whole.events.range(..=EventId::new((bound - 1) as u32));
            let last = whole.events.keys().next_back();
            let leads_out = layout == Layout::Kvm0
                && !device.events.is_empty()
                && last.is_some_and(|last| u64::from(last.get()) >= bound);
            if leads_out || !within.eq(&device.events) {
                return Err(ImageError::Shared(*id, by_table[&device.itt]));
            }
        }
        Ok(())
    }
}
