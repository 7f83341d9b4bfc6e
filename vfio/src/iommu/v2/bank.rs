//! The stores to a context bank, and their order.
//!
//! Not here: which bank a domain has (`domain`).

use super::SmmuV2;
use super::domain::Live;
use super::probe::{Features, Format};
use super::tlbi::Tagged;
use super::wire::{
    ARM_32_LPAE_TCR_EAE, ARM_SMMU_TCR2_SEP_UPSTREAM, ARM_SMMU_VTCR_RES1, CBAR_S1_BPSHCFG_NSH,
    CBAR_S1_MEMATTR_WB, CBAR_TYPE_S1_TRANS_S2_BYPASS, CBAR_TYPE_S2_TRANS, CbSctlr, CbTcr, CbTcr2,
    CbTtbr, CbTtbrShort, CbVtcr, Cba2r, Cbar, V7S_NMRR, V7S_PRRR, cb, gr1,
};
use super::work::Work;
use crate::iommu::facts::SmmuVersion;
use crate::iommu::paging::{Shape, codes};
use crate::policy::{Smmu1Contexts, Smmu2Asids, Smmu2Faults};
use passim_model::pgtable::table::Geometry;
use passim_model::pgtable::vmsav8::Stage;

/// Cacheable walks: write-back, allocating.
const CACHE_WBWA: u64 = 1;
/// Inner shareable.
const SHARE_INNER: u64 = 3;
/// Outer shareable.
const SHARE_OUTER: u64 = 2;

/// Cacheability and shareability of walks.
// 6.x io-pgtable-arm.c: walks that are not coherent are non-cacheable, and so outer shareable.
const fn walks(features: &Features) -> (u64, u64) {
    if features.cached_walks { (CACHE_WBWA, SHARE_INNER) } else { (0, SHARE_OUTER) }
}

impl SmmuV2 {
    /// The stores that set a domain's bank up; none if it is set up already.
    // 6.12 arm-smmu.c, arm_smmu_write_context_bank. TCR goes before the TTBRs: it decides how they
    // are read. About 4.5, arm_smmu_init_context_bank writes the TTBRs first.
    pub(super) fn write_bank(&self, shape: &Shape, live: &mut Live) -> Vec<Work> {
        if core::mem::replace(&mut live.written, true) {
            return Vec::new();
        }
        let bank = usize::from(live.bank);
        let features = &self.features;
        let stage = shape.stage();
        let tagged = features.tagged(stage, bank);
        let mut acts = Vec::with_capacity(10);
        let mut store = |at, value| acts.push(Work::Store { at, value });
        if self.has_cba2r() {
            store(features.gr1(gr1::CBA2R, bank), cba2r(features, tagged));
        }
        store(features.gr1(gr1::CBAR, bank), cbar(features, tagged, live.interrupt));
        let root = live.paging.root().get();
        match shape {
            Shape::Short(_) => self.write_short(tagged, root, &mut acts),
            Shape::Long(geometry) if stage == Stage::One => {
                self.write_stage1(tagged, geometry, root, &mut acts);
            }
            Shape::Long(geometry) => {
                let value = vtcr(features, geometry);
                let control = Work::Store { at: features.cb(bank, cb::TCR), value };
                let base = Work::StoreWide { at: features.cb(bank, cb::TTBR0), value: root };
                self.in_order([None, Some(control)], [base], &mut acts);
            }
        }
        let at = features.cb(bank, cb::SCTLR);
        acts.push(Work::Store { at, value: sctlr(stage, self.faults) });
        acts
    }

    /// Puts the stores of TCR2, TCR and the TTBRs in the kernel's order.
    fn in_order<const N: usize>(
        &self,
        [tcr2, tcr]: [Option<Work>; 2],
        bases: [Work; N],
        acts: &mut Vec<Work>,
    ) {
        match self.asids {
            Smmu2Asids::EightBits => acts.extend(bases.into_iter().chain(tcr).chain(tcr2)),
            Smmu2Asids::SixteenBits => acts.extend(tcr2.into_iter().chain(tcr).chain(bases)),
        }
    }

    fn write_stage1(&self, tagged: Tagged, geometry: &Geometry, root: u64, acts: &mut Vec<Work>) {
        let (features, bank) = (&self.features, tagged.bank);
        let format = features.format(Stage::One);
        let at = |register| features.cb(bank, register);
        let wide = format == Format::Aarch64 && self.asids == Smmu2Asids::SixteenBits;
        let value = tcr2(geometry) | CbTcr2::AS.flag(wide);
        let tcr2 = Work::Store { at: at(cb::TCR2), value };
        let asid = CbTtbr::ASID.of(tagged.asid);
        let controls = [
            (features.version == SmmuVersion::V2).then_some(tcr2),
            Some(Work::Store { at: at(cb::TCR), value: tcr(features, geometry) }),
        ];
        let bases = [
            Work::StoreWide { at: at(cb::TTBR0), value: asid | root },
            Work::StoreWide { at: at(cb::TTBR1), value: asid },
        ];
        self.in_order(controls, bases, acts);
        acts.extend([
            Work::Store { at: at(cb::S1_MAIR0), value: codes::mair(self.attributes).into() },
            Work::Store { at: at(cb::S1_MAIR1), value: 0 },
        ]);
    }

    /// The stores to a bank with short descriptors.
    // 6.12 io-pgtable-arm-v7s.c, arm_v7s_alloc_pgtable: TTBCR is 0, so that TTBR0 translates all.
    fn write_short(&self, tagged: Tagged, root: u64, acts: &mut Vec<Work>) {
        let (features, bank) = (&self.features, tagged.bank);
        let at = |register| features.cb(bank, register);
        if features.version == SmmuVersion::V2 {
            acts.push(Work::Store { at: at(cb::TCR2), value: 0 });
        }
        let walks = match features.cached_walks {
            true => {
                CbTtbrShort::NOS.of(1)
                    | CbTtbrShort::IRGN_WBWA.of(1)
                    | CbTtbrShort::ORGN.of(CACHE_WBWA)
            }
            false => 0,
        };
        acts.extend(
            [
                (cb::TCR, 0),
                (cb::CONTEXTIDR, tagged.asid),
                (cb::TTBR0, root | CbTtbrShort::S.of(1) | walks),
                (cb::TTBR1, 0),
                (cb::S1_MAIR0, V7S_PRRR),
                (cb::S1_MAIR1, V7S_NMRR),
            ]
            .map(|(register, value)| Work::Store { at: at(register), value }),
        );
    }

    /// Whether the driver writes CBA2R.
    // 4.6 supports SMMUv1 and SMMUv2; 4.7 added the supplement to SMMUv1 that has CBA2R.
    fn has_cba2r(&self) -> bool {
        match self.features.version {
            SmmuVersion::V1 => false,
            SmmuVersion::V1With64K => self.contexts == Smmu1Contexts::ByFormat,
            SmmuVersion::V2 => true,
        }
    }
}

fn cba2r(features: &Features, tagged: Tagged) -> u64 {
    let vmid = if features.vmid16 { tagged.vmid } else { 0 };
    Cba2r::VA64.flag(features.format(tagged.stage) == Format::Aarch64) | Cba2r::VMID16.of(vmid)
}

fn cbar(features: &Features, tagged: Tagged, interrupt: u32) -> u64 {
    let interrupt = match features.version {
        SmmuVersion::V2 => 0,
        SmmuVersion::V1 | SmmuVersion::V1With64K => Cbar::IRPTNDX.of(interrupt.into()),
    };
    interrupt
        | match tagged.stage {
            Stage::One => {
                Cbar::TYPE.of(CBAR_TYPE_S1_TRANS_S2_BYPASS)
                    | Cbar::S1_BPSHCFG.of(CBAR_S1_BPSHCFG_NSH)
                    | Cbar::S1_MEMATTR.of(CBAR_S1_MEMATTR_WB)
            }
            Stage::Two => {
                let vmid = if features.vmid16 { 0 } else { tagged.vmid };
                Cbar::TYPE.of(CBAR_TYPE_S2_TRANS) | Cbar::VMID.of(vmid)
            }
        }
}

fn tcr2(geometry: &Geometry) -> u64 {
    CbTcr2::PASIZE.of(codes::size(geometry.output_bits))
        | CbTcr2::SEP.of(ARM_SMMU_TCR2_SEP_UPSTREAM)
}

/// TCR of stage 1. An AArch32 context has three bits of T0SZ where the driver writes 64 less the
/// input size in six: for 32 input bits both encode the same size.
fn tcr(features: &Features, geometry: &Geometry) -> u64 {
    let long = features.format(Stage::One) == Format::Aarch32Long;
    let (cache, share) = walks(features);
    CbTcr::T0SZ.of(u64::from(64 - geometry.input_bits))
        | CbTcr::IRGN0.of(cache)
        | CbTcr::ORGN0.of(cache)
        | CbTcr::SH0.of(share)
        | CbTcr::TG0.of(codes::granule(geometry.granule))
        | CbTcr::EPD1.of(1)
        | if long { ARM_32_LPAE_TCR_EAE } else { 0 }
}

/// TCR of stage 2. An AArch32 context reads the low four bits of T0SZ as a signed number and counts
/// from 32: for 40 input bits both encode the same size.
fn vtcr(features: &Features, geometry: &Geometry) -> u64 {
    let (cache, share) = walks(features);
    ARM_SMMU_VTCR_RES1
        | CbVtcr::T0SZ.of(u64::from(64 - geometry.input_bits))
        | CbVtcr::SL0.of(codes::start_level(geometry))
        | CbVtcr::IRGN0.of(cache)
        | CbVtcr::ORGN0.of(cache)
        | CbVtcr::SH0.of(share)
        | CbVtcr::TG0.of(codes::granule(geometry.granule))
        | CbVtcr::PS.of(codes::size(geometry.output_bits))
}

fn sctlr(stage: Stage, faults: Smmu2Faults) -> u64 {
    CbSctlr::CFIE.of(1)
        | CbSctlr::CFRE.of(1)
        | CbSctlr::AFE.of(1)
        | CbSctlr::TRE.of(1)
        | CbSctlr::M.of(1)
        | CbSctlr::CFCFG.flag(faults == Smmu2Faults::Stall)
        | CbSctlr::S1_ASIDPNE.flag(stage == Stage::One)
}
