//! Accesses of devices through the hardware, compared with dumps and with the oracle.
//!
//! Not here: whether dumps are consistent in themselves ([`crate::walk`]).

use std::fmt::Write as _;

use passim_model::{Access, Iova, PhysAddr, Rid};
use passim_oracle::leaves::{Leaf, leaves};
use passim_oracle::walk::TableLeaf;
use passim_oracle::window::{Container, Reached};
use passim_oracle::{Granule, Stage};
use passim_smmu::v3::Translated;

use super::Replayer;
use super::commands::{Outcome as Compared, Producers};
use super::compare::Place;
use super::perform::Taken;
use super::report::Difference;
use super::tables::leaves_of;
use crate::recording::dump::{SmmuDump, Stream};
use crate::recording::line::Expect;
use crate::recording::step::Dump;
use crate::system::Outcome;

/// Most pages of a window that are accessed; a window is as large as the range of accepted maps.
const MAX_PAGES: u64 = 1 << 16;

/// Why the report does not require these commands of the kernel.
const UNRECORDED: &str =
    "a suite that ran before in this boot, and may have made that domain, is not recorded here";

/// Why commands are not compared.
const NO_QUEUE: &str = "the dump lacks CMDQ_BASE or CMDQ_PROD";

/// Why only the commands of the first SMMU that a stream names are compared.
const ONE_QUEUE: &str = "a dump holds the command queue of one SMMU, and its streams name several";

/// Why pages of a window are skipped.
const TOO_MANY: &str = "of a window the first 65536 pages are looked at";

/// Most differences that one walk reports; others are counted.
const MAX_REPORTED: usize = 4;

/// Accesses made, and differences found.
#[derive(Default)]
struct Looks {
    walked: u64,
    agreed: u64,
    wrong: Vec<Difference>,
}

impl Looks {
    fn look(&mut self, difference: Option<Difference>) {
        self.walked += 1;
        match difference {
            None => self.agreed += 1,
            Some(difference) => {
                if self.wrong.len() < MAX_REPORTED {
                    self.wrong.push(difference);
                }
            }
        }
    }
}

impl Replayer<'_> {
    /// Compares a dump taken at this line, if its file exists: every leaf of every stream must be
    /// in the model's tables, and no other.
    pub(super) fn dump(&mut self, number: u64, dump: &Dump) -> Taken {
        let Some(path) = self.found.dump(&dump.file_stem()) else {
            return Taken::Skipped("dump smmu", "no dump lies beside the recording");
        };
        let recorded = match SmmuDump::read(&path) {
            Ok(recorded) => recorded,
            Err(error) => return Taken::Unreadable(error),
        };
        let mut looks = Looks::default();
        for stream in &recorded.streams {
            if self.belongs_to_vfio(stream.dev) {
                let call = format!("dump {}: stream of {}", dump.name, stream.dev);
                self.stream(&Place { line: number, call }, stream, &mut looks);
            }
        }
        self.report.walked(looks.walked, looks.agreed);
        self.report.differences.extend(looks.wrong);
        self.commands(number, dump, &recorded);
        Taken::Input
    }

    /// Compares the SMMU commands of both drivers since the previous dump.
    fn commands(&mut self, number: u64, dump: &Dump, recorded: &SmmuDump) {
        let functions = recorded.streams.iter().map(|stream| self.machine.function(stream.dev));
        let mut smmus: Vec<_> = functions.flatten().filter_map(|function| function.smmu).collect();
        let Some(&smmu) = smmus.first() else { return };
        smmus.sort_unstable();
        smmus.dedup();
        if smmus.len() > 1 {
            self.report.skipped("commands of further SMMUs of a dump", ONE_QUEUE);
        }
        let board = &self.system.board;
        if board.smmu(smmu).is_some_and(|smmu| smmu.v3().is_some()) && !has_queue(recorded) {
            self.report.skipped("commands of a dump", NO_QUEUE);
        }
        let now = Producers::at(recorded, board, smmu).filter(|_| has_queue(recorded));
        if let (Some(before), Some(now)) = (self.producers.get(&smmu), now) {
            let call = format!("dump {}: commands since the dump before", dump.name);
            let place = Place { line: number, call };
            if let Some(compared) = before.compare(&now, recorded, (board, smmu), &place) {
                self.report.commands += compared.commands;
                match compared.outcome {
                    Compared::Agreed => {}
                    Compared::ButForBlockingDomains(_) if !self.earlier.unrecorded.is_empty() => {
                        self.report.skipped("two SYNCs of a blocking domain", UNRECORDED);
                    }
                    Compared::ButForBlockingDomains(difference)
                    | Compared::Differed(difference) => {
                        self.report.differences.push(difference);
                    }
                }
            }
        }
        match now {
            Some(now) => self.producers.insert(smmu, now),
            None => self.producers.remove(&smmu),
        };
    }

    /// Whether the group of `dev` is in a container: other groups have default domains of host
    /// drivers, whose mappings are not recorded.
    fn belongs_to_vfio(&self, dev: Rid) -> bool {
        let group = self.system.topology().function(dev).and_then(|function| function.group);
        group.is_some_and(|group| self.system.kernel.container_of_group(group).is_some())
    }

    fn stream(&mut self, place: &Place, stream: &Stream, looks: &mut Looks) {
        let mut model = self.leaves(stream.dev).map_or_else(Vec::new, |(_, leaves)| leaves);
        for leaf in &stream.leaves {
            let recorded = TableLeaf {
                iova: leaf.iova.get(),
                pa: leaf.pa.get(),
                size: leaf.size,
                descriptor: leaf.descriptor,
            };
            let at = model.binary_search_by_key(&recorded.iova, |leaf| leaf.iova);
            let found = at.ok().map(|at| model.remove(at));
            let difference = if found == Some(recorded) {
                self.through_smmu(place, stream.dev, &recorded)
            } else {
                Some(place.differs(leaf_text(Some(recorded)), leaf_text(found)))
            };
            looks.look(difference);
        }
        for extra in model {
            looks.look(Some(place.differs("nothing there", leaf_text(Some(extra)))));
        }
    }

    /// Compares both ends of a leaf with the SMMU's translations.
    fn through_smmu(&mut self, place: &Place, dev: Rid, leaf: &TableLeaf) -> Option<Difference> {
        for offset in [0, leaf.size - 8] {
            let outcome = self.read_access(dev, leaf.iova + offset);
            let expected = PhysAddr::new(leaf.pa + offset);
            // A leaf of stage 2 may forbid reading; then a write is tried.
            let outcome = match outcome {
                Some(Outcome::Terminated(_)) => {
                    let iova = Iova::new(leaf.iova + offset);
                    self.system.translate(dev, iova, Access::WRITE)
                }
                other => other,
            };
            if reached(outcome) != Some(expected) {
                let iova = leaf.iova + offset;
                let kernel = format!("{iova:#x} leads to {expected}");
                return Some(place.differs(kernel, format!("{iova:#x}: {outcome:?}")));
            }
        }
        None
    }

    /// Compares an `expect` line: the physical address of the mapping at an IOVA.
    pub(super) fn expect(&mut self, number: u64, line: &Expect) -> Taken {
        let call = format!("{} at {} of {}", line.dump, line.iova, line.dev);
        let place = Place { line: number, call };
        let (Some((_, leaves)), true) = (self.leaves(line.dev), self.belongs_to_vfio(line.dev))
        else {
            return Taken::Compared(Some(place.differs(line.pa.to_string(), "no tables")));
        };
        let at = leaves.partition_point(|leaf| leaf.iova <= line.iova.get());
        let found = at.checked_sub(1).map(|at| leaves[at]);
        let found = found.filter(|leaf| line.iova.get() - leaf.iova < leaf.size);
        let model = found.map(|leaf| PhysAddr::new(leaf.pa + (line.iova.get() - leaf.iova)));
        Taken::Compared((model != Some(line.pa)).then(|| {
            let model = model.map_or_else(|| "no leaf".to_owned(), |pa| pa.to_string());
            place.differs(line.pa.to_string(), model)
        }))
    }

    /// Every open device reads and writes every page of the window: once with the TLB as it is,
    /// once after clearing it.
    pub(super) fn walk_window(&mut self, number: u64) {
        let (Some(expected), Some((first, last))) = (self.expected.take(), self.placements.window)
        else {
            return;
        };
        let mut looks = Looks::default();
        for (dev, container) in expected.open_devices() {
            let place = Place { line: number, call: format!("walk of {dev}") };
            let (stage, tables) = self.leaves(dev).unwrap_or((Stage::One, Vec::new()));
            for emptied in [Tlb::Kept, Tlb::Emptied] {
                if emptied == Tlb::Emptied {
                    self.system.board.forget_translations();
                }
                let page = self.system.page();
                let first = Iova::new(first).align_down(page.lg2()).get();
                let (pages, left) = pages(first, last, page.lg2());
                if left > 0 {
                    self.report.skipped_times("pages of a window", TOO_MANY, left);
                }
                for index in 0..pages {
                    let Some(iova) = first.checked_add(index << page.lg2()) else { break };
                    let reached = container.translate(iova, stage);
                    looks.look(self.page(&place, dev, iova, reached));
                }
            }
            self.count_leaves(&place, container, &tables, &mut looks);
            self.report.windows += 1;
        }
        self.expected = Some(expected);
        self.report.walked(looks.walked, looks.agreed);
        self.report.differences.extend(looks.wrong);
    }

    /// Compares a read and a write of one page: each reaches the oracle's frame, or faults.
    fn page(
        &mut self,
        place: &Place,
        dev: Rid,
        iova: u64,
        expected: Option<Reached>,
    ) -> Option<Difference> {
        let page = self.system.page();
        let frame = |reached: Reached| PhysAddr::new(reached.frame << page.lg2());
        let readable = expected.filter(|reached| reached.readable).map(frame);
        let writable = expected.filter(|reached| reached.writable).map(frame);
        let read = reached(self.read_access(dev, iova));
        let write = reached(self.system.translate(dev, Iova::new(iova), Access::WRITE));
        if read == readable && write == writable && self.moves_data(dev, iova, writable) {
            return None;
        }
        Some(place.differs(
            format!("{iova:#x}: {}", reach_text(readable, writable)),
            format!("{iova:#x}: {}", reach_text(read, write)),
        ))
    }

    /// A write of the device must be visible in the frame; the frame is restored.
    fn moves_data(&mut self, dev: Rid, iova: u64, frame: Option<PhysAddr>) -> bool {
        use passim_model::Host;
        let Some(frame) = frame else { return true };
        let at = frame.checked_add(self.system.page().bytes() - 8);
        let iova = Iova::new(iova | (self.system.page().mask() & !7));
        let Some(at) = at else { return false };
        let Ok(before) = self.system.board.memory().load_u64(at) else { return false };
        let marker = !before;
        let written = self.system.dma_write(dev, iova, &marker.to_le_bytes());
        let seen = self.system.board.memory().load_u64(at);
        let restored = self.system.board.memory_mut().store_u64(at, before);
        written.is_ok() && seen == Ok(marker) && restored.is_ok()
    }

    /// The tables must contain exactly the leaves that the oracle derives from the mappings.
    fn count_leaves(
        &self,
        place: &Place,
        container: &Container,
        tables: &[TableLeaf],
        looks: &mut Looks,
    ) {
        let expected = leaves(granule(self.system.page().lg2()), &container.mappings());
        let found: Vec<Leaf> = tables
            .iter()
            .map(|leaf| Leaf { iova: leaf.iova, pa: leaf.pa, size: leaf.size })
            .collect();
        let difference = (expected != found).then(|| {
            let first = expected.iter().zip(&found).find(|(a, b)| a != b);
            let mut model = format!("{} leaves", found.len());
            if let Some((kernel, other)) = first {
                let _ = write!(model, ", {other:x?} in place of {kernel:x?}");
            }
            place.differs(format!("{} leaves", expected.len()), model)
        });
        looks.look(difference);
    }

    fn read_access(&mut self, dev: Rid, iova: u64) -> Option<Outcome> {
        self.system.translate(dev, Iova::new(iova), Access::READ)
    }

    /// Leaves and stage of the tables that translate for `dev`.
    fn leaves(&mut self, dev: Rid) -> Option<(Stage, Vec<TableLeaf>)> {
        let function = self.machine.function(dev)?;
        let base = self.machine.iommu.smmus().get(function.smmu?)?.base;
        leaves_of(&mut self.system.board, base, *function.streams.first()?)
    }
}

/// Whether a dump contains the producer pointer of its command queue.
fn has_queue(dump: &SmmuDump) -> bool {
    ["CMDQ_BASE", "CMDQ_PROD"].iter().all(|name| dump.regs.contains_key(*name))
}

/// Number of pages from `first` to `last` that are accessed, and that are skipped.
fn pages(first: u64, last: u64, lg2: u32) -> (u64, u64) {
    let all = ((last - first) >> lg2).saturating_add(1);
    (all.min(MAX_PAGES), all.saturating_sub(MAX_PAGES))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tlb {
    Kept,
    Emptied,
}

fn reached(outcome: Option<Outcome>) -> Option<PhysAddr> {
    match outcome? {
        Outcome::Translated(Translated { pa, .. }) => Some(pa),
        Outcome::Terminated(_) | Outcome::Stalled(_) => None,
    }
}

fn reach_text(read: Option<PhysAddr>, write: Option<PhysAddr>) -> String {
    let shown = |pa: Option<PhysAddr>| pa.map_or_else(|| "faults".to_owned(), |pa| pa.to_string());
    format!("read {}, write {}", shown(read), shown(write))
}

fn leaf_text(leaf: Option<TableLeaf>) -> String {
    match leaf {
        None => "no leaf there".to_owned(),
        Some(TableLeaf { iova, pa, size, descriptor }) => {
            format!("{iova:#x} -> {pa:#x}, {size:#x} bytes, descriptor {descriptor:#x}")
        }
    }
}

fn granule(lg2: u32) -> Granule {
    match lg2 {
        14 => Granule::Size16K,
        16 => Granule::Size64K,
        _ => Granule::Size4K,
    }
}

#[cfg(test)]
mod tests;
