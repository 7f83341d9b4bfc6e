//! What the driver writes into STEs and CDs, and which of their bits the SMMU uses.
//!
//! Not here: the order of the stores (`update`).

use super::probe::{Features, Stalls};
use super::wire::{
    ARM_SMMU_SH_ISH, ARM_SMMU_SH_OSH, CtxdescCd0, CtxdescCd1, STRTAB_STE_0_CFG_ABORT,
    STRTAB_STE_0_CFG_BYPASS, STRTAB_STE_0_CFG_S1_TRANS, STRTAB_STE_0_CFG_S2_TRANS,
    STRTAB_STE_1_EATS_TRANS, STRTAB_STE_1_PRIVCFG_UNPRIV, STRTAB_STE_1_S1C_CACHE_NC,
    STRTAB_STE_1_S1C_CACHE_WBRA, STRTAB_STE_1_S1DSS_BYPASS, STRTAB_STE_1_S1DSS_SSID0,
    STRTAB_STE_1_SHCFG_INCOMING, STRTAB_STE_1_STRW_EL2, StrtabL1Desc, StrtabSte0, StrtabSte1,
    StrtabSte2, StrtabSte3,
};
use crate::iommu::paging::codes;
use crate::policy::{Smmu3Privilege, Smmu3Substreams, Smmu3Unattached};
use passim_model::pgtable::table::Geometry;
use passim_model::{Asid, PhysAddr, Vmid};

/// The doublewords of an STE or a CD.
pub(in crate::iommu) type Words = [u64; 8];

/// Cacheability and shareability of walks.
fn walks(features: &Features) -> (u64, u64) {
    match features.cached_walks {
        true => (STRTAB_STE_1_S1C_CACHE_WBRA, ARM_SMMU_SH_ISH),
        false => (STRTAB_STE_1_S1C_CACHE_NC, ARM_SMMU_SH_OSH),
    }
}

/// Doubleword 1 of an STE that aborts or bypasses, as 6.1 leaves it behind.
pub(super) fn shcfg_incoming() -> u64 {
    StrtabSte1::SHCFG.of(STRTAB_STE_1_SHCFG_INCOMING)
}

/// Doubleword 0 of an STE that aborts.
pub(super) fn ste_abort() -> u64 {
    StrtabSte0::V.of(1) | StrtabSte0::CFG.of(STRTAB_STE_0_CFG_ABORT)
}

/// Doubleword 0 of the STE of an unattached stream.
pub(super) fn ste_of_nobody(unattached: Smmu3Unattached) -> u64 {
    match unattached {
        Smmu3Unattached::Bypass => ste_bypass(),
        Smmu3Unattached::Abort => ste_abort(),
    }
}

/// Doubleword 0 of an STE that bypasses translation.
pub(super) fn ste_bypass() -> u64 {
    StrtabSte0::V.of(1) | StrtabSte0::CFG.of(STRTAB_STE_0_CFG_BYPASS)
}

/// Doubleword 1: whether the SMMU answers translation requests.
fn eats(ats: bool) -> u64 {
    StrtabSte1::EATS.of(if ats { STRTAB_STE_1_EATS_TRANS } else { 0 })
}

/// An STE that points to the CD at `cd`.
pub(super) fn ste_stage1(
    features: &Features,
    cd: PhysAddr,
    ats: bool,
    substreams: Smmu3Substreams,
) -> Words {
    let mut ste = [0; 8];
    ste[0] = StrtabSte0::V.of(1)
        | StrtabSte0::CFG.of(STRTAB_STE_0_CFG_S1_TRANS)
        | StrtabSte0::S1CTXPTR.in_place(cd.get());
    let none = match substreams {
        Smmu3Substreams::Unknown => 0,
        Smmu3Substreams::Known => STRTAB_STE_1_S1DSS_SSID0,
    };
    ste[1] = StrtabSte1::S1DSS.of(none)
        | StrtabSte1::S1CIR.of(STRTAB_STE_1_S1C_CACHE_WBRA)
        | StrtabSte1::S1COR.of(STRTAB_STE_1_S1C_CACHE_WBRA)
        | StrtabSte1::S1CSH.of(ARM_SMMU_SH_ISH)
        | StrtabSte1::STRW.of(if features.e2h { STRTAB_STE_1_STRW_EL2 } else { 0 })
        | StrtabSte1::S1STALLD.flag(features.stalls == Stalls::Optional)
        | StrtabSte1::PRIVCFG.of(match features.privilege {
            Smmu3Privilege::Incoming => 0,
            Smmu3Privilege::Unprivileged => STRTAB_STE_1_PRIVCFG_UNPRIV,
        })
        | eats(ats);
    ste
}

/// An STE that points to the stage-2 tables at `root`.
pub(super) fn ste_stage2(
    features: &Features,
    geometry: &Geometry,
    root: PhysAddr,
    vmid: Vmid,
    ats: bool,
) -> Words {
    let mut ste = [0; 8];
    let (cache, share) = walks(features);
    ste[0] = StrtabSte0::V.of(1) | StrtabSte0::CFG.of(STRTAB_STE_0_CFG_S2_TRANS);
    ste[1] = if features.attribute_override { shcfg_incoming() } else { 0 } | eats(ats);
    ste[2] = StrtabSte2::S2VMID.of(vmid.get().into())
        | StrtabSte2::S2T0SZ.of(u64::from(64 - geometry.input_bits))
        | StrtabSte2::S2SL0.of(codes::start_level(geometry))
        | StrtabSte2::S2IR0.of(cache)
        | StrtabSte2::S2OR0.of(cache)
        | StrtabSte2::S2SH0.of(share)
        | StrtabSte2::S2TG.of(codes::granule(geometry.granule))
        | StrtabSte2::S2PS.of(codes::size(geometry.output_bits))
        | StrtabSte2::S2AA64.of(1)
        | StrtabSte2::S2PTW.of(1)
        | StrtabSte2::S2R.of(1)
        | StrtabSte2::S2S.flag(features.stage2_stalls);
    ste[3] = StrtabSte3::S2TTB.in_place(root.get());
    ste
}

/// A CD for the stage-1 tables at `root`.
pub(super) fn cd(features: &Features, geometry: &Geometry, root: PhysAddr, asid: Asid) -> Words {
    let mut cd = [0; 8];
    let (cache, share) = walks(features);
    cd[0] = CtxdescCd0::TCR_T0SZ.of(u64::from(64 - geometry.input_bits))
        | CtxdescCd0::TCR_TG0.of(codes::granule(geometry.granule))
        | CtxdescCd0::TCR_IRGN0.of(cache)
        | CtxdescCd0::TCR_ORGN0.of(cache)
        | CtxdescCd0::TCR_SH0.of(share)
        | CtxdescCd0::TCR_EPD1.of(1)
        | CtxdescCd0::V.of(1)
        | CtxdescCd0::TCR_IPS.of(codes::size(geometry.output_bits))
        | CtxdescCd0::AA64.of(1)
        | CtxdescCd0::R.of(1)
        | CtxdescCd0::A.of(1)
        | CtxdescCd0::ASET.of(1)
        | CtxdescCd0::S.flag(features.stalls == Stalls::Forced)
        | CtxdescCd0::ASID.of(asid.get().into());
    cd[1] = CtxdescCd1::TTB0.in_place(root.get());
    // Dumps of 6.1 and 6.12: 0xfffffffff404ff44. The upper half is the kernel's sign extension.
    cd[3] = i64::from(codes::mair(features.attributes).cast_signed()).cast_unsigned();
    cd
}

/// A first-level descriptor for a second level of `1 << split` STEs at `table`.
pub(super) fn l1_descriptor(table: PhysAddr, split: u32) -> u64 {
    StrtabL1Desc::SPAN.of(u64::from(split) + 1) | StrtabL1Desc::L2PTR.in_place(table.get())
}

/// The bits of an STE that the SMMU uses.
pub(super) fn ste_used(ste: &Words) -> Words {
    let mut used = [0; 8];
    used[0] = StrtabSte0::V.mask();
    if !StrtabSte0::V.is_set(ste[0]) {
        return used;
    }
    used[0] |= StrtabSte0::CFG.mask();
    used[1] = StrtabSte1::PRIVCFG.mask();
    let config = StrtabSte0::CFG.get(ste[0]);
    if config & 0b101 == 0b101 {
        used[0] |=
            StrtabSte0::S1FMT.mask() | StrtabSte0::S1CTXPTR.mask() | StrtabSte0::S1CDMAX.mask();
        used[1] |= StrtabSte1::S1DSS.mask()
            | StrtabSte1::S1CIR.mask()
            | StrtabSte1::S1COR.mask()
            | StrtabSte1::S1CSH.mask()
            | StrtabSte1::S1STALLD.mask()
            | StrtabSte1::STRW.mask()
            | StrtabSte1::EATS.mask();
        used[2] |= StrtabSte2::S2VMID.mask();
        if StrtabSte1::S1DSS.get(ste[1]) == STRTAB_STE_1_S1DSS_BYPASS {
            used[1] |= StrtabSte1::SHCFG.mask();
        }
    }
    if config & 0b110 == 0b110 {
        used[1] |= StrtabSte1::S2FWB.mask() | StrtabSte1::EATS.mask() | StrtabSte1::SHCFG.mask();
        used[2] |= stage2_controls();
        used[3] |= StrtabSte3::S2TTB.mask();
    }
    if config == 0b100 {
        used[1] |= StrtabSte1::SHCFG.mask();
    }
    used
}

/// The bits of doubleword 2 of an STE that are used where stage 2 translates.
fn stage2_controls() -> u64 {
    StrtabSte2::S2VMID.mask()
        | StrtabSte2::S2T0SZ.mask()
        | StrtabSte2::S2SL0.mask()
        | StrtabSte2::S2IR0.mask()
        | StrtabSte2::S2OR0.mask()
        | StrtabSte2::S2SH0.mask()
        | StrtabSte2::S2TG.mask()
        | StrtabSte2::S2PS.mask()
        | StrtabSte2::S2AA64.mask()
        | StrtabSte2::S2ENDI.mask()
        | StrtabSte2::S2PTW.mask()
        | StrtabSte2::S2S.mask()
        | StrtabSte2::S2R.mask()
}

/// The bits of a CD that the SMMU uses.
pub(super) fn cd_used(cd: &Words) -> Words {
    if CtxdescCd0::V.is_set(cd[0]) {
        return [u64::MAX; 8];
    }
    let mut used = [0; 8];
    used[0] = CtxdescCd0::V.mask();
    used
}
