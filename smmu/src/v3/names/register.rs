//! Registers by name. IHI 0070 G.b 6.2.

use super::Fields;
use crate::v3::wire::regs::{
    Aidr, CmdqCons, CmdqProd, Cr0, Cr1, Cr2, EventqCons, EventqProd, Gbpa, Gerror, Gmpam, Idr0,
    Idr1, Idr3, Idr5, Iidr, IrqCfg0, IrqCfg2, IrqCtrl, Mpamidr, QueueBase, StrtabBase,
    StrtabBaseCfg, offset,
};
use passim_model::Width;

/// A register of the Non-secure programming interface.
#[derive(Clone, Copy, Debug)]
pub struct Register {
    /// Its name, without `SMMU_`.
    pub name: &'static str,
    /// Bytes from page 0.
    pub offset: u64,
    /// Its size.
    pub width: Width,
    /// Its fields.
    pub fields: Fields,
}

const fn word(name: &'static str, offset: u64, fields: Fields) -> Register {
    Register { name, offset, width: Width::W32, fields }
}

const fn double(name: &'static str, offset: u64, fields: Fields) -> Register {
    Register { name, offset, width: Width::W64, fields }
}

/// The registers, ascending by offset.
pub const REGISTERS: &[Register] = &[
    word("IDR0", offset::IDR0, Idr0::FIELDS),
    word("IDR1", offset::IDR1, Idr1::FIELDS),
    word("IDR2", offset::IDR2, &[]),
    word("IDR3", offset::IDR3, Idr3::FIELDS),
    word("IDR4", offset::IDR4, &[]),
    word("IDR5", offset::IDR5, Idr5::FIELDS),
    word("IIDR", offset::IIDR, Iidr::FIELDS),
    word("AIDR", offset::AIDR, Aidr::FIELDS),
    word("CR0", offset::CR0, Cr0::FIELDS),
    word("CR0ACK", offset::CR0ACK, Cr0::FIELDS),
    word("CR1", offset::CR1, Cr1::FIELDS),
    word("CR2", offset::CR2, Cr2::FIELDS),
    word("GBPA", offset::GBPA, Gbpa::FIELDS),
    word("IRQ_CTRL", offset::IRQ_CTRL, IrqCtrl::FIELDS),
    word("IRQ_CTRLACK", offset::IRQ_CTRLACK, IrqCtrl::FIELDS),
    word("GERROR", offset::GERROR, Gerror::FIELDS),
    word("GERRORN", offset::GERRORN, Gerror::FIELDS),
    double("GERROR_IRQ_CFG0", offset::GERROR_IRQ_CFG0, IrqCfg0::FIELDS),
    word("GERROR_IRQ_CFG1", offset::GERROR_IRQ_CFG1, &[]),
    word("GERROR_IRQ_CFG2", offset::GERROR_IRQ_CFG2, IrqCfg2::FIELDS),
    double("STRTAB_BASE", offset::STRTAB_BASE, StrtabBase::FIELDS),
    word("STRTAB_BASE_CFG", offset::STRTAB_BASE_CFG, StrtabBaseCfg::FIELDS),
    double("CMDQ_BASE", offset::CMDQ_BASE, QueueBase::FIELDS),
    word("CMDQ_PROD", offset::CMDQ_PROD, CmdqProd::FIELDS),
    word("CMDQ_CONS", offset::CMDQ_CONS, CmdqCons::FIELDS),
    double("EVENTQ_BASE", offset::EVENTQ_BASE, QueueBase::FIELDS),
    double("EVENTQ_IRQ_CFG0", offset::EVENTQ_IRQ_CFG0, IrqCfg0::FIELDS),
    word("EVENTQ_IRQ_CFG1", offset::EVENTQ_IRQ_CFG1, &[]),
    word("EVENTQ_IRQ_CFG2", offset::EVENTQ_IRQ_CFG2, IrqCfg2::FIELDS),
    double("PRIQ_BASE", offset::PRIQ_BASE, QueueBase::FIELDS),
    double("PRIQ_IRQ_CFG0", offset::PRIQ_IRQ_CFG0, IrqCfg0::FIELDS),
    word("PRIQ_IRQ_CFG1", offset::PRIQ_IRQ_CFG1, &[]),
    word("PRIQ_IRQ_CFG2", offset::PRIQ_IRQ_CFG2, IrqCfg2::FIELDS),
    word("MPAMIDR", offset::MPAMIDR, Mpamidr::FIELDS),
    word("GMPAM", offset::GMPAM, Gmpam::FIELDS),
    word("GBPMPAM", offset::GBPMPAM, Gmpam::FIELDS),
    word("EVENTQ_PROD", offset::EVENTQ_PROD, EventqProd::FIELDS),
    word("EVENTQ_CONS", offset::EVENTQ_CONS, EventqCons::FIELDS),
    word("PRIQ_PROD", offset::PRIQ_PROD, EventqProd::FIELDS),
    word("PRIQ_CONS", offset::PRIQ_CONS, EventqCons::FIELDS),
];

impl Register {
    /// The register of that name, with or without `SMMU_`.
    pub fn named(name: &str) -> Option<&'static Self> {
        let name = name.strip_prefix("SMMU_").unwrap_or(name);
        REGISTERS.iter().find(|register| register.name == name)
    }
}
