//! The Stream table: L1STD and STE. IHI 0070 G.b, 5.1 and 5.2. Positions are those of the
//! doubleword, so bit 64 of the document is bit 0 of [`Ste1`].

use passim_model::layout;

/// Bytes of a level-1 descriptor.
pub(crate) const L1STD_BYTES: u64 = 8;
/// log2 of the bytes of an STE.
pub(crate) const STE_LG2: u32 = 6;
/// Doublewords of an STE.
pub(crate) const STE_WORDS: usize = 8;

layout! {
    /// L1STD, 5.1.
    pub(crate) struct L1Std {
        SPAN = bits(4, 0);
        L2PTR = address(55, 6);
    }
}

layout! {
    /// STE, doubleword 0.
    pub(crate) struct Ste0 {
        V = bit(0);
        CONFIG = bits(3, 1);
        S1FMT = bits(5, 4);
        S1CONTEXTPTR = address(55, 6);
        S1CDMAX = bits(63, 59);
    }
}

layout! {
    /// STE, doubleword 1.
    pub(crate) struct Ste1 {
        S1DSS = bits(1, 0);
        S1CIR = bits(3, 2);
        S1COR = bits(5, 4);
        S1CSH = bits(7, 6);
        S2HWU = bits(11, 8);
        DRE = bit(12);
        CONT = bits(16, 13);
        DCP = bit(17);
        PPAR = bit(18);
        MEV = bit(19);
        SW_RESERVED = bits(23, 20);
        S1PIE = bit(24);
        S2FWB = bit(25);
        S1MPAM = bit(26);
        S1STALLD = bit(27);
        EATS = bits(29, 28);
        STRW = bits(31, 30);
        MEM_ATTR = bits(35, 32);
        MTCFG = bit(36);
        ALLOCCFG = bits(40, 37);
        SHCFG = bits(45, 44);
        NSCFG = bits(47, 46);
        PRIVCFG = bits(49, 48);
        INSTCFG = bits(51, 50);
    }
}

layout! {
    /// STE, doubleword 2.
    pub(crate) struct Ste2 {
        S2VMID = bits(15, 0);
        S2T0SZ = bits(37, 32);
        S2SL0 = bits(39, 38);
        S2IR0 = bits(41, 40);
        S2OR0 = bits(43, 42);
        S2SH0 = bits(45, 44);
        S2TG = bits(47, 46);
        S2PS = bits(50, 48);
        S2AA64 = bit(51);
        S2ENDI = bit(52);
        S2AFFD = bit(53);
        S2PTW = bit(54);
        S2HD = bit(55);
        S2HA = bit(56);
        S2S = bit(57);
        S2R = bit(58);
        S2HAFT = bit(59);
        S2PIE = bit(60);
        S2POE = bit(61);
        DPT_VMATCH = bits(63, 62);
    }
}

layout! {
    /// STE, doubleword 3.
    pub(crate) struct Ste3 {
        S2NSW = bit(0);
        S2NSA = bit(1);
        S2SL0_2 = bit(2);
        S2DS = bit(3);
        S2TTB = address(55, 4);
        S2SKL = bits(62, 61);
    }
}

layout! {
    /// STE, doubleword 4.
    pub(crate) struct Ste4 {
        PARTID = bits(31, 16);
    }
}

layout! {
    /// STE, doubleword 5.
    pub(crate) struct Ste5 {
        PMG = bits(7, 0);
        MPAM_NS = bit(8);
        ASSURED_ONLY = bit(9);
        TL0 = bit(10);
        TL1 = bit(11);
        VMSPTR = address(55, 12);
    }
}

/// STE.Config. 5.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Config {
    /// 0b0xx: incoming transactions are terminated.
    Abort,
    /// 0b100.
    Bypass,
    /// 0b101.
    Stage1,
    /// 0b110.
    Stage2,
    /// 0b111.
    Nested,
}

impl Config {
    /// The meaning of the three bits.
    pub(crate) const fn of(bits: u64) -> Self {
        match bits & 7 {
            4 => Self::Bypass,
            5 => Self::Stage1,
            6 => Self::Stage2,
            7 => Self::Nested,
            _ => Self::Abort,
        }
    }
}

/// STE.S1DSS, where substreams are enabled: transactions without a SubstreamID. 5.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DefaultSubstream {
    /// 0b00, and 0b11, which behaves as 0b00.
    Terminate,
    /// 0b01.
    Bypass,
    /// 0b10.
    Substream0,
}

impl DefaultSubstream {
    /// The meaning of the two bits.
    pub(crate) const fn of(bits: u64) -> Self {
        match bits & 3 {
            1 => Self::Bypass,
            2 => Self::Substream0,
            _ => Self::Terminate,
        }
    }
}
