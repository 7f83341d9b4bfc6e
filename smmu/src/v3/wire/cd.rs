//! The CD table: L1CD and CD. IHI 0070 G.b, 5.3 and 5.4. Positions are those of the doubleword.

use passim_model::layout;

/// log2 of the bytes of a level-1 descriptor.
pub(crate) const L1CD_LG2: u32 = 3;
/// Bytes of a level-1 descriptor.
pub(crate) const L1CD_BYTES: u64 = 1 << L1CD_LG2;
/// log2 of the bytes of a CD.
pub(crate) const CD_LG2: u32 = 6;
/// Doublewords of a CD.
pub(crate) const CD_WORDS: usize = 8;

layout! {
    /// L1CD, 5.3.
    pub(crate) struct L1Cd {
        V = bit(0);
        L2PTR = address(55, 12);
    }
}

layout! {
    /// CD, doubleword 0.
    pub(crate) struct Cd0 {
        T0SZ = bits(5, 0);
        TG0 = bits(7, 6);
        IR0 = bits(9, 8);
        OR0 = bits(11, 10);
        SH0 = bits(13, 12);
        EPD0 = bit(14);
        ENDI = bit(15);
        T1SZ = bits(21, 16);
        TG1 = bits(23, 22);
        IR1 = bits(25, 24);
        OR1 = bits(27, 26);
        SH1 = bits(29, 28);
        EPD1 = bit(30);
        V = bit(31);
        IPS = bits(34, 32);
        AFFD = bit(35);
        WXN = bit(36);
        UWXN = bit(37);
        TBI0 = bit(38);
        TBI1 = bit(39);
        PAN = bit(40);
        AA64 = bit(41);
        HD = bit(42);
        HA = bit(43);
        S = bit(44);
        R = bit(45);
        A = bit(46);
        ASET = bit(47);
        ASID = bits(63, 48);
    }
}

layout! {
    /// CD, doubleword 1.
    pub(crate) struct Cd1 {
        NSCFG0 = bit(0);
        HAD0 = bit(1);
        E0PD0 = bit(2);
        HAFT = bit(3);
        TTB0 = address(55, 4);
        PNCH = bit(58);
        EPAN = bit(59);
        HWU0 = bits(63, 60);
    }
}

layout! {
    /// CD, doubleword 2.
    pub(crate) struct Cd2 {
        NSCFG1 = bit(0);
        HAD1 = bit(1);
        E0PD1 = bit(2);
        AIE = bit(3);
        TTB1 = address(55, 4);
        DS = bit(58);
        PIE = bit(59);
        HWU1 = bits(63, 60);
    }
}

layout! {
    /// CD, doubleword 3.
    pub(crate) struct Cd3 {
        MAIR0 = bits(31, 0);
        MAIR1 = bits(63, 32);
    }
}

layout! {
    /// CD, doubleword 5.
    pub(crate) struct Cd5 {
        PARTID = bits(47, 32);
        PMG = bits(55, 48);
    }
}

/// STE.S1Fmt: how the CD table is laid out. 5.2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CdTable {
    /// 0b00, and 0b11, which behaves as 0b00.
    Linear,
    /// 0b01: 4 KiB leaves of 64 CDs.
    Leaves4K,
    /// 0b10: 64 KiB leaves of 1024 CDs.
    Leaves64K,
}

impl CdTable {
    /// The meaning of the two bits.
    pub(crate) const fn of(bits: u64) -> Self {
        match bits & 3 {
            1 => Self::Leaves4K,
            2 => Self::Leaves64K,
            _ => Self::Linear,
        }
    }

    /// log2 of the CDs in a leaf; `None` for a linear table.
    pub(crate) const fn split(self) -> Option<u32> {
        match self {
            Self::Linear => None,
            Self::Leaves4K => Some(6),
            Self::Leaves64K => Some(10),
        }
    }
}
