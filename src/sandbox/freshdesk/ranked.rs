//! An ordered set whose n-th element is found without walking past the ones before it.

/// How full a block grows before it is split.
const FULL: usize = 512;

/// Sorted blocks of sorted elements.
#[derive(Debug)]
pub(super) struct Ranked<K> {
    blocks: Vec<Vec<K>>,
    len: usize,
}

impl<K> Default for Ranked<K> {
    fn default() -> Self {
        Self {
            blocks: Vec::new(),
            len: 0,
        }
    }
}

impl<K: Ord> Ranked<K> {
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// Adds `key`; an equal one stays alone.
    pub(super) fn insert(&mut self, key: K) {
        let at = self.block_of(&key).min(self.blocks.len().saturating_sub(1));
        let Some(block) = self.blocks.get_mut(at) else {
            self.blocks.push(vec![key]);
            self.len = 1;
            return;
        };
        if let Err(place) = block.binary_search(&key) {
            block.insert(place, key);
            self.len += 1;
        }
        if block.len() > FULL {
            let tail = block.split_off(FULL / 2);
            self.blocks.insert(at + 1, tail);
        }
    }

    /// Adds many at once.
    pub(super) fn extend(&mut self, keys: impl IntoIterator<Item = K>) {
        let mut all: Vec<K> = std::mem::take(&mut self.blocks)
            .into_iter()
            .flatten()
            .collect();
        all.extend(keys);
        all.sort_unstable();
        all.dedup();
        self.len = all.len();
        let mut keys = all.into_iter();
        while keys.len() > 0 {
            self.blocks.push(keys.by_ref().take(FULL / 2).collect());
        }
    }

    /// Takes `key` out, if it is in.
    pub(super) fn remove(&mut self, key: &K) {
        let at = self.block_of(key);
        let Some(block) = self.blocks.get_mut(at) else {
            return;
        };
        if let Ok(place) = block.binary_search(key) {
            block.remove(place);
            self.len -= 1;
            if block.is_empty() {
                self.blocks.remove(at);
            }
        }
    }

    /// The elements from the `skip`-th on, in order.
    pub(super) fn from(&self, mut skip: usize) -> impl Iterator<Item = &K> {
        let mut first = 0;
        for block in &self.blocks {
            if skip < block.len() {
                break;
            }
            skip -= block.len();
            first += 1;
        }
        self.blocks.iter().skip(first).flatten().skip(skip)
    }

    /// The elements before the last `skip`, from the last one backwards.
    pub(super) fn back(&self, mut skip: usize) -> impl Iterator<Item = &K> {
        let mut last = 0;
        for block in self.blocks.iter().rev() {
            if skip < block.len() {
                break;
            }
            skip -= block.len();
            last += 1;
        }
        let blocks = self.blocks.iter().rev().skip(last);
        blocks.flat_map(|block| block.iter().rev()).skip(skip)
    }

    /// How many elements are before `key`.
    pub(super) fn rank(&self, key: &K) -> usize {
        let at = self.block_of(key);
        let whole: usize = self.blocks.iter().take(at).map(Vec::len).sum();
        let block = self.blocks.get(at);
        whole + block.map_or(0, |block| block.partition_point(|it| it < key))
    }

    /// The first block whose last element is not before `key`.
    fn block_of(&self, key: &K) -> usize {
        self.blocks
            .partition_point(|block| block.last().is_some_and(|last| last < key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn pages_are_those_of_a_plain_sorted_set(
            first in prop::collection::vec(0_u16..2000, 0..1500),
            steps in prop::collection::vec((any::<bool>(), 0_u16..2000), 0..3000),
            more in prop::collection::vec(0_u16..2000, 0..10),
            skip in 0_usize..2500,
        ) {
            let (mut ranked, mut plain) = (Ranked::default(), BTreeSet::new());
            ranked.extend(first.iter().copied());
            plain.extend(first);
            for (add, key) in steps {
                if add {
                    ranked.insert(key);
                    plain.insert(key);
                } else {
                    ranked.remove(&key);
                    plain.remove(&key);
                }
            }
            ranked.extend(more.iter().copied());
            plain.extend(more);
            prop_assert_eq!(ranked.len(), plain.len());
            prop_assert!(ranked.from(skip).eq(plain.iter().skip(skip)));
            prop_assert!(ranked.back(skip).eq(plain.iter().rev().skip(skip)));
            let key = u16::try_from(skip).unwrap();
            prop_assert_eq!(ranked.rank(&key), plain.range(..key).count());
        }
    }
}
