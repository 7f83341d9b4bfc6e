//! The PCI hierarchy: which bridge leads to which bus, which functions isolate transactions, and
//! the requester IDs under which a function's transactions arrive.
//!
//! [`groups`](super::groups) derives isolation groups from it.

use crate::Rid;
use std::collections::{BTreeMap, BTreeSet};

/// Access Control Services of a function.
///
/// PCI Express Base Specification, 6.12 and 7.7.11.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Acs {
    /// No capability.
    #[default]
    Absent,
    /// The capability, by the bits of its capability and control registers.
    Present {
        /// What the function implements.
        capable: u8,
        /// What software has turned on.
        enabled: u8,
    },
    /// No capability, but a function that the kernel knows to isolate its transactions (Linux
    /// `pci_dev_specific_acs_enabled`).
    Quirk,
}

/// Bits of the ACS capability and control registers, by the specification's abbreviations.
pub const ACS_BITS: [(&str, u8); 7] = [
    ("SV", 1),
    ("TB", 1 << 1),
    ("RR", 1 << 2),
    ("CR", 1 << 3),
    ("UF", 1 << 4),
    ("EC", 1 << 5),
    ("DT", 1 << 6),
];

impl Acs {
    /// What isolation requires: source validation, request and completion redirect, upstream
    /// forwarding. 6.12 iommu.c, `REQ_ACS_FLAGS`.
    pub const REQUIRED: u8 = 1 | 1 << 2 | 1 << 3 | 1 << 4;

    /// Whether a function that should have ACS has enough of it enabled.
    // 6.12 pci.c, pci_acs_flags_enabled: what is not implemented counts as wired on.
    fn suffices(self) -> bool {
        match self {
            Self::Absent => false,
            Self::Present { capable, enabled } => {
                enabled & capable & Self::REQUIRED == capable & Self::REQUIRED
            }
            Self::Quirk => true,
        }
    }
}

/// What kind of PCI Express device or port a function is.
///
/// PCI Express Base Specification, 7.5.3.2: device/port type.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Port {
    /// No PCI Express capability.
    Conventional,
    /// Endpoints of every kind: 0, 1 and 9.
    Endpoint,
    /// Root port: 4.
    Root,
    /// Upstream port of a switch: 5.
    Upstream,
    /// Downstream port of a switch: 6.
    Downstream,
    /// PCI Express to PCI or PCI-X bridge: 7.
    PciBridge,
    /// PCI or PCI-X to PCI Express bridge: 8.
    PcieBridge,
    /// Root complex event collector: 10.
    EventCollector,
}

impl Port {
    /// The port with this device/port type; `None` for a reserved one.
    pub fn from_type(number: u8) -> Option<Self> {
        Some(match number {
            0 | 1 | 9 => Self::Endpoint,
            4 => Self::Root,
            5 => Self::Upstream,
            6 => Self::Downstream,
            7 => Self::PciBridge,
            8 => Self::PcieBridge,
            10 => Self::EventCollector,
            _ => return None,
        })
    }
}

/// The properties of a function that isolation depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Node {
    /// Its requester ID.
    pub rid: Rid,
    /// Its kind.
    pub port: Port,
    /// The bus behind it, if it is a bridge.
    pub secondary_bus: Option<u8>,
    /// Whether the kernel treats it as one of several functions of a device: header type bit 7, or
    /// a function number other than 0. Never so for a virtual function.
    pub multifunction: bool,
    /// Its access control.
    pub acs: Acs,
    /// Devices and functions of its own bus (`device << 3 | function`) under whose identifiers it
    /// also sends (Linux `dma_alias_mask`).
    pub aliases: Vec<u8>,
    /// Whether a bridge sends under the other identifier than its kind does: a conventional one
    /// under that of its secondary bus, a PCI Express one under its own (Linux
    /// `PCI_DEV_FLAG_PCIE_BRIDGE_ALIAS`).
    pub swapped_alias: bool,
    /// The physical function of a virtual one; `None` for all others.
    pub physical: Option<Rid>,
}

/// Why functions do not form a hierarchy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// Two functions in one place.
    #[error("two functions at {0}")]
    SameRid(Rid),
    /// Two bridges claim a bus.
    #[error("{0} and {1} both lead to bus {2:#04x}")]
    SameBus(Rid, Rid, u8),
    /// A bus that cannot be reached from a root bus.
    #[error("the bridges above {0} lead in a circle")]
    Circle(Rid),
    /// A virtual function without its physical function.
    #[error("{0} is a virtual function of {1}, which does not exist")]
    NoPhysical(Rid, Rid),
}

/// What is above a bus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Above {
    /// Nothing is above: a root bus.
    Root,
    /// Through the bridge with this index.
    Bridge(usize),
    /// To this bus, without a bridge: the bus exists for virtual functions alone.
    Bus(u8),
}

/// A requester ID under which a function's transactions may arrive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Alias {
    /// The identifier.
    pub rid: Rid,
    /// The function that substitutes it: the function itself, or a bridge above.
    pub by: Rid,
}

/// Functions and the buses that connect them, ascending by requester ID.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Hierarchy {
    nodes: Vec<Node>,
    /// Buses that are not root buses.
    above: BTreeMap<u8, Above>,
}

impl Hierarchy {
    /// The hierarchy of these functions. A bus to which nothing leads is a root bus.
    ///
    /// # Errors
    /// [`Malformed`]: two functions or two bridges claim one place or bus, a bus leads back to
    /// itself, or a virtual function's physical one is missing.
    pub fn new(mut nodes: Vec<Node>) -> Result<Self, Malformed> {
        nodes.sort_by_key(|node| node.rid);
        if let Some(pair) = nodes.windows(2).find(|pair| pair[0].rid == pair[1].rid) {
            return Err(Malformed::SameRid(pair[0].rid));
        }
        let mut above = BTreeMap::new();
        for (index, node) in nodes.iter().enumerate() {
            let Some(bus) = node.secondary_bus else { continue };
            if let Some(Above::Bridge(other)) = above.insert(bus, Above::Bridge(index)) {
                return Err(Malformed::SameBus(nodes[other].rid, node.rid, bus));
            }
        }
        for node in &nodes {
            let Some(physical) = node.physical else { continue };
            if nodes.iter().all(|other| other.rid != physical) {
                return Err(Malformed::NoPhysical(node.rid, physical));
            }
            // 6.12 iov.c, virtfn_add_bus: a bus number no bridge leads to becomes a child, without
            // a bridge, of the physical function's bus.
            if node.rid.bus() != physical.bus() {
                above.entry(node.rid.bus()).or_insert(Above::Bus(physical.bus()));
            }
        }
        let hierarchy = Self { nodes, above };
        for node in &hierarchy.nodes {
            if !hierarchy.ends(node.rid.bus()) {
                return Err(Malformed::Circle(node.rid));
            }
        }
        Ok(hierarchy)
    }

    /// Whether the way up from a bus ends at a root bus.
    fn ends(&self, mut bus: u8) -> bool {
        let mut seen = BTreeSet::new();
        while seen.insert(bus) {
            bus = match self.above(bus) {
                Above::Root => return true,
                Above::Bridge(index) => self.nodes[index].rid.bus(),
                Above::Bus(bus) => bus,
            };
        }
        false
    }

    /// All functions, ascending.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The function at `rid`.
    pub fn node(&self, rid: Rid) -> Option<&Node> {
        let at = self.nodes.binary_search_by_key(&rid, |node| node.rid).ok()?;
        Some(&self.nodes[at])
    }

    pub(super) fn above(&self, bus: u8) -> Above {
        self.above.get(&bus).copied().unwrap_or(Above::Root)
    }

    /// The bridges above a bus, the nearest first.
    pub(super) fn bridges(&self, mut bus: u8) -> impl Iterator<Item = &Node> {
        core::iter::from_fn(move || {
            loop {
                match self.above(bus) {
                    Above::Root => return None,
                    Above::Bus(parent) => bus = parent,
                    Above::Bridge(index) => {
                        let bridge = &self.nodes[index];
                        bus = bridge.rid.bus();
                        return Some(bridge);
                    }
                }
            }
        })
    }

    /// The bridges above the function at `rid`, the nearest first.
    pub fn bridges_above(&self, rid: Rid) -> impl Iterator<Item = Rid> {
        self.bridges(rid.bus()).map(|bridge| bridge.rid)
    }

    /// Every requester ID under which transactions of the function at `rid` may arrive, its
    /// own first, then those of its quirks, then those of the bridges above, the nearest first.
    ///
    /// PCI Express to PCI/PCI-X Bridge Specification 1.0, 2.3: such a bridge takes a transaction as
    /// its own, with its secondary bus number and device and function 0. Measured: stream 0x200 of
    /// 02:02.0. A conventional bridge may take it with its own identifier (6.12 search.c,
    /// `pci_for_each_dma_alias`).
    pub fn aliases(&self, rid: Rid) -> Vec<Alias> {
        let own = Alias { rid, by: rid };
        let Some(node) = self.node(rid) else { return vec![own] };
        let quirks = node.aliases.iter().map(|devfn| {
            let alias = Rid::new(u16::from(rid.bus()) << 8 | u16::from(*devfn));
            Alias { rid: alias, by: rid }
        });
        let bridges = self.bridges(rid.bus()).filter_map(|bridge| {
            let secondary = Rid::new(u16::from(bridge.secondary_bus?) << 8);
            let alias = match (bridge.port, bridge.swapped_alias) {
                (Port::PciBridge, false) | (Port::Conventional, true) => secondary,
                (Port::PciBridge, true) | (Port::Conventional, false) | (Port::PcieBridge, _) => {
                    bridge.rid
                }
                _ => return None,
            };
            Some(Alias { rid: alias, by: bridge.rid })
        });
        [own].into_iter().chain(quirks).chain(bridges).collect()
    }

    /// The requester ID that the interrupt controller gets with messages of the function at
    /// `rid`: its own, or the last alias that comes from another bus or names one.
    // 6.12 pci/msi/irqdomain.c, get_msi_id_cb.
    pub fn message_alias(&self, rid: Rid) -> Rid {
        let elsewhere = |alias: &Alias, known: Rid| {
            alias.by.bus() != known.bus() || alias.rid.bus() != known.bus()
        };
        self.aliases(rid)
            .into_iter()
            .fold(rid, |known, alias| if elsewhere(&alias, known) { alias.rid } else { known })
    }

    /// The last requester ID under which transactions of the function at `rid` may arrive.
    pub fn last_alias(&self, rid: Rid) -> Rid {
        self.aliases(rid).last().map_or(rid, |alias| alias.rid)
    }

    /// Whether a function isolates its transactions from its neighbours, if it could reach them at
    /// all.
    // 6.12 pci.c, pci_acs_enabled.
    pub(super) fn isolates(&self, node: &Node) -> bool {
        if node.acs == Acs::Quirk {
            return true;
        }
        match node.port {
            Port::Conventional | Port::PciBridge | Port::PcieBridge | Port::EventCollector => false,
            Port::Root | Port::Downstream => node.acs.suffices(),
            Port::Endpoint | Port::Upstream => !node.multifunction || node.acs.suffices(),
        }
    }
}
