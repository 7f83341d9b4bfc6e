//! Named fillings of a [`Policy`]: one value of every choice for one kernel.
//!
//! Not here: the values (the table of choices), and their meaning.

use super::Policy;
use core::fmt;
use core::str::FromStr;

/// A kernel whose choices are known. The order, oldest first, decides which steps of the table
/// apply.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Profile {
    /// Linux 4.6, on which the series is based.
    Linux4_6,
    /// Linux 4.6 with the series, v8 of all parts.
    MsiV8,
    /// Linux 4.6 with the series, v9.
    #[default]
    MsiV9,
    /// Linux 4.7 with v10.
    MsiV10,
    /// With v12.
    MsiV12,
    /// With v14, the last revision.
    MsiV14,
    /// Linux 4.11, which merged another design.
    Linux4_11,
    /// Linux 6.1 (recorded: 6.1.192).
    Linux6_1,
    /// Linux 6.12 (recorded: 6.12.95).
    Linux6_12,
    /// Linux 7.2.
    Linux7_2,
}

/// There is no profile of this name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no profile is called `{0}`")]
pub struct UnknownProfile(pub String);

/// How well a value of a choice is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Certainty {
    /// A kernel was recorded doing it.
    Measured,
    /// Read in the code or the posted text of that revision.
    Read,
    /// Inferred from something that was read.
    Inferred,
    /// From memory; no source found.
    Remembered,
    /// Not known; the value of the nearest kernel that is.
    Nearest,
}

impl Certainty {
    /// One word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Read => "read",
            Self::Inferred => "inferred",
            Self::Remembered => "remembered",
            Self::Nearest => "nearest",
        }
    }
}

impl Profile {
    /// Every profile, oldest kernel first.
    pub const ALL: &[Self] = &[
        Self::Linux4_6,
        Self::MsiV8,
        Self::MsiV9,
        Self::MsiV10,
        Self::MsiV12,
        Self::MsiV14,
        Self::Linux4_11,
        Self::Linux6_1,
        Self::Linux6_12,
        Self::Linux7_2,
    ];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux4_6 => "linux-4.6",
            Self::MsiV8 => "msi-v8",
            Self::MsiV9 => "msi-v9",
            Self::MsiV10 => "msi-v10",
            Self::MsiV12 => "msi-v12",
            Self::MsiV14 => "msi-v14",
            Self::Linux4_11 => "linux-4.11",
            Self::Linux6_1 => "linux-6.1",
            Self::Linux6_12 => "linux-6.12",
            Self::Linux7_2 => "linux-7.2",
        }
    }

    /// The kernel of the profile, in one line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Linux4_6 => "Linux 4.6, which maps no doorbells",
            Self::MsiV8 => "Linux 4.6 with the series, v8: a flag asks for the window",
            Self::MsiV9 => "Linux 4.6 with the series, v9: a capability asks for the window",
            Self::MsiV10 => "Linux 4.7 with the series, v10: doorbells are registered",
            Self::MsiV12 => "the series, v12: the DMA layer maps doorbells",
            Self::MsiV14 => "the series, v14: the last revision",
            Self::Linux4_11 => "Linux 4.11: the driver reserves the window",
            Self::Linux6_1 => "Linux 6.1.192, as recorded",
            Self::Linux6_12 => "Linux 6.12.95, as recorded",
            Self::Linux7_2 => "Linux 7.2, from reading",
        }
    }

    /// The profile of a kernel version: its own, or that of the newest older mainline kernel with a
    /// profile, of the same major version. `None` where there is none: later changes are unknown.
    ///
    /// [`Profile::is_of_kernel`] distinguishes the two.
    pub fn of_kernel(major: u32, minor: u32) -> Option<Self> {
        let is_by_then =
            |profile: &Self| profile.kernel().is_some_and(|it| it.0 == major && it.1 <= minor);
        Self::ALL.iter().copied().rev().find(is_by_then)
    }

    /// Whether the profile is of exactly this kernel version.
    pub fn is_of_kernel(self, major: u32, minor: u32) -> bool {
        self.kernel() == Some((major, minor))
    }

    /// The mainline kernel of the profile; none for a revision of the series.
    const fn kernel(self) -> Option<(u32, u32)> {
        match self {
            Self::Linux4_6 => Some((4, 6)),
            Self::Linux4_11 => Some((4, 11)),
            Self::Linux6_1 => Some((6, 1)),
            Self::Linux6_12 => Some((6, 12)),
            Self::Linux7_2 => Some((7, 2)),
            Self::MsiV8 | Self::MsiV9 | Self::MsiV10 | Self::MsiV12 | Self::MsiV14 => None,
        }
    }

    /// The choices of this kernel.
    pub fn policy(self) -> Policy {
        Policy::of(self)
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        let found = Self::ALL.iter().copied().find(|profile| profile.name() == text);
        found.ok_or_else(|| UnknownProfile(text.to_owned()))
    }
}
