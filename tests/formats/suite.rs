//! The suite: what it requires of a format, and its comparison.

use passim_model::{Memory, Perms, PhysAddr, Span};
use std::fmt::Debug;

/// The result of a walk.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Answer {
    /// A leaf, and the permissions of unprivileged accesses.
    Leaf {
        output: u64,
        size: u64,
        perms: Perms,
    },
    Translation(i8),
    AddressSize(i8),
    AccessFlag(i8),
    Abort(u64),
}

/// One shape of tables of a format.
pub(crate) trait Format: Debug {
    /// Level of the first lookup, and the last.
    fn levels(&self) -> (i8, i8);
    /// Input address bits.
    fn input_bits(&self) -> u32;
    /// log2 of the bytes an entry of this level translates.
    fn entry_lg2(&self, level: i8) -> u32;
    /// log2 of the bytes of an entry itself.
    fn word_lg2(&self) -> u32;
    /// log2 of the bytes of a full table, which is also its alignment.
    fn table_lg2(&self) -> u32;
    /// An entry of this level that points to the table at `at`.
    fn table(&self, level: i8, at: u64) -> u64;
    /// Entries of every other kind that this level can contain, sensible or not. `seed` decides the
    /// output of those that translate.
    fn kinds(&self, level: i8, seed: u64) -> Vec<u64>;
    /// Writes an entry.
    fn put(&self, memory: &mut Memory, at: u64, entry: u64);
    /// The hardware's reading.
    fn hardware(&self, memory: &Memory, root: u64, input: u64) -> Answer;
    /// The oracle's reading.
    fn oracle(&self, memory: &Memory, root: u64, input: u64) -> Answer;

    /// Writes everything else to memory that the hardware needs to find the table at `root`.
    fn prepare(&self, _memory: &mut Memory, _root: u64) {}

    /// Only every n-th input is compared; this is n.
    fn every(&self) -> u64 {
        1
    }

    /// Entries of a table at this level.
    fn entries(&self, level: i8) -> u64 {
        let full = 1 << (self.table_lg2() - self.word_lg2());
        if level == self.levels().0 {
            1 << (self.input_bits() - self.entry_lg2(level))
        } else {
            full
        }
    }
}

/// First address of the tables; hostile entries point to addresses that do not answer.
const TABLES: u64 = 0x10_0000;
const TABLE_BYTES: u64 = 64 << 20;

struct Builder<'a, F> {
    format: &'a F,
    memory: Memory,
    next: u64,
    /// The kind of entry that comes first.
    turn: usize,
    /// Input addresses to compare.
    inputs: Vec<u64>,
}

impl<F: Format> Builder<'_, F> {
    /// Allocates a table of `bytes`.
    fn take(&mut self, bytes: u64) -> u64 {
        let align = bytes.max(1 << self.format.table_lg2());
        let at = self.next.next_multiple_of(align);
        self.next = at + align;
        assert!(self.next <= TABLES + TABLE_BYTES, "the tables of one shape fit");
        at
    }

    /// Writes a table of this level whose first entry translates `input`: tables below its first,
    /// second and last entries, every other kind in turn between them.
    fn fill(&mut self, level: i8, input: u64) -> u64 {
        let format = self.format;
        let count = format.entries(level);
        let word = 1 << format.word_lg2();
        let at = self.take(count * word);
        let size = 1u64 << format.entry_lg2(level);
        let last = format.levels().1;
        for index in 0..count {
            let first = input + index * size;
            let down = match self.turn {
                0 => index < 2 || index == count - 1,
                // Only the first table differs from the previous turn.
                _ => index == 0 && count > 1,
            };
            let descends = level < last && down;
            let entry = if descends {
                let below = self.fill(level + 1, first);
                format.table(level, below)
            } else {
                let kinds = format.kinds(level, index);
                kinds[(index as usize + self.turn) % kinds.len()]
            };
            format.put(&mut self.memory, at + index * word, entry);
            // Tables below are compared at the first entry of each table.
            let every = (count / 512).max(1);
            if index % every == 0 || index == count - 1 {
                self.inputs.extend([first, first + size / 2 + 8, first + size - 1]);
            }
        }
        at
    }
}

/// Number of ways in which a first table with fewer entries than kinds is filled.
const TURNS: usize = 18;

/// Runs every shape of a format through the suite.
pub(crate) fn check<F: Format>(shapes: &[F]) {
    assert!(!shapes.is_empty());
    for shape in shapes {
        let small = shape.entries(shape.levels().0) < TURNS as u64;
        let turns = if small { TURNS } else { 1 };
        let leaves: usize = (0..turns).map(|turn| check_one(shape, turn)).sum();
        assert!(leaves > 0, "{shape:x?}: something translates");
    }
}

/// Compares the walks over one set of tables; returns how many inputs translated.
fn check_one<F: Format>(shape: &F, turn: usize) -> usize {
    let mut memory = Memory::new();
    let span = Span::from_size(PhysAddr::new(TABLES), TABLE_BYTES).expect("a span");
    memory.add_bank(span).expect("the one bank");
    let mut builder = Builder { format: shape, memory, next: TABLES, turn, inputs: Vec::new() };
    let root = builder.fill(shape.levels().0, 0);
    let Builder { mut memory, inputs, .. } = builder;
    shape.prepare(&mut memory, root);
    let mut leaves = 0;
    for input in inputs.into_iter().step_by(shape.every() as usize) {
        let expected = shape.oracle(&memory, root, input);
        let found = shape.hardware(&memory, root, input);
        assert_eq!(found, expected, "{shape:x?}, turn {turn}, input {input:#x}");
        leaves += usize::from(matches!(found, Answer::Leaf { .. }));
    }
    leaves
}
