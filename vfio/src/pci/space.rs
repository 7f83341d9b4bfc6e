//! Configuration space, as the kernel accesses it: memory mapped, register by register.

use super::wire::{Command, ExtHeader, PmCtrl, Status, cap_id, offset};
use passim_model::{Host, PhysAddr, Rid, Width};

/// A function's configuration space. Where nothing answers, loads return ones and stores are lost,
/// as on the bus.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Space {
    base: Option<PhysAddr>,
}

impl Space {
    /// The configuration space of the function at `rid`, where all of it is mapped at `ecam`.
    // PCI Express 3.0, 7.2.2: 4 KiB for each function.
    pub(crate) fn new(ecam: PhysAddr, rid: Rid) -> Self {
        Self { base: ecam.checked_add(u64::from(rid.get()) << 12) }
    }

    /// Loads `width` bits.
    pub(crate) fn load(self, at: u16, width: Width, host: &mut impl Host) -> u64 {
        let ones = u64::MAX >> (64 - 8 * width.bytes());
        let place = self.base.and_then(|base| base.checked_add(u64::from(at)));
        place.and_then(|place| host.load(place, width).ok()).map_or(ones, |value| value & ones)
    }

    /// Stores `width` bits.
    pub(crate) fn store(self, at: u16, width: Width, value: u64, host: &mut impl Host) {
        if let Some(place) = self.base.and_then(|base| base.checked_add(u64::from(at))) {
            // A store that no device accepts is lost.
            let _ = host.store(place, width, value);
        }
    }

    /// Loads 8 bits.
    pub(crate) fn load8(self, at: u16, host: &mut impl Host) -> u8 {
        self.load(at, Width::W8, host) as u8
    }

    /// Loads 16 bits.
    pub(crate) fn load16(self, at: u16, host: &mut impl Host) -> u64 {
        self.load(at, Width::W16, host)
    }

    /// Loads 32 bits.
    pub(crate) fn load32(self, at: u16, host: &mut impl Host) -> u64 {
        self.load(at, Width::W32, host)
    }

    /// Stores 16 bits.
    pub(crate) fn store16(self, at: u16, value: u64, host: &mut impl Host) {
        self.store(at, Width::W16, value, host);
    }

    /// Stores 32 bits.
    pub(crate) fn store32(self, at: u16, value: u64, host: &mut impl Host) {
        self.store(at, Width::W32, value, host);
    }

    /// The command register.
    pub(crate) fn command(self, host: &mut impl Host) -> u64 {
        self.load16(offset::COMMAND, host)
    }

    /// Sets the command register.
    pub(crate) fn set_command(self, value: u64, host: &mut impl Host) {
        self.store16(offset::COMMAND, value, host);
    }

    /// Lets the function decode memory while its registers are programmed; the caller passes the
    /// value returned to [`Space::set_command`] afterwards.
    // 6.12 vfio_pci_memory_lock_and_enable and its counterpart: the whole register is restored, so
    // that INTX_DISABLE, which enabling messages sets, does not stay (measured on 6.1 and 6.12).
    pub(crate) fn enable_memory(self, host: &mut impl Host) -> u64 {
        let command = self.command(host);
        if !Command::MEMORY.is_set(command) {
            self.set_command(command | Command::MEMORY.flag(true), host);
        }
        command
    }

    /// Enables or disables the pin, which stays quiet while messages are in use:
    /// `pci_intx_for_msi`.
    pub(crate) fn set_intx(self, on: bool, host: &mut impl Host) {
        let command = self.command(host);
        self.set_command(Command::INTX_DISABLE.set(command, u64::from(!on)), host);
    }

    /// Whether the function has an interrupt of its pin pending, even if the pin is disabled.
    pub(crate) fn wants_service(self, host: &mut impl Host) -> bool {
        Status::INTERRUPT.is_set(self.load16(offset::STATUS, host))
    }

    /// Offset of the power management capability, looked up in the list.
    pub(crate) fn power(self, host: &mut impl Host) -> Option<u16> {
        let mut at = self.load8(offset::CAPABILITY_LIST, host) & !3;
        // A list of more than 48 capabilities is circular.
        for _ in 0..48 {
            if at < 0x40 || at == 0xfc {
                return None;
            }
            if self.load8(u16::from(at), host) == cap_id::PM {
                return Some(u16::from(at));
            }
            at = self.load8(u16::from(at) + offset::CAP_NEXT, host) & !3;
        }
        None
    }

    /// Offset of an extended capability, looked up in the list.
    pub(crate) fn extended(self, id: u16, host: &mut impl Host) -> Option<u16> {
        const FIRST: u16 = 0x100;
        let mut at = FIRST;
        // A list of more capabilities, eight bytes each, is circular.
        for _ in 0..(0x1000 - FIRST) / 8 {
            let header = self.load32(at, host);
            if header == 0 || header == 0xffff_ffff {
                return None;
            }
            if ExtHeader::ID.get(header) == u64::from(id) {
                return Some(at);
            }
            at = (ExtHeader::NEXT.get(header) << 2) as u16;
            if at < FIRST {
                return None;
            }
        }
        None
    }

    /// Whether the function is in D3hot.
    pub(crate) fn is_asleep(self, host: &mut impl Host) -> bool {
        const D3HOT: u64 = 3;
        let power = self.power(host);
        power.is_some_and(|at| PmCtrl::STATE.get(self.load16(at + offset::PM_CTRL, host)) == D3HOT)
    }

    /// Moves the function to D0 (0) or D3hot (3); does nothing without the capability.
    pub(crate) fn set_power(self, state: u64, host: &mut impl Host) {
        if let Some(at) = self.power(host) {
            let control = self.load16(at + offset::PM_CTRL, host);
            self.store16(at + offset::PM_CTRL, PmCtrl::STATE.set(control, state), host);
        }
    }
}
