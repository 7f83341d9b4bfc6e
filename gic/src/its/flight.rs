//! Packets between the ITS and redistributors, and what messages may still see of the time before
//! a command.
//!
//! The architecture promises two things of a SYNC (IHI 0069 H 5.3, SYNC): everything for the
//! redistributor that it names has arrived, and messages that come later see every command before
//! it, whichever redistributor that was for. Where
//! [`Ordering::Late`](crate::choice::its::Ordering) is chosen, packets stay here until a SYNC names
//! their redistributor, or until chance lets them arrive. Until the next SYNC of any, a message may
//! be translated as before a command whose packet is here, as long as what it raises arrives before
//! that packet does; and as before a MAPD, which sends no packet. Packets about one event arrive in
//! the order in which they were sent; others may overtake, those about the same LPI of another event
//! included.

use super::command::Source;
use super::entry::Dte;
use crate::Cpu;
use crate::chance::Chance;
use crate::v3::Packet;
use passim_model::{DeviceId, IntId};

/// What a message may still see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    /// The event was mapped to this LPI at the packet's redistributor, or was not mapped.
    Event(Source, Option<IntId>),
    /// The collection was at the packet's redistributor (true), or was not mapped.
    Collection(u16, bool),
}

/// What came before, or comes after, a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Late {
    /// Messages do not overtake the packet.
    No,
    /// What a later message raises there may arrive first.
    Overtaken,
    /// A later message may be translated as before the command.
    Before(Before),
}

/// A packet on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct InFlight {
    pub(super) to: Cpu,
    pub(super) packet: Packet,
    /// The event it is about; `None` if it may be about any.
    pub(super) source: Option<Source>,
    pub(super) late: Late,
}

impl InFlight {
    /// Whether the packet has to arrive before one that was sent later: both may be about the same
    /// event, and do something at the same redistributor.
    fn precedes(&self, later: &Self) -> bool {
        let same_event = match (self.source, later.source) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        let same_place =
            self.to == later.to || reaches(self.packet, later.to) || reaches(later.packet, self.to);
        same_event && same_place
    }
}

/// Most packets on their way, and most devices remembered as they were; the oldest goes when there
/// would be more.
const MOST: usize = 256;

/// The packets on their way, in the order in which they were sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Flight {
    packets: Vec<InFlight>,
    /// Devices as they were before a MAPD, which no SYNC has followed.
    devices: Vec<(DeviceId, Option<Dte>)>,
}

impl Flight {
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.devices.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Sends a packet. What had to arrive to make room.
    pub(super) fn send(&mut self, packet: InFlight) -> Option<InFlight> {
        self.packets.push(packet);
        (self.packets.len() > MOST).then(|| self.packets.remove(0))
    }

    /// A device is no longer mapped so.
    pub(super) fn leave(&mut self, device: DeviceId, before: Option<Dte>) {
        if self.devices.len() == MOST {
            self.devices.remove(0);
        }
        self.devices.push((device, before));
    }

    /// How a device may have been mapped, by chance, before a MAPD that no SYNC has followed.
    pub(super) fn device(&self, device: DeviceId, chance: &mut Chance) -> Option<Option<Dte>> {
        let of = || self.devices.iter().filter(|(id, _)| *id == device);
        let count = of().count();
        if count == 0 {
            return None;
        }
        of().nth(chance.below(count)).map(|(_, before)| *before)
    }

    /// Everything for a redistributor, and what has to arrive before that, in order: a SYNC waits
    /// for it. Of what messages saw before commands, nothing is left.
    pub(super) fn synchronise(&mut self, cpu: Cpu) -> Vec<InFlight> {
        let all = core::mem::take(&mut self.packets);
        let mut waited_for: Vec<_> = all.iter().map(|packet| packet.to == cpu).collect();
        for place in (0..all.len()).rev().filter(|place| !waited_for[*place]).collect::<Vec<_>>() {
            let mut later = (place + 1..all.len()).filter(|later| waited_for[*later]);
            waited_for[place] = later.any(|later| all[place].precedes(&all[later]));
        }
        let mut arrived = Vec::with_capacity(all.len());
        for (packet, waited_for) in all.into_iter().zip(waited_for) {
            match waited_for {
                true => arrived.push(packet),
                false => self.packets.push(packet),
            }
        }
        for packet in &mut self.packets {
            if matches!(packet.late, Late::Before(_)) {
                packet.late = Late::No;
            }
        }
        self.devices.clear();
        arrived
    }

    /// Devices are as the table has them.
    pub(super) fn forget_devices(&mut self) {
        self.devices.clear();
    }

    /// Everything, in an order that chance wants of those that are possible.
    pub(super) fn drain(&mut self, chance: &mut Chance) -> Vec<InFlight> {
        let mut arrived = Vec::with_capacity(self.packets.len());
        while !self.is_empty() {
            arrived.extend(self.take_one(chance));
        }
        arrived
    }

    /// By chance, takes one packet, or lets a device be as the table has it. No packet that one
    /// before it, for the same redistributor and possibly the same LPI, has to precede.
    pub(super) fn take_one(&mut self, chance: &mut Chance) -> Option<InFlight> {
        if self.is_empty() {
            return None;
        }
        let mut place = chance.below(self.packets.len() + self.devices.len());
        if let Some(device) = place.checked_sub(self.packets.len()) {
            self.devices.remove(device);
            return None;
        }
        // What has to precede a packet may itself have something that has to precede it.
        while let Some(earlier) = self.predecessor(place) {
            place = earlier;
        }
        Some(self.packets.remove(place))
    }

    /// The first packet that has to arrive before the one at `place`.
    fn predecessor(&self, place: usize) -> Option<usize> {
        let later = &self.packets[place];
        self.packets[..place].iter().position(|earlier| earlier.precedes(later))
    }

    /// The first packet on its way that lets a message see the time before its command.
    pub(super) fn before(&self, of: impl Fn(&Before) -> bool) -> Option<usize> {
        self.packets.iter().position(|packet| match &packet.late {
            Late::Before(before) => of(before),
            Late::No | Late::Overtaken => false,
        })
    }

    /// The first packet that what a message of `source` raises at `cpu` may overtake.
    pub(super) fn overtaken(&self, source: Source, cpu: Cpu) -> Option<usize> {
        self.packets.iter().position(|packet| {
            let about = packet.source.is_none_or(|about| about == source);
            packet.late == Late::Overtaken && packet.to == cpu && about
        })
    }

    /// The packet at a place.
    pub(super) fn at(&self, place: usize) -> Option<&InFlight> {
        self.packets.get(place)
    }

    /// Sends a packet that arrives before the one at `place`. What had to arrive to make room.
    pub(super) fn send_before(&mut self, place: usize, packet: InFlight) -> Option<InFlight> {
        self.packets.insert(place.min(self.packets.len()), packet);
        (self.packets.len() > MOST).then(|| self.packets.remove(0))
    }
}

/// Whether the packet also does something at this redistributor, to which it was not sent.
fn reaches(packet: Packet, cpu: Cpu) -> bool {
    matches!(packet, Packet::Move(_, to) | Packet::MoveAll(to) if to == cpu)
}
