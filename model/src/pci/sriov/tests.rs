use crate::Width;
use crate::pci::tests::function;
use crate::pci::{Registers, Sriov};
use crate::topology::Function;

fn facts() -> Sriov {
    let mut bars = [(0, 0); 6];
    bars[0] = (0x4080_000c, 0xffff_c000);
    bars[1] = (0, 0xffff_ffff);
    Sriov {
        at: 0x160,
        total: 64,
        enabled: 3,
        offset: 128,
        stride: 2,
        dependency: 1,
        device: 0x1515,
        bars,
    }
}

/// A function with a capability at 0x100 and nothing behind it.
fn registers() -> Registers {
    let mut config = function().config;
    config.resize(0x104, 0);
    config[0x100..].copy_from_slice(&[0x01, 0, 0x02, 0]);
    Registers::new(&Function { config, config_size: 0x1000, ..function() }).with_virtual(&facts())
}

#[test]
fn the_capability_says_what_there_can_be() {
    let registers = registers();
    let word = |at| registers.load(at, Width::W16);
    assert_eq!(registers.load(0x100, Width::W32), 0x1602_0001, "the list goes on");
    assert_eq!(registers.load(0x160, Width::W32), 0x0001_0010);
    assert_eq!((word(0x16c), word(0x16e), word(0x170), word(0x172)), (64, 64, 3, 1));
    assert_eq!((word(0x174), word(0x176), word(0x17a)), (128, 2, 0x1515));
    assert_eq!(registers.load(0x184, Width::W32), 0x4080_000c);
}

#[test]
fn functions_are_there_while_they_are_enabled() {
    let mut registers = registers();
    assert_eq!(registers.virtual_functions(), Some(3));
    registers.store(0x168, Width::W16, 0);
    assert_eq!(registers.virtual_functions(), Some(0));
    registers.store(0x170, Width::W16, 100);
    registers.store(0x168, Width::W16, 0xffff);
    assert_eq!(registers.load(0x168, Width::W16), 0x19);
    assert_eq!(registers.virtual_functions(), Some(64), "no more than TotalVFs");
    // The rest is read-only.
    registers.store(0x16c, Width::W32, 0);
    registers.store(0x174, Width::W32, 0);
    assert_eq!(registers.load(0x16c, Width::W32), 0x0040_0040);
    assert_eq!(registers.load(0x174, Width::W32), 0x0002_0080);
    registers.store(0x184, Width::W32, u64::from(u32::MAX));
    assert_eq!(registers.load(0x184, Width::W32), 0xffff_c00c, "16K");
    registers.store(0x180, Width::W32, 2);
    registers.reset();
    assert_eq!(registers.virtual_functions(), Some(0));
    assert_eq!(registers.load(0x180, Width::W32), 1, "pages of 4K");
    assert_eq!(Registers::new(&function()).virtual_functions(), None);
}

#[test]
fn without_room_there_is_none() {
    let small = Registers::new(&Function { config_size: 256, ..function() });
    assert_eq!(small.with_virtual(&facts()).virtual_functions(), None);
    let far = Sriov { at: 0xff0, ..facts() };
    let wide = Function { config_size: 0x1000, ..function() };
    assert_eq!(Registers::new(&wide).with_virtual(&far).virtual_functions(), None);
}
