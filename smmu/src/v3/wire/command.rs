//! Commands of the Command queue. IHI 0070 G.b, chapter 4. Positions are those of the doubleword.

use passim_model::layout;

/// Bytes of a command.
pub(crate) const COMMAND_LG2: u32 = 4;
/// Doublewords of a command.
pub(crate) const COMMAND_WORDS: usize = 2;

layout! {
    /// Doubleword 0 of commands about a stream: prefetch, CFGI, RESUME, STALL_TERM. 4.1.6.
    pub(crate) struct Stream0 {
        OPCODE = bits(7, 0);
        SSEC = bit(10);
        SSV = bit(11);
        SUBSTREAM_ID = bits(31, 12);
        STREAM_ID = bits(63, 32);
    }
}

layout! {
    /// Doubleword 1 of CMD_CFGI_STE and CMD_CFGI_CD. 4.3.1, 4.3.3.
    pub(crate) struct Cfgi1 {
        LEAF = bit(0);
    }
}

layout! {
    /// Doubleword 1 of CMD_CFGI_STE_RANGE. 4.3.2.
    pub(crate) struct CfgiRange1 {
        RANGE = bits(4, 0);
    }
}

layout! {
    /// Doubleword 0 of the TLB invalidations. 4.4.1.
    pub(crate) struct Tlbi0 {
        OPCODE = bits(7, 0);
        NUM = bits(16, 12);
        SCALE = bits(25, 20);
        VMID = bits(47, 32);
        ASID = bits(63, 48);
    }
}

layout! {
    /// Doubleword 1 of the TLB invalidations by address. 4.4.1.
    pub(crate) struct Tlbi1 {
        LEAF = bit(0);
        TTL128 = bit(7);
        TTL = bits(9, 8);
        TG = bits(11, 10);
        ADDRESS = address(63, 12);
    }
}

layout! {
    /// The address of CMD_TLBI_S2_IPA. 4.4.3.1.
    pub(crate) struct TlbiIpa1 {
        ADDRESS = address(55, 12);
    }
}

layout! {
    /// Doubleword 0 of CMD_ATC_INV, beside [`Stream0`]. 4.5.1.
    pub(crate) struct AtcInv0 {
        GLOBAL = bit(9);
    }
}

layout! {
    /// Doubleword 1 of CMD_ATC_INV. 4.5.1.
    pub(crate) struct AtcInv1 {
        SIZE = bits(5, 0);
        ADDRESS = address(63, 12);
    }
}

layout! {
    /// Doubleword 0 of CMD_RESUME, beside [`Stream0`]. 4.7.1.
    pub(crate) struct Resume0 {
        AC = bit(12);
        AB = bit(13);
    }
}

layout! {
    /// Doubleword 1 of CMD_RESUME. 4.7.1.
    pub(crate) struct Resume1 {
        STAG = bits(15, 0);
    }
}

layout! {
    /// Doubleword 1 of CMD_PRI_RESP. 4.5.2.
    pub(crate) struct PriResp1 {
        PRG_INDEX = bits(8, 0);
        RESP = bits(13, 12);
    }
}

layout! {
    /// Doubleword 0 of CMD_SYNC. 4.7.3.
    pub(crate) struct Sync0 {
        OPCODE = bits(7, 0);
        CS = bits(13, 12);
        MSH = bits(23, 22);
        MSI_ATTR = bits(27, 24);
        MSI_DATA = bits(63, 32);
    }
}

layout! {
    /// Doubleword 1 of CMD_SYNC. 4.7.3.
    pub(crate) struct Sync1 {
        MSI_ADDRESS = address(55, 2);
    }
}

/// Opcodes. 4.1.1.
pub(crate) mod opcode {
    pub(crate) const PREFETCH_CONFIG: u64 = 0x01;
    pub(crate) const PREFETCH_ADDR: u64 = 0x02;
    pub(crate) const CFGI_STE: u64 = 0x03;
    pub(crate) const CFGI_STE_RANGE: u64 = 0x04;
    pub(crate) const CFGI_CD: u64 = 0x05;
    pub(crate) const CFGI_CD_ALL: u64 = 0x06;
    pub(crate) const CFGI_VMS_PIDM: u64 = 0x07;
    pub(crate) const TLBI_NH_ALL: u64 = 0x10;
    pub(crate) const TLBI_NH_ASID: u64 = 0x11;
    pub(crate) const TLBI_NH_VA: u64 = 0x12;
    pub(crate) const TLBI_NH_VAA: u64 = 0x13;
    /// The Secure queue's.
    pub(crate) const TLBI_EL3_ALL: u64 = 0x18;
    /// The Secure queue's.
    pub(crate) const TLBI_EL3_VA: u64 = 0x1a;
    pub(crate) const TLBI_EL2_ALL: u64 = 0x20;
    pub(crate) const TLBI_EL2_ASID: u64 = 0x21;
    pub(crate) const TLBI_EL2_VA: u64 = 0x22;
    pub(crate) const TLBI_EL2_VAA: u64 = 0x23;
    pub(crate) const TLBI_S12_VMALL: u64 = 0x28;
    pub(crate) const TLBI_S2_IPA: u64 = 0x2a;
    pub(crate) const TLBI_NSNH_ALL: u64 = 0x30;
    pub(crate) const ATC_INV: u64 = 0x40;
    pub(crate) const PRI_RESP: u64 = 0x41;
    pub(crate) const RESUME: u64 = 0x44;
    pub(crate) const STALL_TERM: u64 = 0x45;
    pub(crate) const SYNC: u64 = 0x46;
    /// The Secure queue's.
    pub(crate) const TLBI_S_EL2_ALL: u64 = 0x50;
    /// The Secure queue's.
    pub(crate) const TLBI_SNH_ALL: u64 = 0x60;
    /// For device permission tables.
    pub(crate) const DPTI_ALL: u64 = 0x70;
}
