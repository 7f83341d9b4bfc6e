//! Requests near a refused registration of a window for doorbells.

use passim_model::{Conflict, Iova, Refusal};

use super::{Distance, aligned, elsewhere, other_fds};
use crate::op::{Number, Op};
use crate::run::Surroundings;

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let Op::MsiWindow { iova, size, fd } = op else { return Vec::new() };
    let (iova, size, fd) = (iova.get(), size.0, *fd);
    let page = around.page.bytes();
    let window =
        |iova: u64, size: u64| Op::MsiWindow { iova: Iova::new(iova), size: Number(size), fd };
    let here = around.container_behind(fd.map(|fd| fd.0));
    let mut others: Vec<Op> = match refusal.conflict {
        Conflict::Misaligned { value, .. } => aligned(value, around.page)
            .flat_map(|to| {
                let moved = (iova == value).then(|| window(to, size));
                let sized = (size == value && to > 0).then(|| window(iova, to));
                moved.into_iter().chain(sized)
            })
            .collect(),
        Conflict::Request if size == 0 => vec![window(iova, page)],
        _ => {
            let places = here.map(|here| elsewhere(iova, size, here)).unwrap_or_default();
            let places = places.into_iter().map(|place| window(place.iova, place.size));
            places.chain([window(iova, page)]).collect()
        }
    };
    let fds = other_fds(fd, refusal, around).into_iter();
    others.extend(fds.map(|fd| Op::MsiWindow { iova: Iova::new(iova), size: Number(size), fd }));
    others
}

pub(super) fn distance(a: &Op, b: &Op) -> Distance {
    let (Op::MsiWindow { iova, size, fd }, Op::MsiWindow { iova: to, size: sized, fd: other }) =
        (a, b)
    else {
        return (usize::MAX >> 1, 0);
    };
    let moved = [(iova.get(), to.get()), (size.0, sized.0)];
    let bytes = moved.iter().map(|(a, b)| u128::from(a.abs_diff(*b))).sum();
    let fields = moved.iter().filter(|(a, b)| a != b).count() + usize::from(fd != other);
    (fields, bytes)
}
