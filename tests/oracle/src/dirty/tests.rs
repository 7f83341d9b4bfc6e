//! Buffers recorded from Linux 6.12 with 4K pages.

use super::*;

const PAGE: u64 = 0x1000;
const FIRST: u64 = 0x4000_0000;
/// 70 pages.
const SIZE: u64 = 0x4_6000;
const SECOND: u64 = FIRST + SIZE;
const BUFFER: u64 = 0x3000_4000_0000;

fn tracker() -> Tracker {
    Tracker::new(PAGE, 1 << 52)
}

fn request(iova: u64, size: u64, bitmap_bytes: u64, data: u64) -> Request {
    Request { iova, size, pgsize: PAGE, bitmap_bytes, data }
}

/// Two pages at `BUFFER`, all bytes `value`; the memory after them is not mapped.
fn buffer(value: u8) -> UserBuffer {
    let mut user = UserBuffer::new();
    user.place(BUFFER, &[value; 0x2000], Protection::ReadWrite);
    user
}

/// The first words at `BUFFER`.
fn words<const N: usize>(user: &UserBuffer) -> [u64; N] {
    words_at(user, BUFFER)
}

fn words_at<const N: usize>(user: &UserBuffer, address: u64) -> [u64; N] {
    std::array::from_fn(|n| user.word(address + 8 * n as u64).expect("inside the buffer"))
}

const FIVES: u64 = 0x5555_5555_5555_5555;
const ONES: u64 = u64::MAX;

#[test]
fn bits_beyond_the_end_stay() {
    // measured: ioctls/dirty.jsonl, lines 164-208 and 259-264
    let mut tracker = tracker();
    tracker.start();
    tracker.mapped(FIRST, SIZE);
    for _ in 0..2 {
        let mut user = buffer(0);
        assert_eq!(tracker.get(&request(FIRST, SIZE, 16, BUFFER), &mut user), Ok(()));
        assert_eq!(words(&user), [ONES, 0x3f, 0]);
    }
    let below = FIRST - 4 * PAGE;
    let mut user = buffer(0);
    assert_eq!(tracker.get(&request(below, SIZE + 4 * PAGE, 16, BUFFER), &mut user), Ok(()));
    assert_eq!(words(&user), [!0xf, 0x3ff, 0]);
    let mut user = buffer(0);
    assert_eq!(tracker.get(&request(below, 80 * PAGE, 16, BUFFER), &mut user), Ok(()));
    assert_eq!(words(&user), [!0xf, 0x3fff, 0]);
    // The mapping is removed, with bits of pages it never had.
    let mut user = buffer(0);
    assert_eq!(tracker.unmap(&request(FIRST, SIZE, 16, BUFFER), &mut user), Ok(vec![FIRST]));
    assert_eq!(words(&user), [ONES, 0x3fff, 0]);
    let mut user = buffer(0);
    assert_eq!(tracker.unmap(&request(FIRST, SIZE, 16, BUFFER), &mut user), Ok(vec![]));
    assert_eq!(words(&user), [0, 0, 0]);
}

#[test]
fn preset_bits_survive_only_below_a_mapping_in_its_word() {
    // measured: more/undecided.jsonl, lines 905-916; the kernel's bitmaps are fresh here, so the
    // bits beyond the end in the recording are missing
    let mut tracker = tracker();
    tracker.mapped(FIRST, SIZE);
    tracker.start();
    let mut user = buffer(0x55);
    let below = FIRST - 4 * PAGE;
    assert_eq!(tracker.get(&request(below, SIZE + 4 * PAGE, 16, BUFFER), &mut user), Ok(()));
    assert_eq!(words(&user), [0xffff_ffff_ffff_fff5, 0x3ff, FIVES]);

    let mut user = buffer(0x55);
    let below = FIRST - 64 * PAGE;
    assert_eq!(tracker.get(&request(below, 134 * PAGE, 24, BUFFER), &mut user), Ok(()));
    assert_eq!(words(&user), [FIVES, ONES, 0x3ff, FIVES]);

    let mut user = buffer(0x55);
    assert_eq!(tracker.get(&request(0x4100_0000, SIZE, 16, BUFFER), &mut user), Ok(()));
    assert_eq!(words(&user), [FIVES]);
}

#[test]
fn faults_leave_what_was_written_and_what_was_removed() {
    // measured: more/undecided.jsonl, lines 1171-1184
    let both = 2 * SIZE;
    let mut tracker = tracker();
    tracker.start();
    tracker.mapped(FIRST, SIZE);
    tracker.mapped(SECOND, SIZE);

    let mut user = buffer(0x11);
    let answer = tracker.unmap(&request(FIRST, both, 24, BUFFER + 0x1ff8), &mut user);
    assert_eq!(answer, Err(UnmapFailure { errno: EFAULT, removed: vec![] }));
    let fill = 0x1111_1111_1111_1111;
    assert_eq!(words_at(&user, BUFFER + 0x1fe8), [fill, fill, ONES]);

    let mut user = buffer(0x11);
    let answer = tracker.unmap(&request(FIRST, both, 24, BUFFER + 0x1ff0), &mut user);
    assert_eq!(answer, Err(UnmapFailure { errno: EFAULT, removed: vec![FIRST] }));
    // The second mapping starts at bit 6 of word 1, reads it, and cannot write word 2.
    assert_eq!(words_at(&user, BUFFER + 0x1fe8), [fill, ONES, ONES]);
    let mut user = buffer(0);
    assert_eq!(tracker.get(&request(FIRST, both, 24, BUFFER), &mut user), Ok(()));
    assert_eq!(words::<1>(&user), [0]);
}

#[test]
fn a_fault_before_the_or_leaves_the_bitmap_shifted() {
    // measured: more/undecided.jsonl, lines 931-934 (there with older bits as well)
    let mut tracker = tracker();
    tracker.start();
    tracker.mapped(FIRST, SIZE);
    let below = FIRST - 4 * PAGE;
    let lost = request(below, SIZE + 4 * PAGE, 16, 0x7_0000_0000_0000);
    assert_eq!(tracker.get(&lost, &mut buffer(0)), Err(EFAULT));
    let mut user = buffer(0);
    assert_eq!(tracker.get(&request(FIRST, SIZE, 16, BUFFER), &mut user), Ok(()));
    assert_eq!(words(&user), [ONES, 0x3ff]);
}

#[test]
fn pointers_may_be_odd_but_not_read_only() {
    // measured: more/undecided.jsonl, lines 1185-1187 (fresh bitmaps here)
    let mut tracker = tracker();
    tracker.start();
    tracker.mapped(FIRST, SIZE);
    let mut user = buffer(0);
    assert_eq!(tracker.get(&request(FIRST, SIZE, 16, BUFFER + 3), &mut user), Ok(()));
    assert_eq!(
        user.bytes(BUFFER, 14).as_deref(),
        Some(&[0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x3f, 0, 0,][..])
    );
    user.place(BUFFER, &[0; 16], Protection::ReadOnly);
    assert_eq!(tracker.get(&request(FIRST, SIZE, 16, BUFFER), &mut user), Err(EFAULT));
    user.remove(BUFFER, 8);
    assert_eq!(user.bytes(BUFFER, 8), None);
    // Without a mapping to report the pointer is not used.
    assert_eq!(tracker.get(&request(0x6000_0000, SIZE, 16, 0), &mut user), Ok(()));
}

#[test]
fn malformed_requests() {
    // measured: ioctls/dirty.jsonl, lines 174-233; more/undecided.jsonl, lines 452-463, 683-796
    let good = request(FIRST, SIZE, 16, BUFFER);
    let bad = [
        Request { iova: FIRST + 1, ..good },
        Request { size: SIZE + 1, ..good },
        Request { size: 0, ..good },
        Request { size: 64 * PAGE, ..good },
        Request { iova: FIRST + 4 * PAGE, size: SIZE - 4 * PAGE, ..good },
        Request { pgsize: 2 * PAGE, ..good },
        Request { pgsize: 0, ..good },
        Request { pgsize: 1 << 63, ..good },
        Request { bitmap_bytes: 15, ..good },
        Request { bitmap_bytes: 0, ..good },
        Request { bitmap_bytes: MAX_BITMAP_BYTES + 1, ..good },
        Request { data: 1 << 55, ..good },
        Request { data: u64::MAX - 7, ..good },
        Request { iova: 0xffff_ffff_ffff_f000, size: 2 * PAGE, ..good },
    ];
    let mut tracker = tracker();
    tracker.mapped(FIRST, SIZE);
    let mut user = buffer(0);
    assert_eq!(tracker.get(&good, &mut user), Err(EINVAL), "before START");
    tracker.start();
    for request in bad {
        assert_eq!(tracker.get(&request, &mut user), Err(EINVAL), "{request:x?}");
        let failure = UnmapFailure { errno: EINVAL, removed: vec![] };
        assert_eq!(tracker.unmap(&request, &mut user), Err(failure), "{request:x?}");
    }
    assert_eq!(words::<2>(&user), [0, 0]);
    let odd_size = Request { bitmap_bytes: 17, ..good };
    assert_eq!(tracker.get(&odd_size, &mut user), Ok(()));
    // A range up to 2^64: GET refuses it, UNMAP finds no mapping in it.
    let top = request(0xffff_ffff_ffff_c000, 4 * PAGE, 16, BUFFER);
    assert_eq!(tracker.get(&top, &mut user), Err(EINVAL));
    assert_eq!(tracker.unmap(&top, &mut user), Ok(vec![]));
    tracker.stop();
    assert_eq!(tracker.get(&good, &mut user), Err(EINVAL), "after STOP");
}

#[test]
fn starting_twice_keeps_and_stopping_forgets() {
    let mut tracker = tracker();
    tracker.mapped(FIRST, SIZE);
    tracker.mapped(SECOND, PAGE);
    tracker.unmapped(SECOND);
    tracker.start();
    let below = request(FIRST - PAGE, SIZE + PAGE, 16, BUFFER);
    let exact = request(FIRST, SIZE, 16, BUFFER);
    assert_eq!(tracker.get(&below, &mut buffer(0)), Ok(()));
    tracker.start();
    let mut user = buffer(0);
    assert_eq!(tracker.get(&exact, &mut user), Ok(()));
    assert_eq!(words(&user), [ONES, 0x7f]);
    tracker.stop();
    tracker.start();
    assert_eq!(tracker.get(&exact, &mut user), Ok(()));
    assert_eq!(words(&user), [ONES, 0x3f]);
}

#[test]
fn commands() {
    // measured: ioctls/dirty.jsonl, lines 149-159 and 228
    use Version::{V1, V2};
    assert_eq!(command(V2, 8, 1), Ok(Command::Start));
    assert_eq!(command(V2, 8, 2), Ok(Command::Stop));
    assert_eq!(command(V2, 48, 4), Ok(Command::Get));
    for (argsz, flags) in [(8, 4), (40, 4), (8, 0), (8, 3), (8, 8), (4, 1), (0, 1)] {
        assert_eq!(command(V2, argsz, flags), Err(EINVAL));
        assert_eq!(command(V1, argsz, flags), Err(EACCES));
    }
}
