use super::{PageSize, PageSizes};

#[test]
fn sizes_print_as_people_write_them() {
    let sizes = PageSizes::from_bits(0x4020_1000);
    assert_eq!(sizes.to_string(), "4K|2M|1G");
    assert_eq!(PageSizes::from_bits(0x200_4000).to_string(), "16K|32M");
    assert_eq!(sizes.smallest(), Some(PageSize::K4));
    assert_eq!(PageSizes::default().smallest(), None);
}

#[test]
fn best_is_the_brute_force_best() {
    let sizes = PageSizes::from_bits(0x4020_1000);
    for lg2 in [0u32, 11, 12, 13, 20, 21, 22, 29, 30, 31, 40, 63] {
        for limit in
            [0u64, 1, 0xfff, 0x1000, 0x1f_ffff, 0x20_0000, 0x3fff_ffff, 0x4000_0000, u64::MAX]
        {
            let alignment = 1u64 << lg2;
            let brute = [30u32, 21, 12]
                .into_iter()
                .find(|&size| alignment.is_multiple_of(1 << size) && 1u64 << size <= limit)
                .and_then(PageSize::from_lg2);
            assert_eq!(
                sizes.best(alignment, limit),
                brute,
                "alignment {alignment:#x} limit {limit:#x}"
            );
        }
    }
    assert_eq!(sizes.best(0, u64::MAX), PageSize::from_lg2(30));
}
