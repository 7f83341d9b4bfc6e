//! Devices with an address translation cache: PCIe ATS and PRI on the board.
//!
//! Such a device requests translations from its SMMU, caches the completions, and then sends
//! accesses that are marked as translated. An invalidation goes from the SMMU to the device, and
//! its completion goes back, for which CMD_SYNC waits. A device may request a page that it was not
//! granted; software answers, or the SMMU itself.

use core::fmt;

use passim_model::ats::{
    Completion, Invalidation, InvalidationEnd, PageRequest, PageResponse, TranslationRequest,
};
use passim_model::device::{Atc, Lookup};
use passim_model::{Access, Iova, Memory, Perms, Rid, StreamId};
use passim_smmu::SmmuV3;
use passim_smmu::v3::{PageOutcome, Transaction};

use super::dma::{Initiator, Reach};
use super::{Board, Slot, System};

/// How a device uses ATS.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum AtsState {
    /// Not at all: accesses are untranslated, and invalidations an Unsupported Request. PCIe: ATS
    /// Enable is 0 after reset.
    #[default]
    Off,
    /// It requests, caches and invalidates translations.
    On,
    /// It requests and caches translations, and does not answer invalidations, as a broken device
    /// does.
    Silent,
}

/// The translation services of a function.
#[derive(Clone, Default)]
pub struct Ats {
    atc: Atc,
    state: AtsState,
    /// ATS Enable in its control register.
    enabled: bool,
    /// Whether it is a broken device that answers no invalidation.
    broken: bool,
    /// Responses to page requests that have not been taken yet, oldest first.
    responses: Vec<PageResponse>,
}

/// Most responses to page requests that are kept until taken.
const MAX_RESPONSES: usize = 1 << 12;

impl Ats {
    /// How the device uses ATS.
    pub fn state(&self) -> AtsState {
        self.state
    }

    /// Its address translation cache.
    pub fn atc(&self) -> &Atc {
        &self.atc
    }

    /// Turning ATS off empties the cache. PCIe ATS: the ATC is empty when it is turned on.
    fn set(&mut self, state: AtsState) {
        if state == AtsState::Off {
            self.atc = Atc::new();
        }
        self.atc.set_silent(state == AtsState::Silent);
        self.state = state;
    }

    /// Updates the state after a store to the control register, or a reset.
    pub(super) fn follow(&mut self, enabled: bool) {
        if std::mem::replace(&mut self.enabled, enabled) == enabled {
            return;
        }
        self.set(match (enabled, self.broken) {
            (false, _) => AtsState::Off,
            (true, false) => AtsState::On,
            (true, true) => AtsState::Silent,
        });
    }

    fn answered(&mut self, response: PageResponse) {
        if self.responses.len() < MAX_RESPONSES {
            self.responses.push(response);
        }
    }

    fn invalidate(&mut self, request: &Invalidation) -> InvalidationEnd {
        match self.state {
            AtsState::Off => InvalidationEnd::UnsupportedRequest,
            AtsState::On | AtsState::Silent => self.atc.invalidate(request),
        }
    }
}

/// The completion of a device whose access was not granted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NotGranted(pub Completion);

impl fmt::Display for NotGranted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Completion::Success(grant) if grant.perms.is_empty() => {
                f.write_str("translation request: nothing is granted")
            }
            Completion::Success(grant) => {
                write!(f, "translation request: only {} is granted", grant.perms)
            }
            Completion::UnsupportedRequest => f.write_str("translation request: not supported"),
            Completion::CompleterAbort => f.write_str("translation request: aborted"),
        }
    }
}

impl System {
    /// Sets how a function uses ATS, whatever its control register says, until that changes; one
    /// that is [silent](AtsState::Silent) stays so. `None` if there is no such function, or it has
    /// no address translation cache.
    pub fn set_ats(&mut self, rid: Rid, state: AtsState) -> Option<()> {
        let index = self.board.slot_index(rid)?;
        let ats = self.board.slot_mut(index)?.ats.as_mut()?;
        match state {
            AtsState::On => ats.broken = false,
            AtsState::Silent => ats.broken = true,
            AtsState::Off => {}
        }
        ats.set(state);
        Some(())
    }

    /// Sends a function's request for a page, the last of its group; `None` if there is no such
    /// function, or it has no address translation cache and passes no SMMU.
    pub fn request_page(
        &mut self,
        rid: Rid,
        page: Iova,
        perms: Perms,
        group: u16,
    ) -> Option<PageOutcome> {
        let slot = self.board.slot(rid).filter(|slot| slot.ats.is_some())?;
        let (requester, smmu) = (slot.registers.requester(), slot.smmu?);
        let (privileged, last) = (false, true);
        let request = PageRequest { requester, page, perms, privileged, last, group };
        let (hardware, memory) = self.board.smmu_v3(smmu)?;
        let outcome = hardware.page_request(memory, &request);
        self.board.perform(smmu);
        if let PageOutcome::Answered(response) = outcome {
            self.board.respond(smmu, response);
        }
        self.deliver();
        Some(outcome)
    }

    /// Takes the responses to the page requests of a function, oldest first.
    pub fn take_page_responses(&mut self, rid: Rid) -> Option<Vec<PageResponse>> {
        let index = self.board.slot_index(rid)?;
        let ats = self.board.slot_mut(index)?.ats.as_mut()?;
        Some(std::mem::take(&mut ats.responses))
    }
}

impl Board {
    /// Whether a function requests translations before it accesses.
    pub(super) fn asks(&self, slot: usize) -> bool {
        let ats = self.slots().get(slot).and_then(|slot| slot.ats.as_ref());
        ats.is_some_and(|ats| ats.state != AtsState::Off)
    }

    /// An access of a device that requests a translation first.
    pub(super) fn reach_asking(
        &mut self,
        slot: usize,
        initiator: Initiator,
        iova: Iova,
        access: Access,
    ) -> Reach {
        let Initiator { requester, smmu: Some(smmu), .. } = initiator else {
            return self.land(None, iova);
        };
        if let Some(address) = self.cached(slot, iova, access) {
            return self.reach_translated(initiator, address, access);
        }
        let no_write = !access.is_write();
        let (execute, privileged) = (false, false);
        let request = TranslationRequest { requester, iova, no_write, execute, privileged };
        let Some((hardware, memory)) = self.smmu_v3(smmu) else {
            return self.reach(Some(smmu), requester, iova, access);
        };
        let completion = hardware.translation_request(memory, &request);
        self.perform(smmu);
        if let Some(ats) = self.slot_mut(slot).and_then(|slot| slot.ats.as_mut()) {
            ats.atc.fill(&request, &completion);
        }
        match self.cached(slot, iova, access) {
            Some(address) => self.reach_translated(initiator, address, access),
            None => Reach::NotGranted(NotGranted(completion)),
        }
    }

    /// The translated address of an access in the device's cache.
    fn cached(&self, slot: usize, iova: Iova, access: Access) -> Option<Iova> {
        let ats = self.slots().get(slot)?.ats.as_ref()?;
        match ats.atc.lookup(None, iova, access) {
            Lookup::Translated(address) => Some(Iova::new(address)),
            Lookup::Refused | Lookup::Unknown => None,
        }
    }

    fn reach_translated(&mut self, initiator: Initiator, address: Iova, access: Access) -> Reach {
        let Initiator { requester, smmu, .. } = initiator;
        let outcome = smmu.and_then(|smmu| {
            let (hardware, memory) = self.smmu_v3(smmu)?;
            let transaction = Transaction { requester, iova: address, access };
            let outcome = hardware.translated(memory, &transaction);
            self.perform(smmu);
            Some(outcome.into())
        });
        self.land(outcome, address)
    }

    /// The SMMUv3 with this index, and memory: an SMMUv2 has no ATS.
    fn smmu_v3(&mut self, index: usize) -> Option<(&mut SmmuV3, &mut Memory)> {
        let (smmu, memory) = self.smmu_mut(index)?;
        Some((smmu.v3_mut()?, memory))
    }

    /// The function behind an SMMU that has this StreamID.
    fn function_of(&mut self, smmu: usize, stream: StreamId) -> Option<&mut Slot> {
        let named = |slot: &&mut Slot| {
            slot.smmu == Some(smmu) && slot.registers.requester().stream == stream
        };
        self.slots_mut().iter_mut().find(named)
    }

    /// Delivers a page response to its device. Returns whether the device exists.
    pub(super) fn respond(&mut self, smmu: usize, response: PageResponse) -> bool {
        let ats = self.function_of(smmu, response.stream).and_then(|slot| slot.ats.as_mut());
        ats.map(|ats| ats.answered(response)).is_some()
    }

    /// Delivers an invalidation of an SMMU to its device, and the completion back. A device that
    /// does not exist times out.
    pub(super) fn invalidate_atc(&mut self, smmu: usize, request: &Invalidation) {
        let end = match self.function_of(smmu, request.stream) {
            None => InvalidationEnd::TimedOut,
            Some(slot) => match &mut slot.ats {
                None => InvalidationEnd::UnsupportedRequest,
                Some(ats) => ats.invalidate(request),
            },
        };
        if let Some((hardware, _)) = self.smmu_v3(smmu) {
            hardware.invalidation_ended(request.tag, end);
        }
    }
}
