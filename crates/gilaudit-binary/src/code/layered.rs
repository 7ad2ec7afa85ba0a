//! A map that is cheap to fork: what both sides of a fork share is kept once, in layers that no longer change.

use std::hash::Hash;
use std::rc::Rc;

use foldhash::{HashMap, HashMapExt};

/// A map of small values.
#[derive(Debug)]
pub(crate) struct Layered<K, V> {
    /// Shared and frozen, oldest first, each less than half the size of the one before.
    layers: Vec<Rc<HashMap<K, V>>>,
    top: HashMap<K, V>,
    len: usize,
}

impl<K, V> Default for Layered<K, V> {
    fn default() -> Self {
        Self { layers: Vec::new(), top: HashMap::new(), len: 0 }
    }
}

impl<K: Copy + Eq + Hash, V: Copy> Layered<K, V> {
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        if let Some(value) = self.top.get(key) {
            return Some(*value);
        }
        self.layers.iter().rev().find_map(|layer| layer.get(key).copied())
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        if self.top.insert(key, value).is_none() && !self.layers.iter().any(|layer| layer.contains_key(&key)) {
            self.len += 1;
        }
    }

    /// Every key, some of them more than once.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.top.keys().chain(self.layers.iter().flat_map(|layer| layer.keys()))
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// A second map with the same contents. Both go on from here on their own.
    pub(crate) fn fork(&mut self) -> Self {
        if !self.top.is_empty() {
            let mut top = std::mem::take(&mut self.top);
            // Layers of like size are merged, so that there are few of them.
            while let Some(last) = self.layers.pop_if(|last| last.len() <= 2 * top.len()) {
                let mut merged = Rc::try_unwrap(last).unwrap_or_else(|shared| (*shared).clone());
                merged.extend(top);
                top = merged;
            }
            self.layers.push(Rc::new(top));
        }
        Self { layers: self.layers.clone(), top: HashMap::new(), len: self.len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forks_share_the_past_and_nothing_else() {
        let mut one: Layered<u64, u64> = Layered::default();
        for key in 0..100 {
            one.insert(key, key);
            let mut other = one.fork();
            other.insert(key, 1000 + key);
            other.insert(500 + key, 0);
            assert_eq!(one.get(&key), Some(key));
            assert_eq!(other.get(&key), Some(1000 + key));
            assert_eq!(other.len(), one.len() + 1);
            assert!(one.layers.len() < 10);
        }
        assert_eq!(one.len(), 100);
        assert!((0..100).all(|key| one.get(&key) == Some(key)));
    }
}
