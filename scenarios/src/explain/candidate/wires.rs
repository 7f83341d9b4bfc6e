//! Requests near a refused SET_IRQS by descriptor: of a platform device, whose wires are indices of
//! one interrupt each, or of any other device.

use passim_model::{Conflict, Refusal};
use passim_vfio::view::OpenFile;

use super::first::lowest_free;
use super::irqs::{bytes_of, flag};
use crate::op::{Hex, IrqIndex, Number, Op};
use crate::run::Surroundings;
use crate::script::Signed;

/// A request with its defaults filled in.
#[derive(Clone, PartialEq, Eq)]
struct Request {
    fd: Signed,
    index: IrqIndex,
    flags: u64,
    start: u32,
    count: u32,
    data: Vec<u8>,
}

impl Request {
    fn of(op: &Op) -> Option<Self> {
        let Op::SetIrqs { dev: None, fd: Some(fd), index, flags, start, count, data } = op else {
            return None;
        };
        Some(Self {
            fd: *fd,
            index: *index,
            flags: flags.0,
            start: start.unwrap_or(0),
            count: count.unwrap_or(1),
            data: data.as_ref().map(|data| data.0.clone()).unwrap_or_default(),
        })
    }

    fn op(self) -> Op {
        Op::SetIrqs {
            dev: None,
            fd: Some(self.fd),
            index: self.index,
            flags: Number(self.flags),
            start: (self.start != 0).then_some(self.start),
            count: (self.count != 1).then_some(self.count),
            data: (!self.data.is_empty()).then_some(Hex(self.data)),
        }
    }

    /// Another block, with as much data as it needs.
    fn block(&self, start: u32, count: u32) -> Self {
        let mut other = Self { start, count, ..self.clone() };
        other.data.resize(bytes_of(self.flags, count), 0xff);
        other
    }

    fn flagged(&self, flags: u64) -> Self {
        let mut other = Self { flags, ..self.clone() };
        other.data.resize(bytes_of(flags, self.count), 0xff);
        other
    }

    fn naming(&self, fd: i32) -> Self {
        let data = fd.to_le_bytes().to_vec();
        Self {
            flags: self.flags & !flag::DATA | flag::DATA_EVENTFD,
            count: 1,
            data,
            ..self.clone()
        }
    }
}

/// Eventfds of the process, the next free descriptor, and -1.
fn descriptors(around: &Surroundings) -> Vec<i32> {
    let files = around.files.iter().filter(|(_, file)| *file == OpenFile::EventFd);
    files.map(|(fd, _)| *fd).chain([lowest_free(around), -1]).collect()
}

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let Some(request) = Request::of(op) else { return Vec::new() };
    let mut others = match refusal.rule.name {
        "wire-block" | "irq-vector" => vec![request.block(0, 1)],
        "set-irqs-shape" => {
            let first = Request { index: IrqIndex::Number(0), ..request.clone() };
            let kinds = [flag::DATA_NONE, flag::DATA_BOOL, flag::DATA_EVENTFD];
            let known = request.flags & (flag::ACTION | flag::DATA);
            let kinds = kinds.map(|kind| request.flagged(known & !flag::DATA | kind));
            let blocks = [request.block(request.start, request.count), request.block(0, 1)];
            blocks.into_iter().chain(kinds).chain([first.block(0, 1)]).collect()
        }
        "irq-action" | "wire-not-maskable" => {
            let actions = [flag::TRIGGER, flag::UNMASK, flag::MASK].into_iter();
            actions.map(|action| request.flagged(request.flags & flag::DATA | action)).collect()
        }
        "irq-eventfd" | "irq-unmask-taken" | "irq-notice" => {
            descriptors(around).into_iter().map(|fd| request.naming(fd)).collect()
        }
        _ => Vec::new(),
    };
    if let Conflict::Fd(bad) = refusal.conflict {
        others
            .retain(|other| i32::try_from(bad).map_or(true, |bad| other.data != bad.to_le_bytes()));
    }
    others.retain(|other| *other != request);
    others.into_iter().map(Request::op).collect()
}

/// Operations before it, after which the same request may be accepted.
pub(super) fn first(op: &Op, refusal: &Refusal, around: &Surroundings) -> Option<Vec<Vec<Op>>> {
    let request = Request::of(op)?;
    Some(match refusal.rule.name {
        "irq-eventfd" | "irq-unmask-taken" => vec![vec![Op::NewEventfd {}]],
        "irq-off" | "irq-notice" => {
            let on = Request { flags: flag::TRIGGER, start: 0, ..request };
            descriptors(around).into_iter().map(|fd| vec![on.naming(fd).op()]).collect()
        }
        _ => return None,
    })
}
