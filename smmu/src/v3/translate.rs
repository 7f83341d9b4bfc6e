//! One transaction through the SMMU. IHI 0070 G.b 3.3, 7.3.22 and chapter 15.
//!
//! The fast path is the front. Behind it, in this order: STE and CD from their caches, the TLB, the
//! permission. What reads memory comes last.

use crate::regime::{OnFault, Recording, Regime, Response};
use crate::v3::SmmuV3;
use crate::v3::config::cd::CdState;
use crate::v3::config::ste::{Overrides, SteFlaw, SteState};
use crate::v3::config::{self, CdFault, Context, ContextFault, SteFault};
use crate::v3::config_cache::ConfigCache;
use crate::v3::eventq::{Detail, Event, Record};
use crate::v3::features::Features;
use crate::v3::front::NEVER;
use crate::v3::stages::{ConfigThroughStages, Refusal, Stages};
use crate::v3::wire::event::{Class, EventKind};
use crate::v3::wire::regs::{Cr0, Cr2, Gbpa};
use passim_model::access::{Access, Perms};
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{Iova, Ipa, Memory, PhysAddr, Requester, StreamId, SubstreamId};

/// One bus transaction: it faults as a whole and records at most one event.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Transaction {
    /// Who asks.
    pub requester: Requester,
    /// The address on the bus.
    pub iova: Iova,
    /// What is asked for.
    pub access: Access,
}

/// How a translation was found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Path {
    /// The SMMU is disabled and lets transactions through.
    Disabled,
    /// The stream bypasses both stages.
    Bypass,
    /// In the TLB.
    Hit,
    /// By walking tables.
    Walk,
}

/// A transaction that may go on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Translated {
    /// Where.
    pub pa: PhysAddr,
    /// What accesses of this privilege may do here.
    pub perms: Perms,
    /// log2 of the page the answer holds for; 64 where nothing translates.
    pub lg2: u8,
    /// How it was found.
    pub path: Path,
}

/// Why a transaction was terminated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// The SMMU is disabled and GBPA.ABORT is set. Nothing is recorded.
    GlobalAbort,
    /// The SMMU is disabled and the address is beyond the output size. Nothing is recorded.
    BeyondOutputSize,
    /// STE.Config is 0b0xx. Nothing is recorded.
    StreamAborts,
    /// An error or a fault, and what became of its record.
    Event(Event, Record),
}

/// A transaction that ends here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Terminated {
    /// What the device is answered.
    pub response: Response,
    /// Why.
    pub cause: Cause,
}

/// What becomes of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// It goes on.
    Translated(Translated),
    /// It ends.
    Terminated(Terminated),
}

/// Why a transaction does not go on, before anything is recorded.
enum Stop {
    Silent,
    Fault(Event, OnFault),
}

/// What a lookup in the configuration caches misses.
#[derive(Clone, Copy)]
enum Missing {
    Ste,
    Cd(u32),
}

/// The configuration of a transaction.
struct Setting<'a> {
    regime: Regime<'a>,
    overrides: Overrides,
    /// Bits of an address that may pass a bypassed stage 1.
    bypass_bits: u32,
}

enum Lookup<'a> {
    Found(Setting<'a>),
    Missing(Missing),
    Stop(Stop),
}

impl SmmuV3 {
    /// Translates one transaction; a fault is recorded in memory before this returns.
    pub fn translate(&mut self, memory: &mut Memory, txn: &Transaction) -> Outcome {
        self.counters.transactions += 1;
        if let Some(answer) = self.front.answer(self.epoch(), txn) {
            self.counters.tlb_hits += 1;
            return Outcome::Translated(answer);
        }
        self.translate_behind(memory, txn)
    }

    /// A number that changes whenever something cached is lost, or a register is stored to.
    #[inline(always)]
    fn epoch(&self) -> u64 {
        NEVER + 1 + self.tlb.losses() + self.configs.changes() + self.stores
    }

    #[inline(never)]
    fn translate_behind(&mut self, memory: &mut Memory, txn: &Transaction) -> Outcome {
        if !self.registers.enabled(Cr0::SMMUEN) {
            return self.pass_by(txn);
        }
        match self.resolve(memory, txn) {
            Ok(translated) => Outcome::Translated(translated),
            Err(stop) => Outcome::Terminated(self.terminate(memory, stop)),
        }
    }

    /// A transaction while SMMUEN is 0. IHI 0070 G.b 3.4, 6.3.14.
    fn pass_by(&self, txn: &Transaction) -> Outcome {
        let address = txn.iova.get();
        let cause = if Gbpa::ABORT.is_set(self.registers.gbpa()) {
            Cause::GlobalAbort
        } else if !self.features.in_oas(address) {
            Cause::BeyondOutputSize
        } else {
            return Outcome::Translated(untranslated(address, Path::Disabled));
        };
        Outcome::Terminated(Terminated { response: Response::Abort, cause })
    }

    fn resolve(&mut self, memory: &Memory, txn: &Transaction) -> Result<Translated, Stop> {
        // Each round caches what the one before missed: an STE, then a CD.
        loop {
            let missing = match look_up(&self.configs, &self.features, txn) {
                Lookup::Found(setting) => {
                    let access = setting.overrides.apply(txn.access);
                    let mut stages =
                        Stages { memory, tlb: &mut self.tlb, counters: &mut self.counters };
                    let (bits, input) = (setting.bypass_bits, txn.iova.get());
                    let lasting = setting.overrides == Overrides::default();
                    let answer = through(&mut stages, &setting.regime, input, access, bits)
                        .map_err(|refusal| {
                            let event = refused(&refusal, txn, access);
                            Stop::Fault(event, refusal.on_fault)
                        })?;
                    if lasting {
                        self.front.remember(self.epoch(), txn, &answer);
                    }
                    return Ok(answer);
                }
                Lookup::Missing(missing) => missing,
                Lookup::Stop(stop) => return Err(stop),
            };
            self.fill(memory, txn, missing)?;
        }
    }

    /// Reads what the caches miss.
    fn fill(&mut self, memory: &Memory, txn: &Transaction, missing: Missing) -> Result<(), Stop> {
        let stream = txn.requester.stream;
        match missing {
            Missing::Ste => self.fill_ste(memory, stream).map_err(|fault| match fault {
                SteFault::BadStreamId => {
                    let recorded = self.registers.cr2_is_set(Cr2::RECINVSID);
                    let event = event(txn, EventKind::BadStreamId);
                    let recording =
                        if recorded { Recording::Recorded } else { Recording::Suppressed };
                    Stop::Fault(event, OnFault { recording, ..OnFault::ABORT_AND_RECORD })
                }
                SteFault::Fetch(at) => {
                    let event = Event { fetch: Some(at), ..event(txn, EventKind::SteFetch) };
                    Stop::Fault(event, OnFault::ABORT_AND_RECORD)
                }
            }),
            Missing::Cd(index) => self.fill_cd(memory, stream, index).map_err(|fault| {
                match fault {
                    CdFault::BadSte => {
                        let detail = Detail::Ste(SteFlaw::S1ContextPtr);
                        let event = Event { detail, ..event(txn, EventKind::BadSte) };
                        Stop::Fault(event, OnFault::ABORT_AND_RECORD)
                    }
                    CdFault::BadSubstreamId => {
                        // IHI 0070 G.b 7.3.9: without a SubstreamID, the index that was meant.
                        let substream = Some(SubstreamId::new(index));
                        let event = Event { substream, ..event(txn, EventKind::BadSubstreamId) };
                        Stop::Fault(event, OnFault::ABORT_AND_RECORD)
                    }
                    CdFault::Fetch(at) => {
                        let event = Event { fetch: Some(at), ..event(txn, EventKind::CdFetch) };
                        Stop::Fault(event, OnFault::ABORT_AND_RECORD)
                    }
                    CdFault::Stage2(refusal) => {
                        let access = self.overridden(txn);
                        let event = refused(&refusal, txn, access);
                        Stop::Fault(event, refusal.on_fault)
                    }
                }
            }),
        }
    }

    /// The access of a transaction whose STE is cached, after its overrides.
    fn overridden(&self, txn: &Transaction) -> Access {
        match self.configs.ste(txn.requester.stream) {
            Some(SteState::Translate(stream)) => stream.overrides.apply(txn.access),
            _ => txn.access,
        }
    }

    fn fill_ste(&mut self, memory: &Memory, stream: StreamId) -> Result<(), SteFault> {
        self.counters.ste_fetches += 1;
        let (registers, features) = (&self.registers, &self.features);
        let words = config::fetch_ste(memory, registers, &self.implementation, features, stream)?;
        let el2 = registers.el2_world();
        let state = config::ste::judge(&words, features, el2, &mut self.tlb);
        self.configs.insert_ste(stream, state);
        Ok(())
    }

    fn fill_cd(&mut self, memory: &Memory, stream: StreamId, index: u32) -> Result<(), CdFault> {
        let Some(SteState::Translate(ste)) = self.configs.ste(stream) else {
            return Ok(());
        };
        let Some(pointer) = &ste.stage1 else {
            return Ok(());
        };
        self.counters.cd_fetches += 1;
        let bits = if ste.stage2.is_some() { self.features.ias() } else { self.features.oas };
        let mut source = ConfigThroughStages {
            stages: Stages { memory, tlb: &mut self.tlb, counters: &mut self.counters },
            stage2: ste.stage2.as_ref(),
            bits,
        };
        let words = config::fetch_cd(&mut source, pointer, index)?;
        let state: CdState = config::cd::judge(&words, ste, &self.features, &mut self.tlb);
        self.configs.insert_cd(stream, index, state);
        Ok(())
    }

    /// Caches what a transaction of this stream would need, and says nothing of what is wrong
    /// with it. IHI 0070 G.b 4.2.
    pub(crate) fn prefetch(
        &mut self,
        memory: &Memory,
        stream: StreamId,
        substream: Option<SubstreamId>,
    ) {
        if self.configs.ste(stream).is_none() && self.fill_ste(memory, stream).is_err() {
            return;
        }
        let Some(SteState::Translate(ste)) = self.configs.ste(stream) else {
            return;
        };
        let Some(pointer) = &ste.stage1 else {
            return;
        };
        // IHI 0070 G.b 4.2: without substreams, SSV = 1 acts as 0.
        let substream = substream.filter(|_| pointer.count_lg2 != 0);
        if let Ok(Context::Cd(index)) = config::select_context(pointer, substream)
            && self.configs.cd(stream, index).is_none()
        {
            // A CD that cannot be read is not cached, and a prefetch tells nobody.
            let _ = self.fill_cd(memory, stream, index);
        }
    }

    fn terminate(&mut self, memory: &mut Memory, stop: Stop) -> Terminated {
        match stop {
            Stop::Silent => Terminated { response: Response::Abort, cause: Cause::StreamAborts },
            Stop::Fault(event, OnFault { response, recording }) => {
                let record = match recording {
                    Recording::Recorded => self.record(memory, &event),
                    Recording::Suppressed => Record::Suppressed,
                };
                Terminated { response, cause: Cause::Event(event, record) }
            }
        }
    }
}

/// Finds the configuration of a transaction in the caches, in the order of IHI 0070 G.b 7.3.22.
#[inline]
fn look_up<'a>(configs: &'a ConfigCache, features: &Features, txn: &Transaction) -> Lookup<'a> {
    let requester = &txn.requester;
    let stop = |kind, detail| {
        let event = Event { detail, ..event(txn, kind) };
        Lookup::Stop(Stop::Fault(event, OnFault::ABORT_AND_RECORD))
    };
    let stream = match configs.ste(requester.stream) {
        None => return Lookup::Missing(Missing::Ste),
        Some(SteState::Translate(stream)) => stream,
        Some(SteState::Illegal(flaw)) => return stop(EventKind::BadSte, Detail::Ste(*flaw)),
        Some(SteState::Abort) => return Lookup::Stop(Stop::Silent),
        // IHI 0070 G.b 7.3.9: a SubstreamID without stage 1 is an error.
        Some(SteState::Bypass(_)) if requester.substream.is_some() => {
            return stop(EventKind::BadSubstreamId, Detail::None);
        }
        Some(SteState::Bypass(overrides)) => {
            return Lookup::Found(Setting {
                regime: Regime { stage1: None, stage2: None },
                overrides: *overrides,
                bypass_bits: features.oas,
            });
        }
    };
    let context = match &stream.stage1 {
        Some(pointer) => config::select_context(pointer, requester.substream),
        None if requester.substream.is_some() => Err(ContextFault::BadSubstreamId),
        None => Ok(Context::Bypass),
    };
    let stage1 = match context {
        Ok(Context::Bypass) => None,
        Ok(Context::Cd(index)) => match configs.cd(requester.stream, index) {
            None => return Lookup::Missing(Missing::Cd(index)),
            Some(Ok(stage1)) => Some(stage1),
            Some(Err(flaw)) => return stop(EventKind::BadCd, Detail::Cd(*flaw)),
        },
        Err(ContextFault::BadSubstreamId) => {
            return stop(EventKind::BadSubstreamId, Detail::None);
        }
        Err(ContextFault::StreamDisabled) => {
            return stop(EventKind::StreamDisabled, Detail::None);
        }
    };
    Lookup::Found(Setting {
        regime: Regime { stage1, stage2: stream.stage2.as_ref() },
        overrides: stream.overrides,
        bypass_bits: features.ias(),
    })
}

/// Takes an address through the stages that are not bypassed.
#[inline]
fn through(
    stages: &mut Stages<'_>,
    regime: &Regime<'_>,
    input: u64,
    access: Access,
    bypass_bits: u32,
) -> Result<Translated, Refusal> {
    match (regime.stage1, regime.stage2) {
        (Some(stage1), stage2) => stages.both(stage1, stage2, input, access),
        // IHI 0070 G.b 3.4, 7.3.14: an address too large for a bypassed stage 1 is a stage-1
        // fault that no configuration suppresses.
        (None, _) if input >> bypass_bits != 0 => Err(Refusal {
            kind: EventKind::AddrSize,
            stage: Stage::One,
            class: Class::In,
            ipa: None,
            fetch: None,
            level: None,
            on_fault: OnFault::ABORT_AND_RECORD,
        }),
        (None, Some(stage2)) => stages.second(stage2, input, access),
        (None, None) => Ok(untranslated(input, Path::Bypass)),
    }
}

fn untranslated(address: u64, path: Path) -> Translated {
    Translated { pa: PhysAddr::new(address), perms: Perms::all(), lg2: 64, path }
}

/// An event of this transaction that says nothing of a translation.
#[cold]
fn event(txn: &Transaction, kind: EventKind) -> Event {
    Event {
        kind,
        stream: txn.requester.stream,
        substream: txn.requester.substream,
        access: txn.access,
        input: txn.iova,
        stage: Stage::One,
        class: Class::In,
        ipa: None,
        fetch: None,
        detail: Detail::None,
    }
}

/// The event of a refused translation.
#[cold]
fn refused(refusal: &Refusal, txn: &Transaction, access: Access) -> Event {
    Event {
        access,
        stage: refusal.stage,
        class: refusal.class,
        ipa: refusal.ipa.map(Ipa::new),
        fetch: refusal.fetch,
        detail: refusal.level.map_or(Detail::None, Detail::Level),
        ..event(txn, refusal.kind)
    }
}

#[cfg(test)]
mod tests;
