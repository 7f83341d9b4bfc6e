//! Cuts an address space into parts that belong to one claim each.

use std::collections::BTreeSet;

/// A range of an address space that has a meaning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Claim<T> {
    /// Its first byte.
    pub(super) start: u64,
    /// Its last byte.
    pub(super) last: u64,
    /// Its meaning.
    pub(super) what: T,
}

/// A part of the space that one claim covers, or none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Segment<T> {
    pub(super) start: u64,
    pub(super) last: u64,
    pub(super) what: Option<T>,
}

impl<T> Segment<T> {
    /// Its bytes.
    pub(super) fn bytes(&self) -> u128 {
        u128::from(self.last) - u128::from(self.start) + 1
    }
}

/// The whole space of 2^64 bytes in parts, ascending. Where claims overlap, later ones in `claims`
/// cover earlier ones.
pub(super) fn segments<T: Clone + PartialEq>(claims: &[Claim<T>]) -> Vec<Segment<T>> {
    // Where a part may begin; past the last byte there is no address.
    let after = |claim: &Claim<T>| claim.last.checked_add(1);
    let starts: BTreeSet<u64> = std::iter::once(0)
        .chain(claims.iter().map(|claim| claim.start))
        .chain(claims.iter().filter_map(after))
        .collect();
    let mut parts: Vec<Segment<T>> = Vec::new();
    let mut starts = starts.into_iter().peekable();
    while let Some(start) = starts.next() {
        let last = starts.peek().map_or(u64::MAX, |next| next - 1);
        let covers = |claim: &&Claim<T>| (claim.start..=claim.last).contains(&start);
        let what = claims.iter().rev().find(covers).map(|claim| claim.what.clone());
        match parts.last_mut() {
            Some(before) if before.what == what => before.last = last,
            _ => parts.push(Segment { start, last, what }),
        }
    }
    parts
}

#[cfg(test)]
mod tests;
