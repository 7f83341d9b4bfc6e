//! GICv3: a distributor with affinity routing, a redistributor and a CPU interface for each CPU,
//! and any number of ITSs.
//! Arm IHI 0069 issue H.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the bits? |
//! | `dist` | which SPIs wait, and where may they go? |
//! | `redist` | what do a redistributor's registers say and do? |
//! | `lpis`, `ids` | which LPIs are pending, and which is the most urgent? |
//! | `configured` | what does a byte of their configuration say? |
//! | `known` | what do all redistributors know of it alike? |
//! | `places` | where is an LPI that has a state of its own? |
//! | `presets` | what is a GIC built as that chooses as somebody's does? |
//! | `between` | what do redistributors and ITSs learn of one another? |
//! | `packet` | what may an ITS ask of a redistributor? |
//! | `save` | what is there to save beside memory? |
//! | `view` | which interrupts are under way, as one looks from outside? |
//! | `cpu`, `icc` | what does a CPU take, and when is it done with it? |
//!
//! One security state (GICD_CTLR.DS is fixed at 1) with affinity routing only (ARE is fixed at 1):
//! what a GIC without EL3 shows, as the boards of QEMU and KVM do. LPIs are in Group 1.
//!
//! Not here: two security states, legacy operation, extended INTIDs (ESPI, EPPI), virtual
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
use wire::{FIRST_LPI, LpiRegister, gicr};

/// Most CPUs of a GICv3 here.
pub const MOST_CPUS: usize = 512;
/// Bytes of a redistributor's registers: RD_base and SGI_base, 64 KiB each.
pub const REDISTRIBUTOR_BYTES: u64 = gicr::END;

/// What a GICv3 is built as.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Implementation {
    /// The affinity of each CPU: Aff3.Aff2.Aff1.Aff0, a byte each. One to [`MOST_CPUS`]; none
    /// counts as one with affinity 0, and more are left out.
    pub affinities: Vec<u32>,
    /// The distributor.
    pub distributor: DistributorFeatures,
    /// The redistributors.
    pub redistributors: RedistributorFeatures,
    /// What they choose.
    pub choices: LpiChoices,
    /// The ITSs, in the order in which [`Block::Its`] counts them.
    pub its: Vec<its::Implementation>,
}

/// A block of registers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Block {
    /// GICD, 64 KiB.
    Distributor,
    /// GICR of a CPU, [`REDISTRIBUTOR_BYTES`].
    Redistributor(Cpu),
    /// GITS, [`its::ITS_BYTES`]: the control frame, then the translation frame. By its place in
    /// [`Implementation::its`].
    Its(u16),
}

/// Everything about one interrupt, as one CPU sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Line {
    /// Inactive, pending, active or both. LPIs are never active.
    pub state: State,
    /// What makes it pending.
    pub trigger: Trigger,
    /// Whether it is forwarded. Of an LPI: whether that is known.
    pub enabled: bool,
    /// Whether it is in Group 1.
    pub group1: bool,
    /// Its priority; lower numbers are more urgent.
    pub priority: u8,
}

/// How often things happened since reset.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct Counters {
    /// LPIs that reached a redistributor whose LPIs are off, or that do not exist there.
    pub lpis_dropped: u64,
    /// Loads and stores of LPI tables that nothing answered.
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
        // An LPI that no event can be mapped to is none that an ITS's GIC has.
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

    /// What the GIC is built as; numbers out of range have been put right.
    pub fn implementation(&self) -> &Implementation {
        &self.implementation
    }

    /// Back to the state after reset.
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
    /// turning them off writes the pending one. Commands of an ITS are consumed by [`GicV3::step`],
    /// not here.
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
                    self.believe_table(cpu, memory);
                }
                if turned_on {
                    self.bring_all_known(cpu, memory);
                }
                self.spread_invalidations(memory);
                self.tell_others(cpu, offset, size, value, memory);
                self.tell_reach(cpu);
                self.forget_loose();
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

    /// A device writes to an ITS, at an offset in bytes from where the ITS starts: GITS_TRANSLATER
    /// is at [`its::TRANSLATER`]. The DeviceID is the requester's.
    pub fn message(
        &mut self,
        its: u16,
        offset: u64,
        size: Size,
        value: u64,
        requester: &Requester,
        memory: &mut Memory,
    ) -> Arrival {
        match self.message_at_hand(its, (offset, size, value), requester, memory) {
            Some((intid, cpu)) => Arrival::Raised { intid, cpu },
            None => self.message_behind((its, offset, size), value, requester, memory),
        }
    }

    /// As [`GicV3::message`], where it is plain to see what comes of it: the LPI that is pending now,
    /// and the CPU. Else nothing has happened.
    #[inline(always)]
    pub fn message_at_hand(
        &mut self,
        its: u16,
        (offset, size, value): (u64, Size, u64),
        requester: &Requester,
        memory: &mut Memory,
    ) -> Option<(IntId, Cpu)> {
        let its = self.its.get_mut(usize::from(its))?;
        let (intid, cpu) = its.message_at_hand(offset, size, value, requester)?;
        self.pend(cpu, intid, memory);
        Some((intid, self.whereabouts(intid, cpu)))
    }

    /// As [`GicV3::message`], the general way.
    #[inline(never)]
    pub(crate) fn message_behind(
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
                Arrival::Raised { intid, cpu: self.whereabouts(intid, cpu) }
            }
            _ => {
                self.deliver_all(memory);
                arrival
            }
        }
    }

    /// Does one thing that waits, if there is any: an ITS consumes a command or lets a packet
    /// arrive, a redistributor does an invalidation that a register asked for. Where packets may be
    /// late, `Idle` says that nothing happens now, not that nothing is on its way.
    pub fn step(&mut self, memory: &mut Memory) -> Progress {
        let its = self.its.iter_mut().any(|its| its.step(memory) == Progress::Worked);
        self.deliver_all(memory);
        let mut redistributors = self.redistributors.iter_mut();
        let worked = its || redistributors.any(|redistributor| redistributor.step(memory));
        self.spread_invalidations(memory);
        if worked { Progress::Worked } else { Progress::Idle }
    }

    /// Lets everything arrive that is on its way, as it does in finite time.
    pub fn settle(&mut self, memory: &mut Memory) {
        for its in &mut self.its {
            its.settle();
        }
        self.deliver_all(memory);
        for redistributor in &mut self.redistributors {
            while redistributor.step(memory) {}
        }
        self.spread_invalidations(memory);
    }

    fn deliver_all(&mut self, memory: &mut Memory) {
        for n in 0..self.its.len() {
            for (cpu, packet) in self.its[n].take_packets() {
                self.deliver(cpu, packet, memory);
            }
        }
    }

    /// What the GIC wants done elsewhere, in order: wires of its own parts that pulse.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        self.its.iter_mut().flat_map(Its::take_effects).collect()
    }

    /// The ITSs.
    pub fn its(&self) -> &[Its] {
        &self.its
    }

    /// The failed commands of an ITS since the last call, the last 64 at most.
    pub fn take_reports(&mut self, its: u16) -> Vec<its::Report> {
        self.its.get_mut(usize::from(its)).map_or(Vec::new(), Its::take_reports)
    }

    /// The writes of devices that an ITS reports since the last call: [`Its::take_failed_writes`].
    pub fn take_failed_writes(&mut self, its: u16) -> Vec<its::FailedWrite> {
        self.its.get_mut(usize::from(its)).map_or(Vec::new(), Its::take_failed_writes)
    }

    /// Something happens on the wire of an SPI. Numbers of no SPI are ignored.
    pub fn wire(&mut self, spi: IntId, signal: Signal) {
        self.distributor.wire(spi.get(), signal);
    }

    /// Something happens on the wire of a CPU's PPI, INTID 16 to 31. Other numbers are ignored.
    pub fn wire_private(&mut self, cpu: Cpu, ppi: IntId, signal: Signal) {
        if let (16..32, Some(redistributor)) = (ppi.get(), self.redistributors.get_mut(cpu.index()))
        {
            redistributor.row.drive(ppi.get(), signal);
        }
    }

    /// The pending LPIs of a CPU, ascending.
    pub fn pending_lpis(&self, cpu: Cpu) -> Vec<IntId> {
        let lpis = self.redistributors.get(cpu.index()).and_then(|place| place.lpis.as_ref());
        lpis.map_or(Vec::new(), |lpis| lpis.pending().into_iter().map(IntId::new).collect())
    }

    /// How often things happened since reset.
    pub fn counters(&self) -> Counters {
        let aborts = self.redistributors.iter().map(Redistributor::aborts).sum();
        Counters { lpi_table_aborts: aborts, ..self.counters }
    }

    /// One interrupt, as this CPU sees it; `None` where it does not exist, LPIs while they are off and
    /// not held included.
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

    /// The first eight CPUs that may take an SPI, one bit each.
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

    /// The most urgent interrupt that waits for a CPU, of the groups asked for.
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

    /// What a CPU is interrupted with: enabled everywhere, more urgent than the priority mask and
    /// than what the CPU is serving. The CPU is interrupted exactly when there is such an
    /// interrupt.
    pub fn highest_pending(&self, cpu: Cpu) -> Option<Waiting> {
        let interface = self.interfaces.get(cpu.index())?;
        let waiting = self.highest(cpu, interface.groups())?;
        interface.signals(&waiting).then_some(waiting)
    }

    /// A row of SGIs, PPIs or SPIs, for changing.
    fn row_mut(&mut self, cpu: Cpu, intid: u32) -> Option<&mut crate::row::Row> {
        match intid {
            0..ROW => self.redistributors.get_mut(cpu.index()).map(|place| &mut place.row),
            ROW.. => self.distributor.row_mut((intid / ROW) as usize),
        }
    }
}

#[cfg(test)]
mod tests;
