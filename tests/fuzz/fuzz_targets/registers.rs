//! Arbitrary stores to an SMMU's registers, then steps and a transaction.
#![no_main]

use libfuzzer_sys::fuzz_target;
use passim_model::{
    Access, DeviceId, Iova, Memory, PhysAddr, Requester, Span, StreamId, Width,
};
use passim_smmu::SmmuV3;
use passim_smmu::v3::{Implementation, Progress, Transaction};

/// Steps of the SMMU after each store.
const STEPS: usize = 64;

fuzz_target!(|input: (Vec<(u32, u64, bool)>, Vec<(u16, u64)>, u64)| {
    let (stores, words, iova) = input;
    let mut memory = Memory::new();
    let ram = Span::from_size(PhysAddr::new(0), 0x10_0000).expect("a megabyte");
    memory.add_bank(ram).expect("an empty memory takes it");
    for (index, word) in words {
        memory.store_u64(PhysAddr::new(u64::from(index) * 8), word).expect("inside the bank");
    }
    let mut smmu = SmmuV3::new(Implementation::default());
    for (offset, value, wide) in stores {
        let width = if wide { Width::W64 } else { Width::W32 };
        smmu.store(u64::from(offset % 0x2_0000), width, value, &mut memory);
        for _ in 0..STEPS {
            if smmu.step(&mut memory) == Progress::Idle {
                break;
            }
        }
        let stream = StreamId::new(offset >> 17);
        let requester = Requester { stream, substream: None, device: DeviceId::new(0) };
        let iova = Iova::new(iova);
        smmu.translate(&mut memory, &Transaction { requester, iova, access: Access::WRITE });
    }
});
