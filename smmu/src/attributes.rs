//! Memory attributes: what a transaction carries out of the SMMU beside its address.
//!
//! IHI 0070 G.b chapter 13. Three sources are combined: the incoming attributes, the overrides of
//! the configuration, and the descriptors of the stages. Memory types use MAIR's encoding, one
//! byte, outer nibble first. No register and no structure is read here.
//!
//! | room | question it answers |
//! | --- | --- |
//! | `hints` | how do SMMUv2's allocation hints (RACFG, WACFG) change a memory type? |
//! | `short` | which memory type does a short descriptor have? |

mod hints;
mod short;

pub(crate) use hints::Hints;

use passim_model::bits::{Field, bit, bits};

/// The domain within which accesses are coherent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Shareability {
    /// None.
    Non,
    /// The inner domain.
    Inner,
    /// The outer domain.
    Outer,
}

impl Shareability {
    /// The meaning of a two-bit SH field; 1 is reserved and acts as 0.
    pub const fn of(field: u64) -> Self {
        match field & 3 {
            2 => Self::Outer,
            3 => Self::Inner,
            _ => Self::Non,
        }
    }
}

/// How far a Normal access may be cached, in one half of its memory type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Cacheability {
    /// Write-back.
    WriteBack,
    /// Write-through.
    WriteThrough,
    /// Not at all.
    NonCacheable,
}

/// Memory attributes of an access.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Attributes {
    /// The memory type as a MAIR byte: 0x00, 0x04, 0x08 and 0x0c are Device-nGnRnE, -nGnRE, -nGRE
    /// and -GRE; anything else is Normal, outer in \[7:4\], inner in \[3:0\].
    pub memory: u8,
    /// Shareability.
    pub shareability: Shareability,
}

/// RA and WA of a nibble of a Normal type.
pub(crate) const ALLOCATE: u8 = 0b11;
/// The bit that is clear in a transient nibble of a cacheable type.
const NOT_TRANSIENT: u8 = 0b1000;
/// The non-cacheable nibble.
const NON_CACHEABLE: u8 = 0b0100;

/// The half of a MAIR byte of this cacheability, allocating, not transient.
const fn nibble(cacheability: Cacheability) -> u8 {
    match cacheability {
        Cacheability::WriteBack => 0b1100 | ALLOCATE,
        Cacheability::WriteThrough => 0b1000 | ALLOCATE,
        Cacheability::NonCacheable => NON_CACHEABLE,
    }
}

/// The cacheability of one half of a MAIR byte.
const fn cacheability(nibble: u8) -> Cacheability {
    match nibble & 0xf {
        NON_CACHEABLE => Cacheability::NonCacheable,
        // DDI 0487, MAIR: 0b00RW and 0b10RW are write-through, 0b01RW and 0b11RW write-back.
        half if half & 0b0100 != 0 => Cacheability::WriteBack,
        _ => Cacheability::WriteThrough,
    }
}

/// Stage 2 MemAttr\[3:0\], bit by bit; also the coding of STE.MemAttr and GBPA.MemAttr.
const OUTER: Field = bits(3, 2);
const INNER: Field = bits(1, 0);
/// With FWB, MemAttr\[2\] distinguishes Normal from Device.
const FORCED_NORMAL: Field = bit(2);

impl Attributes {
    /// The attributes assumed for a transaction that carries none: a PCIe transaction is cached and
    /// shared. IHI 0070 G.b 13.1.3, 13.6.1.
    pub const INCOMING: Self = Self { memory: 0xff, shareability: Shareability::Inner };

    /// The attributes that a stage-1 descriptor selects: byte `index` of MAIR, by bits 2:0 of the
    /// index. DDI 0487 D8.6.
    pub const fn of_mair(mair: u64, index: u64, shareability: Shareability) -> Self {
        let byte = (mair >> (8 * (index & 7))) as u8;
        // IHI 0070 G.b 5.4 (MAIR0, MAIR1): a Device type is bits 3:2, whatever bits 1:0 hold; a
        // Normal type whose inner half is 0 is inner write-through, transient, allocating.
        let memory = match (byte >> 4, byte & 0xf) {
            (0, device) => device & 0b1100,
            (_, 0) => byte | ALLOCATE,
            _ => byte,
        };
        Self { memory, shareability }.consistent()
    }

    /// Whether the type is a Device type.
    pub const fn is_device(self) -> bool {
        // DDI 0487, MAIR: 0b0000dd00 is Device; the other values below 0x10 are not used here.
        self.memory & 0xf0 == 0
    }

    /// Inner cacheability of a Normal type.
    pub const fn inner(self) -> Cacheability {
        cacheability(self.memory)
    }

    /// Outer cacheability of a Normal type.
    pub const fn outer(self) -> Cacheability {
        cacheability(self.memory >> 4)
    }

    /// Decodes a four-bit MemAttr, without FWB. IHI 0070 G.b 5.2 (MemAttr): a Normal type whose
    /// inner half is 0 is Device-nGnRnE. The section defines that for STE.MemAttr and GBPA.MemAttr;
    /// VMSAv8-64 leaves it open for stage-2 descriptors, which are decoded the same.
    pub fn of_mem_attr(field: u64, shareability: Shareability) -> Self {
        let half = |code: u64| match code {
            1 => Cacheability::NonCacheable,
            2 => Cacheability::WriteThrough,
            _ => Cacheability::WriteBack,
        };
        let (outer, inner) = (OUTER.get(field), INNER.get(field));
        let memory = match outer {
            0 => (inner as u8) << 2,
            _ if inner == 0 => 0,
            _ => nibble(half(outer)) << 4 | nibble(half(inner)),
        };
        Self { memory, shareability }.consistent()
    }

    /// Combines these attributes with those of stage 2: the stronger of each. IHI 0070 G.b 13.1.5.
    pub fn combine(self, mem_attr: u64, shareability: Shareability) -> Self {
        self.meet(Self::of_mem_attr(mem_attr, shareability), shareability)
    }

    /// Combines these attributes with those of stage 2 with S2FWB. IHI 0070 G.b 13.1.6.
    pub fn combine_forced(self, mem_attr: u64, shareability: Shareability) -> Self {
        let shareability = self.shareability.max(shareability);
        let device = Self { memory: (INNER.get(mem_attr) as u8) << 2, shareability };
        let memory = match (FORCED_NORMAL.is_set(mem_attr), INNER.get(mem_attr)) {
            (false, _) => self.meet(device, shareability).memory,
            (true, 1) if self.is_device() => self.memory,
            (true, 1) => nibble(Cacheability::NonCacheable) << 4 | NON_CACHEABLE,
            (true, 2) => self.forced_half(4) << 4 | self.forced_half(0),
            // 3: the type of stage 1; the reserved 0 acts the same.
            (true, _) => self.memory,
        };
        Self { memory, shareability }.consistent()
    }

    /// One half of a type that stage 2 forces to write-back. It keeps stage 1's hints, if stage 1
    /// is cached.
    fn forced_half(self, shift: u32) -> u8 {
        let half = self.memory >> shift & 0xf;
        match cacheability(half) {
            _ if self.is_device() => nibble(Cacheability::WriteBack),
            Cacheability::NonCacheable => nibble(Cacheability::WriteBack),
            _ => with_hints(nibble(Cacheability::WriteBack), hints(half)),
        }
    }

    /// Whether a cached half does not allocate, or is transient: hints that can change the
    /// attributes of stage 1.
    pub(crate) fn has_hints(self) -> bool {
        Self::INCOMING.with_hints_of(self) != Self::INCOMING
    }

    /// These attributes of stage 1 with the incoming allocation hints. IHI 0070 G.b 13.4.2: the
    /// hints of a cached incoming type are kept, while the rest of the incoming attributes is
    /// discarded.
    pub fn with_hints_of(self, incoming: Self) -> Self {
        if self.is_device() || incoming.is_device() {
            return self;
        }
        let half = |shift: u32| {
            let (own, other) = (self.memory >> shift & 0xf, incoming.memory >> shift & 0xf);
            match cacheability(other) {
                Cacheability::NonCacheable => own,
                _ => with_hints(own, stronger_hints(own, other)),
            }
        };
        Self { memory: half(4) << 4 | half(0), ..self }
    }

    /// The stronger of each field.
    fn meet(self, other: Self, shareability: Shareability) -> Self {
        let shareability = self.shareability.max(shareability);
        let memory = match (self.is_device(), other.is_device()) {
            (true, true) => self.memory.min(other.memory),
            (true, false) => self.memory,
            (false, true) => other.memory,
            (false, false) => {
                let half = |shift: u32| {
                    let (a, b) = (self.memory >> shift & 0xf, other.memory >> shift & 0xf);
                    let stronger = cacheability(a).max(cacheability(b));
                    with_hints(nibble(stronger), stronger_hints(a, b))
                };
                half(4) << 4 | half(0)
            }
        };
        Self { memory, shareability }.consistent()
    }

    /// Device and entirely non-cacheable types are outer shareable. IHI 0070 G.b 13.1.7.
    pub const fn consistent(self) -> Self {
        let uncached = self.memory == NON_CACHEABLE << 4 | NON_CACHEABLE;
        if self.is_device() || uncached {
            return Self { shareability: Shareability::Outer, ..self };
        }
        self
    }
}

/// Overrides of incoming attributes by configuration: MTCFG with MemAttr, SHCFG and ALLOCCFG of an
/// STE or of GBPA. IHI 0070 G.b 13.1.4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Replacement {
    /// MemAttr, where MTCFG is set.
    pub memory: Option<u8>,
    /// SHCFG, unless it means "use incoming".
    pub shareability: Option<u8>,
    /// RA, WA and TR of ALLOCCFG, unless it means "use incoming".
    pub allocate: Option<u8>,
}

impl Replacement {
    /// From the fields of an STE or GBPA, each shifted down to bit 0.
    pub fn of(mem_attr: u64, mtcfg: bool, shcfg: u64, alloccfg: u64) -> Self {
        Self {
            memory: mtcfg.then_some(mem_attr as u8),
            shareability: (shcfg != 1).then_some(shcfg as u8),
            allocate: (alloccfg & 8 != 0).then_some(alloccfg as u8 & 7),
        }
    }

    /// `incoming` after the replacement.
    pub fn apply(self, incoming: Attributes) -> Attributes {
        let shareability = match self.shareability {
            Some(field) => Shareability::of(u64::from(field)),
            None => incoming.shareability,
        };
        let mut found = match self.memory {
            Some(field) => Attributes::of_mem_attr(u64::from(field), shareability),
            None => Attributes { shareability, ..incoming },
        };
        if let Some(hints) = self.allocate.filter(|_| !found.is_device()) {
            found.memory =
                with_hints(found.memory >> 4, hints) << 4 | with_hints(found.memory, hints);
        }
        found.consistent()
    }
}

/// RA, WA and TR of one half of a cached Normal type, as ALLOCCFG encodes them: bits 2, 1 and 0.
const fn hints(half: u8) -> u8 {
    (half & ALLOCATE) << 1 | (half & NOT_TRANSIENT == 0) as u8
}

/// The hints of two halves of cached types. IHI 0070 G.b 13.1.5: no-allocate and transient are the
/// stronger.
const fn stronger_hints(a: u8, b: u8) -> u8 {
    (a & b & ALLOCATE) << 1 | (a & b & NOT_TRANSIENT == 0) as u8
}

/// One half of a Normal type with RA, WA and TR of `hints` (bits 2, 1 and 0).
const fn with_hints(half: u8, hints: u8) -> u8 {
    let allocate = hints >> 1 & ALLOCATE;
    let transient = hints & 1 != 0 && allocate != 0;
    match (cacheability(half), transient) {
        (Cacheability::NonCacheable, _) => NON_CACHEABLE,
        (Cacheability::WriteBack, false) => 0b1100 | allocate,
        (Cacheability::WriteBack, true) => 0b0100 | allocate,
        (Cacheability::WriteThrough, false) => 0b1000 | allocate,
        (Cacheability::WriteThrough, true) => allocate,
    }
}

#[cfg(test)]
mod tests;
