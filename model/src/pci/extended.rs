//! Extended capabilities: the list from 0x100 on, and Address Translation Services in it.
//!
//! PCI Express 5.0 7.6.3 (headers) and 10.5.1 (ATS).

use super::config::Config;
use crate::Width;

/// Offset of the first capability of the list.
const FIRST: u32 = 0x100;
/// Bytes of a configuration space that has one.
const SIZE: u32 = 0x1000;
/// Most capabilities a list has: each takes eight bytes. A longer list is circular.
const MOST: usize = ((SIZE - FIRST) / 8) as usize;

/// Identifier of Address Translation Services.
const ATS: u64 = 0x000f;
/// Offset of its control register.
const ATS_CONTROL: u32 = 0x6;

crate::layout! {
    /// The header of a capability.
    struct Header {
        /// The identifier of the capability.
        ID = bits(15, 0);
        /// Its version.
        VERSION = bits(19, 16);
        /// Offset of the next one, 0 in the last.
        NEXT = bits(31, 20);
    }
}
crate::layout! {
    /// ATS Control.
    struct AtsControl {
        /// log2 of the smallest translation unit, less 12.
        STU = bits(4, 0);
        /// The function may request translations.
        ENABLE = bit(15);
    }
}

impl Config {
    /// The offset of the capability with this identifier, or else of the last one of the list.
    fn extended(&self, identifier: u64) -> Result<u32, u32> {
        let mut at = FIRST;
        for _ in 0..MOST {
            let header = self.u32(at);
            if Header::ID.get(header) == identifier {
                return Ok(at);
            }
            // The low two bits of a pointer are reserved.
            let next = Header::NEXT.get(header) as u32 & !3;
            if next < FIRST {
                break;
            }
            at = next;
        }
        Err(at)
    }

    /// Gives the function the ATS capability, if its configuration space has none and has room.
    /// Returns the offset of its control register.
    pub(super) fn give_ats(&mut self) -> Option<u32> {
        if self.size() < SIZE {
            return None;
        }
        let at = match self.extended(ATS) {
            Ok(at) => at,
            Err(last) => self.append(last)?,
        };
        let settings = AtsControl::STU.mask() | AtsControl::ENABLE.mask();
        self.allow(at + ATS_CONTROL, Width::W16, settings);
        Some(at + ATS_CONTROL)
    }

    /// Adds the header of a capability of `bytes` bytes at `start`, behind the last of the list;
    /// `None` without room for it.
    pub(super) fn chain(&mut self, start: u32, identifier: u64, bytes: u32) -> Option<()> {
        let inside = start >= FIRST && start.is_multiple_of(4) && start + bytes <= self.size();
        if self.size() < SIZE || !inside {
            return None;
        }
        if self.u32(FIRST) == 0 && start != FIRST {
            // PCI Express 5.0 7.9.28.1: a null capability, which has only a header.
            self.set(FIRST, Width::W32, Header::VERSION.of(1));
        }
        if let Err(last) = self.extended(identifier)
            && last != start
        {
            let before = self.u32(last);
            self.set(last, Width::W32, Header::NEXT.set(before, start.into()));
        }
        self.set(start, Width::W32, Header::ID.of(identifier) | Header::VERSION.of(1));
        Some(())
    }

    /// Adds an ATS capability of eight bytes behind the last one, in unused space.
    fn append(&mut self, last: u32) -> Option<u32> {
        let header = Header::ID.of(ATS) | Header::VERSION.of(1);
        if self.u32(FIRST) == 0 {
            self.set(FIRST, Width::W32, header);
            return Some(FIRST);
        }
        let places = (FIRST..SIZE).step_by(8).rev();
        let at = places.into_iter().find(|at| self.u32(*at) == 0 && self.u32(*at + 4) == 0)?;
        let before = self.u32(last);
        self.set(last, Width::W32, Header::NEXT.set(before, at.into()));
        self.set(at, Width::W32, header);
        Some(at)
    }

    /// Whether the ATS control register at this offset enables translation requests.
    pub(super) fn ats_is_enabled(&self, control: u32) -> bool {
        AtsControl::ENABLE.is_set(self.u16(control))
    }
}

#[cfg(test)]
mod tests;
