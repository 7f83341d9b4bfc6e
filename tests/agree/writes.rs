//! A device's write as one call, which may take the fast path, against the same write as a transfer
//! of one piece, which does not: two machines with the same history.

use crate::rig::{DEVICE, Rig, Spec, bytes, ioctl};
use passim::machine::{Gic, Machine};
use passim::system::{DeviceWrite, Pace, Reach, Smmu};
use passim_gic::choice::Preset;
use passim_gic::{Cpu, Size};
use passim_model::{Host, Iova, PhysAddr, Requester, UserAddr, Width};
use passim_vfio::call::{Arg, Call, MapKind};
use proptest::prelude::*;

/// Addresses of the machine's ITS and of its first redistributor.
const GITS: u64 = 0x0808_0000;
const GICR: u64 = 0x080a_0000;
/// Memory of the process, and its IOVA.
const ARENA: u64 = 0x1000_0000_0000;
const IOVA: u64 = 0x4000_0000;
const PAGES: u64 = 3;
/// VFIO_DEVICE_SET_IRQS.
const SET_IRQS: u32 = 0x3b6e;

#[derive(Clone, Copy, Debug)]
enum Happening {
    /// A write to the doorbell's IOVA, or to a page of memory, at this offset.
    Write {
        page: Option<u64>,
        offset: u64,
        size: usize,
        value: u64,
    },
    /// A write to the ITS's physical address, bypassing the SMMU.
    Straight {
        offset: u64,
        size: Size,
        value: u64,
    },
    Map(u64),
    Unmap(u64),
    /// Disables or enables the device's message.
    Messages,
    /// GITS_CTLR.Enabled.
    Its(bool),
    /// GICR_CTLR.EnableLPIs.
    Lpis(bool),
    /// The CPU acknowledges an interrupt, if one is pending.
    Take,
    Forget,
    Settle,
}

fn happening() -> impl Strategy<Value = Happening> {
    let page = prop_oneof![2 => Just(None), 1 => (0..PAGES).prop_map(Some)];
    let offset = prop_oneof![6 => Just(0x40u64), 1 => 0u64..0x100];
    let size = prop_oneof![6 => Just(4usize), 1 => 1usize..9];
    let value = prop_oneof![6 => 0u64..3, 1 => any::<u64>()];
    let sizes = prop::sample::select(vec![Size::Byte, Size::Half, Size::Word, Size::Double]);
    prop_oneof![
        12 => (page, offset, size, value.clone())
            .prop_map(|(page, offset, size, value)| Happening::Write { page, offset, size, value }),
        4 => (prop_oneof![6 => Just(0x1_0040u64), 1 => 0u64..0x2_0000], sizes, value)
            .prop_map(|(offset, size, value)| Happening::Straight { offset, size, value }),
        1 => (0..PAGES).prop_map(Happening::Map),
        1 => (0..PAGES).prop_map(Happening::Unmap),
        1 => Just(Happening::Messages),
        1 => any::<bool>().prop_map(Happening::Its),
        1 => any::<bool>().prop_map(Happening::Lpis),
        1 => Just(Happening::Take),
        1 => Just(Happening::Forget),
        1 => Just(Happening::Settle),
    ]
}

/// A machine whose device has one message, enabled.
struct Board {
    rig: Rig,
    requester: Requester,
    smmu: Option<usize>,
    /// The start of the doorbell's page.
    doorbell: u64,
    enabled: bool,
}

impl Board {
    fn new(preset: Preset, cache: &str) -> Self {
        let change = |machine: &mut Machine| {
            let Gic::Its(gic) = &mut machine.gic else { panic!("a machine with an ITS") };
            gic.preset = preset;
            gic.built.set("cache", cache).expect("a key of a GICv3");
        };
        let mut rig = Rig::with_ram(Spec::PLAIN, change);
        rig.area(ARENA, PAGES << 12, MapKind::Anonymous);
        let slot = rig.system.board.slot(DEVICE).expect("the machine has it");
        let (requester, smmu) = (slot.registers.requester(), slot.smmu);
        let mut board = Self { rig, requester, smmu, doorbell: 0, enabled: false };
        board.messages();
        let slot = board.rig.system.board.slot(DEVICE).expect("the machine has it");
        let msi = slot.registers.msi().expect("a device with MSI");
        board.doorbell = msi.programmed(slot.registers.config()).address.get() & !0xfff;
        (0..PAGES).for_each(|page| board.map(page));
        board.rig.system.board.set_pace(Pace::Stepped);
        board
    }

    fn messages(&mut self) {
        let words = match self.enabled {
            // argsz, flags (DATA_NONE, ACTION_TRIGGER), MSI, start 0, count 0.
            true => vec![20, 1 << 5 | 1, 1, 0, 0],
            false => {
                let eventfd = self.rig.call(Call::EventFd).ret.expect("a descriptor is free");
                vec![24, 1 << 2 | 1 << 5, 1, 0, 1, eventfd as u32]
            }
        };
        let answer = self.rig.ioctl(self.rig.device, SET_IRQS, Arg::Bytes(bytes(&words, &[])));
        self.enabled ^= answer.ret.is_ok();
    }

    fn map(&mut self, page: u64) {
        let at = page << 12;
        self.rig.on_container(ioctl::MAP, bytes(&[32, 3], &[ARENA + at, IOVA + at, 0x1000]));
    }

    fn store(&mut self, at: u64, value: u64) {
        let board = &mut self.rig.system.board;
        board.store(PhysAddr::new(at), Width::W32, value).expect("a register");
    }

    /// Performs a step that is not a write.
    fn apply(&mut self, happening: Happening) {
        match happening {
            Happening::Write { .. } | Happening::Straight { .. } => {}
            Happening::Map(page) => self.map(page),
            Happening::Unmap(page) => {
                let iova = IOVA + (page << 12);
                self.rig.on_container(ioctl::UNMAP, bytes(&[24, 0], &[iova, 0x1000]));
            }
            Happening::Messages => self.messages(),
            Happening::Its(on) => self.store(GITS, u64::from(on)),
            Happening::Lpis(on) => self.store(GICR, u64::from(on)),
            Happening::Take => {
                let Rig { system, .. } = &mut self.rig;
                if let Some((cpu, _)) = system.board.interrupted() {
                    system.kernel.interrupt(cpu.get(), &mut system.board);
                }
            }
            Happening::Forget => self.rig.system.board.forget_translations(),
            Happening::Settle => self.rig.system.board.settle(),
        }
    }

    /// Writes in one call.
    fn write(&mut self, smmu: Option<usize>, at: u64, bytes: &[u8]) -> Reach {
        let (requester, at) = (self.requester, Iova::new(at));
        self.rig.system.board.device_write(DeviceWrite {
            requester,
            smmu,
            function: None,
            at,
            bytes,
        })
    }

    /// Writes as a transfer of one piece.
    fn transfer(&mut self, at: u64, bytes: &[u8]) -> Reach {
        let pieces = self.rig.system.dma_write(DEVICE, Iova::new(at), bytes);
        let pieces = pieces.expect("a device of the machine");
        assert_eq!(pieces.len(), 1);
        pieces[0].reach
    }

    /// Everything visible of SMMU, GIC and the pages.
    fn state(&mut self) -> impl PartialEq + core::fmt::Debug + use<> {
        let board = &mut self.rig.system.board;
        let effects = board.take_effects();
        let smmu = board.smmu(0).and_then(Smmu::v3).expect("an SMMUv3");
        let smmu = (smmu.counters(), smmu.tlb_entries());
        let gic = board.gicv3().expect("a GICv3");
        let pending: Vec<_> = gic.cpus().map(|cpu| gic.pending_lpis(cpu)).collect();
        let its = gic.its().iter();
        let its: Vec<_> = its.map(|its| (its.counters(), its.cached_translations())).collect();
        let gic = (gic.counters(), pending, gic.highest_pending(Cpu::new(0)), its);
        let failed = board.take_failed_writes(0);
        let memory = self.pages();
        (smmu, gic, failed, effects, memory)
    }

    fn pages(&mut self) -> Vec<Option<[u64; 32]>> {
        let pages = (0..PAGES).map(|page| {
            let at = self
                .rig
                .system
                .kernel
                .frame_of(self.rig.pid, UserAddr::new(ARENA + (page << 12)))?;
            let words = self.rig.system.board.memory().words(at, 32).ok()?;
            words.try_into().ok()
        });
        pages.collect()
    }
}

proptest! {
    #![proptest_config(passim_tests::cases::any(64))]

    #[test]
    fn both_come_to_the_same(
        preset in prop_oneof![
            Just(Preset::Gic600),
            Just(Preset::ArchStrict),
            Just(Preset::KvmAbi0),
            Just(Preset::Qemu),
            any::<u64>().prop_map(Preset::Adversarial),
        ],
        cache in prop::sample::select(vec!["off", "64"]),
        happenings in prop::collection::vec(happening(), 1..60),
    ) {
        let [mut short, mut long] = [Board::new(preset, cache), Board::new(preset, cache)];
        for happening in happenings {
            match happening {
                Happening::Write { page, offset, size, value } => {
                    let page = page.map_or(short.doorbell, |page| IOVA + (page << 12));
                    let bytes = &value.to_le_bytes()[..size];
                    let smmu = short.smmu;
                    let one = short.write(smmu, page + offset, bytes);
                    prop_assert_eq!(one, long.transfer(page + offset, bytes));
                }
                Happening::Straight { offset, size, value } => {
                    let bytes = &value.to_le_bytes()[..size.bytes() as usize];
                    let one = match short.write(None, GITS + offset, bytes) {
                        Reach::Doorbell(at, arrival) if at.get() == GITS + offset => Some(arrival),
                        _ => None,
                    };
                    let board = &mut long.rig.system.board;
                    let at = PhysAddr::new(GITS + offset);
                    prop_assert_eq!(one, board.message(at, &long.requester, size, value));
                }
                other => {
                    short.apply(other);
                    long.apply(other);
                }
            }
            prop_assert_eq!(short.state(), long.state());
        }
    }
}
