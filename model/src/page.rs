//! Page sizes: one of them, and the bitmap Linux calls `pgsize_bitmap`.
//!
//! Sizes of pages, blocks and granules are powers of two, always in bytes. The
//! [`Geometry`](crate::pgtable::table::Geometry) of a set of tables decides which of them it can
//! map.

use core::fmt;

/// A power-of-two size in bytes, held as its logarithm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageSize(u8);

impl PageSize {
    /// 4 KiB.
    pub const K4: Self = Self(12);
    /// 16 KiB.
    pub const K16: Self = Self(14);
    /// 64 KiB.
    pub const K64: Self = Self(16);

    /// The size `1 << lg2`; `None` for `lg2 >= 64`.
    pub const fn from_lg2(lg2: u32) -> Option<Self> {
        if lg2 < 64 { Some(Self(lg2 as u8)) } else { None }
    }

    /// The size of this many bytes; `None` unless a power of two.
    pub const fn from_bytes(bytes: u64) -> Option<Self> {
        if bytes.is_power_of_two() { Some(Self(bytes.trailing_zeros() as u8)) } else { None }
    }

    /// log2 of the size.
    pub const fn lg2(self) -> u32 {
        self.0 as u32
    }

    /// The size in bytes.
    pub const fn bytes(self) -> u64 {
        1 << self.0
    }

    /// Bytes less one: the bits of an address that lie inside the page.
    pub const fn mask(self) -> u64 {
        self.bytes() - 1
    }

    /// Whether `value` (an address or a size) is a multiple of the size.
    pub const fn divides(self, value: u64) -> bool {
        value & self.mask() == 0
    }
}

impl fmt::Display for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lg2 = self.lg2();
        let (unit, shift) = match lg2 {
            0..=9 => ("", 0),
            10..=19 => ("K", 10),
            20..=29 => ("M", 20),
            30..=39 => ("G", 30),
            _ => ("T", 40),
        };
        write!(f, "{}{unit}", 1u64 << (lg2 - shift))
    }
}

impl fmt::Debug for PageSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A set of page sizes: bit n stands for `1 << n` bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct PageSizes(u64);

impl PageSizes {
    /// The set with this bitmap.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The bitmap.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The smallest size in the set.
    pub const fn smallest(self) -> Option<PageSize> {
        PageSize::from_lg2(self.0.trailing_zeros())
    }

    /// Whether `size` is in the set.
    pub const fn contains(self, size: PageSize) -> bool {
        self.0 & size.bytes() != 0
    }

    /// The sizes in both sets.
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The largest size in the set that is at most `limit` bytes and divides `alignment`
    /// (an address, or several combined by `|`).
    pub const fn best(self, alignment: u64, limit: u64) -> Option<PageSize> {
        if limit == 0 {
            return None;
        }
        let at_most_limit = u64::MAX >> limit.leading_zeros();
        let aligned =
            if alignment == 0 { u64::MAX } else { u64::MAX >> (63 - alignment.trailing_zeros()) };
        let fitting = self.0 & at_most_limit & aligned;
        if fitting == 0 { None } else { PageSize::from_lg2(63 - fitting.leading_zeros()) }
    }
}

impl fmt::Debug for PageSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageSizes({:#x})", self.0)
    }
}

impl fmt::Display for PageSizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut separator = "";
        while rest != 0 {
            let size = PageSize(rest.trailing_zeros() as u8);
            write!(f, "{separator}{size}")?;
            separator = "|";
            rest &= rest - 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
