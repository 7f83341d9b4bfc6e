//! Device transactions that are stalled at an SMMU: the stall fault model, from the device's side.
//!
//! The device keeps a stalled piece of a transfer: the data of a write, or the place of a read in
//! its buffer. When software resumes or terminates it, the SMMU translates it again or ends it, and
//! the piece completes.

use passim_model::{Direction, Host, Requester, Span};

use super::Board;
use super::dma::{Initiator, Piece, Reach};
use super::smmu::{Outcome, Smmu, Stalled};

/// Most pieces that continued and are kept until taken.
const MAX_CARRIED: usize = 1 << 12;

/// A stalled piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Outstanding {
    smmu: usize,
    /// The SMMU's ticket for it.
    ticket: u64,
    requester: Requester,
    /// The function, for a device on PCI. Functions behind one bridge share their requester.
    function: Option<usize>,
    iova: Span<passim_model::Iova>,
    cargo: Cargo,
    /// Whether the function's DMA engine made the transfer.
    engine: bool,
}

/// The data of a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Cargo {
    Write(Vec<u8>),
    /// Number of bytes, and their offset in the engine's buffer.
    Read {
        len: usize,
        offset: usize,
    },
}

/// A piece that continued after a stall.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CarriedOn {
    /// The requester of the transaction.
    pub requester: Requester,
    /// The direction of the data.
    pub direction: Direction,
    /// The piece, and where it ended; never [`Reach::Stalled`].
    pub piece: Piece,
    /// The bytes written, or read: zeros where nothing was reached.
    pub bytes: Vec<u8>,
}

impl Stalled {
    fn ticket(&self) -> u64 {
        match self {
            Self::V3(stalled) => stalled.ticket,
            Self::V2(stalled) => stalled.ticket,
        }
    }
}

impl Smmu {
    /// Takes the outcomes of transactions that had stalled, by their tickets.
    fn take_resolved(&mut self) -> Vec<(u64, Outcome)> {
        match self {
            Self::V3(smmu) => {
                let resolved = smmu.take_resolved().into_iter();
                resolved.map(|it| (it.ticket, it.outcome.into())).collect()
            }
            Self::V2(smmu) => {
                let resolved = smmu.take_resolved().into_iter();
                resolved.map(|it| (it.ticket, it.outcome.into())).collect()
            }
        }
    }
}

impl Board {
    /// Keeps the bytes of a write's piece, if it stalled.
    pub(super) fn keep_write(&mut self, initiator: Initiator, piece: &Piece, bytes: &[u8]) {
        self.keep(initiator, piece, || Cargo::Write(bytes.to_vec()));
    }

    /// Keeps the place of a read's piece, from `offset` of the transfer on, if it stalled.
    pub(super) fn keep_read(
        &mut self,
        initiator: Initiator,
        piece: &Piece,
        (offset, len): (usize, usize),
    ) {
        self.keep(initiator, piece, || Cargo::Read { len, offset });
    }

    fn keep(&mut self, initiator: Initiator, piece: &Piece, cargo: impl FnOnce() -> Cargo) {
        let Initiator { requester, smmu, function, .. } = initiator;
        let (Some(smmu), Reach::Stalled(stalled)) = (smmu, &piece.reach) else { return };
        let ticket = stalled.ticket();
        let (iova, engine, cargo) = (piece.iova, false, cargo());
        let it = Outstanding { smmu, ticket, requester, function, iova, cargo, engine };
        self.outstanding.push(it);
    }

    /// Assigns a function's stalled pieces to its engine; `first` is the place of the transfer's
    /// first byte in its buffer. Returns the number of pieces.
    pub(super) fn give_to_engine(
        &mut self,
        smmu: Option<usize>,
        pieces: &[Piece],
        first: usize,
    ) -> usize {
        let mut given = 0;
        for piece in pieces {
            let Reach::Stalled(stalled) = &piece.reach else { continue };
            let ticket = stalled.ticket();
            let named = |it: &&mut Outstanding| Some(it.smmu) == smmu && it.ticket == ticket;
            let Some(outstanding) = self.outstanding.iter_mut().find(named) else { continue };
            outstanding.engine = true;
            if let Cargo::Read { offset, .. } = &mut outstanding.cargo {
                *offset += first;
            }
            given += 1;
        }
        given
    }

    /// Drops the stalled pieces of a function that was reset. Their later outcomes have no effect.
    pub(super) fn forget_outstanding(&mut self, function: usize) {
        self.outstanding.retain(|outstanding| outstanding.function != Some(function));
    }

    /// Number of pieces of transfers that are stalled at SMMUs.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// Takes the pieces that continued after a stall, oldest first. Only the first of very many are
    /// kept.
    pub fn take_carried_on(&mut self) -> Vec<CarriedOn> {
        std::mem::take(&mut self.carried_on)
    }

    /// Completes the pieces whose transactions an SMMU has resumed or terminated.
    pub(super) fn carry_on(&mut self, smmu: usize) {
        let Some((hardware, _)) = self.smmu_mut(smmu) else { return };
        for (ticket, outcome) in hardware.take_resolved() {
            let named = |it: &Outstanding| it.smmu == smmu && it.ticket == ticket;
            if let Some(at) = self.outstanding.iter().position(named) {
                let outstanding = self.outstanding.remove(at);
                self.arrives(outstanding, outcome);
            }
        }
    }

    fn arrives(&mut self, outstanding: Outstanding, outcome: Outcome) {
        let Outstanding { requester, function, iova, cargo, engine, .. } = outstanding;
        let engine = function.filter(|_| engine);
        let mut reach = self.land(Some(outcome), iova.start());
        let (direction, bytes) = match cargo {
            Cargo::Write(bytes) => {
                reach = self.write_piece(reach, &requester, &bytes);
                (Direction::Write, bytes)
            }
            Cargo::Read { len, offset } => {
                let mut bytes = vec![0; len];
                if let Reach::Ram(pa) = reach
                    && self.memory().read(pa, &mut bytes).is_err()
                {
                    reach = Reach::Silence(pa);
                }
                if let Some(function) = engine {
                    self.came_in(function, iova.start(), offset, &bytes);
                }
                (Direction::Read, bytes)
            }
        };
        if self.carried_on.len() < MAX_CARRIED {
            let piece = Piece { iova, reach };
            self.carried_on.push(CarriedOn { requester, direction, piece, bytes });
        }
        if let Some(function) = engine {
            self.piece_over(function);
        }
    }
}
