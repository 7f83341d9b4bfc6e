//! GITS_BASER as each kernel writes it, for an ITS that accepts pages of one size.

use super::super::registers::Registers;
use super::super::table::{Choices, alloc_all};
use crate::policy::Profile;
use passim_model::{Abort, DeviceId, Frames, Host, Memory, PageSize, PhysAddr, Span, Width};

const ITS: u64 = 0x808_0000;
/// GITS_BASER.Page_Size of 4 KiB, 16 KiB and 64 KiB. IHI 0069 H 12.19.
const K4: u64 = 0;
const K64: u64 = 2;
const VALID: u64 = 1 << 63;
const INDIRECT: u64 = 1 << 62;

/// GITS_BASER0 for devices, with a fixed entry size, and nothing else.
struct OneTable {
    memory: Memory,
    baser: u64,
    page: u64,
    indirect: bool,
}

impl Host for OneTable {
    fn memory(&self) -> &Memory {
        &self.memory
    }
    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }
    fn load(&mut self, at: PhysAddr, _: Width) -> Result<u64, Abort> {
        Ok(if at.get() == ITS + 0x100 { self.baser } else { 0 })
    }
    fn store(&mut self, at: PhysAddr, _: Width, value: u64) -> Result<(), Abort> {
        if at.get() == ITS + 0x100 {
            let told = 0x071f << 48;
            let indirect = if self.indirect { 0 } else { INDIRECT };
            self.baser = self.baser & told | value & !told & !indirect & !0x300 | self.page << 8;
        }
        Ok(())
    }
    fn relax(&mut self) {}
}

/// GITS_BASER0 without its address and attributes, after a kernel has allocated the table; and
/// which of these devices have a place in it.
fn table(
    profile: Profile,
    (page, indirect): (u64, bool),
    (entry, bits): (u64, u32),
    devices: [u32; 2],
) -> (u64, [bool; 2]) {
    let ram = Span::from_size(PhysAddr::new(0x4000_0000), 0x100_0000).unwrap();
    let mut memory = Memory::new();
    memory.add_bank(ram).unwrap();
    let mut frames = Frames::new(PageSize::from_lg2(12).unwrap(), [ram]);
    let mut host = OneTable { memory, baser: 1 << 56 | (entry - 1) << 48, page, indirect };
    let registers = (Registers(PhysAddr::new(ITS)), Choices::of(&profile.policy()));
    let table = alloc_all(registers, bits, &mut frames, &mut host).unwrap();
    let value = host.baser & (VALID | INDIRECT | 0x3ff);
    (value, devices.map(|id| table.cover(DeviceId::new(id), &mut frames, &mut host).is_ok()))
}

/// The table's number of pages, at most 256, the limit of GITS_BASER.Size.
#[test]
fn tables_are_as_large_as_each_kernel_makes_them() {
    let (early, late) = (Profile::Linux4_11, Profile::Linux6_12);
    let cases = [
        // 64 KiB, in pages of 64 KiB or of 4 KiB.
        (late, (K64, false), 8, 13, VALID | K64 << 8),
        (late, (K4, false), 8, 13, VALID | 15),
        // Fewer than fill a page of 64 KiB: up to 4.11 sixteen pages of 4 KiB, since then one.
        (early, (K4, false), 8, 8, VALID | 15),
        (late, (K4, false), 8, 8, VALID),
        // 2 MiB are 512 pages of 4 KiB.
        (early, (K4, false), 32, 16, VALID | 255),
        (late, (K4, false), 32, 16, VALID | 255),
        // Two levels where a flat table has more than two pages: of 64 KiB up to 4.11, of its own
        // size since then.
        (early, (K4, true), 8, 13, VALID | 15),
        (late, (K4, true), 8, 13, VALID | INDIRECT),
        (early, (K64, true), 8, 16, VALID | INDIRECT | K64 << 8),
        (late, (K64, true), 8, 16, VALID | INDIRECT | K64 << 8),
    ];
    for (profile, its, entry, bits, wanted) in cases {
        let (found, _) = table(profile, its, (entry, bits), [0, 0]);
        assert_eq!(found, wanted, "{profile}, {its:?}, {entry} bytes, {bits} bits: {found:#x}");
    }
}

/// The driver uses no more pages than the register could encode.
#[test]
fn a_table_that_is_cut_short_has_no_place_for_the_rest() {
    for profile in [Profile::Linux4_11, Profile::Linux6_12] {
        let (_, places) = table(profile, (K4, false), (32, 16), [0x7fff, 0x8000]);
        assert_eq!(places, [true, false], "{profile}: 256 pages of 4 KiB, 32 bytes an entry");
    }
}
