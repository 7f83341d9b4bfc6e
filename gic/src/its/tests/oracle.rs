//! Comparison with a simple ITS that uses maps for tables: after any sequence of commands and
//! messages, the same LPIs are pending at the same CPUs, and the same errors are reported. Under
//! the adversarial preset this is checked after synchronisation.

use crate::choice::Preset;
use crate::choice::its::{
    EventBeyond, InvallScope, IttAtMapd, MoveFrom, RemapCollection, RemapDevice, RemapEvent,
    SizeOfUnmap, TableHome, TargetErrors, TargetOfUnmap, UnmapCollection, WithoutCollection,
};
use crate::choice::lpi::LpiState;
use crate::its::testkit::{Board, ITS, ITTS, QUEUE};
use crate::its::{Arrival, Failure, Untranslated};
use crate::v3::Implementation;
use passim_model::{PhysAddr, Span};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const CPUS: u64 = 4;
const DEVICES: u64 = 8192;

#[derive(Clone, Copy, Debug)]
pub(super) enum Action {
    Mapd { device: u32, bits: u64, itt: u64, valid: bool },
    Mapc { icid: u16, cpu: u64, valid: bool },
    Mapti { device: u32, event: u32, lpi: u32, icid: u16 },
    Mapi { device: u32, event: u32, icid: u16 },
    Movi { device: u32, event: u32, icid: u16 },
    Int { device: u32, event: u32 },
    Clear { device: u32, event: u32 },
    Inv { device: u32, event: u32 },
    Discard { device: u32, event: u32 },
    Invall { icid: u16 },
    Movall { from: u64, to: u64 },
    Sync { cpu: u64 },
    Message { device: u32, event: u32 },
    Take { cpu: u16 },
}

impl Action {
    pub(super) fn words(self) -> Option<[u64; 4]> {
        let of = |opcode: u64, device: u32, event: u32, word2: u64| {
            [u64::from(device) << 32 | opcode, u64::from(event), word2, 0]
        };
        Some(match self {
            Self::Mapd { device, bits, itt, valid } => {
                let table = u64::from(valid) << 63 | (ITTS + (itt << 20));
                [u64::from(device) << 32 | 8, bits - 1, table, 0]
            }
            Self::Mapc { icid, cpu, valid } => {
                [9, 0, u64::from(valid) << 63 | cpu << 16 | u64::from(icid), 0]
            }
            Self::Mapti { device, event, lpi, icid } => {
                let which = u64::from(lpi) << 32 | u64::from(event);
                [u64::from(device) << 32 | 0xa, which, u64::from(icid), 0]
            }
            Self::Mapi { device, event, icid } => of(0xb, device, event, u64::from(icid)),
            Self::Movi { device, event, icid } => of(1, device, event, u64::from(icid)),
            Self::Int { device, event } => of(3, device, event, 0),
            Self::Clear { device, event } => of(4, device, event, 0),
            Self::Inv { device, event } => of(0xc, device, event, 0),
            Self::Discard { device, event } => of(0xf, device, event, 0),
            Self::Invall { icid } => [0xd, 0, u64::from(icid), 0],
            Self::Movall { from, to } => [0xe, 0, from << 16, to << 16],
            Self::Sync { cpu } => [5, 0, cpu << 16, 0],
            Self::Message { .. } | Self::Take { .. } => return None,
        })
    }
}

/// The simple ITS.
struct Model {
    spec: Implementation,
    /// Address of the interrupt translation table, and bits of an EventID.
    devices: BTreeMap<u32, (u64, u64)>,
    /// Contents of the interrupt translation tables: LPI, and ICID if there is one.
    itts: BTreeMap<(u64, u32), (u32, Option<u16>)>,
    collections: BTreeMap<u16, u64>,
    pending: [BTreeSet<u32>; CPUS as usize],
    /// The LPIs that exist, where they have a state of their own: the number of events, and the
    /// CPU; and the pending tables in memory.
    lpis: BTreeMap<u32, Lpi>,
    tables: [BTreeSet<u32>; CPUS as usize],
}

#[derive(Clone, Copy, Default)]
struct Lpi {
    events: u32,
    cpu: Option<u64>,
    /// Pending while there is no CPU.
    pending: bool,
    shelved: bool,
}

/// The LPIs that are enabled, among those that events are mapped to here.
fn is_enabled(lpi: u32) -> bool {
    (8192..8208).contains(&lpi)
}

pub(super) type Answer = Result<(), u32>;

impl Model {
    fn new(spec: Implementation) -> Self {
        Self {
            spec,
            devices: BTreeMap::new(),
            itts: BTreeMap::new(),
            collections: BTreeMap::new(),
            pending: Default::default(),
            lpis: BTreeMap::new(),
            tables: Default::default(),
        }
    }

    fn has_lpis(&self) -> bool {
        self.spec.choices.state == LpiState::PerLpi
    }

    /// The machine migrates. Where LPIs have a state of their own, as under KVM, save writes their
    /// pending bits, and restore reads those of the LPIs that events map to, at the CPUs of their
    /// collections.
    fn migrated(&mut self) {
        if !self.has_lpis() {
            return;
        }
        for (lpi, Lpi { cpu, .. }) in core::mem::take(&mut self.lpis) {
            let Some(cpu) = cpu.map(|cpu| cpu as usize) else { continue };
            match self.pending[cpu].remove(&lpi) {
                true => self.tables[cpu].insert(lpi),
                false => self.tables[cpu].remove(&lpi),
            };
        }
        // No table represents an event that lost its collection.
        self.itts.retain(|_, (_, icid)| icid.is_some());
        for (itt, bits) in self.devices.clone().into_values() {
            let events = self.itts.range((itt, 0)..(itt, 1 << bits));
            for (lpi, icid) in events.map(|(_, mapped)| *mapped).collect::<Vec<_>>() {
                self.arrive(lpi, icid);
            }
        }
    }

    /// An event maps to this LPI.
    fn arrive(&mut self, lpi: u32, icid: Option<u16>) {
        if !self.has_lpis() {
            return;
        }
        let cpu = icid.and_then(|icid| self.collections.get(&icid)).copied();
        let new = !self.lpis.contains_key(&lpi);
        let known = self.lpis.entry(lpi).or_insert(Lpi { cpu, ..Lpi::default() });
        known.events += 1;
        let cpu = cpu.map(|cpu| cpu as usize).filter(|_| new);
        if let Some(cpu) = cpu.filter(|cpu| self.tables[*cpu].remove(&lpi)) {
            self.pending[cpu].insert(lpi);
        }
    }

    /// One event fewer maps to this LPI: without any it exists only while its CPU can take it.
    fn release(&mut self, lpi: u32) {
        let Some(known) = self.lpis.get_mut(&lpi) else { return };
        known.events -= 1;
        self.forget(lpi);
    }

    fn forget(&mut self, lpi: u32) {
        let Some(&Lpi { events: 0, cpu, shelved, .. }) = self.lpis.get(&lpi) else { return };
        let pending = cpu.map(|cpu| &mut self.pending[cpu as usize]);
        match pending {
            Some(pending) if pending.contains(&lpi) && is_enabled(lpi) && !shelved => {}
            pending => {
                pending.map(|pending| pending.remove(&lpi));
                self.lpis.remove(&lpi);
            }
        }
    }

    /// Unmaps all events of a device.
    fn release_device(&mut self, table: Option<(u64, u64)>) {
        let Some((itt, bits)) = table.filter(|_| self.has_lpis()) else { return };
        let events = self.itts.range((itt, 0)..(itt, 1 << bits));
        for lpi in events.map(|(_, (lpi, _))| *lpi).collect::<Vec<_>>() {
            self.release(lpi);
        }
    }

    /// An LPI becomes pending at its own CPU, or else at this one.
    fn pend(&mut self, lpi: u32, cpu: usize) {
        let Some(known) = self.lpis.get_mut(&lpi) else {
            self.pending[cpu].insert(lpi);
            return;
        };
        match known.cpu {
            Some(cpu) => {
                known.shelved = false;
                self.pending[cpu as usize].insert(lpi);
            }
            None => known.pending = true,
        }
    }

    /// An LPI with a state of its own moves to this CPU.
    fn take_to(&mut self, lpi: u32, cpu: u64) {
        let Some(known) = self.lpis.get_mut(&lpi) else { return };
        let pending = match known.cpu {
            Some(old) => self.pending[old as usize].remove(&lpi),
            // It is pending at no CPU, and stays so.
            None => {
                known.shelved = known.pending;
                known.pending
            }
        };
        (known.cpu, known.pending) = (Some(cpu), false);
        if pending {
            self.pending[cpu as usize].insert(lpi);
        }
    }

    fn entry(&self, class: u32, device: u32, event: u32) -> Result<(u64, u32), u32> {
        if u64::from(device) >= DEVICES {
            return Err(match device > 0xffff {
                true => class | 1,
                false if self.is_gic600() => 0x01_0b04,
                false => class | 4,
            });
        }
        let (itt, bits) = self.devices.get(&device).ok_or(class | 4)?;
        if u64::from(event) >= 1 << bits {
            return Err(class | 5);
        }
        Ok((*itt, event))
    }

    fn lpi(&self, class: u32, device: u32, event: u32) -> Result<(u32, usize), u32> {
        let entry = self.entry(class, device, event)?;
        let (lpi, icid) = self.itts.get(&entry).ok_or(class | 7)?;
        let cpu = icid.and_then(|icid| self.collections.get(&icid)).ok_or(class | 0x10)?;
        Ok((*lpi, *cpu as usize))
    }

    fn mapd(&mut self, device: u32, bits: u64, itt: u64, valid: bool) -> Answer {
        let choices = self.spec.its[0].choices;
        if (DEVICES..0x1_0000).contains(&u64::from(device)) && self.is_gic600() {
            return Err(0x01_0b04);
        }
        if device > 0xffff || valid && u64::from(device) >= DEVICES {
            return Err(0x01_0801);
        }
        if u64::from(device) >= DEVICES {
            return Ok(());
        }
        if bits > 16 && (valid || choices.size_of_unmap == SizeOfUnmap::Checked) {
            return Err(0x01_0802);
        }
        if !valid {
            let old = self.devices.remove(&device);
            self.release_device(old);
            self.forget_orphans(old);
            self.forget_kept(old);
            return Ok(());
        }
        if self.devices.contains_key(&device) {
            match choices.remap_device {
                RemapDevice::Replace => {}
                RemapDevice::Keep => return Ok(()),
                RemapDevice::Refused => return Err(0x01_08ff),
            }
        }
        self.release_device(self.devices.get(&device).copied());
        self.forget_kept(self.devices.get(&device).copied());
        // The table's contents are not read.
        self.forget_kept(Some((itt, bits)));
        if choices.itt_at_mapd == IttAtMapd::Zeroed {
            self.itts.retain(|&(of, event), _| of != itt || u64::from(event) >= 1 << bits);
        }
        let old = self.devices.insert(device, (itt, bits));
        self.forget_orphans(old.filter(|old| *old != (itt, bits)));
        Ok(())
    }

    /// Internal tables drop a device's events with the device.
    fn forget_kept(&mut self, table: Option<(u64, u64)>) {
        if self.spec.its[0].choices.table_home != TableHome::Its {
            return;
        }
        let Some((itt, _)) = table else { return };
        self.itts.retain(|&(of, _), _| of != itt);
    }

    /// Events without a collection are in no table: they are dropped with their device's.
    fn forget_orphans(&mut self, table: Option<(u64, u64)>) {
        let Some((itt, bits)) = table else { return };
        self.itts.retain(|&(of, event), (_, icid)| {
            of != itt || u64::from(event) >= 1 << bits || icid.is_some()
        });
    }

    fn mapc(&mut self, icid: u16, cpu: u64, valid: bool) -> Answer {
        let choices = self.spec.its[0].choices;
        if (valid || choices.target_of_unmap == TargetOfUnmap::Checked) && cpu >= CPUS {
            return Err(if self.is_gic600() { 0x01_0920 } else { 0x01_0902 });
        }
        if icid > 15 {
            return Err(0x01_0903);
        }
        if valid {
            let old = self.collections.insert(icid, cpu).filter(|old| *old != cpu);
            if self.has_lpis() {
                for at in self.events_of(icid) {
                    self.take_to(self.itts[&at].0, cpu);
                }
                return Ok(());
            }
            let follows = choices.remap_collection == RemapCollection::PendingFollows;
            if let Some(old) = old.filter(|_| follows) {
                for at in self.events_of(icid) {
                    let lpi = self.itts[&at].0;
                    if self.pending[old as usize].remove(&lpi) {
                        self.pending[cpu as usize].insert(lpi);
                    }
                }
            }
            return Ok(());
        }
        self.collections.remove(&icid);
        if choices.unmap_collection == UnmapCollection::Orphans {
            for at in self.events_of(icid) {
                self.itts.get_mut(&at).unwrap().1 = None;
            }
        }
        Ok(())
    }

    /// The events of a collection that KVM can still reach by a device.
    fn events_of(&self, icid: u16) -> Vec<(u64, u32)> {
        let reached = |itt: u64, event: u32| {
            self.devices.values().any(|&(of, bits)| of == itt && u64::from(event) < 1 << bits)
        };
        let all = self.itts.iter();
        all.filter(|((itt, event), (_, of))| *of == Some(icid) && reached(*itt, *event))
            .map(|(at, _)| *at)
            .collect()
    }

    fn needs_no_collection(&self) -> bool {
        self.spec.its[0].choices.without_collection == WithoutCollection::Everywhere
    }

    fn is_gic600(&self) -> bool {
        self.spec.its[0].choices.target_errors == TargetErrors::Gic600
    }

    fn mapti(&mut self, class: u32, device: u32, event: u32, lpi: u32, icid: u16) -> Answer {
        if device > 0xffff {
            return Err(class | 1);
        }
        if icid > 15 {
            return Err(class | 3);
        }
        let entry = self.entry(class, device, event)?;
        if !(8192..65536).contains(&lpi) {
            return Err(class | 6);
        }
        match self.spec.its[0].choices.remap_event {
            RemapEvent::Keep if self.itts.contains_key(&entry) => return Ok(()),
            RemapEvent::Refused if self.itts.contains_key(&entry) => return Err(class | 0xff),
            _ => {}
        }
        self.itts.insert(entry, (lpi, Some(icid)));
        self.arrive(lpi, Some(icid));
        Ok(())
    }

    fn movi(&mut self, device: u32, event: u32, icid: u16) -> Answer {
        if device > 0xffff {
            return Err(0x01_0101);
        }
        if icid > 15 {
            return Err(0x01_0103);
        }
        let entry = self.entry(0x01_0100, device, event)?;
        let (lpi, old) = *self.itts.get(&entry).ok_or(0x01_0107u32)?;
        let new = *self.collections.get(&icid).ok_or(0x01_0109u32)?;
        let old = old.and_then(|icid| self.collections.get(&icid)).copied();
        // Most implementations refuse to move an event out of an unmapped collection.
        if old.is_none() && self.spec.its[0].choices.move_from_unmapped == MoveFrom::Refused {
            return Err(0x01_0109);
        }
        self.itts.insert(entry, (lpi, Some(icid)));
        if self.has_lpis() {
            self.take_to(lpi, new);
            return Ok(());
        }
        let old = old.filter(|old| *old != new);
        if old.is_some_and(|old| self.pending[old as usize].remove(&lpi)) {
            self.pending[new as usize].insert(lpi);
        }
        Ok(())
    }

    fn perform(&mut self, action: Action) -> Answer {
        match action {
            Action::Mapd { device, bits, itt, valid } => self.mapd(device, bits, itt, valid),
            Action::Mapc { icid, cpu, valid } => self.mapc(icid, cpu, valid),
            Action::Mapti { device, event, lpi, icid } => {
                self.mapti(0x01_0a00, device, event, lpi, icid)
            }
            Action::Mapi { device, event, icid } => {
                self.mapti(0x01_0b00, device, event, event, icid)
            }
            Action::Movi { device, event, icid } => self.movi(device, event, icid),
            Action::Int { device, event } => {
                self.lpi(0x01_0300, device, event).map(|(lpi, cpu)| self.pend(lpi, cpu))
            }
            Action::Clear { device, event } => match self.lpi(0x01_0500, device, event) {
                Ok((lpi, cpu)) if !self.has_lpis() => {
                    self.pending[cpu].remove(&lpi);
                    Ok(())
                }
                Ok((lpi, _)) => {
                    self.clear(lpi);
                    Ok(())
                }
                Err(0x01_0510) if self.needs_no_collection() => {
                    let (lpi, _) = self.itts[&self.entry(0x01_0500, device, event)?];
                    self.clear(lpi);
                    Ok(())
                }
                Err(error) => Err(error),
            },
            Action::Inv { device, event } => match self.lpi(0x01_0c00, device, event) {
                Err(0x01_0c10) if self.needs_no_collection() => {
                    let (lpi, _) = self.itts[&self.entry(0x01_0c00, device, event)?];
                    self.look_at(lpi);
                    Ok(())
                }
                other => other.map(|(lpi, _)| self.look_at(lpi)),
            },
            Action::Discard { device, event } => self.discard(device, event),
            Action::Invall { icid } => {
                if self.spec.its[0].choices.invall_scope == InvallScope::Everywhere {
                    return Ok(());
                }
                match self.collections.get(&icid) {
                    _ if icid > 15 => Err(0x01_0d03),
                    None => Err(0x01_0d09),
                    Some(&cpu) => {
                        let here = |lpi: &&mut Lpi| lpi.cpu == Some(cpu);
                        self.lpis.values_mut().filter(here).for_each(|lpi| lpi.shelved = false);
                        Ok(())
                    }
                }
            }
            Action::Movall { from, to } => self.movall(from, to),
            Action::Sync { .. } | Action::Message { .. } | Action::Take { .. } => Ok(()),
        }
    }

    fn discard(&mut self, device: u32, event: u32) -> Answer {
        let (lpi, cpu) = self.lpi(0x01_0f00, device, event)?;
        let entry = self.entry(0x01_0f00, device, event)?;
        self.itts.remove(&entry);
        match self.has_lpis() {
            true => self.release(lpi),
            false => {
                self.pending[cpu].remove(&lpi);
            }
        }
        Ok(())
    }

    fn movall(&mut self, from: u64, to: u64) -> Answer {
        if from >= CPUS || to >= CPUS {
            let own = if from >= CPUS { 0x01_0e20 } else { 0x01_0e21 };
            return Err(if self.is_gic600() { own } else { 0x01_0e01 });
        }
        if from != to && self.has_lpis() {
            let here = self.lpis.iter().filter(|(_, lpi)| lpi.cpu == Some(from));
            for lpi in here.map(|(lpi, _)| *lpi).collect::<Vec<_>>() {
                self.take_to(lpi, to);
            }
        } else if from != to {
            let moved = core::mem::take(&mut self.pending[from as usize]);
            self.pending[to as usize].extend(moved);
        }
        Ok(())
    }

    /// The result of a message: `Err` is the lowest byte of INT's syndrome.
    fn message(&mut self, device: u32, event: u32) -> Result<(), u32> {
        let mut event = event;
        let cuts = self.spec.its[0].choices.event_beyond == EventBeyond::Cut;
        if let Some((_, bits)) = self.devices.get(&device).filter(|_| cuts) {
            event &= (1 << bits) - 1;
        }
        let (lpi, cpu) = self.lpi(0, device, event)?;
        self.pend(lpi, cpu);
        Ok(())
    }

    /// An LPI is no longer pending, at any CPU.
    fn clear(&mut self, lpi: u32) {
        for pending in &mut self.pending {
            pending.remove(&lpi);
        }
        if let Some(known) = self.lpis.get_mut(&lpi) {
            (known.pending, known.shelved) = (false, false);
        }
    }

    /// Offers a shelved LPI to its CPU again.
    fn look_at(&mut self, lpi: u32) {
        if let Some(known) = self.lpis.get_mut(&lpi) {
            known.shelved = false;
        }
    }

    /// A CPU acknowledges an LPI. Returns whether it could.
    fn take(&mut self, lpi: u32, cpu: usize) -> bool {
        let shelved = self.lpis.get(&lpi).is_some_and(|lpi| lpi.shelved);
        let taken = !shelved && self.pending[cpu].remove(&lpi);
        self.forget(lpi);
        taken
    }
}

fn byte(why: Untranslated) -> u32 {
    match why {
        Untranslated::DeviceOutOfRange => 1,
        Untranslated::UnmappedDevice => 4,
        Untranslated::NoDevicePage => 0x01_0b04,
        Untranslated::EventOutOfRange => 5,
        Untranslated::UnmappedEvent => 7,
        Untranslated::UnmappedCollection => 0x10,
        Untranslated::Disabled | Untranslated::Abort(_) => panic!("{why:?}"),
    }
}

fn device() -> impl Strategy<Value = u32> {
    prop_oneof![12 => 1u32..4, 1 => Just(8190u32), 1 => 8191u32..8194, 1 => Just(0x1_0001u32)]
}

fn event() -> impl Strategy<Value = u32> {
    prop_oneof![12 => 0u32..5, 1 => 14u32..18, 1 => 8190u32..8200, 1 => any::<u32>()]
}

fn icid() -> impl Strategy<Value = u16> {
    prop_oneof![12 => 0u16..4, 1 => 14u16..18, 1 => any::<u16>()]
}

pub(super) fn action() -> impl Strategy<Value = Action> {
    let lpi = prop_oneof![12 => 8192u32..8200, 1 => 8190u32..8192, 1 => 65534u32..65538];
    let cpu = || prop_oneof![12 => 0u64..4, 1 => 4u64..6];
    let bits = prop_oneof![4 => 2u64..5, 1 => Just(14u64), 1 => 15u64..19];
    prop_oneof![
        // Each device has two tables of its own: the KVM ABI cannot represent a shared one.
        3 => (device(), bits, 0u64..2, prop::bool::weighted(0.8)).prop_map(
            |(device, bits, which, valid)| {
                let itt = u64::from(device % 8) * 2 + which;
                Action::Mapd { device, bits, itt, valid }
            },
        ),
        3 => (icid(), cpu(), prop::bool::weighted(0.8))
            .prop_map(|(icid, cpu, valid)| Action::Mapc { icid, cpu, valid }),
        6 => (device(), event(), lpi, icid())
            .prop_map(|(device, event, lpi, icid)| Action::Mapti { device, event, lpi, icid }),
        1 => (device(), event(), icid())
            .prop_map(|(device, event, icid)| Action::Mapi { device, event, icid }),
        3 => (device(), event(), icid())
            .prop_map(|(device, event, icid)| Action::Movi { device, event, icid }),
        3 => (device(), event()).prop_map(|(device, event)| Action::Int { device, event }),
        1 => (device(), event()).prop_map(|(device, event)| Action::Clear { device, event }),
        1 => (device(), event()).prop_map(|(device, event)| Action::Inv { device, event }),
        2 => (device(), event()).prop_map(|(device, event)| Action::Discard { device, event }),
        1 => icid().prop_map(|icid| Action::Invall { icid }),
        1 => (cpu(), cpu()).prop_map(|(from, to)| Action::Movall { from, to }),
        1 => cpu().prop_map(|cpu| Action::Sync { cpu }),
        6 => (device(), event()).prop_map(|(device, event)| Action::Message { device, event }),
        2 => (0u16..4).prop_map(|cpu| Action::Take { cpu }),
    ]
}

/// Submits a command as a driver that recovers a stalled queue: it replaces the command by a SYNC.
pub(super) fn submit(board: &mut Board, words: [u64; 4]) -> Result<Answer, TestCaseError> {
    let place = board.writer;
    board.submit(words);
    let step = |board: &mut Board| {
        let kit = &mut board.board;
        let _ = kit.gic.step(&mut kit.memory);
    };
    step(board);
    let answer = match &board.reports()[..] {
        [] => Ok(()),
        [report] => match report.failure {
            Failure::Command(error) => Err(error.syndrome()),
            Failure::Memory(at) => return Err(TestCaseError::fail(format!("abort {at}"))),
        },
        more => return Err(TestCaseError::fail(format!("{more:?}"))),
    };
    if board.r64(ITS, 0x90) & 1 != 0 {
        prop_assert!(answer.is_err());
        prop_assert_eq!(board.r64(ITS, 0x90), place | 1);
        // All four doublewords, since some presets check bits that must be zero.
        (0..4).zip([5, 0, 0, 0]).for_each(|(n, word)| board.put(QUEUE + place + 8 * n, word));
        let writer = board.writer;
        board.w64(ITS, 0x88, writer | 1);
        step(board);
    }
    prop_assert_eq!(board.r64(ITS, 0x90), board.writer, "every command is answered");
    Ok(answer)
}

pub(super) fn synchronise(board: &mut Board) {
    for cpu in 0..CPUS {
        board.sync(cpu);
    }
    board.settle();
}

/// Software zeroes a table before MAPD names it. KVM writes into the table when it is saved;
/// elsewhere the table's contents are part of what is compared.
fn zero_table(board: &mut Board, preset: Preset, action: Action) {
    if let (Preset::KvmAbi0, Action::Mapd { itt, .. }) = (preset, action) {
        let table = Span::from_size(PhysAddr::new(ITTS + (itt << 20)), 8 << 16).expect("it ends");
        board.board.memory.zero(table).expect("it is memory");
    }
}

fn run(preset: Preset, actions: &[Action], migrations: bool) -> Result<(), TestCaseError> {
    let mut spec = Implementation::of(preset, CPUS as u16, 32);
    spec.its[0].features.collection_bits = Some(4);
    let mut board = Board::without_collections(spec.clone());
    for lpi in 8192..8208 {
        board.configure(lpi, 0xa3);
    }
    let mut model = Model::new(spec);
    for (n, &action) in actions.iter().enumerate() {
        match action {
            Action::Message { device, event } => {
                let expected = model.message(device, event);
                let seen = match board.message(device, event) {
                    Arrival::Raised { .. } => Ok(()),
                    Arrival::Untranslated(why) => Err(byte(why)),
                    Arrival::Ignored => return Err(TestCaseError::fail("ignored")),
                };
                prop_assert_eq!(seen, expected, "{:?}", action);
            }
            Action::Take { cpu } => {
                let taken: BTreeSet<_> = board.drain(cpu).into_iter().collect();
                for lpi in taken {
                    prop_assert!(model.take(lpi, usize::from(cpu)));
                }
                // For other LPIs it depends on when configuration was read.
                let waits = |lpi: &&u32| {
                    model.lpis.get(lpi).is_some_and(|known| is_enabled(**lpi) && !known.shelved)
                };
                prop_assert_eq!(model.pending[usize::from(cpu)].iter().find(waits), None);
            }
            _ => {
                let words = action.words().expect("a command");
                let expected = model.perform(action);
                zero_table(&mut board, preset, action);
                prop_assert_eq!(submit(&mut board, words)?, expected, "{:?}", action);
            }
        }
        if matches!(preset, Preset::Adversarial(_)) {
            synchronise(&mut board);
        }
        if migrations && n % 5 == 4 {
            super::migration::migrate(&mut board);
            model.migrated();
        }
        for cpu in 0..CPUS as u16 {
            let expected: Vec<_> = model.pending[usize::from(cpu)].iter().copied().collect();
            prop_assert_eq!(board.pending_lpis(cpu), expected, "CPU {} {:?}", cpu, action);
        }
    }
    Ok(())
}

fn preset() -> impl Strategy<Value = Preset> {
    prop_oneof![
        Just(Preset::ArchStrict),
        Just(Preset::Qemu),
        Just(Preset::KvmAbi0),
        Just(Preset::Gic600),
        any::<u64>().prop_map(Preset::Adversarial),
    ]
}

proptest! {
    #[test]
    fn does_what_the_obvious_one_does(
        preset in preset(),
        actions in prop::collection::vec(action(), 0..120),
    ) {
        run(preset, &actions, false)?;
    }

    #[test]
    fn and_migrates_in_between(
        preset in preset(),
        actions in prop::collection::vec(action(), 0..80),
    ) {
        run(preset, &actions, true)?;
    }
}
