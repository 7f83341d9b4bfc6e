//! Eventfds that the kernel itself waits for: what their signals mask, unmask and write.
//!
//! Whoever signals one does not matter: a process that writes it, or the kernel, when an interrupt
//! comes or a request asks for one. Not here: what each of them brings about.

use crate::file::FileKind;
use crate::kernel::Kernel;
use crate::process::FileId;
use passim_model::Host;
use std::collections::BTreeSet;

/// Eventfds that are waited for, and those that were signalled.
#[derive(Default)]
pub(crate) struct Told {
    /// Those that something was to follow on once; perhaps nothing does any more.
    awaited: BTreeSet<FileId>,
    /// Signalled by the kernel, in that order, and not followed up yet.
    signalled: Vec<FileId>,
}

impl Kernel {
    /// Waits for an eventfd's signals. Whether it has been signalled already: what it brings about
    /// happens at once then, and its counter stays as it is.
    // 6.12 virqfd.c, vfio_virqfd_enable.
    pub(crate) fn wait_for(&mut self, file: FileId) -> bool {
        self.told.awaited.insert(file);
        self.is_signalled(file)
    }

    /// Waits for an eventfd no longer, in one of the places that hold it: its counter is taken, and
    /// its reference dropped.
    // 6.12 virqfd.c, virqfd_shutdown: eventfd_ctx_remove_wait_queue reads the counter.
    pub(crate) fn stop_waiting(&mut self, file: FileId) {
        self.take_counter(file);
        // Nothing is released with an eventfd.
        self.files.drop_reference(file);
    }

    /// Eventfds of which a process may have closed the last descriptor: VFIO does not wait for one
    /// that no process has.
    // 6.12 virqfd.c, virqfd_wakeup: EPOLLHUP, from eventfd_release.
    pub(crate) fn hang_up(&mut self, files: &[FileId]) {
        for &file in
            files.iter().filter(|file| self.told.awaited.contains(*file)).collect::<Vec<_>>()
        {
            if self.processes.has_file(file) {
                continue;
            }
            let held =
                self.wires_hung_up(file) + self.pins_hung_up(file) + self.writes_hung_up(file);
            for _ in 0..held {
                self.stop_waiting(file);
            }
            self.told.awaited.remove(&file);
        }
    }

    /// Adds one to an eventfd's counter.
    // 6.12 eventfd.c: a full counter stays full.
    pub(crate) fn signal(&mut self, file: FileId) {
        if let Some(FileKind::EventFd(count)) = self.files.kind_mut(file) {
            *count = count.saturating_add(1);
        }
        if self.told.awaited.contains(&file) {
            self.told.signalled.push(file);
        }
    }

    /// Whether the counter of an eventfd is not 0.
    pub(crate) fn is_signalled(&self, file: FileId) -> bool {
        matches!(self.files.kind(file), Some(FileKind::EventFd(1..)))
    }

    /// What the kernel signalled is followed up. What that signals is too, once: an interrupt whose
    /// eventfd unmasks itself would go on for ever.
    // 6.12 virqfd.c, virqfd_wakeup: at every signal, whoever makes it.
    pub(crate) fn follow_up(&mut self, host: &mut impl Host) {
        let mut seen = BTreeSet::new();
        while !self.told.signalled.is_empty() {
            let signalled = core::mem::take(&mut self.told.signalled);
            for &file in signalled.iter().filter(|file| !seen.contains(*file)) {
                self.told_by(file, host);
            }
            seen.extend(signalled);
        }
    }

    /// An eventfd was signalled: what waits for that happens, and its counter is taken.
    pub(crate) fn told_by(&mut self, file: FileId, host: &mut impl Host) {
        if !self.told.awaited.contains(&file) {
            return;
        }
        let heard = self.wires_told(file, host) | self.pins_told(file, host);
        if heard | self.writes_told(file, host) {
            self.take_counter(file);
        } else {
            self.told.awaited.remove(&file);
        }
    }
}
