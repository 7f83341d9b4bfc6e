//! Drivers that make a mistake, and whether a device shows it.
//!
//! A run performs operations at random. After some of them, so that there is something to go stale,
//! the driver makes its mistake at the next occasion, once or at each; from then on the accesses of
//! the device have so many operations to show it.

/// Numbers that look random, and are the same in every run.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// 32 of them.
    pub fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 32) as u32
    }

    /// 64 of them.
    pub fn next_u64(&mut self) -> u64 {
        let mut half = || u64::from(self.next_u32());
        half() << 32 | half()
    }
}

/// How often a driver makes its mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Habit {
    /// At the first occasion.
    Once,
    /// At every occasion.
    Always,
}

/// How long a run is, in operations.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Before the mistake may be made.
    pub warm_up: usize,
    /// After that, at most.
    pub longest: usize,
    /// Between the first mistake and an access that shows it, at most.
    pub bound: usize,
}

/// What came of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// The mistake found no occasion.
    NoOccasion,
    /// It showed in time: so many operations after its first occasion.
    Found(usize),
    /// It did not: what was not invalidated was not cached, or went with something else.
    Harmless,
}

impl Run {
    /// Whether the mistake showed.
    pub fn is_found(self) -> bool {
        matches!(self, Self::Found(_))
    }
}

/// A driver with a mistake, and the device that may show it.
pub trait Mistaken {
    /// Performs the next operation, `may` tells whether wrongly; whether it was.
    fn operate(&mut self, numbers: &mut Numbers, may: bool) -> bool;

    /// An access that does not end where it should, in words.
    fn difference(&mut self) -> Option<String>;
}

/// One run.
///
/// # Panics
/// If an access ends elsewhere than it should before any mistake was made.
pub fn run(mistaken: &mut impl Mistaken, habit: Habit, length: Length, seed: u64) -> Run {
    let mut numbers = Numbers(seed);
    let mut since = None;
    for round in 0..length.warm_up + length.longest {
        let again = since.is_none() || habit == Habit::Always;
        let made = mistaken.operate(&mut numbers, round >= length.warm_up && again);
        since = match since {
            None => made.then_some(0),
            Some(count) => Some(count + 1),
        };
        match (since, mistaken.difference()) {
            (None, Some(difference)) => panic!("before any mistake: {difference}"),
            (None, None) => {}
            (Some(count), Some(_)) => return Run::Found(count),
            (Some(count), None) if count == length.bound => return Run::Harmless,
            (Some(_), None) => {}
        }
    }
    Run::NoOccasion
}
