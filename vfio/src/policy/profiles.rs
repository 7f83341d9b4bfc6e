//! Named fillings of a [`Policy`]: one value of every choice for one kernel.

use super::{
    BlockedState, ContextDescriptors, InfoAlignment, NestingType, NotAContainer, Policy, ShortInfo,
    SteUpdate, UserAddresses, ZeroPage,
};
use core::fmt;
use core::str::FromStr;

/// A kernel whose choices are known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Profile {
    /// Linux 6.1 (recorded: 6.1.192).
    Linux6_1,
    /// Linux 6.12 (recorded: 6.12.95).
    Linux6_12,
}

/// There is no profile of this name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no profile is called `{0}`; known are linux-6.1 and linux-6.12")]
pub struct UnknownProfile(pub String);

impl Profile {
    /// Every profile, oldest kernel first.
    pub const ALL: &[Self] = &[Self::Linux6_1, Self::Linux6_12];

    /// The stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Linux6_1 => "linux-6.1",
            Self::Linux6_12 => "linux-6.12",
        }
    }

    /// What the profile stands for, in one line.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Linux6_1 => "Linux 6.1.192, as recorded",
            Self::Linux6_12 => "Linux 6.12.95, as recorded",
        }
    }

    /// The profile of a kernel version, if its answers were recorded.
    pub const fn of_kernel(major: u32, minor: u32) -> Option<Self> {
        match (major, minor) {
            (6, 1) => Some(Self::Linux6_1),
            (6, 12) => Some(Self::Linux6_12),
            _ => None,
        }
    }

    /// Every choice as this kernel makes it.
    pub const fn policy(self) -> Policy {
        match self {
            Self::Linux6_1 => Policy {
                not_a_container: NotAContainer::Einval,
                nesting_type: NestingType::Stage2,
                info_alignment: InfoAlignment::None,
                short_info: ShortInfo::WholeFields,
                zero_page: ZeroPage::Pinned,
                user_addresses: UserAddresses::Bits48,
                blocked_state: BlockedState::EmptyDomain,
                context_descriptors: ContextDescriptors::PerDomain,
                ste_update: SteUpdate::Break,
            },
            Self::Linux6_12 => Policy {
                not_a_container: NotAContainer::Ebadfd,
                nesting_type: NestingType::Refused,
                info_alignment: InfoAlignment::Eight,
                short_info: ShortInfo::Bytes,
                zero_page: ZeroPage::Unshared,
                user_addresses: UserAddresses::Bits52UnlessPages64K,
                blocked_state: BlockedState::Abort,
                context_descriptors: ContextDescriptors::PerDevice,
                ste_update: SteUpdate::Hitless,
            },
        }
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
