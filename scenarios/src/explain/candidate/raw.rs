//! Requests near a refused ioctl that is given as bytes, by the structure of its request.

use passim_model::{Conflict, Refusal};
use passim_vfio::view::OpenFile;

use super::first::lowest_free;
use crate::op::{Hex, Op};
use crate::run::Surroundings;

/// Requests of a device. `linux/vfio.h`.
mod request {
    pub(super) const PCI_HOT_RESET: u64 = 0x3b71;
    pub(super) const IOEVENTFD: u64 = 0x3b74;
    pub(super) const FEATURE: u64 = 0x3b75;
}

/// Offsets of the fields of `struct vfio_device_ioeventfd`.
mod ioeventfd {
    pub(super) const FLAGS: usize = 4;
    pub(super) const OFFSET: usize = 8;
    pub(super) const FD: usize = 24;
    /// Bits of an offset below the region's number.
    pub(super) const REGION_LG2: u32 = 40;
    /// Number of regions that are BARs.
    pub(super) const BARS: u64 = 6;
}

/// Leaving low power: argsz, then SET and feature 5.
const LOW_POWER_EXIT: [u8; 8] = [8, 0, 0, 0, 5, 0, 2, 0];

/// Bytes of a PCI_HOT_RESET's argsz, flags and count.
const HOT_RESET_HEADER: usize = 12;

/// The structure with another value of a field.
fn put(bytes: &[u8], at: usize, value: &[u8]) -> Option<Vec<u8>> {
    let mut other = bytes.to_vec();
    other.get_mut(at..at + value.len())?.copy_from_slice(value);
    Some(other)
}

fn eventfds(around: &Surroundings) -> impl Iterator<Item = i32> + '_ {
    around.files.iter().filter(|(_, file)| *file == OpenFile::EventFd).map(|(fd, _)| *fd)
}

/// The same structure with another descriptor in place of every `bad`.
fn with_descriptor(bytes: &[u8], bad: i64, by: i32) -> Vec<Vec<u8>> {
    let places = (0..bytes.len() / 4).map(|at| 4 * at);
    let is_bad = |at: &usize| {
        let four = [bytes[*at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
        i64::from(i32::from_le_bytes(four)) == bad
    };
    // argsz and flags contain no descriptor.
    let places = places.skip(2).filter(is_bad);
    places.filter_map(|at| put(bytes, at, &by.to_le_bytes())).collect()
}

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let Op::Ioctl { fd, nr, arg, bytes: Some(Hex(bytes)) } = op else { return Vec::new() };
    let mut others: Vec<Vec<u8>> = Vec::new();
    if let ("irq-eventfd" | "ioeventfd-shape", Conflict::Fd(bad)) =
        (refusal.rule.name, refusal.conflict)
    {
        others.extend(eventfds(around).flat_map(|by| with_descriptor(bytes, bad, by)));
        others.extend(with_descriptor(bytes, bad, lowest_free(around)));
    }
    match nr.0 {
        request::IOEVENTFD => others.extend(of_ioeventfd(bytes, refusal, around)),
        request::PCI_HOT_RESET if refusal.rule.name.starts_with("hot-reset-") => {
            others.extend(naming_groups(bytes, around));
        }
        _ => {}
    }
    let with = |bytes| Op::Ioctl { fd: *fd, nr: *nr, arg: *arg, bytes: Some(Hex(bytes)) };
    others.into_iter().map(with).collect()
}

/// Valid widths, existing eventfds, and offsets in a BAR.
fn of_ioeventfd(bytes: &[u8], refusal: &Refusal, around: &Surroundings) -> Vec<Vec<u8>> {
    let field = |at: usize| bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok());
    let Some(offset) = field(ioeventfd::OFFSET).map(u64::from_le_bytes) else { return Vec::new() };
    match (refusal.rule.name, refusal.conflict) {
        ("ioeventfd-absent", _) => {
            eventfds(around).filter_map(|by| put(bytes, ioeventfd::FD, &by.to_le_bytes())).collect()
        }
        ("ioeventfd-shape", Conflict::Unknown(_)) => {
            let widths = [4u32, 8, 2, 1].into_iter();
            widths.filter_map(|by| put(bytes, ioeventfd::FLAGS, &by.to_le_bytes())).collect()
        }
        ("ioeventfd-place", conflict) => {
            let region = offset >> ioeventfd::REGION_LG2;
            let inside = offset & ((1 << ioeventfd::REGION_LG2) - 1);
            let mut places = Vec::new();
            if let Conflict::Limit { limit, wanted } = conflict {
                let back = inside.saturating_sub(wanted.saturating_sub(limit)) & !7;
                places.push(region << ioeventfd::REGION_LG2 | back);
            }
            let mut bars: Vec<u64> = (0..ioeventfd::BARS).collect();
            bars.sort_by_key(|bar| bar.abs_diff(region));
            for bar in bars {
                let first = bar << ioeventfd::REGION_LG2;
                places.extend([first | inside & !7, first]);
            }
            let place = |at: u64| put(bytes, ioeventfd::OFFSET, &at.to_le_bytes());
            places.into_iter().filter_map(place).collect()
        }
        _ => Vec::new(),
    }
}

/// A reset that names the groups that the process has open: each alone, and all.
fn naming_groups(bytes: &[u8], around: &Surroundings) -> Vec<Vec<u8>> {
    let groups = around.files.iter().filter(|(_, file)| matches!(file, OpenFile::Group(_)));
    let groups: Vec<i32> = groups.map(|(fd, _)| *fd).collect();
    let naming = |fds: &[i32]| {
        let mut named = vec![0; HOT_RESET_HEADER + 4 * fds.len()];
        let argsz = named.len() as u32;
        named[..4].copy_from_slice(&argsz.to_le_bytes());
        named[8..12].copy_from_slice(&(fds.len() as u32).to_le_bytes());
        for (i, fd) in fds.iter().enumerate() {
            let at = HOT_RESET_HEADER + 4 * i;
            named[at..at + 4].copy_from_slice(&fd.to_le_bytes());
        }
        named
    };
    let each = groups.iter().map(|fd| naming(&[*fd]));
    let all = (groups.len() > 1).then(|| naming(&groups));
    each.chain(all).filter(|other| other.as_slice() != bytes).collect()
}

/// Operations before it, after which the same ioctl may be accepted.
pub(super) fn first(op: &Op, refusal: &Refusal) -> Option<Vec<Vec<Op>>> {
    let Op::Ioctl { fd, nr, arg, bytes: Some(Hex(bytes)) } = op else { return None };
    let same = |bytes: Vec<u8>| Op::Ioctl { fd: *fd, nr: *nr, arg: *arg, bytes: Some(Hex(bytes)) };
    let way = match (nr.0, refusal.rule.name, refusal.conflict) {
        // An eventfd of -1 removes the existing one.
        (request::IOEVENTFD, "ioeventfd-taken", _) => {
            same(put(bytes, ioeventfd::FD, &(-1i32).to_le_bytes())?)
        }
        (request::FEATURE, "low-power-twice", _) => same(LOW_POWER_EXIT.to_vec()),
        // The next new file may get the descriptor that the request names.
        (_, "irq-eventfd", Conflict::Fd(_)) => Op::NewEventfd {},
        _ => return None,
    };
    Some(vec![vec![way]])
}
