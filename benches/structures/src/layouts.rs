//! The layouts and accesses that measurements name. Everything is a function of a seed, and a
//! generator continues from window to window: one that starts over makes a large index look cached.

/// An inclusive range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Range {
    /// First address inside.
    pub start: u64,
    /// Last address inside.
    pub last: u64,
}

/// A small generator of numbers that look random (Steele, Lea, Flood 2014: SplitMix).
#[derive(Clone, Debug)]
pub struct SplitMix64 {
    state: u64,
}

impl SplitMix64 {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    #[inline]
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next number below `bound`; 0 if `bound` is 0.
    #[inline]
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.draw()) * u128::from(bound)) >> 64) as u64
    }

    /// A permutation of `0..count`.
    pub fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for index in (1..count).rev() {
            order.swap(index, self.below(index as u64 + 1) as usize);
        }
        order
    }
}

const PAGE: u64 = 1 << 12;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Whole pages, from 4 KiB up: `octaves` doublings, each as likely, and anywhere within one.
fn log_uniform(octaves: u64, numbers: &mut SplitMix64) -> u64 {
    let least = 1 << numbers.below(octaves);
    (least + numbers.below(least)) * PAGE
}

/// The layout of ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A few large ones: 1 to 16 GiB, gaps of 0 to 1 GiB.
    Vm,
    /// 2 MiB each, contiguous, separate.
    Dpdk,
    /// 4 KiB to 2 MiB, log-uniform; half the gaps 0, the rest 4 KiB to 1 MiB, log-uniform.
    Mix,
    /// 4 KiB each, gaps of 0 to 15 pages.
    Fuzz,
}

impl Layout {
    /// All of them.
    pub const ALL: [Layout; 4] = [Layout::Vm, Layout::Dpdk, Layout::Mix, Layout::Fuzz];

    /// The name in benches and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Layout::Vm => "vm",
            Layout::Dpdk => "dpdk",
            Layout::Mix => "mix",
            Layout::Fuzz => "fuzz",
        }
    }

    /// The numbers of ranges it is measured with.
    pub fn sizes(self) -> &'static [usize] {
        match self {
            Layout::Vm => &[16],
            Layout::Dpdk => &[1 << 10, 1 << 16],
            Layout::Mix => &[16, 1 << 10, 1 << 16, 1 << 20],
            Layout::Fuzz => &[1 << 10, 1 << 16, 1 << 20],
        }
    }

    /// Bytes in the gap before a range, and in the range.
    fn step(self, numbers: &mut SplitMix64) -> (u64, u64) {
        match self {
            Layout::Vm => {
                (numbers.below(GIB / PAGE + 1) * PAGE, GIB + numbers.below(15 * GIB / PAGE) * PAGE)
            }
            Layout::Dpdk => (0, 2 * MIB),
            Layout::Mix => {
                let gap = match numbers.below(2) {
                    0 => 0,
                    _ => log_uniform(8, numbers),
                };
                (gap, log_uniform(9, numbers))
            }
            Layout::Fuzz => (numbers.below(16) * PAGE, PAGE),
        }
    }

    /// `count` ranges, ascending, from 4 GiB on.
    pub fn ranges(self, count: usize, numbers: &mut SplitMix64) -> Vec<Range> {
        let mut next = 4 * GIB;
        let step = |_| {
            let (gap, size) = self.step(numbers);
            let start = next + gap;
            next = start + size;
            Range { start, last: next - 1 }
        };
        (0..count).map(step).collect()
    }
}

/// What is done to an index while it is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Lookups anywhere between the first and the last address, in steps of 4 KiB.
    Random,
    /// The same, each address waiting for the answer before it.
    Dependent,
    /// Lookups of one page after the other.
    Seq4k,
    /// Lookups of addresses in gaps.
    Miss,
    /// Find, remove, check for overlap, insert: one range drawn at random.
    Churn,
    /// A visit to 128 neighbours.
    Window128,
    /// Removal of everything, one by one, ascending.
    Clear,
}

impl Access {
    /// All of them.
    pub const ALL: [Access; 7] = [
        Access::Random,
        Access::Dependent,
        Access::Seq4k,
        Access::Miss,
        Access::Churn,
        Access::Window128,
        Access::Clear,
    ];

    /// The name in benches and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Access::Random => "random",
            Access::Dependent => "dependent",
            Access::Seq4k => "seq4k",
            Access::Miss => "miss",
            Access::Churn => "churn",
            Access::Window128 => "window128",
            Access::Clear => "clear",
        }
    }
}

/// Ranges laid out, and the addresses that accesses draw from them.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Ascending.
    pub ranges: Vec<Range>,
    /// Gaps between the ranges that are not empty, ascending.
    pub gaps: Vec<Range>,
    first: u64,
    pages: u64,
}

impl Shape {
    /// `count` ranges of a layout.
    pub fn new(layout: Layout, count: usize, numbers: &mut SplitMix64) -> Self {
        let ranges = layout.ranges(count, numbers);
        let gaps = ranges
            .windows(2)
            .map(|pair| Range { start: pair[0].last + 1, last: pair[1].start - 1 })
            .filter(|gap| gap.start <= gap.last)
            .collect();
        let first = ranges.first().map_or(0, |range| range.start);
        let last = ranges.last().map_or(0, |range| range.last);
        Self { ranges, gaps, first, pages: (last - first).div_ceil(PAGE) }
    }

    /// An address anywhere between the ends: [`Access::Random`].
    #[inline]
    pub fn point(&self, numbers: &mut SplitMix64) -> u64 {
        self.first + numbers.below(self.pages) * PAGE
    }

    /// An address in a gap, or above all ranges where there are none: [`Access::Miss`].
    #[inline]
    pub fn hole(&self, numbers: &mut SplitMix64) -> u64 {
        match self.gaps.get(numbers.below(self.gaps.len() as u64) as usize) {
            Some(gap) => gap.start + numbers.below((gap.last - gap.start) / PAGE + 1) * PAGE,
            None => self.first + self.pages * PAGE,
        }
    }

    /// The page after `point`, or the first one again: [`Access::Seq4k`].
    #[inline]
    pub fn next_page(&self, point: u64) -> u64 {
        let next = point + PAGE;
        if next - self.first < self.pages * PAGE { next } else { self.first }
    }

    /// One of the ranges: [`Access::Churn`].
    #[inline]
    pub fn range(&self, numbers: &mut SplitMix64) -> Range {
        self.ranges[numbers.below(self.ranges.len() as u64) as usize]
    }

    /// A range that covers `count` neighbours, or all if there are fewer: [`Access::Window128`].
    #[inline]
    pub fn window(&self, count: usize, numbers: &mut SplitMix64) -> Range {
        let count = count.min(self.ranges.len());
        let from = numbers.below((self.ranges.len() - count + 1) as u64) as usize;
        Range { start: self.ranges[from].start, last: self.ranges[from + count - 1].last }
    }
}
