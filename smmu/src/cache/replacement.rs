//! Which way of a full set is replaced.

use super::{Geometry, Victim};

/// The replacement state of a cache. See the [module](self).
#[derive(Clone)]
pub(crate) struct Replacement {
    ways: usize,
    state: State,
}

#[derive(Clone)]
enum State {
    /// There is one way.
    Only,
    /// The next way to replace in each set.
    Turns(Box<[u8]>),
    /// The `clock` at the last use of each slot.
    Uses { last: Box<[u64]>, clock: u64 },
    /// The state of the sequence.
    Random(u64),
}

impl Replacement {
    /// For a cache of this geometry, which is inside the limits.
    pub(crate) fn new(geometry: Geometry) -> Self {
        let state = match geometry.victim {
            _ if geometry.ways == 1 => State::Only,
            Victim::RoundRobin => State::Turns(vec![0; 1 << geometry.sets_lg2].into_boxed_slice()),
            Victim::LeastRecentlyUsed => {
                State::Uses { last: vec![0; geometry.entries()].into_boxed_slice(), clock: 0 }
            }
            Victim::Random { seed } => State::Random(u64::from(seed)),
        };
        Self { ways: geometry.ways.into(), state }
    }

    /// Records a use of a slot.
    #[inline(always)]
    pub(crate) fn touch(&mut self, at: usize) {
        if let State::Uses { last, clock } = &mut self.state {
            *clock += 1;
            last[at] = *clock;
        }
    }

    /// The slot to replace in the full set whose first slot is `set`.
    #[inline]
    pub(crate) fn give_way(&mut self, set: usize) -> usize {
        let ways = self.ways;
        set + match &mut self.state {
            State::Only => 0,
            State::Turns(turns) => {
                let turn = &mut turns[set / ways];
                let way = usize::from(*turn);
                *turn = ((way + 1) % ways) as u8;
                way
            }
            State::Uses { last, .. } => {
                let ages = last[set..set + ways].iter().enumerate();
                ages.min_by_key(|&(_, used)| used).map_or(0, |(way, _)| way)
            }
            State::Random(state) => next(state) as usize % ways,
        }
    }
}

/// The next number of a sequence: a counter of odd stride, its bits mixed (SplitMix64).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut mixed = *state;
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
