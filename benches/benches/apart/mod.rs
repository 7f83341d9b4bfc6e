//! An SMMU beside the board's, so that a bench may drive it alone.
//!
//! For the benches that time translations without the rest of the machine; not for what the kernel
//! does to an SMMU.

use passim_model::{Host, PhysAddr, Width};
use passim_smmu::SmmuV3;
use passim_smmu::v3::{IdRegisters, Implementation};

use crate::rig::Rig;

/// Where the board's SMMU has its registers.
const SMMU: u64 = 0x0905_0000;

/// An SMMU set up as the board's, with caches of its own.
pub(crate) fn smmu_like(rig: &mut Rig) -> SmmuV3 {
    let mut load = |offset, width| {
        rig.system.board.load(PhysAddr::new(SMMU + offset), width).expect("the SMMU answers")
    };
    let idr = core::array::from_fn(|index| load(4 * index as u64, Width::W32) as u32);
    let ids = IdRegisters { idr, iidr: 0, aidr: load(0x1c, Width::W32) as u32, mpamidr: 0 };
    // CR1, CR2, STRTAB_BASE, STRTAB_BASE_CFG, CR0.
    let registers = [
        (0x28, Width::W32),
        (0x2c, Width::W32),
        (0x80, Width::W64),
        (0x88, Width::W32),
        (0x20, Width::W32),
    ];
    let registers = registers.map(|(offset, width)| (offset, width, load(offset, width)));
    let mut smmu = SmmuV3::new(Implementation { ids, ..Implementation::default() });
    for (offset, width, value) in registers {
        smmu.store(offset, width, value, rig.system.board.memory_mut());
    }
    smmu
}
