use passim_model::{DeviceId, IntId, Rid, StreamId};

use super::super::{Function, Iommu, Machine, X86};
use super::{SMALL, parse};

/// A machine of these functions and other parts.
fn with(devices: &str) -> String {
    let head = &SMALL[..SMALL.find("[[function]]").unwrap()];
    format!("{head}{devices}")
}

/// A function of a PCI Express device/port type; `bus` is the secondary bus of a bridge.
fn express(bdf: &str, port: u8, bus: u8, more: &str) -> String {
    let header = if bus == 0 { 0 } else { 1 };
    let mut config = [0; 0x44];
    config[0x0e] = header;
    config[0x19] = bus;
    config[0x40..0x43].copy_from_slice(&[0x10, 0, port << 4 | 2]);
    let ids = "vendor = 1\ndevice = 2\nclass = 3\npcie = 0x40";
    let config = hex::encode(config);
    format!("[[function]]\nbdf = \"{bdf}\"\n{ids}\nconfig = \"{config}\"\n{more}\n")
}

fn at<'a>(machine: &'a Machine, bdf: &str) -> &'a Function {
    machine.function(Rid::parse(bdf).unwrap()).unwrap()
}

fn groups(machine: &Machine) -> Vec<Option<u32>> {
    machine.functions.iter().map(|function| function.group).collect()
}

fn complaint(devices: &str) -> (String, String) {
    let error = parse(&with(devices)).unwrap_err();
    (error.message().to_owned(), error.hint().to_owned())
}

const BOUND: &str = "driver = \"vfio-pci\"";

#[test]
fn groups_follow_where_they_are_not_given() {
    let port = |acs: &str| express("00:01.0", 4, 1, &format!("{BOUND}\n{acs}"));
    let behind = express("01:00.0", 0, 0, BOUND);
    let unbound = express("00:02.0", 9, 0, "");
    let machine = |acs: &str| parse(&with(&[port(acs), behind.clone(), unbound.clone()].concat()));
    assert_eq!(groups(&machine("").unwrap()), [Some(0), None, Some(0)]);
    let closed = ["acs = \"SV RR CR UF\"", "acs = \"quirk\"", "acs_capable = \"SV\"\nacs = \"SV\""];
    for acs in closed {
        assert_eq!(groups(&machine(acs).unwrap()), [Some(0), None, Some(1)], "{acs}");
    }
    for acs in ["acs = \"SV RR UF\"", "acs = \"\"", "acs_capable = \"SV UF\"\nacs = \"UF\""] {
        assert_eq!(groups(&machine(acs).unwrap()), [Some(0), None, Some(0)], "{acs}");
    }
    for (acs, message) in [
        ("acs = \"XX\"", "ACS has no bit `XX`"),
        ("acs = \"SV\"\nacs_capable = \"UF\"", "`acs` turns on what `acs_capable` does not have"),
        ("acs = \"quirk\"\nacs_capable = \"UF\"", "a function known by quirk has no `acs_capable`"),
    ] {
        let error = machine(acs).unwrap_err();
        assert!(error.message().starts_with(message), "{error}");
    }
}

#[test]
fn a_given_group_must_be_the_one_that_follows() {
    let two = |first: &str, second: &str| {
        let port = express("00:01.0", 4, 1, &format!("{BOUND}\n{first}"));
        [port, express("01:00.0", 0, 0, &format!("{BOUND}\n{second}"))].concat()
    };
    let machine = parse(&with(&two("group = 7", ""))).unwrap();
    assert_eq!(groups(&machine), [Some(7), Some(7)]);
    let (message, hint) = complaint(&two("group = 7", "group = 8"));
    assert_eq!(
        message,
        "group 8, but 01:00.0 cannot be kept apart from 00:01.0 of group 7: 01:00.0 with 00:01.0: \
         the port has no ACS that sends everything upstream"
    );
    assert!(hint.contains("groups = \"given\""), "{hint}");
    let closed = "acs = \"SV RR CR UF\"\ngroup = 7";
    let (message, _) = complaint(&two(closed, "group = 7"));
    assert_eq!(message, "group 7 is also that of 00:01.0, and nothing holds the two together");
    let given = with(&two("group = 7", "group = 8"));
    let given = format!("groups = \"given\"\n{given}");
    assert_eq!(groups(&parse(&given).unwrap()), [Some(7), Some(8)]);
    let (message, _) = complaint(&two("group = -1", ""));
    assert!(message.contains("a group has a number from 0"), "{message}");
    let (message, _) = complaint(&two("group = \"some\"", ""));
    assert!(message.contains("the number of a group or \"none\""), "{message}");
    // A device declared without a group has none, whatever follows for others.
    let machine = parse(&with(&two("group = \"none\"", ""))).unwrap();
    assert_eq!(groups(&machine), [None, Some(0)]);
}

#[test]
fn a_stream_has_one_device() {
    let bridge = express("00:01.0", 7, 2, "");
    let devices = |second: &str| {
        let first = express("02:01.0", 0, 0, BOUND);
        [bridge.clone(), first, express("02:02.0", 0, 0, second)].concat()
    };
    let machine = parse(&with(&devices(""))).unwrap();
    let second = at(&machine, "02:02.0");
    assert_eq!(second.group, None);
    // Its own StreamID is listed too; its transactions carry the bridge's.
    let numbers: Vec<_> = second.streams.iter().map(|stream| stream.get()).collect();
    assert_eq!((numbers, second.stream.get()), (vec![0x210, 0x200], 0x200));
    let (message, _) = complaint(&devices(BOUND));
    assert_eq!(
        message,
        "stream 0x200 of 02:02.0 is already 02:01.0's: the kernel gives it neither group nor driver"
    );
}

/// The map of the Armada 7040 (Linux 6.12, armada-7040.dtsi): three ranges under one mask.
#[test]
fn maps_turn_requester_identifiers_into_streams_and_device_ids() {
    let maps = "
        [iommu_map]
        mask = 0x031f
        entries = [
            { rid = 0x000, count = 0x20, stream = 0x480 },
            { rid = 0x100, count = 0x20, stream = 0x4a0 },
            { rid = 0x200, count = 0x20, stream = 0x4c0 },
        ]
        [msi_map]
        entries = [{ rid = 0x0100, count = 0x100, device_id = 0x2_0000 }]
    ";
    let port = express("00:01.0", 4, 1, BOUND);
    let far = express("03:00.0", 0, 0, "group = \"none\"");
    let below = [("01:00.0", ""), ("01:06.2", "streams = [0x7]\ndevice_id = 9")];
    let below: String = below.map(|(bdf, more)| express(bdf, 0, 0, more)).concat();
    let machine = parse(&with(&[maps, &port, &far, &below].concat())).unwrap();
    let known = |bdf: &str| {
        let function = at(&machine, bdf);
        (function.smmu, function.streams.clone(), function.its, function.device_id.get())
    };
    let stream = StreamId::new;
    // 0x8 is in no range of the second map, and no `msi_parent` takes it.
    assert_eq!(known("00:01.0"), (Some(0), vec![stream(0x488)], None, 8));
    assert_eq!(known("01:00.0"), (Some(0), vec![stream(0x4a0)], Some(0), 0x2_0000));
    // 0x132 under the mask is 0x112; stated identifiers win.
    assert_eq!(known("01:06.2"), (Some(0), vec![stream(7)], Some(0), 9));
    // 0x300 is in no range: it passes no SMMU, and its requester ID is its DeviceID.
    assert_eq!(known("03:00.0"), (None, vec![stream(0x300)], None, 0x300));
    let outside = maps.replace("rid = 0x100,", "rid = 0x120,");
    let (message, _) = complaint(&format!("{outside}{port}"));
    assert_eq!(message, "rid 0x120 has bits outside the mask 0x31f");
    let missing = maps.replace("0x480", "0x480, smmu = 1");
    assert_eq!(complaint(&format!("{missing}{port}")).0, "there is no SMMU number 1");
    let grouped = far.replace("\"none\"", "3");
    let (message, _) = complaint(&[maps, &port, &grouped].concat());
    assert_eq!(message, "03:00.0 has a group, but is behind no SMMU");
}

/// One map gives the ITS of a requester ID and its DeviceID there. A requester ID in no range goes
/// to the ITS of `msi_parent` unchanged; stated identifiers win.
#[test]
fn maps_name_an_its() {
    let its = "
        [gic.its]
        distributor = 0x0800_0000
        redistributors = 0x080a_0000
        its = [0x0808_0000, 0x0900_0000]
        [msi_map]
        entries = [{ rid = 0x0008, count = 8, its = 0, device_id = 0x40 }]
        [[platform]]
        name = \"dma\"
        its = 1
        device_id = 3
        messages = 1
    ";
    let functions = [("00:01.0", ""), ("00:02.0", ""), ("00:03.0", "its = 0\ndevice_id = 9")];
    let functions = functions.map(|(bdf, more)| express(bdf, 0, 0, more)).concat();
    let head = &SMALL[..SMALL.find("[gic.v2m]").unwrap()];
    let text = format!("msi_parent = 1\n{head}{its}{functions}");
    let machine = parse(&text).unwrap();
    let known = |bdf: &str| (at(&machine, bdf).its, at(&machine, bdf).device_id.get());
    assert_eq!(
        [known("00:01.0"), known("00:02.0"), known("00:03.0")],
        [(Some(0), 0x40), (Some(1), 0x10), (Some(0), 9)]
    );
    assert_eq!((machine.platforms[0].its, machine.platforms[0].device_id.get()), (1, 3));
    let cases = [
        ("msi_parent = 1", "msi_parent = 2"),
        ("its = 0, device_id", "its = 2, device_id"),
        ("its = 1\n", "its = 2\n"),
    ];
    for (was, is) in cases {
        let error = parse(&text.replacen(was, is, 1)).unwrap_err();
        assert_eq!(error.message(), "there is no ITS number 2", "{is}");
    }
    // GICv2m frames are one controller.
    let error = parse(&format!("msi_parent = 1\n{SMALL}")).unwrap_err();
    assert_eq!(error.message(), "there is no ITS number 1");
}

#[test]
fn virtual_functions_are_functions() {
    let sriov = "
        acs = \"quirk\"
        bars = [{ index = 0, start = 0x1000_0000, size = 0x4000, flags = 0x200 }]
        [function.sriov]
        offset = 128
        stride = 2
        enabled = 3
        device = 0x1515
        driver = \"vfio-pci\"
        bars = [{ index = 3, start = 0x2000_0000, size = 0x4000, flags = 0x200 }]
        msix = { vectors = 3, bar = 3, table = 0, pba = 0x2000 }
    ";
    let devices = express("00:01.0", 9, 0, &format!("{BOUND}\n{sriov}"));
    let machine = parse(&with(&devices)).unwrap();
    assert_eq!(groups(&machine), [0, 1, 2, 3].map(Some));
    let last = at(&machine, "00:11.4");
    assert_eq!((last.vendor, last.device, last.msix_vectors()), (1, 0x1515, Some(3)));
    assert_eq!((last.bars[0].start, last.pcie_type()), (0x2000_8000, Some(0)));
    assert_eq!(last.isolation.physical, Rid::parse("00:01.0"));
    assert_eq!((last.streams[0].get(), last.device_id.get()), (0x8c, 0x8c));
    assert_eq!(last.msix_pba().unwrap().offset, 0x2000);
    // Two more that are not enabled follow after all others.
    let more = devices.replacen("enabled = 3", "total = 6\nallowed = 5\nenabled = 3", 1);
    let machine = parse(&with(&more)).unwrap();
    assert_eq!(groups(&machine), [0, 1, 2, 3, 4, 5].map(Some));
    let off: Vec<_> = machine.functions.iter().filter(|it| it.off).map(|it| it.rid).collect();
    assert_eq!(off, [Rid::parse("00:11.6").unwrap(), Rid::parse("00:12.0").unwrap()]);
    let capability = at(&machine, "00:01.0").sriov.clone().unwrap();
    assert_eq!((capability.at, capability.total, capability.enabled), (0x100, 6, 3));
    assert_eq!(capability.bars[3], (0x2000_0000, 0xffff_c000));
    let cases = [
        ("enabled = 3", "total = 2\nenabled = 3", "3 enabled, 2 allowed, 2 in total"),
        ("index = 3", "index = 6", "there is no VF BAR 6"),
        ("offset = 128", "offset = 0", "cannot be"),
        ("enabled = 3", "enabled = 512", "cannot be"),
        ("vectors = 3", "vectors = 0", "an MSI-X table has 1 to 2048 vectors"),
        ("offset = 128", "offset = 0xffff", "lies beyond bus 0xff"),
        ("0x2000_0000", "0x1000_0001", "is no multiple of its size"),
        ("offset = 128\n        stride = 2", "offset = 1\n        stride = 0", "cannot be"),
    ];
    for (find, by, message) in cases {
        assert!(devices.contains(find), "{find}");
        let (found, _) = complaint(&devices.replacen(find, by, 1));
        assert!(found.contains(message), "{found}");
    }
}

#[test]
fn platform_devices_are_members_of_groups() {
    let sata = "[[platform]]\nname = \"sata\"\nstreams = [5]\ndriver = \"vfio-platform\"\n";
    let xor = "[[platform]]\nname = \"xor\"\nmessages = 1\ndriver = \"xor\"
        held = [{ irq = 30, vector = 0, name = \"xor\" }]\n";
    let function = express("00:01.0", 9, 0, BOUND);
    let machine = parse(&with(&[&function, sata, xor].concat())).unwrap();
    assert_eq!(groups(&machine), [Some(0)]);
    let platforms = &machine.platforms;
    assert_eq!((platforms[0].group, platforms[0].smmu), (Some(1), Some(0)));
    // One without a stream is behind no SMMU and has no group.
    assert_eq!((platforms[1].group, platforms[1].smmu, platforms[1].held[0].irq), (None, None, 30));
    let cases = [
        (xor.replace("messages = 1", "messages = 0"), "xor has no message 0"),
        (sata.replace("[5]", "[8]"), "stream 0x8 of platform device 0 is already 00:01.0's"),
        (sata.replace("[5]", "[5]\nsmmu = 1"), "there is no SMMU number 1"),
        (sata.replace("streams = [5]", "smmu = 0"), "sata is behind an SMMU and has no stream"),
        (format!("{sata}group = 0\n"), "group 0 is also that of 00:01.0"),
    ];
    for (platform, message) in cases {
        let (found, _) = complaint(&format!("{}{platform}", function.replace(BOUND, "group = 0")));
        assert!(found.starts_with(message), "{found}");
    }
}

#[test]
fn an_x86_like_iommu_has_its_own_window() {
    let text =
        with("").replace("iommu = \"flat\"", "iommu = { x86 = { remaps_interrupts = false } }");
    let machine = parse(&text).unwrap();
    let Iommu::X86(X86 { messages, remaps_interrupts, .. }) = machine.iommu else { panic!() };
    assert_eq!((messages.start().get(), messages.last().get()), (0xfee0_0000, 0xfeef_ffff));
    assert!(!remaps_interrupts);
    let wrong = text.replace("{ remaps", "{ messages = { start = 2, last = 1 }, remaps");
    assert_eq!(parse(&wrong).unwrap_err().message(), "`last` lies before `start`");
}

#[test]
fn two_smmus_share_nothing_but_the_board() {
    let machine = super::builtin("two-smmus").unwrap().unwrap();
    let super::Gic::V2m(gic) = &machine.gic else { panic!("not a GICv2m") };
    let first: Vec<_> = gic.frames.iter().map(|frame| frame.first).collect();
    assert_eq!(first, [IntId::new(192), IntId::new(224)]);
    let function = at(&machine, "81:10.6");
    assert_eq!((function.smmu, function.streams[0].get()), (Some(1), 0x1186));
    assert_eq!((function.device_id.get(), function.msix_vectors()), (0x2_0186, Some(3)));
    let bridged = at(&machine, "03:01.0");
    assert_eq!(bridged.streams, [0x308, 0x300].map(StreamId::new));
    assert_eq!(bridged.device_id, DeviceId::new(0x300));
}
