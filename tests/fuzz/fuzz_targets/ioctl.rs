//! Arbitrary ioctls on an initialised container, group and device, under every profile and several
//! IOMMUs: no panic, and the process ends.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use passim::machine;
use passim::system::{Setup, System};
use passim_model::UserAddr;
use passim_vfio::process::{Capabilities, Start};
use passim_vfio::uapi::ioctl;
use passim_vfio::{Arg, Call, MapKind, Profile, Protection};

/// The process's memory, and its bytes.
const MEMORY: (u64, u64) = (0x1000_0000_0000, 0x2_0000);

#[derive(Arbitrary, Debug)]
enum Request {
    Bytes {
        fd: u8,
        number: u8,
        bytes: Vec<u8>,
    },
    /// A structure with likely numbers.
    Fields {
        fd: u8,
        number: u8,
        argsz: u8,
        flags: u8,
        longs: Vec<Long>,
    },
    Map {
        page: u8,
        of: u8,
        count: u8,
        flags: u8,
    },
    Unmap {
        page: u8,
        count: u8,
        flags: u8,
    },
    Irqs {
        flags: u8,
        index: u8,
        start: u8,
        count: u8,
        eventfds: Vec<u8>,
    },
    Config {
        at: u16,
        bytes: Vec<u8>,
    },
}

#[derive(Arbitrary, Debug)]
enum Long {
    Pages(u8),
    Memory(u8),
    Bit(u8),
    Low(u16),
    Any(u64),
}

impl Long {
    fn value(&self) -> u64 {
        match *self {
            Self::Pages(n) => u64::from(n) << 12,
            Self::Memory(n) => MEMORY.0 + (u64::from(n) << 12),
            Self::Bit(n) => 1 << (n % 64),
            Self::Low(n) => u64::from(n),
            Self::Any(n) => n,
        }
    }
}

fn structure(words: &[u32], longs: &[u64]) -> Arg {
    let words = words.iter().flat_map(|word| word.to_le_bytes());
    Arg::Bytes(words.chain(longs.iter().flat_map(|long| long.to_le_bytes())).collect())
}

impl Request {
    fn call(self) -> Call {
        let number = |n: u8| ioctl::GET_API_VERSION + u32::from(n % 24);
        match self {
            Self::Bytes { fd, number: n, bytes } => {
                let (fd, request) = (3 + i32::from(fd % 3), number(n));
                Call::Ioctl { fd, request, arg: Arg::Bytes(bytes) }
            }
            Self::Fields { fd, number: n, argsz, flags, longs } => {
                let longs: Vec<u64> = longs.iter().map(Long::value).collect();
                let arg = structure(&[u32::from(argsz), u32::from(flags)], &longs);
                Call::Ioctl { fd: 3 + i32::from(fd % 3), request: number(n), arg }
            }
            Self::Map { page, of, count, flags } => {
                let [page, of, count] = [page, of, count].map(|n| u64::from(n % 32) << 12);
                let arg = structure(&[32, u32::from(flags)], &[MEMORY.0 + of, page, count]);
                Call::Ioctl { fd: 3, request: ioctl::IOMMU_MAP_DMA, arg }
            }
            Self::Unmap { page, count, flags } => {
                let [page, count] = [page, count].map(|n| u64::from(n % 64) << 12);
                let arg = structure(&[24, u32::from(flags)], &[page, count]);
                Call::Ioctl { fd: 3, request: ioctl::IOMMU_UNMAP_DMA, arg }
            }
            Self::Irqs { flags, index, start, count, eventfds } => {
                let argsz = 20 + 4 * eventfds.len() as u32;
                let head = [argsz, flags.into(), (index % 5).into(), start.into(), count.into()];
                let fds = eventfds.iter().map(|fd| i32::from(*fd as i8) as u32);
                let words: Vec<u32> = head.into_iter().chain(fds).collect();
                Call::Ioctl { fd: 5, request: ioctl::DEVICE_SET_IRQS, arg: structure(&words, &[]) }
            }
            Self::Config { at, bytes } => {
                let offset = 7 << 40 | u64::from(at % 0x1010);
                Call::Pwrite { fd: 5, offset, bytes }
            }
        }
    }
}

fuzz_target!(|input: ((u8, u8, u8), Vec<Request>)| {
    let ((profile, machine, kind), requests) = input;
    let machines = ["virt-its", "virt-gicv2m", "smmuv2-its", "x86-like"];
    let name = machines[usize::from(machine) % machines.len()];
    let machine = machine::builtin(name).expect("it is built in").expect("it parses");
    let profile = Profile::ALL[usize::from(profile) % Profile::ALL.len()];
    let Ok(mut system) = System::new(&machine, Setup::new(&machine, profile)) else { return };
    let capabilities = Capabilities::all();
    let pid = system.kernel.spawn(&Start { fds: vec![0, 1, 2], memlock: 0, capabilities });
    let (va, len) = (UserAddr::new(MEMORY.0), MEMORY.1);
    let (prot, kind_of_map) = (Protection::ReadWrite, MapKind::Anonymous);
    let bytes = |fd: i32| Arg::Bytes(fd.to_le_bytes().to_vec());
    let name = Arg::Bytes(b"0000:00:01.0\0".to_vec());
    let iommu = Arg::Value([3, 1, 6, 8][usize::from(kind % 4)]);
    let set_up = [
        Call::Mmap { va, len, prot, kind: kind_of_map },
        Call::Open { path: "/dev/vfio/vfio".to_owned() },
        Call::Open { path: "/dev/vfio/2".to_owned() },
        Call::Ioctl { fd: 4, request: ioctl::GROUP_SET_CONTAINER, arg: bytes(3) },
        Call::Ioctl { fd: 3, request: ioctl::SET_IOMMU, arg: iommu },
        Call::Ioctl { fd: 4, request: ioctl::GROUP_GET_DEVICE_FD, arg: name },
        Call::EventFd,
        Call::EventFd,
    ];
    let calls = set_up.into_iter().chain(requests.into_iter().map(Request::call));
    for call in calls.chain([Call::Exit]) {
        system.kernel.run(pid, call, &mut system.board);
    }
});
