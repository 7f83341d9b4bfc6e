//! The arm-smmu-v3 driver: Linux's side of an SMMUv3.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `wire` | where are the fields, under Linux's names? |
//! | `probe` | what can this SMMU do? |
//! | `reset` | how is it brought up? |
//! | `streams` | where is the STE of a stream? |
//! | `entry` | what is written into STEs and CDs? |
//! | `update` | in which order, while the SMMU may be reading? |
//! | `attach` | which entries change when a device changes its domain? |
//! | `ats` | which devices have an ATC, and when is it invalidated? |
//! | `domain` | which tables and tags has a domain, and what does an unmap invalidate? |
//! | `ids` | which ASID or VMID is free? |
//! | `tlbi`, `command` | how are commands spelled? |
//! | `queue`, `events` | how do commands reach the SMMU, and events the kernel? |
//! | `stalls` | what happens to stalled transactions? |
//! | `event_log` | what does the driver log of an event? |
//! | `work` | which act comes next? |
//!
//! It writes what Linux writes, where and in the order Linux does, and knows the SMMU only through
//! memory and registers. Page requests, PASIDs, handlers of stalled faults and SVA are not used.
//!
//! Not modelled of older kernels: each block of a physically contiguous run is waited for before
//! the descriptor of the next is cleared.

mod ats;
mod attach;
mod command;
mod domain;
mod entry;
pub(super) mod event_log;
mod events;
mod ids;
mod probe;
mod queue;
mod reset;
mod stalls;
mod streams;
mod tlbi;
mod update;
mod wire;
mod work;

pub(super) use domain::Domain;
pub(super) use ids::Ids;
pub(super) use work::Worklist;

use super::finding::Findings;
use super::synced::Synced;
use super::{BootError, Finding};
use crate::iommu::registers::Registers;
use crate::policy::{
    BeyondInput, ContextDescriptors, Smmu3Ats, Smmu3LongRanges, Smmu3Messages, Smmu3Queues,
    Smmu3Reset, Smmu3Stalls, Smmu3Substreams, Smmu3Unattached, SteUpdate,
};
use ats::{Ats, switches};
use command::Command;
use events::EventQueue;
use passim_model::{Endpoint, Frames, Host, PhysAddr, StreamId};
use probe::Features;
use queue::{CommandQueue, Ending, Submitted, Ticket};
use streams::StreamTable;
use wire::Evtq0;

/// One SMMUv3 and its driver's state.
#[derive(Debug)]
pub(super) struct SmmuV3 {
    registers: Registers,
    features: Features,
    streams: StreamTable,
    commands: CommandQueue,
    events: EventQueue,
    vmids: Ids,
    /// ASIDs of this SMMU alone, where one allocator does not serve the machine.
    asids: Option<Ids>,
    substreams: Smmu3Substreams,
    long_ranges: Smmu3LongRanges,
    queues: Smmu3Queues,
    reset: Smmu3Reset,
    unattached: Smmu3Unattached,
    descriptors: ContextDescriptors,
    messages: Smmu3Messages,
    update: SteUpdate,
    beyond: BeyondInput,
    ats: Smmu3Ats,
    stalls: Smmu3Stalls,
    /// CMD_RESUMEs that did not fit into the queue.
    unresumed: Vec<Command>,
    findings: Findings,
}

/// A device of this driver.
#[derive(Debug)]
pub(super) struct Master {
    /// Its StreamIDs, in the order in which its STEs are written.
    streams: Vec<StreamId>,
    /// Its own CD, where domains have none.
    cd: Option<PhysAddr>,
    /// Whether it is in a domain.
    attached: bool,
    /// Whether that domain bypasses translation.
    bypasses: bool,
    /// Its ATS, if device and SMMU support it.
    ats: Option<Ats>,
}

impl SmmuV3 {
    /// Adds a device, with its configuration space if it may have ATS. Its streams abort until it
    /// is attached.
    pub(super) fn add_master(
        &mut self,
        streams: &[StreamId],
        config: Option<PhysAddr>,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<Master, BootError> {
        let mut own = Vec::with_capacity(streams.len());
        for stream in streams {
            // A function and its bridge may present the same StreamID.
            if !own.contains(stream) {
                self.streams.prepare(*stream, frames, host)?;
                own.push(*stream);
            }
        }
        let own_cd = self.descriptors == ContextDescriptors::PerDevice && self.features.stage1;
        let cd = match own_cd {
            true => Some(domain::cd_frame(frames, host).ok_or(BootError::NoFrame)?),
            false => None,
        };
        let config = config.filter(|_| self.features.ats && switches(self.ats));
        let ats = config.and_then(|config| Ats::of(config, host));
        Ok(Master { streams: own, cd, attached: false, bypasses: false, ats })
    }

    /// Whether a stream is among those of a device.
    pub(super) fn has_stream(master: &Master, stream: StreamId) -> bool {
        master.streams.contains(&stream)
    }

    /// Whether its walks are coherent: ARM_SMMU_FEAT_COHERENCY.
    pub(super) fn walks_are_coherent(&self) -> bool {
        self.features.coherent
    }

    /// Submits commands to the queue.
    fn submit(&mut self, commands: &[Command], ending: Ending, host: &mut impl Host) -> Submitted {
        self.commands.submit(self.registers, commands, ending, &mut self.findings, host)
    }

    fn completed(&mut self, ticket: Ticket, host: &mut impl Host) -> Option<Synced> {
        self.commands.completed(self.registers, ticket, &mut self.findings, host)
    }

    /// Handles the global error interrupt.
    pub(super) fn error_interrupt(&mut self, host: &mut impl Host) {
        self.commands.recover(self.registers, &mut self.findings, host);
    }

    /// Handles the event queue's interrupt: takes every event out of the queue, logs it, and
    /// terminates stalled transactions. `device` finds the device of a stream.
    pub(super) fn event_interrupt(
        &mut self,
        device: impl Fn(StreamId) -> Option<Endpoint>,
        host: &mut impl Host,
    ) -> Vec<[u64; 4]> {
        let events = self.events.drain(self.registers, &mut self.findings, host);
        for &words in &events {
            let fields = self.messages == Smmu3Messages::Fields;
            let device = device(StreamId::new(Evtq0::SID.get(words[0]) as u32));
            self.findings.push(Finding::Event { words, fields, device });
        }
        self.end_stalled(&events, host);
        events
    }

    /// Bits of an ASID.
    pub(super) fn asid_bits(&self) -> u32 {
        self.features.asid_bits
    }

    /// Takes its findings.
    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        self.findings.take()
    }
}
