//! Random machines boot under every profile, and their groups follow from their slots.

use std::collections::BTreeSet;

use passim::machine::Machine;
use passim::system::{Setup, System};
use passim_tests::machines::{Drawn, Slot, machines};
use passim_vfio::policy::Profile;
use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

/// Number of groups of a slot.
fn groups_of(slot: Slot) -> usize {
    match slot {
        Slot::Conventional | Slot::Express(_) | Slot::Pair(_) | Slot::BehindBridge => 1,
        Slot::BehindPort { acs, .. } => 1 + usize::from(acs),
        Slot::Virtual { enabled, .. } => 2 + usize::from(enabled),
    }
}

fn group_numbers(machine: &Machine) -> BTreeSet<u32> {
    let functions = machine.functions.iter().filter_map(|function| function.group);
    functions.chain(machine.platforms.iter().filter_map(|device| device.group)).collect()
}

proptest! {
    #![proptest_config(passim_tests::cases::any(32))]

    #[test]
    fn random_machines_boot_under_every_profile(drawn in machines()) {
        let Drawn { plan, machine, .. } = &drawn;
        let wanted: usize = plan.slots.iter().map(|(_, slot)| groups_of(*slot)).sum();
        // Each device on no bus is a group of its own.
        let wanted = wanted + plan.board.len();
        let numbers = group_numbers(machine);
        // Numbers are the lowest ones.
        prop_assert_eq!(&numbers, &(0..wanted as u32).collect::<BTreeSet<_>>());
        for profile in Profile::ALL {
            let system = System::new(machine, Setup::new(machine, *profile));
            let system = system.map_err(|error| {
                proptest::test_runner::TestCaseError::fail(format!("{profile}: {error}"))
            })?;
            prop_assert_eq!(system.board.smmus(), plan.smmus);
            let booted: BTreeSet<_> = system.kernel.iommu().groups().collect();
            prop_assert_eq!(&booted, &numbers);
            for function in machine.functions.iter().filter(|function| function.group.is_some()) {
                let group = system.kernel.iommu().group_of(function.rid);
                prop_assert_eq!(group, function.group);
                let smmu = group.and_then(|group| system.kernel.iommu().driver_of(group));
                prop_assert!(smmu.is_some() && smmu == function.smmu);
            }
        }
    }
}
