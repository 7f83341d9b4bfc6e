//! How PAR and GPAR encode a result. IHI 0062 D.c 9.6.20, 16.5.14.

use crate::attributes::{Attributes, Cacheability, Shareability};
use crate::v2::bank::Scheme;
use crate::v2::outcome::{ContextFault, ContextFaultKind, GlobalFaultKind};
use crate::v2::wire::bank::{Par, ParFault, ParShort, ParSupersection};
use passim_model::bits::Field;
use passim_model::pgtable::vmsav7s::SUPERSECTION_LG2;

/// Which of the two registers: with short descriptors they encode the outer type differently.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Register {
    Bank,
    Global,
}

/// PAR of a terminated operation.
pub(super) const TERMINATED: u64 = ParFault::F.of(1) | ParFault::ATOT.of(1);

/// A successful translation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ParResult {
    /// The format of stage 1's tables.
    pub(super) scheme: Scheme,
    pub(super) output: u64,
    pub(super) attributes: Attributes,
    /// log2 of the leaf, in bytes.
    pub(super) leaf_lg2: u32,
    pub(super) v2: bool,
}

/// PAR for a context that cannot be used. SMMUv1 has no ICF: there only F is set.
pub(super) const fn invalid(kind: GlobalFaultKind, v2: bool) -> u64 {
    let why = match kind {
        GlobalFaultKind::UnimplementedBank => ParFault::UCBF.of(1),
        _ => ParFault::ICF.flag(v2),
    };
    ParFault::F.of(1) | why
}

const fn field(kind: ContextFaultKind) -> Option<Field> {
    Some(match kind {
        ContextFaultKind::Translation => ParFault::TF,
        ContextFaultKind::AccessFlag => ParFault::AFF,
        ContextFaultKind::Permission => ParFault::PF,
        ContextFaultKind::External => ParFault::EF,
        ContextFaultKind::TlbConflict => ParFault::TLBMCF,
        ContextFaultKind::AddressSize => ParFault::ASF,
        ContextFaultKind::UnsupportedUpstream => return None,
    })
}

/// PAR for a translation that faults.
pub(super) fn fault(fault: &ContextFault, scheme: Scheme, v2: bool) -> u64 {
    let why = field(fault.kind).map_or(0, |field| field.of(1));
    ParFault::F.of(1)
        | why
        | ParFault::FORMAT.of(if v2 { scheme.code() } else { 0 })
        | ParFault::PLVL.of(u64::from(fault.level))
        | ParFault::STAGE.flag(fault.nested_in.is_some())
}

impl ParResult {
    pub(super) fn encode(&self, register: Register) -> u64 {
        match self.scheme {
            Scheme::Short => self.short(register),
            Scheme::Long | Scheme::Aarch64 => {
                let sh = match self.attributes.shareability {
                    Shareability::Non => 0,
                    Shareability::Outer => 2,
                    Shareability::Inner => 3,
                };
                Par::MATTR.of(u64::from(self.attributes.memory))
                    | Par::PA.in_place(self.output)
                    | Par::ONE.flag(self.v2)
                    | Par::SH.of(sh)
            }
        }
    }

    fn short(&self, register: Register) -> u64 {
        let address = if self.leaf_lg2 == SUPERSECTION_LG2 {
            ParShort::SS.of(1)
                | ParSupersection::PA_31_24.in_place(self.output)
                | ParSupersection::PA_39_32.of(self.output >> 32)
        } else {
            ParShort::PA.in_place(self.output)
        };
        let shareability = self.attributes.shareability;
        address
            | ParShort::INNER.of(inner(self.attributes))
            | ParShort::OUTER.of(outer(self.attributes, register))
            | ParShort::SH.flag(shareability != Shareability::Non)
            | ParShort::NOS.flag(shareability != Shareability::Outer)
    }
}

/// Whether a half of a MAIR byte allocates on writes.
const fn write_allocates(half: u8) -> bool {
    half & 1 != 0
}

const fn inner(attributes: Attributes) -> u64 {
    if attributes.is_device() {
        return if attributes.memory == 0 { 0b001 } else { 0b011 };
    }
    match attributes.inner() {
        Cacheability::NonCacheable => 0b000,
        Cacheability::WriteThrough => 0b110,
        Cacheability::WriteBack if write_allocates(attributes.memory) => 0b101,
        Cacheability::WriteBack => 0b111,
    }
}

/// 16.5.14 and 9.6.20 exchange the meanings of the two middle values.
const fn outer(attributes: Attributes, register: Register) -> u64 {
    if attributes.is_device() {
        return 0b11;
    }
    let global = matches!(register, Register::Global);
    match attributes.outer() {
        Cacheability::NonCacheable => 0b11,
        Cacheability::WriteThrough => {
            if global {
                0b10
            } else {
                0b01
            }
        }
        Cacheability::WriteBack if write_allocates(attributes.memory >> 4) => {
            if global {
                0b01
            } else {
                0b10
            }
        }
        Cacheability::WriteBack => 0b00,
    }
}
