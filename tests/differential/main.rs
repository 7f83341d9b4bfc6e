//! SMMUv2 and SMMUv3, given the same mappings through their drivers, answer every access alike.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `rig` | on which board do an SMMU of either version, its driver and one device run? |
//! | `nested` | do both answer alike with two stages, programmed by hand? |
//! | `exact` | do both answer alike where block sizes differ and ranges are unmapped as mapped? |
//!
//! The random steps are those of a user of the IOMMU core: pages and blocks mapped, unmapped in
//! part, mapped again with other permissions; between any two steps the device tries addresses
//! inside, beside and far from them. Answers are compared as addresses, or as classes of faults.
//! Both SMMUs cache everything as long as they may, so that an invalidation that a driver omits, or
//! does not wait for, changes an answer.

mod exact;
mod nested;
mod rig;

use passim_model::access::{Direction, Privilege};
use passim_model::{Access, PageSize};
use passim_tests::cases;
use passim_vfio::Profile;
use passim_vfio::iommu::DomainKind;
use proptest::prelude::{Just, any, prop_assert_eq, prop_oneof};
use proptest::strategy::Strategy;
use proptest::test_runner::{Config, TestCaseResult, TestRunner};
use rig::{Answer, Kind, Rig};

/// Number of places for mappings. Each has the size of a block of the level above pages.
const PLACES: u64 = 6;

/// The places for mappings, by the granule of the tables.
#[derive(Clone, Copy, Debug)]
struct Ground {
    page: PageSize,
    /// Whether addresses have 32 bits.
    narrow: bool,
    /// Whether both SMMUs take input addresses of 48 bits, and give output addresses of 44.
    wide: bool,
}

impl Ground {
    /// First address of the places, low or high: below 48 bits, or 40, which every SMMU supports,
    /// or 32.
    fn base(self, high: bool) -> u64 {
        match (high, self.narrow) {
            (false, _) => LOW,
            (true, false) if self.wide => WIDE_HIGH,
            (true, false) => HIGH,
            (true, true) => NARROW_HIGH,
        }
    }

    /// Number of pages of a place.
    fn pages(self) -> u64 {
        self.page.bytes() / 8
    }

    fn at(self, high: bool, place: u64, page: u64) -> u64 {
        self.base(high) + (place * self.pages() + page) * self.page.bytes()
    }
}

const LOW: u64 = 0x4000_0000;
const HIGH: u64 = 0xf0_0000_0000;
const NARROW_HIGH: u64 = 0xc000_0000;
const WIDE_HIGH: u64 = 0xfff0_0000_0000;
/// Output address of high places where 44 bits are supported: beyond 40 bits.
const WIDE_OUTPUT: u64 = 0xf00_0000_0000;

/// One step of a user of the IOMMU core.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Map some pages at a place.
    Map { place: u64, first: u64, pages: u64, write: bool, read: bool, high: bool },
    /// Unmap some pages at a place.
    Unmap { place: u64, first: u64, pages: u64, high: bool },
    /// Leave the domain, and return.
    Leave,
}

fn steps(ground: Ground) -> impl Strategy<Value = Step> {
    // Pages of a place; a whole place is mapped by blocks.
    let all = ground.pages();
    let span = move || prop_oneof![(0..all, 1..64u64), Just((0, all))];
    prop_oneof![
        4 => (0..PLACES, span(), any::<(bool, bool, bool)>()).prop_map(|(place, span, bits)| {
            let ((first, pages), (write, high, both)) = (span, bits);
            Step::Map { place, first, pages, write, read: both || !write, high }
        }),
        3 => (0..PLACES, span(), any::<bool>()).prop_map(|(place, (first, pages), high)| {
            Step::Unmap { place, first, pages, high }
        }),
        1 => Just(Step::Leave),
    ]
}

impl Step {
    /// The first, the last and some page between them in the step's range. Accessed before the step
    /// as well as after it: the step has to invalidate what is cached then.
    fn borders(self, ground: Ground) -> Vec<u64> {
        let (Self::Map { place, first, pages, high, .. }
        | Self::Unmap { place, first, pages, high }) = self
        else {
            return Vec::new();
        };
        let pages = pages.min(ground.pages() - first);
        let page = |page: u64| ground.at(high, place, first + page);
        vec![page(0), page(pages / 2), page(pages - 1)]
    }

    fn perform(self, rig: &mut Rig, ground: Ground) -> String {
        match self {
            Self::Map { place, first, pages, write, read, high } => {
                let iova = ground.at(high, place, first);
                let far = if ground.wide && high { WIDE_OUTPUT } else { 0 };
                let output = far + 0x6000_0000 + (iova - ground.base(high));
                let size = pages.min(ground.pages() - first) * ground.page.bytes();
                let answer = rig.map(iova, output, size, read, write);
                answer.map_or_else(|refusal| refusal.errno.to_string(), |()| "mapped".to_owned())
            }
            Self::Unmap { place, first, pages, high } => {
                let size = pages.min(ground.pages() - first) * ground.page.bytes();
                format!("{:#x}", rig.unmap(ground.at(high, place, first), size))
            }
            Self::Leave => {
                rig.leave();
                rig.come_back();
                String::new()
            }
        }
    }
}

/// Addresses to try: boundaries of places and of pages in them, and addresses without a table.
fn addresses(ground: Ground) -> impl Strategy<Value = u64> {
    let near = (0..=PLACES, 0..ground.pages(), 0..ground.page.bytes(), any::<bool>());
    prop_oneof![
        8 => near.prop_map(move |(place, page, byte, high)| ground.at(high, place, page) + byte),
        1 => 0..1u64 << if ground.wide { 48 } else { 40 },
    ]
}

/// Reads, writes and fetches of both privileges; privileged fetches only where both architectures
/// agree.
fn accesses(privileged_fetches: bool) -> impl Strategy<Value = Access> {
    any::<(bool, bool, bool)>().prop_map(move |(write, privileged, instruction)| Access {
        direction: if write { Direction::Write } else { Direction::Read },
        privilege: if privileged { Privilege::Privileged } else { Privilege::Unprivileged },
        instruction: instruction && !write && (privileged_fetches || !privileged),
    })
}

/// A runner of `cases` cases that are the same each time, or of as many random ones as
/// PROPTEST_CASES says.
pub(crate) fn runner(cases: u32, seed: u8) -> TestRunner {
    if std::env::var_os("PROPTEST_CASES").is_some() {
        return TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    }
    cases::drawn(Config { cases, ..Config::default() }, seed)
}

/// Compares `second` with the SMMUv3 of the same stage, with pages of 4K, in `cases` cases.
fn alike(second: Kind, third: Kind, profile: Profile, cases: u32) {
    alike_with(PageSize::K4, (second, third), profile, cases);
}

fn alike_with(page: PageSize, (second, third): (Kind, Kind), profile: Profile, cases: u32) {
    let wide = second.is_wide() && third.is_wide();
    let ground = Ground { page, narrow: second.is_narrow(), wide };
    // Only AArch64 forbids privileged execution of pages writable without privilege; and until 4.10
    // the SMMUv2 driver makes every access unprivileged.
    let of_today = matches!(profile, Profile::Linux6_1 | Profile::Linux6_12);
    let fetches = of_today && !ground.narrow;
    let tries = proptest::collection::vec((addresses(ground), accesses(fetches)), 4..12);
    let strategy = proptest::collection::vec((steps(ground), tries), 1..12);
    let holds = |script: Vec<(Step, Vec<(u64, Access)>)>| -> TestCaseResult {
        let mut second = Rig::new(second, profile, page, DomainKind::Paging);
        let mut third = Rig::new(third, profile, page, DomainKind::Paging);
        for (step, tries) in &script {
            let borders = step.borders(ground).into_iter().map(|iova| (iova, Access::READ));
            for (iova, _) in borders.clone() {
                let (first, other) =
                    (second.access(iova, Access::READ), third.access(iova, Access::READ));
                prop_assert_eq!(first, other, "{:#x} before {:?}", iova, step);
            }
            let answers = [&mut second, &mut third].map(|rig| step.perform(rig, ground));
            prop_assert_eq!(&answers[0], &answers[1], "{:?}", step);
            for (iova, access) in borders.chain(tries.iter().copied()) {
                let (first, other) = (second.access(iova, access), third.access(iova, access));
                prop_assert_eq!(first, other, "{:#x} {:?} after {:?}", iova, access, step);
            }
        }
        Ok(())
    };
    let outcome = runner(cases, second as u8 + 1).run(&strategy, holds);
    outcome.unwrap_or_else(|error| panic!("{second:?} and {third:?}: {error}"));
}

#[test]
fn stage_1_answers_alike() {
    alike(Kind::Mmu500, Kind::Both, Profile::Linux6_12, 600);
    alike(Kind::Everything, Kind::Both, Profile::Linux6_1, 300);
}

/// A kernel with larger pages uses their granule, and blocks of 32M and 512M.
#[test]
fn stage_1_with_larger_granules_answers_alike() {
    let pair = (Kind::Everything, Kind::Both);
    alike_with(PageSize::K16, pair, Profile::Linux6_12, 120);
    alike_with(PageSize::K64, pair, Profile::Linux6_12, 120);
    alike_with(PageSize::K64, (Kind::Mmu500, Kind::Both), Profile::MsiV9, 80);
}

#[test]
fn stage_2_with_larger_granules_answers_alike() {
    let pair = (Kind::EverythingStage2, Kind::Stage2);
    alike_with(PageSize::K16, pair, Profile::Linux6_12, 120);
    alike_with(PageSize::K64, pair, Profile::Linux6_12, 120);
    alike_with(PageSize::K64, (Kind::Mmu500Stage2, Kind::Stage2), Profile::Linux6_12, 80);
    // An MMU-401 has AArch64 for 64K only.
    alike_with(PageSize::K64, (Kind::Mmu401, Kind::Stage2), Profile::Linux6_12, 80);
}

/// Long descriptors of AArch32, under 32-bit kernels and with an AP806.
#[test]
fn stage_1_of_aarch32_answers_alike() {
    alike(Kind::Long, Kind::Both, Profile::Linux6_12, 400);
    alike(Kind::Ap806, Kind::Both, Profile::Linux6_12, 400);
    alike(Kind::First, Kind::Both, Profile::Linux6_12, 200);
    // Up to 4.6 the driver's registers mean something else to an SMMUv1: not alike.
    alike(Kind::First, Kind::Both, Profile::MsiV10, 200);
}

#[test]
fn stage_2_answers_alike() {
    alike(Kind::Mmu500Stage2, Kind::Stage2, Profile::Linux6_12, 400);
    // With the AArch64 format, and with AArch32's.
    alike(Kind::Mmu401, Kind::Stage2, Profile::Linux6_12, 400);
    alike(Kind::Mmu401, Kind::Stage2, Profile::Linux4_11, 200);
    alike(Kind::Mmu401, Kind::Stage2, Profile::MsiV9, 400);
}

/// The comparison detects differences: unmapped pages fault, and mapped ones do not.
#[test]
fn answers_differ_where_mappings_do() {
    for kind in [Kind::Mmu500, Kind::Mmu401, Kind::Short, Kind::Ap806, Kind::Both, Kind::Stage2] {
        let mut rig = Rig::new(kind, Profile::Linux6_12, PageSize::K4, DomainKind::Paging);
        rig.map(LOW, 0x6000_0000, 0x20_0000, true, false).expect("nothing is there");
        assert_eq!(rig.access(LOW + 0x1234, Access::READ), Answer::At(0x6000_1234), "{kind:?}");
        assert_eq!(rig.access(LOW + 0x1234, Access::WRITE), Answer::Permission, "{kind:?}");
        assert_eq!(rig.access(LOW - 1, Access::READ), Answer::Translation, "{kind:?}");
        assert_eq!(rig.unmap(LOW, 0x20_0000), 0x20_0000);
        assert_eq!(rig.access(LOW, Access::READ), Answer::Translation, "{kind:?}");
    }
}
