//! The decoded configuration of an SMMU: everything that decides one translation.
//!
//! STE and CD (SMMUv3) or S2CR, CBAR and the context bank (SMMUv2) are checked and decoded into
//! these types, and translation reads nothing else. This room depends on no register and no layout.

use crate::attributes::{Attributes, Hints, Shareability};
use crate::tlb::SpaceId;
use passim_model::access::{Access, Perms, Privilege};
use passim_model::pgtable::vmsav7s;
use passim_model::pgtable::vmsav8::{Granule, Stage1Leaf, Stage2Leaf};
use passim_model::pgtable::walk;

/// The exception level whose translation regime a stream uses (StreamWorld). Part of every tag
/// in the TLB.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum World {
    /// Non-secure EL1: tagged with VMID and ASID.
    El1,
    /// Non-secure EL2: not tagged.
    El2,
    /// Non-secure EL2 with E2H: tagged with ASID.
    El2E2h,
}

/// Response to a terminated transaction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Response {
    /// Bus error.
    Abort,
    /// Reads return zero, writes are dropped, and both succeed.
    RazWi,
}

/// Whether a translation fault is reported to software.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Recording {
    /// An event is recorded.
    Recorded,
    /// Nothing is recorded.
    Suppressed,
}

/// Consequences of a translation fault at one stage (A, R of a CD; S2R of an STE).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OnFault {
    /// The response to the device.
    pub response: Response,
    /// Whether an event is recorded.
    pub recording: Recording,
    /// Whether the transaction stalls until software resumes it; the fault is then always recorded.
    pub stalls: bool,
}

impl OnFault {
    /// Abort and record: the consequence of every fault that no configuration bit governs.
    pub const ABORT_AND_RECORD: Self =
        Self { response: Response::Abort, recording: Recording::Recorded, stalls: false };
}

/// Byte order of translation table descriptors.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Endian {
    /// Least significant byte first, as memory is modelled.
    Little,
    /// Most significant byte first.
    Big,
}

impl Endian {
    /// The value, in this byte order, of a doubleword that loads from memory as `word`.
    pub(crate) const fn read(self, word: u64) -> u64 {
        match self {
            Self::Little => word,
            Self::Big => word.swap_bytes(),
        }
    }

    /// The value, in this byte order, of the word at `at`, whose doubleword loads as `word`.
    pub(crate) const fn read_short(self, word: u64, at: u64) -> u32 {
        let half = (word >> (u32::BITS * (at >> 2 & 1) as u32)) as u32;
        match self {
            Self::Little => half,
            Self::Big => half.swap_bytes(),
        }
    }
}

/// What hardware updates in the descriptors of a stage (HTTU). IHI 0070 G.b 3.13.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct FlagUpdates {
    /// The access flag of leaves.
    pub access: bool,
    /// The dirty state of leaves with DBM.
    pub dirty: bool,
    /// The access flag of table descriptors.
    pub tables: bool,
}

/// Whether the top byte of an address takes part in its range check.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum TopByte {
    /// Bits 63..56 take part.
    Counts,
    /// Bits 63..56 are taken to repeat bit 55.
    Ignored,
}

/// Whether unprivileged accesses may use a half of the address space at all (E0PD).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Unprivileged {
    /// By the permissions of the leaf.
    Permitted,
    /// Every access is a translation fault.
    Refused,
}

/// One half of a stage-1 address space: what TTB0 or TTB1 translates.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Half {
    /// How tables are walked; `None` if walks are disabled (EPD).
    pub walk: Option<walk::Config>,
    /// Granule of the tables.
    pub granule: Granule,
    /// Whether the top byte takes part in the range check.
    pub top_byte: TopByte,
    /// E0PD.
    pub unprivileged: Unprivileged,
    /// Shareability of every leaf, where descriptors have no room for it (DS).
    pub shareability: Option<Shareability>,
}

/// How an address selects its half of a stage-1 address space.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Split {
    /// By bit 55: AArch64.
    Bit55,
    /// By the sizes of the halves, 32 bits less T0SZ and T1SZ: AArch32.
    Size {
        /// T0SZ, 0 to 7.
        lower: u32,
        /// T1SZ, 0 to 7; 0 with short descriptors.
        upper: u32,
    },
}

/// How the memory type of a stage-1 leaf is decoded.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum MemoryTypes {
    /// An index into MAIR.
    Mair(u64),
    /// Short descriptors: TEX\[0\], C and B are an index into PRRR and NMRR.
    Remap {
        /// PRRR.
        primary: u32,
        /// NMRR.
        normal: u32,
    },
    /// Short descriptors: TEX, C and B encode it directly.
    Spelled,
}

/// Limits that stage-1 configuration puts on the permissions of every leaf.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PermissionLimits {
    /// WXN: writable memory is not executable.
    pub write_implies_never_execute: bool,
    /// UWXN: memory writable without privilege is not executable with it.
    pub unprivileged_write_implies_never_execute: bool,
    /// PAN: memory accessible without privilege is not accessible with it.
    pub privileged_access_never: bool,
    /// EPAN: execution without privilege counts as access for PAN.
    pub execution_counts_for_pan: bool,
}

impl PermissionLimits {
    /// The permissions of a leaf under these limits, unprivileged and privileged.
    pub fn apply(self, mut unprivileged: Perms, mut privileged: Perms) -> (Perms, Perms) {
        let reachable = unprivileged.intersects(Perms::READ | Perms::WRITE)
            || (self.execution_counts_for_pan && unprivileged.contains(Perms::EXEC));
        if self.privileged_access_never && reachable {
            privileged.remove(Perms::READ | Perms::WRITE);
        }
        if self.unprivileged_write_implies_never_execute && unprivileged.contains(Perms::WRITE) {
            privileged.remove(Perms::EXEC);
        }
        if self.write_implies_never_execute {
            for perms in [&mut unprivileged, &mut privileged] {
                if perms.contains(Perms::WRITE) {
                    perms.remove(Perms::EXEC);
                }
            }
        }
        (unprivileged, privileged)
    }
}

/// Stage 1, decoded from a CD or from a stage-1 context bank.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stage1 {
    /// Translation regime.
    pub world: World,
    /// The halves, lower and upper.
    pub halves: [Half; 2],
    /// Which half an address belongs to.
    pub split: Split,
    /// Byte order of descriptors.
    pub endian: Endian,
    /// Limits on permissions.
    pub limits: PermissionLimits,
    /// How the memory types of leaves are decoded.
    pub types: MemoryTypes,
    /// What hardware updates in descriptors.
    pub updates: FlagUpdates,
    /// Consequences of a fault.
    pub on_fault: OnFault,
    /// Whether the incoming allocation hints are combined with those of leaves (SMMUv3).
    pub heeds_hints: bool,
    /// Where translations of this ASID are cached.
    pub(crate) space: SpaceId,
    /// Where global translations are cached.
    pub(crate) global: SpaceId,
}

/// An address outside of both halves of a stage-1 address space.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct OutOfRange;

impl Stage1 {
    /// Selects the half of `input`, and the address that its tables translate.
    ///
    /// # Errors
    /// [`OutOfRange`] if the bits above the input size do not repeat each other, if the address
    /// lies between the halves, or, of AArch32, has more than 32 bits.
    #[inline]
    pub fn select(&self, input: u64) -> Result<(&Half, u64), OutOfRange> {
        if let Split::Size { lower, upper } = self.split {
            return self.select_by_size(input, lower, upper);
        }
        // IHI 0070 G.b 3.4.1: bit 55 selects, whether or not the top byte takes part.
        let upper = input & BIT_55 != 0;
        let half = &self.halves[usize::from(upper)];
        let address = match half.top_byte {
            TopByte::Counts => input,
            TopByte::Ignored => (((input << 8) as i64) >> 8) as u64,
        };
        let Some(walk) = &half.walk else {
            return Ok((half, address));
        };
        let above = (address as i64) >> walk.input_bits;
        let repeated = if upper { -1 } else { 0 };
        if above == repeated { Ok((half, address)) } else { Err(OutOfRange) }
    }

    /// As [`Self::select`], for 32 bits. DDI 0406 B3.6.4, B3.5.4: where both sizes are 0 there is
    /// only the lower half; where one is 0, its half covers what the other does not.
    fn select_by_size(
        &self,
        input: u64,
        lower: u32,
        upper: u32,
    ) -> Result<(&Half, u64), OutOfRange> {
        const BITS: u32 = 32;
        if input >> BITS != 0 {
            return Err(OutOfRange);
        }
        let above = |less: u32| input >> (BITS - less);
        let in_lower = lower == 0 || above(lower) == 0;
        let in_upper = match (lower, upper) {
            (0, 0) => false,
            (_, 0) => !in_lower,
            (_, _) => above(upper) == (1 << upper) - 1,
        };
        match (in_upper, in_lower) {
            (true, _) => Ok((&self.halves[1], input)),
            (false, true) => Ok((&self.halves[0], input)),
            (false, false) => Err(OutOfRange),
        }
    }

    /// The memory attributes of a stage-1 leaf.
    pub(crate) fn attributes(&self, half: &Half, leaf: &walk::Leaf) -> Attributes {
        if let MemoryTypes::Mair(mair) = self.types {
            let own = Shareability::of(Stage1Leaf::SH.get(leaf.descriptor));
            let shareability = half.shareability.unwrap_or(own);
            let index = Stage1Leaf::ATTR_INDX.get(leaf.descriptor);
            return Attributes::of_mair(mair, index, shareability);
        }
        let descriptor = leaf.descriptor as u32;
        let Some(kind) = vmsav7s::Kind::of(descriptor, leaf.level) else {
            return Attributes::INCOMING;
        };
        let leaf = vmsav7s::Attributes::of(descriptor, kind);
        match self.types {
            MemoryTypes::Remap { primary, normal } => Attributes::remapped(&leaf, primary, normal),
            MemoryTypes::Spelled | MemoryTypes::Mair(_) => Attributes::spelled(&leaf),
        }
    }

    /// The permissions of a leaf in this regime, unprivileged and privileged.
    pub(crate) fn permissions(&self, leaf: &walk::Leaf) -> (Perms, Perms) {
        let (unprivileged, privileged) = match self.world {
            World::El1 | World::El2E2h => (leaf.unprivileged, leaf.privileged),
            // IHI 0070 G.b 5.4.1: an EL2 regime has one privilege, and AP[1] acts as 1.
            World::El2 => (leaf.undivided, leaf.undivided),
        };
        self.limits.apply(unprivileged, privileged)
    }
}

/// Bit 55 of an address.
const BIT_55: u64 = 1 << 55;

/// Stage 2, decoded from the S2 fields of an STE or from a stage-2 context bank.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stage2 {
    /// How tables are walked.
    pub walk: walk::Config,
    /// Granule of the tables.
    pub granule: Granule,
    /// Byte order of descriptors.
    pub endian: Endian,
    /// Consequences of a fault.
    pub on_fault: OnFault,
    /// What hardware updates in descriptors.
    pub updates: FlagUpdates,
    /// S2FWB: leaves may force the memory type.
    pub force_write_back: bool,
    /// MTEPERM: MemAttr 4 is write-back, in an SMMU that reads no tags.
    pub tag_permissions: bool,
    /// S2PTW: tables and CDs of stage 1 must not lie in Device memory.
    pub protected_walks: bool,
    /// Whether leaves distinguish privileges for execution.
    pub xnx: bool,
    /// Shareability of every leaf, where descriptors have no room for it (DS).
    pub shareability: Option<Shareability>,
    /// Whether leaves have allocation hints (SMMUv2).
    pub hinted: bool,
    /// Where translations are cached.
    pub(crate) space: SpaceId,
}

impl Stage2 {
    /// The memory attributes of an access through a leaf; `incoming`: those before stage 2.
    pub(crate) fn attributes(&self, incoming: Attributes, leaf: &LeafAttributes) -> Attributes {
        if self.force_write_back {
            return incoming.combine_forced(u64::from(leaf.mem_attr), leaf.shareability);
        }
        let combined = incoming.combine(u64::from(leaf.mem_attr), leaf.shareability);
        if self.hinted { Hints::of_leaf(leaf.hints()).apply(combined) } else { combined }
    }

    /// Decodes the attribute fields of a leaf.
    pub(crate) fn leaf_attributes(&self, leaf: &walk::Leaf) -> LeafAttributes {
        let own = Shareability::of(Stage2Leaf::SH.get(leaf.descriptor));
        let mem_attr = match Stage2Leaf::MEM_ATTR.get(leaf.descriptor) as u8 {
            // IHI 0070 G.b 3.23.1: NoTagAccess has no effect here, and the type is that of 15. With
            // S2FWB, bit 3 is ignored anyway.
            0b0100 if self.tag_permissions && !self.force_write_back => 0b1111,
            other => other,
        };
        LeafAttributes {
            mem_attr,
            shareability: self.shareability.unwrap_or(own),
            hints: (leaf.descriptor >> LeafAttributes::HINTS_LOW) as u8,
            level: leaf.level,
        }
    }

    /// The permissions of a leaf, unprivileged and privileged.
    pub(crate) fn permissions(&self, leaf: &walk::Leaf) -> [Perms; 2] {
        // IHI 0070 G.b 6.3.4 (XNX): without it XN[1] alone applies, to both privileges.
        if self.xnx { [leaf.unprivileged, leaf.privileged] } else { [leaf.unprivileged; 2] }
    }
}

/// The fields of a stage-2 leaf other than its address and permissions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct LeafAttributes {
    /// MemAttr, 4 bits.
    pub mem_attr: u8,
    /// SH, or its substitute ([`Stage2::shareability`]).
    pub shareability: Shareability,
    /// Bits 63:60 of the descriptor, shifted down to bit 0, where SMMUv2 has allocation hints.
    pub hints: u8,
    /// Its level, 0 to 3.
    pub level: u8,
}

impl LeafAttributes {
    /// For a translation without stage 2.
    pub const NONE: Self =
        Self { mem_attr: 0, shareability: Shareability::Non, hints: 0, level: 0 };

    const HINTS_LOW: u32 = 60;

    /// The hints at their position in a descriptor.
    const fn hints(&self) -> u64 {
        (self.hints as u64) << Self::HINTS_LOW
    }
}

/// Everything that decides one translation.
#[derive(Clone, Copy, Debug)]
pub struct Regime<'a> {
    /// Stage 1; absent if bypassed.
    pub stage1: Option<&'a Stage1>,
    /// Stage 2; absent if bypassed.
    pub stage2: Option<&'a Stage2>,
}

/// The permissions that apply to `access`.
#[inline]
pub(crate) fn granted(access: Access, unprivileged: Perms, privileged: Perms) -> Perms {
    match access.privilege {
        Privilege::Unprivileged => unprivileged,
        Privilege::Privileged => privileged,
    }
}

#[cfg(test)]
mod tests;
