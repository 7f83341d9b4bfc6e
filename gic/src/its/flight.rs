//! Packets on their way from the ITS to redistributors, and the states before a command that
//! messages may still observe.
//!
//! The architecture guarantees two things of a SYNC (IHI 0069 H 5.3, SYNC): everything sent to the
//! redistributor that it names has arrived, and later messages observe every earlier command,
//! whichever redistributor that was for. With [`Ordering::Late`](crate::choice::its::Ordering),
//! packets stay here until a SYNC names their redistributor, or until chance delivers them. Until
//! the next SYNC of any redistributor, a message may be translated as before a command whose packet
//! is here, as long as the LPI it raises arrives before that packet; and as before a MAPD, which
//! sends no packet. Packets about one event arrive in the order in which they were sent; others may
//! overtake each other, including those about the same LPI of another event.

use super::command::Source;
use super::entry::Dte;
use crate::Cpu;
use crate::chance::Chance;
use crate::v3::Packet;
use passim_model::{DeviceId, IntId};

/// The state before a command that a message may still observe.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Before {
    /// The event was mapped to this LPI at the packet's redistributor; `None`: it was not mapped.
    Event(Source, Option<IntId>),
    /// The collection was at the packet's redistributor; `false`: it was not mapped.
    Collection(u16, bool),
}

/// How a packet is ordered against later messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Late {
    /// Messages do not overtake the packet.
    No,
    /// An LPI that a later message raises there may arrive first.
    Overtaken,
    /// A later message may be translated as before the command.
    Before(Before),
}

/// A packet on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct InFlight {
    pub(super) to: Cpu,
    pub(super) packet: Packet,
    /// The event it is about; `None` if it may be about any event.
    pub(super) source: Option<Source>,
    pub(super) late: Late,
}

impl InFlight {
    /// Whether the packet has to arrive before one that was sent later: both may be about the same
    /// event, and both act on the same redistributor.
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

/// Maximum number of packets on their way, and of devices recorded as they were; one more pushes
/// out the oldest.
const MOST: usize = 256;

/// The packets on their way, in the order in which they were sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Flight {
    packets: Vec<InFlight>,
    /// Devices as they were before a MAPD that no SYNC has followed.
    devices: Vec<(DeviceId, Option<Dte>)>,
}

impl Flight {
    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty() && self.devices.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    /// Sends a packet. Returns the packet that has to arrive to make room.
    pub(super) fn send(&mut self, packet: InFlight) -> Option<InFlight> {
        self.packets.push(packet);
        (self.packets.len() > MOST).then(|| self.packets.remove(0))
    }

    /// Records how a device was mapped before a MAPD.
    pub(super) fn leave(&mut self, device: DeviceId, before: Option<Dte>) {
        if self.devices.len() == MOST {
            self.devices.remove(0);
        }
        self.devices.push((device, before));
    }

    /// How a device was mapped before a MAPD that no SYNC has followed: one of the records, by
    /// chance.
    pub(super) fn device(&self, device: DeviceId, chance: &mut Chance) -> Option<Option<Dte>> {
        let of = || self.devices.iter().filter(|(id, _)| *id == device);
        let count = of().count();
        if count == 0 {
            return None;
        }
        of().nth(chance.below(count)).map(|(_, before)| *before)
    }

    /// Takes every packet for a redistributor, and those that have to arrive before them, in order:
    /// a SYNC waits for them. Messages no longer observe states before earlier commands.
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

    /// Drops the records of devices: messages use the device table as it is.
    pub(super) fn forget_devices(&mut self) {
        self.devices.clear();
    }

    /// Takes every packet, in one of the allowed orders, drawn by chance.
    pub(super) fn drain(&mut self, chance: &mut Chance) -> Vec<InFlight> {
        let mut arrived = Vec::with_capacity(self.packets.len());
        while !self.is_empty() {
            arrived.extend(self.take_one(chance));
        }
        arrived
    }

    /// By chance, takes one packet, or drops one record of a device. A packet is never taken before
    /// one that has to precede it.
    pub(super) fn take_one(&mut self, chance: &mut Chance) -> Option<InFlight> {
        if self.is_empty() {
            return None;
        }
        let mut place = chance.below(self.packets.len() + self.devices.len());
        if let Some(device) = place.checked_sub(self.packets.len()) {
            self.devices.remove(device);
            return None;
        }
        // A predecessor may have a predecessor of its own.
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

    /// The first packet whose earlier state, accepted by `of`, a message may observe.
    pub(super) fn before(&self, of: impl Fn(&Before) -> bool) -> Option<usize> {
        self.packets.iter().position(|packet| match &packet.late {
            Late::Before(before) => of(before),
            Late::No | Late::Overtaken => false,
        })
    }

    /// The first packet that an LPI raised by a message of `source` at `cpu` may overtake.
    pub(super) fn overtaken(&self, source: Source, cpu: Cpu) -> Option<usize> {
        self.packets.iter().position(|packet| {
            let about = packet.source.is_none_or(|about| about == source);
            packet.late == Late::Overtaken && packet.to == cpu && about
        })
    }

    /// The packet at an index.
    pub(super) fn at(&self, place: usize) -> Option<&InFlight> {
        self.packets.get(place)
    }

    /// Sends a packet that arrives before the one at `place`. Returns the packet that has to arrive
    /// to make room.
    pub(super) fn send_before(&mut self, place: usize, packet: InFlight) -> Option<InFlight> {
        self.packets.insert(place.min(self.packets.len()), packet);
        (self.packets.len() > MOST).then(|| self.packets.remove(0))
    }
}

/// Whether the packet also acts on this redistributor, although it was sent to another.
fn reaches(packet: Packet, cpu: Cpu) -> bool {
    matches!(packet, Packet::Move(_, to) | Packet::MoveAll(to) if to == cpu)
}
