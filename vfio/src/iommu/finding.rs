//! What went wrong between driver and SMMU without any call being refused.
//!
//! What a kernel does wrong by itself is a [`Verdict`](crate::verdict::Verdict) instead.

use super::BootError;
use super::v3::said;
use core::fmt;
use passim_model::{Abort, Endpoint};

/// Why the SMMU refused a command: CMDQ_CONS.ERR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CommandError {
    /// GERROR speaks of the command queue, CMDQ_CONS does not.
    None,
    /// CERROR_ILL: illegal command. Replaced by a CMD_SYNC.
    Illegal,
    /// CERROR_ABT: the command could not be read. Tried again.
    Fetch,
    /// CERROR_ATC_INV_SYNC: a device did not answer an ATC invalidation.
    AtcInvalidation,
    /// A code without a name. Replaced by a CMD_SYNC.
    Unknown(u8),
}

/// Something a kernel would print and a reader wants to see.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Finding {
    /// The SMMU refused a command.
    RefusedCommand {
        /// Index in the queue: CMDQ_CONS.RD without its wrap bit.
        index: u32,
        /// The command as it stood in memory.
        command: [u64; 2],
        /// Why.
        reason: CommandError,
    },
    /// Bits of GERROR that were active and are now acknowledged.
    GlobalError(u32),
    /// CMDQ_CONS is beyond everything produced; its value.
    ConsumerIndex(u32),
    /// A register, a table or a queue did not answer.
    NoAnswer(Abort),
    /// An SMMUv2 that was asked where an address leads says that it faults.
    OperationFault {
        /// The bank that was asked.
        bank: u8,
        /// PAR.
        par: u64,
    },
    /// An SMMUv3 recorded an event, and its driver says so.
    Event {
        /// The record.
        words: [u64; 4],
        /// Whether the driver says its fields by name.
        fields: bool,
        /// Whose stream it is.
        device: Option<Endpoint>,
    },
    /// Its driver did not take a device in, which has no group then.
    LeftOut(Endpoint, BootError),
    /// A context bank of an SMMUv2 tells of a fault, as far as its driver looks and says.
    ContextFault {
        /// The bank.
        bank: u8,
        /// FSR.
        status: Option<u32>,
        /// FAR: the address.
        address: u64,
        /// FSYNR0.
        syndrome: u32,
        /// CBFRSYNRA: the stream.
        stream: Option<u32>,
    },
    /// An SMMUv2 tells of a fault that belongs to no context bank.
    GlobalFault {
        /// sGFSR.
        status: u32,
        /// Whether it is that of a stream nobody knows.
        unidentified: bool,
        /// sGFSYNR0 and sGFSYNR1.
        syndrome: [u32; 2],
    },
}

/// Findings nobody has asked for yet. A wait that goes on in vain is told once.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

/// Findings kept at most.
const KEPT: usize = 4096;

impl Findings {
    /// Adds one, unless it is of a wait and repeats the one before, or too many wait already.
    pub(super) fn push(&mut self, finding: Finding) {
        let of_a_wait = matches!(finding, Finding::NoAnswer(_) | Finding::ConsumerIndex(_));
        let repeats = of_a_wait && self.0.last() == Some(&finding);
        if !repeats && self.0.len() < KEPT {
            self.0.push(finding);
        }
    }

    /// Hands them over, oldest first.
    pub(super) fn take(&mut self) -> Vec<Finding> {
        core::mem::take(&mut self.0)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::RefusedCommand { index, command: [first, second], reason } => {
                let reason = match reason {
                    CommandError::None => "without a reason",
                    CommandError::Illegal => "CERROR_ILL",
                    CommandError::Fetch => "CERROR_ABT",
                    CommandError::AtcInvalidation => "CERROR_ATC_INV_SYNC",
                    CommandError::Unknown(_) => "with an unknown reason",
                };
                write!(f, "command {index} ({first:#x} {second:#x}) refused: {reason}")
            }
            Self::GlobalError(active) => write!(f, "global error {active:#x}"),
            Self::ConsumerIndex(cons) => write!(f, "CMDQ_CONS {cons:#x} is ahead of CMDQ_PROD"),
            Self::NoAnswer(abort) => write!(f, "{abort}"),
            Self::OperationFault { bank, par } => {
                write!(f, "translation operation: fault, PAR {par:#x}, bank {bank}")
            }
            Self::Event { ref words, fields, device } => {
                said::raw(words, f)?;
                if fields { said::fields(words, device, f) } else { Ok(()) }
            }
            Self::LeftOut(device, error) => write!(f, "{device} is left out: {error}"),
            Self::ContextFault { bank, status, address, syndrome, stream } => {
                write!(f, "context fault: ")?;
                if let Some(status) = status {
                    write!(f, "FSR {status:#x}, ")?;
                }
                write!(f, "address {address:#x}, FSYNR0 {syndrome:#x}, ")?;
                if let Some(stream) = stream {
                    write!(f, "stream {stream:#x}, ")?;
                }
                write!(f, "bank {bank}")
            }
            Self::GlobalFault { status, unidentified, syndrome: [first, second] } => {
                let what = if unidentified { "unknown stream" } else { "global fault" };
                write!(f, "{what}: GFSR {status:#x}, GFSYNR0 {first:#x}, GFSYNR1 {second:#x}")
            }
        }
    }
}
