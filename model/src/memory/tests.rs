use super::{BankError, Memory};
use crate::{Abort, PhysAddr, Span};

fn span(start: u64, size: u64) -> Span<PhysAddr> {
    Span::from_size(PhysAddr::new(start), size).unwrap()
}

fn two_banks() -> Memory {
    let mut memory = Memory::new();
    memory.add_bank(span(0x8000_0000, 0x2_0000)).unwrap();
    memory.add_bank(span(0x4000_0000, 0x1_0000)).unwrap();
    memory.add_bank(span(0x4001_0000, 0x1_0000)).unwrap();
    memory
}

#[test]
fn bytes_and_words_are_the_same_memory() {
    let mut memory = two_banks();
    let at = PhysAddr::new(0x4000_0ffd);
    memory.write(at, &[1, 2, 3, 4, 5, 6, 7]).unwrap();
    assert_eq!(memory.load_u64(PhysAddr::new(0x4000_0ff8)), Ok(0x0302_0100_0000_0000));
    assert_eq!(memory.load_u64(PhysAddr::new(0x4000_1000)), Ok(0x0706_0504));
    let mut back = [0; 7];
    memory.read(at, &mut back).unwrap();
    assert_eq!(back, [1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn holes_abort_at_the_first_address_outside() {
    let mut memory = two_banks();
    let mut bytes = [0; 0x20];
    assert_eq!(
        memory.read(PhysAddr::new(0x4001_fff0), &mut bytes),
        Err(Abort(PhysAddr::new(0x4002_0000)))
    );
    assert_eq!(memory.store_u64(PhysAddr::new(0), 1), Err(Abort(PhysAddr::new(0))));
    assert!(memory.read(PhysAddr::new(u64::MAX), &mut bytes).is_err());
    assert!(memory.words(PhysAddr::new(0x4000_fff8), 2).is_err());
}

#[test]
fn adjacent_banks_read_through() {
    let mut memory = two_banks();
    memory.write(PhysAddr::new(0x4000_fffe), &[0xaa; 4]).unwrap();
    assert_eq!(memory.load_u64(PhysAddr::new(0x4001_0000)), Ok(0xaaaa));
    assert!(memory.is_ram(span(0x4000_0000, 0x2_0000)));
    assert!(!memory.is_ram(span(0x4000_0000, 0x2_0001)));
}

#[test]
fn zeroing_touches_no_byte_beside_the_range() {
    let mut memory = two_banks();
    memory.write(PhysAddr::new(0x8000_0000), &[0xff; 64]).unwrap();
    memory.zero(span(0x8000_0003, 10)).unwrap();
    let mut back = [0; 16];
    memory.read(PhysAddr::new(0x8000_0000), &mut back).unwrap();
    assert_eq!(back[..4], [0xff, 0xff, 0xff, 0]);
    assert_eq!(back[12..], [0, 0xff, 0xff, 0xff]);
    memory.zero(span(0x8000_0000, 0x2_0000)).unwrap();
    assert_eq!(memory.load_u64(PhysAddr::new(0x8000_0010)), Ok(0));
}

#[test]
fn banks_must_be_whole_and_apart() {
    let mut memory = two_banks();
    assert!(matches!(memory.add_bank(span(0x4000_0000, 0x1_0000)), Err(BankError::Overlap(..))));
    assert!(matches!(memory.add_bank(span(0x1000, 0x1_0000)), Err(BankError::Misaligned(_))));
    assert!(matches!(memory.add_bank(span(0, 1 << 41)), Err(BankError::TooLarge(_))));
}

#[test]
fn a_store_where_somebody_watches_changes_the_stamp_once() {
    let mut memory = two_banks();
    let (watched, beside) = (PhysAddr::new(0x4000_1000), PhysAddr::new(0x4001_0000));
    let start = memory.stamp();
    memory.store_u64(watched, 1).unwrap();
    assert_eq!(memory.stamp(), start);
    memory.watch(watched);
    memory.store_u64(beside, 1).unwrap();
    assert_eq!((memory.load_u64(watched), memory.stamp()), (Ok(1), start));
    memory.store_u64(watched, 2).unwrap();
    let after = memory.stamp();
    assert_ne!(after, start);
    memory.store_u64(watched, 3).unwrap();
    assert_eq!(memory.stamp(), after);
}

#[test]
fn every_way_to_write_is_watched() {
    let at = PhysAddr::new(0x8000_0000);
    let ways: [fn(&mut Memory, PhysAddr); 4] = [
        |memory, at| memory.store_u64(at, 1).unwrap(),
        |memory, at| memory.write(at, &[1]).unwrap(),
        |memory, at| memory.words_mut(at, 1).unwrap()[0] = 1,
        |memory, at| memory.zero(Span::from_size(at, 8).unwrap()).unwrap(),
    ];
    for way in ways {
        let mut memory = two_banks();
        memory.watch(at);
        let before = memory.stamp();
        way(&mut memory, at);
        assert_ne!(memory.stamp(), before);
    }
}

#[test]
fn a_bank_that_appears_changes_the_stamp_and_no_two_memories_share_one() {
    let mut memory = two_banks();
    memory.watch(PhysAddr::new(0));
    let before = memory.stamp();
    memory.add_bank(span(0, 0x1_0000)).unwrap();
    assert_ne!(memory.stamp(), before);
    assert_ne!(memory.stamp(), two_banks().stamp());
}
