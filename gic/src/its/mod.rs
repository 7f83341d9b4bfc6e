//! GICv3 Interrupt Translation Service. Arm IHI 0069 issue H, chapter 5.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the bits? |
//! | `features` | what is an ITS built as, and what does it say of itself? |
//! | `regs` | which stores take effect, what does a load return? |
//! | `table`, `entry`, `collection` | where in memory is an entry, and what does it say? |
//! | `translate`, `cache` | what becomes of a message? |
//! | `cmdq`, `command`, `execute` | which commands are there, and what do they do? |
//! | `error` | why did a command fail, why did a message raise nothing? |
//! | `spell` | what is a command called, and what do its fields say? |
//! | `flight` | what has been sent and has not arrived? |
//! | `orphans` | which events have lost their collection? |
//! | `told` | which LPI did an event map to? |
//! | [`image`], `save` | what do tables map, in whatever layout; how is an ITS saved? |
//! | `emptied` | what becomes of a table that is no longer valid? |
//! | `kept`, `refused` | what does an ITS map that has its tables itself, and what does it not take? |
//!
//! An ITS raises nothing itself: it sends [`Packet`]s to redistributors, which
//! [`GicV3`](crate::v3::GicV3) delivers. Device, collection and interrupt translation tables are
//! bytes in memory and nowhere else, so that whoever reads memory sees what the ITS does; but where it
//! is chosen that an ITS has them itself (`kept`).
//!
//! Not here: virtual LPIs, whose commands the decoder knows by name and takes none of, and MPAM
//! (GITS_MPAMIDR, GITS_PARTIDR, GITS_MPIDR), which GITS_TYPER does not promise: the registers read as zero.

mod cache;
mod cmdq;
mod collection;
mod command;
mod emptied;
mod entry;
mod error;
mod execute;
mod features;
mod flight;
pub mod image;
mod kept;
mod orphans;
mod refused;
mod regs;
mod save;
mod spell;
mod table;
mod told;
mod translate;
mod wire;

pub use command::Opcode;
pub use entry::Layout;
pub use error::CommandError;
pub use error::FailedWrite;
pub use error::Failure;
pub use error::Reason;
pub use error::Report;
pub use error::Untranslated;
pub use error::Wrote;
pub use features::Features;
pub use features::Implementation;
pub use features::PageSizes;
pub use refused::Refused;
pub use save::Saved;
pub use spell::{Part, Spelled, register_fields};
pub(crate) use translate::Delivery;

use crate::chance::Chance;
use crate::choice::its::{Haste, Ordering, TableHome};
use crate::v3::Packet;
use crate::{Cpu, Progress, Size};
use cache::Cache;
use command::Source;
use flight::{Flight, InFlight, Late};
use kept::Kept;
use orphans::Orphans;
use passim_model::{Effect, IntId, Memory, event};
use regs::{Consequence, Registers};
use std::collections::{BTreeMap, VecDeque};
use table::Table;

/// Bytes of an ITS: the control frame and the translation frame, 64 KiB each.
pub const ITS_BYTES: u64 = wire::offset::END;
/// Offset of GITS_TRANSLATER, where messages are written to.
pub const TRANSLATER: u64 = wire::offset::TRANSLATER;
/// Of how many steps one lets something arrive that is slow.
const SLOW: usize = 16;
/// Most reports kept; the oldest is lost when there would be more.
const MOST_REPORTS: usize = 64;

/// What became of a write to an ITS by a device.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Arrival {
    /// It was no message: another register, or another size.
    Ignored,
    /// It raised nothing.
    Untranslated(Untranslated),
    /// It raised an LPI, which is with the redistributor or on its way there.
    Raised {
        /// Which.
        intid: IntId,
        /// The CPU whose redistributor it is for.
        cpu: Cpu,
    },
}

/// How often things happened since reset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Counters {
    /// Commands consumed, and attempted where the queue stopped.
    pub commands: u64,
    /// Commands that failed.
    pub errors: u64,
    /// Messages that raised an LPI.
    pub messages: u64,
    /// Messages that raised nothing.
    pub untranslated: u64,
}

/// An ITS. See the [module](self).
#[derive(Clone, Debug)]
pub struct Its {
    implementation: Implementation,
    cpus: u16,
    /// By CPU, the INTIDs below which its redistributor has LPIs; 0 while they are off.
    reach: Vec<u32>,
    /// INTIDs below this have a byte of configuration, by GICR_PROPBASER.
    configured: u32,
    registers: Registers,
    /// Collections the ITS holds itself, by ICID.
    held: Vec<Option<Cpu>>,
    orphans: Orphans,
    /// The LPIs of events, where redistributors are told of each.
    told: BTreeMap<Source, IntId>,
    /// The tables, where the ITS has them itself.
    kept: Option<Kept>,
    /// Why those of memory were not taken.
    refused: Option<Refused>,
    cache: Cache,
    flight: Flight,
    chance: Chance,
    /// Arrived, and not yet taken.
    due: Vec<(Cpu, Packet)>,
    reports: VecDeque<Report>,
    failed_writes: VecDeque<FailedWrite>,
    effects: Vec<Effect>,
    counters: Counters,
    /// Tables that are to be emptied, by what is kept of stores to a GITS_BASER.
    emptied: Vec<(usize, Option<Table>)>,
}

impl Its {
    /// An ITS after reset, for redistributors 0 to `cpus - 1`.
    pub fn new(implementation: Implementation, cpus: u16) -> Self {
        let implementation = implementation.in_range();
        let seed = match implementation.choices.ordering {
            Ordering::AtOnce => 0,
            Ordering::Late { seed, .. } => seed,
        };
        Self {
            registers: Registers::reset(&implementation),
            held: vec![None; usize::from(implementation.features.held_collections)],
            orphans: Orphans::default(),
            told: BTreeMap::new(),
            kept: (implementation.choices.table_home == TableHome::Its).then(Kept::default),
            refused: None,
            cache: Cache::new(implementation.choices.caching),
            flight: Flight::default(),
            chance: Chance::new(seed),
            due: Vec::new(),
            reports: VecDeque::new(),
            failed_writes: VecDeque::new(),
            effects: Vec::new(),
            counters: Counters::default(),
            emptied: Vec::new(),
            implementation,
            cpus,
            reach: vec![u32::MAX; usize::from(cpus)],
            configured: u32::MAX,
        }
    }

    /// A redistributor has LPIs below this INTID from now on; 0 says that they are off. Until it is
    /// said they have no end.
    pub(crate) fn learn_reach(&mut self, cpu: Cpu, bound: u32) {
        let whole = self.forgets_whole();
        let Some(reach) = self.reach.get_mut(cpu.index()) else { return };
        if whole && bound == 0 && *reach != 0 {
            self.cache.forget_all();
        }
        *reach = bound;
    }

    /// GICR_PROPBASER has configuration of LPIs below this INTID, on or not. Until it is said they
    /// have no end.
    pub(crate) fn learn_configured(&mut self, bound: u32) {
        self.configured = bound;
    }

    /// What the ITS is built as; numbers out of range have been put right.
    pub fn implementation(&self) -> &Implementation {
        &self.implementation
    }

    /// Loads a register, at an offset in bytes from where the ITS starts; the translation frame
    /// starts at 0x10000. Offsets that name no register read as zero.
    pub fn load(&mut self, offset: u64, size: Size) -> u64 {
        let quiet = self.flight.is_empty();
        self.registers.load(offset, size, &self.implementation, quiet)
    }

    /// A CPU stores to a register. Commands are consumed by [`Its::step`], not here. A store to
    /// GITS_TRANSLATER is ignored: a CPU has no DeviceID.
    pub fn store(&mut self, offset: u64, size: Size, value: u64) {
        tracing::trace!(target: event::REGISTER, "its: store {value:#x} at {offset:#x}");
        let told = self.registers.tells_unmapped();
        let consequence = self.registers.store(offset, size, value, &self.implementation);
        self.tell_unmapped(told);
        match consequence {
            Consequence::None => return,
            Consequence::Forget => {}
            Consequence::Empty(n, table) => self.emptied.push((n, table)),
        }
        self.cache.forget_all();
        self.flight.forget_devices();
    }

    /// Pulses the wire for messages that cannot be translated, if there was nothing to tell before.
    fn tell_unmapped(&mut self, before: bool) {
        if !before && self.registers.tells_unmapped() {
            self.effects.extend(self.implementation.features.unmapped_wire.map(Effect::Wire));
        }
    }

    /// Does one thing that waits: lets a packet arrive, or consumes one command. Where packets may
    /// be late, `Idle` says that nothing happens now, not that nothing is on its way.
    pub fn step(&mut self, memory: &mut Memory) -> Progress {
        self.empty_tables(memory);
        let consumed = self.consume(memory);
        if consumed == Progress::Worked || self.flight.is_empty() {
            return consumed;
        }
        // IHI 0069 H 12.18 (GITS_CTLR.Quiescent): a disabled ITS finishes what it has begun.
        if !self.registers.enabled {
            self.settle();
            return Progress::Worked;
        }
        if self.let_one_arrive() { Progress::Worked } else { Progress::Idle }
    }

    /// Lets everything arrive that is on its way, as it does in finite time without any SYNC.
    pub fn settle(&mut self) {
        let arrived = self.flight.drain(&mut self.chance);
        self.due.extend(arrived.into_iter().map(|packet| (packet.to, packet.packet)));
    }

    /// What has arrived at redistributors, in order.
    pub fn take_packets(&mut self) -> Vec<(Cpu, Packet)> {
        core::mem::take(&mut self.due)
    }

    /// The failed commands since the last call, the last 64 at most.
    pub fn take_reports(&mut self) -> Vec<Report> {
        self.reports.drain(..).collect()
    }

    /// The writes of devices that raised nothing since the last call, the last 64 at most, where the
    /// ITS reports them: as GIC-600 does ([`TargetErrors::Gic600`](crate::choice::its::TargetErrors)).
    pub fn take_failed_writes(&mut self) -> Vec<FailedWrite> {
        self.failed_writes.drain(..).collect()
    }

    /// What the ITS wants done elsewhere, in order: pulses on its error wire.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        core::mem::take(&mut self.effects)
    }

    /// How many packets are on their way.
    pub fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// How many translations are remembered.
    pub fn cached_translations(&self) -> usize {
        self.cache.count()
    }

    /// How often things happened since reset.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Sends a packet: it arrives at once, or is on its way.
    #[inline]
    fn send(&mut self, to: Cpu, packet: Packet, source: Option<Source>, late: Late) {
        match self.implementation.choices.ordering {
            Ordering::AtOnce if packet == Packet::Nothing => {}
            Ordering::AtOnce => self.due.push((to, packet)),
            Ordering::Late { .. } => {
                let crowded_out = self.flight.send(InFlight { to, packet, source, late });
                self.due.extend(crowded_out.map(|packet| (packet.to, packet.packet)));
            }
        }
    }

    /// By chance, lets a packet arrive. Whether one did.
    fn let_one_arrive(&mut self) -> bool {
        let now = match self.implementation.choices.ordering {
            Ordering::AtOnce => true,
            Ordering::Late { haste: Haste::Even, .. } => self.chance.coin(),
            Ordering::Late { haste: Haste::Slow, .. } => self.chance.below(SLOW) == 0,
            Ordering::Late { haste: Haste::Never, .. } => false,
        };
        if !now {
            return false;
        }
        let arrived = self.flight.take_one(&mut self.chance);
        self.due.extend(arrived.map(|packet| (packet.to, packet.packet)));
        arrived.is_some()
    }
}

#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
