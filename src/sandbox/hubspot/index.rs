//! What search sees: the records as they were a while ago.

use super::record::Record;
use super::time::Millis;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The search index of one kind.
#[derive(Debug)]
pub(super) struct Index {
    by_modified: BTreeSet<(Millis, u64)>,
    /// Records whose change search has not seen yet, as search still shows them.
    stale: HashMap<u64, Stale>,
    /// By time and order: the record, and what search shows from then on.
    due: BTreeMap<(Millis, u64), (u64, Option<Record>)>,
    sequence: u64,
    generation: u64,
    lag: Millis,
    jitter: Millis,
    random: StdRng,
}

#[derive(Debug)]
struct Stale {
    shown: Option<Record>,
    pending: u32,
    last_due: Millis,
}

impl Index {
    /// An index that sees a change after `lag` and up to `jitter` more, drawn from `seed`.
    pub(super) fn new(lag: Millis, jitter: Millis, seed: u64) -> Self {
        Self {
            by_modified: BTreeSet::new(),
            stale: HashMap::new(),
            due: BTreeMap::new(),
            sequence: 0,
            generation: 0,
            lag,
            jitter,
            random: StdRng::seed_from_u64(seed),
        }
    }

    /// Changes the lag for changes from now on.
    pub(super) fn set_lag(&mut self, lag: Millis, jitter: Millis) {
        (self.lag, self.jitter) = (lag, jitter);
    }

    /// Whether search sees a change of this record at once.
    pub(super) fn is_prompt(&self, id: u64) -> bool {
        self.lag == 0
            && self.jitter == 0
            && (self.stale.is_empty() || !self.stale.contains_key(&id))
    }

    /// A change that is seen at once.
    pub(super) fn shift(&mut self, id: u64, from: Option<Millis>, to: Option<Millis>) {
        self.generation += 1;
        if from == to {
            return;
        }
        if let Some(from) = from {
            self.by_modified.remove(&(from, id));
        }
        if let Some(to) = to {
            self.by_modified.insert((to, id));
        }
    }

    /// A change that is seen later.
    pub(super) fn defer(
        &mut self,
        now: Millis,
        id: u64,
        before: Option<Record>,
        after: Option<Record>,
    ) {
        let jitter = if self.jitter > 0 {
            self.random.random_range(0..=self.jitter)
        } else {
            0
        };
        let stale = self.stale.entry(id).or_insert(Stale {
            shown: before,
            pending: 0,
            last_due: now,
        });
        // Versions of one record never overtake each other.
        let due = (now + self.lag + jitter).max(stale.last_due);
        stale.pending += 1;
        stale.last_due = due;
        self.sequence += 1;
        self.due.insert((due, self.sequence), (id, after));
    }

    /// Shows what is due.
    pub(super) fn settle(&mut self, now: Millis) {
        while let Some(first) = self.due.first_entry()
            && first.key().0 <= now
        {
            let (id, after) = first.remove();
            let to = after.as_ref().map(|record| record.modified);
            let mut from = None;
            if let Some(stale) = self.stale.get_mut(&id) {
                from = stale.shown.as_ref().map(|record| record.modified);
                stale.shown = after;
                stale.pending -= 1;
                if stale.pending == 0 {
                    self.stale.remove(&id);
                }
            }
            self.shift(id, from, to);
        }
    }

    /// The record as search shows it.
    pub(super) fn view<'a>(
        &'a self,
        id: u64,
        live: &'a BTreeMap<u64, Record>,
    ) -> Option<&'a Record> {
        if !self.stale.is_empty()
            && let Some(stale) = self.stale.get(&id)
        {
            return stale.shown.as_ref();
        }
        live.get(&id)
    }

    /// Ids whose shown version may differ from the stored one.
    pub(super) fn stale(&self) -> impl Iterator<Item = u64> {
        self.stale.keys().copied()
    }

    /// Ids modified from `from` to `to`, both included, as search has it; oldest first.
    pub(super) fn between(&self, from: Millis, to: Millis) -> impl Iterator<Item = u64> {
        let range = (from <= to).then(|| self.by_modified.range((from, 0)..=(to, u64::MAX)));
        range.into_iter().flatten().map(|(_, id)| *id)
    }

    /// All ids, as search has it.
    pub(super) fn ids(&self) -> impl Iterator<Item = u64> {
        self.by_modified.iter().map(|(_, id)| *id)
    }

    /// Moves with everything that search could show differently.
    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }
}
