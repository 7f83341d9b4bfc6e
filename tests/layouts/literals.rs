//! The words of the dumps.
//!
//! Unless a line says otherwise they are from 6.12 with 4K pages, device 00:01.0 with StreamID 8:
//! stage 1 from stage1/dumps/smmu_s1v2_mixed.json, stage 2 from stage2/dumps/smmu_s1v2_mixed.json.

/// StreamID of 00:01.0.
pub(crate) const STREAM: u32 = 8;

/// Register values that are the same in every dump of one board: offset and value.
pub(crate) mod registers {
    /// SMMU_IDR0 to SMMU_IDR5 with both stages.
    pub(crate) const IDR: [u32; 6] = [0x0d44_101b, 0x0273_0010, 0, 0x1414, 0, 0x74];
    /// SMMU_IDR0 with stage 2 only.
    pub(crate) const IDR0_STAGE2: u32 = 0x0d44_1019;
    /// SMMU_AIDR.
    pub(crate) const AIDR: u32 = 1;

    /// 32-bit registers without an address.
    pub(crate) const PLAIN: [(&str, u64, u32); 7] = [
        ("CR0", 0x20, 0xd),
        ("CR0ACK", 0x24, 0xd),
        ("CR1", 0x28, 0xd75),
        ("IRQ_CTRL", 0x50, 5),
        ("GERROR", 0x60, 0),
        ("GERRORN", 0x64, 0),
        ("STRTAB_BASE_CFG", 0x88, 0x1_0210),
    ];

    /// SMMU_CR2, offset 0x2c.
    pub(crate) const CR2: u32 = 6;
    /// SMMU_GBPA.
    pub(crate) const GBPA: u32 = 0x1000;
    /// SMMU_STRTAB_BASE.
    pub(crate) const STRTAB_BASE: u64 = 0x4000_0001_08ca_9000;
    /// SMMU_CMDQ_BASE.
    pub(crate) const CMDQ_BASE: u64 = 0x4000_0000_fc20_0010;
    /// SMMU_EVENTQ_BASE.
    pub(crate) const EVENTQ_BASE: u64 = 0x4000_0000_fc30_000f;
}

/// Stream table: the L1STD of streams 0 to 255.
pub(crate) const L1STD: u64 = 0xfc18_0009;
/// Address of the stream's STE.
pub(crate) const STE_AT: u64 = 0xfc18_0200;

/// Stage 1.
pub(crate) mod stage1 {
    /// STE.
    pub(crate) const STE: [u64; 8] = [0x1_08ea_200b, 0xd6, 0, 0, 0, 0, 0, 0];
    /// Address of the CD.
    pub(crate) const CD_AT: u64 = 0x1_08ea_2000;
    /// CD, ASID 7.
    pub(crate) const CD: [u64; 8] =
        [0x7_e204_c000_3510, 0x1_08e4_2000, 0, 0xffff_ffff_f404_ff44, 0, 0, 0, 0];
    /// Dword 0 of the CD of 6.1, ASID 8: linux-6.1-4k, the same dump.
    pub(crate) const CD0_6_1: u64 = 0x8_e204_c000_3510;
    /// Descriptors: address and value.
    pub(crate) const TABLES: [(u64, u64); 16] = [
        // Level 0.
        (0x1_08e4_2000, 0x1_08e4_3003),
        (0x1_08e4_2000 + 36 * 8, 0x1_08e0_8003),
        (0x1_08e4_2000 + 511 * 8, 0x1_008a_0003),
        // Level 1: a table, and a block of 1G.
        (0x1_08e4_3000, 0x1_08e4_4003),
        (0x1_08e4_3000 + 16 * 8, 0x8000_0f45),
        (0x1_08e4_3000 + 18 * 8, 0x1_0a05_1003),
        // Level 2: tables.
        (0x1_08e4_4000, 0x1_08e3_c003),
        (0x1_08e4_4000 + 63 * 8, 0x1_08e2_5003),
        (0x1_08e4_4000 + 64 * 8, 0x1_08e2_4003),
        // Level 2: a block of 2M, read-only.
        (0x1_0a05_1000 + 8, 0x8000_0fc5),
        // Level 3.
        (0x1_08e3_c000, 0x1_09cb_0fc7),
        (0x1_08e3_c000 + 8, 0x1_09cb_1f47),
        (0x1_08e3_c000 + 5 * 8, 0x1_09cb_2f47),
        (0x1_08e2_5000 + 511 * 8, 0x1_09cb_3fc7),
        (0x1_08e2_4000 + 256 * 8, 0x1_09cb_4f47),
        // stage1/dumps/smmu_msi_edu.json: the doorbell of the ITS.
        (0x1_08e2_4000, 0x60_0000_0809_0e4b),
    ];
    /// The `leaves` of the dump, and the results of DMA (kernel-observed 34): input, output, size,
    /// readable, writable. Write-only mappings can be read at stage 1.
    pub(crate) const REACHED: [(u64, u64, u64, bool, bool); 8] = [
        (0, 0x1_09cb_0000, 0x1000, true, false),
        (0x1000, 0x1_09cb_1000, 0x1000, true, true),
        (0x5000, 0x1_09cb_2000, 0x1000, true, true),
        (0x7ff_f000, 0x1_09cb_3000, 0x1000, true, false),
        (0x810_0000, 0x1_09cb_4000, 0x1000, true, true),
        (0x4_0000_0000, 0x8000_0000, 0x4000_0000, true, true),
        (0x4_8020_0000, 0x8000_0000, 0x20_0000, true, false),
        (0x800_0000, 0x809_0000, 0x1000, true, true),
    ];
}

/// Stage 2.
pub(crate) mod stage2 {
    /// STE, VMID 7.
    pub(crate) const STE: [u64; 8] = [0xd, 0, 0x44c_3594_0000_0007, 0x1_0a44_d000, 0, 0, 0, 0];
    /// Dword 1 of a nesting container's STE: 6.1, stage1/dumps/smmu_nest_mixed.json.
    pub(crate) const STE1_6_1: u64 = 0x1000_0000_0000;
    /// Descriptors: address and value.
    pub(crate) const TABLES: [(u64, u64); 14] = [
        // Level 0, of 32 entries.
        (0x1_0a44_d000, 0x1_0a44_e003),
        (0x1_0a44_d008, 0x1_00dd_8003),
        // Level 1: tables, and a block of 1G.
        (0x1_0a44_e000, 0x1_00cd_d003),
        (0x1_0a44_e000 + 16 * 8, 0x8000_07fd),
        (0x1_0a44_e000 + 18 * 8, 0x1_00de_2003),
        // Level 2: tables, and a block of 2M, read-only.
        (0x1_00cd_d000, 0x1_0a46_9003),
        (0x1_00cd_d000 + 63 * 8, 0x1_00dc_c003),
        (0x1_00cd_d000 + 64 * 8, 0x1_00dc_d003),
        (0x1_00de_2000 + 8, 0x8000_077d),
        // Level 3.
        (0x1_0a46_9000, 0x1_0a23_d77f),
        (0x1_0a46_9000 + 8, 0x1_0a23_e7bf),
        (0x1_0a46_9000 + 5 * 8, 0x1_0a23_f7ff),
        (0x1_00dc_d000 + 256 * 8, 0x1_0a24_17bf),
        // stage2/dumps/smmu_msi_edu.json: the doorbell of the ITS, write-only.
        (0x1_00dc_d000, 0x60_0000_0809_0687),
    ];
    /// As for stage 1; here a write-only mapping cannot be read.
    pub(crate) const REACHED: [(u64, u64, u64, bool, bool); 6] = [
        (0, 0x1_0a23_d000, 0x1000, true, false),
        (0x1000, 0x1_0a23_e000, 0x1000, false, true),
        (0x5000, 0x1_0a23_f000, 0x1000, true, true),
        (0x4_0000_0000, 0x8000_0000, 0x4000_0000, true, true),
        (0x4_8020_0000, 0x8000_0000, 0x20_0000, true, false),
        (0x800_0000, 0x809_0000, 0x1000, false, true),
    ];
}

/// Commands.
pub(crate) mod command {
    /// CMD_SYNC as these kernels encode it.
    pub(crate) const SYNC: [u64; 2] = [0xfc0_2046, 0];
    /// All configuration, at boot.
    pub(crate) const CFGI_ALL: [u64; 2] = [4, 0x1f];
    /// All translations, at boot.
    pub(crate) const TLBI_NSNH_ALL: [u64; 2] = [0x30, 0];
    /// The STE of stream 8.
    pub(crate) const CFGI_STE: [u64; 2] = [0x8_0000_0003, 1];
    /// The CD of stream 8.
    pub(crate) const CFGI_CD: [u64; 2] = [0x8_0000_0005, 1];
    /// PREFETCH_CONFIG of stream 8.
    pub(crate) const PREFETCH: [u64; 2] = [0x8_0000_0001, 0];
    /// ASID 7.
    pub(crate) const TLBI_NH_ASID: [u64; 2] = [0x7_0000_0000_0011, 0];
    /// VMID 7: stage2/dumps/smmu_s1v2_detached.json.
    pub(crate) const TLBI_S12_VMALL: [u64; 2] = [0x7_0000_0028, 0];
    /// The superpage test of a fresh domain, stage 1 (kernel-observed 32).
    pub(crate) const SUPERPAGE_TEST: [[u64; 2]; 2] =
        [[0x7_0000_0000_0012, 0x701], [0x7_0000_0000_0012, 0x1701]];
    /// The same at stage 2.
    pub(crate) const SUPERPAGE_TEST_STAGE2: [[u64; 2]; 2] =
        [[0x7_0000_002a, 0x701], [0x7_0000_002a, 0x1701]];
    /// TLBI_NH_VA of stage1/dumps/smmu_s1v2_after_unmap.json and smmu_msi_edu.json, commands 148 to
    /// 175: the command, and the first address, size and leaf size of the preceding unmap.
    pub(crate) const RANGES: [([u64; 2], u64, u64, u64); 9] = [
        ([0x7_0000_0000_0012, 0x810_0701], 0x810_0000, 0x1000, 0x1000),
        ([0x7_0000_0000_0012, 0xffff_ffff_f701], 0xffff_ffff_f000, 0x1000, 0x1000),
        ([0x7_0000_0050_0012, 0x2_0000_0701], 0x2_0000_0000, 0x2_0000, 0x1000),
        ([0x7_0000_0090_0012, 0x10_0200_1701], 0x10_0200_1000, 0x20_0000, 0x1000),
        ([0x7_0000_00a0_0012, 0x10_0000_0601], 0x10_0000_0000, 0x40_0000, 0x20_0000),
        ([0x7_0000_0120_0012, 0x4_0000_0501], 0x4_0000_0000, 0x4000_0000, 0x4000_0000),
        ([0x7_0000_0120_0012, 0x4_8020_0601], 0x4_8020_0000, 0x4000_0000, 0x20_0000),
        ([0x7_0000_0001_e012, 0x10_0400_1701], 0x10_0400_1000, 0x1_f000, 0x1000),
        ([0x7_0000_0050_e012, 0x10_0402_0701], 0x10_0402_0000, 0x1e_0000, 0x1000),
    ];
}

/// Event records: stage1 and stage2/dumps/smmu_s1v2_after_faults.json.
pub(crate) mod event {
    /// A write to a read-only page, stage 1.
    pub(crate) const WRITE_TO_READ_ONLY: [u64; 4] = [0x8_0000_0013, 0x200_0000_0000, 0, 0];
    /// A read beyond the input size, 2^52, stage 1.
    pub(crate) const READ_BEYOND_INPUT: [u64; 4] =
        [0x8_0000_0010, 0x208_0000_0000, 0x10_0000_0000_0000, 0];
    /// A write where nothing is mapped, stage 1.
    pub(crate) const WRITE_TO_NOTHING: [u64; 4] = [0x8_0000_0010, 0x200_0000_0000, 0x3000_0000, 0];
    /// A read of the MSI window while nothing is mapped there, stage 1.
    pub(crate) const READ_OF_NOTHING: [u64; 4] = [0x8_0000_0010, 0x208_0000_0000, 0x800_001c, 0];
    /// A read of a write-only page, stage 2. The recorded IPA, 0x1000, is its page.
    pub(crate) const READ_OF_WRITE_ONLY_STAGE2: [u64; 4] =
        [0x8_0000_0013, 0x288_0000_0000, 0x1000, 0x1000];
    /// A read of the MSI window, stage 2. The emulator recorded 0x800001c as the IPA, with low bits
    /// for which IHI 0070 G.b 7.3.13 has no field: IPA is bits 55..12.
    pub(crate) const READ_OF_NOTHING_STAGE2: [u64; 4] =
        [0x8_0000_0010, 0x288_0000_0000, 0x800_001c, 0x800_0000];
}
