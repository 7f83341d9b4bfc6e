//! What an ITS was told so far, and what it makes of it, in a scenario under way.

use passim_gic::its::image::{Converted, Found, Silent};
use passim_model::{Host, PhysAddr, Span, Width};

use super::{Outcome, Runner, Stage, Unperformable};
use crate::chosen::{Chosen, NoSuch, preset};
use crate::machine::{Gic, GicBuilt, Machine};
use crate::op::{Number, Setting};
use crate::script::Text;
use crate::system::Board;

/// GITS_CBASER, GITS_CWRITER. IHI 0069 H 12.18.
const CBASER: u64 = 0x80;
const CWRITER: u64 = 0x88;

impl Runner {
    /// The commands in the queue of each ITS, from its start to GITS_CWRITER. A queue that has
    /// wrapped has lost its first ones.
    pub fn its_commands(&mut self) -> Vec<Vec<[u64; 4]>> {
        let (board, bases) = match &mut self.stage {
            Stage::Empty => return Vec::new(),
            Stage::Booted(running) => (&mut running.system.board, &running.system.its[..]),
            Stage::Bare(bare) => bare.itss(),
        };
        bases.iter().map(|&its| commands(board, its)).collect()
    }
}

/// The GICv3 that a line of a scenario asks for.
#[derive(Clone, Copy)]
pub(super) struct GicWanted<'a> {
    pub(super) preset: Option<&'a Text>,
    pub(super) seed: Option<Number>,
    pub(super) built: Option<&'a Setting>,
}

impl Chosen {
    /// The machine with the GICv3 that a line of a scenario asks for, or the caller, who comes
    /// first.
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
    let mut load = |offset| {
        let at = its.checked_add(offset);
        at.and_then(|at| board.load(at, Width::W64).ok()).unwrap_or(0)
    };
    let (base, end) = (load(CBASER) & 0x000f_ffff_ffff_f000, load(CWRITER) & 0xf_ffe0);
    let command = |n: u64| {
        let at = PhysAddr::new(base).checked_add(32 * n)?;
        board.memory().words(at, 4).ok()?.try_into().ok()
    };
    (0..end / 32).map_while(command).collect()
}

/// What the tables of an ITS map, whoever wrote them.
pub(super) fn mappings(board: &Board, its: Option<u16>) -> Outcome {
    let all = board.gicv3().map_or(&[][..], |gic| gic.its());
    let its = usize::from(its.unwrap_or(0));
    let Some(found) = all.get(its) else {
        return Err(Unperformable::new(format!("the machine has no ITS {its}"))
            .hint(format!("it has {}, counted from 0", all.len())));
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

/// The GIC moves to a host that lays tables out otherwise.
pub(super) fn convert(
    board: &mut Board,
    (to, built): (&Text, GicBuilt),
    (scratch, size): (Option<PhysAddr>, Option<Number>),
) -> Outcome {
    /// Bytes of scratch memory, if nobody says how many.
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
    let converted = match board.convert_gic((to, built), scratch.transpose()?) {
        None => return Err(Unperformable::new("the machine has no GICv3")),
        Some(Err(error)) => return Ok(vec![error.to_string()]),
        Some(Ok(converted)) => converted,
    };
    let mut lines = vec!["ok".to_owned()];
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

/// Hardware that a driver of the kernel has is not a scenario's to program.
pub(super) fn driven() -> Unperformable {
    Unperformable::new("a kernel drives this machine")
        .hint("`bare NAME` builds one that no kernel runs on")
}
