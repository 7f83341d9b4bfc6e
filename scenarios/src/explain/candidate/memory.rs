//! Requests near a refused operation of a process on its memory.

use passim_model::{Conflict, Refusal};

use super::{Distance, aligned};
use crate::op::{AreaKind, Hex, Number, Op};
use crate::run::{AREA_ALIGN, Surroundings};
use crate::script::Place;

/// The memory of an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Range {
    va: u64,
    size: u64,
}

impl Range {
    fn of(op: &Op, around: &Surroundings) -> Option<Self> {
        let (va, size) = match op {
            Op::Munmap { va, size }
            | Op::Mprotect { va, size, .. }
            | Op::Touch { va, size }
            | Op::Mlock { va, size }
            | Op::Munlock { va, size } => (va, size.0),
            Op::Peek { va, size } => (va, size.map_or(8, |size| size.0)),
            Op::Fill { va, bytes } => (va, bytes.0.len() as u64),
            _ => return None,
        };
        Some(Self { va: around.resolve(va)?, size })
    }

    /// The same operation on this memory.
    fn put(self, op: &Op, around: &Surroundings) -> Op {
        let (va, size): (Place, Number) = (around.place(self.va), Number(self.size));
        match op {
            Op::Munmap { .. } => Op::Munmap { va, size },
            Op::Mprotect { prot, .. } => Op::Mprotect { va, size, prot: *prot },
            Op::Touch { .. } => Op::Touch { va, size },
            Op::Mlock { .. } => Op::Mlock { va, size },
            Op::Munlock { .. } => Op::Munlock { va, size },
            Op::Peek { .. } => Op::Peek { va, size: Some(size) },
            Op::Fill { bytes, .. } => {
                let most = usize::try_from(self.size).unwrap_or(usize::MAX);
                Op::Fill { va, bytes: Hex(bytes.0.iter().copied().take(most).collect()) }
            }
            other => other.clone(),
        }
    }
}

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    if let Op::Area { .. } = op {
        return areas(op, refusal.conflict, around);
    }
    let Some(range) = Range::of(op, around) else { return Vec::new() };
    let page = around.page.bytes();
    let mut others = Vec::new();
    match refusal.conflict {
        Conflict::Limit { limit, .. } => {
            let locked = (around.locked_kib << 10) / page;
            let size = limit.saturating_sub(locked).saturating_mul(page);
            others.push(Range { size, ..range });
        }
        Conflict::User(fault) if fault.get() > range.va => {
            others.push(Range { size: (fault.get() - range.va).min(range.size), ..range });
        }
        _ => {}
    }
    for area in &around.areas {
        let first = area.va.get();
        let last = first + area.size;
        match area.size.checked_sub(range.size) {
            Some(room) => {
                others.push(Range { va: range.va.clamp(first, first + room), ..range });
            }
            None => others.push(Range { va: first, size: area.size }),
        }
        // The part of it that lies there.
        let (from, to) = (range.va.max(first), range.va.saturating_add(range.size).min(last));
        if from < to {
            others.push(Range { va: from, size: to - from });
        }
    }
    if !matches!(refusal.conflict, Conflict::User(_) | Conflict::Limit { .. }) {
        others.extend(aligned(range.va, around.page).map(|va| Range { va, ..range }));
        others.push(Range { size: page, ..range });
    }
    others.retain(|other| *other != range && other.size > 0);
    others.into_iter().map(|other| other.put(op, around)).collect()
}

/// Less memory, whole pages of its kind, or anonymous memory.
fn areas(op: &Op, conflict: Conflict, around: &Surroundings) -> Vec<Op> {
    let Op::Area { name, size, kind, prot, fd, offset } = op else { return Vec::new() };
    let (name, prot, offset) = (name.clone(), *prot, *offset);
    let huge: u64 = match kind {
        Some(AreaKind::Huge2M) => 1 << 21,
        Some(AreaKind::Huge32M) => 1 << 25,
        Some(AreaKind::Huge512M) => 1 << 29,
        Some(AreaKind::Huge1G) => 1 << 30,
        _ => around.page.bytes(),
    };
    let with = |size: u64, kind: Option<AreaKind>| {
        let fd = if kind.is_none() { None } else { *fd };
        Op::Area { name: name.clone(), size: Number(size), kind, prot, fd, offset }
    };
    let mut ops = Vec::new();
    if let Conflict::User(fault) = conflict {
        // Its start is a multiple of this, so the remainder is what was mapped before the fault.
        let got = fault.get() % AREA_ALIGN / huge * huge;
        ops.extend((got > 0).then(|| with(got, *kind)));
    }
    let whole = size.0.max(1).checked_next_multiple_of(huge);
    ops.extend(whole.map(|size| with(size, *kind)));
    let mut less = size.0;
    while less > huge && ops.len() < 8 {
        less = (less / 2).next_multiple_of(huge);
        ops.push(with(less, *kind));
        if less == huge {
            break;
        }
    }
    if kind.is_some() {
        ops.push(with(size.0.max(around.page.bytes()), None));
    }
    ops
}

pub(super) fn distance(a: &Op, b: &Op, around: &Surroundings) -> Option<Distance> {
    if let (Op::Area { size, kind, .. }, Op::Area { size: other, kind: before, .. }) = (a, b) {
        let fields = usize::from(size != other) + 2 * usize::from(kind != before);
        return Some((fields, u128::from(size.0.abs_diff(other.0))));
    }
    let (a, b) = (Range::of(a, around)?, Range::of(b, around)?);
    let bytes = u128::from(a.va.abs_diff(b.va)) + u128::from(a.size.abs_diff(b.size));
    Some((usize::from(a.va != b.va) + usize::from(a.size != b.size), bytes))
}
