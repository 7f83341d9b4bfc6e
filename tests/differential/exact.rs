//! Tables with other block sizes: short descriptors against an SMMUv3's.
//!
//! The block sizes decide how a range may be split, and so what unmapping a part of it does; VFIO's
//! use of the IOMMU core never unmaps parts. So no mapping here overlaps another, and each is
//! unmapped as it was mapped; devices have to reach the same addresses all the same, at every
//! boundary of pages of 4K, 64K, 1M, 2M and 16M.

use super::rig::{Kind, Rig};
use super::{LOW, NARROW_HIGH, runner};
use passim_model::{Access, PageSize};
use passim_vfio::Profile;
use passim_vfio::iommu::DomainKind;
use proptest::prelude::{Just, any, prop_assert_eq, prop_oneof};
use proptest::strategy::Strategy;
use proptest::test_runner::TestCaseResult;

/// One step: adds a mapping, or removes one.
#[derive(Clone, Copy, Debug)]
enum Step {
    Map { start: u64, shift: u64, size: u64, write: bool },
    Unmap { which: usize },
    Leave,
}

/// Boundaries of the block sizes, and pages beside them.
fn place() -> impl Strategy<Value = u64> {
    let aligned = prop_oneof![
        2 => (0..0x4000u64).prop_map(|page| page << 12),
        2 => (0..0x400u64).prop_map(|page| page << 16),
        2 => (0..0x40u64).prop_map(|page| page << 20),
        1 => (0..4u64).prop_map(|page| page << 24),
    ];
    (aligned, any::<bool>()).prop_map(|(at, high)| if high { NARROW_HIGH } else { LOW } + at)
}

fn steps() -> impl Strategy<Value = Step> {
    let size = prop_oneof![
        4 => (1..40u64).prop_map(|pages| pages << 12),
        3 => (1..20u64).prop_map(|pages| pages << 16),
        2 => (1..20u64).prop_map(|pages| pages << 20),
        1 => Just(1u64 << 24),
    ];
    prop_oneof![
        // The output differs from the input by a page, by a large page, or not at all.
        5 => (place(), prop_oneof![Just(0), Just(1u64 << 12), Just(1 << 16)], size, any::<bool>())
            .prop_map(|(start, shift, size, write)| Step::Map { start, shift, size, write }),
        3 => any::<usize>().prop_map(|which| Step::Unmap { which }),
        1 => Just(Step::Leave),
    ]
}

/// The mappings: first address and size.
type Mapped = Vec<(u64, u64)>;

impl Step {
    /// The range of the step; `None` where it is not possible.
    fn range(self, mapped: &Mapped) -> Option<(u64, u64)> {
        match self {
            Self::Map { start, size, .. } => {
                let free = mapped
                    .iter()
                    .all(|(from, length)| start + size <= *from || from + length <= start);
                free.then_some((start, size))
            }
            Self::Unmap { which } => mapped.get(which % mapped.len().max(1)).copied(),
            Self::Leave => None,
        }
    }

    fn perform(self, (start, size): (u64, u64), rig: &mut Rig) -> bool {
        match self {
            Self::Map { shift, write, .. } => {
                let output = 0x5000_0000 + (start & 0x3ff_ffff) + shift;
                rig.map(start, output, size, true, write).is_ok()
            }
            Self::Unmap { .. } => rig.unmap(start, size) == size,
            Self::Leave => true,
        }
    }
}

/// First, last and middle page of a range, and those beside it.
fn around((start, size): (u64, u64)) -> [u64; 5] {
    [start - 0x1000, start, start + (size >> 13 << 12), start + size - 1, start + size]
}

fn holds(script: &[(Step, Vec<(u64, bool)>)]) -> TestCaseResult {
    let rig = |kind| Rig::new(kind, Profile::Linux6_12, PageSize::K4, DomainKind::Paging);
    let [mut short, mut third] = [Kind::Short, Kind::Both].map(rig);
    let mut mapped = Mapped::new();
    for (step, tries) in script {
        let range = step.range(&mapped);
        let borders: Vec<_> = range.map(around).into_iter().flatten().collect();
        for &iova in &borders {
            let answers = [&mut short, &mut third].map(|rig| rig.access(iova, Access::READ));
            prop_assert_eq!(answers[0], answers[1], "{:#x} before {:?}", iova, step);
        }
        if let Some(range) = range {
            let done = [&mut short, &mut third].map(|rig| step.perform(range, rig));
            prop_assert_eq!(done, [true, true], "{:?}", step);
            match step {
                Step::Map { .. } => mapped.push(range),
                _ => mapped.retain(|there| *there != range),
            }
        } else if matches!(step, Step::Leave) {
            for rig in [&mut short, &mut third] {
                rig.leave();
                rig.come_back();
            }
        }
        let borders = borders.into_iter().flat_map(|iova| [(iova, false), (iova, true)]);
        for (iova, write) in borders.chain(tries.iter().copied()) {
            let access = if write { Access::WRITE } else { Access::READ };
            let answers = [&mut short, &mut third].map(|rig| rig.access(iova, access));
            prop_assert_eq!(answers[0], answers[1], "{:#x} after {:?}", iova, step);
        }
    }
    Ok(())
}

#[test]
fn short_descriptors_answer_alike() {
    let tries = proptest::collection::vec((place(), any::<bool>()), 2..8);
    let strategy = proptest::collection::vec((steps(), tries), 1..16);
    let outcome = runner(600, 9).run(&strategy, |script| holds(&script));
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
