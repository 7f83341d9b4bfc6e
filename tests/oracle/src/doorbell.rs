//! Doorbells mapped for the devices of a domain: their addresses and references.
//!
//! For: the I/O address of a doorbell, which mappings exist and how many references each has. Rules
//! as of `msi-iommu.c` of v9 of the series, with [`crate::iova`] for its window.
//! Not for: kernels that keep doorbells until the domain is freed, and page tables.

use crate::iova::TopDown;
use crate::{EINVAL, ENOMEM};

/// A mapping, all in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Physical address of the first byte.
    pub pa: u64,
    /// I/O address of the first byte.
    pub iova: u64,
    /// Bytes.
    pub size: u64,
    /// Number of references.
    pub held: u64,
}

/// The doorbells of one domain.
#[derive(Clone, Debug)]
pub struct Doorbells {
    page: u64,
    window: Option<TopDown>,
    /// Newest first.
    list: Vec<Mapping>,
}

impl Doorbells {
    /// Creates a domain's doorbells without any, and without a window.
    pub fn new(page: u64) -> Self {
        Self { page, window: None, list: Vec::new() }
    }

    /// Sets the window.
    ///
    /// # Errors
    /// EINVAL for a second one.
    pub fn set_window(&mut self, start: u64, size: u64) -> Result<(), i32> {
        if self.window.is_some() {
            return Err(EINVAL);
        }
        let first = (start / self.page).max(1);
        self.window = Some(TopDown::new(first, (start + size - 1) / self.page));
        Ok(())
    }

    /// Takes a reference to the doorbell of `size` bytes at `pa`.
    ///
    /// # Errors
    /// EINVAL without a window, ENOMEM if it is full.
    pub fn get(&mut self, pa: u64, size: u64) -> Result<u64, i32> {
        let window = self.window.as_mut().ok_or(EINVAL)?;
        let base = pa / self.page * self.page;
        let pages = (pa - base + size).div_ceil(self.page);
        let bytes = pages * self.page;
        for mapping in &mut self.list {
            if mapping.pa <= base && base + bytes <= mapping.pa + mapping.size {
                mapping.held += 1;
                return Ok(mapping.iova + (pa - mapping.pa));
            }
        }
        let iova = window.alloc(pages).ok_or(ENOMEM)? * self.page;
        self.list.insert(0, Mapping { pa: base, iova, size: bytes, held: 1 });
        Ok(iova + (pa - base))
    }

    /// Drops a reference to the page of `pa`.
    pub fn put(&mut self, pa: u64) {
        let base = pa / self.page * self.page;
        for at in 0..self.list.len() {
            let mapping = &mut self.list[at];
            if mapping.pa <= base && base + self.page <= mapping.pa + mapping.size {
                mapping.held -= 1;
                if mapping.held == 0 {
                    let gone = self.list.remove(at);
                    let window = self.window.as_mut().expect("it is mapped in a window");
                    window.free(gone.iova / self.page);
                }
                return;
            }
        }
    }

    /// The I/O address of a message to `pa`: the eight bytes there have to be in one mapping.
    pub fn translate(&self, pa: u64) -> Option<u64> {
        let holds = |m: &&Mapping| m.pa <= pa && pa + 8 <= m.pa + m.size;
        self.list.iter().find(holds).map(|mapping| mapping.iova + (pa - mapping.pa))
    }

    /// All mappings, newest first.
    pub fn list(&self) -> &[Mapping] {
        &self.list
    }
}

#[cfg(test)]
mod tests;
