//! The plain way behind the front: stage 1 alone, its lower half, and nothing changed on it.
//!
//! Most streams have no stage 2, no overrides, and descriptors that hardware does not update; and
//! most leaves of a stream say the same but for the address. What the configuration of the last
//! such stream amounts to is at hand here, and what its last leaf said. The first holds as long as
//! nothing was put into the configuration caches or taken out, and no register was stored to.
//!
//! The plain way ends in an answer, cached as any other is, or it changes nothing: whatever is not
//! plain after all, every fault among it, goes the general way from the start.

use crate::choice::Overlap;
use crate::regime::{Endian, FlagUpdates, Half, Regime, Split, Stage1, Unprivileged};
use crate::tlb::{Retention, SpaceId, Tlb, Translation};
use crate::v3::config::ste::Overrides;
use crate::v3::outcome::{Outcome, Path, Transaction, Translated};
use crate::v3::stages::{Caching, Demand, entry_of, find_bare, must_mark, permitted};
use crate::v3::{Counters, SmmuV3};
use passim_model::pgtable::walk::{Config, Format, Found};
use passim_model::{Memory, StreamId};

/// How translations are cached on the plain way.
const PLAIN: Caching = Caching { overlap: Overlap::SmallestWins, retention: Retention::Sized };

/// Where a leaf descriptor holds its address, with every granule; the rest of it says what is
/// permitted and how memory is accessed.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// What leaves say that differ in nothing but their address.
#[derive(Clone)]
struct Kind {
    /// Their descriptors, without the address.
    descriptor: u64,
    limits: u64,
    level: u8,
    /// Where their translations are cached.
    space: SpaceId,
    /// The translation of one of them.
    entry: Translation,
}

/// A stream of which the plain way is known. See the [module](self).
#[derive(Clone)]
pub(crate) struct Plain {
    /// The epoch of the configuration it was learnt in.
    epoch: u64,
    stream: StreamId,
    overrides: Overrides,
    stage1: Stage1,
    walk: Config,
    kind: Option<Kind>,
}

impl Plain {
    /// What there is to know of a transaction's configuration, if it is plain.
    pub(crate) fn of(
        epoch: u64,
        txn: &Transaction,
        regime: &Regime<'_>,
        overrides: &Overrides,
        caching: Caching,
    ) -> Option<Self> {
        let (Some(stage1), None) = (regime.stage1, regime.stage2) else {
            return None;
        };
        let walk = stage1.halves[0].walk?;
        let plain = txn.requester.substream.is_none()
            && !overrides.change_access()
            && stage1.updates == FlagUpdates::default()
            && stage1.split == Split::Bit55
            && stage1.endian == Endian::Little
            && !matches!(walk.format, Format::Short { .. })
            && caching == PLAIN;
        let (stream, overrides, stage1) = (txn.requester.stream, *overrides, *stage1);
        plain.then_some(Self { epoch, stream, overrides, stage1, walk, kind: None })
    }

    /// Whether this is the way of a transaction.
    #[inline(always)]
    pub(crate) fn serves(&self, epoch: u64, txn: &Transaction) -> bool {
        self.epoch == epoch
            && self.stream == txn.requester.stream
            && txn.requester.substream.is_none()
    }

    /// The answer to a transaction, if the way is plain to its end.
    #[inline(always)]
    fn answer(
        &mut self,
        memory: &Memory,
        tlb: &mut Tlb,
        counters: &mut Counters,
        txn: &Transaction,
    ) -> Option<Translated> {
        let (access, input) = (txn.access, txn.iova.get());
        let half = &self.stage1.halves[0];
        if input >> self.walk.input_bits != 0 || half.unprivileged == Unprivileged::Refused {
            return None;
        }
        let demand = Demand { access, attributes: self.overrides.memory };
        for space in [self.stage1.space, self.stage1.global] {
            if let Some(entry) = tlb.lookup(space, input) {
                if must_mark(entry, access) {
                    return None;
                }
                let answer = permitted(entry, input, demand, None, Path::Hit)?;
                counters.tlb_hits += 1;
                return Some(answer);
            }
        }
        let found = find_bare(&self.walk, memory, input)?;
        let kind = match &mut self.kind {
            Some(kind) if kind.is_of(&found) => kind,
            kind => kind.insert(Kind::of(&self.stage1, half, &self.walk, found)?),
        };
        let inside = (1 << kind.entry.lg2) - 1;
        kind.entry.input = input & !inside;
        kind.entry.output = found.output;
        kind.entry.intermediate = found.output;
        let answer = permitted(&kind.entry, input, demand, None, Path::Walk)?;
        counters.tlb_misses += 1;
        counters.walks += 1;
        tlb.insert(kind.space, &kind.entry);
        Some(answer)
    }
}

impl Kind {
    #[inline(always)]
    fn is_of(&self, found: &Found) -> bool {
        self.descriptor == found.descriptor & !ADDRESS
            && self.limits == found.limits & !ADDRESS
            && self.level == found.level
    }

    /// What a leaf says, if it does not fault and is not clean.
    #[cold]
    #[inline(never)]
    fn of(stage1: &Stage1, half: &Half, walk: &Config, found: Found) -> Option<Self> {
        let leaf = found.leaf::<()>(walk).ok().filter(|leaf| !leaf.clean)?;
        let (unprivileged, privileged) = stage1.permissions(&leaf);
        let mut entry = entry_of(PLAIN.retention, &leaf, walk, 0, [unprivileged, privileged]);
        entry.attributes = stage1.attributes(half, &leaf);
        Some(Self {
            descriptor: found.descriptor & !ADDRESS,
            limits: found.limits & !ADDRESS,
            level: found.level,
            space: if leaf.not_global { stage1.space } else { stage1.global },
            entry,
        })
    }
}

impl SmmuV3 {
    /// A number that changes whenever a configuration structure is cached or lost, or a register
    /// is stored to.
    #[inline(always)]
    pub(crate) fn setting_epoch(&self) -> u64 {
        self.configs.changes() + self.stores
    }

    /// What becomes of a transaction that the front has no answer to.
    #[inline(never)]
    pub(crate) fn translate_missed(&mut self, memory: &mut Memory, txn: &Transaction) -> Outcome {
        let epoch = self.setting_epoch();
        if let Some(plain) = &mut self.plain
            && plain.serves(epoch, txn)
            && let Some(answer) = plain.answer(memory, &mut self.tlb, &mut self.counters, txn)
        {
            self.front.remember(self.epoch(), txn, &answer);
            return Outcome::Translated(answer);
        }
        self.translate_behind(memory, txn, None)
    }
}

#[cfg(test)]
mod tests;
