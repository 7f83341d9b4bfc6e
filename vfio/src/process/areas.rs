//! Areas: which addresses a process has mapped, with which protection, and to what.
//!
//! Areas are split where a call changes only part of one, and never merged: no process can see the
//! difference.

use super::FileId;
use super::pin::PinAccess;
use crate::call::Protection;
use passim_model::{PageSize, PhysAddr, Span, UserAddr};
use std::collections::BTreeMap;

/// The content of an area.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AreaKind {
    /// Private anonymous memory; a page is populated on its first write.
    Anonymous,
    /// Private anonymous memory in huge pages of `1 << lg2` bytes; each is populated as a whole.
    HugeTlb {
        /// log2 of the huge page.
        lg2: u32,
    },
    /// A plain file, shared. Accesses beyond its end fault.
    File {
        /// Number of the file in the page cache.
        number: usize,
        /// Offset in the file of the area's first byte.
        offset: u64,
    },
    /// Device registers (VM_PFNMAP), without pages.
    Device {
        /// Physical address of the area's first byte.
        base: PhysAddr,
        /// The file through which it was mapped, referenced until the last piece of the area is
        /// removed.
        file: FileId,
    },
}

impl AreaKind {
    /// The content `bytes` further on.
    fn advanced(self, bytes: u64) -> Self {
        match self {
            Self::Anonymous | Self::HugeTlb { .. } => self,
            Self::File { number, offset } => {
                Self::File { number, offset: offset.saturating_add(bytes) }
            }
            Self::Device { base, file } => {
                Self::Device { base: PhysAddr::new(base.get().wrapping_add(bytes)), file }
            }
        }
    }

    /// Whether its pages count when locked: Linux leaves out device memory and huge pages.
    fn is_lockable(self) -> bool {
        matches!(self, Self::Anonymous | Self::File { .. })
    }
}

/// Consecutive addresses with one protection and one kind of content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Area {
    /// Its addresses; whole pages.
    pub span: Span<UserAddr>,
    /// The accesses that the process may make.
    pub prot: Protection,
    /// Its content.
    pub kind: AreaKind,
    /// Whether mlock counts its pages.
    pub locked: bool,
    /// Whether its device registers were revoked: the area stays, and every access faults.
    pub revoked: bool,
    /// Number of the mmap that created it; pieces of one area share it.
    origin: u64,
}

impl Area {
    /// Whether the process may access it this way. Writing includes reading.
    pub fn allows(&self, access: PinAccess) -> bool {
        match self.prot {
            Protection::None => false,
            Protection::Read => access == PinAccess::Read,
            Protection::Write | Protection::ReadWrite => true,
        }
    }

    /// Whether it may be pinned for that access. Pinning for reading requires read permission
    /// itself.
    // 6.12 mm/gup.c, check_vma_flags.
    pub(super) fn lets_pin(&self, access: PinAccess) -> bool {
        match self.prot {
            Protection::Write => access == PinAccess::Write,
            _ => self.allows(access),
        }
    }

    /// Number of its pages.
    pub fn pages(&self, page: PageSize) -> u64 {
        (self.span.size_minus_one() >> page.lg2()) + 1
    }

    /// Bytes from its start to `at`; 0 for an address below it.
    pub(super) fn offset_of(&self, at: UserAddr) -> u64 {
        at.offset_from(self.span.start()).unwrap_or(0)
    }

    /// Whether splitting it at `at` splits a huge page.
    fn forbids_cut(&self, at: UserAddr) -> bool {
        let inside = self.span.start() < at && self.span.contains(at);
        matches!(self.kind, AreaKind::HugeTlb { lg2 } if inside && !at.is_aligned(lg2))
    }
}

/// The result of [`Areas::remove`].
#[derive(Default, Debug)]
pub(super) struct Removed {
    /// Ascending.
    pub(super) areas: Vec<Area>,
    /// One for each mmap of a device whose last piece was removed.
    pub(super) files: Vec<FileId>,
}

/// The change of areas by mlock or munlock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Locking {
    /// Their pages are counted as locked.
    Lock,
    /// Their pages are no longer counted.
    Unlock,
}

/// How far a change of consecutive areas came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Reached {
    /// Every page of the range.
    End,
    /// A page without an area.
    Hole(UserAddr),
}

/// The areas of one process. See the [module](self).
#[derive(Clone, Default, Debug)]
pub(super) struct Areas {
    /// By first address.
    by_start: BTreeMap<UserAddr, Area>,
    /// Pieces of each device area, by origin.
    pieces: BTreeMap<u64, u64>,
    origins: u64,
}

/// The address after `span`, unless that is 2^64.
fn past(span: Span<UserAddr>) -> Option<UserAddr> {
    span.last().checked_add(1)
}

impl Areas {
    /// The area that contains `at`.
    pub(super) fn find(&self, at: UserAddr) -> Option<&Area> {
        let (_, area) = self.by_start.range(..=at).next_back()?;
        area.span.contains(at).then_some(area)
    }

    /// Every area, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Area> + '_ {
        self.by_start.values()
    }

    /// Every area that shares an address with `span`, ascending.
    pub(super) fn overlapping(&self, span: Span<UserAddr>) -> impl Iterator<Item = &Area> + '_ {
        let first = self.find(span.start()).map_or(span.start(), |area| area.span.start());
        self.by_start.range(first..=span.last()).map(|(_, area)| area)
    }

    /// Whether `span` starts or ends inside a huge page.
    pub(super) fn splits_huge_page(&self, span: Span<UserAddr>) -> bool {
        let cuts = |at| self.find(at).is_some_and(|area| area.forbids_cut(at));
        cuts(span.start()) || past(span).is_some_and(cuts)
    }

    /// Adds an area where there is none.
    pub(super) fn insert(&mut self, span: Span<UserAddr>, prot: Protection, kind: AreaKind) {
        debug_assert!(self.overlapping(span).next().is_none(), "{span} is free");
        self.origins += 1;
        let origin = self.origins;
        if matches!(kind, AreaKind::Device { .. }) {
            self.pieces.insert(origin, 1);
        }
        let area = Area { span, prot, kind, locked: false, revoked: false, origin };
        self.by_start.insert(span.start(), area);
    }

    /// Splits the area that extends across `at`, if any.
    fn cut(&mut self, at: UserAddr) {
        let Some(below) = at.get().checked_sub(1).map(UserAddr::new) else { return };
        let Some((_, area)) = self.by_start.range_mut(..at).next_back() else { return };
        let (Some(lower), Some(upper)) =
            (Span::new(area.span.start(), below), Span::new(at, area.span.last()))
        else {
            return;
        };
        let mut above = Area { span: upper, ..*area };
        above.kind = area.kind.advanced(area.offset_of(at));
        area.span = lower;
        if let Some(pieces) = self.pieces.get_mut(&above.origin) {
            *pieces += 1;
        }
        self.by_start.insert(at, above);
    }

    fn isolate(&mut self, span: Span<UserAddr>) {
        self.cut(span.start());
        if let Some(end) = past(span) {
            self.cut(end);
        }
    }

    /// Removes every area in `span`.
    pub(super) fn remove(&mut self, span: Span<UserAddr>) -> Removed {
        self.isolate(span);
        let mut removed = Removed::default();
        let starts: Vec<_> = self.overlapping(span).map(|area| area.span.start()).collect();
        for start in starts {
            let Some(area) = self.by_start.remove(&start) else { continue };
            removed.areas.push(area);
            let AreaKind::Device { file, .. } = area.kind else { continue };
            let Some(pieces) = self.pieces.get_mut(&area.origin) else { continue };
            *pieces -= 1;
            if *pieces == 0 {
                self.pieces.remove(&area.origin);
                removed.files.push(file);
            }
        }
        removed
    }

    /// Changes the areas in `span` one after the other, up to the first hole.
    pub(super) fn change(
        &mut self,
        span: Span<UserAddr>,
        mut change: impl FnMut(&mut Area),
    ) -> Reached {
        self.isolate(span);
        let mut at = span.start();
        loop {
            let Some(area) = self.by_start.get_mut(&at) else { return Reached::Hole(at) };
            change(area);
            match past(area.span) {
                Some(next) if next <= span.last() => at = next,
                _ => return Reached::End,
            }
        }
    }

    /// Locks or unlocks the areas in `span`, up to the first hole; returns also how many pages
    /// changed.
    pub(super) fn set_locking(
        &mut self,
        span: Span<UserAddr>,
        locking: Locking,
        page: PageSize,
    ) -> (u64, Reached) {
        let locked = locking == Locking::Lock;
        let mut changed = 0;
        let reached = self.change(span, |area| {
            if area.kind.is_lockable() && area.locked != locked {
                area.locked = locked;
                changed += area.pages(page);
            }
        });
        (changed, reached)
    }

    /// Number of locked pages in `span`.
    pub(super) fn locked_pages(&self, span: Span<UserAddr>, page: PageSize) -> u64 {
        let locked = self.overlapping(span).filter(|area| area.locked);
        let common = locked.filter_map(|area| area.span.intersection(span));
        common.map(|common| (common.size_minus_one() >> page.lg2()) + 1).sum()
    }

    /// Revokes registers in areas of these files.
    pub(super) fn revoke(&mut self, registers: Span<PhysAddr>, of: impl Fn(FileId) -> bool) {
        let shown = |area: &Area| {
            let AreaKind::Device { base, file } = area.kind else { return None };
            let shown = Span::new(base, base.checked_add(area.span.size_minus_one())?)?;
            let common = shown.intersection(registers).filter(|_| of(file))?;
            let first = area.span.start().checked_add(common.start().offset_from(base)?)?;
            Span::new(first, first.checked_add(common.size_minus_one())?)
        };
        let taken: Vec<_> = self.iter().filter_map(shown).collect();
        for span in taken {
            self.change(span, |area| area.revoked = true);
        }
    }

    /// The areas of a forked child: none locked.
    pub(super) fn forked(&self) -> Self {
        let mut child = self.clone();
        child.by_start.values_mut().for_each(|area| area.locked = false);
        child
    }

    /// The file of each device area, once for each mmap, in ascending order of first pieces.
    pub(super) fn files(&self) -> Vec<FileId> {
        let mut seen = std::collections::BTreeSet::new();
        let devices = self.iter().filter_map(|area| match area.kind {
            AreaKind::Device { file, .. } => Some((area.origin, file)),
            _ => None,
        });
        devices.filter(|(origin, _)| seen.insert(*origin)).map(|(_, file)| file).collect()
    }
}
