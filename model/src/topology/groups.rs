//! Isolation groups: functions that cannot be isolated from each other, and why.
//!
//! [`isolation_groups`] decides as Linux's `pci_device_group` does, from 4.6 to 6.12 alike: it
//! takes the functions in the order in which the kernel finds them, and each either joins the group
//! of an earlier one or starts its own. The order therefore matters where one function would have
//! to join two groups; neither the kernel nor this code merges groups. Functions that an IOMMU
//! cannot distinguish are joined first ([`isolation_groups_behind`]).

use super::hierarchy::{Hierarchy, Node};
use crate::Rid;
use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

/// Why a function is in the group of another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Because {
    /// Its transactions arrive under an identifier that a bridge substitutes.
    Bridge {
        /// The identifier.
        alias: Rid,
    },
    /// Functions behind a bridge can reach the bridge's neighbours, because `open` redirects
    /// nothing upstream.
    NoAcs {
        /// The port or bridge without enough ACS.
        open: Rid,
    },
    /// One of the two sends under the other's identifier.
    Alias,
    /// Both are functions of one device and nothing isolates them.
    Functions,
    /// The SMMU sends both the same way: one stream mapping entry has streams of both.
    Entry,
}

/// A function joined the group of another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Join {
    /// The function that joined.
    pub rid: Rid,
    /// The member whose group it joined.
    pub with: Rid,
    /// Why.
    pub because: Because,
}

impl fmt::Display for Join {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rid, with, because } = self;
        match because {
            Because::Bridge { alias } => {
                write!(f, "{rid} with {with}: the bridge passes its transactions on as {alias}")
            }
            Because::NoAcs { open } if open == with => {
                write!(f, "{rid} with {with}: the port has no ACS that sends everything upstream")
            }
            Because::NoAcs { open } => {
                write!(
                    f,
                    "{rid} with {with}: {open} above has no ACS that sends everything upstream"
                )
            }
            Because::Alias => {
                write!(f, "{rid} with {with}: one sends under the other's identifier")
            }
            Because::Entry => {
                write!(f, "{rid} with {with}: one stream mapping entry has streams of both")
            }
            Because::Functions => {
                write!(f, "{rid} with {with}: functions of one device without ACS")
            }
        }
    }
}

/// The groups of some functions.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Groups {
    groups: Vec<Vec<Rid>>,
    joins: BTreeMap<Rid, Join>,
}

impl Groups {
    /// The groups in the order in which they were founded, each with its members in the order in
    /// which they came.
    pub fn all(&self) -> &[Vec<Rid>] {
        &self.groups
    }

    /// Index in [`Groups::all`] of the group the function at `rid` is in.
    pub fn of(&self, rid: Rid) -> Option<usize> {
        self.groups.iter().position(|members| members.contains(&rid))
    }

    /// Why the function at `rid` did not found its group; `None` if it did, or has none.
    pub fn join(&self, rid: Rid) -> Option<&Join> {
        self.joins.get(&rid)
    }

    /// Why two functions are in one group: the joins that connect them. `None` if they are not.
    pub fn why(&self, one: Rid, other: Rid) -> Option<Vec<Join>> {
        if self.of(one)? != self.of(other)? {
            return None;
        }
        let (mut left, mut right) = (self.chain(one), self.chain(other));
        while let (Some(a), Some(b)) = (left.last(), right.last())
            && a == b
        {
            left.pop();
            right.pop();
        }
        left.extend(right.into_iter().rev());
        Some(left)
    }

    /// The joins from a function to the founder of its group.
    fn chain(&self, rid: Rid) -> Vec<Join> {
        core::iter::successors(self.join(rid), |join| self.join(join.with)).copied().collect()
    }
}

/// The isolation groups of the functions in `order`, in which the kernel finds them. Functions that
/// are not in `order`, or not in `hierarchy`, get no group.
pub fn isolation_groups(hierarchy: &Hierarchy, order: impl IntoIterator<Item = Rid>) -> Groups {
    isolation_groups_behind(hierarchy, order, |_| None)
}

/// The same behind IOMMUs that may not distinguish all functions: `sharing` names, for each
/// function in turn, an earlier one that its IOMMU cannot distinguish from it; without one, the
/// hierarchy decides.
// 6.12 arm-smmu.c, arm_smmu_device_group.
pub fn isolation_groups_behind(
    hierarchy: &Hierarchy,
    order: impl IntoIterator<Item = Rid>,
    mut sharing: impl FnMut(Rid) -> Option<Rid>,
) -> Groups {
    let mut groups = Groups::default();
    for rid in order {
        if hierarchy.node(rid).is_none() || groups.of(rid).is_some() {
            continue;
        }
        let shared = sharing(rid).filter(|other| groups.of(*other).is_some());
        let shared = shared.map(|other| (other, Because::Entry));
        match shared.or_else(|| Search { hierarchy, groups: &groups }.find(rid)) {
            Some((with, because)) => {
                let group = groups.of(with).expect("a search ends at a member of a group");
                groups.groups[group].push(rid);
                groups.joins.insert(rid, Join { rid, with, because });
            }
            None => groups.groups.push(vec![rid]),
        }
    }
    groups
}

type Found = Option<(Rid, Because)>;

/// The search of one function for a group.
struct Search<'a> {
    hierarchy: &'a Hierarchy,
    groups: &'a Groups,
}

impl Search<'_> {
    fn has_group(&self, rid: Rid) -> bool {
        self.groups.of(rid).is_some()
    }

    // 6.12 iommu.c, pci_device_group.
    fn find(&self, rid: Rid) -> Found {
        // Up to the last identifier that a bridge substitutes: the IOMMU distinguishes nothing
        // below.
        let mut at = rid;
        for alias in self.hierarchy.aliases(rid) {
            at = alias.by;
            if self.has_group(at) {
                return Some((at, Because::Bridge { alias: alias.rid }));
            }
        }
        // Further up, as long as transactions can turn back before they reach the IOMMU.
        for bridge in self.hierarchy.bridges(at.bus()) {
            let Some(open) = self.open_above(bridge) else { break };
            at = bridge.rid;
            if self.has_group(at) {
                return Some((at, Because::NoAcs { open }));
            }
        }
        let mut seen = BTreeSet::new();
        let node = self.hierarchy.node(at)?;
        self.of_aliases(node, Because::Alias, &mut seen)
            .or_else(|| self.of_functions(node, &mut seen))
    }

    /// The first of a bridge and those above it that lets transactions turn back; `None` if all
    /// send everything upstream.
    // 6.12 pci.c, pci_acs_path_enabled.
    fn open_above(&self, bridge: &Node) -> Option<Rid> {
        let mut path = [bridge].into_iter().chain(self.hierarchy.bridges(bridge.rid.bus()));
        path.find(|node| !self.hierarchy.isolates(node)).map(|node| node.rid)
    }

    /// The group of a function, or of one that sends under its identifier, or under whose it sends.
    // 6.12 iommu.c, get_pci_alias_group.
    fn of_aliases(&self, node: &Node, because: Because, seen: &mut BTreeSet<Rid>) -> Found {
        if !seen.insert(node.rid) {
            return None;
        }
        if self.has_group(node.rid) {
            return Some((node.rid, because));
        }
        let sends_as = |a: &Node, b: &Node| a.aliases.contains(&(b.rid.get() as u8));
        let mut others = self.neighbours(node);
        others.find_map(|other| {
            if !sends_as(node, other) && !sends_as(other, node) {
                return None;
            }
            self.of_aliases(other, Because::Alias, seen).or_else(|| self.of_functions(other, seen))
        })
    }

    /// The group of another function of the same device, if neither isolates itself.
    // 6.12 iommu.c, get_pci_function_alias_group.
    fn of_functions(&self, node: &Node, seen: &mut BTreeSet<Rid>) -> Found {
        if !node.multifunction || self.hierarchy.isolates(node) {
            return None;
        }
        let mut others = self.neighbours(node);
        others.find_map(|other| {
            if other.rid.device() != node.rid.device() || self.hierarchy.isolates(other) {
                return None;
            }
            self.of_aliases(other, Because::Functions, seen)
        })
    }

    /// The other functions on the same bus.
    fn neighbours<'a>(&'a self, node: &'a Node) -> impl Iterator<Item = &'a Node> {
        let nodes = self.hierarchy.nodes().iter();
        nodes.filter(|other| other.rid != node.rid && other.rid.bus() == node.rid.bus())
    }
}

#[cfg(test)]
mod tests;
