//! Translates one transaction. IHI 0070 G.b 3.3, 7.3.22 and chapter 15.
//!
//! The fast path (`fast_path`) looks in the TLB first, for streams whose decoded configuration it
//! holds; then the front cache answers. After them, in this order: STE and CD from their caches,
//! the TLB, the permissions. Reads of memory come last.

use crate::attributes::{Attributes, Replacement};
use crate::choice::ContiguousStes;
use crate::front::NEVER;
use crate::regime::{OnFault, Recording, Regime, Response};
use crate::stages::Silent;
use crate::stages::{ConfigThroughStages, Demand, Found, Refusal, Stages};
use crate::transaction::{Path, Transaction, Translated};
use crate::v3::SmmuV3;
use crate::v3::config::ste::{Overrides, SteState, Stream, Surroundings};
use crate::v3::config::{self, CdFault, Context, ContextFault, Fetched, SteFault};
use crate::v3::config_cache::ConfigCache;
use crate::v3::eventq::{Detail, Event, Record, refused};
use crate::v3::explain::ConfigLog;
use crate::v3::features::Features;
use crate::v3::outcome::{Cause, Outcome, Terminated};
use crate::v3::vms::no_vms;
use crate::v3::wire::event::EventKind;
use crate::v3::wire::regs::{Cr0, Cr2, Gbpa};
use passim_model::access::{Access, Perms};
use passim_model::{Memory, PhysAddr, StreamId, SubstreamId};

/// Why a transaction stops, before anything is recorded.
pub(crate) enum Stop {
    Silent,
    Fault(Event, OnFault),
}

/// The structure that a lookup in the configuration caches misses.
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
    /// The stream, where it has a VMS.
    with_vms: Option<&'a Stream>,
}

enum Lookup<'a> {
    Found(Setting<'a>),
    Missing(Missing),
    Stop(Stop),
}

impl SmmuV3 {
    /// Translates one transaction; a fault is recorded in memory before this returns.
    #[inline]
    pub fn translate(&mut self, memory: &mut Memory, txn: &Transaction) -> Outcome {
        self.translate_fast(memory, txn)
    }

    /// A number that changes whenever an entry leaves a cache, or a register is stored to.
    #[inline(always)]
    pub(crate) fn epoch(&self) -> u64 {
        NEVER + self.tlb.losses() + self.setting_epoch()
    }

    /// Translates a transaction without the fast path; `ticket`: its ticket, if it stalled before.
    #[inline(never)]
    pub(crate) fn translate_slow(
        &mut self,
        memory: &mut Memory,
        txn: &Transaction,
        ticket: Option<u64>,
    ) -> Outcome {
        if self.failed {
            let (response, cause) = (Response::Abort, Cause::ServiceFailure);
            return Outcome::Terminated(Terminated { response, cause });
        }
        if !self.registers.enabled(Cr0::SMMUEN) {
            return self.pass_by(txn);
        }
        let found = self.resolve(memory, txn, &mut Silent);
        self.write_flags(memory);
        match found {
            Ok(Found { answer, .. }) => Outcome::Translated(answer),
            Err(Stop::Fault(event, on_fault)) if on_fault.stalls => {
                self.stall(memory, txn, event, ticket)
            }
            Err(stop) => Outcome::Terminated(self.terminate(memory, stop)),
        }
    }

    /// Writes the descriptor updates of a translation.
    #[inline]
    pub(crate) fn write_flags(&mut self, memory: &mut Memory) {
        for write in self.flag_writes.drain(..) {
            // The descriptor was read from this address, so memory answers.
            if let Ok(word) = memory.load_u64(write.at) {
                let _ = memory.store_u64(write.at, word & !write.clear | write.set);
                self.counters.flag_updates += 1;
            }
        }
    }

    /// Answers a transaction while SMMUEN is 0. IHI 0070 G.b 3.4, 6.3.14, 13.2.
    fn pass_by(&self, txn: &Transaction) -> Outcome {
        let address = txn.iova.get();
        let gbpa = self.registers.gbpa();
        let cause = if Gbpa::ABORT.is_set(gbpa) {
            Cause::GlobalAbort
        } else if !self.features.in_oas(address) {
            Cause::BeyondOutputSize
        } else {
            let replacement = match self.features.override_types {
                false => Replacement::default(),
                true => Replacement::of(
                    Gbpa::MEM_ATTR.get(gbpa),
                    Gbpa::MTCFG.is_set(gbpa),
                    Gbpa::SHCFG.get(gbpa),
                    Gbpa::ALLOCCFG.get(gbpa),
                ),
            };
            let attributes = replacement.apply(Attributes::INCOMING);
            return Outcome::Translated(untranslated(address, Path::Disabled, attributes));
        };
        Outcome::Terminated(Terminated { response: Response::Abort, cause })
    }

    /// Translates a transaction while SMMUEN is 1, without recording a fault or changing memory.
    pub(crate) fn resolve<L: ConfigLog>(
        &mut self,
        memory: &Memory,
        txn: &Transaction,
        log: &mut L,
    ) -> Result<Found, Stop> {
        debug_assert!(self.flag_writes.is_empty(), "whoever makes updates writes them");
        self.configuration_alone(txn)?;
        // Each round caches what the one before missed: an STE, then a CD.
        loop {
            if self.caching.counts_config_uses {
                self.count_uses(txn);
            }
            let missing = match look_up(&self.configs, &self.features, txn) {
                Lookup::Found(setting) => {
                    log.configuration(&self.configs, txn);
                    if let Some(stream) = setting.with_vms {
                        let read = self.vms.need(memory, stream, &txn.requester, log);
                        read.map_err(|at| no_vms(txn, at))?;
                    }
                    let overrides = setting.overrides;
                    let access = overrides.apply(txn.access);
                    let demand = Demand { access, attributes: overrides.memory };
                    let mut stages = Stages {
                        memory,
                        tlb: &mut self.tlb,
                        counters: &mut self.counters,
                        writes: &mut self.flag_writes,
                        caching: self.caching,
                        log,
                    };
                    let epoch = self.configs.changes();
                    let (regime, caching) = (&setting.regime, self.caching);
                    self.streams.learn(epoch, txn, regime, &overrides, caching);
                    let (bits, input) = (setting.bypass_bits, txn.iova.get());
                    let found = through(&mut stages, &setting.regime, input, demand, bits)
                        .map_err(|refusal| {
                            let event = refused(&refusal, txn, access);
                            Stop::Fault(event, refusal.on_fault)
                        })?;
                    if !overrides.change_access() && self.caching.has_front() {
                        self.front.remember(self.epoch(), txn, &found.answer);
                    }
                    return Ok(found);
                }
                Lookup::Missing(missing) => missing,
                Lookup::Stop(stop) => {
                    log.configuration(&self.configs, txn);
                    return Err(stop);
                }
            };
            self.fill(memory, txn, missing, log)?;
        }
    }

    /// Reads a CD that is not cached, for a transaction that no stage translates.
    pub(crate) fn need_cd(
        &mut self,
        memory: &Memory,
        txn: &Transaction,
        index: u32,
    ) -> Result<(), Stop> {
        if self.configs.cd(txn.requester.stream, index).is_none() {
            self.fill(memory, txn, Missing::Cd(index), &mut Silent)?;
        }
        match self.configs.cd(txn.requester.stream, index) {
            Some(Err(flaw)) => {
                let event = Event { detail: Detail::Cd(*flaw), ..event(txn, EventKind::BadCd) };
                Err(Stop::Fault(event, OnFault::ABORT_AND_RECORD))
            }
            Some(Ok(_)) | None => Ok(()),
        }
    }

    /// Reads and caches the missing structure.
    fn fill<L: ConfigLog>(
        &mut self,
        memory: &Memory,
        txn: &Transaction,
        missing: Missing,
        log: &mut L,
    ) -> Result<(), Stop> {
        let stream = txn.requester.stream;
        match missing {
            Missing::Ste => {
                let filled = self.fill_ste(memory, stream, log);
                filled.map_err(|fault| self.no_ste(txn, fault))
            }
            Missing::Cd(index) => self.fill_cd(memory, stream, index, log).map_err(|fault| {
                match fault {
                    CdFault::BadSubstreamId => {
                        // IHI 0070 G.b 7.3.9: without a SubstreamID, the record has the index that
                        // was selected.
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

    /// The event of an STE that could not be read.
    #[cold]
    pub(crate) fn no_ste(&self, txn: &Transaction, fault: SteFault) -> Stop {
        match fault {
            SteFault::BadStreamId => {
                let recorded = self.registers.cr2_is_set(Cr2::RECINVSID);
                let event = event(txn, EventKind::BadStreamId);
                let recording = if recorded { Recording::Recorded } else { Recording::Suppressed };
                Stop::Fault(event, OnFault { recording, ..OnFault::ABORT_AND_RECORD })
            }
            SteFault::Fetch(at) => {
                let event = Event { fetch: Some(at), ..event(txn, EventKind::SteFetch) };
                Stop::Fault(event, OnFault::ABORT_AND_RECORD)
            }
            SteFault::Conflict(other) => {
                let detail = Detail::Conflict(other);
                let event = Event { detail, ..event(txn, EventKind::ConfigConflict) };
                Stop::Fault(event, OnFault::ABORT_AND_RECORD)
            }
        }
    }

    /// The access of a transaction whose STE is cached, after its overrides.
    fn overridden(&self, txn: &Transaction) -> Access {
        match self.configs.ste(txn.requester.stream) {
            Some(SteState::Translate(stream)) => stream.overrides.apply(txn.access),
            _ => txn.access,
        }
    }

    pub(crate) fn fill_ste<L: ConfigLog>(
        &mut self,
        memory: &Memory,
        stream: StreamId,
        log: &mut L,
    ) -> Result<(), SteFault> {
        let neighbour = self.neighbour_of(stream);
        let (registers, features) = (&self.registers, &self.features);
        let words = match neighbour {
            Some(words) => words,
            None => {
                self.counters.ste_fetches += 1;
                let source = config::SteSource {
                    memory,
                    registers,
                    implementation: &self.implementation,
                    features,
                    configs: &mut self.configs,
                };
                let ste = config::fetch_ste(source, stream, log)?;
                if self.implementation.choices.contiguous_stes != ContiguousStes::Apart {
                    self.spans.remember(stream, &ste);
                }
                ste.words
            }
        };
        let around = Surroundings {
            features,
            el2: registers.el2_world(),
            ats_checked: registers.enabled(Cr0::ATSCHK),
        };
        let ste = config::ste::judge(&words, &around, &mut self.tlb);
        self.configs.insert_ste(stream, ste);
        Ok(())
    }

    fn fill_cd<L: ConfigLog>(
        &mut self,
        memory: &Memory,
        stream: StreamId,
        index: u32,
        log: &mut L,
    ) -> Result<(), CdFault> {
        let Some(SteState::Translate(ste)) = self.configs.ste(stream) else {
            return Ok(());
        };
        let Some(pointer) = &ste.stage1 else {
            return Ok(());
        };
        self.counters.cd_fetches += 1;
        let bits = if ste.stage2.is_some() { self.features.ias() } else { self.features.oas };
        let mut source = ConfigThroughStages {
            stages: Stages {
                memory,
                tlb: &mut self.tlb,
                counters: &mut self.counters,
                writes: &mut self.flag_writes,
                caching: self.caching,
                log,
            },
            stage2: ste.stage2.as_ref(),
            bits,
        };
        let split = pointer.split();
        let cached = split.and_then(|split| self.configs.level_one_of_cd(stream, index, split));
        let Fetched { words, level_one } = config::fetch_cd(&mut source, pointer, index, cached);
        let judged = |words| config::cd::judge(&words, ste, &self.features, &mut self.tlb);
        let state = words.map(judged);
        if let Some((split, word)) = split.zip(level_one) {
            self.configs.insert_level_one_of_cd(stream, index, split, word);
        }
        self.configs.insert_cd(stream, index, state?);
        Ok(())
    }

    /// Caches the configuration that a transaction of this stream needs, without reporting errors.
    /// IHI 0070 G.b 4.2.
    pub(crate) fn prefetch(
        &mut self,
        memory: &mut Memory,
        stream: StreamId,
        substream: Option<SubstreamId>,
    ) {
        if self.configs.ste(stream).is_none() && self.fill_ste(memory, stream, &mut Silent).is_err()
        {
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
            // A CD that cannot be read is not cached, and a prefetch reports no error.
            let _ = self.fill_cd(memory, stream, index, &mut Silent);
            self.write_flags(memory);
        }
    }

    pub(crate) fn terminate(&mut self, memory: &mut Memory, stop: Stop) -> Terminated {
        match stop {
            Stop::Silent => Terminated { response: Response::Abort, cause: Cause::StreamAborts },
            Stop::Fault(event, OnFault { response, recording, .. }) => {
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
                with_vms: None,
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
        with_vms: stream.vms.map(|_| stream),
    })
}

/// Translates an address through the stages that are not bypassed.
#[inline]
fn through<L: ConfigLog>(
    stages: &mut Stages<'_, L>,
    regime: &Regime<'_>,
    input: u64,
    demand: Demand,
    bypass_bits: u32,
) -> Result<Found, Refusal> {
    match (regime.stage1, regime.stage2) {
        (Some(stage1), stage2) => stages.both(stage1, stage2, input, demand),
        (None, _) if input >> bypass_bits != 0 => Err(Refusal::beyond_bypass()),
        (None, Some(stage2)) => stages.second(stage2, input, demand),
        (None, None) => {
            let answer = untranslated(input, Path::Bypass, demand.attributes);
            Ok(Found { answer, intermediate: input })
        }
    }
}

pub(crate) fn untranslated(address: u64, path: Path, attributes: Attributes) -> Translated {
    let (pa, perms) = (PhysAddr::new(address), Perms::all());
    Translated { pa, perms, lg2: 64, path, attributes }
}

/// An event of this transaction, without details of a translation.
#[cold]
pub(crate) fn event(txn: &Transaction, kind: EventKind) -> Event {
    Event::new(kind, txn)
}

#[cfg(test)]
mod tests;
