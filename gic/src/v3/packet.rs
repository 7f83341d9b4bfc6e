//! Packets from an ITS to redistributors. IHI 0069 H 5.2: an ITS itself never signals an interrupt
//! to a CPU.

use super::GicV3;
use super::redist::Invalidation;
use crate::Cpu;
use crate::choice::lpi::MoveToDisabled;
use passim_model::{IntId, Memory};

/// A packet for one redistributor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Packet {
    /// An LPI becomes pending: a message, or INT.
    SetPending(IntId),
    /// An LPI is no longer pending: CLEAR, DISCARD.
    ClearPending(IntId),
    /// The configuration of an LPI may have changed: INV.
    Invalidate(IntId),
    /// The configuration of any LPI may have changed: INVALL.
    InvalidateAll,
    /// If the LPI is pending, the other CPU's redistributor takes over pending: MOVI.
    Move(IntId, Cpu),
    /// The other CPU's redistributor takes over all pending LPIs: MOVALL.
    MoveAll(Cpu),
    /// An LPI has been mapped here, and its configuration may be read: MAPTI.
    Mapped(IntId),
    /// An LPI has been mapped to an unmapped collection, and its configuration may be read: MAPTI.
    MappedNowhere(IntId),
    /// One event fewer maps to the LPI: DISCARD, MAPD.
    Released(IntId),
    /// An LPI has been moved here, and its configuration may be read: MOVI.
    Moved(IntId),
    /// No action: it stands for a change that later messages may not observe yet, such as MAPC's.
    Nothing,
}

impl Packet {
    /// The LPI that the packet is about; `None` if it may be about any.
    pub const fn intid(self) -> Option<IntId> {
        match self {
            Self::SetPending(intid)
            | Self::ClearPending(intid)
            | Self::Invalidate(intid)
            | Self::Move(intid, _)
            | Self::Mapped(intid)
            | Self::MappedNowhere(intid)
            | Self::Released(intid)
            | Self::Moved(intid) => Some(intid),
            Self::InvalidateAll | Self::MoveAll(_) | Self::Nothing => None,
        }
    }
}

impl GicV3 {
    /// A packet arrives at a CPU's redistributor. Returns whether it applied: LPIs are on, and the
    /// LPI exists there.
    pub fn deliver(&mut self, cpu: Cpu, packet: Packet, memory: &mut Memory) -> bool {
        let found = self.deliver_to_place(cpu, packet, memory);
        let found = found.unwrap_or_else(|| self.deliver_to(cpu, packet, memory));
        match packet.intid() {
            Some(intid) => self.drop_unreferenced(intid.get()),
            None if packet == Packet::Nothing => {}
            None => self.drop_all_unreferenced(),
        }
        found
    }

    /// A packet arrives, about LPIs whose state is in the redistributor.
    fn deliver_to(&mut self, cpu: Cpu, packet: Packet, memory: &mut Memory) -> bool {
        match packet {
            Packet::SetPending(intid) => return self.pend(cpu, intid, memory),
            Packet::Move(intid, to) => return self.move_lpi(intid, cpu, to, memory),
            Packet::MappedNowhere(intid) => {
                let all = self.redistributors.iter_mut().filter_map(|redist| redist.lpis.as_mut());
                all.for_each(|lpis| lpis.mapped_here(intid.get(), memory));
                return true;
            }
            Packet::Invalidate(intid) => {
                self.invalidate_elsewhere(cpu, Invalidation::One(intid.get()), memory);
            }
            Packet::InvalidateAll => self.invalidate_elsewhere(cpu, Invalidation::All, memory),
            _ => {}
        }
        let stays = matches!(packet, Packet::MoveAll(to) if !self.takes_moves(to));
        let redist = self.redistributors.get_mut(cpu.index());
        let Some(lpis) = redist.and_then(|redist| redist.lpis.as_mut()) else { return false };
        match packet {
            // No table is read in this case either: QEMU's gicv3_redist_movall_lpis.
            Packet::MoveAll(_) if stays => {}
            Packet::ClearPending(intid) => {
                lpis.clear_pending(intid.get(), memory);
            }
            Packet::Invalidate(intid) => lpis.invalidate(intid.get(), memory),
            Packet::InvalidateAll => lpis.invalidate_all(memory),
            Packet::Mapped(intid) => lpis.mapped_here(intid.get(), memory),
            Packet::Moved(intid) => lpis.moved_here(intid.get(), memory),
            Packet::MoveAll(to) => {
                lpis.look_again(memory);
                // In descending order: clearing the most urgent pending LPI may read the whole
                // table again, which this order makes rare.
                for intid in lpis.pending().into_iter().rev() {
                    self.move_lpi(IntId::new(intid), cpu, to, memory);
                }
                let redist = self.redistributors.get_mut(to.index());
                if let Some(lpis) = redist.and_then(|redist| redist.lpis.as_mut()) {
                    lpis.look_again(memory);
                }
                return true;
            }
            Packet::SetPending(_)
            | Packet::Move(..)
            | Packet::MappedNowhere(_)
            | Packet::Released(_)
            | Packet::Nothing => {}
        }
        packet.intid().is_none_or(|intid| lpis.exists(intid.get()))
    }

    /// An LPI becomes pending at a CPU's redistributor. Returns whether it did.
    #[inline(always)]
    pub(super) fn pend(&mut self, cpu: Cpu, intid: IntId, memory: &mut Memory) -> bool {
        // `match` instead of closures, which would pass their captures through memory.
        let pended = match self.pend_elsewhere(cpu, intid.get(), memory) {
            Some(pended) => pended,
            None => {
                if self.knows_in_common() {
                    self.bring_known(cpu, intid.get());
                }
                match self.redistributors.get_mut(cpu.index()) {
                    Some(redist) => redist.set_pending(intid.get(), memory),
                    None => false,
                }
            }
        };
        if !pended {
            self.counters.lpis_dropped += 1;
        }
        pended
    }

    /// Whether a move to this CPU takes effect: its LPIs arrive there, or are lost.
    fn takes_moves(&self, to: Cpu) -> bool {
        let on = self.redistributors.get(to.index()).is_some_and(|redist| redist.is_on());
        on || self.implementation.choices.move_to_disabled != MoveToDisabled::Stay
    }

    /// Moves an LPI's cached configuration, and its pending state. Returns whether it is pending
    /// there.
    fn move_lpi(&mut self, intid: IntId, from: Cpu, to: Cpu, memory: &mut Memory) -> bool {
        if from == to {
            return false;
        }
        let source = self.redistributors.get(from.index()).and_then(|redist| redist.lpis.as_ref());
        let known = source.map_or(0, |lpis| lpis.known(intid.get()));
        let off = self.implementation.choices.move_to_disabled;
        let target = self.redistributors.get_mut(to.index());
        let target = target.filter(|redist| redist.is_on() || off == MoveToDisabled::Move);
        let target = target.and_then(|redist| redist.lpis.as_mut());
        let able = target.is_some_and(|lpis| lpis.take_over(intid.get(), known, memory));
        let lost = off == MoveToDisabled::Lost;
        if !able && !lost {
            return false;
        }
        let source = self.redistributors.get_mut(from.index());
        if let Some(lpis) = source.and_then(|redist| redist.lpis.as_mut()) {
            lpis.moved_away(intid.get());
        }
        let source = self.redistributors.get_mut(from.index());
        let pending = source.is_some_and(|redist| redist.clear_pending(intid.get(), memory));
        if !pending {
            return false;
        }
        let target = self.redistributors.get_mut(to.index());
        if let Some(lpis) = target.and_then(|redist| redist.lpis.as_mut()) {
            lpis.moved_here(intid.get(), memory);
            if off == MoveToDisabled::Move {
                return lpis.set_pending(intid.get(), memory);
            }
        }
        self.pend(to, intid, memory)
    }
}
