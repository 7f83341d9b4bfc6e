//! The distributor's registers. IHI 0048 B.b 4.3.

use super::View;
use super::dist::{Distributor, SGI_BITS, SGIS};
use super::wire::{DistributorCtlr, DistributorTyper, Sgir, filter, gicd};
use crate::priority;
use crate::row::{BitRegister, ROW};
use crate::{Cpu, Size};
use passim_model::IntId;

/// A register with one byte per interrupt.
#[derive(Clone, Copy)]
enum ByteRegister {
    Priority,
    Targets,
    ClearSgi,
    SetSgi,
}

/// The byte register at `at`, and the offset of its array.
fn byte_register(at: u64) -> Option<(ByteRegister, u64)> {
    match at {
        gicd::IPRIORITYR..gicd::ITARGETSR => Some((ByteRegister::Priority, gicd::IPRIORITYR)),
        gicd::ITARGETSR..gicd::ICFGR => Some((ByteRegister::Targets, gicd::ITARGETSR)),
        gicd::CPENDSGIR..gicd::SPENDSGIR => Some((ByteRegister::ClearSgi, gicd::CPENDSGIR)),
        gicd::SPENDSGIR..gicd::SPENDSGIR_END => Some((ByteRegister::SetSgi, gicd::SPENDSGIR)),
        _ => None,
    }
}

impl Distributor {
    /// Loads a register.
    pub(super) fn load(&self, at: u64, size: Size, cpu: Cpu) -> u64 {
        if !size.aligns(at) || at >= gicd::END {
            return 0;
        }
        if let Some((register, start)) = byte_register(at) {
            let n = (at - start) as u32;
            let byte = |i| u64::from(self.load_byte(register, n + i, cpu));
            return match size {
                Size::Byte => byte(0),
                Size::Word => byte(0) | byte(1) << 8 | byte(2) << 16 | byte(3) << 24,
                Size::Half | Size::Double => 0,
            };
        }
        if size != Size::Word {
            return 0;
        }
        u64::from(self.load_word(at, cpu))
    }

    /// Stores to a register.
    pub(super) fn store(&mut self, at: u64, size: Size, value: u64, cpu: Cpu) {
        if !size.aligns(at) || at >= gicd::END {
            return;
        }
        match (byte_register(at), size) {
            (Some((register, start)), Size::Byte) => {
                self.store_byte(register, (at - start) as u32, value as u8, cpu);
            }
            (Some((register, start)), Size::Word) => {
                let n = (at - start) as u32;
                for (i, byte) in (value as u32).to_le_bytes().into_iter().enumerate() {
                    self.store_byte(register, n + i as u32, byte, cpu);
                }
            }
            (None, Size::Word) => self.store_word(at, value as u32, cpu),
            _ => {}
        }
    }

    fn load_word(&self, at: u64, cpu: Cpu) -> u32 {
        if let Some((register, n)) = BitRegister::at(at) {
            let Some(row) = self.row(cpu, n) else { return 0 };
            // IHI 0048 B.b 4.3.4: only Secure software can access the groups.
            let group = register == BitRegister::Group;
            if group && self.implementation.view == View::NonSecure {
                return 0;
            }
            return row.load(register) & Self::existing(n) & self.visible(row.group1);
        }
        match at {
            gicd::CTLR => self.load_ctlr(),
            gicd::TYPER => {
                let spec = &self.implementation;
                let secure = spec.view == View::NonSecure;
                let typer = DistributorTyper::IT_LINES_NUMBER.of(u64::from(spec.spis / 32))
                    | DistributorTyper::CPU_NUMBER.of(u64::from(spec.cpus - 1))
                    | DistributorTyper::SECURITY_EXTN.flag(secure);
                typer as u32
            }
            gicd::IIDR => self.implementation.distributor_iidr,
            gicd::ICFGR..gicd::IMPLEMENTATION => self.load_triggers((at - gicd::ICFGR) / 4, cpu),
            gicd::IDENTIFICATION..gicd::END => {
                self.implementation.identification[(at - gicd::IDENTIFICATION) as usize / 4]
            }
            _ => 0,
        }
    }

    fn store_word(&mut self, at: u64, value: u32, cpu: Cpu) {
        if let Some((register, n)) = BitRegister::at(at) {
            self.store_bits(register, n, value, cpu);
            return;
        }
        match at {
            gicd::CTLR => self.store_ctlr(value),
            gicd::ICFGR..gicd::IMPLEMENTATION => {
                self.store_triggers((at - gicd::ICFGR) / 4, value, cpu);
            }
            gicd::SGIR => self.store_sgir(u64::from(value), cpu),
            _ => {}
        }
    }

    /// IHI 0048 B.b 4.3.1: Non-secure accesses see Group 1's enable in bit 0.
    fn load_ctlr(&self) -> u32 {
        match self.implementation.view {
            View::Single => self.ctlr,
            View::NonSecure => DistributorCtlr::ENABLE_GRP1.get(u64::from(self.ctlr)) as u32,
        }
    }

    fn store_ctlr(&mut self, value: u32) {
        let (old, value) = (u64::from(self.ctlr), u64::from(value));
        let new = match self.implementation.view {
            View::Single => {
                let fields = [DistributorCtlr::ENABLE_GRP0, DistributorCtlr::ENABLE_GRP1];
                fields.iter().fold(0, |word, field| word | field.in_place(value))
            }
            View::NonSecure => {
                DistributorCtlr::ENABLE_GRP1.set(old, DistributorCtlr::ENABLE_GRP0.get(value))
            }
        };
        self.ctlr = new as u32;
    }

    /// The interrupts among 32 that accesses reach. IHI 0048 B.b 4.3: bits of Group 0 interrupts
    /// are RAZ/WI to Non-secure accesses.
    fn visible(&self, group1: u32) -> u32 {
        match self.implementation.view {
            View::Single => u32::MAX,
            View::NonSecure => group1,
        }
    }

    fn store_bits(&mut self, register: BitRegister, n: usize, value: u32, cpu: Cpu) {
        let non_secure = self.implementation.view == View::NonSecure;
        let Some(group1) = self.row(cpu, n).map(|row| row.group1) else { return };
        let mut mask = self.visible(group1) & Self::existing(n);
        if n == 0 {
            mask &= match register {
                BitRegister::SetEnable
                | BitRegister::ClearEnable
                // IHI 0048 B.b 4.3.7, 4.3.8: SGIs have registers of their own for this.
                | BitRegister::SetPending
                | BitRegister::ClearPending => !SGI_BITS,
                BitRegister::Group | BitRegister::SetActive | BitRegister::ClearActive => u32::MAX,
            };
        }
        if register == BitRegister::Group && non_secure {
            return;
        }
        if let Some(row) = self.row_mut(cpu, n) {
            row.store(register, value, mask);
        }
    }

    fn load_triggers(&self, n: u64, cpu: Cpu) -> u32 {
        let row = self.row(cpu, n as usize / 2);
        row.map_or(0, |row| row.load_triggers(!n.is_multiple_of(2), self.visible(row.group1)))
    }

    fn store_triggers(&mut self, n: u64, value: u32, cpu: Cpu) {
        let row_n = n as usize / 2;
        let Some(row) = self.row(cpu, row_n).filter(|_| row_n != 0) else { return };
        let mask = self.visible(row.group1) & Self::existing(row_n);
        if let Some(row) = self.row_mut(cpu, row_n) {
            row.store_triggers(!n.is_multiple_of(2), value, mask);
        }
    }

    fn load_byte(&self, register: ByteRegister, n: u32, cpu: Cpu) -> u8 {
        let sgi = matches!(register, ByteRegister::ClearSgi | ByteRegister::SetSgi);
        let (row_n, bit) = ((n / ROW) as usize, n % ROW);
        let Some(row) = self.row(cpu, row_n) else { return 0 };
        let reachable = self.visible(row.group1) & Self::existing(row_n);
        if reachable >> bit & 1 == 0 {
            return 0;
        }
        if sgi {
            return self.requesters[cpu.index()][(n % SGIS) as usize];
        }
        match register {
            ByteRegister::Priority => match self.implementation.view {
                View::Single => row.priority[bit as usize],
                // IHI 0048 B.b 3.8.1: Non-secure accesses see the upper half of the priorities as 0
                // to 0xff.
                View::NonSecure => row.priority[bit as usize] << 1,
            },
            // IHI 0048 B.b 4.3.12: with one CPU the registers are RAZ/WI.
            _ if self.implementation.cpus == 1 => 0,
            _ => self.targets(cpu, IntId::new(n)),
        }
    }

    fn store_byte(&mut self, register: ByteRegister, n: u32, value: u8, cpu: Cpu) {
        let (row_n, bit) = ((n / ROW) as usize, n % ROW);
        let Some(group1) = self.row(cpu, row_n).map(|row| row.group1) else { return };
        let reachable = self.visible(group1) & Self::existing(row_n);
        if reachable >> bit & 1 == 0 {
            return;
        }
        match register {
            ByteRegister::Priority => {
                let seen = match self.implementation.view {
                    View::Single => value,
                    View::NonSecure => 0x80 | value >> 1,
                };
                if let Some(row) = self.row_mut(cpu, row_n) {
                    row.priority[bit as usize] = priority::implemented(seen);
                }
            }
            ByteRegister::Targets => {
                let all = self.all_cpus();
                let several = self.implementation.cpus > 1;
                let spi = n.checked_sub(ROW).filter(|_| several);
                if let Some(route) = spi.and_then(|spi| self.routes.get_mut(spi as usize)) {
                    *route = value & all;
                }
            }
            ByteRegister::ClearSgi => self.withdraw(cpu, n % SGIS, value),
            ByteRegister::SetSgi => {
                let requesters = value & self.all_cpus();
                self.ask(cpu, n % SGIS, requesters);
            }
        }
    }

    /// IHI 0048 B.b 4.3.15.
    fn store_sgir(&mut self, value: u64, cpu: Cpu) {
        let requester = 1u8 << cpu.get();
        let list = match Sgir::TARGET_LIST_FILTER.get(value) {
            filter::LIST => Sgir::CPU_TARGET_LIST.get(value) as u8,
            filter::ALL_OTHERS => !requester,
            filter::REQUESTER => requester,
            _ => 0,
        };
        let sgi = Sgir::SGI_INT_ID.get(value) as u32;
        let non_secure = self.implementation.view == View::NonSecure;
        for target in (0..self.implementation.cpus).map(Cpu::new) {
            let group1 = self.private[target.index()].group1 >> sgi & 1 != 0;
            // NSATT is for Secure software; a Non-secure request reaches Group 1 only.
            let reaches = !non_secure || group1;
            if list >> target.get() & 1 != 0 && reaches {
                self.ask(target, sgi, requester);
            }
        }
    }
}
