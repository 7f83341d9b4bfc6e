//! Acknowledge, end, deactivate, SGI requests: what system registers do to interrupts. IHI 0069 H
//! 4.1, 12.2.

use super::GicV3;
use super::cpu::{SystemRegister, Waiting};
use super::dist::SgiGroups;
use super::wire::{FIRST_LPI, SPURIOUS, SgiRequest};
use crate::Cpu;
use crate::row::ROW;
use passim_model::{IntId, Memory, event};

/// The value read by a CPU that does not exist: no interrupt waits.
fn without_interface(register: SystemRegister) -> u64 {
    match register {
        SystemRegister::Iar0
        | SystemRegister::Iar1
        | SystemRegister::Hppir0
        | SystemRegister::Hppir1 => u64::from(SPURIOUS),
        _ => 0,
    }
}

impl GicV3 {
    /// A CPU reads a system register. Write-only registers read as zero; for a CPU that does not
    /// exist ICC_IAR and ICC_HPPIR read as spurious and the others as zero. A read of ICC_IAR
    /// acknowledges the interrupt it returns.
    pub fn read(&mut self, cpu: Cpu, register: SystemRegister, memory: &mut Memory) -> u64 {
        let Some(interface) = self.interfaces.get(cpu.index()) else {
            return without_interface(register);
        };
        match register {
            SystemRegister::Iar0 => u64::from(self.acknowledge(cpu, false, memory)),
            SystemRegister::Iar1 => u64::from(self.acknowledge(cpu, true, memory)),
            SystemRegister::Hppir0 | SystemRegister::Hppir1 => {
                let group1 = register == SystemRegister::Hppir1;
                let waiting = self.highest(cpu, interface.groups());
                let named = waiting.filter(|waiting| waiting.group1 == group1);
                u64::from(named.map_or(SPURIOUS, |waiting| waiting.intid.get()))
            }
            _ => interface.read(register),
        }
    }

    /// A CPU writes a system register.
    pub fn write(&mut self, cpu: Cpu, register: SystemRegister, value: u64) {
        let Some(interface) = self.interfaces.get_mut(cpu.index()) else { return };
        tracing::trace!(target: event::REGISTER, ?register, value, %cpu, "write");
        match register {
            SystemRegister::Eoir0 => self.end(cpu, value as u32, false),
            SystemRegister::Eoir1 => self.end(cpu, value as u32, true),
            SystemRegister::Dir if interface.ends_apart() => self.deactivate(cpu, value as u32),
            // IHI 0069 H, Forwarding an SGI to a target PE, where GICD_CTLR.DS is 1.
            SystemRegister::Sgi0r | SystemRegister::Asgi1r => self.ask(cpu, value, (true, false)),
            SystemRegister::Sgi1r => {
                let either = self.implementation.distributor.sgi1r == SgiGroups::Either;
                self.ask(cpu, value, (either, true));
            }
            _ => interface.write(register, value),
        }
    }

    fn acknowledge(&mut self, cpu: Cpu, group1: bool, memory: &mut Memory) -> u32 {
        let taken = self.highest_pending(cpu).filter(|waiting| waiting.group1 == group1);
        let Some(Waiting { intid, .. }) = taken else { return SPURIOUS };
        if let Some(waiting) = &taken {
            self.interfaces[cpu.index()].take(waiting);
        }
        let intid = intid.get();
        if intid >= FIRST_LPI {
            // IHI 0069 H 4.1.2: an LPI has no active state; the acknowledge completes it.
            if let Some(redistributor) = self.redistributors.get_mut(cpu.index()) {
                redistributor.clear_pending(intid, memory);
            }
            self.drop_unreferenced(intid);
        } else if let Some(row) = self.row_mut(cpu, intid) {
            row.states = row.states.acknowledge(1 << (intid % ROW));
        }
        intid
    }

    /// Drops the running priority, whether the interrupt is still active or not; with EOImode 0
    /// also deactivates it. INTIDs of no interrupt have no effect.
    // IHI 0069 H 12.2 (ICC_EOIR1_EL1); QEMU's icc_eoir_write does not check the state either.
    fn end(&mut self, cpu: Cpu, intid: u32, group1: bool) {
        let lpi = intid >= FIRST_LPI;
        if !lpi && self.line(cpu, IntId::new(intid)).is_none() {
            return;
        }
        let deactivates = self.interfaces[cpu.index()].end(group1);
        if deactivates == Some(true) && !lpi {
            self.deactivate(cpu, intid);
        }
    }

    fn deactivate(&mut self, cpu: Cpu, intid: u32) {
        if let Some(row) = self.row_mut(cpu, intid) {
            row.states = row.states.deactivate(1 << (intid % ROW));
        }
    }

    /// IHI 0069 H 12.2 (ICC_SGI1R_EL1): requests an SGI of the named CPUs, where its configured
    /// group is one of `groups` (0, 1).
    fn ask(&mut self, cpu: Cpu, value: u64, groups: (bool, bool)) {
        let sgi = SgiRequest::INTID.get(value) as u32;
        let cluster = (SgiRequest::AFF3.get(value) as u32) << 24
            | (SgiRequest::AFF2.get(value) as u32) << 16
            | (SgiRequest::AFF1.get(value) as u32) << 8;
        // IHI 0069 H 12.2 (ICC_SGI1R_EL1): without ICC_CTLR_EL1.RSS the field is RES0.
        let ranges = self.implementation.distributor.range_selector;
        let range = if ranges { SgiRequest::RS.get(value) as u32 } else { 0 };
        let list = SgiRequest::TARGET_LIST.get(value);
        for target in self.cpus() {
            let affinity = self.implementation.affinities[target.index()];
            let named = match SgiRequest::IRM.is_set(value) {
                true => target != cpu,
                false => {
                    let own = affinity & 0xff;
                    affinity & !0xff == cluster && own / 16 == range && list >> (own % 16) & 1 != 0
                }
            };
            let row = &mut self.redistributors[target.index()].row;
            let asked = if row.group1 >> sgi & 1 != 0 { groups.1 } else { groups.0 };
            if named && asked {
                row.states = row.states.set_pending(1 << sgi);
            }
        }
    }
}
