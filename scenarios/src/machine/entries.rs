//! Devices that share a stream, as an SMMU and its driver see it.

use std::collections::BTreeMap;

use passim_model::{Endpoint, StreamId};
use passim_vfio::policy::Smmu2Entries;

use super::Iommu;
use super::groups::Contradiction;

/// How an IOMMU's driver treats a stream of two devices.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Sharing {
    /// The second device gets neither group nor driver.
    Refused,
    /// The driver does not check.
    Unseen,
    /// The devices share a stream mapping entry, whose register masks these bits.
    Entries {
        /// `stream-match-mask`.
        mask: u32,
    },
}

/// The first device of each stream, per IOMMU.
#[derive(Debug)]
pub(super) struct Streams {
    sharing: Vec<Sharing>,
    first: BTreeMap<(usize, u32), Endpoint>,
}

impl Streams {
    /// No streams yet, for a kernel whose SMMUv2 driver assigns entries like this.
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

    /// Adds the streams of a device. Returns the earlier device whose group it joins, because both
    /// have streams in one entry.
    ///
    /// # Errors
    /// [`Contradiction`]: the device is behind no SMMU, or the kernel refuses it because another
    /// device has its stream.
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

    /// The earlier device whose group this one joins, or would join.
    // 6.12 arm-smmu.c, arm_smmu_device_group: each entry overwrites the group of the one before it,
    // so the last decides.
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

    /// Measured on 6.1 and 6.12: a device that has another's stream gets neither group nor driver.
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

    /// The first device with the entry of a stream.
    pub(super) fn first(&self, smmu: usize, stream: StreamId) -> Option<Endpoint> {
        self.first.get(&self.key(smmu, stream)?).copied()
    }

    /// The key of a stream's entry.
    fn key(&self, smmu: usize, stream: StreamId) -> Option<(usize, u32)> {
        match self.sharing.get(smmu) {
            Some(Sharing::Unseen) => None,
            Some(Sharing::Entries { mask }) => Some((smmu, stream.get() & !mask)),
            Some(Sharing::Refused) | None => Some((smmu, stream.get())),
        }
    }
}
