//! Regions: which BARs may be mapped, and what reading and writing them does.
//!
//! Not here: configuration space (`config`). The legacy VGA ranges are not modelled.

use super::rules as device_rules;
use crate::call::Answer;
use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::msi::table_place;
use crate::pci::Space;
use crate::pci::wire::{Command, entry};
use crate::policy::{BarAccess, ResourceMappings};
use crate::process::{AreaKind, FileId, Pid};
use crate::rules;
use crate::uapi::{irq, region};
use core::ops::Range;
use passim_model::topology::{Bar, BarKind};
use passim_model::{Conflict, Errno, Host, PhysAddr, Refusal, Rid, Span, UserAddr, Width};

/// The part of a BAR that a transfer touches.
struct Part {
    base: PhysAddr,
    /// Offsets in the BAR.
    at: Range<u64>,
    /// Offsets of the MSI-X table, which is hidden from users.
    hidden: Range<u64>,
    /// The widest access allowed.
    widest: BarAccess,
}

impl Part {
    /// The next access from `at` on: its width, or how many bytes are hidden.
    // 6.12 do_io_rw: the widest that alignment and the remaining length allow, never into the
    // table.
    fn next(&self, at: u64) -> Result<Width, u64> {
        if self.hidden.contains(&at) {
            return Err(self.hidden.end.min(self.at.end) - at);
        }
        let end = if at < self.hidden.start { self.hidden.start } else { self.at.end };
        let left = end.min(self.at.end) - at;
        match (left, at) {
            (8.., at) if self.widest == BarAccess::EightBytes && at.is_multiple_of(8) => {
                Ok(Width::W64)
            }
            (4.., at) if at.is_multiple_of(4) => Ok(Width::W32),
            (2.., at) if at.is_multiple_of(2) => Ok(Width::W16),
            _ => Ok(Width::W8),
        }
    }
}

impl Kernel {
    /// A memory BAR is mappable if it owns every page it touches.
    pub(crate) fn is_mappable(&self, bar: &Bar) -> bool {
        if bar.kind != BarKind::Memory {
            return false;
        }
        if bar.span.size_minus_one() >= self.page.mask() {
            return true;
        }
        // measured with 16K and 64K pages: a small BAR at the start of a page is mappable if
        // nothing else lies in that page.
        let lg2 = self.page.lg2();
        let first = bar.span.start();
        let alone = |other: &Bar| {
            other.kind != BarKind::Memory
                || other.span == bar.span
                || other.index > region::ROM as u8
                || other.span.last().align_down(lg2) < first.align_down(lg2)
                || other.span.start().align_down(lg2) > first.align_down(lg2)
        };
        let mut bars = self.topology.functions().iter().flat_map(|function| &function.bars);
        first.is_aligned(lg2) && bars.all(alone)
    }

    /// The area that an `mmap` of a file maps.
    ///
    /// # Errors
    /// EINVAL by `bar-not-mappable`, `resource-not-mappable` or `resource-claimed`; ENODEV by
    /// `resource-not-mappable` for ports.
    pub(crate) fn file_area(
        &mut self,
        pid: Pid,
        fd: i32,
        offset: u64,
        len: u64,
    ) -> Result<AreaKind, Refusal> {
        let file = self.file(pid, fd)?;
        match self.files.kind(file).cloned() {
            Some(FileKind::Plain(number)) => Ok(AreaKind::File { number, offset }),
            Some(FileKind::Device { rid, .. }) => {
                let index = offset >> region::OFFSET_LG2;
                let within = offset & ((1 << region::OFFSET_LG2) - 1);
                let base = self.bar_page(rid, index, within, len)?;
                Ok(AreaKind::Device { base, file })
            }
            Some(FileKind::Platform { number, .. }) => {
                let base = self.platform_page(number, offset, len)?;
                Ok(AreaKind::Device { base, file })
            }
            Some(FileKind::Resource { rid, bar }) => {
                let base = self.resource_page(rid, bar, offset, len)?;
                Ok(AreaKind::Device { base, file })
            }
            _ => {
                Err(rules::BAR_NOT_MAPPABLE.refuse_for(Errno::EINVAL, Conflict::Fd(i64::from(fd))))
            }
        }
    }

    /// The physical address of a part of a mappable BAR.
    fn bar_page(&self, rid: Rid, index: u64, within: u64, len: u64) -> Result<PhysAddr, Refusal> {
        let refusal = rules::BAR_NOT_MAPPABLE.refuse_for(Errno::EINVAL, Conflict::Device(rid));
        // 6.12 vfio_pci: the ROM can only be read through the file, and there are no BARs beyond
        // it.
        let bars = u64::from(region::ROM);
        let index = u8::try_from(index).ok().filter(|&index| u64::from(index) < bars);
        let function = self.topology.function(rid);
        let bar = function.zip(index).and_then(|(function, index)| function.bar(index));
        let bar = bar.filter(|bar| self.is_mappable(bar)).ok_or(refusal)?;
        // The last page may extend beyond a BAR smaller than a page.
        let size = (bar.span.size_minus_one() | self.page.mask()).checked_add(1).ok_or(refusal)?;
        let end = within.checked_add(len).ok_or(refusal)?;
        if end > size || !self.page.divides(within) {
            return Err(refusal);
        }
        bar.span.start().checked_add(within).ok_or(refusal)
    }

    /// The physical address of a part of a BAR as sysfs maps it: from the page in which the BAR
    /// begins, whatever else lies in that page.
    // 6.12 pci-sysfs.c, pci_mmap_resource; measured with 64K pages: a BAR that shares its page can
    // be mapped too.
    fn resource_page(
        &self,
        rid: Rid,
        index: u8,
        within: u64,
        len: u64,
    ) -> Result<PhysAddr, Refusal> {
        let conflict = Conflict::Device(rid);
        let refuse = |errno| rules::RESOURCE_NOT_MAPPABLE.refuse_for(errno, conflict);
        let function = self.topology.function(rid).ok_or(refuse(Errno::EINVAL))?;
        let bar = function.bar(index).ok_or(refuse(Errno::EINVAL))?;
        if bar.kind != BarKind::Memory {
            // Port BARs can only be read and written through the file.
            return Err(refuse(Errno::ENODEV));
        }
        let first = bar.span.start().align_down(self.page.lg2());
        if self.io_strict_devmem && self.is_claimed(first) {
            return Err(rules::RESOURCE_CLAIMED.refuse_for(Errno::EINVAL, conflict));
        }
        let size = (bar.span.size_minus_one() | self.page.mask()).checked_add(1);
        let end = within.checked_add(len);
        match (size, end) {
            (Some(size), Some(end)) if end <= size && self.page.divides(within) => {
                first.checked_add(within).ok_or(refuse(Errno::EINVAL))
            }
            _ => Err(refuse(Errno::EINVAL)),
        }
    }

    /// Whether VFIO uses a BAR, of whatever function, that lies in the page at `first`.
    // 6.12 resource.c, iomem_is_exclusive.
    fn is_claimed(&self, first: PhysAddr) -> bool {
        let lg2 = self.page.lg2();
        let lies_there =
            |bar: &Bar| bar.span.start().align_down(lg2) <= first && bar.span.last() >= first;
        self.devices.iter().any(|(&rid, state)| {
            let function = self.topology.function(rid);
            let bar = |index: &u8| function.and_then(|function| function.bar(*index));
            state.claimed.iter().filter_map(bar).any(lies_there)
        })
    }

    /// Claims the BAR that `offset` of a device's file lies in.
    pub(crate) fn claim_bar(&mut self, file: FileId, offset: u64) {
        if let Some(&FileKind::Device { rid, .. }) = self.files.kind(file)
            && let Ok(bar) = u8::try_from(offset >> region::OFFSET_LG2)
        {
            self.claim(rid, bar);
        }
    }

    pub(super) fn claim(&mut self, rid: Rid, bar: u8) {
        let state = self.devices.get_mut(&rid);
        if state.is_none_or(|state| !state.claimed.insert(bar)) || !self.io_strict_devmem {
            return;
        }
        let bar = self.topology.function(rid).and_then(|function| function.bar(bar));
        let lg2 = self.page.lg2();
        let pages = bar.and_then(|bar| {
            let last = PhysAddr::new(bar.span.last().get() | self.page.mask());
            Span::new(bar.span.start().align_down(lg2), last)
        });
        if let Some(pages) = pages
            && self.policy.resource_mappings == ResourceMappings::Revoked
        {
            // 6.12 kernel/resource.c, revoke_iomem: existing sysfs mappings of it are revoked.
            let files = &self.files;
            let is_resource = |file| matches!(files.kind(file), Some(FileKind::Resource { .. }));
            self.processes.revoke(pages, is_resource);
        }
    }

    /// The part of a BAR that `len` bytes from `offset` of the device file touch.
    ///
    /// # Errors
    /// EINVAL by `region-index` or `region-end`, EIO by `memory-off`, and `not-modelled` for ports
    /// and ROMs.
    fn bar_part(
        &mut self,
        rid: Rid,
        offset: u64,
        len: usize,
        host: &mut impl Host,
    ) -> Result<Part, Refusal> {
        let index = offset >> region::OFFSET_LG2;
        let at = offset & ((1 << region::OFFSET_LG2) - 1);
        let unknown = rules::REGION_INDEX.refuse_for(Errno::EINVAL, Conflict::Unknown(index));
        let function = self.topology.function(rid).ok_or(unknown)?;
        let number = u8::try_from(index).map_err(|_| unknown)?;
        let bar =
            *function.bar(number).filter(|_| index <= u64::from(region::ROM)).ok_or(unknown)?;
        if bar.kind != BarKind::Memory || index == u64::from(region::ROM) {
            return Err(rules::NOT_MODELLED.refuse(Errno::EINVAL));
        }
        let size = bar.span.size_minus_one() + 1;
        if at >= size {
            let conflict = Conflict::Limit { limit: size, wanted: at };
            return Err(device_rules::REGION_END.refuse_for(Errno::EINVAL, conflict));
        }
        let table = table_place(function).filter(|(index, _)| *index == number);
        let entries = u64::from(super::vectors(function, irq::MSIX));
        let hidden = table.map_or(0..0, |(_, at)| at..at + entries * entry::BYTES);
        if !self.decodes_memory(rid, host) {
            let conflict = Conflict::Device(rid);
            return Err(device_rules::MEMORY_OFF.refuse_for(Errno::EIO, conflict));
        }
        self.claim(rid, number);
        let end = size.min(at.saturating_add(len as u64));
        let widest = self.policy.bar_access;
        Ok(Part { base: bar.span.start(), at: at..end, hidden, widest })
    }

    /// Whether a function answers at its BARs.
    // 6.12 __vfio_pci_memory_enabled: not in D3hot either; a virtual function has no such bit.
    pub(super) fn decodes_memory(&self, rid: Rid, host: &mut impl Host) -> bool {
        let space = Space::new(self.ecam, rid);
        let decodes = self.topology.is_virtual(rid) || Command::MEMORY.is_set(space.command(host));
        decodes && !space.is_asleep(host)
    }

    /// How many of the `pages` from `at` on are accessible as far as devices decide: up to the
    /// first in a BAR that was mapped through a device file and does not answer.
    // 6.12 vfio_pci_mmap_fault: nor does a device whose user lets it sleep.
    pub(crate) fn pages_that_answer(
        &self,
        pid: Pid,
        at: UserAddr,
        pages: u64,
        host: &mut impl Host,
    ) -> u64 {
        for (before, file) in self.processes.device_files(pid, at, pages) {
            let Some(&FileKind::Device { rid, .. }) = self.files.kind(file) else { continue };
            let may_sleep = self.devices.get(&rid).is_some_and(|state| state.may_sleep);
            if may_sleep || !self.decodes_memory(rid, host) {
                return before;
            }
        }
        pages
    }

    /// Reads a BAR through the device file. The MSI-X table reads as ones.
    pub(super) fn read_bar(
        &mut self,
        rid: Rid,
        offset: u64,
        len: usize,
        host: &mut impl Host,
    ) -> Answer {
        let part = match self.bar_part(rid, offset, len, host) {
            Ok(part) => part,
            Err(refusal) => return Answer::refused(refusal),
        };
        let mut bytes = Vec::new();
        let mut at = part.at.start;
        while at < part.at.end {
            at += match part.next(at) {
                Ok(width) => {
                    let place = part.base.checked_add(at);
                    let value = place.and_then(|place| host.load(place, width).ok());
                    let value = value.unwrap_or(u64::MAX).to_le_bytes();
                    bytes.extend_from_slice(&value[..width.bytes() as usize]);
                    width.bytes()
                }
                Err(hidden) => {
                    bytes.resize(bytes.len() + hidden as usize, 0xff);
                    hidden
                }
            };
        }
        Answer { ret: Ok(bytes.len() as i64), bytes }
    }

    /// Writes a BAR through the device file. Bytes that would reach the MSI-X table are dropped.
    pub(super) fn write_bar(
        &mut self,
        rid: Rid,
        offset: u64,
        bytes: &[u8],
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let part = self.bar_part(rid, offset, bytes.len(), host)?;
        let mut at = part.at.start;
        while at < part.at.end {
            at += match part.next(at) {
                Ok(width) => {
                    let from = (at - part.at.start) as usize;
                    let mut value = [0; 8];
                    let piece = &bytes[from..from + width.bytes() as usize];
                    value[..piece.len()].copy_from_slice(piece);
                    if let Some(place) = part.base.checked_add(at) {
                        // A store that no device accepts is lost, as on the bus.
                        let _ = host.store(place, width, u64::from_le_bytes(value));
                    }
                    width.bytes()
                }
                Err(hidden) => hidden,
            };
        }
        Ok((part.at.end - part.at.start) as i64)
    }
}
