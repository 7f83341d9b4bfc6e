//! Devices, their groups, and the SMMUs between them and memory and doorbells.

use std::collections::BTreeMap;

use maud::{Markup, html};
use passim_model::Rid;

use super::figure::{Figure, Frame, LINE, PAD, area, bytes, card, card_size, link, widest, words};
use crate::machine::{Gic, Iommu, Machine};
use crate::run::Surroundings;

/// Most devices that are drawn; a root complex with all its virtual functions has hundreds.
const MAX_DEVICES: usize = 64;
/// Distance between two columns.
const BETWEEN: u32 = 110;

/// A drawn device.
struct Row {
    text: String,
    /// The SMMU that its accesses pass.
    smmu: Option<usize>,
    /// Its StreamIDs.
    stream: String,
}

/// A group, or the devices without one.
struct Group {
    title: String,
    rows: Vec<Row>,
    /// Whether it is in a container.
    taken: bool,
}

/// The figure of a machine, with the containers of its groups if a scenario runs.
pub(super) fn figure(machine: &Machine, around: Option<&Surroundings>) -> Figure {
    let (groups, left_out) = groups(machine, around);
    let titles = groups.iter().map(|group| group.title.as_str());
    let texts = groups.iter().flat_map(|group| group.rows.iter().map(|row| row.text.as_str()));
    let width = widest(titles.chain(texts)) + 2 * PAD;
    let frames = group_frames(&groups, width);
    let streams = groups.iter().flat_map(|group| group.rows.iter().map(|row| row.stream.as_str()));
    let middle = PAD + width + BETWEEN + widest(streams);
    let depth = frames.last().map_or(0, |frame| frame.bottom());
    let translators = spread(middle, depth, &translators(machine));
    let passed = translators.iter().map(|(frame, _)| frame.right()).max().unwrap_or(middle);
    let ends = spread(passed + BETWEEN, depth, &ends(machine));
    let right = ends.iter().map(|(frame, _)| frame.right()).max().unwrap_or(passed);
    let lowest = translators.iter().chain(&ends).map(|(frame, _)| frame.bottom()).max();
    let memory = ends.first().map_or((passed, PAD), |(frame, _)| frame.enter());
    let body = html! {
        @for (group, frame) in groups.iter().zip(&frames) {
            (group_markup(group, *frame, &translators, memory))
        }
        @for (frame, _) in &translators {
            @for (end, _) in &ends { (link(frame.leave(), end.enter(), "wire")) }
        }
        @for (frame, lines) in &translators { (card(*frame, "smmu", lines)) }
        @for (at, (frame, lines)) in ends.iter().enumerate() {
            (card(*frame, if at == 0 { "memory" } else { "doorbell" }, lines))
        }
        @if left_out > 0 {
            (words(PAD, depth + LINE, "dim", &format!("and {left_out} devices more")))
        }
    };
    let height = depth.max(lowest.unwrap_or(0)) + LINE + PAD;
    Figure { width: right + PAD, height, body }
}

fn groups(machine: &Machine, around: Option<&Surroundings>) -> (Vec<Group>, usize) {
    // The groups that the running kernel made.
    let grouped = around.and_then(|around| machine.grouped(around.policy.smmu2_entries).ok());
    let machine = grouped.as_deref().unwrap_or(machine);
    let mut rows: Vec<(Option<u32>, Option<usize>, Row)> = Vec::new();
    for function in &machine.functions {
        let here = around.and_then(|around| around.functions.get(&function.rid));
        if here.is_none() && (around.is_some() || function.off) {
            continue;
        }
        let driver = match here {
            Some(here) => here.driver.clone(),
            None => function.driver.clone(),
        };
        let vectors = match (function.msi_vectors(), function.msix_vectors()) {
            (_, Some(count)) => format!("{count} MSI-X"),
            (Some(count), None) => format!("{count} MSI"),
            (None, None) => String::new(),
        };
        let driver = driver.unwrap_or_else(|| "no driver".to_owned());
        let text = format!(
            "{} {:04x}:{:04x} {driver} {vectors}",
            function.rid, function.vendor, function.device
        );
        let row = Row { text, smmu: function.smmu, stream: stream(&function.streams) };
        rows.push((function.group, container(around, function.rid), row));
    }
    for platform in &machine.platforms {
        let driver = platform.driver.as_deref().unwrap_or("no driver");
        let text = format!("{} {driver}", platform.name);
        let row = Row { text, smmu: platform.smmu, stream: stream(&platform.streams) };
        rows.push((platform.group, None, row));
    }
    let left_out = rows.len().saturating_sub(MAX_DEVICES);
    rows.truncate(MAX_DEVICES);
    let mut groups: BTreeMap<Option<u32>, Group> = BTreeMap::new();
    for (number, container, row) in rows {
        let name = number.map_or_else(|| "no group".to_owned(), |number| format!("group {number}"));
        let group =
            groups.entry(number).or_insert(Group { title: name, rows: Vec::new(), taken: false });
        if let Some(container) = container.filter(|_| !group.taken) {
            group.taken = true;
            group.title.push_str(&format!(", in container {container}"));
        }
        group.rows.push(row);
    }
    (groups.into_values().collect(), left_out)
}

fn container(around: Option<&Surroundings>, rid: Rid) -> Option<usize> {
    around?.devices.get(&rid).copied()
}

fn stream(streams: &[passim_model::StreamId]) -> String {
    let names: Vec<_> = streams.iter().map(ToString::to_string).collect();
    names.join(" ")
}

fn group_frames(groups: &[Group], width: u32) -> Vec<Frame> {
    let mut y = PAD;
    let frames = groups.iter().map(|group| {
        let lines = u32::try_from(group.rows.len()).unwrap_or(0) + 1;
        let frame = Frame { x: PAD, y, width, height: lines * LINE + PAD };
        y += frame.height + PAD;
        frame
    });
    frames.collect()
}

/// A group with its devices, and the paths of their accesses.
fn group_markup(
    group: &Group,
    frame: Frame,
    translators: &[(Frame, Vec<String>)],
    memory: (u32, u32),
) -> Markup {
    let base = |at: usize| frame.y + LINE * (u32::try_from(at).unwrap_or(0) + 2);
    html! {
        (area(frame, if group.taken { "group taken" } else { "group" }))
        (words(frame.x + PAD, frame.y + LINE, "title", &group.title))
        @for (at, row) in group.rows.iter().enumerate() {
            @let from = (frame.right(), base(at) - 4);
            (words(frame.x + PAD, base(at), "", &row.text))
            @match row.smmu.and_then(|smmu| translators.get(smmu)) {
                Some((smmu, _)) => {
                    (link(from, smmu.enter(), "wire"))
                    (words(frame.right() + 6, base(at) - 6, "dim", &row.stream))
                }
                None => (link(from, memory, "wire bare")),
            }
        }
    }
}

/// The IOMMUs, in the order of their indices.
fn translators(machine: &Machine) -> Vec<Vec<String>> {
    let v3 = |smmus: &[crate::machine::SmmuV3]| -> Vec<Vec<String>> {
        let cards = smmus.iter().enumerate();
        cards.map(|(at, smmu)| vec![format!("SMMUv3 {at}"), smmu.base.to_string()]).collect()
    };
    let x86 = |x86: &crate::machine::X86| vec!["x86-like IOMMU".to_owned(), x86.base.to_string()];
    match &machine.iommu {
        Iommu::Flat => Vec::new(),
        Iommu::X86(it) => vec![x86(it)],
        Iommu::SmmuV3(smmus) => v3(smmus),
        Iommu::Mixed(smmus, it) => v3(smmus).into_iter().chain([x86(it)]).collect(),
        Iommu::SmmuV2(smmus) => {
            let cards = smmus.iter().enumerate();
            cards.map(|(at, smmu)| vec![format!("SMMUv2 {at}"), smmu.base.to_string()]).collect()
        }
    }
}

/// Targets of accesses: memory first, then doorbells.
fn ends(machine: &Machine) -> Vec<Vec<String>> {
    let banks = machine.ram.iter().map(|bank| {
        format!("{} at {}", bytes(u128::from(bank.size_minus_one()) + 1), bank.start())
    });
    let mut cards = vec![std::iter::once("RAM".to_owned()).chain(banks).collect()];
    match &machine.gic {
        Gic::Its(gic) => cards.extend(gic.its.iter().enumerate().map(|(at, base)| {
            vec![format!("ITS {at}"), format!("GITS_TRANSLATER {}", translater(*base))]
        })),
        Gic::V2m(gic) => cards.extend(gic.frames.iter().enumerate().map(|(at, frame)| {
            let last = frame.first.get() + frame.count.saturating_sub(1);
            vec![
                format!("GICv2m frame {at} at {}", frame.base),
                format!("SPIs {} to {last}", frame.first.get()),
            ]
        })),
    }
    cards
}

/// GITS_TRANSLATER: offset 0x40 of the second 64 KiB. IHI 0069, the ITS register map.
fn translater(base: passim_model::PhysAddr) -> String {
    format!("{:#x}", base.get().saturating_add(0x1_0040))
}

/// Cards stacked downwards, spread over a height.
fn spread(x: u32, height: u32, cards: &[Vec<String>]) -> Vec<(Frame, Vec<String>)> {
    let sizes: Vec<_> = cards.iter().map(|lines| card_size(lines)).collect();
    let needed: u32 = sizes.iter().map(|(_, height)| height + 2 * PAD).sum();
    let count = u32::try_from(cards.len()).unwrap_or(0).max(1);
    let gap = height.saturating_sub(needed) / (count + 1);
    let width = sizes.iter().map(|(width, _)| *width).max().unwrap_or(0);
    let mut y = PAD;
    let placed = cards.iter().zip(sizes).map(|(lines, (_, height))| {
        y += gap;
        let frame = Frame { x, y, width, height };
        y += height + 2 * PAD;
        (frame, lines.clone())
    });
    placed.collect()
}
