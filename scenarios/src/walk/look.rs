//! Every leaf, every expectation and the gaps between them, put to the SMMU of a dump; and its
//! commands.

use passim_model::access::Privilege;
use passim_model::pgtable::vmsav8;
use passim_model::{Access, StreamId};
use passim_oracle::Stage;
use passim_oracle::walk::{Privilege as Asker, TableLeaf};
use passim_smmu::v3::{Cause, Detail, Event, EventKind, Outcome, Terminated};

use super::expected::{Expectation, Expectations};
use super::queue::execute;
use super::report::DumpReport;
use super::second::{Kind, Reached, Reading, Refused, Registers, Tables, read_stream};
use super::stand::Stand;
use crate::recording::dump::Stream;

/// How far a look is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Leaves asked for.
    pub done: u64,
    /// Leaves of the dump.
    pub all: u64,
}

/// SMMU_CR0, IHI 0070 G.b 6.3.9.
const SMMUEN: u64 = 1;

/// How often a table may be read for one list of leaves.
const SHARED: u64 = 16;

/// How often `observe` is told.
const OBSERVE_EVERY: u64 = 256;

/// Added to the input size, addresses beyond it that are asked for.
const BEYOND: [u64; 3] = [0, 1 << 52, u64::MAX >> 8 << 3];

/// Accesses made at each address.
const ACCESSES: [Access; 4] = [
    Access::READ,
    Access::WRITE,
    Access { privilege: Privilege::Privileged, ..Access::READ },
    Access { privilege: Privilege::Privileged, ..Access::WRITE },
];

/// Puts every leaf of a dump, what lies between them, and what recordings expect to its SMMU.
/// `observe` is told now and then how far it is.
pub fn look(
    stand: &mut Stand,
    expectations: &Expectations,
    file: String,
    mut observe: impl FnMut(Progress),
) -> DumpReport {
    let mut report = DumpReport::new(file, stand.name.clone());
    if stand.register("CR0") & SMMUEN == 0 {
        report.skip("SMMU_CR0.SMMUEN is 0: nothing is translated");
        return report;
    }
    let registers = Registers {
        idr0: stand.register("IDR0"),
        idr5: stand.register("IDR5"),
        strtab_base: stand.register("STRTAB_BASE"),
        strtab_base_cfg: stand.register("STRTAB_BASE_CFG"),
    };
    let streams = stand.dump.streams.clone();
    let names = [stand.name.clone(), stand.dump.tag.clone().unwrap_or_default()];
    let all = streams.iter().map(|stream| stream.leaves.len() as u64).sum();
    let mut look = Look { stand, report: &mut report };
    for stream in &streams {
        look.report.streams += 1;
        let reading = read_stream(&registers, stream.stream, &|at| look.stand.word(at));
        match reading {
            Reading::Tables(tables) => {
                look.tables(stream, &tables, |done| observe(Progress { done, all }));
            }
            other => look.without_tables(stream, other),
        }
    }
    look.unknown_stream(&registers);
    let names = names.each_ref().map(String::as_str);
    for expectation in expectations.of(&names) {
        look.expectation(&registers, &streams, expectation);
    }
    execute(stand, &mut report);
    report
}

struct Look<'a> {
    stand: &'a mut Stand,
    report: &'a mut DumpReport,
}

/// What an answer amounts to, for comparing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    Reaches { pa: u64, lg2: u8 },
    Faults(EventKind, Option<(Stage, Option<u8>)>),
    Silent,
}

impl Look<'_> {
    /// One access; what became of it.
    fn ask(&mut self, stream: StreamId, iova: u64, access: Access) -> Answer {
        self.report.asked += 1;
        match self.stand.translate(stream, iova, access) {
            Outcome::Translated(found) => Answer::Reaches { pa: found.pa.get(), lg2: found.lg2 },
            Outcome::Terminated(Terminated { cause: Cause::Event(event, _), .. }) => {
                self.stand.empty_events();
                faults(&event)
            }
            Outcome::Terminated(_) => Answer::Silent,
            Outcome::Stalled(stalled) => {
                // What waits for software waits for ever here: begin anew.
                self.stand.program();
                faults(&stalled.event)
            }
        }
    }

    fn tables(&mut self, stream: &Stream, tables: &Tables, mut observe: impl FnMut(u64)) {
        // A table is read once, or as often as others share it; one that leads back to itself ends.
        let entries = stream.tables.iter().map(|table| u64::from(table.entries)).sum::<u64>();
        let most = SHARED * entries.max(1);
        let Some(leaves) = tables.leaves(&|at| self.stand.word(at), most) else {
            let what = format!("{}: tables", place(stream));
            self.report.differs(
                what,
                "every table is in the dump",
                "one is not, or they never end",
            );
            return;
        };
        self.listed(stream, &leaves);
        for leaf in &leaves {
            self.leaf(stream, tables, leaf);
            self.report.leaves += 1;
            if self.report.leaves.is_multiple_of(OBSERVE_EVERY) {
                observe(self.report.leaves);
            }
        }
        self.gaps(stream, tables, &leaves);
    }

    /// The dump's list of leaves against the tables it holds.
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
                let what = format!("{}: list of leaves", place(stream));
                self.report.differs(what, leaf_text(their), leaf_text(our));
            }
        }
    }

    /// Both ends of a leaf and a page in between, by every access; first with nothing cached.
    fn leaf(&mut self, stream: &Stream, tables: &Tables, leaf: &TableLeaf) {
        self.stand.smmu.clear_caches();
        let middle = (leaf.size / 2) & !7;
        for offset in [0, leaf.size - 8, middle] {
            for access in ACCESSES {
                let iova = leaf.iova + offset;
                self.compare(stream.stream, tables, iova, access, &place(stream));
            }
        }
    }

    /// One access, as the second reading says.
    fn compare(
        &mut self,
        stream: StreamId,
        tables: &Tables,
        iova: u64,
        access: Access,
        place: &str,
    ) -> Answer {
        let asker = match access.privilege {
            Privilege::Unprivileged => Asker::Unprivileged,
            Privilege::Privileged => Asker::Privileged,
        };
        let reached = tables.translate(iova, asker, &|at| self.stand.word(at));
        let expected = expected(reached, access);
        let found = self.ask(stream, iova, access);
        if !agree(expected, found) {
            let what = format!("{place}: {} at {iova:#x}", access_text(access));
            self.report.differs(what, answer_text(expected), answer_text(found));
        }
        found
    }

    /// What is not mapped faults: both ends and the middle of each gap, and beyond the input size.
    fn gaps(&mut self, stream: &Stream, tables: &Tables, leaves: &[TableLeaf]) {
        let end = 1u64 << tables.input_bits();
        let mut gaps = Vec::new();
        let mut from = 0;
        for leaf in leaves {
            if from < leaf.iova {
                gaps.push((from, leaf.iova - 8));
            }
            from = leaf.iova + leaf.size;
        }
        if from < end {
            gaps.push((from, end - 8));
        }
        let place = place(stream);
        let inside = gaps
            .into_iter()
            .flat_map(|(first, last)| [first, first + (((last - first) / 2) & !7), last]);
        for iova in inside.chain(BEYOND.map(|more| end | more)) {
            self.report.unmapped += 1;
            for access in [Access::READ, Access::WRITE] {
                self.compare(stream.stream, tables, iova, access, &place);
            }
        }
    }

    /// A stream that has no tables, or none that the second reading can read.
    fn without_tables(&mut self, stream: &Stream, reading: Reading) {
        let iova = 0x1000;
        let expected = match reading {
            Reading::Nothing => Answer::Faults(EventKind::BadSte, None),
            Reading::NoContext => Answer::Faults(EventKind::BadCd, None),
            Reading::Aborts => Answer::Silent,
            Reading::Bypasses => Answer::Reaches { pa: iova, lg2: 64 },
            Reading::Unread(reason) => return self.report.skip(reason),
            Reading::Tables(_) => return,
        };
        let found = self.ask(stream.stream, iova, Access::READ);
        if !agree(expected, found) {
            let what = format!("{}: read at {iova:#x}", place(stream));
            self.report.differs(what, answer_text(expected), answer_text(found));
        }
    }

    /// A StreamID that the stream table has no room for. IHI 0070 G.b 7.3.3.
    fn unknown_stream(&mut self, registers: &Registers) {
        let Some(stream) = registers.first_beyond() else { return };
        let expected = Answer::Faults(EventKind::BadStreamId, None);
        let found = self.ask(stream, 0, Access::READ);
        if !agree(expected, found) {
            let what = format!("stream {:#x}, beyond the stream table", stream.get());
            self.report.differs(what, answer_text(expected), answer_text(found));
        }
    }

    /// An `expect` line: the page leads where it says, and allows what its flags say.
    fn expectation(&mut self, registers: &Registers, streams: &[Stream], it: &Expectation) {
        self.report.expectations += 1;
        let (expect, before) = (&it.expect, self.report.differences.len());
        let of_device: Vec<_> =
            streams.iter().filter(|stream| stream.dev == expect.dev).map(|it| it.stream).collect();
        if of_device.is_empty() {
            let what = format!("{} of {}", expect.iova, expect.dev);
            self.report.differs(what, "a stream of that device", "none is in the dump");
        }
        for stream in of_device {
            match read_stream(registers, stream, &|at| self.stand.word(at)) {
                Reading::Tables(tables) if tables.are_nested() => {
                    self.report.skip("a line that expects something of two stages together");
                }
                Reading::Tables(tables) => {
                    let allowed = allowed(tables.first_stage(), expect.flags);
                    self.page(stream, it, allowed);
                }
                Reading::Unread(reason) => self.report.skip(reason),
                other => {
                    let what = format!("{} of {}", expect.iova, expect.dev);
                    self.report.differs(what, expect.pa.to_string(), format!("{other:?}"));
                }
            }
        }
        for difference in &mut self.report.differences[before..] {
            difference.line = Some((it.file.clone(), it.line));
        }
    }

    fn page(&mut self, stream: StreamId, it: &Expectation, (read, write): (bool, bool)) {
        let (iova, pa) = (it.expect.iova.get(), it.expect.pa.get());
        for offset in [0, it.expect.size.saturating_sub(8)] {
            for (access, is_allowed) in [(Access::READ, read), (Access::WRITE, write)] {
                let (Some(iova), Some(pa)) = (iova.checked_add(offset), pa.checked_add(offset))
                else {
                    continue;
                };
                let found = self.ask(stream, iova, access);
                let agrees = match found {
                    Answer::Reaches { pa: found, .. } => is_allowed && found == pa,
                    Answer::Faults(kind, _) => !is_allowed && kind == EventKind::Permission,
                    Answer::Silent => false,
                };
                if !agrees {
                    let what = format!("{} at {iova:#x} of {}", access_text(access), it.expect.dev);
                    let expected =
                        if is_allowed { format!("{pa:#x}") } else { "F_PERMISSION".to_owned() };
                    self.report.differs(what, expected, answer_text(found));
                }
            }
        }
    }
}

/// What a mapping of these flags allows to read and to write. Measured on 6.1 and 6.12: stage 1
/// has no way to forbid reading alone, stage 2 has.
fn allowed(stage: Stage, flags: u32) -> (bool, bool) {
    /// VFIO_DMA_MAP_FLAG_READ and VFIO_DMA_MAP_FLAG_WRITE.
    const READ: u32 = 1 << 0;
    const WRITE: u32 = 1 << 1;
    (stage == Stage::One || flags & READ != 0, flags & WRITE != 0)
}

fn expected(reached: Result<Reached, Refused>, access: Access) -> Answer {
    match reached {
        Ok(Reached { pa, size, readable, writable }) => {
            let is_allowed = if access.is_write() { writable } else { readable };
            if is_allowed {
                Answer::Reaches { pa, lg2: size.trailing_zeros() as u8 }
            } else {
                Answer::Faults(EventKind::Permission, None)
            }
        }
        Err(Refused { kind, stage, level }) => {
            let kind = match kind {
                Kind::Translation => EventKind::Translation,
                Kind::AddressSize => EventKind::AddrSize,
                Kind::Access => EventKind::Access,
                Kind::Abort => EventKind::WalkEabt,
            };
            Answer::Faults(kind, Some((stage, level)))
        }
    }
}

fn faults(event: &Event) -> Answer {
    let stage = match event.stage {
        vmsav8::Stage::One => Stage::One,
        vmsav8::Stage::Two => Stage::Two,
    };
    let level = match event.detail {
        Detail::Level(level) => u8::try_from(level).ok(),
        _ => None,
    };
    Answer::Faults(event.kind, Some((stage, level)))
}

/// Whether an answer is the expected one; what is not expected in particular may be anything.
fn agree(expected: Answer, found: Answer) -> bool {
    match (expected, found) {
        (Answer::Faults(kind, None), Answer::Faults(found, _)) => kind == found,
        (
            Answer::Faults(kind, Some((stage, level))),
            Answer::Faults(found, Some((found_stage, found_level))),
        ) => {
            let same_level = level.is_none() || level == found_level;
            kind == found && stage == found_stage && same_level
        }
        _ => expected == found,
    }
}

fn place(stream: &Stream) -> String {
    format!("stream {:#x} of {}", stream.stream.get(), stream.dev)
}

fn access_text(access: Access) -> &'static str {
    match (access.privilege, access.is_write()) {
        (Privilege::Unprivileged, false) => "read",
        (Privilege::Unprivileged, true) => "write",
        (Privilege::Privileged, false) => "privileged read",
        (Privilege::Privileged, true) => "privileged write",
    }
}

fn answer_text(answer: Answer) -> String {
    match answer {
        Answer::Reaches { pa, lg2: 64 } => format!("{pa:#x}, not translated"),
        Answer::Reaches { pa, lg2 } => format!("{pa:#x}, by a leaf of {:#x} bytes", 1u64 << lg2),
        Answer::Faults(kind, place) => {
            let (stage, level) = match place {
                None => (String::new(), None),
                Some((Stage::One, level)) => (" of stage 1".to_owned(), level),
                Some((Stage::Two, level)) => (" of stage 2".to_owned(), level),
            };
            let level = level.map_or_else(String::new, |level| format!(" at level {level}"));
            format!("{}{stage}{level}", kind.name())
        }
        Answer::Silent => "ended without a record".to_owned(),
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
