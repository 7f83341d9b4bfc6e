//! What the identification registers say, as Linux reads them.
//!
//! Nothing is stored here but what has to be tried: bring-up is `reset`'s.

use super::makers::Workarounds;
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

/// How tables are spelled.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Format {
    /// AArch64.
    Aarch64,
    /// AArch32, long descriptors: the same as AArch64 with 4K, in less address space.
    Aarch32Long,
    /// AArch32, short descriptors. Stage 1 alone has them.
    Aarch32Short,
}

/// How streams find their entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StreamMapping {
    /// They are matched with a mask.
    Matched,
    /// The StreamID is the entry's index.
    Indexed,
}

/// What one SMMU can do and Linux makes use of.
#[derive(Clone, Debug)]
pub(super) struct Features {
    pub(super) version: SmmuVersion,
    /// ID7.MAJOR, where it matters.
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
    /// How many of the banks, the first ones, have stage 2 only.
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
    /// The form contexts have, but for those of stage 1 that have short descriptors.
    pub(super) format: Format,
    /// Whether contexts of stage 1 have short descriptors.
    pub(super) short: bool,
    /// Whether it says itself where addresses lead at stage 1: ARM_SMMU_FEAT_TRANS_OPS.
    pub(super) translation_operations: bool,
    /// Whether invalidations of AArch64 contexts take operands of 64 bits.
    // 4.6 arm-smmu.c, arm_smmu_tlb_inv_range_nosync: not of an SMMUv1, whatever its tables are.
    pub(super) wide_operands: bool,
    /// Sizes blocks could have, over all formats: Linux's `pgsize_bitmap` of the SMMU.
    pub(super) page_sizes: PageSizes,
    /// Where tables of stage 2 start.
    pub(super) roots: Stage2Roots,
    /// When invalidations are waited for.
    pub(super) unmap_sync: UnmapSync,
    /// Whether table walks are coherent.
    // From 4.8 on firmware says so, and ID0.CTTW is only printed. Before, nothing depends on it.
    pub(super) coherent: bool,
    /// Whether table walks are told to go through the caches.
    pub(super) cached_walks: bool,
    /// ASIDs and VMIDs that others of the same maker have.
    pub(super) tag_base: u16,
    /// Which of them a context has.
    pub(super) tags: Smmu2Tags,
    /// Whether registers that the Secure state has, too, are elsewhere.
    pub(super) secure_access: bool,
    /// Whom synchronisations wait for.
    pub(super) sync: Smmu2Sync,
}

impl Features {
    /// The form contexts of a stage have.
    pub(super) fn format(&self, stage: Stage) -> Format {
        if self.short && stage == Stage::One { Format::Aarch32Short } else { self.format }
    }

    /// The context of a stage in a bank, and whose its translations are.
    // 4.6 arm-smmu.c: ASID and VMID follow from the bank each time they are needed. From 4.12 on,
    // arm_smmu_init_domain_context gives a context one number, which lies where both are looked
    // for; whether it is an ASID or a VMID is asked of the SMMU's stages, so that a domain for
    // nesting has what would be an ASID.
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

/// How streams find their entry, and how many entries there are.
fn entries(id0: u64, stream_bits: u32) -> Result<(StreamMapping, usize), BootError> {
    if !Id0::SMS.is_set(id0) {
        return Ok((StreamMapping::Indexed, 1 << stream_bits));
    }
    match Id0::NUMSMRG.get(id0) as usize {
        0 => Err(BootError::NoStreamEntries),
        groups => Ok((StreamMapping::Matched, groups)),
    }
}

/// Reads the identification registers of the SMMU. Which mask bits its stream match registers have
/// is tried here only by a driver that does not know of extended StreamIDs.
// arm-smmu.c of 4.6 and 6.12, arm_smmu_device_cfg_probe: ID0, ID1, ID2, then ID7 by the reset of
// an MMU-500.
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

/// Whether the SMMU says where addresses lead at stage 1. Before SMMUv2 whoever has stage 1 does.
fn has_operations(version: SmmuVersion, id0: u64) -> bool {
    Id0::S1TS.is_set(id0) && (version != SmmuVersion::V2 || !Id0::ATOSNS.is_set(id0))
}

/// Whether contexts have VMIDs of 16 bits.
fn has_wide_vmids(version: SmmuVersion, policy: &Policy, id2: u64) -> bool {
    let known = policy.smmu2_vmids == Smmu2Vmids::SixteenBits;
    known && version == SmmuVersion::V2 && Id2::VMID16.is_set(id2)
}

/// The fields that tell of AArch64 tables.
const AARCH64_FIELDS: u64 = Id2::PTFS_4K.mask() | Id2::PTFS_16K.mask() | Id2::PTFS_64K.mask();

/// The form of contexts.
struct Formats {
    format: Format,
    short: bool,
    /// The sizes of blocks in any form the SMMU has.
    sizes: PageSizes,
}

/// The form of contexts, by what the SMMU has and what the kernel is.
// arm-smmu.c of 6.12, arm_smmu_init_domain_context: a 64-bit kernel takes AArch64 wherever there is
// any of it, and takes it for granted that it does what AArch32 does. So an MMU-401, which has
// AArch64 for the sake of 64K, walks AArch64 tables of 4K. A 32-bit kernel takes it only where
// there is nothing else.
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

/// The codes of address sizes; Linux takes the others for 48.
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
    /// What is tried of stream match registers before the reset.
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

    /// Tries which bits of StreamID and mask the stream match registers have, with the first of
    /// them, which is not valid meanwhile. It keeps what was stored.
    // 6.12 arm-smmu.c, arm_smmu_test_smr_masks: the first that is not in use, and at the start none
    // is. Each by itself: where a mask bit is set, the bit of the StreamID need not be kept. With
    // EXIDENABLE the mask has a bit more, so that comes before.
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

    /// Whatever bit is compared must be maskable, though no mask is ever used.
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
