use super::{Bitmap, Buffer, DirtyRange, MapRequest, RegionInfo, UnmapRequest, ioctl};
use passim_model::{Errno, UserAddr};

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// Request numbers as recordings print them.
#[test]
fn request_numbers_are_the_recorded_ones() {
    assert_eq!(ioctl::GET_API_VERSION, 15204);
    assert_eq!(ioctl::SET_IOMMU, 15206);
    assert_eq!(ioctl::GROUP_GET_DEVICE_FD, 15210);
    assert_eq!(ioctl::IOMMU_GET_INFO, 15216);
    assert_eq!(ioctl::IOMMU_DIRTY_PAGES, 15221);
}

/// measured: dirty.jsonl, n = 2: GET of four pages at 0x40000000 into a bitmap of 8 bytes.
#[test]
fn a_dirty_range_reads_as_recorded() {
    let buffer = Buffer::new(bytes(concat!(
        "3000000004000000",
        "0000004000000000",
        "0040000000000000",
        "0010000000000000",
        "0800000000000000",
        "0000000000300000",
        "0000000000000000"
    )));
    let range = DirtyRange::read(&buffer).unwrap();
    let bitmap = Bitmap { pgsize: 0x1000, size: 8, data: UserAddr::new(0x3000_0000_0000) };
    assert_eq!(range, DirtyRange { iova: 0x4000_0000, size: 0x4000, bitmap });
}

#[test]
fn requests_survive_the_round_trip() {
    let raw = bytes(concat!(
        "2000000003000000",
        "0000000000100000",
        "0000004000000000",
        "0010000000000000"
    ));
    let map = MapRequest::read(&Buffer::new(raw.clone())).unwrap();
    assert_eq!((map.vaddr, map.iova, map.size), (0x1000_0000_0000, 0x4000_0000, 0x1000));
    assert_eq!(map.to_bytes(), raw);
    let unmap = UnmapRequest::read(&Buffer::new(raw.clone())).unwrap();
    assert_eq!(unmap.to_bytes(), raw[..24]);
    let region = RegionInfo::read(&Buffer::new(raw.clone())).unwrap();
    assert_eq!(region.to_bytes()[..], raw[..]);
}

#[test]
fn memory_that_ends_early_faults_and_is_not_written() {
    let mut short = Buffer::new(vec![0xaa; 31]);
    assert_eq!(MapRequest::read(&short).unwrap_err().errno, Errno::EFAULT);
    assert!(short.copy_out(30, &[0, 0]).is_err());
    assert!(short.copy_out(usize::MAX, &[0]).is_err());
    assert_eq!(short.into_bytes(), vec![0xaa; 31]);
    assert!(Buffer::null().copy_in::<1>(0).is_err());
    assert!(Buffer::new(b"abc".to_vec()).text(8).is_err());
    assert_eq!(Buffer::new(b"abc\0d".to_vec()).text(8).unwrap(), "abc");
    assert_eq!(Buffer::new(b"abcdefg\0".to_vec()).text(8).unwrap(), "abcdefg");
    assert_eq!(Buffer::new(b"abcdefghij".to_vec()).text(8).unwrap_err().errno, Errno::EINVAL);
}
