//! Requests near a refused UNMAP.

use passim_model::{Conflict, Iova, Refusal};

use super::{Distance, aligned, other_fds};
use crate::op::{Number, Op};
use crate::run::Surroundings;
use crate::script::Signed;

/// VFIO_DMA_UNMAP_FLAG_ALL. `linux/vfio.h`.
const FLAG_ALL: u64 = 1 << 1;
/// VFIO_DMA_UNMAP_FLAG_VADDR.
const FLAG_VADDR: u64 = 1 << 2;

#[derive(Clone, Copy)]
struct Unmap {
    iova: u64,
    size: u64,
    fd: Option<Signed>,
    flags: Option<Number>,
    argsz: Option<u32>,
}

impl Unmap {
    fn of(op: &Op) -> Option<Self> {
        let Op::Unmap { iova, size, fd, flags, argsz } = *op else { return None };
        Some(Self { iova: iova.get(), size: size.0, fd, flags, argsz })
    }

    fn op(self) -> Op {
        let Self { iova, size, fd, flags, argsz } = self;
        Op::Unmap { iova: Iova::new(iova), size: Number(size), fd, flags, argsz }
    }

    /// From `first` to `last`, inclusive; `None` if that is no range.
    fn between(self, first: u64, last: u64) -> Option<Self> {
        let size = last.checked_sub(first)?.checked_add(1)?;
        Some(Self { iova: first, size, ..self })
    }

    /// The same with either end moved off a mapping that it cuts: around the mapping or short of
    /// it.
    fn beside(self, start: u64, last: u64) -> Vec<Self> {
        let Some(end) = self.iova.checked_add(self.size.saturating_sub(1)) else {
            return Vec::new();
        };
        let mut others = Vec::new();
        if self.iova > start && self.iova <= last {
            others.push(self.between(start, end.max(last)));
            others.push(self.between(start, end));
            others.push(last.checked_add(1).and_then(|first| self.between(first, end)));
        }
        if end >= start && end < last {
            others.push(self.between(self.iova, last));
            others.push(start.checked_sub(1).and_then(|before| self.between(self.iova, before)));
        }
        others.into_iter().flatten().collect()
    }

    /// The parts in front of a window, and behind it.
    fn beside_window(self, start: u64, last: u64) -> Vec<Self> {
        let end = self.iova.saturating_add(self.size.saturating_sub(1));
        let before = start.checked_sub(1).and_then(|to| self.between(self.iova, to.min(end)));
        let behind = last.checked_add(1).and_then(|from| self.between(from.max(self.iova), end));
        before.into_iter().chain(behind).collect()
    }

    fn aligned_where(self, value: u64, around: &Surroundings) -> Vec<Self> {
        let mut others = Vec::new();
        for to in aligned(value, around.page) {
            if self.iova == value {
                others.push(Self { iova: to, ..self });
            }
            if self.size == value && to > 0 {
                others.push(Self { size: to, ..self });
            }
        }
        others
    }

    /// The same without the refused flags.
    fn with_flags(self, refused: u64) -> Vec<Self> {
        let Some(Number(flags)) = self.flags else { return Vec::new() };
        let left = flags & !refused;
        vec![Self { flags: (left != 0).then_some(Number(left)), ..self }]
    }
}

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let Some(unmap) = Unmap::of(op) else { return Vec::new() };
    let page = around.page.bytes();
    let mut others = match refusal.conflict {
        Conflict::Slot(span) if refusal.rule.name == "unmap-bisects" => {
            unmap.beside(span.start().get(), span.last().get())
        }
        Conflict::Window(span) => unmap.beside_window(span.start().get(), span.last().get()),
        Conflict::Misaligned { value, .. } => unmap.aligned_where(value, around),
        Conflict::Unknown(flags) => unmap.with_flags(flags),
        Conflict::Request if refusal.rule.name == "unmap-all-range" => {
            let mut others = unmap.with_flags(FLAG_ALL);
            others.push(Unmap { iova: 0, size: 0, ..unmap });
            others
        }
        // The end is past the last address.
        Conflict::Request if unmap.size > 0 => {
            let left = (u64::MAX - unmap.iova) & !around.page.mask();
            let mut others = vec![Unmap { size: left.max(page), ..unmap }];
            if let Some(iova) = (u64::MAX - page).checked_sub(unmap.size - 1) {
                others.push(Unmap { iova: iova & !around.page.mask(), ..unmap });
            }
            others
        }
        _ => Vec::new(),
    };
    if unmap.size == 0 {
        others.push(Unmap { size: page, ..unmap });
    }
    // Optional arguments are removed first.
    if unmap.flags.is_some() {
        others.push(Unmap { flags: None, ..unmap });
    }
    if unmap.argsz.is_some() {
        others.push(Unmap { argsz: None, ..unmap });
    }
    let fds = other_fds(unmap.fd, refusal, around);
    others.extend(fds.into_iter().map(|fd| Unmap { fd, ..unmap }));
    others.into_iter().map(Unmap::op).collect()
}

/// Requests near a refused UNMAP of everything: of a range that contains every mapping.
pub(super) fn near_all(fd: Option<Signed>, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let fds = other_fds(fd, refusal, around);
    let mut ops: Vec<Op> = fds.into_iter().map(|fd| Op::UnmapAll { fd }).collect();
    let mappings = around.container_behind(fd.map(|fd| fd.0)).map(|here| here.mappings.as_slice());
    if let Some([first, ..]) = mappings
        && let Some(last) = mappings.and_then(<[_]>::last)
    {
        let whole = Unmap { iova: 0, size: 0, fd, flags: None, argsz: None };
        let whole = whole.between(first.iova.start().get(), last.iova.last().get());
        ops.extend(whole.map(Unmap::op));
    }
    ops
}

pub(super) fn distance(a: &Op, b: &Op) -> Distance {
    let (Some(a), Some(b)) = (Unmap::of(a), Unmap::of(b)) else { return (usize::MAX >> 1, 0) };
    let moved = [(a.iova, b.iova), (a.size, b.size)];
    let bytes = moved.iter().map(|(a, b)| u128::from(a.abs_diff(*b))).sum();
    let others = [a.fd != b.fd, a.flags != b.flags, a.argsz != b.argsz].into_iter();
    let meaning = |unmap: &Unmap| unmap.flags.map_or(0, |flags| flags.0 & (FLAG_ALL | FLAG_VADDR));
    // Another request than the refused one comes last.
    let meant = if meaning(&a) == meaning(&b) { 0 } else { 3 };
    let fields =
        meant + moved.iter().filter(|(a, b)| a != b).count() + others.filter(|it| *it).count();
    (fields, bytes)
}
