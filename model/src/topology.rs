//! PCI functions and platform devices as the machine has them: identity, registers at boot, and the
//! identifiers their transactions carry.
//!
//! | room | question it answers |
//! | --- | --- |
//! | [`hierarchy`] | which bridges are above a function, and under which identifiers does it send? |
//! | [`groups`] | which functions share an isolation group, and why? |
//!
//! Not here: how a driver or VFIO uses a function (that is the Linux side).

pub mod groups;
pub mod hierarchy;

use crate::{DeviceId, Endpoint, IntId, PhysAddr, Requester, Rid, Span, StreamId};
use std::collections::{BTreeMap, BTreeSet};

/// What a base address register decodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum BarKind {
    /// Memory space.
    Memory,
    /// I/O space: never mappable by a process.
    Io,
}

/// A base address register (0 to 5), the expansion ROM (6) or, above, a bridge window.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Bar {
    /// Linux's resource number: 0 to 5 BARs, 6 ROM, 7 and up bridge windows.
    pub index: u8,
    /// The addresses it decodes: physical (memory) or I/O port addresses.
    pub span: Span<PhysAddr>,
    /// Memory or I/O.
    pub kind: BarKind,
}

/// A PCI function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Function {
    /// Requester ID: its place in the hierarchy.
    pub rid: Rid,
    /// Vendor identifier.
    pub vendor: u16,
    /// Device identifier.
    pub device: u16,
    /// Class code, 24 bits: class, subclass and interface, from the top.
    pub class: u32,
    /// IOMMU group, where the kernel gave it one.
    pub group: Option<u32>,
    /// Driver bound when the machine has booted; none for an empty slot in the driver core.
    pub boot_driver: Option<String>,
    /// Its resources.
    pub bars: Vec<Bar>,
    /// Configuration space as it reads while the device is not open; at least the first 256 bytes,
    /// or empty if a header is to be derived from the fields above.
    pub config: Vec<u8>,
    /// Size of its configuration space in bytes: 256, or 4096 for PCI Express.
    pub config_size: u32,
    /// Offset of the MSI capability in configuration space, in bytes.
    pub msi: Option<u16>,
    /// Offset of the MSI-X capability in configuration space, in bytes.
    pub msix: Option<u16>,
    /// Offset of the PCI Express capability in configuration space, in bytes.
    pub pcie: Option<u16>,
    /// Whether the kernel knows a way to reset it.
    pub resettable: bool,
    /// The StreamID of its transactions.
    pub stream: StreamId,
    /// The DeviceID of its messages.
    pub device_id: DeviceId,
}

impl Function {
    /// The requester of this function's transactions without a PASID.
    pub fn requester(&self) -> Requester {
        Requester { stream: self.stream, substream: None, device: self.device_id }
    }

    /// The resource with Linux's number `index`.
    pub fn bar(&self, index: u8) -> Option<&Bar> {
        self.bars.iter().find(|bar| bar.index == index)
    }

    /// A byte of the configuration space at boot, `offset` bytes from its start; bytes beyond those
    /// given read 0.
    pub fn config_byte(&self, offset: u32) -> u8 {
        self.config.get(offset as usize).copied().unwrap_or(0)
    }

    /// Sixteen little-endian bits of the configuration space at boot, from `offset` bytes on.
    pub fn config_u16(&self, offset: u32) -> u16 {
        u16::from_le_bytes([self.config_byte(offset), self.config_byte(offset + 1)])
    }
}

/// A wired interrupt of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wire {
    /// Its INTID at the interrupt controller; `None` if that is unknown.
    pub intid: Option<IntId>,
    /// Whether it stays asserted for as long as the device needs service; otherwise it pulses.
    pub level: bool,
}

/// A platform device, which is on no bus.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Platform {
    /// Its name in the kernel: `e0800000.xor`.
    pub name: String,
    /// IOMMU group, where the kernel gave it one.
    pub group: Option<u32>,
    /// Driver bound when the machine has booted.
    pub boot_driver: Option<String>,
    /// Its register windows, in the order in which firmware lists them.
    pub regions: Vec<Span<PhysAddr>>,
    /// Its wired interrupts.
    pub wires: Vec<Wire>,
    /// Number of messages it can send; 0 for a device that sends none.
    pub messages: u32,
    /// Physical address of the table that it reads its messages from: 16 bytes for each, of which
    /// the first twelve are the address, low half first, and the data. `None` if the device's
    /// registers are unknown.
    pub message_table: Option<PhysAddr>,
    /// Whether the kernel knows a way to reset it.
    pub resettable: bool,
    /// The StreamID of its transactions.
    pub stream: StreamId,
    /// The DeviceID of its messages.
    pub device_id: DeviceId,
}

impl Platform {
    /// The requester of this device's transactions.
    pub fn requester(&self) -> Requester {
        Requester { stream: self.stream, substream: None, device: self.device_id }
    }
}

/// The functions of a machine, in ascending order of requester ID, and its platform
/// devices, in the order in which firmware lists them.
#[derive(Clone, Default, Debug)]
pub struct Topology {
    functions: Vec<Function>,
    platforms: Vec<Platform>,
    pins: BTreeMap<Rid, IntId>,
    physical: BTreeMap<Rid, Rid>,
    /// Virtual functions that are absent at boot.
    off: BTreeSet<Rid>,
    /// By function: the bridges above it, the nearest first.
    bridges: BTreeMap<Rid, Vec<Above>>,
}

/// A bridge above a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Above {
    /// The bridge.
    pub bridge: Rid,
    /// Whether it may take the function's transactions as its own, under an identifier of its own.
    pub answers: bool,
}

/// Two functions claim one requester ID.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("two functions at {0}")]
pub struct SameRid(pub Rid);

impl Topology {
    /// The topology of these functions.
    ///
    /// # Errors
    /// [`SameRid`] if two have the same requester ID.
    pub fn new(mut functions: Vec<Function>) -> Result<Self, SameRid> {
        functions.sort_by_key(|function| function.rid);
        match functions.windows(2).find(|pair| pair[0].rid == pair[1].rid) {
            Some(pair) => Err(SameRid(pair[0].rid)),
            None => Ok(Self { functions, ..Self::default() }),
        }
    }

    /// This topology with these platform devices, the first 65536 of them.
    pub fn with_platforms(self, mut platforms: Vec<Platform>) -> Self {
        platforms.truncate(1 << 16);
        Self { platforms, ..self }
    }

    /// This topology with the pins of these functions connected to these interrupts.
    pub fn with_pins(self, pins: BTreeMap<Rid, IntId>) -> Self {
        Self { pins, ..self }
    }

    /// The INTID of a function's pin (the one of INTA# to INTD# that its Interrupt Pin register
    /// names), if it is connected. Several functions may share one interrupt.
    pub fn pin(&self, rid: Rid) -> Option<IntId> {
        self.pins.get(&rid).copied()
    }

    /// This topology with these virtual functions, each with its physical function.
    pub fn with_virtual(self, physical: BTreeMap<Rid, Rid>) -> Self {
        Self { physical, ..self }
    }

    /// This topology with these virtual functions off at boot.
    pub fn with_off(self, off: BTreeSet<Rid>) -> Self {
        Self { off, ..self }
    }

    /// This topology with these bridges above its functions, the nearest first.
    pub fn with_bridges(self, bridges: BTreeMap<Rid, Vec<Above>>) -> Self {
        Self { bridges, ..self }
    }

    /// The bridges above a function, the nearest first.
    pub fn bridges_above(&self, rid: Rid) -> &[Above] {
        self.bridges.get(&rid).map_or(&[], Vec::as_slice)
    }

    /// The functions behind a bridge, ascending.
    pub fn behind(&self, bridge: Rid) -> impl Iterator<Item = &Function> + '_ {
        let is_behind = move |rid| self.bridges_above(rid).iter().any(|it| it.bridge == bridge);
        self.functions.iter().filter(move |function| is_behind(function.rid))
    }

    /// Whether the function is present at boot; virtual functions that are off are not.
    pub fn is_there_at_boot(&self, rid: Rid) -> bool {
        !self.off.contains(&rid)
    }

    /// The groups of the devices that are present at boot.
    pub fn groups_at_boot(&self) -> impl Iterator<Item = u32> + '_ {
        let functions = self.functions.iter().filter(|it| self.is_there_at_boot(it.rid));
        let platforms = self.platforms.iter().map(|device| device.group);
        functions.map(|function| function.group).chain(platforms).flatten()
    }

    /// The virtual functions of a physical one, ascending.
    pub fn virtual_of(&self, physical: Rid) -> impl Iterator<Item = Rid> + '_ {
        self.physical.iter().filter(move |(_, it)| **it == physical).map(|(rid, _)| *rid)
    }

    /// The physical function of a virtual one.
    pub fn physical_of(&self, rid: Rid) -> Option<Rid> {
        self.physical.get(&rid).copied()
    }

    /// Whether the function is a virtual one.
    pub fn is_virtual(&self, rid: Rid) -> bool {
        self.physical.contains_key(&rid)
    }

    /// Moves the function at `rid` to another group.
    pub fn set_group(&mut self, rid: Rid, group: Option<u32>) {
        if let Some(at) = self.index(rid) {
            self.functions[at].group = group;
        }
    }

    /// All platform devices: an [`Endpoint::Platform`] is an index here.
    pub fn platforms(&self) -> &[Platform] {
        &self.platforms
    }

    /// The platform device with this number.
    pub fn platform(&self, number: u16) -> Option<&Platform> {
        self.platforms.get(usize::from(number))
    }

    /// The requester of a device's transactions.
    pub fn requester(&self, device: Endpoint) -> Option<Requester> {
        match device {
            Endpoint::Pci(rid) => self.function(rid).map(Function::requester),
            Endpoint::Platform(number) => self.platform(number).map(Platform::requester),
        }
    }

    /// All functions, ascending.
    pub fn functions(&self) -> &[Function] {
        &self.functions
    }

    /// The function at `rid`.
    pub fn function(&self, rid: Rid) -> Option<&Function> {
        let at = self.functions.binary_search_by_key(&rid, |function| function.rid).ok()?;
        Some(&self.functions[at])
    }

    /// Index of the function at `rid` in [`Topology::functions`].
    pub fn index(&self, rid: Rid) -> Option<usize> {
        self.functions.binary_search_by_key(&rid, |function| function.rid).ok()
    }

    /// The functions of an IOMMU group, ascending.
    pub fn in_group(&self, group: u32) -> impl Iterator<Item = &Function> + '_ {
        self.functions.iter().filter(move |function| function.group == Some(group))
    }
}
