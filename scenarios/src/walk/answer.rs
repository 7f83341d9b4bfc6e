//! The SMMU's answer to an access, and the required answer.

use passim_model::Access;
use passim_model::access::Privilege;
use passim_oracle::walk::Privilege as Asker;
use passim_smmu::v3::{Detail, Event, EventKind};

use super::dumped_smmu::Who;
use super::record::Record;
use super::second::{Asked, Kind, Reached, Refused, Wanted};

/// An answer, reduced to what is compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Answer {
    Reaches {
        pa: u64,
        lg2: u8,
    },
    /// An event, at this level, and its record.
    Faults {
        kind: EventKind,
        level: Option<i8>,
        record: Record,
    },
    Silent,
}

impl Answer {
    /// The answer that a second walk requires; `asked` is the access after the STE's overrides.
    pub(super) fn expected(
        reached: Result<Reached, Refused>,
        who: Who,
        iova: u64,
        asked: Asked,
    ) -> Self {
        match reached {
            Ok(Reached { pa, size }) => Self::Reaches { pa, lg2: size.trailing_zeros() as u8 },
            Err(refused) => {
                let kind = event_of(refused.kind);
                let record = Record::refused(kind, &refused, who, iova, asked);
                Self::Faults { kind, level: refused.level, record }
            }
        }
    }

    /// A configuration error.
    pub(super) fn misconfigured(kind: EventKind, who: Who) -> Self {
        Self::Faults { kind, level: None, record: Record::of(kind, who) }
    }

    /// The answer of an event.
    pub(super) fn faults(event: &Event) -> Self {
        let level = match event.detail {
            Detail::Level(level) => Some(level),
            _ => None,
        };
        Self::Faults { kind: event.kind, level, record: Record::written(event.words()) }
    }

    /// Whether `found` agrees; where this answer is not specific, any value agrees.
    pub(super) fn agrees(self, found: Self) -> bool {
        match (self, found) {
            (
                Self::Faults { kind, level, record },
                Self::Faults { kind: found, level: found_level, record: found_record },
            ) => {
                let same_level = level.is_none() || level == found_level;
                kind == found && same_level && record.agrees(&found_record)
            }
            _ => self == found,
        }
    }

    pub(super) fn text(self) -> String {
        match self {
            Self::Reaches { pa, lg2: 64 } => format!("{pa:#x}, not translated"),
            Self::Reaches { pa, lg2 } => format!("{pa:#x}, by a leaf of {:#x} bytes", 1u64 << lg2),
            Self::Faults { kind, level, record } => {
                let level = level.map_or_else(String::new, |level| format!(" at level {level}"));
                format!("{}{level}, {}", kind.name(), record.text())
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

/// The access, for the second walk.
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
