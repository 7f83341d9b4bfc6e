//! The path of each vector's message: the device's message registers, the SMMU's translation, the
//! interrupt, and its receiver.

use maud::html;
use passim_gic::its::image::Mappings;
use passim_model::{EventId, IntId, Rid};
use passim_vfio::iommu::msi::DoorbellView;
use passim_vfio::msi::VectorView;

use super::figure::{Figure, Frame, LINE, PAD, card, card_size, link};
use crate::machine::Machine;
use crate::run::Surroundings;

/// Most vectors that are drawn.
const MAX_DRAWN: usize = 32;
/// Distance between two columns.
const BETWEEN: u32 = 48;

/// The ITSs of a machine, and the mappings in their tables.
pub(super) struct Translations<'a> {
    pub(super) machine: Option<&'a Machine>,
    pub(super) its: Vec<Mappings>,
}

impl Translations<'_> {
    /// The ITS's translation of a function's message: two cards; none without an ITS.
    fn cards(&self, rid: Rid, event: u32) -> Vec<Vec<String>> {
        let functions = self.machine.map_or(&[][..], |machine| &machine.functions).iter();
        let function = functions.into_iter().find(|function| function.rid == rid);
        let Some((function, its)) = function.and_then(|it| Some((it, self.its.get(it.its?)?)))
        else {
            return Vec::new();
        };
        let number = function.device_id;
        let asked = format!("DeviceID {:#x}, EventID {event}", number.get());
        let Some(device) = its.devices.get(&number) else {
            return vec![vec![asked, "the device is not mapped".to_owned()]];
        };
        let table = format!("ITT at {}, {} bits", device.itt, device.event_bits);
        let Some((_, icid)) = device.events.get(&EventId::new(event)) else {
            return vec![vec![asked, table], vec!["the event is not mapped".to_owned()]];
        };
        let cpu = icid.and_then(|icid| its.collections.get(&icid));
        vec![
            vec![asked, table],
            vec![
                icid.map_or("no collection".to_owned(), |icid| format!("collection {icid}")),
                cpu.map_or("of no CPU".to_owned(), |cpu| format!("of cpu {cpu}")),
            ],
        ]
    }
}

/// The figure, if a device of a container has vectors.
pub(super) fn figure(around: &Surroundings, its: &Translations<'_>) -> Option<Figure> {
    let mut rows: Vec<Vec<Vec<String>>> = Vec::new();
    let given = around.devices.keys().filter_map(|rid| Some((rid, around.functions.get(rid)?)));
    let mut count = 0;
    for (rid, function) in given {
        for vector in &function.vectors {
            count += 1;
            if rows.len() < MAX_DRAWN {
                rows.push(way(*rid, vector, &function.doorbells, its));
            }
        }
    }
    if rows.is_empty() {
        return None;
    }
    if count > rows.len() {
        rows.push(vec![vec![format!("and {} vectors more", count - rows.len())]]);
    }
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let wide = |column: usize| {
        let cards = rows.iter().filter_map(|row| row.get(column));
        cards.map(|lines| card_size(lines).0).max().unwrap_or(0)
    };
    let mut x = PAD;
    let places: Vec<_> = (0..columns)
        .map(|column| {
            let place = (x, wide(column));
            x += place.1 + BETWEEN;
            place
        })
        .collect();
    let tall = 2 * LINE + PAD;
    let frame = |row: usize, column: usize| {
        let (x, width) = places[column];
        let y = PAD + u32::try_from(row).unwrap_or(0) * (tall + PAD);
        Frame { x, y, width, height: tall }
    };
    // With an ITS between the doorbell and the LPI.
    let classes = match columns {
        0..=5 => ["group", "window", "doorbell", "smmu", "memory", "memory", "memory"],
        _ => ["group", "window", "doorbell", "cached", "cached", "smmu", "memory"],
    };
    let body = html! {
        @for (at, row) in rows.iter().enumerate() {
            @for (column, lines) in row.iter().enumerate() {
                @if column > 0 {
                    (link(frame(at, column - 1).leave(), frame(at, column).enter(), "wire"))
                }
                (card(frame(at, column), classes.get(column).copied().unwrap_or("group"), lines))
            }
        }
    };
    let height = frame(rows.len() - 1, 0).bottom() + PAD;
    Some(Figure { width: x - BETWEEN + PAD, height, body })
}

/// The cards of one vector, from the device to the interrupt's receiver.
fn way(
    device: Rid,
    vector: &VectorView,
    doorbells: &[DoorbellView],
    its: &Translations<'_>,
) -> Vec<Vec<String>> {
    let address = vector.message.address;
    let holds = |it: &&DoorbellView| address.wrapping_sub(it.iova.get()) < it.size;
    let leads = match doorbells.iter().find(holds) {
        Some(it) => {
            let into = address - it.iova.get();
            let physical = it.pa.get().wrapping_add(into);
            vec![format!("to {physical:#x}"), format!("mapped at {}", it.iova)]
        }
        None => vec![format!("to {address:#x}"), "no doorbell is mapped here".to_owned()],
    };
    let served = if vector.served { "served by VFIO" } else { "nobody serves it" };
    let mut way = vec![
        vec![device.to_string(), format!("vector {}", vector.vector)],
        vec![format!("writes {:#x}", vector.message.data), format!("at {address:#x}")],
        leads,
    ];
    way.extend(its.cards(device, vector.message.data));
    way.push(vec![interrupt(vector.intid), "at the controller".to_owned()]);
    way.push(vec![format!("Linux interrupt {}", vector.irq), served.to_owned()]);
    way
}

/// LPIs begin at 8192. IHI 0069, the INTID ranges.
fn interrupt(intid: IntId) -> String {
    let kind = if intid.get() >= 8192 { "LPI" } else { "SPI" };
    format!("{kind} {}", intid.get())
}
