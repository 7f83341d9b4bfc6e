//! Boards other than the recorded one.

use super::board::{BASE, BOTH_STAGES, Board, Machine, firmware};
use super::open;
use crate::iommu::{BootError, DeviceFacts, DomainKind, DriverFacts, Iommu, rules};
use crate::policy::Profile;
use passim_model::{Errno, Frames, Iova, PageSize, PageSizes, PhysAddr, Rid, Span, StreamId};

fn boot(page: PageSize, registers: &[(u64, u64)]) -> Result<Machine, BootError> {
    let mut board = Board::new(BOTH_STAGES);
    board.registers.extend(registers.iter().copied());
    Machine::boot_with(Profile::Linux6_12, page, board)
}

#[test]
fn the_granule_decides_sizes_and_commands() {
    // Sizes measured on 6.12 with 4K, 16K and 64K pages (GET_INFO); commands spelled from the
    // fields of TLBI_NH_VA: TG 1, 2, 3 and TTL 3.
    let cases = [
        (PageSize::K4, 0x4020_1000, 0x00, "7000000000012:701 S 7000000000012:1701 S"),
        (PageSize::K16, 0x200_4000, 0x80, "7000000000012:b01 S 7000000000012:4b01 S"),
        (PageSize::K64, 0x2001_0000, 0x40, "7000000000012:f01 S 7000000000012:10f01 S"),
    ];
    for (page, sizes, tg0, test) in cases {
        let mut machine = boot(page, &[]).unwrap();
        let domain = open(&mut machine, 2, DomainKind::Paging);
        assert_eq!(machine.iommu.domain_page_sizes(domain).bits(), sizes);
        let last = Iova::new(0xffff_ffff_ffff);
        assert_eq!(machine.iommu.aperture(domain), Span::new(Iova::new(0), last).unwrap());
        assert!(machine.board.commands().ends_with(test));
        let cd: [u64; 8] = machine.board.words(machine.board.ste(0x8)[0] & 0x000f_ffff_ffff_ffc0);
        assert_eq!(cd[0], 0x7_e204_c000_3510 | tg0);
    }
}

/// Stage 2 of 44 bits (measured): level 0 with 4K, level 1 with 16K and 64K.
#[test]
fn the_granule_decides_the_start_level() {
    let stage2 = super::board::STAGE2_ONLY;
    for (page, tg) in [(PageSize::K4, 0), (PageSize::K16, 2), (PageSize::K64, 1)] {
        let machine = boot(page, &[(0x0, stage2)]).unwrap();
        let [.., first, _] = machine.board.ste(0x8).first_chunk::<4>().copied().unwrap();
        assert_eq!(first, 0x044c_3594_0000_0003 | tg << 46);
    }
}

#[test]
fn a_linear_stream_table_has_every_stream() {
    let machine = boot(PageSize::K4, &[(0x0, BOTH_STAGES & !(3 << 27))]).unwrap();
    assert_eq!(machine.board.register(0x88), 0x10);
    let base = machine.board.register(0x80) & 0x000f_ffff_ffff_ffc0;
    let ste: [u64; 8] = machine.board.words(base + 0x210 * 64);
    assert_eq!((ste[0] & 0xf, ste[1]), (0xb, 0xd6));
    assert_eq!(machine.board.words::<8>(base + 0xffff * 64), [1, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn what_linux_does_not_drive_is_refused() {
    let refused = [
        (0x0, BOTH_STAGES & !(3 << 2), BootError::NoAarch64Tables),
        (0x0, BOTH_STAGES & !(3 << 21) | 3 << 21, BootError::BigEndianTables),
        (0x0, BOTH_STAGES & !3, BootError::NoTranslation),
        (0x4, 0x273_0010 | 1 << 30, BootError::PresetTables),
        (0x4, 0x273_0010 & !(0x1f << 21) | 6 << 21, BootError::CommandQueueTooSmall),
        (0x4, 0x273_0010 | 0x3f, BootError::StreamIdSize(0x3f)),
        (0x14, 0x4, BootError::NoGranule),
    ];
    for (offset, value, error) in refused {
        assert_eq!(boot(PageSize::K4, &[(offset, value)]).err(), Some(error));
    }
}

#[test]
fn hardware_that_does_not_answer_ends_the_boot() {
    for (offset, value, error) in [
        (0x24, 0, BootError::NoAcknowledge(0x24)),
        (0x54, 0, BootError::NoAcknowledge(0x54)),
        (0x9c, 0, BootError::CommandTimeout),
    ] {
        let mut board = Board::new(BOTH_STAGES);
        board.lies.insert(offset, value);
        let booted = Machine::boot_with(Profile::Linux6_12, PageSize::K4, board);
        assert_eq!(booted.err(), Some(error));
    }
    let mut firmware = firmware();
    firmware.drivers[0] = DriverFacts::SmmuV3 { base: PhysAddr::new(u64::MAX - 8) };
    let error = boot_firmware(&firmware).err();
    assert!(matches!(error, Some(BootError::NoAnswer(_))));
}

fn boot_firmware(firmware: &crate::iommu::Firmware) -> Result<Iommu, BootError> {
    let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x4000_0000).unwrap();
    let mut frames = Frames::new(PageSize::K4, [ram]);
    let policy = Profile::Linux6_12.policy();
    let mut board = Board::new(BOTH_STAGES);
    Iommu::boot(firmware, &policy, PageSize::K4, &mut frames, &mut board)
}

#[test]
fn senseless_firmware_is_refused() {
    let rid = Rid::parse("00:07.0").unwrap();
    let device = |group, streams: &[u32], driver| {
        let streams = streams.iter().copied().map(StreamId::new);
        DeviceFacts::with_streams(rid, streams, group, driver)
    };
    let cases = [
        (device(9, &[0x38], 2), BootError::NoDriver(rid.into())),
        (device(2, &[], 1), BootError::SplitGroup(2)),
    ];
    let aperture = Span::new(Iova::new(0), Iova::new(0xffff_ffff)).unwrap();
    let flat = DriverFacts::Flat { aperture, page_sizes: PageSizes::from_bits(0x1000) };
    assert_eq!(firmware().drivers, [DriverFacts::SmmuV3 { base: PhysAddr::new(BASE) }]);
    for (device, error) in cases {
        let mut firmware = firmware();
        firmware.drivers.push(flat.clone());
        firmware.devices.push(device);
        assert_eq!(boot_firmware(&firmware).err(), Some(error));
    }
    // A StreamID belongs to the first device that has it; the second device gets no group, and the
    // boot continues.
    let mut shared = firmware();
    shared.devices.push(device(9, &[0x20], 0));
    let left_out: Vec<_> = boot_firmware(&shared).unwrap().left_out().collect();
    assert_eq!(left_out, [(rid.into(), BootError::StreamTaken(StreamId::new(0x20)))]);
    // The same StreamID twice on one device: a bridge that presents its own function's.
    let mut firmware = firmware();
    firmware.drivers.push(flat);
    firmware.devices.push(device(8, &[0x38, 0x38], 0));
    firmware.devices.push(DeviceFacts { endpoint: Rid::new(0x40).into(), ..device(9, &[], 1) });
    let mut iommu = boot_firmware(&firmware).unwrap();
    let domain = iommu.default_domain(8).unwrap();
    assert!(iommu.same_driver(domain, 2) && !iommu.same_driver(domain, 9));
    let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x10_0000).unwrap();
    let (mut frames, mut board) = (Frames::new(PageSize::K4, [ram]), Board::new(BOTH_STAGES));
    let refused = iommu.attach(domain, 9, &mut frames, &mut board).unwrap_err();
    assert_eq!((refused.errno, refused.rule), (Errno::EINVAL, &rules::ATTACH_OTHER_SMMU));
}

/// Early kernels accept a Command queue of two entries: they insert one command at a time, and
/// store CMDQ_PROD for each.
#[test]
fn a_short_queue_is_filled_command_by_command() {
    let mut board = Board::new(BOTH_STAGES);
    // IDR1.CMDQS = 1.
    board.registers.insert(0x4, 0x273_0010 & !(0x1f << 21) | 1 << 21);
    let mut machine = Machine::boot_with(Profile::Linux4_11, PageSize::K4, board).unwrap();
    assert_eq!(machine.board.register(0x90) & 0x1f, 1);
    let log = machine.board.log.iter();
    let rung: Vec<_> = log.filter(|(kind, at, _)| (*kind, *at) == ('w', 0x98)).collect();
    assert!(rung.len() > 2, "CFGI_ALL, its SYNC and more");
    for pair in rung[1..].windows(2) {
        assert_eq!(pair[1].2, (pair[0].2 + 1) & 3, "{pair:x?}");
    }
    open(&mut machine, 2, DomainKind::Paging);
    assert_eq!(machine.board.ste(0x8)[0] & 0xf, 0xb);
}
