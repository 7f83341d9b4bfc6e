//! Translation table descriptors, whose fields have the names of the Arm Architecture Reference
//! Manual: DDI 0487 D8.3.

use passim_model::layout;
use passim_model::pgtable::vmsav8::{Address64K, Descriptor, WideAddress4K, WideAddress16K};

use super::super::Unperformable;
use super::fields::{self, Named};
use crate::op::{DescriptorKind, YesNo};
use crate::script::FieldValues;

layout! {
    /// A table descriptor of stage 1.
    struct Table {
        AF = bit(10);
        PXN_TABLE = bit(59);
        XN_TABLE = bit(60);
        AP_TABLE = bits(62, 61);
        NS_TABLE = bit(63);
    }
}

layout! {
    /// A block or page of stage 1.
    struct Stage1 {
        ATTR_INDX = bits(4, 2);
        NS = bit(5);
        AP = bits(7, 6);
        SH = bits(9, 8);
        AF = bit(10);
        NG = bit(11);
        NT = bit(16);
        DBM = bit(51);
        CONTIGUOUS = bit(52);
        PXN = bit(53);
        XN = bit(54);
    }
}

layout! {
    /// A block or page of stage 2.
    struct Stage2 {
        MEM_ATTR = bits(5, 2);
        S2AP = bits(7, 6);
        SH = bits(9, 8);
        AF = bit(10);
        NT = bit(16);
        DBM = bit(51);
        CONTIGUOUS = bit(52);
        XN = bits(54, 53);
    }
}

layout! {
    /// The part of an address that descriptors of the 64K granule hold in another place.
    struct High64K {
        BITS_51_48 = bits(51, 48);
    }
}

layout! {
    /// The part of an address that descriptors with DS hold in another place.
    struct HighWide {
        BITS_51_50 = bits(51, 50);
    }
}

/// A descriptor's output address.
pub(super) struct Output {
    /// The address.
    pub(super) oa: u64,
    /// log2 of the granule.
    pub(super) granule_lg2: u32,
    /// DS.
    pub(super) ds: Option<YesNo>,
}

/// The descriptor.
///
/// # Errors
/// No such field, a value or an address that does not fit, or SH where DS takes its place.
pub(super) fn word(
    kind: DescriptorKind,
    output: &Output,
    values: &FieldValues,
) -> Result<u64, Unperformable> {
    let (owner, names) = match kind {
        DescriptorKind::Table => ("a table descriptor", Table::FIELDS),
        DescriptorKind::Page | DescriptorKind::Block => ("a stage 1 descriptor", Stage1::FIELDS),
        _ => ("a stage 2 descriptor", Stage2::FIELDS),
    };
    let is_block = matches!(kind, DescriptorKind::Block | DescriptorKind::Stage2Block);
    let known: Vec<Named> = names.iter().map(|&(name, field)| (name, 0, field)).collect();
    let mut words = [0];
    fields::set(&mut words, &known, owner, values)?;
    if output.ds == Some(YesNo::Yes) && Stage1::SH.is_set(words[0]) {
        let error = Unperformable::new("with DS a descriptor holds no shareability");
        return Err(error.hint("CD.SH0 and STE.S2SH0 say it").at_key("sh"));
    }
    let valid = Descriptor::VALID.of(1) | Descriptor::TABLE_OR_PAGE.flag(!is_block);
    Ok(valid | words[0] | output.word()?)
}

impl Output {
    /// The bits of a descriptor that hold the address.
    fn word(&self) -> Result<u64, Unperformable> {
        let Self { oa, granule_lg2, ds } = *self;
        let granule = 1 << granule_lg2;
        if oa % granule != 0 || oa >> 52 != 0 {
            let message = format!("a descriptor of this granule does not hold {oa:#x}");
            let hint = format!("a multiple of {granule:#x} below 2^52");
            return Err(Unperformable::new(message).hint(hint).at_key("oa"));
        }
        let ds = ds == Some(YesNo::Yes);
        let low = oa & !High64K::BITS_51_48.mask();
        Ok(match granule_lg2 {
            12 if ds => self.wide(WideAddress4K::OA.in_place(oa)),
            14 if ds => self.wide(WideAddress16K::OA.in_place(oa)),
            16 => Address64K::OA_51_48.of(High64K::BITS_51_48.get(oa)) | low,
            _ if low == oa => low,
            _ => {
                let message = format!("a descriptor of this granule does not hold {oa:#x}");
                return Err(Unperformable::new(message).hint("`ds=y` makes room").at_key("oa"));
            }
        })
    }

    fn wide(&self, low: u64) -> u64 {
        low | WideAddress4K::OA_51_50.of(HighWide::BITS_51_50.get(self.oa))
    }
}
