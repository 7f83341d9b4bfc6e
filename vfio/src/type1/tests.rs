use super::Version;
use super::windows::Windows;
use crate::call::{Arg, Call, MapKind, Protection};
use crate::iommu::{DeviceFacts, DriverFacts, Firmware, ReservedKind, ReservedRegion};
use crate::irq::{GicFacts, InterruptFacts};
use crate::kernel::{Boot, Kernel, Params};
use crate::lock::Lock;
use crate::policy::Profile;
use crate::process::{Capabilities, Pid, Start};
use crate::testkit::Silence;
use crate::uapi::{Header, MapRequest, UnmapRequest, ioctl};
use passim_model::topology::{Bar, BarKind, Function};
use passim_model::{
    DeviceId, Errno, Iova, Memory, PageSize, PageSizes, PhysAddr, Rid, Span, StreamId, Topology,
    UserAddr,
};

struct World {
    kernel: Kernel,
    /// The flat driver needs no registers.
    host: Silence,
    pid: Pid,
    container: i32,
}

const ARENA: u64 = 0x1000_0000_0000;
const BITMAP: u64 = 0x3000_0000_0000;
const PAGE: u64 = 0x1000;

fn function() -> Function {
    Function {
        rid: Rid::new(8),
        vendor: 0x1234,
        device: 0x11e8,
        class: 0xff00,
        group: Some(2),
        boot_driver: Some("vfio-pci".to_owned()),
        bars: Vec::new(),
        config: vec![0; 256],
        config_size: 256,
        msi: None,
        msix: None,
        pcie: None,
        resettable: false,
        stream: StreamId::new(8),
        device_id: DeviceId::new(8),
    }
}

fn world(version: Version, limit: u32, capabilities: Capabilities, memlock: u64) -> World {
    let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x400_0000).unwrap();
    let mut memory = Memory::new();
    memory.add_bank(ram).unwrap();
    let mut host = Silence(memory);
    let topology = Topology::new(vec![function()]).unwrap();
    let aperture = Span::new(Iova::new(0), Iova::new((1 << 48) - 1)).unwrap();
    let page_sizes = PageSizes::from_bits(0x4020_1000);
    let firmware = Firmware {
        drivers: vec![DriverFacts::Flat { aperture, page_sizes }],
        devices: DeviceFacts::of_topology(&topology, 0),
    };
    let interrupts = InterruptFacts {
        gic: GicFacts::V2 {
            distributor: PhysAddr::new(0x0800_0000),
            cpu_interface: PhysAddr::new(0x0801_0000),
            frames: Vec::new(),
        },
        cpus: 1,
        in_el2: false,
        ecam: PhysAddr::new(0x40_1000_0000),
        msi_parents: Default::default(),
        last_aliases: Default::default(),
        held: Vec::new(),
        irqs_allocated: Vec::new(),
        smmus: Vec::new(),
        doorbells_per_cpu: Vec::new(),
    };
    let boot = Boot {
        page: PageSize::K4,
        ram: vec![ram],
        set_aside: Vec::new(),
        topology: &topology,
        interrupts: &interrupts,
        firmware: &firmware,
        policy: Profile::Linux6_12.policy(),
        params: Params {
            dma_entry_limit: limit,
            // This machine has no interrupt controller.
            allow_unsafe_interrupts: true,
            ..Params::default()
        },
        modules: Vec::new(),
        io_strict_devmem: true,
    };
    let mut kernel = Kernel::boot(boot, &mut host).unwrap();
    let pid = kernel.spawn(&Start { fds: vec![0, 1, 2], memlock, capabilities });
    let mut world = World { kernel, host, pid, container: 3 };
    for (va, len) in [(ARENA, 0x10_0000), (BITMAP, PAGE)] {
        let va = UserAddr::new(va);
        let prot = Protection::ReadWrite;
        world.call(Call::Mmap { va, len, prot, kind: MapKind::Anonymous }).unwrap();
        world.kernel.touch(world.pid, va, len, &mut world.host).unwrap();
    }
    world.call(Call::Open { path: "/dev/vfio/vfio".to_owned() }).unwrap();
    world.call(Call::Open { path: "/dev/vfio/2".to_owned() }).unwrap();
    let container = Arg::Bytes(3i32.to_le_bytes().to_vec());
    world.ioctl(4, ioctl::GROUP_SET_CONTAINER, container).unwrap();
    let number = if version == Version::V1 { 1 } else { 3 };
    world.ioctl(3, ioctl::SET_IOMMU, Arg::Value(number)).unwrap();
    world
}

fn v2() -> World {
    world(Version::V2, 65535, Capabilities::all(), 0)
}

impl World {
    fn call(&mut self, call: Call) -> Result<i64, Errno> {
        let answer = self.kernel.run(self.pid, call, &mut self.host);
        answer.ret.map_err(|refusal| refusal.errno)
    }

    fn ioctl(&mut self, fd: i32, request: u32, arg: Arg) -> Result<Vec<u8>, Errno> {
        let call = Call::Ioctl { fd, request, arg };
        let answer = self.kernel.run(self.pid, call, &mut self.host);
        answer.ret.map(|_| answer.bytes).map_err(|refusal| refusal.errno)
    }

    /// Maps `[first, first + pages)`, in pages from 1 GiB, to the same pages of the arena.
    fn map(&mut self, first: u64, pages: u64) -> Result<(), Errno> {
        let iova = 0x4000_0000 + first * PAGE;
        self.map_at(iova, ARENA + first * PAGE, pages * PAGE)
    }

    fn map_at(&mut self, iova: u64, vaddr: u64, size: u64) -> Result<(), Errno> {
        let header = Header { argsz: 32, flags: 3 };
        let bytes = MapRequest { header, vaddr, iova, size }.to_bytes();
        self.ioctl(self.container, ioctl::IOMMU_MAP_DMA, Arg::Bytes(bytes)).map(|_| ())
    }

    /// Unmaps a range in the same pages; returns pages.
    fn unmap(&mut self, first: i64, pages: u64) -> Result<u64, Errno> {
        let iova = 0x4000_0000u64.wrapping_add_signed(first * PAGE as i64);
        let header = Header { argsz: 24, flags: 0 };
        let bytes = UnmapRequest { header, iova, size: pages * PAGE }.to_bytes();
        let out = self.ioctl(self.container, ioctl::IOMMU_UNMAP_DMA, Arg::Bytes(bytes))?;
        Ok(u64::from_le_bytes(out[16..24].try_into().unwrap()) / PAGE)
    }

    /// A dirty report of pages `[first, first + pages)`: three words of the bitmap.
    fn report(&mut self, request: u32, first: i64, pages: u64) -> [u64; 3] {
        let bitmap = UserAddr::new(BITMAP);
        self.kernel.write_memory(self.pid, bitmap, &[0; 24], &mut self.host).unwrap();
        let iova = 0x4000_0000u64.wrapping_add_signed(first * PAGE as i64);
        let (argsz, flags) = if request == ioctl::IOMMU_UNMAP_DMA { (48, 1) } else { (48, 4) };
        let mut bytes = Vec::new();
        bytes.extend(u32::to_le_bytes(argsz));
        bytes.extend(u32::to_le_bytes(flags));
        for field in [iova, pages * PAGE, PAGE, 24, BITMAP] {
            bytes.extend(field.to_le_bytes());
        }
        self.ioctl(self.container, request, Arg::Bytes(bytes)).unwrap();
        let read = self.kernel.read_memory(self.pid, bitmap, 24, &mut self.host).unwrap();
        [0, 8, 16].map(|at| u64::from_le_bytes(read[at..at + 8].try_into().unwrap()))
    }
}

/// measured on 6.1 and 6.12: three mappings [0,4) [4,8) [12,16), one UNMAP each time.
#[test]
fn v1_takes_whole_mappings_and_stops_at_one_that_starts_before() {
    let cases = [
        ((1, 15), 0, 12),
        ((-2, 3), 4, 8),
        ((0, 13), 12, 0),
        ((0, 1), 4, 8),
        ((4, 1), 4, 8),
        ((8, 4), 0, 12),
    ];
    for ((first, pages), taken, left) in cases {
        let mut world = world(Version::V1, 65535, Capabilities::all(), 0);
        for (first, pages) in [(0, 4), (4, 4), (12, 4)] {
            world.map(first, pages).unwrap();
        }
        assert_eq!(world.unmap(first, pages), Ok(taken), "unmap [{first}, +{pages})");
        assert_eq!(world.unmap(0, 256), Ok(left), "what was left by [{first}, +{pages})");
    }
}

#[test]
fn v2_refuses_to_cut_a_mapping_and_then_takes_nothing() {
    let mut world = v2();
    world.map(0, 4).unwrap();
    world.map(4, 4).unwrap();
    assert_eq!(world.unmap(1, 7), Err(Errno::EINVAL));
    assert_eq!(world.unmap(0, 5), Err(Errno::EINVAL));
    assert_eq!(world.unmap(-16, 64), Ok(8));
    assert_eq!(world.unmap(-16, 64), Ok(0));
}

/// measured on 6.1 and 6.12, dirty.jsonl: a mapping of 70 pages, reported twice from 4 pages below
/// it, then unmapped with a report. Bits beyond the mapping reappear.
#[test]
fn dirty_bits_pushed_beyond_a_mapping_come_back() {
    let mut world = v2();
    world.map(0, 70).unwrap();
    let start = [8u32.to_le_bytes(), 1u32.to_le_bytes()].concat();
    world.ioctl(3, ioctl::IOMMU_DIRTY_PAGES, Arg::Bytes(start)).unwrap();
    let (get, unmap) = (ioctl::IOMMU_DIRTY_PAGES, ioctl::IOMMU_UNMAP_DMA);
    assert_eq!(world.report(get, 0, 70), [u64::MAX, 0x3f, 0]);
    assert_eq!(world.report(get, -4, 74), [!0xf, 0x3ff, 0]);
    assert_eq!(world.report(get, -4, 74), [!0xf, 0x3fff, 0]);
    assert_eq!(world.report(unmap, 0, 70), [u64::MAX, 0x3fff, 0]);
}

/// measured on 6.1 and 6.12: which errno is returned when two checks would refuse.
#[test]
fn the_first_check_wins() {
    let hole = ARENA + 0x100_0000;
    let window = 0x8000_0000_0000_0000;
    let mut full = world(Version::V2, 1, Capabilities::all(), 0);
    full.map(0, 1).unwrap();
    let iova = 0x4000_0000;
    assert_eq!(full.map_at(iova, hole, PAGE), Err(Errno::EEXIST), "overlap and bad vaddr");
    assert_eq!(full.map_at(iova + PAGE, hole, PAGE), Err(Errno::ENOSPC), "full and bad vaddr");
    assert_eq!(full.map_at(window, ARENA, PAGE), Err(Errno::ENOSPC), "full and outside");
    assert_eq!(full.map_at(iova, ARENA, PAGE), Err(Errno::EEXIST), "full and overlap");
    let mut free = v2();
    assert_eq!(free.map_at(window, hole, PAGE), Err(Errno::EINVAL), "outside and bad vaddr");
    let mut poor = world(Version::V2, 65535, Capabilities::empty(), PAGE);
    poor.map(0, 1).unwrap();
    assert_eq!(poor.map_at(iova + PAGE, hole, PAGE), Err(Errno::EFAULT), "limit and bad vaddr");
    assert_eq!(poor.map_at(iova + PAGE, ARENA, PAGE), Err(Errno::ENOMEM), "limit");
}

#[test]
fn a_failure_in_the_middle_leaves_nothing() {
    let mut world = world(Version::V2, 65535, Capabilities::empty(), 8 * PAGE);
    let in_use = world.kernel.frames.in_use();
    assert_eq!(world.map(0, 9), Err(Errno::ENOMEM));
    assert_eq!(world.kernel.locked_kib(world.pid), 0);
    assert_eq!(world.map_at(0x4000_0000, ARENA + 0xf_f000, 2 * PAGE), Err(Errno::EFAULT));
    assert_eq!(world.kernel.locked_kib(world.pid), 0);
    assert!(world.kernel.mappings(0).is_empty());
    assert_eq!(world.kernel.frames.in_use(), in_use);
    assert_eq!(world.map(0, 8), Ok(()));
    assert_eq!(world.kernel.locked_kib(world.pid), 32);
}

/// measured on 6.1 and 6.12: an exclusive end of 2^64 is 0, and finds nothing.
#[test]
fn a_range_that_ends_at_the_last_address_finds_nothing() {
    let mut world = v2();
    world.map(0, 4).unwrap();
    let iova = 0x4000_0000;
    assert_eq!(world.map_at(iova, ARENA, iova.wrapping_neg()), Err(Errno::EINVAL));
    assert_eq!(world.unmap(0, iova.wrapping_neg() / PAGE), Ok(0));
    assert_eq!(world.unmap(1, (iova + PAGE).wrapping_neg() / PAGE), Err(Errno::EINVAL));
    assert_eq!(world.unmap(0, iova.wrapping_neg() / PAGE - 1), Ok(4));
}

#[test]
fn windows_are_apertures_less_reserved_regions() {
    let span = |start, last| Span::new(Iova::new(start), Iova::new(last)).unwrap();
    let kind = ReservedKind::SwMsi;
    let region = ReservedRegion { span: span(0x800_0000, 0x80f_ffff), kind };
    let windows = Windows::of([span(0, 0xffff_ffff_ffff)], [region]);
    let expected = [span(0, 0x7ff_ffff), span(0x810_0000, 0xffff_ffff_ffff)];
    assert!(windows.iter().eq(expected));
    assert!(windows.allow(span(0x7ff_f000, 0x7ff_ffff)));
    assert!(!windows.allow(span(0x7ff_f000, 0x800_0000)));
    assert!(!windows.allow(span(0, 0x1_0000_0000_0000)));
    assert_eq!(windows.nearest(span(0x800_0000, 0x800_0fff)), Some(expected[1]));
    assert!(Windows::of([span(0, 9), span(10, 19)], []).iter().next().is_none());
}

/// The memory around the caller's structure may be unwritable: only the bytes that a call writes
/// are copied back.
#[test]
fn a_structure_at_an_address_is_written_back_no_further_than_the_call_writes() {
    let mut world = v2();
    let group = 4;
    let at = UserAddr::new(BITMAP + PAGE - 8);
    let prot = Protection::Read;
    let len = PAGE;
    let va = UserAddr::new(BITMAP + PAGE);
    world.call(Call::Mmap { va, len, prot, kind: MapKind::Anonymous }).unwrap();
    let status = [8u32.to_le_bytes(), 0u32.to_le_bytes()].concat();
    world.kernel.write_memory(world.pid, at, &status, &mut world.host).unwrap();
    let frames = world.kernel.frames_in_use();
    world.ioctl(group, ioctl::GROUP_GET_STATUS, Arg::Value(at.get())).unwrap();
    let read = world.kernel.read_memory(world.pid, at, 8, &mut world.host).unwrap();
    assert_eq!(read[4], 3);
    assert_eq!(world.kernel.frames_in_use(), frames);
}

/// A call that may release a group waits for the lock of its container.
#[test]
fn calls_that_may_release_a_group_take_the_containers_lock() {
    let mut world = v2();
    let pid = world.pid;
    world.call(Call::Open { path: "/dev/vfio/vfio".to_owned() }).unwrap();
    let join = |fd: i32| Call::Ioctl {
        fd: 4,
        request: ioctl::GROUP_SET_CONTAINER,
        arg: Arg::Bytes(fd.to_le_bytes().to_vec()),
    };
    let touching = [Call::Close { fd: 3 }, Call::Close { fd: 4 }, Call::Exit, join(3), join(5)];
    let others = [Call::EventFd, Call::Close { fd: 5 }, Call::Close { fd: 9 }];
    assert!(touching.iter().chain(&others).all(|call| !world.kernel.must_wait(pid, call)));
    world.kernel.set_locked(Lock::Container(0), true);
    assert!(touching.iter().all(|call| world.kernel.must_wait(pid, call)));
    assert!(others.iter().all(|call| !world.kernel.must_wait(pid, call)));
}

/// A process that has ended opens nothing: it could never close a group again.
#[test]
fn nothing_is_left_of_a_call_by_a_process_that_has_ended() {
    let mut world = v2();
    world.call(Call::Exit).unwrap();
    for path in ["/dev/vfio/vfio", "/dev/vfio/2"] {
        assert_eq!(world.call(Call::Open { path: path.to_owned() }), Err(Errno::EINVAL));
    }
    assert!(world.kernel.containers().is_empty());
    let capabilities = Capabilities::all();
    world.pid = world.kernel.spawn(&Start { fds: vec![0, 1, 2], memlock: 0, capabilities });
    assert_eq!(world.call(Call::Open { path: "/dev/vfio/2".to_owned() }), Ok(3));
}

/// 6.12 driver core: devices are looked up by their full names; a function without a group gets no
/// driver (measured on 6.1 and 6.12).
#[test]
fn a_probe_names_a_device_of_the_machine() {
    let mut world = v2();
    let probe = |value: &str| Call::WriteAttribute {
        path: "/sys/bus/pci/drivers_probe".to_owned(),
        value: value.to_owned(),
    };
    assert_eq!(world.call(probe("0000:00:01.0\n")), Ok(0));
    for unknown in ["00:01.0", "0000:00:02.0", "", "edu"] {
        assert_eq!(world.call(probe(unknown)), Err(Errno::ENODEV), "{unknown:?}");
    }
}

/// 6.12 vfio_pci: a region number is compared as a whole, the ROM cannot be mapped, and a refused
/// mapping does not claim the BAR.
#[test]
fn only_whole_bars_are_mapped() {
    let mut world = v2();
    let mut with_bars = function();
    with_bars.bars = [(0, 0x1000_0000), (6, 0x1010_0000)]
        .map(|(index, at)| {
            let span = Span::from_size(PhysAddr::new(at), 0x1_0000).unwrap();
            Bar { index, span, kind: BarKind::Memory }
        })
        .to_vec();
    world.kernel.topology = Topology::new(vec![with_bars]).unwrap();
    let name = Arg::Bytes(b"0000:00:01.0\0".to_vec());
    world.ioctl(4, ioctl::GROUP_GET_DEVICE_FD, name).unwrap();
    let path = "/sys/bus/pci/devices/0000:00:01.0/resource0".to_owned();
    assert_eq!(world.call(Call::Open { path }), Ok(6));
    let mmap = |va: u64, fd, offset| Call::Mmap {
        va: UserAddr::new(va),
        len: PAGE,
        prot: Protection::ReadWrite,
        kind: MapKind::File { fd, offset },
    };
    let va = 0x5000_0000_0000;
    for index in [6, 7, 256, 0xff_ffff] {
        assert_eq!(world.call(mmap(va, 5, index << 40)), Err(Errno::EINVAL), "region {index}");
    }
    assert_eq!(world.call(mmap(va + 1, 5, 0)), Err(Errno::EINVAL), "misaligned");
    assert_eq!(world.call(mmap(va, 6, 0)), Ok(va as i64), "the BAR is not claimed yet");
    assert_eq!(world.call(mmap(va, 5, 0)), Ok(va as i64));
    assert_eq!(world.call(mmap(va, 6, 0)), Err(Errno::EINVAL), "now it is");
    let path = "/sys/bus/pci/devices/0000:00:01.0/resource6".to_owned();
    assert_eq!(world.call(Call::Open { path }), Err(Errno::ENOENT));
}
