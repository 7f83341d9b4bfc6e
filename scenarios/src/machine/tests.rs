use passim_gic::choice::Preset;
use passim_gic::choice::its::CommandErrors;
use passim_model::{IntId, Iova, PageSize, PhysAddr, Rid, Span, StreamId};
use passim_vfio::policy::Smmu2Entries;

use super::{
    BUILTIN, BarOffset, Function, Gic, GicBuilt, Iommu, Machine, Parameters, Reserved,
    ReservedKind, builtin,
};
use crate::input_error::{InputError, SourceText};

mod devices;
mod smmuv2;

const SMALL: &str = r#"
name = "small"
cpus = 1
page_size = "64K"
iommu = "flat"

[[ram]]
base = 0x4000_0000
size = "1G"

[gic.v2m]
distributor = 0x0800_0000
cpu_interface = 0x0801_0000
frames = [{ base = 0x0802_0000, first_spi = 48, spis = 64 }]

[[function]]
bdf = "00:01.0"
vendor = 0x1234
device = 0x11e8
class = 0x00ff00
"#;

fn parse(text: &str) -> Result<Machine, InputError> {
    Machine::parse(&SourceText::new("m.toml", text))
}

/// The error for the small machine with `line` replaced by `by`.
fn refusal(line: &str, by: &str) -> String {
    assert!(SMALL.contains(line), "{line}");
    parse(&SMALL.replacen(line, by, 1)).unwrap_err().to_string()
}

fn at(machine: &Machine, bus: u8, device: u8) -> &Function {
    machine.function(Rid::from_bdf(bus, device, 0).unwrap()).unwrap()
}

#[test]
fn a_small_machine_gets_its_defaults() {
    let machine = parse(SMALL).unwrap();
    assert_eq!((machine.page_size, machine.profile.as_str()), (PageSize::K64, "msi-v9"));
    assert_eq!((&machine.iommu, machine.parameters), (&Iommu::Flat, Parameters::default()));
    let bank = Span::from_size(PhysAddr::new(0x4000_0000), 1 << 30).unwrap();
    assert_eq!(machine.ram, [bank]);
    let Gic::V2m(gic) = &machine.gic else { panic!("not a GICv2m") };
    assert_eq!((gic.frames[0].first, gic.frames[0].count), (IntId::new(80), 64));
    assert_eq!((gic.spis, gic.security_extensions, gic.frames[0].properties), (256, false, None));
    let edu = at(&machine, 0, 1);
    assert_eq!((edu.config_size, edu.streams.as_slice()), (256, &[StreamId::new(8)][..]));
    assert_eq!((edu.msi_vectors(), edu.device_id.get()), (None, 8));
}

/// A frame's device tree properties are for the kernel; its registers are the hardware's.
#[test]
fn a_frame_may_be_described_otherwise_than_it_is() {
    let properties = "spis = 64, msi_base_spi = 160, msi_num_spis = 32";
    let text = SMALL.replacen("spis = 64", properties, 1);
    let machine = parse(&text.replacen("frames", "security_extensions = true\nframes", 1)).unwrap();
    let Gic::V2m(gic) = &machine.gic else { panic!("not a GICv2m") };
    assert!(gic.security_extensions);
    assert_eq!(gic.frames[0].properties, Some((IntId::new(160), 32)));
    assert_eq!((gic.frames[0].first, gic.frames[0].count), (IntId::new(80), 64));
}

/// The driver probes frames in the listed order, not by address.
#[test]
fn frames_keep_the_order_in_which_they_are_described() {
    let first = SMALL.find("frames = [").unwrap() + "frames = [".len();
    let other = "{ base = 0x0802_1000, first_spi = 160, spis = 16 }";
    let (before, after) = SMALL.split_at(first);
    let bases = |text: &str| {
        let machine = parse(text).unwrap();
        let Gic::V2m(gic) = &machine.gic else { panic!("not a GICv2m") };
        gic.frames.iter().map(|frame| frame.first.get()).collect::<Vec<_>>()
    };
    assert_eq!(bases(&format!("{before}{other}, {after}")), [192, 80]);
    let after = after.replacen("}]", &format!("}}, {other}]"), 1);
    assert_eq!(bases(&format!("{before}{after}")), [80, 192]);
}

#[test]
fn built_in_machines_are_sound() {
    for (name, _) in BUILTIN {
        let machine = builtin(name).unwrap().unwrap();
        assert_eq!(machine.name, *name);
        assert!(machine.isolation(Smmu2Entries::OfTheDevice).is_some(), "{name}");
    }
    for recorded in ["virt-gicv2m", "virt-its"] {
        let machine = builtin(recorded).unwrap().unwrap();
        assert_eq!((machine.functions.len(), machine.irqs_allocated.len()), (11, 25));
    }
    assert_eq!(builtin("thunderx"), None);
}

#[test]
fn capabilities_say_what_a_built_in_device_offers() {
    let machine = builtin("virt-its").unwrap().unwrap();
    let (edu, e1000e, nvme) = (at(&machine, 0, 1), at(&machine, 0, 2), at(&machine, 0, 3));
    assert_eq!((edu.msi_vectors(), edu.msix_vectors()), (Some(1), None));
    assert_eq!((e1000e.msi_vectors(), e1000e.msix_vectors()), (Some(1), Some(5)));
    assert_eq!(e1000e.msix_table(), Some(BarOffset { bar: 3, offset: 0 }));
    assert_eq!(e1000e.msix_pba(), Some(BarOffset { bar: 3, offset: 0x2000 }));
    assert_eq!((nvme.msi_vectors(), nvme.msix_vectors()), (None, Some(65)));
    assert_eq!(nvme.msix_table(), Some(BarOffset { bar: 0, offset: 0x2000 }));
    assert!(e1000e.bars[2].is_io() && e1000e.bars[2].memory().is_none());
    let window = Span::new(Iova::new(0x800_0000), Iova::new(0x80f_ffff)).unwrap();
    assert_eq!(edu.reserved, [Reserved { span: window, kind: ReservedKind::Msi }]);
    assert_eq!(at(&machine, 0, 5).secondary_bus(), Some(1));
    assert_eq!(at(&machine, 0, 6).held[0].irq, 23);
}

#[test]
fn mistakes_are_found_where_they_are() {
    let cases = [
        ("cpus = 1", "cpus = 0", "m.toml:3:8: a machine has at least one CPU"),
        ("\"64K\"", "\"8K\"", "m.toml:4:13: a page has 4K, 16K or 64K bytes"),
        ("size = \"1G\"", "size = 0", "m.toml:7:1: 0x0 bytes from 0x40000000 is no range"),
        (
            "spis = 64",
            "spis = 209",
            "m.toml:11:2: a frame has at least one SPI, all of them SPIs of the distributor",
        ),
        ("frames", "spis = 1000\nframes", "m.toml:11:2: `spis` is a multiple of 32, up to 992"),
        (
            "spis = 64",
            "spis = 64, msi_base_spi = 96",
            "m.toml:11:2: `msi_base_spi` and `msi_num_spis` are given together",
        ),
        ("0x00ff00", "0x100ff00", "m.toml:17:7: class 0x100ff00 has more than 24 bits"),
        ("0x11e8", "0x111e8", "m.toml:19:10: 0x111e8 has more than 16 bits"),
        ("\nclass", "\nsmmu = 1\nclass", "m.toml:17:7: there is no SMMU number 1"),
        (
            "\nclass",
            "\nmsi = 0x40\nclass",
            "m.toml:17:7: msi = 0x40 points into a configuration space not given",
        ),
        (
            "\nclass",
            "\nmsi = 0xf8\nconfig = \"00\"\nclass",
            "m.toml:17:7: msi = 0xf8 is no place for a capability",
        ),
        (
            "\nclass",
            "\nmsi = 0x40\nconfig = \"00\"\nclass",
            "m.toml:17:7: msi = 0x40: capability 0x00 is there, not 0x05",
        ),
        (
            "\nclass",
            "\nbars = [{ index = 0, start = 0x1800, size = 0x1000, flags = 0x200 }]\nclass",
            "m.toml:17:7: BAR 0: 0x1800 is no multiple of its size",
        ),
    ];
    for (line, by, message) in cases {
        assert_eq!(refusal(line, by), message);
    }
    let config = format!("\nconfig = \"{}\"\nclass", "00".repeat(257));
    assert!(refusal("\nclass", &config).contains("257 bytes, of which only 256"));
    let twice = format!("{SMALL}{}", &SMALL[SMALL.find("[[function]]").unwrap()..]);
    assert_eq!(parse(&twice).unwrap_err().to_string(), "m.toml:22:7: two functions at 00:01.0");
}

#[test]
fn a_gicv3_chooses_as_its_preset_says() {
    const GIC: &str = "[gic.its]\ndistributor = 0x8000000\nredistributors = 0x80a0000\n\
                       its = 0x8080000\n";
    let from = SMALL.find("[gic.v2m]").unwrap();
    let to = from + SMALL[from..].find("[[function]]").unwrap();
    let with = |lines: &str| {
        parse(&format!("{}{GIC}{lines}\n{}", &SMALL[..from], &SMALL[to..])).map(|it| it.gic)
    };
    let preset = |lines: &str| {
        let Gic::Its(gic) = with(lines).unwrap() else { panic!("no ITS") };
        gic.preset
    };
    assert_eq!(preset(""), Preset::Qemu);
    for chosen in Preset::ALL {
        assert_eq!(preset(&format!("preset = \"{}\"", chosen.name())), chosen);
    }
    assert_eq!(preset("preset = \"adversarial\"\nseed = 7"), Preset::Adversarial(7));
    let error = with("preset = \"gic60\"").unwrap_err();
    assert_eq!(error.to_string(), "m.toml:15:10: no preset of a GIC is called `gic60`");
    assert_eq!(error.hint(), "did you mean `gic600`?");
    let error = with("preset = \"gic600\"\nseed = 7").unwrap_err();
    assert_eq!(error.to_string(), "m.toml:16:8: only a preset with chance has a seed");
    assert_eq!(error.hint(), "`adversarial` does");
    let built = |lines: &str| {
        let Gic::Its(gic) = with(lines).unwrap() else { panic!("no ITS") };
        (gic.built.command_errors, gic.built.event_bits, gic.built.direct_lpi)
    };
    assert_eq!(built(""), (None, None, None));
    let said = built("command_errors = \"report\"\nevent_bits = 5\ndirect_lpi = true");
    assert_eq!(said, (Some(CommandErrors::Report), Some(5), Some(true)));
    let error = with("command_errors = \"panic\"").unwrap_err();
    assert_eq!(error.to_string(), "m.toml:15:18: `command-errors` has no value `panic`");
    assert_eq!(error.hint(), "it takes ignore, report, stall");
    let error = with("event_bits = 33").unwrap_err();
    assert_eq!(error.to_string(), "m.toml:15:14: `event-bits` has no value `33`");
    let Gic::Its(gic) = with(FEATURES).unwrap() else { panic!("no ITS") };
    let said = "cache=16,device-bits=20,collection-bits=none,intid-bits=14,held-collections=2,\
                targets=address,table-pages=4K,table-entry=16,two-level=devices,entries=kvm,\
                unmapped-messages=off,invalidation-registers=on,message-spis=off";
    let mut expected = GicBuilt::default();
    for (key, value) in said.split(',').map(|key| key.split_once('=').unwrap()) {
        expected.set(key, value).unwrap();
    }
    assert_eq!(gic.built, expected);
    let error = with("targets = \"addresses\"").unwrap_err();
    assert_eq!(error.to_string(), "m.toml:15:11: `targets` has no value `addresses`");
    assert_eq!(error.hint(), "it takes number, address");
    let error = with("held_collections = 256").unwrap_err();
    assert_eq!(error.to_string(), "m.toml:15:20: `held-collections` has no value `256`");
    assert!(with("two_levels = \"both\"").unwrap_err().to_string().contains("two_levels"));
}

/// Every feature of an ITS that has a key of its own in a machine file.
const FEATURES: &str = "
cache = 16
device_bits = 20
collection_bits = \"none\"
intid_bits = 14
held_collections = 2
targets = \"address\"
table_pages = \"4K\"
table_entry = 16
two_level = \"devices\"
entries = \"kvm\"
unmapped_messages = false
invalidation_registers = true
message_spis = false
";

#[test]
fn what_is_not_known_is_refused() {
    let unknown = refusal("cpus = 1", "cpus = 1\ncpu = 1");
    assert!(unknown.starts_with("m.toml:4:1: unknown field `cpu`"), "{unknown}");
    let missing = refusal("cpus = 1", "");
    assert!(missing.contains("missing field `cpus`"), "{missing}");
    let syntax = refusal("cpus = 1", "cpus = = 1");
    assert!(syntax.starts_with("m.toml:3:"), "{syntax}");
    let form = refusal("\"00:01.0\"", "\"one\"");
    assert!(form.starts_with("m.toml:17:7: invalid value: string \"one\""), "{form}");
    let spi = refusal("first_spi = 48", "first_spi = 988");
    assert!(spi.contains("there is no SPI 988"), "{spi}");
}

#[test]
fn an_interrupt_number_is_a_positive_int() {
    let held = |irq: u64| {
        format!("class = 0x00ff00\nheld = [{{ irq = {irq}, vector = 0, name = \"it\" }}]")
    };
    let allocated = |irq: u64| format!("cpus = 1\nirqs_allocated = [3, {irq}]");
    for irq in [0, 0x7fff_ffff, 0xffff_ffff] {
        let said = format!("there is no interrupt number {irq}");
        let error = refusal("class = 0x00ff00", &held(irq));
        assert!(error.contains(&said), "{error}");
        let error = refusal("cpus = 1", &allocated(irq));
        assert!(error.starts_with("m.toml:4:22: ") && error.contains(&said), "{error}");
    }
    for irq in [1, 0x7fff_fffe] {
        parse(&SMALL.replacen("cpus = 1", &allocated(irq), 1)).unwrap();
        parse(&SMALL.replacen("class = 0x00ff00", &held(irq), 1)).unwrap();
    }
}

#[test]
fn a_machine_sets_single_choices_or_says_which_it_does_not_know() {
    let with = |line: &str| SMALL.replacen("cpus = 1", &format!("cpus = 1\npolicy = {line}"), 1);
    let machine = parse(&with("{ zero-page = \"unshared\" }")).unwrap();
    let mut policy = passim_vfio::Profile::MsiV9.policy();
    machine.choices.apply(&mut policy);
    assert_eq!(policy.zero_page, passim_vfio::policy::ZeroPage::Unshared);
    let refused = |line: &str| parse(&with(line)).unwrap_err();
    let error = refused("{ zero-pages = \"unshared\" }");
    assert_eq!((error.line(), error.column()), (Some(4), Some(12)));
    assert_eq!(error.hint(), "did you mean `zero-page`?");
    let error = refused("{ zero-page = \"unshard\" }");
    assert_eq!((error.line(), error.column()), (Some(4), Some(24)));
    assert_eq!(error.hint(), "did you mean `unshared`?");
    let text = SMALL.replacen("cpus = 1", "cpus = 1\nprofile = \"linux-612\"", 1);
    let error = parse(&text).unwrap_err();
    assert_eq!((error.line(), error.hint()), (Some(4), "did you mean `linux-6.12`?"));
}
