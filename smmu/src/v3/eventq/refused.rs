//! The event that reports a refused translation.

use crate::stages::{About, Kind, Refusal};
use crate::transaction::Transaction;
use crate::v3::eventq::{Detail, Event};
use crate::v3::wire::event::{Class, EventKind};
use passim_model::Ipa;
use passim_model::access::Access;

/// The event of a refused translation.
#[cold]
pub(crate) fn refused(refusal: &Refusal, txn: &Transaction, access: Access) -> Event {
    Event {
        access,
        stage: refusal.stage,
        class: class_of(refusal.about),
        ipa: refusal.ipa.map(Ipa::new),
        fetch: refusal.fetch,
        table_write: refusal.table_write,
        detail: refusal.level.map_or(Detail::None, Detail::Level),
        ..Event::new(kind_of(refusal.kind), txn)
    }
}

/// The kind of event for a refusal. IHI 0070 G.b 7.3.12 to 7.3.17.
const fn kind_of(kind: Kind) -> EventKind {
    match kind {
        Kind::Translation => EventKind::Translation,
        Kind::AddressSize => EventKind::AddrSize,
        Kind::AccessFlag => EventKind::Access,
        Kind::Permission => EventKind::Permission,
        Kind::WalkAbort => EventKind::WalkEabt,
        Kind::Conflict => EventKind::TlbConflict,
    }
}

/// CLASS of its record. IHI 0070 G.b 7.3.12.
const fn class_of(about: About) -> Class {
    match about {
        About::Context => Class::Cd,
        About::Table => Class::Tt,
        About::Input => Class::In,
    }
}
