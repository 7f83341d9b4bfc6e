//! A row: 32 interrupts, one bit each, as in registers with one bit per interrupt.

use crate::Signal;
use crate::state::States;

/// Interrupts per row.
pub(crate) const ROW: u32 = 32;
/// The first special INTID: the last row of SPIs ends here. IHI 0048 B.b 3.2.5; IHI 0069 H 2.2.
pub(crate) const FIRST_SPECIAL: u32 = 1020;

/// The registers with one bit per interrupt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BitRegister {
    Group,
    SetEnable,
    ClearEnable,
    SetPending,
    ClearPending,
    SetActive,
    ClearActive,
}

impl BitRegister {
    /// The register at `at` in a distributor or in a redistributor's SGI frame, and the row it
    /// covers. Each array is 0x80 bytes: 32 rows. IHI 0048 B.b table 4-1; GICv3 kept the offsets.
    pub(crate) fn at(at: u64) -> Option<(Self, usize)> {
        let register = match at {
            0x080..0x100 => Self::Group,
            0x100..0x180 => Self::SetEnable,
            0x180..0x200 => Self::ClearEnable,
            0x200..0x280 => Self::SetPending,
            0x280..0x300 => Self::ClearPending,
            0x300..0x380 => Self::SetActive,
            0x380..0x400 => Self::ClearActive,
            _ => return None,
        };
        Some((register, (at as usize & 0x7f) / 4))
    }
}

/// 32 interrupts.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) states: States,
    pub(crate) enabled: u32,
    /// In Group 1; the others are in Group 0.
    pub(crate) group1: u32,
    pub(crate) priority: [u8; ROW as usize],
}

impl Row {
    /// After reset: disabled, level-sensitive, at the highest priority.
    pub(crate) fn new(group1: u32) -> Self {
        Self { states: States::default(), enabled: 0, group1, priority: [0; ROW as usize] }
    }

    /// What a load of the register returns.
    pub(crate) fn load(&self, register: BitRegister) -> u32 {
        match register {
            BitRegister::Group => self.group1,
            BitRegister::SetEnable | BitRegister::ClearEnable => self.enabled,
            BitRegister::SetPending | BitRegister::ClearPending => self.states.pending(),
            BitRegister::SetActive | BitRegister::ClearActive => self.states.active,
        }
    }

    /// A store to the register, applied to the interrupts of `mask`.
    pub(crate) fn store(&mut self, register: BitRegister, value: u32, mask: u32) {
        let ones = value & mask;
        match register {
            BitRegister::Group => self.group1 = self.group1 & !mask | ones,
            BitRegister::SetEnable => self.enabled |= ones,
            BitRegister::ClearEnable => self.enabled &= !ones,
            BitRegister::SetPending => self.states = self.states.set_pending(ones),
            BitRegister::ClearPending => self.states = self.states.clear_pending(ones),
            BitRegister::SetActive => self.states = self.states.activate(ones),
            BitRegister::ClearActive => self.states = self.states.deactivate(ones),
        }
    }

    /// One half of ICFGR, for the interrupts of `mask`: two bits per interrupt, the upper one set
    /// if edge-triggered. IHI 0048 B.b 4.3.13.
    pub(crate) fn load_triggers(&self, upper: bool, mask: u32) -> u32 {
        let edge = (self.states.edge & mask) >> if upper { 16 } else { 0 };
        (0..16).fold(0, |word, i| word | (edge >> i & 1) << (2 * i + 1))
    }

    /// A store to one half of ICFGR, applied to the interrupts of `mask`.
    pub(crate) fn store_triggers(&mut self, upper: bool, value: u32, mask: u32) {
        let shift = if upper { 16 } else { 0 };
        let edge = (0..16).fold(0, |word, i| word | (value >> (2 * i + 1) & 1) << i) << shift;
        self.states = self.states.retrigger(mask & 0xffff << shift, edge);
    }

    /// The wire of interrupt `bit` changes.
    pub(crate) fn drive(&mut self, bit: u32, signal: Signal) {
        let mask = 1 << bit;
        self.states = match signal {
            Signal::High => self.states.rise(mask),
            Signal::Low => self.states.fall(mask),
            Signal::Pulse => self.states.rise(mask).fall(mask),
        };
    }

    /// The interrupts that wait for a CPU, in the enabled groups: pending, enabled, not active.
    pub(crate) fn waiting(&self, group0: bool, group1: bool) -> u32 {
        let of_group0 = if group0 { !self.group1 } else { 0 };
        let of_group1 = if group1 { self.group1 } else { 0 };
        let groups = of_group0 | of_group1;
        self.states.pending() & self.enabled & !self.states.active & groups
    }

    /// Priority and bit of the interrupt of `among` with the highest priority (the lowest number);
    /// among equals, the lowest bit.
    pub(crate) fn first(&self, among: u32) -> Option<(u8, u32)> {
        bits_of(among).map(|bit| (self.priority[bit as usize], bit)).min()
    }
}

/// The bits set in `word`, ascending.
pub(crate) fn bits_of(mut word: u32) -> impl Iterator<Item = u32> {
    core::iter::from_fn(move || {
        if word == 0 {
            return None;
        }
        let bit = word.trailing_zeros();
        word &= word - 1;
        Some(bit)
    })
}
