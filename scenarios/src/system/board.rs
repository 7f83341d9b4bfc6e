//! The board: memory, what answers at each address, and the SMMUs.

use passim_model::{Abort, AddressMap, Effect, Host, Memory, PhysAddr, Target, Width};
use passim_smmu::SmmuV3;
use passim_smmu::v3::Progress;

/// Most steps an SMMU is given at a time. A queue of 2^19 commands, each followed by others'
/// work, ends below it; what does not is a loop in the model.
const MAX_STEPS: u32 = 1 << 22;

/// When hardware works.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Pace {
    /// At once: after a store to a register the part works until it has nothing left to do.
    Eager,
    /// Only while the CPU waits, and then one step at a time.
    Stepped,
}

/// Memory and hardware, as a CPU sees them.
pub struct Board {
    memory: Memory,
    map: AddressMap,
    smmus: Vec<SmmuV3>,
    pace: Pace,
    effects: Vec<Effect>,
}

impl Board {
    /// A board of these parts; `map` says where each answers.
    pub fn new(memory: Memory, map: AddressMap, smmus: Vec<SmmuV3>, pace: Pace) -> Self {
        Self { memory, map, smmus, pace, effects: Vec::new() }
    }

    /// When hardware works from now on.
    pub fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
    }

    /// When hardware works.
    pub fn pace(&self) -> Pace {
        self.pace
    }

    /// What answers at each address.
    pub fn map(&self) -> &AddressMap {
        &self.map
    }

    /// The SMMU with this index.
    pub fn smmu(&self, index: usize) -> Option<&SmmuV3> {
        self.smmus.get(index)
    }

    /// The SMMU with this index, and the memory it stands on.
    pub fn smmu_mut(&mut self, index: usize) -> Option<(&mut SmmuV3, &mut Memory)> {
        Some((self.smmus.get_mut(index)?, &mut self.memory))
    }

    /// Number of SMMUs.
    pub fn smmus(&self) -> usize {
        self.smmus.len()
    }

    /// What parts wanted done and nobody here does: interrupts, and messages to other parts.
    /// Oldest first; taken once.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// Empties the caches of every SMMU: what comes next is read from memory. No software can do
    /// this; it is for looking twice.
    pub fn forget_translations(&mut self) {
        for smmu in &mut self.smmus {
            smmu.clear_caches();
        }
    }

    /// Lets every SMMU work until none has anything left to do.
    pub fn settle(&mut self) {
        for index in 0..self.smmus.len() {
            self.run(index);
        }
    }

    fn run(&mut self, index: usize) {
        for _ in 0..MAX_STEPS {
            match self.smmus[index].step(&mut self.memory) {
                Progress::Idle => break,
                Progress::Worked => {}
            }
        }
        self.perform(index);
    }

    /// Does what an SMMU wants done: its message writes to memory happen, all else is kept for
    /// whoever looks.
    pub(super) fn perform(&mut self, index: usize) {
        for effect in self.smmus[index].take_effects() {
            match effect {
                Effect::Write { at, data } if self.is_ram(at) => {
                    let written = self.memory.write(at, &data.to_le_bytes());
                    debug_assert!(written.is_ok(), "{at} is RAM");
                }
                Effect::Write { .. }
                | Effect::Wire(_)
                | Effect::Resume(_)
                | Effect::InvalidateAtc(_)
                | Effect::RespondToPages(_) => self.effects.push(effect),
            }
        }
    }

    fn is_ram(&self, at: PhysAddr) -> bool {
        matches!(self.map.find(at), Some((Target::Ram, _)))
    }

    /// The SMMU whose registers answer at `at`, and the offset in them.
    fn registers(&self, at: PhysAddr) -> Result<(usize, u64), Abort> {
        match self.map.find(at) {
            Some((Target::Smmu(index), offset)) => Ok((usize::from(index), offset)),
            _ => Err(Abort(at)),
        }
    }
}

impl Host for Board {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn load(&mut self, at: PhysAddr, width: Width) -> Result<u64, Abort> {
        let (index, offset) = self.registers(at)?;
        Ok(self.smmus[index].load(offset, width))
    }

    fn store(&mut self, at: PhysAddr, width: Width, value: u64) -> Result<(), Abort> {
        let (index, offset) = self.registers(at)?;
        self.smmus[index].store(offset, width, value, &mut self.memory);
        match self.pace {
            Pace::Eager => self.run(index),
            Pace::Stepped => self.perform(index),
        }
        Ok(())
    }

    fn relax(&mut self) {
        match self.pace {
            Pace::Eager => self.settle(),
            Pace::Stepped => {
                for index in 0..self.smmus.len() {
                    self.smmus[index].step(&mut self.memory);
                    self.perform(index);
                }
            }
        }
    }
}
