//! Packets between the ITS and redistributors, and what messages may still see of the time before
//! a command.
//!
//! The architecture promises the effect of a command only once a SYNC that names the redistributor
//! is done (IHI 0069 H 5.2). Where [`Ordering::Late`](crate::choice::its::Ordering) is chosen,
//! packets stay here until then, or until chance lets them arrive; and while the packet of a
//! command is here, a message may be translated as before the command, as long as what it raises
//! arrives before that packet does. Packets about one event arrive in the order in which they were
//! sent; others may overtake, those about the same LPI of another event included.

use super::command::Source;
use crate::Cpu;
use crate::v3::Packet;
use passim_model::IntId;

/// What a message may still see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    /// The event was mapped to this LPI at the packet's redistributor, or was not mapped.
    Event(Source, Option<IntId>),
    /// The collection was at the packet's redistributor (true), or was not mapped.
    Collection(u16, bool),
}

/// A packet on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct InFlight {
    pub(super) to: Cpu,
    pub(super) packet: Packet,
    /// The event it is about; `None` if it may be about any.
    pub(super) source: Option<Source>,
    pub(super) before: Option<Before>,
}

/// Chance, drawn from a seed.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number (splitmix64).
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// True once in two.
    pub(super) fn coin(&mut self) -> bool {
        self.next() & 1 != 0
    }

    /// A number below `bound`, which is not 0.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}

/// Most packets on their way; the oldest arrives when there would be more.
const MOST: usize = 256;

/// The packets on their way, in the order in which they were sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Flight {
    packets: Vec<InFlight>,
}

impl Flight {
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Sends a packet. What had to arrive to make room.
    pub(super) fn send(&mut self, packet: InFlight) -> Option<InFlight> {
        self.packets.push(packet);
        (self.packets.len() > MOST).then(|| self.packets.remove(0))
    }

    /// Everything for a redistributor, in order: a SYNC waits for it.
    pub(super) fn drain_to(&mut self, cpu: Cpu) -> Vec<InFlight> {
        let all = core::mem::take(&mut self.packets);
        let (arrived, rest) = all.into_iter().partition(|packet| packet.to == cpu);
        self.packets = rest;
        arrived
    }

    /// Everything, in order.
    pub(super) fn drain(&mut self) -> Vec<InFlight> {
        core::mem::take(&mut self.packets)
    }

    /// One packet, by chance: none that one before it, for the same redistributor and possibly the
    /// same LPI, has to precede.
    pub(super) fn take_one(&mut self, chance: &mut Chance) -> Option<InFlight> {
        if self.packets.is_empty() {
            return None;
        }
        let mut place = chance.below(self.packets.len());
        // What has to precede a packet may itself have something that has to precede it.
        while let Some(earlier) = self.predecessor(place) {
            place = earlier;
        }
        Some(self.packets.remove(place))
    }

    /// The first packet that has to arrive before the one at `place`.
    fn predecessor(&self, place: usize) -> Option<usize> {
        let later = self.packets[place];
        self.packets[..place].iter().position(|earlier| {
            let same_event = match (earlier.source, later.source) {
                (Some(a), Some(b)) => a == b,
                _ => true,
            };
            let same_place = earlier.to == later.to
                || reaches(earlier.packet, later.to)
                || reaches(later.packet, earlier.to);
            same_event && same_place
        })
    }

    /// The first packet on its way that lets a message see the time before its command.
    pub(super) fn before(&self, of: impl Fn(&Before) -> bool) -> Option<usize> {
        self.packets.iter().position(|packet| packet.before.as_ref().is_some_and(&of))
    }

    /// The packet at a place.
    pub(super) fn at(&self, place: usize) -> Option<&InFlight> {
        self.packets.get(place)
    }

    /// Sends a packet that arrives before the one at `place`.
    pub(super) fn send_before(&mut self, place: usize, packet: InFlight) {
        self.packets.insert(place.min(self.packets.len()), packet);
    }
}

/// Whether the packet also does something at this redistributor, to which it was not sent.
fn reaches(packet: Packet, cpu: Cpu) -> bool {
    matches!(packet, Packet::Move(_, to) | Packet::MoveAll(to) if to == cpu)
}
