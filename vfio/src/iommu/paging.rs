//! The tables of a domain, as io-pgtable writes them for every SMMU: map, unmap, look up.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `shape` | which table format and geometry does a domain get? |
//! | `tables` | which operations do both formats share? |
//! | `run` | how far is a translation physically contiguous? |
//! | `codes` | how are granule, size and start level encoded? |
//!
//! Not here: which SMMU walks them, and how it is programmed (its driver).

pub(super) mod codes;
mod run;
mod shape;
mod tables;

pub(super) use shape::Shape;
pub(super) use tables::{EitherTable, Tables};

use super::MapRequest;
use super::rules::{MAP_ALIGNMENT, MAP_EXISTS, MAP_NO_TABLE, MAP_RANGE, MAP_WITHOUT_ACCESS};
use crate::policy::{BeyondInput, Stage2Roots};
use passim_model::pgtable::gather::Gather;
use passim_model::pgtable::table::{Concatenation, Geometry, MapError, Mapping, Table};
use passim_model::{Conflict, Errno, Frames, Host, Iova, Memory, Perms, PhysAddr, Refusal, Span};

impl Stage2Roots {
    /// As the table geometry spells it.
    pub(super) const fn rule(self) -> Concatenation {
        match self {
            Self::WherePossible => Concatenation::WherePossible,
            Self::WhereNeeded => Concatenation::WhereNeeded,
        }
    }
}

/// Tables, and how addresses beyond them are treated.
#[derive(Debug)]
pub(super) struct Paging<T = Table> {
    table: T,
    beyond: BeyondInput,
}

impl Paging {
    /// Their geometry.
    pub(super) fn geometry(&self) -> Geometry {
        self.table.geometry()
    }
}

impl<T: Tables> Paging<T> {
    /// Wraps a table.
    pub(super) fn new(mut table: T, beyond: BeyondInput) -> Self {
        if beyond == BeyondInput::Alias {
            table.take_whatever_is_indexed();
        }
        Self { table, beyond }
    }

    /// Address of the first table.
    pub(super) fn root(&self) -> PhysAddr {
        self.table.root()
    }

    /// Frees every page of the tables.
    pub(super) fn free(self, frames: &mut Frames) {
        self.table.free(frames);
    }

    /// Maps a range.
    pub(super) fn map(
        &mut self,
        request: &MapRequest,
        gather: &mut Gather,
        frames: &mut Frames,
        host: &mut impl Host,
    ) -> Result<(), Refusal> {
        let mut done = 0;
        loop {
            let (input, size) = self.piece(request.iova, done, request.size);
            let mapping = Mapping {
                input,
                output: PhysAddr::new(request.output.get().wrapping_add(done)),
                size,
                perms: request.perms,
                memory_type: request.memory_type,
            };
            if let Err(error) = self.table.map(host.memory_mut(), frames, &mapping, gather) {
                self.unmap(request.iova, done, gather, host);
                return Err(self.refusal(request, error));
            }
            done += size;
            if done == request.size {
                return Ok(());
            }
        }
    }

    /// Position of the rest of a range in the tables, when `done` of its `size` bytes from `iova`
    /// on are finished, and how many bytes of it are contiguous there: all, unless addresses beyond
    /// the indices wrap to 0.
    fn piece(&self, iova: Iova, done: u64, size: u64) -> (u64, u64) {
        let (at, rest) = (iova.get().wrapping_add(done), size - done);
        match self.beyond {
            BeyondInput::Erange => (at, rest),
            BeyondInput::Alias => {
                let last = self.table.last_input();
                let input = at & last;
                (input, rest.min((last - input).saturating_add(1)))
            }
        }
    }

    fn refusal(&self, request: &MapRequest, error: MapError) -> Refusal {
        match error {
            MapError::Misaligned => {
                if !request.perms.intersects(Perms::READ | Perms::WRITE) {
                    return MAP_WITHOUT_ACCESS.refuse(Errno::EINVAL);
                }
                let value = request.iova.get() | request.output.get() | request.size;
                let size = self.table.smallest();
                MAP_ALIGNMENT.refuse_for(Errno::EINVAL, Conflict::Misaligned { value, size })
            }
            MapError::OutOfRange => {
                let last = Iova::new(self.table.last_input());
                let conflict = Span::new(Iova::new(0), last).map(Conflict::Aperture);
                MAP_RANGE.refuse_for(Errno::ERANGE, conflict.unwrap_or(Conflict::Request))
            }
            MapError::Exists { at } => {
                let there = Span::from_size(Iova::new(at), 1).map(Conflict::Slot);
                MAP_EXISTS.refuse_for(Errno::EEXIST, there.unwrap_or(Conflict::Request))
            }
            MapError::NoFrame => MAP_NO_TABLE.refuse(Errno::ENOMEM),
        }
    }

    /// Unmaps up to the first hole; returns the number of bytes unmapped.
    pub(super) fn unmap(
        &mut self,
        iova: Iova,
        size: u64,
        gather: &mut Gather,
        host: &mut impl Host,
    ) -> u64 {
        let mut done = 0;
        while done < size {
            let (input, piece) = self.piece(iova, done, size);
            let unmapped = self.table.unmap(host.memory_mut(), input, piece, gather);
            done += unmapped;
            if unmapped != piece {
                break;
            }
        }
        done
    }

    /// The physical address of `iova`, and how many bytes stay physically contiguous from there, at
    /// most `max`.
    pub(super) fn run(&self, iova: Iova, max: u64, memory: &Memory) -> Option<(PhysAddr, u64)> {
        let (input, max) = self.piece(iova, 0, max);
        self.table.run(memory, input, max)
    }
}
