//! Differences between kernels and between revisions of the series, as values.
//!
//! A [`Policy`] is a set of named choices. A profile fills it in; a machine file or the command
//! line may override any single choice by name. No code checks the kernel's version: each place
//! reads one choice of the policy.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `choices` | which values does a choice have? |
//! | `rows` | what does the table expand to: values, names, overrides, listings? |
//! | `table` | which value has a choice in which kernel, and how is that known? |
//! | `profiles` | which kernels exist? |

mod choices;
mod profiles;
mod rows;
mod table;

pub use choices::{
    AbsentCpu, AmazonFrames, ApertureRollback, BarAccess, BeyondInput, BlockedState,
    ContextDescriptors, DefaultDomain, DeviceErrorFd, DeviceName, DirtyTracking, DmaCoherency,
    DomainAllocError, DoorbellError, DoorbellUnwind, EmptyHotReset, EntryLimit, FindDma,
    GicV3Priority, HotResetRefusal, InfoAlignment, InfoLayout, IovaAllocator, IrqFreeing,
    ItsAliases, ItsCacheability, ItsDoorbellInfo, ItsEvents, ItsFlatCheck, ItsInvall, ItsLife,
    ItsPages, ItsQueueWait, ItsSharing, ItsTables, IttMemory, LastDevice, LockedMemory,
    LpiAffinity, LpiBits, LpiInvalidation, LpiRanges, MessageSafety, MissingDoorbellInfo,
    MsiActivation, MsiAffinity, MsiAlias, MsiDomains, MsiFailure, MsiInfo, MsiMapping, MsiUnmask,
    MsixVectors, NestingType, NoMsiDomain, NotAContainer, PciStreams, RangeEnd, ReplayAperture,
    ResourceMappings, SecondWindow, ShortInfo, Smmu1Contexts, Smmu2Ap806, Smmu2Asids,
    Smmu2BypassEntries, Smmu2Cavium, Smmu2Entries, Smmu2ExtendedIds, Smmu2Faults, Smmu2Formats,
    Smmu2Interrupts, Smmu2Messages, Smmu2Mmu500, Smmu2Privilege, Smmu2Qualcomm, Smmu2Sync,
    Smmu2Tags, Smmu2Unattached, Smmu2Vmids, Smmu2WideLoads, Smmu3Asids, Smmu3Ats, Smmu3Forced,
    Smmu3LongRanges, Smmu3Messages, Smmu3Overflow, Smmu3Privilege, Smmu3Queues, Smmu3Ranges,
    Smmu3Regime, Smmu3Reset, Smmu3Stalls, Smmu3Substreams, Smmu3Sync, Smmu3Unattached,
    SmmuIntrRemap, Stage1Attributes, Stage2Roots, SteUpdate, SuperpageTest, ThirdMapFlag, UnmapAll,
    UnmapSync, UnmapWrap, UserAddresses, V1UnmapOrder, V2mBlocks, ValidRanges, VectorRange,
    VfioCoherence, WalkAttributes, WindowProvider, WireService, WrapErrno, ZeroPage,
};
pub use profiles::{Certainty, Profile, UnknownProfile};
pub use table::{Policy, choices};

use core::fmt;

/// A choice by its textual names, for listings and overrides.
pub trait Choice: Copy + Sized + 'static {
    /// Every value, in the order listings show them.
    const VALUES: &'static [Self];
    /// The value's stable kebab-case name.
    fn name(self) -> &'static str;
    /// Its meaning, in a sentence or two.
    fn means(self) -> &'static str;

    /// The value of this name.
    fn from_name(name: &str) -> Option<Self> {
        Self::VALUES.iter().copied().find(|value| value.name() == name)
    }
}

/// The first kernel in which a choice has a value, which holds until the next step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step<T> {
    /// The first kernel.
    pub since: Profile,
    /// The value.
    pub value: T,
    /// How well it is known.
    pub certainty: Certainty,
}

/// The step in force for `profile`.
fn step_of<T: Copy>(steps: &[Step<T>], profile: Profile) -> Step<T> {
    let taken = steps.iter().rev().find(|step| step.since <= profile);
    *taken.expect("the first step of every choice is the oldest profile's")
}

/// A value of a choice, for manuals.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ValueEntry {
    /// Its name.
    pub name: &'static str,
    /// Its meaning.
    pub means: &'static str,
}

impl ValueEntry {
    fn of(value: impl Choice) -> Self {
        Self { name: value.name(), means: value.means() }
    }
}

/// A choice, for manuals.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChoiceEntry {
    /// Its name.
    pub name: &'static str,
    /// What it decides.
    pub decides: &'static str,
    /// Source of the values.
    pub source: &'static str,
    /// Every value it may take.
    pub values: Vec<ValueEntry>,
    /// Its values by kernel, oldest first.
    pub steps: Vec<Step<&'static str>>,
}

impl ChoiceEntry {
    /// The value in a profile, and how well it is known.
    pub fn of(&self, profile: Profile) -> Step<&'static str> {
        step_of(&self.steps, profile)
    }

    /// The value of this name.
    pub fn value(&self, name: &str) -> Option<ValueEntry> {
        self.values.iter().copied().find(|value| value.name == name)
    }
}

/// One row of a policy's listing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Name of the choice.
    pub name: &'static str,
    /// Its present value.
    pub value: &'static str,
    /// What it decides.
    pub decides: &'static str,
    /// Source of the values.
    pub source: &'static str,
}

/// Why an override was refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OverrideError {
    /// There is no such choice.
    #[error("no choice is called `{0}`")]
    UnknownChoice(String),
    /// The choice has no such value.
    #[error("choice `{choice}` has no value `{value}`; it takes {}", .takes.join(", "))]
    UnknownValue {
        /// The choice.
        choice: &'static str,
        /// The value requested.
        value: String,
        /// The values it takes.
        takes: Vec<&'static str>,
    },
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in self.rows() {
            writeln!(f, "{} = {}", row.name, row.value)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
