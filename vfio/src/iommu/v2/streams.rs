//! The stream mapping table: which entries a device's StreamIDs have, and what the entries do.
//!
//! Not here: when an entry is written (`attach`, `work`).

use super::probe::{Features, StreamMapping};
use super::wire::{
    S2CR_PRIVCFG_UNPRIV, S2CR_TYPE_BYPASS, S2CR_TYPE_FAULT, S2CR_TYPE_TRANS, S2cr, Smr, gr0,
};
use super::work::Work;
use crate::iommu::BootError;
use crate::policy::{Policy, Smmu2Entries, Smmu2Privilege, Smmu2Unattached};
use passim_model::StreamId;

/// What an entry does with its streams.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// Translates them through the context bank with this number.
    Bank(u8),
    /// Bypasses translation.
    Bypass,
    /// Faults every access.
    Fault,
}

impl Way {
    /// For streams that are in no domain.
    pub(super) fn unattached(choice: Smmu2Unattached) -> Self {
        match choice {
            Smmu2Unattached::Bypass => Self::Bypass,
            Smmu2Unattached::Fault => Self::Fault,
        }
    }
}

/// One entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Entry {
    /// StreamID and mask, while the entry is valid.
    matches: Option<(u32, u32)>,
    /// StreamID and mask that its register keeps while it is not valid.
    kept: (u32, u32),
    way: Way,
    /// StreamIDs of devices that use it.
    users: u32,
    /// The group of those devices.
    group: u32,
}

/// The table. See the [module](self).
#[derive(Debug)]
pub(super) struct StreamMap {
    entries: Vec<Entry>,
    mapping: StreamMapping,
    extended_ids: bool,
    /// What entries without users do.
    rest: Way,
    privilege: Smmu2Privilege,
    /// A disabled bank through which streams bypass, where S2CR cannot encode that.
    bypass_bank: Option<u8>,
}

impl StreamMap {
    /// Creates a table without users.
    pub(super) fn new(features: &Features, policy: &Policy) -> Self {
        let rest = Way::unattached(policy.smmu2_unattached);
        let free = Entry { matches: None, kept: (0, 0), way: rest, users: 0, group: 0 };
        Self {
            bypass_bank: None,
            entries: vec![free; features.groups],
            mapping: features.mapping,
            extended_ids: features.extended_ids,
            rest,
            privilege: policy.smmu2_privilege,
        }
    }

    /// Lets streams bypass through this bank from now on.
    pub(super) fn bypass_through(&mut self, bank: u8) {
        self.bypass_bank = Some(bank);
    }

    /// The bank through which streams bypass, if one is needed.
    pub(super) fn bypass_bank(&self) -> Option<u8> {
        self.bypass_bank
    }

    /// Whether StreamIDs are the numbers of entries.
    pub(super) fn is_indexed(&self) -> bool {
        self.mapping == StreamMapping::Indexed
    }

    /// The group of the devices that use the entry for these streams.
    pub(super) fn group_of(&self, stream: StreamId, mask: u32) -> Option<u32> {
        let entry = self.entries.get(self.find(stream, mask).ok()?)?;
        (entry.users > 0).then_some(entry.group)
    }

    /// Allocates entries for these StreamIDs of a device, with the mask that firmware gives all of
    /// them; entries that were unused before have to be [written](Self::write).
    ///
    /// # Errors
    /// Where an entry would match some but not all streams of another, where devices of two groups
    /// would share one, and where entries run out. Nothing is allocated then.
    pub(super) fn take(
        &mut self,
        streams: &[StreamId],
        mask: u32,
        group: u32,
    ) -> Result<Vec<usize>, BootError> {
        let mut taken = Vec::with_capacity(streams.len());
        for stream in streams {
            match self.take_one(*stream, mask, group) {
                Ok(index) => taken.push(index),
                Err(error) => {
                    self.give_back(&taken);
                    return Err(error);
                }
            }
        }
        Ok(taken)
    }

    fn take_one(&mut self, stream: StreamId, mask: u32, group: u32) -> Result<usize, BootError> {
        let index = self.find(stream, mask)?;
        let entry = &mut self.entries[index];
        if entry.users == 0 {
            entry.group = group;
            if self.mapping == StreamMapping::Matched {
                entry.matches = Some((stream.get(), mask));
            }
        } else if entry.group != group {
            // Groups are known beforehand; 6.12 arm-smmu.c, arm_smmu_device_group, merges them.
            return Err(BootError::StreamTaken(stream));
        }
        entry.users += 1;
        Ok(index)
    }

    /// The index of the entry for these streams, shared or free.
    // 6.12 arm-smmu.c, arm_smmu_find_sme: an entry that matches them all is shared; one that
    // matches some would make two entries match one stream.
    fn find(&self, stream: StreamId, mask: u32) -> Result<usize, BootError> {
        let id = stream.get();
        if self.mapping == StreamMapping::Indexed {
            return Ok(id as usize);
        }
        let mut free = None;
        for (index, entry) in self.entries.iter().enumerate() {
            let Some((other, others)) = entry.matches else {
                free = free.or(Some(index));
                continue;
            };
            if mask & others == mask && (id ^ other) & !others == 0 {
                return Ok(index);
            }
            if (id ^ other) & !(others | mask) == 0 {
                return Err(BootError::StreamConflict(stream));
            }
        }
        free.ok_or(BootError::NoStreamEntry(stream))
    }

    /// Allocates an entry without a mask for each of these StreamIDs, which devices of one group
    /// share. They have to be [written](Self::enter).
    ///
    /// # Errors
    /// Where entries run out; nothing is allocated then.
    // About 4.5 arm-smmu.c, arm_smmu_master_configure_smrs: the first free ones. A group has no
    // StreamID twice (arm_smmu_init_pci_device); entries of other groups are not checked, and a
    // StreamID in two groups matches twice.
    pub(super) fn take_each(
        &mut self,
        streams: &[StreamId],
        group: u32,
    ) -> Result<Vec<usize>, BootError> {
        let mut taken = Vec::with_capacity(streams.len());
        for stream in streams {
            let Some(index) = self.find_each(*stream, group) else {
                self.give_back(&taken);
                return Err(BootError::NoStreamEntry(*stream));
            };
            let matches = (self.mapping == StreamMapping::Matched).then_some((stream.get(), 0));
            let entry = &mut self.entries[index];
            *entry = Entry { matches, users: entry.users + 1, group, ..*entry };
            taken.push(index);
        }
        Ok(taken)
    }

    fn find_each(&self, stream: StreamId, group: u32) -> Option<usize> {
        if self.mapping == StreamMapping::Indexed {
            return Some(stream.get() as usize);
        }
        let matches = Some((stream.get(), 0));
        let own = |entry: &Entry| entry.group == group && entry.matches == matches;
        let free = |entry: &Entry| entry.matches.is_none();
        self.entries.iter().position(own).or_else(|| self.entries.iter().position(free))
    }

    /// Sets what newly allocated entries do: the stores to SMR, then to S2CR.
    pub(super) fn enter(&mut self, indices: &[usize], way: Way) -> Vec<Work> {
        let mut acts: Vec<_> =
            indices.iter().filter_map(|index| self.write_match(*index)).collect();
        acts.extend(self.send(indices, way));
        acts
    }

    /// Frees entries; returns the stores that invalidate them: to S2CR, then to SMR.
    // About 4.5 arm-smmu.c, arm_smmu_domain_remove_master and arm_smmu_master_free_smrs: every bit
    // of the register except VALID.
    pub(super) fn leave(&mut self, taken: Vec<usize>) -> Vec<Work> {
        let unused = self.give_back(&taken);
        let mut acts: Vec<_> = unused.iter().map(|index| self.write_way(*index)).collect();
        if self.mapping == StreamMapping::Matched {
            let value = u64::from(u32::MAX) & !Smr::VALID.mask();
            let none = |index: &usize| Work::Store { at: gr0::SMR + 4 * *index as u64, value };
            acts.extend(unused.iter().map(none));
        }
        acts
    }

    /// Frees entries; returns those without users left, which have to be [written](Self::write).
    pub(super) fn give_back(&mut self, taken: &[usize]) -> Vec<usize> {
        let mut unused = Vec::new();
        for index in taken {
            let entry = &mut self.entries[*index];
            entry.users = entry.users.saturating_sub(1);
            if entry.users == 0 {
                // 6.12 arm-smmu.c, arm_smmu_free_sme: the register keeps StreamID and mask.
                let kept = entry.matches.unwrap_or(entry.kept);
                *entry = Entry { matches: None, kept, way: self.rest, users: 0, group: 0 };
                unused.push(*index);
            }
        }
        unused
    }

    /// Changes what entries do; returns the stores.
    pub(super) fn send(&mut self, indices: &[usize], way: Way) -> Vec<Work> {
        let mut acts = Vec::new();
        for index in indices {
            if self.entries[*index].way != way {
                self.entries[*index].way = way;
                acts.push(self.write_way(*index));
            }
        }
        acts
    }

    /// The stores that write an entry to the SMMU: to S2CR, then to SMR.
    pub(super) fn write(&self, index: usize) -> Vec<Work> {
        [Some(self.write_way(index)), self.write_match(index)].into_iter().flatten().collect()
    }

    fn write_match(&self, index: usize) -> Option<Work> {
        let entry = &self.entries[index];
        let (id, mask) = entry.matches.unwrap_or(entry.kept);
        // With 16-bit StreamIDs VALID is the mask's last bit, and S2CR holds the valid bit.
        let valid = Smr::VALID.flag(entry.matches.is_some() && !self.extended_ids);
        let value = Smr::ID.of(id.into()) | u64::from(mask) << Smr::MASK.low() | valid;
        let matched = self.mapping == StreamMapping::Matched;
        matched.then_some(Work::Store { at: gr0::SMR + 4 * index as u64, value })
    }

    /// The stores to every entry at reset.
    // Until 4.8 arm-smmu.c, arm_smmu_device_reset: SMR is stored first, whether it exists or not.
    pub(super) fn write_all(&self, entries: Smmu2Entries) -> Vec<Work> {
        let all = 0..self.entries.len();
        match entries {
            Smmu2Entries::OfTheDevice => all.flat_map(|index| self.write(index)).collect(),
            Smmu2Entries::OfTheDomain => all
                .flat_map(|index| {
                    let at = gr0::SMR + 4 * index as u64;
                    [Work::Store { at, value: 0 }, self.write_way(index)]
                })
                .collect(),
        }
    }

    fn write_way(&self, index: usize) -> Work {
        let entry = &self.entries[index];
        let privilege = match self.privilege {
            Smmu2Privilege::Unprivileged => S2cr::PRIVCFG.of(S2CR_PRIVCFG_UNPRIV),
            Smmu2Privilege::Incoming => 0,
        };
        let through =
            |bank: u8| S2cr::TYPE.of(S2CR_TYPE_TRANS) | S2cr::CBNDX.of(bank.into()) | privilege;
        let way = match (entry.way, self.bypass_bank) {
            (Way::Bank(bank), _) | (Way::Bypass, Some(bank)) => through(bank),
            (Way::Bypass, None) => S2cr::TYPE.of(S2CR_TYPE_BYPASS),
            // 6.12 arm-smmu-qcom.c, qcom_smmu_write_s2cr: firmware that turns "bypass" into "fault"
            // ignores "fault".
            (Way::Fault, Some(_)) => S2cr::TYPE.of(S2CR_TYPE_BYPASS) | S2cr::CBNDX.of(0xff),
            (Way::Fault, None) => S2cr::TYPE.of(S2CR_TYPE_FAULT),
        };
        let valid = S2cr::EXIDVALID.flag(self.extended_ids && entry.matches.is_some());
        Work::Store { at: gr0::S2CR + 4 * index as u64, value: way | valid }
    }
}

#[cfg(test)]
mod tests;
