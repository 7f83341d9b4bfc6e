//! Which functions are reset together with a device, in the order in which the kernel walks its
//! bus.

use passim::op::Op;
use passim::run::Runner;

/// A root port; behind it a bridge to conventional PCI, and a second function beside that bridge.
const MACHINE: &str = r#"
    name = "bridge-first"
    cpus = 1
    page_size = "4K"
    [[ram]]
    base = 0x4000_0000
    size = "64M"
    [[iommu.smmuv3]]
    base = 0x0905_0000
    idr = [0x0d44_101b, 0x0273_0010, 0, 0x1414, 0, 0x74]
    aidr = 1
    spis = { event_queue = 4, global_error = 5 }
    [gic.v2m]
    distributor = 0x0800_0000
    cpu_interface = 0x0801_0000
    frames = [{ base = 0x0802_0000, first_spi = 64, spis = 16 }]
"#;

/// A function: its address, header type, secondary bus, and device/port type.
fn function(bdf: &str, header: u8, secondary: u8, port: u8) -> String {
    let mut config = [0; 0x4c];
    (config[0x0e], config[0x19], config[0x34]) = (header, secondary, 0x40);
    config[0x40..0x43].copy_from_slice(&[0x10, 0, port << 4 | 2]);
    let class = if header & 0x7f == 1 { 0x6_0400 } else { 0x1_0802 };
    let driver = if class == 0x1_0802 { "vfio-pci" } else { "pcieport" };
    let config: String = config.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "[[function]]\nbdf = \"{bdf}\"\nvendor = 1\ndevice = 1\nclass = {class:#x}\n\
         driver = \"{driver}\"\npcie = 0x40\nconfig_size = 4096\nconfig = \"{config}\"\n"
    )
}

#[test]
fn a_bus_is_walked_depth_first() {
    let functions = [
        function("00:01.0", 1, 1, 4),
        function("01:00.0", 0x81, 2, 7),
        function("01:00.1", 0x80, 0, 0),
        function("02:03.0", 0, 0, 0),
    ];
    let file = format!("{}/bridge-first.toml", env!("CARGO_TARGET_TMPDIR"));
    std::fs::write(&file, [MACHINE, &functions.concat()].concat()).unwrap();
    let mut runner = Runner::new();
    let mut ask = |line: &str| {
        let op = Op::parse("bus", line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let outcome = runner.perform(&op);
        outcome.unwrap_or_else(|error| panic!("{line}: {}", error.message)).join("\n")
    };
    ask(&format!("machine {file} profile=linux-6.12 allow_unsafe_interrupts=y"));
    assert_eq!(ask("attach dev=01:00.1"), "container 3, group 4, device 5");
    // VFIO_DEVICE_GET_PCI_HOT_RESET_INFO with room for three entries.
    let answer = ask(&format!("ioctl fd=5 nr=0x3b70 bytes=24{}", "0".repeat(70)));
    let (_, bytes) = answer.split_once('\n').unwrap_or_else(|| panic!("{answer}"));
    let entries = &bytes.trim()[24..];
    let places: Vec<&str> = (0..3).map(|n| &entries[16 * n + 12..16 * n + 16]).collect();
    assert_eq!(places, ["0100", "0218", "0101"]);
}
