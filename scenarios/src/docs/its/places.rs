//! Where Linux's driver sends a command, and whether it is needed there.

use super::super::table;
use super::{Loss, Step};
use crate::system::LostCommand;

/// A place in the driver that sends a command, or the SYNC after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The function, by its name in 6.12.
    pub function: &'static str,
    /// The command.
    pub command: &'static str,
}

/// The places, in the order in which a device's life passes them.
const PLACES: [Place; 16] = [
    Place { function: "its_cpu_init_collection", command: "MAPC" },
    Place { function: "its_cpu_init_collection", command: "SYNC after MAPC" },
    Place { function: "its_cpu_init_collection", command: "INVALL" },
    Place { function: "its_cpu_init_collection", command: "SYNC after INVALL" },
    Place { function: "its_create_device", command: "MAPD" },
    Place { function: "its_irq_domain_activate", command: "MAPTI" },
    Place { function: "its_irq_domain_activate", command: "SYNC after MAPTI" },
    Place { function: "its_unmask_irq", command: "INV" },
    Place { function: "its_unmask_irq", command: "SYNC after INV" },
    Place { function: "its_set_affinity", command: "MOVI" },
    Place { function: "its_set_affinity", command: "SYNC after MOVI" },
    Place { function: "its_mask_irq", command: "INV" },
    Place { function: "its_mask_irq", command: "SYNC after INV" },
    Place { function: "its_irq_domain_deactivate", command: "DISCARD" },
    Place { function: "its_irq_domain_deactivate", command: "SYNC after DISCARD" },
    Place { function: "its_irq_domain_free", command: "MAPD without V" },
];

/// Where Linux's driver sends the command at `n`; `None` if it sends no such command.
pub(super) fn place(steps: &[Step], n: usize) -> Option<Place> {
    let Step::Told { its, words } = *steps.get(n)? else { return None };
    let before = steps[..n].iter().rev().find_map(|step| match *step {
        Step::Told { its: at, words } if at == its => Some(words),
        _ => None,
    });
    let masks = steps[..n].iter().rev().find_map(|step| match *step {
        Step::Configured { enabled } => Some(!enabled),
        _ => None,
    });
    let of = |words: [u64; 4]| Some((LostCommand::numbered(words[0] & 0xff)?, words[2] >> 63 != 0));
    let (kind, valid) = of(words)?;
    let at = |kind: LostCommand, valid: bool| match (kind, valid) {
        (LostCommand::Mapc, true) => Some(0),
        (LostCommand::Invall, _) => Some(2),
        (LostCommand::Mapd, true) => Some(4),
        (LostCommand::Mapti, _) => Some(5),
        (LostCommand::Inv, _) if masks == Some(true) => Some(11),
        (LostCommand::Inv, _) => Some(7),
        (LostCommand::Movi, _) => Some(9),
        (LostCommand::Discard, _) => Some(13),
        (LostCommand::Mapd, false) => Some(15),
        _ => None,
    };
    let number = match kind {
        LostCommand::Sync => {
            let (kind, valid) = of(before?)?;
            1 + at(kind, valid)?
        }
        _ => at(kind, valid)?,
    };
    PLACES.get(number).copied()
}

/// A row for each place. `drivers` holds, for each driver, a heading and the losses of its
/// scenarios.
pub(super) fn by_place(drivers: &[(&str, Vec<&Loss>)]) -> String {
    let rows = PLACES.iter().map(|place| {
        let mut row = vec![format!("`{}`", place.function), place.command.to_owned()];
        for (_, losses) in drivers {
            let here: Vec<_> = losses.iter().filter(|it| it.place == Some(*place)).collect();
            row.push(verdict(&here));
        }
        row
    });
    let mut head = vec!["in Linux's driver", "which sends"];
    head.extend(drivers.iter().map(|(driver, _)| *driver));
    table(&head, rows)
}

/// Whether the commands lost at one place are needed, and why; each reason once.
fn verdict(losses: &[&&Loss]) -> String {
    let needed = losses.iter().filter(|loss| loss.why.needed).count();
    let mut reasons: Vec<&str> = Vec::new();
    for loss in losses.iter().filter(|loss| loss.why.needed == (needed > 0)) {
        if !reasons.contains(&loss.why.text) {
            reasons.push(loss.why.text);
        }
    }
    let reasons = reasons.join("; ");
    match (losses.len(), needed) {
        (0, _) => "not sent".to_owned(),
        (all, 0) => format!("no, of {all} none: {reasons}"),
        (all, needed) => format!("yes, of {all} {needed}: {reasons}"),
    }
}
