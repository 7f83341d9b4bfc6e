//! The kernels' allocators of I/O addresses for doorbells, walked as the kernels walk them.
//!
//! For: the page of the next doorbell. Each walks its allocations one by one, from the sources of
//! the time: `iova.c` of 4.3 to 4.12, `iova.c` since 4.15, and the upward-only address of 4.11's
//! MSI-only cookies.
//! Not for: what is mapped there ([`crate::doorbell`]).
//!
//! Numbers are page numbers, `i128` so that nothing wraps.

/// One allocation: first and last page.
type Node = (i128, i128);

/// The power of two at or above `size`.
fn round_up_to_power_of_two(size: i128) -> i128 {
    let mut power = 1;
    while power < size {
        power *= 2;
    }
    power
}

/// `iova.c` of 4.3 to 4.12, called with the limit whose node is cached.
#[derive(Clone, Debug)]
pub struct TopDown {
    start_pfn: i128,
    limit_pfn: i128,
    /// Ascending.
    nodes: Vec<Node>,
    /// First page of the cached node.
    cached: Option<i128>,
}

impl TopDown {
    /// Creates the window of the pages `start_pfn` to `limit_pfn`.
    pub fn new(start_pfn: u64, limit_pfn: u64) -> Self {
        let (start_pfn, limit_pfn) = (start_pfn.into(), limit_pfn.into());
        Self { start_pfn, limit_pfn, nodes: Vec::new(), cached: None }
    }

    /// Allocates `size` pages, at least 1; returns the first.
    pub fn alloc(&mut self, size: u64) -> Option<u64> {
        let size = i128::from(size);
        // Free pages above the block that align its first page.
        let pad = |limit: i128| (limit + 1 - size).rem_euclid(round_up_to_power_of_two(size));
        let (mut limit, mut before) = match self.cached {
            None => (self.limit_pfn, self.nodes.len()),
            Some(first) => (first - 1, self.nodes.iter().position(|node| node.0 == first).unwrap()),
        };
        let mut found = false;
        while before > 0 && !found {
            let (low, high) = self.nodes[before - 1];
            if limit < low {
                before -= 1;
            } else if limit >= high && high + size + pad(limit) <= limit {
                found = true;
            } else {
                limit = if low == 0 { 0 } else { low - 1 };
                before -= 1;
            }
        }
        if !found && self.start_pfn + size + pad(limit) > limit {
            return None;
        }
        let first = limit - (size + pad(limit)) + 1;
        self.nodes.push((first, first + size - 1));
        self.nodes.sort_unstable();
        self.cached = Some(first);
        u64::try_from(first).ok()
    }

    /// Frees the allocation that begins at `first`.
    pub fn free(&mut self, first: u64) {
        let first = i128::from(first);
        let at = self.nodes.iter().position(|node| node.0 == first).unwrap();
        if self.cached.is_some_and(|cached| first >= cached) {
            let successor = self.nodes.get(at + 1).map(|node| node.0);
            self.cached = successor.filter(|&low| low < self.limit_pfn);
        }
        self.nodes.remove(at);
    }

    /// Extends the window.
    pub fn enlarge(&mut self, limit_pfn: u64) {
        self.limit_pfn = limit_pfn.into();
    }
}

/// `iova.c` since 4.15: an anchor node above all others, limits exclusive.
#[derive(Clone, Debug)]
pub struct Anchored {
    start_pfn: i128,
    limit_pfn: i128,
    /// Ascending; the last is the anchor.
    nodes: Vec<Node>,
    cached: Node,
}

impl Anchored {
    /// Creates the window of the pages from `start_pfn` to the one before `limit_pfn`.
    pub fn new(start_pfn: u64, limit_pfn: u64) -> Self {
        let anchor = (u64::MAX.into(), u64::MAX.into());
        let (start_pfn, limit_pfn) = (start_pfn.into(), limit_pfn.into());
        Self { start_pfn, limit_pfn, nodes: vec![anchor], cached: anchor }
    }

    /// Allocates `size` pages, at least 1; returns the first.
    pub fn alloc(&mut self, size: u64) -> Option<u64> {
        let size = i128::from(size);
        let from = self.nodes.iter().position(|node| *node == self.cached).unwrap();
        let retry = self.cached.1;
        let mut first = self.walk(from, self.start_pfn, size);
        if first.is_none() && retry < self.limit_pfn {
            // The second walk: from the node at or above the limit down to the cached one.
            let from = self.nodes.iter().position(|node| node.0 >= self.limit_pfn).unwrap();
            first = self.walk(from, retry + 1, size);
        }
        let first = first?;
        self.cached = (first, first + size - 1);
        self.nodes.push(self.cached);
        self.nodes.sort_unstable();
        u64::try_from(first).ok()
    }

    /// Walks down from the node `from`, at or above page `low`.
    fn walk(&self, from: usize, low: i128, size: i128) -> Option<i128> {
        let align = round_up_to_power_of_two(size);
        let mut high = self.limit_pfn;
        for at in (0..=from).rev() {
            high = high.min(self.nodes[at].0);
            let first = (high - size).div_euclid(align) * align;
            if first < low {
                return None;
            }
            if at == 0 || first > self.nodes[at - 1].1 {
                return Some(first);
            }
        }
        None
    }

    /// Frees the allocation that begins at `first`.
    pub fn free(&mut self, first: u64) {
        let first = i128::from(first);
        let at = self.nodes.iter().position(|node| node.0 == first).unwrap();
        if first >= self.cached.0 {
            self.cached = self.nodes[at + 1];
        }
        self.nodes.remove(at);
    }
}

/// The MSI-only cookie of 4.11.
#[derive(Clone, Debug)]
pub struct Upwards {
    next: i128,
}

impl Upwards {
    /// Creates an allocator from address `base` on.
    pub fn new(base: u64) -> Self {
        Self { next: base.into() }
    }

    /// Allocates `size` bytes.
    pub fn alloc(&mut self, size: u64) -> u64 {
        let at = self.next;
        self.next += i128::from(size);
        at as u64
    }

    /// Undoes the last allocation, of `size` bytes.
    pub fn undo(&mut self, size: u64) {
        self.next -= i128::from(size);
    }
}

#[cfg(test)]
mod tests;
