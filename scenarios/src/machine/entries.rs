//! Whose streams are those of another device, as far as an SMMU and its driver can tell.

use std::collections::BTreeMap;

use passim_model::{Endpoint, StreamId};
use passim_vfio::policy::Smmu2Entries;

use super::Iommu;
use super::groups::Contradiction;

/// What an IOMMU's driver makes of a stream of two devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sharing {
    /// The second gets neither group nor driver.
    Refused,
    /// It does not look.
    Unseen,
    /// They share a stream mapping entry, whose register does not compare these bits.
    Entries {
        /// `stream-match-mask`.
        mask: u32,
    },
}

/// Who had which stream first, IOMMU by IOMMU.
#[derive(Debug)]
pub(super) struct Streams {
    sharing: Vec<Sharing>,
    first: BTreeMap<(usize, u32), Endpoint>,
}

impl Streams {
    /// Nobody's streams, of a kernel whose driver of SMMUv2s has these entries.
    pub(super) fn new(iommu: &Iommu, entries: Smmu2Entries) -> Self {
        let sharing = match iommu {
            Iommu::SmmuV2(smmus) => {
                let of = |smmu: &super::SmmuV2| match entries {
                    Smmu2Entries::OfTheDomain => Sharing::Unseen,
                    Smmu2Entries::OfTheDevice => Sharing::Entries { mask: smmu.stream_match_mask },
                };
                smmus.iter().map(of).collect()
            }
            _ => vec![Sharing::Refused; iommu.count()],
        };
        Self { sharing, first: BTreeMap::new() }
    }

    /// A device has these streams from now on. The answer is the one before it whose group it
    /// joins, because an entry has streams of both.
    ///
    /// # Errors
    /// [`Contradiction`]: it is behind no SMMU, or one that has it left out.
    pub(super) fn take(
        &mut self,
        device: Endpoint,
        smmu: Option<usize>,
        streams: &[StreamId],
    ) -> Result<Option<Endpoint>, Contradiction> {
        let Some(smmu) = smmu else {
            return Err(Contradiction {
                device,
                message: format!("{device} has a group, but is behind no SMMU"),
                hint: "say `group = \"none\"`, or give it an `smmu`".to_owned(),
            });
        };
        if self.sharing.get(smmu) == Some(&Sharing::Refused) {
            self.refuse(device, smmu, streams)?;
        }
        let joined = self.joined(device, smmu, streams);
        for stream in streams {
            if let Some(key) = self.key(smmu, *stream) {
                self.first.entry(key).or_insert(device);
            }
        }
        Ok(joined)
    }

    /// The device before this one whose group it joins, or would join if it came.
    // 6.12 arm-smmu.c, arm_smmu_device_group: each entry overwrites what the one before it said, so
    // the last decides.
    pub(super) fn joined(
        &self,
        device: Endpoint,
        smmu: usize,
        streams: &[StreamId],
    ) -> Option<Endpoint> {
        let Some(Sharing::Entries { .. }) = self.sharing.get(smmu) else { return None };
        let last = self.first(smmu, *streams.last()?)?;
        (last != device).then_some(last)
    }

    /// Measured on 6.1 and 6.12: a device whose stream is another's gets neither group nor driver.
    fn refuse(
        &self,
        device: Endpoint,
        smmu: usize,
        streams: &[StreamId],
    ) -> Result<(), Contradiction> {
        let taken = |stream: &StreamId| {
            let first = self.first(smmu, *stream).filter(|first| *first != device)?;
            Some((*stream, first))
        };
        let Some((stream, first)) = streams.iter().find_map(taken) else { return Ok(()) };
        Err(Contradiction {
            device,
            message: format!(
                "stream {stream} of {device} is already {first}'s: the kernel gives it neither group \
                 nor driver"
            ),
            hint: "leave `driver` and `group` out for one of the two".to_owned(),
        })
    }

    /// Who had the entry of a stream first.
    pub(super) fn first(&self, smmu: usize, stream: StreamId) -> Option<Endpoint> {
        self.first.get(&self.key(smmu, stream)?).copied()
    }

    /// The streams that one entry has.
    fn key(&self, smmu: usize, stream: StreamId) -> Option<(usize, u32)> {
        match self.sharing.get(smmu) {
            Some(Sharing::Unseen) => None,
            Some(Sharing::Entries { mask }) => Some((smmu, stream.get() & !mask)),
            Some(Sharing::Refused) | None => Some((smmu, stream.get())),
        }
    }
}
