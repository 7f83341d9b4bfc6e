use std::path::Path;

use passim_model::{Iova, PageSize, PhysAddr, Rid, UserAddr};
use proptest::prelude::*;

use super::super::step::{
    Area, AreaKind, Capabilities, DumpKind, Fill, FillPattern, PhysRun, Prot, Step,
};
use super::{Answer, IoctlArgument, IoctlLine, Line, StatusCounter};
use crate::input_error::InputError;

fn parse(text: &str) -> Result<Line, InputError> {
    Line::parse(Path::new("r.jsonl"), 7, text)
}

fn step(text: &str) -> Step {
    match parse(text).unwrap() {
        Line::Step(step) => step,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_process_begins() {
    let text = r#"{"step":"start","proc":0,"fds":[0,1,2],"memlock":8388608,"caps":"all","params":{"allow_unsafe_interrupts":"N","disable_hugepages":"Y","dma_entry_limit":"65535"}}"#;
    let Step::Start(start) = step(text) else { panic!("not a start") };
    assert_eq!((start.fds.as_slice(), start.memlock), (&[0, 1, 2][..], 8 << 20));
    assert_eq!(start.caps, Capabilities::All);
    assert_eq!(start.params.allow_unsafe_interrupts, Some(false));
    assert_eq!(start.params.disable_hugepages, Some(true));
    // In quotes and yet decimal: it is text that the kernel printed.
    assert_eq!(start.params.dma_entry_limit, Some(65535));
}

#[test]
fn memory_is_made_and_written() {
    let text = r#"{"step":"mmap","va":null,"len":"0x200000","prot":"rw","kind":"hugetlb-2m","errno":12,"e":"ENOMEM"}"#;
    let Step::Mmap(mmap) = step(text) else { panic!("not an mmap") };
    assert_eq!((mmap.va, mmap.len, mmap.errno), (None, 0x20_0000, 12));
    assert_eq!(mmap.kind, AreaKind::Hugetlb(PageSize::from_lg2(21).unwrap()));
    assert_eq!(mmap.prot, Prot::ReadWrite);

    let va = UserAddr::new(0x1000_0000_0000);
    let area = Area { va, len: 0x1_0000 };
    assert_eq!(
        step(r#"{"step":"touch","va":"0x100000000000","len":"0x10000"}"#),
        Step::Touch(area)
    );
    let fill = |pattern, len| Step::Fill(Fill { va, len, pattern });
    assert_eq!(
        step(r#"{"step":"fill","va":"0x100000000000","len":"0x40","byte":"0xa5"}"#),
        fill(FillPattern::Byte(0xa5), 0x40)
    );
    assert_eq!(
        step(r#"{"step":"fill","va":"0x100000000000","len":"0x2","hex":"0001"}"#),
        fill(FillPattern::Bytes(vec![0, 1]), 2)
    );
    let Step::Phys(phys) =
        step(r#"{"step":"phys","va":"0x100000000000","runs":[["0x42e31000",16],[null,3]]}"#)
    else {
        panic!("not a phys")
    };
    let first = PhysRun(Some(PhysAddr::new(0x42e3_1000)), 16);
    assert_eq!(phys.runs, [first, PhysRun(None, 3)]);
}

#[test]
fn dumps_name_their_file_and_devices() {
    let text = r#"{"step":"dump","what":"smmu","name":"a/b","devs":"A=00:01.0 B=00:02.0"}"#;
    let Step::Dump(dump) = step(text) else { panic!("not a dump") };
    assert_eq!((dump.what, dump.file_stem().as_str()), (DumpKind::Smmu, "smmu_a_b"));
    assert_eq!(dump.devs[1].name, "B");
    assert_eq!(dump.devs[1].dev, Rid::from_bdf(0, 2, 0).unwrap());
}

#[test]
fn ioctls_have_one_form() {
    let by_step = r#"{"step":"ioctl","fd":4,"req":"R","nr":15208,"in":"0300","ret":0,"errno":0,"out":"0301"}"#;
    let by_name = r#"{"n":1,"fd":"group","fdn":4,"req":"R","nr":15208,"in":"0300","ret":0,"errno":0,"e":"OK","out":"0301","note":""}"#;
    let (Line::Ioctl(step), Line::Ioctl(named)) =
        (parse(by_step).unwrap(), parse(by_name).unwrap())
    else {
        panic!("not ioctls")
    };
    assert_eq!((step.number, named.number), (None, Some(1)));
    assert_eq!(IoctlLine { number: Some(1), ..step.clone() }, named);
    assert_eq!((step.fd, step.nr), (4, 15208));
    let (before, after) = (vec![3, 0], vec![3, 1]);
    assert_eq!(step.argument, IoctlArgument::Buffer { before, after });

    let value = r#"{"n":1,"fd":"c","fdn":-1,"req":"R","nr":15206,"arg":-1,"ret":-1,"errno":9}"#;
    let Line::Ioctl(value) = parse(value).unwrap() else { panic!("not an ioctl") };
    assert_eq!((value.fd, value.argument), (-1, IoctlArgument::Value(u64::MAX)));

    let null =
        r#"{"n":1,"fd":"c","fdn":3,"req":"R","nr":15216,"in":"","ret":-1,"errno":14,"out":""}"#;
    let Line::Ioctl(null) = parse(null).unwrap() else { panic!("not an ioctl") };
    assert_eq!(null.argument, IoctlArgument::Null);
}

#[test]
fn maps_and_unmaps_are_told_from_those_of_random_traces() {
    let map = r#"{"n":3,"op":"map","fdn":3,"argsz":32,"flags":3,"iova":"0x40000000","vaddr":"0x100000000000","vsym":"A+0x0","size":"0x1000","ret":0,"errno":0,"e":"OK","note":""}"#;
    let Line::Map(map) = parse(map).unwrap() else { panic!("not a map") };
    assert_eq!((map.iova, map.size, map.flags), (Iova::new(0x4000_0000), 0x1000, 3));

    let random = r#"{"k":0,"op":"map","fdn":3,"iova":"0x40000000","voff":-4096,"size":"0x1000","flags":3,"argsz":32,"ret":-1,"errno":14}"#;
    let Line::RandomMap(random) = parse(random).unwrap() else { panic!("not a random map") };
    assert_eq!(random.voff, 4096u64.wrapping_neg());

    let unmap = r#"{"k":1,"op":"unmap","fdn":3,"iova":"0x40026000","size":"0x6000","flags":0,"argsz":24,"ret":0,"errno":0,"got":"0x6000"}"#;
    let Line::RandomUnmap(unmap) = parse(unmap).unwrap() else { panic!("not a random unmap") };
    assert_eq!(unmap.got, 0x6000);
}

#[test]
fn answers_and_inputs_are_told_by_their_first_key() {
    let status = parse(r#"{"status":"VmLck:\t     280 kB","at":"after it"}"#).unwrap();
    let Line::Answer(Answer::Status(status)) = status else { panic!("not a status") };
    assert_eq!((status.counter, status.kib), (StatusCounter::Locked, 280));

    let Line::ArenaPfn(arena) = parse(r#"{"arena_pfn":[5,-1]}"#).unwrap() else {
        panic!("not an arena")
    };
    assert_eq!(arena.pfns, [Some(5), None]);

    let entry =
        r#"{"msix_entry":4,"dev":"00:02.0","tag":"","addr":"0x8000040","data":"0x4","ctl":"0x1"}"#;
    let Line::Answer(Answer::MsixEntry(entry)) = parse(entry).unwrap() else {
        panic!("not an entry")
    };
    assert_eq!((entry.index, entry.addr, entry.ctl), (4, Iova::new(0x800_0040), 1));

    assert_eq!(parse(r#"{"bitmap":"0 0 0"}"#).unwrap(), Line::Summary("bitmap"));
    let family = parse(r#"{"close_group_with_device_open":1}"#).unwrap();
    assert_eq!(family, Line::Summary("close_group"));
    assert_eq!(parse(r#"{"novel":1}"#).unwrap(), Line::Unknown("novel".into()));
    assert_eq!(parse(r#"{"step":"dance"}"#).unwrap(), Line::Unknown("step dance".into()));
}

#[test]
fn errors_say_what_is_wrong_and_where() {
    let cases = [
        ("{\"step\":\"open\",", "r.jsonl:7:15: EOF while parsing a value"),
        ("[1]", "r.jsonl:7:1: invalid type: sequence, expected a JSON object"),
        (r#"{"step":"close"}"#, "r.jsonl:7:16: missing field `fd`"),
        (
            r#"{"step":"close","fd":"seven"}"#,
            "r.jsonl:7:22: invalid type: string \"seven\", expected i32",
        ),
        (
            r#"{"step":"munmap","va":"0x10g","len":0}"#,
            "r.jsonl:7:23: invalid value: string \"0x10g\", expected hexadecimal digits",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(parse(text).unwrap_err().to_string(), message);
    }
}

#[test]
fn a_fill_of_any_length_is_cheap_to_read() {
    step(r#"{"step":"fill","va":"0x0","len":"0xffffffffffffffff","byte":"0x00"}"#);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        let _ = parse(&text);
    }

    #[test]
    fn any_value_of_any_field_is_read_or_refused(
        kind in "step|op|req|status|arena_pfn|expect|msi_cap",
        value in r#"-?[0-9]{1,20}|"0x[0-9a-g]{0,17}"|null|\[\]|"open"|"fill"|"map"|"mmap""#,
        key in "fd|va|len|hex|byte|kind|n|k|fdn|dev",
        other in r#"-?[0-9]{1,20}|"0x[0-9a-f]{0,17}"|null|"bar""#,
    ) {
        let _ = parse(&format!("{{\"{kind}\":{value},\"{key}\":{other}}}"));
    }
}
