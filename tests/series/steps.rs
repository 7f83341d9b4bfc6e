//! The steps of a case. Numbers are taken modulo the number of objects.

use proptest::prelude::{Strategy, prop_oneof};

/// One step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// A group joins a container, and its devices are opened.
    Attach { group: usize, container: usize },
    /// A group's devices and the group are closed.
    Detach { group: usize },
    /// Closes a container's descriptor, whatever it contains.
    Close { container: usize },
    /// MAP_DMA of pages of the arena.
    Map { container: usize, page: u64, pages: u64 },
    /// UNMAP_DMA of a range of pages.
    Unmap { container: usize, page: u64, pages: u64 },
    /// Registers a window of pages.
    Window { container: usize, page: u64, pages: u64 },
    /// SET_IRQS: enables MSI or MSI-X, whichever the device has.
    Enable { device: usize, vectors: u32 },
    /// The same for two devices at once, with interleaved steps.
    EnableBoth { devices: [usize; 2], vectors: [u32; 2], turns: u32 },
    /// SET_IRQS: disables them.
    Disable { device: usize },
    /// A device raises a vector.
    Raise { device: usize, vector: u16 },
}

/// A case's steps.
pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    proptest::collection::vec(step(), 1..40)
}

/// Few pages, so that ranges overlap: around the window of the SMMU drivers and of most users.
const PAGES: core::ops::Range<u64> = 0x7ff8..0x8018;

fn step() -> impl Strategy<Value = Step> {
    let group = || 0..16usize;
    let device = || 0..16usize;
    let container = || 0..2usize;
    prop_oneof![
        4 => (group(), container()).prop_map(|(group, container)| Step::Attach { group, container }),
        1 => group().prop_map(|group| Step::Detach { group }),
        1 => container().prop_map(|container| Step::Close { container }),
        2 => (container(), PAGES, 1..6u64)
            .prop_map(|(container, page, pages)| Step::Map { container, page, pages }),
        2 => (container(), PAGES, 1..24u64)
            .prop_map(|(container, page, pages)| Step::Unmap { container, page, pages }),
        3 => (container(), PAGES, 1..12u64)
            .prop_map(|(container, page, pages)| Step::Window { container, page, pages }),
        5 => (device(), 1..20u32).prop_map(|(device, vectors)| Step::Enable { device, vectors }),
        2 => (device(), device(), 1..4u32, 1..4u32, proptest::num::u32::ANY).prop_map(
            |(one, other, few, more, turns)| Step::EnableBoth {
                devices: [one, other],
                vectors: [few, more],
                turns,
            }
        ),
        2 => device().prop_map(|device| Step::Disable { device }),
        2 => (device(), 0..4u16).prop_map(|(device, vector)| Step::Raise { device, vector }),
    ]
}
