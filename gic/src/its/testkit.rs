//! A machine for tests: a GICv3 with an ITS, set up as Linux does, and commands as raw words.
//!
//! Everything is written in numbers. Nothing here uses the layouts under test.

use super::{Arrival, Report};
use crate::Size;
use crate::choice::{ItsChoices, Preset};
use crate::v3::testkit as kit;
use crate::v3::{Block, Implementation};
use passim_model::{DeviceId, PhysAddr, Requester, StreamId};
use std::ops::{Deref, DerefMut};

/// Command queue of 64 KiB: 2048 commands.
pub(crate) const QUEUE: u64 = 0x4300_0000;
/// Device table: level 1 of a two-level table, one page of 64 KiB.
pub(crate) const DEVICES: u64 = 0x4400_0000;
/// Its page of level 2, for devices 0 to 8191.
pub(crate) const DEVICES2: u64 = 0x4401_0000;
/// Collection table, flat.
pub(crate) const COLLECTIONS: u64 = 0x4500_0000;
/// Interrupt translation tables: device n's at this plus n times 64 KiB.
pub(crate) const ITTS: u64 = 0x4600_0000;
/// The ITS's register block.
pub(crate) const ITS: Block = Block::Its(0);

/// Address of a device's interrupt translation table.
pub(crate) fn itt(device: u32) -> u64 {
    ITTS + (u64::from(device) << 16)
}

pub(crate) struct Board {
    pub(crate) board: kit::Board,
    /// Offset of the next command in the queue.
    pub(crate) writer: u64,
}

impl Deref for Board {
    type Target = kit::Board;

    fn deref(&self) -> &kit::Board {
        &self.board
    }
}

impl DerefMut for Board {
    fn deref_mut(&mut self) -> &mut kit::Board {
        &mut self.board
    }
}

impl Board {
    /// Four CPUs with everything enabled; collections 0 to 3 at the CPUs of these numbers,
    /// synchronised.
    pub(crate) fn new(preset: Preset) -> Self {
        Self::with(Implementation::of(preset, 4, 32))
    }

    pub(crate) fn with(implementation: Implementation) -> Self {
        let mut board = Self::without_collections(implementation);
        for n in 0..4 {
            board.mapc(n, u64::from(n));
            board.sync(u64::from(n));
        }
        board.run();
        board
    }

    pub(crate) fn without_collections(implementation: Implementation) -> Self {
        let mut board = kit::Board::cold(implementation);
        board.boot();
        let mut board = Self { board, writer: 0 };
        board.boot_its();
        board
    }

    /// Makes queue and tables valid and enables the ITS.
    pub(crate) fn boot_its(&mut self) {
        self.put(DEVICES, 1 << 63 | DEVICES2);
        self.w64(ITS, 0x100, 1 << 63 | 1 << 62 | DEVICES | 2 << 8);
        self.w64(ITS, 0x108, 1 << 63 | COLLECTIONS | 2 << 8);
        self.w64(ITS, 0x80, 1 << 63 | QUEUE | 15);
        self.w64(ITS, 0x88, 0);
        self.w32(ITS, 0x00, 1);
        self.writer = 0;
    }

    /// The ITS's choices.
    pub(crate) fn choices(&self) -> ItsChoices {
        self.gic.its()[0].implementation().choices
    }

    pub(crate) fn put(&mut self, at: u64, word: u64) {
        self.memory.store_u64(PhysAddr::new(at), word).unwrap();
    }

    pub(crate) fn get(&self, at: u64) -> u64 {
        self.memory.load_u64(PhysAddr::new(at)).unwrap()
    }

    /// Writes a command into the queue, without a store to CWRITER.
    pub(crate) fn write_command(&mut self, words: [u64; 4]) {
        for (i, word) in words.into_iter().enumerate() {
            self.put(QUEUE + self.writer + 8 * i as u64, word);
        }
        self.writer = (self.writer + 32) % 0x1_0000;
    }

    /// Writes a command into the queue and stores CWRITER.
    pub(crate) fn submit(&mut self, words: [u64; 4]) {
        self.write_command(words);
        let writer = self.writer;
        self.w64(ITS, 0x88, writer);
    }

    /// Submits a command and waits as a driver does, until CREADR has passed it.
    pub(crate) fn command(&mut self, words: [u64; 4]) {
        self.submit(words);
        for _ in 0..1000 {
            if self.r64(ITS, 0x90) == self.writer {
                return;
            }
            let _ = self.board.gic.step(&mut self.board.memory);
        }
        panic!("the queue stopped: {:?}", self.reports());
    }

    pub(crate) fn mapd(&mut self, device: u32, bits: u64) {
        let table = 1 << 63 | itt(device);
        self.command([u64::from(device) << 32 | 0x08, bits - 1, table, 0]);
    }

    pub(crate) fn unmap_device(&mut self, device: u32) {
        self.command([u64::from(device) << 32 | 0x08, 0, 0, 0]);
    }

    pub(crate) fn mapc(&mut self, icid: u16, processor: u64) {
        self.command([0x09, 0, 1 << 63 | processor << 16 | u64::from(icid), 0]);
    }

    pub(crate) fn unmap_collection(&mut self, icid: u16) {
        self.command([0x09, 0, u64::from(icid), 0]);
    }

    pub(crate) fn mapti(&mut self, device: u32, event: u32, lpi: u32, icid: u16) {
        let which = u64::from(lpi) << 32 | u64::from(event);
        self.command([u64::from(device) << 32 | 0x0a, which, u64::from(icid), 0]);
    }

    pub(crate) fn movi(&mut self, device: u32, event: u32, icid: u16) {
        self.of_event(0x01, device, event, u64::from(icid));
    }

    pub(crate) fn int(&mut self, device: u32, event: u32) {
        self.of_event(0x03, device, event, 0);
    }

    pub(crate) fn clear(&mut self, device: u32, event: u32) {
        self.of_event(0x04, device, event, 0);
    }

    pub(crate) fn inv(&mut self, device: u32, event: u32) {
        self.of_event(0x0c, device, event, 0);
    }

    pub(crate) fn discard(&mut self, device: u32, event: u32) {
        self.of_event(0x0f, device, event, 0);
    }

    fn of_event(&mut self, opcode: u64, device: u32, event: u32, word2: u64) {
        self.command([u64::from(device) << 32 | opcode, u64::from(event), word2, 0]);
    }

    pub(crate) fn invall(&mut self, icid: u16) {
        self.command([0x0d, 0, u64::from(icid), 0]);
    }

    pub(crate) fn movall(&mut self, from: u64, to: u64) {
        self.command([0x0e, 0, from << 16, to << 16]);
    }

    pub(crate) fn sync(&mut self, processor: u64) {
        self.command([0x05, 0, processor << 16, 0]);
    }

    /// Maps a device with 8 EventID bits and one event to an enabled LPI, synchronised.
    pub(crate) fn map(&mut self, device: u32, event: u32, lpi: u32, icid: u16) {
        self.configure(lpi, 0xa3);
        self.mapd(device, 8);
        self.mapti(device, event, lpi, icid);
        self.inv(device, event);
        self.sync(u64::from(icid));
    }

    /// A device writes a message.
    pub(crate) fn message(&mut self, device: u32, event: u32) -> Arrival {
        self.device_write(device, 0x1_0040, Size::Word, u64::from(event))
    }

    pub(crate) fn device_write(&mut self, device: u32, at: u64, size: Size, value: u64) -> Arrival {
        let requester = Requester {
            stream: StreamId::new(device),
            substream: None,
            device: DeviceId::new(device),
        };
        let Board { board, .. } = self;
        board.gic.message(0, at, size, value, &requester, &mut board.memory)
    }

    /// Delivers everything that is on its way.
    pub(crate) fn settle(&mut self) {
        let board = &mut self.board;
        board.gic.settle(&mut board.memory);
    }

    pub(crate) fn reports(&mut self) -> Vec<Report> {
        self.board.gic.take_reports(0)
    }

    /// The LPIs that each of the four CPUs acknowledges, once everything has arrived.
    pub(crate) fn delivered(&mut self) -> [Vec<u32>; 4] {
        self.settle();
        [0, 1, 2, 3].map(|n| self.drain(n))
    }

    /// Asserts that exactly this LPI is acknowledged, by this CPU.
    #[track_caller]
    pub(crate) fn only(&mut self, n: u16, lpi: u32) {
        let mut expected = [const { Vec::new() }; 4];
        expected[usize::from(n)].push(lpi);
        assert_eq!(self.delivered(), expected);
    }

    /// Asserts that nothing is acknowledged.
    #[track_caller]
    pub(crate) fn nothing(&mut self) {
        assert_eq!(self.delivered(), [const { Vec::<u32>::new() }; 4]);
    }
}
