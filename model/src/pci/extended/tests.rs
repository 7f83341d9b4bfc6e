//! The capability where there are others, and where there is no room.

use super::{ATS, ATS_CONTROL, Config, FIRST};
use crate::topology::Function;
use crate::{DeviceId, Rid, StreamId, Width};

fn config(size: u32, words: &[(usize, u32)]) -> Config {
    let mut bytes = vec![0; size as usize];
    for (at, word) in words {
        bytes[*at..*at + 4].copy_from_slice(&word.to_le_bytes());
    }
    Config::new(&Function {
        rid: Rid::new(8),
        vendor: 0x1234,
        device: 0x11e8,
        class: 0x00ff00,
        group: None,
        boot_driver: None,
        bars: Vec::new(),
        config: bytes,
        config_size: size,
        msi: None,
        msix: None,
        pcie: None,
        resettable: false,
        stream: StreamId::new(8),
        device_id: DeviceId::new(8),
    })
}

#[test]
fn it_stands_where_there_is_room() {
    assert_eq!(config(0x100, &[]).give_ats(), None);
    let mut alone = config(0x1000, &[]);
    assert_eq!(alone.give_ats(), Some(FIRST + ATS_CONTROL));
    assert_eq!(alone.load(FIRST, Width::W32), ATS | 1 << 16);
    // Behind another; giving it twice gives it once.
    let mut second = config(0x1000, &[(0x100, 0x0001_0001), (0xff8, 1)]);
    assert_eq!(second.give_ats(), Some(0xff0 + ATS_CONTROL));
    assert_eq!(second.load(0x100, Width::W32), 0xff01_0001);
    assert_eq!(second.give_ats(), Some(0xff0 + ATS_CONTROL));
    // A list in a circle ends.
    assert!(config(0x1000, &[(0x100, 0x1001_0001)]).give_ats().is_some());
}

#[test]
fn software_switches_it_on_and_a_reset_off() {
    let mut config = config(0x1000, &[]);
    let control = config.give_ats().unwrap();
    assert!(!config.ats_is_enabled(control));
    config.store(control, Width::W16, 0x8001);
    assert!(config.ats_is_enabled(control));
    assert_eq!(config.load(control, Width::W16), 0x8001);
    config.reset();
    assert!(!config.ats_is_enabled(control));
}
