//! Arbitrary stores to the registers of an SMMUv2 or an SMMUv1, words of its tables, transactions:
//! no panic, every read is defined, and a reset clears everything.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use passim_model::{Access, DeviceId, Iova, Memory, PhysAddr, Requester, Span, StreamId, Width};
use passim_smmu::SmmuV2;
use passim_smmu::v2::{Description, Implementation, Progress, Transaction};

const RAM_BYTES: u64 = 0x10_0000;
/// Steps of the SMMU after each store.
const STEPS: usize = 64;
/// Size of the largest register space of any description.
const REGISTERS: u32 = 0x100_0000;

#[derive(Arbitrary, Debug)]
enum Action {
    Store { offset: u32, wide: bool, value: u64 },
    Load { offset: u32, wide: bool },
    Word { at: u32, value: u64 },
    Translate { stream: u16, iova: u64, write: bool },
}

fn width(wide: bool) -> Width {
    if wide { Width::W64 } else { Width::W32 }
}

fn act(smmu: &mut SmmuV2, memory: &mut Memory, action: &Action) {
    match *action {
        Action::Store { offset, wide, value } => {
            smmu.store(u64::from(offset % REGISTERS), width(wide), value, memory);
            for _ in 0..STEPS {
                if smmu.step(memory) == Progress::Idle {
                    break;
                }
            }
        }
        Action::Load { offset, wide } => {
            smmu.load(u64::from(offset % REGISTERS), width(wide));
        }
        Action::Word { at, value } => {
            let at = PhysAddr::new(u64::from(at) * 8 % RAM_BYTES);
            memory.store_u64(at, value).expect("inside the bank");
        }
        Action::Translate { stream, iova, write } => {
            let (stream, device) = (StreamId::new(u32::from(stream)), DeviceId::new(0));
            let requester = Requester { stream, substream: None, device };
            let access = if write { Access::WRITE } else { Access::READ };
            smmu.translate(memory, &Transaction { requester, iova: Iova::new(iova), access });
        }
    }
}

fuzz_target!(|input: (u8, Vec<Action>)| {
    let (preset, actions) = input;
    let names = ["mmu-401", "mmu-500", "everything"];
    let name = names[usize::from(preset) % names.len()];
    let description = Description::preset(name).expect("it is a preset");
    let mut memory = Memory::new();
    let ram = Span::from_size(PhysAddr::new(0), RAM_BYTES).expect("a megabyte");
    memory.add_bank(ram).expect("an empty memory takes it");
    let mut smmu = SmmuV2::new(Implementation::new(description));
    for action in &actions {
        act(&mut smmu, &mut memory, action);
    }
    smmu.reset();
    let fresh = SmmuV2::new(Implementation::new(description));
    for action in &actions {
        if let Action::Store { offset, wide, .. } | Action::Load { offset, wide } = *action {
            let (offset, width) = (u64::from(offset % REGISTERS), width(wide));
            assert_eq!(smmu.load(offset, width), fresh.load(offset, width), "{offset:#x}");
        }
    }
});
