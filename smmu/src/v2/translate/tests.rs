use crate::regime::Response;
use crate::v2::testkit::*;
use crate::v2::{
    Cause, ContextFaultKind, Description, GlobalFaultKind, Outcome, Path, Record, Terminated,
};
use passim_model::access::{Access, Privilege};

#[test]
fn everything_passes_after_reset() {
    let mut board = Board::cold(implementation(Description::MMU_500));
    let found = translated(board.read(0x1_2345_6789_abcd));
    // IHI 0062 1.6.2: what bypasses is cut to the output size.
    assert_eq!((found.pa.get(), found.path), (0x2345_6789_abcd, Path::Disabled));
}

#[test]
fn a_page_and_a_block_in_every_format() {
    for format in ["aarch64", "long", "short"] {
        let mut board = Board::new();
        let block = match format {
            "aarch64" => 0x20_0000,
            "long" => {
                board.stage1_long(BANK);
                0x20_0000
            }
            _ => {
                board.stage1_short(BANK);
                0x10_0000
            }
        };
        assert_eq!(board.pa(0x1_0123), 0x4800_0123, "{format}");
        assert_eq!(board.pa(0x1_1fff), 0x4800_1fff, "{format}");
        assert_eq!(board.pa(block + 0x1_2345), 0x4821_2345, "{format}");
        assert_eq!(translated(board.read(0x1_0123)).path, Path::Hit);
        let (fault, _) = faulted(board.write(0x1_1000));
        let level = if format == "short" { 2 } else { 3 };
        assert_eq!(kind(fault), (ContextFaultKind::Permission, level), "{format}");
        board.clear_fsr(BANK);
        assert_eq!(kind(board.fault(0x1_2000)), (ContextFaultKind::AccessFlag, level), "{format}");
        board.clear_fsr(BANK);
        assert_eq!(kind(board.fault(0x1_4000)), (ContextFaultKind::Translation, level), "{format}");
    }
}

#[test]
fn stage_2_alone_in_both_formats() {
    let mut board = Board::new();
    board.stage2_64(SECOND);
    board.stream_to(1, 9, SECOND);
    let read = |board: &mut Board, iova| board.access_as(9, iova, Access::READ);
    assert_eq!(translated(read(&mut board, 0x1_0010)).pa.get(), 0x4900_0010);
    let (fault, _) = faulted(board.access_as(9, 0x1_1000, Access::WRITE));
    assert_eq!(kind(fault), (ContextFaultKind::Permission, 3));
    assert_eq!((fault.nested_in, fault.on_stage1_walk), (None, false));
    // AArch32: 40 bits from level 1, two tables side by side, T0SZ -8.
    board.clear_fsr(SECOND);
    board.cbar(SECOND, 3, 0);
    board.bank32(SECOND, 0x30, 1 << 6 | 8);
    board.put(STAGE2 + 0x8000, &[STAGE2 + 0x2003]);
    board.bank64(SECOND, 0x20, STAGE2 + 0x8000);
    board.w32(0x64, 3);
    assert_eq!(translated(read(&mut board, 0x1_0010)).pa.get(), 0x4900_0010);
    // EAE reads as one, whatever was stored; bit 4 is not stored in this format, and stays.
    assert_eq!(board.read_bank(SECOND, 0x30), 1 << 31 | 1 << 6 | 1 << 4 | 8);
}

#[test]
fn both_stages() {
    let mut board = Board::new();
    // Stage 1 leads to 0x10000, which stage 2 maps.
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &[0x1_0f47, 0x1_1f47, 0x1_4f47]);
    board.nest();
    assert_eq!(board.pa(0x2_0008), 0x4900_0008);
    assert_eq!(translated(board.read(0x2_0008)).path, Path::Hit);
    // Stage 2 refuses the write that stage 1 permits; cached or not, the level is stage 2's.
    for _ in 0..2 {
        let (fault, _) = faulted(board.write(0x2_1004));
        assert_eq!(kind(fault), (ContextFaultKind::Permission, 3));
        assert_eq!((fault.bank, fault.nested_in), (SECOND as u8, Some(BANK as u8)));
        assert_eq!(board.told(SECOND), (0x408, 0x2_1004, 5 << 16 | 1 << 8 | 1 << 4 | 1 << 2 | 3));
        assert_eq!(board.read_bank64(SECOND, 0x70), 0x1_1004);
        assert_eq!(board.read_bank(BANK, 0x58), 0x400, "nothing in the stage-1 bank");
        board.clear_fsr(SECOND);
        board.read(0x2_1004);
    }
    assert_eq!(kind(board.fault(0x2_2000)), (ContextFaultKind::Translation, 3));
}

#[test]
fn a_stage_1_table_that_stage_2_does_not_map() {
    let mut board = Board::new();
    board.nest();
    board.bank64(BANK, 0x20, 0x9000_0000);
    let fault = board.fault(0x1_0000);
    assert_eq!(kind(fault), (ContextFaultKind::Translation, 1));
    assert!(fault.on_stage1_walk);
    let (fsr, far, fsynr0) = board.told(SECOND);
    assert_eq!((fsr, far), (0x402, 0x1_0000));
    assert_eq!(fsynr0, 5 << 16 | 1 << 8 | 1 << 3 | 1 << 2 | 1);
    assert_eq!(board.read_bank64(SECOND, 0x70), 0x9000_0000);
}

#[test]
fn a_table_that_memory_does_not_have() {
    let mut board = Board::new();
    board.bank64(BANK, 0x20, 0x9000_0000);
    assert_eq!(kind(board.fault(0x1_0000)), (ContextFaultKind::External, 0));
    assert_eq!(board.told(BANK), (0x410, 0x1_0000, 1 << 10));
    // With stage 2 it belongs there: 0x50000000 is mapped, and not RAM.
    let mut board = Board::new();
    board.nest();
    board.bank64(BANK, 0x20, 0x5000_0000);
    let fault = board.fault(0x1_0000);
    assert_eq!((fault.kind, fault.bank), (ContextFaultKind::External, SECOND as u8));
    assert_eq!(board.told(SECOND), (0x410, 0x1_0000, 5 << 16 | 1 << 10 | 1 << 8 | 1 << 2));
    assert_eq!(board.read_bank64(SECOND, 0x70), 0x5000_0000);
}

#[test]
fn what_a_bank_that_is_off_lets_through() {
    let mut board = Board::new();
    board.bank32(BANK, 0, SCTLR & !1);
    assert_eq!(board.pa(0x7fff_0123_4567), 0x7fff_0123_4567);
    assert_eq!(kind(board.fault(1 << 48)), (ContextFaultKind::AddressSize, 0));
    board.clear_fsr(BANK);
    // IHI 0062 3.8.4: with AArch32 more than 32 bits are a translation fault, on or off.
    board.cbar(BANK, 1 << 16, 0);
    assert_eq!(board.pa(0xffff_f000), 0xffff_f000);
    assert_eq!(kind(board.fault(1 << 32)), (ContextFaultKind::Translation, 1));
    // Stage 2: more than 40 bits are an address size fault if it is off, else a translation fault.
    board.stage2_64(SECOND);
    board.cbar(SECOND, 3, 0);
    board.bank32(SECOND, 0, SCTLR & !1);
    board.stream_to(1, 9, SECOND);
    let (fault, _) = faulted(board.access_as(9, 1 << 40, Access::READ));
    assert_eq!(kind(fault), (ContextFaultKind::AddressSize, 1));
    board.clear_fsr(SECOND);
    board.bank32(SECOND, 0, SCTLR);
    let (fault, _) = faulted(board.access_as(9, 1 << 40, Access::READ));
    assert_eq!(kind(fault), (ContextFaultKind::Translation, 1));
}

/// IHI 0062 1.5.2: what is not representable downstream is an address size fault in AArch32 as
/// well.
#[test]
fn aarch32_outputs_end_with_the_bus() {
    for (ipa, output, passes) in [(40, 40, true), (40, 32, false), (32, 40, false)] {
        let description = Description {
            ipa_bits: ipa,
            output_bits: output,
            nested: false,
            ..Description::EVERYTHING
        };
        let mut board = Board::with(implementation(description));
        board.stage1_long(BANK);
        board.put(LONG + 0x2000 + 0x10 * 8, &[0x1_5000_0f47]);
        if passes {
            assert_eq!(board.pa(0x1_0000), 0x1_5000_0000);
        } else {
            let fault = kind(board.fault(0x1_0000));
            assert_eq!(fault, (ContextFaultKind::AddressSize, 3), "{ipa} {output}");
        }
    }
}

#[test]
fn the_two_halves_of_aarch32() {
    let mut board = Board::new();
    board.stage1_long(BANK);
    // T0SZ 1, T1SZ 2: 2G from below, 1G from above, nothing between. TTBR1's 1G starts at level 2.
    board.bank32(BANK, 0x30, 1 << 31 | 2 << 16 | 1);
    board.bank64(BANK, 0x28, LONG + 0x1000);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    assert_eq!(board.pa(0xc001_0000), 0x4800_0000);
    assert_eq!(kind(board.fault(0x8000_0000)), (ContextFaultKind::Translation, 1));
    // Short: N 1 splits at 2G.
    let mut board = Board::new();
    board.stage1_short(BANK);
    board.bank32(BANK, 0x30, 1);
    board.bank64(BANK, 0x28, SHORT + 0x8000);
    board.put(SHORT + 0x8000 + 4 * 0x800, &[0x4823_1c0e]);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    assert_eq!(board.pa(0x8000_0010), 0x4820_0010);
    // PD1.
    board.bank32(BANK, 0x30, 1 | 1 << 5);
    board.bank32(BANK, 0x618, 0);
    assert_eq!(kind(board.fault(0x8000_0010)), (ContextFaultKind::Translation, 1));
}

#[test]
fn sign_extension_of_bus_addresses() {
    let bus = |bits| implementation(Description { upstream_bits: bits, ..Description::EVERYTHING });
    let mut board = Board::with(bus(49));
    // TTBR1 on, same tables.
    let both = TCR64 & !(1 << 23);
    board.bank32(BANK, 0x30, both);
    board.bank64(BANK, 0x28, STAGE1);
    assert_eq!(board.pa(0xffff_0000_0001_0000), 0x4800_0000);
    // Not a sign: bits 63:48 differ.
    assert_eq!(board.fault(0x1234_0000_0001_0000).kind, ContextFaultKind::UnsupportedUpstream);
    assert_eq!(board.told(BANK).0, 0x500);
    board.clear_fsr(BANK);
    // SEP 2: bit 39; TxSZ 24 makes 0x80_0000_0000 and up the upper half.
    board.bank32(BANK, 0x10, 5 | 2 << 15);
    board.bank32(BANK, 0x30, both & !(0x3f << 16 | 0x3f) | 25 << 16 | 25);
    board.bank64(BANK, 0x20, STAGE1 + 0x1000);
    board.bank64(BANK, 0x28, STAGE1 + 0x1000);
    board.bank32(BANK, 0x618, 0);
    assert_eq!(board.pa(0x80_0001_0000), 0x4800_0000);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    let fault = board.fault(0x100_0001_0000);
    assert_eq!(kind(fault), (ContextFaultKind::Translation, 0));
    // IHI 0062 16.5.8: FAR is not sign-extended.
    assert_eq!(board.told(BANK).1, 0x100_0001_0000);
}

#[test]
fn contexts_that_cannot_be() {
    let mut board = Board::new();
    let expect = |board: &mut Board, kind, nested: u32, why: &str| {
        assert_eq!(global(board.read(0x1_0000)), kind, "{why}");
        assert_eq!(board.r32(0x50) & 1, nested, "{why}");
        board.w32(0x48, u32::MAX);
    };
    use GlobalFaultKind::{InvalidContext, UnimplementedBank};
    board.cbar(BANK, 2 << 16, 1);
    expect(&mut board, InvalidContext, 1, "stage 2 fault");
    board.cbar(BANK, 3 << 16 | 200 << 8, 1);
    expect(&mut board, UnimplementedBank, 1, "no such second bank");
    board.cbar(BANK, 3 << 16 | 6 << 8, 1);
    board.cbar(6, 1 << 16, 1);
    expect(&mut board, InvalidContext, 1, "second bank is stage 1");
    board.cbar(6, 0, 0);
    expect(&mut board, InvalidContext, 1, "AArch64 before AArch32");
    board.cbar(2, 1 << 16, 1);
    board.stream_to(0, STREAM, 2);
    expect(&mut board, InvalidContext, 1, "stage 1 in a stage-2 bank");
    board.stream_to(0, STREAM, 200);
    expect(&mut board, UnimplementedBank, 0, "no such bank");
    board.w32(0xc00, 2 << 16);
    expect(&mut board, InvalidContext, 0, "stream that faults");
    board.w32(0xc00, 3 << 16);
    expect(&mut board, InvalidContext, 0, "reserved stream type");
    let mut small = Board::with(implementation(Description::MMU_401));
    small.stream_to(0, STREAM, 3);
    small.cbar(3, 1 << 16, 0);
    assert_eq!(global(small.read(0)), InvalidContext);
}

#[test]
fn what_streams_say_of_accesses() {
    let mut board = Board::new();
    // A page for privileged accesses only.
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &[0x4800_3f07]);
    assert_eq!(kind(board.fault(0x2_0000)), (ContextFaultKind::Permission, 3));
    assert_eq!(board.told(BANK).2 & 0x60, 0, "unprivileged data");
    board.clear_fsr(BANK);
    board.w32(0xc00, BANK as u32 | 3 << 24);
    assert_eq!(board.pa(0x2_0000), 0x4800_3000);
    // INSTCFG: reads become fetches, and the block at 0x20_0000 is not executable once XN is set.
    board.put(STAGE1 + 0x2008, &[0x0060_0000_4820_0f45]);
    board.w32(0xc00, BANK as u32 | 3 << 26);
    assert_eq!(kind(board.fault(0x20_0000)), (ContextFaultKind::Permission, 2));
    assert_eq!(board.told(BANK).2, 1 << 6 | 2);
    board.clear_fsr(BANK);
    assert!(matches!(board.write(0x20_0000), Outcome::Translated(_)), "writes are data");
    board.w32(0xc00, BANK as u32 | 2 << 24);
    let privileged = Access { privilege: Privilege::Privileged, ..Access::READ };
    let (fault, _) = faulted(board.access_as(STREAM, 0x2_0000, privileged));
    assert_eq!(kind(fault), (ContextFaultKind::Permission, 3));
}

#[test]
fn big_endian_tables() {
    let mut board = Board::new();
    board.bank32(BANK, 0, SCTLR | 1 << 4);
    for page in 0..4u64 {
        for word in 0..0x20u64 {
            let at = passim_model::PhysAddr::new(STAGE1 + page * 0x1000 + word * 8);
            let old = board.memory.load_u64(at).unwrap();
            board.memory.store_u64(at, old.swap_bytes()).unwrap();
        }
    }
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    let mut board = Board::new();
    board.stage1_short(BANK);
    board.bank32(BANK, 0, SCTLR | 1 << 4);
    let swapped = |word: u32| u64::from(word.swap_bytes());
    board.put(SHORT, &[swapped(0x4823_1c0e) << 32 | swapped(0x4400_4001)]);
    let pages = swapped(0x4800_1e7e) << 32 | swapped(0x4800_0c7e);
    board.put(SHORT + 0x4040, &[pages]);
    assert_eq!(board.pa(0x1_0000), 0x4800_0000);
    assert_eq!(board.pa(0x1_1000), 0x4800_1000);
    assert_eq!(board.pa(0x10_0000), 0x4820_0000);
}

#[test]
fn attributes_meet_those_of_the_bypassed_stage_2() {
    let mut board = Board::new();
    // MAIR index 1 is 0x04; the page's index is 1: Device.
    assert_eq!(translated(board.read(0x1_0000)).attributes.memory, 0x04);
    board.put(STAGE1 + 0x3000 + 0x20 * 8, &[0x4800_3f4b]);
    assert_eq!(translated(board.read(0x2_0000)).attributes.memory, 0xff);
    // CBAR.MemAttr non-cacheable.
    board.cbar(BANK, 1 << 16 | 5 << 12 | 3 << 8 | 3, 1);
    assert_eq!(translated(board.read(0x2_0000)).attributes.memory, 0x44);
}

#[test]
fn flags_that_hardware_keeps() {
    let mut board = Board::new();
    board.bank32(BANK, 0x10, 5 | 7 << 15 | 1 << 10);
    assert_eq!(board.pa(0x1_2000), 0x4800_2000);
    let leaf = passim_model::PhysAddr::new(STAGE1 + 0x3000 + 0x12 * 8);
    assert_eq!(board.memory.load_u64(leaf).unwrap(), 0x4800_2f47);
    // An SMMU without the feature has no such bit.
    let description =
        Description { flag_updates: crate::v2::FlagUpdates::None, ..Description::EVERYTHING };
    let mut board = Board::with(implementation(description));
    board.bank32(BANK, 0x10, 5 | 7 << 15 | 1 << 10);
    assert_eq!(board.read_bank(BANK, 0x10), 5 | 7 << 15);
    assert_eq!(kind(board.fault(0x1_2000)), (ContextFaultKind::AccessFlag, 3));
}

#[test]
fn an_mmu_401_translates_with_both_its_formats() {
    let mut board = Board::cold(implementation(Description::MMU_401));
    board.stream_to(0, STREAM, 1);
    board.on();
    board.cbar(1, 3, 0);
    board.bank32(1, 0x30, 1 << 6 | 8);
    board.put(STAGE2 + 0x8000, &[STAGE2 + 0x2003]);
    board.bank64(1, 0x20, STAGE2 + 0x8000);
    board.bank32(1, 0, SCTLR);
    assert_eq!(board.pa(0x1_0010), 0x4900_0010);
    assert_eq!(board.fault(1 << 40).kind, ContextFaultKind::Translation);
    // SMMUv1 has no Format field.
    assert_eq!(board.told(1).0, 2);
    board.clear_fsr(1);
    // AArch64, 64K: 40 bits from level 2, 16 tables at most: T0SZ 24, SL0 1.
    board.cbar(1, 3, 1);
    board.bank32(1, 0x30, 2 << 16 | 1 << 14 | 1 << 6 | 24);
    board.bank64(1, 0x20, 0x4780_0000);
    board.put(0x4780_0000, &[0x4790_0003]);
    board.put(0x4790_0008, &[0x4a01_07ff]);
    board.w32(0x64, 3);
    assert_eq!(board.pa(0x1_0010), 0x4a01_0010);
}

#[test]
fn global_faults_end_transactions_as_gfre_says() {
    let mut board = Board::new();
    let outcome = terminated(board.access_as(99, 0x5000, Access::WRITE));
    let Terminated { response, cause } = outcome;
    assert_eq!(response, Response::Abort);
    assert!(matches!(cause, Cause::Global(_, Record::Written)));
    board.w32(0, 1 << 10);
    assert_eq!(terminated(board.access_as(99, 0, Access::READ)).response, Response::RazWi);
}

#[test]
fn leaves_of_stage_2_have_the_word_on_allocation() {
    // RACFG in bits 61:60 and WACFG in bits 63:62: as before, the reserved 1, yes, no.
    for (hints, memory) in [(0u64, 0xff), (0b0101, 0xff), (0b1010, 0xff), (0b1111, 0xcc)] {
        let mut board = Board::new();
        board.nest();
        board.put(STAGE2 + 0x1008, &[0x4000_07fd | hints << 60]);
        board.bank32(BANK, 0x38, 0x00ff_ffff);
        assert_eq!(translated(board.read(0x1_0000)).attributes.memory, memory, "{hints:#x}");
        assert_eq!(translated(board.read(0x1_0000)).attributes.memory, memory, "from the TLB");
    }
    // Stage 2 alone; read-allocate only, and only by the leaf's hints.
    let mut board = Board::new();
    board.stage2_64(BANK);
    board.put(STAGE2 + 0x3000 + 0x10 * 8, &[0xe000_0000_4900_07ff, 0x4900_17ff]);
    assert_eq!(translated(board.read(0x1_0000)).attributes.memory, 0xee);
    assert_eq!(translated(board.read(0x1_1000)).attributes.memory, 0xff);
}
