//! Changing an entry that the SMMU may read at any moment.
//!
//! The SMMU reads each doubleword at once, but may have read the others before or after. So the
//! driver writes in rounds with an invalidation and a SYNC after each: any mixture of two
//! neighbouring rounds has to mean one of them.

use super::entry::Words;

/// Doublewords to store before the next invalidation: index and value.
pub(super) type Round = Vec<(usize, u64)>;

/// The rounds that change an entry from `current` to `target`; none if they are equal.
///
/// If a single doubleword decides the meaning, the change is hitless: first the bits that the
/// present meaning ignores, then that doubleword, then the bits that the new meaning ignores.
/// Otherwise the entry is invalid in between. `used` returns the bits of an entry that have a
/// meaning.
pub(super) fn hitless(current: &Words, target: &Words, used: fn(&Words) -> Words) -> Vec<Round> {
    let (used_now, used_then) = (used(current), used(target));
    let mut prepared = *current;
    for i in 0..prepared.len() {
        prepared[i] = current[i] & used_now[i] | target[i] & !used_now[i];
    }
    let decides = |i: &usize| (prepared[*i] ^ target[*i]) & used_then[*i] != 0;
    let deciding: Vec<usize> = (0..target.len()).filter(decides).collect();
    let mut at = *current;
    let mut rounds = Vec::new();
    match deciding[..] {
        [] => rounds.push(store(&mut at, target, 0..8)),
        [decisive] => {
            prepared[decisive] = current[decisive];
            rounds.push(store(&mut at, &prepared, 0..8));
            rounds.push(store(&mut at, target, decisive..decisive + 1));
            rounds.push(store(&mut at, target, 0..8));
        }
        _ => {
            // Doubleword 0 holds V, in STEs and CDs alike.
            rounds.push(store(&mut at, &[0; 8], 0..1));
            rounds.push(store(&mut at, target, 1..8));
            rounds.push(store(&mut at, target, 0..1));
        }
    }
    rounds.retain(|round| !round.is_empty());
    rounds
}

/// Makes `range` of `at` equal to `wanted`; returns the stores.
fn store(at: &mut Words, wanted: &Words, range: core::ops::Range<usize>) -> Round {
    let mut round = Vec::new();
    for i in range {
        if at[i] != wanted[i] {
            at[i] = wanted[i];
            round.push((i, wanted[i]));
        }
    }
    round
}

#[cfg(test)]
mod tests;
