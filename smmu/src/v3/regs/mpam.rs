//! MPAM registers: the labels of accesses that no STE labels. IHI 0070 G.b 6.3.41 to 6.3.43.
//!
//! They are stored and read back; no modelled memory system uses the labels.

use super::Registers;
use crate::choice::Acknowledge;
use crate::v3::features::{Features, IdRegisters};
use crate::v3::wire::regs::{Gmpam, Mpamidr, offset};

/// A register whose new value takes effect once its Update clears.
#[derive(Clone, Copy, Default, Debug)]
struct Updated {
    value: u32,
    /// The value that takes effect when Update clears.
    update: Option<u32>,
}

/// SMMU_GMPAM and SMMU_GBPMPAM.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Mpam {
    own: Updated,
    bypass: Updated,
}

impl Mpam {
    /// A 32-bit load; RES0 without MPAM.
    pub(super) fn load(&self, at: u64, ids: &IdRegisters) -> u32 {
        let read = |register: &Updated| match register.update {
            Some(value) => value | Gmpam::UPDATE.mask() as u32,
            None => register.value,
        };
        match at {
            offset::MPAMIDR => ids.mpamidr,
            offset::GMPAM => read(&self.own),
            _ => read(&self.bypass),
        }
    }

    /// A 32-bit store. IHI 0070 G.b 6.3.42: as with GBPA, only a store with Update takes effect,
    /// and none while an update is under way.
    pub(super) fn store(&mut self, at: u64, value: u32, features: &Features, ack: Acknowledge) {
        let register = if at == offset::GMPAM { &mut self.own } else { &mut self.bypass };
        let counts = Gmpam::UPDATE.is_set(u64::from(value)) && register.update.is_none();
        if !features.mpam || !counts {
            return;
        }
        let kept = value & features.mpam_labels;
        match ack {
            Acknowledge::AtOnce => register.value = kept,
            Acknowledge::OnStep => register.update = Some(kept),
        }
    }

    /// Completes one pending update. Returns whether there was one.
    pub(super) fn acknowledge_one(&mut self) -> bool {
        for register in [&mut self.own, &mut self.bypass] {
            if let Some(value) = register.update.take() {
                register.value = value;
                return true;
            }
        }
        false
    }
}

impl Registers {
    /// GBPMPAM: the label of transactions while SMMUEN is 0. IHI 0070 G.b 6.3.43.
    pub(crate) fn bypass_label(&self) -> u32 {
        self.mpam.bypass.value
    }
}

/// The implemented bits of GMPAM: as many of PARTID and of PMG as their largest values in MPAMIDR
/// have. IHI 0070 G.b 6.3.41, 6.3.42.
pub(crate) fn label_bits(mpamidr: u64) -> u32 {
    let bits = |most: u64| u64::MAX.checked_shr(most.leading_zeros()).unwrap_or(0);
    let partid = Gmpam::SO_PARTID.of(bits(Mpamidr::PARTID_MAX.get(mpamidr)));
    (partid | Gmpam::SO_PMG.of(bits(Mpamidr::PMG_MAX.get(mpamidr)))) as u32
}
