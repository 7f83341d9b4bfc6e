//! Operations of software that programs an SMMUv3 by hand, and of devices behind it: the names are
//! those of IHI 0070. Everything becomes bytes in memory, stores to registers, and transactions.
//! Those an SMMUv2 takes as well; its registers are stored to by address.

use passim_model::{Iova, Perms, PhysAddr};

use super::{AccessKind, Argument, AtcEnd, DescriptorKind, Form, Number, Verb, YesNo};
use crate::input_error::{InputError, SourceText};
use crate::script::{Args, FieldValues, Invocation, Text, unknown_verb};

operations! {
    /// An operation on an SMMUv3 of a bare machine.
    enum SmmuOp;
    /// Stores to a register of the SMMU: the value, and fields by name over it. Without either,
    /// shows what it holds.
    Register = "smmu-register" {
        /// Its name, such as `CR0`.
        word name: Text = "a register",
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
        /// The whole register.
        opt value: Number = "value",
        /// Fields, such as `smmuen=1`.
        rest fields: FieldValues = "field",
    }
    /// Writes a level-1 Stream table descriptor.
    L1Std = "l1std" {
        /// Physical address.
        key at: PhysAddr = "at",
        /// Fields; those not named are 0.
        rest fields: FieldValues = "field",
    }
    /// Writes a Stream table entry.
    Ste = "ste" {
        /// Physical address.
        key at: PhysAddr = "at",
        /// Fields; those not named are 0.
        rest fields: FieldValues = "field",
    }
    /// Writes a level-1 Context descriptor.
    L1Cd = "l1cd" {
        /// Physical address.
        key at: PhysAddr = "at",
        /// Fields; those not named are 0.
        rest fields: FieldValues = "field",
    }
    /// Writes a Context descriptor.
    Cd = "cd" {
        /// Physical address.
        key at: PhysAddr = "at",
        /// Fields; those not named are 0.
        rest fields: FieldValues = "field",
    }
    /// Writes a valid translation table descriptor, VMSAv8-64.
    Descriptor = "descriptor" {
        /// Physical address.
        key at: PhysAddr = "at",
        /// table; page or block of stage 1; s2-page or s2-block of stage 2.
        key kind: DescriptorKind = "kind",
        /// The next table, or where the page or block lies.
        key oa: PhysAddr = "oa",
        /// The granule: 4K, 16K or 64K; 4K without it.
        opt granule: Number = "granule",
        /// Whether its address bits are placed as DS requires.
        opt ds: YesNo = "ds",
        /// Fields; those not named are 0.
        rest fields: FieldValues = "field",
    }
    /// Puts a command into the Command queue and rings; shows how far the queue was consumed.
    Command = "command" {
        /// Its name, such as `CFGI_STE`, or an opcode.
        word name: Text = "a command",
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
        /// Fields; those not named are 0.
        rest fields: FieldValues = "field",
    }
    /// Does what a driver does after a command error: replaces the command by CMD_SYNC, and
    /// acknowledges the error.
    SkipCommand = "skip-command" {
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
    }
    /// A device makes one access through an SMMU of any kind; shows where it ends, and why.
    Transaction = "transaction" {
        /// StreamID.
        key sid: u32 = "sid",
        /// SubstreamID.
        opt ssid: u32 = "ssid",
        /// The address.
        key iova: Iova = "iova",
        /// r, w, or x for an instruction fetch; r without it.
        opt access: AccessKind = "access",
        /// Whether it claims privilege.
        opt privileged: YesNo = "priv",
        /// Bytes; a transfer across a border of 4K is several transactions.
        opt size: Number = "size",
        /// Whether the device says that the address is translated already: ATS.
        opt translated: YesNo = "translated",
        /// Whether it is an unsupported upstream transaction.
        opt unsupported: YesNo = "unsupported",
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
    }
    /// A device hints at future accesses, which need no answer: E_PAGE_REQUEST.
    Hint = "page-hint" {
        /// StreamID.
        key sid: u32 = "sid",
        /// SubstreamID.
        opt ssid: u32 = "ssid",
        /// The first page.
        key page: Iova = "page",
        /// Pages of 4K; 1 without it.
        opt span: u8 = "span",
        /// What unprivileged accesses will need.
        key user: Perms = "user",
        /// What privileged accesses will need; nothing without it.
        opt privileged: Perms = "priv",
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
    }
    /// A device requests a translation: ATS. It requests write permission too, unless `nw=y`.
    TranslationRequest = "translation-request" {
        /// StreamID.
        key sid: u32 = "sid",
        /// SubstreamID.
        opt ssid: u32 = "ssid",
        /// The address.
        key iova: Iova = "iova",
        /// NW: it will not write.
        opt no_write: YesNo = "nw",
        /// Whether it requests execute permission.
        opt execute: YesNo = "exec",
        /// Whether it claims privilege.
        opt privileged: YesNo = "priv",
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
    }
    /// A device completes an invalidation of its cache.
    AtcAnswer = "atc-answer" {
        /// Which invalidation.
        key tag: u32 = "tag",
        /// done, unsupported or timeout; done without it.
        opt end: AtcEnd = "end",
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
    }
    /// A device requests a page: PRI.
    PageRequest = "pri-request" {
        /// StreamID.
        key sid: u32 = "sid",
        /// SubstreamID.
        opt ssid: u32 = "ssid",
        /// The page.
        key page: Iova = "page",
        /// The permissions requested; `-` with `last=y` and a SubstreamID is a Stop Marker.
        key prot: Perms = "prot",
        /// Whether it claims privilege.
        opt privileged: YesNo = "priv",
        /// Page Request Group Index.
        opt group: u16 = "group",
        /// Whether it is the last of its group.
        opt last: YesNo = "last",
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
    }
    /// Puts the SMMU into service failure mode.
    Break = "smmu-break" {
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
    }
    /// Takes all requests from the PRI queue, and acknowledges an overflow.
    PageRequests = "page-requests" {
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
    }
    /// Takes all records from the Event queue, and acknowledges an overflow.
    Events = "events" {
        /// Which SMMU of the machine; 0 without it.
        opt smmu: u32 = "smmu",
    }
}
