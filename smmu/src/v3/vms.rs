//! Virtual machine structures: when one is read, and what is remembered. IHI 0070 G.b 5.6.
//!
//! A VMS maps the PARTIDs that a guest's CDs name. Labels reach no memory system here, so what
//! counts of a VMS is that it is read, and that reading it can fail.

use crate::regime::OnFault;
use crate::v3::config::ste::{CdPointer, Stream};
use crate::v3::config::{self, Context};
use crate::v3::eventq::Event;
use crate::v3::outcome::Transaction;
use crate::v3::translate::{Stop, event};
use crate::v3::wire::event::EventKind;
use passim_model::{Memory, PhysAddr, SubstreamId, Vmid};
use std::collections::BTreeSet;

/// Doublewords of PARTID_MAP: 32 PARTIDs of 16 bits.
const PARTID_MAP_WORDS: usize = 8;

/// The PARTID_MAPs that are cached, by VMID.
#[derive(Clone, Debug, Default)]
pub(crate) struct VmsCache {
    known: BTreeSet<Vmid>,
}

impl VmsCache {
    /// CMD_CFGI_VMS_PIDM.
    pub(crate) fn invalidate(&mut self, vmid: Vmid) {
        self.known.remove(&vmid);
    }

    /// Drops everything.
    pub(crate) fn clear(&mut self) {
        self.known.clear();
    }

    /// Reads the PARTID_MAP that a transaction needs, unless it is cached.
    ///
    /// # Errors
    /// Where memory did not answer.
    pub(crate) fn need(
        &mut self,
        memory: &Memory,
        stream: &Stream,
        substream: Option<SubstreamId>,
    ) -> Result<(), PhysAddr> {
        let Some(at) = stream.vms.filter(|_| uses_stage1(stream.stage1.as_ref(), substream)) else {
            return Ok(());
        };
        if self.known.contains(&stream.vmid) {
            return Ok(());
        }
        memory.words(at, PARTID_MAP_WORDS).map_err(|_| at)?;
        self.known.insert(stream.vmid);
        Ok(())
    }
}

/// A VMS that memory did not give.
#[cold]
pub(crate) fn no_vms(txn: &Transaction, at: PhysAddr) -> Stop {
    let event = Event { fetch: Some(at), ..event(txn, EventKind::VmsFetch) };
    Stop::Fault(event, OnFault::ABORT_AND_RECORD)
}

/// Whether a transaction gets its label from a CD. IHI 0070 G.b 5.2 (S1MPAM): not where S1DSS
/// bypasses stage 1.
fn uses_stage1(pointer: Option<&CdPointer>, substream: Option<SubstreamId>) -> bool {
    let context = pointer.map(|pointer| config::select_context(pointer, substream));
    matches!(context, Some(Ok(Context::Cd(_))))
}
