//! Registers and memory with arbitrary contents, under a driver and a device that use them.

use crate::attack;
use crate::calls::victim;
use crate::rig::{DEVICE, Rig, bytes, ioctl};
use crate::values::{MEMORY, long};
use passim_model::{Access, Host, Iova, PhysAddr, Width};
use passim_vfio::call::{Arg, Call};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};
use proptest::sample::select;

/// Base of the SMMU's registers.
const SMMU: u64 = 0x0905_0000;

/// An act on the machine.
#[derive(Clone, Debug)]
enum Blow {
    Store {
        offset: u64,
        width: Width,
        value: u64,
    },
    Load {
        offset: u64,
        width: Width,
    },
    Poke {
        place: Place,
        index: u64,
        value: u64,
    },
    Read {
        iova: u64,
        len: usize,
    },
    Write {
        iova: u64,
    },
    Translate {
        iova: u64,
    },
    Map {
        iova: u64,
        pages: u64,
    },
    Unmap {
        iova: u64,
        pages: u64,
    },
    Forget,
    Settle,
    /// The group's descriptor is closed and opened again.
    Reattach,
}

/// The target of a write to memory.
#[derive(Clone, Copy, Debug)]
enum Place {
    StreamTable,
    Ste,
    Cd,
    Table,
    Leaf,
    Commands,
    Events,
}

fn width() -> impl Strategy<Value = Width> {
    select(vec![Width::W32, Width::W64])
}

fn offset() -> impl Strategy<Value = u64> {
    let known = vec![
        0x20, 0x28, 0x2c, 0x44, 0x50, 0x60, 0x64, 0x68, 0x80, 0x84, 0x88, 0x90, 0x94, 0x98, 0x9c,
        0xa0, 0xa4, 0xb0, 0xb8, 0xbc, 0xc0, 0x1_00a8, 0x1_00ac, 0x1_00c8, 0x1_fffc,
    ];
    prop_oneof![8 => select(known), 1 => 0..0x2_0000u64, 1 => (0..0x40u64).prop_map(|at| at * 4)]
}

/// Values of registers and words of tables.
fn value() -> impl Strategy<Value = u64> {
    let shapes = vec![
        0xd,
        0,
        5,
        8,
        0x1_0210,
        0x1_0000,
        0x3f,
        0x10,
        0x4000_0000_0000_001f,
        0x4398_700b,
        0x9,
        0xf,
        0x7_e204_c000_3510,
        0x44c_3594_0000_0007,
        0x4000_0003,
        0x4000_0f47,
        0x4000_07ff,
        0xffff_ffff_f003,
        0xfc0_2046,
        0x46,
        0x7_0000_01f0_f012,
        0x28,
        0x30,
        0x4,
        0x8_0000_0003,
    ];
    prop_oneof![4 => select(shapes), 3 => long(), 1 => any::<u64>()]
}

fn iova() -> impl Strategy<Value = u64> {
    prop_oneof![4 => (0..10u64).prop_map(|page| page << 12), 1 => long()]
}

fn place() -> impl Strategy<Value = Place> {
    select(vec![
        Place::StreamTable,
        Place::Ste,
        Place::Cd,
        Place::Table,
        Place::Leaf,
        Place::Commands,
        Place::Events,
    ])
}

fn traffic() -> impl Strategy<Value = Blow> {
    prop_oneof![
        3 => (iova(), 0..300usize).prop_map(|(iova, len)| Blow::Read { iova, len }),
        3 => iova().prop_map(|iova| Blow::Write { iova }),
        2 => iova().prop_map(|iova| Blow::Translate { iova }),
        4 => (iova(), 1..5u64).prop_map(|(iova, pages)| Blow::Map { iova, pages }),
        3 => (iova(), 1..9u64).prop_map(|(iova, pages)| Blow::Unmap { iova, pages }),
        1 => Just(Blow::Forget),
        1 => Just(Blow::Settle),
        1 => Just(Blow::Reattach),
    ]
}

fn store() -> impl Strategy<Value = Blow> {
    prop_oneof![
        5 => (offset(), width(), value())
            .prop_map(|(offset, width, value)| Blow::Store { offset, width, value }),
        1 => (offset(), width()).prop_map(|(offset, width)| Blow::Load { offset, width }),
    ]
}

fn poke() -> impl Strategy<Value = Blow> {
    let index = prop_oneof![3 => 0..16u64, 1 => 0..512u64];
    (place(), index, value()).prop_map(|(place, index, value)| Blow::Poke { place, index, value })
}

/// Addresses of the driver's structures, as it set them up.
struct Targets {
    strtab: u64,
    ste: u64,
    cd: u64,
    tables: [u64; 4],
    commands: u64,
    events: u64,
}

impl Targets {
    fn of(rig: &mut Rig) -> Self {
        const ADDRESS: u64 = 0xf_ffff_ffff_ffc0;
        let mut register = |offset| {
            let at = PhysAddr::new(SMMU + offset);
            rig.system.board.load(at, Width::W64).expect("the SMMU answers") & ADDRESS
        };
        let (strtab, commands, events) = (register(0x80), register(0x90), register(0xa0));
        let word = |at| rig.system.board.memory().load_u64(PhysAddr::new(at)).unwrap_or(0);
        let ste = (word(strtab) & ADDRESS) + 64 * 8;
        let cd = word(ste) & ADDRESS;
        let root = if word(ste) >> 1 & 7 == 5 { word(cd + 8) } else { word(ste + 24) };
        let mut tables = [root & ADDRESS; 4];
        for level in 1..4 {
            tables[level] = word(tables[level - 1]) & 0xffff_ffff_f000;
        }
        Self { strtab, ste, cd, tables, commands, events }
    }

    fn at(&self, place: Place, index: u64) -> u64 {
        let (base, entries) = match place {
            Place::StreamTable => (self.strtab, 64),
            Place::Ste => (self.ste, 8),
            Place::Cd => (self.cd, 8),
            Place::Table => (self.tables[(index % 3) as usize], 2),
            Place::Leaf => (self.tables[3], 512),
            Place::Commands => (self.commands, 512),
            Place::Events => (self.events, 512),
        };
        base + 8 * (index % entries)
    }
}

fn strike(rig: &mut Rig, targets: &Targets, blow: &Blow) {
    match *blow {
        Blow::Store { offset, width, value } => {
            let _ = rig.system.board.store(PhysAddr::new(SMMU + offset), width, value);
        }
        Blow::Load { offset, width } => {
            let _ = rig.system.board.load(PhysAddr::new(SMMU + offset), width);
        }
        Blow::Poke { place, index, value } => {
            let at = PhysAddr::new(targets.at(place, index));
            let _ = rig.system.board.memory_mut().store_u64(at, value);
        }
        Blow::Read { iova, len } => {
            let _ = rig.system.dma_read(DEVICE, Iova::new(iova), &mut vec![0; len]);
        }
        Blow::Write { iova } => {
            let _ = rig.system.dma_write(DEVICE, Iova::new(iova), &[0xff; 8]);
        }
        Blow::Translate { iova } => {
            rig.system.translate(DEVICE, Iova::new(iova), Access::WRITE);
        }
        Blow::Map { iova, pages } => {
            let fields = [MEMORY.0, iova, pages << 12];
            rig.on_container(ioctl::MAP, bytes(&[32, 3], &fields));
        }
        Blow::Unmap { iova, pages } => {
            rig.on_container(ioctl::UNMAP, bytes(&[24, 0], &[iova, pages << 12]));
        }
        Blow::Forget => rig.system.board.forget_translations(),
        Blow::Settle => rig.system.board.settle(),
        Blow::Reattach => {
            for fd in [rig.device, rig.group] {
                rig.call(Call::Close { fd });
            }
            rig.call(Call::Open { path: "/dev/vfio/2".to_owned() });
            let container = Arg::Bytes(rig.container.to_le_bytes().to_vec());
            rig.ioctl(rig.group, ioctl::SET_CONTAINER, container);
            rig.ioctl(rig.container, ioctl::SET_IOMMU, Arg::Value(3));
        }
    }
}

fn survive(kind: u8, blows: &[Blow]) {
    let mut rig = victim(kind);
    for page in 0..6 {
        let fields = [MEMORY.0, page << 12, 0x1000];
        rig.on_container(ioctl::MAP, bytes(&[32, 3], &fields));
    }
    let targets = Targets::of(&mut rig);
    for blow in blows {
        strike(&mut rig, &targets, blow);
    }
    rig.call(Call::Exit);
}

#[test]
fn no_register_is_fatal() {
    let blows = vec(prop_oneof![2 => store(), 1 => traffic()], 1..40);
    attack(120, 21, &(0..4u8, blows), |(kind, blows)| survive(kind, &blows));
}

#[test]
fn no_word_in_memory_is_fatal() {
    let blows = vec(prop_oneof![2 => poke(), 2 => traffic()], 1..60);
    attack(160, 22, &(0..4u8, blows), |(kind, blows)| survive(kind, &blows));
}

#[test]
fn no_mixture_is_fatal() {
    let blows = vec(prop_oneof![2 => poke(), 1 => store(), 2 => traffic()], 1..60);
    attack(100, 23, &(0..4u8, blows), |(kind, blows)| survive(kind, &blows));
}
