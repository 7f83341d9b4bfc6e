//! The values each choice may take.

use super::Choice;
use passim_model::{Errno, PageSize};

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$value_doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl Choice for $name {
            const VALUES: &'static [Self] = &[$(Self::$value),+];

            fn name(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }
    };
}

choice! {
    /// What SET_CONTAINER says of a descriptor that is no container.
    NotAContainer {
        /// EINVAL.
        Einval = "einval",
        /// EBADFD.
        Ebadfd = "ebadfd",
    }
}

impl NotAContainer {
    /// The errno.
    pub const fn errno(self) -> Errno {
        match self {
            Self::Einval => Errno::EINVAL,
            Self::Ebadfd => Errno::EBADFD,
        }
    }
}

choice! {
    /// What SET_IOMMU does with the nesting type (6).
    NestingType {
        /// Opens a v2 container whose domains use stage 2.
        Stage2 = "stage-2",
        /// Still listed by CHECK_EXTENSION, but the driver refuses: EPERM.
        Refused = "refused",
    }
}

choice! {
    /// To what size each capability of GET_INFO is rounded up.
    InfoAlignment {
        /// Capabilities follow one another as they are.
        None = "none",
        /// To 8 bytes.
        Eight = "eight",
    }
}

choice! {
    /// How much an INFO call writes back when argsz ends inside the structure.
    ShortInfo {
        /// Up to the last whole field that fits: 16 bytes, or 20 from argsz 20 on.
        WholeFields = "whole-fields",
        /// min(argsz, 24) bytes.
        Bytes = "bytes",
    }
}

choice! {
    /// Whether pinning an untouched page for reading meets the zero page.
    ZeroPage {
        /// The shared zero page is pinned; it is reserved, so nobody is charged.
        Pinned = "pinned",
        /// A page of its own is made first, and charged like any other.
        Unshared = "unshared",
    }
}

choice! {
    /// What translates for a group whose owner has no container type yet.
    BlockedState {
        /// A paging domain without mappings; it takes an ASID.
        EmptyDomain = "empty-domain",
        /// An aborting STE.
        Abort = "abort",
    }
}

choice! {
    /// Who owns a context descriptor table.
    ContextDescriptors {
        /// The domain: devices of one domain share a CD.
        PerDomain = "per-domain",
        /// The device: each has its own table.
        PerDevice = "per-device",
    }
}

choice! {
    /// How the SMMUv3 driver brings an STE from one value to another.
    SteUpdate {
        /// Invalid or aborting in between, fields before the first doubleword.
        Break = "break",
        /// Only through values that mean the old or the new entry, where that is possible.
        Hitless = "hitless",
    }
}

choice! {
    /// Which addresses are a process's, and from where on the kernel's.
    UserAddresses {
        /// 48 bits, whatever the page.
        Bits48 = "48-bits",
        /// 52 bits with pages of 4K and 16K, 48 bits with pages of 64K.
        Bits52UnlessPages64K = "52-bits-unless-pages-64k",
    }
}

impl UserAddresses {
    /// Bits of a user address on a kernel with this page.
    pub fn bits(self, page: PageSize) -> u32 {
        match self {
            Self::Bits52UnlessPages64K if page != PageSize::K64 => 52,
            Self::Bits52UnlessPages64K | Self::Bits48 => 48,
        }
    }
}
