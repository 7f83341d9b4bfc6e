//! Where the message of each vector goes: what the device holds, where the SMMU leads it, which
//! interrupt it becomes, and who is told.

use maud::html;
use passim_model::IntId;
use passim_vfio::iommu::msi::DoorbellView;
use passim_vfio::msi::VectorView;

use super::figure::{Figure, Frame, LINE, PAD, card, card_size, link};
use crate::run::Surroundings;

/// Most vectors that are drawn.
const MAX_DRAWN: usize = 32;
/// Between two columns.
const BETWEEN: u32 = 48;

/// The figure, if a device of a container has vectors.
pub(super) fn figure(around: &Surroundings) -> Option<Figure> {
    let mut rows: Vec<Vec<Vec<String>>> = Vec::new();
    let given = around.devices.keys().filter_map(|rid| Some((rid, around.functions.get(rid)?)));
    let mut count = 0;
    for (rid, function) in given {
        for vector in &function.vectors {
            count += 1;
            if rows.len() < MAX_DRAWN {
                rows.push(way(&rid.to_string(), vector, &function.doorbells));
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
    let classes = ["group", "window", "doorbell", "smmu", "memory"];
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

/// The cards of one vector, from the device to who is told.
fn way(device: &str, vector: &VectorView, doorbells: &[DoorbellView]) -> Vec<Vec<String>> {
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
    vec![
        vec![device.to_owned(), format!("vector {}", vector.vector)],
        vec![format!("writes {:#x}", vector.message.data), format!("at {address:#x}")],
        leads,
        vec![interrupt(vector.intid), "at the controller".to_owned()],
        vec![format!("Linux interrupt {}", vector.irq), served.to_owned()],
    ]
}

/// LPIs begin at 8192. IHI 0069, the INTID ranges.
fn interrupt(intid: IntId) -> String {
    let kind = if intid.get() >= 8192 { "LPI" } else { "SPI" };
    format!("{kind} {}", intid.get())
}
