//! A case as stores to registers and memory, and what is read back.

use super::case::{CPUS, Case, DEVICES, Level, Step, Tables, Target};

/// A board that can be stored to and read from outside.
pub(crate) trait Board {
    /// Stores to a register of `size` bytes.
    fn store(&mut self, at: u64, size: u64, value: u64);
    /// Loads a register of `size` bytes.
    fn load(&mut self, at: u64, size: u64) -> u64;
    /// Writes doublewords to memory.
    fn put(&mut self, at: u64, words: &[u64]);
    /// Reads doublewords of memory.
    fn words(&mut self, at: u64, count: usize) -> Vec<u64>;
    /// The PCI function 00:01.0 writes an EventID to GITS_TRANSLATER.
    fn message(&mut self, event: u64);
}

// The places of QEMU's virt board; those in memory are free.
const GICD: u64 = 0x0800_0000;
const GITS: u64 = 0x0808_0000;
const CONFIG: u64 = 0x4100_0000;
const PENDING: u64 = 0x4200_0000;
const QUEUE: u64 = 0x4300_0000;
const TABLES: [u64; 2] = [0x4400_0000, 0x4500_0000];
const LEVEL2: [u64; 2] = [0x4700_0000, 0x4710_0000];

/// LPIs whose state is compared: the first so many.
const LPIS: u64 = 2048;

/// Address of the interrupt translation table of one of [`DEVICES`].
pub(crate) fn itt(nth: usize) -> u64 {
    0x4600_0000 + nth as u64 * 0x1_0000
}

fn redistributor(cpu: u64) -> u64 {
    0x080a_0000 + cpu * 0x2_0000
}

fn pending(cpu: u64) -> u64 {
    PENDING + cpu * 0x1_0000
}

/// Plays a case; returns what is read on the way and afterwards, a line each.
pub(crate) fn play(case: &Case, board: &mut impl Board) -> Vec<String> {
    let mut played = Played { case, written: 0, lines: Vec::new() };
    set_up(&case.tables, board);
    for step in &case.steps {
        played.step(step, board);
    }
    played.read_back(board);
    played.lines
}

fn set_up(tables: &Tables, board: &mut impl Board) {
    board.put(CONFIG, &vec![tables.config; (LPIS / 8) as usize]);
    board.store(GICD, 4, 0x12);
    for cpu in 0..CPUS {
        let at = redistributor(cpu);
        board.store(at + 0x14, 4, 0);
        board.store(at + 0x70, 8, CONFIG | tables.id_bits);
        board.store(at + 0x78, 8, pending(cpu));
        board.store(at, 4, tables.on >> cpu & 1);
    }
    for (nth, level) in [tables.devices, tables.collections].into_iter().enumerate() {
        let Level { page, pages, indirect } = level;
        let base = 1 << 63 | u64::from(indirect.is_some()) << 62 | TABLES[nth] | page << 8 | pages;
        board.store(GITS + 0x100 + 8 * nth as u64, 8, base);
        let entry = |page: u64| 1 << 63 | (LEVEL2[nth] + page * 0x1_0000);
        let entries: Vec<_> = (0..indirect.unwrap_or(0)).map(entry).collect();
        board.put(TABLES[nth], &entries);
    }
    board.store(GITS + 0x80, 8, 1 << 63 | QUEUE | tables.queue);
    board.store(GITS, 4, 1);
}

struct Played<'a> {
    case: &'a Case,
    /// Where the next command goes, from the start of the queue.
    written: u64,
    lines: Vec<String>,
}

impl Played<'_> {
    fn step(&mut self, step: &Step, board: &mut impl Board) {
        let size = (self.case.tables.queue + 1) << 12;
        match *step {
            Step::Commands(ref all, retry) => {
                for command in all {
                    board.put(QUEUE + self.written, command);
                    self.written = (self.written + 32) % size;
                }
                board.store(GITS + 0x88, 8, self.written | u64::from(retry));
            }
            Step::Message(event) => board.message(event),
            Step::Lpis(cpu, on) => board.store(redistributor(cpu), 4, on.into()),
            Step::Pending(cpu, of, ptz) => {
                board.store(redistributor(cpu) + 0x78, 8, pending(of) | u64::from(ptz) << 62);
            }
            Step::Restart(rewind) => {
                board.store(GITS, 4, 0);
                if rewind {
                    board.store(GITS + 0x80, 8, 1 << 63 | QUEUE | self.case.tables.queue);
                    self.written = 0;
                }
                board.store(GITS, 4, 1);
            }
            Step::Reader(slot) => board.store(GITS + 0x90, 8, slot * 32 % size),
            Step::Configure(at, config) => board.put(CONFIG + at * 8, &[config]),
            Step::Corrupt(table, at, value) => {
                let table = match table {
                    Target::Devices => TABLES[0],
                    Target::Collections => TABLES[1],
                    Target::Events(nth) => itt(nth),
                };
                board.put(table + at * 8, &[value]);
            }
        }
        self.load("GITS_CREADR", GITS + 0x90, 8, board);
    }

    fn load(&mut self, name: &str, at: u64, size: u64, board: &mut impl Board) {
        let value = board.load(at, size);
        self.lines.push(format!("{name} {value:#x}"));
    }

    fn read_back(&mut self, board: &mut impl Board) {
        self.load("GITS_CTLR", GITS, 4, board);
        self.load("GITS_CBASER", GITS + 0x80, 8, board);
        self.load("GITS_CWRITER", GITS + 0x88, 8, board);
        for nth in 0..8 {
            self.load("GITS_BASER", GITS + 0x100 + 8 * nth, 8, board);
        }
        for cpu in 0..CPUS {
            let at = redistributor(cpu);
            self.load("GICR_CTLR", at, 4, board);
            self.load("GICR_PROPBASER", at + 0x70, 8, board);
            self.load("GICR_PENDBASER", at + 0x78, 8, board);
        }
        for nth in 0..2 {
            self.words("table", TABLES[nth], 512, board);
            (0..4).for_each(|page| self.words("level 2", LEVEL2[nth] + page * 0x1_0000, 64, board));
        }
        for nth in 0..DEVICES.len() {
            self.words("interrupt translation table", itt(nth), 64, board);
        }
        for cpu in 0..CPUS {
            self.words("pending table", pending(cpu), 16, board);
            self.words("pending table", pending(cpu) + 1024, (LPIS / 64) as usize, board);
        }
    }

    fn words(&mut self, name: &str, at: u64, count: usize, board: &mut impl Board) {
        let words = board.words(at, count);
        let lines = (at..).step_by(8).zip(words).filter(|(_, word)| *word != 0);
        let lines: Vec<_> = lines.map(|(at, word)| format!("{at:#x} {word:#x}")).collect();
        self.lines.push(format!("{name} {}", lines.join(", ")));
    }
}
