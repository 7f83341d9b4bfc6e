use passim_model::{DeviceId, IntId, PhysAddr, Rid, StreamId};

use super::super::{Gic, Iommu, Machine};
use crate::input_error::{InputError, SourceText};
use crate::recording::Topology;

/// A root port with a bridge below it to conventional PCI, and a device there.
fn text() -> String {
    let board = r#"{"board":{"machine":"virt-9.0","gic":"v2m","smmu":"stage2","cpus":2,"cpu":"cortex-a72","ram":1073741824,"ram_base":"0x40000000","page":4096,"kernel":"6.1.192","io_strict_devmem":false}}"#;
    let pci = |bdf: &str, group: u8| {
        format!(
            r#"{{"pci":"{bdf}","vid":"1b36","did":"000c","class":"0x060400","group":{group},"driver":"pcieport"}}"#
        )
    };
    let config = |bdf: &str, pcie: &str, bytes: &str| {
        format!(
            r#"{{"pci_config":"{bdf}","bars":[],"config_size":256,"msi":null,"msix":null,"pcie":{pcie},"reset_method":"","config":"{bytes}"}}"#
        )
    };
    let bridge = |secondary: u8, flags: &str| {
        let mut bytes = ["00"; 0x4c];
        let (secondary, low, high) = (format!("{secondary:02x}"), &flags[..2], &flags[2..]);
        bytes[0x0e] = "01";
        bytes[0x19] = &secondary;
        bytes[0x40] = "10";
        (bytes[0x42], bytes[0x43]) = (low, high);
        bytes.concat()
    };
    [
        board.to_owned(),
        pci("00:05.0", 0),
        pci("01:00.0", 0),
        pci("02:03.0", 0),
        config("00:05.0", r#""0x40""#, &bridge(1, "4200")),
        config("01:00.0", r#""0x40""#, &bridge(2, "7200")),
        config("02:03.0", "null", ""),
        r#"{"group":0,"dev":"02:03.0","reserved_regions":"0x8000000 0x80fffff msi"}"#.to_owned(),
        r#"{"irq_at_boot":21,"line":" 21: 1 0 MSI 81920 Edge PCIe PME"}"#.to_owned(),
        r#"{"irq_at_boot":22,"line":" 22: 1 0 GICv2m-PCI-MSI-0000:01:00.0 3 Edge shpchp"}"#
            .to_owned(),
    ]
    .join("\n")
}

fn machine(text: String) -> Result<Machine, InputError> {
    Machine::from_topology(&Topology::parse(SourceText::new("topo.jsonl", text))?)
}

#[test]
fn the_board_completes_what_the_kernel_saw() {
    let machine = machine(text()).unwrap();
    assert_eq!((machine.name.as_str(), machine.profile.as_str()), ("virt-gicv2m", "linux-6.1"));
    let Iommu::SmmuV3(smmus) = &machine.iommu else { panic!("not an SMMUv3") };
    assert_eq!((smmus[0].base, smmus[0].ids.idr[0]), (PhysAddr::new(0x905_0000), 0xd44_1019));
    assert_eq!(smmus[0].wired.global_error, Some(IntId::new(109)));
    let Gic::V2m(gic) = &machine.gic else { panic!("not a GICv2m") };
    assert_eq!(gic.frames[0].base, PhysAddr::new(0x802_0000));
}

#[test]
fn a_bridge_answers_for_what_lies_behind_it() {
    let machine = machine(text()).unwrap();
    let function = |bus, device| machine.function(Rid::from_bdf(bus, device, 0).unwrap()).unwrap();
    let behind = function(2, 3);
    assert_eq!(behind.streams, [StreamId::new(0x218), StreamId::new(0x200)]);
    assert_eq!(behind.device_id, DeviceId::new(0x200));
    assert_eq!(behind.reserved.len(), 1);
    // The bridge itself is on PCI Express, where no bridge aliases it.
    assert_eq!(function(1, 0).streams, [StreamId::new(0x100)]);
    // Both ways of numbering a vector.
    assert_eq!((function(0, 5).held[0].irq, function(0, 5).held[0].vector), (21, 0));
    assert_eq!((function(1, 0).held[0].irq, function(1, 0).held[0].vector), (22, 3));
}

#[test]
fn what_is_not_known_is_not_guessed() {
    let refusal = |find: &str, by: &str| {
        let text = text();
        assert!(text.contains(find), "{find}");
        machine(text.replacen(find, by, 1)).unwrap_err().to_string()
    };
    let cases = [
        ("virt-9.0", "sbsa-ref", "topo.jsonl:1:1: board \"sbsa-ref\" is not known"),
        ("virt-9.0", "virt-x", "topo.jsonl:1:1: board \"virt-x\" is not known"),
        ("\"v2m\"", "\"gicv5\"", "topo.jsonl:1:1: interrupt controller \"gicv5\" is not known"),
        ("\"stage2\"", "\"v2\"", "topo.jsonl:1:1: SMMU \"v2\" is not known"),
        ("fffff msi", "fffff novel", "topo.jsonl:7:1: reserved region of unknown kind \"novel\""),
        ("81920", "4096", "topo.jsonl: interrupt 21 (MSI) belongs to no function"),
        ("\"cpus\":2", "\"cpus\":0", "topo.jsonl:1:1: a machine has at least one CPU"),
        ("1073741824", "0", "topo.jsonl:1:1: RAM is empty or leaves the address space"),
        ("\"pci\":\"02:03.0\"", "\"pci\":\"02:04.0\"", "topo.jsonl:7:1: no `pci` line for 02:03.0"),
    ];
    for (find, by, message) in cases {
        assert_eq!(refusal(find, by), message);
    }
}

/// The topology with the bridges' secondary bus numbers replaced.
fn with_buses(first: &str, second: &str) -> String {
    let secondary = |bus: &str| format!("01{}{bus}", "00".repeat(10));
    text().replacen(&secondary("01"), &secondary(first), 1).replacen(
        &secondary("02"),
        &secondary(second),
        1,
    )
}

#[test]
fn bridges_that_lead_nowhere_or_in_a_circle_are_refused() {
    let refusal = |first, second| machine(with_buses(first, second)).unwrap_err().to_string();
    machine(with_buses("01", "02")).unwrap();
    assert_eq!(refusal("09", "02"), "topo.jsonl:6:1: no bridge leads to bus 0x01 of 01:00.0");
    assert_eq!(refusal("09", "01"), "topo.jsonl:6:1: the bridges above 01:00.0 lead in a circle");
}
