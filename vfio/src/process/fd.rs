//! Descriptors: small numbers for open files, the lowest free one first.

use super::FileId;

/// The limit of descriptors: NR_OPEN of every Linux so far.
const NR_OPEN: usize = 1 << 20;

/// The descriptors of one process.
#[derive(Clone, Default, Debug)]
pub(super) struct FdTable {
    files: Vec<Option<FileId>>,
    /// No number below is free.
    lowest_free: usize,
}

fn index_of(fd: i32) -> Option<usize> {
    usize::try_from(fd).ok().filter(|&at| at < NR_OPEN)
}

impl FdTable {
    /// Installs a file at the lowest free number, and returns the number.
    pub(super) fn insert(&mut self, file: FileId) -> i32 {
        let from = self.lowest_free.min(self.files.len());
        let free = self.files[from..].iter().position(Option::is_none);
        let at = free.map_or(self.files.len(), |offset| from + offset);
        if at == self.files.len() {
            self.files.push(None);
        }
        self.files[at] = Some(file);
        self.lowest_free = at + 1;
        i32::try_from(at).unwrap_or(i32::MAX)
    }

    /// Installs a file at `fd`, and returns the file that was there. Returns `file` itself if no
    /// descriptor can have this number.
    pub(super) fn place(&mut self, fd: i32, file: FileId) -> Option<FileId> {
        let Some(at) = index_of(fd) else { return Some(file) };
        if at >= self.files.len() {
            self.files.resize(at + 1, None);
        }
        self.files[at].replace(file)
    }

    /// The file at `fd`.
    pub(super) fn get(&self, fd: i32) -> Option<FileId> {
        *self.files.get(index_of(fd)?)?
    }

    /// Frees the number `fd`, and returns the file that was there.
    pub(super) fn remove(&mut self, fd: i32) -> Option<FileId> {
        let at = index_of(fd)?;
        let file = self.files.get_mut(at)?.take()?;
        self.lowest_free = self.lowest_free.min(at);
        Some(file)
    }

    /// Every descriptor and its file, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (i32, FileId)> + '_ {
        (0..).zip(&self.files).filter_map(|(fd, file)| Some((fd, (*file)?)))
    }
}
