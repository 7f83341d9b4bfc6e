use super::granule;
use passim_model::PageSize;
use passim_model::pgtable::vmsav8::Granule;

const FOUR: u64 = 1 << 4;
const SIXTEEN: u64 = 1 << 5;
const SIXTY_FOUR: u64 = 1 << 6;

#[test]
fn the_granule_follows_the_page() {
    let all = FOUR | SIXTEEN | SIXTY_FOUR;
    assert_eq!(granule(all, PageSize::K4), Some(Granule::K4));
    assert_eq!(granule(all, PageSize::K16), Some(Granule::K16));
    assert_eq!(granule(all, PageSize::K64), Some(Granule::K64));
    assert_eq!(granule(FOUR | SIXTEEN, PageSize::K64), Some(Granule::K16));
    assert_eq!(granule(SIXTEEN | SIXTY_FOUR, PageSize::K4), Some(Granule::K16));
    assert_eq!(granule(FOUR | SIXTY_FOUR, PageSize::K16), Some(Granule::K4));
    assert_eq!(granule(0, PageSize::K4), None);
}
