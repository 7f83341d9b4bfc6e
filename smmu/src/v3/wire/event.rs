//! Records of the Event queue. IHI 0070 G.b, 7.3. Positions are those of the doubleword.

use passim_model::layout;

/// log2 of the bytes of a record.
pub(crate) const EVENT_LG2: u32 = 5;
/// Doublewords of a record.
pub(crate) const EVENT_WORDS: usize = 4;

layout! {
    /// Doubleword 0 of every record.
    pub(crate) struct Event0 {
        ID = bits(7, 0);
        SSV = bit(11);
        SUBSTREAM_ID = bits(31, 12);
        STREAM_ID = bits(63, 32);
    }
}

layout! {
    /// Doubleword 1 of records about a translation, 7.3.12 to 7.3.17; F_UUT, 7.3.2, and
    /// F_TRANSL_FORBIDDEN, 7.3.8, have some of its fields.
    pub(crate) struct Event1 {
        STAG = bits(15, 0);
        STALL = bit(31);
        PNU = bit(33);
        IND = bit(34);
        RNW = bit(35);
        NSIPA = bit(38);
        S2 = bit(39);
        CLASS = bits(41, 40);
        TTRNW = bit(44);
    }
}

layout! {
    /// Doubleword 1 of F_BAD_ATS_TREQ, 7.3.6.
    pub(crate) struct Event1TranslationRequest {
        SPAN = bits(3, 0);
        P = bit(27);
        X = bit(28);
        W = bit(29);
        R = bit(30);
    }
}

layout! {
    /// Doubleword 1 of F_CFG_CONFLICT, 7.3.18: what Reason says is implementation defined.
    pub(crate) struct Event1Conflict {
        REASON = bits(31, 0);
    }
}

layout! {
    /// Doubleword 1 of E_PAGE_REQUEST, 7.3.19.
    pub(crate) struct Event1PageRequest {
        UX = bit(34);
        UW = bit(35);
        UR = bit(36);
        PX = bit(37);
        PW = bit(38);
        PR = bit(39);
        SPAN = bits(51, 44);
    }
}

layout! {
    /// Doubleword 2 of records that name the address of a transaction, 7.3.2, 7.3.8 and 7.3.12 to
    /// 7.3.17.
    pub(crate) struct Event2Address {
        INPUT_ADDR = address(63, 0);
    }
}

layout! {
    /// Doubleword 2 of records that name a page, 7.3.6 and 7.3.19.
    pub(crate) struct Event2Page {
        INPUT_ADDR = address(63, 12);
    }
}

layout! {
    /// Doubleword 3 of records with an intermediate physical address, 7.3.13 to 7.3.17.
    pub(crate) struct Event3Ipa {
        IPA = address(55, 12);
    }
}

layout! {
    /// Doubleword 3 of records with a fetch address, 7.3.4, 7.3.10, 7.3.12 and 7.3.20.
    pub(crate) struct Event3Fetch {
        FETCH_ADDR = address(55, 3);
    }
}

/// Event numbers, in the words of the specification. IHI 0070 G.b 7.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum EventKind {
    /// F_UUT, 7.3.2.
    UnsupportedTransaction = 0x01,
    /// C_BAD_STREAMID, 7.3.3.
    BadStreamId = 0x02,
    /// F_STE_FETCH, 7.3.4.
    SteFetch = 0x03,
    /// C_BAD_STE, 7.3.5.
    BadSte = 0x04,
    /// F_BAD_ATS_TREQ, 7.3.6.
    BadTranslationRequest = 0x05,
    /// F_STREAM_DISABLED, 7.3.7.
    StreamDisabled = 0x06,
    /// F_TRANSL_FORBIDDEN, 7.3.8.
    TranslatedForbidden = 0x07,
    /// C_BAD_SUBSTREAMID, 7.3.9.
    BadSubstreamId = 0x08,
    /// F_CD_FETCH, 7.3.10.
    CdFetch = 0x09,
    /// C_BAD_CD, 7.3.11.
    BadCd = 0x0a,
    /// F_WALK_EABT, 7.3.12.
    WalkEabt = 0x0b,
    /// F_TRANSLATION, 7.3.13.
    Translation = 0x10,
    /// F_ADDR_SIZE, 7.3.14.
    AddrSize = 0x11,
    /// F_ACCESS, 7.3.15.
    Access = 0x12,
    /// F_PERMISSION, 7.3.16.
    Permission = 0x13,
    /// F_TLB_CONFLICT, 7.3.17.
    TlbConflict = 0x20,
    /// F_CFG_CONFLICT, 7.3.18.
    ConfigConflict = 0x21,
    /// E_PAGE_REQUEST, 7.3.19.
    PageRequest = 0x24,
    /// F_VMS_FETCH, 7.3.20.
    VmsFetch = 0x25,
}

impl EventKind {
    /// The event's number.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// All, by number. IHI 0070 G.b 7.3.
    pub const ALL: [Self; 19] = [
        Self::UnsupportedTransaction,
        Self::BadStreamId,
        Self::SteFetch,
        Self::BadSte,
        Self::BadTranslationRequest,
        Self::StreamDisabled,
        Self::TranslatedForbidden,
        Self::BadSubstreamId,
        Self::CdFetch,
        Self::BadCd,
        Self::WalkEabt,
        Self::Translation,
        Self::AddrSize,
        Self::Access,
        Self::Permission,
        Self::TlbConflict,
        Self::ConfigConflict,
        Self::PageRequest,
        Self::VmsFetch,
    ];

    /// The section of IHI 0070 G.b that describes it.
    pub const fn section(self) -> &'static str {
        match self {
            Self::UnsupportedTransaction => "7.3.2",
            Self::BadStreamId => "7.3.3",
            Self::SteFetch => "7.3.4",
            Self::BadSte => "7.3.5",
            Self::BadTranslationRequest => "7.3.6",
            Self::StreamDisabled => "7.3.7",
            Self::TranslatedForbidden => "7.3.8",
            Self::BadSubstreamId => "7.3.9",
            Self::CdFetch => "7.3.10",
            Self::BadCd => "7.3.11",
            Self::WalkEabt => "7.3.12",
            Self::Translation => "7.3.13",
            Self::AddrSize => "7.3.14",
            Self::Access => "7.3.15",
            Self::Permission => "7.3.16",
            Self::TlbConflict => "7.3.17",
            Self::ConfigConflict => "7.3.18",
            Self::PageRequest => "7.3.19",
            Self::VmsFetch => "7.3.20",
        }
    }

    /// The name as the specification prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnsupportedTransaction => "F_UUT",
            Self::BadTranslationRequest => "F_BAD_ATS_TREQ",
            Self::TranslatedForbidden => "F_TRANSL_FORBIDDEN",
            Self::TlbConflict => "F_TLB_CONFLICT",
            Self::ConfigConflict => "F_CFG_CONFLICT",
            Self::PageRequest => "E_PAGE_REQUEST",
            Self::VmsFetch => "F_VMS_FETCH",
            Self::BadStreamId => "C_BAD_STREAMID",
            Self::SteFetch => "F_STE_FETCH",
            Self::BadSte => "C_BAD_STE",
            Self::StreamDisabled => "F_STREAM_DISABLED",
            Self::BadSubstreamId => "C_BAD_SUBSTREAMID",
            Self::CdFetch => "F_CD_FETCH",
            Self::BadCd => "C_BAD_CD",
            Self::WalkEabt => "F_WALK_EABT",
            Self::Translation => "F_TRANSLATION",
            Self::AddrSize => "F_ADDR_SIZE",
            Self::Access => "F_ACCESS",
            Self::Permission => "F_PERMISSION",
        }
    }
}

/// CLASS: the operation whose address faulted. IHI 0070 G.b 7.3.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(u8)]
pub enum Class {
    /// Fetch of a CD.
    Cd = 0,
    /// Fetch of a stage-1 translation table descriptor.
    Tt = 1,
    /// The input address of the stage.
    In = 2,
}

impl Class {
    /// All, by number.
    pub const ALL: [Self; 3] = [Self::Cd, Self::Tt, Self::In];

    /// The name as the specification prints it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cd => "CD",
            Self::Tt => "TT",
            Self::In => "IN",
        }
    }
}
