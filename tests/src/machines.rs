//! Random machines: valid by construction, so that a property over them never discards one.
//!
//! A machine is generated as a [`Plan`], written as the text of a machine file and read back. A
//! failed property prints the text, and a scenario can run on it.

use core::fmt::Write;

use passim::input_error::SourceText;
use passim::machine::Machine;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

/// The contents of a root bus's slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Slot {
    /// A conventional function with one MSI.
    Conventional,
    /// A PCI Express function with this many MSI-X vectors.
    Express(u16),
    /// Two functions of one device, without isolation between them.
    Pair(u16),
    /// The same behind a root port.
    BehindPort {
        /// Whether the port redirects everything upstream.
        acs: bool,
        /// MSI-X vectors.
        vectors: u16,
    },
    /// Two conventional functions behind a bridge to PCI, one of them with a driver.
    BehindBridge,
    /// A physical function with virtual functions, behind a root port with ACS.
    Virtual {
        /// Number of enabled virtual functions.
        enabled: u16,
        /// MSI-X vectors of each.
        vectors: u16,
    },
}

/// The interrupt controller.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Gic {
    /// A GICv2, and the SPIs of each of its GICv2m frames; 1 to 4 of them.
    Frames(Vec<u32>),
    /// A GICv3 with this many ITSs, 1 or 2. Slots and devices on no bus are assigned to them in
    /// turn.
    Its(usize),
}

/// A device on the board, on no bus.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PlatformDevice {
    /// A driver of the kernel holds this many messages of it.
    Held(u16),
    /// VFIO serves it; it has this many wires.
    User(u16),
}

/// A compact description of a machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Number of SMMUs, 1 to 3; each has a root bus of its own.
    pub smmus: usize,
    /// The interrupt controller.
    pub gic: Gic,
    /// Whether there is also an x86-like IOMMU, after the SMMUs.
    pub x86: bool,
    /// The slots, each with its IOMMU; 1 to 8.
    pub slots: Vec<(usize, Slot)>,
    /// The devices on no bus, each with its SMMU; up to 2.
    pub board: Vec<(usize, PlatformDevice)>,
}

impl Plan {
    /// Number of IOMMUs of every kind.
    fn iommus(&self) -> usize {
        self.smmus + usize::from(self.x86)
    }
}

/// A machine and its file.
#[derive(Clone)]
pub struct Drawn {
    /// The plan.
    pub plan: Plan,
    /// The machine file's text.
    pub text: String,
    /// The machine.
    pub machine: Machine,
}

/// The file, which is enough to rebuild the machine.
impl core::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?}\n{}", self.plan, self.text)
    }
}

/// Number of buses of a root complex.
const BUSES: usize = 0x40;

/// Any machine.
pub fn machines() -> impl Strategy<Value = Drawn> {
    plans(gics()).prop_map(|plan| plan.drawn())
}

/// Any machine with a GICv3 and ITSs.
pub fn machines_with_its() -> impl Strategy<Value = Drawn> {
    plans(itss()).prop_map(|plan| plan.drawn())
}

/// Any plan with one of these interrupt controllers.
pub fn plans(gics: impl Strategy<Value = Gic> + Clone + 'static) -> impl Strategy<Value = Plan> {
    let x86 = prop_oneof![3 => Just(false), 1 => Just(true)];
    (1..=3usize, x86).prop_flat_map(move |(smmus, x86)| {
        let slot = (0..smmus + usize::from(x86), slots());
        let slots = proptest::collection::vec(slot, 1..=8);
        let board = proptest::collection::vec((0..smmus, board_device()), 0..=2);
        (Just((smmus, x86)), gics.clone(), slots, board)
            .prop_map(|((smmus, x86), gic, slots, board)| Plan { smmus, gic, x86, slots, board })
    })
}

fn gics() -> impl Strategy<Value = Gic> + Clone {
    prop_oneof![
        2 => proptest::collection::vec(1..=32u32, 1..=4).prop_map(Gic::Frames),
        1 => itss(),
    ]
}

fn itss() -> impl Strategy<Value = Gic> + Clone {
    (1..=2usize).prop_map(Gic::Its)
}

fn board_device() -> impl Strategy<Value = PlatformDevice> {
    prop_oneof![
        (1..=4u16).prop_map(PlatformDevice::Held),
        (0..=2u16).prop_map(PlatformDevice::User),
    ]
}

fn slots() -> impl Strategy<Value = Slot> {
    let vectors = || 1..=16u16;
    prop_oneof![
        Just(Slot::Conventional),
        vectors().prop_map(Slot::Express),
        vectors().prop_map(Slot::Pair),
        (any::<bool>(), vectors()).prop_map(|(acs, vectors)| Slot::BehindPort { acs, vectors }),
        Just(Slot::BehindBridge),
        (1..=4u16, vectors()).prop_map(|(enabled, vectors)| Slot::Virtual { enabled, vectors }),
    ]
}

impl Plan {
    /// Builds the machine.
    fn drawn(self) -> Drawn {
        let text = self.text();
        let machine = Machine::parse(&SourceText::new("drawn.toml", text.as_str()));
        let machine = machine.unwrap_or_else(|error| panic!("{error}\n{text}"));
        Drawn { plan: self, text, machine }
    }

    /// The machine file.
    pub fn text(&self) -> String {
        let mut text = String::from("name = \"drawn\"\ncpus = 2\npage_size = \"4K\"\n\n");
        text += "[[ram]]\nbase = 0x4000_0000\nsize = \"1G\"\n";
        let smmus = if self.x86 { "iommu.mixed.smmuv3" } else { "iommu.smmuv3" };
        if self.x86 {
            text += "\n[iommu.mixed]\nx86 = { remaps_interrupts = false }\n";
        }
        for index in 0..self.smmus {
            let base = 0x0905_0000 + 0x10_0000 * index;
            let spi = 4 + 4 * index;
            let idr = "[0x0d44_101b, 0x0273_0010, 0, 0x1414, 0, 0x74]";
            write!(text, "\n[[{smmus}]]\nbase = {base:#x}\nidr = {idr}\naidr = 1\n").unwrap();
            writeln!(text, "spis = {{ event_queue = {spi}, global_error = {} }}", spi + 1).unwrap();
        }
        self.gic_text(&mut text);
        text += "\n[iommu_map]\nentries = [\n";
        for index in 0..self.iommus() {
            let rid = (index * BUSES) << 8;
            let range =
                format!("rid = {rid:#x}, count = 0x4000, smmu = {index}, stream = {rid:#x}");
            writeln!(text, "{{ {range} }},").unwrap();
        }
        text += "]\n";
        self.board_text(&mut text);
        for (index, (smmu, slot)) in self.slots.iter().enumerate() {
            Writer { text: &mut text, root: smmu * BUSES, index }.slot(*slot);
        }
        text
    }
}

impl Plan {
    fn gic_text(&self, text: &mut String) {
        let frames = match &self.gic {
            Gic::Frames(frames) => frames,
            Gic::Its(count) => {
                let places = ["0x0808_0000", "0x0900_0000"][..*count].join(", ");
                *text += "\n[gic.its]\ndistributor = 0x0800_0000\n";
                writeln!(text, "its = [{places}]\nredistributors = 0x080a_0000").unwrap();
                return self.msi_map_text(*count, text);
            }
        };
        *text +=
            "\n[gic.v2m]\ndistributor = 0x0800_0000\ncpu_interface = 0x0801_0000\nframes = [\n";
        let mut first = 32;
        for (index, spis) in frames.iter().enumerate() {
            let base = 0x0802_0000 + 0x1_0000 * index;
            writeln!(text, "{{ base = {base:#x}, first_spi = {first}, spis = {spis} }},").unwrap();
            first += spis;
        }
        *text += "]\n";
    }

    /// The ITS of each slot. DeviceIDs at the first are requester IDs; at the second they
    /// begin with 0 again, so that one number names a device of each.
    fn msi_map_text(&self, itss: usize, text: &mut String) {
        if itss < 2 {
            return;
        }
        *text += "\n[msi_map]\nentries = [\n";
        let mut next = 0;
        for (index, (root, _)) in self.slots.iter().enumerate().filter(|(index, _)| index % 2 == 1)
        {
            let (root, device) = (root * BUSES, index + 1);
            for (rid, count) in [(root << 8 | device << 3, 8), ((root + device) << 8, 0x100)] {
                let range = format!("rid = {rid:#x}, count = {count:#x}");
                writeln!(text, "{{ {range}, its = 1, device_id = {next:#x} }},").unwrap();
                next += count;
            }
        }
        *text += "]\n";
    }

    /// The ITS of a device on no bus.
    fn its_of(&self, index: usize) -> usize {
        match self.gic {
            Gic::Its(count) => index % count,
            Gic::Frames(_) => 0,
        }
    }

    /// Devices on no bus have StreamIDs and DeviceIDs that no function has.
    fn board_text(&self, text: &mut String) {
        for (index, (smmu, device)) in self.board.iter().enumerate() {
            let (base, id) = (0x0c00_0000 + 0x1_0000 * index, 0xf000 + index);
            write!(text, "\n[[platform]]\nname = \"{base:x}.engine\"\nsmmu = {smmu}\n").unwrap();
            write!(text, "streams = [{id:#x}]\ndevice_id = {id:#x}\n").unwrap();
            writeln!(text, "its = {}", self.its_of(index)).unwrap();
            writeln!(text, "regions = [{{ base = {base:#x}, size = 0x1000 }}]").unwrap();
            match device {
                PlatformDevice::User(wires) => {
                    write!(text, "wires = {wires}\ndriver = \"vfio-platform\"\n").unwrap();
                }
                PlatformDevice::Held(messages) => {
                    write!(text, "messages = {messages}\nmessage_table = {base:#x}\n").unwrap();
                    text.push_str("driver = \"mv_xor_v2\"\nheld = [\n");
                    for vector in 0..*messages {
                        let irq = 300 + 8 * index + usize::from(vector);
                        let name = format!("name = \"engine-{index}-{vector}\"");
                        writeln!(text, "{{ irq = {irq}, vector = {vector}, {name} }},").unwrap();
                    }
                    text.push_str("]\n");
                }
            }
        }
    }
}

/// Writes the contents of one slot.
struct Writer<'a> {
    text: &'a mut String,
    /// The root bus.
    root: usize,
    /// Index of the slot: device number less 1, and bus behind it less 1.
    index: usize,
}

impl Writer<'_> {
    fn slot(&mut self, slot: Slot) {
        let (root, device) = (self.root, self.index + 1);
        let behind = root + device;
        match slot {
            Slot::Conventional => self.conventional(root, device, Some("vfio-pci"), 0),
            Slot::Express(vectors) => self.express(root, device, 0, vectors, 0),
            Slot::Pair(vectors) => {
                self.express(root, device, 0, vectors, 0x80);
                self.express(root, device, 1, vectors, 0);
            }
            Slot::BehindPort { acs, vectors } => {
                self.bridge(4, acs, Some("pcieport"));
                self.express(behind, 0, 0, vectors, 0);
            }
            Slot::BehindBridge => {
                self.bridge(7, false, None);
                self.conventional(behind, 1, Some("vfio-pci"), 0);
                self.conventional(behind, 2, None, 1);
            }
            Slot::Virtual { enabled, vectors } => {
                self.bridge(4, true, Some("pcieport"));
                self.express(behind, 0, 0, vectors, 0);
                let base = self.bar(8);
                self.text.push_str("\n[function.sriov]\noffset = 128\nstride = 2\n");
                self.text.push_str("device = 0x11\ndriver = \"vfio-pci\"\n");
                writeln!(self.text, "enabled = {enabled}").unwrap();
                let bar = format!("index = 0, start = {base:#x}, size = 0x4000, flags = 0x140204");
                writeln!(self.text, "bars = [{{ {bar} }}]").unwrap();
                let msix = format!("vectors = {vectors}, bar = 0, table = 0x2000, pba = 0x3000");
                writeln!(self.text, "msix = {{ {msix} }}").unwrap();
            }
        }
    }

    /// Address of a BAR: each slot has sixteen of 1 MiB.
    fn bar(&self, number: usize) -> usize {
        0x1000_0000 + self.index * 0x100_0000 + number * 0x10_0000
    }

    fn head(&mut self, bus: usize, device: usize, function: usize, id: (u16, u16, u32)) {
        let (vendor, number, class) = id;
        write!(self.text, "\n[[function]]\nbdf = \"{bus:02x}:{device:02x}.{function}\"\n").unwrap();
        write!(self.text, "vendor = {vendor:#x}\ndevice = {number:#x}\nclass = {class:#x}\n")
            .unwrap();
    }

    fn conventional(&mut self, bus: usize, device: usize, driver: Option<&str>, bar: usize) {
        let base = self.bar(bar);
        let mut config = [0; 0x48];
        config[0x10..0x14].copy_from_slice(&(base as u32).to_le_bytes());
        config[0x34] = 0x40;
        config[0x3d] = 1;
        // One vector, 64-bit address.
        config[0x40..0x43].copy_from_slice(&[0x05, 0, 0x80]);
        self.head(bus, device, 0, (0x1234, 0x11e8, 0x00_ff00));
        if let Some(driver) = driver {
            writeln!(self.text, "driver = \"{driver}\"").unwrap();
        }
        let bar = format!("index = 0, start = {base:#x}, size = 0x100000, flags = 0x40200");
        write!(self.text, "bars = [{{ {bar} }}]\nmsi = 0x40\n").unwrap();
        self.config(&config);
    }

    fn express(&mut self, bus: usize, device: usize, function: usize, vectors: u16, header: u8) {
        let base = self.bar(function);
        let mut config = [0; 0x8c];
        config[0x0e] = header;
        config[0x10..0x14].copy_from_slice(&(base as u32 | 4).to_le_bytes());
        config[0x34] = 0x40;
        config[0x40..0x42].copy_from_slice(&[0x11, 0x80]);
        config[0x42..0x44].copy_from_slice(&(vectors - 1).to_le_bytes());
        config[0x44..0x48].copy_from_slice(&0x2000u32.to_le_bytes());
        config[0x48..0x4c].copy_from_slice(&0x3000u32.to_le_bytes());
        config[0x80..0x83].copy_from_slice(&[0x10, 0, 0x02]);
        config[0x87] = 0x10;
        self.head(bus, device, function, (0x1b36, 0x10, 0x01_0802));
        let bar = format!("index = 0, start = {base:#x}, size = 0x4000, flags = 0x140204");
        write!(self.text, "driver = \"vfio-pci\"\nbars = [{{ {bar} }}]\n").unwrap();
        self.text
            .push_str("config_size = 4096\nmsix = 0x40\npcie = 0x80\nreset_method = \"flr\"\n");
        self.config(&config);
    }

    /// A port or bridge of this device/port type, to the bus of the slot.
    fn bridge(&mut self, port: u8, acs: bool, driver: Option<&str>) {
        let (root, device) = (self.root, self.index + 1);
        let mut config = [0; 0x4c];
        config[0x0e] = 1;
        let bus = (root + device) as u8;
        config[0x18..0x1b].copy_from_slice(&[root as u8, bus, bus]);
        config[0x34] = 0x40;
        config[0x40..0x43].copy_from_slice(&[0x10, 0, port << 4 | 2]);
        self.head(root, device, 0, (0x1b36, 0x0c, 0x06_0400));
        if let Some(driver) = driver {
            writeln!(self.text, "driver = \"{driver}\"").unwrap();
        }
        if acs {
            self.text.push_str("acs = \"SV RR CR UF\"\n");
        }
        self.text.push_str("config_size = 4096\npcie = 0x40\n");
        self.config(&config);
    }

    fn config(&mut self, bytes: &[u8]) {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(self.text, "config = \"{digits}\"").unwrap();
    }
}
