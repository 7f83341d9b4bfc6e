//! What others than CPUs write to the interrupt controller, and what comes of it.

use passim_gic::Size;
use passim_model::{PhysAddr, Requester, Target};

use super::Board;
use crate::system::message::Arrival;

impl Board {
    /// A device writes a word, and an ITS makes an LPI of it without more ado
    /// ([`Controller::message_fast`]); else nothing has happened.
    #[inline(always)]
    pub(in crate::system) fn ring_fast(
        &mut self,
        at: PhysAddr,
        word: u32,
        requester: &Requester,
    ) -> Option<Arrival> {
        let (Target::Interrupts(block), offset) = self.map.look_up(at)? else { return None };
        let (access, memory) = ((offset, word), &mut self.memory);
        let raised = self.controller.message_fast(block, access, requester, memory);
        raised.map(|(intid, cpu)| Arrival::Lpi(intid, cpu))
    }

    /// A write by somebody other than a CPU to a block of the interrupt controller: what came of
    /// it. `None` if nothing is known of the block.
    pub(in crate::system) fn ring(
        &mut self,
        block: u16,
        offset: u64,
        (size, value): (Option<Size>, u64),
        requester: &Requester,
    ) -> Option<Arrival> {
        match size {
            Some(size) => {
                let access = (offset, size, value);
                self.controller.message(block, access, Some(requester), &mut self.memory)
            }
            // A doorbell takes no transfer of another size.
            None => self.controller.takes_nothing(block),
        }
    }

    /// A device writes to a block of the interrupt controller from outside of any SMMU. `None` if
    /// nothing there takes writes of devices.
    pub fn message(
        &mut self,
        at: PhysAddr,
        requester: &Requester,
        size: Size,
        value: u64,
    ) -> Option<Arrival> {
        let (Target::Interrupts(block), offset) = self.map.find(at)? else { return None };
        let access = (offset, size, value);
        self.controller.message(block, access, Some(requester), &mut self.memory)
    }
}
