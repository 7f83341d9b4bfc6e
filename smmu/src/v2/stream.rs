//! From a StreamID to its stream mapping entry. IHI 0062 D.c 2.3.
//!
//! Not here: the outcome for a StreamID that several entries match (`translate`).

use crate::v2::choice::Conflict;
use crate::v2::features::Description;
use crate::v2::regs::Globals;
use crate::v2::wire::global::{Cr0, S2cr, Smr, SmrExtended};

/// The stream mapping entries that match a StreamID.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Matched {
    /// This entry.
    Entry(usize),
    /// None.
    None,
    /// Several, and the conflict is detected.
    Conflict,
}

/// One entry as the search sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pattern {
    id: u32,
    /// Bits that are ignored.
    mask: u32,
}

impl Pattern {
    /// Entry `n`, if it takes part in the search.
    fn of(globals: &Globals, n: usize) -> Option<Self> {
        let smr = u64::from(globals.smr[n]);
        if globals.has(Cr0::EXIDENABLE) {
            let valid = S2cr::EXIDVALID.is_set(u64::from(globals.s2cr[n]));
            let (id, mask) = (SmrExtended::EXID.get(smr), SmrExtended::EXMASK.get(smr));
            return valid.then_some(Self { id: id as u32, mask: mask as u32 });
        }
        let (id, mask) = (Smr::ID.get(smr), Smr::MASK.get(smr));
        Smr::VALID.is_set(smr).then_some(Self { id: id as u32, mask: mask as u32 })
    }

    fn matches(self, stream: u32) -> bool {
        (self.id ^ stream) & !self.mask == 0
    }
}

/// The implemented bits of a StreamID: the SMMU has no wires for the others.
pub(crate) fn implemented(globals: &Globals, description: &Description, stream: u32) -> u32 {
    let extended = globals.has(Cr0::EXIDENABLE);
    let bits = if extended { 16 } else { u32::from(description.stream_bits) };
    stream & ((1 << bits) - 1)
}

/// All entries that match a StreamID.
pub(crate) fn all(globals: &Globals, description: &Description, stream: u32) -> Vec<usize> {
    let stream = implemented(globals, description, stream);
    if !description.stream_matching {
        return (stream as usize..globals.s2cr.len()).take(1).collect();
    }
    let has = |n: &usize| Pattern::of(globals, *n).is_some_and(|pattern| pattern.matches(stream));
    (0..globals.smr.len()).filter(has).collect()
}

/// Finds the entry of a StreamID.
pub(crate) fn find(
    globals: &Globals,
    description: &Description,
    choice: Conflict,
    stream: u32,
) -> Matched {
    let stream = implemented(globals, description, stream);
    if !description.stream_matching {
        // IHI 0062 D.c 2.3.2: with indexing the StreamID names the entry.
        let entry = stream as usize;
        return if entry < globals.s2cr.len() { Matched::Entry(entry) } else { Matched::None };
    }
    let entries = 0..globals.smr.len();
    let mut matching =
        entries.filter(|&n| Pattern::of(globals, n).is_some_and(|pattern| pattern.matches(stream)));
    let Some(first) = matching.next() else {
        return Matched::None;
    };
    let Some(last) = matching.next_back() else {
        return Matched::Entry(first);
    };
    // IHI 0062 D.c 2.3.7, 9.6.1 (SMCD): without guaranteed detection, any of them may serve.
    match choice {
        _ if description.conflict_detection => Matched::Conflict,
        Conflict::Detected => Matched::Conflict,
        Conflict::First => Matched::Entry(first),
        Conflict::Last => Matched::Entry(last),
    }
}

#[cfg(test)]
mod tests;
