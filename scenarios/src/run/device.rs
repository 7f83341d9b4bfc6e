//! A device's reads and writes on the bus.
//!
//! Not here: messages (`messages`), and the translation requests of a device with an ATC
//! (`translations`).

use passim_model::{Access, Direction, Endpoint, Host, Iova, SubstreamId, Target};
use passim_smmu::v3::Transaction;
use passim_vfio::verdict::Verdict;

use super::memory::bytes_text;
use super::{Outcome, Runner, Running, Stage, Unperformable, outcome};
use crate::op::{DeviceName, Op};
use crate::system::{CarriedOn, Explained, NoTransfer, Piece, Reach};

/// Most bytes of one transfer: a device's buffer.
const MAX_BYTES: u64 = passim_model::device::BUFFER_BYTES as u64;

impl Runner {
    /// Explains the translation of one access of a device in the present state.
    ///
    /// # Errors
    /// No machine, no such device, or one whose DMA passes no SMMU.
    pub(crate) fn explain_access(
        &self,
        device: &DeviceName,
        substream: Option<SubstreamId>,
        iova: Iova,
        access: Access,
    ) -> Result<(Transaction, Explained), Unperformable> {
        let running = self.running().ok_or_else(|| match &self.stage {
            Stage::Bare(_) => Unperformable::new("this machine is bare: it knows no devices")
                .hint("say `--sid 8`: whose StreamID it is"),
            _ => Unperformable::new("there is no machine yet"),
        })?;
        let endpoint = running.device_named(device)?;
        let explained = running.system.explain(endpoint, substream, iova, access);
        explained.map_err(no_transfer)?.ok_or_else(|| {
            Unperformable::new(format!("the DMA of {device} passes no SMMU"))
                .hint("only what an SMMU of the machine translates can be explained")
        })
    }

    /// Explains the translation of a transaction, from any source, at the first SMMU of the machine
    /// in the present state. A bare machine has no other description of devices.
    ///
    /// # Errors
    /// No machine, or one without an SMMU.
    pub(crate) fn explain_transaction(
        &self,
        transaction: &Transaction,
    ) -> Result<Explained, Unperformable> {
        let board = match &self.stage {
            Stage::Empty => return Err(Unperformable::new("there is no machine yet")),
            Stage::Bare(bare) => bare.board(),
            Stage::Booted(running) => &running.system.board,
        };
        let smmu = board.smmu(0).ok_or_else(|| Unperformable::new("this machine has no SMMU"))?;
        Ok(smmu.explain(board.memory(), transaction))
    }
}

impl Running {
    pub(super) fn device(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Read { dev, iova, size } => {
                let size = size.map_or(8, |size| size.0);
                if size > MAX_BYTES {
                    let message = format!("a device reads at most {MAX_BYTES:#x} bytes at once");
                    return Err(Unperformable::new(message));
                }
                let mut bytes = vec![0; size as usize];
                let device = self.device_named(dev)?;
                let pieces =
                    self.system.dma_read(device, *iova, &mut bytes).map_err(no_transfer)?;
                self.hear(&pieces);
                let mut done = 0;
                let mut lines = Vec::new();
                for piece in &pieces {
                    let len = piece.iova.size_minus_one() as usize + 1;
                    let read = &bytes[done..done + len];
                    lines.push(match (piece.reach, len) {
                        (Reach::Ram(_), 1..=8) => {
                            format!("{}: {}", self.piece(piece), bytes_text(read))
                        }
                        _ => self.piece(piece),
                    });
                    done += len;
                }
                Ok(lines)
            }
            Op::Write { dev, iova, value, size } => {
                let bytes = value.0.to_le_bytes();
                let size = size.map_or(8, |size| size.0) as usize;
                let Some(bytes) = bytes.get(..size).filter(|bytes| !bytes.is_empty()) else {
                    return Err(Unperformable::new("a number is 1 to 8 bytes"));
                };
                let device = self.device_named(dev)?;
                let pieces = self.system.dma_write(device, *iova, bytes).map_err(no_transfer)?;
                self.hear(&pieces);
                Ok(pieces.iter().map(|piece| self.piece(piece)).collect())
            }
            _ => unreachable!("only `read` and `write` come here"),
        }
    }

    fn hear(&mut self, pieces: &[Piece]) {
        pieces.iter().for_each(|piece| self.account.hear(piece.reach));
    }

    pub(super) fn device_named(&self, name: &DeviceName) -> Result<Endpoint, Unperformable> {
        match name {
            DeviceName::Function(rid) => Ok((*rid).into()),
            DeviceName::Platform(name) => {
                let mut devices = (0..).zip(self.system.topology().platforms());
                let found = devices.find(|(_, device)| device.name == *name);
                let missing = || Unperformable::new(format!("the machine has no device `{name}`"));
                Ok(Endpoint::Platform(found.ok_or_else(missing)?.0))
            }
        }
    }

    /// Effects of an operation besides its result: stalled transfers of devices that continued, and
    /// the kernel's misbehaviour.
    pub(super) fn brought_about(&mut self) -> Vec<String> {
        let carried_on = self.system.board.take_carried_on();
        let mut lines: Vec<_> = carried_on.iter().map(|it| self.carried_on(it)).collect();
        self.account.verdicts = self.system.kernel.take_verdicts();
        lines.extend(self.account.verdicts.iter().map(Verdict::to_string));
        lines
    }

    /// `00:01.0 went on: 0x10008 -> A+0x8: 0x0`.
    fn carried_on(&self, it: &CarriedOn) -> String {
        let slots = self.system.board.slots().iter();
        let mut slots = slots.filter(|slot| slot.registers.requester() == it.requester);
        let who = match slots.next() {
            Some(slot) => slot.rid.to_string(),
            None => format!("stream {}", it.requester.stream),
        };
        let text = self.piece(&it.piece);
        match (it.piece.reach, it.direction, it.bytes.len()) {
            (Reach::Ram(_), Direction::Read, 1..=8) => {
                format!("{who} went on: {text}: {}", bytes_text(&it.bytes))
            }
            (Reach::Terminated(_), ..) => {
                format!("{who} went on: {}: {text}", it.piece.iova.start())
            }
            _ => format!("{who} went on: {text}"),
        }
    }

    /// `0x10008 -> A+0x8`, or the reason that it was not reached.
    fn piece(&self, piece: &Piece) -> String {
        self.reached(piece.iova.start(), piece.reach)
    }

    pub(super) fn reached(&self, from: Iova, reach: Reach) -> String {
        match reach {
            Reach::Ram(pa) => format!("{from} -> {}", self.name_of(pa, from)),
            Reach::Doorbell(pa, arrival) => format!("{from} -> {pa}: {arrival}"),
            Reach::Part(pa, target) => format!("{from} -> {pa}: {}", self.part(target)),
            Reach::Silence(pa) => format!("{from} -> {pa}: nothing answers"),
            Reach::Blocked(blocked) => blocked.to_string(),
            Reach::Terminated(terminated) => outcome::terminated(&terminated),
            Reach::Stalled(stalled) => outcome::stalled(&stalled),
            Reach::NotGranted(answer) => answer.to_string(),
        }
    }
}

impl Running {
    /// The name of a part that has no reaction to show.
    fn part(&self, target: Target) -> String {
        match target {
            Target::Ram => "memory".to_owned(),
            Target::Smmu(smmu) => format!("registers of SMMU {smmu}"),
            Target::X86Iommu => "the register of an IOMMU as on x86".to_owned(),
            Target::Config => "configuration space".to_owned(),
            Target::Board(number) => {
                let platforms = self.system.topology().platforms();
                match platforms.get(usize::from(number)) {
                    Some(device) => format!("registers of {}", device.name),
                    None => "registers of a device on the board".to_owned(),
                }
            }
            Target::Bar { function, bar } => {
                let functions = self.system.topology().functions();
                match functions.get(usize::from(function)) {
                    Some(function) => format!("BAR {bar} of {}", function.rid),
                    None => format!("BAR {bar} of a function"),
                }
            }
            Target::Interrupts(block) => self.system.board.block_name(block),
        }
    }
}

pub(super) fn no_transfer(error: NoTransfer) -> Unperformable {
    let hint = match error {
        NoTransfer::NoDevice(_) => Some("`passim machines NAME` lists the devices of a machine"),
        NoTransfer::Size => None,
    };
    let unperformable = Unperformable::new(error.to_string());
    match hint {
        Some(hint) => unperformable.hint(hint),
        None => unperformable,
    }
}
