//! Registering the window in which doorbells are mapped: patch 4/7 of part 3.
//!
//! MAP_DMA with the reserved-window flag. The window becomes a slot that is never pinned nor
//! mapped, and the aperture of every domain. Not here: doorbells mapped in it (the IOMMU core).

use super::{Slot, SlotKind};
use crate::kernel::Kernel;
use crate::policy::ApertureRollback;
use crate::process::Pid;
use crate::rules;
use crate::uapi::MapRequest;
use passim_model::{Conflict, Errno, Iova, PageSize, Perms, Refusal, Span, UserAddr};

/// The window of a request. Its vaddr and permissions are ignored.
fn window_of(request: &MapRequest, page: PageSize) -> Result<Span<Iova>, Refusal> {
    for value in [request.size, request.iova] {
        if !page.divides(value) {
            let conflict = Conflict::Misaligned { value, size: page };
            return Err(rules::WINDOW_ALIGNMENT.refuse_for(Errno::EINVAL, conflict));
        }
    }
    if request.size == 0 {
        return Err(rules::WINDOW_ALIGNMENT.refuse(Errno::EINVAL));
    }
    Span::from_size(Iova::new(request.iova), request.size)
        .ok_or_else(|| rules::WINDOW_WRAP.refuse(Errno::EINVAL))
}

impl Kernel {
    /// MAP_DMA with VFIO_DMA_MAP_FLAG_RESERVED_MSI_IOVA.
    ///
    /// # Errors
    /// EINVAL for an empty, misaligned or wrapping window, EEXIST over a slot of any kind, and the
    /// refusals of the domains: ENODEV, EINVAL, EFAULT.
    pub(super) fn register_window(
        &mut self,
        pid: Pid,
        container: usize,
        request: &MapRequest,
    ) -> Result<i64, Refusal> {
        let backend = self.containers[container].type1();
        let window = window_of(request, backend.smallest_page())?;
        if let Some(hit) = backend.search.any(&backend.slots, window) {
            return Err(rules::WINDOW_OVERLAP.refuse_for(Errno::EEXIST, backend.conflict(hit)));
        }
        self.set_apertures(container, window)?;
        let slot = Slot {
            kind: SlotKind::ReservedMsi,
            vaddr: UserAddr::new(0),
            perms: Perms::empty(),
            owner: pid,
            ipc_lock: false,
            locked_pages: 0,
            vaddr_valid: true,
            bitmap: None,
        };
        let backend = self.containers[container].type1_mut();
        if backend.slots.insert(window, slot).is_err() {
            // Exclusive ends: a slot that ends at 2^64 is not found, and the kernel's tree would
            // contain both. Here only the older one is kept.
            tracing::debug!(target: passim_model::event::VFIO, %window, "over a slot not found");
        }
        Ok(0)
    }

    /// Sets the window in every domain, the newest first. The first error ends it; whether the
    /// domains before it lose the window is `aperture-rollback`.
    fn set_apertures(&mut self, container: usize, window: Span<Iova>) -> Result<(), Refusal> {
        let backend = self.containers[container].type1();
        let domains = backend.domain_ids();
        let undo = self.policy.aperture_rollback == ApertureRollback::Undo;
        for &domain in &domains {
            // v14: a domain that needs no window is skipped.
            if undo && !self.iommu.msi_geometry(domain).supported {
                continue;
            }
            if let Err(refusal) = self.iommu.set_msi_aperture(domain, window) {
                if undo {
                    for &domain in &domains {
                        self.iommu.clear_msi_aperture(domain);
                    }
                }
                return Err(refusal);
            }
        }
        Ok(())
    }
}
