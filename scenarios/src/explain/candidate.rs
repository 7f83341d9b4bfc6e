//! Requests near a refused one, derived from its conflict.
//!
//! None of them is known to be accepted: the search tries them. The fewer fields change, the nearer
//! a request is; among equals, the fewer bytes addresses and sizes move.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `map`, `unmap`, `window`, `dirty` | what is near a refused MAP, UNMAP, window or dirty query? |
//! | `irqs`, `wires` | what is near a refused SET_IRQS, of a function or by descriptor? |
//! | `files`, `transfers`, `raw` | what is near one of descriptors, of a region, or of bytes? |
//! | `devices`, `memory` | what is near one of drivers, parameters, or process memory? |
//! | `first` | which operations before a request may make it acceptable? |

mod devices;
mod dirty;
mod files;
mod first;
mod irqs;
mod map;
mod memory;
mod raw;
mod transfers;
mod unmap;
mod window;
mod wires;

use std::fmt;

use passim_model::{Conflict, PageSize, Refusal};

use crate::op::Op;
use crate::run::{ContainerHere, Surroundings};
use crate::script::Signed;

/// A request in place of the refused one, and the operations before it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attempt {
    pub(super) before: Vec<Op>,
    pub(super) op: Op,
}

/// Number of changed fields, an additional operation counted as two; then bytes.
pub(super) type Distance = (usize, u128);

impl Attempt {
    pub(super) fn of(op: Op) -> Self {
        Self { before: Vec::new(), op }
    }

    /// The operations, in order.
    pub(super) fn lines(&self) -> Vec<String> {
        self.before.iter().chain([&self.op]).map(Op::to_string).collect()
    }

    /// The distance from the refused request.
    pub(super) fn distance(&self, original: &Self, around: &Surroundings) -> Distance {
        let (fields, bytes) = match (&self.op, &original.op) {
            (Op::Map { .. }, Op::Map { .. }) => map::distance(&self.op, &original.op, around),
            (Op::Unmap { .. }, Op::Unmap { .. }) => unmap::distance(&self.op, &original.op),
            (Op::MsiWindow { .. }, Op::MsiWindow { .. }) => {
                window::distance(&self.op, &original.op)
            }
            (a, b) => irqs::distance(a, b)
                .or_else(|| dirty::distance(a, b))
                .or_else(|| memory::distance(a, b, around))
                .unwrap_or_else(|| (words_changed(a, b), 0)),
        };
        (fields + 2 * self.before.len(), bytes)
    }
}

/// The operations, a line each.
impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.before.iter().try_for_each(|op| writeln!(f, "{op}"))?;
        write!(f, "{}", self.op)
    }
}

/// Number of arguments in which two operations differ; another verb counts as one more.
fn words_changed(a: &Op, b: &Op) -> usize {
    let (a, b) = (a.invocation(), b.invocation());
    let words = |invocation: &crate::script::Invocation| -> Vec<String> {
        invocation.args.iter().map(ToString::to_string).collect()
    };
    let (ours, theirs) = (words(&a), words(&b));
    let changed = ours.iter().filter(|word| !theirs.contains(word)).count();
    let left_out = theirs.len().saturating_sub(ours.len());
    changed + left_out + usize::from(a.verb.text != b.verb.text)
}

/// Requests cut to the number that the kernel has available.
pub(super) fn granted(from: &Attempt, available: i64) -> Vec<Attempt> {
    irqs::granted(&from.op, available).into_iter().map(Attempt::of).collect()
}

/// Requests near `from`, which was refused for `refusal`.
pub(super) fn near(from: &Attempt, refusal: &Refusal, around: &Surroundings) -> Vec<Attempt> {
    let ops = match &from.op {
        Op::Map { .. } => map::near(&from.op, refusal, around),
        Op::Unmap { .. } => unmap::near(&from.op, refusal, around),
        Op::UnmapAll { fd } => unmap::near_all(*fd, refusal, around),
        Op::MsiWindow { .. } => window::near(&from.op, refusal, around),
        Op::Enable { .. } | Op::Disable { .. } | Op::SetIrqs { .. } => {
            let mut ops = irqs::near(&from.op, refusal, around);
            ops.extend(wires::near(&from.op, refusal, around));
            ops
        }
        Op::Dirty { .. } => dirty::near(&from.op, refusal, around),
        Op::Transfer(_) => transfers::near(&from.op, refusal, around),
        op => {
            let mut ops = files::near(op, refusal, around);
            ops.extend(devices::near(op, refusal, around));
            ops.extend(memory::near(op, refusal, around));
            ops.extend(raw::near(op, refusal, around));
            ops
        }
    };
    let mut attempts: Vec<_> =
        ops.into_iter().map(|op| Attempt { before: from.before.clone(), op }).collect();
    attempts.extend(first::near(from, refusal, around));
    attempts.extend(first::with_a_container(from, around));
    attempts
}

/// Other descriptors for a request whose own may be wrong: the default container, and every
/// container of the process. Empty if the descriptor is not the cause.
fn other_fds(fd: Option<Signed>, refusal: &Refusal, around: &Surroundings) -> Vec<Option<Signed>> {
    // A device gives the same request numbers another meaning, and refuses by its own rules.
    let named = |(known, _): &(i32, usize)| fd.is_none_or(|fd| fd.0 == i64::from(*known));
    if around.container_fds.iter().any(named) && !is_about_fd(refusal) {
        return Vec::new();
    }
    let known = around.container_fds.iter().map(|(fd, _)| Some(Signed(i64::from(*fd))));
    let implied = around.container.map(|_| None);
    implied.into_iter().chain(known).filter(|other| *other != fd).collect()
}

/// Whether the refusal concerns the descriptor.
fn is_about_fd(refusal: &Refusal) -> bool {
    let rules = ["bad-fd", "ioctl-unknown", "container-without-iommu"];
    matches!(refusal.conflict, Conflict::Fd(_)) || rules.contains(&refusal.rule.name)
}

/// The multiples of a page next to `value`, below and above, without 0 and those that overflow.
fn aligned(value: u64, page: PageSize) -> impl Iterator<Item = u64> {
    let down = value & !page.mask();
    [Some(down), down.checked_add(page.bytes())].into_iter().flatten()
}

/// Another place for a range.
struct Room {
    iova: u64,
    size: u64,
    /// Bytes removed at the front.
    cut: u64,
}

/// Other places for a range: whole in the next gap on either side, or cut to a gap.
fn elsewhere(iova: u64, size: u64, here: &ContainerHere) -> Vec<Room> {
    let gaps = gaps(here);
    let Some(rest) = size.checked_sub(1) else { return Vec::new() };
    let fits = gaps.iter().filter(|(first, last)| last - first >= rest);
    let mut moved: Vec<u64> = fits.map(|(first, last)| iova.clamp(*first, last - rest)).collect();
    moved.sort_by_key(|to| to.abs_diff(iova));
    moved.truncate(2);
    let distance =
        |(first, last): &&(u64, u64)| first.saturating_sub(iova).max(iova.saturating_sub(*last));
    let nearest = gaps.iter().min_by_key(distance).copied();
    let mut rooms: Vec<_> = moved.into_iter().map(|iova| Room { iova, size, cut: 0 }).collect();
    if let Some((first, last)) = nearest {
        // As much of it as fits there.
        let rest = rest.min(last - first);
        rooms.push(Room {
            iova: iova.clamp(first, last - rest),
            size: rest.saturating_add(1),
            cut: 0,
        });
    }
    let end = iova.saturating_add(rest);
    for (first, last) in gaps {
        if first > end || last < iova {
            continue;
        }
        let from = first.max(iova);
        rooms.push(Room { iova: from, size: last.min(end) - from + 1, cut: from - iova });
    }
    rooms
}

/// The last IOVA that tables with four levels translate, for containers without valid ranges.
const INPUT_LAST: u64 = (1 << 48) - 1;

/// Valid ranges without a mapping, first and last byte, ascending.
fn gaps(here: &ContainerHere) -> Vec<(u64, u64)> {
    let mut valid: Vec<(u64, u64)> =
        here.windows.iter().map(|span| (span.start().get(), span.last().get())).collect();
    if valid.is_empty() {
        valid.push((0, INPUT_LAST));
    }
    let mut gaps = Vec::new();
    for (first, last) in valid {
        let mut from = Some(first);
        for mapping in &here.mappings {
            let (start, end) = (mapping.iova.start().get(), mapping.iova.last().get());
            let Some(at) = from else { break };
            if end < at || start > last {
                continue;
            }
            if start > at {
                gaps.push((at, start - 1));
            }
            from = end.checked_add(1);
        }
        gaps.extend(from.filter(|at| *at <= last).map(|at| (at, last)));
    }
    gaps
}
