//! Every place where the architecture of LPIs and of the ITS leaves a choice, each with a name.
//!
//! A choice that can be made differently is a type here; [`Preset`] names sets of them, one of them
//! drawn from a seed ([`adversarial`]). Two values are no preset's, and there for who builds a GIC himself:
//! [`MapToUnmapped::Refused`](its::MapToUnmapped::Refused) and
//! [`TargetOfUnmap::Checked`](its::TargetOfUnmap::Checked), as Xen's ITS has both. The others are made
//! once, in the code, and listed so that a reader finds all of them:
//!
//! | choice (IHI 0069 H) | made here |
//! | --- | --- |
//! | reset values said to be UNKNOWN | zero |
//! | shareability and cacheability fields ([`Attributes`]) | without effect, whatever is kept of them |
//! | LPI configuration and pending tables that abort | the LPI counts as disabled; nothing is stored; counted |
//! | LPIs that reach a redistributor whose LPIs are off (5.1) | dropped |
//! | SYNC to a redistributor that does not exist (5.3) | without effect |
//! | an event whose collection is unmapped, named by INT, CLEAR, INV, DISCARD (5.3) | the ITE is invalid |
//! | ITE with an INTID that is no LPI (5.2) | unmapped |
//! | GITS_TRANSLATER written by a CPU (12.18) | ignored: it has no DeviceID |
//! | first kilobyte of the pending table (5.1.2) | not used |
//! | which of several interrupts of one priority a CPU takes (4.8) | that of the lowest INTID |
//! | EnableLPIs set while GICR_PROPBASER or GICR_PENDBASER names no table (12.11) | they are read where the registers say |
//! | an SPI for any CPU (GICD_IROUTER, 12.9) | offered to all that do not decline; the first acknowledge has it |

pub mod adversarial;
pub mod its;
pub mod lpi;

pub use its::ItsChoices;
pub use lpi::LpiChoices;

/// What is kept of shareability and cacheability that is stored with the address of a queue or a table:
/// software reads there what hardware made of its wish (IHI 0069 H 12.11, 12.18).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Attributes {
    /// All of it.
    #[default]
    Kept,
    /// All of it, and of bits that are reserved whatever is stored, in the other registers of the queue
    /// too.
    Raw,
    /// What is not cacheable is inner read-allocate write-back, what is outer shareable is inner
    /// shareable; of the outer cacheability, that it is as the inner, or that there is none.
    Cacheable,
}

/// A named set of choices, for redistributors and ITSs alike.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Preset {
    /// Nothing but what the architecture guarantees, in its plainest form: errors stall the queue,
    /// what is undefined is refused.
    #[default]
    ArchStrict,
    /// As QEMU 10.2 (`hw/intc/arm_gicv3_its.c`, `arm_gicv3_redist.c`).
    Qemu,
    /// As Linux's KVM (`arch/arm64/kvm/vgic/vgic-its.c` of 7.2), table format revision 0.
    KvmAbi0,
    /// As GIC-600 (Arm 100336, 101206): caches, every error stalls.
    Gic600,
    /// Whatever the architecture allows between INVs and SYNCs, from this seed.
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

    /// The preset of a name; `seed` counts for `adversarial` only.
    pub fn from_name(name: &str, seed: u64) -> Option<Self> {
        let found = Self::ALL.into_iter().find(|preset| preset.name() == name)?;
        Some(match found {
            Self::Adversarial(_) => Self::Adversarial(seed),
            fixed => fixed,
        })
    }
}
