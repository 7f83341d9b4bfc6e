//! The mappings in an ITS's tables, independent of their layout: read in one layout, written in
//! another.
//!
//! The layouts are KVM's save and restore ABI revision 0 (Linux
//! `Documentation/virt/kvm/devices/arm-vgic-its.rst`), QEMU's (`hw/intc/gicv3_internal.h`), and one
//! with GIC-600's entry sizes. A machine saved with one layout and restored with another needs
//! exactly this conversion.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `convert` | how are tables rewritten in another layout? |
//! | `write` | which places do entries have, and what is written there? |
//! | `overlap` | does one table spoil another? |
//! | `error` | why can they not be? |

mod convert;
mod error;
mod overlap;
mod write;

pub(crate) use convert::Plan;
pub use convert::{Converted, convert};
pub(super) use convert::{Limits, plan};
pub use error::{ImageError, Kind, Owner};
pub(crate) use overlap::disjoint;

use super::entry::Layout;
use super::table::{Missing, PIECE, Table, zeros};
use super::wire::Baser;
use crate::Cpu;
use core::fmt;
use passim_model::{Abort, DeviceId, EventId, IntId, Memory, PhysAddr, Span};
use std::collections::{BTreeMap, BTreeSet};

/// A mapped device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// Physical address of its interrupt translation table, a multiple of 256 bytes.
    pub itt: PhysAddr,
    /// Bits of an EventID, 1 to 32: the table has `1 << event_bits` entries.
    pub event_bits: u32,
    /// Its mapped events: LPI and ICID, which is `None` for an event that lost its collection for
    /// good; no table represents those.
    pub events: BTreeMap<EventId, (IntId, Option<u16>)>,
}

/// Everything that the tables of an ITS map.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Mappings {
    /// The mapped devices.
    pub devices: BTreeMap<DeviceId, Device>,
    /// The mapped collections, and the CPU of each.
    pub collections: BTreeMap<u16, Cpu>,
}

/// A part of a table that could not be read. Nothing in it is mapped.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Silent {
    /// The table.
    pub of: Kind,
    /// The addresses, as far as they were tried.
    pub span: Span<PhysAddr>,
}

impl fmt::Display for Silent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the {} table does not answer at {}", self.of, self.span)
    }
}

/// The mappings in tables, and the parts that could not be read.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Found {
    /// The mappings.
    pub mappings: Mappings,
    /// The parts that could not be read, in the order of reading.
    pub silent: Vec<Silent>,
}

/// Locations of the tables: the values of the GITS_BASER registers for devices and collections.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tables {
    /// GITS_BASER of devices, as it reads.
    pub devices: u64,
    /// GITS_BASER of collections, as it reads.
    pub collections: u64,
}

impl Tables {
    fn of_devices(self, layout: Layout) -> Option<Table> {
        Table::of_entries(self.devices, layout.dte_bytes())
    }

    fn of_collections(self, layout: Layout) -> Option<Table> {
        Table::of_entries(self.collections, layout.cte_bytes())
    }

    /// The registers for an ITS with another layout: entry sizes equal to the old layout's become
    /// the new layout's.
    pub(super) fn laid_out(self, (from, to): (Layout, Layout)) -> Self {
        let resized = |baser, (from, to): (u64, u64)| {
            let own = Baser::ENTRY_SIZE.get(baser) < from;
            if own { Baser::ENTRY_SIZE.set(baser, to - 1) } else { baser }
        };
        Self {
            devices: resized(self.devices, (from.dte_bytes(), to.dte_bytes())),
            collections: resized(self.collections, (from.cte_bytes(), to.cte_bytes())),
        }
    }
}

/// How a reader finds the mapped entries of a table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reading {
    /// Every entry is read.
    Every,
    /// By the distance from each entry to the next, as in the KVM ABI. Entries that no distance
    /// leads to are not read. A distance that leads out of a page of level 2 leads to the first
    /// entry of the next page.
    ByDistance,
}

/// Maximum number of entries read that are not zero.
const MOST_ENTRIES: u64 = 1 << 22;
/// Maximum number of memory pieces tried.
const MOST_PIECES: u64 = 1 << 24;
/// Maximum number of collections.
const MOST_COLLECTIONS: u64 = 1 << 16;
/// A reader of tables.
struct Reader<'a> {
    layout: Layout,
    reading: Reading,
    memory: &'a Memory,
    /// Number of entries that may still be read.
    entries: u64,
    /// Number of pieces, empty or unreadable, that may still be passed.
    pieces: u64,
    silent: Vec<Silent>,
}

impl Reader<'_> {
    fn spend(&mut self) -> Result<(), ImageError> {
        self.entries.checked_sub(1).map(|left| self.entries = left).ok_or(ImageError::TooLarge)
    }

    fn pass_piece(&mut self) -> Result<(), ImageError> {
        self.pieces.checked_sub(1).map(|left| self.pieces = left).ok_or(ImageError::TooLarge)
    }

    /// Records that the piece at `at` cannot be read. Returns where the next piece begins.
    fn pass(&mut self, of: Kind, at: u64) -> u64 {
        let last = at | (PIECE - 1);
        let (start, end) = (PhysAddr::new(at), PhysAddr::new(last));
        let before = self.silent.last_mut().filter(|it| {
            it.of == of && it.span.last().get().checked_add(1) == Some(at & !(PIECE - 1))
        });
        let whole = before.as_ref().map_or(start, |before| before.span.start());
        let span = Span::new(whole, end).expect("a piece ends where it starts, or later");
        match before {
            Some(before) => before.span = span,
            None => self.silent.push(Silent { of, span }),
        }
        last.saturating_add(1)
    }

    /// Number of entries, from the one at `at` on, to skip because they cannot be read.
    fn skip(&mut self, of: Kind, at: PhysAddr, entry_bytes: u64) -> u64 {
        let next = self.pass(of, at.get());
        (next - at.get()).div_ceil(entry_bytes).max(1)
    }

    fn devices(
        &mut self,
        table: Table,
        (device_bits, event_bits): (u32, u32),
        devices: &mut BTreeMap<DeviceId, Device>,
    ) -> Result<(), ImageError> {
        let bound = table.room().min(1 << device_bits.min(32));
        let mut n = 0;
        while n < bound {
            let at = match table.entry(n, self.memory) {
                Ok(at) => at,
                // Level 1 names no page for these entries.
                Err(Missing::NoPage) => {
                    self.pass_piece()?;
                    n = (n / table.in_page() + 1) * table.in_page();
                    continue;
                }
                Err(Missing::Beyond) => break,
                // The level 1 entry cannot be read: skip the pages of all level 1 entries in that
                // piece.
                Err(Missing::Abort(at)) => {
                    self.pass_piece()?;
                    let pages = self.skip(Kind::Device, at, table.level1_bytes());
                    n = (n / table.in_page() + pages) * table.in_page();
                    continue;
                }
            };
            let zeros = zeros(at, table.entry_bytes(), self.memory);
            if zeros != 0 {
                self.pass_piece()?;
                n += zeros;
                continue;
            }
            self.spend()?;
            let Ok(word) = self.memory.load_u64(at) else {
                n += self.skip(Kind::Device, at, table.entry_bytes());
                continue;
            };
            let mut distance = 1;
            if let Some(dte) = self.layout.dte(word) {
                let bits = dte.bits.min(event_bits);
                let events = self.events(dte.itt, bits)?;
                let device = Device { itt: PhysAddr::new(dte.itt), event_bits: bits, events };
                devices.insert(DeviceId::new(n as u32), device);
                if self.reading == Reading::ByDistance {
                    distance = Layout::next_dte(word);
                }
            }
            if distance == 0 {
                break;
            }
            // KVM's scan_its_table ends with its page, and handle_l1_dte reads the next from its
            // first entry on: a distance leads to no entry of another page.
            n = (n + distance).min(table.end_of_page(n));
        }
        Ok(())
    }

    fn collections(&mut self, table: Table) -> BTreeMap<u16, Cpu> {
        let mut collections = BTreeMap::new();
        let mut listed = BTreeSet::new();
        let list = self.layout.lists_collections();
        let mut n = 0;
        while n < table.room().min(MOST_COLLECTIONS) {
            let word = match table.entry(n, self.memory) {
                Ok(at) => match self.layout.load_cte(at, self.memory) {
                    Ok(word) => word,
                    // A list ends at an entry that cannot be read.
                    Err(_) => {
                        n += self.skip(Kind::Collection, at, table.entry_bytes());
                        if list {
                            break;
                        }
                        continue;
                    }
                },
                Err(Missing::NoPage | Missing::Beyond) => 0,
                Err(Missing::Abort(at)) => {
                    let pages = self.skip(Kind::Collection, at, table.level1_bytes());
                    n = (n / table.in_page() + pages) * table.in_page();
                    if list {
                        break;
                    }
                    continue;
                }
            };
            match (list, self.layout.cte(word)) {
                // Of two entries for one collection the first applies.
                (true, Some((icid, cpu))) => {
                    if let Some(cpu) = cpu.filter(|_| listed.insert(icid)) {
                        collections.insert(icid, cpu);
                    }
                }
                (true, None) => break,
                (false, Some((_, Some(cpu)))) => {
                    collections.insert(n as u16, cpu);
                }
                (false, _) => {}
            }
            n += 1;
        }
        collections
    }

    fn events(
        &mut self,
        itt: u64,
        bits: u32,
    ) -> Result<BTreeMap<EventId, (IntId, Option<u16>)>, ImageError> {
        let mut events = BTreeMap::new();
        let bytes = self.layout.ite_bytes();
        let mut n = 0;
        while n < 1u64 << bits {
            let at = PhysAddr::new(itt + n * bytes);
            let zeros = zeros(at, bytes, self.memory);
            if zeros != 0 {
                self.pass_piece()?;
                n += zeros;
                continue;
            }
            self.spend()?;
            let ite = match self.layout.load_ite(at, self.memory) {
                Ok(ite) => ite,
                Err(Abort(silent)) => {
                    // An entry may begin before the address that failed.
                    let next = self.pass(Kind::Event, silent.get());
                    n += (next - at.get()).div_ceil(bytes).max(1);
                    continue;
                }
            };
            let mut distance = 1;
            if let Some(ite) = ite {
                events.insert(EventId::new(n as u32), (IntId::new(ite.intid), ite.icid));
                if self.reading == Reading::ByDistance {
                    distance = self.memory.load_u64(at).map_or(1, Layout::next_ite);
                }
            }
            if distance == 0 {
                break;
            }
            n += distance;
        }
        Ok(events)
    }
}

impl Mappings {
    /// Reads tables, for `bits` bits of a DeviceID and of an EventID. Parts that cannot be read act
    /// as empty, and are reported in [`Found::silent`].
    ///
    /// # Errors
    /// [`ImageError::TooLarge`].
    pub fn read(
        layout: Layout,
        reading: Reading,
        tables: Tables,
        bits: (u32, u32),
        memory: &Memory,
    ) -> Result<Found, ImageError> {
        let (found, read) = Self::read_most(layout, reading, tables, bits, memory);
        read.map(|()| found)
    }

    /// As [`Mappings::read`]; returns what was found even if the reading failed.
    pub(super) fn read_most(
        layout: Layout,
        reading: Reading,
        tables: Tables,
        bits: (u32, u32),
        memory: &Memory,
    ) -> (Found, Result<(), ImageError>) {
        let (entries, pieces, silent) = (MOST_ENTRIES, MOST_PIECES, Vec::new());
        let mut reader = Reader { layout, reading, memory, entries, pieces, silent };
        let mut mappings = Self::default();
        if let Some(table) = tables.of_collections(layout) {
            mappings.collections = reader.collections(table);
        }
        let read = match tables.of_devices(layout) {
            Some(table) => reader.devices(table, bits, &mut mappings.devices),
            None => Ok(()),
        };
        (Found { mappings, silent: reader.silent }, read)
    }

    /// Unmapped collections that events name.
    fn unmapped_collections(&self) -> BTreeSet<u16> {
        let events = self.devices.values().flat_map(|device| device.events.values());
        let icids = events.filter_map(|(_, icid)| *icid);
        icids.filter(|icid| !self.collections.contains_key(icid)).collect()
    }
}

/// Each key with its distance to the next one, 0 for the last.
pub(super) fn with_distance<'a, K: 'a>(
    keys: impl Iterator<Item = &'a K>,
    number: impl Fn(&K) -> u32,
) -> Vec<(&'a K, u64)> {
    let keys: Vec<_> = keys.collect();
    let next = |i: usize| {
        keys.get(i + 1).map_or(0, |next| u64::from(number(next)) - u64::from(number(keys[i])))
    };
    (0..keys.len()).map(|i| (keys[i], next(i))).collect()
}
