//! Errors of commands, and their syndromes. IHI 0069 H 5.5.

use super::command::Opcode;
use super::wire::command::opcode;
use crate::Size;
use crate::choice::its::TargetErrors;
use core::fmt;
use passim_model::{DeviceId, EventId, PhysAddr};

/// Why a command cannot be performed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Reason {
    /// The DeviceID is out of range.
    DeviceOutOfRange,
    /// MAPD: the table is too large. MAPC: the redistributor does not exist.
    SizeOrTargetOutOfRange,
    /// MOVALL: a redistributor does not exist.
    ProcessorOutOfRange,
    /// The ICID is out of range.
    CollectionOutOfRange,
    /// The device is not mapped.
    UnmappedDevice,
    /// The EventID is beyond the device's table.
    EventOutOfRange,
    /// The INTID is no LPI.
    PhysicalIdOutOfRange,
    /// The event is not mapped.
    UnmappedInterrupt,
    /// The collection is not mapped.
    UnmappedCollection,
    /// The event is mapped, to a collection that is not.
    IteInvalid,
    /// There is no such command here.
    Unsupported,
    /// Bits of it are set that must be zero.
    ReservedBits,
    /// GIC-600's own: the redistributor does not exist. Of MOVALL, that which they leave.
    NoTarget,
    /// GIC-600's own: MOVALL to a redistributor that does not exist.
    NoDestination,
    /// GIC-600's own: the chip of the redistributor is offline. There is one chip here, so that no
    /// command comes to this.
    ChipOffline,
    /// GIC-600's own: the LPIs of the redistributor are off. Of MOVALL, of that which they leave.
    LpisOff,
    /// GIC-600's own: MOVALL to a redistributor whose LPIs are off.
    DestinationLpisOff,
    /// GIC-600's own: the redistributor has no such LPI.
    BeyondTarget,
    /// GIC-600's own: the entry of level 1 for the device is not valid.
    NoDevicePage,
}

impl Reason {
    /// The lowest byte of the syndrome.
    pub const fn byte(self) -> u8 {
        match self {
            Self::DeviceOutOfRange | Self::ProcessorOutOfRange => 0x01,
            Self::SizeOrTargetOutOfRange => 0x02,
            Self::CollectionOutOfRange => 0x03,
            Self::UnmappedDevice => 0x04,
            Self::EventOutOfRange => 0x05,
            Self::PhysicalIdOutOfRange => 0x06,
            Self::UnmappedInterrupt => 0x07,
            Self::UnmappedCollection => 0x09,
            Self::IteInvalid => 0x10,
            // Implementation defined; Marvell's Odyssey has this value.
            Self::Unsupported | Self::ReservedBits => 0xff,
            // GIC-600AE TRM 101206_0003_04, ITS command errors, pages 82 to 85.
            Self::NoTarget => 0x20,
            Self::NoDestination => 0x21,
            Self::ChipOffline => 0x22,
            Self::LpisOff => 0x23,
            Self::DestinationLpisOff => 0x24,
            Self::BeyondTarget => 0x26,
            // Page 86, INVALID_ML_DEV_TABLE_ENTRY.
            Self::NoDevicePage => 0x04,
        }
    }
}

impl Reason {
    /// What is wrong, in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::DeviceOutOfRange => "DeviceID out of range",
            Self::SizeOrTargetOutOfRange => "table size or redistributor out of range",
            Self::ProcessorOutOfRange => "redistributor out of range",
            Self::CollectionOutOfRange => "ICID out of range",
            Self::UnmappedDevice => "the device is not mapped",
            Self::EventOutOfRange => "EventID beyond the device's table",
            Self::PhysicalIdOutOfRange => "the INTID is no LPI",
            Self::UnmappedInterrupt => "the event is not mapped",
            Self::UnmappedCollection => "the collection is not mapped",
            Self::IteInvalid => "the event's collection is not mapped",
            Self::Unsupported => "no such command here",
            Self::ReservedBits => "bits are set that must be zero",
            Self::NoTarget => "the redistributor does not exist",
            Self::NoDestination => "the redistributor they go to does not exist",
            Self::ChipOffline => "the chip is offline",
            Self::LpisOff => "the redistributor's LPIs are off",
            Self::DestinationLpisOff => "LPIs are off where they go to",
            Self::BeyondTarget => "the redistributor has no such LPI",
            Self::NoDevicePage => "the device table has no page for the device",
        }
    }
}

/// The class of GIC-600's errors that are no command's; MAPI has it too.
const OF_THE_FRAME: u8 = 0x0b;
/// GIC-600's syndrome of an access of the ITS that memory does not answer: ACE_LITE_ACCESS_FAILURE,
/// GIC-600AE TRM 101206_0003_04, page 86.
const ACCESS_FAILURE: u32 = 0x01_0b01;

/// A command that could not be performed, and why.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommandError {
    /// Bits 7 to 0 of the command.
    pub opcode: u8,
    /// Why.
    pub reason: Reason,
}

impl CommandError {
    /// Whether the queue goes on where others stop it. GIC-600AE TRM 101206_0003_04, pages 82 to 85,
    /// column Stall: what a redistributor finds, not the ITS. MAPC to a core that does not exist is
    /// found by the ITS.
    pub(super) const fn is_found_beyond_the_its(self) -> bool {
        match self.reason {
            Reason::ChipOffline
            | Reason::LpisOff
            | Reason::DestinationLpisOff
            | Reason::BeyondTarget
            | Reason::NoDestination => true,
            Reason::NoTarget => self.opcode == opcode::MOVALL,
            _ => false,
        }
    }

    /// The 24-bit syndrome.
    pub const fn syndrome(self) -> u32 {
        let class = match (self.reason, self.opcode) {
            // Not the command's: GIC-600AE TRM 101206_0003_04, page 86.
            (Reason::NoDevicePage, _) => OF_THE_FRAME,
            // IHI 0069 H 5.5: CLEAR, whose number is 4, has 5 here.
            (_, opcode::CLEAR) => 0x05,
            (_, other) => other,
        };
        0x01_0000 | (class as u32) << 8 | self.reason.byte() as u32
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Opcode::of(self.opcode) {
            Some(opcode) => write!(f, "{}", opcode.name())?,
            None => write!(f, "command {:#04x}", self.opcode)?,
        }
        write!(f, ": {} ({:#08x})", self.reason.text(), self.syndrome())
    }
}

/// Why a command was not performed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Failure {
    /// It cannot be.
    Command(CommandError),
    /// Memory did not answer: the queue, or a table.
    Memory(PhysAddr),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(error) => error.fmt(f),
            Self::Memory(at) => write!(f, "no answer at {at}"),
        }
    }
}

impl Failure {
    /// The 24-bit syndrome, if there is one: for memory that does not answer the architecture has
    /// none, and GIC-600 has its own.
    pub(super) const fn syndrome(self, errors: TargetErrors) -> Option<u32> {
        match (self, errors) {
            (Self::Command(error), _) => Some(error.syndrome()),
            (Self::Memory(_), TargetErrors::Gic600) => Some(ACCESS_FAILURE),
            (Self::Memory(_), TargetErrors::Architecture) => None,
        }
    }
}

/// A failed command.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Report {
    /// Where the command is, in bytes from the start of the queue.
    pub offset: u64,
    /// What happened.
    pub failure: Failure,
    /// What the ITS says of it, 24 bits, if it has an encoding.
    pub syndrome: Option<u32>,
    /// Whether the queue stopped.
    pub stalled: bool,
    /// Whether it is signalled to the system as an SError (GITS_TYPER.SEIS).
    pub signalled: bool,
}

/// Why a message raised nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Untranslated {
    /// The ITS is disabled.
    Disabled,
    /// The DeviceID is out of range.
    DeviceOutOfRange,
    /// The device is not mapped.
    UnmappedDevice,
    /// The entry of level 1 for the device is not valid: where GIC-600 tells that apart.
    NoDevicePage,
    /// The EventID is beyond the device's table.
    EventOutOfRange,
    /// The event is not mapped.
    UnmappedEvent,
    /// The collection is not mapped.
    UnmappedCollection,
    /// Memory did not answer.
    Abort(PhysAddr),
}

impl fmt::Display for Untranslated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disabled => "the ITS is disabled",
            Self::DeviceOutOfRange => Reason::DeviceOutOfRange.text(),
            Self::UnmappedDevice => Reason::UnmappedDevice.text(),
            Self::NoDevicePage => Reason::NoDevicePage.text(),
            Self::EventOutOfRange => Reason::EventOutOfRange.text(),
            Self::UnmappedEvent => Reason::UnmappedInterrupt.text(),
            Self::UnmappedCollection => Reason::UnmappedCollection.text(),
            Self::Abort(at) => return write!(f, "no answer at {at}"),
        })
    }
}

impl Untranslated {
    /// GITS_STATUSR.Syndrome, 4 bits. IHI 0069 H 12.18.
    pub const fn syndrome(self) -> u64 {
        match self {
            Self::Disabled | Self::Abort(_) => 0,
            Self::DeviceOutOfRange => 2,
            Self::UnmappedDevice | Self::NoDevicePage => 3,
            Self::EventOutOfRange => 4,
            Self::UnmappedEvent => 5,
            Self::UnmappedCollection => 7,
        }
    }

    /// What GIC-600 says of the device's write: as of INT, and of what is no command's as of that.
    pub(super) fn of_a_write(self) -> Option<u32> {
        let reason = match self {
            Self::Disabled => return None,
            Self::Abort(_) => return Some(ACCESS_FAILURE),
            Self::DeviceOutOfRange => Reason::DeviceOutOfRange,
            Self::UnmappedDevice => Reason::UnmappedDevice,
            Self::NoDevicePage => Reason::NoDevicePage,
            Self::EventOutOfRange => Reason::EventOutOfRange,
            Self::UnmappedEvent => Reason::UnmappedInterrupt,
            Self::UnmappedCollection => Reason::IteInvalid,
        };
        Some(CommandError { opcode: opcode::INT, reason }.syndrome())
    }
}

/// A device's write that raised nothing, where the ITS reports such.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FailedWrite {
    /// Who wrote.
    pub device: DeviceId,
    /// What.
    pub wrote: Wrote,
    /// What the ITS says of it, 24 bits.
    pub syndrome: u32,
}

/// What a device wrote that raised nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wrote {
    /// An event.
    Event(EventId),
    /// Anything that is no message: so many bytes, at this offset from where the ITS starts.
    Other(u64, Size),
}

impl fmt::Display for Wrote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Event(event) => write!(f, "event {event}"),
            Self::Other(at, Size::Byte) => write!(f, "1 byte at {at:#x}"),
            Self::Other(at, size) => write!(f, "{} bytes at {at:#x}", size.bytes()),
        }
    }
}

impl FailedWrite {
    /// What is said of a write to the translation frame that is no message: ACE_LITE_TRANS_FAILURE, of
    /// GIC-600AE TRM 101206_0003_04, page 86.
    pub(super) const NO_MESSAGE: u32 = 0x01_0b03;
    /// What is said where LPIs are off: INT_LPI_OFF, of GIC-600AE TRM 101206_0003_04, page 85.
    pub(super) const LPIS_OFF: u32 =
        CommandError { opcode: opcode::INT, reason: Reason::LpisOff }.syndrome();
}
