//! Near any other refused request, and what to do before one.

use passim_model::{Conflict, Refusal, Rid};

use super::{Attempt, aligned, other_fds};
use crate::op::{ContainerType, DirtyAction, Number, Op};
use crate::run::Surroundings;
use crate::script::Text;

/// Where the parameter lies that lets devices without isolated messages be attached.
const ALLOW_UNSAFE: &str = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";

/// The driver that gives a device away.
const VFIO_PCI: &str = "vfio-pci";

pub(super) fn near(from: &Attempt, refusal: &Refusal, around: &Surroundings) -> Vec<Attempt> {
    let mut attempts = first(from, refusal, around);
    let ops: Vec<Op> = match &from.op {
        Op::Attach { dev, container, .. } => types()
            .map(|kind| Op::Attach { dev: *dev, kind: Some(kind), container: *container })
            .collect(),
        Op::SetIommu { fd, .. } => {
            let mut ops: Vec<_> = types().map(|kind| Op::SetIommu { fd: *fd, kind }).collect();
            let Op::SetIommu { kind, .. } = from.op else { return attempts };
            let fds = other_fds(*fd, refusal, around).into_iter();
            ops.extend(fds.map(|fd| Op::SetIommu { fd, kind }));
            ops
        }
        Op::Info { fd, argsz } => {
            let fds = other_fds(*fd, refusal, around).into_iter();
            let mut ops: Vec<_> = fds.map(|fd| Op::Info { fd, argsz: *argsz }).collect();
            ops.extend(argsz.map(|_| Op::Info { fd: *fd, argsz: None }));
            ops
        }
        Op::Dirty { .. } => dirty(&from.op, refusal, around),
        _ => Vec::new(),
    };
    let ops = ops.into_iter().map(|op| Attempt { before: from.before.clone(), op });
    attempts.extend(ops);
    attempts
}

fn types() -> impl Iterator<Item = ContainerType> {
    [ContainerType::V2, ContainerType::V1].into_iter()
}

/// What could be done before the same request.
fn first(from: &Attempt, refusal: &Refusal, around: &Surroundings) -> Vec<Attempt> {
    if from.before.len() > 1 {
        return Vec::new();
    }
    let bind = |dev: Rid| Op::Bind { dev, driver: Text(VFIO_PCI.to_owned()) };
    let ops = match (refusal.rule.name, refusal.conflict, &from.op) {
        ("interrupts-unsafe", ..) => {
            vec![Op::Sysfs { path: Text(ALLOW_UNSAFE.to_owned()), value: Text("Y".to_owned()) }]
        }
        ("group-not-viable", Conflict::Device(dev), _) => vec![Op::Unbind { dev }],
        ("group-open", _, Op::Attach { dev, .. }) => vec![Op::Detach { dev: *dev }],
        ("group-absent", _, Op::Attach { dev, .. }) => vec![Op::Unbind { dev: *dev }, bind(*dev)],
        ("map-memlock", Conflict::Limit { wanted, .. }, _) => {
            let bytes = wanted.saturating_mul(around.page.bytes());
            vec![Op::SetRlimit { memlock: Number(bytes) }]
        }
        ("dirty-not-started", _, Op::Dirty { fd, .. }) => {
            vec![Op::Dirty { action: DirtyAction::Start, iova: None, size: None, fd: *fd }]
        }
        _ => return Vec::new(),
    };
    let before = from.before.iter().cloned().chain(ops).collect();
    vec![Attempt { before, op: from.op.clone() }]
}

fn dirty(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let Op::Dirty { action, iova: Some(iova), size: Some(size), fd } = op else {
        return Vec::new();
    };
    let (action, fd) = (*action, *fd);
    let get = |iova: u64, size: u64| Op::Dirty {
        action,
        iova: Some(passim_model::Iova::new(iova)),
        size: Some(Number(size)),
        fd,
    };
    let mut ops = Vec::new();
    if refusal.rule.name.starts_with("dirty-range") || refusal.rule.name == "unmap-bisects" {
        let sizes: Vec<u64> = aligned(size.0, around.page).filter(|size| *size > 0).collect();
        for iova in aligned(iova.get(), around.page).chain([iova.get()]) {
            ops.extend(sizes.iter().map(|size| get(iova, *size)));
        }
    }
    if let Conflict::Slot(span) = refusal.conflict {
        ops.extend(span.size().map(|size| get(span.start().get(), size)));
    }
    ops
}
