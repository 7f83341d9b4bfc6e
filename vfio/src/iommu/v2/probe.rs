//! The identification registers, as Linux reads them.
//!
//! Not here: bring-up (`reset`). The only stores here probe which bits a register implements.

use super::quirks::Workarounds;
use super::tlbi::Tagged;
use super::wire::{Id0, Id1, Id2, Id7, Smr, gr0};
use crate::iommu::BootError;
use crate::iommu::facts::{SmmuV2Facts, SmmuVersion};
use crate::iommu::registers::Registers;
use crate::policy::{
    Policy, Smmu1Contexts, Smmu2Entries, Smmu2ExtendedIds, Smmu2Formats, Smmu2Sync, Smmu2Tags,
    Smmu2Vmids, Stage2Roots, UnmapSync, WalkAttributes,
};
use passim_model::pgtable::vmsav8::Stage;
use passim_model::{Host, PageSizes};

/// A table format.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Format {
    /// AArch64.
    Aarch64,
    /// AArch32, long descriptors: as AArch64 with 4K, with smaller addresses.
    Aarch32Long,
    /// AArch32, short descriptors. Only stage 1 has them.
    Aarch32Short,
}

/// How a stream selects its entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StreamMapping {
    /// By a match under a mask.
    Matched,
    /// The StreamID is the entry's index.
    Indexed,
}

/// The features of one SMMU that Linux uses.
#[derive(Clone, Debug)]
pub(super) struct Features {
    pub(super) version: SmmuVersion,
    /// ID7.MAJOR, of an MMU-500.
    pub(super) major: u64,
    pub(super) stage1: bool,
    pub(super) stage2: bool,
    pub(super) vmid16: bool,
    pub(super) extended_ids: bool,
    pub(super) mapping: StreamMapping,
    /// Stream mapping entries.
    pub(super) groups: usize,
    /// The bits of a StreamID.
    pub(super) stream_mask: u32,
    /// The bits of a mask that can be set.
    pub(super) smr_mask: u32,
    pub(super) banks: usize,
    /// Number of banks with stage 2 only, which come first.
    pub(super) stage2_banks: usize,
    /// log2 of a register page.
    pub(super) page_lg2: u32,
    /// Pages of the global space.
    pub(super) pages: u64,
    /// Input size of stage 1 in bits.
    pub(super) va_bits: u32,
    /// Input size of stage 2, and output size of stage 1, in bits.
    pub(super) ipa_bits: u32,
    /// Output size of stage 2 in bits.
    pub(super) pa_bits: u32,
    /// The format of contexts, except those of stage 1 with short descriptors.
    pub(super) format: Format,
    /// Whether contexts of stage 1 have short descriptors.
    pub(super) short: bool,
    /// Whether it has address translation operations for stage 1: ARM_SMMU_FEAT_TRANS_OPS.
    pub(super) translation_operations: bool,
    /// Whether invalidations of AArch64 contexts take operands of 64 bits.
    // 4.6 arm-smmu.c, arm_smmu_tlb_inv_range_nosync: not of an SMMUv1, whatever its tables are.
    pub(super) wide_operands: bool,
    /// Block sizes of all formats together: Linux's `pgsize_bitmap` of the SMMU.
    pub(super) page_sizes: PageSizes,
    /// The start level of stage 2 tables.
    pub(super) roots: Stage2Roots,
    /// When an unmap waits for its invalidations.
    pub(super) unmap_sync: UnmapSync,
    /// Whether table walks are coherent.
    // From 4.8 on firmware decides, and ID0.CTTW is only printed. Before, nothing depends on it.
    pub(super) coherent: bool,
    /// Whether table walks are configured as cacheable.
    pub(super) cached_walks: bool,
    /// Number of ASIDs and VMIDs that other SMMUs of its maker use.
    pub(super) tag_base: u16,
    /// How a context's ASID and VMID are computed.
    pub(super) tags: Smmu2Tags,
    /// Whether registers banked by security state are at another offset.
    pub(super) secure_access: bool,
    /// Which invalidations a synchronisation waits for.
    pub(super) sync: Smmu2Sync,
}

impl Features {
    /// The context format of a stage.
    pub(super) fn format(&self, stage: Stage) -> Format {
        if self.short && stage == Stage::One { Format::Aarch32Short } else { self.format }
    }

    /// The tags of a stage's translations in a bank.
    // 4.6 arm-smmu.c: ASID and VMID are computed from the bank each time. From 4.12 on,
    // arm_smmu_init_domain_context stores one number, which serves as either; the SMMU's stages
    // decide whether it is computed as an ASID or a VMID, so that a domain for nesting has what
    // would be an ASID.
    pub(super) const fn tagged(&self, stage: Stage, bank: usize) -> Tagged {
        let number = self.tag_base as u64 + bank as u64;
        let (asid, vmid) = match self.tags {
            Smmu2Tags::Both => (number, number + 1),
            Smmu2Tags::One if self.stage1 => (number, number),
            Smmu2Tags::One => (number + 1, number + 1),
        };
        Tagged { stage, bank, asid, vmid }
    }

    /// Offset of a register of space 0.
    // arm-smmu-impl.c, arm_smmu_gr0_ns.
    pub(super) const fn gr0(&self, register: u64) -> u64 {
        match register {
            gr0::CR0 | gr0::ACR | gr0::GFSR | gr0::GFSYNR0 | gr0::GFSYNR1 if self.secure_access => {
                register + 0x400
            }
            _ => register,
        }
    }

    /// Offset of the register of space 1 that belongs to this bank.
    pub(super) const fn gr1(&self, register: u64, bank: usize) -> u64 {
        (1 << self.page_lg2) + register + 4 * bank as u64
    }

    /// Offset of a register of a context bank.
    pub(super) const fn cb(&self, bank: usize, register: u64) -> u64 {
        ((self.pages + bank as u64) << self.page_lg2) + register
    }
}

/// How a stream selects its entry, and the number of entries.
fn entries(id0: u64, stream_bits: u32) -> Result<(StreamMapping, usize), BootError> {
    if !Id0::SMS.is_set(id0) {
        return Ok((StreamMapping::Indexed, 1 << stream_bits));
    }
    match Id0::NUMSMRG.get(id0) as usize {
        0 => Err(BootError::NoStreamEntries),
        groups => Ok((StreamMapping::Matched, groups)),
    }
}

/// Reads the identification registers of the SMMU. A driver without extended StreamIDs also probes
/// the mask bits of the stream match registers here.
// arm-smmu.c of 4.6 and 6.12, arm_smmu_device_cfg_probe: ID0, ID1, ID2, then ID7 in the reset of an
// MMU-500.
pub(super) fn probe(
    registers: Registers,
    facts: &SmmuV2Facts,
    policy: &Policy,
    tag_base: u16,
    host: &mut impl Host,
) -> Result<Features, BootError> {
    let (version, workarounds) = (facts.version, Workarounds::of(facts, policy));
    let id0 = registers.load(gr0::ID0, host)?;
    let (stage1, stage2) = (Id0::S1TS.is_set(id0), Id0::S2TS.is_set(id0));
    if !stage1 && !stage2 {
        return Err(BootError::NoTranslation);
    }
    let extended_ids =
        Id0::EXIDS.is_set(id0) && policy.smmu2_extended_ids == Smmu2ExtendedIds::Used;
    let stream_bits = if extended_ids { 16 } else { Id0::NUMSIDB.get(id0) as u32 };
    let stream_mask = (1u32 << stream_bits) - 1;
    let (mapping, groups) = entries(id0, stream_bits)?;
    let id1 = registers.load(gr0::ID1, host)?;
    let (banks, stage2_banks) = (Id1::NUMCB.get(id1) as usize, Id1::NUMS2CB.get(id1) as usize);
    if stage2_banks > banks {
        return Err(BootError::NoContextBanks);
    }
    let id2 = registers.load(gr0::ID2, host)?;
    let major = match workarounds.no_prefetch {
        true => Id7::MAJOR.get(registers.load(gr0::ID7, host)?),
        false => 0,
    };
    let hidden = if workarounds.halves { AARCH64_FIELDS } else { 0 };
    let formats = formats(version, policy, id0, id2 & !hidden).ok_or(BootError::NoGranule)?;
    let ipa_bits = size_bits(Id2::IAS.get(id2));
    let mut features = Features {
        version,
        major,
        stage1,
        stage2,
        vmid16: has_wide_vmids(version, policy, id2),
        extended_ids,
        mapping,
        groups,
        stream_mask,
        smr_mask: 0,
        banks,
        stage2_banks,
        page_lg2: if Id1::PAGESIZE.is_set(id1) { 16 } else { 12 },
        pages: 2 << Id1::NUMPAGENDXB.get(id1),
        va_bits: match version {
            SmmuVersion::V2 => size_bits(Id2::UBS.get(id2)),
            SmmuVersion::V1 | SmmuVersion::V1With64K => ipa_bits,
        },
        ipa_bits,
        pa_bits: size_bits(Id2::OAS.get(id2)),
        format: formats.format,
        short: formats.short,
        translation_operations: has_operations(version, id0),
        wide_operands: version == SmmuVersion::V2
            || policy.smmu1_contexts == Smmu1Contexts::ByFormat,
        page_sizes: formats.sizes,
        roots: policy.stage2_roots,
        unmap_sync: policy.unmap_sync,
        coherent: facts.coherent,
        cached_walks: facts.coherent || policy.walk_attributes == WalkAttributes::Cached,
        tag_base: if workarounds.tags_apart { tag_base } else { 0 },
        tags: policy.smmu2_tags,
        secure_access: workarounds.secure_access,
        sync: policy.smmu2_sync,
    };
    features.try_masks_at_probe(registers, policy, host)?;
    Ok(features)
}

/// Whether the SMMU has address translation operations for stage 1. Before SMMUv2 every SMMU with
/// stage 1 has them.
fn has_operations(version: SmmuVersion, id0: u64) -> bool {
    Id0::S1TS.is_set(id0) && (version != SmmuVersion::V2 || !Id0::ATOSNS.is_set(id0))
}

/// Whether contexts have VMIDs of 16 bits.
fn has_wide_vmids(version: SmmuVersion, policy: &Policy, id2: u64) -> bool {
    let known = policy.smmu2_vmids == Smmu2Vmids::SixteenBits;
    known && version == SmmuVersion::V2 && Id2::VMID16.is_set(id2)
}

/// The fields that report AArch64 tables.
const AARCH64_FIELDS: u64 = Id2::PTFS_4K.mask() | Id2::PTFS_16K.mask() | Id2::PTFS_64K.mask();

/// The context format.
struct Formats {
    format: Format,
    short: bool,
    /// The block sizes of every format the SMMU has.
    sizes: PageSizes,
}

/// The context format, by the SMMU's features and the kernel's width.
// arm-smmu.c of 6.12, arm_smmu_init_domain_context: a 64-bit kernel uses AArch64 if the SMMU has
// any AArch64 granule, and assumes that it has AArch32's granules too. So an MMU-401, which has
// AArch64 for 64K only, walks AArch64 tables of 4K. A 32-bit kernel uses AArch64 only where there
// is no AArch32.
fn formats(version: SmmuVersion, policy: &Policy, id0: u64, id2: u64) -> Option<Formats> {
    const WITH_4K: u64 = 1 << 12 | 1 << 21 | 1 << 30;
    const WITH_16K: u64 = 1 << 14 | 1 << 25;
    const WITH_64K: u64 = 1 << 16 | 1 << 29;
    const SHORT: u64 = 1 << 12 | 1 << 16 | 1 << 20 | 1 << 24;
    let v2 = version == SmmuVersion::V2;
    if !v2 && policy.smmu1_contexts == Smmu1Contexts::Aarch32 {
        let sizes = PageSizes::from_bits(WITH_4K);
        return Some(Formats { format: Format::Aarch64, short: false, sizes });
    }
    let long = !v2 || !Id0::PTFS_NO_AARCH32.is_set(id0);
    let short = long && !Id0::PTFS_NO_AARCH32S.is_set(id0);
    let aarch64 = |field: passim_model::bits::Field| v2 && field.is_set(id2);
    let k4 = aarch64(Id2::PTFS_4K);
    let k16 = aarch64(Id2::PTFS_16K);
    let k64 = aarch64(Id2::PTFS_64K) || version == SmmuVersion::V1With64K;
    let bits = [(short, SHORT), (long || k4, WITH_4K), (k16, WITH_16K), (k64, WITH_64K)];
    let bits = bits.into_iter().filter(|(there, _)| *there).fold(0, |all, (_, sizes)| all | sizes);
    let kernel = policy.smmu2_formats;
    let format = match (k4 || k16 || k64, long) {
        (true, true) if kernel != Smmu2Formats::Aarch64 => Format::Aarch32Long,
        (true, _) => Format::Aarch64,
        (false, true) => Format::Aarch32Long,
        (false, false) => return None,
    };
    let short = short && kernel == Smmu2Formats::Aarch32Short;
    Some(Formats { format, short, sizes: PageSizes::from_bits(bits) })
}

/// Address size encodings in bits; Linux reads the unassigned ones as 48.
fn size_bits(code: u64) -> u32 {
    match code {
        0 => 32,
        1 => 36,
        2 => 40,
        3 => 42,
        4 => 44,
        _ => 48,
    }
}

impl Features {
    /// Probes stream match registers before the reset.
    fn try_masks_at_probe(
        &mut self,
        registers: Registers,
        policy: &Policy,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        match (policy.smmu2_entries, policy.smmu2_extended_ids) {
            (Smmu2Entries::OfTheDomain, _) => self.demand_masks(registers, host),
            (_, Smmu2ExtendedIds::Unused) => self.try_masks(registers, host),
            (_, Smmu2ExtendedIds::Used) => Ok(()),
        }
    }

    /// Probes which bits of StreamID and mask the first stream match register implements. It is not
    /// valid meanwhile, and keeps the value stored.
    // 6.12 arm-smmu.c, arm_smmu_test_smr_masks: the first unused register, and at boot all are
    // unused. StreamID and mask are probed separately: where a mask bit is set, the bit of the
    // StreamID need not be kept. EXIDENABLE adds a mask bit, so it is set before.
    pub(super) fn try_masks(
        &mut self,
        registers: Registers,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        if self.mapping == StreamMapping::Indexed {
            return Ok(());
        }
        registers.store(gr0::SMR, self.stream_mask.into(), host)?;
        self.stream_mask = Smr::ID.get(registers.load(gr0::SMR, host)?) as u32;
        registers.store(gr0::SMR, u64::from(self.stream_mask) << Smr::MASK.low(), host)?;
        self.smr_mask = (registers.load(gr0::SMR, host)? >> Smr::MASK.low()) as u32;
        Ok(())
    }

    /// Fails unless every bit that is compared can be masked, even if no mask is ever used.
    // About 4.5 arm-smmu.c, arm_smmu_device_cfg_probe.
    fn demand_masks(
        &mut self,
        registers: Registers,
        host: &mut impl Host,
    ) -> Result<(), BootError> {
        if self.mapping == StreamMapping::Indexed {
            return Ok(());
        }
        registers.store(gr0::SMR, SMR_BITS << Smr::MASK.low() | SMR_BITS, host)?;
        let kept = registers.load(gr0::SMR, host)?;
        let [mask, ids] = [kept >> Smr::MASK.low(), kept].map(|bits| (bits & SMR_BITS) as u32);
        if mask & ids != ids {
            return Err(BootError::NarrowMasks { ids, mask });
        }
        Ok(())
    }
}

/// The bits of a StreamID, and of a mask, without extended StreamIDs.
const SMR_BITS: u64 = 0x7fff;
