//! A set-associative cache of structures by key.

use super::{Geometry, Key, Replacement};

/// The cache. See the [module](self).
#[derive(Clone)]
pub(crate) struct Ways<K, V> {
    ways: usize,
    /// Number of sets, less 1.
    set_mask: u64,
    /// Keys are stored apart from values, so that a search is fast.
    names: Box<[Option<K>]>,
    values: Box<[Option<V>]>,
    replacement: Replacement,
}

impl<K: Key, V> Ways<K, V> {
    /// An empty cache of a geometry that is inside the limits.
    pub(super) fn new(geometry: Geometry) -> Self {
        let slots = 0..geometry.entries();
        Self {
            ways: geometry.ways.into(),
            set_mask: (1 << geometry.sets_lg2) - 1,
            names: slots.clone().map(|_| None).collect(),
            values: slots.map(|_| None).collect(),
            replacement: Replacement::new(geometry),
        }
    }

    /// Index of the first slot of the set that a key belongs to.
    #[inline]
    fn set_of(&self, key: K) -> usize {
        (key.spread() & self.set_mask) as usize * self.ways
    }

    #[inline]
    fn position(&self, key: K) -> Option<usize> {
        let set = self.set_of(key);
        let ways = &self.names[set..set + self.ways];
        ways.iter().position(|name| *name == Some(key)).map(|way| set + way)
    }

    #[inline]
    pub(super) fn get(&self, key: K) -> Option<&V> {
        self.values[self.position(key)?].as_ref()
    }

    #[inline]
    pub(super) fn touch(&mut self, key: K) {
        if let Some(at) = self.position(key) {
            self.replacement.touch(at);
        }
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        let set = self.set_of(key);
        let ways = &self.names[set..set + self.ways];
        let free = || ways.iter().position(Option::is_none).map(|way| set + way);
        let at = match self.position(key).or_else(free) {
            Some(at) => at,
            None => self.replacement.give_way(set),
        };
        self.replacement.touch(at);
        (self.names[at], self.values[at]) = (Some(key), Some(value));
    }

    pub(super) fn remove(&mut self, key: K) {
        if let Some(at) = self.position(key) {
            self.names[at] = None;
        }
    }

    pub(super) fn drop_where(&mut self, named: impl Fn(K, &V) -> bool) {
        for (name, value) in self.names.iter_mut().zip(&self.values) {
            *name = name.filter(|key| !value.as_ref().is_some_and(|value| named(*key, value)));
        }
    }

    pub(super) fn slots(&self) -> usize {
        self.names.len()
    }

    pub(super) fn keys(&self) -> Vec<K> {
        let mut keys: Vec<K> = self.names.iter().flatten().copied().collect();
        keys.sort();
        keys
    }
}
