//! The commands sent to an ITS so far, and its mappings, in a running scenario.

use passim_gic::GicV3;
use passim_gic::its::Spelled;
use passim_gic::its::image::{Converted, Found, Mappings, Silent};
use passim_model::{Host, PhysAddr, Span, Width};

use super::{Outcome, Runner, Stage, Unperformable};
use crate::chosen::{Chosen, NoSuch, preset};
use crate::machine::{Gic, GicBuilt, GicIts, Machine};
use crate::op::{Number, Setting};
use crate::script::Text;
use crate::system::Board;

/// GITS_TYPER, GITS_CBASER, GITS_CWRITER, GITS_CREADR. IHI 0069 H 12.18.
pub(super) const TYPER: u64 = 0x08;
pub(super) const CBASER: u64 = 0x80;
pub(super) const CWRITER: u64 = 0x88;
pub(super) const CREADR: u64 = 0x90;
/// Bytes of a command. IHI 0069 H 5.3.
pub(super) const COMMAND_BYTES: u64 = 32;

passim_model::layout! {
    /// GITS_TYPER, IHI 0069 H 12.19.
    pub(super) struct Typer {
        /// Commands name redistributors by address.
        PTA = bit(19);
    }
}
passim_model::layout! {
    /// GITS_CBASER, IHI 0069 H 12.19.
    pub(super) struct Cbaser {
        /// Pages of 4 KiB, less one.
        SIZE = bits(7, 0);
        /// Address of the queue.
        ADDRESS = bits(51, 12);
        /// The queue exists.
        VALID = bit(63);
    }
}
passim_model::layout! {
    /// GITS_CWRITER and GITS_CREADR, IHI 0069 H 12.19.
    pub(super) struct Pointer {
        /// GITS_CREADR: the queue has stalled.
        STALLED = bit(0);
        /// Index of a command.
        SLOT = bits(19, 5);
    }
}

impl Runner {
    /// The commands in the queue of each ITS, from its start to GITS_CWRITER. A queue that has
    /// wrapped has overwritten its first commands.
    pub fn its_commands(&mut self) -> Vec<Vec<[u64; 4]>> {
        let (board, bases) = match &mut self.stage {
            Stage::Empty => return Vec::new(),
            Stage::Booted(running) => (&mut running.system.board, &running.system.its[..]),
            Stage::Bare(bare) => bare.itss(),
        };
        bases.iter().map(|&its| commands(board, its)).collect()
    }

    /// The mappings in the tables of each ITS, as far as memory can be read.
    pub fn its_mappings(&self) -> Vec<Mappings> {
        let board = match &self.stage {
            Stage::Empty => return Vec::new(),
            Stage::Booted(running) => &running.system.board,
            Stage::Bare(bare) => bare.board(),
        };
        let its = board.gicv3().map_or(&[][..], |gic| gic.its()).iter();
        its.map(|its| its.mappings(board.memory()).unwrap_or_default().mappings).collect()
    }

    /// Whether an ITS of the machine has lost the command chosen with `--lose`.
    pub fn has_lost(&self) -> bool {
        match &self.stage {
            Stage::Empty => false,
            Stage::Booted(running) => running.system.board.has_lost(),
            Stage::Bare(bare) => bare.board().has_lost(),
        }
    }
}

/// The GICv3 that a line of a scenario names.
#[derive(Clone, Copy)]
pub(super) struct GicWanted<'a> {
    pub(super) preset: Option<&'a Text>,
    pub(super) seed: Option<Number>,
    pub(super) built: Option<&'a Setting>,
}

impl Chosen {
    /// The machine with the GICv3 that a line of a scenario names; the caller's choice overrides
    /// it.
    pub(super) fn machine(
        &self,
        mut machine: Machine,
        wanted: GicWanted<'_>,
    ) -> Result<Machine, Unperformable> {
        let GicWanted { preset: name, seed, built } = wanted;
        let own = preset(name.map(|name| name.0.as_str()), seed.map(|seed| seed.0))?;
        let mut over = GicBuilt::default();
        for (key, value) in built.map_or(&[][..], |Setting(set)| set) {
            over.set(key, value)?;
        }
        match &mut machine.gic {
            Gic::Its(gic) => {
                gic.preset = self.gic.or(own).unwrap_or(gic.preset);
                gic.built = gic.built.under(over).under(self.built);
            }
            Gic::V2m(_) if own.is_some() || built.is_some() => {
                return Err(Unperformable::new("this machine has no GICv3")
                    .hint("leave out `gic=`, or take a machine with `[gic.its]`"));
            }
            Gic::V2m(_) => {}
        }
        Ok(machine)
    }
}

fn commands(board: &mut Board, its: PhysAddr) -> Vec<[u64; 4]> {
    let [base, end] = [CBASER, CWRITER].map(|offset| load(board, its, offset));
    let base = Cbaser::ADDRESS.in_place(base);
    (0..Pointer::SLOT.get(end)).map_while(|slot| command(board, base, slot)).collect()
}

/// Loads a register of an ITS; no read has side effects.
pub(super) fn load(board: &mut Board, its: PhysAddr, offset: u64) -> u64 {
    let at = its.checked_add(offset);
    at.and_then(|at| board.load(at, Width::W64).ok()).unwrap_or(0)
}

fn command(board: &Board, base: u64, slot: u64) -> Option<[u64; 4]> {
    let at = PhysAddr::new(base).checked_add(COMMAND_BYTES * slot)?;
    board.memory().words(at, 4).ok()?.try_into().ok()
}

/// The commands in the queue of an ITS up to GITS_CWRITER, at most `last` of them; if it has
/// wrapped, also those not yet consumed before the queue's end.
pub(super) fn queue(
    board: &mut Board,
    itss: &[PhysAddr],
    its: Option<u16>,
    last: Option<u32>,
) -> Outcome {
    let its = usize::from(its.unwrap_or(0));
    let Some(&its) = itss.get(its) else { return Err(no_its(its, itss.len())) };
    let [typer, cbaser, cwriter, creadr] =
        [TYPER, CBASER, CWRITER, CREADR].map(|offset| load(board, its, offset));
    if !Cbaser::VALID.is_set(cbaser) {
        return Ok(vec!["no queue".to_owned()]);
    }
    let slots = ((Cbaser::SIZE.get(cbaser) + 1) << 12) / COMMAND_BYTES;
    let (written, read) = (Pointer::SLOT.get(cwriter), Pointer::SLOT.get(creadr));
    let stopped = if Pointer::STALLED.is_set(creadr) { ", stopped" } else { "" };
    let mut lines = vec![format!("{slots} slots, written to {written}, read to {read}{stopped}")];
    let first = written.saturating_sub(last.map_or(u64::MAX, u64::from));
    let beyond = if written < read { read..slots } else { 0..0 };
    for slot in beyond.chain(first..written) {
        let waits = match written < read {
            true => slot >= read || slot < written,
            false => slot >= read,
        };
        let waits = if waits { ", not consumed yet" } else { "" };
        let told = match command(board, Cbaser::ADDRESS.in_place(cbaser), slot) {
            Some(words) => Spelled::of(&words, Typer::PTA.is_set(typer)).to_string(),
            None => "no memory answers".to_owned(),
        };
        lines.push(format!("{slot}: {told}{waits}"));
    }
    Ok(lines)
}

fn no_its(its: usize, count: usize) -> Unperformable {
    Unperformable::new(format!("the machine has no ITS {its}"))
        .hint(format!("it has {count}, counted from 0"))
}

/// The mappings in the tables of an ITS, whoever wrote them.
pub(super) fn mappings(board: &Board, its: Option<u16>) -> Outcome {
    let all = board.gicv3().map_or(&[][..], |gic| gic.its());
    let its = usize::from(its.unwrap_or(0));
    let Some(found) = all.get(its) else {
        return Err(no_its(its, all.len()));
    };
    let (Found { mappings, silent }, read) = found.most_mappings(board.memory());
    let mut lines: Vec<_> = silent.iter().map(Silent::to_string).collect();
    if let Err(error) = read {
        lines.push(format!("not all is read: {error}"));
    }
    for (icid, cpu) in &mappings.collections {
        lines.push(format!("collection {icid}: cpu {cpu}"));
    }
    for (device, entry) in &mappings.devices {
        lines.push(format!("device {:#x}: {} bits", device.get(), entry.event_bits));
        for (event, (lpi, icid)) in &entry.events {
            let of = icid.map_or("no collection".to_owned(), |icid| format!("collection {icid}"));
            lines.push(format!("  event {}: lpi {lpi}, {of}", event.get()));
        }
    }
    if lines.is_empty() {
        lines.push("nothing".to_owned());
    }
    Ok(lines)
}

/// The outcome of restoring a GIC: the ITSs whose tables were refused, or `ok`.
pub(super) fn restored(board: &Board) -> Vec<String> {
    let all = board.gicv3().map_or(&[][..], GicV3::its).iter().enumerate();
    let refused = all.filter_map(|(n, its)| Some((n, its.refused()?)));
    let lines: Vec<_> = refused
        .map(|(n, why)| format!("its {n} maps nothing, for its tables are refused: {why}"))
        .collect();
    if lines.is_empty() { vec!["ok".to_owned()] } else { lines }
}

/// Moves the GIC to a host with another table layout.
pub(super) fn convert(
    board: &mut Board,
    (to, first): (&Text, &GicIts),
    (scratch, size): (Option<PhysAddr>, Option<Number>),
) -> Outcome {
    /// Bytes of scratch memory by default.
    const SCRATCH: u64 = 0x1_0000;
    let no_preset = |wrong: NoSuch| Unperformable::new(wrong.message).hint(wrong.hint).at_key("to");
    let to = preset(Some(&to.0), None).map_err(no_preset)?.unwrap_or_default();
    let size = size.map_or(SCRATCH, |size| size.0);
    let scratch = scratch.map(|start| {
        let span = Span::from_size(start, size);
        span.ok_or_else(|| {
            Unperformable::new("no memory is there, or it ends nowhere").at_key("size")
        })
    });
    let converted = match board.convert_gic((to, first), scratch.transpose()?) {
        None => return Err(Unperformable::new("the machine has no GICv3")),
        Some(Err(error)) => return Ok(vec![error.to_string()]),
        Some(Ok(converted)) => converted,
    };
    let mut lines = restored(board);
    for Converted { mappings, silent, moved, .. } in converted.iter().flatten() {
        lines.extend(silent.iter().map(Silent::to_string));
        for (device, before) in moved {
            let now = mappings.devices.get(device).map_or(*before, |device| device.itt);
            let device = device.get();
            lines.push(format!("the table of device {device:#x} at {before} is at {now} now"));
        }
    }
    Ok(lines)
}

/// A scenario may not program hardware that the kernel's driver owns.
pub(super) fn driven() -> Unperformable {
    Unperformable::new("a kernel drives this machine")
        .hint("`bare NAME` builds one that no kernel runs on")
}
