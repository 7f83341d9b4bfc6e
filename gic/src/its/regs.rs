//! The register file: what a load returns, which stores take effect. IHI 0069 H 12.18, 12.19.
//!
//! A store changes registers only; the rooms that read them perform what follows from it (commands,
//! translations).

use super::features::{Features, Implementation, PageSizes};
use super::table::Table;
use super::wire::{
    BASERS, Baser, COLLECTIONS, Cbaser, Creadr, Ctlr, Cwriter, DEVICES, Statusr, Umsir, offset,
    page_size, table_type,
};
use crate::Size;
use crate::attributes;
use crate::choice::Attributes;
use crate::choice::its::{
    BasesWhileEnabled, ChangedTable, ClearedByBase, CommandErrors, Enabling, MemoryErrors,
    QueueBase, Quiescent, Reader, Restart, TableBase, WriterBeyond,
};
use crate::identification;
use passim_model::PhysAddr;
use passim_model::bits::Field;

/// The registers of an ITS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Registers {
    pub(super) enabled: bool,
    pub(super) cbaser: u64,
    /// Bits of GITS_CBASER that read as written, but are no bits of the address.
    cbaser_unseen: u64,
    /// Offset of the next command to be written, at its bit position.
    pub(super) cwriter: u64,
    /// Offset of the next command to be consumed, at its bit position.
    pub(super) creadr: u64,
    /// Reserved bits of these two registers, where they are stored.
    reserved: [u64; 2],
    /// GITS_CREADR.Stalled.
    pub(super) stalled: bool,
    /// No command is consumed. Equal to `stalled`, except where any store restarts the queue
    /// ([`Restart::AnyStore`]).
    pub(super) halted: bool,
    pub(super) basers: [u64; BASERS],
    statusr: u64,
    umsir: u64,
    /// GITS_CTLR.UMSIirq.
    umsi_irq: bool,
}

/// What the ITS has to do after a store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Consequence {
    /// Nothing.
    None,
    /// Invalidate what was cached from tables.
    Forget,
    /// Invalidate, and empty the table that this GITS_BASER named before the store.
    Empty(usize, Table),
}

/// The accesses that an offset allows.
enum Kind {
    ReadWrite,
    ReadOnly,
    WriteOnly,
    Reserved,
}

/// Whether an offset accepts an access of this size: 64-bit registers alone accept 64 bits.
fn takes(at: u64, size: Size) -> bool {
    let narrow = matches!(at, offset::CTLR..0x08 | offset::STATUSR..0x48)
        || (offset::IDENTIFICATION..offset::END).contains(&at);
    size.aligns(at) && (size == Size::Word || size == Size::Double && !narrow)
}

fn fields(value: u64, fields: &[Field]) -> u64 {
    fields.iter().fold(0, |word, field| word | field.in_place(value))
}

impl Registers {
    /// The registers after reset.
    pub(super) fn reset(implementation: &Implementation) -> Self {
        let mut registers = Self {
            enabled: false,
            cbaser: 0,
            cbaser_unseen: 0,
            cwriter: 0,
            creadr: 0,
            reserved: [0; 2],
            stalled: false,
            halted: false,
            basers: [0; BASERS],
            statusr: 0,
            umsir: 0,
            umsi_irq: false,
        };
        for n in [DEVICES, COLLECTIONS] {
            registers.basers[n] = baser(n, implementation.features.baser_reset, implementation);
        }
        registers
    }

    /// Bytes of the command queue.
    pub(super) fn queue_bytes(&self) -> u64 {
        (Cbaser::SIZE.get(self.cbaser) + 1) << 12
    }

    /// Start of the command queue, if it is valid.
    pub(super) fn queue(&self) -> Option<PhysAddr> {
        let base = Cbaser::PHYSICAL_ADDRESS.in_place(self.cbaser);
        Cbaser::VALID.is_set(self.cbaser).then_some(PhysAddr::new(base))
    }

    /// The device table.
    pub(super) fn devices(&self) -> Option<Table> {
        Table::of(self.basers[DEVICES])
    }

    /// The collection table.
    pub(super) fn collections(&self) -> Option<Table> {
        Table::of(self.basers[COLLECTIONS])
    }

    fn kind(at: u64, features: &Features) -> Kind {
        match at & !3 {
            offset::CTLR | 0x80..0x90 => Kind::ReadWrite,
            offset::IIDR | 0x08 | 0x0c | 0x90 | 0x94 => Kind::ReadOnly,
            offset::STATUSR if features.statusr => Kind::ReadWrite,
            0x48 | 0x4c if features.unmapped_messages => Kind::ReadOnly,
            offset::BASER..offset::BASER_END => Kind::ReadWrite,
            offset::IDENTIFICATION..offset::TRANSLATION => Kind::ReadOnly,
            offset::TRANSLATER => Kind::WriteOnly,
            _ => Kind::Reserved,
        }
    }

    /// A load. `quiet`: everything the ITS sent has arrived.
    pub(super) fn load(
        &mut self,
        at: u64,
        size: Size,
        implementation: &Implementation,
        quiet: bool,
    ) -> u64 {
        let features = &implementation.features;
        if !takes(at, size) {
            return 0;
        }
        match Self::kind(at, features) {
            Kind::Reserved => self.flag(Statusr::RRD, features),
            Kind::WriteOnly => self.flag(Statusr::RWOD, features),
            Kind::ReadOnly | Kind::ReadWrite => {}
        }
        let word = match at & !7 {
            offset::CTLR => self.ctlr(implementation, quiet) | u64::from(features.iidr) << 32,
            offset::TYPER => {
                let reports = implementation.choices.command_errors == CommandErrors::Report;
                features.typer(reports)
            }
            offset::STATUSR => self.statusr,
            offset::UMSIR => self.umsir,
            offset::CBASER => self.cbaser | self.cbaser_unseen,
            offset::CWRITER => self.cwriter | self.reserved[0],
            offset::CREADR => self.creadr | Creadr::STALLED.flag(self.stalled) | self.reserved[1],
            offset::BASER..offset::BASER_END => self.basers[(at - offset::BASER) as usize / 8],
            offset::IDENTIFICATION..offset::TRANSLATION => {
                let from = (at & !7) - offset::IDENTIFICATION;
                let register = |at| identification::register(&features.identification, at);
                register(from) | register(from + 4) << 32
            }
            _ => 0,
        };
        size.part(word, at)
    }

    fn ctlr(&self, implementation: &Implementation, quiet: bool) -> u64 {
        let quiescent = match implementation.choices.quiescent {
            Quiescent::Always => true,
            Quiescent::WhenIdle => self.creadr == self.cwriter,
            Quiescent::WhenDisabled => !self.enabled && quiet,
            Quiescent::WhenQuiet => quiet && (!self.enabled || self.creadr == self.cwriter),
        };
        Ctlr::ENABLED.flag(self.enabled)
            | Ctlr::UMSI_IRQ.flag(self.umsi_irq)
            | Ctlr::QUIESCENT.flag(quiescent)
    }

    fn flag(&mut self, field: Field, features: &Features) {
        if features.statusr {
            self.statusr |= field.mask();
        }
    }

    /// A store.
    pub(super) fn store(
        &mut self,
        at: u64,
        size: Size,
        value: u64,
        implementation: &Implementation,
    ) -> Consequence {
        let features = &implementation.features;
        if !takes(at, size) {
            return Consequence::None;
        }
        match Self::kind(at, features) {
            Kind::Reserved => self.flag(Statusr::WRD, features),
            Kind::ReadOnly => self.flag(Statusr::WROD, features),
            Kind::WriteOnly | Kind::ReadWrite => {}
        }
        let bases = implementation.choices.bases_while_enabled;
        let open = !self.enabled || bases == BasesWhileEnabled::Taken;
        match at & !7 {
            offset::CTLR if at == offset::CTLR => return self.store_ctlr(value, implementation),
            offset::STATUSR if at == offset::STATUSR && features.statusr => {
                // IHI 0069 H 12.19: write one to clear.
                self.statusr &= !fields(
                    value,
                    &[
                        Statusr::RRD,
                        Statusr::WRD,
                        Statusr::RWOD,
                        Statusr::WROD,
                        Statusr::UMSI,
                        Statusr::OVERFLOW,
                    ],
                );
            }
            offset::CBASER if open => {
                let merged = size.merge(self.cbaser | self.cbaser_unseen, at, value);
                self.store_cbaser(merged, implementation);
            }
            offset::CWRITER => {
                let merged = size.merge(self.cwriter | self.reserved[0], at, value);
                self.store_cwriter(merged, implementation);
            }
            offset::CREADR => {
                let merged = size.merge(self.creadr | self.reserved[1], at, value);
                self.store_creadr(merged, implementation);
            }
            offset::BASER..offset::BASER_END if open => {
                let n = (at - offset::BASER) as usize / 8;
                let merged = size.merge(self.basers[n], at, value);
                let before = self.basers[n];
                self.basers[n] = baser(n, merged, implementation);
                let changed = self.basers[n] != before;
                let emptied = implementation.choices.changed_table == ChangedTable::Emptied;
                return match Table::of(before) {
                    Some(table) if emptied && changed => Consequence::Empty(n, table),
                    _ => Consequence::Forget,
                };
            }
            _ => {}
        }
        Consequence::None
    }

    fn store_ctlr(&mut self, value: u64, implementation: &Implementation) -> Consequence {
        let choices = &implementation.choices;
        let wanted = Ctlr::ENABLED.is_set(value);
        self.umsi_irq = Ctlr::UMSI_IRQ.is_set(value) && implementation.features.has_umsi_irq();
        let ready =
            self.queue().is_some() && self.devices().is_some() && self.collections().is_some();
        if wanted && choices.enabling == Enabling::NeedsTables && !ready {
            return Consequence::None;
        }
        if wanted && choices.restart == Restart::AnyStore {
            self.halted = false;
        }
        let changed = self.enabled != wanted;
        self.enabled = wanted;
        if changed { Consequence::Forget } else { Consequence::None }
    }

    fn store_cbaser(&mut self, value: u64, implementation: &Implementation) {
        self.cbaser = fields(
            value,
            &[
                Cbaser::SIZE,
                Cbaser::SHAREABILITY,
                Cbaser::PHYSICAL_ADDRESS,
                Cbaser::OUTER_CACHE,
                Cbaser::INNER_CACHE,
                Cbaser::VALID,
            ],
        );
        // As in KVM's vgic_sanitise_its_cbaser, reserved bits are not cleared either.
        match implementation.choices.attributes {
            Attributes::Kept => {}
            Attributes::Raw => self.cbaser = value,
            Attributes::Cacheable => self.cbaser = attributes::cacheable(value, attributes::GITS),
        }
        self.reserved[1] = 0;
        // IHI 0069 H 12.19 (GITS_CREADR): cleared by a store to GITS_CBASER, Stalled with it.
        self.creadr = 0;
        self.stalled = false;
        self.halted = false;
        if implementation.choices.cleared_by_base == ClearedByBase::ReaderAndWriter {
            self.cwriter = 0;
        }
        let unaligned = self.cbaser & UNALIGNED_QUEUE;
        self.cbaser_unseen = match implementation.choices.queue_base {
            QueueBase::AsItIs => return,
            QueueBase::Cut => 0,
            QueueBase::CutUnseen => unaligned,
        };
        self.cbaser &= !UNALIGNED_QUEUE;
    }

    fn store_creadr(&mut self, value: u64, implementation: &Implementation) {
        let choices = &implementation.choices;
        if choices.reader == Reader::ReadOnly {
            return;
        }
        self.creadr = Creadr::OFFSET.in_place(value);
        if choices.attributes == Attributes::Raw {
            self.reserved[1] = value & !(Creadr::OFFSET.mask() | Creadr::STALLED.mask());
        }
        self.stalled = false;
        // No command is read before a store to GITS_CWRITER, or one that enables the ITS.
        self.halted |= choices.restart == Restart::AnyStore;
    }

    fn store_cwriter(&mut self, value: u64, implementation: &Implementation) {
        let choices = &implementation.choices;
        let beyond = Cwriter::OFFSET.in_place(value) >= self.queue_bytes();
        if beyond && choices.writer_beyond == WriterBeyond::Ignored {
            return;
        }
        self.cwriter = Cwriter::OFFSET.in_place(value);
        if choices.attributes == Attributes::Raw {
            self.reserved[0] = value & !(Cwriter::OFFSET.mask() | Cwriter::RETRY.mask());
        }
        if beyond && choices.writer_beyond == WriterBeyond::Wraps {
            self.cwriter %= self.queue_bytes();
        }
        match choices.restart {
            Restart::RetryBit => {
                if Cwriter::RETRY.is_set(value) {
                    self.stalled = false;
                    self.halted = false;
                }
            }
            Restart::AnyStore => self.halted = false,
        }
    }

    /// What these registers contain that an ITS with the other implementation does not support.
    pub(super) fn beyond(&self, other: &Implementation) -> Option<&'static str> {
        let Features { page_sizes, indirect_devices, indirect_collections, .. } = other.features;
        let tables = [(DEVICES, indirect_devices), (COLLECTIONS, indirect_collections)];
        for (n, indirect) in tables {
            let held = self.basers[n];
            if !Baser::VALID.is_set(held) {
                continue;
            }
            let page = Baser::PAGE_SIZE.get(held);
            if page_sizes.kept(page) != page {
                return Some("tables of such pages");
            }
            if Baser::INDIRECT.is_set(held) && !indirect {
                return Some("such table of two levels");
            }
        }
        let cut = other.choices.queue_base != QueueBase::AsItIs;
        let unaligned = self.cbaser & UNALIGNED_QUEUE != 0;
        (cut && unaligned && Cbaser::VALID.is_set(self.cbaser))
            .then_some("command queue at such a place")
    }

    /// Adapts a stopped queue to another ITS, which may be one that never stops at a command.
    pub(super) fn go_on(&mut self, other: &Implementation) {
        let choices = &other.choices;
        let stops = choices.command_errors == CommandErrors::Stall
            || choices.memory_errors == MemoryErrors::Stall;
        self.stalled &= stops;
        self.halted &= stops;
        // IHI 0069 H 12.19 (GITS_CREADR): Stalled says that an error has stopped the queue. A queue
        // that has gone on since is not stalled, and one that a store to GITS_CREADR stopped waits
        // for nothing.
        if choices.restart == Restart::RetryBit {
            self.stalled &= self.halted;
            self.halted = self.stalled;
        }
    }

    /// Clears the registers and fields that an ITS of the other implementation does not have: they
    /// read as zero there, and no store could clear them any more.
    pub(super) fn forget_absent(&mut self, other: &Implementation) {
        let features = &other.features;
        if !features.unmapped_messages {
            self.umsir = 0;
            let recorded = [Statusr::UMSI, Statusr::OVERFLOW, Statusr::SYNDROME];
            self.statusr &= !recorded.iter().fold(0, |mask, field| mask | field.mask());
        }
        if !features.statusr {
            self.statusr = 0;
        }
        self.umsi_irq &= features.has_umsi_irq();
        if other.choices.attributes != Attributes::Raw {
            self.reserved = [0; 2];
        }
        if other.choices.queue_base != QueueBase::CutUnseen {
            self.cbaser_unseen = 0;
        }
    }

    /// Whether the interrupt for untranslated messages is asserted: GITS_STATUSR.UMSI is set, and
    /// the interrupt is enabled.
    pub(super) fn tells_unmapped(&self) -> bool {
        self.umsi_irq && Statusr::UMSI.is_set(self.statusr)
    }

    /// Records an untranslated message. IHI 0069 H 12.19 (GITS_UMSIR): the first is kept.
    pub(super) fn unmapped(&mut self, device: u32, event: u32, syndrome: u64) {
        if Statusr::UMSI.is_set(self.statusr) {
            self.statusr |= Statusr::OVERFLOW.mask();
            return;
        }
        let status = Statusr::SYNDROME.set(self.statusr, syndrome);
        self.statusr = status | Statusr::UMSI.mask();
        self.umsir = Umsir::DEVICE_ID.of(u64::from(device)) | Umsir::EVENT_ID.of(u64::from(event));
    }
}

/// The bits of GITS_CBASER.Physical_Address that are zero for a queue aligned to 64 KiB.
const UNALIGNED_QUEUE: u64 = 0xf << 12;
/// log2 of the bytes of a page of 16 KiB.
const SIXTEEN_K_LG2: u32 = 14;

/// The value of GITS_BASER`n` after a store of `value`.
fn baser(n: usize, value: u64, implementation: &Implementation) -> u64 {
    let features = &implementation.features;
    let (kind, indirect) = match n {
        DEVICES => (table_type::DEVICES, features.indirect_devices),
        COLLECTIONS => (table_type::COLLECTIONS, features.indirect_collections),
        _ => return 0,
    };
    let kept = fields(
        value,
        &[
            Baser::SIZE,
            Baser::PAGE_SIZE,
            Baser::SHAREABILITY,
            Baser::PHYSICAL_ADDRESS,
            Baser::OUTER_CACHE,
            Baser::INNER_CACHE,
            Baser::INDIRECT,
            Baser::VALID,
        ],
    );
    let mut word = Baser::TYPE.set(kept, kind);
    word = Baser::ENTRY_SIZE.set(word, features.entry_bytes(n) - 1);
    if !indirect {
        word = Baser::INDIRECT.set(word, 0);
    }
    if implementation.choices.attributes == Attributes::Cacheable {
        word = attributes::cacheable(word, attributes::GITS);
    }
    let raw = implementation.choices.attributes == Attributes::Raw;
    if !raw || features.page_sizes != PageSizes::All {
        let page = features.page_sizes.kept(Baser::PAGE_SIZE.get(word));
        word = Baser::PAGE_SIZE.set(word, page);
    }
    // IHI 0069 H 12.19 (GITS_BASER): treated as zero, or used.
    let between = Baser::PHYSICAL_ADDRESS.mask() & ((1 << SIXTEEN_K_LG2) - 1);
    let cut = implementation.choices.table_base == TableBase::Cut;
    if cut && Baser::PAGE_SIZE.get(word) == page_size::K16 {
        word &= !between;
    }
    word
}
