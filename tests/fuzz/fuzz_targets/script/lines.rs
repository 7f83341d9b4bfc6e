//! A scenario with other operations: one is left out, repeated, moved, or has another value.

/// Values near which something ends.
const EDGES: [&str; 16] = [
    "0",
    "1",
    "2",
    "7",
    "16",
    "32",
    "255",
    "0x1000",
    "0x10000",
    "0x8000000",
    "0x40000000",
    "0xffffffff",
    "0x100000000",
    "0xfffffffff000",
    "0xffffffffffffffff",
    "2G",
];

struct Chance(u64);

impl Chance {
    /// A number below `end`, which is not 0.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// The operations alone, one of them changed; `None` of an empty text.
pub fn mutated(text: &str, seed: u32) -> Option<String> {
    let mut chance = Chance(u64::from(seed) << 20 | 1);
    let is_operation = |line: &&str| !line.starts_with([' ', '\t', '#']) && !line.is_empty();
    let mut lines: Vec<String> = text.lines().filter(is_operation).map(str::to_owned).collect();
    if lines.is_empty() {
        return None;
    }
    let (from, to) = (chance.below(lines.len()), chance.below(lines.len()));
    match chance.below(6) {
        0 => drop(lines.remove(from)),
        1 => lines.swap(from, to),
        2 => lines.insert(to, lines[from].clone()),
        _ => lines[from] = with_another_value(&lines, from, &mut chance),
    }
    Some(lines.join("\n") + "\n")
}

/// The line with one value that is an edge, or that the key has elsewhere in the text.
fn with_another_value(lines: &[String], from: usize, chance: &mut Chance) -> String {
    let mut words: Vec<&str> = lines[from].split(' ').collect();
    let at = chance.below(words.len());
    let key = words[at].split_once('=').map_or("", |(key, _)| key);
    let all = lines.iter().flat_map(|line| line.split(' '));
    let same: Vec<&str> =
        all.filter(|word| word.split_once('=').map_or("", |(its, _)| its) == key).collect();
    let edge = EDGES[chance.below(EDGES.len())];
    let edge = if key.is_empty() { edge.to_owned() } else { format!("{key}={edge}") };
    words[at] = if chance.below(2) == 0 { &edge } else { same[chance.below(same.len())] };
    words.join(" ")
}
