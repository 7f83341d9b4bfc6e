//! Translates every leaf of a dump, every expectation and the gaps between leaves through its SMMU,
//! and executes its commands.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `expectation` | does the SMMU translate as a recording expects? |
//! | `recorded` | do the recorder's decoded fields and addresses agree with the words? |

mod expectation;
mod recorded;

use passim_model::Access;
use passim_model::access::Privilege;
use passim_oracle::walk::TableLeaf;
use passim_smmu::v3::{Cause, EventKind, Outcome, Terminated};

use super::answer::{Answer, access_text, asked};
use super::dumped_smmu::{DumpedSmmu, Who};
use super::expected::Expectations;
use super::queue::execute;
use super::report::DumpReport;
use super::second::{Reading, Registers, Tables, read_stream, substreams};
use crate::recording::dump::Stream;

/// The progress of [`look`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Leaves translated.
    pub done: u64,
    /// Leaves of the dump.
    pub all: u64,
}

/// SMMU_GBPA.ABORT, IHI 0070 G.b 6.3.14.
const GBPA_ABORT: u64 = 1 << 20;

/// Most times a table may be read for one list of leaves.
const SHARED: u64 = 16;

/// log2 of the smallest page.
const PAGE_LG2: u8 = 12;

/// Number of leaves between calls of `observe`.
const OBSERVE_EVERY: u64 = 256;

/// Added to the first address beyond the input size: addresses that must fault.
const BEYOND: [u64; 3] = [0, 1 << 52, u64::MAX >> 8 << 3];

/// A fetch of an instruction.
const FETCH: Access = Access { instruction: true, ..Access::READ };

/// Accesses made at each address.
const ACCESSES: [Access; 6] = [
    Access::READ,
    Access::WRITE,
    FETCH,
    Access { privilege: Privilege::Privileged, ..Access::READ },
    Access { privilege: Privilege::Privileged, ..Access::WRITE },
    Access { privilege: Privilege::Privileged, ..FETCH },
];

/// Translates every leaf of a dump, the gaps between them, and what recordings expect through its
/// SMMU. `observe` receives the progress from time to time.
pub fn look(
    stand: &mut DumpedSmmu,
    expectations: &Expectations,
    file: String,
    mut observe: impl FnMut(Progress),
) -> DumpReport {
    let mut report = DumpReport::new(file, stand.name.clone());
    let registers = registers(stand);
    let streams = stand.dump.streams.clone();
    let names = [stand.name.clone(), stand.dump.tag.clone().unwrap_or_default()];
    let all = streams.iter().map(|stream| stream.leaves.len() as u64).sum();
    let mut look = Look { stand, report: &mut report };
    let is_off = look.stand.is_off();
    streams.iter().for_each(|stream| look.recorded(stream));
    if is_off {
        look.while_off(&streams);
    }
    for stream in streams.iter().filter(|_| !is_off) {
        look.report.streams += 1;
        let reading = read_stream(&registers, stream.stream, None, &|at| look.stand.word(at));
        let mut observe = |done| observe(Progress { done, all });
        look.requester(stream, Who::of(stream.stream), reading, &mut observe);
        for substream in substreams(&registers, stream.stream, &|at| look.stand.word(at)) {
            let who = Who { stream: stream.stream, substream: Some(substream) };
            let read = |at| look.stand.word(at);
            let reading = read_stream(&registers, who.stream, who.substream, &read);
            look.requester(stream, who, reading, &mut observe);
        }
    }
    if !is_off {
        look.unknown_stream(&registers);
    }
    let names = names.each_ref().map(String::as_str);
    for expectation in expectations.of(&names) {
        look.expectation(&registers, &streams, expectation);
    }
    execute(stand, &mut report);
    report
}

/// The registers of a dump that the second walk needs.
pub(super) fn registers(stand: &DumpedSmmu) -> Registers {
    Registers {
        idr0: stand.register("IDR0"),
        idr1: stand.register("IDR1"),
        idr3: stand.register("IDR3"),
        idr5: stand.register("IDR5"),
        aidr: stand.register("AIDR"),
        mpamidr: stand.register("MPAMIDR"),
        cr2: stand.register("CR2"),
        strtab_base: stand.register("STRTAB_BASE"),
        strtab_base_cfg: stand.register("STRTAB_BASE_CFG"),
    }
}

/// Most leaves that are read of a stream: a table may be shared a limited number of times, so that
/// the walk of one that points back to itself ends.
pub(super) fn most_leaves(stream: &Stream) -> u64 {
    let entries = stream.tables.iter().map(|table| u64::from(table.entries)).sum::<u64>();
    SHARED * entries.max(1)
}

struct Look<'a> {
    stand: &'a mut DumpedSmmu,
    report: &'a mut DumpReport,
}

impl Look<'_> {
    /// Checks the streams of an SMMU that is disabled: every access passes unchanged, or none does.
    /// IHI 0070 G.b 3.11, 6.3.14.
    fn while_off(&mut self, streams: &[Stream]) {
        self.report.skip("SMMU_CR0.SMMUEN is 0: no table is read, GBPA decides");
        for stream in streams {
            self.report.streams += 1;
            let reading = match self.stand.register("GBPA") & GBPA_ABORT {
                0 => Reading::Bypasses,
                _ => Reading::Aborts,
            };
            self.without_tables(stream, Who::of(stream.stream), reading);
        }
    }

    /// Makes one access, and returns the answer.
    fn ask(&mut self, who: Who, iova: u64, access: Access) -> Answer {
        self.report.asked += 1;
        match self.stand.translate(who, iova, access) {
            Outcome::Translated(found) => Answer::Reaches { pa: found.pa.get(), lg2: found.lg2 },
            Outcome::Terminated(Terminated { cause: Cause::Event(event, _), .. }) => {
                self.stand.empty_events();
                Answer::faults(&event)
            }
            Outcome::Terminated(_) => Answer::Silent,
            Outcome::Stalled(stalled) => {
                // No software resumes a stalled transaction here: the SMMU starts anew.
                self.stand.program();
                Answer::faults(&stalled.event)
            }
        }
    }

    /// Checks one source of accesses of a stream.
    fn requester(
        &mut self,
        stream: &Stream,
        who: Who,
        reading: Reading,
        observe: &mut impl FnMut(u64),
    ) {
        match reading {
            Reading::Tables(tables) => self.tables(stream, who, &tables, observe),
            other => {
                self.no_leaf(stream, who, &other);
                self.without_tables(stream, who, other);
            }
        }
    }

    fn tables(
        &mut self,
        stream: &Stream,
        who: Who,
        tables: &Tables,
        observe: &mut impl FnMut(u64),
    ) {
        let most = most_leaves(stream);
        let Some(leaves) = tables.leaves(&|at| self.stand.word(at), most) else {
            let what = format!("{}: tables", place(stream, who));
            self.report.differs(
                what,
                "every table is in the dump",
                "one is not, or they never end",
            );
            return;
        };
        if who.substream.is_none() {
            self.listed(stream, &leaves);
        }
        let place = place(stream, who);
        for leaf in &leaves {
            self.leaf(who, tables, leaf, &place);
            self.report.leaves += 1;
            if self.report.leaves.is_multiple_of(OBSERVE_EVERY) {
                observe(self.report.leaves);
            }
        }
        self.gaps(who, tables, &leaves, &place);
    }

    /// Reports a dump that lists leaves of a stream without tables.
    fn no_leaf(&mut self, stream: &Stream, who: Who, reading: &Reading) {
        let is_judged = !matches!(reading, Reading::Unread(_));
        let (Some(first), None, true) = (stream.leaves.first(), who.substream, is_judged) else {
            return;
        };
        let what = format!("{}: list of leaves", place(stream, who));
        let count = stream.leaves.len();
        let found = self.ask(who, first.iova.get(), Access::READ).text();
        let found = format!("no tables; a read of the first: {found}");
        self.report.differs(what, format!("{count} leaves"), found);
    }

    /// Compares the dump's list of leaves with its tables.
    fn listed(&mut self, stream: &Stream, leaves: &[TableLeaf]) {
        let mut listed: Vec<TableLeaf> = stream
            .leaves
            .iter()
            .map(|leaf| TableLeaf {
                iova: leaf.iova.get(),
                pa: leaf.pa.get(),
                size: leaf.size,
                descriptor: leaf.descriptor,
            })
            .collect();
        listed.sort_unstable();
        let (mut ours, mut theirs) = (leaves.iter().peekable(), listed.iter().peekable());
        loop {
            let (our, their) = (ours.peek().copied(), theirs.peek().copied());
            let (our, their) = match (our, their) {
                (None, None) => break,
                (Some(our), Some(their)) if our.iova < their.iova => (Some(our), None),
                (Some(our), Some(their)) if their.iova < our.iova => (None, Some(their)),
                both => both,
            };
            ours.next_if(|_| our.is_some());
            theirs.next_if(|_| their.is_some());
            if our != their {
                let what = format!("{}: list of leaves", place(stream, Who::of(stream.stream)));
                self.report.differs(what, leaf_text(their), leaf_text(our));
            }
        }
    }

    /// Checks both ends of a leaf and a page in between, with every access; first with nothing
    /// cached.
    fn leaf(&mut self, who: Who, tables: &Tables, leaf: &TableLeaf, place: &str) {
        self.stand.smmu.clear_caches();
        let middle = (leaf.size / 2) & !7;
        for offset in [0, leaf.size - 8, middle] {
            for access in ACCESSES {
                let iova = leaf.iova + offset;
                self.compare(who, tables, iova, access, place);
            }
        }
    }

    /// Compares one access with the second walk.
    fn compare(&mut self, who: Who, tables: &Tables, iova: u64, access: Access, place: &str) {
        let asked = tables.overrides.apply(asked(access));
        let reached = tables.translate(iova, asked, &|at| self.stand.word(at));
        let expected = Answer::expected(reached, who, iova, asked);
        let found = self.ask(who, iova, access);
        if !expected.agrees(found) {
            let what = format!("{place}: {} at {iova:#x}", access_text(access));
            self.report.differs(what, expected.text(), found.text());
        }
    }

    /// Unmapped addresses must fault: both ends and the middle of each gap of both halves, and
    /// addresses in neither half.
    fn gaps(&mut self, who: Who, tables: &Tables, leaves: &[TableLeaf], place: &str) {
        // For a half without tables, one page is checked.
        let end = 1u64 << tables.input_bits().max(PAGE_LG2);
        let mut asked = between(leaves, 0, end - 8);
        asked.extend(BEYOND.map(|more| end | more));
        if let Some(bits) = tables.upper_bits() {
            let start = u64::MAX << bits.max(PAGE_LG2);
            asked.extend(between(leaves, start, !7));
            asked.push(start - 8);
        }
        for iova in asked {
            self.report.unmapped += 1;
            for access in [Access::READ, Access::WRITE] {
                self.compare(who, tables, iova, access, place);
            }
        }
    }

    /// Checks a stream without tables, or with tables that the second walk cannot read.
    fn without_tables(&mut self, stream: &Stream, who: Who, reading: Reading) {
        let iova = 0x1000;
        let readings = match reading {
            Reading::Either(two) => Vec::from(*two),
            one => vec![one],
        };
        let expected = readings.into_iter().map(|reading| answer_of(reading, who, iova));
        let expected: Vec<_> = match expected.collect() {
            Ok(expected) => expected,
            Err(reason) => return self.report.skip(reason),
        };
        let found = self.ask(who, iova, Access::READ);
        if !expected.iter().any(|expected| expected.agrees(found)) {
            let what = format!("{}: read at {iova:#x}", place(stream, who));
            let texts: Vec<_> = expected.into_iter().map(Answer::text).collect();
            self.report.differs(what, texts.join("; or "), found.text());
        }
    }

    /// Checks a StreamID beyond the stream table. IHI 0070 G.b 7.3.3.
    fn unknown_stream(&mut self, registers: &Registers) {
        let Some(stream) = registers.first_beyond() else { return };
        let expected = Answer::misconfigured(EventKind::BadStreamId, Who::of(stream));
        let found = self.ask(Who::of(stream), 0, Access::READ);
        if !expected.agrees(found) {
            let what = format!("stream {:#x}, beyond the stream table", stream.get());
            self.report.differs(what, expected.text(), found.text());
        }
    }
}

/// The required answer to a read at `iova` without tables; `Err` explains why it is not known.
fn answer_of(reading: Reading, who: Who, iova: u64) -> Result<Answer, &'static str> {
    Ok(match reading {
        Reading::NoStream => Answer::misconfigured(EventKind::BadStreamId, who),
        Reading::Nothing => Answer::misconfigured(EventKind::BadSte, who),
        Reading::NoContext => Answer::misconfigured(EventKind::BadCd, who),
        Reading::NoPath(refused, overrides) => {
            Answer::expected(Err(refused), who, iova, overrides.apply(asked(Access::READ)))
        }
        Reading::NoSubstream => Answer::misconfigured(EventKind::BadSubstreamId, who),
        Reading::Disabled => Answer::misconfigured(EventKind::StreamDisabled, who),
        Reading::Aborts => Answer::Silent,
        Reading::Bypasses => Answer::Reaches { pa: iova, lg2: 64 },
        Reading::Unread(reason) => return Err(reason),
        Reading::Tables(_) | Reading::Either(_) => return Err("tables beside what has none"),
    })
}

/// Both ends and the middle of each gap between leaves, from `first` to the word at `last`.
fn between(leaves: &[TableLeaf], first: u64, last: u64) -> Vec<u64> {
    let mut gaps = Vec::new();
    let mut from = Some(first);
    for leaf in leaves.iter().filter(|leaf| first <= leaf.iova && leaf.iova <= last) {
        if let Some(start) = from.filter(|start| *start < leaf.iova) {
            gaps.push((start, leaf.iova - 8));
        }
        // The last leaf of the upper half ends with the address space.
        from = leaf.iova.checked_add(leaf.size);
    }
    gaps.extend(from.filter(|start| *start <= last).map(|start| (start, last)));
    let of = |(first, last): (u64, u64)| [first, first + (((last - first) / 2) & !7), last];
    gaps.into_iter().flat_map(of).collect()
}

fn place(stream: &Stream, who: Who) -> String {
    let place = format!("stream {:#x} of {}", stream.stream.get(), stream.dev);
    match who.substream {
        None => place,
        Some(substream) => format!("{place}, substream {:#x}", substream.get()),
    }
}

fn leaf_text(leaf: Option<&TableLeaf>) -> String {
    match leaf {
        None => "no leaf there".to_owned(),
        Some(TableLeaf { iova, pa, size, descriptor }) => {
            format!("{iova:#x} -> {pa:#x}, {size:#x} bytes, descriptor {descriptor:#x}")
        }
    }
}
