//! Choices of redistributors about LPIs. IHI 0069 H 5.1, 12.10, 12.11.
//!
//! | choice | `arch-strict` | `qemu` | `kvm-abi0` | `gic600` | `adversarial` |
//! | --- | --- | --- | --- | --- | --- |
//! | the state of an LPI is | a redistributor's | a redistributor's | its own | a redistributor's | a redistributor's |
//! | configuration is read | once | when pended | at mapping | once for all | drawn |
//! | pending state is in | the redistributor | memory | the redistributor | the redistributor | drawn |
//! | the pending table is read | at enabling | repeatedly | at enabling | at enabling | at enabling |
//! | PTZ | honoured | ignored | honoured | honoured | drawn |
//! | clearing EnableLPIs | refused | allowed | allowed | allowed, untold | drawn |
//! | bases stored to while LPIs are on | ignored | used | ignored | ignored | drawn |
//! | GICR_PROPBASER | each its own | each its own | shared | each its own | drawn |
//! | attributes of tables | kept | raw | cacheable | kept | kept |
//! | pending LPIs at disabling | written | in memory | shelved | written | written |
//! | and when that is done | at once | at once | at once | at once | drawn |
//! | INVLPIR reaches | its own | its own | any | its own | its own |
//! | bits of a priority | five | six, eight | five | five | five |
//! | priority of a pending LPI | follows | follows | follows | sticks | drawn |
//! | MOVI, MOVALL to where LPIs are off | stay | stay | move | lost | drawn |
//! | INVLPIR and INVALLR are done | at once | at once | at once | at once | drawn |

use super::{Attributes, Preset, adversarial};

/// Whose the state of an LPI is: whether it is pending, and what is known of its configuration.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum LpiState {
    /// That of the redistributor that messages and commands bring it to.
    #[default]
    PerRedistributor,
    /// The LPI's own, which is at one CPU, for as long as an event maps to it or it waits for that CPU.
    ///
    /// An LPI that was there is brought by the first event: what the pending table of the CPU says of
    /// it is read and cleared there, and its configuration is read. Messages of other events raise it
    /// where it is, if LPIs are on where they would go; MOVI, MAPC and MOVALL take it elsewhere.
    /// Commands find it whether LPIs are on or not, and it is taken where it waits. Turning LPIs on
    /// reads the table for the LPIs that are there, and what is shelved anywhere waits again. Saving
    /// writes what is pending of each, and nothing of LPIs that are not; who restores learns of each
    /// from the event that maps to it, and reads its configuration.
    // Linux's struct vgic_irq: pending_latch, target_vcpu, and a count of references.
    PerLpi,
}

/// When a redistributor reads the configuration of an LPI from memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ConfigRead {
    /// Whenever it becomes pending, and when it is invalidated: nothing is remembered.
    WhenPended,
    /// When it is first needed, and not again before it is invalidated, or the LPI is mapped or moved
    /// here: what a redistributor knew while the LPI was elsewhere is of no use.
    #[default]
    UntilInvalidated,
    /// When it is first needed at any redistributor, and at none again before it is invalidated, at
    /// whichever: the GIC has one cache. No mapping and no move is an invalidation.
    OnceForAll,
    /// When LPIs are turned on, of every LPI, and not again before it is invalidated or moved here:
    /// mapping an LPI is no invalidation.
    AtEnabling,
    /// When the LPI is mapped, and not again before it is invalidated: what is known goes with the
    /// LPI where that is moved to.
    AtMapping,
}

/// Where the pending state of LPIs lives while LPIs are on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PendingHome {
    /// In the table in memory, at every moment.
    Memory,
    /// In the redistributor; the table is written when LPIs are turned off.
    #[default]
    Redistributor,
}

/// When the pending table is read, where pending state lives in it; elsewhere it is read when LPIs
/// are turned on, and no more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PendingScan {
    /// When LPIs are turned on.
    #[default]
    AtEnabling,
    /// And whole again when that is asked for anew, when an LPI is invalidated, for MOVALL, and when the
    /// most urgent one is no longer pending: what software wrote there is pending from then on, and the
    /// configuration of all that is pending is read. So it is where a redistributor is restored.
    Repeated,
}

/// What GICR_PENDBASER.PTZ does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PendingZero {
    /// The table is not read when LPIs are turned on, whenever that is; the bit reads as zero.
    #[default]
    Honoured,
    /// As [`Honoured`](Self::Honoured), of one turning on: it is not set any more after that.
    HonouredOnce,
    /// The table is read all the same; the bit is kept.
    Ignored,
    /// The table is read all the same; the bit reads as zero.
    Doubted,
}

/// Whether GICR_CTLR.EnableLPIs can be cleared.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum ClearEnable {
    /// Yes, and GICR_CTLR.CES says so.
    #[default]
    Allowed,
    /// Yes, and GICR_CTLR.CES, which promises nothing where it is 0, does not say so.
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
    /// The register takes it; the tables in use are those of the moment LPIs were turned on.
    Kept,
    /// The register takes it, and the table it names is in use from then on.
    Used,
}

/// Whether each redistributor has a GICR_PROPBASER of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PropertyTable {
    /// Yes.
    #[default]
    PerRedistributor,
    /// A store to one that takes it is a store to all. Where LPIs are on, configuration is read by it
    /// from then on, of as many LPIs as before.
    Shared,
}

/// What becomes of pending LPIs where EnableLPIs is cleared and they are held by the redistributor.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PendingAtDisable {
    /// The table in memory says of them.
    #[default]
    Written,
    /// The table stays as it is. They are pending, and none is taken before a message, an
    /// invalidation or the turning on of LPIs is about it again.
    Shelved,
}

/// When what clearing EnableLPIs does to the pending table is done. No LPI is taken from the store on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Disabling {
    /// With the store.
    #[default]
    AtOnce,
    /// By a later step. GICR_CTLR.RWP says so until then, and stores that set EnableLPIs or name another
    /// table, which software must not do yet, are ignored.
    // As Linux's KVM has it while LPIs are being disabled.
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

/// Bits of a priority that exist. The CPU interface has five either way.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PriorityBits {
    /// Five, of every interrupt.
    #[default]
    Five,
    /// All that can be stored: eight of an interrupt of the distributor, SGIs and PPIs among them, and
    /// six of an LPI.
    Stored,
}

/// What an invalidation does to the priority of an LPI that is pending.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum PendingPriority {
    /// It is read again.
    #[default]
    Follows,
    /// It stays until the LPI is served.
    Sticks,
}

/// What moving pending LPIs does when LPIs are off where they would go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum MoveToDisabled {
    /// They stay where they are.
    #[default]
    Stay,
    /// They are lost.
    Lost,
    /// They are pending there, and taken, as if LPIs were on.
    Move,
}

/// When INVLPIR and INVALLR are done.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RegisterInvalidation {
    /// With the store.
    #[default]
    AtOnce,
    /// By a later step; GICR_SYNCR.Busy says so until then.
    OnStep,
}

/// The choices of redistributors that can be made differently.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct LpiChoices {
    /// Whose the state of an LPI is.
    pub state: LpiState,
    /// When the configuration is read.
    pub config: ConfigRead,
    /// Where pending lives.
    pub pending: PendingHome,
    /// When it is looked for.
    pub pending_scan: PendingScan,
    /// GICR_PENDBASER.PTZ.
    pub ptz: PendingZero,
    /// Clearing EnableLPIs.
    pub clear_enable: ClearEnable,
    /// Stores to the table bases while LPIs are on.
    pub base_while_enabled: BaseWhileEnabled,
    /// GICR_PROPBASER of several redistributors.
    pub property_table: PropertyTable,
    /// Attributes of the tables.
    pub attributes: Attributes,
    /// Pending LPIs where LPIs are turned off.
    pub pending_at_disable: PendingAtDisable,
    /// And when that is done.
    pub disabling: Disabling,
    /// Reach of INVLPIR.
    pub invlpir: InvlpirReach,
    /// Bits of priorities.
    pub priority_bits: PriorityBits,
    /// Priorities of pending LPIs.
    pub pending_priority: PendingPriority,
    /// Moves to where LPIs are off.
    pub move_to_disabled: MoveToDisabled,
    /// INVLPIR and INVALLR.
    pub register_invalidation: RegisterInvalidation,
}

impl LpiChoices {
    /// Whether the pending table is read again and again.
    pub(crate) fn scans(&self) -> bool {
        self.pending == PendingHome::Memory && self.pending_scan == PendingScan::Repeated
    }

    /// Whether a redistributor that is restored reads tables as if it had never read them. Elsewhere
    /// what was remembered of them is saved and restored.
    // Linux: vgic_its_restore_ite adds each LPI by vgic_add_lpi. QEMU: the post-load hook of the GICv3
    // calls gicv3_redist_update_lpi_only.
    pub(crate) fn reads_anew_when_restored(&self) -> bool {
        self.state == LpiState::PerLpi || self.scans()
    }

    /// Whether a redistributor holds LPIs while they are off.
    pub(crate) fn holds_while_off(&self) -> bool {
        self.state == LpiState::PerLpi
            || self.pending_at_disable == PendingAtDisable::Shelved
            || self.move_to_disabled == MoveToDisabled::Move
    }
}

impl Preset {
    /// What the preset chooses for redistributors.
    pub fn lpi(self) -> LpiChoices {
        let plain = LpiChoices::default();
        match self {
            Self::ArchStrict => LpiChoices { clear_enable: ClearEnable::Refused, ..plain },
            // arm_gicv3_redist.c: update_for_all_lpis runs over the whole table; both bases are read
            // from the registers each time; an LPI has LPI_PRIORITY_MASK, 0xfc.
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
                // vgic_flush_pending_lpis takes them off the list of the CPU and leaves pending_latch.
                pending_at_disable: PendingAtDisable::Shelved,
                invlpir: InvlpirReach::Any,
                // vgic_target_oracle does not ask whether LPIs are on.
                move_to_disabled: MoveToDisabled::Move,
                ..plain
            },
            // GIC-600AE TRM 101206_0003_04. Page 73: software had better not clear EnableLPIs, but can;
            // page 121: GICR_CTLR resets to 0. Page 64 (4.10): one cache of a chip has the priorities and
            // enables of LPIs, and what is new in memory counts once INV and SYNC have been performed.
            // Page 83: MOVALL to where LPIs are off drops them.
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
