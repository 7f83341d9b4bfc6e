//! GICv3: a distributor with affinity routing, a redistributor and a CPU interface for each CPU,
//! and any number of ITSs.
//! Arm IHI 0069 issue H.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the bits? |
//! | `dist` | which SPIs wait, and for which CPUs? |
//! | `redist` | what do loads and stores of a redistributor's registers do? |
//! | `lpis`, `ids` | which LPIs are pending, and which is the most urgent? |
//! | `configured` | what does a byte of the LPI configuration table mean? |
//! | `known` | which configuration do all redistributors cache in common? |
//! | `places` | at which CPU is an LPI with a state of its own? |
//! | `presets` | which hardware features go with each preset? |
//! | `between` | which state do redistributors and ITSs share, beside packets? |
//! | `packet` | what may an ITS request of a redistributor? |
//! | `save` | which state is saved beside memory? |
//! | `view` | which interrupts are pending or active, for reports? |
//! | `cpu`, `icc` | which interrupt does a CPU acknowledge, and what does end of interrupt do? |
//!
//! One security state (GICD_CTLR.DS is fixed at 1) with affinity routing only (ARE is fixed at 1),
//! as a GIC without EL3 has on the machines of QEMU and KVM. LPIs are in Group 1.
//!
//! Not modelled: two security states, legacy operation, extended INTIDs (ESPI, EPPI), virtual
//! interfaces, GICv4. Choices are in [`crate::choice`].

mod between;
mod configured;
mod cpu;
mod dist;
mod icc;
mod ids;
mod known;
mod lpis;
mod packet;
mod places;
mod presets;
mod redist;
mod save;
#[cfg(test)]
pub(crate) mod testkit;
mod view;
mod wire;

pub use configured::Configured;
pub use cpu::SystemRegister;
pub use cpu::Waiting;
pub use dist::Features as DistributorFeatures;
pub use dist::Groups;
pub use dist::OneOfN;
pub use dist::SgiGroups;
pub use dist::message_spi;
pub use packet::Packet;
pub use redist::Features as RedistributorFeatures;
pub use redist::Sleep;
pub use save::Saved;

use crate::choice::LpiChoices;
use crate::its::{self, Arrival, Delivery, Its};
use crate::row::{FIRST_SPECIAL, ROW};
use crate::state::{State, Trigger};
use crate::{Cpu, Progress, Signal, Size};
use cpu::CpuInterface;
use dist::{Distributor, Route};
use passim_model::{Effect, IntId, Memory, Requester, event};
use places::Places;
use redist::Redistributor;
pub(crate) use wire::FIRST_LPI;
use wire::{LpiRegister, gicr};

/// Maximum number of CPUs of a modelled GICv3.
pub const MOST_CPUS: usize = 512;
/// Bytes of a redistributor's registers: RD_base and SGI_base, 64 KiB each.
pub const REDISTRIBUTOR_BYTES: u64 = gicr::END;

/// The parameters of a GICv3.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Implementation {
    /// The affinity of each CPU: Aff3.Aff2.Aff1.Aff0, a byte each. One to [`MOST_CPUS`]; an empty
    /// list acts as one CPU with affinity 0, and excess ones are dropped.
    pub affinities: Vec<u32>,
    /// The distributor.
    pub distributor: DistributorFeatures,
    /// The redistributors.
    pub redistributors: RedistributorFeatures,
    /// The choices of the redistributors.
    pub choices: LpiChoices,
    /// The ITSs, in the order of [`Block::Its`].
    pub its: Vec<its::Implementation>,
}

/// A block of registers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Block {
    /// GICD, 64 KiB.
    Distributor,
    /// GICR of a CPU, [`REDISTRIBUTOR_BYTES`].
    Redistributor(Cpu),
    /// GITS, [`its::ITS_BYTES`]: the control frame, then the translation frame. By its index in
    /// [`Implementation::its`].
    Its(u16),
}

/// The state of one interrupt, as one CPU sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Line {
    /// Inactive, pending, active or both. LPIs are never active.
    pub state: State,
    /// What makes it pending.
    pub trigger: Trigger,
    /// Whether it is enabled; for an LPI, by its cached configuration.
    pub enabled: bool,
    /// Whether it is in Group 1.
    pub group1: bool,
    /// Its priority; lower numbers are more urgent.
    pub priority: u8,
}

/// Counters since reset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Counters {
    /// LPIs for a redistributor whose LPIs are off, or that does not have them.
    pub lpis_dropped: u64,
    /// Failed loads and stores of LPI tables.
    pub lpi_table_aborts: u64,
}

/// A GICv3. See the [module](self).
#[derive(Clone, Debug)]
pub struct GicV3 {
    implementation: Implementation,
    distributor: Distributor,
    redistributors: Vec<Redistributor>,
    interfaces: Vec<CpuInterface>,
    its: Vec<Its>,
    places: Places,
    counters: Counters,
}

impl GicV3 {
    /// A GICv3 after reset.
    pub fn new(mut implementation: Implementation) -> Self {
        implementation.affinities.truncate(MOST_CPUS);
        if implementation.affinities.is_empty() {
            implementation.affinities.push(0);
        }
        for its in &mut implementation.its {
            its.features.num_lpis = implementation.distributor.num_lpis;
        }
        // INTIDs that no ITS can map an event to do not exist.
        let room = implementation.its.iter().map(|its| its.features.layout.intid_bits()).min();
        let bits = &mut implementation.distributor.intid_bits;
        *bits = (*bits).min(room.unwrap_or(u32::MAX));
        let far = implementation.affinities.iter().any(|affinity| affinity & 0xff >= 16);
        implementation.distributor.range_selector |= far;
        let lpis = implementation.redistributors.lpis;
        let bits = implementation.choices.priority_bits;
        let distributor = Distributor::new(implementation.distributor, lpis, bits);
        implementation.distributor = *distributor.features();
        let intid_bits = implementation.distributor.intid_bits;
        let most_lpis = distributor.most_lpis();
        let last = implementation.affinities.len() - 1;
        let redistributor = |(n, &affinity): (usize, &u32)| {
            let (features, choices) = (implementation.redistributors, implementation.choices);
            let cpu = Cpu::new(n as u16);
            let (lpis, groups) = (most_lpis, implementation.distributor.groups);
            let last = n == last;
            Redistributor::new(features, choices, cpu, affinity, last, (intid_bits, lpis, groups))
        };
        let redistributors = implementation.affinities.iter().enumerate().map(redistributor);
        let cpus = implementation.affinities.len() as u16;
        let ranges = implementation.distributor.range_selector;
        let interface = CpuInterface::new(intid_bits, ranges);
        let mut gic = Self {
            redistributors: redistributors.collect(),
            its: implementation.its.iter().map(|spec| Its::new(*spec, cpus)).collect(),
            interfaces: vec![interface; implementation.affinities.len()],
            distributor,
            places: Places::new(implementation.choices.state, intid_bits),
            counters: Counters::default(),
            implementation,
        };
        (0..cpus).for_each(|n| gic.tell_reach(Cpu::new(n)));
        gic
    }

    /// The parameters of the GIC; numbers out of range have been corrected.
    pub fn implementation(&self) -> &Implementation {
        &self.implementation
    }

    /// Resets the GIC.
    pub fn reset(&mut self) {
        *self = Self::new(self.implementation.clone());
    }

    /// The CPUs.
    pub fn cpus(&self) -> impl Iterator<Item = Cpu> + use<> {
        (0..self.redistributors.len()).map(|n| Cpu::new(n as u16))
    }

    /// Loads from a register, at an offset in bytes from where `block` starts. Offsets that name
    /// no register, and CPUs that do not exist, read as zero.
    pub fn load(&mut self, block: Block, offset: u64, size: Size) -> u64 {
        match block {
            Block::Distributor => self.distributor.load(offset, size),
            Block::Redistributor(cpu) => {
                let redistributor = self.redistributors.get(cpu.index());
                redistributor.map_or(0, |redistributor| redistributor.load(offset, size))
            }
            Block::Its(n) => {
                self.its.get_mut(usize::from(n)).map_or(0, |its| its.load(offset, size))
            }
        }
    }

    /// Stores to a register, at an offset in bytes from where `block` starts. Offsets that name no
    /// register, and CPUs that do not exist, are ignored. Turning LPIs on reads their tables,
    /// turning them off writes the pending table. [`GicV3::step`] consumes an ITS's commands, not
    /// this.
    pub fn store(
        &mut self,
        block: Block,
        offset: u64,
        size: Size,
        value: u64,
        memory: &mut Memory,
    ) {
        tracing::trace!(target: event::REGISTER, ?block, "store {value:#x} at {offset:#x}");
        match block {
            Block::Distributor => self.distributor.store(offset, size, value),
            Block::Redistributor(cpu) => {
                if offset == gicr::SETLPIR {
                    self.bring_known(cpu, LpiRegister::INTID.get(value) as u32);
                }
                let Some(redistributor) = self.redistributors.get_mut(cpu.index()) else { return };
                let off = !redistributor.is_on();
                redistributor.store(offset, size, value, memory);
                let turned_on = off && redistributor.is_on();
                if turned_on && redistributor.reads_pending() {
                    self.sync_with_table(cpu, memory);
                }
                if turned_on {
                    self.bring_all_known(cpu, memory);
                }
                self.spread_invalidations(memory);
                self.tell_others(cpu, offset, size, value, memory);
                self.tell_reach(cpu);
                match offset {
                    gicr::SETLPIR | gicr::CLRLPIR | gicr::INVLPIR => {
                        self.drop_unreferenced(LpiRegister::INTID.get(value) as u32);
                    }
                    // Registers of SGIs and PPIs.
                    gicr::SGI_BASE.. => {}
                    _ => self.drop_all_unreferenced(),
                }
            }
            Block::Its(n) => {
                if let Some(its) = self.its.get_mut(usize::from(n)) {
                    its.store(offset, size, value);
                    its.empty_tables(memory);
                }
                self.deliver_all(memory);
            }
        }
    }

    /// A device writes to an ITS, at an offset in bytes from the ITS's start: GITS_TRANSLATER is at
    /// [`its::TRANSLATER`]. The DeviceID is the requester's.
    pub fn message(
        &mut self,
        its: u16,
        offset: u64,
        size: Size,
        value: u64,
        requester: &Requester,
        memory: &mut Memory,
    ) -> Arrival {
        match self.message_fast(its, (offset, size, value), requester, memory) {
            Some((intid, cpu)) => Arrival::Raised { intid, cpu },
            None => self.message_slow((its, offset, size), value, requester, memory),
        }
    }

    /// Fast path of [`GicV3::message`]: the LPI made pending and its CPU, or `None` with nothing
    /// changed.
    #[inline(always)]
    pub fn message_fast(
        &mut self,
        its: u16,
        (offset, size, value): (u64, Size, u64),
        requester: &Requester,
        memory: &mut Memory,
    ) -> Option<(IntId, Cpu)> {
        let its = self.its.get_mut(usize::from(its))?;
        let (intid, cpu) = its.message_fast(offset, size, value, requester)?;
        self.pend(cpu, intid, memory);
        Some((intid, self.cpu_of_lpi(intid, cpu)))
    }

    /// The general path of [`GicV3::message`].
    #[inline(never)]
    pub(crate) fn message_slow(
        &mut self,
        (its, offset, size): (u16, u64, Size),
        value: u64,
        requester: &Requester,
        memory: &mut Memory,
    ) -> Arrival {
        let Some(its) = self.its.get_mut(usize::from(its)) else { return Arrival::Ignored };
        let (arrival, delivery) = its.message(offset, size, value, requester, memory);
        match (arrival, delivery) {
            (Arrival::Raised { intid, cpu }, Delivery::Now) => {
                self.pend(cpu, intid, memory);
                Arrival::Raised { intid, cpu: self.cpu_of_lpi(intid, cpu) }
            }
            _ => {
                self.deliver_all(memory);
                arrival
            }
        }
    }

    /// Performs one pending action, if there is any: an ITS consumes a command or delivers a
    /// packet, a redistributor performs an invalidation that a register requested. Where packets
    /// may be late, `Idle` means that nothing happens now; packets may still be on their way.
    pub fn step(&mut self, memory: &mut Memory) -> Progress {
        let its = self.its.iter_mut().any(|its| its.step(memory) == Progress::Worked);
        self.deliver_all(memory);
        let mut redistributors = self.redistributors.iter_mut();
        let here = !its && redistributors.any(|redistributor| redistributor.step(memory));
        self.spread_invalidations(memory);
        if here {
            self.drop_all_unreferenced();
        }
        if its || here { Progress::Worked } else { Progress::Idle }
    }

    /// Delivers every packet that is on its way, and completes register operations, as happens in
    /// finite time.
    pub fn settle(&mut self, memory: &mut Memory) {
        for its in &mut self.its {
            its.settle();
        }
        self.deliver_all(memory);
        let mut worked = false;
        for redistributor in &mut self.redistributors {
            while redistributor.step(memory) {
                worked = true;
            }
        }
        self.spread_invalidations(memory);
        if worked {
            self.drop_all_unreferenced();
        }
    }

    fn deliver_all(&mut self, memory: &mut Memory) {
        for n in 0..self.its.len() {
            for (cpu, packet) in self.its[n].take_packets() {
                self.deliver(cpu, packet, memory);
            }
        }
    }

    /// Effects for the caller to perform, in order: wires of the GIC's own parts that pulse.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        self.its.iter_mut().flat_map(Its::take_effects).collect()
    }

    /// The ITSs.
    pub fn its(&self) -> &[Its] {
        &self.its
    }

    /// The failed commands of an ITS since the last call, 64 at most: the latest.
    pub fn take_reports(&mut self, its: u16) -> Vec<its::Report> {
        self.its.get_mut(usize::from(its)).map_or(Vec::new(), Its::take_reports)
    }

    /// The device writes that an ITS has reported since the last call: [`Its::take_failed_writes`].
    pub fn take_failed_writes(&mut self, its: u16) -> Vec<its::FailedWrite> {
        self.its.get_mut(usize::from(its)).map_or(Vec::new(), Its::take_failed_writes)
    }

    /// The wire of an SPI changes. INTIDs of no SPI are ignored.
    pub fn wire(&mut self, spi: IntId, signal: Signal) {
        self.distributor.wire(spi.get(), signal);
    }

    /// The wire of a CPU's PPI, INTID 16 to 31, changes. Other INTIDs are ignored.
    pub fn wire_private(&mut self, cpu: Cpu, ppi: IntId, signal: Signal) {
        if let (16..32, Some(redistributor)) = (ppi.get(), self.redistributors.get_mut(cpu.index()))
        {
            redistributor.row.drive(ppi.get(), signal);
        }
    }

    /// The pending LPIs of a CPU, ascending.
    pub fn pending_lpis(&self, cpu: Cpu) -> Vec<IntId> {
        let lpis = self.redistributors.get(cpu.index()).and_then(|redist| redist.lpis.as_ref());
        lpis.map_or(Vec::new(), |lpis| lpis.pending().into_iter().map(IntId::new).collect())
    }

    /// Counters since reset.
    pub fn counters(&self) -> Counters {
        let aborts = self.redistributors.iter().map(Redistributor::aborts).sum();
        Counters { lpi_table_aborts: aborts, ..self.counters }
    }

    /// One interrupt, as this CPU sees it; `None` if it does not exist. LPIs do not exist while
    /// they are off, unless the redistributor keeps them.
    pub fn line(&self, cpu: Cpu, intid: IntId) -> Option<Line> {
        let redistributor = self.redistributors.get(cpu.index())?;
        let intid = intid.get();
        let (n, bit) = ((intid / ROW) as usize, intid % ROW);
        let row = match intid {
            FIRST_LPI.. => return redistributor.lpis.as_ref()?.line(intid),
            0..ROW => &redistributor.row,
            ROW..FIRST_SPECIAL => self.distributor.row(n)?,
            FIRST_SPECIAL..FIRST_LPI => return None,
        };
        Some(Line {
            state: row.states.state(bit),
            trigger: row.states.trigger(bit),
            enabled: row.enabled >> bit & 1 != 0,
            group1: row.group1 >> bit & 1 != 0,
            priority: row.priority[bit as usize],
        })
    }

    /// The CPUs among the first eight that may take an SPI, one bit each.
    pub fn targets(&self, spi: IntId) -> u8 {
        let Some(route) = self.distributor.route(spi.get()) else { return 0 };
        let affinities = self.implementation.affinities.iter().take(8).enumerate();
        let takes = |affinity: u32| match route {
            Route::To(to) => to == affinity,
            Route::Any => true,
        };
        let named = affinities.filter(|(_, affinity)| takes(**affinity));
        named.fold(0, |cpus, (n, _)| cpus | 1 << n)
    }

    /// The most urgent interrupt that waits for a CPU, in these groups.
    fn highest(&self, cpu: Cpu, groups: (bool, bool)) -> Option<Waiting> {
        let redistributor = self.redistributors.get(cpu.index())?;
        if redistributor.is_asleep() {
            return None;
        }
        let forwarded = self.distributor.groups();
        let groups = (groups.0 && forwarded.0, groups.1 && forwarded.1);
        let affinity = self.implementation.affinities[cpu.index()];
        let spi = self.distributor.highest(groups, |route, group1| match route {
            Route::To(to) => to == affinity,
            Route::Any => !redistributor.declines(group1),
        });
        let row = &redistributor.row;
        let own = row.first(row.waiting(groups.0, groups.1));
        let lpi = redistributor.lpis.as_ref().filter(|_| groups.1).and_then(|lpis| lpis.highest());
        let (priority, intid) = [own, spi, lpi].into_iter().flatten().min()?;
        let group1 = match intid {
            FIRST_LPI.. => true,
            0..ROW => row.group1 >> intid & 1 != 0,
            ROW.. => self.distributor.row((intid / ROW) as usize)?.group1 >> (intid % ROW) & 1 != 0,
        };
        Some(Waiting { intid: IntId::new(intid), priority, group1 })
    }

    /// The interrupt that is signalled to a CPU: enabled at the distributor and the interface, more
    /// urgent than the priority mask and than the running priority. The CPU is interrupted exactly
    /// when there is one.
    pub fn highest_pending(&self, cpu: Cpu) -> Option<Waiting> {
        let interface = self.interfaces.get(cpu.index())?;
        let waiting = self.highest(cpu, interface.groups())?;
        interface.signals(&waiting).then_some(waiting)
    }

    /// A row of SGIs, PPIs or SPIs, mutable.
    fn row_mut(&mut self, cpu: Cpu, intid: u32) -> Option<&mut crate::row::Row> {
        match intid {
            0..ROW => self.redistributors.get_mut(cpu.index()).map(|redist| &mut redist.row),
            ROW.. => self.distributor.row_mut((intid / ROW) as usize),
        }
    }
}

#[cfg(test)]
mod tests;
