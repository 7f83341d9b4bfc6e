//! Requests near a refused MAP.

use passim_model::{Conflict, Iova, Perms, Refusal};
use passim_vfio::policy::ThirdMapFlag;

use super::{Distance, Room, aligned, elsewhere, other_fds};
use crate::op::{Number, Op};
use crate::run::Surroundings;
use crate::script::{Place, Signed};

/// Bit 2 of the flags: another request than a mapping, in kernels that know it.
const FLAG_THIRD: u64 = 1 << 2;

/// A MAP, its user address as a number.
#[derive(Clone)]
struct Map {
    iova: u64,
    place: Place,
    va: u64,
    size: u64,
    prot: Perms,
    fd: Option<Signed>,
    flags: Option<Number>,
    argsz: Option<u32>,
}

impl Map {
    fn of(op: &Op, around: &Surroundings) -> Option<Self> {
        let Op::Map { iova, va, size, prot, fd, flags, argsz } = op else { return None };
        Some(Self {
            iova: iova.get(),
            place: va.clone(),
            va: around.resolve(va)?,
            size: size.0,
            prot: *prot,
            fd: *fd,
            flags: *flags,
            argsz: *argsz,
        })
    }

    fn op(self, around: &Surroundings) -> Op {
        let is_kept = around.resolve(&self.place) == Some(self.va);
        Op::Map {
            iova: Iova::new(self.iova),
            va: if is_kept { self.place } else { around.place(self.va) },
            size: Number(self.size),
            prot: self.prot,
            fd: self.fd,
            flags: self.flags,
            argsz: self.argsz,
        }
    }

    /// Whether it registers a window, which is no mapping with other flags.
    fn is_window(&self, around: &Surroundings) -> bool {
        let third = self.flags.is_some_and(|flags| flags.0 & FLAG_THIRD != 0);
        third && around.policy.third_map_flag == ThirdMapFlag::ReservedMsiIova
    }

    /// Other ranges: whole in the next gap on either side, cut at the end, cut at the front.
    fn in_gaps(&self, around: &Surroundings) -> Vec<Self> {
        let here = around.container_behind(self.fd.map(|fd| fd.0));
        let places = here.map(|here| elsewhere(self.iova, self.size, here)).unwrap_or_default();
        let others = places.into_iter().map(|Room { iova, size, cut }| Self {
            iova,
            va: self.va.wrapping_add(cut),
            size,
            ..self.clone()
        });
        others.collect()
    }

    /// Other memory of the process: in an area near, or less of it; read-only.
    fn in_areas(&self, fault: u64, around: &Surroundings) -> Vec<Self> {
        let mut others = Vec::new();
        if let Some(size) = fault.checked_sub(self.va).filter(|it| *it > 0 && *it < self.size) {
            others.push(Self { size, ..self.clone() });
        }
        for area in &around.areas {
            let first = area.va.get();
            if let Some(room) = area.size.checked_sub(self.size) {
                others.push(Self { va: self.va.clamp(first, first + room), ..self.clone() });
            } else {
                others.push(Self { va: first, size: area.size, ..self.clone() });
            }
        }
        // The memory may allow one access and not the other, whichever was requested.
        if self.flags.is_none() {
            let prots = [Perms::READ, Perms::WRITE].into_iter().filter(|prot| *prot != self.prot);
            others.extend(prots.map(|prot| Self { prot, ..self.clone() }));
        }
        others
    }

    /// Other flags or permissions than the refused ones.
    fn with_flags(&self, refused: u64) -> Vec<Self> {
        let both = Perms::READ | Perms::WRITE;
        let prots = [both, Perms::READ, Perms::WRITE];
        let Some(Number(flags)) = self.flags else {
            return prots.map(|prot| Self { prot, ..self.clone() }).to_vec();
        };
        let others = [flags & !refused, flags & 3, 3];
        let with = |flags: u64| match flags {
            // These flags are equal to permissions.
            1..=3 => {
                let mut prot = Perms::empty();
                prot.set(Perms::READ, flags & 1 != 0);
                prot.set(Perms::WRITE, flags & 2 != 0);
                Self { prot, flags: None, ..self.clone() }
            }
            _ => Self { flags: Some(Number(flags)), ..self.clone() },
        };
        others.map(with).to_vec()
    }

    fn aligned_where(&self, value: u64, around: &Surroundings) -> Vec<Self> {
        let page = around.page;
        let mut others = Vec::new();
        for to in aligned(value, page) {
            if self.iova == value {
                others.push(Self { iova: to, ..self.clone() });
            }
            if self.va == value {
                others.push(Self { va: to, ..self.clone() });
            }
            if self.size == value && to > 0 {
                others.push(Self { size: to, ..self.clone() });
            }
        }
        others
    }

    /// Less memory: as much as may still be locked.
    fn within_limit(&self, limit: u64, around: &Surroundings) -> Vec<Self> {
        let page = around.page.bytes();
        let locked = (around.locked_kib << 10) / page;
        let left = limit.saturating_sub(locked).saturating_mul(page);
        if left == 0 || left >= self.size {
            return Vec::new();
        }
        vec![Self { size: left, ..self.clone() }]
    }
}

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let Some(map) = Map::of(op, around) else { return Vec::new() };
    let page = around.page.bytes();
    let mut others = match refusal.conflict {
        Conflict::Slot(span) if refusal.rule.name.starts_with("vaddr-") => {
            let size = span.size().unwrap_or(map.size);
            vec![Map { iova: span.start().get(), size, ..map.clone() }]
        }
        Conflict::Slot(_) | Conflict::Window(_) | Conflict::Aperture(_) => map.in_gaps(around),
        Conflict::Misaligned { value, .. } => map.aligned_where(value, around),
        Conflict::User(address) => map.in_areas(address.get(), around),
        Conflict::Unknown(flags) => map.with_flags(flags),
        Conflict::Limit { limit, .. } => map.within_limit(limit, around),
        // The request itself: no size, or an end past the last address.
        Conflict::Request if map.size == 0 => vec![Map { size: page, ..map.clone() }],
        Conflict::Request if map.is_window(around) => {
            let page = (map.size > page).then(|| Map { size: page, ..map.clone() });
            map.in_gaps(around).into_iter().chain(page).collect()
        }
        Conflict::Request => {
            let mut others = map.in_gaps(around);
            others.extend(map.in_areas(map.va, around));
            others
        }
        _ => Vec::new(),
    };
    // Optional arguments are removed first.
    if map.flags.is_some() && !map.is_window(around) {
        others.push(Map { flags: None, ..map.clone() });
    }
    if map.argsz.is_some() {
        others.push(Map { argsz: None, ..map.clone() });
    }
    let fds = other_fds(map.fd, refusal, around);
    others.extend(fds.into_iter().map(|fd| Map { fd, ..map.clone() }));
    others.into_iter().map(|map| map.op(around)).collect()
}

pub(super) fn distance(a: &Op, b: &Op, around: &Surroundings) -> Distance {
    let (Some(a), Some(b)) = (Map::of(a, around), Map::of(b, around)) else {
        return (usize::MAX >> 1, 0);
    };
    let moved = [(a.iova, b.iova), (a.va, b.va), (a.size, b.size)];
    let bytes = moved.iter().map(|(a, b)| u128::from(a.abs_diff(*b))).sum();
    let others =
        [a.prot != b.prot, a.fd != b.fd, a.flags != b.flags, a.argsz != b.argsz].into_iter();
    let third = |map: &Map| map.flags.is_some_and(|flags| flags.0 & FLAG_THIRD != 0);
    // Another request than the refused one comes last.
    let meaning = if third(&a) == third(&b) { 0 } else { 3 };
    let fields =
        meaning + moved.iter().filter(|(a, b)| a != b).count() + others.filter(|it| *it).count();
    (fields, bytes)
}
