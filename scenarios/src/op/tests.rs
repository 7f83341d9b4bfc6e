use super::Op;
use std::collections::BTreeSet;

/// Lines that contain every kind of field.
const LINES: &[&str] = &[
    "machine virt-its",
    "machine virt-gicv2m profile=linux-6.12 allow_unsafe_interrupts=y dma_entry_limit=3 \
     set=\"zero-page=pinned,short-info=bytes\" pace=stepped",
    "process memlock=0x10000",
    "in 2",
    "fork",
    "area A size=0x4000 kind=untouched prot=r",
    "fill va=A+0x10 bytes=00ff",
    "attach dev=00:01.0 type=v1 container=3",
    "ioctl fd=-1 nr=0x3b71 arg=-1",
    "ioctl fd=3 nr=0x3b71 bytes=\"\"",
    "map iova=0x10000 va=A size=0x2000 prot=r|w fd=3",
    "map iova=0x10000 va=0x100000000000 size=0x2000 prot=- flags=0x4",
    "unmap iova=0x10000 size=0x2000 flags=0x2 argsz=24",
    "enable dev=00:02.0 vectors=4 index=msi start=1",
    "disable dev=00:02.0",
    "set-irqs dev=00:02.0 index=intx flags=0x24 start=0 count=1 data=ffffffff",
    "eventfd dev=00:02.0 vector=3",
    "affinity irq=26 cpu=1",
    "interrupts",
    "dirty get iova=0x0 size=0x1000",
    "write-attribute /sys/module/vfio_iommu_type1/parameters/dma_entry_limit value=40",
    "open \"/tmp/a file\"",
    "bare virt-its smmu=everything pace=stepped",
    "smmu-register CR0 smmu=0 value=0x8 smmuen=0x1 eventqen=0x1",
    "ste at=0x41000200 v=0x1 config=0x5 s1contextptr=0x44000000",
    "descriptor at=0x45000000 kind=page oa=0x48000000 granule=0x10000 ds=y af=0x1",
    "command CFGI_CD streamid=0x8 leaf=0x1",
    "transaction sid=8 ssid=1 iova=0x10000 access=w priv=y size=0x8",
];

#[test]
fn a_line_prints_as_it_was_read() {
    for line in LINES {
        let op = Op::parse("test", line).unwrap();
        assert_eq!(op.to_string(), *line);
        assert_eq!(Op::parse("test", &op.to_string()).unwrap(), op);
    }
}

#[test]
fn verbs_are_unique_and_explained() {
    let verbs = Op::verbs();
    let names: BTreeSet<_> = verbs.iter().map(|verb| verb.name).collect();
    assert_eq!(names.len(), verbs.len());
    assert!(verbs.iter().all(|verb| verb.does.ends_with('.')));
}

#[test]
fn what_is_wrong_is_pointed_at() {
    let error = Op::parse("x", "mapp iova=0x0").unwrap_err();
    assert_eq!((error.column(), error.hint()), (Some(1), "did you mean `map`?"));
    let error = Op::parse("x", "map iova=0x1000 va=A sise=4K prot=r").unwrap_err();
    assert_eq!((error.column(), error.hint()), (Some(22), "did you mean `size`?"));
    let error = Op::parse("x", "unmap iova=0x1000 size=4K fl=0").unwrap_err();
    assert_eq!(error.column(), Some(27));
    let error = Op::parse("x", "attach dev=00:99.0").unwrap_err();
    assert_eq!(error.column(), Some(12));
}
