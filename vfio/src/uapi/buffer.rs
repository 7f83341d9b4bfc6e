//! The caller's structure: copying in and out, as far as its memory reaches.

use crate::rules;
use core::ops::Range;
use passim_model::{Conflict, Errno, Refusal, UserAddr};

/// A caller's structure in user memory, or a null pointer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buffer {
    /// The bytes; `None` for a null pointer.
    bytes: Option<Vec<u8>>,
    /// The range from the first to the last byte that was copied out.
    written: Range<usize>,
}

impl Buffer {
    /// The null pointer.
    pub fn null() -> Self {
        Self { bytes: None, written: 0..0 }
    }

    /// A structure of these bytes; an access beyond them faults.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes: Some(bytes), written: 0..0 }
    }

    fn fault() -> Refusal {
        rules::USER_POINTER.refuse_for(Errno::EFAULT, Conflict::User(UserAddr::new(0)))
    }

    /// Copies in `N` bytes from byte `offset` on.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` if the memory ends before.
    pub fn copy_in<const N: usize>(&self, offset: usize) -> Result<[u8; N], Refusal> {
        let bytes = self.bytes.as_deref().ok_or_else(Self::fault)?;
        let end = offset.checked_add(N).ok_or_else(Self::fault)?;
        let piece = bytes.get(offset..end).ok_or_else(Self::fault)?;
        Ok(piece.try_into().expect("the piece has N bytes"))
    }

    /// `len` bytes from byte `offset` on.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` if the memory ends before.
    pub fn slice(&self, offset: usize, len: usize) -> Result<&[u8], Refusal> {
        let bytes = self.bytes.as_deref().ok_or_else(Self::fault)?;
        let end = offset.checked_add(len).ok_or_else(Self::fault)?;
        bytes.get(offset..end).ok_or_else(Self::fault)
    }

    /// Reads the first `bytes` bytes only to check that they are readable.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` if the memory ends before.
    pub fn require(&self, bytes: usize) -> Result<(), Refusal> {
        let there = self.bytes.as_ref().map_or(0, Vec::len);
        if self.bytes.is_none() || there < bytes { Err(Self::fault()) } else { Ok(()) }
    }

    /// Copies `bytes` out to byte `offset`.
    ///
    /// # Errors
    /// EFAULT by `user-pointer` if the memory ends before; no byte is written then.
    pub fn copy_out(&mut self, offset: usize, bytes: &[u8]) -> Result<(), Refusal> {
        let buffer = self.bytes.as_deref_mut().ok_or_else(Self::fault)?;
        let end = offset.checked_add(bytes.len()).ok_or_else(Self::fault)?;
        buffer.get_mut(offset..end).ok_or_else(Self::fault)?.copy_from_slice(bytes);
        self.written = match self.written.is_empty() {
            true => offset..end,
            false => self.written.start.min(offset)..self.written.end.max(end),
        };
        Ok(())
    }

    /// Offsets from the first to one past the last byte that was copied out; empty if none was.
    pub fn written(&self) -> Range<usize> {
        self.written.clone()
    }

    /// A text terminated by a zero byte, within the first `max` bytes.
    ///
    /// # Errors
    /// EINVAL by `text-end` without a zero byte there, EFAULT by `user-pointer` if the memory ends
    /// before.
    pub fn text(&self, max: usize) -> Result<String, Refusal> {
        let bytes = self.bytes.as_deref().ok_or_else(Self::fault)?;
        let piece = &bytes[..bytes.len().min(max)];
        match piece.iter().position(|&byte| byte == 0) {
            Some(end) => Ok(String::from_utf8_lossy(&piece[..end]).into_owned()),
            None if bytes.len() >= max => {
                let wanted = max as u64 + 1;
                let conflict = Conflict::Limit { limit: max as u64, wanted };
                Err(rules::TEXT_END.refuse_for(Errno::EINVAL, conflict))
            }
            None => Err(Self::fault()),
        }
    }

    /// The bytes as they stand now.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes.unwrap_or_default()
    }
}
