use super::InterruptLine;

#[test]
fn columns_are_found_whatever_the_chip() {
    let line = " 26:          3          0  ITS-PCI-MSI-0000:00:01.0   0 Edge      vfio-msi[0](0000:00:01.0)";
    let parsed = InterruptLine::parse(line).unwrap();
    assert_eq!(parsed.irq, 26);
    assert_eq!(parsed.counts, [3, 0]);
    assert_eq!(parsed.chip, "ITS-PCI-MSI-0000:00:01.0");
    assert_eq!((parsed.hwirq, parsed.trigger.as_str()), (0, "Edge"));
    assert_eq!(parsed.name, "vfio-msi[0](0000:00:01.0)");
    assert!(parsed.is_msi());

    let line = " 21:          1          0   ITS-MSI 81920 Edge      PCIe PME, aerdrv, pciehp";
    let parsed = InterruptLine::parse(line).unwrap();
    assert_eq!((parsed.hwirq, parsed.name.as_str()), (81920, "PCIe PME, aerdrv, pciehp"));

    let timer = " 11:        330        329     GICv3  27 Level     arch_timer";
    assert!(!InterruptLine::parse(timer).unwrap().is_msi());
}

#[test]
fn lines_without_the_columns_are_none() {
    for line in ["", "IPI0:  1  2  Rescheduling interrupts", "26: 1 2", "26: 1 GICv3 x Edge"] {
        assert_eq!(InterruptLine::parse(line), None, "{line}");
    }
}
