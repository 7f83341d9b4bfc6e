//! Arbitrary ioctls on an initialised container, group and device.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use passim::machine;
use passim::system::{Setup, System};
use passim_model::UserAddr;
use passim_vfio::process::{Capabilities, Start};
use passim_vfio::uapi::ioctl;
use passim_vfio::{Arg, Call, MapKind, Profile, Protection};

#[derive(Arbitrary, Debug)]
struct Request {
    fd: u8,
    number: u8,
    bytes: Vec<u8>,
}

fuzz_target!(|requests: Vec<Request>| {
    let machine = machine::builtin("virt-its").expect("it is built in").expect("it parses");
    let setup = Setup::new(&machine, Profile::Linux6_12);
    let mut system = System::new(&machine, setup).expect("it boots");
    let capabilities = Capabilities::all();
    let pid = system.kernel.spawn(&Start { fds: vec![0, 1, 2], memlock: 0, capabilities });
    let (va, len) = (UserAddr::new(0x1000_0000_0000), 0x1_0000);
    let (prot, kind) = (Protection::ReadWrite, MapKind::Anonymous);
    let bytes = |fd: i32| Arg::Bytes(fd.to_le_bytes().to_vec());
    let name = Arg::Bytes(b"0000:00:01.0\0".to_vec());
    let set_up = [
        Call::Mmap { va, len, prot, kind },
        Call::Open { path: "/dev/vfio/vfio".to_owned() },
        Call::Open { path: "/dev/vfio/2".to_owned() },
        Call::Ioctl { fd: 4, request: ioctl::GROUP_SET_CONTAINER, arg: bytes(3) },
        Call::Ioctl { fd: 3, request: ioctl::SET_IOMMU, arg: Arg::Value(3) },
        Call::Ioctl { fd: 4, request: ioctl::GROUP_GET_DEVICE_FD, arg: name },
    ];
    for call in set_up {
        system.kernel.run(pid, call, &mut system.board);
    }
    for Request { fd, number, bytes } in requests {
        let request = ioctl::GET_API_VERSION + u32::from(number % 24);
        let call = Call::Ioctl { fd: 3 + i32::from(fd % 3), request, arg: Arg::Bytes(bytes) };
        system.kernel.run(pid, call, &mut system.board);
    }
    system.kernel.run(pid, Call::Exit, &mut system.board);
});
