//! Addresses of the four address spaces, and inclusive ranges of them.
//!
//! An address of one space is never mistaken for one of another: there is no `+` and no `From`
//! between them. Arithmetic that may leave the space returns an `Option`.

use core::fmt;

/// An address of one address space: what [`Span`] requires of its ends.
pub trait Address: Copy + Ord + fmt::Debug + fmt::Display {
    /// The address with this number.
    fn from_raw(raw: u64) -> Self;
    /// The number of this address.
    fn raw(self) -> u64;
}

macro_rules! address {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        #[repr(transparent)]
        pub struct $name(u64);

        impl $name {
            /// The address with this number.
            pub const fn new(raw: u64) -> Self {
                Self(raw)
            }

            /// The number of this address.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// This address plus `offset` bytes, or `None` past 2^64 - 1.
            pub const fn checked_add(self, offset: u64) -> Option<Self> {
                match self.0.checked_add(offset) {
                    Some(sum) => Some(Self(sum)),
                    None => None,
                }
            }

            /// Bytes from `base` to this address, or `None` if it lies below `base`.
            pub const fn offset_from(self, base: Self) -> Option<u64> {
                self.0.checked_sub(base.0)
            }

            /// Whether the address is a multiple of `1 << lg2` bytes; only 0 is, of 64 and more.
            pub const fn is_aligned(self, lg2: u32) -> bool {
                self.0 & low_mask(lg2) == 0
            }

            /// The multiple of `1 << lg2` at or below this address.
            pub const fn align_down(self, lg2: u32) -> Self {
                Self(self.0 & !low_mask(lg2))
            }

            /// The distance from [`Self::align_down`] to this address, in bytes.
            pub const fn offset_in(self, lg2: u32) -> u64 {
                self.0 & low_mask(lg2)
            }
        }

        impl Address for $name {
            fn from_raw(raw: u64) -> Self {
                Self(raw)
            }
            fn raw(self) -> u64 {
                self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }
    };
}

/// The bits below `1 << lg2`; all 64 for `lg2 >= 64`.
const fn low_mask(lg2: u32) -> u64 {
    if lg2 >= 64 { u64::MAX } else { (1 << lg2) - 1 }
}

address! {
    /// The address a device puts on the bus: input to translation.
    Iova
}
address! {
    /// Intermediate physical address: output of stage 1, input of stage 2.
    Ipa
}
address! {
    /// Physical address: RAM and registers answer to it.
    PhysAddr
}
address! {
    /// An address in a process.
    UserAddr
}

/// A non-empty range of addresses with both ends inside it.
///
/// It may end at `u64::MAX`; `start + size` is never written anywhere, because it would wrap
/// there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span<A> {
    start: A,
    last: A,
}

impl<A: Address> Span<A> {
    /// The range from `start` to `last`, both inside; `None` if `last < start`.
    pub fn new(start: A, last: A) -> Option<Self> {
        (start <= last).then_some(Self { start, last })
    }

    /// The `size` bytes from `start` on; `None` if `size` is 0 or the range would wrap.
    pub fn from_size(start: A, size: u64) -> Option<Self> {
        let last = start.raw().checked_add(size.checked_sub(1)?)?;
        Some(Self { start, last: A::from_raw(last) })
    }

    /// First address inside.
    pub fn start(self) -> A {
        self.start
    }

    /// Last address inside.
    pub fn last(self) -> A {
        self.last
    }

    /// Bytes inside; `None` only for the whole space of 2^64.
    pub fn size(self) -> Option<u64> {
        (self.last.raw() - self.start.raw()).checked_add(1)
    }

    /// Bytes inside less one: never overflows.
    pub fn size_minus_one(self) -> u64 {
        self.last.raw() - self.start.raw()
    }

    /// Whether `address` lies inside.
    pub fn contains(self, address: A) -> bool {
        self.start <= address && address <= self.last
    }

    /// Whether all of `other` lies inside.
    pub fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.last <= self.last
    }

    /// Whether the two share an address.
    pub fn overlaps(self, other: Self) -> bool {
        self.start <= other.last && other.start <= self.last
    }

    /// The addresses that both contain.
    pub fn intersection(self, other: Self) -> Option<Self> {
        Self::new(self.start.max(other.start), self.last.min(other.last))
    }
}

impl<A: Address> fmt::Debug for Span<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.start, self.last)
    }
}

impl<A: Address> fmt::Display for Span<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}, {}]", self.start, self.last)
    }
}

#[cfg(test)]
mod tests;
