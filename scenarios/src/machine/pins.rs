//! The interrupts of PCI functions' pins: through the bridges above each to its root bus, and from
//! there to the interrupt controller.

use std::collections::BTreeMap;

use passim_model::{IntId, Rid};

use super::{Function, Machine};

/// Number of pins: INTA to INTD.
const PINS: usize = 4;

/// Interrupt Pin in the header. PCI 3.0 6.2.4: 0 without one, 1 for INTA.
const INTERRUPT_PIN: usize = 0x3d;

/// Most bridges above one another: each has a bus of its own.
const DEEPEST: usize = 256;

impl Machine {
    /// The interrupt of each function's pin; unconnected ones are left out.
    pub fn pins(&self) -> BTreeMap<Rid, IntId> {
        let Some(intx) = self.intx else { return BTreeMap::new() };
        let leads = |function: &Function| {
            let pin = function.config.as_ref()?[INTERRUPT_PIN];
            let pin = usize::from(pin).checked_sub(1).filter(|pin| *pin < PINS)?;
            Some((function.rid, intx[self.at_the_root(function, pin)?]))
        };
        self.functions.iter().filter_map(leads).collect()
    }

    /// Which of a root bus's four wires a pin reaches. PCI-to-PCI Bridge 1.2 9.1: on each bus the
    /// pins are rotated by the device number; on a root bus the board does it.
    fn at_the_root(&self, function: &Function, pin: usize) -> Option<usize> {
        let (mut rid, mut pin) = (function.rid, pin);
        for _ in 0..DEEPEST {
            pin = (pin + usize::from(rid.device())) % PINS;
            let above = self.functions.iter().find(|it| it.secondary_bus() == Some(rid.bus()));
            match above {
                Some(bridge) if bridge.rid != rid => rid = bridge.rid,
                _ => return Some(pin),
            }
        }
        None
    }
}
