//! Drivers that make a mistake, and whether a device's accesses show it.
//!
//! A run performs random operations. After some of them, so that caches are filled, the driver
//! makes its mistake at the next occasion, once or each time; from then on the device's accesses
//! must show it within a bounded number of operations.

/// Pseudo-random numbers that are the same in every run.
#[derive(Clone, Debug)]
pub struct Numbers(u64);

impl Numbers {
    /// The next 32 bits.
    pub fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 32) as u32
    }

    /// The next 64 bits.
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

/// Length of a run, in operations.
#[derive(Clone, Copy, Debug)]
pub struct Length {
    /// Operations before the mistake may be made.
    pub warm_up: usize,
    /// Most operations after that.
    pub longest: usize,
    /// Most operations between the first mistake and an access that shows it.
    pub bound: usize,
}

/// The result of a run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Run {
    /// The mistake found no occasion.
    NoOccasion,
    /// It showed in time: this many operations after its first occasion.
    Found(usize),
    /// It did not show: the stale state was not cached, or was invalidated otherwise.
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
    /// Performs the next operation, wrongly if `may` and there is an occasion; returns whether it
    /// was wrong.
    fn operate(&mut self, numbers: &mut Numbers, may: bool) -> bool;

    /// An access that does not end where it should, in words.
    fn difference(&mut self) -> Option<String>;
}

/// Performs one run.
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
