//! Which numbers allocations get.

use super::super::its::Its;
use super::super::lpi::Lpis;
use crate::irq::InterruptView;
use crate::policy::{IrqFreeing, LpiRanges, Profile};
use crate::testkit::Silence;
use passim_model::{DeviceId, Frames, IntId, Memory, PageSize, PhysAddr};

#[test]
fn as_many_lpis_as_the_distributor_says() {
    let total = |ranges, bits, said| Lpis::new(ranges, bits, said).supply().total;
    assert_eq!(total(LpiRanges::FirstFit, 16, None), 0xe000);
    assert_eq!(total(LpiRanges::FirstFit, 16, Some(4)), 4);
    assert_eq!(total(LpiRanges::FirstFit, 16, Some(0x1_0000)), 0xe000, "more than the bits allow");
    assert_eq!(total(LpiRanges::Chunks32, 16, Some(4)), 0xe000, "nobody looks");
    assert_eq!(total(LpiRanges::FirstFit, 13, None), 0);
}

#[test]
fn lpis_are_found_from_below() {
    let mut lpis = Lpis::new(LpiRanges::FirstFit, 16, None);
    // Two held at boot, then a block for five of a function, as recorded.
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
    // More than are free: half of it, and again.
    assert_eq!(lpis.alloc(1 << 16), Some((8210, 1 << 15)));
}

#[test]
fn chunks_have_32_lpis() {
    let mut lpis = Lpis::new(LpiRanges::Chunks32, 16, None);
    assert_eq!([lpis.alloc(1), lpis.alloc(33)], [Some((8192, 32)), Some((8224, 64))]);
    lpis.free(8192, 32);
    assert_eq!([lpis.alloc(40), lpis.alloc(2)], [Some((8288, 64)), Some((8192, 32))]);
}

/// 4.11 its_lpi_alloc_chunks: one chunk less, until that many are adjacent.
#[test]
fn chunks_run_out_one_after_the_other() {
    let mut lpis = Lpis::new(LpiRanges::Chunks32, 14, None);
    assert_eq!(lpis.alloc(8192 - 5 * 32), Some((8192, 8192 - 5 * 32)));
    assert_eq!(lpis.alloc(32), Some((16384 - 5 * 32, 32)));
    assert_eq!(lpis.alloc(5 * 32), Some((16384 - 4 * 32, 4 * 32)), "four are left");
    assert_eq!(lpis.alloc(1), None);
    // Of two holes the first that is large enough, otherwise the first of the smaller size.
    lpis.free(16384 - 4 * 32, 32);
    lpis.free(16384 - 2 * 32, 2 * 32);
    assert_eq!(lpis.alloc(3 * 32), Some((16384 - 2 * 32, 2 * 32)));
    assert_eq!(lpis.alloc(3 * 32), Some((16384 - 4 * 32, 32)));
    assert_eq!(lpis.alloc(3 * 32), None);
}

fn books(bases: &[u64], profile: Profile) -> Its {
    let bases: Vec<_> = bases.iter().map(|&base| PhysAddr::new(base)).collect();
    Its::new(&bases, &profile.policy())
}

/// 65 events: three chunks of 32, or a range of 128. DeviceID 0 is special to the later kernel.
#[test]
fn a_power_of_two_of_lpis_is_a_later_habit() {
    let (mut frames, mut host) = (Frames::new(PageSize::K4, []), Silence(Memory::new()));
    for (profile, second) in [(Profile::Linux4_11, 8192 + 96), (Profile::Linux6_1, 8192 + 128)] {
        let mut its = books(&[0x808_0000], profile);
        let devices = [0x10, 0].map(|id| (0, DeviceId::new(id)));
        its.prepare(devices[0], (65, false), &mut frames, &mut host).unwrap();
        its.prepare(devices[1], (1, false), &mut frames, &mut host).unwrap();
        assert_eq!(its.alloc(devices[1], 32).unwrap()[0].1, IntId::new(second));
    }
}

#[test]
fn events_are_numbered_within_their_device() {
    let mut its = books(&[0x808_0000], Profile::Linux6_12);
    let (mut frames, mut host) = (Frames::new(PageSize::K4, []), Silence(Memory::new()));
    let device = (0, DeviceId::new(0x10));
    its.prepare(device, (5, false), &mut frames, &mut host).unwrap();
    let one = its.alloc(device, 1).unwrap();
    assert_eq!(one[0].1, IntId::new(8192));
    // Four messages of MSI begin at a multiple of four; of the eight events one is taken.
    let four = its.alloc(device, 4).unwrap();
    let events: Vec<_> = four.iter().map(|(event, _)| event.event.get()).collect();
    assert_eq!((events, four[0].1), (vec![4, 5, 6, 7], IntId::new(8196)));
    assert!(its.alloc(device, 4).is_none());
    assert_eq!(its.message((0, four[1].0)).address, 0x809_0040);
    assert_eq!(its.message((0, four[1].0)).data, 5);
    its.free(0, &[one[0].0], &mut frames, &mut host);
    let four: Vec<_> = four.iter().map(|(event, _)| *event).collect();
    its.free(0, &four, &mut frames, &mut host);
    assert_eq!(its.in_use(), 0);
    // The device was released with its last event.
    assert!(its.alloc(device, 1).is_none());
    let zero = (0, DeviceId::new(0));
    its.prepare(zero, (1, false), &mut frames, &mut host).unwrap();
    assert!(its.alloc(zero, 32).is_some());
}

/// Three messages of MSI have a block of four events, as 5.4 to 5.10 free it: with them all of it is
/// free, and the device goes.
#[test]
fn a_block_is_free_again_whole() {
    let mut policy = Profile::Linux6_12.policy();
    policy.irq_freeing = IrqFreeing::Whole;
    let mut its = Its::new(&[PhysAddr::new(0x808_0000)], &policy);
    let (mut frames, mut host) = (Frames::new(PageSize::K4, []), Silence(Memory::new()));
    let device = (0, DeviceId::new(0x10));
    its.prepare(device, (3, false), &mut frames, &mut host).unwrap();
    let three = its.alloc(device, 3).unwrap();
    assert_eq!((three.len(), its.in_use()), (3, 4));
    let three: Vec<_> = three.iter().map(|(event, _)| *event).collect();
    its.free(0, &three, &mut frames, &mut host);
    assert_eq!(its.in_use(), 0);
    assert!(its.alloc(device, 1).is_none(), "there is no such device");
}

/// Since 5.11 interrupts are freed one by one: the fourth event stays taken, and the device stays with
/// it. The next three messages find no block.
#[test]
fn what_is_freed_one_by_one_leaves_the_rest_of_a_block() {
    let mut its = books(&[0x808_0000], Profile::Linux6_12);
    let (mut frames, mut host) = (Frames::new(PageSize::K4, []), Silence(Memory::new()));
    let device = (0, DeviceId::new(0x10));
    its.prepare(device, (3, false), &mut frames, &mut host).unwrap();
    let three = its.alloc(device, 3).unwrap();
    let three: Vec<_> = three.iter().map(|(event, _)| *event).collect();
    its.free(0, &three, &mut frames, &mut host);
    assert_eq!(its.in_use(), 1);
    assert!(its.alloc(device, 3).is_none());
    assert_eq!(its.alloc(device, 2).unwrap().len(), 2);
}

/// The same DeviceID at two ITSs is two devices: events begin with 0 at each, LPIs are of one
/// stock, and messages go to the frame of the device's own.
#[test]
fn itss_share_lpis_and_nothing_else() {
    let mut its = books(&[0x808_0000, 0x900_0000], Profile::Linux6_12);
    let (mut frames, mut host) = (Frames::new(PageSize::K4, []), Silence(Memory::new()));
    let (here, there) = ((0, DeviceId::new(0x10)), (1, DeviceId::new(0x10)));
    its.prepare(here, (4, false), &mut frames, &mut host).unwrap();
    assert!(its.alloc(there, 1).is_none());
    its.prepare(there, (2, false), &mut frames, &mut host).unwrap();
    let (first, second) = (its.alloc(here, 1).unwrap()[0], its.alloc(there, 1).unwrap()[0]);
    assert_eq!((first.1, second.1), (IntId::new(8192), IntId::new(8196)));
    assert_eq!(first.0, second.0);
    assert_eq!(its.message((0, first.0)).address, 0x809_0040);
    assert_eq!(its.message((1, second.0)).address, 0x901_0040);
    its.free(1, &[second.0], &mut frames, &mut host);
    assert_eq!(its.in_use(), 1);
    // The LPIs freed at one ITS are allocated at the other; the device of the first stays.
    assert!(its.alloc(there, 1).is_none());
    assert!(its.alloc(here, 1).is_some());
    let other = (0, DeviceId::new(0x18));
    its.prepare(other, (2, false), &mut frames, &mut host).unwrap();
    assert_eq!(its.alloc(other, 1).unwrap()[0].1, IntId::new(8196));
    // There is no third.
    its.prepare((2, DeviceId::new(0x10)), (1, false), &mut frames, &mut host).unwrap_err();
    assert!(its.alloc((2, DeviceId::new(0x10)), 1).is_none());
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
