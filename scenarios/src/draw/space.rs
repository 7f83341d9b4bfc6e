//! A container's device addresses, drawn beside the memory they map to.
//!
//! Sizes range from a page to the whole space, so heights grow with the logarithm of the size; the
//! addresses at the edges are exact.

use maud::{Markup, html};
use passim_model::PhysAddr;
use passim_vfio::type1::SlotKind;
use passim_vfio::view::MappingView;

use super::figure::{Figure, Frame, LINE, PAD, area, band, bytes, text_width, widest, words};
use super::segments::{Claim, Segment, segments};
use crate::run::{ContainerHere, Surroundings};

/// Most mappings of a container that are drawn, half of them the lowest, half the highest.
const MAX_DRAWN: usize = 48;
/// The x of the boxes; addresses are printed to their left.
const LEFT: u32 = 150;
/// Distance between the two columns.
const BETWEEN: u32 = 140;

/// The kind of a part of the space.
#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    /// Free for mappings.
    Free,
    /// Process memory: the index of the mapping in the container.
    User(usize),
    /// Mappings that are not drawn one by one.
    More(usize),
    /// The registered window.
    Window,
    /// A doorbell.
    Doorbell(PhysAddr),
}

/// A box on the right: an area, memory without a name, or a doorbell.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Target {
    Area { process: u32, va: u64, size: u64, name: String },
    Memory { va: u64, size: u64 },
    Doorbell(PhysAddr),
}

/// The figure of one container.
pub(super) fn figure(around: &Surroundings, number: usize, here: &ContainerHere) -> Figure {
    let parts = segments(&claims(around, number, here));
    let targets = targets(around, here, &parts);
    let labels: Vec<_> = parts.iter().map(|part| label(around, here, part)).collect();
    let left = widest(labels.iter().map(String::as_str)) + 2 * PAD;
    let boxes =
        stacked(LEFT, left.max(160), parts.iter().map(|part| height(part.bytes(), &part.what)));
    let names: Vec<_> = targets.iter().map(Target::label).collect();
    let right = widest(names.iter().map(String::as_str)) + 2 * PAD;
    let x = LEFT + left.max(160) + BETWEEN;
    let homes = stacked(x, right.max(160), targets.iter().map(|target| grown(target.bytes(), 28)));
    let drawn = html! {
        (words(LEFT, LINE, "dim", &heading(here)))
        @for (part, frame) in parts.iter().zip(&boxes) {
            @if let Some((home, (upper, lower))) = landing(around, here, part, &targets, &homes) {
                (band((frame.right(), frame.y, frame.bottom()), (home.x, upper, lower), tint(part)))
            }
        }
        @for ((part, frame), label) in parts.iter().zip(&boxes).zip(&labels) {
            (area(*frame, class(part)))
            (words(frame.x + PAD, frame.y + frame.height / 2 + 4, "", label))
            (edge(part.start, frame.y))
        }
        @for (home, name) in homes.iter().zip(&names) {
            (area(*home, "memory"))
            (words(home.x + PAD, home.y + home.height / 2 + 4, "", name))
        }
    };
    let bottom = boxes.iter().chain(&homes).map(|frame| frame.bottom()).max().unwrap_or(0);
    Figure { width: x + right.max(160) + PAD, height: bottom + PAD, body: drawn }
}

fn heading(here: &ContainerHere) -> String {
    let groups: Vec<_> = here.groups.iter().map(u32::to_string).collect();
    let groups = match groups.as_slice() {
        [] => "no group".to_owned(),
        [one] => format!("group {one}"),
        several => format!("groups {}", several.join(", ")),
    };
    let version = match here.version {
        Some(passim_vfio::type1::Version::V1) => "type1 v1",
        Some(passim_vfio::type1::Version::V2) => "type1 v2",
        None => "no type yet",
    };
    let mappings = match here.mappings.len() {
        0 => "no mapping".to_owned(),
        1 => "1 mapping".to_owned(),
        count => format!("{count} mappings"),
    };
    format!("{version}; {groups}; {mappings}")
}

/// An address beside the upper edge of a box.
fn edge(address: u64, y: u32) -> Markup {
    let text = format!("{address:#x}");
    words(LEFT - PAD - text_width(&text), y + 4, "dim", &text)
}

fn claims(around: &Surroundings, number: usize, here: &ContainerHere) -> Vec<Claim<What>> {
    let mut claims = Vec::new();
    let free = |start, last| Claim { start, last, what: What::Free };
    if here.windows.is_empty() {
        claims.push(free(0, u64::MAX));
    }
    let windows = here.windows.iter();
    claims.extend(windows.map(|it| free(it.start().get(), it.last().get())));
    let hidden = hidden(here.mappings.len());
    if let (Some(first), Some(last)) =
        (here.mappings.get(hidden.start), here.mappings[..hidden.end].last())
        && !hidden.is_empty()
    {
        let (start, last) = (first.iova.start().get(), last.iova.last().get());
        claims.push(Claim { start, last, what: What::More(hidden.len()) });
    }
    for (at, mapping) in here.mappings.iter().enumerate().filter(|(at, _)| !hidden.contains(at)) {
        let what = match mapping.kind {
            SlotKind::User => What::User(at),
            SlotKind::ReservedMsi => What::Window,
        };
        let (start, last) = (mapping.iova.start().get(), mapping.iova.last().get());
        claims.push(Claim { start, last, what });
    }
    let members = around.devices.iter().filter(|(_, container)| **container == number);
    let functions = members.filter_map(|(rid, _)| around.functions.get(rid));
    for doorbell in functions.flat_map(|function| &function.doorbells) {
        let start = doorbell.iova.get();
        let last = start.saturating_add(doorbell.size.saturating_sub(1));
        claims.push(Claim { start, last, what: What::Doorbell(doorbell.pa) });
    }
    claims
}

/// The range of mappings in the middle that are not drawn.
fn hidden(mappings: usize) -> std::ops::Range<usize> {
    match mappings > MAX_DRAWN {
        true => MAX_DRAWN / 2..mappings - MAX_DRAWN / 2,
        false => 0..0,
    }
}

fn label(around: &Surroundings, here: &ContainerHere, part: &Segment<What>) -> String {
    let size = bytes(part.bytes());
    match &part.what {
        None => format!("no mapping may lie here, {size}"),
        Some(What::Free) => format!("free, {size}"),
        Some(What::More(count)) => format!("{count} more mappings in {size}"),
        Some(What::Window) => format!("window for doorbells, {size}"),
        Some(What::Doorbell(pa)) => format!("doorbell {pa}, {size}"),
        Some(What::User(at)) => {
            let Some(mapping) = here.mappings.get(*at) else { return size };
            let valid = if mapping.vaddr_valid { "" } else { ", vaddr invalidated" };
            format!("{}, {}, {size}{valid}", around.place(mapping.vaddr.get()), mapping.perms)
        }
    }
}

fn targets(around: &Surroundings, here: &ContainerHere, parts: &[Segment<What>]) -> Vec<Target> {
    let mut targets: Vec<_> = parts
        .iter()
        .filter_map(|part| match part.what {
            Some(What::Doorbell(pa)) => Some(Target::Doorbell(pa)),
            Some(What::User(at)) => Some(target_of(around, here.mappings.get(at)?)),
            _ => None,
        })
        .collect();
    targets.sort();
    targets.dedup();
    targets
}

/// The memory of a mapping: the area that contains its first byte, or the memory itself.
fn target_of(around: &Surroundings, mapping: &MappingView) -> Target {
    let va = mapping.vaddr.get();
    let holds = |area: &&crate::run::AreaHere| va.wrapping_sub(area.va.get()) < area.size;
    match around.areas.iter().find(holds) {
        Some(area) => Target::Area {
            process: around.process,
            va: area.va.get(),
            size: area.size,
            name: area.name.clone(),
        },
        None => Target::Memory { va, size: mapping.iova.size_minus_one().saturating_add(1) },
    }
}

impl Target {
    fn label(&self) -> String {
        match self {
            Self::Area { process, va, size, name } => {
                format!("{name} of process {process}: {va:#x}, {}", bytes((*size).into()))
            }
            Self::Memory { va, size } => format!("memory at {va:#x}, {}", bytes((*size).into())),
            Self::Doorbell(pa) => format!("page of a doorbell at {pa}"),
        }
    }

    fn bytes(&self) -> u128 {
        match self {
            Self::Area { size, .. } | Self::Memory { size, .. } => (*size).into(),
            Self::Doorbell(_) => 0x1000,
        }
    }
}

/// The target of a part: a box on the right, and the upper and lower end of its memory in the box.
fn landing(
    around: &Surroundings,
    here: &ContainerHere,
    part: &Segment<What>,
    targets: &[Target],
    homes: &[Frame],
) -> Option<(Frame, (u32, u32))> {
    let home = |wanted: &Target| {
        let at = targets.iter().position(|target| target == wanted)?;
        homes.get(at).copied()
    };
    match part.what {
        Some(What::Doorbell(pa)) => {
            let frame = home(&Target::Doorbell(pa))?;
            Some((frame, (frame.y, frame.bottom())))
        }
        Some(What::User(at)) => {
            let mapping = here.mappings.get(at)?;
            let target = target_of(around, mapping);
            let frame = home(&target)?;
            let Target::Area { va, size, .. } = target else {
                return Some((frame, (frame.y, frame.bottom())));
            };
            // A part that begins inside its mapping maps to an equal offset in the memory.
            let into = part.start - mapping.iova.start().get();
            let first = u128::from(mapping.vaddr.get() - va) + u128::from(into);
            let at = |offset: u128| {
                let offset = offset.min(size.into()) * u128::from(frame.height);
                frame.y + u32::try_from(offset / u128::from(size.max(1))).unwrap_or(0)
            };
            let (upper, lower) = (at(first), at(first + part.bytes()));
            Some((frame, (upper, lower.max(upper + 2))))
        }
        _ => None,
    }
}

/// Boxes stacked downwards.
fn stacked(x: u32, width: u32, heights: impl Iterator<Item = u32>) -> Vec<Frame> {
    let mut y = 2 * LINE;
    heights
        .map(|height| {
            let frame = Frame { x, y, width, height };
            y += height + 4;
            frame
        })
        .collect()
}

fn height(bytes: u128, what: &Option<What>) -> u32 {
    match what {
        None | Some(What::Free | What::More(_)) => 26,
        Some(_) => grown(bytes, 22),
    }
}

/// Grows with every doubling beyond a page.
fn grown(bytes: u128, least: u32) -> u32 {
    (least + 3 * bytes.max(1).ilog2().saturating_sub(12)).min(90)
}

fn class(part: &Segment<What>) -> &'static str {
    match part.what {
        None => "invalid",
        Some(What::Free) => "free",
        Some(What::User(_) | What::More(_)) => "user",
        Some(What::Window) => "window",
        Some(What::Doorbell(_)) => "doorbell",
    }
}

fn tint(part: &Segment<What>) -> &'static str {
    match part.what {
        Some(What::Doorbell(_)) => "band doorbell-band",
        _ => "band user-band",
    }
}
