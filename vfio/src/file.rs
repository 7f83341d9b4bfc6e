//! Open files: what a descriptor refers to, and the lifetime of files.
//!
//! A file lives while it is referenced: by descriptors of any process, by areas that map it, and,
//! for a group, by the device files opened through it.
//!
//! Not here: descriptor numbers of processes ([`process`](crate::process)).

use crate::process::FileId;
use passim_model::Rid;
use slab::Slab;

/// What a file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FileKind {
    /// A terminal, or another file that serves no calls here.
    Console,
    /// `/dev/vfio/vfio`.
    Container(usize),
    /// `/dev/vfio/N`.
    Group(u32),
    /// `/dev/vfio/N` of a group that was removed with its last device.
    LostGroup,
    /// A device, opened through its group.
    Device {
        /// The function.
        rid: Rid,
        /// The group's file, kept open.
        group_file: FileId,
    },
    /// A platform device, opened through its group.
    Platform {
        /// Its number among the machine's platform devices.
        number: u16,
        /// The group's file, kept open.
        group_file: FileId,
    },
    /// An eventfd and its counter.
    EventFd(u64),
    /// A plain file, by its number among plain files.
    Plain(usize),
    /// `/proc/self/status`, `/proc/interrupts` and similar files.
    Proc(String),
    /// `/sys/bus/pci/devices/BDF/config`: the real registers.
    Config(Rid),
    /// `/sys/bus/pci/devices/BDF/resourceN`.
    Resource {
        /// The function.
        rid: Rid,
        /// Number of the BAR.
        bar: u8,
    },
}

struct Open {
    kind: FileKind,
    references: u32,
    generation: u32,
}

/// Every open file of the machine.
#[derive(Default)]
pub(crate) struct Files {
    open: Slab<Open>,
    opened: u32,
}

impl Files {
    /// Opens a file with one reference.
    pub(crate) fn open(&mut self, kind: FileKind) -> FileId {
        self.opened = self.opened.wrapping_add(1);
        let generation = self.opened;
        let index = self.open.insert(Open { kind, references: 1, generation });
        FileId::new(index as u32, generation)
    }

    fn entry(&self, id: FileId) -> Option<&Open> {
        self.open.get(id.index() as usize).filter(|open| open.generation == id.generation())
    }

    fn entry_mut(&mut self, id: FileId) -> Option<&mut Open> {
        let open = self.open.get_mut(id.index() as usize)?;
        (open.generation == id.generation()).then_some(open)
    }

    /// The kind of a file.
    pub(crate) fn kind(&self, id: FileId) -> Option<&FileKind> {
        Some(&self.entry(id)?.kind)
    }

    /// The kind of a file, mutable.
    pub(crate) fn kind_mut(&mut self, id: FileId) -> Option<&mut FileKind> {
        Some(&mut self.entry_mut(id)?.kind)
    }

    /// Takes another reference.
    pub(crate) fn take(&mut self, id: FileId) {
        if let Some(open) = self.entry_mut(id) {
            open.references += 1;
        }
    }

    /// Drops a reference; the last one returns the file's kind so that the caller can release it.
    pub(crate) fn drop_reference(&mut self, id: FileId) -> Option<FileKind> {
        let open = self.entry_mut(id)?;
        open.references -= 1;
        if open.references > 0 {
            return None;
        }
        Some(self.open.remove(id.index() as usize).kind)
    }
}
