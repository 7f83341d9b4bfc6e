//! GICv3 Interrupt Translation Service. Arm IHI 0069 issue H, chapter 5.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the bits? |
//! | `features` | which parameters does an ITS have, and what do its identification registers read? |
//! | `regs` | which stores take effect, what does a load return? |
//! | `table`, `entry`, `collection` | where in memory is an entry, and how is it decoded? |
//! | `translate`, `cache` | which LPI does a message raise, if any? |
//! | `cmdq`, `command`, `execute` | which commands exist, and what do they do? |
//! | `error`, `trouble` | why did a command fail, why did a message raise nothing? |
//! | `spell` | how is a command printed, field by field? |
//! | `flight` | which packets have been sent and have not arrived? |
//! | `orphans` | which events have lost their collection? |
//! | `lpi_references` | of which events have redistributors been notified? |
//! | [`image`], `save` | what do tables map, in any layout; how is an ITS saved? |
//! | `changed_tables` | what happens to a table when its GITS_BASER changes? |
//! | `internal_tables`, `refused` | what does an ITS with internal tables map, and why is a restore refused? |
//!
//! An ITS does not raise interrupts itself: it sends [`Packet`]s to redistributors, which
//! [`GicV3`](crate::v3::GicV3) delivers. Device, collection and interrupt translation tables are
//! bytes in memory and nowhere else, so that memory always shows the current mappings. There are
//! three exceptions: an ITS that is built with internal tables (`internal_tables`), the collections
//! that an ITS holds itself (GITS_TYPER.HCC), and events that have lost their collection
//! (`orphans`).
//!
//! Not modelled: virtual LPIs, whose commands the decoder names but does not accept, and MPAM
//! (GITS_MPAMIDR, GITS_PARTIDR, GITS_MPIDR), which GITS_TYPER does not report: the registers read
//! as zero.

mod cache;
mod changed_tables;
mod cmdq;
mod collection;
mod command;
mod entry;
mod error;
mod execute;
mod features;
mod flight;
pub mod image;
mod internal_tables;
mod lpi_references;
mod orphans;
mod refused;
mod regs;
mod save;
mod spell;
mod table;
mod translate;
mod trouble;
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
use internal_tables::InternalTables;
use orphans::Orphans;
use passim_model::{Effect, IntId, Memory, event};
use regs::{Consequence, Registers};
use std::collections::{BTreeMap, VecDeque};
use table::Table;

/// Bytes of an ITS: the control frame and the translation frame, 64 KiB each.
pub const ITS_BYTES: u64 = wire::offset::END;
/// Offset of GITS_TRANSLATER, where messages are written to.
pub const TRANSLATER: u64 = wire::offset::TRANSLATER;
/// With [`Haste::Slow`], one step in this many delivers a packet.
const SLOW: usize = 16;
/// Maximum number of reports kept; a further one replaces the oldest.
const MOST_REPORTS: usize = 64;

/// The outcome of a device's write to an ITS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Arrival {
    /// Not a message: another register, or another size.
    Ignored,
    /// It raised nothing.
    Untranslated(Untranslated),
    /// It raised an LPI, which has reached the redistributor or is on its way there.
    Raised {
        /// The LPI.
        intid: IntId,
        /// The CPU of the target redistributor.
        cpu: Cpu,
    },
}

/// Counters since reset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Counters {
    /// Commands consumed, including attempts that stalled the queue.
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
    /// By CPU, the INTID below which its redistributor handles LPIs; 0 while LPIs are off.
    reach: Vec<u32>,
    /// INTIDs below this have a configuration byte, by GICR_PROPBASER.
    configured: u32,
    registers: Registers,
    /// Collections held in the ITS, by ICID (GITS_TYPER.HCC).
    held: Vec<Option<Cpu>>,
    orphans: Orphans,
    /// The LPI of each event, where redistributors are notified of every mapping.
    references: BTreeMap<Source, IntId>,
    /// The internal tables, if the ITS has them.
    internal: Option<InternalTables>,
    /// Why the tables in memory were not restored.
    refused: Option<Refused>,
    cache: Cache,
    flight: Flight,
    chance: Chance,
    /// Arrived, and not yet returned by [`Its::take_packets`].
    due: Vec<(Cpu, Packet)>,
    reports: VecDeque<Report>,
    failed_writes: VecDeque<FailedWrite>,
    effects: Vec<Effect>,
    counters: Counters,
    /// Tables to be emptied: the number of the GITS_BASER and the table it named.
    emptied: Vec<(usize, Table)>,
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
            references: BTreeMap::new(),
            internal: (implementation.choices.table_home == TableHome::Its)
                .then(InternalTables::default),
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

    /// Sets the INTID below which a redistributor handles LPIs; 0 while they are off. Until the
    /// first call there is no bound.
    pub(crate) fn learn_reach(&mut self, cpu: Cpu, bound: u32) {
        let whole = self.forgets_whole();
        let Some(reach) = self.reach.get_mut(cpu.index()) else { return };
        if whole && bound == 0 && *reach != 0 {
            self.cache.forget_all();
        }
        *reach = bound;
    }

    /// Sets the INTID below which GICR_PROPBASER's table has configuration, whether LPIs are on or
    /// not. Until the first call there is no bound.
    pub(crate) fn learn_configured(&mut self, bound: u32) {
        self.configured = bound;
    }

    /// The parameters of the ITS; numbers out of range have been corrected.
    pub fn implementation(&self) -> &Implementation {
        &self.implementation
    }

    /// Loads a register, at an offset in bytes from the ITS's start; the translation frame starts
    /// at 0x10000. Offsets that name no register read as zero.
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

    /// Pulses the wire for untranslated messages, if its condition has just become true.
    fn tell_unmapped(&mut self, before: bool) {
        if !before && self.registers.tells_unmapped() {
            self.effects.extend(self.implementation.features.unmapped_wire.map(Effect::Wire));
        }
    }

    /// Performs one pending action: a packet arrives, or one command is consumed. Where packets may
    /// be late, `Idle` means that nothing happens now; packets may still be on their way.
    pub fn step(&mut self, memory: &mut Memory) -> Progress {
        self.empty_tables(memory);
        let consumed = self.consume(memory);
        if consumed == Progress::Worked || self.flight.is_empty() {
            return consumed;
        }
        // IHI 0069 H 12.19 (GITS_CTLR.Quiescent): a disabled ITS finishes what it has begun.
        if !self.registers.enabled {
            self.settle();
            return Progress::Worked;
        }
        if self.let_one_arrive() { Progress::Worked } else { Progress::Idle }
    }

    /// Delivers every packet that is on its way, as happens in finite time without any SYNC.
    pub fn settle(&mut self) {
        let arrived = self.flight.drain(&mut self.chance);
        self.due.extend(arrived.into_iter().map(|packet| (packet.to, packet.packet)));
    }

    /// The packets that have arrived at redistributors, in order.
    pub fn take_packets(&mut self) -> Vec<(Cpu, Packet)> {
        core::mem::take(&mut self.due)
    }

    /// The failed commands since the last call, 64 at most: the latest.
    pub fn take_reports(&mut self) -> Vec<Report> {
        self.reports.drain(..).collect()
    }

    /// The failed commands that nobody has taken yet, oldest first.
    pub fn reports(&self) -> impl DoubleEndedIterator<Item = &Report> {
        self.reports.iter()
    }

    /// The device writes since the last call that raised nothing, 64 at most: the latest. Only an
    /// ITS that reports them records them, as GIC-600 does
    /// ([`TargetErrors::Gic600`](crate::choice::its::TargetErrors)).
    pub fn take_failed_writes(&mut self) -> Vec<FailedWrite> {
        self.failed_writes.drain(..).collect()
    }

    /// Effects for the caller to perform, in order: pulses of wires.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        core::mem::take(&mut self.effects)
    }

    /// Number of packets on their way.
    pub fn in_flight(&self) -> usize {
        self.flight.len()
    }

    /// Number of cached translations.
    pub fn cached_translations(&self) -> usize {
        self.cache.count()
    }

    /// Counters since reset.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Sends a packet, which arrives at once or goes on its way.
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

    /// Delivers a packet, or none, by chance. Returns whether one arrived.
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
