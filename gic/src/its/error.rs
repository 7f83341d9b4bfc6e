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
    /// The command is undefined, or not supported here.
    Unsupported,
    /// RES0 bits are set.
    ReservedBits,
    /// MAPD: the device is mapped already, where that is an error.
    MappedDevice,
    /// MAPTI, MAPI: the event is mapped already, where that is an error.
    MappedInterrupt,
    /// GIC-600 only: the redistributor does not exist; for MOVALL, the source.
    NoTarget,
    /// GIC-600 only: the destination of MOVALL does not exist.
    NoDestination,
    /// GIC-600 only: the chip of the redistributor is offline. The model has one chip, so no
    /// command fails so.
    ChipOffline,
    /// GIC-600 only: the redistributor's LPIs are off; for MOVALL, the source's.
    LpisOff,
    /// GIC-600 only: the LPIs of MOVALL's destination are off.
    DestinationLpisOff,
    /// GIC-600 only: the redistributor does not have this LPI.
    BeyondTarget,
    /// GIC-600 only: the level 1 entry for the device is not valid.
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
            // Implementation defined; Marvell's Odyssey uses this value.
            Self::Unsupported | Self::ReservedBits | Self::MappedDevice | Self::MappedInterrupt => {
                0xff
            }
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
    /// A description of the error.
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
            Self::MappedDevice => "the device is mapped already",
            Self::MappedInterrupt => "the event is mapped already",
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

/// The class byte of GIC-600's errors that belong to no command; equal to MAPI's opcode.
const OF_THE_FRAME: u8 = 0x0b;
/// GIC-600's syndrome of a failed memory access of the ITS: ACE_LITE_ACCESS_FAILURE, GIC-600AE TRM
/// 101206_0003_04, page 86.
const ACCESS_FAILURE: u32 = 0x01_0b01;

/// A command that could not be performed, and why.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct CommandError {
    /// The opcode: bits 7 to 0 of the command.
    pub opcode: u8,
    /// The reason.
    pub reason: Reason,
}

impl CommandError {
    /// Whether the error does not stop the queue even where errors stall it. GIC-600AE TRM
    /// 101206_0003_04, pages 82 to 85, column Stall: errors that a redistributor detects, not the
    /// ITS. The ITS itself detects MAPC to a core that does not exist.
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
            // Not a command's error: GIC-600AE TRM 101206_0003_04, page 86.
            (Reason::NoDevicePage, _) => OF_THE_FRAME,
            // IHI 0069 H 5.5: CLEAR, opcode 4, has 5 here.
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
    /// The command is in error.
    Command(CommandError),
    /// A read or write of the queue or of a table failed.
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
    /// The 24-bit syndrome, if there is one: the architecture defines none for failed memory
    /// accesses, GIC-600 does.
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
    /// Offset of the command in bytes from the start of the queue.
    pub offset: u64,
    /// The failure.
    pub failure: Failure,
    /// The ITS's syndrome, 24 bits, if the failure has an encoding.
    pub syndrome: Option<u32>,
    /// Whether the queue stalled.
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
    /// The level 1 entry for the device is not valid: only GIC-600 distinguishes this.
    NoDevicePage,
    /// The EventID is beyond the device's table.
    EventOutOfRange,
    /// The event is not mapped.
    UnmappedEvent,
    /// The collection is not mapped.
    UnmappedCollection,
    /// A read of memory failed.
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
    /// GITS_STATUSR.Syndrome, 4 bits. IHI 0069 H 12.19.
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

    /// GIC-600's syndrome for a device's write: that of the same error of INT, or of a failed
    /// access.
    pub(super) fn of_a_write(self) -> Option<u32> {
        match self {
            Self::Disabled => None,
            Self::Abort(_) => Some(ACCESS_FAILURE),
            _ => {
                let syndrome = |reason| CommandError { opcode: opcode::INT, reason }.syndrome();
                self.reason().map(syndrome)
            }
        }
    }

    /// Why a command fails that names what is not translated; `None` where no entry says so.
    pub(super) fn reason(self) -> Option<Reason> {
        Some(match self {
            Self::Disabled | Self::Abort(_) => return None,
            Self::DeviceOutOfRange => Reason::DeviceOutOfRange,
            Self::UnmappedDevice => Reason::UnmappedDevice,
            Self::NoDevicePage => Reason::NoDevicePage,
            Self::EventOutOfRange => Reason::EventOutOfRange,
            Self::UnmappedEvent => Reason::UnmappedInterrupt,
            Self::UnmappedCollection => Reason::IteInvalid,
        })
    }
}

/// A device's write that raised nothing, as reported by an ITS that reports such writes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FailedWrite {
    /// The device.
    pub device: DeviceId,
    /// The write.
    pub wrote: Wrote,
    /// The ITS's syndrome, 24 bits.
    pub syndrome: u32,
}

/// A device's write that raised nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Wrote {
    /// A message of this event.
    Event(EventId),
    /// No message: an access of this size, at this offset from the start of the ITS.
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
    /// The syndrome of a write to the translation frame that is no message: ACE_LITE_TRANS_FAILURE,
    /// GIC-600AE TRM 101206_0003_04, page 86.
    pub(super) const NO_MESSAGE: u32 = 0x01_0b03;
    /// The syndrome of a message to a redistributor with LPIs off: INT_LPI_OFF, GIC-600AE TRM
    /// 101206_0003_04, page 85.
    pub(super) const LPIS_OFF: u32 =
        CommandError { opcode: opcode::INT, reason: Reason::LpisOff }.syndrome();
}
