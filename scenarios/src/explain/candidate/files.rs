//! Requests near a refused one that names descriptors: groups, containers, devices.

use passim_model::{Conflict, Refusal};
use passim_vfio::view::OpenFile;

use super::other_fds;
use crate::op::{ContainerType, Hex, Op};
use crate::run::Surroundings;
use crate::script::{Signed, Text};

/// Most other names that are tried.
const MOST: usize = 4;

fn of_kind(around: &Surroundings, is_wanted: impl Fn(&OpenFile) -> bool) -> Vec<Signed> {
    let files = around.files.iter().filter(|(_, file)| is_wanted(file));
    files.map(|(fd, _)| Signed(i64::from(*fd))).collect()
}

fn groups(around: &Surroundings) -> Vec<Signed> {
    of_kind(around, |file| matches!(file, OpenFile::Group(_)))
}

fn containers(around: &Surroundings) -> Vec<Signed> {
    of_kind(around, |file| matches!(file, OpenFile::Container(_)))
}

fn devices(around: &Surroundings) -> Vec<Signed> {
    of_kind(around, |file| matches!(file, OpenFile::Device(_)))
}

fn eventfds(around: &Surroundings) -> Vec<Signed> {
    of_kind(around, |file| *file == OpenFile::EventFd)
}

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    match op {
        Op::SetContainer { .. } | Op::UnsetContainer { .. } | Op::Status { .. } => {
            of_groups(op, around)
        }
        Op::SetIommu { fd, kind } => {
            let kinds = [ContainerType::V2, ContainerType::V1].into_iter();
            let ops = kinds.map(|kind| Op::SetIommu { fd: *fd, kind });
            let fds = other_fds(*fd, refusal, around).into_iter();
            ops.chain(fds.map(|fd| Op::SetIommu { fd, kind: *kind })).collect()
        }
        Op::GetDevice { group, name } => {
            let bare = name.0.split_whitespace().next().filter(|bare| *bare != name.0);
            let number = around.files.iter().find_map(|(fd, file)| match file {
                OpenFile::Group(number) if i64::from(*fd) == group.0 => Some(*number),
                _ => None,
            });
            let names = number.and_then(|number| around.given.get(&number)).into_iter().flatten();
            let other = |name: &String| Op::GetDevice { group: *group, name: Text(name.clone()) };
            let fds = groups(around).into_iter();
            let of_others = fds.map(|group| Op::GetDevice { group, name: name.clone() });
            let bare =
                bare.map(|bare| Op::GetDevice { group: *group, name: Text(bare.to_owned()) });
            bare.into_iter().chain(names.map(other)).chain(of_others).collect()
        }
        Op::Info { fd, argsz } => {
            let fds = other_fds(*fd, refusal, around).into_iter();
            let mut ops: Vec<_> = fds.map(|fd| Op::Info { fd, argsz: *argsz }).collect();
            ops.extend(argsz.map(|_| Op::Info { fd: *fd, argsz: None }));
            ops
        }
        Op::CheckExtension { number, .. } => {
            let fds = containers(around).into_iter();
            fds.map(|fd| Op::CheckExtension { number: *number, fd: Some(fd) }).collect()
        }
        Op::DeviceInfo { .. } => {
            devices(around).into_iter().map(|fd| Op::DeviceInfo { fd }).collect()
        }
        Op::Eventfd { .. } => {
            let fds = eventfds(around).into_iter().take(MOST);
            fds.map(|fd| Op::Eventfd { fd: Some(fd), dev: None, vector: None }).collect()
        }
        Op::Open { path } => opened(&path.0, around),
        Op::Ioctl { .. } => ioctl(op, refusal, around),
        _ => Vec::new(),
    }
}

fn of_groups(op: &Op, around: &Surroundings) -> Vec<Op> {
    let others = groups(around).into_iter();
    match op {
        Op::SetContainer { group, container } => {
            let of_group = others.map(|group| Op::SetContainer { group, container: *container });
            let into = containers(around).into_iter();
            let into = into.map(|container| Op::SetContainer { group: *group, container });
            into.chain(of_group).collect()
        }
        Op::UnsetContainer { .. } => others.map(|group| Op::UnsetContainer { group }).collect(),
        Op::Status { .. } => others.map(|group| Op::Status { group }).collect(),
        _ => Vec::new(),
    }
}

/// Files that exist: the container, and groups with a device bound to VFIO.
fn opened(path: &str, around: &Surroundings) -> Vec<Op> {
    let asked = path.rsplit_once('/').and_then(|(_, number)| number.parse::<u32>().ok());
    let open = |path: String| Op::Open { path: Text(path) };
    let given = around.given.iter().filter(|(_, devices)| !devices.is_empty());
    let mut numbers: Vec<u32> = given.map(|(number, _)| *number).collect();
    numbers.sort_by_key(|number| number.abs_diff(asked.unwrap_or(0)));
    let groups = numbers.iter().map(|number| open(format!("/dev/vfio/{number}"))).take(MOST);
    groups.chain([open("/dev/vfio/vfio".to_owned())]).collect()
}

/// The same structure with a pointer into an area in place of the faulting one.
fn elsewhere<'a>(
    bytes: &'a [u8],
    fault: u64,
    around: &'a Surroundings,
) -> impl Iterator<Item = Vec<u8>> + 'a {
    // Fields of eight bytes are aligned in every structure of VFIO.
    let fields = bytes.chunks_exact(8).enumerate();
    let pointers = fields.filter(move |(_, field)| {
        let value = field.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
        value != 0 && value <= fault && fault - value < 1 << 28
    });
    pointers.flat_map(move |(at, _)| {
        around.areas.iter().map(move |area| {
            let mut moved = bytes.to_vec();
            moved[at * 8..at * 8 + 8].copy_from_slice(&area.va.get().to_le_bytes());
            moved
        })
    })
}

/// Any ioctl: on another descriptor, with the size that the call needs, without unknown flags.
fn ioctl(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let Op::Ioctl { fd, nr, arg, bytes } = op else { return Vec::new() };
    let files = of_kind(around, |file| *file != OpenFile::Other);
    let mut ops = Vec::new();
    let is_about_file = ["bad-fd", "ioctl-unknown"].contains(&refusal.rule.name);
    if is_about_file || matches!(refusal.conflict, Conflict::Fd(_)) {
        let others = files.into_iter().filter(|other| other != fd);
        let on = |fd| Op::Ioctl { fd, nr: *nr, arg: *arg, bytes: bytes.clone() };
        ops.extend(others.map(on));
    }
    let Some(Hex(bytes)) = bytes else { return ops };
    let with = |bytes: Vec<u8>| Op::Ioctl { fd: *fd, nr: *nr, arg: *arg, bytes: Some(Hex(bytes)) };
    match refusal.conflict {
        Conflict::Short { needs, .. } if needs <= 4096 => {
            let mut longer = bytes.clone();
            longer.resize(bytes.len().max(needs as usize).max(4), 0);
            longer[..4].copy_from_slice(&(needs as u32).to_le_bytes());
            ops.push(with(longer));
        }
        Conflict::Unknown(bits) if bytes.len() >= 8 => {
            // Flags follow argsz in every structure of VFIO.
            let flags = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
            let mut fewer = bytes.clone();
            fewer[4..8].copy_from_slice(&(flags & !(bits as u32)).to_le_bytes());
            ops.push(with(fewer));
        }
        Conflict::User(fault) => ops.extend(elsewhere(bytes, fault.get(), around).map(with)),
        _ => {}
    }
    ops
}
