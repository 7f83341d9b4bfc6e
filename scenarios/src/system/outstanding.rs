//! Transactions of devices that wait at an SMMU: the stall fault model, from the device's side.
//!
//! A piece of a transfer that stalled is still the device's: what it wants to write is with it, and
//! what it wants to read has its place there. When software says how it goes on, the SMMU lets it
//! go, translated anew or ended, and the piece arrives or comes back.

use passim_model::{Direction, Host, Requester, Span};

use super::Board;
use super::dma::{Piece, Reach};
use super::smmu::{Outcome, Smmu, Stalled};

/// Most pieces that went on and are kept for whoever looks.
const MAX_CARRIED: usize = 1 << 12;

/// A piece that waits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Outstanding {
    smmu: usize,
    /// The name the SMMU gave it.
    ticket: u64,
    requester: Requester,
    iova: Span<passim_model::Iova>,
    cargo: Cargo,
    /// Whose transfer it is a piece of, where the device goes on by itself.
    engine: Option<usize>,
}

/// What a piece carries.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Cargo {
    Write(Vec<u8>),
    /// Bytes, and where in the buffer of the engine they go.
    Read {
        len: usize,
        offset: usize,
    },
}

/// A piece that had stalled and went on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CarriedOn {
    /// Who made the transaction.
    pub requester: Requester,
    /// Which way the data went.
    pub direction: Direction,
    /// The piece, and where it ended; never [`Reach::Stalled`].
    pub piece: Piece,
    /// What was written, or read: zeros where nothing was reached.
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
    /// What became of transactions that had stalled, by the names they had; taken once.
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
    /// A piece of a write keeps its bytes, if it stalled.
    pub(super) fn keep_write(
        &mut self,
        smmu: Option<usize>,
        requester: Requester,
        piece: &Piece,
        bytes: &[u8],
    ) {
        self.keep(smmu, requester, piece, || Cargo::Write(bytes.to_vec()));
    }

    /// A piece of a read, from `offset` of the transfer on, keeps its place, if it stalled.
    pub(super) fn keep_read(
        &mut self,
        smmu: Option<usize>,
        requester: Requester,
        piece: &Piece,
        (offset, len): (usize, usize),
    ) {
        self.keep(smmu, requester, piece, || Cargo::Read { len, offset });
    }

    fn keep(
        &mut self,
        smmu: Option<usize>,
        requester: Requester,
        piece: &Piece,
        cargo: impl FnOnce() -> Cargo,
    ) {
        let (Some(smmu), Reach::Stalled(stalled)) = (smmu, &piece.reach) else { return };
        let ticket = stalled.ticket();
        let (iova, engine, cargo) = (piece.iova, None, cargo());
        self.outstanding.push(Outstanding { smmu, ticket, requester, iova, cargo, engine });
    }

    /// Pieces that wait belong to the engine of a function, whose buffer has `first` as the place
    /// of the transfer's first byte; how many.
    pub(super) fn give_to_engine(
        &mut self,
        function: usize,
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
            outstanding.engine = Some(function);
            if let Cargo::Read { offset, .. } = &mut outstanding.cargo {
                *offset += first;
            }
            given += 1;
        }
        given
    }

    /// Pieces of a function are forgotten: it was reset. What the SMMU holds of them goes nowhere.
    pub(super) fn forget_outstanding(&mut self, requester: &Requester) {
        self.outstanding.retain(|outstanding| outstanding.requester != *requester);
    }

    /// How many pieces of transfers wait at SMMUs.
    pub fn outstanding(&self) -> usize {
        self.outstanding.len()
    }

    /// Pieces that had stalled and went on, oldest first; taken once. Of very many only the first
    /// are kept.
    pub fn take_carried_on(&mut self) -> Vec<CarriedOn> {
        std::mem::take(&mut self.carried_on)
    }

    /// Those that an SMMU let go arrive, or come back.
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
        let Outstanding { requester, iova, cargo, engine, .. } = outstanding;
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
