//! The arm-smmu driver: Linux's side of an SMMUv2, and of an SMMUv1.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the fields, under Linux's names? |
//! | `probe` | what can this SMMU do? |
//! | `quirks` | which SMMUs need special treatment? |
//! | `reset` | how is it brought up? |
//! | `streams` | which stream mapping entries has a device? |
//! | `attach` | which bank do they send it to? |
//! | `domain` | when does a domain get tables and a context bank? |
//! | `bank` | what is written into a context bank? |
//! | `tlbi` | how are invalidations spelled? |
//! | `ask` | how does the SMMU translate an address for the driver? |
//! | `faults` | how are fault interrupts served? |
//! | `work` | which act comes next? |
//!
//! It writes what Linux writes, where and in the order Linux does, as far as arm-smmu.c was read:
//! of about 4.1, 4.5, 4.9, 4.12 and of 6.x. It knows the SMMU only through memory and registers. Of
//! a 32-bit kernel only the choice of context format is modelled, on request (`smmu2-formats`).
//!
//! Not modelled of older kernels: entries that belong to a group until it is detached (up to 4.8),
//! and differences of AArch32 contexts up to 5.5 (PASize 0 in TCR2, PD1 with short descriptors).

mod ask;
mod attach;
mod bank;
mod domain;
mod faults;
mod probe;
mod quirks;
mod reset;
mod streams;
#[cfg(test)]
mod testkit;
mod tlbi;
mod wire;
mod work;

pub(super) use domain::Domain;
pub(super) use work::Worklist;

use super::finding::Findings;
use super::registers::Registers;
use super::{BootError, Finding};
use crate::policy::{
    BeyondInput, Smmu1Contexts, Smmu2Asids, Smmu2BypassEntries, Smmu2Entries, Smmu2Faults,
    Smmu2Messages, Smmu2WideLoads, Stage1Attributes,
};
use passim_model::{PageSize, StreamId};
use probe::Features;
use quirks::Workarounds;
use streams::StreamMap;

/// One SMMUv2 and its driver's state.
#[derive(Debug)]
pub(super) struct SmmuV2 {
    registers: Registers,
    features: Features,
    map: StreamMap,
    workarounds: Workarounds,
    /// Which context banks are in use.
    banks: Vec<bool>,
    /// Number of context interrupts that firmware lists.
    context_interrupts: u32,
    /// How often one was assigned to a bank.
    interrupts_given: u32,
    /// Firmware's mask for every stream match register.
    stream_match_mask: u32,
    entries: Smmu2Entries,
    asids: Smmu2Asids,
    attributes: Stage1Attributes,
    bypass_entries: Smmu2BypassEntries,
    contexts: Smmu1Contexts,
    faults: Smmu2Faults,
    messages: Smmu2Messages,
    wide_loads: Smmu2WideLoads,
    beyond: BeyondInput,
    page: PageSize,
    findings: Findings,
}

/// A device of this driver.
#[derive(Debug)]
pub(super) struct Master {
    streams: Vec<StreamId>,
    group: u32,
    /// Its stream mapping entries, one for each of its StreamIDs, while it has any.
    entries: Vec<usize>,
}

impl SmmuV2 {
    /// Adds a device. Unless entries come with a domain, it has its own from now on.
    // 6.12 arm-smmu.c, arm_smmu_probe_device: a StreamID out of range is refused before entries are
    // allocated.
    pub(super) fn add_master(
        &mut self,
        streams: &[StreamId],
        group: u32,
    ) -> Result<(Master, Worklist), BootError> {
        let mask = self.stream_match_mask;
        let beyond = |id: u32| match self.entries {
            // About 4.5, register_smmu_master: only StreamIDs that are indices are checked, and not
            // those of PCI functions, which are refused here all the same.
            Smmu2Entries::OfTheDomain => {
                self.map.is_indexed() && id as usize >= self.features.groups
            }
            Smmu2Entries::OfTheDevice => id & !self.features.stream_mask != 0,
        };
        if let Some(stream) = streams.iter().find(|stream| beyond(stream.get())) {
            return Err(BootError::StreamOutOfRange(*stream));
        }
        let streams = streams.to_vec();
        if self.entries == Smmu2Entries::OfTheDomain {
            return Ok((Master { streams, group, entries: Vec::new() }, Worklist::default()));
        }
        if mask & !self.features.smr_mask != 0 {
            return Err(BootError::StreamMask(mask));
        }
        let entries = self.map.take(&streams, mask, group)?;
        let acts: Vec<_> = entries.iter().flat_map(|index| self.map.write(*index)).collect();
        Ok((Master { streams, group, entries }, Worklist::new(acts)))
    }

    /// The group of the devices whose entry an arriving device with these StreamIDs would share.
    // 6.12 arm-smmu.c, arm_smmu_device_group: of several entries the last decides.
    pub(super) fn group_of(&self, streams: &[StreamId]) -> Option<u32> {
        match self.entries {
            Smmu2Entries::OfTheDomain => None,
            Smmu2Entries::OfTheDevice => {
                self.map.group_of(*streams.last()?, self.stream_match_mask)
            }
        }
    }

    /// Whether its walks are coherent: ARM_SMMU_FEAT_COHERENT_WALK.
    pub(super) fn walks_are_coherent(&self) -> bool {
        self.features.coherent
    }

    /// Number of ASIDs and VMIDs that other SMMUs of its maker may not use.
    pub(super) fn tags_kept(&self) -> u16 {
        if self.workarounds.tags_apart { self.features.banks as u16 } else { 0 }
    }

    /// Takes its findings.
    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        self.findings.take()
    }
}
