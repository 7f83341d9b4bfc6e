//! A row: 32 interrupts, as every register of one bit an interrupt sees them.

use crate::state::States;

/// Interrupts of a row.
pub(crate) const ROW: u32 = 32;

/// The registers of one bit an interrupt.
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
    /// After reset: disabled, level-sensitive, of the highest priority.
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

    /// A store to the register that reaches the interrupts of `mask`.
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

    /// Those that wait for a CPU, of the groups that are enabled: pending, enabled, not active.
    pub(crate) fn waiting(&self, group0: bool, group1: bool) -> u32 {
        let of_group0 = if group0 { !self.group1 } else { 0 };
        let of_group1 = if group1 { self.group1 } else { 0 };
        let groups = of_group0 | of_group1;
        self.states.pending() & self.enabled & !self.states.active & groups
    }

    /// The one of `among` with the highest priority (the lowest number), and of those the lowest:
    /// its priority and bit.
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
