//! The fields of registers, table entries and commands, under the names that Linux's arm-smmu-v3
//! driver uses for them.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `command` | which fields do commands have? |
//! | `pci` | which parts of configuration space does the driver access? |
//! | `register` | which fields do registers and events have? |
//! | `table` | which fields do STEs and CDs have? |
//!
//! The SMMU model defines the same layouts again from the architecture; the two meet only in memory
//! and at registers. No algorithms here.

mod command;
mod pci;
mod register;
mod table;

pub(super) use command::{
    ARM_SMMU_MEMATTR_OIWB, ATC_INV_SIZE_ALL, CMDQ_RESUME_0_RESP_ABORT, CMDQ_SYNC_0_CS_IRQ,
    CMDQ_SYNC_0_CS_SEV, Cmdq0, CmdqAtc0, CmdqAtc1, CmdqCfgi0, CmdqCfgi1, CmdqCfgiRange1,
    CmdqResume0, CmdqResume1, CmdqSync0, CmdqSync1, CmdqTlbi0, CmdqTlbi1, op,
};
pub(super) use pci::{AtsControl, ExtendedHeader, PCI_EXT_CAP_ID_ATS, config};
pub(super) use register::{
    Base, CMDQ_ERR_CERROR_ABT_IDX, CMDQ_ERR_CERROR_ATC_INV_IDX, CMDQ_ERR_CERROR_ILL_IDX, CmdqCons,
    Cr0, Cr1, Cr2, EVT_ID_STALLING, Evtq0, Evtq1, EvtqIndex, Gbpa, Gerror, Idr0, Idr1, Idr3, Idr5,
    IrqCtrl, StrtabBaseCfg, offset,
};
pub(super) use table::{
    ARM_SMMU_SH_ISH, ARM_SMMU_SH_OSH, CtxdescCd0, CtxdescCd1, STRTAB_STE_0_CFG_ABORT,
    STRTAB_STE_0_CFG_BYPASS, STRTAB_STE_0_CFG_S1_TRANS, STRTAB_STE_0_CFG_S2_TRANS,
    STRTAB_STE_1_EATS_TRANS, STRTAB_STE_1_PRIVCFG_UNPRIV, STRTAB_STE_1_S1C_CACHE_NC,
    STRTAB_STE_1_S1C_CACHE_WBRA, STRTAB_STE_1_S1DSS_BYPASS, STRTAB_STE_1_S1DSS_SSID0,
    STRTAB_STE_1_SHCFG_INCOMING, STRTAB_STE_1_STRW_EL2, StrtabL1Desc, StrtabSte0, StrtabSte1,
    StrtabSte2, StrtabSte3,
};
