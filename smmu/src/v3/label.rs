//! MPAM labels: the PARTID and PMG of outgoing transactions. IHI 0070 G.b 17.2.
//!
//! No modelled memory system uses the labels; they appear in explanations only.

use crate::transaction::Transaction;
use crate::v3::SmmuV3;
use crate::v3::config::ste::{CdPointer, Ste, SteState};
use crate::v3::config::{self, Context};
use crate::v3::features::Features;
use crate::v3::wire::cd::Cd5;
use crate::v3::wire::regs::{Cr0, Gmpam};
use crate::v3::wire::ste::{Ste1, Ste4, Ste5};
use passim_model::SubstreamId;

/// A partition and a performance monitoring group, physical ones.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Label {
    /// PARTID; `None` if the configured one is above MPAMIDR.PARTID_MAX, and the one used UNKNOWN.
    pub partid: Option<u16>,
    /// PMG; `None` if the configured one is above MPAMIDR.PMG_MAX, and the one used UNKNOWN.
    pub pmg: Option<u8>,
}

/// The label in a structure, before its limits apply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Named {
    pub(crate) partid: u16,
    pub(crate) pmg: u8,
}

impl Named {
    pub(crate) const fn of_ste(word4: u64, word5: u64) -> Self {
        Self { partid: Ste4::PARTID.get(word4) as u16, pmg: Ste5::PMG.get(word5) as u8 }
    }

    pub(crate) const fn of_cd(word5: u64) -> Self {
        Self { partid: Cd5::PARTID.get(word5) as u16, pmg: Cd5::PMG.get(word5) as u8 }
    }

    /// IHI 0070 G.b 5.2 (PARTID, PMG), 5.4 and 5.6: a value above the largest is UNKNOWN.
    fn label(self, f: &Features) -> Label {
        Label {
            partid: (self.partid <= f.partid_max).then_some(self.partid),
            pmg: (self.pmg <= f.pmg_max).then_some(self.pmg),
        }
    }
}

/// The label fields of an STE.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct SteLabel {
    /// STE.PARTID and STE.PMG.
    own: Named,
    /// STE.S1MPAM: where stage 1 translates, the CD has the label.
    from_cd: bool,
}

impl SteLabel {
    /// No label.
    #[cfg(test)]
    pub(crate) const NONE: Self = Self { own: Named { partid: 0, pmg: 0 }, from_cd: false };

    pub(crate) const fn of(words: &[u64; 8]) -> Self {
        let [_, w1, _, _, w4, w5, ..] = *words;
        Self { own: Named::of_ste(w4, w5), from_cd: Ste1::S1MPAM.is_set(w1) }
    }
}

/// The CD a transaction gets its label from, if stage 1 translates it. IHI 0070 G.b 5.2 (S1MPAM):
/// none where S1DSS bypasses stage 1.
pub(crate) fn cd_used(pointer: Option<&CdPointer>, substream: Option<SubstreamId>) -> Option<u32> {
    match pointer.map(|pointer| config::select_context(pointer, substream)) {
        Some(Ok(Context::Cd(index))) => Some(index),
        _ => None,
    }
}

impl SmmuV3 {
    /// The label of a transaction that was just translated or bypassed; `None` without MPAM.
    pub(crate) fn label(&self, txn: &Transaction) -> Option<Label> {
        let f = &self.features;
        if !f.mpam {
            return None;
        }
        if !self.registers.enabled(Cr0::SMMUEN) {
            let bypass = u64::from(self.registers.bypass_label());
            let (partid, pmg) = (Gmpam::SO_PARTID.get(bypass), Gmpam::SO_PMG.get(bypass));
            return Some(Named { partid: partid as u16, pmg: pmg as u8 }.label(f));
        }
        let Ste { state, label, .. } = self.configs.whole_ste(txn.requester.stream)?;
        let own = label.own.label(f);
        let SteState::Translate(stream) = state else { return Some(own) };
        let index = cd_used(stream.stage1.as_ref(), txn.requester.substream);
        let Some(index) = index.filter(|_| label.from_cd) else { return Some(own) };
        let mut named = self.configs.label_of_cd(txn.requester.stream, index)?;
        // IHI 0070 G.b 17.2: where both stages translate, CD.PARTID\[4:0\] is a virtual one.
        // Without a VMS (PARTID_MAX is 0) there is no map to go through.
        if let Some(map) = stream.vms.and_then(|_| self.vms.map(txn.requester.stream, stream.vmid))
        {
            named.partid = map.physical(named.partid);
        }
        Some(named.label(f))
    }
}
