//! Loads and stores of a CPU.

use passim_gic::Cpu;
use passim_model::{Abort, Host, IccRegister, Memory, PhysAddr, Rid, Target, Width};

use super::{Board, Pace};

/// log2 of the configuration space of a function. PCI Express 3.0 7.2.2.
const CONFIG_LG2: u32 = 12;

/// A bridge's answer for a function or a BAR that does not answer. PCI 3.0 3.3.3.1: a read that no
/// device claims returns all ones, and a write is dropped.
fn all_ones(width: Width) -> u64 {
    u64::MAX >> (64 - 8 * width.bytes())
}

impl Board {
    /// The function whose configuration space is at `offset` of ECAM, and the register.
    fn configured(&self, offset: u64) -> Option<(usize, u32)> {
        let rid = u16::try_from(offset >> CONFIG_LG2).ok()?;
        let register = (offset & ((1 << CONFIG_LG2) - 1)) as u32;
        let index = self.slot_index(Rid::new(rid))?;
        self.is_there(&self.slots[index]).then_some((index, register))
    }

    fn load_bar(&mut self, function: usize, bar: u8, offset: u64, width: Width) -> u64 {
        let Some(slot) = self.slots.get_mut(function) else { return all_ones(width) };
        if !slot.registers.answers(bar) {
            return all_ones(width);
        }
        let of_messages = slot.registers.load_bar(bar, offset, width);
        let own = || slot.edu.as_ref().and_then(|edu| edu.load(bar, offset, width));
        // Registers without a model read as zero.
        of_messages.or_else(own).unwrap_or(0) & all_ones(width)
    }

    fn store_bar(&mut self, function: usize, bar: u8, offset: u64, width: Width, value: u64) {
        let Some(slot) = self.slots.get_mut(function) else { return };
        if !slot.registers.answers(bar) {
            return;
        }
        let value = value & all_ones(width);
        if let Some(messages) = slot.registers.store_bar(bar, offset, width, value) {
            self.send(function, messages);
        } else if let Some(edu) = &mut slot.edu
            && let Some(work) = edu.store(bar, offset, width, value)
        {
            self.work(function, work);
        }
    }

    /// Whether the register at an offset of a BAR has a model.
    pub fn knows(&self, rid: Rid, bar: u8, offset: u64) -> bool {
        self.slot(rid).is_some_and(|slot| {
            let of_messages = slot.registers.load_bar(bar, offset, Width::W8).is_some();
            of_messages
                || slot.edu.as_ref().is_some_and(|edu| edu.load(bar, offset, Width::W32).is_some())
        })
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
        match self.map.look_up(at).ok_or(Abort(at))? {
            (Target::Smmu(index), offset) => Ok(self.smmus[usize::from(index)].load(offset, width)),
            (Target::Config, offset) => Ok(match self.configured(offset) {
                Some((function, register)) => self.slots[function].registers.load(register, width),
                None => all_ones(width),
            }),
            (Target::Bar { function, bar }, offset) => {
                Ok(self.load_bar(usize::from(function), bar, offset, width))
            }
            (Target::Interrupts(block), offset) => {
                self.controller.load(block, offset, width.into(), self.cpu).ok_or(Abort(at))
            }
            (Target::X86Iommu, offset) => {
                Ok(self.x86.as_ref().map_or(0, |unit| unit.load(offset)) & all_ones(width))
            }
            (Target::Board(index), offset) => {
                let device = self.aboard.get(usize::from(index)).ok_or(Abort(at))?;
                Ok(device.load(offset, width))
            }
            (Target::Ram, _) => Err(Abort(at)),
        }
    }

    fn store(&mut self, at: PhysAddr, width: Width, value: u64) -> Result<(), Abort> {
        match self.map.look_up(at).ok_or(Abort(at))? {
            (Target::Smmu(index), offset) => {
                let index = usize::from(index);
                self.hand_tlb_to(index);
                self.smmus[index].store(offset, width, value, &mut self.memory);
                match self.pace {
                    Pace::Eager => self.run(index),
                    Pace::Stepped => {
                        self.perform(index);
                    }
                }
            }
            (Target::Config, offset) => {
                if let Some((function, register)) = self.configured(offset) {
                    let messages = self.slots[function].registers.store(register, width, value);
                    self.slots[function].follow_ats();
                    self.send(function, messages);
                    self.drive_pin(function);
                }
            }
            (Target::Bar { function, bar }, offset) => {
                self.store_bar(usize::from(function), bar, offset, width, value);
            }
            (Target::Interrupts(block), offset) => {
                let access = (offset, width.into(), value);
                self.lose_command(block, offset, value);
                let stored = self.controller.store(block, access, self.cpu, &mut self.memory);
                stored.ok_or(Abort(at))?;
                if self.pace == Pace::Eager {
                    self.controller.run(true, &mut self.memory);
                }
            }
            (Target::X86Iommu, offset) => {
                if let Some(unit) = &mut self.x86 {
                    unit.store(offset, value & all_ones(width));
                }
            }
            (Target::Board(index), offset) => {
                let device = self.aboard.get_mut(usize::from(index)).ok_or(Abort(at))?;
                device.store(offset, width, value);
            }
            (Target::Ram, _) => return Err(Abort(at)),
        }
        Ok(())
    }

    fn run_on(&mut self, cpu: u16) {
        self.cpu = Cpu::new(cpu);
    }

    fn read_icc(&mut self, register: IccRegister) -> u64 {
        let value = self.controller.read_icc(self.cpu, register, &mut self.memory);
        value.unwrap_or(register.without_interface())
    }

    fn write_icc(&mut self, register: IccRegister, value: u64) {
        self.controller.write_icc(self.cpu, register, value);
    }

    fn relax(&mut self) {
        match self.pace {
            Pace::Eager => self.run_all(),
            Pace::Stepped => {
                for index in 0..self.smmus.len() {
                    self.hand_tlb_to(index);
                    self.smmus[index].step(&mut self.memory);
                    self.perform(index);
                }
                self.controller.run(false, &mut self.memory);
            }
        }
    }
}
