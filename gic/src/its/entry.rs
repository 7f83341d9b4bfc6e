//! Table entries, in each supported layout. The architecture leaves the layout to the
//! implementation (IHI 0069 H 5.2) and defines only how sizes are reported:
//! GITS_TYPER.ITT_entry_size and GITS_BASER.Entry_Size. For GIC-600 nothing but those sizes is
//! published; the field positions are this model's.

use super::wire::{
    KvmCte, KvmDte, KvmIte, QemuCte, QemuDte, QemuIteHigh, QemuIteLow, SmallCte, SmallDte, SmallIte,
};
use crate::Cpu;
use crate::v3::MOST_CPUS;
use passim_model::{Abort, IntId, Memory, PhysAddr};

/// The layout of entries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Layout {
    /// KVM's save and restore ABI, revision 0: 8 bytes each; the collection table is a list.
    Kvm0,
    /// QEMU's: 8 bytes, interrupt translation entries 12; the collection table is an array.
    Qemu,
    /// GIC-600's entry sizes: 8 bytes per device, 2 per collection, 4 per event; the collection
    /// table is an array. Arm does not publish the field positions; they are this model's. The
    /// fields fit 4 bytes: valid, 16 bits of an LPI and the 14 of an ICID that GIC-600 has at most
    /// (GIC-600AE TRM 101206_0003_04, table 3-9) are 31 bits.
    Gic600,
}

/// A device table entry: the address of the interrupt translation table, and its size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Dte {
    pub(super) itt: u64,
    /// Bits of an EventID.
    pub(super) bits: u32,
}

/// A mapped event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ite {
    pub(super) intid: u32,
    /// `None` if the event lost its collection for good, which no table represents.
    pub(super) icid: Option<u16>,
}

/// The RDbase in the KVM ABI of a collection that events name and that is not mapped: KVM's
/// `COLLECTION_NOT_MAPPED`.
const KVM_NOT_MAPPED: u64 = 0xffff_ffff;

/// The doorbell in QEMU's entries for a physical LPI: none.
const NO_DOORBELL: u64 = 1023;

impl Layout {
    /// The layout whose interrupt translation entries have this size; only QEMU's and KVM's, which
    /// other software writes.
    pub const fn of_ite_bytes(bytes: u64) -> Option<Self> {
        match bytes {
            8 => Some(Self::Kvm0),
            12 => Some(Self::Qemu),
            _ => None,
        }
    }

    /// The LPI and the collection in the interrupt translation entry that begins with this
    /// doubleword; `None` if no event is mapped.
    pub fn mapped(self, low: u64) -> Option<(IntId, Option<u16>)> {
        self.ite(low).map(|ite| (IntId::new(ite.intid), ite.icid))
    }

    /// Bytes of an interrupt translation entry.
    pub const fn ite_bytes(self) -> u64 {
        match self {
            Self::Kvm0 => 8,
            Self::Qemu => 12,
            // 101206_0003_04, table 5-38: ITTEntrySize is 3 in every configuration.
            Self::Gic600 => 4,
        }
    }

    /// Bytes of a device table entry, unless [`Features`](super::Features) enlarges it.
    pub const fn dte_bytes(self) -> u64 {
        8
    }

    /// Bytes of a collection table entry, unless [`Features`](super::Features) enlarges it.
    pub const fn cte_bytes(self) -> u64 {
        match self {
            Self::Kvm0 | Self::Qemu => 8,
            Self::Gic600 => 2,
        }
    }

    /// Bits of an INTID that an interrupt translation entry holds.
    pub const fn intid_bits(self) -> u32 {
        match self {
            Self::Kvm0 => KvmIte::INTID.width(),
            Self::Qemu => QemuIteLow::INTID.width(),
            Self::Gic600 => SmallIte::INTID.width(),
        }
    }

    /// Bits of an ICID that an interrupt translation entry holds.
    pub const fn icid_bits(self) -> u32 {
        match self {
            Self::Kvm0 => KvmIte::ICID.width(),
            Self::Qemu => QemuIteLow::ICID.width(),
            Self::Gic600 => SmallIte::ICID.width(),
        }
    }

    /// Whether the collection table is a list: entries in any order, each with its ICID.
    pub(super) const fn lists_collections(self) -> bool {
        match self {
            Self::Kvm0 => true,
            Self::Qemu | Self::Gic600 => false,
        }
    }

    /// Decodes a device table entry; `None` if the device is not mapped.
    pub(super) fn dte(self, word: u64) -> Option<Dte> {
        let (valid, itt, size) = match self {
            Self::Kvm0 => {
                (KvmDte::VALID.is_set(word), KvmDte::ITT.get(word), KvmDte::SIZE.get(word))
            }
            Self::Qemu => {
                (QemuDte::VALID.is_set(word), QemuDte::ITT.get(word), QemuDte::SIZE.get(word))
            }
            Self::Gic600 => {
                (SmallDte::VALID.is_set(word), SmallDte::ITT.get(word), SmallDte::SIZE.get(word))
            }
        };
        valid.then_some(Dte { itt: itt << 8, bits: size as u32 + 1 })
    }

    /// Encodes a device table entry. `next` is ignored by layouts without that field.
    pub(super) fn spell_dte(self, dte: Option<Dte>, next: u64) -> u64 {
        let Some(dte) = dte else { return 0 };
        let (itt, size) = (dte.itt >> 8, u64::from(dte.bits - 1));
        match self {
            Self::Kvm0 => {
                KvmDte::VALID.flag(true)
                    | KvmDte::NEXT.of(next)
                    | KvmDte::ITT.of(itt)
                    | KvmDte::SIZE.of(size)
            }
            Self::Qemu => QemuDte::VALID.flag(true) | QemuDte::ITT.of(itt) | QemuDte::SIZE.of(size),
            Self::Gic600 => {
                SmallDte::VALID.flag(true) | SmallDte::ITT.of(itt) | SmallDte::SIZE.of(size)
            }
        }
    }

    /// Distance to the next mapped device, in KVM's layout.
    pub(super) fn next_dte(word: u64) -> u64 {
        KvmDte::NEXT.get(word)
    }

    /// Distance to the next mapped event, in KVM's layout.
    pub(super) fn next_ite(word: u64) -> u64 {
        KvmIte::NEXT.get(word)
    }

    /// The largest distances that fit: of devices, of events.
    pub(super) const MOST_NEXT: (u64, u64) = ((1 << 14) - 1, (1 << 16) - 1);

    /// Decodes a collection table entry: its ICID, in KVM's layout, and the CPU, which is `None`
    /// for a number that no CPU can have, as in the KVM ABI for a collection that is not mapped.
    pub(super) fn cte(self, word: u64) -> Option<(u16, Option<Cpu>)> {
        let (valid, icid, rdbase) = match self {
            Self::Kvm0 => {
                (KvmCte::VALID.is_set(word), KvmCte::ICID.get(word), KvmCte::RDBASE.get(word))
            }
            Self::Qemu => (QemuCte::VALID.is_set(word), 0, QemuCte::RDBASE.get(word)),
            Self::Gic600 => (SmallCte::VALID.is_set(word), 0, SmallCte::TARGET.get(word)),
        };
        let cpu = (rdbase < MOST_CPUS as u64).then_some(Cpu::new(rdbase as u16));
        valid.then_some((icid as u16, cpu))
    }

    /// Encodes the entry of an unmapped collection in the KVM ABI.
    pub(super) fn spell_unmapped_cte(icid: u16) -> u64 {
        KvmCte::VALID.flag(true)
            | KvmCte::RDBASE.of(KVM_NOT_MAPPED)
            | KvmCte::ICID.of(u64::from(icid))
    }

    /// Encodes a collection table entry.
    pub(super) fn spell_cte(self, icid: u16, cpu: Cpu) -> u64 {
        let rdbase = u64::from(cpu.get());
        match self {
            Self::Kvm0 => {
                KvmCte::VALID.flag(true)
                    | KvmCte::RDBASE.of(rdbase)
                    | KvmCte::ICID.of(u64::from(icid))
            }
            Self::Qemu => QemuCte::VALID.flag(true) | QemuCte::RDBASE.of(rdbase),
            Self::Gic600 => SmallCte::VALID.flag(true) | SmallCte::TARGET.of(rdbase),
        }
    }

    /// Reads the collection table entry at `at`, for [`Layout::cte`].
    #[inline]
    pub(super) fn load_cte(self, at: PhysAddr, memory: &Memory) -> Result<u64, Abort> {
        match self {
            Self::Kvm0 | Self::Qemu => memory.load_u64(at),
            Self::Gic600 => {
                let shift = at.offset_in(3) * 8;
                Ok(memory.load_u64(at)? >> shift & u64::from(u16::MAX))
            }
        }
    }

    /// Writes an encoded collection table entry, 0 for none.
    pub(super) fn store_cte(
        self,
        at: PhysAddr,
        word: u64,
        memory: &mut Memory,
    ) -> Result<(), Abort> {
        match self {
            Self::Kvm0 | Self::Qemu => memory.store_u64(at, word),
            Self::Gic600 => memory.write(at, &(word as u16).to_le_bytes()),
        }
    }

    /// Reads the interrupt translation entry at `at`; `None` if the event is not mapped.
    #[inline]
    pub(super) fn load_ite(self, at: PhysAddr, memory: &Memory) -> Result<Option<Ite>, Abort> {
        match self {
            Self::Kvm0 => Ok(self.ite(memory.load_u64(at)?)),
            Self::Qemu => {
                // An entry of twelve bytes starts on a doubleword or in the middle of one.
                let first = memory.load_u64(at)?;
                let low = match at.is_aligned(3) {
                    true => first,
                    false => {
                        let next = at.checked_add(4).ok_or(Abort(at))?;
                        first >> 32 | memory.load_u64(next)? << 32
                    }
                };
                Ok(self.ite(low))
            }
            Self::Gic600 => {
                let shift = at.offset_in(3) * 8;
                Ok(self.ite(memory.load_u64(at)? >> shift))
            }
        }
    }

    /// Decodes the interrupt translation entry that starts in this doubleword, at bit 0.
    #[inline]
    pub(super) fn ite(self, low: u64) -> Option<Ite> {
        let (mapped, intid, icid) = match self {
            Self::Kvm0 => {
                let intid = KvmIte::INTID.get(low) as u32;
                (intid != 0, intid, KvmIte::ICID.get(low))
            }
            Self::Qemu => {
                let mapped = QemuIteLow::VALID.is_set(low) && QemuIteLow::PHYSICAL.is_set(low);
                (mapped, QemuIteLow::INTID.get(low) as u32, QemuIteLow::ICID.get(low))
            }
            Self::Gic600 => {
                let intid = SmallIte::INTID.get(low) as u32;
                (SmallIte::VALID.is_set(low), intid, SmallIte::ICID.get(low))
            }
        };
        mapped.then_some(Ite { intid, icid: Some(icid as u16) })
    }

    /// Writes the entry at `at` for an event that goes to another collection. QEMU's keeps what it
    /// says of virtual LPIs, though the event has none.
    // QEMU's process_movi writes back the entry that it has read.
    pub(super) fn store_moved(
        self,
        at: PhysAddr,
        ite: (u32, u16),
        memory: &mut Memory,
    ) -> Result<(), Abort> {
        let mut old = [0; 12];
        if self == Self::Qemu {
            memory.read(at, &mut old)?;
        }
        self.store_ite(at, Some(ite), 0, memory)?;
        if self != Self::Qemu {
            return Ok(());
        }
        let [l0, l1, l2, l3, l4, l5, l6, l7, high @ ..] = old;
        let low = u64::from_le_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
        let vpe = QemuIteLow::VPEID.get(low) as u16;
        let doorbell = QemuIteHigh::DOORBELL.in_place(u32::from_le_bytes(high).into()) as u32;
        let mut kept = [0; 6];
        kept[..2].copy_from_slice(&vpe.to_le_bytes());
        kept[2..].copy_from_slice(&doorbell.to_le_bytes());
        memory.write(at.checked_add(6).ok_or(Abort(at))?, &kept)
    }

    /// Writes the interrupt translation entry at `at`: an LPI and an ICID, or an invalid entry.
    pub(super) fn store_ite(
        self,
        at: PhysAddr,
        ite: Option<(u32, u16)>,
        next: u64,
        memory: &mut Memory,
    ) -> Result<(), Abort> {
        let spelled = |(intid, icid)| (u64::from(intid), u64::from(icid));
        match (self, ite.map(spelled)) {
            (Self::Kvm0, Some((intid, icid))) => {
                let word = KvmIte::NEXT.of(next) | KvmIte::INTID.of(intid) | KvmIte::ICID.of(icid);
                memory.store_u64(at, word)
            }
            (Self::Kvm0, None) => memory.store_u64(at, 0),
            (Self::Qemu, mapped) => {
                let mut bytes = [0; 12];
                if let Some((intid, icid)) = mapped {
                    let low = QemuIteLow::VALID.flag(true)
                        | QemuIteLow::PHYSICAL.flag(true)
                        | QemuIteLow::INTID.of(intid)
                        | QemuIteLow::ICID.of(icid);
                    let high = QemuIteHigh::DOORBELL.of(NO_DOORBELL) as u32;
                    bytes[..8].copy_from_slice(&low.to_le_bytes());
                    bytes[8..].copy_from_slice(&high.to_le_bytes());
                }
                memory.write(at, &bytes)
            }
            (Self::Gic600, mapped) => {
                let spelled = mapped.map_or(0, |(intid, icid)| {
                    SmallIte::VALID.flag(true) | SmallIte::ICID.of(icid) | SmallIte::INTID.of(intid)
                });
                memory.write(at, &(spelled as u32).to_le_bytes())
            }
        }
    }
}
