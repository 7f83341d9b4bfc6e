//! Records of the Event queue, transcribed only for the second walk: the expected record, and the
//! bits that the architecture does not determine. IHI 0070 G.b 7.3.

use passim_oracle::Stage;
use passim_oracle::walk::Privilege;
use passim_smmu::v3::EventKind;

use super::dumped_smmu::Who;
use super::second::{Asked, Purpose, Refused, Wanted};

passim_model::layout! {
    /// Doubleword 0.
    pub(super) struct Record0 {
        /// The event number.
        ID = bits(7, 0);
        /// The SubstreamID is valid.
        SSV = bit(11);
        /// The SubstreamID.
        SUBSTREAM = bits(31, 12);
        /// The StreamID.
        STREAM = bits(63, 32);
    }
}
passim_model::layout! {
    /// Doubleword 1 of translation-related events, 7.3.12 to 7.3.16.
    pub(super) struct Record1 {
        /// Identifies the stalled transaction.
        STAG = bits(15, 0);
        /// The transaction is stalled.
        STALL = bit(31);
        /// Privileged.
        PNU = bit(33);
        /// Instruction.
        IND = bit(34);
        /// Read.
        RNW = bit(35);
        /// The IPA is Non-secure; 0 for Non-secure streams.
        NSIPA = bit(38);
        /// Stage 2.
        S2 = bit(39);
        /// The purpose of the address.
        CLASS = bits(41, 40);
        /// The table was read, not written.
        TTRNW = bit(44);
    }
}
passim_model::layout! {
    /// Doubleword 3 of a fault of stage 2, 7.3.13.
    pub(super) struct Record3 {
        /// Page of the stage 2 input address.
        IPA = bits(55, 12);
    }
}
passim_model::layout! {
    /// Doubleword 3 of F_WALK_EABT, 7.3.12.
    pub(super) struct Record3Fetch {
        /// The address of the external abort.
        FETCH = bits(55, 3);
    }
}

/// A record, and its determined bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Record {
    pub(super) words: [u64; 4],
    pub(super) known: [u64; 4],
}

impl Record {
    /// A record as it was written.
    pub(super) fn written(words: [u64; 4]) -> Self {
        Self { words, known: [u64::MAX; 4] }
    }

    /// A record with only the identifiers of the access, 7.3.3 to 7.3.11.
    pub(super) fn of(kind: EventKind, who: Who) -> Self {
        Self::written([first(kind, who), 0, 0, 0])
    }

    /// The record of a refused translation; `asked` is the access after the STE's overrides.
    pub(super) fn refused(
        kind: EventKind,
        refused: &Refused,
        who: Who,
        iova: u64,
        asked: Asked,
    ) -> Self {
        let of_stage2 = refused.stage == Stage::Two;
        let class = match refused.purpose {
            Purpose::Context => 0,
            Purpose::Table | Purpose::Update => 1,
            Purpose::Input => 2,
        };
        let is_set = |field: passim_model::bits::Field, set: bool| field.of(u64::from(set));
        let mut second = is_set(Record1::PNU, asked.privilege == Privilege::Privileged)
            | is_set(Record1::IND, asked.wanted == Wanted::Fetch)
            | is_set(Record1::RNW, asked.wanted != Wanted::Write)
            | is_set(Record1::S2, of_stage2)
            | Record1::CLASS.of(class);
        // Whether it stalls depends on CD.S and STE.S2S, and the SMMU chooses the STAG.
        let mut open = Record1::STALL.mask() | Record1::STAG.mask();
        let (third, known) = if kind == EventKind::WalkEabt {
            // 7.3.12: Reason is implementation defined.
            open |= Record1::TTRNW.mask();
            (Record3Fetch::FETCH.in_place(refused.fetched.unwrap_or(0)), u64::MAX)
        } else {
            // 7.3.16: a table that stage 2 does not permit to read, or to write.
            let permission = kind == EventKind::Permission && of_stage2;
            match refused.purpose {
                Purpose::Table if permission => second |= Record1::TTRNW.mask(),
                Purpose::Update if permission => {}
                _ => open |= Record1::TTRNW.mask(),
            }
            // 7.3.13: UNKNOWN at stage 1.
            let ipa = Record3::IPA.in_place(refused.ipa.unwrap_or(0));
            (ipa, if of_stage2 { u64::MAX } else { 0 })
        };
        Self {
            words: [first(kind, who), second, iova, third],
            known: [u64::MAX, !open, u64::MAX, known],
        }
    }

    /// Whether a record agrees in every determined bit.
    pub(super) fn agrees(&self, found: &Self) -> bool {
        let pairs = self.words.iter().zip(&found.words);
        pairs.zip(&self.known).all(|((expected, found), known)| (expected ^ found) & known == 0)
    }

    /// The doublewords.
    pub(super) fn text(&self) -> String {
        let words = self.words.map(|word| format!("{word:#x}"));
        format!("record {}", words.join(" "))
    }
}

fn first(kind: EventKind, who: Who) -> u64 {
    let substream = who.substream.map_or(0, |substream| u64::from(substream.get()));
    // 7.3.9: C_BAD_SUBSTREAMID has no SSV bit; its SubstreamID is always valid.
    let says_so = who.substream.is_some() && kind != EventKind::BadSubstreamId;
    Record0::ID.of(u64::from(kind.number()))
        | Record0::SSV.of(u64::from(says_so))
        | Record0::SUBSTREAM.of(substream)
        | Record0::STREAM.of(u64::from(who.stream.get()))
}
