//! The interrupt controller on the board: which of its blocks answers where, and which CPU it
//! interrupts.

use passim_gic::v2::Block;
use passim_gic::{Cpu, GicV2, Signal, Size};
use passim_model::IntId;

/// The interrupt controller of a board.
pub(super) enum Controller {
    /// A GICv2 with GICv2m frames. Its blocks on the bus are the frames, by their number, then
    /// the distributor and the CPU interface.
    V2 {
        gic: Box<GicV2>,
        /// Something happened to it since interrupts were last looked for.
        stirred: bool,
    },
    /// A GICv3 with an ITS, of which only the place is known: block 0 is the ITS.
    Its,
}

impl Controller {
    /// A GICv2 on a board.
    pub(super) fn of_v2(gic: GicV2) -> Self {
        Self::V2 { gic: Box::new(gic), stirred: false }
    }

    pub(super) fn v2(&self) -> Option<&GicV2> {
        match self {
            Self::V2 { gic, .. } => Some(gic),
            Self::Its => None,
        }
    }

    fn v2_mut(&mut self) -> Option<&mut GicV2> {
        match self {
            Self::V2 { gic, stirred } => {
                *stirred = true;
                Some(gic)
            }
            Self::Its => None,
        }
    }

    /// Which of the GICv2's blocks has this number on the bus.
    fn block(&self, number: u16) -> Option<Block> {
        let frames = u16::try_from(self.v2()?.frames().len()).unwrap_or(u16::MAX);
        match number.checked_sub(frames) {
            None => Some(Block::Frame(number)),
            Some(0) => Some(Block::Distributor),
            Some(1) => Some(Block::CpuInterface),
            Some(_) => None,
        }
    }

    /// A CPU loads; `None` if nothing is known of the block.
    pub(super) fn load(&mut self, number: u16, offset: u64, size: Size, cpu: Cpu) -> Option<u64> {
        let block = self.block(number)?;
        Some(self.v2_mut()?.load(block, offset, size, cpu))
    }

    /// A CPU stores; `None` if nothing is known of the block.
    pub(super) fn store(
        &mut self,
        number: u16,
        offset: u64,
        size: Size,
        value: u64,
        cpu: Cpu,
    ) -> Option<()> {
        let block = self.block(number)?;
        self.v2_mut()?.store(block, offset, size, value, cpu);
        Some(())
    }

    /// Whether devices may write to the block, and it is known what comes of it.
    pub(super) fn is_doorbell(&self, number: u16) -> bool {
        matches!(self.block(number), Some(Block::Frame(_)))
    }

    /// A device writes: the SPI it raised, if any. `None` if nothing is known of the block.
    pub(super) fn message(
        &mut self,
        number: u16,
        offset: u64,
        size: Size,
        value: u64,
    ) -> Option<Option<IntId>> {
        match self.block(number)? {
            Block::Frame(frame) => Some(self.v2_mut()?.message(frame, offset, size, value)),
            Block::Distributor | Block::CpuInterface => None,
        }
    }

    /// Something happens on a wire; `false` if there is no controller to see it.
    pub(super) fn wire(&mut self, intid: IntId, signal: Signal) -> bool {
        let gic = self.v2_mut();
        gic.map(|gic| gic.wire(intid, signal)).is_some()
    }

    /// The first CPU that has an interrupt to take, and which.
    pub(super) fn interrupted(&mut self) -> Option<(Cpu, IntId)> {
        let Self::V2 { gic, stirred } = self else { return None };
        if !*stirred {
            return None;
        }
        let cpus = 0..gic.implementation().cpus;
        let found = cpus.map(Cpu::new).find_map(|cpu| Some((cpu, gic.highest_pending(cpu)?.intid)));
        *stirred = found.is_some();
        found
    }
}
