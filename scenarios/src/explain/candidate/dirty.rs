//! Requests near a refused query of dirty pages.

use passim_model::{Conflict, Iova, PageSize, Refusal};

use super::{Distance, aligned, other_fds};
use crate::op::{Number, Op};
use crate::run::Surroundings;

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let Op::Dirty { action, iova, size, fd } = *op else { return Vec::new() };
    let fds = other_fds(fd, refusal, around).into_iter();
    let mut ops: Vec<_> = fds.map(|fd| Op::Dirty { action, iova, size, fd }).collect();
    let (Some(iova), Some(size)) = (iova, size) else { return ops };
    let get = |iova: u64, size: u64| Op::Dirty {
        action,
        iova: Some(Iova::new(iova)),
        size: Some(Number(size)),
        fd,
    };
    if let Conflict::Slot(span) = refusal.conflict {
        ops.extend(span.size().map(|size| get(span.start().get(), size)));
    }
    let sizes: Vec<u64> = within(iova.get(), size.0, around.page);
    for iova in aligned(iova.get(), around.page).chain([iova.get()]) {
        ops.extend(sizes.iter().map(|size| get(iova, *size)));
    }
    // Dirty pages of one whole mapping can always be queried.
    let here = around.container_behind(fd.map(|fd| fd.0));
    let mut mapped: Vec<_> = here.map(|here| here.mappings.clone()).unwrap_or_default();
    mapped.sort_by_key(|mapping| mapping.iova.start().get().abs_diff(iova.get()));
    let nearest = mapped.first();
    ops.extend(nearest.and_then(|it| it.iova.size().map(|size| get(it.iova.start().get(), size))));
    ops.retain(|other| other != op);
    ops
}

/// Sizes of whole pages that end below 2^64.
fn within(iova: u64, size: u64, page: PageSize) -> Vec<u64> {
    let room = (u64::MAX - iova) & !page.mask();
    let sizes = aligned(size, page).chain([page.bytes()]);
    sizes.map(|size| size.min(room)).filter(|size| *size > 0).collect()
}

pub(super) fn distance(a: &Op, b: &Op) -> Option<Distance> {
    let (Op::Dirty { iova, size, fd, .. }, Op::Dirty { iova: to, size: sized, fd: other, .. }) =
        (a, b)
    else {
        return None;
    };
    let number = |iova: &Option<Iova>| iova.map_or(0, Iova::get);
    let bytes = |size: &Option<Number>| size.map_or(0, |size| size.0);
    let moved = u128::from(number(iova).abs_diff(number(to)))
        + u128::from(bytes(size).abs_diff(bytes(sized)));
    let fields = [iova != to, size != sized, fd != other].into_iter().filter(|it| *it).count();
    Some((fields, moved))
}
