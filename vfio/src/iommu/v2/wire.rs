//! The fields of an SMMUv2's registers, under the names that Linux's arm-smmu driver uses for them.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `bank` | which fields do the registers of a context bank have? |
//! | `global` | which fields do the registers of spaces 0 and 1 have? |
//!
//! The SMMU model defines the same layouts again from the architecture; the two meet only at
//! registers. No algorithms here.

mod bank;
mod global;

pub(super) use bank::{
    ARM_32_LPAE_TCR_EAE, ARM_SMMU_TCR2_SEP_UPSTREAM, ARM_SMMU_VTCR_RES1, Atsr, CbFsr, CbSctlr,
    CbTcr, CbTcr2, CbTlbi, CbTlbi32, CbTtbr, CbTtbrShort, CbVtcr, Par, RESUME_TERMINATE, V7S_NMRR,
    V7S_PRRR, cb,
};
pub(super) use global::{
    Acr, CB_ACTLR_CPRE, CBAR_S1_BPSHCFG_NSH, CBAR_S1_MEMATTR_WB, CBAR_TYPE_S1_TRANS_S2_BYPASS,
    CBAR_TYPE_S2_TRANS, Cba2r, Cbar, Cr0, Gfsr, Id0, Id1, Id2, Id7, S2CR_PRIVCFG_UNPRIV,
    S2CR_TYPE_BYPASS, S2CR_TYPE_FAULT, S2CR_TYPE_TRANS, S2cr, Smr, TlbStatus, gr0, gr1,
};
