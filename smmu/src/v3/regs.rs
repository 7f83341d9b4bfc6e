//! The register file: what a load returns, which stores take effect, and the handshakes.
//!
//! A store changes registers and nothing else; the rooms that read them carry out what follows
//! (commands, translations).
//!
//! | room | question it answers |
//! | --- | --- |
//! | `fields` | which bits of a register exist? |
//! | `mpam` | what do the registers of MPAM hold? |

mod fields;
mod mpam;

use crate::choice::Acknowledge;
use crate::regime::World;
use crate::v3::features::{Features, IdRegisters};
use crate::v3::queue::Queue;
use crate::v3::wire::command::COMMAND_LG2;
use crate::v3::wire::event::EVENT_LG2;
use crate::v3::wire::pri::PRI_LG2;
use crate::v3::wire::regs::{
    CmdqCons, CmdqProd, Cr0, Cr1, Cr2, EventqCons, EventqProd, FMT_TWO_LEVEL, Gbpa, IrqCfg2,
    IrqCtrl, StrtabBase, StrtabBaseCfg, offset,
};
use fields::{
    GBPA_FIELDS, QUEUE_BASE_FIELDS, cr0_fields, cr2_fields, gerror_fields, irq_fields, mask,
    mask32, store_irq_config, strtab_fields,
};
use mpam::Mpam;
pub(crate) use mpam::label_bits;
use passim_model::Vmid;
use passim_model::bits::Field;

/// An interrupt's MSI configuration: IRQ_CFG0 to IRQ_CFG2.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct IrqConfig {
    pub(crate) address: u64,
    pub(crate) data: u32,
    attributes: u32,
}

/// The Stream table as STRTAB_BASE and STRTAB_BASE_CFG describe it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct StreamTable {
    pub(crate) base: u64,
    pub(crate) log2size: u32,
    /// `Some` if the table has two levels.
    pub(crate) split: Option<u32>,
}

/// The registers of the Non-secure programming interface.
#[derive(Clone, Debug)]
pub(crate) struct Registers {
    cr0: u32,
    cr0ack: u32,
    cr1: u32,
    cr2: u32,
    gbpa: u32,
    /// The value of GBPA that takes effect when Update clears.
    gbpa_update: Option<u32>,
    irq_ctrl: u32,
    irq_ctrlack: u32,
    gerror: u32,
    gerrorn: u32,
    pub(crate) gerror_irq: IrqConfig,
    pub(crate) eventq_irq: IrqConfig,
    pub(crate) priq_irq: IrqConfig,
    strtab_base: u64,
    strtab_base_cfg: u32,
    cmdq_base: u64,
    pub(crate) cmdq_prod: u32,
    pub(crate) cmdq_cons: u32,
    eventq_base: u64,
    pub(crate) eventq_prod: u32,
    pub(crate) eventq_cons: u32,
    mpam: Mpam,
    priq_base: u64,
    pub(crate) priq_prod: u32,
    pub(crate) priq_cons: u32,
}

/// The half of a 64-bit register that a 32-bit access reaches.
#[derive(Clone, Copy)]
enum Word {
    Low,
    High,
}

impl Word {
    fn of(self, register: u64) -> u32 {
        match self {
            Self::Low => register as u32,
            Self::High => (register >> 32) as u32,
        }
    }

    /// Stores a half, keeping only the bits of `fields`.
    fn store(self, register: &mut u64, value: u32, fields: &[Field]) {
        let mixed = match self {
            Self::Low => *register >> 32 << 32 | u64::from(value),
            Self::High => u64::from(value) << 32 | u64::from(*register as u32),
        };
        *register = mixed & mask(fields);
    }
}

impl Registers {
    /// The registers after reset.
    pub(crate) fn reset(gbpa: u32) -> Self {
        Self {
            cr0: 0,
            cr0ack: 0,
            cr1: 0,
            cr2: 0,
            gbpa: gbpa & GBPA_FIELDS,
            gbpa_update: None,
            irq_ctrl: 0,
            irq_ctrlack: 0,
            gerror: 0,
            gerrorn: 0,
            gerror_irq: IrqConfig::default(),
            eventq_irq: IrqConfig::default(),
            priq_irq: IrqConfig::default(),
            strtab_base: 0,
            strtab_base_cfg: 0,
            cmdq_base: 0,
            cmdq_prod: 0,
            cmdq_cons: 0,
            eventq_base: 0,
            eventq_prod: 0,
            eventq_cons: 0,
            mpam: Mpam::default(),
            priq_base: 0,
            priq_prod: 0,
            priq_cons: 0,
        }
    }

    /// A 32-bit load.
    pub(crate) fn load(&self, at: u64, ids: &IdRegisters, features: &Features) -> u32 {
        match at {
            offset::IDR0 => ids.idr[0],
            offset::IDR1 => ids.idr[1],
            offset::IDR2 => ids.idr[2],
            offset::IDR3 => ids.idr[3],
            offset::IDR4 => ids.idr[4],
            offset::IDR5 => ids.idr[5],
            offset::IIDR => ids.iidr,
            offset::AIDR => ids.aidr,
            offset::CR0 => self.cr0,
            offset::CR0ACK => self.cr0ack,
            offset::CR1 => self.cr1,
            offset::CR2 => self.cr2,
            offset::GBPA => match self.gbpa_update {
                Some(value) => value | Gbpa::UPDATE.mask() as u32,
                None => self.gbpa,
            },
            offset::IRQ_CTRL => self.irq_ctrl,
            offset::IRQ_CTRLACK => self.irq_ctrlack,
            offset::GERROR => self.gerror,
            offset::GERRORN => self.gerrorn,
            offset::GERROR_IRQ_CFG0 => Word::Low.of(self.gerror_irq.address),
            offset::GERROR_IRQ_CFG0_HIGH => Word::High.of(self.gerror_irq.address),
            offset::GERROR_IRQ_CFG1 => self.gerror_irq.data,
            offset::GERROR_IRQ_CFG2 => self.gerror_irq.attributes,
            offset::STRTAB_BASE => Word::Low.of(self.strtab_base),
            offset::STRTAB_BASE_HIGH => Word::High.of(self.strtab_base),
            offset::STRTAB_BASE_CFG => self.strtab_base_cfg,
            offset::CMDQ_BASE => Word::Low.of(self.cmdq_base),
            offset::CMDQ_BASE_HIGH => Word::High.of(self.cmdq_base),
            offset::CMDQ_PROD => self.command_queue(features).pointer(self.cmdq_prod),
            offset::CMDQ_CONS => {
                let errors = self.cmdq_cons & mask32(&[CmdqCons::ERR]);
                errors | self.command_queue(features).pointer(self.cmdq_cons)
            }
            offset::EVENTQ_BASE => Word::Low.of(self.eventq_base),
            offset::EVENTQ_BASE_HIGH => Word::High.of(self.eventq_base),
            offset::EVENTQ_IRQ_CFG0 => Word::Low.of(self.eventq_irq.address),
            offset::EVENTQ_IRQ_CFG0_HIGH => Word::High.of(self.eventq_irq.address),
            offset::EVENTQ_IRQ_CFG1 => self.eventq_irq.data,
            offset::EVENTQ_IRQ_CFG2 => self.eventq_irq.attributes,
            offset::EVENTQ_PROD => self.event_pointer(self.eventq_prod, features),
            offset::EVENTQ_CONS => self.event_pointer(self.eventq_cons, features),
            offset::MPAMIDR | offset::GMPAM | offset::GBPMPAM => self.mpam.load(at, ids),
            _ => self.load_pri(at, features),
        }
    }

    /// A 32-bit store. Guarded registers ignore it (IHI 0070 G.b, the Accessing sections of 6.3).
    pub(crate) fn store(&mut self, at: u64, value: u32, features: &Features, ack: Acknowledge) {
        match at {
            offset::CR0 => {
                self.cr0 = self.beside_pending(value & cr0_fields(features));
                if ack == Acknowledge::AtOnce {
                    self.cr0ack = self.cr0;
                }
            }
            offset::CR1 => self.store_cr1(value),
            offset::CR2 if !self.on(Cr0::SMMUEN) => self.cr2 = value & cr2_fields(features),
            offset::GBPA => self.store_gbpa(value, ack),
            offset::IRQ_CTRL => {
                self.irq_ctrl = value & irq_fields(features);
                if ack == Acknowledge::AtOnce {
                    self.irq_ctrlack = self.irq_ctrl;
                }
            }
            offset::GERRORN => self.gerrorn = value & gerror_fields(features),
            offset::GERROR_IRQ_CFG0..=offset::GERROR_IRQ_CFG2
                if features.msi && !self.irq_on(IrqCtrl::GERROR_IRQEN) =>
            {
                store_irq_config(&mut self.gerror_irq, at - offset::GERROR_IRQ_CFG0, value);
            }
            offset::EVENTQ_IRQ_CFG0..=offset::EVENTQ_IRQ_CFG2
                if features.msi && !self.irq_on(IrqCtrl::EVENTQ_IRQEN) =>
            {
                store_irq_config(&mut self.eventq_irq, at - offset::EVENTQ_IRQ_CFG0, value);
            }
            offset::STRTAB_BASE | offset::STRTAB_BASE_HIGH | offset::STRTAB_BASE_CFG => {
                self.store_table(at, value, features)
            }
            offset::CMDQ_BASE..=offset::CMDQ_CONS => self.store_command_queue(at, value),
            offset::EVENTQ_BASE
            | offset::EVENTQ_BASE_HIGH
            | offset::EVENTQ_PROD
            | offset::EVENTQ_CONS => {
                self.store_event_queue(at, value);
            }
            offset::GMPAM | offset::GBPMPAM => self.mpam.store(at, value, features, ack),
            _ if features.pri => self.store_pri(at, value, features),
            _ => {}
        }
    }

    /// The value of CR0 after a store, with VMW unchanged while another change of VMW is pending.
    /// IHI 0070 G.b 6.3.9: a field altered again before its Update completes keeps the first value,
    /// or ends the Update if the value before it comes back.
    fn beside_pending(&self, value: u32) -> u32 {
        let vmw = mask32(&[Cr0::VMW]);
        let pending = (self.cr0 ^ self.cr0ack) & vmw != 0;
        let ends = (value ^ self.cr0ack) & vmw == 0;
        if pending && !ends { value & !vmw | self.cr0 & vmw } else { value }
    }

    /// A load of the PRI queue's registers; RES0 without PRI (IHI 0070 G.b 6.3.33).
    fn load_pri(&self, at: u64, features: &Features) -> u32 {
        let pointer = |register: u32| {
            let overflow = register & mask32(&[EventqProd::OVFLG]);
            overflow | self.pri_queue(features).pointer(register)
        };
        match at {
            _ if !features.pri => 0,
            offset::PRIQ_BASE => Word::Low.of(self.priq_base),
            offset::PRIQ_BASE_HIGH => Word::High.of(self.priq_base),
            offset::PRIQ_IRQ_CFG0 => Word::Low.of(self.priq_irq.address),
            offset::PRIQ_IRQ_CFG0_HIGH => Word::High.of(self.priq_irq.address),
            offset::PRIQ_IRQ_CFG1 => self.priq_irq.data,
            offset::PRIQ_IRQ_CFG2 => self.priq_irq.attributes,
            offset::PRIQ_PROD => pointer(self.priq_prod),
            offset::PRIQ_CONS => pointer(self.priq_cons),
            _ => 0,
        }
    }

    /// A store to the PRI queue's registers. IHI 0070 G.b 6.3.33, 6.3.97: BASE and PROD are
    /// guarded by PRIQEN, CONS is not.
    fn store_pri(&mut self, at: u64, value: u32, features: &Features) {
        let open = !self.on(Cr0::PRIQEN);
        match at {
            offset::PRIQ_BASE if open => {
                Word::Low.store(&mut self.priq_base, value, &QUEUE_BASE_FIELDS);
            }
            offset::PRIQ_BASE_HIGH if open => {
                Word::High.store(&mut self.priq_base, value, &QUEUE_BASE_FIELDS);
            }
            offset::PRIQ_PROD if open => {
                self.priq_prod = value & mask32(&[EventqProd::WR, EventqProd::OVFLG]);
            }
            offset::PRIQ_CONS => {
                self.priq_cons = value & mask32(&[EventqCons::RD, EventqCons::OVACKFLG]);
            }
            // IHI 0070 G.b 6.3.1 (MSI): LO exists whether or not the SMMU sends messages, though
            // 6.3.36 has a register for it only where it does.
            offset::PRIQ_IRQ_CFG0..=offset::PRIQ_IRQ_CFG2 if !self.irq_on(IrqCtrl::PRIQ_IRQEN) => {
                let message = if features.msi { value } else { 0 };
                let distance = at - offset::PRIQ_IRQ_CFG0;
                store_irq_config(&mut self.priq_irq, distance, message);
                if at == offset::PRIQ_IRQ_CFG2 {
                    self.priq_irq.attributes |= value & mask32(&[IrqCfg2::LO]);
                }
            }
            _ => {}
        }
    }

    /// Whether the PRI queue's interrupt marks the last request of a group, rather than a queue
    /// that becomes non-empty. IHI 0070 G.b 6.3.36 (LO).
    pub(crate) fn pri_interrupt_on_last(&self) -> bool {
        IrqCfg2::LO.is_set(u64::from(self.priq_irq.attributes))
    }

    fn store_cr1(&mut self, value: u32) {
        // IHI 0070 G.b 6.3.11.1 and 6.3.11.2: TABLE_* is guarded by SMMUEN, QUEUE_* by every
        // queue's enable.
        let queues = self.on(Cr0::CMDQEN) || self.on(Cr0::EVENTQEN) || self.on(Cr0::PRIQEN);
        let mut writable = 0;
        if !self.on(Cr0::SMMUEN) {
            writable |= mask32(&[Cr1::TABLE]);
        }
        if !queues {
            writable |= mask32(&[Cr1::QUEUE]);
        }
        self.cr1 = self.cr1 & !writable | value & writable;
    }

    fn store_gbpa(&mut self, value: u32, ack: Acknowledge) {
        // IHI 0070 G.b 6.3.14.1: only a store with Update set takes effect, and none while an
        // update is under way.
        if !Gbpa::UPDATE.is_set(u64::from(value)) || self.gbpa_update.is_some() {
            return;
        }
        match ack {
            Acknowledge::AtOnce => self.gbpa = value & GBPA_FIELDS,
            Acknowledge::OnStep => self.gbpa_update = Some(value & GBPA_FIELDS),
        }
    }

    fn store_table(&mut self, at: u64, value: u32, features: &Features) {
        if self.on(Cr0::SMMUEN) {
            return;
        }
        let fields = [StrtabBase::ADDR, StrtabBase::RA];
        match at {
            offset::STRTAB_BASE => Word::Low.store(&mut self.strtab_base, value, &fields),
            offset::STRTAB_BASE_CFG => {
                self.strtab_base_cfg = value & strtab_fields(features);
            }
            _ => Word::High.store(&mut self.strtab_base, value, &fields),
        }
    }

    fn store_command_queue(&mut self, at: u64, value: u32) {
        // IHI 0070 G.b 6.3.26, 6.3.28: BASE and CONS are guarded by CMDQEN, PROD is not.
        let open = !self.on(Cr0::CMDQEN);
        match at {
            offset::CMDQ_PROD => self.cmdq_prod = value & mask32(&[CmdqProd::WR]),
            offset::CMDQ_BASE if open => {
                Word::Low.store(&mut self.cmdq_base, value, &QUEUE_BASE_FIELDS);
            }
            offset::CMDQ_BASE_HIGH if open => {
                Word::High.store(&mut self.cmdq_base, value, &QUEUE_BASE_FIELDS)
            }
            offset::CMDQ_CONS if open => {
                self.cmdq_cons = value & mask32(&[CmdqCons::RD, CmdqCons::ERR]);
            }
            _ => {}
        }
    }

    fn store_event_queue(&mut self, at: u64, value: u32) {
        // IHI 0070 G.b 6.3.29, 6.3.95: BASE and PROD are guarded by EVENTQEN, CONS is not.
        let open = !self.on(Cr0::EVENTQEN);
        match at {
            offset::EVENTQ_CONS => {
                self.eventq_cons = value & mask32(&[EventqCons::RD, EventqCons::OVACKFLG]);
            }
            offset::EVENTQ_PROD if open => {
                self.eventq_prod = value & mask32(&[EventqProd::WR, EventqProd::OVFLG]);
            }
            offset::EVENTQ_BASE if open => {
                Word::Low.store(&mut self.eventq_base, value, &QUEUE_BASE_FIELDS);
            }
            offset::EVENTQ_BASE_HIGH if open => {
                Word::High.store(&mut self.eventq_base, value, &QUEUE_BASE_FIELDS)
            }
            _ => {}
        }
    }

    /// Acknowledges one pending control. Returns whether there was one.
    pub(crate) fn acknowledge_one(&mut self) -> bool {
        if self.cr0ack != self.cr0 {
            self.cr0ack = self.cr0;
        } else if self.irq_ctrlack != self.irq_ctrl {
            self.irq_ctrlack = self.irq_ctrl;
        } else if let Some(value) = self.gbpa_update.take() {
            self.gbpa = value;
        } else {
            return self.mpam.acknowledge_one();
        }
        true
    }

    /// Whether a bit of CR0 guards registers: it is written, or still acknowledged.
    fn on(&self, field: Field) -> bool {
        field.is_set(u64::from(self.cr0 | self.cr0ack))
    }

    fn irq_on(&self, field: Field) -> bool {
        field.is_set(u64::from(self.irq_ctrl | self.irq_ctrlack))
    }

    /// Whether a bit of CR0 has taken effect.
    #[inline]
    pub(crate) fn enabled(&self, field: Field) -> bool {
        field.is_set(u64::from(self.cr0ack))
    }

    /// Whether an interrupt is enabled and the enable has taken effect.
    pub(crate) fn irq_enabled(&self, field: Field) -> bool {
        field.is_set(u64::from(self.irq_ctrlack))
    }

    /// Whether a field of CR2 is set.
    pub(crate) fn cr2_is_set(&self, field: Field) -> bool {
        field.is_set(u64::from(self.cr2))
    }

    /// The EL2 regime in use. IHI 0070 G.b 6.3.12: E2H gives its translations an ASID.
    pub(crate) fn el2_world(&self) -> World {
        if self.cr2_is_set(Cr2::E2H) { World::El2E2h } else { World::El2 }
    }

    /// The VMIDs that a TLB invalidation of `vmid` matches: itself, or all that differ only in the
    /// low bits that CR0.VMW masks. IHI 0070 G.b 3.17.6, 6.3.9.
    pub(crate) fn matching(&self, vmid: Vmid) -> impl Iterator<Item = Vmid> + use<> {
        // 0 masks no bits, 1 to 4 as many; the others are reserved and act as 0.
        let bits = match Cr0::VMW.get(u64::from(self.cr0ack)) {
            bits @ 1..=4 => bits as u16,
            _ => 0,
        };
        let first = vmid.get() >> bits << bits;
        (0..1u16 << bits).map(move |low| Vmid::new(first | low))
    }

    /// The value of GBPA in effect.
    pub(crate) fn gbpa(&self) -> u64 {
        u64::from(self.gbpa)
    }

    /// Whether a global error is active. IHI 0070 G.b 7.5: the two registers differ.
    pub(crate) fn error_active(&self, field: Field) -> bool {
        field.is_set(u64::from(self.gerror ^ self.gerrorn))
    }

    /// Activates a global error. Returns whether it was inactive before.
    pub(crate) fn activate_error(&mut self, field: Field) -> bool {
        let fresh = !self.error_active(field);
        if fresh {
            self.gerror ^= field.mask() as u32;
        }
        fresh
    }

    /// The Stream table.
    pub(crate) fn stream_table(&self, features: &Features) -> StreamTable {
        let config = u64::from(self.strtab_base_cfg);
        let log2size = StrtabBaseCfg::LOG2SIZE.get(config) as u32;
        let two_level =
            features.two_level_stream && StrtabBaseCfg::FMT.get(config) == FMT_TWO_LEVEL;
        // IHI 0070 G.b 6.3.25: values of SPLIT other than 6, 8 and 10 act as 6.
        let split = match StrtabBaseCfg::SPLIT.get(config) {
            8 => 8,
            10 => 10,
            _ => 6,
        };
        // IHI 0070 G.b 6.3.24: the SMMU aligns the base to the table, by the literal LOG2SIZE.
        let alignment =
            if two_level { (log2size + 3).saturating_sub(split).max(6) } else { log2size + 6 };
        let aligned = u64::MAX.checked_shl(alignment).unwrap_or(0);
        StreamTable {
            base: StrtabBase::ADDR.in_place(self.strtab_base) & aligned,
            log2size,
            split: two_level.then_some(split),
        }
    }

    /// The Command queue.
    pub(crate) fn command_queue(&self, features: &Features) -> Queue {
        Queue::of(self.cmdq_base, COMMAND_LG2, features.command_queue_lg2, features)
    }

    /// The Event queue.
    pub(crate) fn event_queue(&self, features: &Features) -> Queue {
        Queue::of(self.eventq_base, EVENT_LG2, features.event_queue_lg2, features)
    }

    /// The PRI queue.
    pub(crate) fn pri_queue(&self, features: &Features) -> Queue {
        Queue::of(self.priq_base, PRI_LG2, features.pri_queue_lg2, features)
    }

    fn event_pointer(&self, register: u32, features: &Features) -> u32 {
        let overflow = register & mask32(&[EventqProd::OVFLG]);
        overflow | self.event_queue(features).pointer(register)
    }
}

#[cfg(test)]
mod tests;
