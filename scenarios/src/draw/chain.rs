//! One translation, from the stream table to its end: a box for each structure or cache entry read,
//! in order, with its fields; above them, the address divided into the indices of the levels.

use maud::{Markup, html};
use passim_model::pgtable::vmsav8::Stage;
use passim_smmu::v3::{Explanation, Step, Transaction};

use super::figure::{Figure, Frame, LINE, PAD, area, card, card_size, link, text_width, words};
use crate::system::{Arrival, Explained};
use crate::walk::{NarratedStep, Narration, tell};

/// Most fields of a box; the text command prints all.
const MAX_FIELDS: usize = 9;
/// Boxes in a row.
const ACROSS: usize = 4;
/// Distance between two boxes.
const BETWEEN: u32 = 36;

/// The figure; of a message also what the interrupt controller made of it.
pub(super) fn figure(
    asked: &Transaction,
    explanation: &Explained,
    arrival: Option<Arrival>,
) -> Figure {
    let told = tell(asked, explanation);
    let mut cards: Vec<(&'static str, Vec<String>)> =
        told.steps.iter().map(|step| (class(step), lines(step))).collect();
    cards.push((end_class(&told), end(&told)));
    cards.extend(arrival.map(|arrival| (arrival_class(arrival), arrived(arrival))));
    let parts = match explanation {
        Explained::V3(explanation) => indices(asked, explanation),
        // Its formats divide addresses in several ways; the boxes contain the address of each
        // descriptor.
        Explained::V2(_) => Vec::new(),
    };
    let top = 2 * LINE + if parts.is_empty() { 0 } else { 4 * LINE };
    let (frames, width, height) = laid_out(&cards, top);
    let body = html! {
        (words(PAD, LINE, "title", &told.asked))
        (bits(asked.iova.get(), &parts))
        @for pair in frames.windows(2) {
            @if pair[0].y == pair[1].y {
                (link(pair[0].leave(), pair[1].enter(), "arrow"))
            } @else {
                (turn(pair[0], pair[1]))
            }
        }
        @for ((class, lines), frame) in cards.iter().zip(&frames) { (card(*frame, class, lines)) }
    };
    let bar = parts.len() as u32 * 120 + 200;
    Figure { width: width.max(bar).max(text_width(&told.asked) + 2 * PAD), height, body }
}

/// The places of the boxes: rows as high as their highest box, columns as wide as their widest.
/// Also the width and height of the whole.
fn laid_out(cards: &[(&'static str, Vec<String>)], top: u32) -> (Vec<Frame>, u32, u32) {
    let sizes: Vec<_> = cards.iter().map(|(_, lines)| card_size(lines)).collect();
    let wide = |column: usize| {
        let column = sizes.iter().skip(column).step_by(ACROSS);
        column.map(|size| size.0).max().unwrap_or(0)
    };
    let mut frames = Vec::new();
    let mut y = top;
    let mut right = 0;
    for row in sizes.chunks(ACROSS) {
        let height = row.iter().map(|size| size.1).max().unwrap_or(0);
        let mut x = PAD;
        for at in 0..row.len() {
            frames.push(Frame { x, y, width: wide(at), height });
            right = right.max(x + wide(at));
            x += wide(at) + BETWEEN;
        }
        y += height + BETWEEN;
    }
    (frames, right + PAD, y)
}

/// A line from the end of a row to the start of the next.
fn turn(from: Frame, to: Frame) -> Markup {
    let half = BETWEEN / 2;
    let (start, enter) = (from.x + from.width / 2, to.x + to.width / 2);
    let middle = from.bottom() + half;
    let d = format!("M{start} {} V{middle} H{enter} V{}", from.bottom(), to.y);
    html! { path d=(d) class="arrow" {} }
}

fn class(step: &NarratedStep) -> &'static str {
    if step.what.contains("cached") || step.what.contains("TLB") || step.what.contains("remembered")
    {
        "cached"
    } else if step.what.starts_with("stage 2") {
        "window"
    } else if step.what.starts_with("stage 1") {
        "user"
    } else {
        "smmu"
    }
}

fn lines(step: &NarratedStep) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in step.what.split(", ") {
        match part.split_once(": ") {
            // A stage and its subject share a line, if there is room.
            Some((title, rest)) if title.len() + rest.len() > 40 => {
                lines.extend([title.to_owned(), rest.to_owned()]);
            }
            _ => lines.push(part.to_owned()),
        }
    }
    if let Some(at) = &step.at {
        lines.push(format!("at {at}"));
    }
    if let [word] = step.words.as_slice() {
        lines.push(format!("= {word}"));
    }
    for field in step.fields.iter().take(MAX_FIELDS) {
        let meaning = field.meaning.as_deref().map(|it| format!(" {it}")).unwrap_or_default();
        lines.push(format!("{} {:#x}{meaning}", field.name, field.value));
    }
    if let Some(more) = step.fields.len().checked_sub(MAX_FIELDS).filter(|more| *more > 0) {
        lines.push(format!("and {more} fields more"));
    }
    lines.push(step.section.clone());
    lines
}

fn end(told: &Narration) -> Vec<String> {
    let mut lines = vec!["verdict".to_owned()];
    lines.extend(told.verdict.split(", ").map(str::to_owned));
    lines.push(told.section.clone());
    lines
}

fn end_class(told: &Narration) -> &'static str {
    match (&told.event, &told.address) {
        (Some(_), _) => "fault",
        (None, Some(_)) => "memory",
        (None, None) => "invalid",
    }
}

/// What became of a message behind the SMMU.
fn arrived(arrival: Arrival) -> Vec<String> {
    let text = arrival.to_string();
    let parts = text.split(": ").flat_map(|part| part.split(", "));
    ["the message".to_owned()].into_iter().chain(parts.map(str::to_owned)).collect()
}

fn arrival_class(arrival: Arrival) -> &'static str {
    match arrival {
        Arrival::Pending(..) | Arrival::Lpi(..) | Arrival::TakenBack(_) => "memory",
        Arrival::Untranslated(_) | Arrival::Ignored | Arrival::NoMessage => "fault",
    }
}

/// The index of one level in the address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Part {
    level: i8,
    /// Its lowest bit.
    low: u32,
    /// Number of bits.
    bits: u32,
}

/// The indices that a walk of the first stage took from the address, the highest first; empty if no
/// descriptor was read, or the granule is not known.
fn indices(asked: &Transaction, explanation: &Explanation) -> Vec<Part> {
    let read = |wanted: Stage| {
        explanation.steps.iter().filter_map(move |step| match step {
            Step::Descriptor { stage, level, ipa, at, .. } if *stage == wanted => {
                Some((*level, ipa.unwrap_or(at.get())))
            }
            _ => None,
        })
    };
    let first = if read(Stage::One).next().is_some() { Stage::One } else { Stage::Two };
    let fetched: Vec<_> = read(first).collect();
    // Stage 2 of a nested walk translates other addresses than the requested one.
    let nested = first == Stage::Two && asks_stage_1(explanation);
    if fetched.is_empty() || nested {
        return Vec::new();
    }
    let cut = |granule: u32| fetched.iter().filter_map(move |(level, _)| part(*level, granule));
    let iova = asked.iova.get();
    // A descriptor's offset in its table is its index, so each fetch repeats the index bits of the
    // address.
    let agrees = |granule: &u32| {
        cut(*granule)
            .zip(&fetched)
            .skip(1)
            .all(|(part, (_, at))| (at >> 3) & ((1 << part.bits) - 1) == part.index(iova))
    };
    let granule = told_granule(explanation, first).or_else(|| {
        let mut possible = [12, 14, 16].into_iter().filter(agrees);
        possible.next().filter(|_| possible.next().is_none())
    });
    granule.map(|granule| cut(granule).collect()).unwrap_or_default()
}

/// Whether stage 1 of a nested configuration took part, from the TLB or not.
fn asks_stage_1(explanation: &Explanation) -> bool {
    explanation.steps.iter().any(|step| {
        matches!(
            step,
            Step::Cd { .. }
                | Step::CachedCd
                | Step::Hit { stage: Stage::One, .. }
                | Step::CachedTable { stage: Stage::One, .. }
        )
    })
}

/// The granule's bits, if the structure that contains them was read. IHI 0070 G.b 5.4 CD.TG0 and
/// 5.2 STE.S2TG: 0 is 4K, 1 is 64K, 2 is 16K.
fn told_granule(explanation: &Explanation, stage: Stage) -> Option<u32> {
    let (structure, name) = match stage {
        Stage::One => {
            (explanation.steps.iter().find(|step| matches!(step, Step::Cd { .. })), "TG0")
        }
        Stage::Two => {
            (explanation.steps.iter().find(|step| matches!(step, Step::Ste { .. })), "S2TG")
        }
    };
    let fields = structure?.fields();
    match fields.iter().find(|field| field.name == name).map_or(0, |field| field.value) {
        0 => Some(12),
        1 => Some(16),
        2 => Some(14),
        _ => None,
    }
}

/// The index of a level: a table has a granule's size, with descriptors of eight bytes.
fn part(level: i8, granule: u32) -> Option<Part> {
    let above = u32::try_from(3 - i32::from(level)).ok()?;
    Some(Part { level, low: granule + above * (granule - 3), bits: granule - 3 })
}

impl Part {
    fn index(self, iova: u64) -> u64 {
        iova.checked_shr(self.low).unwrap_or(0) & ((1 << self.bits) - 1)
    }
}

/// The address, and below it the index of each level.
fn bits(iova: u64, parts: &[Part]) -> Markup {
    let lowest = parts.last().map_or(0, |part| part.low);
    let cell = |at: usize| Frame {
        x: PAD + u32::try_from(at).unwrap_or(0) * 120,
        y: 2 * LINE,
        width: 116,
        height: 2 * LINE + PAD,
    };
    html! {
        @for (at, part) in parts.iter().enumerate() {
            @let index = part.index(iova);
            (area(cell(at), "user"))
            (words(cell(at).x + PAD, cell(at).y + LINE, "title", &format!("level {}", part.level)))
            (words(cell(at).x + PAD, cell(at).y + 2 * LINE, "",
                &format!("[{}:{}] {index:#x}", part.low + part.bits - 1, part.low)))
        }
        @if !parts.is_empty() {
            @let rest = cell(parts.len());
            (area(rest, "memory"))
            (words(rest.x + PAD, rest.y + LINE, "title", "offset"))
            (words(rest.x + PAD, rest.y + 2 * LINE, "",
                &format!("[{}:0] {:#x}", lowest - 1, iova & ((1 << lowest) - 1))))
        }
    }
}
