//! Shortages: the resource that is short, its limit, and what is left.

use passim_model::{Conflict, Refusal, Rid};

use super::words::container_of;
use crate::op::{IrqIndex, Op};
use crate::run::Surroundings;

/// The limit of a refused request; `None` if no resource is short.
pub(super) fn told(refusal: &Refusal, op: &Op, around: &Surroundings) -> Option<String> {
    match (refusal.rule.name, refusal.conflict) {
        ("map-entry-limit", Conflict::Limit { limit, .. }) => {
            let left = container_of(op, around).map_or(0, |here| here.entries_left);
            Some(format!(
                "{limit} mappings a container, set by the module parameter dma_entry_limit and \
                 read when the container got its type; {left} left"
            ))
        }
        ("map-memlock" | "memlock-limit", _) => Some(memlock(around)),
        ("vectors-exhausted" | "device-no-lpis", _) => Some(supply(around)),
        ("device-no-place", Conflict::Limit { limit, wanted }) => Some(format!(
            "{limit} DeviceIDs, as many as the ITS's device table has places for; this is DeviceID \
             {:#x}",
            wanted.saturating_sub(1)
        )),
        ("set-irqs-shape", Conflict::Limit { .. }) | ("vectors-no-capability", _) => {
            of_device(op, around)
        }
        ("irq-vector", _) => {
            let (dev, _) = device_of(op)?;
            let has = around.functions.get(&dev)?.vectors.len();
            Some(format!(
                "{has} vectors, as many as were asked for when messages of {dev} were turned on; \
                 more come with turning them off and on"
            ))
        }
        (
            "window-overlap" | "msi-second-aperture" | "msi-other-range",
            Conflict::Window(window),
        ) => Some(format!(
            "1 window a container, until its last group leaves it; this one has {window}"
        )),
        ("msi-window-full", Conflict::Window(window)) => {
            let pages = window.size().map_or(0, |size| size / around.page.bytes());
            let most = pages.saturating_sub(1);
            Some(format!(
                "pages: {pages} in all, set by who registered window {window}; the lowest page is never \
                 given out, which leaves {most} for doorbells"
            ))
        }
        _ => None,
    }
}

fn memlock(around: &Surroundings) -> String {
    let page = around.page.bytes();
    let (limit, binds) = around.memlock_pages.unwrap_or((0, true));
    let held = (around.locked_kib << 10) / page;
    let bytes = limit.saturating_mul(page);
    let without = if binds { "" } else { "; it does not bind who has CAP_IPC_LOCK" };
    format!(
        "{limit} pages ({bytes:#x} bytes), set by RLIMIT_MEMLOCK of process {}; {held} pinned or \
         locked, {} left{without}",
        around.process,
        limit.saturating_sub(held)
    )
}

fn supply(around: &Surroundings) -> String {
    let Some(supply) = around.supply else {
        return "0: the machine has no interrupt controller that takes messages".to_owned();
    };
    let (total, free, longest) = (supply.total, supply.free, supply.longest);
    match supply.lpis {
        true => format!(
            "{total} LPIs, set by the ITS driver; {free} given to no device, {longest} of them in \
             a row"
        ),
        false => format!(
            "{total} SPIs, set by the GICv2m frames of the machine; {free} left, {longest} of them \
             in a row"
        ),
    }
}

fn of_device(op: &Op, around: &Surroundings) -> Option<String> {
    let (dev, index) = device_of(op)?;
    let counts = &around.functions.get(&dev)?.irqs;
    let has = |index: IrqIndex| counts.get(index.number() as usize).copied().unwrap_or(0);
    let all: Vec<_> =
        IrqIndex::ALL.iter().map(|index| format!("{index} {}", has(*index))).collect();
    Some(format!(
        "{} of {index}, set by the capabilities of {dev}, which has: {}",
        has(index),
        all.join(", ")
    ))
}

fn device_of(op: &Op) -> Option<(Rid, IrqIndex)> {
    match op {
        Op::Enable { dev, index, .. } | Op::Disable { dev, index } => {
            Some((*dev, index.unwrap_or(IrqIndex::Msix)))
        }
        Op::SetIrqs { dev: Some(dev), index, .. } => Some((*dev, *index)),
        _ => None,
    }
}
