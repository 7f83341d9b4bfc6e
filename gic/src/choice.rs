//! Every point that the architecture of LPIs and of the ITS leaves to the implementation, with a
//! name.
//!
//! A point with several selectable values is a type here. [`Preset`] names sets of values; the
//! preset [`adversarial`] draws its set from a seed. No preset uses
//! [`MapToUnmapped::Refused`](its::MapToUnmapped::Refused) and
//! [`TargetOfUnmap::Checked`](its::TargetOfUnmap::Checked), which the architecture does not allow:
//! they are for callers who build a GIC of their own, as Xen's ITS has both. Xen's two other values,
//! [`RemapEvent::Refused`](its::RemapEvent::Refused) and
//! [`RemapDevice::Refused`](its::RemapDevice::Refused), are for what software must not do, and are
//! drawn by `adversarial`. The remaining points have one fixed value in the code, listed here:
//!
//! | choice (IHI 0069 H) | made here |
//! | --- | --- |
//! | reset values said to be UNKNOWN | zero |
//! | shareability and cacheability fields ([`Attributes`]) | without effect, whatever is kept of them |
//! | LPI configuration and pending tables that abort | the LPI acts as disabled; nothing is stored; the abort is counted |
//! | LPIs that reach a redistributor whose LPIs are off (5.1) | dropped |
//! | SYNC to a redistributor that does not exist (5.3) | without effect |
//! | an event whose collection is unmapped, named by INT, CLEAR, INV, DISCARD (5.3) | the ITE is invalid |
//! | ITE with an INTID that is no LPI (5.2) | unmapped |
//! | GITS_TRANSLATER written by a CPU (12.19) | ignored: it has no DeviceID |
//! | first kilobyte of the pending table (5.1.2) | not used |
//! | which of several interrupts of one priority a CPU takes (4.8) | that of the lowest INTID |
//! | EnableLPIs set while GICR_PROPBASER or GICR_PENDBASER names no table (12.11) | tables are read at the addresses in the registers |
//! | an SPI for any CPU (GICD_IROUTER, 12.9) | offered to all that do not decline; the first to acknowledge takes it |

pub mod adversarial;
pub mod its;
pub mod lpi;

pub use its::ItsChoices;
pub use lpi::LpiChoices;

/// Which shareability and cacheability fields a register keeps of those stored with the address of
/// a queue or table: software reads back what hardware supports (IHI 0069 H 12.11, 12.19).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Attributes {
    /// All of it.
    #[default]
    Kept,
    /// All of it, and reserved bits as stored, in the queue's other registers too.
    Raw,
    /// Non-cacheable becomes inner Read-allocate Write-back, Outer Shareable becomes Inner
    /// Shareable; the outer cacheability becomes "same as inner" unless it is Non-cacheable.
    Cacheable,
}

/// A named set of choices, for redistributors and ITSs alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Preset {
    /// Only what the architecture guarantees, in the plainest form: errors stall the queue, and
    /// uses that it leaves undefined have no effect. It encodes no error for those (IHI 0069 H
    /// 5.5), so that none is reported.
    #[default]
    ArchStrict,
    /// As QEMU 10.2 (`hw/intc/arm_gicv3_its.c`, `arm_gicv3_redist.c`).
    Qemu,
    /// As Linux's KVM (`arch/arm64/kvm/vgic/vgic-its.c` of 7.2), table format revision 0.
    KvmAbi0,
    /// As GIC-600 (Arm 100336, 101206): caches, every error stalls.
    Gic600,
    /// Any behaviour that the architecture allows between INVs and SYNCs, drawn from this seed.
    Adversarial(u64),
}

impl Preset {
    /// The presets, the last with seed 0.
    pub const ALL: [Self; 5] =
        [Self::ArchStrict, Self::Qemu, Self::KvmAbi0, Self::Gic600, Self::Adversarial(0)];

    /// The name, without the seed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ArchStrict => "arch-strict",
            Self::Qemu => "qemu",
            Self::KvmAbi0 => "kvm-abi0",
            Self::Gic600 => "gic600",
            Self::Adversarial(_) => "adversarial",
        }
    }

    /// The preset with this name; `seed` applies to `adversarial` only.
    pub fn from_name(name: &str, seed: u64) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|preset| preset.name() == name)?;
        Some(match found {
            Self::Adversarial(_) => Self::Adversarial(seed),
            fixed => fixed,
        })
    }
}
