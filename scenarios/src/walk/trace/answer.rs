//! Compares the answers to a lookup.

use std::collections::BTreeMap;

use passim_model::access::{Direction, Privilege};
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{Access, StreamId};
use passim_smmu::v3::{Cause, Class, Event, EventKind, Outcome, Terminated};

use super::log::{End, Lookup};
use super::{Difference, Following};
use crate::recording::dump::SmmuDump;
use crate::walk::command::Ring;
use crate::walk::dumped_smmu::Who;
use crate::walk::record::{Record1, Record3};

/// Records of dumps, by the number of records before them.
pub(super) struct Records {
    words: BTreeMap<u64, [u64; 4]>,
    /// Records in the log so far.
    told: u64,
}

/// A record of the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Recorded {
    stream: u32,
    name: String,
    iova: u64,
}

/// Size of the parts into which an emulator splits an access for its records.
const CUT: u64 = 4;

/// Known deviations of the emulator, and what the architecture requires.
mod deviation {
    pub(super) const PARTS: &str =
        "one access recorded in parts of 4 bytes; one record for each transaction, IHI 0070 7.2";
    pub(super) const PERMISSION: &str =
        "an access that stage 2 does not permit left no record; F_PERMISSION, IHI 0070 7.3.16";
    pub(super) const IF_IT_READ: &str = "an access left no record, which stage 2 does not permit \
        if it read (the log does not say); F_PERMISSION, IHI 0070 7.3.16";
    pub(super) const IF_IT_WROTE: &str = "an access left no record, which stage 2 does not permit \
        if it wrote (the log does not say); F_PERMISSION, IHI 0070 7.3.16";
    // Measured: every such record in the dumps of stage 2, if its offset is not 0.
    pub(super) const OFFSET: &str = "an IPA recorded with its offset in the page, where bits 11:0 \
        are RES0, IHI 0070 7.3.13";
    pub(super) const BEYOND: &str =
        "an address beyond the input of stage 2 left no record; recorded, IHI 0070 3.4, 7.3.13";
}

impl Records {
    /// The records of all dumps. A machine's event queue continues from dump to dump; dumps that
    /// contradict one another, or whose queue has wrapped, are not used.
    pub(super) fn of(dumps: &[SmmuDump]) -> Self {
        let mut words: BTreeMap<u64, [u64; 4]> = BTreeMap::new();
        let mut agree = true;
        for dump in dumps {
            let register = |name: &str| dump.regs.get(name).copied();
            let (Some(base), Some(prod)) = (register("EVENTQ_BASE"), register("EVENTQ_PROD"))
            else {
                continue;
            };
            let ring = Ring::of(base);
            agree &= prod < ring.slots();
            for entry in &dump.eventq.entries {
                let index = u64::from(entry.index);
                if let ([first, second, third, fourth, ..], true) =
                    (entry.words.as_slice(), index < prod)
                {
                    let record = [*first, *second, *third, *fourth];
                    agree &= words.insert(index, record).is_none_or(|other| other == record);
                }
            }
        }
        let words = if agree { words } else { BTreeMap::new() };
        Self { words, told: 0 }
    }

    /// Counts a lookup's record, and returns it if a dump contains it.
    pub(super) fn pass(&mut self, end: &End) -> Option<[u64; 4]> {
        let End::Recorded(_) = end else { return None };
        self.told += 1;
        self.words.get(&(self.told - 1)).copied()
    }
}

/// The model's answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Reaches(u64),
    Faults(Event),
    Silent,
}

impl Following {
    pub(super) fn answer(&mut self, lookup: &Lookup) {
        let record = self.records.pass(&lookup.end);
        let Some(iova) = lookup.iova else {
            let reason = "the log says nothing of the address";
            *self.report.not_compared.entry(reason).or_default() += 1;
            return;
        };
        match &lookup.end {
            End::Translated { pa, perm } => {
                self.report.translations += 1;
                self.translated(lookup, iova, *pa, *perm);
            }
            End::Recorded(name) => {
                self.report.faults += 1;
                let now = Recorded { stream: lookup.stream, name: name.clone(), iova };
                if self.before.as_ref().is_some_and(|before| before.goes_on(&now)) {
                    self.deviates(deviation::PARTS);
                }
                match record {
                    Some(record) => self.record(lookup, name, record),
                    None => self.named(lookup, iova, name),
                }
                self.before = Some(now);
                return;
            }
            End::Nothing => {
                self.report.silent += 1;
                self.nothing(lookup, iova);
            }
        }
        self.before = None;
    }

    fn ask(&mut self, lookup: &Lookup, iova: u64, access: Access) -> Answer {
        let stream = StreamId::new(lookup.stream);
        match self.stand.translate(Who::of(stream), iova, access) {
            Outcome::Translated(found) => Answer::Reaches(found.pa.get()),
            Outcome::Terminated(Terminated { cause: Cause::Event(event, _), .. }) => {
                self.stand.empty_events();
                Answer::Faults(event)
            }
            Outcome::Stalled(stalled) => {
                self.stand.program();
                Answer::Faults(stalled.event)
            }
            Outcome::Terminated(_) => Answer::Silent,
        }
    }

    fn deviates(&mut self, name: &'static str) {
        *self.report.deviations.entry(name).or_default() += 1;
    }

    fn differs(&mut self, lookup: &Lookup, asked: String, expected: String, found: String) {
        let line = Some((self.report.file.clone(), lookup.line));
        self.report.differences.push(Difference { asked, expected, found, line });
    }

    /// The emulator returned an address and permissions.
    fn translated(&mut self, lookup: &Lookup, iova: u64, pa: u64, perm: u64) {
        for (access, bit) in [(Access::READ, 1), (Access::WRITE, 2)] {
            let found = self.ask(lookup, iova, access);
            let agrees = match found {
                Answer::Reaches(found) => perm & bit != 0 && found == pa,
                Answer::Faults(event) => perm & bit == 0 && event.kind == EventKind::Permission,
                Answer::Silent => false,
            };
            if !agrees {
                let expected = if perm & bit == 0 { "F_PERMISSION" } else { "" };
                let expected =
                    if expected.is_empty() { format!("{pa:#x}") } else { expected.to_owned() };
                self.differs(lookup, asked(lookup, iova, access), expected, text(found));
            }
        }
    }

    /// The emulator wrote this record.
    fn record(&mut self, lookup: &Lookup, name: &str, record: [u64; 4]) {
        self.report.records += 1;
        let access = access_of(record);
        let found = self.ask(lookup, record[2], access);
        let likeness = match found {
            Answer::Faults(event) if event.kind.name() == name => likeness(record, &event),
            _ => Likeness::None,
        };
        if let Likeness::But(deviation) = likeness {
            self.deviates(deviation);
        } else if likeness == Likeness::None {
            let expected = format!("{name}, record {}", hex_text(&record));
            let found = match found {
                Answer::Faults(event) => {
                    format!("{}, record {}", event.kind.name(), hex_text(&event.words()))
                }
                other => text(other),
            };
            self.differs(lookup, asked(lookup, record[2], access), expected, found);
        }
    }

    /// The emulator recorded an event of which only the name is known.
    fn named(&mut self, lookup: &Lookup, iova: u64, name: &str) {
        let found = [Access::READ, Access::WRITE].map(|access| self.ask(lookup, iova, access));
        let is_named =
            |answer: &Answer| matches!(answer, Answer::Faults(event) if event.kind.name() == name);
        if !found.iter().any(is_named) {
            let asked = asked(lookup, iova, Access::READ);
            let found = found.map(text).join(", written ");
            self.differs(lookup, asked, name.to_owned(), found);
        }
    }

    /// The emulator refused the access, and recorded nothing.
    fn nothing(&mut self, lookup: &Lookup, iova: u64) {
        let deviation_of = |answer: Answer| match answer {
            Answer::Faults(event) => known(&event, lookup),
            _ => None,
        };
        if let Some(is_write) = lookup.is_write {
            let access = if is_write { Access::WRITE } else { Access::READ };
            let found = self.ask(lookup, iova, access);
            return match deviation_of(found) {
                Some(name) => self.deviates(name),
                None if found == Answer::Silent => {}
                None => {
                    let expected = "refused without a record".to_owned();
                    self.differs(lookup, asked(lookup, iova, access), expected, text(found));
                }
            };
        }
        let found = [Access::READ, Access::WRITE].map(|access| self.ask(lookup, iova, access));
        match found.map(deviation_of) {
            [Some(name), Some(other)] if name == other => self.deviates(name),
            // One of the two explains it; the log does not show which access it was.
            [Some(name), _] if name == deviation::PERMISSION => {
                self.deviates(deviation::IF_IT_READ);
            }
            [_, Some(name)] if name == deviation::PERMISSION => {
                self.deviates(deviation::IF_IT_WROTE);
            }
            _ if found.contains(&Answer::Silent) => {}
            _ => {
                let asked = asked(lookup, iova, Access::READ);
                let found = found.map(text).join(", written ");
                self.differs(lookup, asked, "refused without a record".to_owned(), found);
            }
        }
    }
}

impl Recorded {
    /// Whether `next` is the next part of the same access.
    fn goes_on(&self, next: &Self) -> bool {
        self.stream == next.stream
            && self.name == next.name
            && self.iova.checked_add(CUT) == Some(next.iova)
    }
}

/// The known deviation that keeps the emulator from recording an event, if any.
fn known(event: &Event, lookup: &Lookup) -> Option<&'static str> {
    let is_beyond = lookup.descriptors.is_empty()
        && matches!(event.kind, EventKind::Translation | EventKind::AddrSize);
    match event.kind {
        EventKind::Permission if event.stage == Stage::Two => Some(deviation::PERMISSION),
        // No descriptor was read: the address itself decided.
        _ if is_beyond && event.detail == passim_smmu::v3::Detail::None => Some(deviation::BEYOND),
        _ => None,
    }
}

fn access_of([_, second, ..]: [u64; 4]) -> Access {
    let is_read = Record1::RNW.is_set(second);
    let privileged = Record1::PNU.is_set(second);
    Access {
        direction: if is_read { Direction::Read } else { Direction::Write },
        privilege: if privileged { Privilege::Privileged } else { Privilege::Unprivileged },
        instruction: is_read && Record1::IND.is_set(second),
    }
}

/// The similarity of two records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Likeness {
    /// They agree in every bit that the architecture determines.
    Same,
    /// They agree except for this deviation.
    But(&'static str),
    None,
}

fn likeness(recorded: [u64; 4], event: &Event) -> Likeness {
    /// Doubleword 3, below the IPA.
    const OFFSET: u64 = 0xfff;
    let mut known = [u64::MAX; 4];
    known[1] = determined(event);
    // IHI 0070 G.b 7.3.13: the IPA of a fault of stage 1 is UNKNOWN.
    if event.stage == Stage::One && event.kind != EventKind::WalkEabt {
        known[3] = !Record3::IPA.mask();
    }
    let words = event.words();
    let differing: [u64; 4] =
        core::array::from_fn(|index| (recorded[index] ^ words[index]) & known[index]);
    match differing {
        [0, 0, 0, 0] => Likeness::Same,
        [0, 0, 0, bits] if event.stage == Stage::Two && bits & !OFFSET == 0 => {
            Likeness::But(deviation::OFFSET)
        }
        _ => Likeness::None,
    }
}

/// The bits of doubleword 1 that are not UNKNOWN. IHI 0070 G.b 7.3.12 to 7.3.16: STAG is for
/// stalls, TTRnW for faults of stage 2 on a descriptor of stage 1, NSIPA goes with the IPA.
fn determined(event: &Event) -> u64 {
    let of_stage2 = event.stage == Stage::Two;
    let of_table = of_stage2 && event.class == Class::Tt && event.kind == EventKind::Permission;
    let open = [
        (event.stall.is_none(), Record1::STAG),
        (!of_table, Record1::TTRNW),
        (!of_stage2, Record1::NSIPA),
    ];
    let open = open.into_iter().filter(|(open, _)| *open);
    !open.fold(0, |bits, (_, field)| bits | field.mask())
}

fn asked(lookup: &Lookup, iova: u64, access: Access) -> String {
    let verb = if access.is_write() { "write" } else { "read" };
    format!("stream {:#x}: {verb} at {iova:#x}", lookup.stream)
}

fn text(answer: Answer) -> String {
    match answer {
        Answer::Reaches(pa) => format!("{pa:#x}"),
        Answer::Faults(event) => event.kind.name().to_owned(),
        Answer::Silent => "ended without a record".to_owned(),
    }
}

/// `0x10 0x0`: doublewords of a record.
fn hex_text(words: &[u64]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("{word:#x}")).collect();
    words.join(" ")
}
