//! Operations before a refused request, after which the same request may be accepted.

use passim_model::{Conflict, Endpoint, Iova, Refusal, Rid};
use passim_vfio::type1::Version;
use passim_vfio::view::OpenFile;

use super::{Attempt, elsewhere, irqs, raw, transfers, wires};
use crate::op::{ContainerType, DirtyAction, Number, Op, TransferOp};
use crate::run::Surroundings;
use crate::script::{Signed, Text};

/// The parameter that allows devices without isolated messages to be attached.
const ALLOW_UNSAFE: &str = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts";

/// The driver that makes a device available to VFIO.
const VFIO_PCI: &str = "vfio-pci";

/// The window of the series' examples, and the size that v9 requires: 16 pages.
const WINDOW: u64 = 0x800_0000;
const WINDOW_PAGES: u64 = 16;

/// Most operations before a request.
const MOST: usize = 4;

pub(super) fn near(from: &Attempt, refusal: &Refusal, around: &Surroundings) -> Vec<Attempt> {
    let ways = about_groups(&from.op, refusal, around)
        .or_else(|| about_interrupts(&from.op, refusal, around))
        .or_else(|| wires::first(&from.op, refusal, around))
        .or_else(|| raw::first(&from.op, refusal))
        .or_else(|| about_virtuals(&from.op, refusal))
        .or_else(|| about_memory(&from.op, refusal, around))
        .unwrap_or_default();
    let mut attempts = Vec::new();
    for way in ways {
        let is_new = way.iter().all(|op| !from.before.contains(op));
        if is_new && !way.is_empty() && from.before.len() + way.len() <= MOST {
            let before = from.before.iter().cloned().chain(way).collect();
            attempts.push(Attempt { before, op: from.op.clone() });
        }
    }
    attempts
}

/// Ways to make a request acceptable, each a list of operations.
type Ways = Vec<Vec<Op>>;

fn bind(dev: Rid) -> Op {
    Op::Bind { dev, driver: Text(VFIO_PCI.to_owned()) }
}

fn signed(fd: i32) -> Signed {
    Signed(i64::from(fd))
}

fn about_groups(op: &Op, refusal: &Refusal, around: &Surroundings) -> Option<Ways> {
    Some(match (refusal.rule.name, refusal.conflict, op) {
        ("interrupts-unsafe", ..) => {
            let (path, value) = (Text(ALLOW_UNSAFE.to_owned()), Text("Y".to_owned()));
            vec![vec![Op::Sysfs { path, value }]]
        }
        ("group-not-viable", Conflict::Device(dev), _) => vec![vec![Op::Unbind { dev }]],
        ("group-open", conflict, _) => vec![closed(conflict, op, around)],
        ("group-absent", _, Op::Attach { dev, .. }) => {
            vec![vec![bind(*dev)], vec![Op::Unbind { dev: *dev }, bind(*dev)]]
        }
        ("group-absent", Conflict::Group(group), _) => {
            let members = around.functions.iter().filter(|(_, it)| it.group == Some(group));
            let way = |(&dev, _)| [vec![bind(dev)], vec![Op::Unbind { dev }, bind(dev)]];
            members.flat_map(way).collect()
        }
        ("group-attached", _, Op::SetContainer { group, .. }) => {
            let mut way = devices_closed(*group, around);
            way.push(Op::UnsetContainer { group: *group });
            vec![way]
        }
        ("group-devices-open", _, Op::UnsetContainer { group }) => {
            vec![devices_closed(*group, around)]
        }
        ("group-not-attached", _, Op::UnsetContainer { group }) => {
            let containers = around.container_fds.iter();
            let join = |(fd, _): &(i32, usize)| {
                vec![Op::SetContainer { group: *group, container: signed(*fd) }]
            };
            containers.map(join).collect()
        }
        ("set-iommu-without-group", _, Op::SetIommu { fd, .. }) => joined(*fd, around),
        ("container-without-iommu", ..) => {
            let fd = match op {
                Op::Map { fd, .. }
                | Op::Unmap { fd, .. }
                | Op::UnmapAll { fd }
                | Op::MsiWindow { fd, .. }
                | Op::Info { fd, .. }
                | Op::Dirty { fd, .. } => *fd,
                Op::Ioctl { fd, .. } => Some(*fd),
                _ => return None,
            };
            let set = Op::SetIommu { fd, kind: ContainerType::V2 };
            let joined = joined(fd, around).into_iter();
            let with_group = joined.map(|way| way.into_iter().chain([set.clone()]).collect());
            [vec![set.clone()]].into_iter().chain(with_group).collect()
        }
        ("device-needs-container", _, Op::GetDevice { group, .. }) => typed(*group, around),
        ("device-not-in-group", _, Op::GetDevice { name, .. }) => {
            let dev = name.0.strip_prefix("0000:").and_then(Rid::parse);
            let dev = dev.filter(|dev| around.functions.contains_key(dev));
            let ways = |dev| vec![vec![bind(dev)], vec![Op::Unbind { dev }, bind(dev)]];
            dev.map(ways).unwrap_or_default()
        }
        ("unbind-in-use" | "remove-in-use", Conflict::Device(dev), _) => {
            vec![let_go(dev, around)]
        }
        ("probe-dma-owned", Conflict::Device(dev), _) => vec![group_let_go(dev, around)],
        _ => return None,
    })
}

/// Closes what `attach` opened, in the process that attached.
fn let_go(dev: Rid, around: &Surroundings) -> Vec<Op> {
    if let Some(attached) = around.attached.get(&dev) {
        let here = around.process;
        let detach = Op::Detach { dev };
        return match attached.process {
            process if process == here => vec![detach],
            process => vec![Op::In { process }, detach, Op::In { process: here }],
        };
    }
    let group = around.functions.get(&dev).and_then(|function| function.group);
    let is_its = |file: &OpenFile| {
        *file == OpenFile::Device(Endpoint::Pci(dev))
            || matches!(file, OpenFile::Group(number) if Some(*number) == group)
    };
    let open = around.files.iter().rev().filter(|(_, file)| is_its(file));
    open.map(|(fd, _)| Op::Close { fd: signed(*fd) }).collect()
}

/// Closes what `attach` opened for every device of a group.
fn group_let_go(dev: Rid, around: &Surroundings) -> Vec<Op> {
    let group = around.functions.get(&dev).and_then(|function| function.group);
    let members = around.functions.iter().filter(|(_, it)| it.group == group && group.is_some());
    let open = members.filter(|(rid, _)| around.attached.contains_key(rid));
    open.flat_map(|(rid, _)| let_go(*rid, around)).collect()
}

/// Closes an open group.
fn closed(conflict: Conflict, op: &Op, around: &Surroundings) -> Vec<Op> {
    if let Op::Attach { dev, .. } = op {
        return let_go(*dev, around);
    }
    let Conflict::Group(group) = conflict else { return Vec::new() };
    let mut members = around.functions.iter().filter(|(_, it)| it.group == Some(group));
    let attached = members.find(|(rid, _)| around.attached.contains_key(rid));
    match attached {
        Some((rid, _)) => let_go(*rid, around),
        None => {
            let mut files = around.files.iter().rev();
            let open = files.find(|(_, file)| *file == OpenFile::Group(group));
            open.map(|(fd, _)| Op::Close { fd: signed(*fd) }).into_iter().collect()
        }
    }
}

/// Closes every device file that was opened through a group's descriptor.
fn devices_closed(group: Signed, around: &Surroundings) -> Vec<Op> {
    let number = around.files.iter().find_map(|(fd, file)| match file {
        OpenFile::Group(number) if signed(*fd) == group => Some(*number),
        _ => None,
    });
    let is_member = |file: &OpenFile| match file {
        OpenFile::Device(Endpoint::Pci(rid)) => {
            let function = around.functions.get(rid);
            function.is_some_and(|function| function.group == number)
        }
        // Its group is not looked up: closing more devices than necessary does no harm.
        OpenFile::Device(Endpoint::Platform(_)) => true,
        _ => false,
    };
    let open = around.files.iter().filter(|(_, file)| is_member(file));
    open.map(|(fd, _)| Op::Close { fd: signed(*fd) }).collect()
}

/// A container of its own for a group, where none is open.
pub(super) fn with_a_container(from: &Attempt, around: &Surroundings) -> Option<Attempt> {
    let Op::SetContainer { group, .. } = from.op else { return None };
    let is_first = around.container_fds.is_empty() && from.before.is_empty();
    is_first.then(|| Attempt {
        before: vec![Op::Open { path: Text("/dev/vfio/vfio".to_owned()) }],
        op: Op::SetContainer { group, container: signed(lowest_free(around)) },
    })
}

/// The descriptor that the next file gets. POSIX open(2): the lowest that is free.
pub(super) fn lowest_free(around: &Surroundings) -> i32 {
    let is_taken = |fd: &i32| around.files.iter().any(|(known, _)| known == fd);
    (0..).find(|fd| !is_taken(fd)).unwrap_or(i32::MAX)
}

/// Puts a group into a container: an open one, or one that is opened first.
fn joined(container: Option<Signed>, around: &Surroundings) -> Ways {
    let container = container.or_else(|| around.container.map(signed));
    let Some(container) = container else { return Vec::new() };
    let groups = around.files.iter().filter(|(_, file)| matches!(file, OpenFile::Group(_)));
    let join = |group: i32| Op::SetContainer { group: signed(group), container };
    let open = groups.map(|(fd, _)| vec![join(*fd)]);
    let given = around.given.iter().filter(|(_, devices)| !devices.is_empty()).take(2);
    let opened = given.map(|(number, _)| {
        let path = Text(format!("/dev/vfio/{number}"));
        vec![Op::Open { path }, join(lowest_free(around))]
    });
    open.chain(opened).collect()
}

/// Puts a group into a container with a type, as far as that is not done yet.
fn typed(group: Signed, around: &Surroundings) -> Ways {
    let mut ways = Vec::new();
    if around.container_fds.is_empty() {
        let container = signed(lowest_free(around));
        ways.push(vec![
            Op::Open { path: Text("/dev/vfio/vfio".to_owned()) },
            Op::SetContainer { group, container },
            Op::SetIommu { fd: Some(container), kind: ContainerType::V2 },
        ]);
    }
    for (fd, number) in &around.container_fds {
        let fd = signed(*fd);
        let has_type = around.containers.get(number).is_some_and(|it| it.version.is_some());
        let join = Op::SetContainer { group, container: fd };
        let set = Op::SetIommu { fd: Some(fd), kind: ContainerType::V2 };
        ways.extend(match has_type {
            true => vec![vec![join]],
            false => vec![vec![set.clone()], vec![join, set]],
        });
    }
    ways
}

fn about_interrupts(op: &Op, refusal: &Refusal, around: &Surroundings) -> Option<Ways> {
    let (Op::Enable { dev, .. } | Op::Disable { dev, .. } | Op::SetIrqs { dev: Some(dev), .. }) =
        op
    else {
        return None;
    };
    let off = irqs::on(*dev, around).map(|index| irqs::turned_off(*dev, index));
    Some(match refusal.rule.name {
        "irq-mode" | "irq-vector" => vec![off.into_iter().collect()],
        "irq-off" | "irq-notice" => {
            let on = irqs::turned_on(op, around);
            let both = on.iter().map(|on| off.iter().cloned().chain([on.clone()]).collect());
            on.iter().map(|on| vec![on.clone()]).chain(both).collect()
        }
        "vectors-exhausted" | "device-no-lpis" | "msi-window-full" => {
            let mut ways = others_off(*dev, around);
            ways.extend(window(*dev, 2 * WINDOW_PAGES, around));
            ways
        }
        "msi-no-aperture" | "doorbell-not-mapped" | "msi-page-not-mapped" => {
            window(*dev, WINDOW_PAGES, around)
        }
        _ => return None,
    })
}

/// Turns off the messages of another device of the process.
fn others_off(dev: Rid, around: &Surroundings) -> Ways {
    let others = around
        .attached
        .iter()
        .filter(|(other, attached)| **other != dev && attached.process == around.process);
    let off = others
        .filter_map(|(other, _)| Some(vec![irqs::turned_off(*other, irqs::on(*other, around)?)]));
    off.collect()
}

/// Registers a window for doorbells in a device's container: in the present one, or, if that has a
/// window already, in a new one for the device's group alone.
fn window(dev: Rid, pages: u64, around: &Surroundings) -> Ways {
    let Some(number) = around.devices.get(&dev) else { return Vec::new() };
    let Some(here) = around.containers.get(number) else { return Vec::new() };
    let size = pages * around.page.bytes();
    let fd = around.container_fds.iter().find(|(_, behind)| behind == number);
    let fd = fd.map(|(fd, _)| *fd).filter(|fd| Some(*fd) != around.container).map(signed);
    let rooms = elsewhere(WINDOW, size, here);
    let window =
        |iova: u64, size: u64, fd| Op::MsiWindow { iova: Iova::new(iova), size: Number(size), fd };
    let mut ways: Ways = rooms.iter().map(|room| vec![window(room.iova, room.size, fd)]).collect();
    if here.mappings.iter().any(|mapping| mapping.perms.is_empty()) {
        let attach = Op::Attach { dev, kind: None, container: None, group: None };
        ways.push(vec![Op::Detach { dev }, attach, window(WINDOW, size, None)]);
    }
    ways
}

/// Disables virtual functions before another number is enabled.
fn about_virtuals(op: &Op, refusal: &Refusal) -> Option<Ways> {
    let Op::Sysfs { path, .. } = op else { return None };
    let off = Op::Sysfs { path: path.clone(), value: Text("0".to_owned()) };
    (refusal.rule.name == "sriov-enabled").then(|| vec![vec![off]])
}

fn about_memory(op: &Op, refusal: &Refusal, around: &Surroundings) -> Option<Ways> {
    let page = around.page.bytes();
    Some(match (refusal.rule.name, refusal.conflict, op) {
        ("map-memlock" | "memlock-limit", Conflict::Limit { wanted, .. }, _) => {
            vec![vec![Op::SetRlimit { memlock: Number(wanted.saturating_mul(page)) }]]
        }
        ("mlock-not-allowed", _, Op::Mlock { size, .. }) => {
            let bytes = size.0.max(page).next_multiple_of(page);
            vec![vec![Op::SetRlimit { memlock: Number(bytes) }]]
        }
        ("dirty-not-started", _, Op::Dirty { fd, .. }) => {
            let action = DirtyAction::Start;
            vec![vec![Op::Dirty { action, iova: None, size: None, fd: *fd }]]
        }
        ("dirty-v1", _, Op::Dirty { fd, .. }) => afresh(*fd, Some(ContainerType::V2), around),
        ("map-entry-limit", _, Op::Map { fd, .. }) => one_less(*fd, around),
        (
            "memory-off",
            _,
            Op::Transfer(TransferOp::Pread { fd, .. } | TransferOp::Pwrite { fd, .. }),
        ) => transfers::memory_on(Some(*fd), around),
        // The area may be a BAR that does not answer now.
        ("map-page-fault", _, _) => transfers::memory_on(None, around),
        ("window-overlap", Conflict::Window(_), Op::MsiWindow { fd, .. } | Op::Map { fd, .. })
        | (
            "msi-second-aperture" | "msi-other-range",
            _,
            Op::MsiWindow { fd, .. } | Op::Map { fd, .. },
        ) => afresh(*fd, None, around),
        _ => return None,
    })
}

/// Detaches every device of a container, and attaches the first to a new one, of another type if
/// given. The old one's mappings are lost.
fn afresh(fd: Option<Signed>, kind: Option<ContainerType>, around: &Surroundings) -> Ways {
    let fd = fd.map_or(around.container, |fd| i32::try_from(fd.0).ok());
    let Some((_, number)) = around.container_fds.iter().find(|(known, _)| Some(*known) == fd)
    else {
        return Vec::new();
    };
    let is_v1 = around.containers.get(number).is_some_and(|it| it.version == Some(Version::V1));
    let kind = kind.or_else(|| is_v1.then_some(ContainerType::V1));
    let members = around.attached.iter().filter(|(dev, attached)| {
        attached.process == around.process && around.devices.get(dev) == Some(number)
    });
    let devices: Vec<Rid> = members.map(|(dev, _)| *dev).collect();
    let Some(&first) = devices.first() else { return Vec::new() };
    let detach = devices.iter().map(|dev| Op::Detach { dev: *dev });
    let attach = Op::Attach { dev: first, kind, container: None, group: None };
    vec![detach.chain([attach]).collect()]
}

/// Unmaps the smallest mapping.
fn one_less(fd: Option<Signed>, around: &Surroundings) -> Ways {
    let here = around.container_behind(fd.map(|fd| fd.0));
    let mappings = here.map(|here| here.mappings.as_slice()).unwrap_or_default();
    let ranges = mappings.iter().filter_map(|it| Some((it.iova.size()?, it.iova.start())));
    let unmap = ranges.min().map(|(size, iova)| {
        vec![Op::Unmap { iova, size: Number(size), fd, flags: None, argsz: None }]
    });
    unmap.into_iter().collect()
}
