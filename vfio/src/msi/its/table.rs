//! Device and collection tables of the ITS: Linux's `its_alloc_tables`.

use super::Lacking;
use super::registers::Registers;
use super::wire::{
    BASER_PAGE_SIZES, Baser, GITS_BASER_NR_REGS, GITS_BASER_PAGES_MAX, GITS_BASER_TYPE_COLLECTION,
    GITS_BASER_TYPE_DEVICE, GITS_LVL1_ENTRY_SIZE, INNER_SHAREABLE, LVL1_VALID, RA_WA_WB, WA_WB,
    gits,
};
use crate::policy::{ItsCacheability, ItsFlatCheck, ItsPages, ItsTables, Policy};
use passim_model::{DeviceId, Frames, Host, PageSize, PhysAddr, Span};

/// A table in memory.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Table {
    base: PhysAddr,
    /// Bytes of the table, or of its level 1.
    bytes: u64,
    /// log2 of a page's bytes.
    page_lg2: u32,
    entry_bytes: u64,
    indirect: bool,
    /// Whether the driver checks that a device has a place in a flat table.
    checked: bool,
}

/// Allocates a zeroed block.
pub(super) fn zeroed(lg2: u32, frames: &mut Frames, host: &mut impl Host) -> Option<PhysAddr> {
    let size = PageSize::from_lg2(lg2)?;
    let base = frames.alloc(size)?;
    host.memory_mut().zero(Span::from_size(base, size.bytes())?).ok()?;
    Some(base)
}

/// Bytes of the page allocator's largest block: MAX_PAGE_ORDER of arm64, which is a level 2 block
/// with pages of 64 KiB, and Kconfig's default for smaller pages.
fn largest(frames: &Frames) -> u64 {
    let order = match frames.smallest().lg2() {
        12 => 10,
        14 => 11,
        _ => 13,
    };
    frames.smallest().bytes() << order
}

/// The kernel's choices for tables.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Choices {
    tables: ItsTables,
    pages: ItsPages,
    flat_check: ItsFlatCheck,
    /// As a cacheability field encodes it.
    pub(super) cacheability: u64,
}

impl Choices {
    pub(super) fn of(policy: &Policy) -> Self {
        Self {
            tables: policy.its_tables,
            pages: policy.its_pages,
            flat_check: policy.its_flat_check,
            cacheability: cacheability(policy),
        }
    }
}

/// The cacheability of memory for an ITS and redistributors.
pub(super) fn cacheability(policy: &Policy) -> u64 {
    match policy.its_cacheability {
        ItsCacheability::WriteAllocate => WA_WB,
        ItsCacheability::ReadWriteAllocate => RA_WA_WB,
    }
}

/// Allocates every table that the ITS requires, and returns the device table.
pub(super) fn alloc_all(
    (registers, choices): (Registers, Choices),
    device_bits: u32,
    frames: &mut Frames,
    host: &mut impl Host,
) -> Option<Table> {
    let mut devices = None;
    // 4.11 its_alloc_tables: the page size that one register accepts is tried first with the next.
    let mut page_lg2 = BASER_PAGE_SIZES[0].0;
    for n in 0..GITS_BASER_NR_REGS {
        let mut baser = BaserRegister { registers, offset: gits::BASER + n * 8, choices };
        let bits = match Baser::TYPE.get(baser.load(host)?) {
            GITS_BASER_TYPE_DEVICE => Some(device_bits),
            GITS_BASER_TYPE_COLLECTION => None,
            _ => continue,
        };
        if choices.pages == ItsPages::Probed {
            page_lg2 = baser.probe_page(host)?;
        }
        let table = baser.give(page_lg2, bits, frames, host)?;
        page_lg2 = table.page_lg2;
        if bits.is_some() {
            devices = Some(table);
        }
    }
    devices
}

/// A GITS_BASER, and the choices for its table.
#[derive(Clone, Copy, Debug)]
struct BaserRegister {
    registers: Registers,
    /// Offset from the ITS's first register, in bytes.
    offset: u64,
    choices: Choices,
}

impl BaserRegister {
    fn load(&mut self, host: &mut impl Host) -> Option<u64> {
        self.registers.load64(self.offset, host)
    }

    /// Stores a value, and returns the value read back.
    fn store(&mut self, value: u64, host: &mut impl Host) -> Option<u64> {
        self.registers.store64(self.offset, value, host)?;
        self.load(host)
    }

    /// The largest page the register accepts, as log2 of its bytes. 6.12 its_probe_baser_psz.
    fn probe_page(&mut self, host: &mut impl Host) -> Option<u32> {
        let old = self.load(host)?;
        for (lg2, code) in BASER_PAGE_SIZES {
            let wanted = Baser::VALID.set(Baser::PAGE_SIZE.set(old, code), 0);
            if Baser::PAGE_SIZE.get(self.store(wanted, host)?) == code {
                return Some(lg2);
            }
        }
        None
    }

    /// The size of a table for numbers of `bits` bits (one page without), and whether it has two
    /// levels.
    // 6.12 its_parse_indirect_baser: two levels where a flat table would have more than two pages
    // and the register supports them; at most the page allocator's largest block, here and in 4.4
    // its_alloc_tables.
    fn plan(
        &mut self,
        (page_lg2, bits): (u32, Option<u32>),
        frames: &Frames,
        host: &mut impl Host,
    ) -> Option<(u64, bool)> {
        let page = 1u64 << page_lg2;
        let value = self.load(host)?;
        let entry_bytes = Baser::ENTRY_SIZE.get(value) + 1;
        let (mut bytes, mut indirect) = (page, false);
        if let Some(bits) = bits {
            bytes = entry_bytes << bits;
            if bytes > page * 2 && self.choices.tables == ItsTables::TwoLevel {
                let wanted = Baser::INDIRECT.set(value, 1);
                indirect = Baser::INDIRECT.is_set(self.store(wanted, host)?);
            }
            if indirect {
                let per_page = (page / entry_bytes).ilog2();
                bytes = GITS_LVL1_ENTRY_SIZE << bits.saturating_sub(per_page);
            }
        }
        let bytes = bytes.max(page).max(frames.smallest().bytes());
        Some((bytes.next_power_of_two().min(largest(frames)), indirect))
    }

    /// Allocates a table with a page size, or with the next smaller one that the register accepts.
    // 4.11 its_setup_baser: the table's size is fixed before its page size.
    fn give(
        &mut self,
        first_lg2: u32,
        bits: Option<u32>,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<Table> {
        let (mut bytes, indirect) = self.plan((first_lg2, bits), frames, host)?;
        let entry_bytes = Baser::ENTRY_SIZE.get(self.load(host)?) + 1;
        let checked = self.choices.flat_check == ItsFlatCheck::Asked;
        for (page_lg2, code) in BASER_PAGE_SIZES {
            if page_lg2 > first_lg2 {
                continue;
            }
            bytes = bytes.min(GITS_BASER_PAGES_MAX << page_lg2);
            let base = zeroed(bytes.ilog2(), frames, host)?;
            let table = Table { base, bytes, page_lg2, entry_bytes, indirect, checked };
            let taken = self.store(self.value(&table, code), host)?;
            if Baser::PAGE_SIZE.get(taken) == code {
                return Some(table);
            }
            frames.free(base, PageSize::from_lg2(bytes.ilog2())?);
        }
        None
    }

    fn value(&self, table: &Table, code: u64) -> u64 {
        // GITS_BASER_PHYS_52_to_48: with pages of 64 KiB the bits below the page hold the highest
        // address bits.
        let address = match table.page_lg2 {
            16 => table.base.get() & ((1 << 48) - 1) | (table.base.get() >> 48) << 12,
            _ => table.base.get(),
        };
        Baser::ADDRESS.in_place(address)
            | Baser::PAGES.of((table.bytes >> table.page_lg2) - 1)
            | Baser::PAGE_SIZE.of(code)
            | Baser::SHAREABILITY.of(INNER_SHAREABLE)
            | Baser::INNER_CACHEABILITY.of(self.choices.cacheability)
            | Baser::INDIRECT.flag(table.indirect)
            | Baser::VALID.flag(true)
    }
}

impl Table {
    /// Allocates the page for a device's entry, if it is missing.
    // 6.12 its_alloc_table_entry; 4.4 its_create_device does not check a flat table.
    pub(super) fn cover(
        &self,
        device: DeviceId,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), Lacking> {
        let id = u64::from(device.get());
        if !self.indirect {
            let places = self.bytes / self.entry_bytes;
            let has = !self.checked || id < places;
            return has.then_some(()).ok_or(Lacking::Place(places));
        }
        let per_page_lg2 = ((1u64 << self.page_lg2) / self.entry_bytes).ilog2();
        let pages = self.bytes / GITS_LVL1_ENTRY_SIZE;
        let index = id >> per_page_lg2;
        if index >= pages {
            return Err(Lacking::Place(pages << per_page_lg2));
        }
        self.allocate_page(index, frames, host).ok_or(Lacking::Memory)
    }

    /// Allocates a page of level 2, if it is missing. `None` if memory runs out.
    fn allocate_page(&self, index: u64, frames: &mut Frames, host: &mut impl Host) -> Option<()> {
        let place = self.base.checked_add(index * GITS_LVL1_ENTRY_SIZE)?;
        if host.memory().load_u64(place).ok()? & LVL1_VALID == 0 {
            let page = zeroed(self.page_lg2, frames, host)?;
            host.memory_mut().store_u64(place, page.get() | LVL1_VALID).ok()?;
        }
        Some(())
    }
}
