use super::{Entry, Lost, Message, Raised, Registers};
use crate::topology::{Bar, BarKind, Function};
use crate::{DeviceId, Iova, PhysAddr, Rid, Span, StreamId, Width};
use proptest::prelude::*;

const MSI: u16 = 0x40;
const MSIX: u16 = 0x60;
const POWER: u32 = 0x70;
const EXPRESS: u16 = 0x80;
const TABLE: u64 = 0x2000;
const PBA: u64 = 0x3000;

const COMMAND: u32 = 0x04;
const MEMORY_AND_MASTER: u64 = 6;
const MSIX_CONTROL: u32 = MSIX as u32 + 2;
const MSIX_ON: u64 = 0x8000;
const ALL_MASKED: u64 = 0x4000;
const MSI_CONTROL: u32 = MSI as u32 + 2;

/// A function with every capability: MSI of eight vectors, 64 bits, maskable; MSI-X of 65.
pub(super) fn function() -> Function {
    let mut config = vec![0; 0x100];
    config[0x00..0x04].copy_from_slice(&[0x34, 0x12, 0xe8, 0x11]);
    config[0x06] = 0x10;
    config[0x10..0x14].copy_from_slice(&[0x04, 0x00, 0x20, 0x00]);
    config[0x14] = 0x80;
    config[0x34] = MSI as u8;
    config[0x40..0x44].copy_from_slice(&[0x05, MSIX as u8, 0x86, 0x01]);
    config[0x60..0x6c].copy_from_slice(&[0x11, 0x70, 64, 0, 0, 0x20, 0, 0, 0, 0x30, 0, 0]);
    config[0x70..0x78].copy_from_slice(&[0x01, 0x80, 0x03, 0, 0x0b, 0, 0, 0]);
    config[0x80..0x84].copy_from_slice(&[0x10, 0, 0x92, 0]);
    config[0x87] = 0x10;
    let span = Span::from_size(PhysAddr::new(0x80_0020_0000), 0x4000).unwrap();
    Function {
        rid: Rid::new(0x18),
        vendor: 0x1234,
        device: 0x11e8,
        class: 0x00ff00,
        group: Some(4),
        boot_driver: None,
        bars: vec![Bar { index: 0, span, kind: BarKind::Memory }],
        config,
        config_size: 4096,
        msi: Some(MSI),
        msix: Some(MSIX),
        pcie: Some(EXPRESS),
        resettable: true,
        stream: StreamId::new(0x18),
        device_id: DeviceId::new(0x18),
    }
}

/// The function as a driver finds it: in D0, its memory on, able to write.
fn awake() -> Registers {
    let mut registers = Registers::new(&function());
    registers.store(POWER + 4, Width::W16, 0);
    registers.store(COMMAND, Width::W16, MEMORY_AND_MASTER);
    registers
}

fn program(registers: &mut Registers, vector: u64, address: u64, data: u64, control: u64) {
    let at = TABLE + 16 * vector;
    for (offset, word) in [(0, address & 0xffff_ffff), (4, address >> 32), (8, data), (12, control)]
    {
        let stored = registers.store_bar(0, at + offset, Width::W32, word);
        assert_eq!(stored, Some(Vec::new()));
    }
}

fn message(at: u64, data: u32) -> Message {
    Message { requester: function().requester(), at: Iova::new(at), data }
}

#[test]
fn read_only_bits_stay_and_the_others_take_what_is_stored() {
    let mut registers = Registers::new(&function());
    registers.store(0, Width::W32, 0xffff_ffff);
    assert_eq!(registers.load(0, Width::W32), 0x11e8_1234);
    registers.store(COMMAND, Width::W16, 0xffff);
    assert_eq!(registers.load(COMMAND, Width::W16), 0x0547);
    registers.store(0x3c, Width::W16, 0xffff);
    assert_eq!(registers.load(0x3c, Width::W16), 0x00ff);
    // Beyond what is described everything reads zero; beyond the space, all ones.
    assert_eq!(registers.load(0x100, Width::W32), 0);
    assert_eq!(registers.load(4094, Width::W32), 0xffff_0000);
    registers.store(4094, Width::W64, u64::MAX);
}

#[test]
fn a_bar_says_its_size_and_answers_where_it_was_placed() {
    let mut registers = awake();
    assert!(registers.answers(0) && !registers.answers(1) && !registers.answers(7));
    registers.store(0x10, Width::W32, 0xffff_ffff);
    registers.store(0x14, Width::W32, 0xffff_ffff);
    assert_eq!(registers.load(0x10, Width::W64), 0xffff_ffff_ffff_c004);
    assert!(!registers.answers(0));
    registers.store(0x10, Width::W64, 0x80_0020_0000);
    assert!(registers.answers(0));
    registers.store(COMMAND, Width::W16, 4);
    assert!(!registers.answers(0));
}

#[test]
fn without_a_described_space_a_header_follows_from_what_is_known() {
    let described = Function { config: Vec::new(), ..function() };
    let bare = Function { msi: None, msix: None, pcie: None, ..described };
    let registers = Registers::new(&bare);
    assert_eq!(registers.load(0, Width::W32), 0x11e8_1234);
    assert_eq!(registers.load(8, Width::W32), 0x00ff_0000);
    assert_eq!(registers.load(0x10, Width::W64), 0x80_0020_0004);
}

/// PCI 3.0 6.8.2.9, and measured: {0, 0, 0, 1} in every entry that was never used.
#[test]
fn the_table_starts_masked_and_holds_what_is_stored() {
    let mut registers = awake();
    assert_eq!(registers.load_bar(0, TABLE, Width::W64), Some(0));
    assert_eq!(registers.load_bar(0, TABLE + 8, Width::W64), Some(1 << 32));
    program(&mut registers, 64, 0x1_0800_0043, 0xffff_0052, 0xffff_fffe);
    let entry = Entry { address: Iova::new(0x1_0800_0040), data: 0xffff_0052, control: 0 };
    assert_eq!(registers.msix().unwrap().entries()[64], entry);
    assert_eq!(registers.load_bar(0, TABLE + 0x408, Width::W32), Some(0xffff_0052));
    assert_eq!(registers.load_bar(0, TABLE + 0x409, Width::W8), Some(0));
    assert_eq!(registers.load_bar(0, TABLE + 0x40a, Width::W16), Some(0xffff));
    // Beyond the last entry, and in another BAR, lie the device's own registers.
    assert_eq!(registers.load_bar(0, TABLE + 0x410, Width::W32), None);
    assert_eq!(registers.load_bar(1, TABLE, Width::W32), None);
    assert_eq!(registers.store_bar(0, TABLE + 0x410, Width::W32, 1), None);
    // Parts of a word do not change it, two words at once do.
    registers.store_bar(0, TABLE, Width::W8, 0x80);
    registers.store_bar(0, TABLE + 2, Width::W32, u64::MAX);
    assert_eq!(registers.load_bar(0, TABLE, Width::W64), Some(0));
    registers.store_bar(0, TABLE + 8, Width::W64, 7);
    assert_eq!(registers.msix().unwrap().entries()[0].data, 7);
    assert!(!registers.msix().unwrap().entries()[0].is_masked());
}

#[test]
fn a_vector_is_sent_lost_or_kept() {
    let mut registers = awake();
    assert_eq!(registers.raise(0), Raised::Lost(Lost::Disabled));
    registers.store(MSIX_CONTROL, Width::W16, MSIX_ON);
    assert_eq!(registers.raise(65), Raised::Lost(Lost::NoVector));
    program(&mut registers, 3, 0x800_0040, 0x52, 0);
    assert_eq!(registers.raise(3), Raised::Sent(message(0x800_0040, 0x52)));
    registers.store(COMMAND, Width::W16, 2);
    assert_eq!(registers.raise(3), Raised::Lost(Lost::NoBusMaster));
    registers.store(COMMAND, Width::W16, MEMORY_AND_MASTER);
    registers.store(POWER + 4, Width::W16, 3);
    assert!(!registers.answers(0));
    assert_eq!(registers.raise(3), Raised::Lost(Lost::NoBusMaster));
}

#[test]
fn what_is_masked_is_pending_and_goes_out_once_when_nothing_masks_it() {
    let mut registers = awake();
    registers.store(MSIX_CONTROL, Width::W16, MSIX_ON | ALL_MASKED);
    program(&mut registers, 0, 0x1000, 10, 0);
    program(&mut registers, 64, 0x2000, 74, 1);
    assert_eq!(registers.raise(0), Raised::Pending);
    assert_eq!(registers.raise(64), Raised::Pending);
    assert_eq!(registers.raise(64), Raised::Pending);
    assert_eq!(registers.load_bar(0, PBA, Width::W64), Some(1));
    assert_eq!(registers.load_bar(0, PBA + 8, Width::W32), Some(1));
    registers.store_bar(0, PBA, Width::W64, 0);
    assert!(registers.msix().unwrap().is_pending(0) && !registers.msix().unwrap().is_pending(1));
    // The function mask is cleared: one vector is sent, the other has a mask of its own.
    let sent = registers.store(MSIX_CONTROL, Width::W16, MSIX_ON);
    assert_eq!(sent, [message(0x1000, 10)]);
    let sent = registers.store_bar(0, TABLE + 0x40c, Width::W32, 0);
    assert_eq!(sent, Some(vec![message(0x2000, 74)]));
    let sent = registers.store_bar(0, TABLE + 0x40c, Width::W32, 0);
    assert_eq!(sent, Some(Vec::new()));
}

/// While the function may not write, what is pending waits.
#[test]
fn pending_vectors_wait_for_bus_mastering() {
    let mut registers = awake();
    registers.store(MSIX_CONTROL, Width::W16, MSIX_ON);
    registers.raise(5);
    registers.store(COMMAND, Width::W16, 2);
    assert_eq!(registers.store_bar(0, TABLE + 0x5c, Width::W32, 0), Some(Vec::new()));
    assert_eq!(registers.store(COMMAND, Width::W16, MEMORY_AND_MASTER), [message(0, 0)]);
}

/// PCI 3.0 6.8.1.6: the vector's number takes the low bits of the data, as many as were allotted.
#[test]
fn msi_puts_the_vector_into_the_data() {
    let mut registers = awake();
    registers.store(MSI as u32 + 4, Width::W64, 0x1_0800_0043);
    registers.store(MSI as u32 + 0xc, Width::W32, 0xffff_0057);
    assert_eq!(registers.load(MSI as u32 + 0xc, Width::W32), 0x57);
    // Allotted: sixteen, of which the function has eight.
    registers.store(MSI_CONTROL, Width::W16, 1 | 4 << 4);
    assert_eq!(registers.raise(8), Raised::Lost(Lost::NoVector));
    assert_eq!(registers.raise(2), Raised::Sent(message(0x1_0800_0040, 0x52)));
    registers.store(MSI as u32 + 0x10, Width::W32, 0xffff_ffff);
    assert_eq!(registers.load(MSI as u32 + 0x10, Width::W32), 0xff);
    assert_eq!(registers.raise(7), Raised::Pending);
    assert_eq!(registers.load(MSI as u32 + 0x14, Width::W32), 0x80);
    let sent = registers.store(MSI as u32 + 0x10, Width::W32, 0x7f);
    assert_eq!(sent, [message(0x1_0800_0040, 0x57)]);
    assert_eq!(registers.load(MSI as u32 + 0x14, Width::W32), 0);
}

#[test]
fn power_states_that_do_not_exist_are_not_entered() {
    let mut registers = Registers::new(&function());
    assert_eq!(registers.load(POWER + 4, Width::W16), 0x0b);
    registers.store(POWER + 4, Width::W16, 1);
    assert_eq!(registers.load(POWER + 4, Width::W16), 0x0b);
    registers.store(POWER + 4, Width::W16, 0);
    assert_eq!(registers.load(POWER + 4, Width::W16), 0x08);
}

#[test]
fn a_reset_of_the_function_leaves_nothing_of_what_was_stored() {
    let mut registers = awake();
    registers.store(MSIX_CONTROL, Width::W16, MSIX_ON);
    program(&mut registers, 1, 0x1000, 1, 1);
    registers.raise(1);
    registers.store(EXPRESS as u32 + 8, Width::W16, 0x8000);
    let mut fresh = Registers::new(&function());
    fresh.reset();
    assert_eq!(registers, fresh);
    assert_eq!(registers.load(0x10, Width::W64), 4);
    assert!(!registers.answers(0) && !registers.is_msix_enabled());
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Config(u32, Width, u64),
    Bar(u64, Width, u64),
    Raise(u16),
}

fn step() -> impl Strategy<Value = Step> {
    let width = prop::sample::select(vec![Width::W8, Width::W16, Width::W32, Width::W64]);
    let control = prop::sample::select(vec![MSIX_CONTROL, MSI_CONTROL, COMMAND, POWER + 4, 0x88]);
    let config = prop_oneof![3 => control, 1 => 0..5000u32];
    let table = prop_oneof![4 => (0..66u64).prop_map(|n| TABLE + 16 * n + 12), 1 => 0..0x5000u64];
    prop_oneof![
        (config, width.clone(), any::<u64>()).prop_map(|(at, w, v)| Step::Config(at, w, v)),
        (table, width, any::<u64>()).prop_map(|(at, w, v)| Step::Bar(at, w, v)),
        (0..70u16).prop_map(Step::Raise),
    ]
}

proptest! {
    /// For any stores: the identity stays, and no more messages are sent than vectors were raised.
    #[test]
    fn anything_may_be_stored(steps in prop::collection::vec(step(), 0..200)) {
        let mut registers = awake();
        let (mut raised, mut sent) = (0, 0);
        for step in steps {
            match step {
                Step::Config(at, width, value) => sent += registers.store(at, width, value).len(),
                Step::Bar(at, width, value) => {
                    let messages = registers.store_bar(0, at, width, value);
                    sent += messages.map_or(0, |messages| messages.len());
                    prop_assert_eq!(
                        registers.load_bar(0, at, width).is_some(),
                        (TABLE..TABLE + 0x410).contains(&at) || (PBA..PBA + 16).contains(&at)
                    );
                }
                Step::Raise(vector) => {
                    raised += 1;
                    sent += usize::from(matches!(registers.raise(vector), Raised::Sent(_)));
                }
            }
            prop_assert_eq!(registers.load(0, Width::W32), 0x11e8_1234);
            prop_assert!(sent <= raised);
        }
    }
}
