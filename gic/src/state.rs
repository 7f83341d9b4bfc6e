//! The states of interrupts, 32 at a time, and the transition that each event causes. Arm IHI 0048
//! B.b 3.2.4 and 4.3.7 to 4.3.10; GICv3 has the same states.
//!
//! Every transition is a function of the current states and a mask of the affected interrupts, one
//! bit each; the others do not change.

/// The state of one interrupt.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum State {
    /// Neither pending nor active.
    Inactive,
    /// Waits for a CPU.
    Pending,
    /// A CPU has acknowledged it and has not deactivated it.
    Active,
    /// Active, and pending again.
    ActivePending,
}

/// What makes an interrupt pending.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Trigger {
    /// Pending while its wire is high.
    Level,
    /// Pending from a rising edge until acknowledged.
    Edge,
}

/// The states of 32 interrupts, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Debug)]
pub struct States {
    /// Edge-triggered; the others are level-sensitive.
    pub edge: u32,
    /// Made pending by an edge or by software, and not yet acknowledged.
    pub latch: u32,
    /// The wire is high.
    pub wire: u32,
    /// Acknowledged and not yet deactivated.
    pub active: u32,
}

impl States {
    /// The pending interrupts.
    pub const fn pending(self) -> u32 {
        self.latch | self.wire & !self.edge
    }

    /// The state of interrupt `bit`, 0 to 31.
    pub const fn state(self, bit: u32) -> State {
        match (self.pending() >> bit & 1 != 0, self.active >> bit & 1 != 0) {
            (false, false) => State::Inactive,
            (true, false) => State::Pending,
            (false, true) => State::Active,
            (true, true) => State::ActivePending,
        }
    }

    /// The trigger of interrupt `bit`, 0 to 31.
    pub const fn trigger(self, bit: u32) -> Trigger {
        if self.edge >> bit & 1 != 0 { Trigger::Edge } else { Trigger::Level }
    }

    /// The wires rise. An edge-triggered interrupt whose wire was low becomes pending.
    #[must_use]
    pub const fn rise(self, mask: u32) -> Self {
        let latch = self.latch | mask & !self.wire & self.edge;
        Self { latch, wire: self.wire | mask, ..self }
    }

    /// The wires fall. Interrupts that an edge or software made pending stay pending.
    #[must_use]
    pub const fn fall(self, mask: u32) -> Self {
        Self { wire: self.wire & !mask, ..self }
    }

    /// Software makes them pending. IHI 0048 B.b 4.3.7: also a level-sensitive one, whatever the
    /// level of its wire.
    #[must_use]
    pub const fn set_pending(self, mask: u32) -> Self {
        Self { latch: self.latch | mask, ..self }
    }

    /// Software clears pending. IHI 0048 B.b 4.3.8: a level-sensitive one stays pending while its
    /// wire is high.
    #[must_use]
    pub const fn clear_pending(self, mask: u32) -> Self {
        Self { latch: self.latch & !mask, ..self }
    }

    /// A CPU acknowledges them. A level-sensitive one whose wire is still high is then active and
    /// pending.
    #[must_use]
    pub const fn acknowledge(self, mask: u32) -> Self {
        Self { latch: self.latch & !mask, active: self.active | mask, ..self }
    }

    /// Software makes them active without an acknowledge.
    #[must_use]
    pub const fn activate(self, mask: u32) -> Self {
        Self { active: self.active | mask, ..self }
    }

    /// They are no longer active. Pending stays.
    #[must_use]
    pub const fn deactivate(self, mask: u32) -> Self {
        Self { active: self.active & !mask, ..self }
    }

    /// The interrupts of `mask` become edge-triggered where `edge` has the bit set, level-sensitive
    /// elsewhere.
    #[must_use]
    pub const fn retrigger(self, mask: u32, edge: u32) -> Self {
        Self { edge: self.edge & !mask | edge & mask, ..self }
    }
}

#[cfg(test)]
mod tests;
