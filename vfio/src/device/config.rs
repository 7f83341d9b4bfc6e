//! Configuration space through VFIO: partly real, partly a copy that a user may think is real.

use super::irqs::Mode;
use super::rules;
use crate::call::Answer;
use crate::kernel::Kernel;
use crate::msi::MessageKind;
use crate::pci::Space;
use crate::pci::wire::{Command, MsiFlags, offset};
use crate::uapi::region;
use passim_model::topology::Function;
use passim_model::{Conflict, Errno, Host, Refusal, Rid};

/// Bytes of which there is a copy: capabilities end there.
const COPIED: u16 = 256;

/// The copy.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct VirtualConfig {
    bytes: Vec<u8>,
    /// log2 of how many messages of MSI a user may let the function send.
    qmax: u64,
}

/// Which bits of a byte come from the copy, and which a user may write.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Permission {
    copied: u8,
    writable: u8,
}

/// Real, and not writable: what holds for every byte nobody thought of.
const READ_ONLY: Permission = Permission { copied: 0, writable: 0 };
const COPY: Permission = Permission { copied: 0xff, writable: 0 };
const COPY_WRITABLE: Permission = Permission { copied: 0xff, writable: 0xff };
const WRITABLE: Permission = Permission { copied: 0, writable: 0xff };

/// What may be done with a byte.
// 6.12 vfio_pci_config.c, from reading; measured: MSI seems off and empty, BAR 0 shows its real
// address, the command register what the user wrote.
fn permission(function: &Function, at: u16) -> Permission {
    match at {
        0x00..=0x03 => COPY,
        0x04 => WRITABLE,
        // INTX_DISABLE is bit 10; VFIO uses the real one itself.
        0x05 => Permission { copied: 1 << 2, writable: 0xff },
        // The bit that says there are capabilities.
        0x06 => Permission { copied: 1 << 4, writable: 0 },
        // Cache line size, latency timer, self test.
        0x0c | 0x0d | 0x0f => WRITABLE,
        offset::BASE_ADDRESS_0..0x28 => COPY_WRITABLE,
        offset::ROM_ADDRESS..offset::CAPABILITY_LIST => COPY_WRITABLE,
        offset::CAPABILITY_LIST => COPY,
        offset::INTERRUPT_LINE => COPY_WRITABLE,
        offset::INTERRUPT_PIN => COPY,
        _ => function.msi.and_then(|msi| permission_of_msi(function, msi, at)).unwrap_or(READ_ONLY),
    }
}

/// The same, if the byte lies in the MSI capability.
fn permission_of_msi(function: &Function, msi: u16, at: u16) -> Option<Permission> {
    let flags = u64::from(function.config_u16(u32::from(msi + offset::MSI_FLAGS)));
    let wide = MsiFlags::IS_64BIT.is_set(flags);
    let (data, mask) = match wide {
        true => (offset::MSI_DATA_64, offset::MSI_MASK_64),
        false => (offset::MSI_DATA_32, offset::MSI_MASK_32),
    };
    let permission = match at.checked_sub(msi)? {
        offset::CAP_NEXT => COPY,
        offset::MSI_FLAGS => COPY_WRITABLE,
        within if (offset::MSI_ADDRESS_LO..data + 2).contains(&within) => COPY_WRITABLE,
        within if MsiFlags::MASKBIT.is_set(flags) && (mask..mask + 4).contains(&within) => WRITABLE,
        _ => return None,
    };
    Some(permission)
}

impl VirtualConfig {
    /// A copy of the registers as they stand.
    pub(super) fn read(space: Space, host: &mut impl Host) -> Self {
        let words = (0..COPIED).step_by(4).flat_map(|at| {
            let word = space.load32(at, host) as u32;
            word.to_le_bytes()
        });
        Self { bytes: words.collect(), qmax: 0 }
    }

    fn byte(&self, at: u16) -> u8 {
        self.bytes.get(usize::from(at)).copied().unwrap_or(0)
    }

    fn set_byte(&mut self, at: u16, value: u8) {
        if let Some(byte) = self.bytes.get_mut(usize::from(at)) {
            *byte = value;
        }
    }

    fn word(&self, at: u16) -> u64 {
        u64::from(u16::from_le_bytes([self.byte(at), self.byte(at + 1)]))
    }

    /// BARs keep only the bits that real ones have.
    // 6.12 vfio_bar_fixup.
    fn fix_bars(&mut self, function: &Function) {
        let mut index = 0u8;
        while index < 6 {
            let at = offset::BASE_ADDRESS_0 + 4 * u16::from(index);
            let real = function.config_byte(u32::from(at));
            let mask = function.bar(index).map_or(0, |bar| {
                let kind = if real & 1 == 1 { real & 3 } else { real & 0xf };
                !bar.span.size_minus_one() | u64::from(kind)
            });
            let wide = mask != 0 && real & 7 == 4;
            let bytes = if wide { 8 } else { 4 };
            for (k, part) in (0u16..bytes).zip(mask.to_le_bytes()) {
                self.set_byte(at + k, self.byte(at + k) & part);
            }
            index += if wide { 2 } else { 1 };
        }
        let mask = function.bar(region::ROM as u8).map_or(0, |rom| !rom.span.size_minus_one() | 1);
        for (k, part) in (0u16..4).zip(mask.to_le_bytes()) {
            let at = offset::ROM_ADDRESS + k;
            self.set_byte(at, self.byte(at) & part);
        }
    }
}

/// The place in configuration space that a transfer touches.
///
/// # Errors
/// EFAULT by `config-end`.
fn place(function: &Function, offset: u64, len: usize) -> Result<core::ops::Range<u16>, Refusal> {
    let at = offset & ((1 << region::OFFSET_LG2) - 1);
    let size = u64::from(function.config_size.min(4096));
    let end = at.checked_add(len as u64).filter(|end| *end <= size && at < size);
    let limit = Conflict::Limit { limit: size, wanted: at.saturating_add(len as u64) };
    let end = end.ok_or_else(|| rules::CONFIG_END.refuse_for(Errno::EFAULT, limit))?;
    Ok(at as u16..end as u16)
}

impl Kernel {
    /// The real registers, as sysfs shows them.
    pub(crate) fn read_config(
        &self,
        rid: Rid,
        offset: u64,
        len: usize,
        host: &mut impl Host,
    ) -> Answer {
        let function = self.function(rid);
        let size = u64::from(function.config_size.min(4096));
        let end = size.min(offset.saturating_add(len as u64));
        let space = Space::new(self.ecam, rid);
        let bytes: Vec<u8> = (offset..end).map(|at| space.load8(at as u16, host)).collect();
        Answer { ret: Ok(bytes.len() as i64), bytes }
    }

    /// Reads configuration space through the device file.
    pub(super) fn read_virtual_config(
        &mut self,
        rid: Rid,
        offset: u64,
        len: usize,
        host: &mut impl Host,
    ) -> Answer {
        let space = Space::new(self.ecam, rid);
        let place = match place(self.function(rid), offset, len) {
            Ok(place) => place,
            Err(refusal) => return Answer::refused(refusal),
        };
        let function = self.function(rid);
        let copy = self.devices.get(&rid).map(|state| &state.config);
        let byte = |at| {
            let Permission { copied, .. } = permission(function, at);
            let real = if copied == 0xff { 0 } else { space.load8(at, host) };
            let kept = copy.map_or(0, |copy| copy.byte(at));
            kept & copied | real & !copied
        };
        let bytes: Vec<u8> = place.map(byte).collect();
        Answer { ret: Ok(bytes.len() as i64), bytes }
    }

    /// Writes configuration space through the device file.
    pub(super) fn write_virtual_config(
        &mut self,
        rid: Rid,
        offset: u64,
        bytes: &[u8],
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let space = Space::new(self.ecam, rid);
        let function = self.function(rid).clone();
        let place = place(&function, offset, bytes.len())?;
        let touches = |at: u16, len: u16| place.start < at + len && at < place.end;
        let state = self.devices.entry(rid).or_default();
        for (at, &new) in place.clone().zip(bytes) {
            let Permission { copied, writable } = permission(&function, at);
            let old = state.config.byte(at);
            state.config.set_byte(at, old & !(copied & writable) | new & copied & writable);
            let real = writable & !copied;
            if real != 0 {
                let old = if real == 0xff { 0 } else { space.load8(at, host) };
                space.store8(at, old & !real | new & real, host);
            }
        }
        state.config.fix_bars(&function);
        if let Some(at) = function.msi.map(|msi| msi + offset::MSI_FLAGS)
            && touches(at, 1)
        {
            self.write_msi_flags(rid, at, host);
        }
        if touches(offset::COMMAND, 2) {
            let disabled = self.pin_is_disabled(rid);
            self.set_pin_masked(rid, disabled, host);
        }
        Ok(bytes.len() as i64)
    }

    /// What a user wrote to MSI's flags: messages are turned on by SET_IRQS only, and no more are
    /// sent than it asked for.
    // 6.12 vfio_msi_config_write.
    fn write_msi_flags(&mut self, rid: Rid, at: u16, host: &mut impl Host) {
        let space = Space::new(self.ecam, rid);
        let Some(state) = self.devices.get_mut(&rid) else { return };
        let mut flags = state.config.word(at);
        if state.irqs.mode != Mode::Messages(MessageKind::Msi) {
            flags = MsiFlags::ENABLE.set(flags, 0);
        }
        let most = MsiFlags::QSIZE.get(flags).min(state.config.qmax);
        flags = MsiFlags::QSIZE.set(flags, most);
        for (at, byte) in (at..at + 2).zip(flags.to_le_bytes()) {
            state.config.set_byte(at, byte);
        }
        space.store16(at, flags, host);
    }

    /// How many messages a user may let a function send by MSI.
    pub(super) fn set_most(&mut self, rid: Rid, vectors: u32) {
        if let Some(state) = self.devices.get_mut(&rid) {
            state.config.qmax = u64::from(vectors.max(1).next_power_of_two().ilog2());
        }
    }

    /// Whether the user has disabled the pin.
    pub(super) fn pin_is_disabled(&self, rid: Rid) -> bool {
        let state = self.devices.get(&rid);
        let command = state.map_or(0, |state| state.config.word(offset::COMMAND));
        Command::INTX_DISABLE.is_set(command)
    }
}
