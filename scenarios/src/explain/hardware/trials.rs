//! What would have been answered otherwise: done, not guessed.

use passim_gic::choice::Preset;
use passim_gic::its::{Failure, Reason, Untranslated};
use passim_model::{Iova, Perms, Rid};
use passim_vfio::view::MappingView;
use serde::Serialize;

use super::super::report::{Attempted, Nearest};
use super::super::words::container_of;
use super::super::{Moment, Subject};
use super::its::its_of;
use crate::chosen::Chosen;
use crate::op::{CommandName, DeviceName, IrqIndex, ItsOp, Number, Op};
use crate::run::{Answered, Surroundings};
use crate::script::Signed;
use crate::system::Arrival;

/// The same line, answered otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Otherwise {
    /// What is otherwise: lines in front, or a preset of the GIC.
    pub with: String,
    /// What is answered then.
    pub outcome: Vec<String>,
}

/// A SYNC to a CPU.
fn sync(its: u16, cpu: u16) -> Op {
    Op::Its(command(CommandName::Sync, its, |fields| fields.cpu = Some(cpu)))
}

#[derive(Default)]
struct Fields {
    device: Option<u32>,
    event: Option<u32>,
    intid: Option<u32>,
    icid: Option<u16>,
    cpu: Option<u16>,
}

fn command(name: CommandName, its: u16, set: impl FnOnce(&mut Fields)) -> ItsOp {
    let mut fields = Fields::default();
    set(&mut fields);
    let Fields { device, event, intid, icid, cpu } = fields;
    ItsOp::ItsCommand {
        name,
        device,
        event,
        intid,
        icid,
        cpu,
        to: None,
        itt: None,
        bits: None,
        valid: None,
        wait: None,
        its: (its != 0).then_some(its),
    }
}

/// CPUs that a scenario sends collections to, and CPU 0.
fn cpus(subject: &Subject<'_>) -> Vec<u16> {
    let named = subject.before.iter().filter_map(|(op, _)| match op {
        Op::Its(ItsOp::ItsCommand { name: CommandName::Mapc, cpu, .. }) => Some(cpu.unwrap_or(0)),
        _ => None,
    });
    let mut cpus: Vec<u16> = named.chain([0]).collect();
    cpus.sort_unstable();
    cpus.dedup();
    cpus
}

/// The line after a SYNC, where commands wait for one, and under the other presets of the GIC; as far
/// as it is answered otherwise.
pub(in crate::explain) fn otherwise(
    subject: &Subject<'_>,
    op: &Op,
    outcome: &[String],
    waits: bool,
) -> Vec<Otherwise> {
    let mut others = Vec::new();
    let its = its_of(op);
    if its.is_none() && !is_of_device(op) {
        return others;
    }
    if let Some(its) = its.filter(|_| waits) {
        for cpu in cpus(subject) {
            let sync = sync(its, cpu);
            let Ok(Moment { outcome: then, .. }) =
                subject.performed(std::slice::from_ref(&sync), op, None)
            else {
                continue;
            };
            if then != outcome {
                others.push(Otherwise { with: sync.to_string(), outcome: then });
                break;
            }
        }
    }
    if its.is_none() && subject.chosen.lost.is_some() {
        let chosen = Chosen { lost: None, ..subject.chosen.clone() };
        if let Ok(Moment { outcome: then, .. }) = subject.performed(&[], op, Some(&chosen))
            && then != outcome
        {
            others.push(Otherwise { with: "nothing lost".to_owned(), outcome: then });
        }
    }
    for preset in Preset::ALL {
        // Another seed is another roll of the same dice.
        if matches!(preset, Preset::Adversarial(_)) {
            continue;
        }
        let chosen = Chosen { gic: Some(preset), ..subject.chosen.clone() };
        let Ok(Moment { outcome: then, .. }) = subject.performed(&[], op, Some(&chosen)) else {
            continue;
        };
        if then != outcome {
            others.push(Otherwise { with: format!("gic={}", preset.name()), outcome: then });
        }
    }
    others
}

/// Whether a device does it that a kernel's driver may have told an ITS of.
fn is_of_device(op: &Op) -> bool {
    matches!(op, Op::Raise { .. } | Op::Write { .. })
}

/// Lines in front of the operation, and the operation in its place.
type Way = (Vec<Op>, Op);

/// The nearest lines that hardware answers as was meant; `None` where nothing is known to try.
pub(in crate::explain) fn nearest(
    subject: &Subject<'_>,
    op: &Op,
    account: &[Answered],
    undone: &[&Op],
    around: Option<&Surroundings>,
) -> Option<Nearest> {
    let first = account.iter().find(|answered| !answered.is_done())?;
    let ways = match (first, around) {
        (Answered::Message(Arrival::Untranslated(why)), None) => {
            let mut ways = sent_again(subject, op, undone);
            ways.extend(of_message(subject, op, *why));
            ways
        }
        (Answered::Message(Arrival::Untranslated(why)), Some(around)) => {
            turned_on(op, *why, around)
        }
        (Answered::Message(Arrival::Ignored | Arrival::NoMessage), Some(around)) => {
            to_the_doorbell(op, around)
        }
        (Answered::Command(report), None) => match report.failure {
            Failure::Command(error) => of_command(op, error.reason),
            Failure::Memory(_) => Vec::new(),
        },
        (Answered::Terminated(_) | Answered::Stalled(_), Some(around)) => of_access(op, around),
        _ => Vec::new(),
    };
    // The line itself is none that is near.
    let text = op.to_string();
    let ways = ways.into_iter().filter(|(before, op)| !before.is_empty() || op.to_string() != text);
    let ways: Vec<_> = ways.collect();
    if ways.is_empty() {
        return None;
    }
    let mut tried = Vec::new();
    for (tries, (before, op)) in (1..).zip(ways) {
        let lines: Vec<_> = before.iter().chain([&op]).map(Op::to_string).collect();
        let moment = subject.performed(&before, &op, None);
        let answer = match &moment {
            Ok(moment) => moment.outcome.join("; "),
            Err(why) => format!("cannot be made: {}", why.message),
        };
        if moment.is_ok_and(|it| it.is_good) {
            return Some(Nearest::Accepted { lines, tries });
        }
        tried.push(Attempted { lines, answer });
    }
    let because = match first {
        Answered::Message(Arrival::Untranslated(Untranslated::UnmappedDevice)) => {
            "a MAPD is to give the device a table first, then MAPTI an event and a SYNC follow; where in \
             memory that table may lie the search does not know"
        }
        _ => "what was tried is answered so as well, or otherwise wrong",
    };
    let because = because.to_owned();
    Some(Nearest::None { tries: tried.len(), because, tried })
}

/// What leads a message to an LPI: a SYNC, a mapping.
fn of_message(subject: &Subject<'_>, op: &Op, why: Untranslated) -> Vec<Way> {
    let Op::Its(ItsOp::Message { device, event, size, at, its }) = op else { return Vec::new() };
    let n = its.unwrap_or(0);
    let syncs: Vec<Op> = cpus(subject).into_iter().map(|cpu| sync(n, cpu)).collect();
    let mut ways: Vec<Way> = syncs.iter().map(|sync| (vec![sync.clone()], op.clone())).collect();
    let collections: Vec<u16> = named(subject, |name| name == CommandName::Mapc, |icid, _| icid);
    let with_sync = |first: Op| {
        let sync = syncs.first().cloned();
        (std::iter::once(first).chain(sync).collect(), op.clone())
    };
    match why {
        Untranslated::Disabled => {
            let register = crate::script::Text("GITS_CTLR".to_owned());
            let on = ItsOp::GicStore { register, value: Number(1), cpu: None, its: *its };
            ways.insert(0, (vec![Op::Its(on)], op.clone()));
        }
        Untranslated::UnmappedEvent => {
            let lpis = named(subject, |name| name == CommandName::Mapti, |_, intid| intid);
            let free = (8192..).find(|intid| !lpis.contains(intid)).unwrap_or(8192);
            for icid in collections.iter().copied().chain([0]).take(2) {
                ways.push(with_sync(Op::Its(command(CommandName::Mapti, n, |fields| {
                    fields.device = Some(*device);
                    fields.event = Some(event.0 as u32);
                    fields.intid = Some(free);
                    fields.icid = Some(icid);
                }))));
            }
        }
        Untranslated::UnmappedCollection => {
            let used = subject.before.iter().rev().find_map(|(op, _)| match op {
                Op::Its(ItsOp::ItsCommand { device: of, event: it, icid, .. })
                    if *of == Some(*device) && u64::from(it.unwrap_or(0)) == event.0 =>
                {
                    *icid
                }
                _ => None,
            });
            ways.push(with_sync(Op::Its(command(CommandName::Mapc, n, |fields| {
                fields.icid = Some(used.unwrap_or(0));
                fields.cpu = Some(0);
            }))));
        }
        Untranslated::EventOutOfRange => {
            let mut events: Vec<u64> = events_of(subject, *device);
            events.sort_by_key(|it| it.abs_diff(event.0));
            ways.extend(events.into_iter().take(2).map(|event| {
                let (device, event) = (*device, Number(event));
                let message = ItsOp::Message { device, event, size: *size, at: *at, its: *its };
                (Vec::new(), Op::Its(message))
            }));
        }
        _ => {}
    }
    ways
}

/// Commands that did nothing, once more.
fn sent_again(subject: &Subject<'_>, op: &Op, undone: &[&Op]) -> Vec<Way> {
    let Some(its) = its_of(op).filter(|_| !undone.is_empty()) else { return Vec::new() };
    let sync = cpus(subject).first().map(|cpu| sync(its, *cpu));
    let again = |undone: &[&Op]| {
        let undone = undone.iter().map(|op| (*op).clone());
        (undone.chain(sync.clone()).collect(), op.clone())
    };
    let mut ways: Vec<Way> = undone.iter().map(|one| again(&[*one])).collect();
    ways.push(again(undone));
    ways
}

/// Below a kernel devices and events are mapped by whoever asks for interrupts.
fn turned_on(op: &Op, why: Untranslated, around: &Surroundings) -> Vec<Way> {
    let (dev, event) = match op {
        Op::Write { dev: DeviceName::Function(dev), value, .. } => (*dev, value.0),
        _ => return Vec::new(),
    };
    let by_interrupts =
        [Untranslated::UnmappedDevice, Untranslated::UnmappedEvent, Untranslated::EventOutOfRange];
    if !by_interrupts.contains(&why) {
        return Vec::new();
    }
    // Messages that the kernel has programmed for it are nearer than more of them.
    let vectors = around.functions.get(&dev).map(|it| it.vectors.as_slice()).unwrap_or_default();
    let programmed = vectors.iter().map(|it| (it.message.address, u64::from(it.message.data)));
    let mut others: Vec<_> = programmed.filter(|(address, _)| *address != 0).collect();
    others.sort_by_key(|(_, data)| data.abs_diff(event));
    let others = others.into_iter().take(2).map(|(address, data)| {
        let (iova, value, size) = (Iova::new(address), Number(data), Some(Number(4)));
        (Vec::new(), Op::Write { dev: DeviceName::Function(dev), iova, value, size })
    });
    let all = u32::try_from(event).ok().and_then(|event| event.checked_add(1));
    let enables = all.map(|vectors| enables(dev, vectors, around)).unwrap_or_default();
    let enables = enables.into_iter().map(|enable| (vec![enable], op.clone()));
    others.chain(enables).collect()
}

/// Messages of a function turned on, of each kind that it has.
fn enables(dev: Rid, vectors: u32, around: &Surroundings) -> Vec<Op> {
    let Some(function) = around.functions.get(&dev) else { return Vec::new() };
    // The pin comes first, MSI and MSI-X after it; `enable` means MSI-X where it says nothing.
    let kinds = [(2, None), (1, Some(IrqIndex::Msi))];
    let has = |number: usize| function.irqs.get(number).is_some_and(|has| *has > 0);
    let kinds = kinds.into_iter().filter(|(number, _)| has(*number));
    kinds.map(|(_, index)| Op::Enable { dev, vectors, index, start: None, until: None }).collect()
}

/// Where in its page an ITS or a frame takes messages. IHI 0069 H 12.19 (GITS_TRANSLATER); GICv2m:
/// MSI_SETSPI_NS.
const MESSAGE: u64 = 0x40;

/// A write that goes to a doorbell's page, to the place of messages; or what the kernel programmed.
fn to_the_doorbell(op: &Op, around: &Surroundings) -> Vec<Way> {
    let Op::Write { dev: DeviceName::Function(dev), iova, value, .. } = op else {
        return Vec::new();
    };
    let write = |at: u64, value: Number| {
        let (dev, iova, size) = (DeviceName::Function(*dev), Iova::new(at), Some(Number(4)));
        (Vec::new(), Op::Write { dev, iova, value, size })
    };
    let page = iova.get() & !(around.page.bytes() - 1);
    let mut ways = vec![write(page + MESSAGE, *value)];
    let vectors = around.functions.get(dev).map(|it| it.vectors.as_slice()).unwrap_or_default();
    let programmed = vectors.iter().take(1).map(|it| it.message);
    ways.extend(programmed.map(|it| write(it.address, Number(u64::from(it.data)))));
    ways
}

fn named<T>(
    subject: &Subject<'_>,
    is_wanted: impl Fn(CommandName) -> bool,
    of: impl Fn(u16, u32) -> T,
) -> Vec<T> {
    let commands = subject.before.iter().filter_map(|(op, _)| match op {
        Op::Its(ItsOp::ItsCommand { name, icid, intid, .. }) if is_wanted(*name) => {
            Some(of(icid.unwrap_or(0), intid.unwrap_or(0)))
        }
        _ => None,
    });
    commands.collect()
}

fn events_of(subject: &Subject<'_>, of: u32) -> Vec<u64> {
    let events = subject.before.iter().filter_map(|(op, _)| match op {
        Op::Its(ItsOp::ItsCommand { name: CommandName::Mapti, device, event, .. })
            if device.unwrap_or(0) == of =>
        {
            Some(u64::from(event.unwrap_or(0)))
        }
        _ => None,
    });
    events.collect()
}

/// What makes a command one that can be performed.
fn of_command(op: &Op, reason: Reason) -> Vec<Way> {
    let Op::Its(ItsOp::ItsCommand { device, event, icid, its, .. }) = op else { return Vec::new() };
    let n = its.unwrap_or(0);
    let alone = |change: &dyn Fn(&mut Op)| {
        let mut other = op.clone();
        change(&mut other);
        (Vec::new(), other)
    };
    match reason {
        Reason::UnmappedCollection | Reason::IteInvalid => {
            let mapc = command(CommandName::Mapc, n, |fields| {
                fields.icid = Some(icid.unwrap_or(0));
                fields.cpu = Some(0);
            });
            vec![(vec![Op::Its(mapc)], op.clone())]
        }
        Reason::UnmappedInterrupt => {
            let mapti = command(CommandName::Mapti, n, |fields| {
                fields.device = Some(device.unwrap_or(0));
                fields.event = Some(event.unwrap_or(0));
                fields.intid = Some(8192);
                fields.icid = Some(0);
            });
            vec![(vec![Op::Its(mapti)], op.clone())]
        }
        Reason::PhysicalIdOutOfRange => vec![alone(&|op| {
            if let Op::Its(ItsOp::ItsCommand { intid, .. }) = op {
                *intid = Some(8192);
            }
        })],
        Reason::CollectionOutOfRange => vec![alone(&|op| {
            if let Op::Its(ItsOp::ItsCommand { icid, .. }) = op {
                *icid = Some(0);
            }
        })],
        Reason::EventOutOfRange => vec![alone(&|op| {
            if let Op::Its(ItsOp::ItsCommand { event, .. }) = op {
                *event = Some(0);
            }
        })],
        Reason::SizeOrTargetOutOfRange | Reason::ProcessorOutOfRange => {
            vec![alone(&|op| {
                if let Op::Its(ItsOp::ItsCommand { bits, cpu, to, .. }) = op {
                    (*bits, *cpu) = (bits.map(|_| 8), cpu.map(|_| 0));
                    *to = to.map(|_| 0);
                }
            })]
        }
        _ => Vec::new(),
    }
}

/// A write to a doorbell's physical address, where it is mapped for the device.
fn at_the_device(op: &Op, around: &Surroundings) -> Vec<Way> {
    let Op::Write { dev: DeviceName::Function(dev), iova, value, size } = op else {
        return Vec::new();
    };
    let doorbells = around.functions.get(dev).map(|it| it.doorbells.as_slice()).unwrap_or_default();
    let there = doorbells.iter().find_map(|it| {
        let at = iova.get().checked_sub(it.pa.get()).filter(|at| *at < it.size)?;
        it.iova.get().checked_add(at)
    });
    let write = |at: u64| {
        let (dev, iova) = (DeviceName::Function(*dev), Iova::new(at));
        (Vec::new(), Op::Write { dev, iova, value: *value, size: *size })
    };
    there.map(write).into_iter().collect()
}

/// What lets a device's access through: a mapping that allows it, or an address that is mapped.
fn of_access(op: &Op, around: &Surroundings) -> Vec<Way> {
    let (dev, iova, is_write) = match op {
        Op::Read { dev, iova, .. } => (dev, iova.get(), false),
        Op::Write { dev, iova, .. } => (dev, iova.get(), true),
        _ => return Vec::new(),
    };
    let Some(here) = container_of(op, around).filter(|here| here.version.is_some()) else {
        return Vec::new();
    };
    let fd = around.container_fds.iter().find(|(_, number)| {
        around.containers.get(number).is_some_and(|known| std::ptr::eq(known, here))
    });
    let fd = fd.map(|(fd, _)| *fd).filter(|fd| Some(*fd) != around.container);
    let fd = fd.map(|fd| Signed(i64::from(fd)));
    let map = |iova: u64, va: u64, size: u64| Op::Map {
        iova: Iova::new(iova),
        va: around.place(va),
        size: Number(size),
        prot: Perms::READ | Perms::WRITE,
        fd,
        flags: None,
        argsz: None,
    };
    let page = around.page.bytes();
    let mut ways = at_the_device(op, around);
    let holds = here.mappings.iter().find(|it| it.iova.contains(Iova::new(iova)));
    match holds {
        Some(MappingView { iova: span, vaddr, perms, .. }) if !perms.is_empty() => {
            let (iova, size) = (span.start(), span.size().unwrap_or(0));
            let unmap = Op::Unmap { iova, size: Number(size), fd, flags: None, argsz: None };
            ways.push((vec![unmap, map(iova.get(), vaddr.get(), size)], op.clone()));
        }
        Some(_) => {}
        None => {
            if let DeviceName::Function(dev) = dev
                && is_write
                && here.reserved.iter().any(|region| region.span.contains(Iova::new(iova)))
            {
                let enables = enables(*dev, 1, around).into_iter();
                ways.extend(enables.map(|enable| (vec![enable], op.clone())));
            }
            let area = around.areas.first().map(|area| area.va.get());
            let first = iova & !(page - 1);
            ways.extend(area.map(|va| (vec![map(first, va, page)], op.clone())));
        }
    }
    let wanted = if is_write { Perms::WRITE } else { Perms::READ };
    let mut others: Vec<_> = here.mappings.iter().filter(|it| it.perms.contains(wanted)).collect();
    others.sort_by_key(|it| it.iova.start().get().abs_diff(iova));
    for other in others.into_iter().take(2) {
        let at = other.iova.start();
        let there = match op.clone() {
            Op::Read { size, .. } => Op::Read { dev: dev.clone(), iova: at, size },
            Op::Write { value, size, .. } => Op::Write { dev: dev.clone(), iova: at, value, size },
            same => same,
        };
        ways.push((Vec::new(), there));
    }
    ways
}
