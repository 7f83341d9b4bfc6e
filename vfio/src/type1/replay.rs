//! Replaying a container's mappings into a new domain.
//!
//! Mappings are read from the reference domain's tables; the window is set as registered. Not here:
//! whether the domain may join at all.

use super::SlotKind;
use crate::iommu::{DomainId, MapRequest};
use crate::kernel::Kernel;
use crate::operation::Task;
use crate::policy::ReplayAperture;
use crate::rules;
use crate::verdict::{Severity, Verdict};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::MemoryType;
use passim_model::{Conflict, Host, Iova, PageSize, Perms, Refusal, Rule, Span};

/// A mapping to be made in the new domain.
#[derive(Clone, Copy)]
struct Wanted {
    span: Span<Iova>,
    perms: Perms,
    reference: DomainId,
    domain: DomainId,
}

impl Kernel {
    /// Maps into `domain` everything that `reference` maps, ascending. A task invalidates and frees
    /// tables that a block replaced.
    ///
    /// # Errors
    /// ENOMEM without memory for a table; the refusal of the window, if `replay-aperture` says that
    /// it fails the attach. Mappings made so far are freed with the domain.
    pub(super) fn replay(
        &mut self,
        container: usize,
        reference: DomainId,
        domain: DomainId,
        tasks: &mut Vec<Task>,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let backend = self.containers[container].type1();
        let page = backend.smallest_page();
        let slots: Vec<_> =
            backend.slots.iter().map(|(_, span, slot)| (span, slot.kind, slot.perms)).collect();
        let mut gather = Gather::default();
        let mut outcome = Ok(());
        for (span, kind, perms) in slots {
            outcome = match kind {
                SlotKind::User => {
                    let wanted = Wanted { span, perms, reference, domain };
                    self.replay_mapping(&wanted, page, &mut gather, host)
                }
                SlotKind::ReservedMsi => self.replay_window(domain, span),
            };
            if outcome.is_err() {
                break;
            }
        }
        tasks.push(Task::Drop(self.iommu.sync(domain, gather)));
        outcome
    }

    fn replay_mapping(
        &mut self,
        wanted: &Wanted,
        page: PageSize,
        gather: &mut Gather,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let Wanted { span, perms, reference, domain } = *wanted;
        let mut next = Some(span);
        while let Some(rest) = next {
            let iova = rest.start();
            let room = rest.size_minus_one().saturating_add(1);
            let run = self.iommu.iova_to_phys(reference, iova, room, host);
            if let Some((output, size)) = run {
                let memory_type = MemoryType::Normal;
                let request = MapRequest { iova, output, size, perms, memory_type };
                self.iommu.map(domain, &request, gather, &mut self.frames, host)?;
            }
            // A hole in the reference is skipped page by page, as the kernel does.
            let size = run.map_or(page.bytes(), |(_, size)| size);
            next = iova.checked_add(size).and_then(|start| Span::new(start, rest.last()));
        }
        Ok(())
    }

    /// Sets the registered window in the new domain, or not: `replay-aperture`.
    fn replay_window(&mut self, domain: DomainId, window: Span<Iova>) -> Result<(), Refusal> {
        match self.policy.replay_aperture {
            ReplayAperture::Skip => {}
            ReplayAperture::Warn => {
                if self.iommu.set_msi_aperture(domain, window).is_err() {
                    self.warn(Severity::Warning, &rules::REPLAY_WINDOW_REFUSED, window);
                }
            }
            ReplayAperture::Fail => {
                if self.iommu.msi_geometry(domain).supported {
                    self.iommu.set_msi_aperture(domain, window)?;
                }
                self.warn(Severity::Warning, &rules::REPLAY_WALKS_WINDOW, window);
            }
        }
        Ok(())
    }

    fn warn(&mut self, severity: Severity, rule: &'static Rule, window: Span<Iova>) {
        self.verdicts.push(Verdict { severity, rule, conflict: Conflict::Window(window) });
    }
}
