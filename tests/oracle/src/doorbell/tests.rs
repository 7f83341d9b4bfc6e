use super::*;

#[test]
fn partial_overlap_is_a_second_mapping() {
    let mut doorbells = Doorbells::new(0x1000);
    assert_eq!(doorbells.get(0x5000, 4), Err(EINVAL));
    doorbells.set_window(0x800_0000, 0x1_0000).unwrap();
    assert_eq!(doorbells.set_window(0x900_0000, 0x1_0000), Err(EINVAL));
    assert_eq!(doorbells.get(0x5040, 4), Ok(0x800_f040));
    assert_eq!(doorbells.get(0x5ffe, 4), Ok(0x800_cffe));
    assert_eq!(doorbells.get(0x6000, 4), Ok(0x800_d000), "within the newer one");
    assert_eq!(doorbells.translate(0x5040), Some(0x800_c040), "the newer one is met first");
    assert_eq!(doorbells.translate(0x6ffc), None, "eight bytes do not fit");
    doorbells.put(0x5040);
    doorbells.put(0x5040);
    assert_eq!(doorbells.list().len(), 1);
    assert_eq!(doorbells.list()[0].iova, 0x800_f000);
}
