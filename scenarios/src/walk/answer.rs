//! What the SMMU answers to an access, and what it must answer.

use passim_model::Access;
use passim_model::access::Privilege;
use passim_model::pgtable::vmsav8;
use passim_oracle::Stage;
use passim_oracle::walk::Privilege as Asker;
use passim_smmu::v3::{Class, Detail, Event, EventKind};

use super::second::{Asked, Kind, Reached, Refused, Wanted};

/// What an answer amounts to, for comparing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Reaches {
        pa: u64,
        lg2: u8,
    },
    Faults(EventKind, Option<(Stage, Option<i8>)>),
    /// Stage 2 refuses the fetch of the CD, at this level.
    FaultsAtContext(EventKind, Option<i8>),
    Silent,
}

impl Answer {
    /// The answer a second reading asks for.
    pub(super) fn expected(reached: Result<Reached, Refused>) -> Self {
        let Refused { kind, stage, level } = match reached {
            Ok(Reached { pa, size }) => {
                return Self::Reaches { pa, lg2: size.trailing_zeros() as u8 };
            }
            Err(refused) => refused,
        };
        Self::Faults(event_of(kind), Some((stage, level)))
    }

    /// The answer where stage 2 refuses the fetch of a CD.
    pub(super) fn expected_at_context(refused: Refused) -> Self {
        Self::FaultsAtContext(event_of(refused.kind), refused.level)
    }

    /// The answer that an event tells.
    pub(super) fn faults(event: &Event) -> Self {
        let stage = match event.stage {
            vmsav8::Stage::One => Stage::One,
            vmsav8::Stage::Two => Stage::Two,
        };
        let level = match event.detail {
            Detail::Level(level) => Some(level),
            _ => None,
        };
        let of_stage2 = stage == Stage::Two && event.ipa.is_some();
        match event.class {
            Class::Cd if of_stage2 => Self::FaultsAtContext(event.kind, level),
            _ => Self::Faults(event.kind, Some((stage, level))),
        }
    }

    /// Whether the answer is this one; what is not expected in particular may be anything.
    pub(super) fn agrees(self, found: Self) -> bool {
        match (self, found) {
            (Self::Faults(kind, None), Self::Faults(found, _)) => kind == found,
            (
                Self::Faults(kind, Some((stage, level))),
                Self::Faults(found, Some((found_stage, found_level))),
            ) => {
                let same_level = level.is_none() || level == found_level;
                kind == found && stage == found_stage && same_level
            }
            (Self::FaultsAtContext(kind, level), Self::FaultsAtContext(found, found_level)) => {
                kind == found && (level.is_none() || level == found_level)
            }
            _ => self == found,
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::Reaches { pa, lg2: 64 } => format!("{pa:#x}, not translated"),
            Self::Reaches { pa, lg2 } => format!("{pa:#x}, by a leaf of {:#x} bytes", 1u64 << lg2),
            Self::Faults(kind, place) => {
                let (stage, level) = match place {
                    None => (String::new(), None),
                    Some((Stage::One, level)) => (" of stage 1".to_owned(), level),
                    Some((Stage::Two, level)) => (" of stage 2".to_owned(), level),
                };
                format!("{}{stage}{}", kind.name(), level_text(level))
            }
            Self::FaultsAtContext(kind, level) => {
                format!("{} of stage 2{}, CLASS CD", kind.name(), level_text(level))
            }
            Self::Silent => "ended without a record".to_owned(),
        }
    }
}

fn event_of(kind: Kind) -> EventKind {
    match kind {
        Kind::Translation => EventKind::Translation,
        Kind::AddressSize => EventKind::AddrSize,
        Kind::Access => EventKind::Access,
        Kind::Permission => EventKind::Permission,
        Kind::Abort => EventKind::WalkEabt,
    }
}

fn level_text(level: Option<i8>) -> String {
    level.map_or_else(String::new, |level| format!(" at level {level}"))
}

/// The access, as a second reading knows it.
pub(super) fn asked(access: Access) -> Asked {
    let privilege = match access.privilege {
        Privilege::Unprivileged => Asker::Unprivileged,
        Privilege::Privileged => Asker::Privileged,
    };
    let wanted = match (access.is_write(), access.instruction) {
        (true, _) => Wanted::Write,
        (false, false) => Wanted::Read,
        (false, true) => Wanted::Fetch,
    };
    Asked { privilege, wanted }
}

pub(super) fn access_text(access: Access) -> &'static str {
    match (access.privilege, asked(access).wanted) {
        (Privilege::Unprivileged, Wanted::Read) => "read",
        (Privilege::Unprivileged, Wanted::Write) => "write",
        (Privilege::Unprivileged, Wanted::Fetch) => "fetch",
        (Privilege::Privileged, Wanted::Read) => "privileged read",
        (Privilege::Privileged, Wanted::Write) => "privileged write",
        (Privilege::Privileged, Wanted::Fetch) => "privileged fetch",
    }
}
