//! Tables after a store that changes their GITS_BASER, where that unmaps what they held
//! ([`ChangedTable`](crate::choice::its::ChangedTable)). Tables in memory are zeroed.

use super::Its;
use super::orphans::Orphans;
use super::table::Table;
use super::wire::DEVICES;
use passim_model::Memory;

impl Its {
    /// Empties the tables whose GITS_BASER changed since the last call.
    pub(crate) fn empty_tables(&mut self, memory: &mut Memory) {
        for (n, table) in core::mem::take(&mut self.emptied) {
            if n == DEVICES {
                self.empty_devices(table, memory);
            } else {
                self.empty_collections(table, memory);
            }
        }
    }

    /// Unmaps all devices and with them all events. KVM's vgic_its_free_device_list.
    fn empty_devices(&mut self, table: Table, memory: &mut Memory) {
        let entries = 1 << self.implementation.features.device_bits;
        match &mut self.internal {
            Some(internal) => internal.clear_devices(),
            None => table.zero(entries, memory),
        }
        self.notify_all();
        self.orphans = Orphans::default();
    }

    /// Unmaps all collections; events lose theirs for good. KVM's vgic_its_free_collection_list.
    fn empty_collections(&mut self, table: Table, memory: &mut Memory) {
        self.orphan_all(memory);
        let entries = 1 << self.implementation.features.icid_bits();
        match &mut self.internal {
            Some(internal) => internal.clear_collections(),
            None => table.zero(entries, memory),
        }
    }
}
