//! Requests near a refused SET_IRQS, in each of its forms in a scenario.

use passim_model::{Conflict, Refusal, Rid};
use passim_vfio::view::OpenFile;

use super::Distance;
use crate::op::{Hex, IrqIndex, Number, Op};
use crate::run::Surroundings;
use crate::script::Text;

/// Flags of SET_IRQS: the type of the data, and the action. `linux/vfio.h`.
pub(super) mod flag {
    pub(in crate::explain::candidate) const DATA_NONE: u64 = 1 << 0;
    pub(in crate::explain::candidate) const DATA_BOOL: u64 = 1 << 1;
    pub(in crate::explain::candidate) const DATA_EVENTFD: u64 = 1 << 2;
    pub(in crate::explain::candidate) const DATA: u64 = DATA_NONE | DATA_BOOL | DATA_EVENTFD;
    pub(in crate::explain::candidate) const MASK: u64 = 1 << 3;
    pub(in crate::explain::candidate) const UNMASK: u64 = 1 << 4;
    pub(in crate::explain::candidate) const TRIGGER: u64 = 1 << 5;
    pub(in crate::explain::candidate) const ACTION: u64 = MASK | UNMASK | TRIGGER;
}

/// The form in the scenario.
#[derive(Clone, PartialEq, Eq)]
enum Form {
    Enable { until: Option<Text> },
    Disable,
    Raw { flags: u64, data: Vec<u8> },
}

#[derive(Clone, PartialEq, Eq)]
struct Irqs {
    dev: Rid,
    index: IrqIndex,
    start: u32,
    count: u32,
    form: Form,
}

impl Irqs {
    fn of(op: &Op) -> Option<Self> {
        Some(match op {
            Op::Enable { dev, vectors, index, start, until } => Self {
                dev: *dev,
                index: index.unwrap_or(IrqIndex::Msix),
                start: start.unwrap_or(0),
                count: *vectors,
                form: Form::Enable { until: until.clone() },
            },
            Op::Disable { dev, index } => Self {
                dev: *dev,
                index: index.unwrap_or(IrqIndex::Msix),
                start: 0,
                count: 0,
                form: Form::Disable,
            },
            // A request by descriptor may be for a device with wires, of which this room knows
            // nothing.
            Op::SetIrqs { dev: Some(dev), fd: None, index, flags, start, count, data } => {
                let data = data.as_ref().map(|data| data.0.clone()).unwrap_or_default();
                Self {
                    dev: *dev,
                    index: *index,
                    start: start.unwrap_or(0),
                    count: count.unwrap_or(1),
                    form: Form::Raw { flags: flags.0, data },
                }
            }
            _ => return None,
        })
    }

    /// The operation with the fewest arguments.
    fn op(self) -> Op {
        let Self { dev, index, start, count, form } = self;
        let index_said = (index != IrqIndex::Msix).then_some(index);
        let start = (start != 0).then_some(start);
        match form {
            Form::Enable { until } => {
                Op::Enable { dev, vectors: count, index: index_said, start, until }
            }
            Form::Disable => Op::Disable { dev, index: index_said },
            Form::Raw { flags, data } => Op::SetIrqs {
                dev: Some(dev),
                fd: None,
                index,
                flags: Number(flags),
                start,
                count: (count != 1).then_some(count),
                data: (!data.is_empty()).then_some(Hex(data)),
            },
        }
    }

    /// Another block: the data is cut, or extended with descriptors -1.
    fn block(&self, start: u32, count: u32) -> Self {
        let mut other = Self { start, count, ..self.clone() };
        if let Form::Raw { flags, data } = &mut other.form {
            data.resize(bytes_of(*flags, count), 0xff);
        }
        other
    }

    /// The block within the first `limit` interrupts: cut, or moved.
    fn within(&self, limit: u32) -> Vec<Self> {
        let mut others = Vec::new();
        if let Some(left) = limit.checked_sub(self.start).filter(|left| *left > 0) {
            others.push(self.block(self.start, self.count.min(left)));
        }
        if limit > 0 {
            let count = self.count.min(limit);
            others.push(self.block(limit - count, count));
            others.push(self.block(0, count));
        }
        others
    }

    /// The same for another index, as far as that has enough interrupts.
    fn of_index(&self, index: IrqIndex, around: &Surroundings) -> Option<Self> {
        let has = has(self.dev, index, around);
        let first = Self { index, ..self.clone() }.within(has).into_iter().next();
        first.or_else(|| (self.count == 0).then(|| Self { index, ..self.clone() }))
    }

    fn of_other_indices(&self, around: &Surroundings) -> Vec<Self> {
        let near = [IrqIndex::Msix, IrqIndex::Msi, IrqIndex::Intx, IrqIndex::Req, IrqIndex::Err];
        let near = near.into_iter().filter(|index| *index != self.index);
        near.filter_map(|index| self.of_index(index, around)).collect()
    }

    /// The same with other flags and their data; `None` for forms without flags.
    fn flagged(&self, change: impl Fn(u64) -> u64) -> Option<Self> {
        let Form::Raw { flags, data } = &self.form else { return None };
        let flags = change(*flags);
        let mut data = data.clone();
        data.resize(bytes_of(flags, self.count), 0xff);
        Some(Self { form: Form::Raw { flags, data }, ..self.clone() })
    }

    /// One descriptor, which enables any interrupt.
    fn one(&self, fd: i32) -> Self {
        let data = fd.to_le_bytes().to_vec();
        let flags = flag::DATA_EVENTFD | flag::TRIGGER;
        Self { count: 1, form: Form::Raw { flags, data }, ..self.clone() }
    }

    /// The same with an eventfd, or -1, in place of every descriptor `bad`.
    fn without_descriptor(&self, bad: i64, around: &Surroundings) -> Vec<Self> {
        let Form::Raw { flags, data } = &self.form else { return Vec::new() };
        let each = data.chunks_exact(4).map(|four| [four[0], four[1], four[2], four[3]]);
        let exchanged = |by: i32| {
            let data = each.clone().flat_map(|four| {
                let is_bad = i64::from(i32::from_le_bytes(four)) == bad;
                if is_bad { by.to_le_bytes() } else { four }
            });
            let form = Form::Raw { flags: *flags, data: data.collect() };
            Self { form, ..self.clone() }
        };
        descriptors(around).into_iter().map(exchanged).collect()
    }
}

/// Bytes of data for each interrupt.
fn bytes_each(flags: u64) -> usize {
    match flags & flag::DATA {
        flag::DATA_BOOL => 1,
        flag::DATA_EVENTFD => 4,
        _ => 0,
    }
}

/// Bytes of data for a block; at most those for all vectors that a device can have, however many
/// are requested.
pub(super) fn bytes_of(flags: u64, count: u32) -> usize {
    /// PCI 3.0 6.8.2.
    const MOST_VECTORS: u32 = 2048;
    count.min(MOST_VECTORS) as usize * bytes_each(flags)
}

/// Number of interrupts of an index of the device.
fn has(dev: Rid, index: IrqIndex, around: &Surroundings) -> u32 {
    let counts = around.functions.get(&dev).map(|function| function.irqs.as_slice());
    counts.and_then(|counts| counts.get(index.number() as usize)).copied().unwrap_or(0)
}

/// Valid values of a descriptor: the first eventfd, and -1.
fn descriptors(around: &Surroundings) -> Vec<i32> {
    let eventfd = around.files.iter().find(|(_, file)| *file == OpenFile::EventFd);
    eventfd.map(|(fd, _)| *fd).into_iter().chain([-1]).collect()
}

/// The index that is enabled.
pub(super) fn on(dev: Rid, around: &Surroundings) -> Option<IrqIndex> {
    let number = around.functions.get(&dev)?.on?;
    IrqIndex::ALL.iter().copied().find(|index| index.number() == number)
}

pub(super) fn near(op: &Op, refusal: &Refusal, around: &Surroundings) -> Vec<Op> {
    let Some(irqs) = Irqs::of(op) else { return Vec::new() };
    let limit = match refusal.conflict {
        Conflict::Limit { limit, .. } => u32::try_from(limit).ok(),
        _ => None,
    };
    let mut others = match refusal.rule.name {
        "set-irqs-shape" => shaped(&irqs, refusal.conflict, around),
        "irq-action" => {
            let asked = |flags| (flags & flag::DATA) | flag::TRIGGER;
            irqs.flagged(asked).into_iter().chain(irqs.of_index(IrqIndex::Intx, around)).collect()
        }
        "irq-mode" | "irq-off" => other_modes(&irqs, around),
        "irq-vector" => irqs.within(limit.unwrap_or(0)),
        "irq-eventfd" => match refusal.conflict {
            Conflict::Fd(bad) => irqs.without_descriptor(bad, around),
            _ => Vec::new(),
        },
        "irq-notice" | "irq-unmask-taken" => {
            descriptors(around).into_iter().map(|fd| irqs.one(fd)).collect()
        }
        "vectors-none" => vec![irqs.block(irqs.start, 1)],
        "vectors-no-capability" => irqs.of_other_indices(around),
        _ => fewer(&irqs, around),
    };
    others.retain(|other| *other != irqs);
    others.into_iter().map(Irqs::op).collect()
}

/// Blocks, flags and lengths that are consistent.
fn shaped(irqs: &Irqs, conflict: Conflict, around: &Surroundings) -> Vec<Irqs> {
    let has = has(irqs.dev, irqs.index, around);
    let mut others = match conflict {
        Conflict::Short { got, .. } => {
            let Form::Raw { flags, .. } = &irqs.form else { return Vec::new() };
            let fits = (got as usize).checked_div(bytes_each(*flags)).unwrap_or(0) as u32;
            vec![irqs.block(irqs.start, fits), irqs.block(irqs.start, irqs.count)]
        }
        Conflict::Unknown(_) => {
            // Unknown flags, several types of data, or a block past 2^32.
            let known = flag::DATA | flag::ACTION;
            let kinds = [flag::DATA_NONE, flag::DATA_EVENTFD, flag::DATA_BOOL];
            let with = |kind| irqs.flagged(|flags| (flags & known & !flag::DATA) | kind);
            irqs.flagged(|flags| flags & known)
                .into_iter()
                .chain(kinds.into_iter().filter_map(with))
                .collect()
        }
        _ => Vec::new(),
    };
    others.extend(irqs.within(has));
    if has == 0 {
        others.extend(irqs.of_other_indices(around));
    }
    others
}

/// Requests that suit the index that is enabled, or that none is.
fn other_modes(irqs: &Irqs, around: &Surroundings) -> Vec<Irqs> {
    let mut others: Vec<_> = match on(irqs.dev, around) {
        Some(index) => irqs.of_index(index, around).into_iter().collect(),
        None => Vec::new(),
    };
    if irqs.index == IrqIndex::Intx {
        others.push(irqs.block(0, 1));
    }
    // Descriptors enable interrupts that are off; -1 does as well.
    if let Form::Raw { .. } = irqs.form {
        let count = irqs.count.max(1);
        let turned = Irqs { count, ..irqs.clone() };
        others.extend(turned.flagged(|_| flag::DATA_EVENTFD | flag::TRIGGER));
    }
    others
}

/// Smaller requests, where the machine lacks a resource.
fn fewer(irqs: &Irqs, around: &Surroundings) -> Vec<Irqs> {
    let end = irqs.start.saturating_add(irqs.count);
    let mut ends: Vec<u32> = vec![end - end / 2, 1];
    if let Some(supply) = around.supply {
        ends.extend([supply.free, supply.longest]);
    }
    ends.extend(end.checked_sub(1));
    let mut others: Vec<_> =
        ends.into_iter().filter(|to| *to < end).flat_map(|to| irqs.within(to)).collect();
    others.extend(irqs.of_other_indices(around));
    others
}

/// The block cut to what the kernel reports as available.
pub(super) fn granted(op: &Op, available: i64) -> Vec<Op> {
    let (Some(irqs), Ok(limit)) = (Irqs::of(op), u32::try_from(available)) else {
        return Vec::new();
    };
    irqs.within(limit).into_iter().map(Irqs::op).collect()
}

pub(super) fn distance(a: &Op, b: &Op) -> Option<Distance> {
    let (a, b) = (Irqs::of(a)?, Irqs::of(b)?);
    let moved = u128::from(a.start.abs_diff(b.start)) + u128::from(a.count.abs_diff(b.count));
    /// Another index is another interrupt: every change within this one comes first.
    const OTHER_INDEX: usize = 9;
    let fields = [a.start != b.start, a.count != b.count].into_iter().filter(|it| *it).count();
    let fields = match (a.index == b.index, &a.form) {
        (true, _) => fields,
        // Only the enabled index can be disabled.
        (false, Form::Disable) => fields + 1,
        (false, _) => fields + OTHER_INDEX,
    };
    let form = match (&a.form, &b.form) {
        (Form::Raw { flags, data }, Form::Raw { flags: from, data: old }) => {
            // A cut block has less data, and other flags are another request.
            let same = data.iter().zip(old).all(|(a, b)| a == b);
            let differs = !same || (a.count == b.count && data.len() != old.len());
            2 * usize::from(flags != from) + usize::from(differs)
        }
        (a, b) if a == b => 0,
        _ => 2,
    };
    Some((fields + form, moved))
}

/// Operations that enable an index's interrupts, as far as a request needs them.
pub(super) fn turned_on(op: &Op, around: &Surroundings) -> Vec<Op> {
    let Some(irqs) = Irqs::of(op) else { return Vec::new() };
    if matches!(irqs.index, IrqIndex::Msi | IrqIndex::Msix) {
        let end = irqs.start.saturating_add(irqs.count).max(1);
        let vectors = end.min(has(irqs.dev, irqs.index, around));
        let enable = Irqs { start: 0, count: vectors, form: Form::Enable { until: None }, ..irqs };
        return vec![enable.op()];
    }
    let one = |fd| Irqs { start: 0, ..irqs.one(fd) }.op();
    descriptors(around).into_iter().map(one).collect()
}

/// The operation that disables an index's interrupts.
pub(super) fn turned_off(dev: Rid, index: IrqIndex) -> Op {
    Op::Disable { dev, index: (index != IrqIndex::Msix).then_some(index) }
}
