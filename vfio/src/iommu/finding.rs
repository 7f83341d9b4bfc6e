//! What went wrong between driver and SMMU without a call being refused.
//!
//! Not here: what a kernel itself does wrong ([`Verdict`](crate::verdict::Verdict)).

use super::BootError;
use super::v3::event_log;
use core::fmt;
use passim_model::{Abort, Endpoint};

/// Why the SMMU refused a command: CMDQ_CONS.ERR.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CommandError {
    /// GERROR reports a command queue error, CMDQ_CONS none.
    None,
    /// CERROR_ILL: illegal command. Replaced by a CMD_SYNC.
    Illegal,
    /// CERROR_ABT: the command could not be read. Tried again.
    Fetch,
    /// CERROR_ATC_INV_SYNC: a device did not answer an ATC invalidation.
    AtcInvalidation,
    /// An unassigned code. Replaced by a CMD_SYNC.
    Unknown(u8),
}

/// Something a kernel would print.
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
    /// An address translation operation of an SMMUv2 reported a fault.
    OperationFault {
        /// The bank that performed the operation.
        bank: u8,
        /// PAR.
        par: u64,
    },
    /// An SMMUv3 recorded an event, and its driver logged it.
    Event {
        /// The record.
        words: [u64; 4],
        /// Whether the driver logs its fields by name.
        fields: bool,
        /// The device that its StreamID belongs to.
        device: Option<Endpoint>,
    },
    /// Its driver did not take a device, which then has no group.
    LeftOut(Endpoint, BootError),
    /// A context bank of an SMMUv2 reported a fault; fields as far as its driver reads and logs
    /// them.
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
    /// An SMMUv2 reported a fault that belongs to no context bank.
    GlobalFault {
        /// sGFSR.
        status: u32,
        /// Whether the fault is an unidentified stream.
        unidentified: bool,
        /// sGFSYNR0 and sGFSYNR1.
        syndrome: [u32; 2],
    },
}

/// Findings not yet taken. A wait that keeps failing is recorded once.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

/// Most findings kept.
const KEPT: usize = 4096;

impl Findings {
    /// Adds a finding, unless it repeats the previous failed wait, or [`KEPT`] findings are stored.
    pub(super) fn push(&mut self, finding: Finding) {
        let of_a_wait = matches!(finding, Finding::NoAnswer(_) | Finding::ConsumerIndex(_));
        let repeats = of_a_wait && self.0.last() == Some(&finding);
        if !repeats && self.0.len() < KEPT {
            self.0.push(finding);
        }
    }

    /// Takes all findings, oldest first.
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
                event_log::raw(words, f)?;
                if fields { event_log::fields(words, device, f) } else { Ok(()) }
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
