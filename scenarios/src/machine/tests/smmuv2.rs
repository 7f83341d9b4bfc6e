use passim_model::{IntId, StreamId};
use passim_smmu::v2::{Aarch32, Auxiliary, Completion, Description, Version};
use passim_vfio::policy::Smmu2Entries;

use super::{SMALL, parse};
use crate::machine::{Iommu, Machine, SmmuV2, builtin};

/// The small machine with an SMMUv2 of these lines.
fn with(lines: &str) -> String {
    let table = format!("[[iommu.smmuv2]]\n{lines}\n\n[gic.v2m]");
    SMALL.replacen("iommu = \"flat\"\n", "", 1).replacen("[gic.v2m]", &table, 1)
}

fn smmus(machine: &Machine) -> &[SmmuV2] {
    let Iommu::SmmuV2(smmus) = &machine.iommu else { panic!("{:?}", machine.iommu) };
    smmus
}

#[test]
fn a_preset_may_be_built_otherwise() {
    let text = with(
        "base = 0xe000_0000\npreset = \"mmu-500\"\nbanks = 8\nregister_pages = 8\n\
         granules = [\"4K\"]\naarch32 = \"long\"\nrevision = 0x11\nstream_match_mask = 0x1f\n\
         errata = [\"no-wide-accesses\"]\ninvalidations = \"when-synchronised\"\nspis = { global = 6, contexts = [7, 8] }",
    );
    let machine = parse(&text).unwrap();
    let [smmu] = smmus(&machine) else { panic!("one SMMU") };
    let expected = Description {
        banks: 8,
        pages_lg2: 3,
        granules: [true, false, false],
        aarch32: Aarch32::Long,
        revision: 0x11,
        // The lock exists from major revision 2 on.
        auxiliary: Auxiliary::Mmu500 { locked: false },
        ..Description::MMU_500
    };
    assert_eq!(smmu.description, expected);
    assert!(smmu.errata.no_wide_accesses && !smmu.errata.bypass_becomes_fault);
    assert_eq!(smmu.completion, Completion::WhenSynchronised);
    assert_eq!((smmu.stream_match_mask, smmu.global_fault), (0x1f, Some(IntId::new(38))));
    assert_eq!(smmu.context_faults, [IntId::new(39), IntId::new(40)]);
}

#[test]
fn smmu_v1_counts_its_context_interrupts() {
    let text = with("base = 0\npreset = \"mmu-401\"\nspis = { contexts = [7, 8] }");
    let machine = parse(&text).unwrap();
    let description = smmus(&machine)[0].description;
    assert_eq!((description.version, description.context_interrupts), (Version::V1With64K, 2));
}

#[test]
fn mistakes_are_found_where_they_are() {
    let cases = [
        ("base = 0\npreset = \"mmu-600\"", "12:10: no SMMUv2 is called `mmu-600`"),
        (
            "base = 0\npreset = \"mmu-401\"\nbanks = 9",
            "12:10: `pages_lg2`: every bank needs a page",
        ),
        (
            "base = 0\npreset = \"mmu-401\"\nstage1 = true\nipa_bits = 41",
            "14:12: `ipa_bits`: IAS is 32, 36, 40, 42, 44 or 48",
        ),
        (
            "base = 0\npreset = \"mmu-401\"\nregister_pages = 3",
            "13:18: 3 register pages are not a power of two",
        ),
        ("base = 0x1000\npreset = \"mmu-500\"", "11:8: 0x1000 is no multiple of a register page"),
    ];
    for (lines, message) in cases {
        let error = parse(&with(lines)).unwrap_err().to_string();
        assert_eq!(error, format!("m.toml:{message}"), "{lines}");
    }
    let unknown = parse(&with("base = 0\npreset = \"mmu-401\"\nbank = 9")).unwrap_err();
    assert!(unknown.to_string().contains("unknown field `bank`"), "{unknown}");
    let none = SMALL.replacen("\"flat\"", "{ smmuv2 = [] }", 1);
    let none = parse(&none).unwrap_err().to_string();
    assert!(none.contains("`smmuv2` lists at least one SMMU"), "{none}");
}

/// Linux 6.12, amd-seattle-soc.dtsi and armada-7040.dtsi.
#[test]
fn the_machines_of_the_series_are_as_their_device_trees_say() {
    let overdrive = builtin("overdrive").unwrap().unwrap();
    let windows: Vec<_> = smmus(&overdrive).iter().map(|smmu| smmu.base.get()).collect();
    assert_eq!(windows, [0xe0a0_0000, 0xe020_0000, 0xe0c0_0000]);
    assert_eq!(smmus(&overdrive)[0].global_fault, Some(IntId::new(333 + 32)));
    assert!(!smmus(&overdrive)[0].description.stage1);
    let armada = builtin("armada-7040").unwrap().unwrap();
    let there = armada.functions.iter().filter(|function| !function.off);
    let streams: Vec<_> = there.map(|function| function.streams[0]).collect();
    assert_eq!(streams, [0x480, 0x4a0, 0x4a1].map(StreamId::new));
}

/// Groups of the functions, and of the platform devices.
fn groups(machine: &Machine) -> [Vec<Option<u32>>; 2] {
    let functions = machine.functions.iter().map(|function| function.group).collect();
    [functions, machine.platforms.iter().map(|platform| platform.group).collect()]
}

#[test]
fn devices_that_share_an_entry_are_one_group_where_entries_are_theirs() {
    let machine = builtin("smmuv2-shared").unwrap().unwrap();
    let apart = [vec![Some(0), Some(1), Some(2), Some(3)], vec![Some(4), Some(5)]];
    assert_eq!(groups(&machine), apart);
    assert_eq!(groups(&machine.grouped(Smmu2Entries::OfTheDomain).unwrap()), apart);
    let shared = machine.grouped(Smmu2Entries::OfTheDevice).unwrap();
    assert_eq!(groups(&shared), [vec![Some(0), Some(0), Some(1), Some(1)], vec![Some(1), Some(2)]]);
    // Other machines are unchanged.
    let armada = builtin("armada-7040").unwrap().unwrap();
    assert_eq!(*armada.grouped(Smmu2Entries::OfTheDevice).unwrap(), armada);
}

/// Three platform devices, of which the second shares a stream with each of the others.
#[test]
fn a_device_between_two_groups_is_refused() {
    let smmu =
        with("base = 0xe000_0000\npreset = \"mmu-500\"\nspis = { global = 6, contexts = [7] }");
    let device = |name: &str, streams: &str, rest: &str| {
        format!("[[platform]]\nname = \"{name}\"\nstreams = {streams}\ndriver = \"x\"\n{rest}\n")
    };
    let conflict = |devices: &[String]| {
        let machine = parse(&format!("{smmu}\n{}", devices.concat())).unwrap();
        machine.grouped(Smmu2Entries::OfTheDevice).err().map(|conflict| conflict.to_string())
    };
    let [first, second] = [device("a", "[1]", ""), device("b", "[2]", "")];
    assert_eq!(conflict(&[first.clone(), second.clone()]), None);
    let between = conflict(&[first.clone(), second.clone(), device("c", "[1, 2]", "")]).unwrap();
    assert!(
        between.ends_with("the kernel gives platform device 2 neither group nor driver"),
        "{between}"
    );
    // The last of its entries decides: a free one hides the first from the driver.
    assert!(conflict(&[first.clone(), device("c", "[1, 3]", "")]).is_some());
    assert_eq!(conflict(&[first, device("c", "[3, 1]", "")]), None);
    // Different stated groups contradict it.
    let numbered = [device("a", "[1]", "group = 4"), device("c", "[1]", "group = 5")];
    assert!(conflict(&numbered).unwrap().starts_with("group 5, but one stream mapping entry"));
    let one = [device("a", "[1]", ""), device("c", "[1]", "group = 5")];
    assert_eq!(conflict(&one), None);
}
