//! The PCI hierarchy of a machine's functions.

use passim_model::topology::Above;
use passim_model::topology::hierarchy::{Acs, Hierarchy, Malformed, Node, Port};
use passim_model::{Rid, StreamId};
use std::collections::BTreeMap;

use super::ids::Ids;
use super::{Function, Machine};

/// Facts that isolation depends on and configuration space does not contain.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Isolation {
    /// Access control.
    pub acs: Acs,
    /// Devices and functions of its own bus, `device << 3 | function`, whose requester IDs it also
    /// uses.
    pub aliases: Vec<u8>,
    /// Whether a bridge sends under the other requester ID than its type does: see
    /// [`Node::swapped_alias`].
    pub swapped_alias: bool,
    /// The physical function of a virtual one.
    pub physical: Option<Rid>,
}

/// Why functions form no hierarchy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoHierarchy {
    /// Their locations contradict one another.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// A device/port type that is reserved.
    #[error("{0} is of PCI Express device/port type {1}, which is reserved")]
    PortType(Rid, u8),
}

impl NoHierarchy {
    /// The function that the error is about.
    pub(super) fn rid(self) -> Rid {
        match self {
            Self::Malformed(
                Malformed::SameRid(rid)
                | Malformed::SameBus(_, rid, _)
                | Malformed::Circle(rid)
                | Malformed::NoPhysical(rid, _),
            )
            | Self::PortType(rid, _) => rid,
        }
    }
}

impl Machine {
    /// Its PCI hierarchy.
    ///
    /// # Errors
    /// [`NoHierarchy`]; never for a machine that was read.
    pub fn hierarchy(&self) -> Result<Hierarchy, NoHierarchy> {
        of_functions(&self.functions)
    }

    /// The bridges above each of its functions, the nearest first; empty without a hierarchy.
    pub(crate) fn bridges_above(&self) -> BTreeMap<Rid, Vec<Above>> {
        let Ok(hierarchy) = self.hierarchy() else { return BTreeMap::new() };
        let above = |rid| {
            let answering: Vec<Rid> = hierarchy.aliases(rid).iter().map(|alias| alias.by).collect();
            let bridges = hierarchy.bridges_above(rid);
            bridges.map(|bridge| Above { bridge, answers: answering.contains(&bridge) }).collect()
        };
        self.functions.iter().map(|function| (function.rid, above(function.rid))).collect()
    }
}

/// The hierarchy of these functions.
pub(super) fn of_functions(functions: &[Function]) -> Result<Hierarchy, NoHierarchy> {
    let nodes: Result<Vec<_>, _> = functions.iter().map(|it| node(it, functions)).collect();
    Ok(Hierarchy::new(nodes?)?)
}

fn node(function: &Function, all: &[Function]) -> Result<Node, NoHierarchy> {
    let Function { rid, ref isolation, .. } = *function;
    let port = match function.pcie_type() {
        None => Port::Conventional,
        Some(number) => Port::from_type(number).ok_or(NoHierarchy::PortType(rid, number))?,
    };
    Ok(Node {
        rid,
        port,
        secondary_bus: function.secondary_bus(),
        multifunction: isolation.physical.is_none() && is_multifunction(function, all),
        acs: isolation.acs,
        aliases: isolation.aliases.clone(),
        swapped_alias: isolation.swapped_alias,
        physical: isolation.physical,
    })
}

/// 6.12 probe.c, pci_setup_device and pci_scan_slot: function 0 by bit 7 of its header type, every
/// other function of a device because it was found. Without a header, other functions of the device
/// decide.
fn is_multifunction(function: &Function, all: &[Function]) -> bool {
    let rid = function.rid;
    let same_device = |other: &Function| {
        let there = other.rid;
        there != rid && (there.bus(), there.device()) == (rid.bus(), rid.device())
    };
    rid.function() != 0
        || match function.is_multifunction() {
            Some(said) => said,
            None => {
                all.iter().any(|other| same_device(other) && other.isolation.physical.is_none())
            }
        }
}

/// The identifiers of a function's transactions, which follow from its location.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Known {
    /// The SMMU it is behind; `None` if there is none.
    pub(super) smmu: Option<usize>,
    /// Its StreamIDs, its own first; its requester ID behind no SMMU.
    pub(super) streams: Vec<StreamId>,
}

/// The StreamID that the transactions of the function at `rid` carry: the last, where a bridge to
/// conventional PCI aliases it; its own otherwise.
// PCI Express to PCI/PCI-X Bridge Specification 1.0, 2.3: the bridge takes ownership of
// transactions from a conventional bus and forwards them under its secondary bus number, device 0,
// function 0.
pub(super) fn sent_under(hierarchy: &Hierarchy, rid: Rid, streams: &[StreamId]) -> StreamId {
    let answered_for = hierarchy.message_alias(rid) != rid;
    let stream = if answered_for { streams.last() } else { streams.first() };
    *stream.expect("a function has at least one")
}

/// The SMMU and the StreamIDs of the function at `rid`. The error is the alias that is behind
/// another SMMU than the function itself.
pub(super) fn streams(hierarchy: &Hierarchy, ids: &Ids, rid: Rid) -> Result<Known, Rid> {
    let mut known = Known { smmu: None, streams: Vec::new() };
    for alias in hierarchy.aliases(rid) {
        let Some((smmu, stream)) = ids.stream(alias.rid) else { continue };
        if *known.smmu.get_or_insert(smmu) != smmu {
            return Err(alias.rid);
        }
        if !known.streams.contains(&stream) {
            known.streams.push(stream);
        }
    }
    if known.streams.is_empty() {
        known.streams.push(StreamId::new(rid.get().into()));
    }
    Ok(known)
}
