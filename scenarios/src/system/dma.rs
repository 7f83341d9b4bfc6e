//! Device accesses: through the SMMU to RAM, a doorbell or another part.
//!
//! Not here: translation, which is in `smmu`, and stalled pieces, which continue in `outstanding`.

use passim_gic::Size;
use passim_model::{
    Access, Direction, Endpoint, Host, Iova, PhysAddr, Requester, Span, SubstreamId, Target,
};

use super::ats::NotGranted;
use super::message::Arrival;
use super::smmu::{Explained, Outcome, Stalled, Terminated, Transaction, Translated};
use super::x86::Blocked;
use super::{Board, System};

/// The result of one piece of a transfer. A transfer is cut at page borders; each piece is one
/// transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Piece {
    /// The addresses the device used.
    pub iova: Span<Iova>,
    /// Where the transaction ended.
    pub reach: Reach,
}

/// Where a transaction ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// In RAM, at this address.
    Ram(PhysAddr),
    /// At a doorbell of the interrupt controller, with this result.
    Doorbell(PhysAddr, Arrival),
    /// At another part, which has no model.
    Part(PhysAddr, Target),
    /// Translated to an address where nothing answers.
    Silence(PhysAddr),
    /// At the x86-like IOMMU.
    Blocked(Blocked),
    /// At the SMMU.
    Terminated(Terminated),
    /// At the SMMU, stalled until software resumes or terminates it.
    Stalled(Stalled),
    /// At the device, which requested a translation and was not granted the access.
    NotGranted(NotGranted),
}

/// Why a transfer is impossible.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoTransfer {
    /// There is no such device.
    #[error("the machine has no device {0}")]
    NoDevice(Endpoint),
    /// No bytes, or more than fit into the address space from there.
    #[error("a transfer has at least one byte and ends inside the address space")]
    Size,
}

/// A device's write that is one transaction: a message, or data within a page of 4K.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DeviceWrite<'a> {
    /// The writing device.
    pub requester: Requester,
    /// The SMMU it passes; `None` for none, where addresses are physical.
    pub smmu: Option<usize>,
    /// Its index among [`Board::slots`], for a device on PCI.
    pub function: Option<usize>,
    /// The address.
    pub at: Iova,
    /// The data.
    pub bytes: &'a [u8],
}

/// The source of a transaction: its identifiers, and the SMMU it passes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Initiator {
    pub(super) requester: Requester,
    /// `None` for a device that passes none.
    pub(super) smmu: Option<usize>,
    /// The function, for a device on PCI.
    pub(super) function: Option<usize>,
    /// The function, if it requests translations before it accesses.
    pub(super) asks: Option<usize>,
}

impl System {
    /// Translates one access of a device as its SMMU does now, including the recording of faults,
    /// and moves no data. Without an SMMU the address is physical.
    pub fn translate(
        &mut self,
        device: impl Into<Endpoint>,
        iova: Iova,
        access: Access,
    ) -> Option<Outcome> {
        let Initiator { requester, smmu, .. } = self.initiator(device.into()).ok()?;
        let outcome = self.board.translate(smmu?, requester, iova, access);
        self.deliver();
        outcome
    }

    /// Explains the translation of one access of a device, which may carry a SubstreamID. No state
    /// changes.
    ///
    /// # Errors
    /// [`NoTransfer`].
    pub fn explain(
        &self,
        device: impl Into<Endpoint>,
        substream: Option<SubstreamId>,
        iova: Iova,
        access: Access,
    ) -> Result<Option<(Transaction, Explained)>, NoTransfer> {
        let Initiator { requester, smmu, .. } = self.initiator(device.into())?;
        let Some(smmu) = smmu.and_then(|smmu| self.board.smmu(smmu)) else { return Ok(None) };
        let requester = Requester { substream, ..requester };
        let txn = Transaction { requester, iova, access };
        let explanation = smmu.explain(self.board.memory(), &txn);
        Ok(Some((txn, explanation)))
    }

    /// A device reads into `bytes` from `iova` on. Pieces that do not reach RAM leave zeros
    /// (measured on 6.1 and 6.12: a read that faults delivers zeros). Stalled pieces continue when
    /// software resumes them: [`Board::take_carried_on`].
    ///
    /// # Errors
    /// [`NoTransfer`]; then nothing has happened.
    pub fn dma_read(
        &mut self,
        device: impl Into<Endpoint>,
        iova: Iova,
        bytes: &mut [u8],
    ) -> Result<Vec<Piece>, NoTransfer> {
        let initiator = self.initiator(device.into())?;
        let pieces = self.board.dma_read(initiator, iova, bytes);
        self.deliver();
        pieces
    }

    /// A device writes `bytes` from `iova` on. Pieces that reach neither RAM nor a doorbell are
    /// dropped; stalled pieces continue when software resumes them: [`Board::take_carried_on`].
    ///
    /// # Errors
    /// [`NoTransfer`]; then nothing has happened.
    pub fn dma_write(
        &mut self,
        device: impl Into<Endpoint>,
        iova: Iova,
        bytes: &[u8],
    ) -> Result<Vec<Piece>, NoTransfer> {
        let initiator = self.initiator(device.into())?;
        let pieces = self.board.dma_write(initiator, iova, bytes);
        self.deliver();
        pieces
    }

    fn initiator(&self, device: Endpoint) -> Result<Initiator, NoTransfer> {
        let requester = self.requester(device).ok_or(NoTransfer::NoDevice(device))?;
        let smmu = self.smmu_of.get(&device).copied();
        let slot = device.rid().and_then(|rid| self.board.slot_index(rid));
        let asks = slot.filter(|slot| self.board.asks(*slot));
        let smmu = smmu.filter(|smmu| *smmu < self.board.iommus());
        Ok(Initiator { requester, smmu, function: slot, asks })
    }
}

impl Board {
    /// A device reads. See [`System::dma_read`].
    pub(super) fn dma_read(
        &mut self,
        initiator: Initiator,
        iova: Iova,
        bytes: &mut [u8],
    ) -> Result<Vec<Piece>, NoTransfer> {
        bytes.fill(0);
        let mut done = 0;
        let mut pieces = self.pieces(initiator, iova, bytes.len(), Direction::Read)?;
        for piece in &mut pieces {
            let len = size_of_piece(piece);
            if let Reach::Ram(pa) = piece.reach
                && self.memory().read(pa, &mut bytes[done..done + len]).is_err()
            {
                piece.reach = Reach::Silence(pa);
            }
            self.keep_read(initiator, piece, (done, len));
            done += len;
        }
        Ok(pieces)
    }

    /// A device writes. See [`System::dma_write`].
    pub(super) fn dma_write(
        &mut self,
        initiator: Initiator,
        iova: Iova,
        bytes: &[u8],
    ) -> Result<Vec<Piece>, NoTransfer> {
        let mut done = 0;
        let mut pieces = self.pieces(initiator, iova, bytes.len(), Direction::Write)?;
        for piece in &mut pieces {
            let len = size_of_piece(piece);
            let piece_bytes = &bytes[done..done + len];
            piece.reach = self.write_piece(piece.reach, &initiator.requester, piece_bytes);
            self.keep_write(initiator, piece, piece_bytes);
            done += len;
        }
        Ok(pieces)
    }

    /// A device writes through its SMMU to RAM or to a doorbell, which raises an interrupt. The
    /// interrupt is pending, or in flight, when this returns; no CPU has acknowledged it.
    #[inline]
    pub fn device_write(&mut self, write: DeviceWrite<'_>) -> Reach {
        let DeviceWrite { requester, smmu, at, bytes, .. } = write;
        let Some(pa) = self.glance(smmu, requester, at, Access::WRITE) else {
            return self.device_write_behind(&write);
        };
        if let Ok(word) = <[u8; 4]>::try_from(bytes)
            && let Some(arrival) = self.ring_fast(pa, u32::from_le_bytes(word), &requester)
        {
            return Reach::Doorbell(pa, arrival);
        }
        self.write_to(pa, &requester, bytes)
    }

    /// As [`Board::device_write`], where the fast path has no answer.
    #[inline(never)]
    fn device_write_behind(&mut self, write: &DeviceWrite<'_>) -> Reach {
        let &DeviceWrite { requester, smmu, function, at, bytes } = write;
        let reach = self.reach(smmu, requester, at, Access::WRITE);
        if !matches!(reach, Reach::Stalled(_)) {
            return self.write_piece(reach, &requester, bytes);
        }
        if let Some(iova) = Span::from_size(at, bytes.len() as u64) {
            let initiator = Initiator { requester, smmu, function, asks: None };
            self.keep_write(initiator, &Piece { iova, reach }, bytes);
        }
        reach
    }

    /// Writes a requester's bytes to the end of a translated transaction.
    pub(super) fn write_piece(
        &mut self,
        reach: Reach,
        requester: &Requester,
        bytes: &[u8],
    ) -> Reach {
        match reach {
            Reach::Ram(pa) | Reach::Part(pa, Target::Interrupts(_)) => {
                self.write_to(pa, requester, bytes)
            }
            other => other,
        }
    }

    /// Writes a requester's bytes to a physical address.
    #[inline(never)]
    fn write_to(&mut self, pa: PhysAddr, requester: &Requester, bytes: &[u8]) -> Reach {
        match self.map_mut().look_up(pa) {
            Some((Target::Interrupts(block), offset)) => {
                match self.ring(block, offset, sized(bytes), requester) {
                    Some(arrival) => Reach::Doorbell(pa, arrival),
                    None => Reach::Part(pa, Target::Interrupts(block)),
                }
            }
            Some((Target::Ram, _)) if self.memory_mut().write(pa, bytes).is_ok() => Reach::Ram(pa),
            Some((Target::Ram, _)) | None => Reach::Silence(pa),
            Some((target, _)) => Reach::Part(pa, target),
        }
    }

    /// Cuts a transfer at borders of 4K, the smallest granule, and translates each piece.
    fn pieces(
        &mut self,
        initiator: Initiator,
        iova: Iova,
        len: usize,
        direction: Direction,
    ) -> Result<Vec<Piece>, NoTransfer> {
        /// The smallest granule.
        const PIECE_LG2: u32 = 12;
        let whole = Span::from_size(iova, len as u64).ok_or(NoTransfer::Size)?;
        let Initiator { requester, smmu, asks, .. } = initiator;
        let access = match direction {
            Direction::Read => Access::READ,
            Direction::Write => Access::WRITE,
        };
        let mut pieces = Vec::new();
        let mut start = whole.start();
        loop {
            let border = Iova::new(start.get() | ((1 << PIECE_LG2) - 1));
            let last = border.min(whole.last());
            let iova = Span::new(start, last).expect("a piece ends where it starts, or later");
            let reach = match asks {
                Some(slot) => self.reach_asking(slot, initiator, iova.start(), access),
                None => self.reach(smmu, requester, iova.start(), access),
            };
            pieces.push(Piece { iova, reach });
            match last.checked_add(1) {
                Some(next) if next <= whole.last() => start = next,
                _ => break,
            }
        }
        Ok(pieces)
    }

    /// The fast path: the physical address of an access that passes no SMMU, or whose translation
    /// the SMMU finds on its own fast path. Otherwise nothing has happened.
    #[inline]
    fn glance(
        &mut self,
        smmu: Option<usize>,
        requester: Requester,
        iova: Iova,
        access: Access,
    ) -> Option<PhysAddr> {
        match smmu {
            None => Some(PhysAddr::new(iova.get())),
            Some(index) => {
                self.smmu_at_hand(index)?.glance(&Transaction { requester, iova, access })
            }
        }
    }

    fn translate(
        &mut self,
        smmu: usize,
        requester: Requester,
        iova: Iova,
        access: Access,
    ) -> Option<Outcome> {
        let (hardware, memory) = self.smmu_mut(smmu)?;
        let outcome = hardware.translate(memory, &Transaction { requester, iova, access });
        if self.wants_anything(smmu) {
            self.perform(smmu);
        }
        Some(outcome)
    }

    pub(super) fn reach(
        &mut self,
        smmu: Option<usize>,
        requester: Requester,
        iova: Iova,
        access: Access,
    ) -> Reach {
        if let Some(unit) = self.x86.as_ref().filter(|_| smmu == Some(self.smmus())) {
            let translated = unit.translate(self.memory(), requester, iova, access);
            return match translated {
                Ok(pa) => self.answering(pa),
                Err(blocked) => Reach::Blocked(blocked),
            };
        }
        let outcome = smmu.and_then(|smmu| self.translate(smmu, requester, iova, access));
        self.land(outcome, iova)
    }

    /// Where a transaction to `at` ends, given the SMMU's outcome, if it passes one.
    pub(super) fn land(&mut self, outcome: Option<Outcome>, at: Iova) -> Reach {
        let pa = match outcome {
            None => PhysAddr::new(at.get()),
            Some(Outcome::Translated(Translated { pa, .. })) => pa,
            Some(Outcome::Terminated(terminated)) => return Reach::Terminated(terminated),
            Some(Outcome::Stalled(stalled)) => return Reach::Stalled(stalled),
        };
        self.answering(pa)
    }

    /// Where an access to a physical address ends.
    fn answering(&mut self, pa: PhysAddr) -> Reach {
        match self.map_mut().look_up(pa) {
            Some((Target::Ram, _)) => Reach::Ram(pa),
            Some((target, _)) => Reach::Part(pa, target),
            None => Reach::Silence(pa),
        }
    }
}

/// The bytes of a write as one access, if an access of that size exists.
fn sized(bytes: &[u8]) -> (Option<Size>, u64) {
    match *bytes {
        [a, b, c, d] => (Some(Size::Word), u32::from_le_bytes([a, b, c, d]).into()),
        [a, b] => (Some(Size::Half), u16::from_le_bytes([a, b]).into()),
        [a] => (Some(Size::Byte), a.into()),
        [a, b, c, d, e, f, g, h] => {
            (Some(Size::Double), u64::from_le_bytes([a, b, c, d, e, f, g, h]))
        }
        _ => (None, 0),
    }
}

fn size_of_piece(piece: &Piece) -> usize {
    usize::try_from(piece.iova.size_minus_one()).map_or(usize::MAX, |last| last + 1)
}
