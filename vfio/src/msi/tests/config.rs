//! Configuration space as a user sees it, on a function with power management, MSI and MSI-X.
//!
//! Expected values follow 6.12 vfio_pci_config.c.

use super::board::{Build, Machine, USERS};
use crate::call::Call;
use crate::policy::Profile;
use crate::process::AreaKind;
use crate::uapi::ioctl;
use passim_model::Errno::{self, EBADF, EINVAL, ENODEV, ENOTTY};
use passim_model::{PageSize, PhysAddr, Span, Width};

const DEVICE: u16 = USERS[0];
const CONFIG: u64 = 7 << 40;
const PM: u64 = 0x40;
const MSI: u64 = 0x50;
const MSIX: u64 = 0x70;

struct Open {
    machine: Machine,
    device: i32,
}

impl Open {
    fn new() -> Self {
        let mut machine = Machine::boot(Build::new(Profile::Linux6_12.policy()));
        let (_, groups) = machine.container(&[DEVICE]);
        let device = machine.device(groups[0], DEVICE) as i32;
        Self { machine, device }
    }

    fn read(&mut self, offset: u64, len: usize) -> Result<Vec<u8>, Errno> {
        let call = Call::Pread { fd: self.device, offset, len };
        let answer = self.machine.kernel.run(self.machine.pid, call, &mut self.machine.board);
        answer.ret.map(|_| answer.bytes).map_err(|refusal| refusal.errno)
    }

    fn config(&mut self, at: u64, len: usize) -> u64 {
        let bytes = self.read(CONFIG | at, len).unwrap();
        bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
    }

    fn write(&mut self, at: u64, bytes: &[u8]) {
        let call = Call::Pwrite { fd: self.device, offset: CONFIG | at, bytes: bytes.to_vec() };
        assert_eq!(self.machine.call(call), Ok(bytes.len() as i64));
    }

    /// The value of the device's own register.
    fn real(&self, at: u64) -> u64 {
        self.machine.board.registers(DEVICE).load(at as u32, Width::W32)
    }
}

#[test]
fn a_user_gets_no_power_management_events() {
    let mut open = Open::new();
    // The function could report events from D0; its version stays.
    assert_eq!(open.real(PM) >> 16, 2);
    open.write(PM + 4, &[0, 0x81]);
    assert_eq!(open.config(PM + 4, 2), 0, "neither enabled nor to be acknowledged");
    assert_eq!(open.real(PM + 4) & 0x8100, 0);
}

#[test]
fn a_state_is_entered_if_there_is_such_a_state() {
    let mut open = Open::new();
    open.write(4, &[6]);
    assert_eq!(open.config(PM + 4, 2), 0);
    open.write(PM + 4, &[1]);
    assert_eq!(open.config(PM + 4, 2), 0, "it has no D1");
    open.write(PM + 4, &[3, 0]);
    assert_eq!(open.config(PM + 4, 2), 3);
    assert_eq!(open.read(0, 4), Err(Errno::EIO), "a BAR does not answer in D3hot");
    open.write(PM + 4, &[2]);
    assert_eq!(open.config(PM + 4, 2), 3, "from D3hot only D0 is entered");
    open.write(PM + 4, &[0]);
    assert_eq!(open.config(PM + 4, 2), 0);
    assert_eq!(open.read(0, 4), Ok(vec![0xff; 4]), "the MSI-X table, which nobody sees");
}

#[test]
fn capabilities_are_read_only_but_for_what_a_user_may_set() {
    let mut open = Open::new();
    let before = open.config(MSIX, 8);
    open.write(MSIX, &[0xff; 8]);
    assert_eq!(open.config(MSIX, 8), before, "MSI-X is turned on by SET_IRQS alone");
    open.write(PM, &[0xff; 4]);
    assert_eq!(open.config(PM, 4), 0x0002_5001);
    // Address and data are virtualised; messages do not use them.
    open.write(MSI + 4, &[0x10, 0, 0, 0xfe, 1, 0, 0, 0, 0x34, 0x12]);
    assert_eq!(open.config(MSI + 4, 8), 0x1_fe00_0010);
    assert_eq!(open.config(MSI + 12, 2), 0x1234);
    assert_eq!((open.real(MSI + 4), open.real(MSI + 12)), (0, 0));
    // Bytes between capabilities go to the device, which has no registers there.
    open.write(0x68, &[1, 2, 3, 4]);
    assert_eq!(open.config(0x68, 4), open.real(0x68));
}

#[test]
fn nothing_is_looked_at_where_nothing_is_transferred() {
    let mut open = Open::new();
    assert_eq!(open.read(CONFIG | 0x400, 0), Ok(vec![]));
    assert_eq!(open.read(CONFIG | 0x400, 1), Err(Errno::EFAULT));
    assert_eq!(open.read(CONFIG | 0xff, 2), Err(Errno::EFAULT));
    assert_eq!(open.config(0xff, 1), 0);
}

#[test]
fn only_known_capabilities_are_in_the_list() {
    let mut machine = Machine::boot_with(Build::new(Profile::Linux6_12.policy()), |function| {
        // A subsystem id between power management and MSI, a debug port at the end.
        function.config[0x41] = 0x48;
        function.config[0x48..0x50].copy_from_slice(&[0x0d, 0x50, 0, 0, 0x86, 0x80, 1, 0]);
        function.config[0x71] = 0x80;
        function.config[0x80..0x84].copy_from_slice(&[0x0a, 0, 0, 0x20]);
    });
    let (_, groups) = machine.container(&[DEVICE]);
    let device = machine.device(groups[0], DEVICE) as i32;
    let mut open = Open { machine, device };
    let next = |open: &mut Open, at| open.config(at + 1, 1);
    assert_eq!(next(&mut open, PM), MSI);
    assert_eq!(next(&mut open, MSI), MSIX);
    assert_eq!(next(&mut open, MSIX), 0);
    // A capability hidden from the list is still readable.
    assert_eq!(open.config(0x48, 4), open.real(0x48));
    assert_eq!(open.real(PM) >> 8 & 0xff, 0x48);
}

/// A BAR keeps its type bits, whatever is written to it.
#[test]
fn a_bar_keeps_its_kind() {
    let mut machine = Machine::boot_with(Build::new(Profile::Linux6_12.policy()), |function| {
        function.config[0x10] = 4;
    });
    let (_, groups) = machine.container(&[DEVICE]);
    let device = machine.device(groups[0], DEVICE) as i32;
    let mut open = Open { machine, device };
    open.write(0x10, &[0; 8]);
    assert_eq!(open.config(0x10, 8), 4);
    open.write(0x10, &[0xff; 8]);
    assert_eq!(open.config(0x10, 8), 0xffff_ffff_ffff_c004);
}

/// Measured on 6.12 with 64K pages.
#[test]
fn a_bus_is_reset_by_whoever_holds_its_groups() {
    let mut open = Open::new();
    let device = i64::from(open.device);
    let mut reset = |words: &[u32]| {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        open.machine.ioctl(device, ioctl::DEVICE_PCI_HOT_RESET, bytes)
    };
    assert_eq!(reset(&[8, 0, 1, 4]), Err(EINVAL), "argsz");
    assert_eq!(reset(&[16, 1, 1, 4]), Err(EINVAL), "a flag");
    assert_eq!(reset(&[12, 0, 0]), Err(EINVAL), "no group");
    assert_eq!(reset(&[16, 0, 1, 4]), Err(ENODEV), "the root bus");
}

#[test]
fn below_a_bridge_it_is_reset_with_its_bus() {
    let mut machine = Machine::boot_with(Build::new(Profile::Linux6_12.policy()), |function| {
        // The kernel's own function becomes a bridge; the users are on the bus behind it.
        if function.rid.get() == super::board::HOLDER {
            function.config[0x0e] = 1;
            function.config[0x19] = 0;
        }
    });
    let (container, groups) = machine.container(&USERS);
    let device = machine.device(groups[0], USERS[0]);
    let other = machine.device(groups[1], USERS[1]);
    let reset = |machine: &mut Machine, fds: &[i64]| {
        let header = [12 + 4 * fds.len() as u32, 0, fds.len() as u32];
        let fds = fds.iter().map(|fd| *fd as u32);
        let words = header.into_iter().chain(fds);
        let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        machine.ioctl(device, ioctl::DEVICE_PCI_HOT_RESET, bytes)
    };
    assert_eq!(reset(&mut machine, &[999]), Err(EBADF));
    assert_eq!(reset(&mut machine, &[container]), Err(EINVAL));
    assert_eq!(reset(&mut machine, &[groups[0]; 4]), Err(EINVAL), "three functions are reset");
    // The bridge itself is on that bus, and bound to the kernel's driver.
    assert_eq!(reset(&mut machine, &groups), Err(EINVAL));
    assert_eq!(machine.call(Call::Close { fd: other as i32 }), Ok(0));
    assert_eq!(reset(&mut machine, &groups[..1]), Err(EINVAL));
}

/// Measured on 6.12 with 64K pages.
#[test]
fn a_device_may_be_let_sleep_once() {
    const GET: u32 = 1 << 16;
    const SET: u32 = 1 << 17;
    const PROBE: u32 = 1 << 18;
    let mut open = Open::new();
    let device = i64::from(open.device);
    let mut feature = |flags: u32, payload: &[u32]| {
        let argsz = 8 + 4 * payload.len() as u32;
        let words = [argsz, flags].into_iter().chain(payload.iter().copied());
        let bytes: Vec<u8> = words.flat_map(u32::to_le_bytes).collect();
        open.machine.ioctl(device, ioctl::DEVICE_FEATURE, bytes)
    };
    for absent in [0, 1, 2, 6, 9, 13] {
        assert_eq!(feature(PROBE | absent, &[]), Err(ENOTTY));
        assert_eq!(feature(SET | GET | absent, &[]), Err(EINVAL));
    }
    for low_power in 3..=5 {
        assert_eq!(feature(PROBE | low_power, &[]), Ok(0));
        assert_eq!(feature(PROBE | SET | low_power, &[]), Ok(0));
        assert_eq!(feature(PROBE | GET | low_power, &[]), Err(EINVAL));
        assert_eq!(feature(PROBE | GET | SET | low_power, &[]), Err(EINVAL));
        assert_eq!(feature(low_power, &[]), Err(EINVAL));
        assert_eq!(feature(1 << 19 | PROBE | low_power, &[]), Err(EINVAL));
    }
    assert_eq!(feature(SET | 3, &[]), Ok(0));
    assert_eq!(feature(SET | 3, &[]), Err(EINVAL));
    assert_eq!(feature(SET | 4, &[0, 0]), Err(EINVAL), "the console is no eventfd");
    assert_eq!(feature(SET | 4, &[999, 0]), Err(EBADF));
    assert_eq!(feature(SET | 4, &[]), Err(EINVAL), "no descriptor");
    assert_eq!(feature(SET | 5, &[]), Ok(0));
    assert_eq!(feature(SET | 5, &[]), Ok(0));
    assert_eq!(feature(SET | 3, &[]), Ok(0));
}

/// Measured on 6.12 with 64K pages: VFIO maps no BAR that shares its page; sysfs does, from the
/// start of that page; a page that VFIO uses cannot be mapped through sysfs.
#[test]
fn sysfs_maps_bars_that_share_a_page() {
    let page = PageSize::K64;
    let build = Build { page, ..Build::new(Profile::Linux6_12.policy()) };
    let mut machine = Machine::boot_with(build, |function| {
        if function.rid.get() == USERS[1] {
            let bar = PhysAddr::new(0x1002_4000);
            function.bars[0].span = Span::from_size(bar, 0x4000).unwrap();
            function.config[0x10..0x14].copy_from_slice(&0x1002_4000u32.to_le_bytes());
        }
    });
    let (_, groups) = machine.container(&USERS);
    let devices: Vec<_> =
        groups.iter().zip(USERS).map(|(group, rid)| machine.device(*group, rid)).collect();
    let map = |machine: &mut Machine, fd: i64, len| {
        let area = machine.kernel.file_area(machine.pid, fd as i32, 0, len);
        area.map_err(|refusal| refusal.errno).map(|area| match area {
            AreaKind::Device { base, .. } => base.get(),
            other => panic!("{other:?} is no device"),
        })
    };
    let resource = |machine: &mut Machine, device: &str| {
        let path = format!("/sys/bus/pci/devices/0000:00:{device}.0/resource0");
        machine.call(Call::Open { path }).unwrap()
    };
    let files = [resource(&mut machine, "01"), resource(&mut machine, "02")];
    for (device, file) in devices.iter().zip(files) {
        assert_eq!(map(&mut machine, *device, 0x4000), Err(EINVAL));
        assert_eq!(map(&mut machine, file, 0x4000), Ok(0x1002_0000));
        assert_eq!(map(&mut machine, file, 0x2_0000), Err(EINVAL), "more than its page");
    }
    // A read through VFIO claims the BAR.
    let read = Call::Pread { fd: devices[0] as i32, offset: 0x2000, len: 4 };
    assert_eq!(machine.call(read), Ok(4));
    for file in files {
        assert_eq!(map(&mut machine, file, 0x4000), Err(EINVAL));
    }
}
