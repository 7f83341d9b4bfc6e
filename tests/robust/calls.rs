//! A process that makes arbitrary calls.

use crate::attack;
use crate::rig::{Rig, Spec, Type};
use crate::values::{MEMORY, long, structure};
use passim_model::UserAddr;
use passim_vfio::Profile;
use passim_vfio::call::{Arg, Call, MapKind, Protection};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

fn fd() -> impl Strategy<Value = i32> {
    prop_oneof![12 => 3..=5i32, 3 => 0..12i32, 1 => any::<i32>()]
}

fn request() -> impl Strategy<Value = u32> {
    prop_oneof![12 => 0x3b64..0x3b7au32, 1 => any::<u32>()]
}

fn arg() -> impl Strategy<Value = Arg> {
    prop_oneof![
        6 => structure().prop_map(Arg::Bytes),
        2 => long().prop_map(Arg::Value),
        1 => vec(any::<u8>(), 0..80).prop_map(Arg::Bytes),
        1 => Just(Arg::Bytes(b"0000:00:01.0\0".to_vec())),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let known = [
        "/dev/vfio/vfio",
        "/dev/vfio/2",
        "/dev/vfio/1",
        "/dev/vfio/99999999999999999999",
        "/dev/vfio/-1",
        "/dev/vfio/",
        "/sys/bus/pci/devices/0000:00:01.0/config",
        "/sys/bus/pci/devices/0000:00:01.0/resource0",
        "/sys/bus/pci/devices/0000:00:01.0/resource9",
        "/sys/bus/pci/devices/0000:00:01.0/driver/unbind",
        "/sys/bus/pci/devices/0000:00:01.0/driver_override",
        "/sys/bus/pci/devices/0000:ff:1f.7/config",
        "/sys/bus/pci/drivers_probe",
        "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit",
        "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
        "/proc/self/status",
        "/tmp/f",
        "",
    ];
    let known: Vec<_> = known.into_iter().map(str::to_owned).collect();
    prop_oneof![8 => select(known), 1 => "\\PC{0,20}"]
}

fn text() -> impl Strategy<Value = String> {
    let known = ["0000:00:01.0", "vfio-pci", "e1000", "\n", "", "Y", "99999999999", "-1", "0:0"];
    let known: Vec<_> = known.into_iter().map(str::to_owned).collect();
    prop_oneof![4 => select(known), 1 => "\\PC{0,20}"]
}

fn prot() -> impl Strategy<Value = Protection> {
    select(vec![Protection::None, Protection::Read, Protection::ReadWrite])
}

fn kind() -> impl Strategy<Value = MapKind> {
    prop_oneof![
        2 => Just(MapKind::Anonymous),
        1 => (0..70u32).prop_map(|lg2| MapKind::HugeTlb { lg2 }),
        3 => (fd(), long()).prop_map(|(fd, offset)| MapKind::File { fd, offset }),
    ]
}

fn va() -> impl Strategy<Value = UserAddr> {
    let near = (0..MEMORY.1 + 2).prop_map(|page| MEMORY.0 + (page << 12));
    prop_oneof![3 => near, 1 => long()].prop_map(UserAddr::new)
}

fn memory_call() -> impl Strategy<Value = Call> {
    prop_oneof![
        (va(), long(), prot(), kind()).prop_map(|(va, len, prot, kind)| Call::Mmap {
            va,
            len,
            prot,
            kind
        }),
        (va(), long()).prop_map(|(va, len)| Call::Munmap { va, len }),
        (va(), long(), prot()).prop_map(|(va, len, prot)| Call::Mprotect { va, len, prot }),
        (va(), long()).prop_map(|(va, len)| Call::Mlock { va, len }),
        (va(), long()).prop_map(|(va, len)| Call::Munlock { va, len }),
        long().prop_map(|bytes| Call::SetMemlock { bytes }),
        Just(Call::DropIpcLock),
    ]
}

fn file_call() -> impl Strategy<Value = Call> {
    // Region offsets: index << 40.
    let offset =
        || prop_oneof![(0..10u64, 0..0x1010u64).prop_map(|(region, at)| region << 40 | at), long()];
    prop_oneof![
        3 => path().prop_map(|path| Call::Open { path }),
        1 => fd().prop_map(|fd| Call::Close { fd }),
        1 => Just(Call::EventFd),
        1 => fd().prop_map(|fd| Call::ReadEventFd { fd }),
        1 => (fd(), long()).prop_map(|(fd, len)| Call::Truncate { fd, len }),
        2 => (fd(), offset(), 0..600usize)
            .prop_map(|(fd, offset, len)| Call::Pread { fd, offset, len }),
        2 => (fd(), offset(), vec(any::<u8>(), 0..20))
            .prop_map(|(fd, offset, bytes)| Call::Pwrite { fd, offset, bytes }),
        2 => (path(), text()).prop_map(|(path, value)| Call::WriteAttribute { path, value }),
        1 => path().prop_map(|path| Call::ReadAttribute { path }),
        1 => path().prop_map(|path| Call::Readlink { path }),
    ]
}

/// Any system call except exit.
pub(crate) fn call() -> impl Strategy<Value = Call> {
    let ioctl =
        (fd(), request(), arg()).prop_map(|(fd, request, arg)| Call::Ioctl { fd, request, arg });
    prop_oneof![8 => ioctl, 2 => memory_call(), 3 => file_call()]
}

/// A MAP_DMA or UNMAP_DMA that is likely to succeed, so that later calls conflict.
fn plausible() -> impl Strategy<Value = Call> {
    let pages = || (0..8u64).prop_map(|page| page << 12);
    let map = (1..4u32, pages(), pages(), 1..4u64).prop_map(|(flags, iova, va, count)| {
        crate::rig::bytes(&[32, flags], &[MEMORY.0 + va, iova, count << 12])
    });
    let unmap = (pages(), 1..9u64)
        .prop_map(|(iova, count)| crate::rig::bytes(&[24, 0], &[iova, count << 12]));
    prop_oneof![
        map.prop_map(|bytes| (0x3b71, bytes)),
        unmap.prop_map(|bytes| (0x3b72, bytes)),
        Just((0x3b75, crate::rig::bytes(&[8, 1], &[]))),
    ]
    .prop_map(|(request, bytes)| Call::Ioctl { fd: 3, request, arg: Arg::Bytes(bytes) })
}

/// A process with some memory and a container of this kind.
pub(crate) fn victim(kind: u8) -> Rig {
    let (profile, kind) = match kind {
        0 => (Profile::Linux6_12, Type::V2),
        1 => (Profile::Linux6_1, Type::V1),
        2 => (Profile::Linux6_1, Type::Nesting),
        _ => (Profile::Linux6_1, Type::V2),
    };
    let mut rig = Rig::new(Spec { profile, kind, ..Spec::PLAIN });
    rig.area(MEMORY.0, MEMORY.1 << 12, MapKind::Anonymous);
    rig
}

#[test]
fn no_call_is_fatal() {
    let calls = vec(prop_oneof![3 => call(), 1 => plausible()], 1..60);
    attack(250, 11, &(0..4u8, calls), |(kind, calls)| {
        let mut rig = victim(kind);
        for call in calls {
            rig.call(call);
        }
        rig.call(Call::Exit);
    });
}

#[test]
fn no_call_before_there_is_a_container_is_fatal() {
    let calls = vec(call(), 1..40);
    attack(80, 12, &calls, |calls| {
        let mut rig = victim(0);
        for fd in [rig.device, rig.group, rig.container] {
            rig.call(Call::Close { fd });
        }
        for call in calls {
            rig.call(call);
        }
        rig.call(Call::Exit);
        // A call by a process that has ended.
        rig.call(Call::EventFd);
    });
}

/// Every ioctl with every length of its structure, on every descriptor.
#[test]
fn no_length_is_fatal() {
    let mut rig = victim(0);
    for fd in 3..=5 {
        for request in 0x3b64..0x3b7a {
            for len in 0..72usize {
                let mut bytes = vec![0; len];
                let argsz = (len as u32).to_le_bytes();
                let given = len.min(4);
                bytes[..given].copy_from_slice(&argsz[..given]);
                rig.ioctl(fd, request, Arg::Bytes(bytes));
            }
        }
    }
}
