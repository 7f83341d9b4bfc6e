//! Populating pages: on first use, on the first write after a fork, in a huge page, in a file.
//!
//! Not here: which addresses are mapped (`areas`), and what may be pinned (`pin`).

use super::areas::{Area, AreaKind, Areas};
use super::file_pages::{Cached, PageCache};
use super::frame_table::FrameTable;
use super::plan::Plan;
use super::rules;
use super::table::PageTable;
use crate::policy::ZeroPage;
use passim_model::{Conflict, Errno, Frames, Memory, PageSize, PhysAddr, Refusal, Span, UserAddr};

/// Why an access to user memory faults.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Cause {
    /// Nothing is mapped there, or the address is not a user's.
    NoArea,
    /// The area does not allow the access.
    Protection,
    /// The page lies beyond the end of its file.
    BeyondEnd,
    /// Device registers, where RAM is required.
    Device,
    /// No frame is free for the page.
    NoFrame,
}

/// An access to user memory that faults.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fault {
    /// First byte that cannot be accessed.
    pub address: UserAddr,
    /// The cause.
    pub cause: Cause,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let conflict = Conflict::User(fault.address);
        match fault.cause {
            Cause::NoFrame => rules::NO_FREE_FRAME.refuse_for(Errno::ENOMEM, conflict),
            _ => rules::USER_FAULT.refuse_for(Errno::EFAULT, conflict),
        }
    }
}

/// A page that was not placed in the frame planned for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Misplaced {
    /// The page.
    pub at: UserAddr,
    /// The planned frame: in use, no RAM, not set aside, or not aligned to a huge page.
    pub planned: PhysAddr,
}

/// Free frames, and the memory behind them.
pub(super) struct Ram<'a> {
    pub(super) frames: &'a mut Frames,
    pub(super) memory: &'a mut Memory,
}

impl Ram<'_> {
    /// Fills the frame `to` with the contents of `from`.
    pub(super) fn copy(
        &mut self,
        from: PhysAddr,
        to: PhysAddr,
        page: PageSize,
    ) -> Result<(), Cause> {
        let count = (page.bytes() / 8) as usize;
        let words = self.memory.words(from, count).map_err(|_| Cause::NoFrame)?.to_vec();
        let target = self.memory.words_mut(to, count).map_err(|_| Cause::NoFrame)?;
        target.copy_from_slice(&words);
        Ok(())
    }

    fn zero(&mut self, frame: PhysAddr, size: PageSize) -> Result<(), Cause> {
        let span = Span::from_size(frame, size.bytes()).ok_or(Cause::NoFrame)?;
        self.memory.zero(span).map_err(|_| Cause::NoFrame)
    }
}

/// The memory of one process.
#[derive(Default)]
pub(super) struct AddressSpace {
    pub(super) areas: Areas,
    pub(super) table: PageTable,
    pub(super) plan: Plan,
}

/// Every page of user memory of the machine.
pub(super) struct Pages {
    pub(super) page: PageSize,
    pub(super) uses: FrameTable,
    pub(super) cache: PageCache,
    pub(super) misplaced: Vec<Misplaced>,
    zero_page: ZeroPage,
    zero_frame: Option<PhysAddr>,
}

/// The target of a pin.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Met {
    /// A frame of RAM.
    Frame(PhysAddr),
    /// The shared zero page, or device registers, whose references are not counted.
    Reserved(PhysAddr),
}

impl Pages {
    pub(super) fn new(page: PageSize, zero_page: ZeroPage) -> Self {
        Self {
            page,
            uses: FrameTable::new(page),
            cache: PageCache::default(),
            misplaced: Vec::new(),
            zero_page,
            zero_frame: None,
        }
    }

    /// Virtual page number.
    pub(super) fn number(&self, at: UserAddr) -> u64 {
        at.get() >> self.page.lg2()
    }

    /// Number of the file, and index in it, of the page of a file area that contains `at`.
    pub(super) fn index_in_file(&self, area: &Area, offset: u64, at: UserAddr) -> u64 {
        offset.saturating_add(area.offset_of(at)) >> self.page.lg2()
    }

    /// The frame that a write to `at` in `area` changes, populated and unshared if necessary.
    /// Protection is not checked.
    pub(super) fn writable(
        &mut self,
        space: &mut AddressSpace,
        area: &Area,
        at: UserAddr,
        ram: &mut Ram<'_>,
    ) -> Result<PhysAddr, Cause> {
        let number = self.number(at);
        match area.kind {
            AreaKind::Anonymous => match space.table.get(number) {
                Some(frame) if !self.uses.is_shared(frame) => Ok(frame),
                old => self.own_page(space, number, old, ram),
            },
            AreaKind::HugeTlb { lg2 } => match space.table.get(number) {
                Some(frame) if !self.uses.is_shared(frame) => Ok(frame),
                _ => self.own_huge_page(space, number, lg2, ram),
            },
            AreaKind::File { number: file, offset } => {
                let index = self.index_in_file(area, offset, at);
                match self.cache.page(file, index, self.page) {
                    Cached::Present(frame) => Ok(frame),
                    Cached::BeyondEnd => Err(Cause::BeyondEnd),
                    Cached::Hole => {
                        let frame = self.new_frame(space, number, ram)?;
                        self.cache.set(file, index, frame);
                        Ok(frame)
                    }
                }
            }
            AreaKind::Device { .. } => Err(Cause::Device),
        }
    }

    /// The target of a pin of the page at `at` in `area`. Protection is not checked.
    pub(super) fn meet(
        &mut self,
        space: &mut AddressSpace,
        area: &Area,
        at: UserAddr,
        access: super::PinAccess,
        ram: &mut Ram<'_>,
    ) -> Result<Met, Cause> {
        match area.kind {
            AreaKind::Device { .. } if area.revoked => Err(Cause::Device),
            AreaKind::Device { base, .. } => {
                let address = base.get().wrapping_add(area.offset_of(at));
                Ok(Met::Reserved(PhysAddr::new(address).align_down(self.page.lg2())))
            }
            AreaKind::Anonymous
                if access == super::PinAccess::Read
                    && self.zero_page == ZeroPage::Pinned
                    && space.table.get(self.number(at)).is_none() =>
            {
                Ok(Met::Reserved(self.zero_frame(ram)?))
            }
            // A pin, even for reading, unshares what a fork shares: a pinned page must stay this
            // process's page when it is written later (5.19 and later, from reading).
            _ => Ok(Met::Frame(self.writable(space, area, at, ram)?)),
        }
    }

    /// The frame that every untouched page reads from.
    fn zero_frame(&mut self, ram: &mut Ram<'_>) -> Result<PhysAddr, Cause> {
        if let Some(frame) = self.zero_frame {
            return Ok(frame);
        }
        let frame = ram.frames.alloc(self.page).ok_or(Cause::NoFrame)?;
        ram.zero(frame, self.page)?;
        self.zero_frame = Some(frame);
        Ok(frame)
    }

    /// Gives a process its own page, with the contents of the old one or zeroes.
    fn own_page(
        &mut self,
        space: &mut AddressSpace,
        number: u64,
        old: Option<PhysAddr>,
        ram: &mut Ram<'_>,
    ) -> Result<PhysAddr, Cause> {
        let frame = self.new_frame(space, number, ram)?;
        space.table.set(number, frame);
        if let Some(old) = old {
            let copied = ram.copy(old, frame, self.page);
            self.uses.drop_mapping(old, ram.frames);
            copied?;
        }
        Ok(frame)
    }

    /// Allocates a zeroed frame with one mapping for the page `number`: the planned one, or any.
    fn new_frame(
        &mut self,
        space: &mut AddressSpace,
        number: u64,
        ram: &mut Ram<'_>,
    ) -> Result<PhysAddr, Cause> {
        let planned = space.plan.take(number);
        let placed = planned.and_then(|frame| self.place(number, frame, self.page, ram));
        let frame = match placed {
            Some(frame) => frame,
            None => ram.frames.alloc(self.page).ok_or(Cause::NoFrame)?,
        };
        ram.zero(frame, self.page)?;
        self.uses.add_mapping(frame);
        Ok(frame)
    }

    /// Allocates the planned frames if they are free; records the failure if not.
    fn place(
        &mut self,
        number: u64,
        frame: u64,
        size: PageSize,
        ram: &Ram<'_>,
    ) -> Option<PhysAddr> {
        let planned = PhysAddr::new(frame << self.page.lg2());
        let span = Span::from_size(planned, size.bytes());
        let usable = planned.is_aligned(size.lg2())
            && span.is_some_and(|span| ram.memory.is_ram(span))
            && (0..size.bytes() >> self.page.lg2()).all(|k| {
                let frame = PhysAddr::new(planned.get() + (k << self.page.lg2()));
                self.can_take(frame, ram.frames)
            });
        if usable {
            return Some(planned);
        }
        let at = UserAddr::new(number << self.page.lg2());
        self.misplaced.push(Misplaced { at, planned });
        None
    }

    /// Whether a frame is set aside and free.
    pub(super) fn can_take(&self, frame: PhysAddr, frames: &Frames) -> bool {
        frames.is_set_aside(frame) && !self.uses.is_used(frame)
    }

    /// Gives a process its own huge page, with the contents of the old one or zeroes, and returns
    /// the frame of page `number` in it.
    fn own_huge_page(
        &mut self,
        space: &mut AddressSpace,
        number: u64,
        lg2: u32,
        ram: &mut Ram<'_>,
    ) -> Result<PhysAddr, Cause> {
        let size = PageSize::from_lg2(lg2).ok_or(Cause::NoFrame)?;
        let pages = size.bytes() >> self.page.lg2();
        let first = number & !(pages - 1);
        let planned = space.plan.take_run(first, pages);
        let placed = planned.and_then(|frame| self.place(first, frame, size, ram));
        let head = match placed {
            Some(head) => head,
            None => {
                let head = ram.frames.alloc(size).ok_or(Cause::NoFrame)?;
                self.uses.add_block(head, size);
                head
            }
        };
        ram.zero(head, size)?;
        for k in 0..pages {
            let frame = PhysAddr::new(head.get() + (k << self.page.lg2()));
            self.uses.add_mapping(frame);
            if let Some(old) = space.table.set(first + k, frame) {
                let copied = ram.copy(old, frame, self.page);
                self.uses.drop_mapping(old, ram.frames);
                copied?;
            }
        }
        Ok(PhysAddr::new(head.get() + ((number - first) << self.page.lg2())))
    }

    /// The child's page table after a fork: frames are shared, but pinned ones are copied at once,
    /// so that the device keeps accessing the parent's.
    pub(super) fn fork(
        &mut self,
        parent: &AddressSpace,
        ram: &mut Ram<'_>,
    ) -> Result<AddressSpace, Cause> {
        let mut child = AddressSpace { areas: parent.areas.forked(), ..AddressSpace::default() };
        let outcome = self.share_pages(parent, &mut child, ram);
        if let Err(cause) = outcome {
            self.release(&mut child, 0, u64::MAX, ram.frames);
            return Err(cause);
        }
        Ok(child)
    }

    fn share_pages(
        &mut self,
        parent: &AddressSpace,
        child: &mut AddressSpace,
        ram: &mut Ram<'_>,
    ) -> Result<(), Cause> {
        let mut pinned = Vec::new();
        for (number, frame) in parent.table.range(0, u64::MAX) {
            self.uses.add_mapping(frame);
            child.table.set(number, frame);
            if self.uses.pins(frame) > 0 {
                pinned.push(number);
            }
        }
        for number in pinned {
            let at = UserAddr::new(number << self.page.lg2());
            // A huge page may have been copied already for another of its pages.
            if let Some(area) = parent.areas.find(at) {
                self.writable(child, area, at, ram)?;
            }
        }
        Ok(())
    }

    /// Removes the pages from number `first` to `last` of a process; frames without other
    /// references are freed.
    pub(super) fn release(
        &mut self,
        space: &mut AddressSpace,
        first: u64,
        last: u64,
        frames: &mut Frames,
    ) {
        space.table.drain(first, last, |frame| self.uses.drop_mapping(frame, frames));
    }
}
