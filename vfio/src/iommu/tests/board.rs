//! A toy SMMU behind a [`Host`]: registers that acknowledge, and a command queue that is consumed.

use super::super::{
    BootError, DeviceFacts, DomainId, DriverFacts, Firmware, Iommu, Synced, Transition,
};
use crate::policy::{Policy, Profile};
use crate::step::{Queue, Step};
use passim_model::{
    Abort, Frames, Host, Memory, PageSize, PhysAddr, Refusal, Rid, Span, StreamId, Width,
};
use std::collections::BTreeMap;

pub(super) const BASE: u64 = 0x905_0000;
const RAM: u64 = 0x4000_0000;
const RAM_BYTES: u64 = 0x4000_0000;

/// When the toy consumes commands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Appetite {
    /// All at every store to CMDQ_PROD.
    AtOnce,
    /// One whenever the CPU waits.
    OneByOne,
}

pub(super) struct Board {
    memory: Memory,
    pub(super) registers: BTreeMap<u64, u64>,
    pub(super) appetite: Appetite,
    /// Every command consumed, in order.
    pub(super) eaten: Vec<[u64; 2]>,
    /// Register accesses, in order.
    pub(super) log: Vec<(char, u64, u64)>,
    /// The opcode that the toy reports as illegal.
    pub(super) poison: Option<u64>,
    /// Values that loads of a register return instead of its own.
    pub(super) lies: BTreeMap<u64, u64>,
}

impl Board {
    /// The recorded board: both stages, or stage 2 only.
    pub(super) fn new(idr0: u64) -> Self {
        let mut memory = Memory::new();
        memory.add_bank(Span::from_size(PhysAddr::new(RAM), RAM_BYTES).unwrap()).unwrap();
        let identification = [(0x0, idr0), (0x4, 0x273_0010), (0xc, 0x1414), (0x14, 0x74)];
        Self {
            memory,
            registers: identification.into_iter().collect(),
            appetite: Appetite::AtOnce,
            eaten: Vec::new(),
            log: Vec::new(),
            poison: None,
            lies: BTreeMap::new(),
        }
    }

    pub(super) fn register(&self, offset: u64) -> u64 {
        self.registers.get(&offset).copied().unwrap_or(0)
    }

    pub(super) fn words<const N: usize>(&self, at: u64) -> [u64; N] {
        self.memory.words(PhysAddr::new(at), N).unwrap().try_into().unwrap()
    }

    /// The STE of a stream in the two-level table.
    pub(super) fn ste(&self, stream: u64) -> [u64; 8] {
        let first = self.register(0x80) & 0x000f_ffff_ffff_ffc0;
        let [descriptor] = self.words(first + (stream >> 8) * 8);
        self.words((descriptor & !0x3f) + (stream & 0xff) * 64)
    }

    fn eat(&mut self) -> bool {
        let (prod, cons) = (self.register(0x98), self.register(0x9c) & 0xf_ffff);
        let stopped = (self.register(0x60) ^ self.register(0x64)) & 1 != 0;
        if prod == cons || stopped || self.register(0x24) & 8 == 0 {
            return false;
        }
        let base = self.register(0x90);
        let lg2 = base & 0x1f;
        let at = (base & 0x000f_ffff_ffff_ffe0) + (cons & ((1 << lg2) - 1)) * 16;
        let command: [u64; 2] = self.words(at);
        if self.poison == Some(command[0] & 0xff) {
            self.registers.insert(0x9c, cons | 1 << 24);
            *self.registers.entry(0x60).or_default() ^= 1;
            return false;
        }
        if command[0] & 0x30ff == 0x1046 {
            let at = PhysAddr::new(command[1]);
            // A message outside RAM is lost.
            if let Ok(word) = self.memory.load_u64(at) {
                let word = word & !0xffff_ffff | command[0] >> 32;
                self.memory.store_u64(at, word).unwrap();
            }
        }
        self.eaten.push(command);
        self.registers.insert(0x9c, (cons + 1) & ((2 << lg2) - 1));
        true
    }

    /// Takes the commands consumed so far, spelled as in the recordings.
    pub(super) fn commands(&mut self) -> String {
        let spell = |[first, second]: [u64; 2]| match (first, second) {
            (0xfc0_2046 | 0x2046, 0) => "S".to_owned(),
            _ => format!("{first:x}:{second:x}"),
        };
        let words: Vec<_> = self.eaten.drain(..).map(spell).collect();
        words.join(" ")
    }
}

impl Host for Board {
    fn memory(&self) -> &Memory {
        &self.memory
    }

    fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn load(&mut self, at: PhysAddr, _width: Width) -> Result<u64, Abort> {
        let offset = at.get().checked_sub(BASE).filter(|offset| *offset < 0x2_0000);
        let offset = offset.ok_or(Abort(at))?;
        let value = self.lies.get(&offset).copied().unwrap_or_else(|| self.register(offset));
        self.log.push(('r', offset, value));
        Ok(value)
    }

    fn store(&mut self, at: PhysAddr, _width: Width, value: u64) -> Result<(), Abort> {
        let offset = at.get().checked_sub(BASE).filter(|offset| *offset < 0x2_0000);
        let offset = offset.ok_or(Abort(at))?;
        self.log.push(('w', offset, value));
        self.registers.insert(offset, value);
        match offset {
            0x20 | 0x50 => {
                self.registers.insert(offset + 4, value);
            }
            0x98 if self.appetite == Appetite::AtOnce => while self.eat() {},
            0x64 if self.appetite == Appetite::AtOnce => while self.eat() {},
            _ => {}
        }
        Ok(())
    }

    fn relax(&mut self) {
        if self.appetite == Appetite::OneByOne {
            self.eat();
        }
    }
}

/// IDR0 of the recorded boards: both stages, and stage 2 only.
pub(super) const BOTH_STAGES: u64 = 0xd44_101b;
pub(super) const STAGE2_ONLY: u64 = 0xd44_1019;

/// The recorded machine's devices in the order in which its kernel probed them.
pub(super) fn firmware() -> Firmware {
    let device = |group, rid: &str, streams: &[u32]| {
        let streams = streams.iter().copied().map(StreamId::new);
        DeviceFacts::with_streams(Rid::parse(rid).unwrap(), streams, group, 0)
    };
    Firmware {
        drivers: vec![DriverFacts::SmmuV3 { base: PhysAddr::new(BASE) }],
        devices: vec![
            device(0, "00:05.0", &[0x28]),
            device(1, "00:06.0", &[0x30]),
            device(2, "00:01.0", &[0x08]),
            device(3, "00:04.0", &[0x20]),
            device(0, "01:00.0", &[0x100]),
            device(1, "02:02.0", &[0x210, 0x200]),
            device(4, "00:03.0", &[0x18]),
            device(3, "00:04.1", &[0x21]),
            device(5, "00:02.0", &[0x10]),
        ],
    }
}

/// A booted machine.
pub(super) struct Machine {
    pub(super) board: Board,
    pub(super) frames: Frames,
    pub(super) iommu: Iommu,
}

impl Machine {
    pub(super) fn boot(profile: Profile, idr0: u64) -> Self {
        Self::boot_with(profile, PageSize::K4, Board::new(idr0)).unwrap()
    }

    pub(super) fn boot_with(
        profile: Profile,
        page: PageSize,
        board: Board,
    ) -> Result<Self, BootError> {
        Self::boot_firmware(&firmware(), &profile.policy(), page, board)
    }

    /// The recorded machine with 4K pages and the given policy.
    pub(super) fn boot_policy(policy: &Policy, idr0: u64) -> Self {
        Self::boot_firmware(&firmware(), policy, PageSize::K4, Board::new(idr0)).unwrap()
    }

    pub(super) fn boot_firmware(
        firmware: &Firmware,
        policy: &Policy,
        page: PageSize,
        mut board: Board,
    ) -> Result<Self, BootError> {
        let ram = Span::from_size(PhysAddr::new(RAM), RAM_BYTES).unwrap();
        let mut frames = Frames::new(page, [ram]);
        let iommu = Iommu::boot(firmware, policy, page, &mut frames, &mut board)?;
        Ok(Self { board, frames, iommu })
    }

    /// Steps an operation to its end.
    pub(super) fn run(
        &mut self,
        mut step: impl FnMut(&mut Iommu, &mut Frames, &mut Board) -> Step<Synced>,
    ) -> Synced {
        for _ in 0..10_000 {
            match step(&mut self.iommu, &mut self.frames, &mut self.board) {
                Step::Done(proof) => return proof,
                Step::Waiting(queue) => {
                    assert_eq!(queue, Queue::SmmuCommands(0));
                    self.board.relax();
                }
                Step::Unlocked => unreachable!("no lock is dropped here"),
            }
        }
        panic!("it never ends")
    }

    pub(super) fn attach(&mut self, domain: DomainId, group: u32) -> Result<Transition, Refusal> {
        self.iommu.attach(domain, group, &mut self.frames, &mut self.board)
    }

    pub(super) fn claim(&mut self, group: u32) {
        let claimed = self.iommu.claim(group, &mut self.frames, &mut self.board);
        let mut transition = claimed.unwrap();
        let _ = self.run(|iommu, frames, board| transition.step(iommu, frames, board));
    }

    pub(super) fn finish(&mut self, mut transition: Transition) {
        let _ = self.run(|iommu, frames, board| transition.step(iommu, frames, board));
    }

    pub(super) fn sync(&mut self, mut invalidation: super::super::Invalidation) {
        let _ = self.run(|iommu, frames, board| invalidation.step(iommu, frames, board));
    }
}
