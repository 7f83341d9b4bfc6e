//! MAP_DMA: the checks in their order, then pages pinned and mapped run by run.
//!
//! Not here: windows for doorbells (`register`), and mappings of later domains (`replay`).

use super::{Slot, SlotBitmap, SlotKind, Version};
use crate::iommu::{DomainId, MapRequest as IommuMapRequest};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::{ThirdMapFlag, ValidRanges, WrapErrno};
use crate::process::{Pid, PinAccess};
use crate::rules;
use crate::uapi::{Buffer, MAP_BYTES, MapRequest, map};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Conflict, Errno, Host, Iova, PageSize, Perms, Refusal, Span, UserAddr};

/// A MAP request whose fields passed their checks.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    iova: Span<Iova>,
    vaddr: UserAddr,
    perms: Perms,
}

/// The operation that a request's flags select.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    /// A mapping with these permissions.
    Mapping(Perms),
    /// Another vaddr for an existing mapping.
    Vaddr,
    /// A window for doorbells.
    Window,
}

/// Checks argsz and flags; bit 2 of the flags depends on the kernel.
fn asked(request: &MapRequest, third: ThirdMapFlag) -> Result<Asked, Refusal> {
    let header = request.header;
    if header.argsz < MAP_BYTES as u32 {
        let conflict = Conflict::Short { got: u64::from(header.argsz), needs: MAP_BYTES as u64 };
        return Err(rules::ARGSZ_SHORT.refuse_for(Errno::EINVAL, conflict));
    }
    let known = match third {
        ThirdMapFlag::Unknown => map::READ | map::WRITE,
        ThirdMapFlag::ReservedMsiIova | ThirdMapFlag::Vaddr => map::READ | map::WRITE | map::THIRD,
    };
    let unknown = header.flags & !known;
    if unknown != 0 {
        let conflict = Conflict::Unknown(u64::from(unknown));
        return Err(rules::FLAGS_UNKNOWN.refuse_for(Errno::EINVAL, conflict));
    }
    let mut perms = Perms::empty();
    perms.set(Perms::READ, header.flags & map::READ != 0);
    perms.set(Perms::WRITE, header.flags & map::WRITE != 0);
    Ok(match (header.flags & map::THIRD != 0, third) {
        (false, _) => Asked::Mapping(perms),
        (true, ThirdMapFlag::ReservedMsiIova) => Asked::Window,
        (true, _) if perms.is_empty() => Asked::Vaddr,
        (true, _) => return Err(no_permission(header.flags)),
    })
}

fn no_permission(flags: u32) -> Refusal {
    rules::MAP_NO_PERMISSION.refuse_for(Errno::EINVAL, Conflict::Unknown(u64::from(flags)))
}

/// The IOVA range of a request; refuses one that wraps.
fn unwrapped(request: &MapRequest, errno: WrapErrno) -> Result<Span<Iova>, Refusal> {
    if request.size == 0 {
        return Err(rules::MAP_ALIGNMENT.refuse(Errno::EINVAL));
    }
    let wrap = rules::MAP_WRAP.refuse(errno.errno());
    let iova = Span::from_size(Iova::new(request.iova), request.size).ok_or(wrap)?;
    Span::from_size(UserAddr::new(request.vaddr), request.size).ok_or(wrap)?;
    Ok(iova)
}

/// EINVAL where iova, vaddr or size is no multiple of the smallest page.
fn judge_alignment(request: &MapRequest, page: PageSize) -> Result<(), Refusal> {
    for value in [request.size, request.iova, request.vaddr] {
        if !page.divides(value) {
            let conflict = Conflict::Misaligned { value, size: page };
            return Err(rules::MAP_ALIGNMENT.refuse_for(Errno::EINVAL, conflict));
        }
    }
    Ok(())
}

impl Kernel {
    /// VFIO_IOMMU_MAP_DMA.
    pub(crate) fn map_dma(
        &mut self,
        pid: Pid,
        container: usize,
        buffer: &Buffer,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<i64, Refusal> {
        let request = MapRequest::read(buffer)?;
        let asked = asked(&request, self.policy.third_map_flag)?;
        let backend = self.containers[container].type1();
        if asked == Asked::Window {
            return self.register_window(pid, container, &request);
        }
        let wrap = self.policy.wrap_errno;
        if wrap == WrapErrno::Eoverflow {
            // 7.2 vfio_iommu_type1: the wrap is checked before permissions and alignment.
            unwrapped(&request, wrap)?;
        }
        if asked == Asked::Mapping(Perms::empty()) {
            return Err(no_permission(request.header.flags));
        }
        judge_alignment(&request, backend.smallest_page())?;
        let iova = unwrapped(&request, wrap)?;
        let vaddr = UserAddr::new(request.vaddr);
        let Asked::Mapping(perms) = asked else {
            return self.exchange_vaddr(pid, container, iova, vaddr);
        };
        if let Some(hit) = backend.search.any(&backend.slots, iova) {
            return Err(rules::MAP_OVERLAP.refuse_for(Errno::EEXIST, backend.conflict(hit)));
        }
        if backend.entries_left() == 0 {
            let limit = u64::from(backend.entry_limit());
            let conflict = Conflict::Limit { limit, wanted: limit + 1 };
            return Err(rules::MAP_ENTRY_LIMIT.refuse_for(Errno::ENOSPC, conflict));
        }
        if self.policy.valid_ranges == ValidRanges::Checked && !backend.windows.allow(iova) {
            let nearest = backend.windows.nearest(iova);
            let conflict = nearest.map_or(Conflict::Request, Conflict::Aperture);
            return Err(rules::MAP_OUTSIDE_VALID.refuse_for(Errno::EINVAL, conflict));
        }
        self.pin_and_map(pid, container, Wanted { iova, vaddr, perms }, tasks, host)?;
        Ok(0)
    }

    /// Pins and maps run by run; a failure undoes the whole mapping.
    fn pin_and_map(
        &mut self,
        pid: Pid,
        container: usize,
        wanted: Wanted,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let backend = self.containers[container].type1();
        let domains = backend.domain_ids();
        let tracks = backend.tracking_dirty && backend.version == Version::V2;
        let pages = (wanted.iova.size_minus_one() >> backend.smallest_page().lg2()) + 1;
        let mut slot = Slot {
            kind: SlotKind::User,
            vaddr: wanted.vaddr,
            perms: wanted.perms,
            owner: pid,
            ipc_lock: self.processes.get(pid).is_some_and(|process| process.ipc_lock()),
            locked_pages: 0,
            vaddr_valid: true,
            bitmap: tracks.then(|| SlotBitmap::new(pages)),
        };
        let mut done = 0;
        let outcome = loop {
            if done > wanted.iova.size_minus_one() {
                break Ok(());
            }
            match self.map_run(&domains, &wanted, done, &mut slot, tasks, host) {
                Ok(len) => done += len,
                Err(refusal) => break Err(refusal),
            }
        };
        match outcome {
            Ok(()) => {
                let backend = self.containers[container].type1_mut();
                let id = backend.slots.insert(wanted.iova, slot);
                debug_assert!(
                    id.is_ok() || wanted.iova.last().get() == u64::MAX,
                    "the range was searched and is free"
                );
                Ok(())
            }
            Err(refusal) => {
                if let Some(partial) = Span::from_size(wanted.iova.start(), done) {
                    tasks.push(Task::Remove(self.removal(domains, vec![(partial, slot)])));
                }
                Err(refusal)
            }
        }
    }

    /// Pins the physically contiguous run that starts `done` bytes into the mapping, and maps it in
    /// every domain. Returns its length in bytes. If a domain refuses, the run is unmapped from
    /// those before it; existing mappings of the others at its addresses stay.
    fn map_run(
        &mut self,
        domains: &[DomainId],
        wanted: &Wanted,
        done: u64,
        slot: &mut Slot,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<u64, Refusal> {
        let page = self.page;
        let left = (wanted.iova.size_minus_one() - done) / page.bytes() + 1;
        let at = UserAddr::new(wanted.vaddr.get() + done);
        let access =
            if wanted.perms.contains(Perms::WRITE) { PinAccess::Write } else { PinAccess::Read };
        let most = if self.params.disable_hugepages { 1 } else { left };
        let unreachable = |at| rules::MAP_PAGE_FAULT.refuse_for(Errno::EFAULT, Conflict::User(at));
        let mut run = self
            .processes
            .pin_run(slot.owner, at, most, access, &mut self.frames, host.memory_mut())
            .map_err(|fault| unreachable(fault.address))?;
        if !run.counted {
            run.pages = self.pages_that_answer(slot.owner, at, run.pages, host);
            if run.pages == 0 {
                return Err(unreachable(at));
            }
        }
        let counted = if run.counted { run.pages } else { 0 };
        if let Err(exceeded) = self.processes.charge(slot.owner, counted, slot.ipc_lock) {
            self.unpin_pages(run.frame, run.pages);
            let conflict = Conflict::Limit { limit: exceeded.limit, wanted: exceeded.wanted };
            return Err(rules::MAP_MEMLOCK.refuse_for(Errno::ENOMEM, conflict));
        }
        slot.locked_pages += counted;
        let len = run.pages * page.bytes();
        let iova = Iova::new(wanted.iova.start().get() + done);
        for (k, &domain) in domains.iter().enumerate() {
            let request = IommuMapRequest {
                iova,
                output: run.frame,
                size: len,
                perms: wanted.perms,
                memory_type: MemoryType::Normal,
            };
            let mut gather = Gather::default();
            let mapped = self.iommu.map(domain, &request, &mut gather, &mut self.frames, host);
            if !gather.is_empty() {
                tasks.push(Task::Drop(self.iommu.sync(domain, gather)));
            }
            if let Err(refusal) = mapped {
                slot.locked_pages -= counted;
                if k == 0 {
                    self.unpin_pages(run.frame, run.pages);
                    self.processes.uncharge(slot.owner, counted);
                    return Err(refusal);
                }
                // 4.11 and 6.12 vfio_iommu_map: from the domain before the refusing one back to the
                // first. A doorbell that the refusing domain maps there must stay.
                let own = Slot { locked_pages: counted, bitmap: None, ..slot.clone() };
                let span = Span::from_size(iova, len).expect("a run has pages and does not wrap");
                let took = domains[..k].to_vec();
                tasks.push(Task::Remove(self.removal(took, vec![(span, own)])));
                return Err(refusal);
            }
        }
        Ok(len)
    }

    /// MAP with the VADDR flag: gives an existing mapping another vaddr, and another owner if
    /// another process calls.
    fn exchange_vaddr(
        &mut self,
        pid: Pid,
        container: usize,
        iova: Span<Iova>,
        vaddr: UserAddr,
    ) -> Result<i64, Refusal> {
        let backend = self.containers[container].type1_mut();
        let Some((id, span)) = backend.search.any(&backend.slots, iova) else {
            return Err(rules::VADDR_NO_MAPPING.refuse(Errno::ENOENT));
        };
        let slot = backend.slots.get_mut(id).expect("just found");
        if slot.vaddr_valid || span != iova {
            return Err(rules::VADDR_NOT_EXACT.refuse_for(Errno::EINVAL, Conflict::Slot(span)));
        }
        if slot.owner != pid {
            let ipc_lock = self.processes.get(pid).is_some_and(|process| process.ipc_lock());
            if let Err(exceeded) = self.processes.charge(pid, slot.locked_pages, ipc_lock) {
                let conflict = Conflict::Limit { limit: exceeded.limit, wanted: exceeded.wanted };
                return Err(rules::MAP_MEMLOCK.refuse_for(Errno::ENOMEM, conflict));
            }
            self.processes.uncharge(slot.owner, slot.locked_pages);
            slot.owner = pid;
            slot.ipc_lock = ipc_lock;
        }
        slot.vaddr = vaddr;
        slot.vaddr_valid = true;
        backend.invalid_vaddrs -= 1;
        Ok(0)
    }
}
