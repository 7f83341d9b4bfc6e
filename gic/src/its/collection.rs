//! Collections: from an ICID to a CPU, held by the ITS or in memory. IHI 0069 H 5.2.

use super::Its;
use super::entry::{Ite, Layout};
use super::table::{Missing, Table};
use crate::Cpu;
use passim_model::{Abort, Memory, PhysAddr};

/// Why a collection cannot be looked up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoCollection {
    /// The ICID is out of range.
    OutOfRange,
    /// Memory did not answer.
    Abort(PhysAddr),
}

impl From<Abort> for NoCollection {
    fn from(abort: Abort) -> Self {
        Self::Abort(abort.0)
    }
}

/// Maximum number of entries read from a list: one for each ICID.
const MOST: u64 = 1 << 16;

impl Its {
    /// Whether the ITS supports an ICID.
    pub(super) fn has_collection(&self, icid: u16) -> bool {
        let features = &self.implementation.features;
        if u32::from(icid) >> features.icid_bits() != 0 {
            return false;
        }
        if icid < u16::from(features.held_collections) {
            return true;
        }
        // KVM's find_collection reads no table for existing collections.
        if self.internal.is_some() {
            return true;
        }
        // GIC-600, whose table is flat: 101206_0003_04, page 82, out of range by GITS_BASER1.
        u64::from(icid) < self.registers.collections().map_or(0, Table::room)
    }

    /// Whether an ITS with internal tables has this collection, or memory has a place for it, as in
    /// an array even where the layout is a list.
    // As KVM's vgic_its_check_id for a new collection.
    pub(super) fn has_or_can_have(&self, icid: u16, memory: &Memory) -> bool {
        let Some(internal) = &self.internal else { return self.has_collection(icid) };
        let held = usize::from(icid) < self.held.len();
        held || internal.has_collection(icid) || self.has_place(icid, memory)
    }

    /// Whether memory can be read where a collection's entry would be in an array.
    pub(super) fn has_place(&self, icid: u16, memory: &Memory) -> bool {
        let table = self.registers.collections();
        let at = table.and_then(|table| table.entry(u64::from(icid), memory).ok());
        at.is_some_and(|at| memory.load_u64(at).is_ok())
    }

    /// The CPU of an event's collection; `None` if that is not mapped, or there is none.
    pub(super) fn collection_of(
        &self,
        ite: Ite,
        memory: &Memory,
    ) -> Result<Option<Cpu>, NoCollection> {
        ite.icid.map_or(Ok(None), |icid| self.collection(icid, memory))
    }

    /// The CPU of a collection; `None` if it is not mapped.
    pub(super) fn collection(
        &self,
        icid: u16,
        memory: &Memory,
    ) -> Result<Option<Cpu>, NoCollection> {
        if !self.has_collection(icid) {
            return Err(NoCollection::OutOfRange);
        }
        if let Some(held) = self.held.get(usize::from(icid)) {
            return Ok(*held);
        }
        if let Some(internal) = &self.internal {
            return Ok(internal.collection(icid));
        }
        let Some(table) = self.registers.collections() else {
            return Err(NoCollection::OutOfRange);
        };
        let layout = self.implementation.features.layout;
        let word = match layout.lists_collections() {
            false => load(table, layout, u64::from(icid), memory)?.unwrap_or(0),
            true => find(table, layout, icid, memory)?.map_or(0, |(_, word)| word),
        };
        // An entry with a CPU that does not exist maps nothing.
        Ok(layout.cte(word).and_then(|(_, cpu)| cpu).filter(|cpu| cpu.get() < self.cpus))
    }

    /// Maps or unmaps a collection.
    pub(super) fn set_collection(
        &mut self,
        icid: u16,
        cpu: Option<Cpu>,
        memory: &mut Memory,
    ) -> Result<(), NoCollection> {
        if let Some(held) = self.held.get_mut(usize::from(icid)) {
            *held = cpu;
            return Ok(());
        }
        if cpu.is_some() && !self.has_or_can_have(icid, memory) {
            return Err(NoCollection::OutOfRange);
        }
        if let Some(internal) = self.internal.as_mut() {
            match cpu {
                Some(cpu) => internal.map_collection(icid, cpu),
                None => internal.remove_collection(icid),
            }
            return Ok(());
        }
        let Some(table) = self.registers.collections() else {
            return Err(NoCollection::OutOfRange);
        };
        let layout = self.implementation.features.layout;
        match layout.lists_collections() {
            false => {
                let word = cpu.map_or(0, |cpu| layout.spell_cte(icid, cpu));
                match table.entry(u64::from(icid), memory) {
                    Ok(at) => Ok(layout.store_cte(at, word, memory)?),
                    // Without a page there is no entry, and nothing to unmap.
                    Err(Missing::NoPage) if cpu.is_none() => Ok(()),
                    Err(Missing::NoPage | Missing::Beyond) => Err(NoCollection::OutOfRange),
                    Err(Missing::Abort(at)) => Err(NoCollection::Abort(at)),
                }
            }
            true => match cpu {
                Some(cpu) => put(table, icid, layout.spell_cte(icid, cpu), memory),
                None => remove(table, icid, memory),
            },
        }
    }
}

impl Table {
    /// The collections of a list, with their CPUs if they are mapped.
    pub(super) fn listed(self, memory: &Memory) -> Vec<(u16, Option<Cpu>)> {
        let word = |n| load(self, Layout::Kvm0, n, memory).ok().flatten();
        (0..MOST).map_while(|n| Layout::Kvm0.cte(word(n)?)).collect()
    }
}

/// The value of an entry; `None` if the table has no room for it.
fn load(
    table: Table,
    layout: Layout,
    n: u64,
    memory: &Memory,
) -> Result<Option<u64>, NoCollection> {
    match table.entry(n, memory) {
        Ok(at) => Ok(Some(layout.load_cte(at, memory)?)),
        Err(Missing::NoPage | Missing::Beyond) => Ok(None),
        Err(Missing::Abort(at)) => Err(NoCollection::Abort(at)),
    }
}

/// Stores the value of an entry of a list. Returns whether the table has room for it.
fn store(table: Table, n: u64, word: u64, memory: &mut Memory) -> Result<bool, NoCollection> {
    match table.entry(n, memory) {
        Ok(at) => {
            Layout::Kvm0.store_cte(at, word, memory)?;
            Ok(true)
        }
        Err(Missing::NoPage | Missing::Beyond) => Ok(false),
        Err(Missing::Abort(at)) => Err(NoCollection::Abort(at)),
    }
}

/// Index and value of a collection's entry in a list.
fn find(
    table: Table,
    layout: Layout,
    icid: u16,
    memory: &Memory,
) -> Result<Option<(u64, u64)>, NoCollection> {
    for n in 0..MOST {
        let Some(word) = load(table, layout, n, memory)? else { break };
        match layout.cte(word) {
            Some((found, _)) if found == icid => return Ok(Some((n, word))),
            Some(_) => {}
            None => break,
        }
    }
    Ok(None)
}

/// Number of entries in a list.
fn length(table: Table, memory: &Memory) -> Result<u64, NoCollection> {
    for n in 0..MOST {
        let word = load(table, Layout::Kvm0, n, memory)?;
        if word.is_none_or(|word| Layout::Kvm0.cte(word).is_none()) {
            return Ok(n);
        }
    }
    Ok(MOST)
}

/// Writes a collection's entry in a list, in its place or at the end.
fn put(table: Table, icid: u16, word: u64, memory: &mut Memory) -> Result<(), NoCollection> {
    let known = find(table, Layout::Kvm0, icid, memory)?;
    let n = match known {
        Some((n, _)) => n,
        None => length(table, memory)?,
    };
    if !store(table, n, word, memory)? {
        return Err(NoCollection::OutOfRange);
    }
    if known.is_none() {
        // The list ended here; if there is room, it now ends one entry later.
        store(table, n + 1, 0, memory)?;
    }
    Ok(())
}

/// Removes a collection from a list; the entries after it move up.
fn remove(table: Table, icid: u16, memory: &mut Memory) -> Result<(), NoCollection> {
    let Some((n, _)) = find(table, Layout::Kvm0, icid, memory)? else { return Ok(()) };
    for n in n..MOST {
        let next = load(table, Layout::Kvm0, n + 1, memory)?
            .filter(|word| Layout::Kvm0.cte(*word).is_some());
        store(table, n, next.unwrap_or(0), memory)?;
        if next.is_none() {
            break;
        }
    }
    Ok(())
}
