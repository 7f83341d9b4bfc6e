//! Maps requester IDs to StreamIDs of an SMMU and DeviceIDs of an ITS.
//!
//! Devicetree, pci-iommu.txt and pci-msi.txt: `iommu-map` and `msi-map`, each with a mask that is
//! applied first. Without a map StreamID and DeviceID are the requester ID.

use passim_model::{DeviceId, Rid, StreamId};

/// A range of requester IDs and what it maps to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry<T> {
    /// The first requester ID, after the mask.
    pub(super) first: u16,
    /// Number of requester IDs.
    pub(super) count: u32,
    /// What the first maps to; the others follow.
    pub(super) to: T,
}

impl<T> Entry<T> {
    /// The offset of `rid` from the first; `None` outside of the range.
    fn distance(&self, rid: u16) -> Option<u32> {
        let distance = u32::from(rid.checked_sub(self.first)?);
        (distance < self.count).then_some(distance)
    }
}

/// A map: a mask, and ranges of which the first match applies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Map<T> {
    pub(super) mask: u16,
    pub(super) entries: Vec<Entry<T>>,
}

/// Both maps; `None` is the identity.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Ids {
    /// To an SMMU, by its index, and the StreamID of the first requester ID.
    pub(super) streams: Option<Map<(usize, u32)>>,
    /// To an ITS, by its index, and the DeviceID of the first requester ID.
    pub(super) devices: Option<Map<(usize, u32)>>,
    /// `msi-parent`: the ITS of requester IDs in no range, or of all where there is no map.
    pub(super) msi_parent: Option<usize>,
}

impl<T> Map<T> {
    // 6.12 of/base.c, of_map_id.
    fn find(&self, rid: Rid) -> Option<(&T, u32)> {
        let masked = rid.get() & self.mask;
        self.entries.iter().find_map(|entry| Some((&entry.to, entry.distance(masked)?)))
    }
}

impl Ids {
    /// The SMMU that transactions under `rid` pass, and their StreamID there; `None` if they pass
    /// none.
    pub(super) fn stream(&self, rid: Rid) -> Option<(usize, StreamId)> {
        let Some(map) = &self.streams else { return Some((0, StreamId::new(rid.get().into()))) };
        let ((smmu, first), distance) = map.find(rid)?;
        Some((*smmu, StreamId::new(first.wrapping_add(distance))))
    }

    /// The ITS that firmware names for messages under `rid`, `None` if it names none, and their
    /// DeviceID. A requester ID in no range is its own DeviceID.
    // 6.12 of/irq.c, of_msi_map_get_device_domain; a function without an MSI domain of its own has
    // that of its bus, which pci_host_bridge_of_msi_domain finds by `msi-parent`. Without a map
    // either, a machine file means the one controller there is.
    pub(super) fn message(&self, rid: Rid) -> (Option<usize>, DeviceId) {
        let own = DeviceId::new(rid.get().into());
        let Some(map) = &self.devices else { return (self.msi_parent.or(Some(0)), own) };
        match map.find(rid) {
            Some(((its, first), distance)) => {
                (Some(*its), DeviceId::new(first.wrapping_add(distance)))
            }
            None => (self.msi_parent, own),
        }
    }
}
