use super::super::DomainKind;
use super::board::{BOTH_STAGES, Machine, STAGE2_ONLY};
use super::open;
use crate::policy::Profile;
use passim_model::Rid;

fn remove(machine: &mut Machine, rid: Rid) -> bool {
    match machine.iommu.remove_device(rid) {
        Some(transition) => {
            machine.finish(transition);
            true
        }
        None => false,
    }
}

/// STE.V set and STE.Config 0: IHI 0070 G.b 5.2, everything aborts.
fn aborts(machine: &Machine, rid: Rid) -> bool {
    machine.board.ste(rid.get().into())[0] & 0xf == 1
}

#[test]
fn a_device_that_goes_leaves_an_aborting_ste_and_takes_its_group_along() {
    for (profile, idr0) in [
        (Profile::Linux6_12, BOTH_STAGES),
        (Profile::Linux6_12, STAGE2_ONLY),
        (Profile::Linux6_1, BOTH_STAGES),
        (Profile::Linux6_1, STAGE2_ONLY),
    ] {
        let mut machine = Machine::boot(profile, idr0);
        let numbers: Vec<u32> = machine.iommu.groups().collect();
        let frames = machine.frames.in_use();
        for number in numbers {
            let members: Vec<_> = machine.iommu.group_devices(number).collect();
            for (gone, member) in members.iter().enumerate() {
                let rid = member.rid().unwrap();
                assert!(!aborts(&machine, rid), "{profile}: {rid}");
                assert!(remove(&mut machine, rid), "{profile}: {rid}");
                assert!(aborts(&machine, rid), "{profile}: {rid}");
                assert_eq!(machine.iommu.group_of(rid), None);
                let left: Vec<_> = machine.iommu.group_devices(number).collect();
                assert_eq!(left, members[gone + 1..]);
                assert!(!remove(&mut machine, rid));
            }
            assert_eq!(machine.iommu.translation(number), None);
        }
        assert_eq!(machine.iommu.groups().count(), 0);
        // Default domains were freed with their tables.
        assert!(machine.frames.in_use() < frames, "{profile}");
    }
}

#[test]
fn the_rest_of_a_claimed_group_keeps_its_domain() {
    let mut machine = Machine::boot(Profile::Linux6_12, BOTH_STAGES);
    let with_two = |number: &u32| machine.iommu.group_devices(*number).count() == 2;
    let number = machine.iommu.groups().find(with_two).unwrap();
    let members: Vec<_> = machine.iommu.group_devices(number).collect();
    let domain = open(&mut machine, number, DomainKind::Paging);
    let attached = machine.iommu.translation(number);
    let [stays, goes] = [members[0], members[1]].map(|member| member.rid().unwrap());
    assert!(remove(&mut machine, goes));
    assert!(aborts(&machine, goes) && !aborts(&machine, stays));
    assert_eq!(machine.iommu.translation(number), attached);
    super::close(&mut machine, number, domain);
    assert!(remove(&mut machine, stays) && aborts(&machine, stays));
}
