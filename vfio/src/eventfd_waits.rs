//! Eventfds that the kernel itself waits on (VFIO's mask and unmask eventfds, ioeventfds: virqfd),
//! and delivery of their signals.
//!
//! The source of a signal does not matter: a process that writes the eventfd, or the kernel, for an
//! interrupt or a trigger request. Not here: the effect of each signal.

use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::process::FileId;
use passim_model::Host;
use std::collections::BTreeSet;

/// Eventfds that the kernel waits on, and pending signals.
#[derive(Default)]
pub(crate) struct EventfdWaits {
    /// Eventfds on which the kernel has ever waited, even if it no longer does.
    awaited: BTreeSet<FileId>,
    /// Eventfds that the kernel has signalled, in order, whose effects are pending.
    signalled: Vec<FileId>,
}

impl Kernel {
    /// Makes the kernel wait on an eventfd. Returns whether it has been signalled already: the caller
    /// then acts at once, and the counter stays as it is.
    // 6.12 virqfd.c, vfio_virqfd_enable.
    pub(crate) fn wait_for(&mut self, file: FileId) -> bool {
        self.eventfd_waits.awaited.insert(file);
        self.is_signalled(file)
    }

    /// Takes the kernel off an eventfd, in one of the places that hold it: clears the counter and drops
    /// the reference.
    // 6.12 virqfd.c, virqfd_shutdown: eventfd_ctx_remove_wait_queue reads the counter.
    pub(crate) fn stop_waiting(&mut self, file: FileId) {
        self.take_counter(file);
        // Dropping an eventfd releases nothing else.
        self.files.drop_reference(file);
    }

    /// Takes the kernel off those of `files` that no process has a descriptor of any more.
    // 6.12 virqfd.c, virqfd_wakeup: EPOLLHUP, from eventfd_release.
    pub(crate) fn hang_up(&mut self, files: &[FileId]) {
        for &file in files {
            if !self.eventfd_waits.awaited.contains(&file) || self.processes.has_file(file) {
                continue;
            }
            let held =
                self.hang_up_wires(file) + self.hang_up_pins(file) + self.hang_up_registers(file);
            for _ in 0..held {
                self.stop_waiting(file);
            }
            self.eventfd_waits.awaited.remove(&file);
        }
    }

    /// Adds one to an eventfd's counter.
    // 6.12 eventfd.c: a full counter stays full.
    pub(crate) fn signal(&mut self, file: FileId) {
        if let Some(FileKind::EventFd(count)) = self.files.kind_mut(file) {
            *count = count.saturating_add(1);
        }
        if self.eventfd_waits.awaited.contains(&file) {
            self.eventfd_waits.signalled.push(file);
        }
    }

    /// Whether the counter of an eventfd is not 0.
    pub(crate) fn is_signalled(&self, file: FileId) -> bool {
        matches!(self.files.kind(file), Some(FileKind::EventFd(1..)))
    }

    /// Carries out the effects of the kernel's own signals. Their further signals take effect once
    /// each: an interrupt whose eventfd unmasks itself would repeat for ever.
    // 6.12 virqfd.c, virqfd_wakeup: runs at every signal, from any source.
    pub(crate) fn follow_up(&mut self, host: &mut impl Host) {
        let mut seen = BTreeSet::new();
        while !self.eventfd_waits.signalled.is_empty() {
            let signalled = core::mem::take(&mut self.eventfd_waits.signalled);
            for &file in signalled.iter().filter(|file| !seen.contains(*file)) {
                self.eventfd_signalled(file, host);
            }
            seen.extend(signalled);
        }
    }

    /// Carries out the effects of an eventfd's signal, and resets its counter.
    pub(crate) fn eventfd_signalled(&mut self, file: FileId, host: &mut impl Host) {
        if !self.eventfd_waits.awaited.contains(&file) {
            return;
        }
        let heard = self.mask_wires_by(file, host) | self.unmask_pins_by(file, host);
        if heard | self.write_registers_by(file, host) {
            self.take_counter(file);
        } else {
            self.eventfd_waits.awaited.remove(&file);
        }
    }
}
