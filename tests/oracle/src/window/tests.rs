//! Cases taken from recordings of Linux 6.12 with 4K pages.

use super::*;

const PAGE: u64 = 0x1000;
const BUFFER: u64 = 0x1000_0000_0000;
const ROOT: Caller = Caller { process: 1, budget: Budget::Unlimited };

fn container(version: Version) -> Container {
    let valid = vec![(0, 0x7ff_ffff), (0x810_0000, 0xffff_ffff_ffff)];
    Container::new(PAGE, version, 65535, valid)
}

/// 256 MiB from `BUFFER`, frame = page number of the address; page 7 is missing, page 9 read-only.
fn memory(vaddr: u64, pin: Pin) -> PageAnswer {
    match (vaddr.wrapping_sub(BUFFER) / PAGE, pin) {
        (7, _) | (0x1_0000.., _) | (9, Pin::Write) => PageAnswer::Fault,
        _ => PageAnswer::Frame(vaddr / PAGE),
    }
}

fn map(c: &mut Container, flags: u32, vaddr: u64, iova: u64, size: u64) -> i32 {
    let request = MapRequest { argsz: 32, flags, vaddr, iova, size };
    c.map(&request, ROOT, memory).err().unwrap_or(0)
}

fn unmap(c: &mut Container, flags: u32, iova: u64, size: u64) -> Result<u64, i32> {
    c.unmap(&UnmapRequest { argsz: 24, flags, iova, size })
}

#[test]
fn the_form_of_a_map_comes_first() {
    // measured: ioctls/map.jsonl, lines 23-71
    let cases = [
        (0, BUFFER, 0x4000_0000, 0x1000, EINVAL),
        (4, BUFFER, 0x4000_0000, 0x1000, ENOENT),
        (7, BUFFER, 0x4000_0000, 0x1000, EINVAL),
        (8, BUFFER, 0x4000_0000, 0x1000, EINVAL),
        (0x8000_0003, BUFFER, 0x4000_0000, 0x1000, EINVAL),
        (3, BUFFER, 0x4000_0000, 0, EINVAL),
        (3, BUFFER, 0x4000_0001, 0x1000, EINVAL),
        (3, BUFFER + 1, 0x4000_0000, 0x1000, EINVAL),
        (3, BUFFER, 0x4000_0000, 0x1001, EINVAL),
        (3, BUFFER, 0xffff_ffff_ffff_f000, 0x1000, EINVAL),
        (3, BUFFER, 0xffff_ffff_ffff_f000, 0x2000, EINVAL),
        (3, 0xffff_ffff_ffff_f000, 0x4000_0000, 0x2000, EINVAL),
        (3, 0xffff_ffff_ffff_f000, 0x4000_0000, 0x1000, EFAULT),
        (3, BUFFER, 0x4000_0000, 0xffff_ffff_ffff_ffff, EINVAL),
        (3, BUFFER, 0, 0xffff_ffff_ffff_f000, EINVAL),
        (3, BUFFER, 0x4000_0000, 0x8000_0000_0000_0000, EINVAL),
    ];
    for (flags, vaddr, iova, size, errno) in cases {
        let mut c = container(Version::V2);
        assert_eq!(map(&mut c, flags, vaddr, iova, size), errno, "{flags} {vaddr:x} {iova:x}");
        assert!(c.slots().is_empty() && c.mapped_pages().is_empty());
    }
    let request =
        MapRequest { argsz: 31, flags: 3, vaddr: BUFFER, iova: 0x4000_0000, size: 0x1000 };
    assert_eq!(container(Version::V2).map(&request, ROOT, memory), Err(EINVAL));
}

#[test]
fn overlap_then_limit_then_aperture_then_pages() {
    let bad = 0x7000_0000_0000;
    let window = 0x800_0000;
    let mut c = Container::new(PAGE, Version::V2, 2, vec![(0, 0x7ff_ffff), (0x810_0000, !0 >> 16)]);
    assert_eq!(map(&mut c, 3, BUFFER, 0x4000_0000, 0x1000), 0);
    assert_eq!(map(&mut c, 3, bad, 0x4000_0000, 0x1000), EEXIST);
    assert_eq!(map(&mut c, 3, bad, window, 0x1000), EINVAL);
    assert_eq!(map(&mut c, 3, BUFFER, window - PAGE, 0x2000), EINVAL);
    assert_eq!(map(&mut c, 3, bad, 0x5000_0000, 0x1000), EFAULT);
    assert_eq!(map(&mut c, 3, BUFFER, 0x5000_0000, 0x1000), 0);
    assert_eq!(map(&mut c, 3, BUFFER, 0x4000_0000, 0x1000), EEXIST);
    assert_eq!(map(&mut c, 3, BUFFER, window, 0x1000), ENOSPC);
    assert_eq!(map(&mut c, 3, bad, 0x6000_0000, 0x1000), ENOSPC);
    assert_eq!(unmap(&mut c, 0, 0x5000_0000, 0x1000), Ok(0x1000));
    assert_eq!(map(&mut c, 3, BUFFER, 0x6000_0000, 0x1000), 0);
}

#[test]
fn a_fault_in_the_middle_leaves_nothing() {
    let mut c = container(Version::V2);
    assert_eq!(map(&mut c, 1, BUFFER + 5 * PAGE, 0x4000_0000, 4 * PAGE), EFAULT);
    assert_eq!(map(&mut c, 3, BUFFER + 8 * PAGE, 0x4000_0000, 4 * PAGE), EFAULT);
    assert!(c.mapped_pages().is_empty());
    assert_eq!(c.locked_pages(1), 0);
    assert_eq!(map(&mut c, 1, BUFFER + 8 * PAGE, 0x4000_0000, 4 * PAGE), 0);
    assert_eq!(c.mapped_pages().len(), 4);
}

#[test]
fn directions_depend_on_the_stage() {
    let mut c = container(Version::V2);
    let answer = |c: &Container, iova, stage| {
        c.translate(iova, stage).map(|r| (r.frame, r.readable, r.writable))
    };
    let first = BUFFER / PAGE;
    for (page, flags) in [(0, 1), (1, 2), (2, 3)] {
        let offset = page * PAGE;
        assert_eq!(map(&mut c, flags, BUFFER + offset, 0x4000_0000 + offset, PAGE), 0);
    }
    assert_eq!(answer(&c, 0x4000_0fff, Stage::One), Some((first, true, false)));
    assert_eq!(answer(&c, 0x4000_1000, Stage::One), Some((first + 1, true, true)));
    assert_eq!(answer(&c, 0x4000_1000, Stage::Two), Some((first + 1, false, true)));
    assert_eq!(answer(&c, 0x4000_2000, Stage::Two), Some((first + 2, true, true)));
    assert_eq!(answer(&c, 0x4000_3000, Stage::One), None);
}

/// Unmaps pages `[from, to)` counted from 0x40000000, with [0,4) [4,8) [12,16) mapped.
fn unmap_of_three(version: Version, from: i64, to: i64) -> Result<u64, i32> {
    let mut c = container(version);
    for first in [0, 4, 12] {
        assert_eq!(map(&mut c, 3, BUFFER + 0x10_0000, 0x4000_0000 + first * PAGE, 4 * PAGE), 0);
    }
    let iova = 0x4000_0000u64.wrapping_add_signed(from * 0x1000);
    unmap(&mut c, 0, iova, (to - from) as u64 * PAGE)
}

#[test]
fn version_1_takes_what_starts_in_the_range() {
    // measured: ioctls/unmap.jsonl, lines 13-587
    let cases = [
        (0, 4, 0x4000),
        (0, 1, 0x4000),
        (1, 2, 0),
        (1, 4, 0),
        (3, 4, 0),
        (0, 8, 0x8000),
        (0, 5, 0x8000),
        (2, 6, 0),
        (3, 8, 0),
        (4, 16, 0x8000),
        (8, 12, 0),
        (8, 13, 0x4000),
        (7, 13, 0),
        (10, 30, 0x4000),
        (-2, 0, 0),
        (-2, 1, 0x4000),
        (-2, 28, 0xc000),
        (0, 13, 0xc000),
        (1, 16, 0),
        (15, 17, 0),
        (12, 13, 0x4000),
        (20, 24, 0),
        (-2, 10, 0x8000),
        (5, 16, 0),
        (9, 13, 0x4000),
    ];
    for (from, to, bytes) in cases {
        assert_eq!(unmap_of_three(Version::V1, from, to), Ok(bytes), "[{from},{to})");
    }
}

#[test]
fn version_2_refuses_to_cut() {
    // measured: ioctls/unmap.jsonl, lines 601-1175
    let cases = [
        (0, 4, Ok(0x4000)),
        (0, 1, Err(EINVAL)),
        (1, 2, Err(EINVAL)),
        (1, 4, Err(EINVAL)),
        (0, 8, Ok(0x8000)),
        (0, 5, Err(EINVAL)),
        (2, 6, Err(EINVAL)),
        (4, 16, Ok(0x8000)),
        (8, 12, Ok(0)),
        (8, 13, Err(EINVAL)),
        (7, 12, Err(EINVAL)),
        (10, 30, Ok(0x4000)),
        (-2, 0, Ok(0)),
        (-2, 1, Err(EINVAL)),
        (-2, 4, Ok(0x4000)),
        (-2, 28, Ok(0xc000)),
        (0, 13, Err(EINVAL)),
        (15, 17, Err(EINVAL)),
        (20, 24, Ok(0)),
        (-2, 10, Ok(0x8000)),
        (8, 16, Ok(0x4000)),
    ];
    for (from, to, answer) in cases {
        assert_eq!(unmap_of_three(Version::V2, from, to), answer, "[{from},{to})");
    }
}

#[test]
fn the_form_of_an_unmap() {
    let mut c = container(Version::V2);
    assert_eq!(map(&mut c, 3, BUFFER, 0, 4 * PAGE), 0);
    let refused = [
        (0, 0, 0),
        (0, 1, PAGE),
        (0, 0, PAGE + 1),
        (0, 0xffff_ffff_ffff_f000, 2 * PAGE),
        (UNMAP_ALL, PAGE, 0),
        (UNMAP_ALL, 0, PAGE),
        (UNMAP_ALL | UNMAP_GET_DIRTY, 0, 0),
        (UNMAP_VADDR | UNMAP_GET_DIRTY, 0, 4 * PAGE),
        (8, 0, 4 * PAGE),
    ];
    for (flags, iova, size) in refused {
        assert_eq!(unmap(&mut c, flags, iova, size), Err(EINVAL), "{flags} {iova:x} {size:x}");
    }
    let short = UnmapRequest { argsz: 23, flags: UNMAP_ALL, iova: 0, size: 0 };
    assert_eq!(c.unmap(&short), Err(EINVAL));
    assert_eq!(unmap(&mut c, UNMAP_ALL, 0, 0), Ok(4 * PAGE));
    assert_eq!(unmap(&mut c, UNMAP_ALL, 0, 0), Ok(0));
}

#[test]
fn ranges_that_end_at_2_to_the_64() {
    // measured: more/undecided.jsonl, lines 321-368
    let mut c = container(Version::V2);
    let top = 0xffff_ffff_c000;
    assert_eq!(map(&mut c, 3, BUFFER + 0x10_0000, 0x4000_0000, 0x4000), 0);
    assert_eq!(map(&mut c, 3, BUFFER + 0x10_0000, top, 0x4000), 0);
    assert_eq!(map(&mut c, 3, BUFFER, 0xffff_ffff_ffff_c000, 0x4000), EINVAL);
    assert_eq!(map(&mut c, 3, 0x1000, top, 0xffff_0000_0000_4000), EINVAL);
    assert_eq!(map(&mut c, 3, 0x1000, 0x1000, 0xffff_ffff_ffff_f000), EINVAL);
    assert_eq!(map(&mut c, 3, 0, 0x1000, 0xffff_ffff_ffff_e000), EEXIST);
    assert_eq!(map(&mut c, 3, 0, 0, 0xffff_ffff_ffff_f000), EEXIST);
    assert_eq!(map(&mut c, 4, 0x1000, 0x4000_1000, 0xffff_ffff_bfff_f000), ENOENT);
    assert_eq!(map(&mut c, 4, 0x1000, top, 0xffff_0000_0000_4000), ENOENT);
    assert_eq!(map(&mut c, 4, 0x1000, 0x4000_0000, 0xffff_ffff_bfff_f000), EINVAL);

    assert_eq!(unmap(&mut c, 0, 0x1_0000_0000_0000, 0xffff_0000_0000_0000), Ok(0));
    assert_eq!(unmap(&mut c, 0, top, 0xffff_0000_0000_4000), Ok(0));
    assert_eq!(unmap(&mut c, 0, 0xffff_ffff_e000, 0xffff_0000_0000_2000), Err(EINVAL));
    assert_eq!(unmap(&mut c, 0, 0x4000_0000, 0xffff_ffff_c000_0000), Ok(0));
    assert_eq!(unmap(&mut c, 0, 0x4000_1000, 0xffff_ffff_bfff_f000), Err(EINVAL));
    assert_eq!(unmap(&mut c, 0, 0x1000, 0xffff_ffff_ffff_f000), Ok(0));
    assert_eq!(unmap(&mut c, UNMAP_VADDR, 0x4000_0000, 0xffff_ffff_c000_0000), Ok(0));
    assert_eq!(map(&mut c, 4, BUFFER, 0x4000_0000, 0x4000), EINVAL);
    assert_eq!(unmap(&mut c, 0, 0x4000_0000, 0xffff_ffff_bfff_f000), Ok(0x8000));

    // Version 1 has no check that refuses.
    let mut c = container(Version::V1);
    assert_eq!(map(&mut c, 3, BUFFER + 0x10_0000, 0x4000_0000, 0x4000), 0);
    assert_eq!(unmap(&mut c, 0, 0x4000_1000, 0xffff_ffff_bfff_f000), Ok(0));
    assert_eq!(c.slots().len(), 1);
}

#[test]
fn the_memlock_limit_counts_per_mapping() {
    // measured: ioctls/memlock.jsonl, lines 34-64 (limit 16 pages, 4 in use)
    let mut c = container(Version::V1);
    let map_as = |c: &mut Container, limit: u64, vaddr, iova, pages| {
        let left = limit.saturating_sub(c.locked_pages(1));
        let caller = Caller { process: 1, budget: Budget::Pages(left) };
        let request = MapRequest { argsz: 32, flags: 3, vaddr, iova, size: pages * PAGE };
        c.map(&request, caller, memory).err().unwrap_or(0)
    };
    let buffer = BUFFER + 0x10_0000;
    assert_eq!(map_as(&mut c, 16, buffer, 0x4000_0000, 4), 0);
    assert_eq!(map_as(&mut c, 16, buffer, 0x4200_0000, 13), ENOMEM);
    assert_eq!(map_as(&mut c, 16, buffer, 0x4200_0000, 12), 0);
    assert_eq!(c.locked_pages(1), 16);
    assert_eq!(map_as(&mut c, 16, buffer, 0x4300_0000, 1), ENOMEM);
    assert_eq!(map_as(&mut c, 16, 0x7000_0000_0000, 0x4400_0000, 1), EFAULT);
    assert_eq!(map_as(&mut c, 16, buffer, 0x4000_0000, 1), EEXIST);
    assert_eq!(unmap(&mut c, UNMAP_ALL, 0, 0), Ok(0x1_0000));
    assert_eq!(map_as(&mut c, 0, buffer, 0x4000_0000, 1), ENOMEM);
    assert_eq!(map_as(&mut c, 0, buffer, 0x4000_0000, 64), ENOMEM);
}

#[test]
fn uncounted_pages_need_no_budget() {
    let mut c = container(Version::V2);
    let caller = Caller { process: 1, budget: Budget::Pages(1) };
    // Device memory around one ordinary page.
    let pages = |vaddr: u64, _| match vaddr {
        0x3000 => PageAnswer::Frame(3),
        _ => PageAnswer::Uncounted(vaddr / PAGE),
    };
    let request =
        MapRequest { argsz: 32, flags: 3, vaddr: 0x1000, iova: 0x4000_0000, size: 0x4000 };
    assert_eq!(c.map(&request, caller, pages), Ok(()));
    assert_eq!(c.locked_pages(1), 1);
}

#[test]
fn user_addresses_go_and_come_back() {
    // the rules of more/undecided.jsonl, lines 6026-6208, at other addresses
    let mut c = container(Version::V2);
    for first in [0, 4, 12] {
        assert_eq!(map(&mut c, 3, BUFFER + 0x10_0000, 0x4000_0000 + first * PAGE, 4 * PAGE), 0);
    }
    assert_eq!(unmap(&mut c, UNMAP_VADDR, 0x4000_1000, PAGE), Err(EINVAL));
    assert_eq!(unmap(&mut c, UNMAP_VADDR, 0x4000_4000, 4 * PAGE), Ok(0x4000));
    // One mapping already invalid refuses the call, and invalidates no other.
    assert_eq!(unmap(&mut c, UNMAP_VADDR, 0x4000_0000, 16 * PAGE), Err(EINVAL));
    assert_eq!(unmap(&mut c, UNMAP_VADDR | UNMAP_ALL, 0, 0), Err(EINVAL));
    assert_eq!(map(&mut c, MAP_VADDR, BUFFER, 0x4000_0000, 4 * PAGE), EINVAL);
    assert_eq!(map(&mut c, MAP_VADDR, BUFFER, 0x4000_4000, 3 * PAGE), EINVAL);
    assert_eq!(map(&mut c, MAP_VADDR, BUFFER + 1, 0x9000_0000, 4 * PAGE), EINVAL);
    assert_eq!(map(&mut c, MAP_VADDR, 0, 0x4000_4000, 4 * PAGE), 0);
    assert_eq!(map(&mut c, MAP_VADDR, 0, 0x4000_4000, 4 * PAGE), EINVAL);
    assert_eq!(unmap(&mut c, UNMAP_VADDR | UNMAP_ALL, 0, 0), Ok(0xc000));
    assert_eq!(unmap(&mut c, UNMAP_ALL, 0, 0), Ok(0xc000));
}

#[test]
fn a_new_user_address_moves_the_charge() {
    // the rule of more/undecided.jsonl, lines 6281-6336
    let mut c = container(Version::V2);
    assert_eq!(map(&mut c, 3, BUFFER + 0x10_0000, 0x4000_0000, 4 * PAGE), 0);
    assert_eq!(unmap(&mut c, UNMAP_VADDR, 0x4000_0000, 4 * PAGE), Ok(0x4000));
    let request = MapRequest {
        argsz: 32,
        flags: MAP_VADDR,
        vaddr: 0x2000,
        iova: 0x4000_0000,
        size: 4 * PAGE,
    };
    let child = |pages| Caller { process: 2, budget: Budget::Pages(pages) };
    assert_eq!(c.map(&request, child(3), memory), Err(ENOMEM));
    assert_eq!((c.locked_pages(1), c.locked_pages(2)), (4, 0));
    assert_eq!(c.map(&request, child(4), memory), Ok(()));
    assert_eq!((c.locked_pages(1), c.locked_pages(2)), (0, 4));
}

#[test]
fn the_first_lines_of_a_generated_run() {
    // measured: random/rand_t1_s2_p64_b40000000_l0_e0.jsonl, k 0 to 17 (`voff`, iova page, pages)
    let maps = |k| match k {
        0 => Some((0x42_d000, 0x26, 6, 1, 0)),
        2 => Some((0x67_2000, 5, 3, 1, 0)),
        3 => Some((0x27_c000, 0x16, 6, 2, 0)),
        4 => Some((0xc6_f000, 4, 0x37, 3, EEXIST)),
        5 => Some((0x9f_f000, 0x1c, 8, 3, 0)),
        7 => Some((0x80_3000, 0x17, 1, 3, EEXIST)),
        8 => Some((0x79_0000, 2, 0x1f, 1, EEXIST)),
        10 => Some((0xb4_6000, 0x36, 4, 3, 0)),
        11 => Some((0x76_8000, 0x18, 3, 1, 0)),
        12 => Some((0xb4_f000, 0x2a, 8, 3, 0)),
        13 => Some((0x18_5000, 0x20, 7, 1, EEXIST)),
        15 => Some((0x98_a000, 0x28, 0x1a, 2, EEXIST)),
        17 => Some((0xaa_0000, 0x11, 3, 3, 0)),
        _ => None,
    };
    let unmaps = |k| match k {
        1 => (0x26, 6, 0x6000),
        6 => (5, 3, 0x3000),
        9 => (0x16, 6, 0x6000),
        14 => (0x36, 4, 0x4000),
        _ => (0x2e, 1, 0),
    };
    let mut c = container(Version::V1);
    for k in 0..18 {
        if let Some((voff, page, pages, flags, errno)) = maps(k) {
            let iova = 0x4000_0000 + page * PAGE;
            let got = map(&mut c, flags, BUFFER + voff, iova, pages * PAGE);
            assert_eq!(got, errno, "k {k}");
        } else {
            let (page, pages, bytes) = unmaps(k);
            let got = unmap(&mut c, 0, 0x4000_0000 + page * PAGE, pages * PAGE);
            assert_eq!(got, Ok(bytes), "k {k}");
        }
    }
    assert_eq!(c.mapped_pages().len(), 8 + 3 + 8 + 3);
    let mappings: Vec<(u64, usize)> =
        c.mappings().iter().map(|m| (m.iova, m.frames.len())).collect();
    assert_eq!(mappings, [(0x4001_1000, 3), (0x4001_8000, 3), (0x4001_c000, 8), (0x4002_a000, 8)]);
}
