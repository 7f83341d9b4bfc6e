use std::path::Path;

use passim_model::{PageSize, PhysAddr, Span, UserAddr};

use super::{LookAhead, Placed, Placements};
use crate::recording::Line;

fn placements(lines: &[&str]) -> Placements {
    let mut pass = LookAhead::new(PageSize::K4);
    for (number, text) in (1..).zip(lines) {
        pass.line(number, &Line::parse(Path::new("test"), number, text).unwrap());
    }
    pass.finish()
}

fn placed(va: u64, at: u64) -> Placed {
    Placed { va: UserAddr::new(va), at: PhysAddr::new(at) }
}

const MMAP: &str = r#"{"step":"mmap","va":"0x10000","len":"0x3000","prot":"rw","kind":"anon"}"#;

#[test]
fn places_belong_to_the_area_that_held_the_pages() {
    let found = placements(&[
        MMAP,
        r#"{"step":"phys","va":"0x10000","runs":[["0x40001000",1],[null,1],["0x40008000",1]]}"#,
        MMAP,
        r#"{"step":"phys","va":"0x10000","runs":[["0x40002000",1]]}"#,
    ]);
    assert_eq!(found.plans(1), [placed(0x10000, 0x4000_1000), placed(0x12000, 0x4000_8000)]);
    assert_eq!(found.plans(3), [placed(0x10000, 0x4000_2000)]);
    assert!((1..=4).all(|line| found.moves(line).is_empty()));
}

#[test]
fn a_page_seen_elsewhere_moved_after_it_was_seen_first() {
    let found = placements(&[
        MMAP,
        r#"{"step":"phys","va":"0x10000","runs":[["0x40001000",1]]}"#,
        r#"{"step":"phys","va":"0x10000","runs":[["0x40001000",1]]}"#,
        r#"{"step":"phys","va":"0x10000","runs":[["0x40002000",1]]}"#,
    ]);
    assert_eq!(found.plans(1), [placed(0x10000, 0x4000_1000)]);
    assert!(found.moves(2).is_empty());
    assert_eq!(found.moves(3)[0].to, placed(0x10000, 0x4000_2000));
}

#[test]
fn a_child_has_places_of_its_own() {
    let found = placements(&[
        MMAP,
        r#"{"step":"fork","child":1}"#,
        r#"{"step":"phys","va":"0x10000","runs":[["0x40001000",1]]}"#,
        r#"{"step":"in","proc":1}"#,
        r#"{"step":"phys","va":"0x10000","runs":[["0x40002000",1]]}"#,
    ]);
    assert_eq!(found.plans(1), [placed(0x10000, 0x4000_1000)]);
    assert_eq!(found.plans(2), [placed(0x10000, 0x4000_2000)]);
}

#[test]
fn frames_inside_ram_are_set_aside() {
    let found = placements(&[
        MMAP,
        r#"{"step":"phys","va":"0x10000","runs":[["0x40001000",2],["0x10000000",1]]}"#,
    ]);
    let span = |start, size| Span::from_size(PhysAddr::new(start), size).unwrap();
    let ram = [span(0x4000_0000, 0x1000_0000)];
    assert_eq!(found.set_aside(&ram), [span(0x4000_1000, 0x2000)]);
}

#[test]
fn what_lies_outside_areas_or_claims_too_much_is_let_be() {
    let found = placements(&[
        MMAP,
        r#"{"step":"phys","va":"0x20000","runs":[["0x40001000",18446744073709551615]]}"#,
        r#"{"step":"phys","va":"0xfffffffffffff000","runs":[["0xfffffffffffff000",9]]}"#,
    ]);
    assert!(found.plans(1).is_empty());
}
