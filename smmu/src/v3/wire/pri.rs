//! Records of the PRI queue. IHI 0070 G.b, chapter 8. Positions are those of the doubleword.

use passim_model::layout;

/// log2 of the bytes of a record.
pub(crate) const PRI_LG2: u32 = 4;
/// Doublewords of a record.
pub(crate) const PRI_WORDS: usize = 2;

layout! {
    /// Doubleword 0.
    pub(crate) struct Pri0 {
        STREAM_ID = bits(31, 0);
        SUBSTREAM_ID = bits(51, 32);
        PRIV = bit(58);
        X = bit(59);
        R = bit(60);
        W = bit(61);
        LAST = bit(62);
        SSV = bit(63);
    }
}

layout! {
    /// Doubleword 1.
    pub(crate) struct Pri1 {
        PRG_INDEX = bits(8, 0);
        PAGE = address(63, 12);
    }
}
