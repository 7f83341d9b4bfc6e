//! What kernel and hardware said during one operation, as values: for those who explain or compare it.

use passim_gic::its::Report;
use passim_model::{PhysAddr, Refusal};
use passim_smmu::v3::Record;
use passim_vfio::verdict::Verdict;

use super::{Runner, Stage, outcome};
use crate::system::{Arrival, Reach, Stalled, Terminated};

/// What one operation heard from the kernel beside its text.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Account {
    /// Every call that was refused, in order.
    pub refused: Vec<Refusal>,
    /// Where a call gave less than it was asked for, and said so: what kept it from the rest.
    pub shortage: Option<Shortage>,
    /// What no return value told, in order.
    pub verdicts: Vec<Verdict>,
    /// What hardware made of messages, commands and transactions, in order; of transactions those that
    /// did not go through.
    pub hardware: Vec<Answered>,
    /// Where the last write of a device arrived that came to an interrupt controller.
    pub doorbell: Option<PhysAddr>,
}

/// What hardware made of something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answered {
    /// An ITS or a frame of a message.
    Message(Arrival),
    /// An ITS of a command that it could not perform.
    Command(Report),
    /// An SMMU of a transaction that no bus carries on; its record.
    Unsupported(Record),
    /// An SMMU of its command queue, which stopped.
    Stopped(CommandError),
    /// Nobody, of a write that an SMMU sent.
    WriteLost,
    /// An SMMU of a transaction, which it ended.
    Terminated(Terminated),
    /// An SMMU of a transaction, which waits.
    Stalled(Stalled),
}

/// CMDQ_CONS.ERR: why a command queue stopped. IHI 0070 G.b 7.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandError {
    /// CERROR_ILL: no such command.
    Illegal,
    /// CERROR_ABT: memory did not answer.
    Abort,
    /// CERROR_ATC_INV_SYNC: a device did not answer an invalidation.
    AtcTimeout,
}

impl CommandError {
    /// By its number.
    pub(super) fn of(code: u64) -> Option<Self> {
        match code {
            1 => Some(Self::Illegal),
            2 => Some(Self::Abort),
            3 => Some(Self::AtcTimeout),
            _ => None,
        }
    }

    /// As the architecture calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Illegal => "CERROR_ILL",
            Self::Abort => "CERROR_ABT",
            Self::AtcTimeout => "CERROR_ATC_INV_SYNC",
        }
    }
}

impl Answered {
    /// Of where a device's access or message ended; `None` if that needs no explanation.
    pub(super) fn of(reach: Reach) -> Option<Self> {
        match reach {
            Reach::Doorbell(_, arrival) => Some(Self::Message(arrival)),
            Reach::Terminated(terminated) => Some(Self::Terminated(terminated)),
            Reach::Stalled(stalled) => Some(Self::Stalled(stalled)),
            Reach::Ram(_)
            | Reach::Part(..)
            | Reach::Silence(_)
            | Reach::Blocked(_)
            | Reach::NotGranted(_) => None,
        }
    }

    /// Whether what was asked for was done.
    pub fn is_done(&self) -> bool {
        let Self::Message(arrival) = self else { return false };
        matches!(arrival, Arrival::Lpi(..) | Arrival::Pending(..) | Arrival::TakenBack(_))
    }
}

/// Vectors that were not to be had.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shortage {
    /// How many there would be; messages are off.
    pub available: i64,
    /// Why there are no more.
    pub refusal: Refusal,
}

impl Runner {
    /// What kernel and hardware said during the last operation that was performed.
    pub fn account(&self) -> Account {
        match &self.stage {
            Stage::Empty => Account::default(),
            Stage::Booted(running) => running.account.clone(),
            Stage::Bare(bare) => Account { hardware: bare.heard().to_vec(), ..Account::default() },
        }
    }

    /// Whether a kernel runs on the machine.
    pub fn is_booted(&self) -> bool {
        self.running().is_some()
    }
}

impl Account {
    /// Keeps where something that a device sent ended.
    pub(super) fn hear(&mut self, reach: Reach) {
        self.hardware.extend(Answered::of(reach));
        if let Reach::Doorbell(at, _) = reach {
            self.doorbell = Some(at);
        }
    }

    /// What kept the operation from what it asked for, if something did.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refused.last().copied().or(self.shortage.map(|shortage| shortage.refusal))
    }

    /// Keeps a refusal, and says it.
    pub(super) fn refuse(&mut self, refusal: &Refusal) -> String {
        self.refused.push(*refusal);
        outcome::refusal(refusal)
    }
}
