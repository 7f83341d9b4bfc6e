//! Who gets which number.

use super::super::its::Its;
use super::super::lpi::Lpis;
use crate::irq::InterruptView;
use crate::policy::LpiRanges;
use passim_model::{Abort, DeviceId, Frames, Host, IntId, Memory, PageSize, PhysAddr, Width};

/// A machine on which nothing answers.
struct Silence(Memory);

impl Host for Silence {
    fn memory(&self) -> &Memory {
        &self.0
    }
    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.0
    }
    fn load(&mut self, at: PhysAddr, _: Width) -> Result<u64, Abort> {
        Err(Abort(at))
    }
    fn store(&mut self, at: PhysAddr, _: Width, _: u64) -> Result<(), Abort> {
        Err(Abort(at))
    }
    fn relax(&mut self) {}
}

#[test]
fn lpis_are_found_from_below() {
    let mut lpis = Lpis::new(LpiRanges::FirstFit);
    // Two held at boot, then five for a function, as recorded.
    assert_eq!([lpis.alloc(1), lpis.alloc(1)], [Some((8192, 1)), Some((8193, 1))]);
    assert_eq!(lpis.alloc(8), Some((8194, 8)));
    assert_eq!(lpis.alloc(4), Some((8202, 4)));
    lpis.free(8194, 8);
    assert_eq!(lpis.alloc(2), Some((8194, 2)));
    assert_eq!(lpis.alloc(8), Some((8206, 8)));
    lpis.free(8194, 2);
    lpis.free(8202, 4);
    lpis.free(8206, 8);
    assert_eq!(lpis.alloc(16), Some((8194, 16)));
    // More than there are: half of it, and again.
    assert_eq!(lpis.alloc(1 << 16), Some((8210, 1 << 15)));
}

#[test]
fn chunks_have_32_lpis() {
    let mut lpis = Lpis::new(LpiRanges::Chunks32);
    assert_eq!([lpis.alloc(1), lpis.alloc(33)], [Some((8192, 32)), Some((8224, 64))]);
    lpis.free(8192, 32);
    assert_eq!([lpis.alloc(40), lpis.alloc(2)], [Some((8288, 64)), Some((8192, 32))]);
}

#[test]
fn events_are_numbered_within_their_device() {
    let mut its = Its::new(PhysAddr::new(0x808_0000), LpiRanges::FirstFit);
    let (mut frames, mut host) = (Frames::new(PageSize::K4, []), Silence(Memory::new()));
    let device = DeviceId::new(0x10);
    assert!(its.prepare(device, 5, &mut frames, &mut host));
    let one = its.alloc(device, 1).unwrap();
    assert_eq!(one[0].1, IntId::new(8192));
    // Four messages of MSI lie on a multiple of four; of the eight events one is taken.
    let four = its.alloc(device, 4).unwrap();
    let events: Vec<_> = four.iter().map(|(event, _)| event.event.get()).collect();
    assert_eq!((events, four[0].1), (vec![4, 5, 6, 7], IntId::new(8196)));
    assert!(its.alloc(device, 4).is_none());
    assert_eq!(its.message(four[1].0).address, 0x809_0040);
    assert_eq!(its.message(four[1].0).data, 5);
    its.free(&[one[0].0], &mut frames, &mut host);
    let four: Vec<_> = four.iter().map(|(event, _)| *event).collect();
    its.free(&four, &mut frames, &mut host);
    assert_eq!(its.in_use(), 0);
    // The device went with its last event.
    assert!(its.alloc(device, 1).is_none());
    let zero = DeviceId::new(0);
    assert!(its.prepare(zero, 1, &mut frames, &mut host));
    assert!(its.alloc(zero, 32).is_some());
}

/// Lines of the recordings of 6.12 and 6.1.
#[test]
fn lines_are_printed_as_recorded() {
    let view = |chip: &str, hwirq, name: &str| InterruptView {
        level: false,
        irq: 26,
        intid: IntId::new(82),
        counts: vec![0, 0],
        chip: chip.to_owned(),
        hwirq,
        name: name.to_owned(),
        cpu: 0,
    };
    assert_eq!(
        view("GICv2m-PCI-MSI-0000:00:01.0", 0, "vfio-msi[0](0000:00:01.0)").to_string(),
        " 26:          0          0  GICv2m-PCI-MSI-0000:00:01.0   0 Edge      vfio-msi[0](0000:00:01.0)"
    );
    assert_eq!(
        view("ITS-MSI", 16384, "vfio-msi[0](0000:00:01.0)").to_string(),
        " 26:          0          0   ITS-MSI 16384 Edge      vfio-msi[0](0000:00:01.0)"
    );
}
