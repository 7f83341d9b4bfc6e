//! GICv2: one distributor, a CPU interface for each of up to eight CPUs, and GICv2m frames. Arm IHI
//! 0048 issue B.b.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the bits? |
//! | `dist` | which interrupts wait, and for which CPUs? |
//! | `dist_regs` | what do loads and stores of the distributor's registers do? |
//! | `cpu` | which interrupt does a CPU acknowledge, and what does end of interrupt do? |
//!
//! Not modelled: virtual interfaces (GICH, GICV), lockable SPIs, legacy bypass (its control bits
//! are stored without effect), NSACR.
//!
//! Points that the architecture leaves open:
//!
//! | choice (IHI 0048 B.b) | made here |
//! | --- | --- |
//! | accesses of a size a register does not have (4.1.4) | read as zero, ignored |
//! | enabling of SGIs (4.3.5) | always enabled, RAO/WI |
//! | trigger of PPIs (4.3.13) | level-sensitive, read-only |
//! | a trigger changed while enabled (4.3.13) | takes effect at once, pending stays |
//! | implemented bits of a priority (3.3) | five, as in GIC-400 |
//! | two waiting interrupts of one priority (3.3.2) | the lower INTID, then the lower requester |
//! | an SGI of another requester while one is active (3.2.4) | waits until that is deactivated |
//! | an SPI for several CPUs (1-N, 3.2.3) | offered to all, the first to acknowledge takes it |
//! | groups a CPU interface does not signal (4.4.1) | do not hide the other group |
//! | end of an interrupt that is not active (4.4.5) | ignored, no priority drop |
//! | DIR with EOImode 0 (4.4.15) | ignored |

mod cpu;
mod dist;
mod dist_regs;
mod wire;

use crate::row::FIRST_SPECIAL;
use crate::state::{State, Trigger};
use crate::v2m::{self, Frame};
use crate::{Cpu, Signal, Size};
use cpu::CpuInterface;
use dist::Distributor;
use passim_model::{IntId, event};

/// Maximum number of CPU interfaces of a GICv2.
pub const MOST_CPUS: u16 = 8;

/// Which accesses reach the registers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum View {
    /// No Security Extensions: every access sees all of the registers, for both groups.
    #[default]
    Single,
    /// Security Extensions, and every access is Non-secure. Before the first access, firmware has
    /// put every interrupt in Group 1 at priority 0x80 and has set GICC_PMR for Non-secure use (IHI
    /// 0048 B.b 4.4.2).
    NonSecure,
}

/// The parameters of a GICv2.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Implementation {
    /// CPU interfaces, 1 to [`MOST_CPUS`]; other numbers are clamped.
    pub cpus: u16,
    /// SPIs, a multiple of 32 up to 992; other numbers are rounded up and capped. The last four
    /// numbers of a full set, 1020 to 1023, are no interrupts.
    pub spis: u16,
    /// Which accesses reach the registers.
    pub view: View,
    /// GICD_IIDR.
    pub distributor_iidr: u32,
    /// GICC_IIDR.
    pub interface_iidr: u32,
    /// The identification registers at 0xFD0 to 0xFFC.
    pub identification: [u32; 12],
    /// The frames, in the order of [`Block::Frame`].
    pub frames: Vec<v2m::Implementation>,
}

impl Implementation {
    /// A GIC-400 (Arm DDI 0471) without Security Extensions and without frames.
    pub const fn gic400(cpus: u16, spis: u16) -> Self {
        Self {
            cpus,
            spis,
            view: View::Single,
            distributor_iidr: 0x0200_143b,
            interface_iidr: 0x0202_143b,
            identification: [4, 0, 0, 0, 0x90, 0xb4, 0x2b, 0, 0x0d, 0xf0, 0x05, 0xb1],
            frames: Vec::new(),
        }
    }
}

/// A block of registers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Block {
    /// GICD, 4 KiB.
    Distributor,
    /// GICC, 8 KiB: each CPU reaches its own interface at the same address.
    CpuInterface,
    /// A GICv2m frame, 4 KiB, by its index in [`Implementation::frames`].
    Frame(u16),
}

/// An interrupt that waits for a CPU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Waiting {
    /// Its INTID.
    pub intid: IntId,
    /// For an SGI: the CPU that requested it.
    pub requester: Option<Cpu>,
    /// Its priority; lower numbers are more urgent.
    pub priority: u8,
    /// Whether it is in Group 1.
    pub group1: bool,
}

/// The state of one interrupt, as one CPU sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Line {
    /// Inactive, pending, active or both.
    pub state: State,
    /// What makes it pending.
    pub trigger: Trigger,
    /// Whether it is enabled (GICD_ISENABLER).
    pub enabled: bool,
    /// Whether it is in Group 1.
    pub group1: bool,
    /// Its priority; lower numbers are more urgent.
    pub priority: u8,
    /// The CPUs it targets, one bit each.
    pub targets: u8,
}

/// A GICv2 with its frames. See the [module](self).
#[derive(Clone, Debug)]
pub struct GicV2 {
    distributor: Distributor,
    interfaces: Vec<CpuInterface>,
    frames: Vec<Frame>,
}

impl GicV2 {
    /// A GICv2 after reset.
    pub fn new(implementation: Implementation) -> Self {
        let cpus = implementation.cpus.clamp(1, MOST_CPUS);
        let frames = implementation.frames.iter().map(|frame| Frame::new(*frame)).collect();
        let interfaces = (0..cpus).map(|_| CpuInterface::new(implementation.view)).collect();
        let spis = implementation.spis.min(992).next_multiple_of(32);
        let implementation = Implementation { cpus, spis, ..implementation };
        Self { distributor: Distributor::new(implementation), interfaces, frames }
    }

    /// The parameters of the GIC; numbers out of range have been corrected.
    pub fn implementation(&self) -> &Implementation {
        &self.distributor.implementation
    }

    /// Resets the GIC.
    pub fn reset(&mut self) {
        *self = Self::new(self.implementation().clone());
    }

    /// The frames.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// `cpu` loads from a register, at an offset in bytes from where `block` starts. Offsets that
    /// name no register, and CPUs that do not exist, read as zero. A load of GICC_IAR acknowledges
    /// what it returns.
    pub fn load(&mut self, block: Block, offset: u64, size: Size, cpu: Cpu) -> u64 {
        if cpu.get() >= self.implementation().cpus {
            return 0;
        }
        match block {
            Block::Distributor => self.distributor.load(offset, size, cpu),
            Block::CpuInterface if size == Size::Word && size.aligns(offset) => {
                let interface = &mut self.interfaces[cpu.index()];
                u64::from(interface.load(&mut self.distributor, offset, cpu))
            }
            Block::CpuInterface => 0,
            Block::Frame(n) => {
                self.frames.get(usize::from(n)).map_or(0, |frame| frame.load(offset, size))
            }
        }
    }

    /// `cpu` stores to a register, at an offset in bytes from where `block` starts. Offsets that
    /// name no register, and CPUs that do not exist, are ignored.
    pub fn store(&mut self, block: Block, offset: u64, size: Size, value: u64, cpu: Cpu) {
        if let Block::Frame(n) = block {
            self.message(n, offset, size, value);
            return;
        }
        if cpu.get() >= self.implementation().cpus {
            return;
        }
        tracing::trace!(target: event::REGISTER, ?block, %cpu, "store {value:#x} at {offset:#x}");
        match block {
            Block::CpuInterface if size == Size::Word && size.aligns(offset) => {
                let interface = &mut self.interfaces[cpu.index()];
                interface.store(&mut self.distributor, offset, value as u32, cpu);
            }
            Block::CpuInterface | Block::Frame(_) => {}
            Block::Distributor => self.distributor.store(offset, size, value, cpu),
        }
    }

    /// A store to a frame by any requester, such as a device: `frame` is its index in
    /// [`Implementation::frames`], `offset` is in bytes from the frame's start. Returns the SPI it
    /// raised, if any.
    pub fn message(&mut self, frame: u16, offset: u64, size: Size, value: u64) -> Option<IntId> {
        let spi = self.frames.get(usize::from(frame))?.store(offset, size, value)?;
        tracing::debug!(target: event::TRANSLATE, frame, spi = spi.get(), "message");
        self.wire(spi, Signal::Pulse);
        Some(spi)
    }

    /// The wire of an SPI changes. INTIDs of no SPI are ignored.
    pub fn wire(&mut self, spi: IntId, signal: Signal) {
        if spi.get() >= FIRST_SPECIAL {
            return;
        }
        let row = (spi.get() / 32) as usize;
        if let Some(row) = row.checked_sub(1).and_then(|n| self.distributor.shared.get_mut(n)) {
            row.drive(spi.get() % 32, signal);
        }
    }

    /// The wire of a CPU's PPI, INTID 16 to 31, changes. Other INTIDs are ignored.
    pub fn wire_private(&mut self, cpu: Cpu, ppi: IntId, signal: Signal) {
        if let (16..32, Some(row)) = (ppi.get(), self.distributor.private.get_mut(cpu.index())) {
            row.drive(ppi.get(), signal);
        }
    }

    /// The interrupt that this CPU's GICC_IAR would return, unless spurious: enabled at the
    /// distributor and the interface, more urgent than GICC_PMR and than the running priority. The
    /// CPU is interrupted exactly when there is one.
    pub fn highest_pending(&self, cpu: Cpu) -> Option<Waiting> {
        let interface = self.interfaces.get(cpu.index())?;
        interface.signalled(&self.distributor, cpu)
    }

    /// Whether the interrupt of [`GicV2::highest_pending`] is signalled as FIQ.
    pub fn is_fiq(&self, cpu: Cpu, waiting: &Waiting) -> bool {
        self.interfaces.get(cpu.index()).is_some_and(|interface| interface.is_fiq(waiting))
    }

    /// One interrupt, as this CPU sees it: INTIDs below 32 are the CPU's own.
    pub fn line(&self, cpu: Cpu, intid: IntId) -> Option<Line> {
        if intid.get() >= FIRST_SPECIAL {
            return None;
        }
        let row = self.distributor.row(cpu, (intid.get() / 32) as usize)?;
        let bit = intid.get() % 32;
        Some(Line {
            state: row.states.state(bit),
            trigger: row.states.trigger(bit),
            enabled: row.enabled >> bit & 1 != 0,
            group1: row.group1 >> bit & 1 != 0,
            priority: row.priority[bit as usize],
            targets: self.distributor.targets(cpu, intid),
        })
    }

    /// The interrupts that are not inactive, as this CPU sees them, ascending.
    pub fn busy(&self, cpu: Cpu) -> Vec<(IntId, State)> {
        let rows = 0..=self.distributor.shared.len();
        let row = |n: usize| self.distributor.row(cpu, n).map(|row| (n as u32 * 32, row.states));
        rows.filter_map(row)
            .flat_map(|(first, states)| {
                let busy = states.pending() | states.active;
                crate::row::bits_of(busy)
                    .map(move |bit| (IntId::new(first + bit), states.state(bit)))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
