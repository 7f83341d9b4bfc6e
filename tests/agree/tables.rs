//! The tables that translate for the device, located in memory and read by an independent walk.

use crate::rig::Rig;
use passim_model::{Host, PhysAddr, Width};
use passim_oracle::walk::{Config, Leaf, TableLeaf, all_leaves, start_level_of_sl0, translate};
use passim_oracle::{Granule, Stage};

/// Base of the SMMU's registers.
const SMMU: u64 = 0x0905_0000;
const STREAM: u64 = 8;
/// Address bits of table pointers.
const ADDRESS: u64 = 0xf_ffff_ffff_ffc0;

/// The oracle's name for a page size.
pub(crate) fn granule(lg2: u32) -> Granule {
    match lg2 {
        12 => Granule::Size4K,
        14 => Granule::Size16K,
        16 => Granule::Size64K,
        other => panic!("no granule of 2^{other}"),
    }
}

fn word(rig: &Rig, at: u64) -> Option<u64> {
    rig.system.board.memory().load_u64(PhysAddr::new(at)).ok()
}

/// TG0 and S2TG. IHI 0070 G.b 5.2 and 5.4.
fn tg(granule: Granule) -> u64 {
    match granule {
        Granule::Size4K => 0b00,
        Granule::Size16K => 0b10,
        Granule::Size64K => 0b01,
    }
}

/// How the device's tables are read, from its STE and CD. IHI 0070 G.b 5.2 and 5.4.
pub(crate) fn config(rig: &mut Rig) -> Config {
    let strtab = PhysAddr::new(SMMU + 0x80);
    let strtab = rig.system.board.load(strtab, Width::W64).expect("the SMMU answers");
    let l1std = word(rig, strtab & ADDRESS).expect("a stream table");
    let ste = (l1std & ADDRESS) + 64 * STREAM;
    let ste: [u64; 4] = core::array::from_fn(|at| word(rig, ste + 8 * at as u64).expect("an STE"));
    assert_eq!(ste[0] & 1, 1, "the STE is valid");
    let granule = granule(rig.spec.page.lg2());
    match ste[0] >> 1 & 7 {
        0b101 => {
            let cd = ste[0] & ADDRESS;
            let (cd0, ttb0) = (word(rig, cd).expect("a CD"), word(rig, cd + 8).expect("a CD"));
            assert_eq!(cd0 >> 6 & 3, tg(granule));
            Config::stage1(granule, ttb0 & ADDRESS, 64 - (cd0 & 0x3f) as u8, 44)
        }
        0b110 => {
            let start = start_level_of_sl0(granule, (ste[2] >> 38 & 3) as u8).expect("a level");
            assert_eq!(ste[2] >> 46 & 3, tg(granule));
            Config::stage2(granule, ste[3] & ADDRESS, 64 - (ste[2] >> 32 & 0x3f) as u8, start, 44)
        }
        other => panic!("the STE's Config is {other:#b}"),
    }
}

/// Every leaf outside the MSI window, which contains doorbells.
pub(crate) fn leaves(rig: &mut Rig) -> Vec<TableLeaf> {
    let config = config(rig);
    let leaves = all_leaves(&config, |at| word(rig, at)).expect("tables in RAM");
    leaves.into_iter().filter(|leaf| !(0x800_0000..0x810_0000).contains(&leaf.iova)).collect()
}

/// The leaf of one address, from the tables.
pub(crate) fn look_up(rig: &Rig, config: &Config, iova: u64) -> Option<Leaf> {
    translate(config, iova, |at| word(rig, at)).ok()
}

/// The stage of these tables.
pub(crate) fn stage(config: &Config) -> Stage {
    config.stage
}
