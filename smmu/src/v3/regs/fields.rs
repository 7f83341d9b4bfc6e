//! Which bits of the registers exist, feature by feature.

use super::{IrqConfig, Word};
use crate::v3::features::Features;
use crate::v3::wire::regs::{
    Cr0, Cr2, Gbpa, Gerror, IrqCfg0, IrqCfg2, IrqCtrl, QueueBase, StrtabBaseCfg,
};
use passim_model::bits::Field;

/// The bits of these fields.
pub(super) fn mask(fields: &[Field]) -> u64 {
    fields.iter().fold(0, |bits, field| bits | field.mask())
}

/// The bits of these fields of a 32-bit register.
pub(super) fn mask32(fields: &[Field]) -> u32 {
    mask(fields) as u32
}

/// The fields of CMDQ_BASE, EVENTQ_BASE and PRIQ_BASE.
pub(super) const QUEUE_BASE_FIELDS: [Field; 3] =
    [QueueBase::LOG2SIZE, QueueBase::ADDR, QueueBase::ALLOCATE];

/// The fields of GBPA that are kept.
pub(super) const GBPA_FIELDS: u32 = (Gbpa::MEM_ATTR.mask()
    | Gbpa::MTCFG.mask()
    | Gbpa::ALLOCCFG.mask()
    | Gbpa::SHCFG.mask()
    | Gbpa::PRIVCFG.mask()
    | Gbpa::INSTCFG.mask()
    | Gbpa::ABORT.mask()) as u32;

/// The fields of GERRORN whose errors exist.
pub(super) fn gerror_fields(features: &Features) -> u32 {
    let (pri, msi) = (features.pri, features.msi);
    // IHI 0070 G.b 6.3.20: the others are RES0 without IDR0.PRI, and without IDR0.MSI.
    let fields = [
        (true, Gerror::CMDQ_ERR),
        (true, Gerror::EVENTQ_ABT_ERR),
        (pri, Gerror::PRIQ_ABT_ERR),
        (msi, Gerror::MSI_CMDQ_ABT_ERR),
        (msi, Gerror::MSI_EVENTQ_ABT_ERR),
        (pri && msi, Gerror::MSI_PRIQ_ABT_ERR),
        (msi, Gerror::MSI_GERROR_ABT_ERR),
        (true, Gerror::SFM_ERR),
    ];
    let present = fields.into_iter().filter(|(present, _)| *present);
    present.fold(0, |bits, (_, field)| bits | mask32(&[field]))
}

/// The fields of STRTAB_BASE_CFG. IHI 0070 G.b 6.3.25: two of them apply to two levels only.
pub(super) fn strtab_fields(features: &Features) -> u32 {
    let size = mask32(&[StrtabBaseCfg::LOG2SIZE]);
    let levels = mask32(&[StrtabBaseCfg::SPLIT, StrtabBaseCfg::FMT]);
    if features.two_level_stream { size | levels } else { size }
}

/// The fields of IRQ_CTRL.
pub(super) fn irq_fields(features: &Features) -> u32 {
    let fields = mask32(&[IrqCtrl::GERROR_IRQEN, IrqCtrl::EVENTQ_IRQEN]);
    if features.pri { fields | mask32(&[IrqCtrl::PRIQ_IRQEN]) } else { fields }
}

/// The fields of CR0.
pub(super) fn cr0_fields(features: &Features) -> u32 {
    let mut fields = mask32(&[Cr0::SMMUEN, Cr0::EVENTQEN, Cr0::CMDQEN]);
    let optional =
        [(features.pri, Cr0::PRIQEN), (features.ats, Cr0::ATSCHK), (features.vmw, Cr0::VMW)];
    for (present, field) in optional {
        if present {
            fields |= mask32(&[field]);
        }
    }
    fields
}

/// The fields of CR2.
pub(super) fn cr2_fields(features: &Features) -> u32 {
    let mut fields = mask32(&[Cr2::RECINVSID]);
    // IHI 0070 G.b 6.3.12: REC_CFG_ATS is RES0 where IDR0.ATSRECERR is 0.
    for (present, field) in [(features.hyp, Cr2::E2H), (features.ats_errors, Cr2::REC_CFG_ATS)] {
        if present {
            fields |= mask32(&[field]);
        }
    }
    fields
}

/// Stores to IRQ_CFG0 to IRQ_CFG2, by the distance from IRQ_CFG0.
pub(super) fn store_irq_config(config: &mut IrqConfig, distance: u64, value: u32) {
    match distance {
        0 => Word::Low.store(&mut config.address, value, &[IrqCfg0::ADDR]),
        4 => Word::High.store(&mut config.address, value, &[IrqCfg0::ADDR]),
        8 => config.data = value,
        12 => config.attributes = value & mask32(&[IrqCfg2::MEM_ATTR, IrqCfg2::SH]),
        _ => {}
    }
}
