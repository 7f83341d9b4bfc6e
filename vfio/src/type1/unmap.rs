//! UNMAP_DMA: the checks in their order, and which mappings a range takes away.

use super::map::searched;
use super::removal::Removal;
use super::slots::SlotId;
use super::{Type1, Version, dirty};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::process::Pid;
use crate::rules;
use crate::uapi::{BITMAP_BYTES, Bitmap, Buffer, UNMAP_BYTES, UnmapRequest, unmap};
use passim_model::{Conflict, Errno, Iova, Memory, PageSize, Refusal, Span};

/// What an UNMAP request takes as its range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Range {
    /// Every mapping there is.
    All,
    /// This range; `None` if it ends at 2^64, which these kernels let in and then find nothing in.
    Of {
        /// The range as asked for.
        asked: Span<Iova>,
        /// The range as searched.
        searched: Option<Span<Iova>>,
    },
}

impl Range {
    /// The searched range; everything for [`Range::All`].
    fn span(self) -> Option<Span<Iova>> {
        match self {
            Self::All => Span::new(Iova::new(0), Iova::new(u64::MAX)),
            Self::Of { searched, .. } => searched,
        }
    }
}

/// The request's own fields, judged; the bitmap it brings, if it asks for one.
fn shape_of(request: &UnmapRequest, buffer: &Buffer) -> Result<Option<Bitmap>, Refusal> {
    let header = request.header;
    if header.argsz < UNMAP_BYTES as u32 {
        let conflict = Conflict::Short { got: u64::from(header.argsz), needs: UNMAP_BYTES as u64 };
        return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
    }
    let unknown = header.flags & !(unmap::GET_DIRTY_BITMAP | unmap::ALL | unmap::VADDR);
    if unknown != 0 {
        let conflict = Conflict::Unknown(u64::from(unknown));
        return Err(rules::FLAGS_UNKNOWN.refuse_for(Errno::EINVAL, conflict));
    }
    if header.flags & unmap::GET_DIRTY_BITMAP == 0 {
        return Ok(None);
    }
    if header.flags & (unmap::ALL | unmap::VADDR) != 0 {
        let conflict = Conflict::Unknown(u64::from(header.flags));
        return Err(rules::UNMAP_FLAGS_CONFLICT.refuse_for(Errno::EINVAL, conflict));
    }
    let needs = (UNMAP_BYTES + BITMAP_BYTES) as u64;
    if u64::from(header.argsz) < needs {
        let conflict = Conflict::Short { got: u64::from(header.argsz), needs };
        return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
    }
    Bitmap::read_after_unmap(buffer).map(Some)
}

/// The range of the request.
fn range_of(request: &UnmapRequest, page: PageSize) -> Result<Range, Refusal> {
    let misaligned = |value| {
        let conflict = Conflict::Misaligned { value, size: page };
        rules::UNMAP_ALIGNMENT.refuse_for(Errno::EINVAL, conflict)
    };
    if !page.divides(request.iova) {
        return Err(misaligned(request.iova));
    }
    if request.header.flags & unmap::ALL != 0 {
        if request.iova != 0 || request.size != 0 {
            return Err(rules::UNMAP_ALL_RANGE.refuse(Errno::EINVAL));
        }
        return Ok(Range::All);
    }
    if request.size == 0 || !page.divides(request.size) {
        return Err(misaligned(request.size));
    }
    let asked = Span::from_size(Iova::new(request.iova), request.size)
        .ok_or_else(|| rules::UNMAP_WRAP.refuse(Errno::EINVAL))?;
    Ok(Range::Of { asked, searched: searched(asked) })
}

impl Type1 {
    /// On v2, a mapping that an end of `range` cuts in two.
    pub(super) fn bisected_by(&self, range: Span<Iova>) -> Option<Span<Iova>> {
        let first = self.slots.containing(range.start()).and_then(|id| self.slots.span(id));
        let cut_at_start = first.filter(|slot| slot.start() < range.start());
        let last = self.slots.containing(range.last()).and_then(|id| self.slots.span(id));
        let cut_at_end = last.filter(|slot| slot.last() > range.last());
        cut_at_start.or(cut_at_end)
    }

    /// The mappings `range` takes, ascending.
    ///
    /// measured on 6.1 and 6.12: on v1 a mapping that starts before the range ends the walk at
    /// once, and one whose start lies inside goes whole.
    fn taken_by(&self, range: Range) -> Vec<(Span<Iova>, SlotId)> {
        let Some(span) = range.span() else { return Vec::new() };
        let taken = self.slots.overlapping(span).map(|(id, slot)| (slot, id));
        taken
            .take_while(|(slot, _)| {
                self.version == Version::V2 || range == Range::All || slot.start() >= span.start()
            })
            .collect()
    }
}

/// Bytes of these mappings together; more than 2^64 - 1 cannot be mapped at once.
fn total(taken: &[(Span<Iova>, SlotId)]) -> u64 {
    taken.iter().filter_map(|(span, _)| span.size()).fold(0, u64::wrapping_add)
}

impl Kernel {
    /// VFIO_IOMMU_UNMAP_DMA.
    pub(crate) fn unmap_dma(
        &mut self,
        pid: Pid,
        container: usize,
        buffer: &mut Buffer,
        tasks: &mut Vec<Task>,
        memory: &mut Memory,
    ) -> Result<i64, Refusal> {
        let request = UnmapRequest::read(buffer)?;
        let bitmap = shape_of(&request, buffer)?;
        if let Some(bitmap) = &bitmap {
            self.judge_bitmap(bitmap, request.size)?;
        }
        let backend = self.containers[container].backend.as_ref().expect("a typed container");
        let page = backend.smallest_page();
        let range = range_of(&request, page)?;
        if let Some(bitmap) = &bitmap {
            if !backend.tracking_dirty {
                return Err(rules::DIRTY_NOT_STARTED.refuse(Errno::EINVAL));
            }
            dirty::judge_page_size(bitmap, page)?;
        }
        if let Range::Of { asked, .. } = range
            && backend.version == Version::V2
            && let Some(slot) = backend.bisected_by(asked)
        {
            return Err(rules::UNMAP_BISECTS.refuse_for(Errno::EINVAL, Conflict::Slot(slot)));
        }
        let taken = backend.taken_by(range);
        let size = if request.header.flags & unmap::VADDR != 0 {
            self.invalidate_vaddrs(container, &taken)?
        } else {
            self.take_slots(pid, container, &request, bitmap, &taken, tasks, memory)?
        };
        buffer.copy_out(UnmapRequest::SIZE_OFFSET, &size.to_le_bytes())?;
        Ok(0)
    }

    /// Takes the mappings out of the tree; they go from the tables in the tasks that follow. With
    /// a bitmap, each is reported before it goes, and a fault ends the walk with what went before
    /// it gone.
    #[expect(clippy::too_many_arguments, reason = "one request, one container, one caller")]
    fn take_slots(
        &mut self,
        pid: Pid,
        container: usize,
        request: &UnmapRequest,
        bitmap: Option<Bitmap>,
        taken: &[(Span<Iova>, SlotId)],
        tasks: &mut Vec<Task>,
        memory: &mut Memory,
    ) -> Result<u64, Refusal> {
        let mut outcome = Ok(total(taken));
        let mut going = Vec::with_capacity(taken.len());
        for &(span, id) in taken {
            if let Some(bitmap) = &bitmap {
                let base = Iova::new(request.iova);
                let reported =
                    self.report_dirty(pid, container, id, span, base, bitmap.data, memory);
                if let Err(refusal) = reported {
                    outcome = Err(refusal);
                    break;
                }
            }
            let backend = self.containers[container].backend.as_mut().expect("a typed container");
            if let Some(slot) = backend.slots.remove(id) {
                backend.invalid_vaddrs -= usize::from(!slot.vaddr_valid);
                going.push((span, slot));
            }
        }
        if !going.is_empty() {
            let backend = self.containers[container].backend.as_ref().expect("a typed container");
            tasks.push(Task::Remove(Removal::new(backend.domain_ids(), going)));
        }
        outcome
    }

    /// UNMAP with the VADDR flag: the mappings stay, their vaddrs are invalid from now on.
    fn invalidate_vaddrs(
        &mut self,
        container: usize,
        taken: &[(Span<Iova>, SlotId)],
    ) -> Result<u64, Refusal> {
        let backend = self.containers[container].backend.as_mut().expect("a typed container");
        let invalid = |id| backend.slots.get(id).is_some_and(|slot| !slot.vaddr_valid);
        if let Some(&(span, _)) = taken.iter().find(|&&(_, id)| invalid(id)) {
            return Err(rules::UNMAP_VADDR_TWICE.refuse_for(Errno::EINVAL, Conflict::Slot(span)));
        }
        for &(_, id) in taken {
            if let Some(slot) = backend.slots.get_mut(id) {
                slot.vaddr_valid = false;
            }
        }
        backend.invalid_vaddrs += taken.len();
        Ok(total(taken))
    }
}
