//! Tables that the ITS keeps its devices and collections in: Linux's `its_alloc_tables`.

use super::registers::Registers;
use super::wire::{
    BASER_PAGE_SIZES, Baser, GITS_BASER_NR_REGS, GITS_BASER_PAGES_MAX, GITS_BASER_TYPE_COLLECTION,
    GITS_BASER_TYPE_DEVICE, GITS_LVL1_ENTRY_SIZE, INNER_SHAREABLE, LVL1_VALID, RA_WA_WB, WA_WB,
    gits,
};
use crate::policy::ItsTables;
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
    /// Whether anybody looks if there is a place for a device.
    checked: bool,
}

/// A zeroed block.
pub(super) fn zeroed(lg2: u32, frames: &mut Frames, host: &mut impl Host) -> Option<PhysAddr> {
    let size = PageSize::from_lg2(lg2)?;
    let base = frames.alloc(size)?;
    host.memory_mut().zero(Span::from_size(base, size.bytes())?).ok()?;
    Some(base)
}

/// The cacheability of memory that an ITS and redistributors are given.
pub(super) fn cacheability(tables: ItsTables) -> u64 {
    match tables {
        ItsTables::Flat => WA_WB,
        ItsTables::TwoLevel => RA_WA_WB,
    }
}

/// The largest block the page allocator gives: MAX_PAGE_ORDER of arm64, which is a level 2 block of
/// pages of 64 KiB, and for smaller ones as its Kconfig has it.
fn largest(frames: &Frames) -> u64 {
    let order = match frames.smallest().lg2() {
        12 => 10,
        14 => 11,
        _ => 13,
    };
    frames.smallest().bytes() << order
}

/// Gives the ITS a table for every kind it asks for, and returns that of devices.
pub(super) fn alloc_all(
    (registers, tables): (Registers, ItsTables),
    device_bits: u32,
    frames: &mut Frames,
    host: &mut impl Host,
) -> Option<Table> {
    let mut devices = None;
    for n in 0..GITS_BASER_NR_REGS {
        let offset = gits::BASER + n * 8;
        match Baser::TYPE.get(registers.load64(offset, host)?) {
            GITS_BASER_TYPE_DEVICE => {
                devices = Some(Table::alloc(
                    (registers, tables),
                    offset,
                    Some(device_bits),
                    frames,
                    host,
                )?);
            }
            GITS_BASER_TYPE_COLLECTION => {
                Table::alloc((registers, tables), offset, None, frames, host)?;
            }
            _ => {}
        }
    }
    devices
}

/// The largest page the register takes. 6.12 its_probe_baser_psz.
fn page_size(registers: Registers, offset: u64, host: &mut impl Host) -> Option<(u32, u64)> {
    let old = registers.load64(offset, host)?;
    for (lg2, code) in BASER_PAGE_SIZES {
        let wanted = Baser::VALID.set(Baser::PAGE_SIZE.set(old, code), 0);
        registers.store64(offset, wanted, host)?;
        if Baser::PAGE_SIZE.get(registers.load64(offset, host)?) == code {
            return Some((lg2, code));
        }
    }
    None
}

impl Table {
    /// A table for entries of so many bits of number, or of one page.
    // 6.12 its_parse_indirect_baser: two levels where one would take more than two pages and the
    // register can say so; no more than the page allocator gives, here and in 4.4 its_alloc_tables.
    fn alloc(
        (registers, tables): (Registers, ItsTables),
        offset: u64,
        bits: Option<u32>,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<Self> {
        let (page_lg2, code) = page_size(registers, offset, host)?;
        let page = 1u64 << page_lg2;
        let value = registers.load64(offset, host)?;
        let entry_bytes = Baser::ENTRY_SIZE.get(value) + 1;
        let mut indirect = false;
        let mut bytes = page;
        if let Some(bits) = bits {
            let flat = entry_bytes << bits;
            if flat > page * 2 && tables == ItsTables::TwoLevel {
                let wanted = Baser::INDIRECT.set(value, 1);
                registers.store64(offset, wanted, host)?;
                indirect = Baser::INDIRECT.is_set(registers.load64(offset, host)?);
            }
            let per_page = (page / entry_bytes).ilog2();
            bytes = match indirect {
                true => GITS_LVL1_ENTRY_SIZE << bits.saturating_sub(per_page),
                false => flat,
            };
        }
        let bytes = bytes.next_power_of_two().min(largest(frames));
        let bytes = bytes.clamp(page, page * GITS_BASER_PAGES_MAX);
        let base = zeroed(bytes.ilog2(), frames, host)?;
        // GITS_BASER_PHYS_52_to_48: with pages of 64 KiB the bits below the page are the highest.
        let address = match page_lg2 {
            16 => base.get() & ((1 << 48) - 1) | (base.get() >> 48) << 12,
            _ => base.get(),
        };
        let baser = Baser::ADDRESS.in_place(address)
            | Baser::PAGES.of(bytes / page - 1)
            | Baser::PAGE_SIZE.of(code)
            | Baser::SHAREABILITY.of(INNER_SHAREABLE)
            | Baser::INNER_CACHEABILITY.of(cacheability(tables))
            | Baser::INDIRECT.flag(indirect)
            | Baser::VALID.flag(true);
        registers.store64(offset, baser, host)?;
        let checked = tables == ItsTables::TwoLevel;
        Some(Self { base, bytes, page_lg2, entry_bytes, indirect, checked })
    }

    /// Makes sure there is an entry for a device. `None` if the table has no place for it, or
    /// there is no memory.
    // 6.12 its_alloc_table_entry; 4.4 its_create_device does not ask.
    pub(super) fn cover(
        &self,
        device: DeviceId,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Option<()> {
        let id = u64::from(device.get());
        if !self.indirect {
            return (!self.checked || id < self.bytes / self.entry_bytes).then_some(());
        }
        let index = id >> ((1u64 << self.page_lg2) / self.entry_bytes).ilog2();
        if index >= self.bytes / GITS_LVL1_ENTRY_SIZE {
            return None;
        }
        let place = self.base.checked_add(index * GITS_LVL1_ENTRY_SIZE)?;
        if host.memory().load_u64(place).ok()? & LVL1_VALID == 0 {
            let page = zeroed(self.page_lg2, frames, host)?;
            host.memory_mut().store_u64(place, page.get() | LVL1_VALID).ok()?;
        }
        Some(())
    }
}
