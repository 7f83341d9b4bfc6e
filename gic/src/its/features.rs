//! What an ITS is built as, and what it says of itself. IHI 0069 H 12.18 (GITS_TYPER).

use super::entry::Layout;
use super::wire::{Baser, Typer, page_size};
use crate::Cpu;
use crate::attributes;
use crate::choice::{ItsChoices, Preset};
use crate::identification::{self, Identification};
use passim_model::{IntId, PhysAddr};

/// Which pages tables can be made of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PageSizes {
    /// 4, 16 and 64 KiB.
    All,
    /// 4 KiB alone, and so on: GITS_BASER.Page_Size is fixed.
    K4,
    /// 16 KiB.
    K16,
    /// 64 KiB.
    K64,
}

impl PageSizes {
    /// GITS_BASER.Page_Size where it is stored as this.
    pub(super) const fn kept(self, stored: u64) -> u64 {
        match self {
            // The value 3 is reserved and counts as 64 KiB (IHI 0069 H 12.19).
            Self::All if stored > page_size::K64 => page_size::K64,
            Self::All => stored,
            Self::K4 => page_size::K4,
            Self::K16 => page_size::K16,
            Self::K64 => page_size::K64,
        }
    }
}

/// The features of an ITS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Features {
    /// GITS_IIDR.
    pub iidr: u32,
    /// GITS_PIDR4 and its siblings.
    pub identification: Identification,
    /// GITS_BASER of devices and of collections after reset, but for what is fixed: UNKNOWN.
    pub baser_reset: u64,
    /// How entries are laid out in memory.
    pub layout: Layout,
    /// Bits of an EventID, 1 to 32.
    pub event_bits: u32,
    /// Bits of a DeviceID, 1 to 32.
    pub device_bits: u32,
    /// Bits of an ICID, 1 to 16; `None` for 16 without GITS_TYPER.CIL.
    pub collection_bits: Option<u32>,
    /// Bits of an INTID, 14 to 24.
    pub intid_bits: u32,
    /// Collections the ITS holds itself; their ICIDs come first.
    pub held_collections: u8,
    /// `Some` if commands name redistributors by address (GITS_TYPER.PTA): where the first is. The
    /// others follow.
    pub redistributors_at: Option<PhysAddr>,
    /// A wired interrupt that pulses when a command fails.
    pub error_wire: Option<IntId>,
    /// Messages that cannot be translated are recorded (GITS_TYPER.UMSI).
    pub unmapped_messages: bool,
    /// There is a GITS_STATUSR.
    pub statusr: bool,
    /// Pages of tables.
    pub page_sizes: PageSizes,
    /// Bytes of an entry of the device and of the collection table (GITS_BASER.Entry_Size): 8, 16 or
    /// 32, of which the layout says what the first 8 are. Those of events have the layout's.
    pub table_entry_bytes: u8,
    /// Device tables may have two levels.
    pub indirect_devices: bool,
    /// Collection tables may have two levels.
    pub indirect_collections: bool,
}

/// What an ITS is built as.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Implementation {
    /// What it can do.
    pub features: Features,
    /// What it chooses.
    pub choices: ItsChoices,
}

impl Implementation {
    /// An ITS that chooses as `preset` does.
    pub fn of(preset: Preset) -> Self {
        let plain = Features {
            iidr: 0x0000_043b,
            identification: identification::REVISION,
            baser_reset: 0,
            layout: Layout::Qemu,
            event_bits: 16,
            device_bits: 16,
            collection_bits: Some(16),
            intid_bits: 16,
            held_collections: 0,
            redistributors_at: None,
            error_wire: None,
            unmapped_messages: false,
            statusr: false,
            page_sizes: PageSizes::All,
            table_entry_bytes: 8,
            indirect_devices: true,
            indirect_collections: true,
        };
        let features = match preset {
            Preset::ArchStrict => Features { unmapped_messages: true, statusr: true, ..plain },
            Preset::Qemu => Features {
                identification: identification::ARM_ITS,
                // arm_gicv3_its.c, gicv3_its_reset_hold.
                baser_reset: Baser::PAGE_SIZE.of(page_size::K64),
                ..plain
            },
            Preset::KvmAbi0 => Features {
                iidr: 0x4b00_043b,
                identification: identification::KVM_ITS,
                // vgic-its.c, INITIAL_BASER_VALUE.
                baser_reset: attributes::KVM_BASER | Baser::PAGE_SIZE.of(page_size::K64),
                layout: Layout::Kvm0,
                collection_bits: None,
                page_sizes: PageSizes::K64,
                indirect_collections: false,
                ..plain
            },
            // GIC-600 TRM 100336: collections in a flat table. What its entries look like nobody says;
            // of Rockchip's RK3588 it is known how large they are (GITS_TYPER 0x130001ef31, and Linux's
            // log: 4 bytes for an event, 8 for a device, 2 for a collection, of which there are 16).
            // Here they are laid out, and are as large, as KVM's.
            Preset::Gic600 => Features {
                iidr: 0x0201_743b,
                identification: identification::ARM_ITS,
                layout: Layout::Kvm0,
                indirect_collections: false,
                ..plain
            },
            Preset::Adversarial(_) => plain,
        };
        Self { features, choices: preset.its() }
    }

    /// The implementation with every number in range.
    pub(super) fn in_range(self) -> Self {
        let features = Features {
            event_bits: self.features.event_bits.clamp(1, 32),
            device_bits: self.features.device_bits.clamp(1, 32),
            collection_bits: self.features.collection_bits.map(|bits| bits.clamp(1, 16)),
            intid_bits: self.features.intid_bits.clamp(14, 24),
            table_entry_bytes: match self.features.table_entry_bytes {
                0..=8 => 8,
                9..=16 => 16,
                _ => 32,
            },
            ..self.features
        };
        Self { features, ..self }
    }
}

/// Bytes of a redistributor's registers.
const REDISTRIBUTOR_LG2: u32 = 17;

impl Features {
    /// Bits of an ICID.
    pub(super) const fn icid_bits(&self) -> u32 {
        match self.collection_bits {
            Some(bits) => bits,
            None => 16,
        }
    }

    /// Whether the number is an LPI's that an event may be mapped to.
    pub(super) const fn is_lpi(&self, intid: u32) -> bool {
        intid >= 8192 && (intid as u64) < 1 << self.intid_bits
    }

    /// The CPU that a command means by RDbase, given in place, of `cpus`.
    pub(super) fn target(&self, rdbase: u64, cpus: u16) -> Option<Cpu> {
        let n = match self.redistributors_at {
            None => rdbase >> 16,
            Some(first) => {
                let distance = rdbase.checked_sub(first.get())?;
                if distance & ((1 << REDISTRIBUTOR_LG2) - 1) != 0 {
                    return None;
                }
                distance >> REDISTRIBUTOR_LG2
            }
        };
        let n = u16::try_from(n).ok()?;
        (n < cpus).then_some(Cpu::new(n))
    }

    /// GITS_TYPER.
    pub(super) fn typer(&self, reports: bool) -> u64 {
        Typer::PHYSICAL.flag(true)
            | Typer::ITT_ENTRY_SIZE.of(self.layout.ite_bytes() - 1)
            | Typer::ID_BITS.of(u64::from(self.event_bits - 1))
            | Typer::DEVBITS.of(u64::from(self.device_bits - 1))
            | Typer::SEIS.flag(reports)
            | Typer::PTA.flag(self.redistributors_at.is_some())
            | Typer::HCC.of(u64::from(self.held_collections))
            | Typer::CIDBITS.of(self.collection_bits.map_or(0, |bits| u64::from(bits - 1)))
            | Typer::CIL.flag(self.collection_bits.is_some())
            | Typer::UMSI.flag(self.unmapped_messages)
    }
}
