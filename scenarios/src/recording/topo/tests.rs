use passim_model::{Iova, PageSize, PhysAddr, Rid, Span};

use super::{KernelVersion, Topology};
use crate::input_error::{InputError, SourceText};

const BOARD: &str = r#"{"board":{"machine":"virt","gic":"its","smmu":"stage1+2","cpus":2,"cpu":"cortex-a72","ram":2147483648,"ram_base":"0x40000000","page":16384,"kernel":"6.12.95","io_strict_devmem":true,"tag":"t","suites":"s"}}"#;

fn parse(lines: &str) -> Result<Topology, InputError> {
    Topology::parse(SourceText::new("topo.jsonl", format!("{BOARD}\n{lines}\n")))
}

#[test]
fn every_kind_of_line_is_read() {
    let topology = parse(concat!(
        r#"{"kernel":"Linux version 6.12.95","pagesize":16384,"boottime":1.242}"#,
        "\n",
        r#"{"module":"vfio","params":"","ret":0,"e":"OK"}"#,
        "\n",
        r#"{"pci":"0000:00:00.0","vid":"1b36","did":"0008","class":"0x060000","group":-1,"bind":0,"driver":""}"#,
        "\n",
        r#"{"pci":"0000:00:01.0","vid":"1234","did":"11e8","class":"0x00ff00","group":2,"bind":0,"driver":"vfio-pci"}"#,
        "\n",
        r#"{"group":2,"dev":"0000:00:01.0","reserved_regions":"0x0000000008000000 0x00000000080fffff msi","type":"DMA"}"#,
        "\n",
        r#"{"pci_config":"0000:00:01.0","bars":[{"i":0,"addr":"0x10000000","size":"0x100000","flags":"0x40200"}],"config_size":256,"msi":"0x40","msix":null,"pcie":null,"reset_method":"","config":"3412e811"}"#,
        "\n",
        r#"{"irq_at_boot":11,"line":" 11:  330  329  GICv3  27 Level  arch_timer"}"#,
        "\n",
        r#"{"irqs_allocated":[3,1,2,2]}"#,
    ))
    .unwrap();
    assert_eq!(topology.board.page, PageSize::K16);
    assert_eq!(topology.board.ram_base, PhysAddr::new(0x4000_0000));
    assert_eq!(topology.board.version, KernelVersion { major: 6, minor: 12, patch: 95 });
    assert_eq!(topology.modules[0].name, "vfio");
    assert_eq!((topology.devices[0].group, &topology.devices[0].driver), (None, &None));
    let edu = &topology.devices[1];
    assert_eq!((edu.vendor, edu.device, edu.class, edu.group), (0x1234, 0x11e8, 0xff00, Some(2)));
    let member = &topology.members[0];
    assert_eq!(member.rid, Rid::from_bdf(0, 1, 0).unwrap());
    let window = Span::new(Iova::new(0x800_0000), Iova::new(0x80f_ffff)).unwrap();
    assert_eq!((member.reserved[0].span, member.reserved[0].kind.as_str()), (window, "msi"));
    let config = &topology.configs[0];
    assert_eq!((config.line, config.msi, config.msix), (7, Some(0x40), None));
    assert_eq!((config.reset_method.as_ref(), config.config.len()), (None, 4));
    assert_eq!(topology.interrupts[0].irq, 11);
    assert_eq!(topology.irqs_allocated, [1, 2, 3]);
}

#[test]
fn what_is_no_topology_is_refused() {
    let refusal = |lines| parse(lines).unwrap_err().to_string();
    assert_eq!(
        refusal(r#"{"novel":1}"#),
        "topo.jsonl:2:1: a topology has no line of kind \"novel\""
    );
    assert_eq!(
        refusal(r#"{"irq_at_boot":1,"line":"x"}"#),
        "topo.jsonl:2:1: not a line of /proc/interrupts"
    );
    assert!(
        refusal(r#"{"group":1,"dev":"00:01.0","reserved_regions":"0x2 0x1 msi"}"#)
            .contains("start, last, kind")
    );
    let empty = Topology::parse(SourceText::new("topo.jsonl", "")).unwrap_err();
    assert_eq!(empty.to_string(), "topo.jsonl: a topology begins with a `board` line");
    let page = BOARD.replace("16384", "8192");
    let error = Topology::parse(SourceText::new("topo.jsonl", page)).unwrap_err();
    assert!(error.to_string().contains("expected 4096, 16384 or 65536"), "{error}");
}

#[test]
fn versions_end_where_their_numbers_end() {
    let version = |major, minor, patch| Some(KernelVersion { major, minor, patch });
    assert_eq!(KernelVersion::parse("6.12.95"), version(6, 12, 95));
    assert_eq!(KernelVersion::parse("6.1"), version(6, 1, 0));
    assert_eq!(KernelVersion::parse("6.1.0-13-arm64"), version(6, 1, 0));
    assert_eq!(KernelVersion::parse("7.2.0-rc1"), version(7, 2, 0));
    for text in ["", "6", "6.", "six", ".1", "6..1", "99999999999.1"] {
        assert_eq!(KernelVersion::parse(text), None, "{text}");
    }
    assert_eq!(version(6, 12, 95).unwrap().to_string(), "6.12.95");
}
