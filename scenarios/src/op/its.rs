//! Operations on the GICv3 of a bare machine: registers by their names, commands as bytes in a
//! queue, messages of devices. Everything is stores to registers and bytes in memory, as software
//! makes them; nothing here knows what the hardware thinks of it.

use passim_model::PhysAddr;

use super::{Argument, CommandName, Form, Number, Verb, WireLevel, YesNo};
use crate::input_error::{InputError, SourceText};
use crate::script::{Args, Invocation, Text, unknown_verb};

operations! {
    /// An operation on the GICv3 of a bare machine.
    enum ItsOp;
    /// Loads a register of a GICv3 by its name.
    GicLoad = "gic-load" {
        /// Such as GITS_CBASER, GICR_PROPBASER or GICD_IROUTER42.
        key register: Text = "register",
        /// Whose redistributor; 0 without it.
        opt cpu: u16 = "cpu",
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
        /// Bits of it to show; all without it.
        opt mask: Number = "mask",
    }
    /// Stores to a register of a GICv3 by its name.
    GicStore = "gic-store" {
        /// Such as GITS_CBASER, GICR_PROPBASER or GICD_IROUTER42.
        key register: Text = "register",
        /// What to store.
        key value: Number = "value",
        /// Whose redistributor; 0 without it.
        opt cpu: u16 = "cpu",
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
    }
    /// Stores to a register of a GICv3, and shows whether it reads as before.
    GicProbe = "gic-probe" {
        /// Such as GITS_IIDR.
        key register: Text = "register",
        /// What to store.
        key value: Number = "value",
        /// Whose redistributor; 0 without it.
        opt cpu: u16 = "cpu",
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
    }
    /// Shows the properties of an ITS: widths of identifiers, and the tables it needs.
    ItsSizes = "its-sizes" {
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
        /// Whether to show only which there are, without numbers.
        opt brief: YesNo = "brief",
    }
    /// Enables a CPU's interrupts, and its LPIs with these configuration and pending tables.
    LpisOn = "lpis-on" {
        /// Whose.
        key cpu: u16 = "cpu",
        /// The configuration table: GICR_PROPBASER.
        key config: PhysAddr = "config",
        /// The pending table: GICR_PENDBASER.
        key pending: PhysAddr = "pending",
        /// Bits of an INTID; 16 without it.
        opt bits: u8 = "bits",
        /// `y` says that the pending table is zero: GICR_PENDBASER.PTZ.
        opt ptz: YesNo = "ptz",
        /// `n` leaves GICR_CTLR.EnableLPIs alone.
        opt enable: YesNo = "enable",
    }
    /// Gives an ITS a queue of 64 KiB and flat tables of 64 KiB, of the largest pages that it
    /// supports, and enables it.
    ItsOn = "its-on" {
        /// The command queue: GITS_CBASER.
        key queue: PhysAddr = "queue",
        /// The table of devices: a GITS_BASER.
        key devices: PhysAddr = "devices",
        /// The table of collections: a GITS_BASER.
        key collections: PhysAddr = "collections",
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
    }
    /// Writes a command into the queue at GITS_CWRITER, advances that, and waits as a driver does.
    ItsCommand = "its-command" {
        /// Its name.
        word name: CommandName = "a command",
        /// DeviceID.
        opt device: u32 = "device",
        /// EventID.
        opt event: u32 = "event",
        /// The LPI: pINTID.
        opt intid: u32 = "intid",
        /// Collection: ICID.
        opt icid: u16 = "icid",
        /// The CPU whose redistributor is meant: RDbase.
        opt cpu: u16 = "cpu",
        /// Of MOVALL, the CPU they go to: RDbase2.
        opt to: u16 = "to",
        /// Address of the interrupt translation table.
        opt itt: PhysAddr = "itt",
        /// Bits of an EventID; the field Size is one less.
        opt bits: u8 = "bits",
        /// V; `y` without it.
        opt valid: YesNo = "valid",
        /// `n` does not wait, and shows no result.
        opt wait: YesNo = "wait",
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
    }
    /// Writes 32 bytes into the queue as a command, whatever they are.
    ItsWords = "its-words" {
        /// Bits 63 to 0.
        key dw0: Number = "dw0",
        /// Bits 127 to 64; 0 without it.
        opt dw1: Number = "dw1",
        /// Bits 191 to 128; 0 without it.
        opt dw2: Number = "dw2",
        /// Bits 255 to 192; 0 without it.
        opt dw3: Number = "dw3",
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
    }
    /// Shows what the tables of an ITS map.
    ItsMappings = "its-mappings" {
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
    }
    /// Shows the commands in the queue of an ITS, from its start to GITS_CWRITER, whoever wrote them.
    ItsQueue = "its-queue" {
        /// Only so many, the newest.
        opt last: u32 = "last",
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
    }
    /// A device writes to a doorbell.
    Message = "message" {
        /// The device's DeviceID at the ITS.
        key device: u32 = "device",
        /// The data written: the EventID.
        key event: Number = "event",
        /// Bytes; 4 without it.
        opt size: Number = "size",
        /// Where; GITS_TRANSLATER of the ITS without it.
        opt at: PhysAddr = "at",
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
    }
    /// Shows the failed writes of devices that an ITS has reported since the last time, as GIC-600
    /// does.
    FailedWrites = "failed-writes" {
        /// Which ITS; 0 without it.
        opt its: u16 = "its",
    }
    /// Writes the configuration byte of an LPI into the table of CPU 0, or shows it.
    Lpi = "lpi" {
        /// Which.
        key intid: u32 = "intid",
        /// The byte: priority, and bit 0 for enabled.
        opt value: Number = "value",
    }
    /// A CPU acknowledges the most urgent interrupt: ICC_IAR1_EL1.
    Acknowledge = "acknowledge" {
        /// Which CPU.
        key cpu: u16 = "cpu",
    }
    /// A CPU ends an interrupt: ICC_EOIR1_EL1.
    End = "end" {
        /// Which CPU.
        key cpu: u16 = "cpu",
        /// Which interrupt.
        key intid: u32 = "intid",
    }
    /// Signals a wire of a GICv3: of a PPI, INTIDs 16 to 31, or of an SPI.
    GicWire = "gic-wire" {
        /// Which interrupt.
        key intid: u32 = "intid",
        /// `high`, `low`, or `pulse`.
        key level: WireLevel = "level",
        /// Of a PPI, whose; 0 without it.
        opt cpu: u16 = "cpu",
    }
    /// A CPU reads a register of its interface by its name. Reading ICC_IAR1_EL1 acknowledges.
    IccLoad = "icc-load" {
        /// Such as ICC_RPR_EL1 or ICC_HPPIR0_EL1.
        key register: Text = "register",
        /// Which CPU.
        key cpu: u16 = "cpu",
    }
    /// A CPU writes a register of its interface by its name.
    IccStore = "icc-store" {
        /// Such as ICC_CTLR_EL1, ICC_DIR_EL1 or ICC_SGI1R_EL1.
        key register: Text = "register",
        /// What to write.
        key value: Number = "value",
        /// Which CPU.
        key cpu: u16 = "cpu",
    }
    /// A CPU acknowledges and ends every interrupt that is pending for it.
    Take = "take" {
        /// Which CPU.
        key cpu: u16 = "cpu",
    }
    /// Saves the GIC, and builds another one from the saved state and memory.
    Migrate = "migrate" {
        /// The preset of the other, in whose layout the tables are rewritten; the same without it.
        opt to: Text = "to",
        /// Memory that no software uses, for tables that are too small for larger entries.
        opt scratch: PhysAddr = "scratch",
        /// Bytes of that memory; 64K without it.
        opt size: Number = "size",
    }
}
