//! Refusals: an errno is never the whole answer.
//!
//! A kernel returns `EINVAL`; the caller wants to know which check refused, what the request ran
//! into, and where that check is written down. A [`Rule`] is the check, a [`Refusal`] one
//! application of it. The rules themselves live beside the code that applies them.

use crate::{Errno, Iova, PageSize, PhysAddr, Rid, Span, UserAddr};
use core::fmt;

/// One check of a kernel, under a stable name.
#[derive(PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    /// Stable kebab-case name, unique among all rules.
    pub name: &'static str,
    /// What the check demands, in one sentence.
    pub sentence: &'static str,
    /// Its source: patch and check, kernel version, or "measured on ...".
    pub source: &'static str,
    /// What its declaration adds: the errno it refuses with, or when it applies.
    pub note: &'static str,
}

/// What a refused request ran into.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Conflict {
    /// Nothing beyond the request itself.
    Request,
    /// An existing mapping at this range.
    Slot(Span<Iova>),
    /// A reserved range, such as the MSI window.
    Window(Span<Iova>),
    /// The requested range.
    Range(Span<Iova>),
    /// The request leaves this valid range.
    Aperture(Span<Iova>),
    /// A counter, in the unit of its rule (pages, mappings, vectors): its limit, and the value that
    /// the request would have given it.
    Limit {
        /// The most that is allowed.
        limit: u64,
        /// The value that the request would have given it.
        wanted: u64,
    },
    /// A value, in bytes, that is not a multiple of a size.
    Misaligned {
        /// The offending address or size.
        value: u64,
        /// The size it had to be a multiple of.
        size: PageSize,
    },
    /// A structure smaller than the call needs, in bytes.
    Short {
        /// The size that the caller passed.
        got: u64,
        /// What the call needs.
        needs: u64,
    },
    /// Flag bits or a number unknown to the call.
    Unknown(u64),
    /// A user address without the memory the call needs.
    User(UserAddr),
    /// A physical address.
    Physical(PhysAddr),
    /// A file descriptor.
    Fd(i64),
    /// A PCI function.
    Device(Rid),
    /// A platform device, by its number.
    Platform(u16),
    /// A group, by number.
    Group(u32),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Request => f.write_str("the request itself"),
            Self::Slot(span) => write!(f, "mapping {span}"),
            Self::Window(span) => write!(f, "reserved window {span}"),
            Self::Range(span) => write!(f, "range {span}"),
            Self::Aperture(span) => write!(f, "outside valid range {span}"),
            Self::Limit { limit, wanted } => write!(f, "limit {limit}, wanted {wanted}"),
            Self::Misaligned { value, size } => write!(f, "{value:#x} is no multiple of {size}"),
            Self::Short { got, needs } => write!(f, "{got} bytes, {needs} needed"),
            Self::Unknown(value) => write!(f, "value {value:#x}"),
            Self::User(address) => write!(f, "user address {address}"),
            Self::Physical(address) => write!(f, "physical address {address}"),
            Self::Fd(fd) => write!(f, "file descriptor {fd}"),
            Self::Device(rid) => write!(f, "device {rid}"),
            Self::Platform(number) => write!(f, "platform device {number}"),
            Self::Group(number) => write!(f, "group {number}"),
        }
    }
}

/// A kernel's refusal: what it returns, and why.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Refusal {
    /// What the system call fails with.
    pub errno: Errno,
    /// The check that refused.
    pub rule: &'static Rule,
    /// What the request ran into.
    pub conflict: Conflict,
}

impl Rule {
    /// A refusal by this rule that ran into nothing but the request itself.
    pub const fn refuse(&'static self, errno: Errno) -> Refusal {
        Refusal { errno, rule: self, conflict: Conflict::Request }
    }

    /// A refusal by this rule, with what the request ran into.
    pub const fn refuse_for(&'static self, errno: Errno, conflict: Conflict) -> Refusal {
        Refusal { errno, rule: self, conflict }
    }
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} by {} ({})", self.errno, self.rule.name, self.conflict)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.errno, self.rule.sentence, self.conflict)
    }
}

/// Declares the rules of a room: a static for each, and `RULES`, the list of all of them.
///
/// ```
/// passim_model::rules! {
///     /// Why a range was refused.
///     SIZE_ZERO = "size-zero", "A range has at least one byte.", "6.12 vfio_iommu_type1";
/// }
/// assert_eq!(RULES[0].name, "size-zero");
/// assert_eq!(RULES[0].note, "Why a range was refused.");
/// ```
#[macro_export]
macro_rules! rules {
    ($($(#[doc = $doc:literal])* $id:ident = $name:literal, $sentence:literal, $source:literal;)*) => {
        $(
            $(#[doc = $doc])*
            #[doc = ""]
            #[doc = $sentence]
            pub static $id: $crate::Rule = $crate::Rule {
                name: $name,
                sentence: $sentence,
                source: $source,
                note: concat!($($doc),*).trim_ascii(),
            };
        )*

        /// Every rule of this room.
        pub static RULES: &[&$crate::Rule] = &[$(&$id),*];
    };
}
