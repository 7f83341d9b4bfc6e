//! Choices of redistributors about LPIs. IHI 0069 H 5.1, 12.10, 12.11.
//!
//! | choice | `arch-strict` | `qemu` | `kvm-abi0` | `gic600` | `adversarial` |
//! | --- | --- | --- | --- | --- | --- |
//! | the state of an LPI belongs to | a redistributor | a redistributor | the LPI | a redistributor | a redistributor |
//! | configuration is read | once | when pended | at mapping | once for all | drawn |
//! | pending state is in | the redistributor | memory | the redistributor | the redistributor | drawn |
//! | the pending table is read | at enabling | repeatedly | at enabling | at enabling | at enabling |
//! | PTZ | honoured | ignored | honoured | honoured | drawn |
//! | clearing EnableLPIs | refused | allowed | allowed | allowed, CES = 0 | drawn |
//! | stores to the base registers while LPIs are on | ignored | used | ignored | ignored | drawn |
//! | GICR_PROPBASER | one each | one each | shared | one each | drawn |
//! | attributes of tables | kept | raw | cacheable | kept | kept |
//! | pending LPIs at disabling | written | in memory | shelved | written | written |
//! | when the pending table is written then | at once | at once | at once | at once | drawn |
//! | INVLPIR reaches LPIs of | its own redistributor | its own | any | its own | its own |
//! | bits of a priority | five | six, eight | five | five | five |
//! | priority of a pending LPI | follows | follows | follows | sticks | drawn |
//! | MOVI, MOVALL to where LPIs are off | stay | stay | move | lost | drawn |
//! | INVLPIR and INVALLR are done | at once | at once | at once | at once | drawn |

use super::{Attributes, Preset, adversarial};

/// What holds the state of an LPI: whether it is pending, and its cached configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum LpiState {
    /// The redistributor that messages and commands send it to.
    #[default]
    PerRedistributor,
    /// The LPI itself, which is at one CPU, while an event maps to it or that CPU can take it.
    ///
    /// The first event mapped to an LPI creates it: its bit in the CPU's pending table is read and
    /// cleared, and its configuration is read. Messages of other events raise it where it is, if
    /// LPIs are on at the CPU they target; MOVI, MAPC and MOVALL move it. Commands find it whether
    /// LPIs are on or not, and the CPU it waits for can take it. Turning LPIs on reads the pending
    /// table for the LPIs that exist, and offers all shelved LPIs again. Save writes the pending
    /// bit of each LPI that exists, and no other; restore creates each LPI when it restores an
    /// event that maps to it, and reads its configuration.
    // Linux's struct vgic_irq: pending_latch, target_vcpu, and a count of references.
    PerLpi,
}

/// When a redistributor reads the configuration of an LPI from memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ConfigRead {
    /// Whenever the LPI becomes pending, and when it is invalidated: nothing is cached.
    WhenPended,
    /// When it is first needed, and not again until the LPI is invalidated, or is mapped or moved
    /// here: configuration cached before the LPI was elsewhere is discarded.
    #[default]
    UntilInvalidated,
    /// When any redistributor first needs it, and not again until the LPI is invalidated at any of
    /// them: the GIC has one cache. Mapping and moving do not invalidate it.
    OnceForAll,
    /// When LPIs are turned on, for every LPI, and not again until the LPI is invalidated or moved
    /// here. Mapping an LPI does not invalidate it.
    AtEnabling,
    /// When the LPI is mapped, and not again until it is invalidated. The cached configuration
    /// moves with the LPI.
    AtMapping,
}

/// Where the pending state of LPIs lives while LPIs are on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PendingHome {
    /// In the table in memory, at all times.
    Memory,
    /// In the redistributor; the table is written when LPIs are turned off.
    #[default]
    Redistributor,
}

/// When the pending table is read, if it holds the pending state; otherwise it is read only when
/// LPIs are turned on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PendingScan {
    /// When LPIs are turned on.
    #[default]
    AtEnabling,
    /// Then, and again as a whole when they are turned on again, when an LPI is invalidated, for
    /// MOVALL, when the most urgent LPI is no longer pending, and on restore. Bits that software
    /// wrote there become pending, and the configuration of all pending LPIs is read.
    Repeated,
}

/// What GICR_PENDBASER.PTZ does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PendingZero {
    /// The table is not read when LPIs are turned on, each time; the bit reads as zero.
    #[default]
    Honoured,
    /// As [`Honoured`](Self::Honoured), for one enable only: after it the bit is cleared.
    HonouredOnce,
    /// The table is read anyway; the bit is kept.
    Ignored,
    /// The table is read anyway; the bit reads as zero.
    Doubted,
}

/// Whether GICR_CTLR.EnableLPIs can be cleared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ClearEnable {
    /// Yes, and GICR_CTLR.CES is 1.
    #[default]
    Allowed,
    /// Yes, but GICR_CTLR.CES is 0, which promises nothing.
    Untold,
    /// Once set it stays set.
    Refused,
}

/// What a store to GICR_PROPBASER or GICR_PENDBASER does while LPIs are on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum BaseWhileEnabled {
    /// It is ignored.
    #[default]
    Ignored,
    /// The register is written; the tables in use stay those from when LPIs were turned on.
    Kept,
    /// The register is written, and the table it names is used from then on.
    Used,
}

/// Whether each redistributor has a GICR_PROPBASER of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PropertyTable {
    /// Yes.
    #[default]
    PerRedistributor,
    /// A store to one writes all. Where LPIs are on, configuration is read at the new address from
    /// then on, for as many LPIs as before.
    Shared,
}

/// What happens to pending LPIs in a redistributor when EnableLPIs is cleared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PendingAtDisable {
    /// They are written to the table in memory.
    #[default]
    Written,
    /// The table does not change. They stay pending but are not offered to the CPU until a message,
    /// an invalidation or the turning on of LPIs names them again.
    Shelved,
}

/// When the pending table is written after EnableLPIs is cleared. No LPI is taken from that store
/// on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Disabling {
    /// With the store.
    #[default]
    AtOnce,
    /// In a later step. GICR_CTLR.RWP is 1 until then, and stores that set EnableLPIs or name
    /// another table, which software must not make yet, are ignored.
    // As Linux's KVM does while LPIs are being disabled.
    OnStep,
}

/// Which LPIs a store to GICR_INVLPIR reaches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum InvlpirReach {
    /// Those of this redistributor.
    #[default]
    Own,
    /// Those of any.
    Any,
}

/// Implemented bits of a priority. The CPU interface has five in either case.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PriorityBits {
    /// Five, for every interrupt.
    #[default]
    Five,
    /// All that can be stored: eight for an interrupt of the distributor, an SGI or a PPI, and six
    /// for an LPI.
    Stored,
}

/// What an invalidation does to the priority of a pending LPI.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PendingPriority {
    /// It is read again.
    #[default]
    Follows,
    /// It stays until the LPI is acknowledged.
    Sticks,
}

/// What moving pending LPIs does when LPIs are off at the target.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MoveToDisabled {
    /// They stay where they are.
    #[default]
    Stay,
    /// They are lost.
    Lost,
    /// They become pending there and can be taken, as if LPIs were on.
    Move,
}

/// When INVLPIR and INVALLR complete.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RegisterInvalidation {
    /// With the store.
    #[default]
    AtOnce,
    /// In a later step; GICR_SYNCR.Busy is 1 until then.
    OnStep,
}

/// The choices of redistributors that can be made differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LpiChoices {
    /// What holds the state of an LPI.
    pub state: LpiState,
    /// When the configuration is read.
    pub config: ConfigRead,
    /// Where pending state lives.
    pub pending: PendingHome,
    /// When the pending table is read.
    pub pending_scan: PendingScan,
    /// GICR_PENDBASER.PTZ.
    pub ptz: PendingZero,
    /// Clearing EnableLPIs.
    pub clear_enable: ClearEnable,
    /// Stores to the base registers while LPIs are on.
    pub base_while_enabled: BaseWhileEnabled,
    /// GICR_PROPBASER of several redistributors.
    pub property_table: PropertyTable,
    /// Attributes of the tables.
    pub attributes: Attributes,
    /// Pending LPIs when LPIs are turned off.
    pub pending_at_disable: PendingAtDisable,
    /// When the pending table is written then.
    pub disabling: Disabling,
    /// Reach of INVLPIR.
    pub invlpir: InvlpirReach,
    /// Bits of priorities.
    pub priority_bits: PriorityBits,
    /// Priorities of pending LPIs.
    pub pending_priority: PendingPriority,
    /// Moves to a redistributor with LPIs off.
    pub move_to_disabled: MoveToDisabled,
    /// INVLPIR and INVALLR.
    pub register_invalidation: RegisterInvalidation,
}

impl LpiChoices {
    /// Whether the pending table is read repeatedly.
    pub(crate) fn scans(&self) -> bool {
        self.pending == PendingHome::Memory && self.pending_scan == PendingScan::Repeated
    }

    /// Whether a restored redistributor reads its tables as if for the first time. Otherwise its
    /// cached state is saved and restored.
    // Linux: vgic_its_restore_ite adds each LPI by vgic_add_lpi. QEMU: the GICv3's post-load hook
    // calls gicv3_redist_update_lpi_only.
    pub(crate) fn reads_anew_when_restored(&self) -> bool {
        self.state == LpiState::PerLpi || self.scans()
    }

    /// Whether a redistributor keeps LPIs while they are off.
    pub(crate) fn holds_while_off(&self) -> bool {
        self.state == LpiState::PerLpi
            || self.pending_at_disable == PendingAtDisable::Shelved
            || self.move_to_disabled == MoveToDisabled::Move
    }
}

impl Preset {
    /// The preset's choices for redistributors.
    pub fn lpi(self) -> LpiChoices {
        let plain = LpiChoices::default();
        match self {
            Self::ArchStrict => LpiChoices { clear_enable: ClearEnable::Refused, ..plain },
            // arm_gicv3_redist.c: update_for_all_lpis runs over the whole table; both bases are
            // read from the registers each time; an LPI has LPI_PRIORITY_MASK, 0xfc.
            Self::Qemu => LpiChoices {
                config: ConfigRead::WhenPended,
                pending: PendingHome::Memory,
                pending_scan: PendingScan::Repeated,
                ptz: PendingZero::Ignored,
                attributes: Attributes::Raw,
                base_while_enabled: BaseWhileEnabled::Used,
                priority_bits: PriorityBits::Stored,
                ..plain
            },
            Self::KvmAbi0 => LpiChoices {
                // vgic_add_lpi, update_affinity, vgic_put_irq.
                state: LpiState::PerLpi,
                config: ConfigRead::AtMapping,
                property_table: PropertyTable::Shared,
                attributes: Attributes::Cacheable,
                // vgic_flush_pending_lpis removes them from the CPU's ap_list and leaves
                // pending_latch set.
                pending_at_disable: PendingAtDisable::Shelved,
                invlpir: InvlpirReach::Any,
                // vgic_target_oracle does not check whether LPIs are on.
                move_to_disabled: MoveToDisabled::Move,
                ..plain
            },
            // GIC-600AE TRM 101206_0003_04. Page 73: software should not clear EnableLPIs, but can;
            // page 121: GICR_CTLR resets to 0. Page 64 (4.10): one cache per chip holds the
            // priorities and enables of LPIs, and new values in memory apply once INV and SYNC have
            // been performed. Page 83: MOVALL to a redistributor with LPIs off drops them.
            Self::Gic600 => LpiChoices {
                config: ConfigRead::OnceForAll,
                clear_enable: ClearEnable::Untold,
                pending_priority: PendingPriority::Sticks,
                move_to_disabled: MoveToDisabled::Lost,
                ..plain
            },
            Self::Adversarial(seed) => adversarial::lpi(seed),
        }
    }
}
