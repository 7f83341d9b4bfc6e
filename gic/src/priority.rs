//! Priorities: the implemented bits, the part that decides preemption, and the priorities in
//! service. Arm IHI 0048 B.b 3.3; GICv3 has the same rules.

use crate::choice::lpi::PriorityBits;

/// Implemented bits of a priority: the upper five, as in GIC-400, KVM's GICv3, and QEMU's CPU
/// interface. [`PriorityBits`] selects more.
const IMPLEMENTED: u8 = 0xf8;
/// Number of those bits.
pub(crate) const BITS: u32 = 5;
/// The minimum binary point of Group 0 with five bits of priority. IHI 0048 B.b 4.4.3.
pub(crate) const LEAST_BINARY_POINT: u8 = 2;
/// The running priority while no interrupt is in service. IHI 0048 B.b 4.4.6.
pub(crate) const IDLE: u8 = 0xff;

/// `value` without the bits that are not implemented.
pub(crate) const fn implemented(value: u8) -> u8 {
    value & IMPLEMENTED
}

/// `value` as it is stored in a priority register.
pub(crate) const fn kept(value: u8, bits: PriorityBits) -> u8 {
    match bits {
        PriorityBits::Five => implemented(value),
        PriorityBits::Stored => value,
    }
}

/// A stored binary point: three bits, not below the minimum.
pub(crate) fn binary_point(value: u32, least: u8) -> u8 {
    (value as u8 & 7).max(least)
}

/// The part of a priority above its `subpriority_bits` lowest.
pub(crate) fn group_part(priority: u8, subpriority_bits: u8) -> u8 {
    priority & u8::MAX.checked_shl(u32::from(subpriority_bits)).unwrap_or(0)
}

/// The group priorities in service, one bit each: bit `n` for `n << 3`. This is the active
/// priorities register of an interface with five bits of priority.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct Served(pub(crate) u32);

impl Served {
    /// The highest priority.
    pub(crate) fn highest(self) -> Option<u8> {
        (self.0 != 0).then(|| (self.0.trailing_zeros() as u8) << 3)
    }

    /// Adds a group priority.
    pub(crate) fn take(&mut self, group_priority: u8) {
        self.0 |= 1 << (group_priority >> 3);
    }

    /// Removes the highest priority.
    pub(crate) fn drop_highest(&mut self) {
        self.0 &= self.0.wrapping_sub(1);
    }
}

/// The higher of the priorities that two groups have in service.
pub(crate) fn running(group0: Served, group1: Served) -> Option<u8> {
    match (group0.highest(), group1.highest()) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}
