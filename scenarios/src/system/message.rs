//! Messages: what a function sends goes the way of its DMA, and ends somewhere.
//!
//! Not here: whether the function sends at all, which its registers say
//! ([`Raised`](passim_model::pci::Raised)).

use std::fmt;

use passim_gic::Cpu;
use passim_gic::its::{self, Untranslated};
use passim_model::pci::{Lost, Message, Raised};
use passim_model::{Endpoint, IntId};

use super::dma::{DeviceWrite, Reach};
use super::{Board, NoTransfer, System};

/// A message that was sent, and where it ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// Who sent it.
    pub from: Endpoint,
    /// What was sent.
    pub message: Message,
    /// Where it ended.
    pub reach: Reach,
}

/// What became of a vector that a device raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signalled {
    /// A message went out.
    Sent(Delivery),
    /// The vector is masked, and pending.
    Pending,
    /// Nothing went out.
    Lost(Lost),
    /// A device on the board that was not told what to send, or has no such message.
    Untold,
}

/// Where an interrupt stood right after it was raised.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// Pending, and it goes to these CPUs: one bit each.
    Pending(IntId, u8),
    /// An ITS made this LPI of it, which went to this CPU.
    Lpi(IntId, Cpu),
    /// An ITS has no translation for it.
    Untranslated(Untranslated),
    /// It is not pending any more.
    TakenBack(IntId),
    /// The doorbell ignored what was written.
    Ignored,
    /// What was written to an ITS is no message: another place, another size.
    NoMessage,
}

impl From<its::Arrival> for Arrival {
    fn from(arrival: its::Arrival) -> Self {
        match arrival {
            its::Arrival::Raised { intid, cpu } => Self::Lpi(intid, cpu),
            its::Arrival::Untranslated(why) => Self::Untranslated(why),
            its::Arrival::Ignored => Self::NoMessage,
        }
    }
}

impl fmt::Display for Arrival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pending(intid, 0) => write!(f, "spi {intid} pending on no cpu"),
            Self::Pending(intid, cpus) => {
                write!(f, "spi {intid} pending on cpu ")?;
                let set = (0..8).filter(|cpu| cpus >> cpu & 1 != 0);
                for (n, cpu) in set.enumerate() {
                    let separator = if n == 0 { "" } else { "," };
                    write!(f, "{separator}{cpu}")?;
                }
                Ok(())
            }
            Self::Lpi(intid, cpu) => write!(f, "lpi {intid} sent to cpu {cpu}"),
            Self::Untranslated(why) => write!(f, "not translated by the its: {why}"),
            Self::TakenBack(intid) => write!(f, "{intid} taken back"),
            Self::Ignored => f.write_str("ignored by the frame"),
            Self::NoMessage => f.write_str("ignored by the its"),
        }
    }
}

impl Board {
    /// Carries messages of a function.
    pub(super) fn send(&mut self, function: usize, messages: Vec<Message>) {
        for message in messages {
            self.send_one(function, message);
        }
    }

    fn send_one(&mut self, function: usize, message: Message) -> Option<Delivery> {
        let slot = self.slots().get(function)?;
        let (from, smmu) = (slot.rid.into(), slot.smmu);
        Some(self.take_away(from, smmu, message))
    }

    /// Takes a message of a device through its SMMU to where it goes.
    fn take_away(&mut self, from: Endpoint, smmu: Option<usize>, message: Message) -> Delivery {
        let Message { requester, at, data, .. } = message;
        let function = from.rid().and_then(|rid| self.slot_index(rid));
        let bytes = &data.to_le_bytes();
        let reach = self.device_write(DeviceWrite { requester, smmu, function, at, bytes });
        let delivery = Delivery { from, message, reach };
        tracing::debug!(target: passim_model::event::TRANSLATE, ?delivery, "message");
        self.note(delivery);
        delivery
    }

    /// A device on the board signals a message; `None` if there is no such device.
    fn raise_aboard(&mut self, number: u16, vector: u16) -> Option<Signalled> {
        let device = self.aboard.get(usize::from(number))?;
        let (smmu, message) = (device.smmu, device.message(vector));
        Some(match message {
            Some(message) => {
                Signalled::Sent(self.take_away(Endpoint::Platform(number), smmu, message))
            }
            None => Signalled::Untold,
        })
    }

    /// A function signals a vector; `None` if there is no such function.
    pub(super) fn raise(&mut self, function: usize, vector: u16) -> Option<Signalled> {
        Some(match self.slot_mut(function)?.registers.raise(vector) {
            Raised::Sent(message) => Signalled::Sent(self.send_one(function, message)?),
            Raised::Pending => Signalled::Pending,
            Raised::Lost(why) => Signalled::Lost(why),
        })
    }
}

impl System {
    /// A device signals a vector: a function by MSI-X or MSI as its registers say, a device on the
    /// board as its own say.
    ///
    /// # Errors
    /// [`NoTransfer::NoDevice`].
    pub fn raise(
        &mut self,
        device: impl Into<Endpoint>,
        vector: u16,
    ) -> Result<Signalled, NoTransfer> {
        let device = device.into();
        let signalled = match device {
            Endpoint::Pci(rid) => {
                let index = self.board.slot_index(rid);
                index.and_then(|index| self.board.raise(index, vector))
            }
            Endpoint::Platform(number) => self.board.raise_aboard(number, vector),
        };
        let signalled = signalled.ok_or(NoTransfer::NoDevice(device))?;
        self.deliver();
        Ok(signalled)
    }
}
