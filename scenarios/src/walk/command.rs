//! Commands of an SMMU's queue by name, and which of their bits are addresses and identifiers.
//!
//! For displaying and comparing a driver's commands; the SMMU decodes commands itself.

/// log2 of the bytes of a command. IHI 0070 G.b 4.1.1.
pub(crate) const COMMAND_LG2: u32 = 4;

passim_model::layout! {
    /// Doubleword 0 of every command, IHI 0070 G.b 4.1.1.
    struct Command0 {
        /// The opcode.
        OPCODE = bits(7, 0);
    }
}
passim_model::layout! {
    /// Doubleword 0 of commands about a stream, IHI 0070 G.b 4.1.6.
    struct Stream0 {
        /// SubstreamID.
        SUBSTREAM = bits(31, 12);
        /// StreamID.
        STREAM = bits(63, 32);
    }
}
passim_model::layout! {
    /// Doubleword 0 of TLB invalidations, IHI 0070 G.b 4.4.1.
    struct Tlbi0 {
        /// VMID.
        VMID = bits(47, 32);
        /// ASID.
        ASID = bits(63, 48);
    }
}
passim_model::layout! {
    /// Doubleword 0 of CMD_SYNC, IHI 0070 G.b 4.7.3.
    struct Sync0 {
        /// The data of its completion message.
        MSI_DATA = bits(63, 32);
    }
}
passim_model::layout! {
    /// Doubleword 1 of commands with an address, IHI 0070 G.b 4.4.1.
    struct Address1 {
        /// The address.
        ADDRESS = bits(63, 12);
    }
}
passim_model::layout! {
    /// Doubleword 1 of CMD_SYNC, IHI 0070 G.b 4.7.3.
    struct Sync1 {
        /// The address of the completion message.
        MSI_ADDRESS = bits(55, 2);
    }
}

/// A command without its addresses and identifiers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Kind([u64; 2]);

impl Kind {
    pub(crate) fn of([first, second]: [u64; 2]) -> Self {
        let stream = Stream0::SUBSTREAM.mask() | Stream0::STREAM.mask();
        let (first_mask, second_mask) = match Command0::OPCODE.get(first) {
            // Prefetches and configuration invalidations.
            0x01..=0x0f => (stream, Address1::ADDRESS.mask()),
            // TLB invalidations.
            0x10..=0x3f | 0x50..=0x6f => {
                (Tlbi0::VMID.mask() | Tlbi0::ASID.mask(), Address1::ADDRESS.mask())
            }
            // ATC_INV and PRI_RESP, RESUME and STALL_TERM.
            0x40..=0x45 => (stream, Address1::ADDRESS.mask()),
            SYNC => (Sync0::MSI_DATA.mask(), Sync1::MSI_ADDRESS.mask()),
            _ => (0, 0),
        };
        Self([first & !first_mask, second & !second_mask])
    }

    /// Whether it is a CMD_SYNC.
    pub(crate) fn is_sync(self) -> bool {
        Command0::OPCODE.get(self.0[0]) == SYNC
    }

    /// Whether it was a CMD_SYNC that sent its message to itself, as Linux lets it: 32 bits of zeros lie
    /// over the opcode, and the address is left. IHI 0070 G.b 4.7.3.
    fn is_overwritten_sync(self) -> bool {
        let Self([first, second]) = self;
        first == 0 && second != 0 && second & !Sync1::MSI_ADDRESS.mask() == 0
    }

    /// The command's name, IHI 0070 G.b 4.1.1.
    pub(crate) fn name(self) -> &'static str {
        match Command0::OPCODE.get(self.0[0]) {
            0x01 => "PREFETCH_CONFIG",
            0x02 => "PREFETCH_ADDR",
            0x03 => "CFGI_STE",
            0x04 => "CFGI_STE_RANGE",
            0x05 => "CFGI_CD",
            0x06 => "CFGI_CD_ALL",
            0x07 => "CFGI_VMS_PIDM",
            0x10 => "TLBI_NH_ALL",
            0x11 => "TLBI_NH_ASID",
            0x12 => "TLBI_NH_VA",
            0x13 => "TLBI_NH_VAA",
            0x18 => "TLBI_EL3_ALL",
            0x1a => "TLBI_EL3_VA",
            0x20 => "TLBI_EL2_ALL",
            0x21 => "TLBI_EL2_ASID",
            0x22 => "TLBI_EL2_VA",
            0x23 => "TLBI_EL2_VAA",
            0x28 => "TLBI_S12_VMALL",
            0x2a => "TLBI_S2_IPA",
            0x30 => "TLBI_NSNH_ALL",
            0x40 => "ATC_INV",
            0x41 => "PRI_RESP",
            0x44 => "RESUME",
            0x45 => "STALL_TERM",
            SYNC => "SYNC",
            _ if self.is_overwritten_sync() => "SYNC, overwritten by its own message",
            _ => "a command of no known name",
        }
    }

    /// The name, and the other bits of the words if there are any.
    fn text(self) -> String {
        let Self([first, second]) = self;
        if self.is_overwritten_sync() {
            return self.name().to_owned();
        }
        let rest = first & !Command0::OPCODE.mask();
        match (rest, second) {
            (0, 0) => self.name().to_owned(),
            _ if self.is_sync() => "SYNC".to_owned(),
            _ => format!("{}[{rest:#x},{second:#x}]", self.name()),
        }
    }
}

/// CMD_SYNC.
const SYNC: u64 = 0x46;

/// Most commands that are displayed one by one.
const MOST_TOLD: usize = 24;

/// A sequence of commands, with equal neighbours combined.
pub(crate) fn sequence(kinds: &[Kind]) -> String {
    let mut told: Vec<String> = Vec::new();
    for run in kinds.chunk_by(|a, b| a == b) {
        if told.len() == MOST_TOLD {
            told.push("..".to_owned());
            break;
        }
        let text = run[0].text();
        told.push(if run.len() == 1 { text } else { format!("{text} x{}", run.len()) });
    }
    if told.is_empty() { "none".to_owned() } else { told.join(", ") }
}

/// A queue's size and how its pointers wrap: they count modulo twice the size. IHI 0070 G.b 3.5.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Ring {
    lg2: u32,
}

passim_model::layout! {
    /// SMMU_CMDQ_BASE, IHI 0070 G.b 6.3.26.
    pub(crate) struct CmdqBase {
        /// log2 of the number of slots.
        LOG2SIZE = bits(4, 0);
        /// Address.
        ADDR = bits(51, 5);
    }
}

impl Ring {
    /// The ring of a queue with this base register; no queue has more than 2^19 slots.
    pub(crate) fn of(base: u64) -> Self {
        Self { lg2: (CmdqBase::LOG2SIZE.get(base) as u32).min(19) }
    }

    /// `pointer`, advanced by `steps`.
    pub(crate) fn after(self, pointer: u64, steps: u64) -> u64 {
        pointer.wrapping_add(steps) & ((2 << self.lg2) - 1)
    }

    /// The distance from one pointer to a later one.
    pub(crate) fn distance(self, from: u64, to: u64) -> u64 {
        self.after(to, 0u64.wrapping_sub(from))
    }

    /// The slot of a pointer.
    pub(crate) fn slot(self, pointer: u64) -> u64 {
        pointer & ((1 << self.lg2) - 1)
    }

    /// Number of slots.
    pub(crate) fn slots(self) -> u64 {
        1 << self.lg2
    }
}
