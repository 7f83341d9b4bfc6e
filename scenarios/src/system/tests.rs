mod messages;
mod stalls;

use super::Outcome;
use passim_model::{Access, Host, Iova, PhysAddr, Rid, Width};
use passim_vfio::policy::Profile;

use super::{NoTransfer, Pace, Reach, Setup, System};
use crate::machine;

const EDU: Rid = Rid::new(0x0008);

fn system_of(name: &str, pace: Pace) -> System {
    let machine = machine::builtin(name).unwrap().unwrap();
    let mut setup = Setup::new(&machine, Profile::Linux6_12);
    setup.pace = pace;
    System::new(&machine, setup).unwrap()
}

fn system(pace: Pace) -> System {
    system_of("virt-its", pace)
}

#[test]
fn a_machine_boots_at_either_pace() {
    for pace in [Pace::Eager, Pace::Stepped] {
        let mut system = system(pace);
        assert_eq!(system.board.pace(), pace);
        assert!(system.has(EDU) && !system.has(Rid::new(0xfff8)));
        // Nothing is mapped in the kernel's own domain.
        let outcome = system.translate(EDU, Iova::new(0), Access::READ);
        assert!(matches!(outcome, Some(Outcome::Terminated(_))), "{outcome:?}");
    }
}

#[test]
fn a_transfer_is_cut_at_page_borders_and_faults_deliver_zeros() {
    let mut system = system(Pace::Eager);
    let mut bytes = [1; 16];
    let pieces = system.dma_read(EDU, Iova::new(0x1ff8), &mut bytes).unwrap();
    assert_eq!(pieces.len(), 2);
    assert!(pieces.iter().all(|piece| matches!(piece.reach, Reach::Terminated(_))));
    assert_eq!(bytes, [0; 16]);
}

#[test]
fn transfers_that_cannot_be_are_refused() {
    let mut system = system(Pace::Eager);
    let nobody = Rid::new(0xfff8);
    let missing = system.dma_write(nobody, Iova::new(0), &[0]);
    assert_eq!(missing, Err(NoTransfer::NoDevice(nobody.into())));
    assert_eq!(system.dma_write(EDU, Iova::new(0), &[]), Err(NoTransfer::Size));
    let end = Iova::new(u64::MAX);
    assert_eq!(system.dma_write(EDU, end, &[0, 0]), Err(NoTransfer::Size));
    assert!(system.dma_write(EDU, end, &[0]).is_ok());
}

#[test]
fn where_no_register_is_nothing_answers() {
    let mut system = system(Pace::Eager);
    for at in [0, 0x4000_0000, 0x0700_0000, u64::MAX] {
        assert!(system.board.load(PhysAddr::new(at), Width::W32).is_err());
        assert!(system.board.store(PhysAddr::new(at), Width::W64, 1).is_err());
    }
}

#[test]
fn two_boots_are_the_same() {
    let reads = |system: &mut System| {
        (0..0x100)
            .map(|offset| system.board.load(PhysAddr::new(0x0905_0000 + 4 * offset), Width::W32))
            .collect::<Vec<_>>()
    };
    assert_eq!(reads(&mut system(Pace::Eager)), reads(&mut system(Pace::Eager)));
}
