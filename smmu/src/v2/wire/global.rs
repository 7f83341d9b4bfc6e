//! Global register spaces 0 and 1. IHI 0062 D.c chapters 9 and 10.

use passim_model::layout;

/// Offsets in global register space 0. IHI 0062 D.c table 9-1.
pub(crate) mod gr0 {
    pub(crate) const CR0: u64 = 0x0;
    pub(crate) const CR2: u64 = 0x8;
    pub(crate) const ACR: u64 = 0x10;
    pub(crate) const IDR0: u64 = 0x20;
    pub(crate) const IDR1: u64 = 0x24;
    pub(crate) const IDR2: u64 = 0x28;
    pub(crate) const IDR7: u64 = 0x3c;
    pub(crate) const GFAR: u64 = 0x40;
    pub(crate) const GFSR: u64 = 0x48;
    pub(crate) const GFSRRESTORE: u64 = 0x4c;
    pub(crate) const GFSYNR0: u64 = 0x50;
    pub(crate) const GFSYNR1: u64 = 0x54;
    pub(crate) const TLBIVMID: u64 = 0x64;
    pub(crate) const TLBIALLNSNH: u64 = 0x68;
    pub(crate) const TLBIALLH: u64 = 0x6c;
    pub(crate) const TLBGSYNC: u64 = 0x70;
    pub(crate) const TLBGSTATUS: u64 = 0x74;
    pub(crate) const TLBIVAH: u64 = 0x78;
    pub(crate) const TLBIVALH64: u64 = 0xb0;
    pub(crate) const TLBIVMIDS1: u64 = 0xb8;
    pub(crate) const TLBIVAH64: u64 = 0xc0;
    pub(crate) const GATS1UR: u64 = 0x100;
    pub(crate) const GATS1UW: u64 = 0x108;
    pub(crate) const GATS1PR: u64 = 0x110;
    pub(crate) const GATS1PW: u64 = 0x118;
    pub(crate) const GATS12UR: u64 = 0x120;
    pub(crate) const GATS12UW: u64 = 0x128;
    pub(crate) const GATS12PR: u64 = 0x130;
    pub(crate) const GATS12PW: u64 = 0x138;
    pub(crate) const GPAR: u64 = 0x180;
    pub(crate) const GATSR: u64 = 0x188;
    /// SMR0; one word each.
    pub(crate) const SMR: u64 = 0x800;
    /// S2CR0; one word each.
    pub(crate) const S2CR: u64 = 0xc00;
    /// Past the last S2CR there can be.
    pub(crate) const S2CR_END: u64 = 0xe00;
}

/// Offsets in global register space 1. IHI 0062 D.c table 10-1.
pub(crate) mod gr1 {
    /// CBAR0; one word each.
    pub(crate) const CBAR: u64 = 0x0;
    /// CBFRSYNRA0; one word each.
    pub(crate) const CBFRSYNRA: u64 = 0x400;
    /// CBA2R0; one word each.
    pub(crate) const CBA2R: u64 = 0x800;
    /// Past the last register there can be.
    pub(crate) const END: u64 = 0xa00;
}

layout! {
    /// SMMU_CR0, 9.6.3.
    pub(crate) struct Cr0 {
        CLIENTPD = bit(0);
        GFRE = bit(1);
        GFIE = bit(2);
        EXIDENABLE = bit(3);
        GCFGFRE = bit(4);
        GCFGFIE = bit(5);
        TRANSIENTCFG = bits(7, 6);
        STALLD = bit(8);
        GSE = bit(9);
        USFCFG = bit(10);
        VMIDPNE = bit(11);
        PTM = bit(12);
        FB = bit(13);
        BSU = bits(15, 14);
        MEM_ATTR = bits(19, 16);
        MTCFG = bit(20);
        SMCFCFG = bit(21);
        SHCFG = bits(23, 22);
        RACFG = bits(25, 24);
        WACFG = bits(27, 26);
        HYPMODE = bit(30);
        VMID16EN = bit(31);
    }
}

layout! {
    /// SMMU_ACR of an MMU-500 (implementation defined in 9.6.2).
    pub(crate) struct Acr {
        /// Unmatched streams have TLB entries.
        SMTNMB_TLBEN = bit(8);
        /// Bypassing streams have TLB entries.
        S2CRB_TLBEN = bit(10);
        /// ACTLR of the context banks cannot be written.
        CACHE_LOCK = bit(26);
    }
}

layout! {
    /// SMMU_IDR0, 9.6.1.
    pub(crate) struct Idr0 {
        NUMSMRG = bits(7, 0);
        EXIDS = bit(8);
        NUMSIDB = bits(12, 9);
        BTM = bit(13);
        CTTW = bit(14);
        EXSMRGS = bit(15);
        NUMIRPT = bits(23, 16);
        PTFS = bits(25, 24);
        ATOSNS = bit(26);
        SMS = bit(27);
        NTS = bit(28);
        S2TS = bit(29);
        S1TS = bit(30);
        SES = bit(31);
    }
}

layout! {
    /// SMMU_IDR1, 9.6.1.
    pub(crate) struct Idr1 {
        NUMCB = bits(7, 0);
        NUMSSDNDXB = bits(11, 8);
        SSDTP = bits(13, 12);
        SMCD = bit(15);
        NUMS2CB = bits(23, 16);
        HAFDBS = bits(25, 24);
        NUMPAGENDXB = bits(30, 28);
        PAGESIZE = bit(31);
    }
}

layout! {
    /// SMMU_IDR2, 9.6.1.
    pub(crate) struct Idr2 {
        IAS = bits(3, 0);
        OAS = bits(7, 4);
        UBS = bits(11, 8);
        PTFSV8_4KB = bit(12);
        PTFSV8_16KB = bit(13);
        PTFSV8_64KB = bit(14);
        VMID16S = bit(15);
        EXNUMSMRG = bits(26, 16);
        E2HS = bit(27);
        HADS = bit(28);
        COMPINDEXS = bit(29);
        DIPANS = bit(30);
    }
}

layout! {
    /// SMMU_sGFSR, 9.6.15.
    pub(crate) struct Gfsr {
        ICF = bit(0);
        USF = bit(1);
        SMCF = bit(2);
        UCBF = bit(3);
        UCIF = bit(4);
        CAF = bit(5);
        EF = bit(6);
        PF = bit(7);
        UUT = bit(8);
        MULTI = bit(31);
    }
}

layout! {
    /// SMMU_sGFSYNR0, 9.6.17.
    pub(crate) struct Gfsynr0 {
        NESTED = bit(0);
        WNR = bit(1);
        PNU = bit(2);
        IND = bit(3);
        NSSTATE = bit(4);
        NSATTR = bit(5);
        ATS = bit(6);
    }
}

layout! {
    /// SMMU_sGFSYNR1, 9.6.18, and SMMU_CBFRSYNRAn, 10.2.3.
    pub(crate) struct Gfsynr1 {
        STREAM_ID = bits(15, 0);
        SSD_INDEX = bits(31, 16);
    }
}

layout! {
    /// SMMU_SMRn, 9.6.25, where EXIDENABLE is 0.
    pub(crate) struct Smr {
        ID = bits(14, 0);
        MASK = bits(30, 16);
        VALID = bit(31);
    }
}

layout! {
    /// SMMU_SMRn, 9.6.25, where EXIDENABLE is 1.
    pub(crate) struct SmrExtended {
        EXID = bits(15, 0);
        EXMASK = bits(31, 16);
    }
}

layout! {
    /// SMMU_S2CRn, 9.6.23, TYPE 0; the fields up to TRANSIENTCFG but PRIVCFG, INSTCFG and CBNDX
    /// are also those of TYPE 1.
    pub(crate) struct S2cr {
        CBNDX = bits(7, 0);
        SHCFG = bits(9, 8);
        EXIDVALID = bit(10);
        MTCFG = bit(11);
        MEM_ATTR = bits(15, 12);
        TYPE = bits(17, 16);
        NSCFG = bits(19, 18);
        RACFG = bits(21, 20);
        WACFG = bits(23, 22);
        PRIVCFG = bits(25, 24);
        INSTCFG = bits(27, 26);
        TRANSIENTCFG = bits(29, 28);
    }
}

/// SMMU_S2CRn.TYPE, 9.6.23; 3 is treated as a fault.
pub(crate) mod s2cr_type {
    pub(crate) const TRANSLATE: u64 = 0;
    pub(crate) const BYPASS: u64 = 1;
    pub(crate) const FAULT: u64 = 2;
}

layout! {
    /// The fields of every TYPE of SMMU_CBARn, 10.2.1.
    pub(crate) struct Cbar {
        VMID = bits(7, 0);
        TYPE = bits(17, 16);
        IRPTNDX = bits(31, 24);
    }
}

layout! {
    /// SMMU_CBARn, TYPE 1: stage 1 with stage 2 bypass, 10.2.1.
    pub(crate) struct CbarBypass {
        BPSHCFG = bits(9, 8);
        HYPC = bit(10);
        FB = bit(11);
        MEM_ATTR = bits(15, 12);
        BSU = bits(19, 18);
        RACFG = bits(21, 20);
        WACFG = bits(23, 22);
    }
}

layout! {
    /// SMMU_CBARn, TYPE 3: stage 1 followed by stage 2, 10.2.1.
    pub(crate) struct CbarNested {
        CBNDX = bits(15, 8);
    }
}

/// SMMU_CBARn.TYPE, 10.2.1; 2 is stage 1 with stage 2 fault.
pub(crate) mod cbar_type {
    pub(crate) const STAGE2: u64 = 0;
    pub(crate) const STAGE1: u64 = 1;
    pub(crate) const NESTED: u64 = 3;
}

layout! {
    /// SMMU_CBA2Rn, 10.2.2.
    pub(crate) struct Cba2r {
        VA64 = bit(0);
        MONC = bit(1);
        VMID16 = bits(31, 16);
    }
}

layout! {
    /// SMMU_sGATS1PR and its variants, 9.6.5 to 9.6.12.
    pub(crate) struct Gats {
        NDX = bits(7, 0);
        ADDR = bits(63, 12);
    }
}

layout! {
    /// SMMU_TLBIVMID and SMMU_TLBIVMIDS1, 9.6.35, 9.6.36.
    pub(crate) struct TlbiVmid {
        VMID = bits(15, 0);
    }
}

layout! {
    /// SMMU_sTLBGSTATUS, SMMU_CBn_TLBSTATUS, SMMU_CBn_ATSR and SMMU_sGATSR.
    pub(crate) struct Status {
        ACTIVE = bit(0);
    }
}
