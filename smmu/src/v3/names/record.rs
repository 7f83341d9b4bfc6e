//! Records of the Event queue, field by field. IHI 0070 G.b 7.3.

use crate::v3::wire::event::{
    Event0, Event1, Event1Conflict, Event1PageRequest, Event1TranslationRequest, Event2Address,
    Event2Page, Event3Fetch, Event3Ipa, EventKind,
};
use passim_model::bits::Field;

/// A field of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordField {
    /// Its name, as the specification prints it.
    pub name: &'static str,
    /// The doubleword it lies in, from 0 on.
    pub word: usize,
    /// Its position there.
    pub field: Field,
}

const fn at(word: usize, name: &'static str, field: Field) -> RecordField {
    RecordField { name, word, field }
}

const STREAM: &[RecordField] = &[at(0, "StreamID", Event0::STREAM_ID)];
const SSV: &[RecordField] = &[at(0, "SSV", Event0::SSV)];
const SUBSTREAM: &[RecordField] = &[at(0, "SubstreamID", Event0::SUBSTREAM_ID)];
const STALL: &[RecordField] = &[at(1, "Stall", Event1::STALL), at(1, "STAG", Event1::STAG)];
const RNW: &[RecordField] = &[at(1, "RnW", Event1::RNW)];
const ACCESS: &[RecordField] = &[at(1, "PnU", Event1::PNU), at(1, "InD", Event1::IND)];
const NSIPA: &[RecordField] = &[at(1, "NSIPA", Event1::NSIPA)];
const STAGE2: &[RecordField] = &[at(1, "S2", Event1::S2)];
const CLASS: &[RecordField] = &[at(1, "CLASS", Event1::CLASS)];
const TTRNW: &[RecordField] = &[at(1, "TTRnW", Event1::TTRNW)];
const INPUT: &[RecordField] = &[at(2, "InputAddr", Event2Address::INPUT_ADDR)];
const PAGE: &[RecordField] = &[at(2, "InputAddr", Event2Page::INPUT_ADDR)];
const IPA: &[RecordField] = &[at(3, "IPA", Event3Ipa::IPA)];
const REASON: &[RecordField] = &[at(1, "Reason", Event1Conflict::REASON)];
const FETCH: &[RecordField] = &[at(3, "FetchAddr", Event3Fetch::FETCH_ADDR)];
const REQUEST: &[RecordField] = &[
    at(1, "R", Event1TranslationRequest::R),
    at(1, "W", Event1TranslationRequest::W),
    at(1, "X", Event1TranslationRequest::X),
    at(1, "P", Event1TranslationRequest::P),
    at(1, "Span", Event1TranslationRequest::SPAN),
];
const PAGES: &[RecordField] = &[
    at(1, "pR", Event1PageRequest::PR),
    at(1, "pW", Event1PageRequest::PW),
    at(1, "pX", Event1PageRequest::PX),
    at(1, "uR", Event1PageRequest::UR),
    at(1, "uW", Event1PageRequest::UW),
    at(1, "uX", Event1PageRequest::UX),
    at(1, "Span", Event1PageRequest::SPAN),
];

/// The fields of a record of this kind besides its number.
pub fn record_fields(kind: EventKind) -> impl Iterator<Item = RecordField> {
    let rest: &[&[RecordField]] = match kind {
        EventKind::BadStreamId
        | EventKind::BadSte
        | EventKind::StreamDisabled
        | EventKind::BadCd => &[SSV, SUBSTREAM],
        EventKind::ConfigConflict => &[SSV, SUBSTREAM, REASON],
        // IHI 0070 G.b 7.3.9: the SubstreamID is always valid, and the record has no SSV.
        EventKind::BadSubstreamId => &[SUBSTREAM],
        EventKind::SteFetch | EventKind::CdFetch | EventKind::VmsFetch => &[SSV, SUBSTREAM, FETCH],
        EventKind::UnsupportedTransaction => &[SSV, SUBSTREAM, ACCESS, RNW, INPUT],
        EventKind::TranslatedForbidden => &[SSV, SUBSTREAM, RNW, INPUT],
        EventKind::BadTranslationRequest => &[SSV, SUBSTREAM, REQUEST, PAGE],
        EventKind::PageRequest => &[SSV, SUBSTREAM, PAGES, PAGE],
        EventKind::WalkEabt => &[SSV, SUBSTREAM, ACCESS, RNW, STAGE2, CLASS, TTRNW, INPUT, FETCH],
        EventKind::Translation
        | EventKind::AddrSize
        | EventKind::Access
        | EventKind::Permission => {
            &[SSV, SUBSTREAM, STALL, ACCESS, RNW, NSIPA, STAGE2, CLASS, TTRNW, INPUT, IPA]
        }
        EventKind::TlbConflict => &[SSV, SUBSTREAM, ACCESS, RNW, NSIPA, STAGE2, INPUT, IPA],
    };
    let rest = rest.iter().flat_map(|fields| fields.iter());
    STREAM.iter().chain(rest).copied()
}
