//! UNMAP_DMA: the checks in their order, and which mappings a range removes.
//!
//! Not here: the removal itself (`removal`).

use super::search::{Hit, Taken};
use super::{SlotKind, Type1, Version, dirty};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::{DirtyTracking, Policy, ThirdMapFlag, UnmapAll, UnmapWrap, V1UnmapOrder};
use crate::process::Pid;
use crate::rules;
use crate::uapi::{BITMAP_BYTES, Bitmap, Buffer, UNMAP_BYTES, UnmapRequest, unmap};
use crate::verdict::{Severity, Verdict};
use passim_model::{Conflict, Errno, Iova, Memory, PageSize, Refusal, Span};

/// The range of an UNMAP request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Range {
    /// Every mapping.
    All,
    /// This range.
    Of(Span<Iova>),
    /// A range that wraps, which a kernel without that check accepts: from the first address on, to
    /// the last before it, modulo 2^64.
    Wrapped(Iova, Iova),
}

/// The flags that UNMAP accepts.
fn known_flags(policy: &Policy) -> u32 {
    let mut known = 0;
    if policy.dirty_tracking == DirtyTracking::Present {
        known |= unmap::GET_DIRTY_BITMAP;
    }
    if policy.unmap_all == UnmapAll::Present {
        known |= unmap::ALL;
    }
    if policy.third_map_flag == ThirdMapFlag::Vaddr {
        known |= unmap::VADDR;
    }
    known
}

/// Checks the request's own fields; returns its bitmap, if it requests a report.
fn shape_of(
    request: &UnmapRequest,
    buffer: &Buffer,
    policy: &Policy,
) -> Result<Option<Bitmap>, Refusal> {
    let header = request.header;
    if header.argsz < UNMAP_BYTES as u32 {
        let conflict = Conflict::Short { got: u64::from(header.argsz), needs: UNMAP_BYTES as u64 };
        return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
    }
    let unknown = header.flags & !known_flags(policy);
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
fn range_of(request: &UnmapRequest, page: PageSize, policy: &Policy) -> Result<Range, Refusal> {
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
    match Span::from_size(Iova::new(request.iova), request.size) {
        Some(asked) => Ok(Range::Of(asked)),
        None if policy.unmap_wrap == UnmapWrap::Modulo => {
            let last = request.iova.wrapping_add(request.size).wrapping_sub(1);
            Ok(Range::Wrapped(Iova::new(request.iova), Iova::new(last)))
        }
        None => Err(rules::UNMAP_WRAP.refuse(policy.wrap_errno.errno())),
    }
}

impl Type1 {
    /// On v2, a mapping that an end of `range` splits.
    pub(super) fn bisected_by(&self, range: Span<Iova>) -> Option<Span<Iova>> {
        self.bisected_at(range.start(), range.last())
    }

    fn bisected_at(&self, first: Iova, last: Iova) -> Option<Span<Iova>> {
        let cut = |at| self.search.user_inside(&self.slots, at).map(|(_, slot)| slot);
        let at_start = cut(first);
        let at_end = cut(last).filter(|slot| slot.last() != last);
        at_start.or(at_end)
    }

    /// The mappings that `range` removes, ascending.
    fn taken_by(&self, range: Range) -> Taken {
        match range {
            Range::Wrapped(..) => Taken::default(),
            Range::All => Taken {
                hits: self.slots.iter().map(|(id, span, _)| (id, span)).collect(),
                ..Taken::default()
            },
            Range::Of(span) => self.search.taken(&self.slots, span, self.version),
        }
    }
}

/// Bytes of these mappings together; more than 2^64 - 1 cannot be mapped at once.
fn total(taken: &[Hit]) -> u64 {
    taken.iter().filter_map(|(_, span)| span.size()).fold(0, u64::wrapping_add)
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
        let bitmap = shape_of(&request, buffer, &self.policy)?;
        if let Some(bitmap) = &bitmap {
            self.judge_bitmap(bitmap, request.size)?;
        }
        let backend = self.containers[container].type1();
        let page = backend.smallest_page();
        let range = range_of(&request, page, &self.policy)?;
        if let Some(bitmap) = &bitmap {
            if !backend.tracking_dirty {
                return Err(rules::DIRTY_NOT_STARTED.refuse(Errno::EINVAL));
            }
            dirty::judge_page_size(bitmap, page)?;
        }
        let bisected = match range {
            _ if backend.version == Version::V1 => None,
            Range::All => None,
            Range::Of(span) => backend.bisected_by(span),
            Range::Wrapped(first, last) => backend.bisected_at(first, last),
        };
        if let Some(slot) = bisected {
            return Err(rules::UNMAP_BISECTS.refuse_for(Errno::EINVAL, Conflict::Slot(slot)));
        }
        let taken = backend.taken_by(range);
        let size = if request.header.flags & unmap::VADDR != 0 {
            self.invalidate_vaddrs(container, &taken.hits)?
        } else {
            self.take_slots(pid, container, &request, bitmap, &taken.hits, tasks, memory)?
        };
        if let Some(oops) = self.judge_walk(container, range, &taken) {
            return Err(oops);
        }
        buffer.copy_out(UnmapRequest::SIZE_OFFSET, &size.to_le_bytes())?;
        Ok(0)
    }

    /// Reports misbehaviour of the walk; returns the refusal of a call that dereferenced NULL.
    fn judge_walk(&mut self, container: usize, range: Range, taken: &Taken) -> Option<Refusal> {
        let Range::Of(span) = range else { return None };
        let by_shape =
            taken.null.is_some() || self.policy.v1_unmap_order == V1UnmapOrder::TreeShape;
        if taken.left > 0 && by_shape {
            let conflict = Conflict::Range(span);
            let rule = &rules::UNMAP_TREE_SHAPE;
            self.verdicts.push(Verdict { severity: Severity::Finding, rule, conflict });
        }
        let (_, window) = taken.null?;
        let (rule, conflict) = (&rules::FIND_DMA_NULL, Conflict::Window(window));
        self.verdicts.push(Verdict { severity: Severity::Oops, rule, conflict });
        self.containers[container].dead = true;
        // The kernel kills the caller; EINTR represents the answer that it never gets.
        Some(rule.refuse_for(Errno::EINTR, conflict))
    }

    /// Removes the mappings from the tree; the tasks that follow unmap them. With a bitmap, each is
    /// reported before it is removed, and a fault ends the walk; mappings before it are removed.
    #[expect(clippy::too_many_arguments, reason = "one request, one container, one caller")]
    fn take_slots(
        &mut self,
        pid: Pid,
        container: usize,
        request: &UnmapRequest,
        bitmap: Option<Bitmap>,
        taken: &[Hit],
        tasks: &mut Vec<Task>,
        memory: &mut Memory,
    ) -> Result<u64, Refusal> {
        let mut outcome = Ok(total(taken));
        let mut going = Vec::with_capacity(taken.len());
        for &(id, span) in taken {
            if let Some(bitmap) = &bitmap {
                let base = Iova::new(request.iova);
                let reported =
                    self.report_dirty(pid, container, id, span, base, bitmap.data, memory);
                if let Err(refusal) = reported {
                    outcome = Err(refusal);
                    break;
                }
            }
            let backend = self.containers[container].type1_mut();
            if let Some(slot) = backend.slots.remove(id) {
                backend.invalid_vaddrs -= usize::from(!slot.vaddr_valid);
                // Patch 3/7 of part 3: type1 has mapped and pinned nothing in a window.
                if slot.kind == SlotKind::User {
                    going.push((span, slot));
                }
            }
        }
        if !going.is_empty() {
            let backend = self.containers[container].type1();
            tasks.push(Task::Remove(self.removal(backend.domain_ids(), going)));
        }
        outcome
    }

    /// UNMAP with the VADDR flag: the mappings stay, their vaddrs become invalid.
    fn invalidate_vaddrs(&mut self, container: usize, taken: &[Hit]) -> Result<u64, Refusal> {
        let backend = self.containers[container].type1_mut();
        let invalid = |id| backend.slots.get(id).is_some_and(|slot| !slot.vaddr_valid);
        if let Some(&(_, span)) = taken.iter().find(|&&(id, _)| invalid(id)) {
            return Err(rules::UNMAP_VADDR_TWICE.refuse_for(Errno::EINVAL, Conflict::Slot(span)));
        }
        for &(id, _) in taken {
            if let Some(slot) = backend.slots.get_mut(id) {
                slot.vaddr_valid = false;
            }
        }
        backend.invalid_vaddrs += taken.len();
        Ok(total(taken))
    }
}
