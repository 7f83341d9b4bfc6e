//! Messages from a function's registers to the interrupt controller, below any kernel: the tables
//! of the SMMU are left as the kernel made them, or bypassed on a machine without one.

use passim_gic::Cpu;
use passim_gic::state::State;
use passim_model::pci::Lost;
use passim_model::{Host, IntId, PhysAddr, Rid, Width};

use super::{EDU, system, system_of};
use crate::machine::{self, Iommu};
use crate::system::{Arrival, Delivery, Pace, Reach, Setup, Signalled, System};

const ECAM: u64 = 0x40_1000_0000;
const NVME: Rid = Rid::new(0x0018);
const EDU_BAR: u64 = 0x1000_0000;
const NVME_BAR: u64 = 0x80_0020_0000;
const FRAME: u64 = 0x0802_0000;
const GICD: u64 = 0x0800_0000;
const GICC: u64 = 0x0801_0000;

fn config(rid: Rid, offset: u64) -> PhysAddr {
    PhysAddr::new(ECAM + (u64::from(rid.get()) << 12) + offset)
}

fn load(system: &mut System, at: PhysAddr, width: Width) -> u64 {
    system.board.load(at, width).unwrap()
}

fn store(system: &mut System, at: PhysAddr, width: Width, value: u64) {
    system.board.store(at, width, value).unwrap();
}

/// The GICv2m machine without an SMMU: a device's addresses are physical. The kernel has enabled
/// the controller and acknowledges nothing: each test acts for the CPUs.
fn without_smmu() -> System {
    let mut machine = machine::builtin("virt-gicv2m").unwrap().unwrap();
    machine.iommu = Iommu::Flat;
    let mut setup = Setup::new(&machine, passim_vfio::Profile::Linux6_12);
    setup.pace = Pace::Stepped;
    System::new(&machine, setup).unwrap()
}

/// Turns on the function's memory and bus mastering. Its message capability at `msi` sends SPI
/// `spi` to the frame.
fn program_msi(system: &mut System, rid: Rid, msi: u64, spi: u64) {
    store(system, config(rid, 4), Width::W16, 6);
    store(system, config(rid, msi + 4), Width::W32, FRAME + 0x40);
    store(system, config(rid, msi + 12), Width::W16, spi);
    store(system, config(rid, msi + 2), Width::W16, 1);
}

/// An edge-triggered SPI, enabled, for CPU `cpu`.
fn enable(system: &mut System, spi: u64, cpu: u64) {
    let row = spi / 32 * 4;
    store(system, PhysAddr::new(GICD + 0xc00 + spi / 16 * 4), Width::W32, u64::MAX);
    store(system, PhysAddr::new(GICD + 0x800 + spi), Width::W8, 1 << cpu);
    store(system, PhysAddr::new(GICD + 0x100 + row), Width::W32, 1 << (spi % 32));
}

#[test]
fn configuration_space_answers_at_its_place() {
    let mut system = system(Pace::Eager);
    assert_eq!(load(&mut system, config(EDU, 0), Width::W32), 0x11e8_1234);
    assert_eq!(load(&mut system, config(EDU, 0x40), Width::W8), 5);
    // A conventional function ends at 256 bytes; where no function exists, the read is not claimed.
    assert_eq!(load(&mut system, config(EDU, 0x100), Width::W32), 0xffff_ffff);
    assert_eq!(load(&mut system, config(Rid::new(0x00f8), 0), Width::W16), 0xffff);
    store(&mut system, config(Rid::new(0x00f8), 4), Width::W16, 7);
    let beyond = PhysAddr::new(ECAM + (3 << 20));
    assert!(system.board.load(beyond, Width::W32).is_err());
}

#[test]
fn a_bar_answers_while_memory_is_on_and_the_function_awake() {
    let mut system = system(Pace::Eager);
    let table = PhysAddr::new(NVME_BAR + 0x2000);
    assert_eq!(load(&mut system, table, Width::W32), 0xffff_ffff);
    store(&mut system, config(NVME, 4), Width::W16, 2);
    assert_eq!(load(&mut system, table, Width::W32), 0xffff_ffff);
    store(&mut system, config(NVME, 0x64), Width::W16, 0);
    assert_eq!(load(&mut system, table, Width::W64), 0);
    assert_eq!(load(&mut system, PhysAddr::new(NVME_BAR + 0x200c), Width::W32), 1);
    // The device's own registers have no model: they read as zero.
    assert_eq!(load(&mut system, PhysAddr::new(NVME_BAR), Width::W32), 0);
    assert_eq!(system.load_device(NVME, 0, 0, Width::W32), None);
    assert_eq!(system.load_device(NVME, 0, 0x200c, Width::W32), Some(1));
}

#[test]
fn a_message_becomes_the_spi_it_names() {
    let mut system = without_smmu();
    assert_eq!(system.raise(EDU, 0), Ok(Signalled::Lost(Lost::Disabled)));
    program_msi(&mut system, EDU, 0x40, 82);
    enable(&mut system, 82, 1);
    let Ok(Signalled::Sent(Delivery { from, message, reach })) = system.raise(EDU, 0) else {
        panic!("nothing was sent");
    };
    assert_eq!((from, message.at.get(), message.data), (EDU.into(), FRAME + 0x40, 82));
    let arrival = Arrival::Pending(IntId::new(82), 2);
    assert_eq!(reach, Reach::Doorbell(PhysAddr::new(FRAME + 0x40), arrival));
    assert_eq!(arrival.to_string(), "spi 82 pending on cpu 1");
    let gic = system.board.gic().unwrap();
    assert_eq!(gic.highest_pending(Cpu::new(0)), None);
    assert_eq!(gic.busy(Cpu::new(0)), [(IntId::new(82), State::Pending)]);
    // Only CPU 1 finds it.
    assert_eq!(load(&mut system, PhysAddr::new(GICC + 0xc), Width::W32), 1023);
    system.board.run_on(1);
    assert_eq!(load(&mut system, PhysAddr::new(GICC + 0xc), Width::W32), 82);
    store(&mut system, PhysAddr::new(GICC + 0x10), Width::W32, 82);
    assert_eq!(system.board.interrupted(), None);
}

#[test]
fn what_a_frame_does_not_know_it_ignores() {
    let mut system = without_smmu();
    program_msi(&mut system, EDU, 0x40, 79);
    let Ok(Signalled::Sent(Delivery { reach, .. })) = system.raise(EDU, 0) else {
        panic!("nothing was sent");
    };
    assert_eq!(reach, Reach::Doorbell(PhysAddr::new(FRAME + 0x40), Arrival::Ignored));
    // A device writes to a doorbell by DMA as well.
    let at = passim_model::Iova::new(FRAME + 0x40);
    let pieces = system.dma_write(NVME, at, &81u32.to_le_bytes()).unwrap();
    let arrival = Arrival::Pending(IntId::new(81), 1);
    assert_eq!(pieces[0].reach, Reach::Doorbell(PhysAddr::new(FRAME + 0x40), arrival));
    assert_eq!(arrival.to_string(), "spi 81 pending on cpu 0");
    assert_eq!(Arrival::Pending(IntId::new(81), 0).to_string(), "spi 81 pending on no cpu");
    let pieces = system.dma_write(NVME, at, &81u64.to_le_bytes()).unwrap();
    assert_eq!(pieces[0].reach, Reach::Doorbell(PhysAddr::new(FRAME + 0x40), Arrival::Ignored));
}

#[test]
fn a_pending_vector_is_delivered_by_the_store_that_unmasks_it() {
    let mut system = without_smmu();
    store(&mut system, config(NVME, 0x64), Width::W16, 0);
    store(&mut system, config(NVME, 4), Width::W16, 6);
    store(&mut system, config(NVME, 0x42), Width::W16, 0x8000);
    let entry = NVME_BAR + 0x2000 + 16 * 64;
    store(&mut system, PhysAddr::new(entry), Width::W64, FRAME + 0x40);
    store(&mut system, PhysAddr::new(entry + 8), Width::W32, 90);
    assert_eq!(system.raise(NVME, 64), Ok(Signalled::Pending));
    assert_eq!(load(&mut system, PhysAddr::new(NVME_BAR + 0x3008), Width::W64), 1);
    assert_eq!(system.board.take_deliveries(), []);
    store(&mut system, PhysAddr::new(entry + 12), Width::W32, 0);
    let sent = system.board.take_deliveries();
    let arrival = Arrival::Pending(IntId::new(90), 1);
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].reach, Reach::Doorbell(PhysAddr::new(FRAME + 0x40), arrival));
}

#[test]
fn the_message_of_a_device_behind_an_smmu_is_translated_like_any_write() {
    let mut system = system_of("virt-gicv2m", Pace::Eager);
    program_msi(&mut system, EDU, 0x40, 82);
    let Ok(Signalled::Sent(Delivery { reach, .. })) = system.raise(EDU, 0) else {
        panic!("nothing was sent");
    };
    assert!(matches!(reach, Reach::Terminated(_)), "{reach:?}");
}

#[test]
fn the_educational_device_interrupts_and_is_acknowledged() {
    let mut system = without_smmu();
    program_msi(&mut system, EDU, 0x40, 82);
    let register = |at: u64| PhysAddr::new(EDU_BAR + at);
    store(&mut system, register(0x60), Width::W32, 0);
    assert_eq!(system.board.take_deliveries().len(), 0);
    store(&mut system, register(0x60), Width::W32, 5);
    assert_eq!(load(&mut system, register(0x24), Width::W32), 5);
    assert_eq!(system.board.take_deliveries().len(), 1);
    store(&mut system, register(0x64), Width::W32, 1);
    assert_eq!(load(&mut system, register(0x24), Width::W32), 4);
    // A transfer from its own buffer to RAM, and the interrupt at its end.
    let ram = 0x4100_0000;
    for (at, value) in [(0x80, 0x4_0000), (0x88, ram), (0x90, 8), (0x98, 7)] {
        store(&mut system, register(at), Width::W64, value);
    }
    assert_eq!(load(&mut system, register(0x98), Width::W64), 6);
    assert_eq!(load(&mut system, register(0x24), Width::W32), 0x104);
    assert_eq!(system.board.take_deliveries().len(), 1);
}

/// Bus Master Enable is for every transaction of the function, transfers and messages alike.
#[test]
fn without_bus_mastering_a_device_moves_nothing() {
    let mut system = without_smmu();
    program_msi(&mut system, EDU, 0x40, 82);
    store(&mut system, config(EDU, 4), Width::W16, 2);
    let ram = PhysAddr::new(0x4100_0000);
    system.board.memory_mut().store_u64(ram, 7).unwrap();
    for (at, value) in [(0x80, 0x4_0000), (0x88, ram.get()), (0x90, 8), (0x98, 3)] {
        store(&mut system, PhysAddr::new(EDU_BAR + at), Width::W64, value);
    }
    assert_eq!(system.board.memory().load_u64(ram), Ok(7));
    assert_eq!(system.raise(EDU, 0), Ok(Signalled::Lost(Lost::NoBusMaster)));
}

/// The driver maps a device when its messages are enabled, which does not happen here.
#[test]
fn an_its_makes_nothing_of_a_message_of_a_device_that_is_not_mapped() {
    let mut machine = machine::builtin("virt-its").unwrap().unwrap();
    machine.iommu = Iommu::Flat;
    let mut system =
        System::new(&machine, Setup::new(&machine, passim_vfio::Profile::Linux6_12)).unwrap();
    program_msi(&mut system, EDU, 0x40, 0);
    store(&mut system, config(EDU, 0x44), Width::W32, 0x0809_0040);
    let Ok(Signalled::Sent(Delivery { reach, .. })) = system.raise(EDU, 0) else {
        panic!("nothing was sent");
    };
    let translater = PhysAddr::new(0x0809_0040);
    let arrival = Arrival::Untranslated(passim_gic::its::Untranslated::UnmappedDevice);
    assert_eq!(reach, Reach::Doorbell(translater, arrival));
}
