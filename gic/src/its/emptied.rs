//! Tables that a store to GITS_BASER leaves without Valid, where what they map is forgotten with that
//! ([`InvalidTable`](crate::choice::its::InvalidTable)). Where the state of an ITS is in its tables they
//! are emptied.

use super::Its;
use super::orphans::Orphans;
use super::table::Table;
use super::wire::DEVICES;
use passim_model::Memory;
use std::collections::BTreeSet;

impl Its {
    /// Empties the tables that stores have made invalid since the last call.
    pub(crate) fn empty_tables(&mut self, memory: &mut Memory) {
        for (n, table) in core::mem::take(&mut self.emptied) {
            if n == DEVICES {
                self.empty_devices(table, memory);
            } else {
                self.empty_collections(table, memory);
            }
        }
    }

    /// No device is mapped, and with them no event. KVM's vgic_its_free_device_list.
    fn empty_devices(&mut self, table: Option<Table>, memory: &mut Memory) {
        let entries = 1 << self.implementation.features.device_bits;
        match (&mut self.kept, table) {
            (Some(kept), _) => kept.clear_devices(),
            (None, Some(table)) => table.zero(entries, memory),
            (None, None) => {}
        }
        self.tell_all();
        self.orphans = Orphans::default();
    }

    /// No collection is mapped, and events lose theirs for good. KVM's
    /// vgic_its_free_collection_list.
    fn empty_collections(&mut self, table: Option<Table>, memory: &mut Memory) {
        let icids: BTreeSet<_> =
            self.events(memory).into_iter().filter_map(|(_, icid)| icid).collect();
        for icid in icids {
            // An event in memory that does not answer is mapped to nothing either way.
            let _ = self.orphan(icid, memory);
        }
        let entries = 1 << self.implementation.features.icid_bits();
        match (&mut self.kept, table) {
            (Some(kept), _) => kept.clear_collections(),
            (None, Some(table)) => table.zero(entries, memory),
            (None, None) => {}
        }
    }
}
