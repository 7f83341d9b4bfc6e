use super::*;
use crate::{DeviceId, Requester, StreamId};

fn request(pasid: Option<u32>, iova: u64) -> TranslationRequest {
    let requester = Requester {
        stream: StreamId::new(8),
        substream: pasid.map(SubstreamId::new),
        device: DeviceId::new(8),
    };
    let iova = Iova::new(iova);
    TranslationRequest { requester, iova, no_write: false, execute: false, privileged: false }
}

fn grant(address: u64, lg2: u32, perms: Perms) -> Completion {
    Completion::Success(Grant { address, lg2, perms, privileged: false })
}

fn filled() -> Atc {
    let mut atc = Atc::new();
    let rw = Perms::READ | Perms::WRITE;
    atc.fill(&request(None, 0x1_2345), &grant(0x8000_2000, 12, rw));
    atc.fill(&request(Some(3), 0x1_2345), &grant(0x9000_2000, 12, Perms::READ));
    atc.fill(&request(None, 0x20_0000), &grant(0xa000_0000, 21, rw));
    atc
}

fn invalidation(substream: Option<u32>, global: bool, first: u64, last: u64) -> Invalidation {
    let stream = StreamId::new(8);
    let substream = substream.map(SubstreamId::new);
    Invalidation { tag: 1, stream, substream, global, first, last }
}

#[test]
fn what_was_granted_is_used() {
    let atc = filled();
    let look = |pasid: Option<u32>, iova, access| {
        atc.lookup(pasid.map(SubstreamId::new), Iova::new(iova), access)
    };
    assert_eq!(look(None, 0x1_2678, Access::WRITE), Lookup::Translated(0x8000_2678));
    assert_eq!(look(Some(3), 0x1_2678, Access::READ), Lookup::Translated(0x9000_2678));
    assert_eq!(look(Some(3), 0x1_2678, Access::WRITE), Lookup::Refused);
    assert_eq!(look(Some(4), 0x1_2678, Access::READ), Lookup::Unknown);
    assert_eq!(look(None, 0x3f_ffff, Access::READ), Lookup::Translated(0xa01f_ffff));
    let privileged = Access { privilege: crate::Privilege::Privileged, ..Access::READ };
    assert_eq!(look(None, 0x1_2678, privileged), Lookup::Unknown);
}

#[test]
fn refusals_are_not_cached() {
    let mut atc = Atc::new();
    for completion in
        [grant(0, 12, Perms::empty()), Completion::UnsupportedRequest, Completion::CompleterAbort]
    {
        atc.fill(&request(None, 0), &completion);
        assert!(atc.is_empty());
    }
}

#[test]
fn an_invalidation_takes_what_overlaps_and_no_other_pasid() {
    for (request, left) in [
        (invalidation(None, false, 0x1_2000, 0x1_2fff), 2),
        (invalidation(None, false, 0x2f_f000, 0x2f_ffff), 2),
        (invalidation(None, false, 0x1_3000, 0x1_3fff), 3),
        (invalidation(None, false, 0, u64::MAX), 1),
        (invalidation(Some(3), false, 0, u64::MAX), 2),
        (invalidation(Some(4), false, 0, u64::MAX), 3),
        (invalidation(Some(4), true, 0, u64::MAX), 2),
    ] {
        let mut atc = filled();
        assert_eq!(atc.invalidate(&request), InvalidationEnd::Completed);
        assert_eq!((atc.len(), atc.entries().count()), (left, left), "{request:?}");
    }
    let mut atc = filled();
    atc.set_silent(true);
    let all = invalidation(None, false, 0, u64::MAX);
    assert_eq!((atc.invalidate(&all), atc.len()), (InvalidationEnd::TimedOut, 3));
}
