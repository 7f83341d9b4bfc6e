//! The fast path: stage 1 through TTB0, as most streams are configured.
//!
//! The decoded configuration of recent streams is cached here ([`CachedStream`]), so that a TLB hit needs
//! no STE and no CD lookup. It stays valid until an entry enters or leaves a configuration cache,
//! or a register is stored to.
//!
//! Without stage 2 and without hardware updates of descriptors, a miss has a fast path too
//! ([`LeafTemplate`]): most leaves of a stream differ only in their address, so the decoded attributes of
//! the last leaf are reused. The fast path either answers, and caches the answer as the general
//! path would, or changes nothing and leaves the transaction to the general path; every fault takes
//! that.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `shortcut` | which tables need not be read again, since nothing was written to them? |

mod shortcut;

use crate::choice::Overlap;
use crate::regime::{Endian, FlagUpdates, Half, Regime, Split, Stage1, Unprivileged};
use crate::stages::{Caching, entry_of};
use crate::tlb::{Lane, Packed, Retention, SpaceId, Tlb};
use crate::transaction::{Path, Transaction, Translated};
use crate::v3::SmmuV3;
use crate::v3::config::ste::Overrides;
use crate::v3::outcome::Outcome;
use passim_model::access::Access;
use passim_model::pgtable::vmsav8::{LAST_LEVEL, Stage1Leaf};
use passim_model::pgtable::walk::{self, Config, Format, Found};
use passim_model::{Memory, PhysAddr, StreamId};
use shortcut::{Shortcuts, Trail};

/// How translations are cached on the plain way.
const PLAIN: Caching = Caching {
    overlap: Overlap::SmallestWins,
    retention: Retention::Sized,
    heeds_nt: false,
    keeps_tables: false,
    counts_tlb_uses: false,
    counts_config_uses: false,
};

/// Where a leaf descriptor holds its address, with every granule; the rest of it says what is
/// permitted and how memory is accessed.
const ADDRESS: u64 = 0x0000_ffff_ffff_f000;

/// Streams whose configuration is at hand, at most.
const STREAMS: usize = 16;

/// No configuration is of this epoch.
const NEVER: u64 = 0;

/// A stream whose configuration is at hand. See the [module](self).
#[derive(Clone, Copy)]
pub(crate) struct CachedStream {
    /// What [`SmmuV3::at_hand`] was when the lane was found.
    at_hand: u64,
    stream: StreamId,
    /// The last input address.
    last: u64,
    /// Where its 4K pages are in the TLB.
    lane: Lane,
    /// The epoch of the configuration it was learnt in.
    epoch: u64,
    space: SpaceId,
    global: SpaceId,
}

impl CachedStream {
    /// A stream that was never learnt.
    const NONE: Self = Self {
        at_hand: NEVER,
        stream: StreamId::new(0),
        last: 0,
        lane: Lane::NONE,
        epoch: NEVER,
        space: SpaceId::NONE,
        global: SpaceId::NONE,
    };

    /// What there is to know of a transaction's configuration, if it is plain enough.
    fn of(
        epoch: u64,
        txn: &Transaction,
        regime: &Regime<'_>,
        overrides: &Overrides,
        caching: Caching,
    ) -> Option<Self> {
        let stage1 = regime.stage1?;
        let half = &stage1.halves[0];
        let plain = txn.requester.substream.is_none()
            && !overrides.change_access()
            && !overrides.memory.has_hints()
            && stage1.split == Split::Bit55
            && half.unprivileged == Unprivileged::Permitted
            && Caching { keeps_tables: false, counts_tlb_uses: false, ..caching } == PLAIN;
        let (stream, last) = (txn.requester.stream, !(u64::MAX << half.walk?.input_bits));
        let (space, global) = (stage1.space, stage1.global);
        plain.then_some(Self { epoch, stream, last, space, global, ..Self::NONE })
    }

    /// Whether a transaction is of this stream and of its lower half.
    #[inline(always)]
    fn serves(&self, txn: &Transaction) -> bool {
        self.stream == txn.requester.stream
            && txn.requester.substream.is_none()
            && txn.iova.get() <= self.last
    }
}

/// What leaves say that differ in nothing but their address.
#[derive(Clone, Copy)]
struct Kind {
    /// Their descriptors, without the address.
    descriptor: u64,
    limits: u64,
    level: u8,
    /// Where their translations are cached.
    space: SpaceId,
    /// The translation of one of them.
    page: Packed,
}

impl Kind {
    #[inline(always)]
    fn is_of(&self, descriptor: u64, limits: u64, level: u8) -> bool {
        self.descriptor == descriptor & !ADDRESS
            && self.limits == limits & !ADDRESS
            && self.level == level
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
            page: Packed::of(&entry),
        })
    }
}

/// What misses of a stream need. See the [module](self).
#[derive(Clone)]
struct LeafTemplate {
    stage1: Stage1,
    walk: Config,
    /// The kinds last met: of leaves that may be written, and of those that may not.
    kinds: [Option<Kind>; 2],
    shortcuts: Shortcuts,
}

impl LeafTemplate {
    /// What misses of a stream need, if their way is plain.
    fn of(regime: &Regime<'_>) -> Option<Self> {
        let (Some(stage1), None) = (regime.stage1, regime.stage2) else {
            return None;
        };
        let walk = stage1.halves[0].walk?;
        let plain = stage1.updates == FlagUpdates::default()
            && stage1.endian == Endian::Little
            && !matches!(walk.format, Format::Short { .. });
        let (stage1, shortcuts) = (*stage1, Shortcuts::of(&walk));
        plain.then_some(Self { stage1, walk, kinds: [None; 2], shortcuts })
    }

    /// Whether this is what [`Self::of`] a regime comes to.
    fn is_of(&self, regime: &Regime<'_>) -> bool {
        regime.stage1 == Some(&self.stage1) && regime.stage2.is_none()
    }

    /// Which of the kinds a leaf would be.
    #[inline(always)]
    const fn kind_of(descriptor: u64) -> usize {
        Stage1Leaf::AP_READ_ONLY.is_set(descriptor) as usize
    }

    /// The answer to a transaction, if the way is plain to its end, and how it was found.
    #[inline(never)]
    fn answer(
        &mut self,
        known: &CachedStream,
        memory: &mut Memory,
        tlb: &mut Tlb,
        txn: &Transaction,
    ) -> Option<Translated> {
        let (access, input) = (txn.access, txn.iova.get());
        for space in [known.space, known.global] {
            if let Some(entry) = tlb.lookup(space, input) {
                let page = Packed::of(&entry);
                return page.permits(access).then(|| answer(&page, input, access, Path::Hit));
            }
        }
        let mut trail = Trail::new(memory);
        let found = walk::find(&self.walk, input, &mut trail).ok()?;
        let passed = trail.end();
        let (descriptor, limits, level) = (found.descriptor, found.limits, found.level);
        let kind = match &mut self.kinds[Self::kind_of(descriptor)] {
            Some(kind) if kind.is_of(descriptor, limits, level) => *kind,
            kind => {
                let half = &self.stage1.halves[0];
                *kind.insert(Kind::of(&self.stage1, half, &self.walk, found)?)
            }
        };
        if !kind.page.permits(access) {
            return None;
        }
        let page = kind.page.at(Packed::name_of(input, kind.page.lg2()), found.output);
        tlb.insert_page(kind.space, page);
        if kind.space == known.space && level == LAST_LEVEL {
            self.shortcuts.learn(memory, input, passed, descriptor, page);
        }
        Some(answer(&page, input, access, Path::Walk))
    }
}

/// What a page that permits an access answers to it.
#[inline(always)]
fn answer(page: &Packed, input: u64, access: Access, path: Path) -> Translated {
    Translated {
        pa: PhysAddr::new(page.translate(input)),
        perms: page.granted(access.privilege),
        lg2: page.lg2() as u8,
        path,
        attributes: page.attributes(),
    }
}

/// The streams at hand, by the low bits of their StreamID. See the [module](self).
#[derive(Clone)]
pub(crate) struct Streams {
    known: [CachedStream; STREAMS],
    plain: [Option<Box<LeafTemplate>>; STREAMS],
}

impl Streams {
    /// Nothing is known.
    pub(crate) fn new() -> Self {
        Self { known: [CachedStream::NONE; STREAMS], plain: [const { None }; STREAMS] }
    }

    #[inline(always)]
    fn place(txn: &Transaction) -> usize {
        txn.requester.stream.get() as usize % STREAMS
    }

    /// Learns what a transaction's configuration amounts to, if it is plain. Where it is what it
    /// was, what was learnt of its leaves stays.
    pub(crate) fn learn(
        &mut self,
        epoch: u64,
        txn: &Transaction,
        regime: &Regime<'_>,
        overrides: &Overrides,
        caching: Caching,
    ) {
        let at = Self::place(txn);
        let old = self.known[at];
        if old.epoch == epoch && old.stream == txn.requester.stream {
            return;
        }
        let Some(known) = CachedStream::of(epoch, txn, regime, overrides, caching) else {
            return;
        };
        self.known[at] = known;
        if !self.plain[at].as_ref().is_some_and(|plain| plain.is_of(regime)) {
            // A walk that may start half-way down is not plain.
            let plain = LeafTemplate::of(regime).filter(|_| !caching.keeps_tables);
            self.plain[at] = plain.map(Box::new);
        }
    }

    /// Forgets everything.
    #[cfg(test)]
    pub(crate) fn clear(&mut self) {
        *self = Self::new();
    }
}

impl SmmuV3 {
    /// A number that changes whenever a configuration structure is cached or lost, or a register
    /// is stored to.
    #[inline(always)]
    pub(crate) fn setting_epoch(&self) -> u64 {
        self.configs.changes()
    }

    /// A number that changes whenever what is known of a stream has to be looked at again.
    #[inline(always)]
    fn at_hand(&self) -> u64 {
        self.configs.changes() + self.tlb.arrangement()
    }

    /// The stream of a transaction, if it is at hand.
    #[inline(always)]
    fn cached_stream(&self, txn: &Transaction) -> Option<&CachedStream> {
        let known = &self.streams.known[Streams::place(txn)];
        (known.at_hand == self.at_hand() && known.serves(txn)).then_some(known)
    }

    /// The page in the TLB that permits an access of a stream at hand.
    #[inline(always)]
    fn cached_page(&self, known: &CachedStream, txn: &Transaction) -> Option<&Packed> {
        let input = txn.iova.get();
        let page = self.tlb.place(&known.lane, input)?.page(&known.lane, input)?;
        page.permits(txn.access).then_some(page)
    }

    /// Translates a transaction, by a glance at the TLB if it can be.
    #[inline(always)]
    pub(crate) fn translate_fast(&mut self, memory: &mut Memory, txn: &Transaction) -> Outcome {
        let Some(known) = self.cached_stream(txn) else {
            return self.translate_missed(memory, txn);
        };
        if let Some(page) = self.cached_page(known, txn) {
            let answer = answer(page, txn.iova.get(), txn.access, Path::Hit);
            self.glances += 1;
            return Outcome::Translated(answer);
        }
        self.translate_miss_fast(memory, txn)
    }

    /// Where a transaction goes on to, if a glance at the TLB tells and nothing waits to be done
    /// elsewhere ([`Self::has_effects`]). It has been translated then, as by [`Self::translate`]; else
    /// nothing has happened.
    #[inline]
    pub fn glance(&mut self, txn: &Transaction) -> Option<PhysAddr> {
        if self.has_effects() {
            return None;
        }
        let page = self.cached_page(self.cached_stream(txn)?, txn)?;
        let pa = PhysAddr::new(page.translate(txn.iova.get()));
        self.glances += 1;
        Some(pa)
    }

    /// What becomes of a transaction of a stream at hand that the TLB does not answer at a glance.
    #[inline(never)]
    fn translate_miss_fast(&mut self, memory: &mut Memory, txn: &Transaction) -> Outcome {
        let at = Streams::place(txn);
        let known = &self.streams.known[at];
        let input = txn.iova.get();
        if known.lane.alone
            && let Some(plain) = &self.streams.plain[at]
            && let Some(page) = plain.shortcuts.page(memory, input)
            && page.permits(txn.access)
            && let Some(slot) = self.tlb.place(&known.lane, input)
            && slot.page(&known.lane, input).is_none()
        {
            self.tlb.fill(&known.lane, page);
            self.shortcuts_taken += 1;
            return Outcome::Translated(answer(&page, input, txn.access, Path::Walk));
        }
        self.translate_missed(memory, txn)
    }

    /// What becomes of a transaction otherwise.
    #[inline(never)]
    fn translate_missed(&mut self, memory: &mut Memory, txn: &Transaction) -> Outcome {
        self.counters.transactions += 1;
        if let Some(answer) = self.front.answer(self.epoch(), txn) {
            self.counters.tlb_hits += 1;
            self.refresh_stream(txn);
            return Outcome::Translated(answer);
        }
        self.translate_by_template(memory, txn)
    }

    /// Has the stream of a transaction at hand for the next, if it was learnt.
    #[inline]
    fn refresh_stream(&mut self, txn: &Transaction) {
        let (epoch, at_hand) = (self.setting_epoch(), self.at_hand());
        let known = &mut self.streams.known[Streams::place(txn)];
        if known.epoch == epoch
            && known.serves(txn)
            && known.at_hand != at_hand
            && let Some(lane) = self.tlb.lane(known.space, known.global)
        {
            known.lane = lane;
            known.at_hand = self.configs.changes() + self.tlb.arrangement();
        }
    }

    fn translate_by_template(&mut self, memory: &mut Memory, txn: &Transaction) -> Outcome {
        self.refresh_stream(txn);
        let (epoch, at) = (self.setting_epoch(), Streams::place(txn));
        let known = &self.streams.known[at];
        if known.epoch != epoch || !known.serves(txn) {
            return self.translate_slow(memory, txn, None);
        }
        let plain = self.streams.plain[at].as_mut();
        let Some(answer) = plain.and_then(|plain| plain.answer(known, memory, &mut self.tlb, txn))
        else {
            return self.translate_slow(memory, txn, None);
        };
        match answer.path {
            Path::Walk => {
                self.counters.tlb_misses += 1;
                self.counters.walks += 1;
            }
            _ => self.counters.tlb_hits += 1,
        }
        if self.caching.has_front() {
            self.front.remember(self.epoch(), txn, &answer);
        }
        Outcome::Translated(answer)
    }
}

#[cfg(test)]
mod tests;
