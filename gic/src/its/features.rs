//! The parameters of an ITS, and GITS_TYPER, which reports them. IHI 0069 H 12.19 (GITS_TYPER).

use super::entry::Layout;
use super::wire::{Baser, COLLECTIONS, Typer, page_size};
use crate::Cpu;
use crate::attributes;
use crate::choice::{ItsChoices, Preset};
use crate::identification::{self, Identification};
use passim_model::{IntId, PhysAddr};

/// The supported page sizes of tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum PageSizes {
    /// 4, 16 and 64 KiB.
    All,
    /// 4 KiB alone: GITS_BASER.Page_Size is fixed.
    K4,
    /// 16 KiB alone.
    K16,
    /// 64 KiB alone.
    K64,
}

impl PageSizes {
    /// GITS_BASER.Page_Size after a store of `stored`.
    pub(super) const fn kept(self, stored: u64) -> u64 {
        match self {
            // The value 3 is reserved and acts as 64 KiB (IHI 0069 H 12.19).
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
    /// The identification registers: GITS_PIDR4 to GITS_PIDR7, GITS_PIDR0 to GITS_PIDR3, GITS_CIDR0
    /// to GITS_CIDR3.
    pub identification: Identification,
    /// GITS_BASER of devices and of collections after reset, except for its fixed fields: UNKNOWN.
    pub baser_reset: u64,
    /// The layout of entries in memory.
    pub layout: Layout,
    /// Bits of an EventID, 1 to 32.
    pub event_bits: u32,
    /// Bits of a DeviceID, 1 to 32.
    pub device_bits: u32,
    /// Bits of an ICID, 1 to 16 and at most as many as an entry holds; `None` for 16 without
    /// GITS_TYPER.CIL.
    pub collection_bits: Option<u32>,
    /// Bits of an INTID, 14 to 24 and at most as many as an entry holds.
    pub intid_bits: u32,
    /// log2 of the number of LPIs, minus one, where there are fewer than the INTIDs allow
    /// (GICD_TYPER.num_LPIs); 0 otherwise. An ITS in a GICv3 takes its distributor's value.
    pub num_lpis: u32,
    /// Collections held in the ITS (GITS_TYPER.HCC); they have the lowest ICIDs.
    pub held_collections: u8,
    /// `Some` if commands name redistributors by address (GITS_TYPER.PTA): the address of the
    /// first. The others follow it.
    pub redistributors_at: Option<PhysAddr>,
    /// A wired interrupt that pulses when a command fails.
    pub error_wire: Option<IntId>,
    /// Untranslated messages are recorded (GITS_TYPER.UMSI).
    pub unmapped_messages: bool,
    /// A wired interrupt that pulses when the first message is recorded, or when software enables
    /// it with one recorded (GITS_TYPER.UMSIirq). It needs `unmapped_messages` and `statusr`.
    pub unmapped_wire: Option<IntId>,
    /// GITS_STATUSR exists.
    pub statusr: bool,
    /// Supported page sizes of tables.
    pub page_sizes: PageSizes,
    /// Bytes of an entry of the device and of the collection table (GITS_BASER.Entry_Size): 8 for
    /// the layout's own size, or 16 or 32, of which the layout uses the first bytes. Interrupt
    /// translation entries always have the layout's size.
    pub table_entry_bytes: u8,
    /// Device tables may have two levels.
    pub indirect_devices: bool,
    /// Collection tables may have two levels.
    pub indirect_collections: bool,
}

/// The parameters of an ITS.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Implementation {
    /// Its features.
    pub features: Features,
    /// Its choices.
    pub choices: ItsChoices,
}

impl Implementation {
    /// An ITS with the choices of `preset`.
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
            num_lpis: 0,
            held_collections: 0,
            redistributors_at: None,
            error_wire: None,
            unmapped_messages: false,
            unmapped_wire: None,
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
            // GIC-600 TRM 100336_0106, GITS_TYPER: 4 bytes per event, no PTA, SEIS, HCC or CCT, but
            // CIL; the numbers of identifier bits are configurable. These are from Rockchip's
            // RK3588 with eight CPUs, where GITS_TYPER is 0x130001ef31 and GITS_IIDR 0x0201743b.
            // Device entries have 8 bytes (table 4-35: GITS_BASER0 resets to 0x0107000000000000),
            // collection entries 2, in a flat table. Linux logs these for RK3568, RK3588,
            // Qualcomm's SM8350 and Ampere's Altra alike: `Devices (indirect, esz 8, psz 64K)`,
            // `Interrupt Collections (flat, esz 2, psz 64K)`. The manual prints 0 for GITS_BASER1
            // after reset, where a driver finds type and size.
            Preset::Gic600 => Features {
                iidr: 0x0201_743b,
                identification: identification::ARM_ITS,
                layout: Layout::Gic600,
                collection_bits: Some(4),
                indirect_collections: false,
                ..plain
            },
            Preset::Adversarial(_) => plain,
        };
        Self { features, choices: preset.its() }
    }

    /// The implementation with enough ICID bits for one collection per CPU, as an integrator
    /// configures it.
    pub(crate) fn for_cpus(mut self, cpus: u16) -> Self {
        let wanted = u16::BITS - cpus.saturating_sub(1).leading_zeros();
        if let Some(bits) = &mut self.features.collection_bits {
            *bits = wanted.max(*bits);
        }
        self
    }

    /// The implementation with every number clamped to its range.
    pub(super) fn in_range(self) -> Self {
        let layout = self.features.layout;
        let most_icids = layout.icid_bits();
        // Without CIL an ICID has 16 bits, and an entry must hold them.
        let collection_bits =
            self.features.collection_bits.or((most_icids < 16).then_some(most_icids));
        let features = Features {
            event_bits: self.features.event_bits.clamp(1, 32),
            device_bits: self.features.device_bits.clamp(1, 32),
            collection_bits: collection_bits.map(|bits| bits.clamp(1, most_icids)),
            intid_bits: self.features.intid_bits.clamp(14, layout.intid_bits().min(24)),
            num_lpis: self.features.num_lpis.min(31),
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

/// log2 of the bytes of a redistributor's registers.
const REDISTRIBUTOR_LG2: u32 = 17;

impl Features {
    /// Whether untranslated messages can raise an interrupt.
    pub(super) const fn has_umsi_irq(&self) -> bool {
        self.unmapped_messages && self.statusr && self.unmapped_wire.is_some()
    }

    /// Bits of an ICID.
    pub(super) const fn icid_bits(&self) -> u32 {
        match self.collection_bits {
            Some(bits) => bits,
            None => 16,
        }
    }

    /// Bytes of an entry in the table of GITS_BASER`n`.
    pub(super) fn entry_bytes(&self, n: usize) -> u64 {
        let own = match n {
            COLLECTIONS => self.layout.cte_bytes(),
            _ => self.layout.dte_bytes(),
        };
        match self.table_entry_bytes {
            0..=8 => own,
            larger => u64::from(larger),
        }
    }

    /// Whether an event may be mapped to this INTID.
    pub(super) const fn is_lpi(&self, intid: u32) -> bool {
        // IHI 0069 H 12.9 (GICD_TYPER.num_LPIs): two to the power of the field plus one.
        let few = self.num_lpis == 0 || (intid as u64) < 8192 + (2 << self.num_lpis);
        intid >= 8192 && (intid as u64) < 1 << self.intid_bits && few
    }

    /// The CPU that `rdbase` names (at its bit position in the command), if it is below `cpus`.
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
            | Typer::UMSI_IRQ.flag(self.has_umsi_irq())
    }
}
