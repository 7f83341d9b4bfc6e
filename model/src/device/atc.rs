//! A device's own cache of translations: the ATC of PCIe ATS.
//!
//! An entry stays until an invalidation drops it. An invalidation that is missing, too small or too
//! early leaves a stale translation here, as in any TLB.

use crate::ats::{Completion, Grant, Invalidation, InvalidationEnd, TranslationRequest};
use crate::{Access, Iova, Perms, SubstreamId};
use std::collections::BTreeMap;

/// The key of a cached translation: PASID, privilege, log2 of the page, first address.
type Key = (Option<SubstreamId>, bool, u32, u64);

/// The translations that a device was granted and that no invalidation dropped.
#[derive(Clone, Debug, Default)]
pub struct Atc {
    entries: BTreeMap<Key, Grant>,
    /// Whether the device answers invalidations.
    silent: bool,
}

/// How a device issues an access to an address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Lookup {
    /// To this address, marked as translated: physical, or intermediate where stage 2 stays with
    /// the SMMU.
    Translated(u64),
    /// The cached answer does not permit the access.
    Refused,
    /// Nothing is cached: the device has to request a translation.
    Unknown,
}

impl Atc {
    /// An empty cache.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the device ignore invalidations from now on, as a broken one does: it drops nothing,
    /// and they end as [`InvalidationEnd::TimedOut`].
    pub fn set_silent(&mut self, silent: bool) {
        self.silent = silent;
    }

    /// Caches the answer to a request. PCIe: only a grant of some access may be cached, so any
    /// other answer leaves the cache as it is.
    pub fn fill(&mut self, request: &TranslationRequest, completion: &Completion) {
        if let Completion::Success(grant) = completion
            && !grant.perms.is_empty()
        {
            let substream = request.requester.substream;
            let first = request.iova.align_down(grant.lg2).get();
            self.entries.insert((substream, grant.privileged, grant.lg2, first), *grant);
        }
    }

    /// Looks up an access: the smallest page wins.
    pub fn lookup(&self, substream: Option<SubstreamId>, iova: Iova, access: Access) -> Lookup {
        let privileged = access.privilege == crate::Privilege::Privileged;
        let found = (12..64).find_map(|lg2| {
            let first = iova.align_down(lg2).get();
            self.entries.get(&(substream, privileged, lg2, first))
        });
        match found {
            None => Lookup::Unknown,
            Some(grant) if grant.perms.contains(access.needs()) => {
                Lookup::Translated(grant.address | iova.offset_in(grant.lg2))
            }
            Some(_) => Lookup::Refused,
        }
    }

    /// Performs an invalidation: drops every entry that shares an address with it, whatever its
    /// size.
    pub fn invalidate(&mut self, request: &Invalidation) -> InvalidationEnd {
        if self.silent {
            return InvalidationEnd::TimedOut;
        }
        self.entries.retain(|&(substream, _, lg2, first), _| {
            let last = first | ((1 << lg2) - 1);
            // PCIe ATS: without a PASID, translations without one; Global: those of every PASID.
            let named = match (request.substream, substream) {
                (None, owner) => owner.is_none(),
                (Some(_), Some(_)) if request.global => true,
                (asked, owner) => asked == owner,
            };
            !(named && first <= request.last && request.first <= last)
        });
        InvalidationEnd::Completed
    }

    /// How many translations are cached.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is cached.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The cached translations: PASID, first address, log2 of the page, permissions.
    pub fn entries(&self) -> impl Iterator<Item = (Option<SubstreamId>, Iova, u32, Perms)> + '_ {
        let each = self.entries.iter();
        each.map(|(&(substream, _, lg2, first), grant)| {
            (substream, Iova::new(first), lg2, grant.perms)
        })
    }
}

#[cfg(test)]
mod tests;
