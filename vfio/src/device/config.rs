//! Configuration space through VFIO: some registers pass through, others are virtualised.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `parts` | which capability does a byte belong to, which capabilities are hidden? |
//! | `permission` | which bits of a byte are copies, which may a user write? |
//!
//! Not here: vital product data, whose virtualised registers nothing fills.

mod parts;
mod permission;

use super::irqs::Mode;
use super::rules;
use crate::call::Answer;
use crate::kernel::Kernel;
use crate::msi::MessageKind;
use crate::pci::Space;
use crate::pci::wire::{AfCtrl, Command, ExpDevctl, MsiFlags, PmCtrl, PmPmc, cap_id, offset};
use crate::uapi::region;
use parts::{Owner, Parts};
use passim_model::topology::Function;
use passim_model::{Conflict, Errno, Host, Refusal, Rid, Width};
use permission::{Permission, permission};

/// The virtualised configuration space.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(super) struct VirtualConfig {
    bytes: Vec<u8>,
    parts: Parts,
    /// Flags of the MSI capability at the first open; they determine its length.
    msi_flags: u64,
    /// log2 of how many MSI messages a user may let the function send.
    qmax: u64,
}

/// Bytes that one access covers: aligned, 1, 2 or 4 bytes of one part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Chunk {
    at: u16,
    width: Width,
    owner: Owner,
    /// Offset at which the part begins.
    start: u16,
    /// Bits that come from the virtualised copy.
    copied: u64,
    /// Bits that may be written.
    writable: u64,
}

impl Chunk {
    fn within(&self) -> u16 {
        self.at - self.start
    }

    /// Whether the chunk begins at or before `within` and ends at or after it.
    // 6.12 vfio_msi_config_write: a write that ends just before the flags rewrites them too.
    fn reaches(&self, within: u16) -> bool {
        let end = self.within() + self.width.bytes() as u16;
        self.within() <= within && within <= end
    }

    /// Every bit of the chunk.
    fn mask(&self) -> u64 {
        u64::MAX >> (64 - 8 * self.width.bytes())
    }
}

impl VirtualConfig {
    fn byte(&self, at: u16) -> u8 {
        self.bytes.get(usize::from(at)).copied().unwrap_or(0)
    }

    fn set_byte(&mut self, at: u16, value: u8) {
        if let Some(byte) = self.bytes.get_mut(usize::from(at)) {
            *byte = value;
        }
    }

    /// Sets the fields that a virtual function's own header lacks.
    // 6.12 vfio_config_init.
    pub(super) fn complete_virtual(&mut self, function: &Function) {
        self.set_word(0, function.vendor.into());
        self.set_word(2, function.device.into());
        self.set_byte(offset::INTERRUPT_PIN, 0);
        let command = self.word(offset::COMMAND) | Command::MEMORY.flag(true);
        self.set_word(offset::COMMAND, command);
    }

    fn word(&self, at: u16) -> u64 {
        self.get(at, 2)
    }

    fn set_word(&mut self, at: u16, value: u64) {
        self.set(at, 2, value);
    }

    fn double_word(&self, at: u16) -> u64 {
        self.get(at, 4)
    }

    fn set_double_word(&mut self, at: u16, value: u64) {
        self.set(at, 4, value);
    }

    fn get(&self, at: u16, bytes: u16) -> u64 {
        (0..bytes).rev().fold(0, |value, k| value << 8 | u64::from(self.byte(at + k)))
    }

    fn set(&mut self, at: u16, bytes: u16, value: u64) {
        for (k, byte) in (0..bytes).zip(value.to_le_bytes()) {
            self.set_byte(at + k, byte);
        }
    }

    /// The next access of a transfer that stands at `at` with `left` bytes to go.
    // 6.12 vfio_config_do_rw: each access stays within a doubleword and a capability, and is as
    // wide as its alignment allows.
    fn chunk(&self, at: u16, left: u64) -> Chunk {
        let (owner, start) = self.parts.find(at);
        let together = |k: u16| self.parts.find(at + k).0 == owner;
        let most = (1..4).find(|k| (at + k).is_multiple_of(4) || !together(*k)).unwrap_or(4);
        let width = match left.min(most.into()) {
            4.. if at.is_multiple_of(4) => Width::W32,
            2.. if at.is_multiple_of(2) => Width::W16,
            _ => Width::W8,
        };
        let (mut copied, mut writable) = (0, 0);
        for k in (0..width.bytes() as u16).rev() {
            // Each byte outside every capability starts a part of its own.
            let within = (at + k).saturating_sub(start);
            let byte: Permission = permission(owner, within, self.msi_flags);
            copied = copied << 8 | u64::from(byte.copied);
            writable = writable << 8 | u64::from(byte.writable);
        }
        Chunk { at, width, owner, start, copied, writable }
    }

    /// Handles a user's write to the PCI Express capability at `start`; `before` is the control
    /// register's old value.
    // 6.12 vfio_exp_config_write: the kernel performs the reset itself, which preserves registers;
    // the real maximum read request size is the user's, but at least the payload size.
    fn write_express(&mut self, start: u16, before: u64, space: Space, host: &mut impl Host) {
        /// 4096 bytes, the largest encoding.
        const LARGEST: u64 = 5;
        let at = start + offset::EXP_DEVCTL;
        let control = ExpDevctl::BCR_FLR.set(self.word(at), 0);
        self.set_word(at, control);
        if ExpDevctl::READRQ.get(before) == ExpDevctl::READRQ.get(control) {
            return;
        }
        let real = space.load16(at, host);
        let size = ExpDevctl::READRQ.get(control).max(ExpDevctl::PAYLOAD.get(real));
        if size <= LARGEST {
            space.store16(at, ExpDevctl::READRQ.set(real, size), host);
        }
    }

    /// Keeps only the BAR bits that the real BARs implement, and always sets the type bits.
    // 6.12 vfio_bar_fixup and vfio_generate_bar_flags.
    fn fix_bars(&mut self, function: &Function) {
        let mut index = 0u8;
        while index < 6 {
            let at = offset::BASE_ADDRESS_0 + 4 * u16::from(index);
            let real = function.config_byte(u32::from(at));
            let (mask, kind) = match function.bar(index) {
                None => (0, 0),
                Some(bar) if real & 1 == 1 => (!bar.span.size_minus_one(), 1),
                Some(bar) => (!bar.span.size_minus_one(), u64::from(real & 0xf)),
            };
            let wide = mask != 0 && real & 7 == 4;
            let bytes = if wide { 8 } else { 4 };
            self.set(at, bytes, self.get(at, bytes) & mask | kind);
            index += if wide { 2 } else { 1 };
        }
        let mask = function.bar(region::ROM as u8).map_or(0, |rom| !rom.span.size_minus_one() | 1);
        let rom = self.double_word(offset::ROM_ADDRESS);
        self.set_double_word(offset::ROM_ADDRESS, rom & mask);
    }
}

/// Puts the function into a power state, if it has that state and may enter it.
// 6.12 pci_set_power_state: from a state deeper than D0 a function enters only D0 or a deeper
// state.
fn enter(space: Space, at: u16, state: u64, host: &mut impl Host) {
    const D1: u64 = 1;
    const D2: u64 = 2;
    let has = space.load16(at + offset::PM_PMC, host);
    let now = PmCtrl::STATE.get(space.load16(at + offset::PM_CTRL, host));
    let exists = match state {
        D1 => PmPmc::D1.is_set(has),
        D2 => PmPmc::D2.is_set(has),
        _ => true,
    };
    if exists && (state == 0 || state >= now) {
        space.set_power(state, host);
    }
}

/// The range of configuration space that a transfer touches.
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
        let Some(config) = self.devices.get(&rid).map(|state| &state.config) else {
            return Answer { ret: Ok(0), bytes: Vec::new() };
        };
        let mut bytes = Vec::with_capacity(len);
        let mut at = place.start;
        while at < place.end {
            let chunk = config.chunk(at, (place.end - at).into());
            let only_copied = chunk.copied == chunk.mask();
            let real = if only_copied { 0 } else { space.load(at, chunk.width, host) };
            let width = chunk.width.bytes() as u16;
            let mut value = config.get(at, width) & chunk.copied | real & !chunk.copied;
            if at == offset::COMMAND && self.topology.is_virtual(rid) {
                // A virtual function does not implement this bit.
                value |= config.word(at) & Command::MEMORY.mask();
            }
            bytes.extend_from_slice(&value.to_le_bytes()[..usize::from(width)]);
            at += width;
        }
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
        let place = place(self.function(rid), offset, bytes.len())?;
        let mut at = place.start;
        while at < place.end {
            let Some(config) = self.devices.get(&rid).map(|state| &state.config) else { break };
            let chunk = config.chunk(at, (place.end - at).into());
            let from = usize::from(at - place.start);
            let mut value = [0; 8];
            let width = chunk.width.bytes() as usize;
            value[..width].copy_from_slice(&bytes[from..from + width]);
            self.write_chunk(rid, chunk, u64::from_le_bytes(value), host);
            at += width as u16;
        }
        Ok(bytes.len() as i64)
    }

    /// Performs one access, and the kernel's reaction to it.
    fn write_chunk(&mut self, rid: Rid, chunk: Chunk, value: u64, host: &mut impl Host) {
        let space = Space::new(self.ecam, rid);
        let function = self.function(rid).clone();
        let Some(state) = self.devices.get_mut(&rid) else { return };
        let config = &mut state.config;
        let (to_copy, to_device) =
            (chunk.writable & chunk.copied, chunk.writable & !chunk.copied & chunk.mask());
        let width = chunk.width.bytes() as u16;
        let before = config.get(chunk.at, width);
        let was_disabled = Command::INTX_DISABLE.is_set(config.word(offset::COMMAND));
        let control = config.word(chunk.start.saturating_add(offset::EXP_DEVCTL));
        config.set(chunk.at, width, before & !to_copy | value & to_copy);
        if to_device != 0 {
            let real = space.load(chunk.at, chunk.width, host);
            space.store(chunk.at, chunk.width, real & !to_device | value & to_device, host);
        }
        match chunk.owner {
            Owner::Header => {
                config.fix_bars(&function);
                if chunk.at == offset::COMMAND {
                    let decodes = Command::IO.mask() | Command::MEMORY.mask();
                    let kept = config.word(offset::COMMAND) & !decodes;
                    config.set_word(offset::COMMAND, kept | value & decodes);
                }
                // 6.12 vfio_basic_config_write: only a change of the bit has an effect.
                let disabled = self.pin_is_disabled(rid);
                if disabled != was_disabled {
                    self.set_pin_masked(rid, disabled, host);
                }
            }
            Owner::Capability(cap_id::MSI) if chunk.reaches(offset::MSI_FLAGS) => {
                self.write_msi_flags(rid, chunk.start + offset::MSI_FLAGS, host);
            }
            Owner::Capability(cap_id::PM) if chunk.within() == offset::PM_CTRL => {
                enter(space, chunk.start, PmCtrl::STATE.get(value), host);
            }
            Owner::Capability(cap_id::EXP) => {
                config.write_express(chunk.start, control, space, host);
            }
            Owner::Capability(cap_id::AF) => {
                // 6.12 vfio_af_config_write: the kernel performs the reset itself, which preserves
                // registers.
                let at = chunk.start + offset::AF_CTRL;
                let control = AfCtrl::FLR.set(config.byte(at).into(), 0);
                config.set_byte(at, control as u8);
            }
            _ => {}
        }
    }

    /// Applies a user's write to MSI's flags: only SET_IRQS enables messages, and the function
    /// sends no more messages than SET_IRQS requested.
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

    /// Sets how many MSI messages a user may let a function send.
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
