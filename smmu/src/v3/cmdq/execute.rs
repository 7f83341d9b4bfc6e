//! What commands do. IHI 0070 G.b chapter 4.
//!
//! An invalidation completes when its command is consumed, or only with the CMD_SYNC that follows:
//! a choice ([`Completion`]). Apart from that, CMD_SYNC waits for devices to invalidate their own
//! caches.

use super::decode::{Addresses, Command, Signal};
use crate::choice::{Completion, Prefetch};
use crate::regime::World;
use crate::tlb::Space;
use crate::v3::SmmuV3;
use crate::v3::irq::Sender;
use crate::v3::outcome::Cause;
use crate::v3::wire::regs::Cr0;
use core::ops::RangeInclusive;
use passim_model::ats::{Invalidation, PageResponse};
use passim_model::{Asid, Effect, Memory, StreamId, Vmid};

/// VMID of the regimes that have none.
const NO_VMID: Vmid = Vmid::new(0);

/// Most invalidations that may wait for a CMD_SYNC; one more completes them all.
const MOST_INCOMPLETE: usize = 1 << 12;

impl SmmuV3 {
    /// Performs a legal command, or defers an invalidation to the CMD_SYNC that completes it.
    pub(super) fn execute(&mut self, memory: &mut Memory, command: Command) {
        let late = self.implementation.choices.completion == Completion::WhenSynchronised;
        if late && command.invalidates() {
            self.incomplete.push(command);
            if self.incomplete.len() <= MOST_INCOMPLETE {
                return;
            }
        } else if !matches!(command, Command::Sync(_)) {
            return self.perform(memory, command);
        }
        // IHI 0070 G.b 4.7.3: a CMD_SYNC completes the commands consumed before it.
        for command in core::mem::take(&mut self.incomplete) {
            self.perform(memory, command);
        }
        if let Command::Sync(signal) = command {
            self.complete(signal);
        }
    }

    fn perform(&mut self, memory: &mut Memory, command: Command) {
        match command {
            Command::Prefetch { stream, substream } => {
                let wanted = self.implementation.choices.prefetch == Prefetch::Configuration;
                // IHI 0070 G.b 4.2: consumed and without effect while SMMUEN is 0.
                if wanted && self.registers.enabled(Cr0::SMMUEN) {
                    self.prefetch(memory, stream, substream);
                }
            }
            Command::CfgiStes { first, last, leaf } => self.invalidate_stes(first, last, leaf),
            Command::CfgiCd { stream, substream, leaf } => {
                self.configs.invalidate_cd(stream, substream.get(), leaf);
            }
            Command::CfgiCdAll { stream } => self.configs.invalidate_cds(stream),
            // IHI 0070 G.b 5.6.2: CR0.VMW does not widen it.
            Command::CfgiVms { vmid } => {
                self.vms.invalidate(vmid);
                self.configs.surroundings_changed();
            }
            Command::AtcInv { stream, substream, global, first, last } => {
                // IHI 0070 G.b 4.5.1: ignored while SMMUEN is 0.
                if self.registers.enabled(Cr0::SMMUEN) {
                    let tag = self.invalidation_tag();
                    let request = Invalidation { tag, stream, substream, global, first, last };
                    self.effects.push(Effect::InvalidateAtc(request));
                }
            }
            Command::PriResp { stream, substream, group, code } => {
                // IHI 0070 G.b 4.5.2: the same.
                if self.registers.enabled(Cr0::SMMUEN) {
                    let response = PageResponse { stream, substream, group, code };
                    self.effects.push(Effect::RespondToPages(response));
                }
            }
            Command::Resume { stream, stag, end } => self.resume(stream, stag, end),
            Command::StallTerm { stream } => {
                self.end_stalls(Cause::EndedBySoftware, |stalled| stalled == stream)
            }
            Command::Sync(_) | Command::Nothing => {}
            tlbi => self.invalidate(tlbi),
        }
    }

    fn invalidate_stes(&mut self, first: StreamId, last: StreamId, leaf: bool) {
        // IHI 0070 G.b 5.2 (CONT): one cache entry serves several streams, and is dropped for all.
        for stream in self.spans.borrowers(&self.configs, first, last) {
            self.configs.invalidate_streams(stream, stream, true);
        }
        self.configs.invalidate_streams(first, last, leaf);
        self.vms.forget_streams(first, last);
        // IHI 0070 G.b 4.3.6: CMD_CFGI_ALL drops what is cached by VMID, too.
        if (first.get(), last.get()) == (0, u32::MAX) {
            self.vms.clear();
        }
    }

    fn complete(&mut self, signal: Signal) {
        match signal {
            Signal::None => {}
            // IHI 0070 G.b 4.7.3: not governed by IRQ_CTRL.
            Signal::Interrupt { address, data } => {
                self.message(Sender::CommandSync, address, data);
                self.effects.extend(self.implementation.wires.command_sync.map(Effect::Wire));
            }
            Signal::Event => self.cpu_event(),
        }
    }

    /// Wakes CPUs in WFE, if the SMMU supports it.
    pub(super) fn cpu_event(&mut self) {
        self.counters.cpu_events += u64::from(self.features.sev);
    }

    fn invalidate(&mut self, command: Command) {
        match command {
            Command::TlbiNhAll { vmid } => {
                self.registers.matching(vmid).for_each(|vmid| self.drop_stage1(World::El1, vmid));
            }
            Command::TlbiNhAsid { vmid, asid } => {
                for vmid in self.registers.matching(vmid) {
                    self.tlb.invalidate_spaces(one(World::El1, vmid, asid));
                }
            }
            Command::TlbiNhVa { vmid, asid, at } => {
                for vmid in self.registers.matching(vmid) {
                    self.drop_at(one(World::El1, vmid, asid), at);
                    self.drop_at(globals(World::El1, vmid), at);
                }
            }
            Command::TlbiNhVaa { vmid, at } => {
                for vmid in self.registers.matching(vmid) {
                    self.drop_at(all_asids(World::El1, vmid), at);
                    self.drop_at(globals(World::El1, vmid), at);
                }
            }
            Command::TlbiS12Vmall { vmid } => {
                for vmid in self.registers.matching(vmid) {
                    self.drop_stage1(World::El1, vmid);
                    self.tlb.invalidate_spaces(stage2(vmid..=vmid));
                }
            }
            // IHI 0070 G.b 4.4.3.1: translations that combine both stages may stay.
            Command::TlbiS2Ipa { vmid, at } => {
                for vmid in self.registers.matching(vmid) {
                    self.drop_at(stage2(vmid..=vmid), at);
                }
            }
            Command::TlbiNsnhAll => self.drop_world(World::El1),
            other => self.invalidate_el2(other),
        }
    }

    /// IHI 0070 G.b 4.4.2.8: CR2.E2H selects the EL2 regime.
    fn invalidate_el2(&mut self, command: Command) {
        let el2 = self.registers.el2_world();
        match command {
            Command::TlbiEl2All => {
                self.drop_stage1(World::El2, NO_VMID);
                self.drop_stage1(World::El2E2h, NO_VMID);
            }
            Command::TlbiEl2Asid { asid } => {
                self.tlb.invalidate_spaces(one(World::El2E2h, NO_VMID, asid));
            }
            Command::TlbiEl2Va { asid, at } => {
                let asid = if el2 == World::El2E2h { asid } else { Asid::new(0) };
                self.drop_at(one(el2, NO_VMID, asid), at);
                self.drop_at(globals(el2, NO_VMID), at);
            }
            Command::TlbiEl2Vaa { at } => {
                self.drop_at(all_asids(el2, NO_VMID), at);
                self.drop_at(globals(el2, NO_VMID), at);
            }
            other => debug_assert!(false, "{other:?} invalidates nothing in the TLB"),
        }
    }

    /// Drops the translations of both stages of all VMIDs of a world.
    fn drop_world(&mut self, world: World) {
        let (least, most) = (Vmid::new(0), Vmid::new(u16::MAX));
        let stage1 = |vmid, asid| Space::Stage1 { world, vmid, asid: Asid::new(asid) };
        let global = |vmid, aset| Space::Global { world, vmid, aset };
        self.tlb.invalidate_spaces(stage1(least, 0)..=stage1(most, u16::MAX));
        self.tlb.invalidate_spaces(global(least, 0)..=global(most, 1));
        self.tlb.invalidate_spaces(stage2(least..=most));
    }

    fn drop_stage1(&mut self, world: World, vmid: Vmid) {
        self.tlb.invalidate_spaces(all_asids(world, vmid));
        self.tlb.invalidate_spaces(globals(world, vmid));
    }

    fn drop_at(&mut self, spaces: RangeInclusive<Space>, at: Addresses) {
        self.tlb.invalidate(spaces, at.first, at.last, at.hint);
    }
}

fn one(world: World, vmid: Vmid, asid: Asid) -> RangeInclusive<Space> {
    let space = Space::Stage1 { world, vmid, asid };
    space..=space
}

fn all_asids(world: World, vmid: Vmid) -> RangeInclusive<Space> {
    let [first, last] = [0, u16::MAX].map(|asid| {
        let asid = Asid::new(asid);
        Space::Stage1 { world, vmid, asid }
    });
    first..=last
}

fn globals(world: World, vmid: Vmid) -> RangeInclusive<Space> {
    Space::Global { world, vmid, aset: 0 }..=Space::Global { world, vmid, aset: 1 }
}

fn stage2(vmids: RangeInclusive<Vmid>) -> RangeInclusive<Space> {
    let (vmid, last) = vmids.into_inner();
    Space::Stage2 { vmid }..=Space::Stage2 { vmid: last }
}
