//! Calls and answers in words: as in scenarios where they have a verb, otherwise by their names in
//! `linux/vfio.h`.
//!
//! Not here: outcomes of scenarios, which their operations describe.

use passim_model::Endpoint;
use passim_vfio::call::{Answer, Arg, Call};
use passim_vfio::policy::Policy;
use passim_vfio::view::OpenFile;

use crate::ioctl::{self, DmaUnmap, long, word};
use crate::op::{ContainerType, IrqIndex};
use crate::run::{device_text, info_text, status_text};

/// VFIO_DMA_MAP_FLAG_READ and _WRITE.
const FLAG_READ: u32 = 1;
const FLAG_WRITE: u32 = 2;

/// VFIO_DEVICE_GET_REGION_INFO and VFIO_DEVICE_GET_IRQ_INFO.
const DEVICE_GET_REGION_INFO: u32 = ioctl::DEVICE_GET_INFO + 1;
const DEVICE_GET_IRQ_INFO: u32 = ioctl::DEVICE_GET_INFO + 2;
/// VFIO_DEVICE_RESET.
const DEVICE_RESET: u32 = ioctl::DEVICE_GET_INFO + 4;

/// The object of a call's descriptor, among the open files of its process.
pub(super) fn file_of(call: &Call, files: &[(i32, OpenFile)]) -> OpenFile {
    let Call::Ioctl { fd, .. } = call else { return OpenFile::Other };
    let found = files.iter().find(|(known, _)| known == fd);
    found.map_or(OpenFile::Other, |(_, file)| *file)
}

/// The words of a call.
pub(super) fn call(call: &Call, file: OpenFile) -> String {
    match call {
        Call::Ioctl { fd, request, arg } => {
            let known = match file {
                OpenFile::Container(_) => of_container(*fd, *request, arg),
                OpenFile::Group(_) => of_group(*fd, *request, arg),
                OpenFile::Device(device) => of_device(*fd, device, *request, arg),
                OpenFile::EventFd | OpenFile::Other => None,
            };
            known.unwrap_or_else(|| of_any(*fd, *request, arg))
        }
        Call::Open { path } => format!("open {path}"),
        Call::Close { fd } => format!("close fd={fd}"),
        Call::Pread { fd, offset, len } => format!("pread fd={fd} at {offset:#x}, {len:#x} bytes"),
        Call::Pwrite { fd, offset, bytes } => {
            format!("pwrite fd={fd} at {offset:#x}, bytes {}", hex::encode(bytes))
        }
        Call::Mmap { va, len, .. } => format!("mmap {va}, {len:#x} bytes"),
        Call::Munmap { va, len } => format!("munmap va={va} size={len:#x}"),
        Call::Mprotect { va, len, .. } => format!("mprotect va={va} size={len:#x}"),
        Call::Mlock { va, len } => format!("mlock va={va} size={len:#x}"),
        Call::Munlock { va, len } => format!("munlock va={va} size={len:#x}"),
        Call::WriteAttribute { path, value } => format!("write-attribute {path} value={value:?}"),
        Call::ReadAttribute { path } => format!("read {path}"),
        Call::Readlink { path } => format!("readlink {path}"),
        other => format!("{other:?}"),
    }
}

fn bytes_of(arg: &Arg) -> &[u8] {
    match arg {
        Arg::Bytes(bytes) => bytes,
        _ => &[],
    }
}

fn of_any(fd: i32, request: u32, arg: &Arg) -> String {
    let name = ioctl::name(u64::from(request)).map(|name| format!(", {name}"));
    let name = name.unwrap_or_default();
    match arg {
        Arg::Value(value) => format!("ioctl fd={fd} nr={request:#x} arg={value:#x}{name}"),
        _ => format!("ioctl fd={fd} nr={request:#x}{name}"),
    }
}

fn of_container(fd: i32, request: u32, arg: &Arg) -> Option<String> {
    let bytes = bytes_of(arg);
    Some(match (request, arg) {
        (ioctl::CHECK_EXTENSION, Arg::Value(number)) => {
            format!("check-extension {} fd={fd}", number.cast_signed())
        }
        (ioctl::SET_IOMMU, Arg::Value(value)) => {
            let kind = ContainerType::ALL.iter().find(|kind| kind.number() == *value);
            let kind = kind.map_or_else(|| value.cast_signed().to_string(), ToString::to_string);
            format!("set-iommu fd={fd} type={kind}")
        }
        (ioctl::IOMMU_GET_INFO, _) => format!("info fd={fd} argsz={}", word(bytes, 0)?),
        (ioctl::MAP_DMA, _) => {
            let (argsz, flags) = (word(bytes, 0)?, word(bytes, 4)?);
            let (va, iova, size) = (long(bytes, 8)?, long(bytes, 16)?, long(bytes, 24)?);
            let prot = match (flags & FLAG_READ != 0, flags & FLAG_WRITE != 0) {
                (true, true) => "r|w",
                (true, false) => "r",
                (false, true) => "w",
                (false, false) => "-",
            };
            let others = flags & !(FLAG_READ | FLAG_WRITE);
            let mut text =
                format!("map iova={iova:#x} va={va:#x} size={size:#x} prot={prot} fd={fd}");
            if others != 0 {
                text.push_str(&format!(" flags={flags:#x}"));
            }
            if argsz != 32 {
                text.push_str(&format!(" argsz={argsz}"));
            }
            text
        }
        (ioctl::UNMAP_DMA, _) => {
            let (argsz, flags) = (word(bytes, 0)?, word(bytes, 4)?);
            let (iova, size) = (long(bytes, 8)?, long(bytes, 16)?);
            let mut text = format!("unmap iova={iova:#x} size={size:#x} fd={fd}");
            if flags != 0 {
                text.push_str(&format!(" flags={flags:#x}"));
            }
            if argsz != 24 {
                text.push_str(&format!(" argsz={argsz}"));
            }
            text
        }
        (ioctl::DIRTY_PAGES, _) => match word(bytes, 4)? {
            1 => format!("dirty start fd={fd}"),
            2 => format!("dirty stop fd={fd}"),
            4 => {
                let (iova, size) = (long(bytes, 8)?, long(bytes, 16)?);
                format!("dirty get iova={iova:#x} size={size:#x} fd={fd}")
            }
            flags => format!("dirty fd={fd} flags={flags:#x}"),
        },
        _ => return None,
    })
}

fn of_group(fd: i32, request: u32, arg: &Arg) -> Option<String> {
    let bytes = bytes_of(arg);
    Some(match request {
        ioctl::GROUP_GET_STATUS => format!("status group={fd}"),
        ioctl::GROUP_SET_CONTAINER => {
            format!("set-container group={fd} container={}", word(bytes, 0)?.cast_signed())
        }
        ioctl::GROUP_UNSET_CONTAINER => format!("unset-container group={fd}"),
        ioctl::GROUP_GET_DEVICE_FD => {
            let end = bytes.iter().position(|byte| *byte == 0)?;
            format!("get-device group={fd} name={}", String::from_utf8_lossy(&bytes[..end]))
        }
        _ => return None,
    })
}

fn of_device(fd: i32, device: Endpoint, request: u32, arg: &Arg) -> Option<String> {
    let bytes = bytes_of(arg);
    Some(match request {
        ioctl::DEVICE_GET_INFO => format!("device-info fd={fd} argsz={}", word(bytes, 0)?),
        DEVICE_GET_REGION_INFO => {
            format!("region-info fd={fd} index={} argsz={}", word(bytes, 8)?, word(bytes, 0)?)
        }
        DEVICE_GET_IRQ_INFO => {
            format!("irq-info fd={fd} index={} argsz={}", index(word(bytes, 8)?), word(bytes, 0)?)
        }
        ioctl::DEVICE_SET_IRQS => {
            let data = bytes.get(ioctl::IRQ_SET_BYTES..).unwrap_or(&[]);
            let data = if data.is_empty() {
                String::new()
            } else {
                format!(" data={}", hex::encode(data))
            };
            format!(
                "set-irqs dev={device} index={} flags={:#x} start={} count={}{data}",
                index(word(bytes, 8)?),
                word(bytes, 4)?,
                word(bytes, 12)?,
                word(bytes, 16)?,
            )
        }
        DEVICE_RESET => format!("reset fd={fd}"),
        _ => return None,
    })
}

/// The name of an interrupt index, or its number.
fn index(number: u32) -> String {
    let known = IrqIndex::ALL.iter().find(|index| index.number() == number);
    known.map_or_else(|| number.to_string(), ToString::to_string)
}

/// An answer, and its bytes in hexadecimal where words do not contain all of them.
pub(super) fn answer(
    policy: &Policy,
    call: &Call,
    file: OpenFile,
    answer: &Answer,
) -> (Vec<String>, Option<String>) {
    let bytes = &answer.bytes;
    let raw = (!bytes.is_empty()).then(|| hex::encode(bytes));
    let ret = match &answer.ret {
        Err(refusal) => return (vec![format!("refused with {}", refusal.errno)], raw),
        Ok(ret) => *ret,
    };
    let said = match call {
        Call::Ioctl { request, .. } => {
            known_answer(policy, *request, file, bytes).filter(|said| !said.is_empty())
        }
        Call::ReadAttribute { .. } | Call::Readlink { .. } => {
            return (vec![String::from_utf8_lossy(bytes).trim_end().to_owned()], None);
        }
        _ if !bytes.is_empty() => {
            return (vec![format!("returned {ret}, bytes {}", hex::encode(bytes))], None);
        }
        _ => None,
    };
    (said.unwrap_or_else(|| vec![format!("returned {ret}")]), raw)
}

fn known_answer(
    policy: &Policy,
    request: u32,
    file: OpenFile,
    bytes: &[u8],
) -> Option<Vec<String>> {
    Some(match (file, request) {
        (OpenFile::Container(_), ioctl::IOMMU_GET_INFO) => info_text(policy, bytes, true),
        (OpenFile::Container(_), ioctl::UNMAP_DMA) => {
            vec![format!("unmapped {:#x}", DmaUnmap::read(bytes)?.size)]
        }
        (OpenFile::Group(_), ioctl::GROUP_GET_STATUS) => vec![status_text(bytes)],
        (OpenFile::Device(_), ioctl::DEVICE_GET_INFO) => vec![device_text(bytes)],
        (OpenFile::Device(_), DEVICE_GET_REGION_INFO) => vec![format!(
            "flags {:#x}, size {:#x}, offset {:#x}",
            word(bytes, 4)?,
            long(bytes, 16)?,
            long(bytes, 24)?
        )],
        (OpenFile::Device(_), DEVICE_GET_IRQ_INFO) => {
            vec![format!("flags {:#x}, count {}", word(bytes, 4)?, word(bytes, 12)?)]
        }
        _ => return None,
    })
}
