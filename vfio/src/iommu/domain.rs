//! Domains, whichever driver serves them.
//!
//! Not here: the mappings of a domain ([`mapping`](super::mapping)) and the format of its tables
//! (`paging`).

use super::flat::FlatDomain;
use super::msi::Cookie;
use super::{v2, v3, x86};

/// What a domain is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DomainKind {
    /// Translates I/O addresses: stage 1, or stage 2 where there is no stage 1.
    Paging,
    /// Requested by VFIO_TYPE1_NESTING: stage 2, which leaves stage 1 to its owner.
    Nested,
}

/// A domain, by number. It is used only until it is freed: calls that name it after that panic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DomainId(pub(super) usize);

impl DomainId {
    /// Its number; numbers of freed domains are used again.
    pub const fn get(self) -> usize {
        self.0
    }
}

/// A domain.
#[derive(Debug)]
pub(super) struct Domain {
    /// Index of its driver.
    pub(super) driver: usize,
    pub(super) purpose: Purpose,
    pub(super) body: Body,
    /// Whether its devices bypass translation, whatever the body maps.
    pub(super) bypasses: bool,
    /// Its doorbell mappings.
    pub(super) cookie: Option<Cookie>,
}

/// The user of a domain: the types of Linux's domains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// Whoever allocated it: UNMANAGED.
    User,
    /// The kernel's own drivers: DMA.
    Kernel,
    /// None: BLOCKED.
    Blocking,
}

/// A driver's part of a domain.
#[derive(Debug)]
pub(super) enum Body {
    SmmuV3(v3::Domain),
    SmmuV2(v2::Domain),
    X86(x86::Domain),
    Flat(FlatDomain),
}
