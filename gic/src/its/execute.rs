//! The effects of commands. IHI 0069 H 5.3.
//!
//! A command changes tables at once. Its effect on a redistributor is a packet, and the packet
//! carries the state before the command that messages may still observe.

use super::Its;
use super::cmdq::Failed;
use super::collection::NoCollection;
use super::command::{Command, Source};
use super::entry::{Dte, Ite};
use super::error::{CommandError, Failure, Reason, Untranslated};
use super::flight::{Before, Late};
use super::table::Missing;
use super::trouble::{Performed, Trouble};
use crate::Cpu;
use crate::choice::its::{
    CollectionAborts, InvallScope, IttAtMapd, LpiBound, MapToUnmapped, MoveFrom, Ordering,
    RdbaseBits, RemapCollection, RemapDevice, RemapEvent, SizeOfUnmap, TargetErrors, TargetOfUnmap,
    UnmapCollection, WithoutCollection,
};
use crate::v3::Packet;
use passim_model::{DeviceId, IntId, Memory, PhysAddr, Span};

impl Its {
    /// Performs a command.
    pub(super) fn perform(
        &mut self,
        command: Command,
        opcode: u8,
        memory: &mut Memory,
    ) -> Result<(), Failed> {
        let performed = match command {
            Command::Mapd { device, bits, itt, valid } => {
                self.mapd(device, valid.then_some(Dte { itt, bits }), bits, memory)
            }
            Command::Mapc { icid, rdbase, valid } => self.mapc(icid, rdbase, valid, memory),
            Command::Mapti { source, intid, icid } => self.mapti(source, intid, icid, memory),
            Command::Movi { source, icid } => self.movi(source, icid, memory),
            Command::Discard { source } => self.discard(source, memory),
            Command::Int { source } => self.of_event(source, Packet::SetPending, memory),
            Command::Clear { source } => self.of_event(source, Packet::ClearPending, memory),
            Command::Inv { source } => self.of_event(source, Packet::Invalidate, memory),
            Command::Invall { icid } => self.invall(icid, memory),
            Command::Movall { from, to } => self.movall(from, to),
            Command::Sync { rdbase } => {
                self.sync(rdbase);
                Ok(())
            }
        };
        performed.map_err(|trouble| match trouble {
            Trouble::Reason(reason) => Failure::Command(CommandError { opcode, reason }).into(),
            Trouble::Abort(at) => Failure::Memory(at).into(),
            Trouble::PassedOver(at) => Failed { failure: Failure::Memory(at), passed_over: true },
        })
    }

    /// The CPU that RDbase names, by the bits of it that are used: all bits if it is an address.
    fn target(&self, rdbase: u64, of_mapc: bool) -> Option<Cpu> {
        let numbered = self.implementation.features.redistributors_at.is_none();
        let bits = match self.implementation.choices.rdbase_bits {
            RdbaseBits::SixteenOfMapc if numbered && of_mapc => 16,
            RdbaseBits::ThirtyTwo if numbered => 32,
            _ => 48,
        };
        let rdbase = rdbase & ((1 << bits) - 1) << 16;
        self.implementation.features.target(rdbase, self.cpus)
    }

    fn in_device_range(&self, device: DeviceId) -> Performed {
        match u64::from(device.get()) >> self.implementation.features.device_bits {
            0 => Ok(()),
            _ => Err(Reason::DeviceOutOfRange.into()),
        }
    }

    /// IHI 0069 H 5.3, MAPD. `bits` is the command's Size field plus one, whether it maps or not.
    fn mapd(
        &mut self,
        device: DeviceId,
        dte: Option<Dte>,
        bits: u32,
        memory: &mut Memory,
    ) -> Performed {
        let (features, choices) = (self.implementation.features, self.implementation.choices);
        let checked = dte.is_some() || choices.size_of_unmap == SizeOfUnmap::Checked;
        self.in_device_range(device)?;
        let entry = self.device_entry(device, memory);
        // Without a page for its entry a device is out of range for a mapping MAPD; an unmapping
        // one has nothing to do.
        let at = match (entry, dte) {
            (Ok(at), _) => at,
            (Err(Missing::NoPage), _) if self.has_own_errors() => {
                return Err(Reason::NoDevicePage.into());
            }
            (Err(Missing::NoPage), None) => return Ok(()),
            (Err(Missing::Abort(at)), _) => return Err(Trouble::Abort(at)),
            (Err(Missing::NoPage | Missing::Beyond), _) => {
                return Err(Reason::DeviceOutOfRange.into());
            }
        };
        if checked && bits > features.event_bits {
            return Err(Reason::SizeOrTargetOutOfRange.into());
        }
        let old = match &self.internal {
            // As KVM's vgic_its_check_id.
            Some(_) if memory.load_u64(at).is_err() => return Err(Reason::DeviceOutOfRange.into()),
            Some(internal) => internal.device(device),
            None => self.mapped_as(at, memory)?,
        };
        if dte.is_some() && old.is_some() {
            match choices.remap_device {
                RemapDevice::Replace => {}
                RemapDevice::Keep => return Ok(()),
                RemapDevice::Refused => return Err(Reason::MappedDevice.into()),
            }
        }
        if let (Some(dte), IttAtMapd::Zeroed) = (dte, choices.itt_at_mapd) {
            let bytes = features.layout.ite_bytes() << dte.bits;
            if let Some(span) = Span::from_size(PhysAddr::new(dte.itt), bytes) {
                memory.zero(span)?;
            }
            self.orphans.forget(dte, features.layout);
        }
        if let Some(old) = old.filter(|old| Some(*old) != dte) {
            self.orphans.forget(old, features.layout);
        }
        match &mut self.internal {
            Some(internal) => {
                internal.set_device(device, dte);
                // As KVM's vgic_its_cmd_handle_mapd, since 6.13.
                if dte.is_none() {
                    memory.store_u64(at, 0)?;
                }
            }
            None => memory.store_u64(at, features.layout.spell_dte(dte, 0))?,
        }
        if old.is_some() || !self.forgets_whole() {
            self.cache.forget_all();
        }
        if choices.ordering != Ordering::AtOnce && old != dte {
            self.flight.leave(device, old);
        }
        self.notify_device(device);
        Ok(())
    }

    /// The mapping in a device table entry.
    fn mapped_as(&self, at: PhysAddr, memory: &Memory) -> Performed<Option<Dte>> {
        Ok(self.implementation.features.layout.dte(memory.load_u64(at)?))
    }

    /// IHI 0069 H 5.3, MAPC.
    fn mapc(&mut self, icid: u16, rdbase: u64, valid: bool, memory: &mut Memory) -> Performed {
        let target = self.target(rdbase, true);
        let unmapping = self.implementation.choices.target_of_unmap;
        let checked = valid || unmapping == TargetOfUnmap::Checked;
        if checked && target.is_none() {
            let own = self.has_own_errors().then_some(Reason::NoTarget);
            return Err(own.unwrap_or(Reason::SizeOrTargetOutOfRange).into());
        }
        let new = target.filter(|_| valid);
        let old = self.collection(icid, memory)?;
        self.set_collection(icid, new, memory)?;
        if !valid || !self.forgets_whole() {
            self.cache.forget_all();
        }
        if !valid && self.implementation.choices.unmap_collection == UnmapCollection::Orphans {
            self.orphan(icid, memory)?;
        }
        self.follow(icid, old, new, memory);
        match (old, new) {
            (Some(old), new) if Some(old) != new => {
                let before = Late::Before(Before::Collection(icid, true));
                self.send(old, Packet::Nothing, None, before);
            }
            (None, Some(new)) => {
                let before = Late::Before(Before::Collection(icid, false));
                self.send(new, Packet::Nothing, None, before);
            }
            _ => {}
        }
        // The error does not undo the mapping of the collection.
        new.map_or(Ok(()), |cpu| self.reaches(cpu))
    }

    /// Moves the LPIs of a collection's events to its new CPU, if that is chosen and the collection
    /// is mapped.
    fn follow(&mut self, icid: u16, old: Option<Cpu>, new: Option<Cpu>, memory: &Memory) {
        // Where redistributors are notified of events, an LPI may be elsewhere than its collection.
        let told = self.notifies();
        let old = if told { old.or(new) } else { old.filter(|old| Some(*old) != new) };
        let follows = RemapCollection::PendingFollows;
        let to = new.filter(|_| self.implementation.choices.remap_collection == follows);
        let Some((old, to)) = old.zip(to) else { return };
        for source in self.members(icid, memory) {
            let Ok((_, Some(ite))) = self.event(source, memory) else { continue };
            self.send(old, Packet::Move(IntId::new(ite.intid), to), Some(source), Late::No);
        }
    }

    /// IHI 0069 H 5.3, MAPTI and MAPI.
    fn mapti(&mut self, source: Source, intid: IntId, icid: u16, memory: &mut Memory) -> Performed {
        let at = self.place_for(source, intid, icid, memory)?;
        let (_, old) = self.event(source, memory)?;
        let choices = self.implementation.choices;
        // The mapping does not depend on the collection's, unless that is chosen.
        let refused = choices.map_to_unmapped == MapToUnmapped::Refused;
        let cpu = match self.collection(icid, memory) {
            Err(NoCollection::Abort(_)) if !refused => None,
            found => found?,
        };
        if cpu.is_none() && refused {
            return Err(Reason::UnmappedCollection.into());
        }
        if old.is_some() {
            match choices.remap_event {
                RemapEvent::Replace => {}
                RemapEvent::Keep => return Ok(()),
                RemapEvent::Refused => return Err(Reason::MappedInterrupt.into()),
            }
        }
        if !self.has_or_can_have(icid, memory) {
            return Err(Reason::CollectionOutOfRange.into());
        }
        let old_cpu = match old {
            Some(old) => self.collection_of(old, memory).unwrap_or(None),
            None => None,
        };
        if let Some(internal) = &mut self.internal {
            internal.name_collection(icid);
        }
        let ite = Ite { intid: intid.get(), icid: Some(icid) };
        self.write_event((source, at), Some(ite), memory)?;
        if !self.forgets_whole() {
            self.cache.forget(source);
        }
        if let (Some(old), Some(old_cpu)) = (old, old_cpu) {
            let before = Late::Before(Before::Event(source, Some(IntId::new(old.intid))));
            self.send(old_cpu, Packet::Nothing, Some(source), before);
        }
        let told = self.notifies() || choices.map_to_unmapped == MapToUnmapped::Told;
        if cpu.is_none() && told {
            self.send(Cpu::new(0), Packet::MappedNowhere(intid), Some(source), Late::No);
        }
        if let Some(cpu) = cpu {
            let late = match old {
                Some(_) => Late::No,
                None => Late::Before(Before::Event(source, None)),
            };
            self.send(cpu, Packet::Mapped(intid), Some(source), late);
        }
        self.notify(source, Some(intid));
        Ok(())
    }

    /// Address of the entry for an event that MAPTI maps.
    fn place_for(
        &self,
        source: Source,
        intid: IntId,
        icid: u16,
        memory: &Memory,
    ) -> Performed<PhysAddr> {
        let (features, choices) = (self.implementation.features, self.implementation.choices);
        self.in_device_range(source.device)?;
        let dte = self.device(source.device, memory);
        // An entry that cannot be read is met before the collection is judged.
        if let Err(Untranslated::Abort(at)) = dte {
            return Err(Trouble::Abort(at));
        }
        if !self.has_collection(icid) {
            return Err(Reason::CollectionOutOfRange.into());
        }
        let at = self.event_entry(dte?, source.event)?;
        // As KVM's vgic_its_check_event_id.
        if self.internal.is_some() && memory.load_u64(at).is_err() {
            return Err(Reason::EventOutOfRange.into());
        }
        let bounded = choices.lpi_bound == LpiBound::OfThePropertyTable;
        if !features.is_lpi(intid.get()) || bounded && intid.get() >= self.configured {
            return Err(Reason::PhysicalIdOutOfRange.into());
        }
        Ok(at)
    }

    /// IHI 0069 H 5.3, MOVI.
    fn movi(&mut self, source: Source, icid: u16, memory: &mut Memory) -> Performed {
        self.in_device_range(source.device)?;
        let found = self.event(source, memory);
        // An entry that cannot be read is met before the collection is judged.
        if let Err(Untranslated::Abort(at)) = found {
            return Err(Trouble::Abort(at));
        }
        if !self.has_collection(icid) {
            return Err(Reason::CollectionOutOfRange.into());
        }
        let (at, ite) = found?;
        let ite = ite.ok_or(Reason::UnmappedInterrupt)?;
        let old = match self.collection_of(ite, memory) {
            Err(NoCollection::OutOfRange) => None,
            found => found?,
        };
        if old.is_none() && self.implementation.choices.move_from_unmapped == MoveFrom::Refused {
            return Err(Reason::UnmappedCollection.into());
        }
        let new = self.collection(icid, memory)?.ok_or(Reason::UnmappedCollection)?;
        self.move_event((source, at), (ite, icid), memory)?;
        self.forget(source);
        let intid = IntId::new(ite.intid);
        if let Some(old) = old.filter(|old| *old != new || self.notifies()) {
            let before = Late::Before(Before::Event(source, Some(intid)));
            self.send(old, Packet::Move(intid, new), Some(source), before);
        }
        match old {
            Some(old) if old == new => {}
            Some(_) => self.send(new, Packet::Moved(intid), Some(source), Late::No),
            None if self.notifies() => {
                self.send(new, Packet::Move(intid, new), Some(source), Late::No)
            }
            None => self.send(new, Packet::Mapped(intid), Some(source), Late::No),
        }
        Ok(())
    }

    /// IHI 0069 H 5.3, DISCARD: unmaps the event; its LPI is no longer pending.
    fn discard(&mut self, source: Source, memory: &mut Memory) -> Performed {
        let (at, _) = self.event(source, memory)?;
        let (intid, cpu) = self.translate_passing_over(source, memory)?;
        self.write_event((source, at), None, memory)?;
        self.forget(source);
        let before = Late::Before(Before::Event(source, Some(intid)));
        let packet = if self.notifies() { Packet::Nothing } else { Packet::ClearPending(intid) };
        self.send(cpu, packet, Some(source), before);
        self.notify(source, None);
        Ok(())
    }

    /// INT, CLEAR, INV: sends a packet about the LPI of an event. Later messages may overtake CLEAR
    /// and INV; INT acts as a message.
    fn of_event(
        &mut self,
        source: Source,
        packet: impl Fn(IntId) -> Packet,
        memory: &Memory,
    ) -> Performed {
        let place = match packet(IntId::new(0)) {
            Packet::Invalidate(_) => self.translate_named(source, memory),
            _ => self.translate_passing_over(source, memory),
        };
        let everywhere = WithoutCollection::Everywhere;
        if let Err(Trouble::Reason(Reason::IteInvalid)) = place
            && self.implementation.choices.without_collection == everywhere
        {
            return self.of_event_without_collection(source, packet, memory);
        }
        let (intid, cpu) = place?;
        let packet = packet(intid);
        if matches!(packet, Packet::SetPending(_) | Packet::ClearPending(_)) {
            self.reaches(cpu)?;
        }
        let beyond = self.reach.get(cpu.index()).is_some_and(|reach| intid.get() >= *reach);
        if beyond && self.has_own_errors() && matches!(packet, Packet::ClearPending(_)) {
            return Err(Reason::BeyondTarget.into());
        }
        let message = matches!(packet, Packet::SetPending(_));
        if message && self.forgets_whole() {
            self.remember(source, intid, cpu);
        }
        let late = if message { Late::No } else { Late::Overtaken };
        self.send(cpu, packet, Some(source), late);
        Ok(())
    }

    /// CLEAR and INV of an event without a mapped collection: every redistributor gets the packet,
    /// since the LPI may be at any of them. INT fails.
    fn of_event_without_collection(
        &mut self,
        source: Source,
        packet: impl Fn(IntId) -> Packet,
        memory: &Memory,
    ) -> Performed {
        let (_, ite) = self.event(source, memory)?;
        let ite = ite.ok_or(Reason::UnmappedInterrupt)?;
        match packet(IntId::new(ite.intid)) {
            Packet::SetPending(_) => Err(Reason::IteInvalid.into()),
            packet => {
                self.send_all(packet, Some(source), Late::Overtaken);
                Ok(())
            }
        }
    }

    fn send_all(&mut self, packet: Packet, source: Option<Source>, late: Late) {
        for cpu in (0..self.cpus).map(Cpu::new) {
            self.send(cpu, packet, source, late);
        }
    }

    /// As [`Its::translate_named`], for a command that is skipped if its collection entry cannot be
    /// read, where that is chosen.
    fn translate_passing_over(&self, source: Source, memory: &Memory) -> Performed<(IntId, Cpu)> {
        let answers = matches!(self.event(source, memory), Ok((_, Some(_))));
        let passes = self.implementation.choices.collection_aborts == CollectionAborts::PassedOver;
        self.translate_named(source, memory).map_err(|trouble| match trouble {
            Trouble::Abort(at) if answers && passes => Trouble::PassedOver(at),
            other => other,
        })
    }

    fn translate_named(&self, source: Source, memory: &Memory) -> Performed<(IntId, Cpu)> {
        self.in_device_range(source.device)?;
        Ok(self.translate(source, memory)?)
    }

    /// IHI 0069 H 5.3, INVALL.
    fn invall(&mut self, icid: u16, memory: &Memory) -> Performed {
        match self.implementation.choices.invall_scope {
            InvallScope::Everywhere => {
                self.send_all(Packet::InvalidateAll, None, Late::Overtaken);
            }
            InvallScope::Collection => {
                let cpu = self.collection(icid, memory)?.ok_or(Reason::UnmappedCollection)?;
                self.reaches(cpu)?;
                self.send(cpu, Packet::InvalidateAll, None, Late::Overtaken);
            }
        }
        Ok(())
    }

    /// IHI 0069 H 5.3, MOVALL: moves the pending LPIs of one redistributor, and no mapping.
    fn movall(&mut self, from: u64, to: u64) -> Performed {
        let own = self.has_own_errors();
        let or = |theirs| if own { theirs } else { Reason::ProcessorOutOfRange };
        let from = self.target(from, false).ok_or(or(Reason::NoTarget))?;
        let to = self.target(to, false).ok_or(or(Reason::NoDestination))?;
        self.reaches(from)?;
        if from != to {
            if self.forgets_whole() {
                self.cache.forget_all();
            }
            self.send(from, Packet::MoveAll(to), None, Late::Overtaken);
        }
        self.reaches(to).map_err(|_| Reason::DestinationLpisOff.into())
    }

    pub(super) fn has_own_errors(&self) -> bool {
        self.implementation.choices.target_errors == TargetErrors::Gic600
    }

    /// Checks that the redistributor's LPIs are on, where GIC-600's errors are chosen.
    fn reaches(&self, cpu: Cpu) -> Performed {
        let off = self.reach.get(cpu.index()) == Some(&0);
        if off && self.has_own_errors() { Err(Reason::LpisOff.into()) } else { Ok(()) }
    }

    /// IHI 0069 H 5.3, SYNC: everything sent to the redistributor has arrived, and messages observe
    /// every earlier command.
    fn sync(&mut self, rdbase: u64) {
        if let Some(cpu) = self.target(rdbase, false) {
            let arrived = self.flight.synchronise(cpu);
            self.due.extend(arrived.into_iter().map(|packet| (packet.to, packet.packet)));
        }
    }
}
