//! Context banks. IHI 0062 D.c chapters 16 (stage 1) and 17 (stage 2).

use passim_model::layout;

/// Offsets in a context bank. IHI 0062 D.c tables 16-1 and 17-1.
pub(crate) mod offset {
    pub(crate) const SCTLR: u64 = 0x0;
    pub(crate) const ACTLR: u64 = 0x4;
    pub(crate) const RESUME: u64 = 0x8;
    pub(crate) const TCR2: u64 = 0x10;
    pub(crate) const TTBR0: u64 = 0x20;
    pub(crate) const TTBR0_HIGH: u64 = 0x24;
    pub(crate) const TTBR1: u64 = 0x28;
    pub(crate) const TTBR1_HIGH: u64 = 0x2c;
    pub(crate) const TCR: u64 = 0x30;
    pub(crate) const CONTEXTIDR: u64 = 0x34;
    /// PRRR with short descriptors.
    pub(crate) const MAIR0: u64 = 0x38;
    /// NMRR with short descriptors.
    pub(crate) const MAIR1: u64 = 0x3c;
    pub(crate) const PAR: u64 = 0x50;
    pub(crate) const PAR_HIGH: u64 = 0x54;
    pub(crate) const FSR: u64 = 0x58;
    pub(crate) const FSRRESTORE: u64 = 0x5c;
    pub(crate) const FAR: u64 = 0x60;
    pub(crate) const FAR_HIGH: u64 = 0x64;
    pub(crate) const FSYNR0: u64 = 0x68;
    pub(crate) const IPAFAR: u64 = 0x70;
    pub(crate) const IPAFAR_HIGH: u64 = 0x74;
    pub(crate) const TLBIVA: u64 = 0x600;
    pub(crate) const TLBIVAA: u64 = 0x608;
    pub(crate) const TLBIASID: u64 = 0x610;
    pub(crate) const TLBIALL: u64 = 0x618;
    pub(crate) const TLBIVAL: u64 = 0x620;
    pub(crate) const TLBIVAAL: u64 = 0x628;
    pub(crate) const TLBIIPAS2: u64 = 0x630;
    pub(crate) const TLBIIPAS2L: u64 = 0x638;
    pub(crate) const TLBSYNC: u64 = 0x7f0;
    pub(crate) const TLBSTATUS: u64 = 0x7f4;
    pub(crate) const ATS1PR: u64 = 0x800;
    pub(crate) const ATS1PW: u64 = 0x808;
    pub(crate) const ATS1UR: u64 = 0x810;
    pub(crate) const ATS1UW: u64 = 0x818;
    pub(crate) const ATSR: u64 = 0x8f0;
}

layout! {
    /// SMMU_CBn_SCTLR of stage 1, 16.5.29.
    pub(crate) struct Sctlr {
        M = bit(0);
        TRE = bit(1);
        AFE = bit(2);
        AFFD = bit(3);
        E = bit(4);
        CFRE = bit(5);
        CFIE = bit(6);
        CFCFG = bit(7);
        HUPCF = bit(8);
        WXN = bit(9);
        UWXN = bit(10);
        ASIDPNE = bit(12);
        TRANSIENTCFG = bits(15, 14);
        MEM_ATTR = bits(19, 16);
        MTCFG = bit(20);
        SHCFG = bits(23, 22);
        RACFG = bits(25, 24);
        WACFG = bits(27, 26);
        UCI = bit(30);
    }
}

layout! {
    /// SMMU_CBn_SCTLR of stage 2 where it differs, 17.3.3.
    pub(crate) struct Sctlr2 {
        PTW = bit(13);
        BSU = bits(15, 14);
        FB = bit(21);
    }
}

layout! {
    /// SMMU_CBn_ACTLR of an MMU-500 (implementation defined in 16.5.1).
    pub(crate) struct Actlr {
        /// Prefetch into the context.
        CPRE = bit(1);
    }
}

layout! {
    /// SMMU_CBn_RESUME, 16.5.28.
    pub(crate) struct Resume {
        TNR = bit(0);
    }
}

layout! {
    /// SMMU_CBn_TCR2, 16.5.39.
    pub(crate) struct Tcr2 {
        PASIZE = bits(2, 0);
        AS = bit(4);
        TBI0 = bit(5);
        TBI1 = bit(6);
        HAD0 = bit(8);
        HAD1 = bit(9);
        HA = bit(10);
        HD = bit(11);
        SEP = bits(17, 15);
    }
}

layout! {
    /// SMMU_CBn_TCR, VA64 = 0, EAE = 0, 16.5.38.
    pub(crate) struct TcrShort {
        T0SZ = bits(2, 0);
        PD0 = bit(4);
        PD1 = bit(5);
        EAE = bit(31);
    }
}

layout! {
    /// SMMU_CBn_TCR, VA64 = 0, EAE = 1, 16.5.38.
    pub(crate) struct TcrLong {
        T0SZ = bits(2, 0);
        EPD0 = bit(7);
        IRGN0 = bits(9, 8);
        ORGN0 = bits(11, 10);
        SH0 = bits(13, 12);
        T1SZ = bits(18, 16);
        A1 = bit(22);
        EPD1 = bit(23);
        IRGN1 = bits(25, 24);
        ORGN1 = bits(27, 26);
        SH1 = bits(29, 28);
        EAE = bit(31);
    }
}

layout! {
    /// SMMU_CBn_TCR, VA64 = 1, 16.5.38.
    pub(crate) struct Tcr {
        T0SZ = bits(5, 0);
        EPD0 = bit(7);
        IRGN0 = bits(9, 8);
        ORGN0 = bits(11, 10);
        SH0 = bits(13, 12);
        TG0 = bits(15, 14);
        T1SZ = bits(21, 16);
        A1 = bit(22);
        EPD1 = bit(23);
        IRGN1 = bits(25, 24);
        ORGN1 = bits(27, 26);
        SH1 = bits(29, 28);
        TG1 = bits(31, 30);
    }
}

layout! {
    /// SMMU_CBn_TCR of stage 2, VA64 = 0, 17.3.8.
    pub(crate) struct Tcr2Long {
        /// Signed.
        T0SZ = bits(3, 0);
        SL0 = bits(7, 6);
        IRGN0 = bits(9, 8);
        ORGN0 = bits(11, 10);
        SH0 = bits(13, 12);
        EAE = bit(31);
    }
}

layout! {
    /// SMMU_CBn_TCR of stage 2, VA64 = 1, 17.3.8.
    pub(crate) struct TcrStage2 {
        T0SZ = bits(5, 0);
        SL0 = bits(7, 6);
        IRGN0 = bits(9, 8);
        ORGN0 = bits(11, 10);
        SH0 = bits(13, 12);
        TG0 = bits(15, 14);
        PASIZE = bits(18, 16);
        HA = bit(21);
        HD = bit(22);
    }
}

layout! {
    /// SMMU_CBn_TTBRm, AArch64, 16.5.40, and of stage 2, 17.3.9.
    pub(crate) struct Ttbr {
        BASE = bits(47, 0);
        ASID = bits(63, 48);
    }
}

layout! {
    /// SMMU_CBn_TTBRm, AArch32 long descriptors, 16.5.40: 40 bits of address, 8 of ASID.
    pub(crate) struct TtbrLong {
        BASE = bits(39, 0);
        ASID = bits(55, 48);
    }
}

layout! {
    /// SMMU_CBn_TTBRm, AArch32 short descriptors, 16.5.40: the largest alignment keeps the bits
    /// from 14 up, the smallest those from 7 up.
    pub(crate) struct TtbrShort {
        BASE = bits(31, 7);
    }
}

layout! {
    /// SMMU_CBn_CONTEXTIDR with short descriptors, 16.5.7.
    pub(crate) struct Contextidr {
        ASID = bits(7, 0);
        PROCID = bits(31, 8);
    }
}

layout! {
    /// SMMU_CBn_FSR, 16.5.9.
    pub(crate) struct Fsr {
        TF = bit(1);
        AFF = bit(2);
        PF = bit(3);
        EF = bit(4);
        TLBMCF = bit(5);
        TLBLKF = bit(6);
        ASF = bit(7);
        UUT = bit(8);
        FORMAT = bits(10, 9);
        SS = bit(30);
        MULTI = bit(31);
    }
}

/// SMMU_CBn_FSR.Format, and that of PAR.
pub(crate) mod format {
    pub(crate) const SHORT: u64 = 0;
    pub(crate) const LONG: u64 = 1;
    pub(crate) const AARCH64: u64 = 2;
}

layout! {
    /// SMMU_CBn_FSYNR0, 16.5.11 and 17.3.1; NESTED, S1PTWF, ATOF and S1CBNDX at stage 2 only.
    pub(crate) struct Fsynr0 {
        PLVL = bits(1, 0);
        NESTED = bit(2);
        S1PTWF = bit(3);
        WNR = bit(4);
        PNU = bit(5);
        IND = bit(6);
        NSATTR = bit(8);
        ATOF = bit(9);
        PTWF = bit(10);
        AFR = bit(11);
        S1CBNDX = bits(23, 16);
    }
}

layout! {
    /// SMMU_CBn_PAR and SMMU_sGPAR after a fault, 16.5.14.
    pub(crate) struct ParFault {
        F = bit(0);
        TF = bit(1);
        AFF = bit(2);
        PF = bit(3);
        EF = bit(4);
        TLBMCF = bit(5);
        TLBLKF = bit(6);
        ASF = bit(7);
        FORMAT = bits(9, 8);
        ICF = bit(29);
        UCBF = bit(30);
        ATOT = bit(31);
        PLVL = bits(33, 32);
        STAGE = bit(35);
    }
}

layout! {
    /// SMMU_CBn_PAR after success, long descriptors and AArch64, 16.5.14.
    pub(crate) struct Par {
        F = bit(0);
        SH = bits(8, 7);
        NS = bit(9);
        /// Reads as one in SMMUv2.
        ONE = bit(11);
        PA = bits(47, 12);
        MATTR = bits(63, 56);
    }
}

layout! {
    /// SMMU_CBn_PAR after success, short descriptors, 16.5.14.
    pub(crate) struct ParShort {
        F = bit(0);
        SS = bit(1);
        OUTER = bits(3, 2);
        INNER = bits(6, 4);
        SH = bit(7);
        NS = bit(9);
        NOS = bit(10);
        PA = bits(31, 12);
    }
}

layout! {
    /// SMMU_CBn_PAR after success in a supersection, 16.5.14.
    pub(crate) struct ParSupersection {
        PA_39_32 = bits(23, 16);
        PA_31_24 = bits(31, 24);
    }
}

layout! {
    /// The operand of SMMU_CBn_TLBIVA and its variants, AArch64, 16.5.32.
    pub(crate) struct TlbiVa {
        ADDRESS = bits(43, 0);
        ASID = bits(63, 48);
    }
}

layout! {
    /// The operand of SMMU_CBn_TLBIVA and its variants, AArch32, 16.5.32.
    pub(crate) struct TlbiVa32 {
        ASID = bits(7, 0);
        VA = bits(31, 12);
    }
}

layout! {
    /// The operand of SMMU_CBn_TLBIASID, 16.5.31.
    pub(crate) struct TlbiAsid {
        ASID = bits(15, 0);
    }
}

layout! {
    /// The operand of SMMU_CBn_TLBIIPAS2, 17.3.4.
    pub(crate) struct TlbiIpa {
        ADDRESS = bits(35, 0);
    }
}
