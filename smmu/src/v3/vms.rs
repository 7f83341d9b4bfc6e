//! Virtual machine structures: when one is read, and how it is cached. IHI 0070 G.b 5.6.
//!
//! A VMS maps the virtual PARTIDs in a guest's CDs. It is read where it is needed, which can fault;
//! the mapped PARTIDs appear in explanations only. See [`label`](super::label).
//!
//! A map is cached by VMID. An SMMU that keeps everything caches it by stream as well: the
//! architecture permits both, and software must invalidate both after a change (5.6.2).

use crate::cache::Retention;
use crate::regime::OnFault;
use crate::transaction::Transaction;
use crate::v3::config::ste::Stream;
use crate::v3::eventq::Event;
use crate::v3::explain::ConfigLog;
use crate::v3::label::cd_used;
use crate::v3::translate::{Stop, event};
use crate::v3::wire::event::EventKind;
use passim_model::{Memory, PhysAddr, Requester, StreamId, Vmid};
use std::collections::BTreeMap;

/// Doublewords of PARTID_MAP: 32 PARTIDs of 16 bits.
pub(crate) const PARTID_MAP_WORDS: usize = 8;

/// From virtual PARTIDs to physical ones. IHI 0070 G.b 5.6 (PARTID_MAP).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct PartidMap([u64; PARTID_MAP_WORDS]);

impl PartidMap {
    /// The physical PARTID of a CD.PARTID, of which five bits are used. IHI 0070 G.b 17.2.
    pub(crate) fn physical(&self, partid: u16) -> u16 {
        let index = usize::from(partid & 0x1f);
        (self.0[index / 4] >> (16 * (index % 4))) as u16
    }

    pub(crate) const fn words(&self) -> [u64; PARTID_MAP_WORDS] {
        self.0
    }
}

/// The cached PARTID_MAPs.
#[derive(Clone, Debug)]
pub(crate) struct VmsCache {
    of_vmid: BTreeMap<Vmid, PartidMap>,
    /// `None` where nothing is cached by stream.
    of_stream: Option<BTreeMap<StreamId, PartidMap>>,
}

impl VmsCache {
    pub(crate) fn new(retention: Retention) -> Self {
        let by_stream = retention == Retention::Everything;
        Self { of_vmid: BTreeMap::new(), of_stream: by_stream.then(BTreeMap::new) }
    }

    /// CMD_CFGI_VMS_PIDM.
    pub(crate) fn invalidate(&mut self, vmid: Vmid) {
        self.of_vmid.remove(&vmid);
    }

    /// CMD_CFGI_STE and CMD_CFGI_STE_RANGE: drops what is cached by stream.
    pub(crate) fn forget_streams(&mut self, first: StreamId, last: StreamId) {
        if let Some(known) = &mut self.of_stream {
            known.retain(|stream, _| *stream < first || last < *stream);
        }
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.of_vmid.clear();
        self.of_stream.iter_mut().for_each(BTreeMap::clear);
    }

    /// The cached map for a stream of this VMID.
    pub(crate) fn map(&self, stream: StreamId, vmid: Vmid) -> Option<PartidMap> {
        let own = self.of_stream.as_ref().and_then(|known| known.get(&stream));
        own.or_else(|| self.of_vmid.get(&vmid)).copied()
    }

    /// Reads the PARTID_MAP that a transaction needs, unless it is cached.
    ///
    /// # Errors
    /// The address of a read that aborted.
    pub(crate) fn need<L: ConfigLog>(
        &mut self,
        memory: &Memory,
        stream: &Stream,
        requester: &Requester,
        log: &mut L,
    ) -> Result<(), PhysAddr> {
        let Some(at) = stream.vms else { return Ok(()) };
        if cd_used(stream.stage1.as_ref(), requester.substream).is_none() {
            return Ok(());
        }
        let map = match self.map(requester.stream, stream.vmid) {
            Some(map) => {
                log.cached_partid_map();
                map
            }
            None => {
                let words = memory.words(at, PARTID_MAP_WORDS).map_err(|_| at)?;
                let map = PartidMap(words.try_into().expect("as many words as asked for"));
                log.partid_map(at, &map);
                self.of_vmid.insert(stream.vmid, map);
                map
            }
        };
        if let Some(known) = &mut self.of_stream {
            known.insert(requester.stream, map);
        }
        Ok(())
    }
}

/// The fault of a VMS fetch that aborted.
#[cold]
pub(crate) fn no_vms(txn: &Transaction, at: PhysAddr) -> Stop {
    let event = Event { fetch: Some(at), ..event(txn, EventKind::VmsFetch) };
    Stop::Fault(event, OnFault::ABORT_AND_RECORD)
}
