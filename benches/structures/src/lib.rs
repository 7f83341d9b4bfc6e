//! Interval indexes that the benches compare with the dma tree, and the layouts they are
//! compared on.
//!
//! Each index keeps inclusive `u64` ranges that do not overlap, with a `u64` beside each, behind
//! [`Index`]. The model uses nothing of this crate, and this crate nothing of the model.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `layouts` | which ranges are laid out, and which accesses are measured? |
//! | `kernel_rb` | how does the kernel's red-black tree perform? |
//! | `by_start`, `ranges`, `sorted` | how do a `BTreeMap`, rangemap and a sorted `Vec` perform? |

mod by_start;
mod kernel_rb;
mod layouts;
mod ranges;
mod sorted;

pub use by_start::ByStart;
pub use kernel_rb::KernelRb;
pub use layouts::{Access, Layout, Range, Shape, SplitMix64};
pub use ranges::Ranges;
pub use sorted::Sorted;

/// An ordered index of ranges that do not overlap.
pub trait Index {
    /// The name of a range. It lets this structure remove the range without another search, if the
    /// structure can.
    type Handle: Copy;

    /// Adds a range. `None`, and nothing changed, if it overlaps an existing one.
    fn insert(&mut self, range: Range, value: u64) -> Option<Self::Handle>;

    /// Removes a range that [`Self::find`] found, with nothing removed since. Returns its value.
    fn remove(&mut self, handle: Self::Handle) -> u64;

    /// The range that `point` lies in.
    fn find(&self, point: u64) -> Option<Self::Handle>;

    /// Whether any range overlaps this one.
    fn overlaps(&self, range: Range) -> bool;

    /// Visits the ranges that overlap this one, ascending, with their values.
    fn for_each_in(&self, range: Range, visit: impl FnMut(Range, u64));
}

#[cfg(test)]
mod tests;
