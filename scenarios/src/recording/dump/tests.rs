use passim_model::{Iova, PhysAddr, StreamId};

use super::SmmuDump;
use crate::input_error::{InputError, SourceText};

const DUMP: &str = r#"{"tag":"t","regs":{"IDR0":"0xd44101b","CR0":"0xd"},
"streams":[{"dev":"00:01.0","name":"A","sid":"0x8","strtab_fmt":1,"split":8,"l1std_pa":"0x108ca9000","l1std":["0xfc180009"],"ste_pa":"0xfc180200","ste":["0x108ea200b","0xd6","0x0","0x0","0x0","0x0","0x0","0x0"],"cfg":5,"cd_pa":"0x108ea2000","cd":["0x7e204c0003510","0x108e42000","0x0","0x0","0x0","0x0","0x0","0x0"],"start_level":0,
"tables":[{"pa":"0x108e42000","level":0,"n":512,"base":"0x0","ent":{"0":"0x108e43003","256":"0x108d1b003"}}],
"leaves":[["0x1000","0x109cb1000","0x1000","0x109cb1f47"]]}],
"cmdq":{"pa":"0xfc200000","n":65536,"prod":132,"wrapflag":0,"entries":[[130,"0x7000000000012","0x1701"]]},
"eventq":{"pa":"0xfc300000","n":32768,"prod":0,"wrapflag":0,"entries":[]}}"#;

fn parse(text: String) -> Result<SmmuDump, InputError> {
    SmmuDump::parse(&SourceText::new("smmu_t.json", text))
}

#[test]
fn a_dump_is_read() {
    let dump = parse(DUMP.to_owned()).unwrap();
    assert_eq!(dump.regs["IDR0"], 0xd44_101b);
    let stream = &dump.streams[0];
    assert_eq!((stream.stream, stream.ste[0]), (StreamId::new(8), 0x1_08ea_200b));
    assert_eq!(stream.cd.unwrap()[1], 0x1_08e4_2000);
    assert_eq!(stream.l1std_pa, Some(PhysAddr::new(0x1_08ca_9000)));
    let table = &stream.tables[0];
    assert_eq!((table.entries, table.descriptors[&256]), (512, 0x1_08d1_b003));
    let leaf = stream.leaves[0];
    assert_eq!((leaf.iova, leaf.size, leaf.descriptor), (Iova::new(0x1000), 0x1000, 0x1_09cb_1f47));
    let command = &dump.cmdq.entries[0];
    assert_eq!((command.index, command.words.len()), (130, 2));
    assert!(dump.eventq.entries.is_empty());
}

#[test]
fn without_stage_1_there_is_no_cd() {
    let cd = DUMP.find("\"cd_pa\"").unwrap()..DUMP.find("\"start_level\"").unwrap();
    let mut text = DUMP.to_owned();
    text.replace_range(cd, "");
    let stream = parse(text).unwrap().streams.remove(0);
    assert_eq!((stream.cd, stream.cd_pa), (None, None));
}

#[test]
fn the_dump_of_another_part_is_named() {
    for (text, part) in [
        ("{\n\"tag\":\"x\",\"gits\":{\"CTLR\":\"0x1\"}}", "the dump of an ITS"),
        ("{\n\"tag\":\"x\",\"gicv2m_frame\":\"0x8020000\"}", "the dump of a GICv2m frame"),
    ] {
        let error = parse(text.to_owned()).unwrap_err();
        assert!(error.message().contains(part), "{error}");
        assert_eq!((error.line(), error.column()), (Some(2), Some(11)));
        assert!(error.hint().contains("\"regs\""), "{}", error.hint());
    }
}

#[test]
fn errors_name_line_and_column() {
    let error = parse(DUMP.replace("\"0x1701\"", "\"0x17z1\"")).unwrap_err();
    assert!(error.to_string().starts_with("smmu_t.json:5:95: invalid value"), "{error}");
    assert!(parse(DUMP.replace("\"ste\":[", "\"ste\":[0,")).is_err());
    assert!(parse(DUMP.replace("[130,\"0x7000000000012\",\"0x1701\"]", "[]")).is_err());
    assert!(parse(DUMP[..DUMP.len() / 2].to_owned()).is_err());
}
