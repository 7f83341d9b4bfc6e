//! Checks an access against the permissions of a translation, and answers it.

use super::refusal::{at_stage1, at_stage2};
use super::{Demand, Found, Kind, Refusal, low_bits};
use crate::regime::{Regime, Stage2, granted};
use crate::tlb::Translation;
use crate::transaction::{Path, Translated};
use passim_model::PhysAddr;
use passim_model::access::Access;

/// Whether an access may have to mark a descriptor dirty, which needs a walk.
#[inline]
pub(super) fn must_mark(entry: &Translation, access: Access) -> bool {
    entry.clean && access.is_write()
}

/// The answer of a translation, if both stages permit the access.
#[inline(always)]
fn permitted(
    entry: &Translation,
    input: u64,
    demand: Demand,
    stage2: Option<&Stage2>,
    path: Path,
) -> Option<Translated> {
    let access = demand.access;
    let first = granted(access, entry.stage1[0], entry.stage1[1]);
    let second = granted(access, entry.stage2[0], entry.stage2[1]);
    let perms = first & second;
    if !perms.contains(access.needs()) {
        return None;
    }
    let pa = PhysAddr::new(entry.output | input & low_bits(entry.lg2));
    let attributes = match stage2 {
        None => entry.attributes,
        Some(stage2) => stage2.attributes(demand.attributes, &entry.leaf),
    };
    Some(Translated { pa, perms, lg2: entry.lg2, path, attributes })
}

/// Checks the permissions of a translation, stage 1 first.
#[inline(always)]
pub(super) fn judge(
    entry: &Translation,
    regime: &Regime<'_>,
    input: u64,
    demand: Demand,
    path: Path,
) -> Result<Found, Refusal> {
    let offset = input & low_bits(entry.lg2);
    let ipa = entry.intermediate | offset;
    // With stage 1, the entry's attributes are those of both stages.
    let alone = regime.stage2.filter(|_| regime.stage1.is_none());
    if let Some(mut answer) = permitted(entry, input, demand, alone, path) {
        if regime.stage1.is_some_and(|stage1| stage1.heeds_hints) {
            answer.attributes = answer.attributes.with_hints_of(demand.attributes);
        }
        return Ok(Found { answer, intermediate: ipa });
    }
    Err(not_permitted(entry, regime, ipa, demand.access))
}

/// Which stage refuses an access.
#[cold]
#[inline(never)]
fn not_permitted(entry: &Translation, regime: &Regime<'_>, ipa: u64, access: Access) -> Refusal {
    let first = granted(access, entry.stage1[0], entry.stage1[1]);
    let level = Some(entry.level as i8);
    match (regime.stage1, regime.stage2) {
        (Some(stage1), _) if !first.contains(access.needs()) => {
            Refusal { level, ..at_stage1(stage1, Kind::Permission) }
        }
        (first, Some(stage2)) => {
            let own = Some(entry.leaf.level as i8);
            let level = if first.is_none() { level } else { own };
            Refusal { level, ..at_stage2(stage2, Kind::Permission, ipa) }
        }
        (Some(stage1), None) => at_stage1(stage1, Kind::Permission),
        (None, None) => unreachable!("a translation is made by at least one stage"),
    }
}
