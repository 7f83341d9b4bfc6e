//! Message registers: those of a function, as Linux's `drivers/pci/msi` programs them, and those of
//! a device on the board, as its driver does.

use super::message::Message;
use crate::pci::Space;
use crate::pci::wire::{MsiFlags, MsixFlags, MsixTable, VectorCtrl, entry, offset};
use passim_model::topology::{BarKind, Function};
use passim_model::{Host, PhysAddr, Width};

/// Message registers of a device on the board: offsets in the 16 bytes of each message.
mod board {
    pub(super) const BYTES: u64 = 16;
    pub(super) const ADDRESS_LO: u64 = 0;
    pub(super) const ADDRESS_HI: u64 = 4;
    pub(super) const DATA: u64 = 8;
}

/// Programs a message of a device on the board, whose message registers begin at `table`.
pub(super) fn write_board(table: PhysAddr, index: u16, message: Message, host: &mut impl Host) {
    let Some(at) = table.checked_add(u64::from(index) * board::BYTES) else { return };
    let words = [
        (board::ADDRESS_LO, message.address & 0xffff_ffff),
        (board::ADDRESS_HI, message.address >> 32),
        (board::DATA, u64::from(message.data)),
    ];
    for (offset, word) in words {
        if let Some(at) = at.checked_add(offset) {
            // A store that no device accepts is lost, as on the bus.
            let _ = host.store(at, Width::W32, word);
        }
    }
}

/// The addresses of a function's message registers.
#[derive(Clone, Copy, Debug)]
pub(super) struct MessageRegisters {
    pub(super) space: Space,
    msi: Option<u16>,
    msix: Option<u16>,
    table: Option<PhysAddr>,
}

/// The BAR that contains a function's MSI-X table, and the table's offset in it.
pub(crate) fn table_place(function: &Function) -> Option<(u8, u64)> {
    let at = u32::from(function.msix?) + u32::from(offset::MSIX_TABLE);
    let [low, high] = [at, at + 2].map(|at| u64::from(function.config_u16(at)));
    let word = low | high << 16;
    Some((MsixTable::BIR.get(word) as u8, MsixTable::OFFSET.in_place(word)))
}

impl MessageRegisters {
    /// Finds those of `function`, whose configuration space is `space`.
    pub(super) fn of(function: &Function, space: Space) -> Self {
        let table = table_place(function).and_then(|(bar, at)| {
            let bar = function.bar(bar).filter(|bar| bar.kind == BarKind::Memory)?;
            bar.span.start().checked_add(at)
        });
        Self { space, msi: function.msi, msix: function.msix, table }
    }

    /// Writes the address and data of MSI, and how many vectors the function may send.
    pub(super) fn write_msi(self, message: Message, count: u32, host: &mut impl Host) {
        let Some(at) = self.msi else { return };
        let space = self.space;
        let flags = space.load16(at + offset::MSI_FLAGS, host);
        let multiple = u64::from(count.max(1).next_power_of_two().ilog2());
        space.store16(at + offset::MSI_FLAGS, MsiFlags::QSIZE.set(flags, multiple), host);
        space.store32(at + offset::MSI_ADDRESS_LO, message.address & 0xffff_ffff, host);
        let data = u64::from(message.data) & 0xffff;
        if MsiFlags::IS_64BIT.is_set(flags) {
            space.store32(at + offset::MSI_ADDRESS_HI, message.address >> 32, host);
            space.store16(at + offset::MSI_DATA_64, data, host);
        } else {
            space.store16(at + offset::MSI_DATA_32, data, host);
        }
    }

    /// Enables or disables MSI.
    pub(super) fn set_msi(self, on: bool, host: &mut impl Host) {
        let Some(at) = self.msi.map(|at| at + offset::MSI_FLAGS) else { return };
        let flags = self.space.load16(at, host);
        self.space.store16(at, MsiFlags::ENABLE.set(flags, u64::from(on)), host);
    }

    /// Masks or unmasks one vector of MSI, if the function supports that.
    pub(super) fn mask_msi(self, vector: u16, masked: bool, host: &mut impl Host) {
        let Some(at) = self.msi else { return };
        let flags = self.space.load16(at + offset::MSI_FLAGS, host);
        if !MsiFlags::MASKBIT.is_set(flags) || vector >= 32 {
            return;
        }
        let wide = MsiFlags::IS_64BIT.is_set(flags);
        let at = at + if wide { offset::MSI_MASK_64 } else { offset::MSI_MASK_32 };
        let old = self.space.load32(at, host);
        let bit = 1u64 << vector;
        self.space.store32(at, if masked { old | bit } else { old & !bit }, host);
    }

    /// Changes the flags of MSI-X.
    fn set_msix_flags(self, host: &mut impl Host, change: impl FnOnce(u64) -> u64) {
        let Some(at) = self.msix.map(|at| at + offset::MSIX_FLAGS) else { return };
        let flags = self.space.load16(at, host);
        self.space.store16(at, change(flags), host);
    }

    /// Enables MSI-X with every entry and the function as a whole masked.
    // 6.12 msix_capability_init: enabled before the table is accessed, since some functions have no
    // table while disabled.
    pub(super) fn begin_msix(self, entries: u16, host: &mut impl Host) {
        self.set_msix_flags(host, |flags| {
            flags | MsixFlags::MASKALL.flag(true) | MsixFlags::ENABLE.flag(true)
        });
        for index in 0..entries {
            self.mask_msix(index, true, host);
        }
    }

    /// Clears the mask of the whole function.
    pub(super) fn finish_msix(self, host: &mut impl Host) {
        self.set_msix_flags(host, |flags| MsixFlags::MASKALL.set(flags, 0));
    }

    /// Disables MSI-X.
    pub(super) fn end_msix(self, host: &mut impl Host) {
        self.set_msix_flags(host, |flags| {
            MsixFlags::MASKALL.set(MsixFlags::ENABLE.set(flags, 0), 0)
        });
    }

    fn entry(self, index: u16, register: u64) -> Option<PhysAddr> {
        self.table?.checked_add(u64::from(index) * entry::BYTES + register)
    }

    fn store_entry(self, index: u16, register: u64, value: u64, host: &mut impl Host) {
        if let Some(at) = self.entry(index, register) {
            // A store that no device accepts is lost, as on the bus.
            let _ = host.store(at, Width::W32, value & 0xffff_ffff);
        }
    }

    fn control(self, index: u16, host: &mut impl Host) -> u64 {
        let at = self.entry(index, entry::VECTOR_CTRL);
        at.and_then(|at| host.load(at, Width::W32).ok()).unwrap_or(0)
    }

    /// Masks or unmasks an entry.
    pub(super) fn mask_msix(self, index: u16, masked: bool, host: &mut impl Host) {
        let old = self.control(index, host);
        let new = VectorCtrl::MASKBIT.set(old, u64::from(masked));
        self.store_entry(index, entry::VECTOR_CTRL, new, host);
    }

    /// Writes an entry's address and data. The entry is masked while it changes.
    // PCI 3.0 6.8.3.5: an unmasked entry must not change.
    pub(super) fn write_msix(self, index: u16, message: Message, host: &mut impl Host) {
        let control = self.control(index, host);
        let open = !VectorCtrl::MASKBIT.is_set(control);
        if open {
            self.mask_msix(index, true, host);
        }
        self.store_entry(index, entry::LOWER_ADDR, message.address, host);
        self.store_entry(index, entry::UPPER_ADDR, message.address >> 32, host);
        self.store_entry(index, entry::DATA, u64::from(message.data), host);
        if open {
            self.store_entry(index, entry::VECTOR_CTRL, control, host);
        }
    }
}
