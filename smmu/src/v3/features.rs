//! Decodes the features of an SMMU from its ID registers. IHI 0070 G.b 6.3.1 to 6.3.8.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `capability` | which features are modelled, and why are the others not? |
//! | `description` | which ID registers does a set of features have, and is it consistent? |

mod capability;
mod description;

pub use capability::{CAPABILITIES, Capability, Support};
pub use description::{Contradiction, Description};

use crate::v3::regs::label_bits;
use crate::v3::wire::regs::{Aidr, Idr0, Idr1, Idr3, Idr5, Mpamidr};
use passim_model::pgtable::vmsav8::Granule;

/// The values of the ID registers.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct IdRegisters {
    /// SMMU_IDR0 to SMMU_IDR5.
    pub idr: [u32; 6],
    /// SMMU_IIDR.
    pub iidr: u32,
    /// SMMU_AIDR.
    pub aidr: u32,
    /// SMMU_MPAMIDR; applies with IDR3.MPAM.
    pub mpamidr: u32,
}

/// IDR0.STALL_MODEL. IHI 0070 G.b 6.3.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StallModel {
    /// Stall and terminate.
    Both,
    /// Terminate only.
    TerminateOnly,
    /// Stall only.
    Forced,
}

/// IDR0.TTENDIAN. IHI 0070 G.b 6.3.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TableEndian {
    /// Either, as configured.
    Mixed,
    /// Little only.
    Little,
    /// Big only.
    Big,
}

/// IDR0.HTTU. IHI 0070 G.b 6.3.1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum FlagUpdate {
    /// None.
    None,
    /// Access flag.
    Access,
    /// Access flag and dirty state.
    Dirty,
    /// Access flag also of table descriptors.
    Tables,
}

/// The features of an SMMU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Features {
    pub(crate) stage1: bool,
    pub(crate) stage2: bool,
    pub(crate) aarch32_tables: bool,
    pub(crate) aarch64_tables: bool,
    pub(crate) flag_update: FlagUpdate,
    pub(crate) hyp: bool,
    pub(crate) ats: bool,
    /// CR2.REC_CFG_ATS exists.
    pub(crate) ats_errors: bool,
    pub(crate) ns1ats: bool,
    pub(crate) asid16: bool,
    pub(crate) vmid16: bool,
    pub(crate) msi: bool,
    pub(crate) sev: bool,
    pub(crate) pri: bool,
    pub(crate) vmw: bool,
    pub(crate) two_level_cd: bool,
    pub(crate) two_level_stream: bool,
    pub(crate) table_endian: TableEndian,
    pub(crate) stall_model: StallModel,
    /// TERM_MODEL = 1: termination is always an abort.
    pub(crate) abort_only: bool,
    pub(crate) stream_bits: u32,
    pub(crate) substream_bits: u32,
    pub(crate) event_queue_lg2: u32,
    pub(crate) command_queue_lg2: u32,
    pub(crate) pri_queue_lg2: u32,
    pub(crate) override_perms: bool,
    pub(crate) override_types: bool,
    pub(crate) hierarchical_disable: bool,
    pub(crate) small_tables: bool,
    pub(crate) range_invalidation: bool,
    /// What a change of block size without break leads to. IHI 0070 G.b 3.21.1.
    pub(crate) bbm_level: u32,
    pub(crate) e0pd: bool,
    pub(crate) epan: bool,
    pub(crate) mpam: bool,
    /// The largest PARTID and PMG.
    pub(crate) partid_max: u16,
    pub(crate) pmg_max: u8,
    /// The bits of GMPAM that exist.
    pub(crate) mpam_labels: u32,
    /// Virtual machine structures exist. IHI 0070 G.b 5.6.1.
    pub(crate) vms: bool,
    pub(crate) dpt: bool,
    pub(crate) force_write_back: bool,
    /// Responses to page requests carry the PASID of the request, whatever STE.PPAR is.
    pub(crate) pasid_in_responses: bool,
    /// Translated transactions may carry a PASID.
    pub(crate) pasid_translated: bool,
    /// 52-bit descriptors of the 4K and 16K granules.
    pub(crate) ds: bool,
    /// XN\[1:0\] of stage 2 distinguishes privileges.
    pub(crate) xnx: bool,
    /// NoTagAccess in MemAttr of stage 2.
    pub(crate) tag_permissions: bool,
    /// Stalled transactions that can be recorded at a time.
    pub(crate) stall_max: u32,
    /// Output address bits.
    pub(crate) oas: u32,
    pub(crate) granules: [bool; 3],
    /// Virtual addresses of 52 bits, with the 64K granule or DS.
    pub(crate) large_va: bool,
    /// v3.x.
    pub(crate) minor: u32,
}

/// The address size of a three-bit OAS, IPS or PS field. IHI 0070 G.b 6.3.6, 5.2, 5.4. The callers
/// clip 56 bits, which only 128-bit descriptors can have, to 52.
pub(crate) const fn address_bits(field: u64) -> u32 {
    match field & 7 {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        5 => 48,
        6 => 52,
        _ => 56,
    }
}

impl Features {
    /// Decodes the ID registers.
    pub(crate) fn of(ids: &IdRegisters) -> Self {
        let [idr0, idr1, _, idr3, _, idr5] = ids.idr.map(u64::from);
        let tables = Idr0::TTF.get(idr0);
        Self {
            stage1: Idr0::S1P.is_set(idr0),
            stage2: Idr0::S2P.is_set(idr0),
            aarch32_tables: tables & 1 != 0,
            aarch64_tables: tables & 2 != 0,
            flag_update: match Idr0::HTTU.get(idr0) {
                0 => FlagUpdate::None,
                1 => FlagUpdate::Access,
                2 => FlagUpdate::Dirty,
                _ => FlagUpdate::Tables,
            },
            hyp: Idr0::HYP.is_set(idr0),
            ats: Idr0::ATS.is_set(idr0),
            ats_errors: Idr0::ATSRECERR.is_set(idr0),
            ns1ats: Idr0::NS1ATS.is_set(idr0),
            asid16: Idr0::ASID16.is_set(idr0),
            vmid16: Idr0::VMID16.is_set(idr0),
            msi: Idr0::MSI.is_set(idr0),
            sev: Idr0::SEV.is_set(idr0),
            pri: Idr0::PRI.is_set(idr0),
            vmw: Idr0::VMW.is_set(idr0),
            two_level_cd: Idr0::CD2L.is_set(idr0),
            two_level_stream: Idr0::ST_LEVEL.get(idr0) == 1,
            table_endian: match Idr0::TTENDIAN.get(idr0) {
                2 => TableEndian::Little,
                3 => TableEndian::Big,
                _ => TableEndian::Mixed,
            },
            stall_model: match Idr0::STALL_MODEL.get(idr0) {
                0 => StallModel::Both,
                2 => StallModel::Forced,
                _ => StallModel::TerminateOnly,
            },
            abort_only: Idr0::TERM_MODEL.is_set(idr0),
            stream_bits: (Idr1::SIDSIZE.get(idr1) as u32).min(32),
            substream_bits: (Idr1::SSIDSIZE.get(idr1) as u32).min(20),
            event_queue_lg2: (Idr1::EVENTQS.get(idr1) as u32).min(19),
            command_queue_lg2: (Idr1::CMDQS.get(idr1) as u32).min(19),
            pri_queue_lg2: (Idr1::PRIQS.get(idr1) as u32).min(19),
            override_perms: Idr1::ATTR_PERMS_OVR.is_set(idr1),
            override_types: Idr1::ATTR_TYPES_OVR.is_set(idr1),
            hierarchical_disable: Idr3::HAD.is_set(idr3),
            small_tables: Idr3::STT.is_set(idr3),
            range_invalidation: Idr3::RIL.is_set(idr3),
            bbm_level: Idr3::BBML.get(idr3) as u32,
            e0pd: Idr3::E0PD.is_set(idr3),
            epan: Idr3::EPAN.is_set(idr3),
            mpam: Idr3::MPAM.is_set(idr3),
            partid_max: Mpamidr::PARTID_MAX.get(u64::from(ids.mpamidr)) as u16,
            pmg_max: Mpamidr::PMG_MAX.get(u64::from(ids.mpamidr)) as u8,
            mpam_labels: label_bits(u64::from(ids.mpamidr)),
            vms: ids.has_vms(),
            dpt: Idr3::DPT.is_set(idr3),
            force_write_back: Idr3::FWB.is_set(idr3),
            pasid_in_responses: Idr3::PPS.is_set(idr3),
            pasid_translated: Idr3::PASIDTT.is_set(idr3),
            ds: Idr5::DS.is_set(idr5),
            xnx: Idr3::XNX.is_set(idr3),
            tag_permissions: Idr3::MTEPERM.is_set(idr3),
            stall_max: Idr5::STALL_MAX.get(idr5) as u32,
            oas: address_bits(Idr5::OAS.get(idr5)).min(52),
            granules: [Idr5::GRAN4K, Idr5::GRAN16K, Idr5::GRAN64K].map(|bit| bit.is_set(idr5)),
            large_va: Idr5::VAX.get(idr5) != 0,
            minor: Aidr::ARCH_MINOR_REV.get(u64::from(ids.aidr)) as u32,
        }
    }

    /// Whether tables of this granule are walked.
    pub(crate) const fn has(&self, granule: Granule) -> bool {
        match granule {
            Granule::K4 => self.granules[0],
            Granule::K16 => self.granules[1],
            Granule::K64 => self.granules[2],
        }
    }

    /// log2 of the smallest translation unit of ATS. IHI 0070 G.b 3.9.1: the smallest granule in
    /// IDR5, which software programs into devices; AArch32 tables alone have pages of 4K.
    pub(crate) fn translation_unit_lg2(&self) -> u32 {
        let smallest = Granule::ALL.into_iter().find(|&granule| self.has(granule));
        smallest.unwrap_or(Granule::K4).lg2()
    }

    /// Intermediate address bits. IHI 0070 G.b 3.4: 40 at least where AArch32 tables exist.
    pub(crate) const fn ias(&self) -> u32 {
        if self.aarch32_tables && self.oas < 40 { 40 } else { self.oas }
    }

    /// `address` truncated to the output address size.
    pub(crate) const fn truncate(&self, address: u64) -> u64 {
        address & !(u64::MAX << self.oas)
    }

    /// Whether `address` lies inside the output address size.
    pub(crate) const fn in_oas(&self, address: u64) -> bool {
        address >> self.oas == 0
    }
}

/// A feature that the ID registers promise and this model lacks. Values are those of the field,
/// shifted down to bit 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Unmodelled {
    /// The field of the ID registers.
    pub field: &'static str,
    /// The largest value that is modelled.
    pub modelled: u32,
    /// The value found.
    pub found: u32,
}

impl IdRegisters {
    /// Whether virtual machine structures exist. IHI 0070 G.b 5.6: with both stages, and more
    /// than one PARTID to map.
    fn has_vms(&self) -> bool {
        let [idr0, idr3] = [self.idr[0], self.idr[3]].map(u64::from);
        let stages = Idr0::S1P.is_set(idr0) && Idr0::S2P.is_set(idr0);
        let partids = Mpamidr::PARTID_MAX.get(u64::from(self.mpamidr)) != 0;
        Idr3::MPAM.is_set(idr3) && stages && partids
    }

    /// The promised features that this model lacks: what depends on them behaves as if the field
    /// had its modelled value, except that software may turn it on.
    pub fn unmodelled(&self) -> Vec<Unmodelled> {
        let beyond =
            CAPABILITIES.iter().filter(|capability| capability.value(self) > capability.most());
        beyond
            .map(|capability| Unmodelled {
                field: capability.field,
                modelled: capability.most(),
                found: capability.value(self),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
