use super::Rid;

#[test]
fn a_requester_id_prints_as_it_reads() {
    for raw in 0..=u16::MAX {
        let rid = Rid::new(raw);
        assert_eq!(Rid::parse(&rid.to_string()), Some(rid));
    }
    assert_eq!(Rid::parse("0000:02:02.0").map(Rid::get), Some(0x0210));
    for bad in ["", "0:1.0", "00:20.0", "00:01.8", "0001:00:01.0", "00:01", "xx:01.0", "+0:01.0"] {
        assert_eq!(Rid::parse(bad), None, "{bad}");
    }
}
