//! Every leaf and every command of a dump, as its SMMU sees them.
//!
//! The second walk finds the bounds of leaves; their address, size, permissions and attributes are
//! the SMMU's answers, with nothing cached. Contiguous leaves that are alike form one run. Not
//! here: whether both walks agree ([`look`](super::look)).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `queues` | which commands and events are in the queues? |

mod queues;

use std::fmt;

use passim_model::access::Privilege;
use passim_model::{Access, Perms};
use passim_oracle::walk::TableLeaf;
use passim_smmu::attributes::{Attributes, Shareability};
use passim_smmu::v3::{Outcome, Step, Translated};
use serde::Serialize;

use super::dumped_smmu::{DumpedSmmu, Who, transaction};
use super::look::{most_leaves, registers};
use super::second::{Reading, Registers, read_stream, substreams};
use super::tell::{NarratedStep, tell};
use crate::recording::dump::Stream;
use crate::system::Explained;
use queues::ListedEntry;

/// The contents of an SMMU's dump, item by item.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Listing {
    /// The streams, and the SubstreamIDs that have a CD.
    pub streams: Vec<ListedStream>,
    /// The commands of the queue, the oldest first.
    pub commands: Vec<ListedEntry>,
    /// The records of the Event queue.
    pub events: Vec<ListedEntry>,
}

/// A source of accesses: a stream, or a SubstreamID of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedStream {
    /// StreamID.
    pub stream: u32,
    /// SubstreamID.
    pub substream: Option<u32>,
    /// The device.
    pub dev: String,
    /// Its structures: STE, CD, and the level 1 descriptors above them.
    pub structures: Vec<NarratedStep>,
    /// The result of an access where there are no tables.
    pub without_tables: Option<String>,
    /// Runs of leaves, by ascending IOVA.
    pub runs: Vec<ListedRun>,
}

/// Contiguous leaves with contiguous output addresses that are alike.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ListedRun {
    /// First IOVA.
    pub iova: String,
    /// Last IOVA.
    pub last: String,
    /// The physical address of the first; `None` where no access is permitted.
    pub pa: Option<String>,
    /// The physical address of the last.
    pub pa_last: Option<String>,
    /// Bytes of a leaf.
    pub size: u64,
    /// Number of leaves.
    pub leaves: u64,
    /// The permissions of unprivileged accesses.
    pub unprivileged: String,
    /// The permissions of privileged accesses.
    pub privileged: String,
    /// Memory type, as in MAIR.
    pub memory: Option<String>,
    /// `non`, `inner` or `outer`.
    pub shareability: Option<&'static str>,
}

/// A leaf, as the SMMU translates it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Answered {
    pa: Option<u64>,
    perms: [Option<Perms>; 2],
    attributes: Option<Attributes>,
}

/// Contiguous leaves.
struct Run {
    iova: u64,
    size: u64,
    leaves: u64,
    answered: Answered,
}

impl Listing {
    /// The listing of a dump. The SMMU is unchanged, with nothing cached.
    pub fn of(stand: &mut DumpedSmmu) -> Self {
        let registers = registers(stand);
        let mut streams = Vec::new();
        for stream in stand.dump.streams.clone() {
            streams.push(listed(stand, &registers, &stream, Who::of(stream.stream)));
            let known = substreams(&registers, stream.stream, &|at| stand.word(at));
            for substream in known {
                let who = Who { stream: stream.stream, substream: Some(substream) };
                streams.push(listed(stand, &registers, &stream, who));
            }
        }
        stand.program();
        let (commands, events) = (queues::commands(stand), queues::events(stand));
        Self { streams, commands, events }
    }
}

fn listed(
    stand: &mut DumpedSmmu,
    registers: &Registers,
    stream: &Stream,
    who: Who,
) -> ListedStream {
    let reading = read_stream(registers, who.stream, who.substream, &|at| stand.word(at));
    let leaves = match (&reading, stand.is_off()) {
        (Reading::Tables(tables), false) => {
            tables.leaves(&|at| stand.word(at), most_leaves(stream))
        }
        _ => None,
    };
    let asked =
        transaction(who, leaves.iter().flatten().next().map_or(0, |it| it.iova), Access::READ);
    let explanation = stand.explain(&asked);
    let is_structure = |step: &&Step| {
        matches!(
            step,
            Step::LevelOneStream { .. }
                | Step::Ste { .. }
                | Step::LevelOneCd { .. }
                | Step::Cd { .. }
        )
    };
    let structures = explanation.steps.iter().filter(is_structure).map(NarratedStep::of).collect();
    let without_tables =
        leaves.is_none().then(|| tell(&asked, &Explained::V3(explanation)).verdict);
    ListedStream {
        stream: who.stream.get(),
        substream: who.substream.map(|substream| substream.get()),
        dev: stream.dev.to_string(),
        structures,
        without_tables,
        runs: runs(stand, who, &leaves.unwrap_or_default()),
    }
}

fn runs(stand: &mut DumpedSmmu, who: Who, leaves: &[TableLeaf]) -> Vec<ListedRun> {
    let mut runs: Vec<Run> = Vec::new();
    for leaf in leaves {
        stand.smmu.clear_caches();
        let answered = answered(stand, who, leaf.iova);
        match runs.last_mut().filter(|run| run.goes_on_with(leaf, answered)) {
            Some(run) => run.leaves += 1,
            None => runs.push(Run { iova: leaf.iova, size: leaf.size, leaves: 1, answered }),
        }
    }
    runs.iter().map(Run::listed).collect()
}

/// The SMMU's answer at the start of a leaf: for each privilege, the first permitted access returns
/// all permissions.
fn answered(stand: &mut DumpedSmmu, who: Who, iova: u64) -> Answered {
    let fetch = Access { instruction: true, ..Access::READ };
    let mut answered = Answered { pa: None, perms: [None; 2], attributes: None };
    let privileges = [Privilege::Unprivileged, Privilege::Privileged];
    for (privilege, perms) in privileges.into_iter().zip(&mut answered.perms) {
        for access in [Access::READ, Access::WRITE, fetch] {
            match stand.translate(who, iova, Access { privilege, ..access }) {
                Outcome::Translated(Translated { pa, perms: found, attributes, .. }) => {
                    answered.pa = Some(pa.get());
                    answered.attributes = Some(attributes);
                    *perms = Some(found);
                    break;
                }
                Outcome::Terminated(_) => stand.empty_events(),
                Outcome::Stalled(_) => stand.program(),
            }
        }
    }
    answered
}

impl Run {
    fn bytes(&self) -> u64 {
        self.size.wrapping_mul(self.leaves)
    }

    fn goes_on_with(&self, leaf: &TableLeaf, next: Answered) -> bool {
        let pa = self.answered.pa.map(|pa| pa.wrapping_add(self.bytes()));
        let alike = Answered { pa, ..self.answered } == next;
        alike && self.size == leaf.size && self.iova.wrapping_add(self.bytes()) == leaf.iova
    }

    fn listed(&self) -> ListedRun {
        let last = self.bytes().wrapping_sub(1);
        let Answered { pa, perms, attributes } = self.answered;
        let hex = |word: u64| format!("{word:#x}");
        let [unprivileged, privileged] =
            perms.map(|perms| perms.map_or("-".to_owned(), |perms| perms.to_string()));
        let shared = |it: Attributes| match it.shareability {
            Shareability::Non => "non",
            Shareability::Inner => "inner",
            Shareability::Outer => "outer",
        };
        ListedRun {
            iova: hex(self.iova),
            last: hex(self.iova.wrapping_add(last)),
            pa: pa.map(hex),
            pa_last: pa.map(|pa| hex(pa.wrapping_add(last))),
            size: self.size,
            leaves: self.leaves,
            unprivileged,
            privileged,
            memory: attributes.map(|it| format!("{:#04x}", it.memory)),
            shareability: attributes.map(shared),
        }
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, stream) in self.streams.iter().enumerate() {
            let end = if index == 0 { "" } else { "\n" };
            write!(f, "{end}{stream}")?;
        }
        for (name, entries) in [("command queue", &self.commands), ("Event queue", &self.events)] {
            write!(f, "\n  {name}, by slot:")?;
            if entries.is_empty() {
                f.write_str(" nothing")?;
            }
            entries.iter().try_for_each(|entry| write!(f, "\n    {entry}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for ListedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  stream {:#x} of {}", self.stream, self.dev)?;
        if let Some(substream) = self.substream {
            write!(f, ", substream {substream:#x}")?;
        }
        f.write_str(":")?;
        for structure in &self.structures {
            write!(f, "\n    {}", structure.to_string().replace('\n', "\n    "))?;
        }
        if let Some(verdict) = &self.without_tables {
            write!(f, "\n    no tables: {verdict}")?;
        }
        self.runs.iter().try_for_each(|run| write!(f, "\n    {run}"))
    }
}

impl fmt::Display for ListedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { iova, last, leaves, unprivileged, privileged, .. } = self;
        write!(f, "{iova} to {last} -> ")?;
        match (&self.pa, &self.pa_last) {
            (Some(pa), Some(last)) => write!(f, "{pa} to {last}")?,
            _ => f.write_str("nowhere")?,
        }
        write!(f, ": {leaves} x {}, {unprivileged}, ", size_text(self.size))?;
        write!(f, "privileged {privileged}")?;
        if let (Some(memory), Some(shared)) = (&self.memory, self.shareability) {
            write!(f, ", memory {memory} {shared}")?;
        }
        Ok(())
    }
}

/// `4K`, `2M`, `1G`: a page size.
fn size_text(bytes: u64) -> String {
    let lg2 = bytes.trailing_zeros();
    let unit = ["", "K", "M", "G", "T", "P", "E"][(lg2 / 10).min(6) as usize];
    format!("{}{unit}", bytes >> (lg2 / 10 * 10).min(60))
}
